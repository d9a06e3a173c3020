//! Cancel requests: they come in a connection of their own and name another by its key.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use parking_lot::Mutex;
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use crate::protocol::frontend::BackendKey;

/// The connections that there are.
#[derive(Debug, Clone, Default)]
pub struct Cancels(Arc<Registry>);

#[derive(Debug, Default)]
struct Registry {
    last: AtomicI32,
    connections: Mutex<HashMap<i32, (i32, watch::Sender<()>)>>,
}

/// A connection's place among them.
#[derive(Debug)]
pub struct Registered {
    pub key: BackendKey,
    /// Changes with each request to cancel.
    pub cancelled: watch::Receiver<()>,
    registry: Arc<Registry>,
}

impl Cancels {
    pub fn register(&self) -> Registered {
        let (sender, cancelled) = watch::channel(());
        let mut connections = self.0.connections.lock();
        let process = loop {
            let next = self.0.last.fetch_add(1, Ordering::Relaxed) & i32::MAX;
            if next > 0 && !connections.contains_key(&next) {
                break next;
            }
        };
        let secret = rand::random();
        connections.insert(process, (secret, sender));
        Registered { key: BackendKey { process, secret }, cancelled, registry: self.0.clone() }
    }

    /// Whether the key was right; who sent a wrong one is not told.
    pub fn cancel(&self, key: BackendKey) -> bool {
        if let Some((secret, sender)) = self.0.connections.lock().get(&key.process)
            && bool::from(secret.ct_eq(&key.secret))
        {
            sender.send_replace(());
            return true;
        }
        false
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.connections.lock().remove(&self.key.process);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_knows_the_key_cancels() {
        let cancels = Cancels::default();
        let (one, other) = (cancels.register(), cancels.register());
        assert_ne!(one.key.process, other.key.process);
        assert!(!cancels.cancel(BackendKey { secret: one.key.secret.wrapping_add(1), ..one.key }));
        assert!(!one.cancelled.has_changed().unwrap());
        assert!(cancels.cancel(one.key));
        assert!(one.cancelled.has_changed().unwrap() && !other.cancelled.has_changed().unwrap());
        let gone = one.key;
        drop(one);
        assert!(!cancels.cancel(gone));
    }
}
