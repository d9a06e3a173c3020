-- Plain PostgreSQL: a partition a month (UTC), made by gwbank ahead of time and where old readings come in.
CREATE TABLE reading_rows (
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
    PRIMARY KEY (series_id, time)
) PARTITION BY RANGE (time);
