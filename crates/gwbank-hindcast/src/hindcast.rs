//! The replay of droughts: closing by closing, with only what was known at each.
//!
//! # Rules
//! 1. A month is judged at the instant at which it closes. Days received later are not there yet; months are ranked among
//!    the years known then, and never seen again with what came after, except by an open flag: as the live watch does, it
//!    looks back to the month that raised it with what is known at the present closing.
//! 2. The live watch judges again whenever late data come between two closings; a replay judges at closings alone. A flag
//!    that late data would have raised or cancelled between two closings is not seen, or seen at the later one.
//! 3. The watch is switched on at the closing of the first month: no flag is open before.
//! 4. What a well is (bank type, district, status) is what the registry says today; since when it counts among those that
//!    could speak is [`Membership`].

use std::collections::BTreeMap;

use gwbank_indicator::{
    Assessment, DroughtJudgement, DroughtState, MonthClosing, MonthStanding, OpenDrought, PlaceDrought, WellKind,
    replay_drought,
};
use gwbank_model::condition::{Hazard, Scope};
use gwbank_model::{Month, Timestamp};
use gwbank_registry::Well;

use crate::config::{HindcastConfig, Membership, is_drought_capable};
use crate::episode::{Episode, Evidence, FlagBook, FlagChange, Judgement, Subject, When};
use crate::known::{Version, WellRecord};
use crate::places::{Glance, Place, places_of};
use crate::ranked::{JUDGED_MONTHS, JudgedMonth, Judging, Ranked, template};

/// One well's month as it stood when it closed.
#[derive(Debug, Clone, PartialEq)]
pub struct WellMonth {
    /// Index of the record.
    pub well: usize,
    pub standing: MonthStanding,
    pub judgement: Assessment<DroughtJudgement>,
}

/// A district or province as it stood when the month closed.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceMonth {
    /// Index in [`Hindcast::places`].
    pub place: usize,
    pub drought: PlaceDrought,
    /// The severity of its flag after the closing, stale or not.
    pub flag: Option<gwbank_model::condition::Severity>,
}

/// All that one closing says.
#[derive(Debug, Clone, PartialEq)]
pub struct MonthReport {
    pub month: Month,
    pub closed_at: Timestamp,
    /// Wells with a level (or dry) in this month, in the order of the records; of closed banks none.
    pub wells: Vec<WellMonth>,
    /// Provinces by code, then districts by code; those without a well yet are left out.
    pub places: Vec<PlaceMonth>,
    pub changes: Vec<FlagChange>,
}

/// An iterator over the closings of `from..=to`.
///
/// ```
/// use std::sync::Arc;
/// use gwbank_hindcast::{Hindcast, HindcastConfig, WellRecord};
/// use gwbank_indicator::{MonthlyLevel, Sense};
/// use gwbank_model::{Month, WellId};
/// use gwbank_registry::{BankType, Well};
///
/// let well = Arc::new(Well::new(WellId::new("W1").unwrap(), "30", BankType::Observation));
/// // Sixteen years, of which the last is the lowest.
/// let first = Month::new(2001, 1);
/// let level = |i: i32| if i < 180 { f64::from(i % 7) } else { -1.0 };
/// let months: Vec<MonthlyLevel> = (0..192).map(|i| MonthlyLevel::of(first.plus(i), level(i))).collect();
/// let records = [WellRecord::of_months(well, Sense::Depth, &months)];
/// let config = HindcastConfig::default();
/// let mut hindcast = Hindcast::new(&records, first, Month::new(2016, 12), &config);
/// let raised: Vec<String> = hindcast.by_ref().flat_map(|m| m.changes).map(|c| c.month.to_string()).collect();
/// assert_eq!(raised.last().unwrap(), "2016-01");
/// assert_eq!(hindcast.episodes().last().unwrap().months_open(Month::new(2016, 12)), 12);
/// ```
#[derive(Debug)]
pub struct Hindcast<'a> {
    records: &'a [WellRecord],
    config: &'a HindcastConfig,
    next: Month,
    to: Month,
    template: Option<MonthStanding>,
    wells: Vec<WellState<'a>>,
    places: Vec<Place>,
    open_of_place: Vec<Option<usize>>,
    book: FlagBook,
}

/// What is known of a well so far.
#[derive(Debug)]
struct WellState<'a> {
    ranked: Ranked,
    /// Not taken in yet.
    later: &'a [Version],
    subject: Subject,
    open: Option<usize>,
    speaks_of_drought: bool,
    has_standing: bool,
    /// Counts among those of its place that could speak.
    is_member: bool,
    record_n: u32,
    member_from: Option<Month>,
}

impl<'a> Hindcast<'a> {
    pub fn new(records: &'a [WellRecord], from: Month, to: Month, config: &'a HindcastConfig) -> Self {
        let wells: Vec<WellState<'a>> = records.iter().map(|record| WellState::new(record, config)).collect();
        let registered: Vec<&Well> = records.iter().map(|record| record.well().as_ref()).collect();
        let places = places_of(&registered, is_drought_capable);
        Self {
            records,
            config,
            next: from,
            to,
            template: template(&config.standing),
            wells,
            open_of_place: vec![None; places.len()],
            places,
            book: FlagBook::default(),
        }
    }

    pub fn records(&self) -> &'a [WellRecord] {
        self.records
    }

    /// Provinces by code, then districts by code.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// All flags so far, in the order in which they were raised.
    pub fn episodes(&self) -> &[Episode] {
        &self.book.episodes
    }

    pub fn into_episodes(self) -> Vec<Episode> {
        self.book.episodes
    }

    fn close(&mut self, month: Month) -> Option<MonthReport> {
        let when = When { month, at: self.config.closing.closes_at(month) };
        let rules = Judging { standing: &self.config.standing, drought: &self.config.drought };
        let template = self.template?;
        let mut wells = Vec::with_capacity(self.wells.len());
        for (index, state) in self.wells.iter_mut().enumerate() {
            state.take_in(month, self.config);
            state.ranked.judge(month, &template, &rules);
            if !state.has_standing {
                continue;
            }
            let found = state.ranked.standing(month, &rules);
            if state.speaks_of_drought {
                let judgement = found.as_ref().and_then(|(_, judgement)| judgement.value());
                let n = found.as_ref().map(|(standing, _)| standing.n());
                state.judge(&mut self.book, self.config.closing, judgement, n, when);
            }
            wells.extend(found.map(|(standing, judgement)| WellMonth { well: index, standing, judgement }));
        }
        // Places see wells scattered over memory: what they look for lies side by side.
        let glances: Vec<Option<Glance>> = self.wells.iter().map(|state| state.glance(month)).collect();
        let mut places = Vec::with_capacity(self.places.len());
        for (index, place) in self.places.iter().enumerate() {
            let drought = place.judge(|well| glances[well], &self.config.places);
            if drought.evidence.capable == 0 && self.open_of_place[index].is_none() {
                continue;
            }
            let open = self.open_of_place[index];
            let flag = judge_place_flag(&mut self.book, open, place, &self.wells, &drought, self.config, when);
            self.open_of_place[index] = flag;
            let flag = flag.map(|flag| self.book.episodes[flag].severity);
            places.push(PlaceMonth { place: index, drought, flag });
        }
        let changes = std::mem::take(&mut self.book.changes);
        Some(MonthReport { month, closed_at: when.at, wells, places, changes })
    }
}

impl Iterator for Hindcast<'_> {
    type Item = MonthReport;

    fn next(&mut self) -> Option<MonthReport> {
        if self.next > self.to {
            return None;
        }
        let month = self.next;
        self.next = month.plus(1);
        self.close(month)
    }
}

impl<'a> WellState<'a> {
    fn new(record: &'a WellRecord, config: &HindcastConfig) -> Self {
        let well = record.well();
        let kind = WellKind::of(well);
        let first_known = record.versions().first().map(|version| version.closing);
        let installed = well.installed_on.map(|day| day.month());
        let member_from = match config.membership {
            Membership::Always => Some(Month::from_index(i32::MIN)),
            Membership::SinceItWasThere => match (first_known, installed) {
                (Some(known), Some(installed)) => Some(known.min(installed)),
                (known, installed) => known.or(installed),
            },
        };
        Self {
            ranked: Ranked::new(kind),
            later: record.versions(),
            subject: Subject {
                hazard: Hazard::Drought,
                scope: Scope::Well,
                place: well.well_id.as_str().to_owned(),
                province_code: well.province_code.clone(),
                district_code: well.district_code.clone(),
                subdistrict_code: well.subdistrict_code.clone(),
            },
            open: None,
            speaks_of_drought: is_drought_capable(well),
            has_standing: kind.has_standing(),
            is_member: false,
            record_n: 0,
            member_from,
        }
    }

    fn take_in(&mut self, closing: Month, config: &HindcastConfig) {
        while let Some((version, later)) = self.later.split_first().filter(|(next, _)| next.closing <= closing) {
            self.ranked.take(version, &config.standing);
            self.later = later;
        }
        self.is_member = self.member_from.is_some_and(|from| from <= closing);
        self.record_n = self.ranked.record_n();
    }

    /// What its places see of it in one of the latest 25 closed months; `None` while it is not there.
    fn glance(&self, month: Month) -> Option<Glance> {
        if !self.is_member {
            return None;
        }
        let judged = self.ranked.judged(month);
        let class =
            |judged: &JudgedMonth| judged.claim.filter(|claim| claim.counts_for_places).map(|claim| claim.entry);
        Some(Glance {
            class: judged.and_then(class),
            class_before: self.ranked.judged(month.plus(-1)).and_then(class),
            record_n: self.record_n,
            dry: judged.is_some_and(|judged| judged.dry),
        })
    }

    fn judge(
        &mut self,
        book: &mut FlagBook,
        closing: MonthClosing,
        judgement: Option<&DroughtJudgement>,
        n: Option<u32>,
        when: When,
    ) {
        if self.open.is_none() && judgement.is_none() {
            return;
        }
        let open = self.open.map(|open| open_flag(&book.episodes[open]));
        let verdict = |month: Month| self.ranked.judged(month).and_then(|j| j.claim).map(|claim| claim.verdict());
        let state = replay_drought(open, when.month, when.month.plus(1 - JUDGED_MONTHS), verdict);
        let evidence = Evidence {
            rule: judgement.map(|j| j.rule),
            limit: judgement.map(|j| j.limit),
            observed: judgement.map(|j| j.observed),
            n,
            wells_in: 1,
            coverage: 1.0,
            ..Evidence::default()
        };
        self.open = book.judge(self.open, &self.subject, judgement_of(state, closing), evidence, when);
    }
}

fn judge_place_flag(
    book: &mut FlagBook,
    open: Option<usize>,
    place: &Place,
    wells: &[WellState<'_>],
    drought: &PlaceDrought,
    config: &HindcastConfig,
    when: When,
) -> Option<usize> {
    let before = open.map(|open| open_flag(&book.episodes[open]));
    // The oldest kept month has no month before it.
    let first = when.month.plus(2 - JUDGED_MONTHS);
    let verdict = |month: Month| {
        if month == when.month {
            return drought.judged.value().copied();
        }
        place.judge(|well| wells[well].glance(month), &config.places).judged.value().copied()
    };
    let state = replay_drought(before, when.month, first, verdict);
    let evidence = place.evidence(drought, &state, &config.places);
    book.judge(open, place.subject(), judgement_of(state, config.closing), evidence, when)
}

fn open_flag(episode: &Episode) -> OpenDrought {
    OpenDrought { since: episode.raised, severity: episode.severity }
}

fn judgement_of(state: DroughtState, closing: MonthClosing) -> Judgement {
    match state {
        DroughtState::Unknown => Judgement::Unknown,
        DroughtState::None { reason } => Judgement::Nothing { reason },
        DroughtState::Stands { severity, stale, since } => {
            Judgement::Stands { severity, stale, since, raised_at: closing.closes_at(since) }
        }
    }
}

/// Wells by a place of theirs.
pub(crate) fn indices_by<K: Ord>(wells: &[&Well], key: impl Fn(&Well) -> Option<K>) -> BTreeMap<K, Vec<usize>> {
    let mut found: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (index, well) in wells.iter().enumerate() {
        if let Some(key) = key(well) {
            found.entry(key).or_default().push(index);
        }
    }
    found
}

#[cfg(test)]
mod tests;
