//! The metadata in SQLite: WAL, `synchronous = FULL`, one connection that writes, others that read beside it.
//!
//! # Format
//! `user_version` counts the migrations of [`schema`] that were applied. Instants are UTC microseconds, `seq` as it is,
//! enums by name, so that the file can be read with any SQLite tool.

mod dead_letters;
mod ingest;
mod marks;
mod offices;
mod outbox;
mod quality;
mod registry;
mod reviews;
mod schema;
mod second_look;
mod values;
mod watch;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::marks::Marks;
use async_trait::async_trait;
use gwbank_model::{Seq, Timestamp};
use gwbank_registry::office::Offices;
use gwbank_registry::{Installation, Well};
use gwbank_store::{
    ConditionFlag, ConversionCommit, ConvertedWell, DeadLetter, DeadLetterFilter, DeadLetterId, DeadLetterSummary,
    DeadLetterUsage, Delivery, DeliveryAttempt, DirtyMonth, Drill, FlagNote, FlagTransition, GatewayRecord, Hold,
    IndicatorRevision, IndicatorRow, IngestCommit, Invite, JudgedSeries, KnownOffices, Metadata, MetadataError,
    NumberedTransition, OutboxCount, OutboxLease, OwedMessage, PayloadPage, QualityFinding, QualityLimit,
    QualityLimitsChange, ReceivedContent, Review, ReviewId, SecondLook, SecondLookCommit, Settlement, WatchCommit,
};
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::DeltaError;
use crate::archive::create_dirs;

/// Connections kept for reading: more readers at a time open their own and close it again.
const IDLE_READERS_MAX: usize = 4;
/// Prepared statements kept for each connection: more than there are.
const STATEMENTS_KEPT: usize = 64;

/// Where the metadata lies and how much of it is kept.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    pub path: PathBuf,
    /// What dead letters take, over all gateways; the oldest payloads expire, and are counted.
    pub dead_letters_bytes_max: u64,
    /// The same of one gateway, so that a broken one does not push out what others sent.
    pub dead_letters_bytes_max_per_gateway: u64,
}

impl SqliteConfig {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), dead_letters_bytes_max: 1 << 30, dead_letters_bytes_max_per_gateway: 1 << 26 }
    }
}

/// The embedded metadata store. Clones share one database.
#[derive(Clone)]
pub struct SqliteMetadata(Arc<Shared>);

struct Shared {
    config: SqliteConfig,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl fmt::Debug for SqliteMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqliteMetadata").field(&self.0.config.path).finish()
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "cache_size", -16_000)?; // 16 MB
    Ok(connection)
}

impl SqliteMetadata {
    /// Opens the database, creates it or brings it to the present schema.
    pub async fn open(config: SqliteConfig) -> Result<Self, DeltaError> {
        let opened = tokio::task::spawn_blocking(move || Self::open_blocking(config)).await;
        opened.map_err(|_| DeltaError::TaskEnded)?
    }

    fn open_blocking(config: SqliteConfig) -> Result<Self, DeltaError> {
        if let Some(dir) = config.path.parent() {
            create_dirs(dir)?;
        }
        let open = || {
            let writer = connect(&config.path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
            writer.pragma_update(None, "journal_mode", "WAL")?;
            writer.pragma_update(None, "synchronous", "FULL")?;
            writer.pragma_update(None, "foreign_keys", "ON")?;
            // A process that was killed may have left a commit that is seen and not synced. The journal is cut by what is
            // seen, so it is made durable first, as a checkpoint does.
            writer.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
            Ok(writer)
        };
        let mut writer = open().map_err(DeltaError::sqlite("cannot be opened"))?;
        schema::migrate(&mut writer)?;
        Ok(Self(Arc::new(Shared { config, writer: Mutex::new(writer), readers: Mutex::default() })))
    }

    async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, MetadataError> {
        let shared = self.0.clone();
        let task = tokio::task::spawn_blocking(move || {
            let idle = shared.readers.lock().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => connect(&shared.config.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
            };
            let value = work(&connection)?;
            let mut readers = shared.readers.lock();
            if readers.len() < IDLE_READERS_MAX {
                readers.push(connection);
            }
            Ok(value)
        });
        let value = task.await.map_err(|_| DeltaError::TaskEnded)?;
        Ok(value.map_err(DeltaError::sqlite(doing))?)
    }

    /// All or nothing, durable when it returns.
    async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction, &SqliteConfig) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, MetadataError> {
        let shared = self.0.clone();
        let task = tokio::task::spawn_blocking(move || {
            let mut connection = shared.writer.lock();
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction, &shared.config)?;
            transaction.commit()?;
            Ok(value)
        });
        let value = task.await.map_err(|_| DeltaError::TaskEnded)?;
        Ok(value.map_err(DeltaError::sqlite(doing))?)
    }
}

#[async_trait]
impl Metadata for SqliteMetadata {
    async fn position(&self) -> Result<Seq, MetadataError> {
        self.read("cannot be read", |connection| ingest::number(connection, "position").map(Seq::from_i64)).await
    }

    async fn commit_ingest(&self, commit: IngestCommit) -> Result<(), MetadataError> {
        self.write("cannot take an ingest commit", move |transaction, config| {
            ingest::commit(transaction, commit, config)
        })
        .await
    }

    async fn gateways(&self) -> Result<Vec<GatewayRecord>, MetadataError> {
        self.read("cannot read gateways", ingest::gateways).await
    }

    async fn put_wells(&self, wells: Vec<Well>, at: Seq) -> Result<(), MetadataError> {
        self.write("cannot take wells", move |transaction, _| registry::put_wells(transaction, &wells, at)).await
    }

    async fn wells(&self) -> Result<Vec<Well>, MetadataError> {
        self.read("cannot read wells", registry::wells).await
    }

    async fn put_installations(&self, installations: Vec<Installation>, at: Seq) -> Result<(), MetadataError> {
        self.write("cannot take installations", move |transaction, _| {
            registry::put_installations(transaction, &installations, at)
        })
        .await
    }

    async fn installations(&self) -> Result<Vec<Installation>, MetadataError> {
        self.read("cannot read installations", registry::installations).await
    }

    async fn wells_before(&self, before: Seq) -> Result<Vec<Well>, MetadataError> {
        self.read("cannot read wells", move |connection| registry::wells_before(connection, before)).await
    }

    async fn installations_before(&self, before: Seq) -> Result<Vec<Installation>, MetadataError> {
        self.read("cannot read installations", move |connection| registry::installations_before(connection, before))
            .await
    }

    async fn dead_letters(&self, filter: DeadLetterFilter) -> Result<Vec<DeadLetterSummary>, MetadataError> {
        self.read("cannot read dead letters", move |connection| dead_letters::list(connection, &filter)).await
    }

    async fn dead_letter_payloads(
        &self,
        id: DeadLetterId,
        page: PayloadPage,
    ) -> Result<Vec<DeadLetter>, MetadataError> {
        self.read("cannot read a dead letter", move |connection| dead_letters::payloads(connection, id, page)).await
    }

    async fn dead_letter_usage(&self) -> Result<DeadLetterUsage, MetadataError> {
        self.read("cannot read dead letters", dead_letters::usage).await
    }

    async fn received_contents(&self) -> Result<Vec<ReceivedContent>, MetadataError> {
        self.read("cannot read received contents", ingest::received_contents).await
    }

    async fn quality_limits(&self) -> Result<Vec<QualityLimit>, MetadataError> {
        self.read("cannot read limits of quality", quality::limits).await
    }

    async fn change_quality_limits(&self, change: QualityLimitsChange) -> Result<(), MetadataError> {
        self.write("cannot take limits of quality", move |transaction, _| quality::change_limits(transaction, &change))
            .await
    }

    async fn judged_series(&self) -> Result<Vec<JudgedSeries>, MetadataError> {
        self.read("cannot read under which limits series were judged", quality::judged_series).await
    }

    async fn quality_findings(&self) -> Result<Vec<QualityFinding>, MetadataError> {
        self.read("cannot read findings of quality", second_look::findings).await
    }

    async fn second_looks(&self) -> Result<Vec<SecondLook>, MetadataError> {
        self.read("cannot read how far series were looked at", second_look::looks).await
    }

    async fn commit_second_look(&self, commit: SecondLookCommit) -> Result<(), MetadataError> {
        self.write("cannot take findings of quality", move |transaction, _| second_look::commit(transaction, &commit))
            .await
    }

    async fn reviews(&self) -> Result<Vec<Review>, MetadataError> {
        self.read("cannot read reviews", reviews::all).await
    }

    async fn add_review(&self, review: Review, dirty: Vec<DirtyMonth>) -> Result<ReviewId, MetadataError> {
        self.write("cannot take a review", move |transaction, _| reviews::add(transaction, review, &dirty)).await
    }

    async fn put_review(&self, review: Review, dirty: Vec<DirtyMonth>) -> Result<(), MetadataError> {
        self.write("cannot take a review", move |transaction, _| reviews::put(transaction, &review, &dirty)).await
    }

    async fn dirty_months(&self, limit: usize) -> Result<Vec<DirtyMonth>, MetadataError> {
        self.read("cannot read marks", move |connection| marks::oldest(connection, Marks::Dirty, limit)).await
    }

    async fn commit_watch(&self, commit: WatchCommit) -> Result<(), MetadataError> {
        self.write("cannot take a watch commit", move |transaction, _| watch::commit(transaction, &commit)).await
    }

    async fn unconverted_months(&self, limit: usize) -> Result<Vec<DirtyMonth>, MetadataError> {
        self.read("cannot read marks", move |connection| marks::oldest(connection, Marks::Unconverted, limit)).await
    }

    async fn converted_wells(&self) -> Result<Vec<ConvertedWell>, MetadataError> {
        self.read("cannot read which wells were converted", marks::converted_wells).await
    }

    async fn commit_conversion(&self, commit: ConversionCommit) -> Result<(), MetadataError> {
        self.write("cannot note a conversion", move |transaction, _| marks::commit_conversion(transaction, &commit))
            .await
    }

    async fn indicators(&self, place: Option<&str>) -> Result<Vec<IndicatorRow>, MetadataError> {
        let place = place.map(str::to_owned);
        self.read("cannot read indicators", move |connection| watch::indicators(connection, place.as_deref())).await
    }

    async fn indicator_revisions(&self, place: Option<&str>) -> Result<Vec<IndicatorRevision>, MetadataError> {
        let place = place.map(str::to_owned);
        let read = move |connection: &Connection| watch::indicator_revisions(connection, place.as_deref());
        self.read("cannot read revisions of indicators", read).await
    }

    async fn flags_at(&self, at: Timestamp) -> Result<Vec<ConditionFlag>, MetadataError> {
        self.read("cannot read versions of flags", move |connection| watch::flags_at(connection, at)).await
    }

    async fn history_since(&self) -> Result<Timestamp, MetadataError> {
        let since = |connection: &Connection| ingest::number(connection, "history_since").map(Timestamp::from_micros);
        self.read("cannot be read", since).await
    }

    async fn begin_history(&self, at: Timestamp) -> Result<(), MetadataError> {
        self.write("cannot note where its history begins", move |transaction, _| {
            transaction.execute("UPDATE numbers SET value = ?1 WHERE name = 'history_since'", [at.as_micros()])?;
            Ok(())
        })
        .await
    }

    async fn flags(&self, open_only: bool) -> Result<Vec<ConditionFlag>, MetadataError> {
        self.read("cannot read condition flags", move |connection| watch::flags(connection, open_only)).await
    }

    async fn flag_transitions(&self, flag_id: Option<&str>) -> Result<Vec<FlagTransition>, MetadataError> {
        let flag_id = flag_id.map(str::to_owned);
        self.read("cannot read transitions", move |connection| watch::transitions(connection, flag_id.as_deref())).await
    }

    async fn transitions_after(&self, after: i64, limit: usize) -> Result<Vec<NumberedTransition>, MetadataError> {
        self.read("cannot read transitions", move |connection| watch::transitions_after(connection, after, limit)).await
    }

    async fn last_transition(&self) -> Result<i64, MetadataError> {
        self.read("cannot read transitions", watch::last_transition).await
    }

    async fn flag_notes(&self, flag_id: Option<&str>) -> Result<Vec<FlagNote>, MetadataError> {
        let flag_id = flag_id.map(str::to_owned);
        self.read("cannot read what was done about flags", move |connection| {
            offices::notes(connection, flag_id.as_deref())
        })
        .await
    }

    async fn flag_holds(&self) -> Result<Vec<Hold>, MetadataError> {
        self.read("cannot read holds", offices::holds).await
    }

    async fn drills(&self) -> Result<Vec<Drill>, MetadataError> {
        self.read("cannot read drills", offices::drills).await
    }

    async fn lease_outbox(&self, lease: OutboxLease) -> Result<Vec<OwedMessage>, MetadataError> {
        // Most looks find nothing, and do not hold up who writes.
        let looked = lease.clone();
        if !self.read("cannot read the outbox", move |connection| outbox::is_due(connection, &looked)).await? {
            return Ok(Vec::new());
        }
        self.write("cannot lease messages", move |transaction, _| outbox::lease(transaction, &lease)).await
    }

    async fn settle_outbox(&self, settlements: Vec<Settlement>) -> Result<(), MetadataError> {
        self.write("cannot note deliveries", move |transaction, _| outbox::settle(transaction, &settlements)).await
    }

    async fn release_outbox(&self, holder: &str) -> Result<(), MetadataError> {
        let holder = holder.to_owned();
        self.write("cannot release messages", move |transaction, _| outbox::release(transaction, &holder)).await
    }

    async fn outbox_counts(&self) -> Result<Vec<OutboxCount>, MetadataError> {
        self.read("cannot read the outbox", outbox::counts).await
    }

    async fn deliveries(&self, flag_id: Option<&str>) -> Result<Vec<Delivery>, MetadataError> {
        let flag_id = flag_id.map(str::to_owned);
        self.read("cannot read deliveries", move |connection| outbox::deliveries(connection, flag_id.as_deref())).await
    }

    async fn delivery_attempts(&self, idempotency_key: Option<&str>) -> Result<Vec<DeliveryAttempt>, MetadataError> {
        let key = idempotency_key.map(str::to_owned);
        self.read("cannot read deliveries", move |connection| outbox::attempts(connection, key.as_deref())).await
    }

    async fn offices(&self, at: Option<Timestamp>) -> Result<KnownOffices, MetadataError> {
        self.read("cannot read offices", move |connection| offices::offices(connection, at)).await
    }

    async fn offices_version(&self) -> Result<i64, MetadataError> {
        self.read("cannot read offices", offices::version).await
    }

    async fn put_offices(&self, offices: Offices, based_on: i64, at: Timestamp) -> Result<bool, MetadataError> {
        self.write("cannot take offices", move |transaction, _| offices::put(transaction, &offices, based_on, at)).await
    }

    async fn add_invite(&self, invite: Invite) -> Result<(), MetadataError> {
        self.write("cannot take an invitation", move |transaction, _| offices::add_invite(transaction, &invite)).await
    }

    async fn take_invite(&self, code_sha256: &str, at: Timestamp) -> Result<Option<Invite>, MetadataError> {
        let code = code_sha256.to_owned();
        self.write("cannot take an invitation", move |transaction, _| offices::take_invite(transaction, &code, at))
            .await
    }
}
