//! What this crate needs from the engine and from whoever knows the users, so that a test can stand in for them.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use futures::stream::BoxStream;

/// Runs read-only SQL.
#[async_trait]
pub trait SqlDoor: Send + Sync + 'static {
    /// What a statement's parameters and columns are, without running it.
    async fn describe(&self, asked: Asked) -> Result<Described, SqlFailure>;

    /// Dropping the answer stops the query.
    async fn query(&self, asked: Asked) -> Result<Answer, SqlFailure>;

    /// The tables and views that there are.
    fn tables(&self) -> Vec<Table>;
}

/// A statement and what it is asked with.
#[derive(Debug, Clone)]
pub struct Asked {
    pub sql: String,
    /// Types of `$1`, `$2`, …; `None` where the client leaves it to the server.
    pub types: Vec<Option<DataType>>,
    /// Values of the parameters, each an array of one; to describe, none.
    pub values: Vec<ArrayRef>,
    pub caller: Arc<Caller>,
}

/// Who asks, and the settings of the client's session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    pub user: String,
    pub settings: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// As the engine sees them; `None` where it cannot tell.
    pub parameters: Vec<Option<DataType>>,
    pub schema: SchemaRef,
}

pub struct Answer {
    pub schema: SchemaRef,
    pub batches: BoxStream<'static, Result<RecordBatch, SqlFailure>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// A table or view, as catalogs tell of it.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub is_view: bool,
    pub schema: SchemaRef,
    /// What it is for, in a sentence.
    pub remarks: Option<String>,
    /// The same of each column.
    pub column_remarks: Vec<Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlFailure {
    pub kind: FailureKind,
    pub message: String,
}

/// What went wrong, as far as a client decides by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The statement, or data that it asks something impossible of.
    Invalid,
    /// Something that is asked for and not made.
    Unsupported,
    /// It would change something.
    ReadOnly,
    /// A limit, which the message names.
    Limit,
    /// The limit of time.
    TimedOut,
    Cancelled,
    /// The same may succeed later.
    Unavailable,
    Internal,
}

/// Knows who may come in.
#[async_trait]
pub trait Doorkeeper: Send + Sync + 'static {
    /// Whether nobody is configured, so that whoever reaches the door may ask.
    fn is_open(&self) -> bool;

    /// Who an `Authorization` header speaks for: `Basic` with a name and a password, or `Bearer` with a token.
    async fn admit(&self, authorization: &str, peer: IpAddr) -> Result<Visitor, Denied>;
}

/// One who was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    pub name: String,
    /// Whether the role permits SQL.
    pub may_query: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The name, the password or the token is wrong.
    #[error("{0}")]
    Unknown(String),
    /// So often wrong that nothing is looked at for a while.
    #[error("{0}")]
    TooManyFailures(String),
}
