-- What the second look found in stretches of series: readings in them are judged by it.
CREATE TABLE quality_findings (
    well_id text NOT NULL, parameter text NOT NULL, test text NOT NULL, from_time timestamptz NOT NULL,
    to_time timestamptz NOT NULL, detail text NOT NULL, found_at timestamptz NOT NULL,
    PRIMARY KEY (well_id, parameter, test, from_time)
);

-- How far wells were looked at, in months since January 1970; fingerprint stands for all but the readings that the look
-- went by.
CREATE TABLE second_looks (
    well_id text PRIMARY KEY, looked_through integer NOT NULL, fingerprint bigint NOT NULL
);
