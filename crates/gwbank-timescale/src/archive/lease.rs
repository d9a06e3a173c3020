//! A connection in the middle of a transaction.

use deadpool_postgres::Object;
use tokio::runtime::Handle;

/// The transaction ends before anybody else gets the connection.
pub(super) struct Lease(Option<Object>);

impl Lease {
    pub fn of(client: Object) -> Self {
        Self(Some(client))
    }

    pub fn client(&self) -> &Object {
        self.0.as_ref().expect("taken only when it is closed or dropped")
    }

    /// Nobody else gets the connection.
    pub fn close(mut self) {
        self.0.take().map(Object::take);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(client) = self.0.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                if client.batch_execute("ROLLBACK").await.is_err() {
                    drop(Object::take(client)); // closed, as nobody else may get it with its transaction open
                }
            })),
            Err(_) => drop(Object::take(client)),
        }
    }
}
