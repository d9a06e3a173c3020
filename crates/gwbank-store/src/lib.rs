//! The ports through which readings and metadata are kept, an in-memory implementation, and the conformance suite.
//!
//! ```text
//! ingest ──commit──▶ Archive  (readings, revisions; position in the same transaction)
//!        ──commit──▶ Metadata (gateways, dead letters, dirty months; position in the same transaction)
//! query  ──scan────▶ ArchiveSnapshot
//! watch  ──commit──▶ Metadata (indicators, condition flags, transitions, outbox)
//! ```
//!
//! # Rules that every implementation keeps
//! 1. A commit is atomic and durable when it returns; its `through` becomes the position in the same transaction.
//! 2. A commit may be repeated: rows that are there already change nothing and are reported as they were the first time
//!    ([`gwbank_model::versions`] rule 3).
//! 3. A snapshot never changes. It shows each key once, with its winner; every loser is a revision.
//! 4. No failure drops rows in silence: an error means that nothing of the commit is there.

mod archive;
pub mod conformance;
pub mod copy;
mod limits;
pub mod memory;
mod metadata;
mod office;
mod outbox;
mod review;
mod schema;
mod series_reader;
mod summary;

pub use archive::{
    Archive, ArchiveCommit, ArchiveError, ArchiveSnapshot, BatchStream, CommitReport, MaintenanceReport, Narrowed,
    Narrowing, RefusedRow, RevisionRow, ScanRequest, StoredVersions, Upkeep,
};
pub use limits::{EffectiveLimit, LimitSource};
pub use metadata::{
    ConditionFlag, ConversionCommit, ConvertedWell, DeadLetter, DeadLetterCause, DeadLetterFilter, DeadLetterId,
    DeadLetterSummary, DeadLetterUsage, DeadMessage, DirtyMonth, EXPIRED_SUBJECT, FlagTransition, GatewayCounts,
    GatewayRecord, IndicatorKey, IndicatorRevision, IndicatorRow, IngestCommit, JudgedSeries, LookAgain, Metadata,
    MetadataError, NewDeadLetter, NumberedTransition, PayloadPage, QualityFinding, QualityLimit, QualityLimitKey,
    QualityLimitsChange, ReceivedContent, ReplayPermit, SecondLook, SecondLookCommit, SeriesFindings,
    SettledDeadLetter, WatchCommit,
};
pub use office::{Drill, DrillKind, FlagAction, FlagNote, Hold, HoldKind, Invite, KnownOffices};
pub use outbox::{
    Became, Delivery, DeliveryAttempt, DeliveryState, OutboxCount, OutboxLease, OutboxMessage, OwedMessage, Settlement,
};
pub use review::{
    Approvals, NewReview, Review, ReviewAction, ReviewId, ReviewedVersion, Reviews, SeriesApprovals, Withdrawal,
};
pub use schema::{
    RowNames, batch_to_revisions, batch_to_rows, columns, reading_schema, revision_schema, revisions_to_batch,
    rows_to_batch, rows_to_columns, timestamp_type,
};
pub use series_reader::{DailyValue, HourlyMean, LastHeard, SeriesEnd, SeriesReadError, SeriesReader, SeriesRequest};
pub use summary::{Bucket, Measure, MonthUnit, Summary};
