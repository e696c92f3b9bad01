-- Which duplicates refer to a body: the last one of them takes it along when it is purged (R12). The first delivery of a body is no
-- duplicate and is not in it, so what comes once costs nothing. A step of its own: whoever records or decides deliveries waits while
-- it is made, for as long as reading all of them takes.
CREATE INDEX deliveries_duplicates ON deliveries (body_id) WHERE duplicate;
