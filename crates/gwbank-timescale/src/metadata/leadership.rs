//! Which node judges: the one whose session holds an advisory lock. A session that ends, however it ends, lets go of it.

use deadpool_postgres::Object;

use crate::database::is_silent;
use crate::error::WorkError;
use crate::{Database, DatabaseError};

const LEASE_LOCK: i64 = 0x6777_6261_6e6b_0003;

#[derive(Default)]
pub(super) struct Leadership {
    /// While this node leads.
    session: Option<Object>,
    term: u64,
}

impl std::fmt::Debug for Leadership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leadership").field("leads", &self.session.is_some()).field("term", &self.term).finish()
    }
}

impl Leadership {
    /// The term of this node if it leads, or begins to now.
    pub async fn hold(&mut self, database: &Database) -> Result<Option<u64>, DatabaseError> {
        if let Some(session) = &self.session {
            let answers = database.unless_silent(1, async { Ok(session.simple_query("").await?) }).await;
            if answers.is_ok() {
                return Ok(Some(self.term));
            }
            self.let_go();
        }
        let session = database.client().await?;
        let asked = async {
            let statement = session.prepare_cached("SELECT pg_try_advisory_lock($1)").await?;
            Ok(session.query_one(&statement, &[&LEASE_LOCK]).await?.get(0))
        };
        let leads: Result<bool, WorkError> = database.unless_silent(1, asked).await;
        if is_silent(&leads) {
            drop(Object::take(session));
            return Err(leads.map(drop).unwrap_err().during("cannot find out which node judges"));
        }
        if leads.map_err(|error| error.during("cannot find out which node judges"))? {
            self.term += 1;
            self.session = Some(session);
            tracing::info!("this node judges, for all nodes of the database");
            return Ok(Some(self.term));
        }
        Ok(None)
    }

    /// Not back into the pool, where the lock would outlive its term.
    fn let_go(&mut self) {
        if let Some(session) = self.session.take() {
            drop(Object::take(session));
        }
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        self.let_go();
    }
}
