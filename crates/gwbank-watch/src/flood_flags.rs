//! From followed readings to the flood flags of wells, subdistricts, districts and provinces.

use std::sync::Arc;

use gwbank_indicator::flood::{FloodTrack, Met, Support};
use gwbank_indicator::rapid::{Rise, TimeToGround};
use gwbank_indicator::{FloodWell, province_flood, small_place_severity};
use gwbank_model::condition::{FlagState, Hazard, Scope, Severity};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};
use gwbank_registry::Well;
use gwbank_store::ConditionFlag;
use serde_json::{Value, json};

use crate::book::{FlagKey, Judgement, Standing, Where};
use crate::texts::{self, Since, Story};
use crate::watch::Inner;

// Rule names of `gwbank_indicator::flood::ladder` whose limits are computed and not registered.
pub(crate) const RECORD_HIGH: &str = "record_high";
pub(crate) const FAILURE_TO_RECOVER: &str = "failure_to_recover";
/// Of water on its way to the ground.
pub(crate) const TIME_TO_GROUND: &str = "time_to_ground";

/// Steps told in the evidence: the latest ones.
const STEPS_TOLD: usize = 6;
/// Wells named in a place's message.
const WELLS_NAMED: usize = 5;

pub(crate) fn well_evidence(track: &FloodTrack, well: &Well, ground: Option<&Rise<TimeToGround>>) -> Value {
    let time = |at: Timestamp| at.to_rfc3339(BANGKOK_OFFSET_SECONDS);
    let first = track.steps.len().saturating_sub(STEPS_TOLD);
    let steps: Vec<Value> = track.steps[first..]
        .iter()
        .map(|step| {
            json!({
                "at": time(step.at),
                "depth": step.depth_m,
                "from": step.from.map(Severity::name),
                "to": step.to.map(Severity::name),
                "rule": step.met.map(|(met, _)| met.rule),
                "limit": step.met.map(|(met, _)| met.limit_m),
                "supported_by": step.met.map(|(_, support)| support.name()),
            })
        })
        .collect();
    json!({
        "time": track.latest.map(|latest| time(latest.time)),
        "received_at": track.latest.map(|latest| time(latest.received_at)),
        "depth": track.latest.map(|latest| latest.depth_m),
        "interval_s": track.interval_micros.map(|micros| micros / 1_000_000),
        "filling": track.filling,
        "warning_depth": well.flood_warning_depth,
        "danger_depth": well.flood_danger_depth,
        "steps": steps,
        "rise": ground.map(|rise| json!({
            "since": time(rise.since),
            "at": time(rise.last.at),
            "rate_m_per_h": rise.last.rise_m_per_hour,
            "hours_to_ground": rise.last.hours,
        })),
    })
}

/// Water below all limits of the well that rises towards the ground.
pub(crate) fn ground_standing(
    inner: &Inner,
    well: &Well,
    track: &FloodTrack,
    ground: &Rise<TimeToGround>,
    open: Option<&ConditionFlag>,
    now: Timestamp,
    evidence: Value,
) -> Standing {
    let TimeToGround { depth_m, rise_m_per_hour, hours, severity, .. } = ground.last;
    let rules = &inner.config.rapid;
    let since = open.map_or(ground.since, |open| open.raised_at);
    let story = Story {
        hazard: Hazard::Flood,
        scope: Scope::Well,
        severity,
        place: &texts::well_text(well),
        wells: 1,
        wells_total: 1,
        since: Since::Instant(since),
        facts_en: format!(
            "Water stood {depth_m:.2} m below the ground and rose by {:.0} cm an hour: {hours:.0} h to the ground",
            rise_m_per_hour * 100.0
        ),
        facts_th: format!(
            "ระดับน้ำลึก {depth_m:.2} ม. สูงขึ้นชั่วโมงละ {:.0} ซม. คาดถึงผิวดินใน {hours:.0} ชั่วโมง",
            rise_m_per_hour * 100.0
        ),
        what_would_clear_it: format!("readings over {} h without a steady rise", rules.ground_exit_hours),
        what_would_clear_it_th: format!("ค่าที่วัดได้ตลอด {} ชั่วโมงไม่สูงขึ้นต่อเนื่อง", rules.ground_exit_hours),
    };
    Standing {
        severity,
        stale: track.is_stale(now, &inner.config.flood),
        raised_at: since,
        confidence: 0.5, // an extrapolation
        wells_in: 1,
        wells_out: 0,
        coverage: 1.0,
        rule: TIME_TO_GROUND.to_owned(),
        limit_value: Some(rules.horizon_hours),
        observed: Some(hours),
        texts: texts::write(story, &inner.config.contacts),
        evidence,
    }
}

/// An open or new condition of a well, with the flag that says so already, if any.
pub(crate) struct WellCondition<'a> {
    pub severity: Severity,
    pub steps: &'a [Met],
    pub open: Option<&'a ConditionFlag>,
}

pub(crate) fn well_standing(
    inner: &Inner,
    well: &Well,
    track: &FloodTrack,
    condition: &WellCondition<'_>,
    now: Timestamp,
    evidence: Value,
) -> Standing {
    let &WellCondition { severity, steps, open } = condition;
    let rules = &inner.config.flood;
    let by_ladder = steps.iter().find(|step| step.severity == severity).map(|step| (step.rule, step.limit_m));
    let met = track.met.map(|(met, _)| (met.rule.to_owned(), Some(met.limit_m)));
    let stored = open.filter(|open| open.severity == severity).map(|open| (open.rule.clone(), open.limit_value));
    let (rule, limit_value) = met
        .or(stored)
        .or(by_ladder.map(|(rule, limit)| (rule.to_owned(), Some(limit))))
        .unwrap_or_else(|| (FAILURE_TO_RECOVER.to_owned(), None));
    let confidence = match track.met.map(|(_, support)| support) {
        Some(Support::Rain | Support::Neighbour | Support::ReadingBefore) => 1.0,
        Some(Support::SecondInARow) => 0.8,
        Some(Support::NotNeeded) => 0.7,
        None => open.map_or(0.7, |open| open.confidence),
    };
    let since = open.map(|open| open.raised_at).or(track.since).unwrap_or(now);
    let deepest_limit = steps.iter().map(|step| step.limit_m).reduce(f64::max).or(limit_value);
    let depth = track.latest.map(|latest| latest.depth_m);
    let story = Story {
        hazard: Hazard::Flood,
        scope: Scope::Well,
        severity,
        place: &texts::well_text(well),
        wells: 1,
        wells_total: 1,
        since: Since::Instant(since),
        facts_en: facts_en(&rule, depth, limit_value),
        facts_th: facts_th(depth, limit_value),
        what_would_clear_it: match deepest_limit {
            Some(limit) => format!(
                "readings over {} h that are all deeper than {:.2} m below ground",
                rules.exit_hours,
                limit + rules.exit_margin_m
            ),
            None => "a level that falls again".to_owned(),
        },
        what_would_clear_it_th: match deepest_limit {
            Some(limit) => {
                format!("ค่าที่วัดได้ทุกค่าตลอด {} ชั่วโมงลึกกว่า {:.2} ม. จากผิวดิน", rules.exit_hours, limit + rules.exit_margin_m)
            }
            None => "ระดับน้ำลดลงอีกครั้ง".to_owned(),
        },
    };
    Standing {
        severity,
        stale: track.is_stale(now, rules),
        raised_at: since,
        confidence,
        wells_in: 1,
        wells_out: 0,
        coverage: 1.0,
        rule,
        limit_value,
        observed: depth,
        texts: texts::write(story, &inner.config.contacts),
        evidence,
    }
}

fn facts_en(rule: &str, depth: Option<f64>, limit: Option<f64>) -> String {
    let depth = depth.map_or("No reading".to_owned(), |depth| match depth {
        d if d < 0.0 => format!("Water stands {:.2} m above the ground", -d),
        d => format!("Water stands {d:.2} m below the ground"),
    });
    match limit {
        Some(limit) => format!("{depth} (rule {}, limit {limit:.2} m)", rule.replace('_', " ")),
        None => depth,
    }
}

fn facts_th(depth: Option<f64>, limit: Option<f64>) -> String {
    let depth = depth.map_or("ไม่มีค่าที่วัดได้".to_owned(), |depth| match depth {
        d if d < 0.0 => format!("ระดับน้ำสูงกว่าผิวดิน {:.2} ม.", -d),
        d => format!("ระดับน้ำลึก {d:.2} ม. จากผิวดิน"),
    });
    match limit {
        Some(limit) => format!("{depth} (เกณฑ์ {limit:.2} ม.)"),
        None => depth,
    }
}

/// A well of a place, with its present flag.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub well: Arc<Well>,
    pub flag: Option<ConditionFlag>,
    pub latest: Option<Timestamp>,
    pub danger_since: Option<Timestamp>,
}

pub(crate) type PlaceWells = Vec<Member>;

pub(crate) fn judge_place(
    inner: &Inner,
    scope: Scope,
    code: &str,
    members: &[Member],
    now: Timestamp,
) -> (FlagKey, Where, Judgement) {
    let key = FlagKey::new(Hazard::Flood, scope, code);
    let wells: Vec<FloodWell<'_>> = members
        .iter()
        .map(|member| FloodWell {
            district: member.well.district_code.as_deref(),
            severity: member.flag.as_ref().map(|flag| flag.severity),
        })
        .collect();
    let province = province_flood(&wells, &inner.config.flood_places);
    let severity = if scope == Scope::Province { province.severity } else { small_place_severity(&wells) };
    let in_danger: Vec<&Member> = members
        .iter()
        .filter(|member| member.flag.as_ref().is_some_and(|flag| flag.severity >= Severity::Severe))
        .collect();
    let danger_ids: Vec<&str> = in_danger.iter().map(|member| member.well.well_id.as_str()).collect();
    let stale_after = inner.config.flood.stale_hours * 3600;
    let is_fresh = |m: &Member| m.latest.is_some_and(|at| now.micros_since(at) <= stale_after * 1_000_000);
    let out = members.iter().filter(|m| !danger_ids.contains(&m.well.well_id.as_str())).map(|m| {
        let why = if is_fresh(m) { "deeper than its danger depth" } else { "no fresh reading" };
        (why.to_owned(), m.well.well_id.as_str())
    });
    let evidence = json!({
        "wells_that_may_speak": province.capable,
        "wells_out": crate::place_standing::wells_out(out),
        "wells_raised": province.raised,
        "wells_in_danger": province.in_danger,
        "districts_in_danger": province.districts,
        "wells": danger_ids,
    });
    let place = Where {
        province_code: members
            .first()
            .map_or_else(|| code.get(..2).unwrap_or(code).to_owned(), |m| m.well.province_code.clone()),
        district_code: match scope {
            Scope::District => Some(code.to_owned()),
            Scope::Subdistrict => members.first().and_then(|m| m.well.district_code.clone()),
            _ => None,
        },
        subdistrict_code: (scope == Scope::Subdistrict).then(|| code.to_owned()),
        well_id: None,
    };
    let Some(severity) = severity else {
        let mut evidence = evidence;
        crate::place_standing::put(&mut evidence, "reason", json!("no_well_in_danger"));
        return (key, place, Judgement::Nothing { evidence });
    };
    let fresh = members.iter().filter(|member| is_fresh(member)).count();
    let coverage = if members.is_empty() { 0.0 } else { fresh as f64 / members.len() as f64 };
    let stale = in_danger.iter().all(|member| member.flag.as_ref().is_some_and(|flag| flag.state == FlagState::Stale));
    // The well that made the place what it is came last.
    let newest = in_danger.iter().filter_map(|m| m.danger_since.or(m.flag.as_ref().map(|f| f.raised_at))).max();
    let since = inner.open_flag(&key).map(|open| open.raised_at).or(newest).unwrap_or(now);
    let named: Vec<String> = in_danger.iter().take(WELLS_NAMED).map(|member| member.well.well_id.to_string()).collect();
    let (rule, limit_value, observed) = if scope == Scope::Province {
        let rules = &inner.config.flood_places;
        let limit = match severity {
            Severity::Watch => 1,
            Severity::Warning => rules.warning_districts,
            Severity::Severe | Severity::Extreme => rules.severe_districts,
        };
        ("flood_districts_in_danger", f64::from(limit), f64::from(province.districts))
    } else {
        ("flood_well_in_danger", 1.0, f64::from(province.in_danger))
    };
    let story = Story {
        hazard: Hazard::Flood,
        scope,
        severity,
        place: &texts::place_text(scope, code),
        wells: province.in_danger,
        wells_total: province.capable,
        since: Since::Instant(since),
        facts_en: format!(
            "{} {} at danger depth in {} {}: {}",
            province.in_danger,
            texts::wells_word(province.in_danger),
            province.districts,
            if province.districts == 1 { "district" } else { "districts" },
            named.join(", ")
        ),
        facts_th: format!(
            "บ่อที่น้ำสูงถึงเกณฑ์อันตราย {} บ่อ ใน {} อำเภอ: {}",
            province.in_danger,
            province.districts,
            named.join(", ")
        ),
        what_would_clear_it: format!(
            "no well at danger depth: each falls {:.2} m below it for {} h",
            inner.config.flood.exit_margin_m, inner.config.flood.exit_hours
        ),
        what_would_clear_it_th: format!(
            "ไม่มีบ่อใดถึงเกณฑ์อันตราย โดยทุกบ่อลดลงต่ำกว่าเกณฑ์นั้น {:.2} ม. ตลอด {} ชั่วโมง",
            inner.config.flood.exit_margin_m, inner.config.flood.exit_hours
        ),
    };
    let confidences = in_danger.iter().filter_map(|m| m.flag.as_ref()).map(|flag| flag.confidence);
    let standing = Standing {
        severity,
        stale,
        raised_at: since,
        confidence: confidences.fold(0.0, f64::max),
        wells_in: province.in_danger,
        wells_out: province.capable - province.in_danger,
        coverage,
        rule: rule.to_owned(),
        limit_value: Some(limit_value),
        observed: Some(observed),
        texts: texts::write(story, &inner.config.contacts),
        evidence,
    };
    (key, place, Judgement::Stands(Box::new(standing)))
}
