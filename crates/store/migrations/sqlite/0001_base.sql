-- What everything else rests on: the schema's own facts, the apps, and the sums that would cost a scan each.
-- Times are UTC microseconds, ids of 128 bits are BLOBs of 16 bytes, in every table of this schema.

-- Facts about the store itself. `min_reader_version`: a program that reads must know at least this schema.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('min_reader_version', 1), ('probes', 0);

-- An app is known as soon as a webhook of it arrives; it is pinned to its client when it is enrolled.
CREATE TABLE apps (
    app         TEXT PRIMARY KEY,
    client_id   TEXT,
    enrolled_at INTEGER,
    -- The number of the last read drawn.
    read_no     INTEGER NOT NULL DEFAULT 0,
    -- The last complete sweep; NULL until the first one is complete.
    swept_at    INTEGER,
    last_webhook_at INTEGER,
    -- The most hints that a row of `refreshes` had counted when it was removed: new rows count on from there, so that no claim
    -- made before answers a hint made after.
    hints_forgotten INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Running sums, changed in the transaction that changes what they count.
CREATE TABLE counters (
    app   TEXT NOT NULL,
    name  TEXT NOT NULL,
    word  TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (app, name, word)
) STRICT, WITHOUT ROWID;
