//! The book of condition flags that are not closed, and how a judgement changes it.
//!
//! # Rules
//! 1. At most one flag of a (hazard, scope, place) is in the book.
//! 2. [`FlagBook::propose`] changes nothing: it says what a judgement would change. The watch commits that, and only
//!    then lets the book [`adopt`](FlagBook::adopt) it. So the book never runs ahead of the store.
//! 3. Acknowledgement survives every change but an escalation: what got worse wants to be seen anew.

use std::collections::BTreeMap;

use gwbank_model::condition::{FlagState, Hazard, Scope, Severity, Transition};
use gwbank_model::{Timestamp, WellId};
use gwbank_store::{ConditionFlag, FlagTransition, WatchCommit};
use serde_json::Value;

use crate::announce::Audience;

/// The reason in the evidence of what late data took back, of what it changed, and of what an officer took back.
const LATE_DATA: &str = "late_data";
const LATE_DATA_CHANGED: &str = "late_data_changed";
pub(crate) const OFFICER: &str = "officer";
/// The reason, and the field, in the evidence of a place whose wells have become many more than it was told with.
const MORE_WELLS: &str = "more_wells";
const WELLS_TOLD: &str = "wells_told";
/// Told again when there are so many times more, and so many at least; and not more often than so.
const MORE_WELLS_TIMES: u32 = 2;
const MORE_WELLS_MIN: u32 = 3;
const MORE_WELLS_SECONDS: i64 = 3_600;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FlagKey {
    pub hazard: Hazard,
    pub scope: Scope,
    /// The well's id or the place's code.
    pub place: String,
}

impl FlagKey {
    pub fn new(hazard: Hazard, scope: Scope, place: &str) -> Self {
        Self { hazard, scope, place: place.to_owned() }
    }
    fn of(flag: &ConditionFlag) -> Self {
        Self::new(flag.hazard, flag.scope, &flag.place)
    }
}

/// Where a flag belongs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Where {
    pub province_code: String,
    pub district_code: Option<String>,
    pub subdistrict_code: Option<String>,
    pub well_id: Option<WellId>,
}

/// A condition that stands.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub severity: Severity,
    /// No fresh data: the flag stays as it is and is marked.
    pub stale: bool,
    /// When the reading or month that raised it completed its rule. Of an open flag the stored one stays.
    pub raised_at: Timestamp,
    pub confidence: f64,
    pub wells_in: u32,
    pub wells_out: u32,
    pub coverage: f64,
    pub rule: String,
    pub limit_value: Option<f64>,
    pub observed: Option<f64>,
    pub texts: Texts,
    pub evidence: Value,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Texts {
    pub headline_en: String,
    pub headline_th: String,
    pub detail_en: String,
    pub detail_th: String,
    pub what_would_clear_it: String,
}

/// What an evaluation found about one (hazard, scope, place).
#[derive(Debug, Clone)]
pub(crate) enum Judgement {
    Stands(Box<Standing>),
    /// No condition. With why an open one ends.
    Nothing {
        evidence: Value,
    },
    /// Nothing can be said now: an open flag goes stale and keeps everything else.
    Unknown {
        evidence: Value,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub flag: ConditionFlag,
    pub transition: Option<FlagTransition>,
    /// What it was before; `None` of a flag that is new.
    pub severity_before: Option<Severity>,
    /// The month that its numbers are of, where they are of one.
    pub month: Option<String>,
}

impl Change {
    pub fn add_to(&self, commit: &mut WatchCommit, audience: &Audience, at: Timestamp) {
        commit.at = Some(at);
        commit.outbox.extend(audience.messages(self, at));
        commit.flags.push(self.flag.clone());
        commit.transitions.extend(self.transition.clone());
    }
}

#[derive(Debug, Default)]
pub(crate) struct FlagBook {
    flags: BTreeMap<FlagKey, ConditionFlag>,
    /// When each got worse last, and what month its numbers are of.
    followed: BTreeMap<FlagKey, Followed>,
}

#[derive(Debug, Clone)]
struct Followed {
    worse_since: Timestamp,
    month: Option<String>,
    /// With how many wells a place was told last.
    wells_told: Option<u32>,
}

impl FlagBook {
    /// `wells_told` has with how many wells each place was told last, by flag.
    pub fn of(flags: impl IntoIterator<Item = ConditionFlag>, wells_told: &BTreeMap<String, u32>) -> Self {
        let open = flags.into_iter().filter(|flag| flag.state != FlagState::Closed);
        let flags: BTreeMap<FlagKey, ConditionFlag> = open.map(|flag| (FlagKey::of(&flag), flag)).collect();
        // What the last change was is not in the flag; that it got worse is the one of which more is asked.
        let followed = |flag: &ConditionFlag| Followed {
            worse_since: flag.changed_at,
            month: None,
            wells_told: wells_told.get(&flag.id).copied(),
        };
        let followed = flags.iter().map(|(key, flag)| (key.clone(), followed(flag))).collect();
        Self { flags, followed }
    }

    pub fn get(&self, key: &FlagKey) -> Option<&ConditionFlag> {
        self.flags.get(key)
    }

    pub fn by_id(&self, id: &str) -> Option<&ConditionFlag> {
        self.flags.values().find(|flag| flag.id == id)
    }

    pub fn flags(&self) -> impl Iterator<Item = &ConditionFlag> {
        self.flags.values()
    }

    pub fn adopt(&mut self, change: Change) {
        let key = FlagKey::of(&change.flag);
        if change.flag.state == FlagState::Closed {
            self.flags.remove(&key);
            self.followed.remove(&key);
            return;
        }
        let now = change.flag.changed_at;
        let followed =
            self.followed.entry(key.clone()).or_insert(Followed { worse_since: now, month: None, wells_told: None });
        if let Some(transition) = &change.transition {
            followed.wells_told = wells_told(transition).or(followed.wells_told);
        }
        if let Some(transition) = &change.transition
            && matches!(transition.transition, Transition::Raised | Transition::Escalated)
        {
            followed.worse_since = transition.at;
        }
        if change.month.is_some() {
            followed.month = change.month;
        }
        self.flags.insert(key, change.flag);
    }

    /// Notes the month of a judgement that changed nothing.
    pub fn note_month(&mut self, key: &FlagKey, judgement: &Judgement) {
        if let (Some(followed), Judgement::Stands(standing)) = (self.followed.get_mut(key), judgement) {
            followed.month = month_of(&standing.evidence);
        }
    }

    /// When an open flag got worse last.
    pub fn worse_since(&self, key: &FlagKey) -> Option<Timestamp> {
        self.followed.get(key).map(|followed| followed.worse_since)
    }

    /// What this judgement changes, if anything.
    pub fn propose(&self, key: &FlagKey, place: &Where, judgement: Judgement, now: Timestamp) -> Option<Change> {
        match (self.get(key), judgement) {
            (None, Judgement::Nothing { .. } | Judgement::Unknown { .. }) => None,
            (None, Judgement::Stands(standing)) if standing.stale => None,
            (None, Judgement::Stands(standing)) => Some(raise(key, place, *standing, now)),
            (Some(open), Judgement::Stands(standing)) => update(open, self.followed.get(key), *standing, now),
            (Some(open), Judgement::Nothing { evidence }) => Some(close(open, evidence, now)),
            (Some(open), Judgement::Unknown { evidence }) => go_stale(open, evidence, now),
        }
    }
}

pub(crate) fn acknowledge(open: &ConditionFlag, by: &str, at: Timestamp) -> Change {
    let mut flag = open.clone();
    flag.acknowledged_by = Some(by.to_owned());
    flag.acknowledged_at = Some(at);
    let evidence = serde_json::json!({ "by": by });
    Change {
        transition: Some(transition(&flag, Transition::Acknowledged, &evidence, at)),
        severity_before: Some(flag.severity),
        month: None,
        flag,
    }
}

fn raise(key: &FlagKey, place: &Where, standing: Standing, now: Timestamp) -> Change {
    let id = format!("{}-{}-{}-{}", key.hazard.name(), key.scope.name(), key.place, standing.raised_at.as_secs());
    let mut flag = ConditionFlag {
        id,
        scope: key.scope,
        place: key.place.clone(),
        province_code: place.province_code.clone(),
        district_code: place.district_code.clone(),
        subdistrict_code: place.subdistrict_code.clone(),
        well_id: place.well_id.clone(),
        hazard: key.hazard,
        severity: standing.severity,
        state: FlagState::Open,
        raised_at: standing.raised_at,
        changed_at: now,
        closed_at: None,
        confidence: 0.0,
        wells_in: 0,
        wells_out: 0,
        coverage: 0.0,
        rule: String::new(),
        limit_value: None,
        observed: None,
        what_would_clear_it: String::new(),
        headline_en: String::new(),
        headline_th: String::new(),
        detail_en: String::new(),
        detail_th: String::new(),
        acknowledged_by: None,
        acknowledged_at: None,
    };
    let mut evidence = write(&mut flag, standing);
    note_wells(&flag, &mut evidence);
    let month = month_of(&evidence);
    Change {
        transition: Some(transition(&flag, Transition::Raised, &evidence, now)),
        severity_before: None,
        month,
        flag,
    }
}

fn put(evidence: &mut Value, name: &str, value: Value) {
    if let Value::Object(fields) = evidence {
        fields.insert(name.to_owned(), value);
    }
}

fn note_wells(flag: &ConditionFlag, evidence: &mut Value) {
    if flag.scope != Scope::Well {
        put(evidence, WELLS_TOLD, flag.wells_in.into());
    }
}

/// With how many wells a place was told by a transition.
pub(crate) fn wells_told(transition: &FlagTransition) -> Option<u32> {
    let evidence: Value = serde_json::from_str(&transition.evidence).ok()?;
    evidence[WELLS_TOLD].as_u64()?.try_into().ok()
}

/// The month that the numbers of an evidence are of.
fn month_of(evidence: &Value) -> Option<String> {
    evidence["month"].as_str().map(str::to_owned)
}

fn update(open: &ConditionFlag, followed: Option<&Followed>, standing: Standing, now: Timestamp) -> Option<Change> {
    let month_before = followed.and_then(|followed| followed.month.as_deref());
    let mut flag = open.clone();
    if standing.stale && standing.severity == open.severity {
        return go_stale(open, standing.evidence, now);
    }
    let severity = standing.severity;
    let was_stale = open.state == FlagState::Stale;
    let what = match severity.cmp(&open.severity) {
        std::cmp::Ordering::Greater => Some(Transition::Escalated),
        std::cmp::Ordering::Less => Some(Transition::Eased),
        // There is no transition of its own for data that came back; the evidence names the reason.
        std::cmp::Ordering::Equal if was_stale => Some(Transition::Raised),
        std::cmp::Ordering::Equal => None,
    };
    let same_numbers = (open.wells_in, open.wells_out) == (standing.wells_in, standing.wells_out)
        && (open.hazard != Hazard::Drought || open.observed == standing.observed);
    let month = month_of(&standing.evidence);
    // The same month says something else than it did: readings of it came late, or were corrected.
    let by_late_data = month.is_some() && month.as_deref() == month_before;
    let what = what.or_else(|| (by_late_data && !same_numbers).then_some(Transition::Updated));
    let has_grown = followed.and_then(|followed| followed.wells_told).is_some_and(|told| {
        standing.wells_in >= (told * MORE_WELLS_TIMES).max(told + MORE_WELLS_MIN)
            && now >= open.changed_at.plus_secs(MORE_WELLS_SECONDS)
    });
    let is_growth = what.is_none() && has_grown && !standing.stale;
    let what = what.or_else(|| is_growth.then_some(Transition::Updated));
    if what.is_none() && same_numbers {
        return None;
    }
    let stale = standing.stale;
    let mut evidence = write(&mut flag, standing);
    flag.severity = severity;
    flag.state = if stale { FlagState::Stale } else { FlagState::Open };
    if what == Some(Transition::Escalated) {
        flag.acknowledged_by = None;
        flag.acknowledged_at = None;
    }
    let transition = what.map(|what| {
        flag.changed_at = now;
        let reason = match what {
            Transition::Raised => Some("data_resumed"),
            Transition::Updated if is_growth => Some(MORE_WELLS),
            Transition::Updated | Transition::Escalated | Transition::Eased if by_late_data => Some(LATE_DATA_CHANGED),
            _ => None,
        };
        if let Some(reason) = reason {
            put(&mut evidence, "reason", reason.into());
        }
        note_wells(&flag, &mut evidence);
        transition(&flag, what, &evidence, now)
    });
    Some(Change { flag, transition, severity_before: Some(open.severity), month })
}

fn go_stale(open: &ConditionFlag, evidence: Value, now: Timestamp) -> Option<Change> {
    if open.state == FlagState::Stale {
        return None;
    }
    let flag = ConditionFlag { state: FlagState::Stale, changed_at: now, ..open.clone() };
    Some(Change {
        transition: Some(transition(&flag, Transition::WentStale, &evidence, now)),
        severity_before: Some(flag.severity),
        month: None,
        flag,
    })
}

pub(crate) fn close(open: &ConditionFlag, evidence: Value, now: Timestamp) -> Change {
    let flag = ConditionFlag { state: FlagState::Closed, changed_at: now, closed_at: Some(now), ..open.clone() };
    // What late data or an officer takes back was never so.
    let is_taken_back = evidence["reason"] == LATE_DATA || evidence["reason"] == OFFICER;
    let what = if is_taken_back { Transition::Cancelled } else { Transition::Cleared };
    Change {
        transition: Some(transition(&flag, what, &evidence, now)),
        severity_before: Some(flag.severity),
        month: None,
        flag,
    }
}

/// Copies what was found into the flag and gives the evidence back.
fn write(flag: &mut ConditionFlag, standing: Standing) -> Value {
    flag.confidence = standing.confidence;
    flag.wells_in = standing.wells_in;
    flag.wells_out = standing.wells_out;
    flag.coverage = standing.coverage;
    flag.rule = standing.rule;
    flag.limit_value = standing.limit_value;
    flag.observed = standing.observed;
    flag.what_would_clear_it = standing.texts.what_would_clear_it;
    flag.headline_en = standing.texts.headline_en;
    flag.headline_th = standing.texts.headline_th;
    flag.detail_en = standing.texts.detail_en;
    flag.detail_th = standing.texts.detail_th;
    standing.evidence
}

fn transition(flag: &ConditionFlag, what: Transition, evidence: &Value, at: Timestamp) -> FlagTransition {
    FlagTransition {
        flag_id: flag.id.clone(),
        at,
        transition: what,
        severity: flag.severity,
        evidence: evidence.to_string(),
    }
}
