//! The metadata in PostgreSQL: one transaction a commit, statements prepared once a connection.

mod dead_letters;
mod ingest;
mod leadership;
mod marks;
mod offices;
mod outbox;
mod quality;
mod registry;
mod reviews;
mod second_look;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use gwbank_model::{Seq, Timestamp};
use gwbank_registry::office::Offices;
use gwbank_registry::{Installation, Well};
use gwbank_store::{
    ConditionFlag, ConversionCommit, ConvertedWell, DeadLetter, DeadLetterFilter, DeadLetterId, DeadLetterSummary,
    DeadLetterUsage, Delivery, DeliveryAttempt, DirtyMonth, Drill, FlagNote, FlagTransition, GatewayRecord, Hold,
    IndicatorRevision, IndicatorRow, IngestCommit, Invite, JudgedSeries, KnownOffices, Metadata, MetadataError,
    NumberedTransition, OutboxCount, OutboxLease, OwedMessage, PayloadPage, QualityFinding, QualityLimit,
    QualityLimitsChange, ReceivedContent, ReplayPermit, Review, ReviewId, SecondLook, SecondLookCommit, Settlement,
    WatchCommit,
};

use parking_lot::Mutex;

use self::leadership::{Held, Leadership, REPLAYS};
use self::marks::Marks;
use crate::Database;
use crate::database::close_if_silent;
use crate::error::WorkError;

/// How much is kept of dead letters.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetterBounds {
    /// Over all gateways; the oldest payloads expire, and are counted.
    pub bytes_max: u64,
    /// The same of one gateway, so that a broken one does not push out what others sent.
    pub bytes_max_per_gateway: u64,
}

/// The metadata of one node. Nodes of one database see each other's wells, dead letters, flags and counts.
#[derive(Debug, Clone)]
pub struct PostgresMetadata {
    database: Database,
    bounds: DeadLetterBounds,
    leadership: Arc<tokio::sync::Mutex<Leadership>>,
    said_here: Arc<Mutex<Option<Instant>>>,
}

/// Well before a node is taken for gone.
const SAY_HERE_EVERY: Duration = Duration::from_secs(60);

impl PostgresMetadata {
    pub fn new(database: Database, bounds: DeadLetterBounds) -> Self {
        Self { database, bounds, leadership: Arc::default(), said_here: Arc::default() }
    }

    /// Reads in one transaction, so that several statements see one state.
    async fn read<T>(
        &self,
        doing: &'static str,
        work: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, WorkError>,
    ) -> Result<T, MetadataError> {
        let mut client = self.database.client().await?;
        let work = async {
            let transaction = client
                .build_transaction()
                .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
                .read_only(true)
                .start()
                .await?;
            let value = work(&transaction).await?;
            transaction.commit().await?;
            Ok(value)
        };
        let done: Result<T, WorkError> = self.database.unless_silent(2, work).await;
        close_if_silent(client, &done);
        Ok(done.map_err(|error| error.during(doing))?)
    }

    /// All or nothing, durable when it returns.
    async fn write<T>(
        &self,
        doing: &'static str,
        work: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, WorkError>,
    ) -> Result<T, MetadataError> {
        let mut client = self.database.client().await?;
        let work = async {
            let transaction = client.transaction().await?;
            let value = work(&transaction).await?;
            transaction.commit().await?;
            Ok(value)
        };
        let done: Result<T, WorkError> = self.database.unless_silent(2, work).await;
        close_if_silent(client, &done);
        Ok(done.map_err(|error| error.during(doing))?)
    }
}

#[async_trait]
impl Metadata for PostgresMetadata {
    async fn position(&self) -> Result<Seq, MetadataError> {
        let node = self.database.node_id();
        let position = self
            .read("cannot read the position", async |transaction| ingest::position(transaction, node).await)
            .await?;
        self.database.written.metadata.raise(position);
        Ok(position)
    }

    async fn commit_ingest(&self, commit: IngestCommit) -> Result<(), MetadataError> {
        let (node, bounds) = (self.database.node_id(), self.bounds);
        self.write("cannot take an ingest commit", async |transaction| {
            if commit.through.is_some() {
                let (_, stored) = self.database.hold_node(transaction).await?;
                self.database.written.metadata.check(stored)?;
            }
            ingest::commit(transaction, node, &commit, bounds).await
        })
        .await?;
        if let Some(through) = commit.through {
            self.database.written.metadata.raise(through);
        }
        Ok(())
    }

    async fn gateways(&self) -> Result<Vec<GatewayRecord>, MetadataError> {
        self.read("cannot read gateways", async |transaction| ingest::gateways(transaction).await).await
    }

    async fn put_wells(&self, wells: Vec<Well>, at: Seq) -> Result<(), MetadataError> {
        self.write("cannot take wells", async |transaction| registry::put_wells(transaction, &wells, at).await).await
    }

    async fn wells(&self) -> Result<Vec<Well>, MetadataError> {
        self.read("cannot read wells", async |transaction| registry::wells(transaction).await).await
    }

    async fn put_installations(&self, installations: Vec<Installation>, at: Seq) -> Result<(), MetadataError> {
        self.write("cannot take installations", async |transaction| {
            registry::put_installations(transaction, &installations, at).await
        })
        .await
    }

    async fn installations(&self) -> Result<Vec<Installation>, MetadataError> {
        self.read("cannot read installations", async |transaction| registry::installations(transaction).await).await
    }

    async fn wells_before(&self, before: Seq) -> Result<Vec<Well>, MetadataError> {
        self.read("cannot read wells", async |transaction| registry::wells_before(transaction, before).await).await
    }

    async fn installations_before(&self, before: Seq) -> Result<Vec<Installation>, MetadataError> {
        self.read("cannot read installations", async |transaction| {
            registry::installations_before(transaction, before).await
        })
        .await
    }

    async fn registry_version(&self) -> Result<Seq, MetadataError> {
        self.read("cannot read the registry's version", async |transaction| registry::version(transaction).await).await
    }

    async fn lead(&self) -> Result<Option<u64>, MetadataError> {
        Ok(self.leadership.lock().await.hold(&self.database).await?)
    }

    async fn replay_permit(&self) -> Result<Option<ReplayPermit>, MetadataError> {
        let held = Held::lock(&self.database, REPLAYS, "cannot find out which node replays dead letters").await?;
        Ok(held.map(ReplayPermit::new))
    }

    async fn still_here(&self) -> Result<(), MetadataError> {
        {
            let mut said = self.said_here.lock();
            if said.is_some_and(|at| at.elapsed() < SAY_HERE_EVERY) {
                return Ok(());
            }
            *said = Some(Instant::now());
        }
        Ok(self.database.claim_node().await?)
    }

    async fn has_other_nodes(&self) -> Result<bool, MetadataError> {
        let node = self.database.node_id();
        self.read("cannot read the nodes", async |transaction| ingest::has_other_nodes(transaction, node).await).await
    }

    async fn dead_letters(&self, filter: DeadLetterFilter) -> Result<Vec<DeadLetterSummary>, MetadataError> {
        self.read("cannot read dead letters", async |transaction| dead_letters::list(transaction, &filter).await).await
    }

    async fn dead_letter_payloads(
        &self,
        id: DeadLetterId,
        page: PayloadPage,
    ) -> Result<Vec<DeadLetter>, MetadataError> {
        self.read("cannot read a dead letter", async |transaction| dead_letters::payloads(transaction, id, page).await)
            .await
    }

    async fn dead_letter_usage(&self) -> Result<DeadLetterUsage, MetadataError> {
        self.read("cannot read dead letters", async |transaction| dead_letters::usage(transaction).await).await
    }

    async fn received_contents(&self) -> Result<Vec<ReceivedContent>, MetadataError> {
        self.read("cannot read received contents", async |transaction| ingest::received_contents(transaction).await)
            .await
    }

    async fn quality_limits(&self) -> Result<Vec<QualityLimit>, MetadataError> {
        self.read("cannot read limits of quality", async |transaction| quality::limits(transaction).await).await
    }

    async fn change_quality_limits(&self, change: QualityLimitsChange) -> Result<(), MetadataError> {
        self.write("cannot take limits of quality", async |transaction| {
            quality::change_limits(transaction, &change).await
        })
        .await
    }

    async fn judged_series(&self) -> Result<Vec<JudgedSeries>, MetadataError> {
        self.read("cannot read under which limits series were judged", async |transaction| {
            quality::judged_series(transaction).await
        })
        .await
    }

    async fn quality_findings(&self) -> Result<Vec<QualityFinding>, MetadataError> {
        self.read("cannot read findings of quality", async |transaction| second_look::findings(transaction).await).await
    }

    async fn second_looks(&self) -> Result<Vec<SecondLook>, MetadataError> {
        self.read("cannot read how far series were looked at", async |transaction| {
            second_look::looks(transaction).await
        })
        .await
    }

    async fn commit_second_look(&self, commit: SecondLookCommit) -> Result<(), MetadataError> {
        self.write("cannot take findings of quality", async |transaction| {
            second_look::commit(transaction, &commit).await
        })
        .await
    }

    async fn reviews(&self) -> Result<Vec<Review>, MetadataError> {
        self.read("cannot read reviews", async |transaction| reviews::all(transaction).await).await
    }

    async fn add_review(&self, review: Review, dirty: Vec<DirtyMonth>) -> Result<ReviewId, MetadataError> {
        self.write("cannot take a review", async |transaction| reviews::add(transaction, review, &dirty).await).await
    }

    async fn put_review(&self, review: Review, dirty: Vec<DirtyMonth>) -> Result<(), MetadataError> {
        self.write("cannot take a review", async |transaction| reviews::put(transaction, &review, &dirty).await).await
    }

    async fn dirty_months(&self, limit: usize) -> Result<Vec<DirtyMonth>, MetadataError> {
        self.read("cannot read marks", async |transaction| marks::oldest(transaction, Marks::Dirty, limit).await).await
    }

    async fn commit_watch(&self, commit: WatchCommit) -> Result<(), MetadataError> {
        self.write("cannot take a watch commit", async |transaction| watch::commit(transaction, &commit).await).await
    }

    async fn unconverted_months(&self, limit: usize) -> Result<Vec<DirtyMonth>, MetadataError> {
        self.read("cannot read marks", async |transaction| marks::oldest(transaction, Marks::Unconverted, limit).await)
            .await
    }

    async fn converted_wells(&self) -> Result<Vec<ConvertedWell>, MetadataError> {
        self.read("cannot read which wells were converted", async |transaction| {
            marks::converted_wells(transaction).await
        })
        .await
    }

    async fn commit_conversion(&self, commit: ConversionCommit) -> Result<(), MetadataError> {
        self.write("cannot note a conversion", async |transaction| marks::commit_conversion(transaction, &commit).await)
            .await
    }

    async fn indicators(&self, place: Option<&str>) -> Result<Vec<IndicatorRow>, MetadataError> {
        self.read("cannot read indicators", async |transaction| watch::indicators(transaction, place).await).await
    }

    async fn indicator_revisions(&self, place: Option<&str>) -> Result<Vec<IndicatorRevision>, MetadataError> {
        self.read("cannot read revisions of indicators", async |transaction| {
            watch::indicator_revisions(transaction, place).await
        })
        .await
    }

    async fn flags_at(&self, at: Timestamp) -> Result<Vec<ConditionFlag>, MetadataError> {
        self.read("cannot read versions of flags", async |transaction| watch::flags_at(transaction, at).await).await
    }

    async fn history_since(&self) -> Result<Timestamp, MetadataError> {
        let read = async |transaction: &Transaction<'_>| watch::history_since(transaction).await;
        Ok(self.read("cannot be read", read).await?.unwrap_or(Timestamp::MIN))
    }

    async fn begin_history(&self, at: Timestamp) -> Result<(), MetadataError> {
        self.write("cannot note where its history begins", async |transaction| {
            watch::begin_history(transaction, at).await
        })
        .await
    }

    async fn flags(&self, open_only: bool) -> Result<Vec<ConditionFlag>, MetadataError> {
        self.read("cannot read condition flags", async |transaction| watch::flags(transaction, open_only).await).await
    }

    async fn flag_transitions(&self, flag_id: Option<&str>) -> Result<Vec<FlagTransition>, MetadataError> {
        self.read("cannot read transitions", async |transaction| watch::transitions(transaction, flag_id).await).await
    }

    async fn transitions_after(&self, after: i64, limit: usize) -> Result<Vec<NumberedTransition>, MetadataError> {
        self.read("cannot read transitions", async |transaction| {
            watch::transitions_after(transaction, after, limit).await
        })
        .await
    }

    async fn last_transition(&self) -> Result<i64, MetadataError> {
        self.read("cannot read transitions", async |transaction| watch::last_transition(transaction).await).await
    }

    async fn flag_notes(&self, flag_id: Option<&str>) -> Result<Vec<FlagNote>, MetadataError> {
        self.read("cannot read what was done about flags", async |transaction| {
            offices::notes(transaction, flag_id).await
        })
        .await
    }

    async fn flag_holds(&self) -> Result<Vec<Hold>, MetadataError> {
        self.read("cannot read holds", async |transaction| offices::holds(transaction).await).await
    }

    async fn drills(&self) -> Result<Vec<Drill>, MetadataError> {
        self.read("cannot read drills", async |transaction| offices::drills(transaction).await).await
    }

    async fn lease_outbox(&self, lease: OutboxLease) -> Result<Vec<OwedMessage>, MetadataError> {
        self.write("cannot lease messages", async |transaction| outbox::lease(transaction, &lease).await).await
    }

    async fn settle_outbox(&self, settlements: Vec<Settlement>) -> Result<(), MetadataError> {
        self.write("cannot note deliveries", async |transaction| outbox::settle(transaction, &settlements).await).await
    }

    async fn release_outbox(&self, holder: &str) -> Result<(), MetadataError> {
        self.write("cannot release messages", async |transaction| outbox::release(transaction, holder).await).await
    }

    async fn outbox_counts(&self) -> Result<Vec<OutboxCount>, MetadataError> {
        self.read("cannot read the outbox", async |transaction| outbox::counts(transaction).await).await
    }

    async fn deliveries(&self, flag_id: Option<&str>) -> Result<Vec<Delivery>, MetadataError> {
        self.read("cannot read deliveries", async |transaction| outbox::deliveries(transaction, flag_id).await).await
    }

    async fn delivery_attempts(&self, idempotency_key: Option<&str>) -> Result<Vec<DeliveryAttempt>, MetadataError> {
        self.read("cannot read deliveries", async |transaction| outbox::attempts(transaction, idempotency_key).await)
            .await
    }

    async fn offices(&self, at: Option<Timestamp>) -> Result<KnownOffices, MetadataError> {
        self.read("cannot read offices", async |transaction| offices::offices(transaction, at).await).await
    }

    async fn offices_version(&self) -> Result<i64, MetadataError> {
        self.read("cannot read offices", async |transaction| offices::version(transaction).await).await
    }

    async fn put_offices(&self, offices: Offices, based_on: i64, at: Timestamp) -> Result<bool, MetadataError> {
        self.write("cannot take offices", async |transaction| offices::put(transaction, &offices, based_on, at).await)
            .await
    }

    async fn add_invite(&self, invite: Invite) -> Result<(), MetadataError> {
        self.write("cannot take an invitation", async |transaction| offices::add_invite(transaction, &invite).await)
            .await
    }

    async fn take_invite(&self, code_sha256: &str, at: Timestamp) -> Result<Option<Invite>, MetadataError> {
        self.write("cannot take an invitation", async |transaction| {
            offices::take_invite(transaction, code_sha256, at).await
        })
        .await
    }
}

/// `limit` as PostgreSQL takes it: NULL is all.
fn limit_to_sql(limit: usize) -> Option<i64> {
    i64::try_from(limit).ok()
}
