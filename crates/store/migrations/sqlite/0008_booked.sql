-- The consumer's own note of the numbers that it recorded (R8), written with the deliveries: a row per batch and run, the rows of a
-- run merged with each of its marks. So the books can be watched without reading every delivery.
CREATE TABLE booked (
    id       INTEGER PRIMARY KEY,
    instance BLOB NOT NULL,
    -- Ranges, like `1-4,7`.
    numbers  TEXT NOT NULL
) STRICT;
CREATE INDEX booked_by_instance ON booked (instance);
