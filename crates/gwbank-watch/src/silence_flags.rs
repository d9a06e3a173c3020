//! No-data flags: wells, gateways and provinces that fell silent.
//!
//! # Rules
//! 1. What is silent is for [`gwbank_indicator::no_data`] to say. A gateway that sent anything at all speaks, whatever its
//!    wells do.
//! 2. A flag of a gateway stands in the place of those of its wells. A province hears of it only when more than half of
//!    its wells are silent.
//! 3. After a start nothing new is raised for an hour, or for the usual interval of the well: who was away is the server.
//! 4. A silent well's condition flags go stale; readings bring them back ([`crate::places`], [`crate::live`]).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use gwbank_indicator::no_data::{Heard, Silence, allowed_silence, silence, usual_interval};
use gwbank_model::condition::{FlagState, Hazard, Scope};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, GatewayId, Parameter, Timestamp, WellId};
use gwbank_notice::{english_time, thai_time};
use gwbank_registry::{Registry, Well};
use serde_json::{Value, json};

use crate::book::{FlagKey, Judgement, Standing, Where};
use crate::error::WatchError;
use crate::texts::{self, PlaceText, Since, Story};
use crate::watch::Inner;
use crate::wells;

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_SECONDS: i64 = 86_400;
/// How far back the usual interval of a silent well is looked for: first so many days, then so many for wells that are
/// read by hand.
const LOOKBACK_DAYS: [i64; 2] = [14, 400];
/// Readings that say what is usual.
const TIMES_MIN: usize = 4;
/// Wells named in a message.
const WELLS_NAMED: usize = 5;

/// What was found out of the end of a well's record; good until a newer reading comes.
#[derive(Debug, Clone)]
pub(crate) struct End {
    last: Timestamp,
    interval_micros: Option<i64>,
    gateway: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct SilenceState {
    ends: HashMap<WellId, End>,
    /// Wells that are silent now.
    pub silent: HashSet<WellId>,
}

/// Judges the silence of all wells. Returns how many flags changed.
pub(crate) async fn judge(inner: &Inner) -> Result<usize, WatchError> {
    let now = inner.now();
    let registry = inner.registry();
    let rules = inner.config.silence;
    let mut series: BTreeMap<WellId, Vec<(Timestamp, Parameter)>> = BTreeMap::new();
    for heard in inner.heard().await? {
        series.entry(heard.well_id).or_default().push((heard.time, heard.parameter));
    }
    let mut ends: BTreeMap<WellId, End> = BTreeMap::new();
    for (id, mut parameters) in series {
        if !registry.well(id.as_str()).is_some_and(|well| wells::is_active(well)) {
            continue;
        }
        parameters.sort_unstable();
        let Some(&(last, _)) = parameters.last() else { continue };
        let known = inner.silence.lock().ends.get(&id).filter(|end| end.last == last).cloned();
        let end = match known {
            Some(end) => end,
            // Nobody is silent so soon.
            None if now.micros_since(last) <= rules.hours_min * HOUR_MICROS => {
                End { last, interval_micros: None, gateway: None }
            }
            None => find_end(inner, &id, &parameters, last).await?,
        };
        ends.insert(id, end);
    }
    let speaking: HashSet<String> = inner
        .metadata
        .gateways()
        .await?
        .into_iter()
        .filter(|gateway| gateway.last_seen.is_some_and(|at| now.micros_since(at) <= rules.hours_min * HOUR_MICROS))
        .map(|gateway| gateway.gateway_id.as_str().to_owned())
        .collect();
    let heard: Vec<Heard<'_>> = ends
        .iter()
        .filter_map(|(id, end)| {
            let well = registry.well(id.as_str())?;
            Some(Heard {
                well: id.as_str(),
                gateway: end.gateway.as_deref().filter(|gateway| !speaking.contains(*gateway)),
                province: &well.province_code,
                last: Some(end.last),
                interval_micros: end.interval_micros,
            })
        })
        .collect();
    let found = silence(&heard, now, &rules);
    let silent: HashSet<WellId> = heard
        .iter()
        .filter(|well| well.silent_since(now, &rules).is_some())
        .filter_map(|well| WellId::new(well.well).ok())
        .collect();

    let mut judgements = raised(inner, &registry, &found, &ends, now);
    let standing: BTreeSet<FlagKey> = judgements.iter().map(|(key, ..)| key.clone()).collect();
    judgements.extend(ended(inner, &registry, &standing, &silent));
    judgements.extend(stale(inner, &registry, &silent, &ends));
    let changes = inner.apply(judgements, now).await?;
    let mut state = inner.silence.lock();
    // Only what took a reading of the record to find out.
    state.ends = ends.into_iter().filter(|(_, end)| end.interval_micros.is_some() || end.gateway.is_some()).collect();
    state.silent = silent;
    Ok(changes)
}

async fn find_end(
    inner: &Inner,
    well: &WellId,
    parameters: &[(Timestamp, Parameter)],
    last: Timestamp,
) -> Result<End, WatchError> {
    let mut end = End { last, interval_micros: None, gateway: None };
    for days in LOOKBACK_DAYS {
        for &(at, parameter) in parameters {
            let from = last.plus_secs(-days * DAY_SECONDS);
            if at < from {
                continue;
            }
            let found = inner.reader.series_end(well, parameter, from).await?;
            if found.times.len() >= TIMES_MIN {
                let interval = usual_interval(&found.times);
                end.interval_micros = end.interval_micros.into_iter().chain(interval).min();
            }
            // Levels that are converted here are as old as what they are converted from, whose sender counts; and a person who
            // corrects a reading has not heard of the well.
            let of_the_server = [Some(GatewayId::CONVERSION), Some(GatewayId::REVIEW)];
            if at == last && !of_the_server.contains(&found.gateway.as_deref()) {
                end.gateway = found.gateway;
            }
        }
        if end.interval_micros.is_some() {
            break;
        }
    }
    Ok(end)
}

fn raised(
    inner: &Inner,
    registry: &Registry,
    found: &Silence<'_>,
    ends: &BTreeMap<WellId, End>,
    now: Timestamp,
) -> Vec<(FlagKey, Where, Judgement)> {
    let rules = &inner.config.silence;
    let interval = |well: &str| {
        let id = WellId::new(well).ok()?;
        ends.get(&id)?.interval_micros
    };
    let mut judgements = Vec::new();
    for silent in &found.wells {
        let Some(well) = registry.well(silent.well) else { continue };
        let key = FlagKey::new(Hazard::NoData, Scope::Well, silent.well);
        let interval = interval(silent.well);
        if !may_raise(inner, &key, interval, now) {
            continue;
        }
        let story = Subject {
            scope: Scope::Well,
            place: texts::well_text(well),
            since: silent.since,
            allowed_micros: allowed_silence(interval, rules),
            wells: (1, 1),
            named: Vec::new(),
        };
        judgements.push((key, inner.where_is(well), story.stands(inner, now)));
    }
    for silent in &found.gateways {
        let Some(first) = silent.wells.first().and_then(|well| registry.well(well)) else { continue };
        let key = FlagKey::new(Hazard::NoData, Scope::Gateway, silent.gateway);
        let interval = silent.wells.iter().filter_map(|well| interval(well)).min();
        if !may_raise(inner, &key, interval, now) {
            continue;
        }
        let name = silent.gateway;
        let province = texts::place_text(Scope::Province, &first.province_code);
        let count = silent.wells.len() as u32;
        let story = Subject {
            scope: Scope::Gateway,
            place: PlaceText {
                en: format!("gateway {name}, {}", province.en),
                th: format!("เกตเวย์ {name} {}", province.th),
            },
            since: silent.since,
            allowed_micros: allowed_silence(interval, rules),
            wells: (count, count),
            named: silent.wells.clone(),
        };
        let place = Where { province_code: first.province_code.clone(), ..Where::default() };
        judgements.push((key, place, story.stands(inner, now)));
    }
    for silent in found.provinces.iter().filter(|province| province.told) {
        let key = FlagKey::new(Hazard::NoData, Scope::Province, silent.province);
        if !may_raise(inner, &key, None, now) {
            continue;
        }
        let of_province = |(id, end): (&WellId, &End)| {
            let well = registry.well(id.as_str()).filter(|well| well.province_code == silent.province)?;
            let allowed = allowed_silence(end.interval_micros, rules);
            (now.micros_since(end.last) > allowed).then(|| (end.last.plus_micros(allowed), well.well_id.as_str()))
        };
        // The one by which it became more than half came last.
        let mut fell: Vec<(Timestamp, &str)> = ends.iter().filter_map(of_province).collect();
        fell.sort_unstable();
        let majority = (silent.wells as f64 * rules.province_share).floor() as usize;
        let since = fell.get(majority).map_or(now, |(at, _)| *at);
        let story = Subject {
            scope: Scope::Province,
            place: texts::place_text(Scope::Province, silent.province),
            since,
            allowed_micros: 0,
            wells: (silent.silent as u32, silent.wells as u32),
            named: fell.iter().map(|(_, well)| *well).collect(),
        };
        let place = Where { province_code: silent.province.to_owned(), ..Where::default() };
        judgements.push((key, place, story.stands(inner, now)));
    }
    judgements
}

/// Rule 3. What is open stays.
fn may_raise(inner: &Inner, key: &FlagKey, interval_micros: Option<i64>, now: Timestamp) -> bool {
    let grace = interval_micros.unwrap_or(0).clamp(HOUR_MICROS, 24 * HOUR_MICROS);
    inner.open_flag(key).is_some() || now.micros_since(inner.opened_at) >= grace
}

/// Who is silent, and since when.
struct Subject<'a> {
    scope: Scope,
    place: PlaceText,
    since: Timestamp,
    allowed_micros: i64,
    /// Silent of all.
    wells: (u32, u32),
    named: Vec<&'a str>,
}

impl Subject<'_> {
    fn stands(self, inner: &Inner, now: Timestamp) -> Judgement {
        let Subject { scope, place, since, allowed_micros, wells: (silent, total), named } = self;
        let raised_at = since.plus_micros(allowed_micros);
        let hours = now.micros_since(since) / HOUR_MICROS;
        let time = |at: Timestamp| at.to_rfc3339(BANGKOK_OFFSET_SECONDS);
        let list = named.iter().take(WELLS_NAMED).copied().collect::<Vec<_>>().join(", ");
        let names = |words: &str| if list.is_empty() { String::new() } else { format!("{words}{list}") };
        let story = Story {
            hazard: Hazard::NoData,
            scope,
            severity: Silence::SEVERITY,
            place: &place,
            wells: silent,
            wells_total: total,
            since: Since::Instant(raised_at),
            facts_en: format!("Silent since {}{}", english_time(since), names("; wells ")),
            facts_th: format!("ขาดการติดต่อตั้งแต่วันที่ {}{}", thai_time(since), names(" บ่อ ")),
            what_would_clear_it: match scope {
                Scope::Province => "readings from half of the wells or more".to_owned(),
                _ => "a reading".to_owned(),
            },
            what_would_clear_it_th: match scope {
                Scope::Province => "มีค่าจากบ่อตั้งแต่ครึ่งหนึ่งขึ้นไป".to_owned(),
                _ => "มีค่าส่งเข้ามาอีกครั้ง".to_owned(),
            },
        };
        Judgement::Stands(Box::new(Standing {
            severity: Silence::SEVERITY,
            stale: false,
            raised_at,
            confidence: 1.0,
            wells_in: silent,
            wells_out: total - silent.min(total),
            coverage: 1.0,
            rule: format!("silence_{}", scope.name()),
            limit_value: (allowed_micros > 0).then_some(allowed_micros as f64 / HOUR_MICROS as f64),
            observed: Some(hours as f64),
            evidence: json!({
                "silent_since": time(since),
                "allowed_hours": allowed_micros as f64 / HOUR_MICROS as f64,
                "wells": named,
            }),
            texts: texts::write(story, &inner.config.contacts),
        }))
    }
}

/// Open no-data flags that stand no more.
fn ended(
    inner: &Inner,
    registry: &Registry,
    standing: &BTreeSet<FlagKey>,
    silent: &HashSet<WellId>,
) -> Vec<(FlagKey, Where, Judgement)> {
    let book = inner.book.lock();
    let open = book.flags().filter(|flag| flag.hazard == Hazard::NoData);
    open.map(|flag| FlagKey::new(Hazard::NoData, flag.scope, &flag.place))
        .filter(|key| !standing.contains(key))
        .map(|key| {
            let well: Option<&Arc<Well>> = registry.well(&key.place);
            let reason = match key.scope {
                Scope::Well if !well.is_some_and(|well| wells::is_active(well)) => "not_applicable",
                Scope::Well if well.is_some_and(|well| silent.contains(&well.well_id)) => "gateway_is_silent",
                _ => "data_resumed",
            };
            let evidence: Value = json!({ "reason": reason });
            (key, Where::default(), Judgement::Nothing { evidence })
        })
        .collect()
}

/// Whether so many of a place's wells are silent that what is left could not carry a judgement of it.
pub(crate) fn is_silent_place<'a>(
    inner: &Inner,
    silent: &HashSet<WellId>,
    wells: impl Iterator<Item = &'a Arc<Well>>,
) -> bool {
    let (mut all, mut speaking) = (0u32, 0u32);
    for well in wells {
        all += 1;
        speaking += u32::from(!silent.contains(&well.well_id));
    }
    all > 0 && f64::from(speaking) < inner.config.places.coverage_min * f64::from(all)
}

/// Drought flags of silent wells and places: those of high groundwater, rises and salinity look at their own readings.
fn stale(
    inner: &Inner,
    registry: &Registry,
    silent: &HashSet<WellId>,
    ends: &BTreeMap<WellId, End>,
) -> Vec<(FlagKey, Where, Judgement)> {
    let without_level = inner.known_without_level();
    let book = inner.book.lock();
    let open = book.flags().filter(|flag| flag.hazard == Hazard::Drought && flag.state == FlagState::Open);
    open.filter_map(|flag| {
        let lies_there = |well: &&Arc<Well>| match flag.scope {
            Scope::District => well.district_code.as_deref() == Some(&*flag.place),
            Scope::Province => well.province_code == flag.place,
            _ => false,
        };
        let evidence = match &flag.well_id {
            Some(well) => {
                let end = ends.get(well).filter(|_| silent.contains(well))?;
                json!({ "reason": "silent", "silent_since": end.last.to_rfc3339(BANGKOK_OFFSET_SECONDS) })
            }
            None => {
                let capable = |well: &&Arc<Well>| wells::is_drought_capable(well, &without_level) && lies_there(well);
                let is_silent = is_silent_place(inner, silent, registry.wells().iter().filter(capable));
                is_silent.then(|| json!({ "reason": "most_wells_are_silent" }))?
            }
        };
        Some((
            FlagKey::new(Hazard::Drought, flag.scope, &flag.place),
            Where::default(),
            Judgement::Unknown { evidence },
        ))
    })
    .collect()
}
