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
", "
-- A payload was kept for each letter of its message; now it is kept once, and letters have shares in it.
-- payload is deflated; bytes is its length before, kept_bytes what the message is charged for.
CREATE TABLE dead_letter_messages (
    seq INTEGER PRIMARY KEY,
    gateway_id TEXT NOT NULL, received_at INTEGER NOT NULL, topic TEXT NOT NULL,
    bytes INTEGER NOT NULL, kept_bytes INTEGER NOT NULL, payload BLOB NOT NULL
) STRICT;
CREATE INDEX dead_letter_messages_by_gateway ON dead_letter_messages (gateway_id, seq);
-- readings are those still dead. A share stays as long as its message, and may be older than the entry's end.
CREATE TABLE dead_letter_shares (
    seq INTEGER NOT NULL, id INTEGER NOT NULL,
    reason TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, readings INTEGER NOT NULL,
    PRIMARY KEY (seq, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letter_shares_open ON dead_letter_shares (id, seq) WHERE readings > 0;
CREATE TABLE dead_letter_gateways (gateway_id TEXT PRIMARY KEY, kept_bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;

INSERT INTO dead_letter_shares
    SELECT p.seq, p.id, d.reason, d.subject, p.detail, sum(p.readings)
    FROM dead_letter_payloads p JOIN dead_letters d USING (id) GROUP BY p.seq, p.id;
INSERT INTO dead_letter_messages
    SELECT p.seq, d.gateway_id, min(p.received_at), p.topic, p.bytes,
        256 + length(CAST(p.topic AS BLOB)) + length(p.payload)
            + (SELECT sum(512 + length(CAST(subject AS BLOB)) + length(CAST(detail AS BLOB)))
               FROM dead_letter_shares s WHERE s.seq = p.seq),
        p.payload
    FROM dead_letter_payloads p JOIN dead_letters d USING (id) GROUP BY p.seq;
INSERT INTO dead_letter_gateways SELECT gateway_id, sum(kept_bytes) FROM dead_letter_messages GROUP BY gateway_id;
UPDATE numbers SET value = (SELECT coalesce(sum(kept_bytes), 0) FROM dead_letter_messages)
    WHERE name = 'dead_letters_bytes';

ALTER TABLE dead_letters ADD COLUMN expired INTEGER NOT NULL DEFAULT 0;
UPDATE dead_letters SET expired = max(count - (SELECT count(*) FROM dead_letter_shares s WHERE s.id = dead_letters.id), 0);
DROP TABLE dead_letter_payloads;
-- An entry without any kept payload is counted in one of its gateway and reason.
INSERT INTO dead_letters (gateway_id, reason, subject, topic, detail, received_at, last_received_at, count, readings,
        payload_bytes, expired)
    SELECT gateway_id, reason, 'expired payloads', '', 'the payloads made room for newer ones and cannot be replayed',
        min(received_at), max(last_received_at), sum(count), sum(readings), 0, sum(count)
    FROM dead_letters d WHERE NOT EXISTS (SELECT 1 FROM dead_letter_shares s WHERE s.id = d.id)
    GROUP BY gateway_id, reason;
DELETE FROM dead_letters WHERE subject <> 'expired payloads'
    AND NOT EXISTS (SELECT 1 FROM dead_letter_shares s WHERE s.id = dead_letters.id);

-- Messages of the last day whose times were resolved at arrival: a redelivery is known by its content.
CREATE TABLE received_contents (
    gateway_id TEXT NOT NULL, content_hash INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (gateway_id, content_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX received_contents_by_seq ON received_contents (seq);
", "
ALTER TABLE indicators ADD COLUMN approved_share REAL;
ALTER TABLE indicators ADD COLUMN quality_share REAL;
", "
-- well_id and parameter are '' where a limit is of every one: a key has no NULL. Limits are named as in [quality].
CREATE TABLE quality_limits (
    well_id TEXT NOT NULL, parameter TEXT NOT NULL, limit_name TEXT NOT NULL, value REAL NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (well_id, parameter, limit_name)
) STRICT, WITHOUT ROWID;
-- fingerprint stands for the limits under which the stored readings of a series were judged; under_way_since is a seq while
-- they are being judged anew.
CREATE TABLE judged_series (
    well_id TEXT NOT NULL, parameter TEXT NOT NULL, fingerprint INTEGER NOT NULL, under_way_since INTEGER,
    PRIMARY KEY (well_id, parameter)
) STRICT, WITHOUT ROWID;
", "
-- As dirty_months, for the conversion of what sensors said to levels; fingerprint stands for the installations by which all
-- levels of a well were converted.
CREATE TABLE unconverted_months (
    well_id TEXT NOT NULL, parameter TEXT NOT NULL, month INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (well_id, parameter, month)
) STRICT, WITHOUT ROWID;
CREATE INDEX unconverted_months_by_seq ON unconverted_months (seq);
CREATE TABLE converted_wells (well_id TEXT PRIMARY KEY, fingerprint INTEGER NOT NULL) STRICT, WITHOUT ROWID;
", "
-- What the second look found, and how far it looked: months since January 1970.
CREATE TABLE quality_findings (
    well_id TEXT NOT NULL, parameter TEXT NOT NULL, test TEXT NOT NULL, from_time INTEGER NOT NULL,
    to_time INTEGER NOT NULL, detail TEXT NOT NULL, found_at INTEGER NOT NULL,
    PRIMARY KEY (well_id, parameter, test, from_time)
) STRICT, WITHOUT ROWID;
CREATE TABLE second_looks (
    well_id TEXT PRIMARY KEY, looked_through INTEGER NOT NULL, fingerprint INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
", "
-- What indicators and flags were before they changed. What was replaced before this table was there left no trace, so
-- nothing is told of times before history_since.
INSERT INTO numbers SELECT 'history_since',
    CASE WHEN EXISTS (SELECT 1 FROM indicators) OR EXISTS (SELECT 1 FROM condition_flags)
        THEN CAST(unixepoch('subsec') * 1000000 AS INTEGER) ELSE -9223372036854775807 - 1 END;
CREATE TABLE indicator_revisions (
    id INTEGER PRIMARY KEY,
    place TEXT NOT NULL, indicator TEXT NOT NULL, period INTEGER NOT NULL, scope TEXT NOT NULL,
    province_code TEXT NOT NULL, value REAL, class TEXT, confidence REAL, n INTEGER, years REAL,
    computed_at INTEGER NOT NULL, approved_share REAL, quality_share REAL, superseded_at INTEGER NOT NULL
) STRICT;
CREATE INDEX indicator_revisions_by_place ON indicator_revisions (place);
-- A trigger, as new rows, which are most, then cost little more.
CREATE TRIGGER indicators_superseded BEFORE UPDATE ON indicators BEGIN
    INSERT INTO indicator_revisions (place, indicator, period, scope, province_code, value, class, confidence, n, years,
        computed_at, approved_share, quality_share, superseded_at)
    VALUES (old.place, old.indicator, old.period, old.scope, old.province_code, old.value, old.class, old.confidence, old.n,
        old.years, old.computed_at, old.approved_share, old.quality_share, new.computed_at);
END;
CREATE TABLE flag_versions (
    number INTEGER PRIMARY KEY, known_from INTEGER NOT NULL,
    id TEXT NOT NULL, scope TEXT NOT NULL, place TEXT NOT NULL, province_code TEXT NOT NULL,
    district_code TEXT, subdistrict_code TEXT, well_id TEXT, hazard TEXT NOT NULL, severity TEXT NOT NULL,
    state TEXT NOT NULL, raised_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, closed_at INTEGER,
    confidence REAL NOT NULL, wells_in INTEGER NOT NULL, wells_out INTEGER NOT NULL, coverage REAL NOT NULL,
    rule TEXT NOT NULL, limit_value REAL, observed REAL, what_would_clear_it TEXT NOT NULL,
    headline_en TEXT NOT NULL, headline_th TEXT NOT NULL, detail_en TEXT NOT NULL, detail_th TEXT NOT NULL,
    acknowledged_by TEXT, acknowledged_at INTEGER
) STRICT;
CREATE INDEX flag_versions_by_id ON flag_versions (id, number);
INSERT INTO flag_versions SELECT NULL, (SELECT value FROM numbers WHERE name = 'history_since'), f.* FROM condition_flags f;
", "
-- What people decided on stretches of series. Rows are never removed; withdrawn_* tell of who took one back.
CREATE TABLE reviews (
    id INTEGER PRIMARY KEY, well_id TEXT NOT NULL, parameter TEXT NOT NULL, from_time INTEGER, to_time INTEGER,
    action TEXT NOT NULL, amount REAL, amount_end REAL, author TEXT NOT NULL, reason TEXT NOT NULL, seq INTEGER NOT NULL,
    created_at INTEGER NOT NULL, readings INTEGER NOT NULL, done_at INTEGER, withdrawn_by TEXT, withdrawn_reason TEXT,
    withdrawn_seq INTEGER, withdrawn_at INTEGER, withdrawal_done_at INTEGER
) STRICT;
", "
-- Offices and contacts as texts, one row a contact (contact_id is '' of an office without one); known_to is NULL of those of now.
CREATE TABLE office_versions (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    office_id TEXT NOT NULL, level TEXT, place_code TEXT, office_name TEXT, office_name_th TEXT, office_phone TEXT,
    messages_per_minute TEXT, contact_id TEXT, contact_name TEXT, channel TEXT, address TEXT, secret TEXT, language TEXT,
    min_severity TEXT, hazards TEXT, scopes TEXT, quiet_hours TEXT, digest TEXT, drills TEXT, active TEXT,
    unreachable_since INTEGER, known_from INTEGER NOT NULL, known_to INTEGER
) STRICT;
CREATE INDEX office_versions_now ON office_versions (office_id) WHERE known_to IS NULL;
INSERT INTO numbers VALUES ('offices_version', 0);
CREATE TABLE office_invites (
    code_sha256 TEXT PRIMARY KEY, contact_id TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    created_by TEXT NOT NULL, used_at INTEGER
) STRICT, WITHOUT ROWID;

-- Who did what about a flag. Rows are never removed.
CREATE TABLE flag_actions (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    flag_id TEXT NOT NULL, at INTEGER NOT NULL, action TEXT NOT NULL, by TEXT NOT NULL, via TEXT NOT NULL,
    contact_id TEXT, text TEXT, transition INTEGER,
    UNIQUE (flag_id, at, action, by, via)
) STRICT;
CREATE TABLE flag_holds (
    hold_id TEXT PRIMARY KEY, kind TEXT NOT NULL, hazard TEXT, scope TEXT NOT NULL, place TEXT NOT NULL,
    from_time INTEGER NOT NULL, until_time INTEGER, severity TEXT, reason TEXT NOT NULL, by TEXT NOT NULL,
    created_at INTEGER NOT NULL, ended_at INTEGER, ended_by TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE drills (
    drill_id TEXT PRIMARY KEY, kind TEXT NOT NULL, hazard TEXT NOT NULL, severity TEXT NOT NULL, scope TEXT NOT NULL,
    place TEXT NOT NULL, province_code TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What is owed goes to more than one channel now: leases, order, age, digests, and what became of it.
ALTER TABLE outbox ADD COLUMN flag_id TEXT;
ALTER TABLE outbox ADD COLUMN office_id TEXT;
ALTER TABLE outbox ADD COLUMN contact_id TEXT;
ALTER TABLE outbox ADD COLUMN stream TEXT;
ALTER TABLE outbox ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN expires_at INTEGER;
ALTER TABLE outbox ADD COLUMN digest TEXT;
ALTER TABLE outbox ADD COLUMN state TEXT NOT NULL DEFAULT 'pending';
ALTER TABLE outbox ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN next_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN leased_by TEXT;
ALTER TABLE outbox ADD COLUMN leased_until INTEGER;
ALTER TABLE outbox ADD COLUMN ended_at INTEGER;
ALTER TABLE outbox ADD COLUMN detail TEXT;
UPDATE outbox SET state = 'delivered', ended_at = delivered_at WHERE delivered_at IS NOT NULL;
DROP INDEX outbox_owed;
ALTER TABLE outbox DROP COLUMN delivered_at;
CREATE INDEX outbox_owed ON outbox (channel, next_at) WHERE state = 'pending';
CREATE INDEX outbox_streams ON outbox (stream, n) WHERE state = 'pending' AND stream IS NOT NULL;
CREATE INDEX outbox_digests ON outbox (digest) WHERE state = 'pending' AND digest IS NOT NULL;
CREATE INDEX outbox_by_flag ON outbox (flag_id);
CREATE TABLE delivery_attempts (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    idempotency_key TEXT NOT NULL, at INTEGER NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL
) STRICT;
CREATE INDEX delivery_attempts_by_key ON delivery_attempts (idempotency_key);
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

#[cfg(test)]
mod tests {
    use gwbank_store::{DeadLetterFilter, DeadLetterUsage, EXPIRED_SUBJECT, PayloadPage};

    use super::super::{SqliteConfig, dead_letters};
    use super::*;

    /// A database as the first schema left it: two letters of one message, one letter of another, one whose payload has
    /// expired. `x'0300'` is nothing, deflated.
    const FIRST_SCHEMA_ROWS: &str = "
INSERT INTO dead_letters VALUES
    (1, 'gw', 'unknown_well', 'A', 't', 'register it', 10, 20, 3, 5, 200),
    (2, 'gw', 'unknown_well', 'B', 't', 'register it', 10, 10, 1, 7, 100),
    (3, 'gw', 'unreadable', 'payload 0a', 't', 'not JSON', 5, 5, 1, 1, 0);
INSERT INTO dead_letter_payloads (id, seq, received_at, topic, detail, readings, bytes, kept_bytes, payload) VALUES
    (1, 10, 10, 't', 'register it', 1, 100, 2, x'0300'),
    (2, 10, 10, 't', 'register it', 7, 100, 2, x'0300'),
    (1, 20, 20, 't', 'register it', 2, 100, 2, x'0300');
UPDATE numbers SET value = 6 WHERE name = 'dead_letters_bytes';
UPDATE numbers SET value = 2 WHERE name = 'dead_letters_expired';
PRAGMA user_version = 1;";

    #[test]
    fn dead_letters_of_the_first_schema_are_taken_over() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.execute_batch(FIRST_SCHEMA_ROWS).unwrap();
        migrate(&mut connection).unwrap();

        let entries = dead_letters::list(&connection, &DeadLetterFilter::default()).unwrap();
        let told: Vec<_> = entries.iter().map(|e| (e.subject.as_str(), e.count, e.readings, e.expired)).collect();
        assert_eq!(told, [("A", 3, 5, 1), ("B", 1, 7, 0), (EXPIRED_SUBJECT, 1, 1, 1)]);
        let page = PayloadPage { payloads_max: 10, bytes_max: 1000, ..PayloadPage::FIRST };
        let kept = dead_letters::payloads(&connection, entries[0].id, page).unwrap();
        let told: Vec<_> = kept.iter().map(|letter| (letter.seq.as_i64(), letter.readings)).collect();
        assert_eq!(told, [(10, 1), (20, 2)]);
        assert_eq!(kept[0].beside.len(), 1);
        assert_eq!((kept[0].beside[0].0.subject.as_str(), kept[0].beside[0].1), ("B", 7));

        let DeadLetterUsage { bytes, expired } = dead_letters::usage(&connection).unwrap();
        assert_eq!((bytes, expired), (2 * (256 + 1 + 2) + 3 * (512 + 1 + 11), 2));
        let nothing = SqliteConfig { dead_letters_bytes_max: 0, ..SqliteConfig::new("") };
        dead_letters::expire(&connection, &nothing).unwrap();
        let left = dead_letters::list(&connection, &DeadLetterFilter::default()).unwrap();
        let told: Vec<_> = left.iter().map(|e| (e.reason.as_str(), e.subject.as_str(), e.count, e.expired)).collect();
        assert_eq!(told, [("unreadable", EXPIRED_SUBJECT, 1, 1), ("unknown_well", EXPIRED_SUBJECT, 4, 4)]);
        assert_eq!(dead_letters::usage(&connection).unwrap(), DeadLetterUsage { bytes: 0, expired: 4 });
    }
}
