//! Readings in PostgreSQL.
//!
//! # Format
//! ```text
//! series            a number for (well_id, parameter), and the range of its archived times
//! reading_gateways  a number for a gateway
//! reading_rows      winners, one row a (series, time): hypertable, or partitions by month
//! reading_versions  versions that lost their place
//! reading_hours     }  of UTC: continuous aggregates of TimescaleDB; without it only the days are stored, and hours are
//! reading_days      }  computed as they are asked for
//! nodes             what each node's journal has been settled up to
//! ```
//! `site_status`, `time_source`, `quality` and `qc_tests` are the codes of `gwbank-model`; the views `readings` and
//! `reading_revisions` have names in place of numbers.
//!
//! # Rules
//! 1. What a version changes is decided here, by the rules that every archive has, never by a trigger or a clause.
//! 2. Commits come one after the other, over all nodes: an advisory lock of the transaction is held from the first look.
//! 3. A snapshot is a transaction of its own; its scans run in others that import it.
//! 4. A scan is a `COPY`, read from the wire's bytes into Arrow; what looks at single keys reads rows.

mod batches;
mod commit;
mod copy_in;
mod copy_out;
mod lease;
mod numbers;
mod rollups;
mod rows;
mod scan;
mod snapshot;
mod summary;
mod upkeep;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use gwbank_model::{Month, SeriesId, Timestamp};
use gwbank_store::{
    Archive, ArchiveCommit, ArchiveError, ArchiveSnapshot, CommitReport, MaintenanceReport, RowNames, Upkeep,
};
use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};

pub(crate) use self::batches::{Batches, Kind, Naming};
pub(crate) use self::copy_out::{CopyError, CopyReader};
pub(crate) use self::numbers::Numbers;
use self::snapshot::PostgresSnapshot;
use crate::{Database, DatabaseError, Layout};

/// The archive of one node. Nodes of one database see each other's readings.
#[derive(Clone)]
pub struct PostgresArchive(Arc<Shared>);

pub(crate) struct Shared {
    pub database: Database,
    pub names: RowNames,
    /// Found out once, by whoever first needs the database.
    layout: OnceCell<Layout>,
    /// Of names that are in the database for good.
    pub numbers: Mutex<Arc<Numbers>>,
    /// For snapshots, each of which holds a connection and needs another to scan with.
    pub snapshots: Arc<Semaphore>,
    /// Months whose partition is there.
    pub partitions: Mutex<HashSet<Month>>,
    /// When upkeep last found nothing to do.
    pub rested_at: Mutex<Option<Instant>>,
}

impl fmt::Debug for PostgresArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresArchive").field(&self.0.database).finish()
    }
}

impl Shared {
    /// Where readings lie, in a database that has the present schema.
    async fn layout(&self) -> Result<Layout, DatabaseError> {
        let find = || async {
            self.database.check_schema().await?;
            self.database.layout().await
        };
        self.layout.get_or_try_init(find).await.copied()
    }

    /// Takes over numbers that are in the database for good.
    fn learn(&self, found: Numbers) -> Arc<Numbers> {
        let mut numbers = self.numbers.lock();
        if !found.is_empty() {
            Arc::make_mut(&mut numbers).merge(found);
        }
        numbers.clone()
    }
}

impl PostgresArchive {
    /// The archive in a database. Asks it nothing yet: it may be away.
    pub fn new(database: Database, names: RowNames) -> Self {
        let snapshots = Arc::new(Semaphore::new(database.connections_max().saturating_sub(2) / 2));
        Self(Arc::new(Shared {
            database,
            names,
            layout: OnceCell::new(),
            numbers: Mutex::default(),
            snapshots,
            partitions: Mutex::default(),
            rested_at: Mutex::default(),
        }))
    }
}

#[async_trait]
impl Archive for PostgresArchive {
    async fn commit(&self, commit: ArchiveCommit) -> Result<CommitReport, ArchiveError> {
        Ok(commit::commit(&self.0, &commit).await?)
    }

    async fn snapshot(&self) -> Result<Arc<dyn ArchiveSnapshot>, ArchiveError> {
        Ok(Arc::new(PostgresSnapshot::open(self.0.clone()).await?))
    }

    async fn series_ends(&self) -> Result<Vec<(SeriesId, Timestamp)>, ArchiveError> {
        Ok(snapshot::series_ends(&self.0).await?)
    }

    fn summarizes(&self) -> bool {
        true
    }

    async fn maintain(&self, upkeep: Upkeep) -> Result<MaintenanceReport, ArchiveError> {
        Ok(upkeep::maintain(&self.0, upkeep).await?)
    }
}
