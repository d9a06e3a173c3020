//! What this crate needs from the engine, so that a test can stand in for it.

use std::fmt;
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
}

/// A statement and what it is asked with.
#[derive(Debug, Clone)]
pub struct Asked {
    pub sql: String,
    /// Types of `$1`, `$2`, …; `None` where the client leaves it to the server.
    pub types: Vec<Option<DataType>>,
    /// Values of the parameters, each an array of one; to describe, none.
    pub values: Vec<ArrayRef>,
    pub connection: Arc<ConnectionFacts>,
}

/// What functions such as `current_user` and `current_setting` tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionFacts {
    pub user: String,
    pub process: i32,
    pub settings: Vec<(String, String)>,
    /// In the order of their making: one sees those before it.
    pub views: Arc<Vec<View>>,
}

/// A query that a connection calls by a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub name: String,
    /// Names of its first columns, where they are given.
    pub columns: Vec<String>,
    pub sql: String,
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

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlFailure {
    pub sqlstate: &'static str,
    pub message: String,
    /// Line and column of the statement, each from 1.
    pub place: Option<(usize, usize)>,
}
