-- The consumers' own note of the numbers that they recorded (R8), written with the deliveries: a row per batch and run, the rows of
-- a run merged with each of its marks. So the books can be watched without reading every delivery.
CREATE TABLE booked (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance uuid NOT NULL,
    -- Ranges, like `1-4,7`.
    numbers  text NOT NULL
);
CREATE INDEX booked_by_instance ON booked (instance);
