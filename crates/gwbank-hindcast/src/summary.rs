//! What a replay amounts to: how many flags, how long, how restless, how early, and how often nothing could be said.
//!
//! # Rules
//! 1. A flag counts in the year of its raising month, under its worst severity.
//! 2. Lengths of open flags are those so far; they are counted in `open`, so that a reader sees how many are cut off.
//! 3. Flapping: a flag of a subject raised at most two months after the one before it was cleared.
//! 4. A place's month counts from the first month in which a well of it was there; what could not be judged is told by cause.

use std::collections::{BTreeMap, HashMap};

use gwbank_model::Month;
use gwbank_model::condition::{Hazard, Scope, Severity};

use crate::episode::{Episode, Subject};
use crate::hindcast::{MonthReport, PlaceMonth};
use crate::places::Place;

/// A flag raised again so soon after its end flaps.
pub const FLAPPING_MONTHS: i32 = 2;

/// µs.
const DAY: f64 = 86_400e6;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// By year, hazard, scope, worst severity.
    pub flags: BTreeMap<(i32, Hazard, Scope, Severity), u32>,
    pub kinds: BTreeMap<(Hazard, Scope), KindSummary>,
    /// Droughts of districts and provinces.
    pub place_months: BTreeMap<Scope, PlaceMonths>,
}

/// All flags of one hazard and scope.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KindSummary {
    pub flags: u32,
    /// Of them not cleared at the end.
    pub open: u32,
    /// Months at which a flag stood ([`Episode::months_open`]).
    pub median_months: f64,
    pub longest_months: u32,
    /// From the raise to the end of those that ended, in days: what a flood takes. `None` while none has ended.
    pub median_days: Option<f64>,
    /// The id of a flag that stood longest.
    pub longest: String,
    /// Raised again within two months after the flag before was cleared.
    pub flapping: u32,
    /// Of all flags; 0 without any.
    pub flapping_share: f64,
    /// Flags that worsened after they were raised: only they gave a warning before their worst.
    pub worsened: u32,
    /// Of those the median of the months from the raise to the first month at the worst severity.
    pub median_lead_months: Option<f64>,
    /// The same over all flags, where one raised at its worst has none.
    pub median_lead_months_of_all: f64,
}

/// The months of all places of one scope.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlaceMonths {
    pub months: u64,
    pub judged: u64,
    /// Judged months whose shares alone claim a severity, by that severity.
    pub claimed: BTreeMap<Severity, u64>,
    /// Months after whose closing a flag stood, stale or not, by its severity.
    pub standing: BTreeMap<Severity, u64>,
    /// By [`gwbank_indicator::Why::name`].
    pub not_judged: BTreeMap<&'static str, u64>,
}

impl PlaceMonths {
    fn add(&mut self, month: &PlaceMonth) {
        self.months += 1;
        match (month.drought.judged.value(), month.drought.judged.why()) {
            (Some(verdict), _) => {
                self.judged += 1;
                if let Some(severity) = verdict.entry {
                    *self.claimed.entry(severity).or_default() += 1;
                }
            }
            (None, Some(why)) => *self.not_judged.entry(why.name()).or_default() += 1,
            (None, None) => {}
        }
        if let Some(severity) = month.flag {
            *self.standing.entry(severity).or_default() += 1;
        }
    }

    /// Share of all months that could not be judged; `None` without months.
    pub fn share_not_judged(&self) -> Option<f64> {
        (self.months > 0).then(|| (self.months - self.judged) as f64 / self.months as f64)
    }
}

impl Summary {
    /// Takes the places of one closing.
    pub fn add_month(&mut self, report: &MonthReport, places: &[Place]) {
        for month in &report.places {
            self.place_months.entry(places[month.place].scope()).or_default().add(month);
        }
    }

    /// Takes all flags of a replay that ended with `last`: once, after its last month.
    ///
    /// ```
    /// use gwbank_hindcast::{Hindcast, HindcastConfig, Summary};
    /// use gwbank_model::Month;
    ///
    /// let (config, to) = (HindcastConfig::default(), Month::new(2020, 12));
    /// let mut hindcast = Hindcast::new(&[], Month::new(2001, 1), to, &config);
    /// let mut summary = Summary::default();
    /// while let Some(report) = hindcast.next() {
    ///     summary.add_month(&report, hindcast.places());
    /// }
    /// summary.add_flags(hindcast.episodes(), to);
    /// assert!(summary.flags.is_empty());
    /// ```
    pub fn add_flags(&mut self, episodes: &[Episode], last: Month) {
        let mut by_kind: BTreeMap<(Hazard, Scope), Vec<&Episode>> = BTreeMap::new();
        for episode in episodes {
            let Subject { hazard, scope, .. } = episode.subject;
            *self.flags.entry((episode.raised.year(), hazard, scope, episode.worst)).or_default() += 1;
            by_kind.entry((hazard, scope)).or_default().push(episode);
        }
        for (kind, episodes) in by_kind {
            self.kinds.insert(kind, KindSummary::of(&episodes, last));
        }
    }
}

impl KindSummary {
    fn of(episodes: &[&Episode], last: Month) -> Self {
        let mut lengths: Vec<f64> = episodes.iter().map(|e| f64::from(e.months_open(last))).collect();
        // Of equal lengths the one raised first.
        let longest = episodes.iter().rev().max_by_key(|episode| episode.months_open(last));
        let days = |episode: &&Episode| episode.closed_at.map(|end| end.micros_since(episode.raised_at) as f64 / DAY);
        let lead = |episode: &&&Episode| f64::from(episode.lead_months());
        let mut leads: Vec<f64> = episodes.iter().filter(|e| e.worst > e.first_severity).map(|e| lead(&e)).collect();
        let mut leads_of_all: Vec<f64> = episodes.iter().map(|e| lead(&e)).collect();
        let flags = episodes.len() as u32;
        let flapping = count_flapping(episodes);
        Self {
            flags,
            open: episodes.iter().filter(|episode| episode.closed.is_none()).count() as u32,
            median_months: median(&mut lengths).unwrap_or(0.0),
            longest_months: longest.map_or(0, |episode| episode.months_open(last)),
            median_days: median(&mut episodes.iter().filter_map(days).collect::<Vec<f64>>()),
            longest: longest.map_or_else(String::new, |episode| episode.id.clone()),
            flapping,
            flapping_share: if flags == 0 { 0.0 } else { f64::from(flapping) / f64::from(flags) },
            worsened: leads.len() as u32,
            median_lead_months: median(&mut leads),
            median_lead_months_of_all: median(&mut leads_of_all).unwrap_or(0.0),
        }
    }
}

fn count_flapping(episodes: &[&Episode]) -> u32 {
    let mut ended: HashMap<&Subject, Month> = HashMap::new();
    let mut count = 0;
    let mut in_order: Vec<&&Episode> = episodes.iter().collect();
    in_order.sort_by_key(|episode| episode.raised_at);
    for episode in in_order {
        let before = ended.get(&episode.subject);
        count += u32::from(before.is_some_and(|end| episode.raised.index() - end.index() <= FLAPPING_MONTHS));
        if let Some(closed) = episode.closed {
            ended.insert(&episode.subject, closed);
        }
    }
    count
}

pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::episode;

    const JAN: Month = Month::new(2020, 1);

    #[test]
    fn lengths_flapping_and_leads() {
        let first = episode("30", JAN, Some(JAN.plus(4)));
        let again = Episode { worst: Severity::Severe, worst_month: JAN.plus(9), ..episode("30", JAN.plus(6), None) };
        let later = episode("30", JAN.plus(7), Some(JAN.plus(8)));
        let elsewhere = episode("31", JAN.plus(5), Some(JAN.plus(6)));
        let mut summary = Summary::default();
        summary.add_flags(&[first, again, elsewhere], JAN.plus(11));
        let kind = &summary.kinds[&(Hazard::Drought, Scope::Province)];
        assert_eq!((kind.flags, kind.open, kind.flapping), (3, 1, 1));
        assert_eq!((kind.median_months, kind.longest_months), (4.0, 6));
        assert_eq!((kind.worsened, kind.median_lead_months, kind.median_lead_months_of_all), (1, Some(3.0), 0.0));
        assert_eq!(summary.flags[&(2020, Hazard::Drought, Scope::Province, Severity::Severe)], 1);
        let rested = [episode("30", JAN, Some(JAN.plus(4))), later];
        assert_eq!(count_flapping(&rested.iter().collect::<Vec<_>>()), 0, "three months after the end");
    }
}
