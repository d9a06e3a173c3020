//! What can go wrong between gwbank and its database.

use std::io;
use std::path::PathBuf;

use arrow::error::ArrowError;
use gwbank_store::{ArchiveError, MetadataError};
use tokio_postgres::error::SqlState;

use crate::archive::CopyError;
use crate::values::StrangeValue;

type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the database's URL cannot be used: {0}")]
    Url(String),
    #[error("cannot read the certificates of {path}")]
    Certificates { path: PathBuf, source: io::Error },
    #[error("no connection to the database")]
    Connect(#[source] Source),
    #[error("{doing}: the database refused")]
    Refused { doing: &'static str, source: tokio_postgres::Error },
    #[error("{doing}: a stored row is strange")]
    Strange { doing: &'static str, source: Source },
    #[error("migration {track}/{name} failed")]
    Migration { track: &'static str, name: &'static str, source: tokio_postgres::Error },
    #[error(
        "migration {track}/{name} was applied with another text than this program has: the database was made by another build of gwbank"
    )]
    MigrationChanged { track: String, name: String },
    #[error(
        "the database was made by a newer gwbank: it has the migration {track}/{name}, which this program does not know"
    )]
    NewerSchema { track: String, name: String },
    #[error("the database lacks {count} migrations, the first is {track}/{name}: run `gwbank migrate`")]
    NotMigrated { count: usize, track: &'static str, name: &'static str },
}

impl DatabaseError {
    /// What the database says of itself where it refused, with the mend where there is a known one.
    pub fn advice(&self) -> Option<&'static str> {
        let (DatabaseError::Refused { source, .. } | DatabaseError::Migration { source, .. }) = self else {
            return None;
        };
        match *source.code()? {
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                Some("the user or the password in archive.url is not accepted")
            }
            SqlState::INSUFFICIENT_PRIVILEGE => Some("the user lacks a right: see the grants in the README"),
            SqlState::DISK_FULL => Some("the disk of the database is full"),
            SqlState::TOO_MANY_CONNECTIONS => Some("the database has no connection left: raise max_connections"),
            SqlState::LOCK_NOT_AVAILABLE => Some("another session holds a lock that is needed: see pg_locks"),
            SqlState::QUERY_CANCELED => Some("the statement took longer than archive.statement_timeout"),
            SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN => Some("run `gwbank migrate`"),
            _ => None,
        }
    }

    pub(crate) fn refused(doing: &'static str) -> impl FnOnce(tokio_postgres::Error) -> DatabaseError {
        move |source| DatabaseError::Refused { doing, source }
    }
}

/// Work in the database, before it is said what it was for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    #[error(transparent)]
    Sql(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Strange(#[from] StrangeValue),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error("rows do not have the shape of readings")]
    Shape(#[from] ArrowError),
}

impl WorkError {
    pub fn during(self, doing: &'static str) -> DatabaseError {
        match self {
            WorkError::Sql(source) => DatabaseError::Refused { doing, source },
            WorkError::Strange(source) => DatabaseError::Strange { doing, source: Box::new(source) },
            WorkError::Copy(source) => DatabaseError::Strange { doing, source: Box::new(source) },
            WorkError::Shape(source) => DatabaseError::Strange { doing, source: Box::new(source) },
        }
    }
}

impl From<DatabaseError> for MetadataError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Strange { .. } => {
                let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
                MetadataError::Damaged(format!("{error}{}", source.unwrap_or_default()))
            }
            other => MetadataError::Unavailable(Box::new(other)),
        }
    }
}

impl From<DatabaseError> for ArchiveError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Strange { doing, source } => ArchiveError::Damaged { place: doing.to_owned(), source },
            other => ArchiveError::Unavailable(Box::new(other)),
        }
    }
}
