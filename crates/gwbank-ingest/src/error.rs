use std::path::PathBuf;

use gwbank_journal::{AppendError, JournalError};
use gwbank_registry::import::RowFault;
use gwbank_store::{ArchiveError, MetadataError};

use crate::BrokerProblem;
use crate::record::RecordError;

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A bound is reached; nothing was taken in, the same message may be sent again later.
    #[error("ingest is full: {limit} is reached; readings are taken in again when the archive has caught up")]
    Full { limit: &'static str },

    /// The pipeline is shutting down; nothing was taken in.
    #[error("ingest is closed")]
    Closed,

    #[error("message of {bytes} bytes is larger than {bytes_max}")]
    TooLarge { bytes: u64, bytes_max: u64 },

    #[error("setting {setting} {problem}")]
    Config { setting: &'static str, problem: String },

    #[error("{what} {id:?} is refused: {problem}")]
    Refused { what: &'static str, id: String, problem: String },

    /// Nothing of the file was applied.
    #[error("the file has {} faults", .0.len())]
    Rows(Vec<RowFault>),

    #[error("another node is replaying dead letters: try again when it is done")]
    ReplayedElsewhere,

    #[error("journal failed")]
    Journal(#[from] JournalError),

    /// The archive or the metadata is older than what the journal gave up for it.
    #[error(
        "the journal was cut through seq {truncated_through}, but archive or metadata stand at {after}: put back the \
         ones that belong to this journal, copy them (`gwbank archive copy`) after a change of archive.kind, or see \"Restore\" \
         in the README for how to go on without what lies between"
    )]
    JournalGap { after: i64, truncated_through: i64 },

    /// What was remembered for a start without the database.
    #[error("what is remembered of the database cannot be read or written")]
    LastKnown(#[source] std::io::Error),

    #[error("the database has accounted for part of a stretch of the journal: restart gwbank")]
    Misaligned,

    #[error("journal record at seq {seq} cannot be read")]
    Record { seq: i64, source: RecordError },

    #[error("archive failed")]
    Archive(#[from] ArchiveError),

    #[error("metadata store failed")]
    Metadata(#[from] MetadataError),

    #[error("archive gave a batch that cannot be read: {0}")]
    Batch(String),

    #[error("thread or task of the pipeline ended early")]
    Broken,

    #[error("broker cannot start: {0}")]
    Broker(String),

    /// An address that cannot be listened on, under its key of the configuration.
    #[error("{setting}: cannot listen on {address}")]
    Listen { setting: &'static str, address: String, source: std::io::Error },

    #[error("broker url {url:?} is refused: {problem}")]
    Url { url: String, problem: String },

    #[error("file {} cannot be used for TLS: {problem}", file.display())]
    Tls { file: PathBuf, problem: String },

    #[error("connection to the broker failed: {0}")]
    Connection(BrokerProblem),
}

impl From<AppendError> for IngestError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Full => Self::Full { limit: "journal.bytes_max" },
            AppendError::Closed => Self::Closed,
            AppendError::TooLarge { bytes, bytes_max } => Self::TooLarge { bytes, bytes_max },
        }
    }
}
