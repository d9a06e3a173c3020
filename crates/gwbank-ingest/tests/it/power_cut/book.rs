//! The plainest account of what was promised: every message that is in, and what it must have led to.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use gwbank_model::{Month, Parameter, Timestamp};
use gwbank_store::GatewayCounts;

use super::message::{Message, Sent};

#[derive(Debug, Default)]
pub struct Book {
    pub series: BTreeMap<(String, Parameter), Series>,
    pub gateways: Vec<Account>,
    pub registered: BTreeSet<String>,
    /// Was being registered when the power failed.
    pub registering: Option<String>,
    /// Dead letters were being replayed when the power failed: those of registered wells may be settled or not.
    pub replaying: bool,
}

pub type Series = BTreeMap<Timestamp, Vec<Version>>;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Version {
    pub value: Option<f64>,
    pub revision: u32,
}

/// What is known of one gateway.
#[derive(Debug, Default)]
pub struct Account {
    pub counts: GatewayCounts,
    pub letters: Vec<Letter>,
    /// Sent, and neither acknowledged nor refused.
    pub unresolved: Option<Message>,
    relative_payloads: HashSet<String>,
}

/// What of a message is dead.
#[derive(Debug, Clone)]
pub struct Letter {
    pub payload: String,
    /// The unknown well; `None` for nonsense.
    pub well: Option<String>,
    pub readings: Vec<Sent>,
}

impl Letter {
    pub fn count(&self) -> u64 {
        (self.readings.len() as u64).max(1)
    }
}

/// The highest revision, then the latest.
pub fn winner(versions: &[Version]) -> Version {
    *versions.iter().max_by_key(|version| version.revision).expect("a key has a version")
}

impl Book {
    pub fn new(gateways: usize, registered: impl Iterator<Item = String>) -> Self {
        let gateways = (0..gateways).map(|_| Account::default()).collect();
        Self { gateways, registered: registered.collect(), ..Self::default() }
    }

    /// A message is in.
    pub fn take(&mut self, gateway: usize, message: &Message) {
        let account = &mut self.gateways[gateway];
        account.counts.received += message.count();
        if message.is_relative && !account.relative_payloads.insert(message.payload.clone()) {
            account.counts.duplicate += message.count();
            return;
        }
        if message.readings.is_empty() {
            account.counts.dead += 1;
            let payload = message.payload.clone();
            account.letters.push(Letter { payload, well: None, readings: vec![] });
            return;
        }
        let (known, unknown): (Vec<Sent>, Vec<Sent>) =
            message.readings.iter().cloned().partition(|sent| self.registered.contains(&sent.well));
        if let Some(first) = unknown.first() {
            account.counts.dead += unknown.len() as u64;
            let well = Some(first.well.clone());
            account.letters.push(Letter { payload: message.payload.clone(), well, readings: unknown });
        }
        known.iter().for_each(|sent| self.store(gateway, sent));
    }

    fn store(&mut self, gateway: usize, sent: &Sent) {
        let series = self.series.entry((sent.well.clone(), sent.parameter)).or_default();
        let versions = series.entry(sent.time).or_default();
        let counts = &mut self.gateways[gateway].counts;
        let version = Version { value: sent.value, revision: sent.revision };
        if versions.iter().any(|known| known.value == version.value && known.revision >= version.revision) {
            counts.duplicate += 1;
        } else {
            counts.stored += 1;
            versions.push(version);
        }
    }

    /// Dead letters of registered wells are replayed, but for those that are still there.
    pub fn settle(&mut self, gateway: usize, is_left: impl Fn(&Letter) -> bool) {
        let letters = std::mem::take(&mut self.gateways[gateway].letters);
        for letter in letters {
            let may_settle = letter.well.as_ref().is_some_and(|well| self.registered.contains(well));
            if !may_settle || is_left(&letter) {
                self.gateways[gateway].letters.push(letter);
                continue;
            }
            self.gateways[gateway].counts.dead -= letter.count();
            letter.readings.iter().for_each(|sent| self.store(gateway, sent));
        }
    }

    /// Whether counts of stored and dead readings may be off by what a replay of dead letters did.
    pub fn is_certain(&self) -> bool {
        !self.replaying
    }

    pub fn keys(&self) -> usize {
        self.series.values().map(BTreeMap::len).sum()
    }

    /// Months that changed, in the calendar of the indicators.
    pub fn months(&self) -> BTreeSet<(String, Parameter, Month)> {
        let offset = gwbank_model::BANGKOK_OFFSET_SECONDS;
        let of_series = |((well, parameter), series): (&(String, Parameter), &Series)| {
            series.keys().map(|time| (well.clone(), *parameter, time.month(offset))).collect::<BTreeSet<_>>()
        };
        self.series.iter().flat_map(of_series).collect()
    }
}
