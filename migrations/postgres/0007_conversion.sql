-- As dirty_months, for the conversion of what sensors said to levels.
CREATE TABLE unconverted_months (
    well_id text NOT NULL,
    parameter text NOT NULL,
    month integer NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (well_id, parameter, month)
);
CREATE INDEX unconverted_months_by_seq ON unconverted_months (seq);

-- fingerprint stands for the installations by which all levels of a well were converted.
CREATE TABLE converted_wells (well_id text PRIMARY KEY, fingerprint bigint NOT NULL);
