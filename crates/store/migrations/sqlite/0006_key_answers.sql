-- When Finlink last gave a definite answer, a key or a 404, to a question for a key of the app (R10).
ALTER TABLE apps ADD COLUMN key_answered_at INTEGER;
