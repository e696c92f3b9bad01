-- Who relays to a target, and until when (R7): one process at a time, so that each event goes there once. A holder that lost its
-- turn has a lower fence. An older program moves the place as before, without a turn.
ALTER TABLE cursors ADD COLUMN holder uuid;
ALTER TABLE cursors ADD COLUMN fence bigint NOT NULL DEFAULT 0;
ALTER TABLE cursors ADD COLUMN expires_at bigint;
