-- Of the values that a result rests on: the shares that were approved by a person, and that are of quality 1. NULL where they
-- were not counted.
ALTER TABLE indicators ADD COLUMN approved_share double precision, ADD COLUMN quality_share double precision;
