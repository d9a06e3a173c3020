-- What people read: names in place of numbers. received_at is seq >> 20 in Unix ms.
CREATE VIEW readings AS
SELECT s.well_id, s.parameter, r.time, r.value,
    (ARRAY['ok', 'dry', 'pumping', 'recently_pumped', 'nearby_pumping', 'obstructed', 'flowing', 'maintenance'])[r.site_status]
        AS site_status,
    r.quality, r.qc_tests,
    (ARRAY['device', 'received', 'buddhist_era', 'clock_zone'])[r.time_source + 1] AS time_source,
    g.gateway_id, r.revision, to_timestamp((r.seq >> 20) / 1000.0) AS received_at, r.seq, r.time_raw
FROM reading_rows r
JOIN series s USING (series_id)
JOIN reading_gateways g USING (gateway_number);

CREATE VIEW reading_revisions AS
SELECT s.well_id, s.parameter, r.time, r.value,
    (ARRAY['ok', 'dry', 'pumping', 'recently_pumped', 'nearby_pumping', 'obstructed', 'flowing', 'maintenance'])[r.site_status]
        AS site_status,
    r.quality, r.qc_tests,
    (ARRAY['device', 'received', 'buddhist_era', 'clock_zone'])[r.time_source + 1] AS time_source,
    g.gateway_id, r.revision, to_timestamp((r.seq >> 20) / 1000.0) AS received_at, r.seq, r.time_raw,
    r.superseded_seq, r.superseded_at, r.cause
FROM reading_versions r
JOIN series s USING (series_id)
JOIN reading_gateways g USING (gateway_number);

CREATE VIEW gateways AS
SELECT gateway_id, max(last_seen) AS last_seen, sum(received)::bigint AS received, sum(stored)::bigint AS stored,
    sum(duplicate)::bigint AS duplicate, sum(dead)::bigint AS dead
FROM gateway_counts GROUP BY gateway_id;

COMMENT ON VIEW readings IS 'One row per (well_id, parameter, time): the version that counts';
COMMENT ON VIEW reading_revisions IS 'Superseded versions of readings, and what superseded them';
