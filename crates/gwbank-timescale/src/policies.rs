//! What TimescaleDB does by itself, and when: compression, retention, refresh of hours and days.
//!
//! # Rules
//! 1. A policy that is as configured is left alone, with its history and its next start.
//! 2. Hours and days of dropped readings stay: a refresh never reaches back to where readings were dropped, as it would drop
//!    what was computed of them. Without retention it reaches back to the first reading, so that late data of any age count.

use crate::{Database, DatabaseError, Layout};

/// Tunable policies. They apply to a database of [`Layout::Timescale`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// Of chunks that are made from now on.
    pub chunk_days: u32,
    /// Chunks become columns when their newest reading could be so old; 0 is never.
    pub compress_after_days: u32,
    /// Readings older than this are dropped; 0 is never.
    pub retention_days: u32,
    /// How often hours and days are brought up to date. Queries see what is newer all the same.
    pub refresh_minutes: u32,
}

impl Default for Policies {
    fn default() -> Self {
        Self { chunk_days: 14, compress_after_days: 30, retention_days: 0, refresh_minutes: 15 }
    }
}

/// A continuous aggregate.
struct Rollup {
    view: &'static str,
    /// Newer buckets are left to be computed as they are asked for.
    end_offset: &'static str,
    /// About a chunk's: more at once would be one long transaction.
    buckets_per_batch: u32,
}

const ROLLUPS: [Rollup; 2] = [
    Rollup { view: "reading_hours", end_offset: "2 hours", buckets_per_batch: 336 },
    Rollup { view: "reading_days", end_offset: "2 days", buckets_per_batch: 14 },
];

fn days(days: u32) -> Option<String> {
    (days > 0).then(|| format!("{days} days"))
}

impl Database {
    /// Sets the policies that are not as they should be; gives what was set. Nothing where TimescaleDB has none.
    pub async fn set_policies(&self, policies: &Policies) -> Result<Vec<String>, DatabaseError> {
        if self.layout().await? != Layout::Timescale {
            return Ok(Vec::new());
        }
        let failed = || DatabaseError::refused("cannot set a policy of TimescaleDB");
        let mut client = self.client().await?;
        let transaction = client.transaction().await.map_err(failed())?;
        let mut set = Vec::new();
        let (chunk, compress, retention) =
            (days(policies.chunk_days), days(policies.compress_after_days), days(policies.retention_days));
        let row = transaction
            .query_one(
                "SELECT
                    (SELECT time_interval IS DISTINCT FROM $1::text::interval FROM timescaledb_information.dimensions
                        WHERE hypertable_name = 'reading_rows' AND dimension_number = 1),
                    max((config ->> 'compress_after')::interval) FILTER (WHERE proc_name = 'policy_compression')
                        IS DISTINCT FROM $2::text::interval,
                    max((config ->> 'drop_after')::interval) FILTER (WHERE proc_name = 'policy_retention')
                        IS DISTINCT FROM $3::text::interval
                 FROM timescaledb_information.jobs WHERE hypertable_name = 'reading_rows'",
                &[&chunk, &compress, &retention],
            )
            .await
            .map_err(failed())?;
        let differs = |place: usize| row.get::<_, Option<bool>>(place).unwrap_or(false);
        if let (true, Some(chunk)) = (differs(0), &chunk) {
            let statement = "SELECT set_chunk_time_interval('reading_rows', $1::text::interval)";
            transaction.execute(statement, &[chunk]).await.map_err(failed())?;
            set.push(format!("new chunks hold {chunk}"));
        }
        for (place, name, argument, value) in
            [(1, "compression", "compress_after", &compress), (2, "retention", "drop_after", &retention)]
        {
            if !differs(place) {
                continue;
            }
            let remove = format!("SELECT remove_{name}_policy('reading_rows', if_exists => true)");
            transaction.execute(&remove, &[]).await.map_err(failed())?;
            if let Some(value) = value {
                let add = format!("SELECT add_{name}_policy('reading_rows', {argument} => $1::text::interval)");
                transaction.execute(&add, &[value]).await.map_err(failed())?;
            }
            set.push(format!("{name} after {}", value.as_deref().unwrap_or("never")));
        }
        // A day less than what is kept, and never more than a refresh can reach.
        let start = days(policies.retention_days.saturating_sub(1)).filter(|_| policies.retention_days > 0);
        let every = format!("{} minutes", policies.refresh_minutes);
        for Rollup { view, end_offset, buckets_per_batch } in ROLLUPS {
            // Which of its two names a job has, depends on the version.
            let is_as_wanted = transaction
                .query_one(
                    "SELECT EXISTS (SELECT 1 FROM timescaledb_information.jobs j
                        JOIN timescaledb_information.continuous_aggregates c
                            ON j.hypertable_name IN (c.view_name, c.materialization_hypertable_name)
                        WHERE c.view_name = $1 AND j.proc_name = 'policy_refresh_continuous_aggregate'
                            AND j.schedule_interval = $2::text::interval
                            AND (j.config ->> 'end_offset')::interval = $3::text::interval
                            AND (j.config ->> 'start_offset')::interval IS NOT DISTINCT FROM $4::text::interval)",
                    &[&view, &every, &end_offset, &start],
                )
                .await
                .map_err(failed())?;
            if is_as_wanted.get(0) {
                continue;
            }
            let remove = "SELECT remove_continuous_aggregate_policy($1::text::regclass, if_exists => true)";
            transaction.execute(remove, &[&view]).await.map_err(failed())?;
            // By default one run does ten batches of a bucket or ten, and leaves the rest to the next: years of history would
            // take weeks.
            let add = format!(
                "SELECT add_continuous_aggregate_policy($1::text::regclass, start_offset => $2::text::interval,
                    end_offset => $3::text::interval, schedule_interval => $4::text::interval,
                    buckets_per_batch => {buckets_per_batch}, max_batches_per_execution => 0)"
            );
            transaction.execute(&add, &[&view, &start, &end_offset, &every]).await.map_err(failed())?;
            set.push(format!("{view} refreshed every {every}"));
        }
        transaction.commit().await.map_err(failed())?;
        Ok(set)
    }
}
