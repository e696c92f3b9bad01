-- What everything else rests on: the schema's own facts, the apps, and the sums that would cost a scan each.
-- Times are UTC microseconds. Names and tokens compare byte by byte, whatever the database's collation.

-- Facts about the store itself. `min_reader_version`: a program that works with this schema must know at least that version
-- of it; raised when a step takes something away.
CREATE TABLE meta (
    name  text PRIMARY KEY,
    value bigint NOT NULL
);
INSERT INTO meta (name, value) VALUES ('min_reader_version', 1), ('probes', 0);

-- An app is known as soon as a webhook of it arrives; it is pinned to its client when it is enrolled.
CREATE TABLE apps (
    app         text COLLATE "C" PRIMARY KEY,
    client_id   text,
    enrolled_at bigint,
    -- The last complete sweep; NULL until the first one is complete.
    swept_at    bigint
);

-- The numbers of reads (R2), of all apps.
CREATE SEQUENCE read_numbers;

-- Running sums, changed in the transaction that changes what they count. A sum is spread over rows, one per stripe, so that
-- consumers do not queue up for one row; its value is their total.
CREATE TABLE counters (
    stripe smallint NOT NULL,
    app    text COLLATE "C" NOT NULL,
    name   text NOT NULL,
    word   text NOT NULL,
    value  bigint NOT NULL,
    PRIMARY KEY (stripe, app, name, word)
) WITH (fillfactor = 50);

-- The newest webhook of an app, in the same way: the latest of its rows.
CREATE TABLE arrivals (
    stripe          smallint NOT NULL,
    app             text COLLATE "C" NOT NULL,
    last_webhook_at bigint NOT NULL,
    PRIMARY KEY (stripe, app)
) WITH (fillfactor = 50);
