//! A transition of a flag as it is told: JSON that is kept in the outbox and sent to programs as it is.

use std::borrow::Cow;

use gwbank_model::condition::{Hazard, Scope, Severity, Transition};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};
use gwbank_store::{ConditionFlag, DrillKind, FlagTransition};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::words::{NO_DECLARATION_EN, NO_DECLARATION_TH, reason_words};

/// The flag of MQTT's retained topics and of every notice. Times are RFC 3339 at +07:00.
pub fn flag_json(flag: &ConditionFlag) -> Value {
    let time = |at: Timestamp| at.to_rfc3339(BANGKOK_OFFSET_SECONDS);
    json!({
        "id": flag.id,
        "scope": flag.scope.name(),
        "place": flag.place,
        "province_code": flag.province_code,
        "district_code": flag.district_code,
        "subdistrict_code": flag.subdistrict_code,
        "well_id": flag.well_id.as_ref().map(|id| id.as_str()),
        "hazard": flag.hazard.name(),
        "severity": flag.severity.name(),
        "state": flag.state.name(),
        "raised_at": time(flag.raised_at),
        "changed_at": time(flag.changed_at),
        "closed_at": flag.closed_at.map(time),
        "confidence": flag.confidence,
        "wells_in": flag.wells_in,
        "wells_out": flag.wells_out,
        "coverage": flag.coverage,
        "rule": flag.rule,
        "limit_value": flag.limit_value,
        "observed": flag.observed,
        "what_would_clear_it": flag.what_would_clear_it,
        "headline_en": flag.headline_en,
        "headline_th": flag.headline_th,
        "detail_en": flag.detail_en,
        "detail_th": flag.detail_th,
        "acknowledged_by": flag.acknowledged_by,
        "acknowledged_at": flag.acknowledged_at.map(time),
    })
}

/// Whether it is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Practice {
    Exercise,
    Test,
}

impl From<DrillKind> for Practice {
    fn from(kind: DrillKind) -> Self {
        match kind {
            DrillKind::Exercise => Practice::Exercise,
            DrillKind::Test => Practice::Test,
        }
    }
}

/// In the envelope of Standard Webhooks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// `flag.` and the transition, or `drill.` and the kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub timestamp: String,
    pub data: NoticeData,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoticeData {
    /// As [`flag_json`] says it.
    pub flag: Value,
    pub transition: NoticeTransition,
    /// Present in drills only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub practice: Option<Practice>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoticeTransition {
    pub transition: String,
    pub severity: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity_before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_en: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_th: Option<String>,
    pub evidence: Value,
}

/// What tells this transition from all others, in every channel.
pub fn notice_key(flag_id: &str, transition: &FlagTransition) -> String {
    format!("{flag_id}-{}-{}", transition.transition.name(), transition.at.as_micros())
}

impl Notice {
    /// The kind of a province's daily report of its sensors and gateways, which is of no flag.
    pub const FLEET_REPORT: &str = "fleet.report";

    /// Whether there is a flag that its reader can look at.
    pub fn is_of_a_flag(&self) -> bool {
        self.kind.starts_with("flag.")
    }

    pub fn of(flag: &ConditionFlag, transition: &FlagTransition, severity_before: Option<Severity>) -> Self {
        let evidence: Value = serde_json::from_str(&transition.evidence).unwrap_or(Value::Null);
        let reason = evidence["reason"].as_str().map(str::to_owned);
        let words = reason.as_deref().and_then(reason_words);
        // What an officer said why.
        let said = evidence["text"].as_str().map_or_else(String::new, |text| format!(": {text}"));
        Self {
            kind: format!("flag.{}", transition.transition.name()),
            timestamp: transition.at.to_rfc3339(BANGKOK_OFFSET_SECONDS),
            data: NoticeData {
                flag: flag_json(flag),
                transition: NoticeTransition {
                    transition: transition.transition.name().to_owned(),
                    severity: transition.severity.name().to_owned(),
                    severity_before: severity_before.map(|severity| severity.name().to_owned()),
                    reason_en: words.map(|(en, _)| format!("{en}{said}")),
                    reason_th: words.map(|(_, th)| format!("{th}{said}")),
                    reason,
                    evidence,
                },
                practice: None,
            },
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings and numbers only: nothing of it can fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// A text of the flag; empty where it has none.
    pub fn text(&self, field: &str) -> &str {
        self.data.flag[field].as_str().unwrap_or_default()
    }

    pub fn transition(&self) -> Option<Transition> {
        self.data.transition.transition.parse().ok()
    }

    pub fn severity(&self) -> Option<Severity> {
        self.data.transition.severity.parse().ok()
    }

    pub fn hazard(&self) -> Option<Hazard> {
        self.text("hazard").parse().ok()
    }

    pub fn scope(&self) -> Option<Scope> {
        self.text("scope").parse().ok()
    }

    pub fn at(&self) -> Timestamp {
        Timestamp::parse_rfc3339(&self.timestamp).unwrap_or(Timestamp::MIN)
    }

    /// The flag has ended.
    pub fn is_end(&self) -> bool {
        matches!(self.transition(), Some(Transition::Cleared | Transition::Cancelled))
    }

    /// What stands of a flag that has ended is what was: its end is told in its place.
    pub fn detail_en(&self) -> Cow<'_, str> {
        if !self.is_end() {
            return self.text("detail_en").into();
        }
        let why = self.data.transition.reason_en.as_deref().unwrap_or("the condition has ended");
        format!("{}: {why}. {NO_DECLARATION_EN}", self.text("headline_en")).into()
    }

    pub fn detail_th(&self) -> Cow<'_, str> {
        if !self.is_end() {
            return self.text("detail_th").into();
        }
        let why = self.data.transition.reason_th.as_deref().unwrap_or("สภาพดังกล่าวสิ้นสุดแล้ว");
        format!("{} เหตุผล: {why} {NO_DECLARATION_TH}", self.text("headline_th")).into()
    }
}
