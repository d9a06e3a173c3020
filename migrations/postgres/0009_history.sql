-- What indicators and flags were before they changed. What was replaced before these tables were there left no trace, so nothing
-- is told of times before `since`; NULL is since ever.
CREATE TABLE history (since timestamptz);
INSERT INTO history SELECT CASE WHEN EXISTS (SELECT FROM indicators) OR EXISTS (SELECT FROM condition_flags) THEN now() END;

CREATE TABLE indicator_revisions (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, superseded_at timestamptz NOT NULL, LIKE indicators
);
CREATE INDEX indicator_revisions_of_place ON indicator_revisions (place);

CREATE TABLE flag_versions (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, known_from timestamptz NOT NULL, LIKE condition_flags
);
CREATE INDEX flag_versions_of_flag ON flag_versions (id, number);
INSERT INTO flag_versions (known_from, id, scope, place, province_code, district_code, subdistrict_code, well_id, hazard, severity,
    state, raised_at, changed_at, closed_at, confidence, wells_in, wells_out, coverage, rule, limit_value, observed,
    what_would_clear_it, headline_en, headline_th, detail_en, detail_th, acknowledged_by, acknowledged_at)
    SELECT h.since, f.id, scope, place, province_code, district_code, subdistrict_code, well_id, hazard, severity,
    state, raised_at, changed_at, closed_at, confidence, wells_in, wells_out, coverage, rule, limit_value, observed,
    what_would_clear_it, headline_en, headline_th, detail_en, detail_th, acknowledged_by, acknowledged_at
    FROM condition_flags f CROSS JOIN history h;
