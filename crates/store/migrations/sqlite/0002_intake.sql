-- What the consumer writes: deliveries, bodies, the books, dead letters.

-- One row per accepted webhook. Receipts are UUIDs of version 7, so rows are appended and listed in their order.
-- No foreign key on body_id: ids of bodies derive from their hash, and the check would double the cost of a delivery.
CREATE TABLE deliveries (
    receipt      BLOB PRIMARY KEY,
    app          TEXT NOT NULL,
    instance     BLOB NOT NULL,
    sequence     INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,
    verification TEXT NOT NULL,
    binds_body   INTEGER NOT NULL,
    kid          BLOB,
    -- The JWT, while the delivery is pending.
    signature    TEXT,
    -- Why it was rejected.
    rejection    TEXT,
    body_id      BLOB NOT NULL,
    -- The connection that the body names first.
    token        TEXT,
    duplicate    INTEGER NOT NULL,
    content_type TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_pending_by_kid ON deliveries (app, kid, receipt) WHERE verification = 'pending';
CREATE INDEX deliveries_pending_by_age ON deliveries (app, received_at) WHERE verification = 'pending';
CREATE INDEX deliveries_rejected ON deliveries (receipt) WHERE verification = 'rejected';

-- One row per distinct body of an app. A body whose last_receipt is older than every delivery kept is referred to by none:
-- that is how a purge finds it.
CREATE TABLE bodies (
    id           BLOB PRIMARY KEY,
    app          TEXT NOT NULL,
    sha256       BLOB NOT NULL,
    size         INTEGER NOT NULL,
    -- NULL where the app's byte budget was used up.
    bytes        BLOB,
    -- What it tells, as JSON: a pending webhook hints by it once it is decided.
    tells        TEXT NOT NULL,
    last_receipt BLOB NOT NULL
) STRICT;

-- The books, one row per run of an ingress process. Marks are checkpoints; told_through comes with each webhook and says
-- nothing about what was refused.
CREATE TABLE checkpoints (
    instance        BLOB PRIMARY KEY,
    started_at      INTEGER,
    at              INTEGER,
    decided_through INTEGER NOT NULL DEFAULT 0,
    told_through    INTEGER NOT NULL DEFAULT 0,
    last            INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Refused numbers of a run, as ranges that neither overlap nor touch.
CREATE TABLE refused (
    instance BLOB NOT NULL,
    first    INTEGER NOT NULL,
    through  INTEGER NOT NULL,
    PRIMARY KEY (instance, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letters (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    receipt   BLOB UNIQUE,
    app       TEXT,
    instance  BLOB,
    sequence  INTEGER,
    reason    TEXT NOT NULL,
    detail    TEXT NOT NULL,
    buried_at INTEGER NOT NULL,
    envelope  TEXT NOT NULL,
    body      BLOB NOT NULL
) STRICT;
