//! What plain PostgreSQL does not do by itself: partitions ahead of time, and stored days.

use std::time::{Duration, Instant};

use deadpool_postgres::Transaction;
use gwbank_model::{Month, Timestamp};
use gwbank_store::{MaintenanceReport, Upkeep};

use super::commit::{COMMIT_LOCK, COMMIT_STATEMENTS, make_partition};
use super::{Shared, rollups};
use crate::database::close_if_silent;
use crate::error::WorkError;
use crate::values::Instant as Moment;
use crate::{DatabaseError, Layout};

/// Whether something is due is asked so often.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Months whose partitions are made ahead of time.
const MONTHS_AHEAD: i32 = 2;

/// One step. `files_merged` of the report says whether there was anything to do.
pub(super) async fn maintain(shared: &Shared, upkeep: Upkeep) -> Result<MaintenanceReport, DatabaseError> {
    let layout = shared.layout().await?;
    if layout == Layout::Timescale || upkeep == Upkeep::UnderLoad {
        return Ok(MaintenanceReport::default()); // its policies do it; what is due can wait
    }
    if shared.rested_at.lock().is_some_and(|at| at.elapsed() < LOOK_EVERY) {
        return Ok(MaintenanceReport::default());
    }
    let mut client = shared.database.client().await?;
    let work = async {
        let transaction = client.transaction().await?;
        // A statement of its own, so that the others see all that was committed.
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&COMMIT_LOCK]).await?;
        let made = if layout == Layout::Partitions { make_ahead(shared, &transaction).await? } else { Vec::new() };
        let worked = rollups::advance(&transaction).await? || rollups::recompute(&transaction).await?;
        transaction.commit().await?;
        shared.partitions.lock().extend(made);
        Ok(worked)
    };
    let done: Result<bool, WorkError> = shared.database.unless_silent(COMMIT_STATEMENTS, work).await;
    close_if_silent(client, &done);
    let worked = done.map_err(|error| error.during("cannot look after the archive"))?;
    if !worked {
        *shared.rested_at.lock() = Some(Instant::now());
    }
    Ok(MaintenanceReport { files_merged: usize::from(worked), ..MaintenanceReport::default() })
}

async fn make_ahead(shared: &Shared, transaction: &Transaction<'_>) -> Result<Vec<Month>, WorkError> {
    let now: Moment = transaction.query_one("SELECT now()", &[]).await?.get(0);
    let this: Month = Timestamp::month(now.0, 0);
    let mut made = Vec::new();
    for month in (0..=MONTHS_AHEAD).map(|n| this.plus(n)) {
        let is_known = shared.partitions.lock().contains(&month);
        if !is_known {
            make_partition(transaction, month).await?;
            made.push(month);
        }
    }
    Ok(made)
}
