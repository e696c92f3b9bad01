-- In which order reads were judged, which their numbers do not say: some overtake others. Drawn from the numbers of reads, which
-- only rise. NULL where a program of an older version recorded the read.
ALTER TABLE observations ADD COLUMN judged_no INTEGER;
