//! How well flags met what is known to have happened.
//!
//! # Matching
//! 1. A flag **matches** an event of the same hazard if the months at which it stood ([`Episode::last_month`]) and those of the
//!    event (both ends included) have a month in common, and the flag's place is the event's place or contains it: a
//!    province's flag meets an event in one of its districts. Only flags of at least [`SkillRules::severity_min`] count, of
//!    the scopes in [`SkillRules::scopes`].
//! 2. An event with at least one matching flag is a **hit**, else a **miss**; an event that no month of the replay touches is
//!    **outside** and counts as neither.
//! 3. A flag is a **false alarm** if no event of its hazard overlaps it in time at its place, at a place that contains it or at
//!    one inside it. A district's flag inside a province's event is no false alarm, though
//!    it is no hit of that event: something was known to happen there.
//! 4. **Lead** of a hit: months from the earliest raise among its matching flags to the event's start; negative where all were
//!    raised after it.
//!
//! 5. A drought **could not be seen** where in none of its months the event's place, or one that contains it, could be judged
//!    ([`JudgedMonths`]). It stays a miss, for it was missed, but tells so, and detection is given without such events too.
//!
//! # Known weaknesses
//! Lists of events are never complete: a flag that nobody wrote of counts as false. Many flags may meet one event and one flag
//! many events, so hits and false alarms have no common total; the false-alarm ratio is over flags, detection over events.

use std::collections::{BTreeMap, BTreeSet};

use gwbank_model::Month;
use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_registry::{Well, places};

use crate::episode::Episode;
use crate::events::KnownEvent;
use crate::hindcast::MonthReport;
use crate::places::Place;
use crate::summary::median;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillRules {
    /// Flags that were never this bad are left out.
    pub severity_min: Severity,
    /// Flags of other scopes are left out. A well's flag is about a well; by default it stands for no place.
    pub scopes: Vec<Scope>,
}

impl Default for SkillRules {
    fn default() -> Self {
        Self { severity_min: Severity::Warning, scopes: vec![Scope::Subdistrict, Scope::District, Scope::Province] }
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Skill {
    pub hits: Vec<Hit>,
    pub misses: Vec<Miss>,
    /// Events before or after the replay.
    pub outside: Vec<KnownEvent>,
    /// Ids of flags.
    pub false_alarms: Vec<String>,
    /// Flags that count, false alarms included.
    pub flags: u32,
    /// Hits of hits and misses; `None` without either.
    pub probability_of_detection: Option<f64>,
    /// The same without droughts that could not be seen.
    pub probability_of_detection_where_judged: Option<f64>,
    /// False alarms of all flags that count; `None` without any.
    pub false_alarm_ratio: Option<f64>,
    /// Over hits; positive: raised before the event's start.
    pub median_lead_months: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub event: KnownEvent,
    /// Ids of the matching flags, in the order in which they were raised.
    pub flags: Vec<String>,
    pub lead_months: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    pub event: KnownEvent,
    /// Of a place's drought: in how many of its months the place, or one that contains it, was judged. `None` of other hazards
    /// and of wells.
    pub judged_months: Option<u32>,
}

/// What a replay found, for [`skill`].
#[derive(Debug, Clone, Copy)]
pub struct Replayed<'a> {
    pub episodes: &'a [Episode],
    pub judged: &'a JudgedMonths,
    /// First and last month.
    pub span: (Month, Month),
}

/// In which months which places could be judged for drought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JudgedMonths(BTreeMap<(Scope, String), BTreeSet<Month>>);

impl JudgedMonths {
    /// Takes the places of one closing.
    pub fn add_month(&mut self, report: &MonthReport, places: &[Place]) {
        for month in report.places.iter().filter(|month| month.drought.judged.value().is_some()) {
            let place = &places[month.place];
            self.0.entry((place.scope(), place.code().to_owned())).or_default().insert(report.month);
        }
    }

    fn of_event(&self, event: &KnownEvent, place: &Whereabouts) -> Option<u32> {
        if event.hazard != Hazard::Drought || event.scope == Scope::Well {
            return None;
        }
        let mut months: BTreeSet<Month> = BTreeSet::new();
        for scope in [Scope::District, Scope::Province] {
            let judged = place.at(scope).and_then(|code| self.0.get(&(scope, code.to_owned())));
            months.extend(judged.into_iter().flat_map(|judged| judged.range(event.start..=event.end)));
        }
        u32::try_from(months.len()).ok()
    }
}

/// Where places lie, by code: from registered wells, else from the built-in places of Thailand.
#[derive(Debug, Default)]
struct Tree {
    /// Well, subdistrict or district to (district, province).
    parents: BTreeMap<(Scope, String), Whereabouts>,
}

/// A place with what contains it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Whereabouts {
    well: Option<String>,
    subdistrict: Option<String>,
    district: Option<String>,
    province: Option<String>,
}

impl Whereabouts {
    fn of_well(well: &Well) -> Self {
        Self {
            well: Some(well.well_id.as_str().to_owned()),
            subdistrict: well.subdistrict_code.clone(),
            district: well.district_code.clone(),
            province: Some(well.province_code.clone()),
        }
    }

    fn of_episode(episode: &Episode) -> Self {
        let subject = &episode.subject;
        let own = |scope| (subject.scope == scope).then(|| subject.place.clone());
        Self {
            well: own(Scope::Well),
            subdistrict: own(Scope::Subdistrict).or_else(|| subject.subdistrict_code.clone()),
            district: own(Scope::District).or_else(|| subject.district_code.clone()),
            province: Some(subject.province_code.clone()),
        }
    }

    fn at(&self, scope: Scope) -> Option<&str> {
        match scope {
            Scope::Well => self.well.as_deref(),
            Scope::Subdistrict => self.subdistrict.as_deref(),
            Scope::District => self.district.as_deref(),
            Scope::Province => self.province.as_deref(),
            Scope::Lao | Scope::Aquifer | Scope::Gateway => None,
        }
    }
}

impl Tree {
    fn of<'w>(wells: impl Iterator<Item = &'w Well>) -> Self {
        let mut parents = BTreeMap::new();
        for well in wells {
            let place = Whereabouts::of_well(well);
            if let Some(subdistrict) = &well.subdistrict_code {
                let above = Whereabouts { well: None, ..place.clone() };
                parents.entry((Scope::Subdistrict, subdistrict.clone())).or_insert(above);
            }
            if let Some(district) = &well.district_code {
                let above = Whereabouts { well: None, subdistrict: None, ..place.clone() };
                parents.entry((Scope::District, district.clone())).or_insert(above);
            }
            parents.insert((Scope::Well, well.well_id.as_str().to_owned()), place);
        }
        Self { parents }
    }

    fn place(&self, scope: Scope, code: &str) -> Whereabouts {
        if let Some(known) = self.parents.get(&(scope, code.to_owned())) {
            return known.clone();
        }
        let own = Some(code.to_owned());
        match scope {
            Scope::Well => Whereabouts { well: own, ..Whereabouts::default() },
            Scope::Subdistrict => {
                let found = places::subdistrict(code);
                let district = found.map(|place| place.district_code().to_owned());
                let province = found.map(|place| place.province_code().to_owned());
                Whereabouts { well: None, subdistrict: own, district, province }
            }
            Scope::District => {
                let province = places::district(code).map(|place| place.province_code().to_owned());
                Whereabouts { district: own, province, ..Whereabouts::default() }
            }
            Scope::Province => Whereabouts { province: own, ..Whereabouts::default() },
            Scope::Lao | Scope::Aquifer | Scope::Gateway => Whereabouts::default(),
        }
    }
}

/// Holds the flags of a replay against known events. `wells` say which districts lie in which province.
///
/// - **Formula**: probability of detection = hits / (hits + misses); false-alarm ratio = false alarms / flags; what matches
///   what stands at the head of this module. **Unit**: months, shares from 0 to 1.
/// - **Source**: the scores of forecast verification (Wilks 2011, *Statistical Methods in the Atmospheric Sciences*, ch. 8),
///   over events and flags instead of days, as both last.
/// - **Weak**: see the head of this module.
///
/// ```
/// use gwbank_hindcast::{JudgedMonths, Replayed, SkillRules, parse_events, skill};
/// use gwbank_model::Month;
///
/// let events = parse_events(b"scope,code,hazard,start,end\nprovince,30,drought,2019-11,2020-06\n").unwrap();
/// let judged = JudgedMonths::default();
/// let replayed = Replayed { episodes: &[], judged: &judged, span: (Month::new(2001, 1), Month::new(2021, 12)) };
/// let found = skill(replayed, &events, [], &SkillRules::default());
/// assert_eq!((found.probability_of_detection, found.false_alarm_ratio), (Some(0.0), None));
/// assert_eq!(found.misses[0].judged_months, Some(0), "nothing could be said of the province");
/// ```
pub fn skill<'w>(
    Replayed { episodes, judged, span: (from, to) }: Replayed<'_>,
    events: &[KnownEvent],
    wells: impl IntoIterator<Item = &'w Well>,
    rules: &SkillRules,
) -> Skill {
    let tree = Tree::of(wells.into_iter());
    let places: Vec<Whereabouts> = events.iter().map(|event| tree.place(event.scope, &event.code)).collect();
    let mut counted: Vec<(&Episode, Whereabouts)> = episodes
        .iter()
        .filter(|episode| episode.worst >= rules.severity_min && rules.scopes.contains(&episode.subject.scope))
        .map(|episode| (episode, Whereabouts::of_episode(episode)))
        .collect();
    counted.sort_by_key(|(episode, _)| episode.raised_at);
    let mut skill = Skill { flags: counted.len() as u32, ..Skill::default() };
    let mut leads = Vec::new();
    for (event, place) in events.iter().zip(&places) {
        if event.end < from || event.start > to {
            skill.outside.push(event.clone());
            continue;
        }
        let matching: Vec<&Episode> = counted
            .iter()
            .filter(|(episode, _)| overlap(episode, event, to))
            .filter(|(episode, _)| place.at(episode.subject.scope) == Some(episode.subject.place.as_str()))
            .map(|(episode, _)| *episode)
            .collect();
        match matching.iter().map(|episode| episode.raised).min() {
            None => {
                let judged_months = judged.of_event(event, place);
                skill.misses.push(Miss { event: event.clone(), judged_months });
            }
            Some(raised) => {
                let lead_months = event.start.index() - raised.index();
                leads.push(f64::from(lead_months));
                let flags = matching.iter().map(|episode| episode.id.clone()).collect();
                skill.hits.push(Hit { event: event.clone(), flags, lead_months });
            }
        }
    }
    for (episode, place) in &counted {
        let happened = events.iter().zip(&places).any(|(event, of_event)| {
            let contains = place.at(event.scope) == Some(event.code.as_str());
            let inside = of_event.at(episode.subject.scope) == Some(episode.subject.place.as_str());
            overlap(episode, event, to) && (contains || inside)
        });
        if !happened {
            skill.false_alarms.push(episode.id.clone());
        }
    }
    let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
    skill.probability_of_detection = share(skill.hits.len(), skill.hits.len() + skill.misses.len());
    let seen = skill.misses.iter().filter(|miss| miss.judged_months != Some(0)).count();
    skill.probability_of_detection_where_judged = share(skill.hits.len(), skill.hits.len() + seen);
    skill.false_alarm_ratio = share(skill.false_alarms.len(), counted.len());
    skill.median_lead_months = median(&mut leads);
    skill
}

fn overlap(episode: &Episode, event: &KnownEvent, last: Month) -> bool {
    episode.subject.hazard == event.hazard && episode.raised <= event.end && episode.last_month(last) >= event.start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::parse_events;
    use crate::testing::{episode, well};

    const JAN: Month = Month::new(2020, 1);
    const SPAN: (Month, Month) = (Month::new(2001, 1), Month::new(2021, 12));

    fn of_district(code: &str, raised: Month, closed: Option<Month>) -> Episode {
        let mut found = episode("30", raised, closed);
        found.id = format!("drought-district-{code}-{raised}");
        found.subject.scope = Scope::District;
        found.subject.place = code.to_owned();
        found.subject.district_code = Some(code.to_owned());
        found
    }

    fn judged(episodes: &[Episode], rows: &str) -> Skill {
        let events = parse_events(format!("scope,code,hazard,start,end\n{rows}").as_bytes()).unwrap();
        let wells = [well("W", "77", "D9")];
        let mut judged = JudgedMonths::default();
        judged.0.insert((Scope::Province, "30".to_owned()), [JAN, JAN.plus(1)].into());
        let replayed = Replayed { episodes, judged: &judged, span: SPAN };
        skill(replayed, &events, wells.iter().map(|well| well.as_ref()), &SkillRules::default())
    }

    #[test]
    fn the_last_standing_month_overlaps_and_the_closing_one_does_not() {
        let flags = [episode("30", JAN, Some(JAN.plus(4)))];
        let at = |month: Month| judged(&flags, &format!("province,30,drought,{month},2021-12\n"));
        let hit = at(JAN.plus(3));
        assert_eq!((hit.hits.len(), hit.hits[0].lead_months, hit.median_lead_months), (1, 3, Some(3.0)));
        assert_eq!((hit.probability_of_detection, hit.false_alarm_ratio), (Some(1.0), Some(0.0)));
        let missed = at(JAN.plus(4));
        assert_eq!((missed.misses.len(), missed.false_alarms.len()), (1, 1));
        assert_eq!((missed.probability_of_detection, missed.false_alarm_ratio), (Some(0.0), Some(1.0)));
    }

    #[test]
    fn a_place_that_contains_the_event_meets_it_and_one_inside_is_no_false_alarm() {
        let flags = [episode("30", JAN, None), of_district("3002", JAN, None)];
        let in_district = judged(&flags, "district,3001,drought,2020-01,2020-02\n");
        assert_eq!(in_district.hits[0].flags, ["drought-province-30-2020-01"]);
        assert_eq!(in_district.false_alarms, ["drought-district-3002-2020-01"], "another district");
        let in_province = judged(&flags[1..], "province,30,drought,2020-01,2020-02\n");
        assert_eq!((in_province.hits.len(), in_province.misses.len(), in_province.false_alarms.len()), (0, 1, 0));
        let in_subdistrict = judged(&flags, "subdistrict,300201,drought,2020-01,2020-02\n");
        assert_eq!(in_subdistrict.hits[0].flags.len(), 2);
    }

    #[test]
    fn a_drought_that_nobody_could_judge_is_a_miss_of_its_own_kind() {
        let rows = "district,3001,drought,2020-01,2020-05\nprovince,31,drought,2020-01,2020-05\n\
                    province,30,flood,2020-01,2020-05\n";
        let found = judged(&[], rows);
        let months: Vec<Option<u32>> = found.misses.iter().map(|miss| miss.judged_months).collect();
        assert_eq!(months, [Some(2), Some(0), None]);
        let found = judged(&[episode("30", JAN, None)], rows);
        assert_eq!(found.probability_of_detection, Some(1.0 / 3.0));
        assert_eq!(found.probability_of_detection_where_judged, Some(0.5));
    }

    #[test]
    fn places_of_no_country_are_known_by_their_wells() {
        let flags = [episode("77", JAN, None)];
        let found = judged(&flags, "district,D9,drought,2020-01,2020-02\nwell,W,drought,2020-05,2020-05\n");
        assert_eq!((found.hits.len(), found.hits[1].lead_months), (2, 4));
    }

    #[test]
    fn other_hazards_and_mild_flags_and_other_times_do_not_count() {
        let mild = Episode { worst: Severity::Watch, ..episode("30", JAN, None) };
        let found = judged(&[mild], "province,30,drought,2020-01,2020-02\nprovince,30,drought,1999-01,1999-02\n");
        assert_eq!((found.flags, found.misses.len(), found.outside.len()), (0, 1, 1));
        let flags = [episode("30", JAN, None)];
        let found = judged(&flags, "province,30,flood,2020-01,2020-02\n");
        assert_eq!((found.misses.len(), found.false_alarms.len()), (1, 1));
    }
}
