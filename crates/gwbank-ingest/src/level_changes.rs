//! Which wells' levels changed, for whoever judges floods live: coalesced, so that a slow listener costs nothing.

use std::sync::{Arc, Weak};

use gwbank_model::{SeriesId, SeriesTable, WellId};
use hashbrown::HashSet;
use parking_lot::Mutex;
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Mailbox {
    series: Mutex<HashSet<SeriesId>>,
    filled: Notify,
}

/// A listener. What changed between two calls of [`LevelChanges::next`] is given once, however often it changed.
#[derive(Debug)]
pub struct LevelChanges {
    mailbox: Arc<Mailbox>,
    names: SeriesTable,
}

impl LevelChanges {
    /// Waits until a level changed and gives all wells where one did since the last call. Cancel safe.
    pub async fn next(&mut self) -> Vec<WellId> {
        loop {
            let filled = self.mailbox.filled.notified();
            let series = std::mem::take(&mut *self.mailbox.series.lock());
            if !series.is_empty() {
                let mut wells: Vec<WellId> = series.into_iter().map(|s| self.names.key(s).well).collect();
                wells.sort_unstable();
                wells.dedup();
                return wells;
            }
            filled.await;
        }
    }
}

/// The applier's side.
#[derive(Debug, Default)]
pub(crate) struct LevelPublisher(Mutex<Vec<Weak<Mailbox>>>);

impl LevelPublisher {
    pub(crate) fn listen(&self, names: SeriesTable) -> LevelChanges {
        let mailbox = Arc::new(Mailbox::default());
        let mut listeners = self.0.lock();
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(Arc::downgrade(&mailbox));
        LevelChanges { mailbox, names }
    }

    pub(crate) fn publish(&self, changed: &HashSet<SeriesId>) {
        if changed.is_empty() {
            return;
        }
        for mailbox in self.0.lock().iter().filter_map(Weak::upgrade) {
            mailbox.series.lock().extend(changed);
            mailbox.filled.notify_one();
        }
    }
}
