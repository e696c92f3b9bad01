-- The outbox and what SQL users may rely on.

-- Events in the order of commit; readers see only those with a number (R7).
CREATE TABLE outbox (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    app          TEXT NOT NULL,
    token        TEXT NOT NULL,
    kind         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    time         INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    event        TEXT NOT NULL,
    number       INTEGER UNIQUE
) STRICT;
CREATE INDEX outbox_by_token ON outbox (token, app);
CREATE INDEX outbox_unnumbered ON outbox (seq) WHERE number IS NULL;

-- Places in the feed: '' is the last number given, any other name a target that events are relayed to.
CREATE TABLE cursors (
    name   TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
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
