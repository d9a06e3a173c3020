//! The tables, as migrations that are applied once and never changed.

use rusqlite::{Connection, TransactionBehavior};

use crate::DeltaError;

const MIGRATIONS: &[&str] = &["
CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO numbers VALUES ('position', 0), ('dead_letters_expired', 0), ('dead_letters_bytes', 0);

CREATE TABLE gateways (
    gateway_id TEXT PRIMARY KEY, last_seen INTEGER,
    received INTEGER NOT NULL, stored INTEGER NOT NULL, duplicate INTEGER NOT NULL, dead INTEGER NOT NULL,
    clock_offset_s REAL, clock_zone TEXT, last_error TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    gateway_id TEXT NOT NULL, reason TEXT NOT NULL, subject TEXT NOT NULL,
    topic TEXT NOT NULL, detail TEXT NOT NULL,
    received_at INTEGER NOT NULL, last_received_at INTEGER NOT NULL,
    count INTEGER NOT NULL, readings INTEGER NOT NULL, payload_bytes INTEGER NOT NULL,
    UNIQUE (gateway_id, reason, subject)
) STRICT;
-- payload is deflated; bytes is its length before, kept_bytes as it lies here.
CREATE TABLE dead_letter_payloads (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id INTEGER NOT NULL REFERENCES dead_letters (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL, received_at INTEGER NOT NULL, topic TEXT NOT NULL, detail TEXT NOT NULL,
    readings INTEGER NOT NULL, bytes INTEGER NOT NULL, kept_bytes INTEGER NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE INDEX dead_letter_payloads_by_entry ON dead_letter_payloads (id, seq);

CREATE TABLE dirty_months (
    well_id TEXT NOT NULL, parameter TEXT NOT NULL, month INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (well_id, parameter, month)
) STRICT, WITHOUT ROWID;
CREATE INDEX dirty_months_by_seq ON dirty_months (seq);

-- Versions are never changed but for the end of their validity, never deleted.
CREATE TABLE well_versions (
    well_id TEXT NOT NULL, valid_from_seq INTEGER NOT NULL, valid_to_seq INTEGER,
    name TEXT, name_th TEXT, province_code TEXT NOT NULL, district_code TEXT, subdistrict_code TEXT, lao_code TEXT,
    aquifer TEXT, aquifer_condition TEXT, bank_type TEXT NOT NULL,
    represents_aquifer INTEGER NOT NULL, influenced INTEGER NOT NULL, sampling TEXT NOT NULL,
    latitude REAL, longitude REAL, ground_elevation REAL, vertical_datum TEXT, depth REAL,
    screen_top REAL, screen_bottom REAL, specific_yield REAL, flood_warning_depth REAL, flood_danger_depth REAL,
    bank_area REAL, bank_volume REAL, fill_material TEXT, comparison_well_id TEXT, installed_on INTEGER,
    status TEXT NOT NULL,
    PRIMARY KEY (well_id, valid_from_seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX wells_now ON well_versions (well_id) WHERE valid_to_seq IS NULL;
CREATE VIEW wells AS SELECT * FROM well_versions WHERE valid_to_seq IS NULL;

-- device_id and parameter are '' where they are not known: a key has no NULL.
CREATE TABLE installation_versions (
    well_id TEXT NOT NULL, device_id TEXT NOT NULL, parameter TEXT NOT NULL, valid_from INTEGER NOT NULL,
    valid_from_seq INTEGER NOT NULL, valid_to_seq INTEGER,
    sensor_model TEXT, sensor_depth_below_mp REAL, measuring_point_height REAL, pressure_kind TEXT,
    barometer_id TEXT, offset_value REAL, valid_to INTEGER, reason TEXT,
    PRIMARY KEY (well_id, device_id, parameter, valid_from, valid_from_seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX installations_now ON installation_versions (well_id, device_id, parameter, valid_from)
    WHERE valid_to_seq IS NULL;
CREATE VIEW installations AS SELECT * FROM installation_versions WHERE valid_to_seq IS NULL;

CREATE TABLE indicators (
    place TEXT NOT NULL, indicator TEXT NOT NULL, period INTEGER NOT NULL, scope TEXT NOT NULL,
    province_code TEXT NOT NULL, value REAL, class TEXT, confidence REAL, n INTEGER, years REAL,
    computed_at INTEGER NOT NULL,
    PRIMARY KEY (place, indicator, period, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE condition_flags (
    id TEXT PRIMARY KEY, scope TEXT NOT NULL, place TEXT NOT NULL, province_code TEXT NOT NULL,
    district_code TEXT, subdistrict_code TEXT, well_id TEXT, hazard TEXT NOT NULL, severity TEXT NOT NULL,
    state TEXT NOT NULL, raised_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, closed_at INTEGER,
    confidence REAL NOT NULL, wells_in INTEGER NOT NULL, wells_out INTEGER NOT NULL, coverage REAL NOT NULL,
    rule TEXT NOT NULL, limit_value REAL, observed REAL, what_would_clear_it TEXT NOT NULL,
    headline_en TEXT NOT NULL, headline_th TEXT NOT NULL, detail_en TEXT NOT NULL, detail_th TEXT NOT NULL,
    acknowledged_by TEXT, acknowledged_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX condition_flags_open ON condition_flags (province_code, hazard) WHERE state <> 'closed';

CREATE TABLE flag_transitions (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    flag_id TEXT NOT NULL, at INTEGER NOT NULL, transition TEXT NOT NULL, severity TEXT NOT NULL, evidence TEXT NOT NULL,
    UNIQUE (flag_id, at, transition)
) STRICT;

CREATE TABLE outbox (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    idempotency_key TEXT NOT NULL UNIQUE, channel TEXT NOT NULL, target TEXT NOT NULL, body BLOB NOT NULL,
    created_at INTEGER NOT NULL, delivered_at INTEGER
) STRICT;
CREATE INDEX outbox_owed ON outbox (channel, n) WHERE delivered_at IS NULL;
"];

pub(super) fn migrate(connection: &mut Connection) -> Result<(), DeltaError> {
    let failed = || DeltaError::sqlite("cannot be brought to the present schema");
    let known = MIGRATIONS.len() as i64;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed())?;
    if found > known {
        return Err(DeltaError::NewerSchema { found, known });
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(usize::try_from(found).unwrap_or(0)) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed())?;
        transaction.execute_batch(migration).map_err(failed())?;
        transaction.pragma_update(None, "user_version", index as i64 + 1).map_err(failed())?;
        transaction.commit().map_err(failed())?;
    }
    Ok(())
}
