//! Which node judges, and which replays dead letters: the one whose session holds an advisory lock. A session that ends,
//! however it ends, lets go of it.

use deadpool_postgres::Object;

use crate::database::is_silent;
use crate::error::WorkError;
use crate::{Database, DatabaseError};

const JUDGES: i64 = 0x6777_6261_6e6b_0003;
pub(super) const REPLAYS: i64 = 0x6777_6261_6e6b_0004;

#[derive(Default)]
pub(super) struct Leadership {
    /// While this node leads.
    session: Option<Held>,
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
            if session.answers(database).await {
                return Ok(Some(self.term));
            }
            self.session = None;
        }
        let session = Held::lock(database, JUDGES, "cannot find out which node judges").await?;
        if session.is_none() {
            return Ok(None);
        }
        self.term += 1;
        self.session = session;
        tracing::info!("this node judges, for all nodes of the database");
        Ok(Some(self.term))
    }
}

/// A session with a lock.
pub(super) struct Held(Option<Object>);

impl Held {
    /// `None` while another session has it.
    pub async fn lock(database: &Database, lock: i64, doing: &'static str) -> Result<Option<Self>, DatabaseError> {
        let session = database.client().await?;
        let asked = async {
            let statement = session.prepare_cached("SELECT pg_try_advisory_lock($1)").await?;
            Ok(session.query_one(&statement, &[&lock]).await?.get(0))
        };
        let taken: Result<bool, WorkError> = database.unless_silent(1, asked).await;
        if is_silent(&taken) {
            drop(Object::take(session));
            return Err(taken.map(drop).unwrap_err().during(doing));
        }
        let taken = taken.map_err(|error| error.during(doing))?;
        Ok(taken.then(|| Self(Some(session))))
    }

    async fn answers(&self, database: &Database) -> bool {
        let Some(session) = &self.0 else { return false };
        database.unless_silent(1, async { Ok(session.simple_query("").await?) }).await.is_ok()
    }
}

impl Drop for Held {
    /// Not back into the pool, where the lock would outlive its term.
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            drop(Object::take(session));
        }
    }
}
