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

use crate::topics;

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
}

impl Change {
    pub fn add_to(&self, commit: &mut WatchCommit, at: Timestamp) {
        commit.at = Some(at);
        commit.outbox.push(topics::message(&self.flag, self.transition.as_ref(), at));
        commit.flags.push(self.flag.clone());
        commit.transitions.extend(self.transition.clone());
    }
}

#[derive(Debug, Default)]
pub(crate) struct FlagBook(BTreeMap<FlagKey, ConditionFlag>);

impl FlagBook {
    pub fn of(flags: impl IntoIterator<Item = ConditionFlag>) -> Self {
        let open = flags.into_iter().filter(|flag| flag.state != FlagState::Closed);
        Self(open.map(|flag| (FlagKey::of(&flag), flag)).collect())
    }

    pub fn get(&self, key: &FlagKey) -> Option<&ConditionFlag> {
        self.0.get(key)
    }

    pub fn by_id(&self, id: &str) -> Option<&ConditionFlag> {
        self.0.values().find(|flag| flag.id == id)
    }

    pub fn flags(&self) -> impl Iterator<Item = &ConditionFlag> {
        self.0.values()
    }

    pub fn adopt(&mut self, change: Change) {
        let key = FlagKey::of(&change.flag);
        if change.flag.state == FlagState::Closed {
            self.0.remove(&key);
        } else {
            self.0.insert(key, change.flag);
        }
    }

    /// What this judgement changes, if anything.
    pub fn propose(&self, key: &FlagKey, place: &Where, judgement: Judgement, now: Timestamp) -> Option<Change> {
        match (self.get(key), judgement) {
            (None, Judgement::Nothing { .. } | Judgement::Unknown { .. }) => None,
            (None, Judgement::Stands(standing)) if standing.stale => None,
            (None, Judgement::Stands(standing)) => Some(raise(key, place, *standing, now)),
            (Some(open), Judgement::Stands(standing)) => update(open, *standing, now),
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
    Change { transition: Some(transition(&flag, Transition::Acknowledged, &evidence, at)), flag }
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
    let evidence = write(&mut flag, standing);
    Change { transition: Some(transition(&flag, Transition::Raised, &evidence, now)), flag }
}

fn update(open: &ConditionFlag, standing: Standing, now: Timestamp) -> Option<Change> {
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
        if what == Transition::Raised
            && let Value::Object(fields) = &mut evidence
        {
            fields.insert("reason".into(), "data_resumed".into());
        }
        transition(&flag, what, &evidence, now)
    });
    Some(Change { flag, transition })
}

fn go_stale(open: &ConditionFlag, evidence: Value, now: Timestamp) -> Option<Change> {
    if open.state == FlagState::Stale {
        return None;
    }
    let flag = ConditionFlag { state: FlagState::Stale, changed_at: now, ..open.clone() };
    Some(Change { transition: Some(transition(&flag, Transition::WentStale, &evidence, now)), flag })
}

fn close(open: &ConditionFlag, evidence: Value, now: Timestamp) -> Change {
    let flag = ConditionFlag { state: FlagState::Closed, changed_at: now, closed_at: Some(now), ..open.clone() };
    Change { transition: Some(transition(&flag, Transition::Cleared, &evidence, now)), flag }
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
