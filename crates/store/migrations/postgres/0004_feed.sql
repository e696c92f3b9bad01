-- The outbox and what SQL users may rely on.

-- Events as they were committed; readers see only those with a number (R7). Of one connection, seq is in the order of commit.
CREATE TABLE outbox (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           text COLLATE "C" NOT NULL UNIQUE,
    app          text COLLATE "C" NOT NULL,
    token        text COLLATE "C" NOT NULL,
    kind         text NOT NULL,
    version      bigint NOT NULL,
    time         bigint NOT NULL,
    committed_at bigint NOT NULL,
    event        json NOT NULL,
    number       bigint UNIQUE
) WITH (fillfactor = 50);
CREATE INDEX outbox_by_token ON outbox (token, app);
CREATE INDEX outbox_unnumbered ON outbox (seq) WHERE number IS NULL;

-- Places in the feed: '' is the last number given, any other name a target that events are relayed to.
CREATE TABLE cursors (
    name   text COLLATE "C" PRIMARY KEY,
    number bigint NOT NULL
);
INSERT INTO cursors (name, number) VALUES ('', 0);

-- The contract for SQL users. Columns are added to these, never taken away or given another meaning.
CREATE VIEW connections_v1 AS
SELECT app, token, status, entity, update_token, restore_token, two_factor_enabled, has_credentials, external_id,
       created_at, updated_at, last_sync, error_reason, error_type, error_retryable, version, as_of, deleted_at
FROM connections;

CREATE VIEW events_v1 AS
SELECT number, id, kind AS type, app, token, version, time, event
FROM outbox
WHERE number IS NOT NULL;
