-- Everything that is not a reading. Instants are timestamptz; `seq` is gwbank's hybrid clock: received_at in Unix ms is
-- seq >> 20. Names of enums are those of the contract.

-- One row a node of gwbank: what its journal has been settled up to.
CREATE TABLE nodes (
    node_id smallint PRIMARY KEY,
    metadata_position bigint NOT NULL DEFAULT 0,
    archive_position bigint NOT NULL DEFAULT 0
);

-- Counted in readings: received = stored + duplicate + dead + pending. Each node counts for itself, so that two never wait
-- for one row; they wrap around at 2^64, as a difference may be added.
CREATE TABLE gateway_counts (
    gateway_id text NOT NULL,
    node_id smallint NOT NULL,
    last_seen timestamptz,
    received bigint NOT NULL,
    stored bigint NOT NULL,
    duplicate bigint NOT NULL,
    dead bigint NOT NULL,
    clock_offset_s double precision,
    clock_zone text,
    last_error text,
    PRIMARY KEY (gateway_id, node_id)
);

-- One entry per (gateway, reason, subject), which counts messages and readings.
CREATE TABLE dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway_id text NOT NULL,
    reason text NOT NULL,
    subject text NOT NULL,
    topic text NOT NULL,
    detail text NOT NULL,
    received_at timestamptz NOT NULL,
    last_received_at timestamptz NOT NULL,
    count bigint NOT NULL,
    readings bigint NOT NULL,
    payload_bytes bigint NOT NULL,
    expired bigint NOT NULL DEFAULT 0,
    UNIQUE (gateway_id, reason, subject)
);
-- A payload once, however many entries have a share in it. bytes is its length, kept_bytes what it is charged for.
CREATE TABLE dead_letter_messages (
    seq bigint PRIMARY KEY,
    gateway_id text NOT NULL,
    received_at timestamptz NOT NULL,
    topic text NOT NULL,
    bytes bigint NOT NULL,
    kept_bytes bigint NOT NULL,
    payload bytea NOT NULL
);
CREATE INDEX dead_letter_messages_by_gateway ON dead_letter_messages (gateway_id, seq);
-- readings are those still dead. A share stays as long as its message, and may be older than the entry's end.
CREATE TABLE dead_letter_shares (
    seq bigint NOT NULL,
    id bigint NOT NULL,
    reason text NOT NULL,
    subject text NOT NULL,
    detail text NOT NULL,
    readings bigint NOT NULL,
    PRIMARY KEY (seq, id)
);
CREATE INDEX dead_letter_shares_open ON dead_letter_shares (id, seq) WHERE readings > 0;
CREATE TABLE dead_letter_gateways (gateway_id text PRIMARY KEY, kept_bytes bigint NOT NULL);
CREATE TABLE dead_letter_totals (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    kept_bytes bigint NOT NULL,
    expired bigint NOT NULL
);
INSERT INTO dead_letter_totals (kept_bytes, expired) VALUES (0, 0);

-- Messages of the last day whose times were resolved at arrival: a redelivery is known by its content.
CREATE TABLE received_contents (
    gateway_id text NOT NULL,
    content_hash bigint NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (gateway_id, content_hash)
);
CREATE INDEX received_contents_by_seq ON received_contents (seq);

-- Months whose indicators are to be computed anew. month counts from January of year 0, in the indicators' calendar zone.
CREATE TABLE dirty_months (
    well_id text NOT NULL,
    parameter text NOT NULL,
    month integer NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (well_id, parameter, month)
);
CREATE INDEX dirty_months_by_seq ON dirty_months (seq);

-- Versions are never changed but for the end of their validity, and never deleted.
CREATE TABLE well_versions (
    well_id text NOT NULL,
    valid_from_seq bigint NOT NULL,
    valid_to_seq bigint,
    name text,
    name_th text,
    province_code text NOT NULL,
    district_code text,
    subdistrict_code text,
    lao_code text,
    aquifer text,
    aquifer_condition text,
    bank_type text NOT NULL,
    represents_aquifer boolean NOT NULL,
    influenced boolean NOT NULL,
    sampling text NOT NULL,
    latitude double precision,
    longitude double precision,
    ground_elevation double precision,
    vertical_datum text,
    depth double precision,
    screen_top double precision,
    screen_bottom double precision,
    specific_yield double precision,
    flood_warning_depth double precision,
    flood_danger_depth double precision,
    bank_area double precision,
    bank_volume double precision,
    fill_material text,
    comparison_well_id text,
    installed_on date,
    status text NOT NULL,
    PRIMARY KEY (well_id, valid_from_seq)
);
CREATE UNIQUE INDEX wells_now ON well_versions (well_id) WHERE valid_to_seq IS NULL;
CREATE VIEW wells AS SELECT * FROM well_versions WHERE valid_to_seq IS NULL;

-- device_id and parameter are '' where they are not known: a key has no NULL.
CREATE TABLE installation_versions (
    well_id text NOT NULL,
    device_id text NOT NULL,
    parameter text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_from_seq bigint NOT NULL,
    valid_to_seq bigint,
    sensor_model text,
    sensor_depth_below_mp double precision,
    measuring_point_height double precision,
    pressure_kind text,
    barometer_id text,
    offset_value double precision,
    valid_to timestamptz,
    reason text,
    PRIMARY KEY (well_id, device_id, parameter, valid_from, valid_from_seq)
);
CREATE UNIQUE INDEX installations_now ON installation_versions (well_id, device_id, parameter, valid_from)
    WHERE valid_to_seq IS NULL;
CREATE VIEW installations AS SELECT * FROM installation_versions WHERE valid_to_seq IS NULL;

CREATE TABLE indicators (
    place text NOT NULL,
    indicator text NOT NULL,
    period timestamptz NOT NULL,
    scope text NOT NULL,
    province_code text NOT NULL,
    value double precision,
    class text,
    confidence double precision,
    n integer,
    years double precision,
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (place, indicator, period, scope)
);

CREATE TABLE condition_flags (
    id text PRIMARY KEY,
    scope text NOT NULL,
    place text NOT NULL,
    province_code text NOT NULL,
    district_code text,
    subdistrict_code text,
    well_id text,
    hazard text NOT NULL,
    severity text NOT NULL,
    state text NOT NULL,
    raised_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    closed_at timestamptz,
    confidence double precision NOT NULL,
    wells_in bigint NOT NULL,
    wells_out bigint NOT NULL,
    coverage double precision NOT NULL,
    rule text NOT NULL,
    limit_value double precision,
    observed double precision,
    what_would_clear_it text NOT NULL,
    headline_en text NOT NULL,
    headline_th text NOT NULL,
    detail_en text NOT NULL,
    detail_th text NOT NULL,
    acknowledged_by text,
    acknowledged_at timestamptz
);
CREATE INDEX condition_flags_of_province ON condition_flags (province_code, hazard) WHERE state <> 'closed';
-- Never two open flags of one hazard at one place, whatever the nodes do.
CREATE UNIQUE INDEX condition_flags_open ON condition_flags (scope, place, hazard) WHERE state <> 'closed';

CREATE TABLE flag_transitions (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    flag_id text NOT NULL,
    at timestamptz NOT NULL,
    transition text NOT NULL,
    severity text NOT NULL,
    evidence text NOT NULL,
    UNIQUE (flag_id, at, transition)
);

CREATE TABLE outbox (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    idempotency_key text NOT NULL UNIQUE,
    channel text NOT NULL,
    target text NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL,
    delivered_at timestamptz
);
CREATE INDEX outbox_owed ON outbox (channel, n) WHERE delivered_at IS NULL;
