//! What changed, for whoever judges floods live and for whoever converts to levels what sensors say: coalesced, so that a slow
//! listener costs nothing.

use std::sync::{Arc, Weak};

use gwbank_model::{Parameter, Seq, SeriesId, SeriesKey, SeriesTable, Timestamp, WellId};
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::applier::Applier;
use crate::context::Span;

/// What one group of readings touched.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) levels: HashSet<SeriesId>,
    /// Series from which levels are converted, each with the times between which it changed.
    pub(crate) sensors: HashMap<SeriesId, Span>,
}

impl Touched {
    pub(crate) fn sensor(&mut self, series: SeriesId, span: Span) {
        let known = self.sensors.entry(series).or_insert(span);
        *known = Span { from: known.from.min(span.from), to: known.to.max(span.to) };
    }
}

#[derive(Debug)]
struct Mailbox<T> {
    letters: Mutex<T>,
    filled: Notify,
}

impl<T: Default> Mailbox<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self { letters: Mutex::default(), filled: Notify::new() })
    }

    fn fill(&self, letters: impl FnOnce(&mut T)) {
        letters(&mut self.letters.lock());
        self.filled.notify_one();
    }
}

/// Listens for wells whose levels change. What changed between two calls of [`LevelChanges::next`] is given once, however
/// often it changed.
#[derive(Debug)]
pub struct LevelChanges {
    mailbox: Arc<Mailbox<HashSet<SeriesId>>>,
    names: SeriesTable,
}

impl LevelChanges {
    /// Waits until a level changed and gives all wells where one did since the last call. Cancel safe.
    pub async fn next(&mut self) -> Vec<WellId> {
        loop {
            let filled = self.mailbox.filled.notified();
            let series = std::mem::take(&mut *self.mailbox.letters.lock());
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

/// A stretch of a series that levels are converted from, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorChange {
    pub well: WellId,
    pub parameter: Parameter,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// Listens for changes of what levels are converted from.
#[derive(Debug)]
pub struct SensorChanges {
    mailbox: Arc<Mailbox<HashMap<SeriesId, Span>>>,
    names: SeriesTable,
    applier: Arc<Mutex<Applier>>,
}

impl SensorChanges {
    /// Waits until there is something to take. Cancel safe.
    pub async fn filled(&self) {
        loop {
            let filled = self.mailbox.filled.notified();
            if !self.mailbox.letters.lock().is_empty() {
                return;
            }
            filled.await;
        }
    }

    /// What changed since the last call, and up to where: everything that this process applied at or before that position
    /// since the listener was made was told by now.
    pub fn take(&self) -> (Vec<SensorChange>, Seq) {
        // The applier publishes before it lets go of its lock.
        let through = self.applier.lock().applied();
        let spans = std::mem::take(&mut *self.mailbox.letters.lock());
        let change = |(series, span): (SeriesId, Span)| {
            let SeriesKey { well, parameter } = self.names.key(series);
            SensorChange { well, parameter, from: span.from, to: span.to }
        };
        (spans.into_iter().map(change).collect(), through)
    }
}

type Listeners<T> = Mutex<Vec<Weak<Mailbox<T>>>>;

/// The applier's side.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    levels: Listeners<HashSet<SeriesId>>,
    sensors: Listeners<HashMap<SeriesId, Span>>,
}

impl Publisher {
    pub(crate) fn listen_to_levels(&self, names: SeriesTable) -> LevelChanges {
        LevelChanges { mailbox: listen(&self.levels), names }
    }

    pub(crate) fn listen_to_sensors(&self, names: SeriesTable, applier: Arc<Mutex<Applier>>) -> SensorChanges {
        SensorChanges { mailbox: listen(&self.sensors), names, applier }
    }

    pub(crate) fn publish(&self, touched: &Touched) {
        if !touched.levels.is_empty() {
            for mailbox in self.levels.lock().iter().filter_map(Weak::upgrade) {
                mailbox.fill(|levels| levels.extend(&touched.levels));
            }
        }
        if !touched.sensors.is_empty() {
            for mailbox in self.sensors.lock().iter().filter_map(Weak::upgrade) {
                mailbox.fill(|letters| {
                    let mut known = Touched { sensors: std::mem::take(letters), ..Touched::default() };
                    touched.sensors.iter().for_each(|(series, span)| known.sensor(*series, *span));
                    *letters = known.sensors;
                });
            }
        }
    }
}

fn listen<T: Default>(listeners: &Listeners<T>) -> Arc<Mailbox<T>> {
    let mailbox = Mailbox::new();
    let mut listeners = listeners.lock();
    listeners.retain(|listener| listener.strong_count() > 0);
    listeners.push(Arc::downgrade(&mailbox));
    mailbox
}
