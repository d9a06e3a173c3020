//! Brings a database to the present schema.
//!
//! # Rules
//! 1. A migration is a file of `migrations/`, applied once, in its own transaction, and never changed: what was applied is
//!    remembered with a hash of its text.
//! 2. One session migrates at a time, under an advisory lock; the others wait, and find nothing left to do.
//! 3. The track `postgres` runs on every PostgreSQL from 15 on. Where readings lie differs: the track `timescaledb` where
//!    its extension is there when they are first made, `partitions` where it is not. Who keeps hours and days differs, too:
//!    `timescaledb_tsl` where TimescaleDB is there under its own licence, `rollups` where it is not. A database keeps what it
//!    has.

use tokio_postgres::Client;

use crate::{Database, DatabaseError};

/// Any number that nobody else uses: "gwbank" as text, and which of its locks.
const MIGRATION_LOCK: i64 = 0x6777_6261_6e6b_0001;

struct Migration {
    track: &'static str,
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($track:literal / $name:literal),* $(,)?) => {
        &[$(Migration {
            track: $track,
            name: $name,
            sql: include_str!(concat!("../../../migrations/", $track, "/", $name, ".sql")),
        }),*]
    };
}

/// In the order in which they are applied.
const MIGRATIONS: &[Migration] = migrations![
    "postgres" / "0001_metadata",
    "postgres" / "0002_series",
    "partitions" / "0001_readings",
    "timescaledb" / "0001_readings",
    "postgres" / "0003_views",
    "timescaledb_tsl" / "0001_columnstore",
    "timescaledb_tsl" / "0002_rollups",
    "rollups" / "0001_days",
    "postgres" / "0004_nodes",
    "postgres" / "0005_shares",
    "postgres" / "0006_quality_limits",
    "postgres" / "0007_conversion",
    "postgres" / "0008_second_look",
    "postgres" / "0009_history",
    "postgres" / "0010_reviews",
    "postgres" / "0011_offices",
];

/// Where readings lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A hypertable, with columnstore, policies and continuous aggregates.
    Timescale,
    /// A hypertable under the Apache licence, which has none of these.
    TimescaleApache,
    /// Partitions by month.
    Partitions,
}

impl Layout {
    fn has(self, track: &str) -> bool {
        match track {
            "postgres" => true,
            "partitions" => self == Layout::Partitions,
            "timescaledb" => self != Layout::Partitions,
            "timescaledb_tsl" => self == Layout::Timescale,
            _ => self != Layout::Timescale, // rollups
        }
    }
}

/// A migration that was applied now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub track: &'static str,
    pub name: &'static str,
}

impl Database {
    /// Applies what is missing.
    pub async fn migrate(&self) -> Result<Vec<Applied>, DatabaseError> {
        let mut client = self.client().await?;
        let failed = DatabaseError::refused;
        client
            .execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK])
            .await
            .map_err(failed("cannot wait for other migrations"))?;
        let result = migrate(&mut client).await;
        // A connection that was lost has let the lock go.
        let unlocked = client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await;
        let applied = result?;
        unlocked.map_err(failed("cannot let other migrations go on"))?;
        Ok(applied)
    }

    /// Where readings lie, or would.
    pub async fn layout(&self) -> Result<Layout, DatabaseError> {
        layout(&*self.client().await?).await
    }

    /// Whether the database has the schema that this program needs, or what is missing.
    pub async fn check_schema(&self) -> Result<(), DatabaseError> {
        let client = self.client().await?;
        let missing = missing(&client).await?;
        match missing.first() {
            None => Ok(()),
            Some(Migration { track, name, .. }) => {
                Err(DatabaseError::NotMigrated { count: missing.len(), track, name })
            }
        }
    }
}

async fn migrate(client: &mut deadpool_postgres::Object) -> Result<Vec<Applied>, DatabaseError> {
    let missing_now = missing(client).await?;
    if missing_now.is_empty() {
        return Ok(Vec::new()); // whoever may only write finds that out too
    }
    client
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                track text NOT NULL, name text NOT NULL, sha256 bytea NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (track, name))",
        )
        .await
        .map_err(DatabaseError::refused("cannot create schema_migrations"))?;
    let mut applied = Vec::new();
    for migration in missing_now {
        let Migration { track, name, sql } = migration;
        let failed = |source| DatabaseError::Migration { track, name, source };
        let transaction = client.transaction().await.map_err(failed)?;
        // An index over many readings takes as long as it takes.
        transaction.batch_execute("SET LOCAL statement_timeout = 0").await.map_err(failed)?;
        transaction.batch_execute(sql).await.map_err(failed)?;
        transaction
            .execute(
                "INSERT INTO schema_migrations (track, name, sha256) VALUES ($1, $2, sha256(convert_to($3, 'UTF8')))",
                &[track, name, sql],
            )
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        tracing::info!(track, name, "migration applied");
        applied.push(Applied { track, name });
    }
    Ok(applied)
}

/// The layout that the database has or would get.
async fn layout(client: &Client) -> Result<Layout, DatabaseError> {
    let failed = || DatabaseError::refused("cannot find out about TimescaleDB");
    let kind = |table: &str| format!("(SELECT relkind::text FROM pg_class WHERE oid = to_regclass('{table}'))");
    let row = client
        .query_one(
            &format!(
                "SELECT {}, {}, EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb')",
                kind("reading_rows"),
                kind("reading_days")
            ),
            &[],
        )
        .await
        .map_err(failed())?;
    let (rows, days): (Option<String>, Option<String>) = (row.get(0), row.get(1));
    let has_extension: bool = row.get(2);
    Ok(match (rows.as_deref(), days.as_deref()) {
        (Some("p"), _) => Layout::Partitions,
        (None, _) if !has_extension => Layout::Partitions,
        (_, Some("v")) => Layout::Timescale,
        (_, Some(_)) => Layout::TimescaleApache,
        (_, None) => {
            // The setting is there once a function has loaded the library.
            client.batch_execute("SELECT time_bucket(INTERVAL '1 hour', now())").await.map_err(failed())?;
            let licence = "SELECT coalesce(current_setting('timescaledb.license', true) = 'timescale', false)";
            let is_own: bool = client.query_one(licence, &[]).await.map_err(failed())?.get(0);
            if is_own { Layout::Timescale } else { Layout::TimescaleApache }
        }
    })
}

/// What was not applied, in its order; refuses a database that this program does not know.
async fn missing(client: &Client) -> Result<Vec<&'static Migration>, DatabaseError> {
    let failed = || DatabaseError::refused("cannot read schema_migrations");
    let layout = layout(client).await?;
    let mut missing: Vec<&'static Migration> =
        MIGRATIONS.iter().filter(|migration| layout.has(migration.track)).collect();
    let exists = client.query_one("SELECT to_regclass('schema_migrations') IS NOT NULL", &[]).await.map_err(failed())?;
    if !exists.get::<_, bool>(0) {
        return Ok(missing);
    }
    let tracks: Vec<&str> = MIGRATIONS.iter().map(|migration| migration.track).collect();
    let names: Vec<&str> = MIGRATIONS.iter().map(|migration| migration.name).collect();
    let texts: Vec<&str> = MIGRATIONS.iter().map(|migration| migration.sql).collect();
    let rows = client
        .query(
            "SELECT a.track, a.name, a.sha256 = sha256(convert_to(k.sql, 'UTF8'))
             FROM schema_migrations a
             LEFT JOIN unnest($1::text[], $2::text[], $3::text[]) k(track, name, sql) USING (track, name)
             ORDER BY a.track, a.name",
            &[&tracks, &names, &texts],
        )
        .await
        .map_err(failed())?;
    for row in rows {
        let (track, name): (String, String) = (row.get(0), row.get(1));
        match row.get::<_, Option<bool>>(2) {
            None => return Err(DatabaseError::NewerSchema { track, name }),
            Some(false) => return Err(DatabaseError::MigrationChanged { track, name }),
            Some(true) => missing.retain(|migration| migration.track != track || migration.name != name),
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_migration() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
        let mut found = Vec::new();
        for track in std::fs::read_dir(root).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
            for file in std::fs::read_dir(track.path()).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                let name = name.strip_suffix(".sql").expect("only .sql files").to_owned();
                found.push((track.file_name().into_string().unwrap(), name));
            }
        }
        found.sort();
        let mut known: Vec<_> = MIGRATIONS.iter().map(|m| (m.track.to_owned(), m.name.to_owned())).collect();
        known.sort();
        assert_eq!(found, known);
    }
}
