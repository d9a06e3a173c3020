//! Salinity flags of wells, districts and provinces, from the tracks that the records keep.
//!
//! # Rules
//! 1. A well's flag is its track's severity ([`gwbank_indicator::salinity`]); it is raised at the end of the day that
//!    completed the rule.
//! 2. Places count wells and never a share ([`gwbank_indicator::PlaceSalinity`]).
//! 3. Samples that stay away make a flag stale; only samples end it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gwbank_indicator::PlaceSalinity;
use gwbank_indicator::no_data::{SilenceRules, fresh_for};
use gwbank_indicator::salinity::{DisplayClass, SalinityRules};
use gwbank_model::condition::{FlagState, Hazard, Scope, Severity};
use gwbank_model::{Timestamp, WellId};
use gwbank_registry::{Registry, Well};
use gwbank_store::ConditionFlag;
use serde_json::{Value, json};

use crate::book::{FlagKey, Judgement, Standing, Where};
use crate::error::WatchError;
use crate::record::SalinityMemory;
use crate::texts::{self, Since, Story};
use crate::watch::Inner;
use crate::wells;

const DAY_SECONDS: i64 = 86_400;
/// Wells named in a place's message.
const WELLS_NAMED: usize = 5;

/// Judges the touched wells (or all) and their places. Returns how many flags changed.
pub(crate) async fn judge(
    inner: &Inner,
    registry: &Registry,
    touched: Option<&BTreeSet<WellId>>,
    now: Timestamp,
) -> Result<usize, WatchError> {
    if !inner.records_complete.load(Ordering::Acquire) {
        // Places would be judged by the wells that happen to be known so far.
        return Ok(0);
    }
    let mut judgements = Vec::new();
    let mut provinces: BTreeSet<String> = BTreeSet::new();
    let records: HashMap<WellId, Arc<SalinityMemory>> = inner
        .records
        .read()
        .iter()
        .filter_map(|(well, memory)| Some((well.clone(), memory.salinity.clone()?)))
        .collect();
    for well in registry.wells() {
        let id = &well.well_id;
        let key = FlagKey::new(Hazard::Salinity, Scope::Well, id.as_str());
        let open = inner.open_flag(&key);
        let salinity = records.get(id).filter(|_| wells::is_active(well));
        if touched.is_some_and(|touched| !touched.contains(id)) || (open.is_none() && salinity.is_none()) {
            continue;
        }
        let judgement = match salinity {
            Some(salinity) => judge_well(inner, well, salinity, open.as_ref(), now),
            // Not looked at yet is not nothing.
            None if wells::is_active(well) && inner.record_of(id).is_none() => continue,
            None => Judgement::Nothing { evidence: json!({ "reason": "not_applicable" }) },
        };
        // Most wells have no flag and get none: their places are as they were.
        if open.is_some() || matches!(judgement, Judgement::Stands(_)) {
            provinces.insert(well.province_code.clone());
            judgements.push((key, inner.where_is(well), judgement));
        }
    }
    judgements.extend(unregistered(inner, registry));
    {
        let book = inner.book.lock();
        let open = book.flags().filter(|flag| flag.hazard == Hazard::Salinity && touched.is_none());
        provinces.extend(open.map(|flag| flag.province_code.clone()));
    }
    inner
        .apply_with_places(judgements, now, |changed| judge_places(inner, registry, &records, &provinces, changed, now))
        .await
}

/// Open flags of wells that nobody knows any more.
fn unregistered(inner: &Inner, registry: &Registry) -> Vec<(FlagKey, Where, Judgement)> {
    let book = inner.book.lock();
    let flags = book.flags().filter(|flag| flag.hazard == Hazard::Salinity && flag.scope == Scope::Well);
    flags
        .filter(|flag| registry.well(&flag.place).is_none())
        .map(|flag| {
            let evidence = json!({ "reason": "not_applicable" });
            let key = FlagKey::new(Hazard::Salinity, Scope::Well, &flag.place);
            (key, Where::default(), Judgement::Nothing { evidence })
        })
        .collect()
}

fn judge_well(
    inner: &Inner,
    well: &Well,
    salinity: &SalinityMemory,
    open: Option<&ConditionFlag>,
    now: Timestamp,
) -> Judgement {
    let rules = &inner.config.record.salinity;
    let track = &salinity.track;
    let evidence = evidence(salinity, rules);
    let stale = is_stale(salinity, rules, &inner.config.silence, now);
    let Some((severity, now_at)) = track.severity.zip(track.now) else {
        if track.now.is_none() {
            return Judgement::Unknown { evidence };
        }
        // A flag whose raise is gone was taken back by late data; else the samples ended it.
        let raised_still = track.steps.iter().any(|step| step.from.is_none());
        let mut evidence = evidence;
        let reason = if raised_still { "fourteen_days_below_limit" } else { "late_data" };
        crate::place_standing::put(&mut evidence, "reason", json!(reason));
        return Judgement::Nothing { evidence };
    };
    let met = track.steps.iter().rev().find_map(|step| step.met.filter(|met| met.severity == severity));
    let since_day = track.since.unwrap_or(now_at.day);
    let since = since_day.start(rules.offset_seconds).plus_secs(DAY_SECONDS);
    let raised_at = open.map_or(since, |open| open.raised_at);
    let limit = met.map(|met| met.limit_us_cm);
    let baseline = salinity.baseline();
    let (class_en, class_th) = display(now_at.display);
    let usual = |text: &str, tail: &str| baseline.map_or(String::new(), |b| format!("{text}{:.0}{tail}", b.ec_25));
    let story = Story {
        hazard: Hazard::Salinity,
        scope: Scope::Well,
        severity,
        place: &texts::well_text(well),
        wells: 1,
        wells_total: 1,
        since: Since::Instant(raised_at),
        facts_en: format!(
            "Conductivity {:.0} µS/cm, {class_en} water{}",
            now_at.ec_25,
            usual(" (usually ", " in this season)")
        ),
        facts_th: format!(
            "ค่าการนำไฟฟ้า {:.0} ไมโครซีเมนส์/ซม. น้ำ{class_th}{}",
            now_at.ec_25,
            usual(" (ปกติของฤดูกาล ", ")")
        ),
        what_would_clear_it: match limit {
            Some(limit) => format!(
                "{} days with the median of {} days below {:.0} µS/cm",
                rules.exit_days,
                rules.window_days,
                limit * (1.0 - rules.exit_margin_share)
            ),
            None => format!("{} days below the limit", rules.exit_days),
        },
        what_would_clear_it_th: match limit {
            Some(limit) => format!(
                "ค่ามัธยฐาน {} วันต่ำกว่า {:.0} ไมโครซีเมนส์/ซม. ติดต่อกัน {} วัน",
                rules.window_days,
                limit * (1.0 - rules.exit_margin_share),
                rules.exit_days
            ),
            None => format!("ค่าต่ำกว่าเกณฑ์ติดต่อกัน {} วัน", rules.exit_days),
        },
    };
    Judgement::Stands(Box::new(Standing {
        severity,
        stale,
        raised_at,
        confidence: baseline.map_or(0.0, |b| (b.values as f64 / FULL_BASELINE_DAYS).min(1.0)),
        wells_in: 1,
        wells_out: 0,
        coverage: 1.0,
        rule: format!("salinity_{}", met.map_or("rise", |met| met.rule)),
        limit_value: limit,
        observed: Some(now_at.ec_25),
        texts: texts::write(story, &inner.config.contacts),
        evidence,
    }))
}

/// Days of a baseline that give full confidence: two half-years of a probe.
const FULL_BASELINE_DAYS: f64 = 365.0;

fn display(class: DisplayClass) -> (&'static str, &'static str) {
    match class {
        DisplayClass::Fresh => ("fresh", "จืด"),
        DisplayClass::Brackish => ("brackish", "กร่อย"),
        DisplayClass::Saline => ("saline", "เค็ม"),
    }
}

fn is_stale(salinity: &SalinityMemory, rules: &SalinityRules, silence: &SilenceRules, now: Timestamp) -> bool {
    let Some(latest) = salinity.latest else { return true };
    let interval = i64::from(salinity.interval_days) * DAY_SECONDS * 1_000_000;
    let allowed = fresh_for(Hazard::Salinity, Some(interval), silence);
    let end = latest.start(rules.offset_seconds).plus_secs(DAY_SECONDS);
    now.micros_since(end) > allowed
}

fn evidence(salinity: &SalinityMemory, rules: &SalinityRules) -> Value {
    let day =
        |day: gwbank_model::Day| day.start(rules.offset_seconds).to_rfc3339(rules.offset_seconds)[..10].to_owned();
    let track = &salinity.track;
    let baseline = salinity.baseline();
    json!({
        "parameter": salinity.source.name(),
        "day": track.now.map(|now| day(now.day)),
        "median_us_cm": track.now.map(|now| now.ec_25),
        "dissolved_solids_mg_l": track.now.map(|now| now.tds_mg_l),
        "class": track.now.map(|now| now.science.name()),
        "always_saline": track.now.map(|now| now.always_saline),
        "baseline_us_cm": baseline.map(|baseline| baseline.ec_25),
        "baseline_days": baseline.map(|baseline| baseline.values),
        "steps": track.steps.iter().rev().take(6).rev().map(|step| json!({
            "day": day(step.day),
            "median_us_cm": step.ec_25,
            "from": step.from.map(Severity::name),
            "to": step.to.map(Severity::name),
            "rule": step.met.map(|met| met.rule),
            "limit_us_cm": step.met.map(|met| met.limit_us_cm),
        })).collect::<Vec<_>>(),
    })
}

/// A well of a place, with its flag.
type Member<'a> = (&'a Arc<Well>, Option<ConditionFlag>);

/// Districts and provinces, as the book will be.
fn judge_places(
    inner: &Inner,
    registry: &Registry,
    records: &HashMap<WellId, Arc<SalinityMemory>>,
    provinces: &BTreeSet<String>,
    changed: &HashMap<FlagKey, ConditionFlag>,
    now: Timestamp,
) -> Vec<(FlagKey, Where, Judgement)> {
    let flag_of = |well: &Well| {
        let key = FlagKey::new(Hazard::Salinity, Scope::Well, well.well_id.as_str());
        let flag = changed.get(&key).cloned().or_else(|| inner.open_flag(&key));
        flag.filter(|flag| flag.state != FlagState::Closed)
    };
    let mut places: BTreeMap<(Scope, String), Vec<Member<'_>>> = BTreeMap::new();
    let measured = |well: &&Arc<Well>| provinces.contains(&well.province_code) && records.contains_key(&well.well_id);
    for well in registry.wells().iter().filter(measured) {
        let codes =
            [(Scope::District, well.district_code.clone()), (Scope::Province, Some(well.province_code.clone()))];
        for (scope, code) in codes {
            if let Some(code) = code {
                places.entry((scope, code)).or_default().push((well, flag_of(well)));
            }
        }
    }
    for flag in inner.book.lock().flags().filter(|f| f.hazard == Hazard::Salinity && f.scope != Scope::Well) {
        if provinces.contains(&flag.province_code) {
            places.entry((flag.scope, flag.place.clone())).or_default();
        }
    }
    places.into_iter().map(|((scope, code), members)| judge_place(inner, scope, &code, &members, now)).collect()
}

fn judge_place(
    inner: &Inner,
    scope: Scope,
    code: &str,
    members: &[Member<'_>],
    now: Timestamp,
) -> (FlagKey, Where, Judgement) {
    let key = FlagKey::new(Hazard::Salinity, scope, code);
    let found = PlaceSalinity::of(scope, members.iter().map(|(_, flag)| flag.as_ref().map(|flag| flag.severity)));
    let is_counted = |flag: &&ConditionFlag| flag.severity >= PlaceSalinity::COUNTED_FROM;
    let counted: Vec<(&Arc<Well>, &ConditionFlag)> =
        members.iter().filter_map(|(well, flag)| Some((*well, flag.as_ref().filter(is_counted)?))).collect();
    let names: Vec<&str> = counted.iter().map(|(well, _)| well.well_id.as_str()).collect();
    let out = members.iter().filter(|(well, _)| !names.contains(&well.well_id.as_str()));
    let out = out.map(|(well, _)| ("not turning saline, or at watch".to_owned(), well.well_id.as_str()));
    let mut evidence = json!({
        "wells_out": crate::place_standing::wells_out(out),
        "wells_that_measure": found.measuring,
        "wells_counted": found.counted,
        "wells_severe": found.severe,
        "wells": names,
    });
    let place = Where {
        province_code: members
            .first()
            .map_or_else(|| code.get(..2).unwrap_or(code).to_owned(), |(well, _)| well.province_code.clone()),
        district_code: (scope == Scope::District).then(|| code.to_owned()),
        subdistrict_code: None,
        well_id: None,
    };
    let Some(severity) = found.severity else {
        crate::place_standing::put(&mut evidence, "reason", json!("no_well_turning_saline"));
        return (key, place, Judgement::Nothing { evidence });
    };
    let newest = counted.iter().map(|(_, flag)| flag.raised_at).max();
    let raised_at = inner.open_flag(&key).map(|open| open.raised_at).or(newest).unwrap_or(now);
    let (wells_in, total) = (found.counted, found.measuring);
    let named = names.iter().take(WELLS_NAMED).copied().collect::<Vec<_>>().join(", ");
    let story = Story {
        hazard: Hazard::Salinity,
        scope,
        severity,
        place: &texts::place_text(scope, code),
        wells: wells_in,
        wells_total: total,
        since: Since::Instant(raised_at),
        facts_en: format!("Wells turning saline: {named}"),
        facts_th: format!("บ่อที่น้ำเค็มขึ้น: {named}"),
        what_would_clear_it: "no well at warning or worse for salinity".to_owned(),
        what_would_clear_it_th: "ไม่มีบ่อที่น้ำเค็มขึ้นตั้งแต่ระดับควรตรวจสอบ".to_owned(),
    };
    let standing = Standing {
        severity,
        stale: counted.iter().all(|(_, flag)| flag.state == FlagState::Stale),
        raised_at,
        confidence: counted.iter().map(|(_, flag)| flag.confidence).fold(0.0, f64::max),
        wells_in,
        wells_out: total.saturating_sub(wells_in),
        coverage: 1.0,
        rule: "salinity_wells".to_owned(),
        limit_value: Some(1.0),
        observed: Some(f64::from(wells_in)),
        texts: texts::write(story, &inner.config.contacts),
        evidence,
    };
    (key, place, Judgement::Stands(Box::new(standing)))
}
