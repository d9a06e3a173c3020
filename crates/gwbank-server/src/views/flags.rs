//! Condition flags, what people do about them, drills and holds.

use std::borrow::Cow;

use gwbank_model::Timestamp;
use gwbank_store::{ConditionFlag, FlagNote, FlagTransition, Hold};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{finite, instant, text};
use crate::auth::Principal;

/// A condition flag.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlagView {
    pub id: String,
    pub scope: &'static str,
    /// The well's id or the place's code.
    pub place: String,
    pub province_code: String,
    pub district_code: Option<String>,
    pub subdistrict_code: Option<String>,
    pub well_id: Option<String>,
    pub hazard: &'static str,
    pub severity: &'static str,
    pub state: &'static str,
    pub raised_at: String,
    pub changed_at: String,
    pub closed_at: Option<String>,
    pub confidence: Option<f64>,
    pub wells_in: u32,
    pub wells_out: u32,
    pub coverage: Option<f64>,
    pub rule: String,
    pub limit_value: Option<f64>,
    pub observed: Option<f64>,
    pub what_would_clear_it: String,
    pub headline_en: String,
    pub headline_th: String,
    pub detail_en: String,
    pub detail_th: String,
    pub acknowledged_by: Option<String>,
    pub acknowledged_at: Option<String>,
}

impl From<&ConditionFlag> for FlagView {
    fn from(flag: &ConditionFlag) -> Self {
        Self {
            id: flag.id.clone(),
            scope: flag.scope.name(),
            place: flag.place.clone(),
            province_code: flag.province_code.clone(),
            district_code: flag.district_code.clone(),
            subdistrict_code: flag.subdistrict_code.clone(),
            well_id: text(flag.well_id.as_ref()),
            hazard: flag.hazard.name(),
            severity: flag.severity.name(),
            state: flag.state.name(),
            raised_at: instant(flag.raised_at),
            changed_at: instant(flag.changed_at),
            closed_at: flag.closed_at.map(instant),
            confidence: finite(Some(flag.confidence)),
            wells_in: flag.wells_in,
            wells_out: flag.wells_out,
            coverage: finite(Some(flag.coverage)),
            rule: flag.rule.clone(),
            limit_value: finite(flag.limit_value),
            observed: finite(flag.observed),
            what_would_clear_it: flag.what_would_clear_it.clone(),
            headline_en: flag.headline_en.clone(),
            headline_th: flag.headline_th.clone(),
            detail_en: flag.detail_en.clone(),
            detail_th: flag.detail_th.clone(),
            acknowledged_by: flag.acknowledged_by.clone(),
            acknowledged_at: flag.acknowledged_at.map(instant),
        }
    }
}

/// In place of a name, for those who are not known.
const SOMEBODY: &str = "เจ้าหน้าที่ officer";

impl FlagView {
    /// For `reader`: names of people are not for everybody.
    pub fn of(flag: &ConditionFlag, reader: &Principal) -> Self {
        let mut view = Self::from(flag);
        if reader.is_public() {
            view.acknowledged_by = view.acknowledged_by.map(|_| SOMEBODY.to_owned());
        }
        view
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TransitionView {
    pub at: String,
    pub transition: &'static str,
    pub severity: &'static str,
    /// The numbers that led to it.
    #[schema(value_type = Object)]
    pub evidence: serde_json::Value,
}

impl From<&FlagTransition> for TransitionView {
    fn from(transition: &FlagTransition) -> Self {
        let evidence = serde_json::from_str(&transition.evidence)
            .unwrap_or_else(|_| serde_json::Value::String(transition.evidence.clone()));
        Self {
            at: instant(transition.at),
            transition: transition.transition.name(),
            severity: transition.severity.name(),
            evidence,
        }
    }
}

impl TransitionView {
    /// For `reader`: names and words of people are not for everybody.
    pub fn of(transition: &FlagTransition, reader: &Principal) -> Self {
        let mut view = Self::from(transition);
        if reader.is_public()
            && let Some(evidence) = view.evidence.as_object_mut()
        {
            evidence.retain(|name, _| name != "by" && name != "text");
        }
        view
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FlagDetail {
    #[serde(flatten)]
    pub flag: FlagView,
    pub transitions: Vec<TransitionView>,
    /// Who did what about it.
    pub actions: Vec<FlagNoteView>,
}

/// What somebody did about a flag.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlagNoteView {
    pub at: String,
    /// `acknowledged`, `commented`, `approved` or `cancelled`.
    pub action: &'static str,
    pub by: String,
    /// `http`, `link` or `line`.
    pub via: String,
    pub contact_id: Option<String>,
    pub text: Option<String>,
}

impl From<&FlagNote> for FlagNoteView {
    fn from(note: &FlagNote) -> Self {
        Self {
            at: instant(note.at),
            action: note.action.name(),
            by: note.by.clone(),
            via: note.via.clone(),
            contact_id: note.contact_id.clone(),
            text: note.text.clone(),
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillRequest {
    /// `exercise` or `test`.
    pub kind: String,
    pub hazard: String,
    pub severity: String,
    /// `well`, `subdistrict`, `district` or `province`; by default what the place is.
    pub scope: Option<String>,
    /// A DOPA code or a well's id.
    pub place: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DrillView {
    pub drill_id: String,
    /// Contacts that are told.
    pub told: u64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// `suppression` or `maintenance`.
    pub kind: String,
    /// Left out: every hazard.
    pub hazard: Option<String>,
    pub scope: Option<String>,
    /// A DOPA code or a well's id.
    pub place: String,
    /// Left out: now.
    pub from: Option<String>,
    pub until: String,
    pub reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct HoldView {
    pub hold_id: String,
    pub kind: &'static str,
    pub hazard: Option<&'static str>,
    pub scope: &'static str,
    pub place: String,
    pub from: String,
    pub until: Option<String>,
    pub reason: String,
    pub by: String,
    pub created_at: String,
    pub ended_at: Option<String>,
    pub ended_by: Option<String>,
    /// Whether it holds now.
    pub holds: bool,
}

impl HoldView {
    pub fn of(hold: &Hold, now: Timestamp) -> Self {
        Self {
            hold_id: hold.hold_id.clone(),
            kind: hold.kind.name(),
            hazard: hold.hazard.map(|hazard| hazard.name()),
            scope: hold.scope.name(),
            place: hold.place.clone(),
            from: instant(hold.from),
            until: hold.until.map(instant),
            reason: hold.reason.clone(),
            by: hold.by.clone(),
            created_at: instant(hold.created_at),
            ended_at: hold.ended_at.map(instant),
            ended_by: hold.ended_by.clone(),
            holds: hold.holds(now),
        }
    }
}

/// Why a flag came to be what it is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FlagExplanationView {
    pub id: String,
    /// Lines of text.
    pub text_en: String,
    pub text_th: String,
    /// What was asked again of what was known then.
    pub reproduced: Vec<ReproducedView>,
}

/// A number of a transition's evidence, computed again from what was known then.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReproducedView {
    pub at: String,
    pub transition: Cow<'static, str>,
    /// To be run with `as_known_at` the instant.
    pub sql: String,
    /// The name of the number in the evidence.
    pub number: Option<Cow<'static, str>>,
    pub evidence: Option<f64>,
    pub computed: Option<f64>,
    /// `null` where nothing can be compared.
    pub reproduced: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovedView {
    pub identifier: String,
    /// Where it is.
    pub document: String,
    pub approved_by: String,
}

/// Who takes note of a flag.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AcknowledgeRequest {
    /// Taken from the credentials when left out.
    pub by: Option<String>,
    /// A remark; to take a flag back, why.
    #[serde(default)]
    pub text: Option<String>,
}
