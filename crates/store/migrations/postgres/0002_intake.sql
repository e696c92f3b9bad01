-- What the consumer writes: deliveries, bodies, the books, dead letters.

-- One row per accepted webhook. Receipts are UUIDs of version 7, so rows are appended and listed in their order.
-- No foreign key on body_id: ids of bodies derive from their hash, and the check would cost a lock per delivery.
CREATE TABLE deliveries (
    received_at  bigint NOT NULL,
    sequence     bigint NOT NULL,
    receipt      uuid PRIMARY KEY,
    instance     uuid NOT NULL,
    body_id      uuid NOT NULL,
    kid          uuid,
    binds_body   boolean NOT NULL,
    duplicate    boolean NOT NULL,
    app          text COLLATE "C" NOT NULL,
    verification text NOT NULL,
    -- The connection that the body names first.
    token        text COLLATE "C",
    content_type text,
    -- The JWT, while the delivery is pending.
    signature    text,
    -- Why it was rejected.
    rejection    text
);
CREATE INDEX deliveries_pending_by_kid ON deliveries (app, kid, receipt) WHERE verification = 'pending';
CREATE INDEX deliveries_pending_by_age ON deliveries (app, received_at) WHERE verification = 'pending';
CREATE INDEX deliveries_rejected ON deliveries (receipt) WHERE verification = 'rejected';

-- One row per distinct body of an app. A body whose last_receipt is older than every delivery kept is referred to by none:
-- that is how a purge finds it.
CREATE TABLE bodies (
    size         bigint NOT NULL,
    id           uuid PRIMARY KEY,
    last_receipt uuid NOT NULL,
    app          text COLLATE "C" NOT NULL,
    sha256       bytea NOT NULL,
    -- What it tells, as JSON: a pending webhook hints by it once it is decided.
    tells        text NOT NULL,
    -- NULL where the app's byte budget was used up.
    bytes        bytea
);

-- The books, one row per run of an ingress process that has sent a mark.
CREATE TABLE checkpoints (
    instance        uuid PRIMARY KEY,
    started_at      bigint NOT NULL,
    at              bigint NOT NULL,
    decided_through bigint NOT NULL,
    last            boolean NOT NULL
) WITH (fillfactor = 70);

-- How far a run had decided as its webhooks tell it; says nothing about what was refused. The highest of a run's rows counts:
-- they are spread over stripes like the counters.
CREATE TABLE told (
    through  bigint NOT NULL,
    instance uuid NOT NULL,
    stripe   smallint NOT NULL,
    PRIMARY KEY (instance, stripe)
) WITH (fillfactor = 50);

-- Refused numbers of a run, as ranges that neither overlap nor touch.
CREATE TABLE refused (
    first    bigint NOT NULL,
    through  bigint NOT NULL,
    instance uuid NOT NULL,
    PRIMARY KEY (instance, first)
);

CREATE TABLE dead_letters (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    receipt   uuid UNIQUE,
    app       text COLLATE "C",
    instance  uuid,
    sequence  bigint,
    reason    text NOT NULL,
    detail    text NOT NULL,
    buried_at bigint NOT NULL,
    envelope  text NOT NULL,
    body      bytea NOT NULL
);
