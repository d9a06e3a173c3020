-- Readings go by numbers: a row then takes half the room, and names are changed in one place.
CREATE TABLE series (
    series_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    well_id text NOT NULL,
    parameter text NOT NULL,
    -- Of the archived readings; NULL while there are none. What lies outside is new without a look.
    first_time timestamptz,
    last_time timestamptz,
    UNIQUE (well_id, parameter)
);

CREATE TABLE reading_gateways (
    gateway_number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway_id text NOT NULL UNIQUE
);

-- Counted as they are committed: a count of the readings themselves would read them all.
CREATE TABLE archive_totals (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    readings bigint NOT NULL
);
INSERT INTO archive_totals (readings) VALUES (0);

-- Versions that lost their place, and what took it. They are few.
CREATE TABLE reading_versions (
    series_id integer NOT NULL,
    time timestamptz NOT NULL,
    value double precision,
    seq bigint NOT NULL,
    revision bigint NOT NULL,
    gateway_number integer NOT NULL,
    qc_tests integer NOT NULL,
    quality smallint NOT NULL,
    time_source smallint NOT NULL,
    site_status smallint,
    time_raw text,
    superseded_seq bigint NOT NULL,
    superseded_at timestamptz NOT NULL,
    cause text NOT NULL
);
CREATE INDEX reading_versions_by_key ON reading_versions (series_id, time);
