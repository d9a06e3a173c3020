//! Prepared statements: what a client names by a handle, with the parameters that it has bound.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};
use parking_lot::Mutex;
use tonic::Status;

use crate::kept::{Bounds, Kept};
use crate::ticket::Id;
use gwbank_door::DoorStats;

/// Drivers close what they prepared; what a program that died has left goes after a while.
const BOUNDS: Bounds =
    Bounds { each_max: 200, all_max: 2000, bytes_max: 128 << 20, idle: Duration::from_secs(4 * 3600) };

#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub sql: Arc<str>,
    /// Of `$1`, `$2`, …; `None` where any type would do.
    pub parameters: Arc<[Option<DataType>]>,
    /// As the client was told.
    pub schema: SchemaRef,
    /// Of the parameters, each an array of one; none until they are bound.
    pub values: Arc<[ArrayRef]>,
}

impl Prepared {
    /// With the values, about.
    fn bytes(&self) -> usize {
        /// Of the rest, and of a column's name and type.
        const EACH: usize = 256;
        let values: usize = self.values.iter().map(|value| value.get_buffer_memory_size()).sum();
        self.sql.len() + values + EACH * (1 + self.schema.fields().len() + self.parameters.len())
    }

    /// The values, if there is one for each parameter.
    pub(crate) fn bound(&self) -> Result<Vec<ArrayRef>, Status> {
        let (given, wanted) = (self.values.len(), self.parameters.len());
        if given != wanted {
            let text = format!("the statement has {wanted} parameters and {given} are bound; bind them first");
            return Err(Status::invalid_argument(text));
        }
        Ok(self.values.to_vec())
    }
}

#[derive(Debug)]
pub(crate) struct PreparedStatements {
    kept: Mutex<Kept<Id, Prepared>>,
    stats: Arc<DoorStats>,
}

impl PreparedStatements {
    pub(crate) fn new(stats: Arc<DoorStats>) -> Self {
        Self { kept: Mutex::new(Kept::new(BOUNDS)), stats }
    }

    /// Gives the handle, which nobody can guess.
    pub(crate) fn add(&self, owner: &str, prepared: Prepared) -> Id {
        let handle = rand::random();
        self.put(handle, owner, prepared);
        handle
    }

    pub(crate) fn get(&self, handle: &[u8], owner: &str) -> Result<Prepared, Status> {
        let found = crate::ticket::id(handle)
            .and_then(|handle| self.kept.lock().get(&handle, owner, Instant::now()).map(|prepared| prepared.clone()));
        found.ok_or_else(|| {
            Status::not_found(
                "the prepared statement is not known: it was closed, or unused for too long; prepare it anew",
            )
        })
    }

    pub(crate) fn bind(&self, handle: &[u8], owner: &str, values: Vec<ArrayRef>) -> Result<(), Status> {
        let prepared = self.get(handle, owner)?;
        let handle = crate::ticket::id(handle).unwrap_or_default();
        self.put(handle, owner, Prepared { values: values.into(), ..prepared });
        Ok(())
    }

    /// To close what is closed is no error.
    pub(crate) fn close(&self, handle: &[u8], owner: &str) {
        let mut kept = self.kept.lock();
        if let Some(handle) = crate::ticket::id(handle) {
            kept.remove(&handle, owner);
        }
        self.stats.keep_prepared(kept.len());
    }

    fn put(&self, handle: Id, owner: &str, prepared: Prepared) {
        let mut kept = self.kept.lock();
        let bytes = prepared.bytes();
        kept.put(handle, owner, prepared, bytes, Instant::now());
        self.stats.keep_prepared(kept.len());
    }
}
