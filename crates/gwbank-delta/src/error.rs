//! What can go wrong in the embedded stores.

use std::io;
use std::path::{Path, PathBuf};

use gwbank_store::{ArchiveError, MetadataError};
use parquet::errors::ParquetError;

#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    #[error("cannot {doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot read or write the Parquet file {path}")]
    Parquet { path: PathBuf, source: ParquetError },
    #[error("rows do not have the shape of readings in {path}")]
    Shape { path: PathBuf, source: arrow::error::ArrowError },
    #[error("cannot load the Delta table {path}")]
    Table { path: PathBuf, source: Box<deltalake::DeltaTableError> },
    #[error("version {version} of the Delta table was written by another program; the table is read anew")]
    OtherWriter { version: u64 },
    #[error("{path} in the Delta table {problem}")]
    StrangeFile { path: String, problem: &'static str },
    #[error("a storage task ended early")]
    TaskEnded,
    #[error("metadata database {doing}")]
    Sqlite { doing: &'static str, source: rusqlite::Error },
    #[error("metadata database was written by a newer gwbank: its version is {found}, this program knows {known}")]
    NewerSchema { found: i64, known: i64 },
}

impl DeltaError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DeltaError {
        let path = path.to_owned();
        move |source| DeltaError::Io { doing, path, source }
    }
    pub(crate) fn parquet(path: &Path) -> impl Fn(ParquetError) -> DeltaError {
        let path = path.to_owned();
        move |source| DeltaError::Parquet { path: path.clone(), source }
    }
    pub(crate) fn shape(path: &Path) -> impl Fn(arrow::error::ArrowError) -> DeltaError {
        let path = path.to_owned();
        move |source| DeltaError::Shape { path: path.clone(), source }
    }
    pub(crate) fn sqlite(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> DeltaError {
        move |source| DeltaError::Sqlite { doing, source }
    }
}

impl DeltaError {
    /// The error of the disk beneath, if that is what it is.
    fn disk(&self) -> Option<&io::Error> {
        match self {
            DeltaError::Io { source, .. } => Some(source),
            DeltaError::Parquet { source: ParquetError::External(source), .. } => source.downcast_ref(),
            _ => None,
        }
    }
}

impl From<DeltaError> for ArchiveError {
    fn from(error: DeltaError) -> Self {
        if let Some(disk) = error.disk() {
            return match disk.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    ArchiveError::Full(format!("{error}: {disk}"))
                }
                _ => ArchiveError::Unavailable(Box::new(error)),
            };
        }
        let damaged = match &error {
            DeltaError::Parquet { path, .. } | DeltaError::Shape { path, .. } => Some(path.display().to_string()),
            DeltaError::StrangeFile { path, .. } => Some(path.clone()),
            _ => None,
        };
        match damaged {
            Some(place) => ArchiveError::Damaged { place, source: Box::new(error) },
            None => ArchiveError::Unavailable(Box::new(error)),
        }
    }
}

impl From<DeltaError> for MetadataError {
    fn from(error: DeltaError) -> Self {
        let damaged = match &error {
            DeltaError::Sqlite { source, .. } => match source {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..) => true,
                other => matches!(
                    other.sqlite_error_code(),
                    Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
                ),
            },
            _ => false,
        };
        if damaged {
            MetadataError::Damaged(format!("{error}: {:?}", error_source(&error)))
        } else {
            MetadataError::Unavailable(Box::new(error))
        }
    }
}

fn error_source(error: &DeltaError) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_a_bound_and_not_damage() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let in_parquet = |source: io::Error| DeltaError::Parquet { path: "p".into(), source: source.into() };
        assert!(matches!(in_parquet(full()).into(), ArchiveError::Full(_)));
        assert!(matches!(DeltaError::io("write", Path::new("p"))(full()).into(), ArchiveError::Full(_)));
        assert!(matches!(in_parquet(io::Error::other("EIO")).into(), ArchiveError::Unavailable(_)));
        let torn = DeltaError::Parquet { path: "p".into(), source: ParquetError::EOF("torn".to_owned()) };
        assert!(matches!(torn.into(), ArchiveError::Damaged { .. }));
    }
}
