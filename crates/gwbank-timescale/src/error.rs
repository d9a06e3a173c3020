//! What can go wrong between gwbank and its database.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use arrow::error::ArrowError;
use gwbank_model::Seq;
use gwbank_store::{ArchiveError, MetadataError};
use tokio_postgres::error::SqlState;

use crate::archive::CopyError;
use crate::values::{StrangeValue, TooEarly};

type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the database's URL cannot be used: {0}")]
    Url(String),
    #[error("cannot use the password file {}: {source}", path.display())]
    Password { path: PathBuf, source: io::Error },
    #[error("cannot read the certificates of {path}")]
    Certificates { path: PathBuf, source: io::Error },
    #[error("no connection to the database{}", connect_advice(&**.0))]
    Connect(#[source] Source),
    #[error("{doing}: the database refused{}", advice(source))]
    Refused { doing: &'static str, source: tokio_postgres::Error },
    #[error("{doing}: the database does not answer, for {} s: it hangs, or something between swallows everything", patience.as_secs())]
    Silent { doing: &'static str, patience: Duration },
    #[error("{doing}: a stored row is strange")]
    Strange { doing: &'static str, source: Source },
    #[error(
        "the database stands at seq {stored}, behind {written} that this node has written: it was restored, or a standby \
         that lagged took over; restart gwbank, which brings in again what its journal still has"
    )]
    SetBack { stored: Seq, written: Seq },
    #[error(
        "node.id {node_id} of this database belongs to another data directory, which wrote just now: give each node its own \
         node.id (a directory that is gone for good is let go of after 10 minutes)"
    )]
    NodeTaken { node_id: i16 },
    #[error("migration {track}/{name} failed{}", advice(source))]
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

fn connect_advice(source: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    match source.downcast_ref() {
        Some(deadpool_postgres::PoolError::Backend(error)) if is_without_tls(error) => {
            " (it speaks no TLS: switch it on there, or write sslmode=disable in archive.url where the way is safe)"
                .to_owned()
        }
        Some(deadpool_postgres::PoolError::Backend(error)) => advice(error),
        _ => String::new(),
    }
}

/// The client library has no code for it.
fn is_without_tls(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.to_string().contains("does not support TLS"))
}

/// What an operator can do about it, where that is known.
fn advice(error: &tokio_postgres::Error) -> String {
    let Some(code) = error.code() else { return String::new() };
    let advice = match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "the user or the password in archive.url or archive.password_file is not accepted"
        }
        SqlState::INSUFFICIENT_PRIVILEGE => "the user lacks a right: see the roles in the README",
        SqlState::DISK_FULL => "the disk of the database is full",
        SqlState::TOO_MANY_CONNECTIONS => "the database has no connection left: raise max_connections",
        SqlState::LOCK_NOT_AVAILABLE => "another session holds a lock that is needed: see pg_locks",
        SqlState::QUERY_CANCELED => "the statement took longer than archive.statement_timeout_seconds",
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            "a standby, or a user whose transactions only read: name the primary and a user that may write in archive.url"
        }
        SqlState::DUPLICATE_TABLE | SqlState::DUPLICATE_OBJECT | SqlState::DUPLICATE_SCHEMA => {
            "tables of that name are there and were not made by `gwbank migrate`: give gwbank a database of its own, or drop \
             those that hold nothing"
        }
        SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN => "run `gwbank migrate`",
        _ => return String::new(),
    };
    format!(" ({advice})")
}

impl DatabaseError {
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
    #[error(transparent)]
    TooEarly(#[from] TooEarly),
    #[error("the database was set back")]
    SetBack { stored: Seq, written: Seq },
    #[error("the node's number belongs to another data directory")]
    NodeTaken { node_id: i16 },
    #[error("no answer within {} s", patience.as_secs())]
    Silent { patience: Duration },
}

impl WorkError {
    /// Why the database will never take the rows as they are; `None` of what may go away by itself or by its operator.
    pub fn refusal(&self) -> Option<String> {
        let error = match self {
            WorkError::Sql(error) => error.as_db_error()?,
            WorkError::TooEarly(error) => return Some(error.to_string()),
            WorkError::Strange(_)
            | WorkError::Copy(_)
            | WorkError::Shape(_)
            | WorkError::SetBack { .. }
            | WorkError::NodeTaken { .. }
            | WorkError::Silent { .. } => {
                return None;
            }
        };
        let code = error.code();
        let is_of_data = match code.code().get(..2)? {
            "22" | "44" => true,
            // Without a constraint it is a row without a partition, which is nothing that a row is to blame for.
            "23" => *code != SqlState::CHECK_VIOLATION || error.constraint().is_some(),
            _ => *code == SqlState::RAISE_EXCEPTION, // a trigger's
        };
        is_of_data.then(|| format!("{} (SQLSTATE {})", error.message(), code.code()))
    }

    pub fn is_unique_violation(&self) -> bool {
        matches!(self, WorkError::Sql(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION))
    }

    pub fn during(self, doing: &'static str) -> DatabaseError {
        match self {
            WorkError::Sql(source) => DatabaseError::Refused { doing, source },
            WorkError::Strange(source) => DatabaseError::Strange { doing, source: Box::new(source) },
            WorkError::Copy(source) => DatabaseError::Strange { doing, source: Box::new(source) },
            WorkError::Shape(source) => DatabaseError::Strange { doing, source: Box::new(source) },
            WorkError::Silent { patience } => DatabaseError::Silent { doing, patience },
            WorkError::NodeTaken { node_id } => DatabaseError::NodeTaken { node_id },
            WorkError::SetBack { stored, written } => DatabaseError::SetBack { stored, written },
            WorkError::TooEarly(source) => DatabaseError::Strange { doing, source: Box::new(source) },
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
