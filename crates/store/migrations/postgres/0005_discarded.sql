-- What a person discarded: the letter is gone, its number stays accounted for in the books (R8).
CREATE TABLE discarded (
    instance     uuid NOT NULL,
    sequence     bigint NOT NULL,
    receipt      uuid,
    reason       text NOT NULL,
    discarded_at bigint NOT NULL,
    PRIMARY KEY (instance, sequence)
);
