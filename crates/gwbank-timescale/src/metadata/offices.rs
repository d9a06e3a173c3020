//! Offices and contacts as versions, invitations, and what people did about flags.

use deadpool_postgres::Transaction;
use gwbank_model::Timestamp;
use gwbank_registry::import::{OFFICE_COLUMNS, office_fields, office_of_fields};
use gwbank_registry::office::{Contact, Offices};
use gwbank_store::{Drill, FlagNote, Hold, Invite, KnownOffices};
use tokio_postgres::types::ToSql;

use crate::error::WorkError;
use crate::values::{Columns, Instant, StrangeValue};

pub(super) async fn version(transaction: &Transaction<'_>) -> Result<i64, WorkError> {
    let statement = transaction.prepare_cached("SELECT version FROM office_changes").await?;
    Ok(transaction.query_one(&statement, &[]).await?.try_get(0)?)
}

type Fields = (Vec<Option<String>>, Option<Timestamp>);

/// The versions that held at an instant, or that hold now, with their numbers.
async fn rows(transaction: &Transaction<'_>, at: Option<Timestamp>) -> Result<Vec<(i64, Fields)>, WorkError> {
    let statement = transaction
        .prepare_cached(&format!(
            "SELECT n, unreachable_since, {} FROM office_versions
             WHERE CASE WHEN $1::timestamptz IS NULL THEN known_to IS NULL
                ELSE known_from <= $1 AND (known_to IS NULL OR known_to > $1) END
             ORDER BY n",
            OFFICE_COLUMNS.join(", ")
        ))
        .await?;
    let rows = transaction.query(&statement, &[&at.map(Instant)]).await?;
    let fields = |row| {
        let mut columns = Columns::of(row);
        let (n, unreachable) = (columns.get()?, columns.time_opt()?);
        let fields = OFFICE_COLUMNS.iter().map(|_| columns.get()).collect::<Result<_, StrangeValue>>()?;
        Ok((n, (fields, unreachable)))
    };
    rows.iter().map(fields).collect()
}

pub(super) async fn offices(transaction: &Transaction<'_>, at: Option<Timestamp>) -> Result<KnownOffices, WorkError> {
    let (mut offices, mut contacts) = (Vec::new(), Vec::new());
    for (_, (fields, unreachable_since)) in rows(transaction, at).await? {
        // A row that nobody can read must not keep the others from hearing; the next import takes it away.
        let Ok((office, contact)) = office_of_fields(fields).inspect_err(
            |fault| tracing::error!(%fault, "a contact cannot be read and hears nothing; import it again"),
        ) else {
            continue;
        };
        offices.push(office);
        contacts.extend(contact.map(|contact| Contact { unreachable_since, ..contact }));
    }
    Ok(KnownOffices { version: version(transaction).await?, offices: Offices::new(offices, contacts) })
}

fn fields_of(offices: &Offices) -> Vec<Fields> {
    let is_alone = |id: &str| !offices.contacts.values().any(|contact| contact.office_id == id);
    let alone = offices.offices.values().filter(|office| is_alone(&office.office_id));
    let alone = alone.map(|office| (office_fields(office, None), None));
    let contacts =
        offices.all().map(|(office, contact)| (office_fields(office, Some(contact)), contact.unreachable_since));
    contacts.chain(alone).collect()
}

pub(super) async fn put(
    transaction: &Transaction<'_>,
    offices: &Offices,
    based_on: i64,
    at: Timestamp,
) -> Result<bool, WorkError> {
    // Whoever comes second waits here, and then sees another version.
    let next = transaction.prepare_cached("UPDATE office_changes SET version = version + 1 WHERE version = $1").await?;
    if transaction.execute(&next, &[&based_on]).await? == 0 {
        return Ok(false);
    }
    let mut new = fields_of(offices);
    let mut ended = Vec::new();
    for (n, fields) in rows(transaction, None).await? {
        match new.iter().position(|wanted| *wanted == fields) {
            Some(index) => drop(new.swap_remove(index)),
            None => ended.push(n),
        }
    }
    if ended.is_empty() && new.is_empty() {
        let same = transaction.prepare_cached("UPDATE office_changes SET version = version - 1").await?;
        transaction.execute(&same, &[]).await?;
        return Ok(true);
    }
    let end = transaction.prepare_cached("UPDATE office_versions SET known_to = $2 WHERE n = ANY($1)").await?;
    transaction.execute(&end, &[&ended, &Instant(at)]).await?;
    new.sort();
    let places: Vec<String> = (1..=OFFICE_COLUMNS.len() + 2).map(|number| format!("${number}")).collect();
    let add = transaction
        .prepare_cached(&format!(
            "INSERT INTO office_versions ({}, unreachable_since, known_from) VALUES ({})",
            OFFICE_COLUMNS.join(", "),
            places.join(", ")
        ))
        .await?;
    for (fields, unreachable) in &new {
        let (unreachable, at) = (unreachable.map(Instant), Instant(at));
        let mut row: Vec<&(dyn ToSql + Sync)> = fields.iter().map(|field| field as &(dyn ToSql + Sync)).collect();
        row.push(&unreachable);
        row.push(&at);
        transaction.execute(&add, &row).await?;
    }
    Ok(true)
}

pub(super) async fn add_invite(transaction: &Transaction<'_>, invite: &Invite) -> Result<(), WorkError> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO office_invites (code_sha256, contact_id, created_at, expires_at, created_by)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .await?;
    let (created, expires) = (Instant(invite.created_at), Instant(invite.expires_at));
    // One code a contact: the newest.
    let void = transaction
        .prepare_cached("UPDATE office_invites SET used_at = $2 WHERE contact_id = $1 AND used_at IS NULL")
        .await?;
    transaction.execute(&void, &[&invite.contact_id, &created]).await?;
    let row: [&(dyn ToSql + Sync); 5] =
        [&invite.code_sha256, &invite.contact_id, &created, &expires, &invite.created_by];
    transaction.execute(&statement, &row).await?;
    Ok(())
}

pub(super) async fn take_invite(
    transaction: &Transaction<'_>,
    code: &str,
    at: Timestamp,
) -> Result<Option<Invite>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "UPDATE office_invites SET used_at = $2 WHERE code_sha256 = $1 AND used_at IS NULL AND expires_at > $2
             RETURNING code_sha256, contact_id, created_at, expires_at, created_by",
        )
        .await?;
    let Some(row) = transaction.query_opt(&statement, &[&code, &Instant(at)]).await? else { return Ok(None) };
    let mut columns = Columns::of(&row);
    Ok(Some(Invite {
        code_sha256: columns.get()?,
        contact_id: columns.get()?,
        created_at: columns.time()?,
        expires_at: columns.time()?,
        created_by: columns.get()?,
    }))
}

pub(super) async fn add_notes(transaction: &Transaction<'_>, notes: &[FlagNote]) -> Result<(), WorkError> {
    if notes.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO flag_actions (flag_id, at, action, by, via, contact_id, text, transition)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .await?;
    for FlagNote { flag_id, at, action, by, via, contact_id, text, transition } in notes {
        let (at, action) = (Instant(*at), action.name());
        let row: [&(dyn ToSql + Sync); 8] = [flag_id, &at, &action, by, via, contact_id, text, transition];
        transaction.execute(&statement, &row).await?;
    }
    Ok(())
}

pub(super) async fn notes(transaction: &Transaction<'_>, flag_id: Option<&str>) -> Result<Vec<FlagNote>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT flag_id, at, action, by, via, contact_id, text, transition FROM flag_actions
             WHERE $1::text IS NULL OR flag_id = $1 ORDER BY n",
        )
        .await?;
    let rows = transaction.query(&statement, &[&flag_id]).await?;
    let row = |row| {
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
    };
    rows.iter().map(row).collect()
}

pub(super) async fn put_holds(transaction: &Transaction<'_>, holds: &[Hold]) -> Result<(), WorkError> {
    if holds.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO flag_holds (hold_id, kind, hazard, scope, place, from_time, until_time, severity, reason, by,
                created_at, ended_at, ended_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
             ON CONFLICT (hold_id) DO UPDATE SET until_time = excluded.until_time, reason = excluded.reason,
                ended_at = excluded.ended_at, ended_by = excluded.ended_by",
        )
        .await?;
    for hold in holds {
        let (kind, scope) = (hold.kind.name(), hold.scope.name());
        let (hazard, severity) = (hold.hazard.map(|it| it.name()), hold.severity.map(|it| it.name()));
        let (from, created) = (Instant(hold.from), Instant(hold.created_at));
        let (until, ended) = (hold.until.map(Instant), hold.ended_at.map(Instant));
        let row: [&(dyn ToSql + Sync); 13] = [
            &hold.hold_id,
            &kind,
            &hazard,
            &scope,
            &hold.place,
            &from,
            &until,
            &severity,
            &hold.reason,
            &hold.by,
            &created,
            &ended,
            &hold.ended_by,
        ];
        transaction.execute(&statement, &row).await?;
    }
    Ok(())
}

pub(super) async fn holds(transaction: &Transaction<'_>) -> Result<Vec<Hold>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT hold_id, kind, hazard, scope, place, from_time, until_time, severity, reason, by, created_at,
                ended_at, ended_by
             FROM flag_holds ORDER BY created_at, hold_id",
        )
        .await?;
    let rows = transaction.query(&statement, &[]).await?;
    let row = |row| {
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
    };
    rows.iter().map(row).collect()
}

pub(super) async fn add_drills(transaction: &Transaction<'_>, drills: &[Drill]) -> Result<(), WorkError> {
    if drills.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO drills (drill_id, kind, hazard, severity, scope, place, province_code, at, by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        )
        .await?;
    for Drill { drill_id, kind, hazard, severity, scope, place, province_code, at, by } in drills {
        let (kind, hazard, severity, scope) = (kind.name(), hazard.name(), severity.name(), scope.name());
        let at = Instant(*at);
        let row: [&(dyn ToSql + Sync); 9] =
            [drill_id, &kind, &hazard, &severity, &scope, place, province_code, &at, by];
        transaction.execute(&statement, &row).await?;
    }
    Ok(())
}

pub(super) async fn drills(transaction: &Transaction<'_>) -> Result<Vec<Drill>, WorkError> {
    let statement = transaction
        .prepare_cached(
            "SELECT drill_id, kind, hazard, severity, scope, place, province_code, at, by FROM drills ORDER BY at, drill_id",
        )
        .await?;
    let rows = transaction.query(&statement, &[]).await?;
    let row = |row| {
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
    };
    rows.iter().map(row).collect()
}
