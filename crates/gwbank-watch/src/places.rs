//! Drought of districts and provinces, and the drought flags of wells and places.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use gwbank_indicator::{
    BasedWell, Basis, DroughtClass, DroughtState, PlaceDrought, PlaceWell, Why, judge_place_with_basis,
};
use gwbank_model::condition::{Hazard, Scope};
use gwbank_model::{Month, Timestamp, WellId};
use gwbank_registry::{Registry, Well};
use gwbank_store::{IndicatorRow, WatchCommit};
use serde_json::json;

use crate::book::{FlagKey, Judgement, Standing, Where};
use crate::drought_flags::{half_low_since, low_since, replay};
use crate::error::WatchError;
use crate::monthly::by_place;
use crate::nearby::{self, Nearby};
use crate::place_standing::{
    PlaceCells, PlaceCondition, class_of, place_cells, place_evidence, place_row, place_standing, province_standing,
    put, wells_out,
};
use crate::rows::PLACE_INDICATORS;
use crate::series::{JUDGED_MONTHS, WellSeries};
use crate::silence_flags::is_silent_place;
use crate::texts::{self, Since, Story};
use crate::watch::Inner;
use crate::wells::{self, WithoutLevel};

/// Rows of places as they were written last, so that only changes are written.
#[derive(Debug, Default)]
pub(crate) struct PlaceMemory(HashMap<(Scope, String, Month), PlaceCells>);

/// One well that may carry drought, with what is known of it.
pub(crate) struct Member<'a> {
    pub well: &'a Arc<Well>,
    pub series: Option<Arc<WellSeries>>,
}

/// Judges the drought flags of the touched wells (or of all) and of the places that they lie in. Returns how many
/// indicator rows and flags changed.
pub(crate) async fn judge(
    inner: &Inner,
    registry: &Registry,
    memory: &mut PlaceMemory,
    touched: Option<&BTreeSet<WellId>>,
    latest: Month,
    now: Timestamp,
) -> Result<(usize, usize), WatchError> {
    inner.heard().await?;
    let without_level = inner.known_without_level();
    let is_touched = |well: &Arc<Well>| touched.is_none_or(|touched| touched.contains(&well.well_id));
    let mut judgements: Vec<(FlagKey, Where, Judgement)> = Vec::new();
    let mut told = Told { rows: Vec::new(), cells: Vec::new(), now };
    for (province, wells) in by_place(registry.wells().iter()) {
        if !wells.iter().any(|well| is_touched(well)) {
            continue;
        }
        let members: Vec<Member<'_>> = wells
            .into_iter()
            .filter(|well| wells::is_drought_capable(well, &without_level))
            .map(|well| Member { well, series: inner.series_of(&well.well_id) })
            .collect();
        for member in members.iter().filter(|member| is_touched(member.well)) {
            judgements.push(judge_well_flag(inner, member, latest));
        }
        let mut districts: BTreeMap<&str, Vec<&Member<'_>>> = BTreeMap::new();
        for member in &members {
            if let Some(district) = &member.well.district_code {
                districts.entry(district).or_default().push(member);
            }
        }
        let districts = districts.into_iter().map(|(code, members)| (Scope::District, code.to_owned(), members));
        let all = [(Scope::Province, province.clone(), members.iter().collect())];
        for (scope, code, members) in all.into_iter().chain(districts) {
            let months = place_months(inner, scope, &members, latest);
            told.add(inner, memory, (scope, &code, &province), &members, &months);
            if let Some((_, drought)) = months.last()
                && scope == Scope::Province
            {
                let is_short = matches!(drought.judged.why(), Some(Why::PlaceRecordShort { .. }));
                let nearby =
                    if is_short { nearby::find(inner, registry, &province, latest) } else { Nearby::default() };
                let standing = province_standing(&province, latest, drought, &members, nearby);
                inner.provinces.write().insert(province.clone(), standing);
            }
            judgements.push(judge_place_flag(inner, scope, &code, &province, &members, &months));
        }
        // Smaller places show their numbers; flags are the district's and the province's, so that nobody is told thrice.
        for (scope, code, members) in smaller_places(&members) {
            let months = place_months(inner, scope, &members, latest);
            told.add(inner, memory, (scope, code, &province), &members, &months);
        }
    }
    for (aquifer, members) in aquifers(inner, registry, &without_level) {
        if members.iter().any(|member| is_touched(member.well)) {
            let members: Vec<&Member<'_>> = members.iter().collect();
            let months = place_months(inner, Scope::Aquifer, &members, latest);
            told.add(inner, memory, (Scope::Aquifer, aquifer, ""), &members, &months);
        }
    }
    judgements.extend(orphans(inner, registry, &without_level, touched.is_none()));

    let Told { rows, cells, .. } = told;
    let row_count = rows.len();
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let indicators = rows.by_ref().take(inner.config.rows_per_commit.max(1)).collect();
        inner.metadata.commit_watch(WatchCommit { indicators, ..WatchCommit::default() }).await?;
    }
    memory.0.extend(cells);
    let changes = inner.apply(judgements, now).await?;
    Ok((row_count, changes))
}

/// Rows of places that differ from what was written last.
struct Told {
    rows: Vec<IndicatorRow>,
    cells: Vec<((Scope, String, Month), PlaceCells)>,
    now: Timestamp,
}

impl Told {
    /// `place`: scope, code and province; an aquifer lies in no province alone.
    fn add(
        &mut self,
        inner: &Inner,
        memory: &PlaceMemory,
        (scope, code, province): (Scope, &str, &str),
        members: &[&Member<'_>],
        months: &[(Month, PlaceDrought)],
    ) {
        for (month, drought) in months.iter().rev().take(inner.config.place_months as usize) {
            let cells = place_cells(members, *month, drought);
            let key = (scope, code.to_owned(), *month);
            let known = memory.0.get(&key);
            if known == Some(&cells) {
                continue;
            }
            for (index, (indicator, cell)) in PLACE_INDICATORS.into_iter().zip(cells).enumerate() {
                if known.is_none_or(|known| known[index] != cell) {
                    self.rows.push(place_row((scope, code, province), (indicator, *month), cell, self.now));
                }
            }
            self.cells.push((key, cells));
        }
    }
}

/// Subdistricts and local administrative organisations.
fn smaller_places<'a, 'w>(members: &'a [Member<'w>]) -> Vec<(Scope, &'w str, Vec<&'a Member<'w>>)> {
    let mut places: BTreeMap<(Scope, &'w str), Vec<&'a Member<'w>>> = BTreeMap::new();
    for member in members {
        let subdistrict = member.well.subdistrict_code.as_deref().map(|code| (Scope::Subdistrict, code));
        let lao = member.well.lao_code.as_deref().map(|code| (Scope::Lao, code));
        for place in subdistrict.into_iter().chain(lao) {
            places.entry(place).or_default().push(member);
        }
    }
    places.into_iter().map(|((scope, code), members)| (scope, code, members)).collect()
}

/// Wells by the aquifer that they are registered with, wherever they lie.
fn aquifers<'w>(
    inner: &Inner,
    registry: &'w Registry,
    without_level: &WithoutLevel,
) -> BTreeMap<&'w str, Vec<Member<'w>>> {
    let mut aquifers: BTreeMap<&str, Vec<Member<'_>>> = BTreeMap::new();
    for well in registry.wells().iter().filter(|well| wells::is_drought_capable(well, without_level)) {
        if let Some(aquifer) = &well.aquifer {
            aquifers.entry(aquifer).or_default().push(Member { well, series: inner.series_of(&well.well_id) });
        }
    }
    aquifers
}

/// Open drought flags of wells and places that may not speak of drought any more.
fn orphans(
    inner: &Inner,
    registry: &Registry,
    without_level: &WithoutLevel,
    all: bool,
) -> Vec<(FlagKey, Where, Judgement)> {
    if !all {
        return Vec::new();
    }
    let book = inner.book.lock();
    let open = book.flags().filter(|flag| flag.hazard == Hazard::Drought);
    open.filter(|flag| match flag.scope {
        Scope::Well => !registry.well(&flag.place).is_some_and(|well| wells::is_drought_capable(well, without_level)),
        Scope::District => !registry.wells().iter().any(|well| well.district_code.as_deref() == Some(&*flag.place)),
        Scope::Province => !registry.wells().iter().any(|well| well.province_code == flag.place),
        Scope::Subdistrict | Scope::Lao | Scope::Aquifer | Scope::Gateway => false,
    })
    .map(|flag| {
        let evidence = json!({ "reason": "not_applicable" });
        let key = FlagKey::new(flag.hazard, flag.scope, &flag.place);
        (key, Where::default(), Judgement::Nothing { evidence })
    })
    .collect()
}

fn judge_well_flag(inner: &Inner, member: &Member<'_>, latest: Month) -> (FlagKey, Where, Judgement) {
    let well = member.well;
    let key = FlagKey::new(Hazard::Drought, Scope::Well, well.well_id.as_str());
    let series = member.series.as_deref();
    let judged = |month: Month| series.and_then(|series| series.judged(month));
    let verdict = |month: Month| judged(month).and_then(|j| j.judgement.value()).map(|j| j.verdict());
    let open = inner.open_flag(&key);
    let state = replay(open.as_ref(), latest, latest.plus(1 - JUDGED_MONTHS), inner.config.closing, verdict);
    let latest_judged = judged(latest);
    let judgement = latest_judged.and_then(|j| j.judgement.value());
    let basis = latest_judged.map(|j| j.judgement.basis());
    let mut evidence = json!({
        "month": latest.to_string(),
        "rule": judgement.map(|j| j.rule),
        "observed": judgement.map(|j| j.observed),
        "limit": judgement.map(|j| j.limit),
        "class": judgement.map(|j| j.entry.name()),
        "held_class": judgement.map(|j| j.hold.name()),
        "dry": latest_judged.map(|j| j.standing.dry),
        "level": latest_judged.and_then(|j| j.standing.level),
        "n": basis.map(|b| b.n),
        "years": basis.map(|b| b.years),
    });
    let result = match state {
        DroughtState::Unknown => Judgement::Unknown { evidence },
        DroughtState::None { reason } => {
            put(&mut evidence, "reason", json!(reason));
            Judgement::Nothing { evidence }
        }
        DroughtState::Stands { severity, stale, since } => {
            put(&mut evidence, "since", json!(since.to_string()));
            let low_since = series.and_then(|series| low_since(series, latest, &inner.config.record.events));
            put(&mut evidence, "low_since", json!(low_since.map(|month| month.to_string())));
            let rules = &inner.config.drought;
            let by_percentile = judgement.is_some_and(|j| j.limit > 0.0);
            let (exit, exit_th) = match (by_percentile, judgement) {
                (true, Some(j)) => {
                    let percentile = j.limit + rules.percentile_exit;
                    (
                        format!("the percentile at or above {percentile:.0}"),
                        format!("เปอร์เซ็นไทล์ตั้งแต่ {percentile:.0} ขึ้นไป"),
                    )
                }
                _ => {
                    let sgi = rules.sgi_moderate + rules.sgi_exit;
                    (format!("an SGI above {sgi:.2}"), format!(" SGI สูงกว่า {sgi:.2}"))
                }
            };
            let (facts_en, facts_th) = well_facts(judgement, basis.map_or(0, |b| b.n), latest);
            let story = Story {
                hazard: Hazard::Drought,
                scope: Scope::Well,
                severity,
                place: &texts::well_text(well),
                wells: 1,
                wells_total: 1,
                since: Since::Closed { month: since, low_since },
                facts_en,
                facts_th,
                what_would_clear_it: format!("two closed months in a row with {exit}, not dry"),
                what_would_clear_it_th: format!("เดือนที่ปิดแล้วสองเดือนติดต่อกันมี{exit_th} และบ่อไม่แห้ง"),
            };
            Judgement::Stands(Box::new(Standing {
                severity,
                // What silence makes stale must have been raised: the closed month says so whoever is silent since.
                stale: stale || (open.is_some() && inner.silence.lock().silent.contains(&well.well_id)),
                raised_at: inner.config.closing.closes_at(since),
                confidence: basis.map_or(0.0, |b| b.confidence),
                wells_in: 1,
                wells_out: 0,
                coverage: 1.0,
                rule: format!("drought_{}", judgement.map_or("sgi", |j| j.rule)),
                limit_value: judgement.map(|j| j.limit),
                observed: judgement.map(|j| j.observed),
                texts: texts::write(story, &inner.config.contacts),
                evidence,
            }))
        }
    };
    (key, inner.where_is(well), result)
}

fn well_facts(judgement: Option<&gwbank_indicator::DroughtJudgement>, n: u32, month: Month) -> (String, String) {
    let (month_en, month_th) = texts::month_text(month);
    match judgement {
        None => (format!("No judgement for {month_en}"), format!("ไม่มีข้อมูลพอสำหรับเดือน{month_th}")),
        Some(j) if j.dry => (
            format!("The well was dry in {month_en} ({n} years of record)"),
            format!("บ่อแห้งในเดือน{month_th} (บันทึก {n} ปี)"),
        ),
        Some(j) if j.rule == "sgi" => (
            format!("SGI {:.2} in {month_en} ({n} years of record)", j.observed),
            format!("ดัชนี SGI {:.2} ในเดือน{month_th} (บันทึก {n} ปี)", j.observed),
        ),
        Some(j) => (
            format!("Percentile {:.0} in {month_en} ({n} years of record)", j.observed),
            format!("เปอร์เซ็นไทล์ {:.0} ในเดือน{month_th} (บันทึก {n} ปี)", j.observed),
        ),
    }
}

/// The judged closed months of a place, oldest first.
fn place_months(inner: &Inner, scope: Scope, members: &[&Member<'_>], latest: Month) -> Vec<(Month, PlaceDrought)> {
    let class = |member: &Member<'_>, month: Month| -> Option<DroughtClass> {
        let judged = member.series.as_deref()?.judged(month)?;
        judged.judgement.value().filter(|j| j.counts_for_places).map(|j| j.entry)
    };
    let record: Vec<u32> = members.iter().map(|m| m.series.as_deref().map_or(0, WellSeries::record_n)).collect();
    // The oldest kept month has no month before it.
    (latest.index() + 2 - JUDGED_MONTHS..=latest.index())
        .map(Month::from_index)
        .map(|month| {
            let wells: Vec<BasedWell<'_>> = members
                .iter()
                .zip(&record)
                .map(|(member, &record_n)| {
                    let judged = member.series.as_deref().and_then(|series| series.judged(month));
                    BasedWell {
                        well: PlaceWell {
                            part: part(scope, member.well),
                            class: class(member, month),
                            class_before: class(member, month.plus(-1)),
                            record_n,
                            dry: judged.is_some_and(|judged| judged.standing.dry),
                        },
                        basis: judged.map_or(Basis::NOTHING, |judged| judged.judgement.basis()),
                    }
                })
                .collect();
            (month, judge_place_with_basis(&wells, &inner.config.places))
        })
        .collect()
}

/// The part of a place that a well lies in. Of the smallest places each well is a part of its own.
pub(crate) fn part(scope: Scope, well: &Well) -> Option<&str> {
    match scope {
        Scope::District => well.subdistrict_code.as_deref(),
        Scope::Subdistrict | Scope::Lao | Scope::Well => Some(well.well_id.as_str()),
        _ => well.district_code.as_deref(),
    }
}

fn judge_place_flag(
    inner: &Inner,
    scope: Scope,
    code: &str,
    province: &str,
    members: &[&Member<'_>],
    months: &[(Month, PlaceDrought)],
) -> (FlagKey, Where, Judgement) {
    let key = FlagKey::new(Hazard::Drought, scope, code);
    // The months run up to the latest closed one without a gap and are never none.
    let first = months.first().map_or(Month::from_index(0), |(month, _)| *month);
    let latest = months.last().map_or(first, |(month, _)| *month);
    let found = |month: Month| usize::try_from(month.index() - first.index()).ok().and_then(|i| months.get(i));
    let verdict = |month: Month| found(month).and_then(|(_, drought)| drought.judged.value().copied());
    let open = inner.open_flag(&key);
    let state = replay(open.as_ref(), latest, first, inner.config.closing, verdict);
    let drought = found(latest).map(|(_, drought)| drought);
    let evidence_numbers = drought.map(|d| d.evidence).unwrap_or_default();
    let mut evidence = place_evidence(latest, drought, &evidence_numbers);
    let place = Where {
        province_code: province.to_owned(),
        district_code: (scope == Scope::District).then(|| code.to_owned()),
        subdistrict_code: None,
        well_id: None,
    };
    let judgement = match state {
        DroughtState::Unknown => Judgement::Unknown { evidence },
        DroughtState::None { reason } => {
            put(&mut evidence, "reason", json!(reason));
            Judgement::Nothing { evidence }
        }
        DroughtState::Stands { severity, stale, since } => {
            put(&mut evidence, "since", json!(since.to_string()));
            let at_class = || {
                members.iter().filter(|m| {
                    let judged = m.series.as_deref().and_then(|s| s.judged(latest)).and_then(|j| j.judgement.value());
                    judged.is_some_and(|j| j.entry >= class_of(severity))
                })
            };
            let wells_at_class: Vec<&str> = at_class().map(|member| member.well.well_id.as_str()).collect();
            put(&mut evidence, "wells", json!(wells_at_class));
            let out = members.iter().filter_map(|member| {
                let judged = member.series.as_deref().and_then(|s| s.judged(latest)).map(|j| &j.judgement);
                let why = match judged.map(|judgement| (judgement.value(), judgement.why())) {
                    Some((Some(value), _)) if value.entry >= class_of(severity) => return None,
                    Some((Some(_), _)) => "above the limit".to_owned(),
                    Some((None, Some(why))) => why.to_string(),
                    Some((None, None)) | None => "no level of the month".to_owned(),
                };
                Some((why, member.well.well_id.as_str()))
            });
            put(&mut evidence, "wells_out", wells_out(out));
            let events = &inner.config.record.events;
            let since_when = at_class().filter_map(|member| low_since(member.series.as_deref()?, latest, events));
            let low_since = half_low_since(since_when.collect());
            put(&mut evidence, "low_since", json!(low_since.map(|month| month.to_string())));
            let wells = members.iter().map(|member| member.well);
            let silent = open.is_some() && is_silent_place(inner, &inner.silence.lock().silent, wells);
            let condition = PlaceCondition { scope, code, severity, stale: stale || silent, since, low_since };
            let standing = place_standing(inner, &condition, drought, evidence);
            Judgement::Stands(Box::new(standing))
        }
    };
    (key, place, judgement)
}
