-- Hours and days of UTC where TimescaleDB does not keep them. A day is stored once it is over; the program does that, and does
-- it anew for what came late. Until then it is computed from the readings, so the views are always right.

CREATE TABLE reading_days (
    series_id integer NOT NULL,
    day timestamptz NOT NULL,
    count bigint NOT NULL,
    good_count bigint NOT NULL,
    sum double precision,
    min double precision,
    max double precision,
    first double precision,
    last double precision,
    PRIMARY KEY (series_id, day)
);
CREATE INDEX reading_days_by_day ON reading_days (day);

-- Months (by their first instant in UTC) with readings below the watermark that are not in reading_days yet.
CREATE TABLE reading_days_dirty (
    series_id integer NOT NULL,
    month timestamptz NOT NULL,
    PRIMARY KEY (series_id, month)
);

-- Days before the watermark, itself midnight of UTC, are stored unless their month is dirty.
CREATE TABLE reading_days_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    watermark timestamptz NOT NULL
);
INSERT INTO reading_days_state (watermark) VALUES ('-infinity');

-- In both views the periods come first, and each looks up its readings by key: a condition on the period so becomes one on
-- `time`, which no condition on a truncated time would. Periods are counted in hours, as days depend on the session's zone.
CREATE VIEW readings_hourly AS
SELECT s.well_id, s.parameter, h.hour, r.sum / nullif(r.count, 0) AS mean, r.min, r.max, r.first, r.last, r.count, r.good_count
FROM generate_series(
    (SELECT date_trunc('hour', min(first_time), 'UTC') FROM series), (SELECT max(last_time) FROM series), INTERVAL '1 hour'
) h(hour)
JOIN series s ON h.hour <= s.last_time AND h.hour > s.first_time - INTERVAL '1 hour'
CROSS JOIN LATERAL (
    SELECT count(value) AS count, count(value) FILTER (WHERE quality = 1) AS good_count, sum(value) AS sum, min(value) AS min,
        max(value) AS max, (array_agg(value ORDER BY time) FILTER (WHERE value IS NOT NULL))[1] AS first,
        (array_agg(value ORDER BY time) FILTER (WHERE value IS NOT NULL))[count(value)] AS last
    FROM reading_rows
    WHERE series_id = s.series_id AND time >= h.hour AND time < h.hour + INTERVAL '1 hour'
    HAVING count(*) > 0
) r;

CREATE VIEW readings_daily AS
SELECT s.well_id, s.parameter, d.day, d.sum / nullif(d.count, 0) AS mean, d.min, d.max, d.first, d.last, d.count, d.good_count
FROM reading_days d
JOIN series s USING (series_id)
WHERE d.day < (SELECT watermark FROM reading_days_state)
    AND NOT EXISTS (
        SELECT FROM reading_days_dirty x WHERE x.series_id = d.series_id AND x.month = date_trunc('month', d.day, 'UTC'))
UNION ALL
SELECT s.well_id, s.parameter, p.day, r.sum / nullif(r.count, 0) AS mean, r.min, r.max, r.first, r.last, r.count, r.good_count
FROM (
    SELECT x.series_id, g.day
    FROM reading_days_dirty x
    CROSS JOIN LATERAL generate_series(x.month, x.month + INTERVAL '720 hours', INTERVAL '24 hours') g(day)
    WHERE date_trunc('month', g.day, 'UTC') = x.month AND g.day < (SELECT watermark FROM reading_days_state)
) p
JOIN series s USING (series_id)
CROSS JOIN LATERAL (
    SELECT count(value) AS count, count(value) FILTER (WHERE quality = 1) AS good_count, sum(value) AS sum, min(value) AS min,
        max(value) AS max, (array_agg(value ORDER BY time) FILTER (WHERE value IS NOT NULL))[1] AS first,
        (array_agg(value ORDER BY time) FILTER (WHERE value IS NOT NULL))[count(value)] AS last
    FROM reading_rows
    WHERE series_id = p.series_id AND time >= p.day AND time < p.day + INTERVAL '24 hours'
    HAVING count(*) > 0
) r
UNION ALL
SELECT s.well_id, s.parameter, g.day, r.sum / nullif(r.count, 0) AS mean, r.min, r.max, r.first, r.last, r.count, r.good_count
FROM generate_series(
    (SELECT greatest((SELECT watermark FROM reading_days_state), date_trunc('day', min(first_time), 'UTC')) FROM series),
    (SELECT max(last_time) FROM series),
    INTERVAL '24 hours'
) g(day)
JOIN series s ON g.day <= s.last_time AND g.day > s.first_time - INTERVAL '24 hours'
CROSS JOIN LATERAL (
    SELECT count(value) AS count, count(value) FILTER (WHERE quality = 1) AS good_count, sum(value) AS sum, min(value) AS min,
        max(value) AS max, (array_agg(value ORDER BY time) FILTER (WHERE value IS NOT NULL))[1] AS first,
        (array_agg(value ORDER BY time) FILTER (WHERE value IS NOT NULL))[count(value)] AS last
    FROM reading_rows
    WHERE series_id = s.series_id AND time >= g.day AND time < g.day + INTERVAL '24 hours'
    HAVING count(*) > 0
) r;

COMMENT ON VIEW readings_hourly IS
    'One row per (well_id, parameter, hour of UTC) that has readings; count is of those with a value, good_count of quality 1';
COMMENT ON VIEW readings_daily IS
    'One row per (well_id, parameter, day of UTC) that has readings; count is of those with a value, good_count of quality 1';
