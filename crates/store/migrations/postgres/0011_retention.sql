-- What retention needs. When a delivery was recorded, by the store's clock: `received_at` is by the clock of an ingress, which
-- decides nothing (R1). A default writes it, so that a program of an older version writes it too; set by itself, so that no row is
-- rewritten. NULL in the rows of before: they count as recorded when this column came.
ALTER TABLE deliveries ADD COLUMN recorded_at bigint;
ALTER TABLE deliveries ALTER COLUMN recorded_at SET DEFAULT (extract(epoch FROM now()) * 1000000)::bigint;
INSERT INTO meta (name, value) VALUES ('recorded_from', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);

-- Numbers of deliveries that were purged, as ranges that neither overlap nor touch: the books go on accounting for them (R8).
CREATE TABLE purged (
    first    bigint NOT NULL,
    through  bigint NOT NULL,
    instance uuid NOT NULL,
    PRIMARY KEY (instance, first)
);

-- Bodies whose first delivery was purged and that duplicates of it still refer to.
CREATE TABLE bodies_left (
    id uuid PRIMARY KEY
);

-- A purge begins at the oldest each time: what it removed is vacuumed before it is in the way.
ALTER TABLE deliveries SET (autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE bodies SET (autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.01);
