//! What a place's judgement looks like outside: its indicator row, its flag, its standing.

use std::collections::BTreeMap;

use gwbank_indicator::{Assessment, DroughtClass, PlaceDrought, PlaceEvidence, PlaceRules, Why};
use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_model::{Month, Timestamp};
use gwbank_store::{IndicatorKey, IndicatorRow};
use serde_json::{Value, json};

use crate::book::Standing;
use crate::nearby::{Nearby, Rain, ReferenceWell};
use crate::places::Member;
use crate::rows::{self, Cell};
use crate::texts::{self, Since, Story};
use crate::watch::Inner;

/// Where a province stands in the latest closed month.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvinceStanding {
    pub province_code: String,
    pub month: Month,
    pub evidence: PlaceEvidence,
    /// The severity that the month claims (`None`: judged, and no drought), or why it cannot be judged.
    pub judged: Assessment<Option<Severity>>,
    /// Median over the wells that have both months; up is wetter.
    pub change_since_last_year_m: Option<f64>,
    /// Where the record is too short to judge.
    pub rain: Option<Rain>,
    pub reference_wells: Vec<ReferenceWell>,
    pub text_en: String,
    pub text_th: String,
}

impl ProvinceStanding {
    /// A severity, `normal`, or the name of why nothing can be judged: the class of the place's `sgi`.
    pub fn class(&self) -> &'static str {
        match &self.judged {
            Assessment::Given { value, .. } => value.map_or("normal", Severity::name),
            Assessment::Insufficient { why, .. } => why.name(),
        }
    }

    /// A province without a single well that may carry drought.
    pub(crate) fn without_wells(province_code: &str, month: Month, rules: &PlaceRules) -> Self {
        let drought = gwbank_indicator::judge_place(&[], rules);
        province_standing(province_code, month, &drought, &[], Nearby::default())
    }
}

/// The class of wells that a place's severity counts.
pub(crate) fn class_of(severity: Severity) -> DroughtClass {
    match severity {
        Severity::Watch => DroughtClass::Moderate,
        Severity::Warning | Severity::Severe => DroughtClass::Severe,
        Severity::Extreme => DroughtClass::Extreme,
    }
}

pub(crate) fn province_standing(
    province: &str,
    month: Month,
    drought: &PlaceDrought,
    members: &[&Member<'_>],
    nearby: Nearby,
) -> ProvinceStanding {
    let evidence = drought.evidence;
    let mut changes: Vec<f64> = members
        .iter()
        .filter_map(|member| {
            let series = member.series.as_deref()?;
            let level = |month: Month| series.month(month).and_then(|m| m.level);
            Some(level(month)? - level(month.plus(-12))?)
        })
        .collect();
    let change = median(&mut changes);
    let (month_en, month_th) = texts::month_text(month);
    let change_en = change.map_or(String::new(), |m| format!("; {m:+.2} m against the year before"));
    let change_th = change.map_or(String::new(), |m| format!(" เทียบปีก่อน {m:+.2} ม."));
    let dry_en = format!(
        "{} of {} {} dry in {month_en}{change_en}",
        evidence.dry,
        evidence.capable,
        texts::wells_word(evidence.capable)
    );
    let dry_th = format!("บ่อแห้ง {} จาก {} บ่อ ในเดือน{month_th}{change_th}", evidence.dry, evidence.capable);
    let (text_en, text_th) = match drought.judged.why() {
        Some(Why::PlaceRecordShort { .. }) => {
            let (near_en, near_th) = nearby.told();
            (
                format!("{}; {dry_en}{near_en}", texts::RECORD_SHORT_EN),
                format!("{} {dry_th}{near_th}", texts::RECORD_SHORT_TH),
            )
        }
        Some(why) => {
            let why_th = why.thai();
            (format!("{} ({why}); {dry_en}", texts::TOO_FEW_EN), format!("{} ({why_th}) {dry_th}", texts::TOO_FEW_TH))
        }
        None => {
            let (low, eligible) = (evidence.moderate, evidence.eligible);
            (
                format!(
                    "{low} of {eligible} {} low in {month_en}{change_en}; {}",
                    texts::wells_word(eligible),
                    dry_en_only(&evidence)
                ),
                format!("น้ำใต้ดินต่ำกว่าปกติ {low} จาก {eligible} บ่อ ในเดือน{month_th}{change_th} บ่อแห้ง {} บ่อ", evidence.dry),
            )
        }
    };
    ProvinceStanding {
        province_code: province.to_owned(),
        month,
        evidence,
        judged: drought.judged.clone().map(|verdict| verdict.entry),
        change_since_last_year_m: change,
        rain: nearby.rain,
        reference_wells: nearby.wells,
        text_en,
        text_th,
    }
}

fn dry_en_only(evidence: &PlaceEvidence) -> String {
    format!("{} of {} dry", evidence.dry, evidence.capable)
}

/// In the order of [`PLACE_INDICATORS`](rows::PLACE_INDICATORS).
pub(crate) type PlaceCells = [Cell; 5];

/// The rows of a place's month: the median SGI of its eligible wells with the severity as class, the shares that decide on the
/// severity, and how many of the wells that may speak are eligible. Coverage is told whether or not it suffices.
pub(crate) fn place_cells(members: &[&Member<'_>], month: Month, drought: &PlaceDrought) -> PlaceCells {
    let basis = Some(drought.judged.basis());
    let evidence = &drought.evidence;
    let coverage = (evidence.capable > 0).then_some(evidence.coverage);
    match &drought.judged {
        Assessment::Insufficient { why, .. } => {
            let missing = Cell { value: None, class: Some(why.name()), basis };
            [missing, missing, missing, missing, Cell { value: coverage, ..missing }]
        }
        Assessment::Given { value: verdict, .. } => {
            let mut values: Vec<f64> = members
                .iter()
                .filter_map(|member| member.series.as_deref()?.judged(month)?.standing.sgi().value().copied())
                .collect();
            let class = verdict.entry.map_or("normal", Severity::name);
            let number = |value: Option<f64>| Cell { value, class: None, basis };
            let share = |wells: u32| number(Some(evidence.share(wells)));
            [
                Cell { class: Some(class), ..number(median(&mut values)) },
                share(evidence.moderate),
                share(evidence.severe),
                share(evidence.extreme),
                number(coverage),
            ]
        }
    }
}

pub(crate) fn place_row(
    (scope, code, province): (Scope, &str, &str),
    (indicator, month): (&str, Month),
    cell: Cell,
    computed_at: Timestamp,
) -> IndicatorRow {
    let key = IndicatorKey { scope, place: code.to_owned(), indicator: indicator.to_owned(), period: month.start(0) };
    rows::row(key, province, cell, computed_at)
}

pub(crate) fn place_evidence(month: Month, drought: Option<&PlaceDrought>, numbers: &PlaceEvidence) -> Value {
    json!({
        "month": month.to_string(),
        "wells_that_may_speak": numbers.capable,
        "wells_with_record": numbers.recorded,
        "eligible": numbers.eligible,
        "parts": numbers.parts,
        "coverage": numbers.coverage,
        "moderate_or_worse": numbers.moderate,
        "severe_or_worse": numbers.severe,
        "extreme": numbers.extreme,
        "dry": numbers.dry,
        "claims": drought.and_then(|d| d.judged.value()).and_then(|v| v.entry).map(Severity::name),
        "holds": drought.and_then(|d| d.judged.value()).and_then(|v| v.hold).map(Severity::name),
        "insufficient": drought.and_then(|d| d.judged.why()).map(ToString::to_string),
    })
}

/// Where and how bad, for [`place_standing`].
pub(crate) struct PlaceCondition<'a> {
    pub scope: Scope,
    pub code: &'a str,
    pub severity: Severity,
    pub stale: bool,
    /// The month that raised it.
    pub since: Month,
    /// Since when half of the wells at its class have been low.
    pub low_since: Option<Month>,
}

pub(crate) fn place_standing(
    inner: &Inner,
    condition: &PlaceCondition<'_>,
    drought: Option<&PlaceDrought>,
    evidence: Value,
) -> Standing {
    let &PlaceCondition { scope, code, severity, stale, since, low_since } = condition;
    let numbers = drought.map(|d| d.evidence).unwrap_or_default();
    let rules = &inner.config.places;
    let (wells_in, limit, word_en, word_th) = match severity {
        Severity::Watch => (numbers.moderate, rules.watch_share_moderate, "moderately low or worse", "ต่ำกว่าปกติมาก"),
        Severity::Warning => (numbers.severe, rules.warning_share_severe, "severely low", "ต่ำระดับรุนแรง"),
        Severity::Severe => (numbers.severe, rules.severe_share_severe, "severely low", "ต่ำระดับรุนแรง"),
        Severity::Extreme => (numbers.extreme, rules.extreme_share_extreme, "extremely low", "ต่ำระดับวิกฤต"),
    };
    let percent = |share: f64| (share * 100.0).round();
    let story = Story {
        hazard: Hazard::Drought,
        scope,
        severity,
        place: &texts::place_text(scope, code),
        wells: wells_in,
        wells_total: numbers.eligible,
        since: Since::Closed { month: since, low_since },
        facts_en: format!(
            "{wells_in} of {} {} {word_en}, {} dry; {:.0} % of the wells are counted",
            numbers.eligible,
            if numbers.eligible == 1 { "well is" } else { "wells are" },
            numbers.dry,
            percent(numbers.coverage)
        ),
        facts_th: format!(
            "ระดับน้ำ{word_th} {wells_in} จาก {} บ่อ บ่อแห้ง {} บ่อ มีข้อมูล {:.0}% ของบ่อ",
            numbers.eligible,
            numbers.dry,
            percent(numbers.coverage)
        ),
        what_would_clear_it: format!(
            "two closed months in a row with fewer than {:.0} % of the wells moderately low or worse and fewer than \
             {:.0} % severely low",
            percent(rules.watch_share_moderate - rules.exit_share),
            percent(rules.warning_share_severe - rules.exit_share)
        ),
        what_would_clear_it_th: format!(
            "เดือนที่ปิดแล้วสองเดือนติดต่อกันมีบ่อที่ระดับน้ำต่ำกว่าปกติมากไม่ถึง {:.0}% และบ่อที่ต่ำระดับรุนแรงไม่ถึง {:.0}%",
            percent(rules.watch_share_moderate - rules.exit_share),
            percent(rules.warning_share_severe - rules.exit_share)
        ),
    };
    Standing {
        severity,
        stale,
        raised_at: inner.config.closing.closes_at(since),
        confidence: drought.map_or(0.0, |d| d.judged.basis().confidence),
        wells_in,
        wells_out: numbers.eligible - wells_in,
        coverage: numbers.coverage,
        rule: format!("drought_place_{}", severity.name()),
        limit_value: Some(limit),
        observed: Some(numbers.share(wells_in)),
        texts: texts::write(story, &inner.config.contacts),
        evidence,
    }
}

/// Of those that are out, for each reason.
const WELLS_OUT_NAMED: usize = 20;

/// Wells of a place that do not count towards its flag, by why: how many, and the first of them.
pub(crate) fn wells_out<'a>(wells: impl Iterator<Item = (String, &'a str)>) -> Value {
    let mut by_reason: BTreeMap<String, (u32, Vec<&str>)> = BTreeMap::new();
    for (reason, id) in wells {
        let (count, named) = by_reason.entry(reason).or_default();
        *count += 1;
        if named.len() < WELLS_OUT_NAMED {
            named.push(id);
        }
    }
    let by_reason = by_reason.into_iter();
    json!(
        by_reason
            .map(|(why, (count, wells))| json!({ "why": why, "count": count, "wells": wells }))
            .collect::<Vec<_>>()
    )
}

pub(crate) fn put(evidence: &mut Value, name: &str, value: Value) {
    if let Value::Object(fields) = evidence {
        fields.insert(name.to_owned(), value);
    }
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
