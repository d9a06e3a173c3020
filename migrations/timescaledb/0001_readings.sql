-- TimescaleDB: one unique key and no NULL in it, as duplicates are found by it in compressed chunks too.
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
);
SELECT create_hypertable('reading_rows', 'time', chunk_time_interval => INTERVAL '14 days', create_default_indexes => false);
