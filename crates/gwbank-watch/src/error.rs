use gwbank_store::{MetadataError, SeriesReadError};

/// Why an evaluation did not come to its end. Nothing of it is lost: marks and wells stay due.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error("metadata cannot be read or written")]
    Metadata(#[from] MetadataError),
    #[error("series cannot be read")]
    Series(#[from] SeriesReadError),
    #[error("no condition flag with id {0:?} is open")]
    NoSuchFlag(String),
    #[error("the condition flag {0:?} is closed")]
    Closed(String),
    /// Somebody was first.
    #[error("{0}")]
    Conflict(String),
    /// Says what, and how to mend it.
    #[error("{0}")]
    Refused(String),
}

impl WatchError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            WatchError::Metadata(MetadataError::Unavailable(_)) | WatchError::Series(_) => true,
            WatchError::Metadata(MetadataError::Damaged(_))
            | WatchError::NoSuchFlag(_)
            | WatchError::Closed(_)
            | WatchError::Conflict(_)
            | WatchError::Refused(_) => false,
        }
    }
}
