//! Which node judges: the one whose session holds an advisory lock. A session that ends, however it ends, lets go of it.

use deadpool_postgres::Object;

use crate::error::WorkError;
use crate::{Database, DatabaseError};

const LEASE_LOCK: i64 = 0x6777_6261_6e6b_0003;

#[derive(Default)]
pub(super) struct Lease {
    /// While this node leads.
    session: Option<Object>,
    term: u64,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("leads", &self.session.is_some()).field("term", &self.term).finish()
    }
}

impl Lease {
    /// The term of this node if it leads, or begins to now.
    pub async fn hold(&mut self, database: &Database) -> Result<Option<u64>, DatabaseError> {
        if let Some(session) = &self.session {
            if session.simple_query("").await.is_ok() {
                return Ok(Some(self.term));
            }
            self.session = None;
        }
        let session = database.client().await?;
        let asked = async {
            let statement = session.prepare_cached("SELECT pg_try_advisory_lock($1)").await?;
            Ok(session.query_one(&statement, &[&LEASE_LOCK]).await?.get(0))
        };
        let leads: Result<bool, WorkError> = asked.await;
        if leads.map_err(|error| error.during("cannot find out which node judges"))? {
            self.term += 1;
            self.session = Some(session);
            tracing::info!("this node judges, for all nodes of the database");
            return Ok(Some(self.term));
        }
        Ok(None)
    }
}

impl Drop for Lease {
    /// Not back into the pool, where the lock would outlive the lease.
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            drop(Object::take(session));
        }
    }
}
