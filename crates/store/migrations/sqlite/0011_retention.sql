-- What retention needs. When a delivery was recorded, by the store's clock: `received_at` is by the clock of an ingress, which
-- decides nothing (R1). NULL where a program of an older version recorded it: it counts as recorded when this column came.
ALTER TABLE deliveries ADD COLUMN recorded_at INTEGER;
INSERT INTO meta (name, value) VALUES ('recorded_from', unixepoch('now') * 1000000);

-- Numbers of deliveries that were purged, as ranges that neither overlap nor touch: the books go on accounting for them (R8).
CREATE TABLE purged (
    instance BLOB NOT NULL,
    first    INTEGER NOT NULL,
    through  INTEGER NOT NULL,
    PRIMARY KEY (instance, first)
) STRICT, WITHOUT ROWID;

-- Bodies whose first delivery was purged and that duplicates of it still refer to.
CREATE TABLE bodies_left (
    id BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
