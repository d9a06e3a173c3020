-- TimescaleDB under its own licence: hours and days of UTC, kept by it. What it has not computed yet is computed from the
-- readings as it is asked for. Buckets have no zone: see issue 10296 of timescale/timescaledb. Days are not made of hours, as
-- a correction would reach them only after it has reached the hours.
CREATE MATERIALIZED VIEW reading_hours WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT series_id, time_bucket(INTERVAL '1 hour', time) AS hour,
    count(value) AS count,
    count(value) FILTER (WHERE quality = 1) AS good_count,
    sum(value) AS sum,
    min(value) AS min,
    max(value) AS max,
    first(value, time) FILTER (WHERE value IS NOT NULL) AS first,
    last(value, time) FILTER (WHERE value IS NOT NULL) AS last
FROM reading_rows
GROUP BY 1, 2
WITH NO DATA;

CREATE MATERIALIZED VIEW reading_days WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT series_id, time_bucket(INTERVAL '1 day', time) AS day,
    count(value) AS count,
    count(value) FILTER (WHERE quality = 1) AS good_count,
    sum(value) AS sum,
    min(value) AS min,
    max(value) AS max,
    first(value, time) FILTER (WHERE value IS NOT NULL) AS first,
    last(value, time) FILTER (WHERE value IS NOT NULL) AS last
FROM reading_rows
GROUP BY 1, 2
WITH NO DATA;

CREATE VIEW readings_hourly AS
SELECT s.well_id, s.parameter, h.hour, h.sum / nullif(h.count, 0) AS mean, h.min, h.max, h.first, h.last, h.count, h.good_count
FROM reading_hours h
JOIN series s USING (series_id);

CREATE VIEW readings_daily AS
SELECT s.well_id, s.parameter, d.day, d.sum / nullif(d.count, 0) AS mean, d.min, d.max, d.first, d.last, d.count, d.good_count
FROM reading_days d
JOIN series s USING (series_id);

COMMENT ON VIEW readings_hourly IS
    'One row per (well_id, parameter, hour of UTC) that has readings; count is of those with a value, good_count of quality 1';
COMMENT ON VIEW readings_daily IS
    'One row per (well_id, parameter, day of UTC) that has readings; count is of those with a value, good_count of quality 1';
