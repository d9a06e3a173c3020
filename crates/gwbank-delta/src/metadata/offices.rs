//! Offices and contacts as versions, invitations, and what people did about flags.

use gwbank_model::Timestamp;
use gwbank_registry::import::{OFFICE_COLUMNS, office_fields, office_of_fields};
use gwbank_registry::office::Offices;
use gwbank_store::{Drill, FlagNote, Hold, Invite, KnownOffices};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::ingest::number;
use super::values::Columns;

pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    number(connection, "offices_version")
}

type Fields = (Vec<Option<String>>, Option<Timestamp>);

/// The versions that held at an instant, or that hold now, with their numbers.
fn rows(connection: &Connection, at: Option<Timestamp>) -> rusqlite::Result<Vec<(i64, Fields)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT n, unreachable_since, {} FROM office_versions
         WHERE CASE WHEN ?1 IS NULL THEN known_to IS NULL ELSE known_from <= ?1 AND coalesce(known_to > ?1, 1) END
         ORDER BY n",
        OFFICE_COLUMNS.join(", ")
    ))?;
    let found = statement.query_map([at.map(Timestamp::as_micros)], |row| {
        let mut columns = Columns::of(row);
        let (n, unreachable) = (columns.get()?, columns.time_opt()?);
        let fields = OFFICE_COLUMNS.iter().map(|_| columns.get()).collect::<rusqlite::Result<_>>()?;
        Ok((n, (fields, unreachable)))
    })?;
    found.collect()
}

pub(super) fn offices(connection: &Connection, at: Option<Timestamp>) -> rusqlite::Result<KnownOffices> {
    let (mut offices, mut contacts) = (Vec::new(), Vec::new());
    for (_, (fields, unreachable_since)) in rows(connection, at)? {
        // A row that nobody can read must not keep the others from hearing; the next import takes it away.
        let Ok((office, contact)) = office_of_fields(fields).inspect_err(
            |fault| tracing::error!(%fault, "a contact cannot be read and hears nothing; import it again"),
        ) else {
            continue;
        };
        offices.push(office);
        contacts.extend(contact.map(|contact| gwbank_registry::office::Contact { unreachable_since, ..contact }));
    }
    Ok(KnownOffices { version: version(connection)?, offices: Offices::new(offices, contacts) })
}

fn fields_of(offices: &Offices) -> Vec<Fields> {
    let is_alone = |id: &str| !offices.contacts.values().any(|contact| contact.office_id == id);
    let alone = offices.offices.values().filter(|office| is_alone(&office.office_id));
    let alone = alone.map(|office| (office_fields(office, None), None));
    let contacts =
        offices.all().map(|(office, contact)| (office_fields(office, Some(contact)), contact.unreachable_since));
    contacts.chain(alone).collect()
}

pub(super) fn put(connection: &Connection, offices: &Offices, based_on: i64, at: Timestamp) -> rusqlite::Result<bool> {
    if version(connection)? != based_on {
        return Ok(false);
    }
    let mut new = fields_of(offices);
    let mut end = connection.prepare_cached("UPDATE office_versions SET known_to = ?2 WHERE n = ?1")?;
    let mut has_changed = false;
    for (n, fields) in rows(connection, None)? {
        match new.iter().position(|wanted| *wanted == fields) {
            Some(index) => drop(new.swap_remove(index)),
            None => {
                end.execute(params![n, at.as_micros()])?;
                has_changed = true;
            }
        }
    }
    new.sort();
    let places = vec!["?"; OFFICE_COLUMNS.len() + 2].join(", ");
    let mut add = connection.prepare_cached(&format!(
        "INSERT INTO office_versions ({}, unreachable_since, known_from) VALUES ({places})",
        OFFICE_COLUMNS.join(", ")
    ))?;
    for (fields, unreachable) in new {
        let texts = fields.into_iter().map(Value::from);
        let times = [unreachable.map(Timestamp::as_micros).into(), at.as_micros().into()];
        add.execute(params_from_iter(texts.chain(times)))?;
        has_changed = true;
    }
    if has_changed {
        connection.execute("UPDATE numbers SET value = value + 1 WHERE name = 'offices_version'", [])?;
    }
    Ok(true)
}

pub(super) fn add_invite(connection: &Connection, invite: &Invite) -> rusqlite::Result<()> {
    let (created, expires) = (invite.created_at.as_micros(), invite.expires_at.as_micros());
    // One code a contact: the newest.
    connection
        .prepare_cached("UPDATE office_invites SET used_at = ?2 WHERE contact_id = ?1 AND used_at IS NULL")?
        .execute(params![invite.contact_id, created])?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO office_invites VALUES (?1, ?2, ?3, ?4, ?5, NULL)")?
        .execute(params![invite.code_sha256, invite.contact_id, created, expires, invite.created_by])?;
    Ok(())
}

pub(super) fn take_invite(connection: &Connection, code: &str, at: Timestamp) -> rusqlite::Result<Option<Invite>> {
    let mut take = connection.prepare_cached(
        "UPDATE office_invites SET used_at = ?2 WHERE code_sha256 = ?1 AND used_at IS NULL AND expires_at > ?2
         RETURNING code_sha256, contact_id, created_at, expires_at, created_by",
    )?;
    let invite = take.query_row(params![code, at.as_micros()], |row| {
        let mut columns = Columns::of(row);
        Ok(Invite {
            code_sha256: columns.get()?,
            contact_id: columns.get()?,
            created_at: columns.time()?,
            expires_at: columns.time()?,
            created_by: columns.get()?,
        })
    });
    invite.optional()
}

pub(super) fn add_notes(connection: &Connection, notes: &[FlagNote]) -> rusqlite::Result<()> {
    let mut add = connection.prepare_cached(
        "INSERT OR IGNORE INTO flag_actions (flag_id, at, action, by, via, contact_id, text, transition)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for note in notes {
        let FlagNote { flag_id, at, action, by, via, contact_id, text, transition } = note;
        add.execute(params![flag_id, at.as_micros(), action.name(), by, via, contact_id, text, transition])?;
    }
    Ok(())
}

pub(super) fn notes(connection: &Connection, flag_id: Option<&str>) -> rusqlite::Result<Vec<FlagNote>> {
    let mut statement = connection.prepare_cached(
        "SELECT flag_id, at, action, by, via, contact_id, text, transition FROM flag_actions
         WHERE ?1 IS NULL OR flag_id = ?1 ORDER BY n",
    )?;
    let rows = statement.query_map([flag_id], |row| {
        let mut columns = Columns::of(row);
        Ok(FlagNote {
            flag_id: columns.get()?,
            at: columns.time()?,
            action: columns.parsed()?,
            by: columns.get()?,
            via: columns.get()?,
            contact_id: columns.get()?,
            text: columns.get()?,
            transition: columns.get()?,
        })
    })?;
    rows.collect()
}

pub(super) fn put_holds(connection: &Connection, holds: &[Hold]) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached(
        "INSERT OR REPLACE INTO flag_holds VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    let micros = |time: Option<Timestamp>| time.map(Timestamp::as_micros);
    for hold in holds {
        put.execute(params![
            hold.hold_id,
            hold.kind.name(),
            hold.hazard.map(|hazard| hazard.name()),
            hold.scope.name(),
            hold.place,
            hold.from.as_micros(),
            micros(hold.until),
            hold.severity.map(|severity| severity.name()),
            hold.reason,
            hold.by,
            hold.created_at.as_micros(),
            micros(hold.ended_at),
            hold.ended_by
        ])?;
    }
    Ok(())
}

pub(super) fn holds(connection: &Connection) -> rusqlite::Result<Vec<Hold>> {
    let mut statement = connection.prepare_cached(
        "SELECT hold_id, kind, hazard, scope, place, from_time, until_time, severity, reason, by, created_at, ended_at,
            ended_by
         FROM flag_holds ORDER BY created_at, hold_id",
    )?;
    let rows = statement.query_map([], |row| {
        let mut columns = Columns::of(row);
        Ok(Hold {
            hold_id: columns.get()?,
            kind: columns.parsed()?,
            hazard: columns.parsed_opt()?,
            scope: columns.parsed()?,
            place: columns.get()?,
            from: columns.time()?,
            until: columns.time_opt()?,
            severity: columns.parsed_opt()?,
            reason: columns.get()?,
            by: columns.get()?,
            created_at: columns.time()?,
            ended_at: columns.time_opt()?,
            ended_by: columns.get()?,
        })
    })?;
    rows.collect()
}

pub(super) fn add_drills(connection: &Connection, drills: &[Drill]) -> rusqlite::Result<()> {
    let mut add =
        connection.prepare_cached("INSERT OR IGNORE INTO drills VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    for drill in drills {
        let Drill { drill_id, kind, hazard, severity, scope, place, province_code, at, by } = drill;
        let (kind, hazard, severity, scope) = (kind.name(), hazard.name(), severity.name(), scope.name());
        add.execute(params![drill_id, kind, hazard, severity, scope, place, province_code, at.as_micros(), by])?;
    }
    Ok(())
}

pub(super) fn drills(connection: &Connection) -> rusqlite::Result<Vec<Drill>> {
    let mut statement = connection.prepare_cached(
        "SELECT drill_id, kind, hazard, severity, scope, place, province_code, at, by FROM drills ORDER BY at, drill_id",
    )?;
    let rows = statement.query_map([], |row| {
        let mut columns = Columns::of(row);
        Ok(Drill {
            drill_id: columns.get()?,
            kind: columns.parsed()?,
            hazard: columns.parsed()?,
            severity: columns.parsed()?,
            scope: columns.parsed()?,
            place: columns.get()?,
            province_code: columns.get()?,
            at: columns.time()?,
            by: columns.get()?,
        })
    })?;
    rows.collect()
}
