-- What a person discarded: the letter is gone, its number stays accounted for in the books (R8).
CREATE TABLE discarded (
    instance     BLOB NOT NULL,
    sequence     INTEGER NOT NULL,
    receipt      BLOB,
    reason       TEXT NOT NULL,
    discarded_at INTEGER NOT NULL,
    PRIMARY KEY (instance, sequence)
) STRICT, WITHOUT ROWID;
