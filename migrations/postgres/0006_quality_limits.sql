-- Limits of the quality tests that differ from the defaults and from the configuration file, named as in its section
-- [quality]. well_id and parameter are '' where a limit is of every one: a key has no NULL.
CREATE TABLE quality_limits (
    well_id text NOT NULL, parameter text NOT NULL, limit_name text NOT NULL, value double precision NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (well_id, parameter, limit_name)
);

-- fingerprint stands for the limits under which the stored readings of a series were judged; under_way_since is a seq while
-- they are being judged anew.
CREATE TABLE judged_series (
    well_id text NOT NULL, parameter text NOT NULL, fingerprint bigint NOT NULL, under_way_since bigint,
    PRIMARY KEY (well_id, parameter)
);
