-- When a mark of the run was last recorded, by the store's clock: `at` is by the clock of the ingress, which decides nothing (R1).
-- NULL where a program of an older version recorded it.
ALTER TABLE checkpoints ADD COLUMN recorded_at bigint;
