//! The live part: high groundwater at wells whose level changed, and at the places that they lie in.
//!
//! # Rules
//! 1. Each evaluation replays the recent readings of the well from the store, so a restart or a repeated call comes to
//!    the same state, and what arrived in which order is of no consequence.
//! 2. An open flag is followed on from the reading that raised it. Where that reading is gone, or was corrected so that
//!    it meets no limit, the readings are followed anew; if they raise nothing, the flag is cancelled as `late_data`.
//! 3. A raise needs a reading that was received in time and is still fresh ([`FloodTrack::is_live`]).
//! 4. Wells that wait for support are judged again when a neighbour in their district rises.
//! 5. Water on its way to the ground is a watch or warning of high groundwater beside the ladder of depths; a rise that the
//!    well does not usually have is a hazard of its own, for the operator.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use gwbank_indicator::flood::{
    FloodLimits, FloodReading, FloodTrack, Surroundings, counts, follow, ladder, late_micros,
};
use gwbank_indicator::rapid::{Rise, TimeToGround};
use gwbank_indicator::{WetSeason, season_highs};
use gwbank_model::condition::{FlagState, Hazard, Scope, Severity};
use gwbank_model::{Parameter, SiteStatus, Timestamp, WellId};
use gwbank_registry::{Registry, Well};
use gwbank_store::{ConditionFlag, WatchCommit};
use serde_json::json;

use crate::book::{FlagKey, Judgement, Where};
use crate::error::WatchError;
use crate::flood_flags::{self, PlaceWells, WellCondition};
use crate::rapid_flags;
use crate::rises::{self, Rises};
use crate::series::LEVEL_PARAMETERS;
use crate::watch::Inner;
use crate::wells::{self, WithoutLevel};

const HOUR_SECONDS: i64 = 3600;
/// Before a rapid change was raised: its longest window, and a little.
const RAPID_HOURS: i64 = 25;
/// An open flag is followed from its raising reading for so long; beyond, from its severity on.
pub(crate) const FOLLOW_DAYS_MAX: i64 = 10;
/// How many wells nearby are asked for rain when the well has no gauge.
const RAIN_GAUGES_ASKED: usize = 8;
/// Readings may be stamped a little ahead: what ingest lets pass.
const AHEAD_SECONDS: i64 = 600;

/// What an evaluation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveReport {
    pub wells: usize,
    pub flag_changes: usize,
}

/// What is remembered between evaluations; all of it is found again by evaluating every well.
#[derive(Debug, Default)]
pub(crate) struct LiveState {
    /// When each well stood at or above one of its limits.
    highs: HashMap<WellId, Vec<Timestamp>>,
    /// Wells in danger whose reading nothing supports yet.
    held: BTreeSet<WellId>,
    /// The latest reading of each well, for coverage.
    pub latest: HashMap<WellId, Timestamp>,
    /// When each well came to danger depth.
    pub danger_since: HashMap<WellId, Timestamp>,
    /// The rises whose rows were written last.
    told: HashMap<WellId, Rise<TimeToGround>>,
}

/// A well with what was read of it.
pub(crate) struct Followed {
    well: Arc<Well>,
    open: Option<ConditionFlag>,
    limits: FloodLimits,
    pub readings: Vec<FloodReading>,
    rain: Option<Vec<(Timestamp, f64)>>,
    inflow: Option<Vec<(Timestamp, f64)>>,
    pub rises: Rises,
}

pub(crate) fn watched_wells(inner: &Inner) -> Vec<WellId> {
    let registry = inner.registry();
    let watched = registry.wells().iter().filter(|well| wells::is_flood_watched(well));
    watched.map(|well| well.well_id.clone()).chain(flagged_wells(inner)).collect()
}

pub(crate) fn flagged_wells(inner: &Inner) -> Vec<WellId> {
    let book = inner.book.lock();
    let is_live = |hazard| matches!(hazard, Hazard::Flood | Hazard::RapidChange);
    let flags = book.flags().filter(|flag| is_live(flag.hazard) && flag.scope == Scope::Well);
    flags.filter_map(|flag| flag.well_id.clone()).collect()
}

pub(crate) async fn run(inner: &Inner, well_ids: &[WellId]) -> Result<LiveReport, WatchError> {
    let mut state = inner.live.lock().await;
    let now = inner.now();
    let registry = inner.registry();
    let without_level = inner.without_level().await?;
    let ids: BTreeSet<&WellId> = well_ids.iter().collect();
    let mut judgements = Vec::new();
    let mut provinces = BTreeSet::new();
    let mut due: Vec<Arc<Well>> = Vec::new();
    for id in ids {
        match registry.well(id.as_str()) {
            Some(well) if wells::is_flood_watched(well) => due.push(Arc::clone(well)),
            other => {
                for hazard in [Hazard::Flood, Hazard::RapidChange] {
                    let key = FlagKey::new(hazard, Scope::Well, id.as_str());
                    if let Some(open) = inner.open_flag(&key) {
                        provinces.insert(open.province_code);
                        let evidence = json!({ "reason": "not_applicable" });
                        judgements.push((key, Where::default(), Judgement::Nothing { evidence }));
                    }
                }
                if let Some(well) = other {
                    provinces.insert(well.province_code.clone());
                }
            }
        }
    }

    let mut followed = read_wells(inner, &registry, &due, now).await?;
    let risen = note_highs(inner, &mut state, &followed);
    let waiting: Vec<Arc<Well>> = state
        .held
        .iter()
        .filter(|id| !due.iter().any(|well| well.well_id == **id))
        .filter_map(|id| registry.well(id.as_str()))
        .filter(|well| well.district_code.as_ref().is_some_and(|district| risen.contains(district)))
        .cloned()
        .collect();
    let more = read_wells(inner, &registry, &waiting, now).await?;
    note_highs(inner, &mut state, &more);
    followed.extend(more);

    for well in &followed {
        provinces.insert(well.well.province_code.clone());
        judgements.push(judge_well(inner, &registry, &mut state, well, now));
        judgements.push(rapid_flags::judge_well(inner, &well.well, &well.rises, now));
    }
    write_rises(inner, &mut state, &followed, now).await?;
    let flag_changes = inner
        .apply_with_places(judgements, now, |changed| {
            judge_places(inner, (&registry, &without_level), &state, &provinces, changed, now)
        })
        .await?;
    Ok(LiveReport { wells: followed.len(), flag_changes })
}

async fn read_wells(
    inner: &Inner,
    registry: &Registry,
    due: &[Arc<Well>],
    now: Timestamp,
) -> Result<Vec<Followed>, WatchError> {
    stream::iter(due.iter().cloned())
        .map(|well| read_well(inner, registry, well, now))
        .buffered(inner.config.concurrent_reads.max(1))
        .try_collect()
        .await
}

pub(crate) async fn read_well(
    inner: &Inner,
    registry: &Registry,
    well: Arc<Well>,
    now: Timestamp,
) -> Result<Followed, WatchError> {
    let kind = wells::kind(&well);
    let hours =
        if kind.fills_by_design() { inner.config.bank_lookback_hours } else { inner.config.flood_lookback_hours };
    let lookback = now.plus_secs(-i64::from(hours) * HOUR_SECONDS);
    let open = inner.open_flag(&FlagKey::new(Hazard::Flood, Scope::Well, well.well_id.as_str()));
    let oldest = now.plus_secs(-FOLLOW_DAYS_MAX * 24 * HOUR_SECONDS);
    // What raised a flag of a rise lies before the reading that completed the rule.
    let rose_from = |open: &ConditionFlag| match open.rule.as_str() {
        flood_flags::TIME_TO_GROUND => open.raised_at.plus_secs(-2 * inner.config.rapid.steady_hours * HOUR_SECONDS),
        _ if open.hazard == Hazard::RapidChange => open.raised_at.plus_secs(-RAPID_HOURS * HOUR_SECONDS),
        _ => open.raised_at,
    };
    let rapid = inner.open_flag(&FlagKey::new(Hazard::RapidChange, Scope::Well, well.well_id.as_str()));
    let followed = [open.as_ref(), rapid.as_ref()].into_iter().flatten().filter(|open| open.raised_at >= oldest);
    let from = followed.map(rose_from).fold(lookback, Timestamp::min);

    let mut parameter = Parameter::DepthToWater;
    let mut readings = Vec::new();
    for candidate in LEVEL_PARAMETERS {
        parameter = candidate;
        readings = read_depths(inner, &well, candidate, from, now).await?;
        if !readings.is_empty() {
            break;
        }
    }
    let highs = match inner.series_of(&well.well_id) {
        Some(series) if series.parameter == parameter => {
            let season = WetSeason::of_province(&well.province_code);
            season_highs(season, &series.months, now.month(inner.config.closing.offset_seconds))
        }
        _ => Vec::new(),
    };
    let mut limits = wells::flood_limits(&well, &highs, parameter);
    keep_limits_of(&mut limits, open.as_ref(), inner.config.flood.record_seasons_min);
    let may_need_support = ladder(&limits, None, &inner.config.flood)
        .iter()
        .filter(|step| step.severity >= Severity::Severe)
        .any(|step| readings.iter().any(|reading| reading.depth_m <= step.limit_m));
    let (mut rain, mut inflow) = (None, None);
    if kind.fills_by_design() || may_need_support {
        rain = read_rain(inner, registry, &well, from).await?;
    }
    if kind.fills_by_design() {
        inflow = read_amounts(inner, &well.well_id, Parameter::RechargeFlow, from).await?;
    }
    let surroundings = Surroundings { rain: rain.as_deref(), inflow: inflow.as_deref(), neighbours: &[] };
    let rises = rises::find(inner, &well, parameter, &readings, &surroundings).await?;
    Ok(Followed { well, open, limits, readings, rain, inflow, rises })
}

/// While water is on its way to the ground, how fast and when it would be there: a row for each rise, at the instant
/// that began it.
async fn write_rises(
    inner: &Inner,
    state: &mut LiveState,
    followed: &[Followed],
    now: Timestamp,
) -> Result<(), WatchError> {
    let mut commit = WatchCommit::default();
    let mut told = Vec::new();
    for Followed { well, rises, .. } in followed {
        match rises.ground {
            Some(ground) if state.told.get(&well.well_id) != Some(&ground) => {
                commit.indicators.extend(rises::rows(well, &ground, now));
                told.push((well.well_id.clone(), ground));
            }
            Some(_) => {}
            None => {
                state.told.remove(&well.well_id);
            }
        }
    }
    if !commit.indicators.is_empty() {
        inner.metadata.commit_watch(commit).await?;
        state.told.extend(told);
    }
    Ok(())
}

/// Limits that are computed stay, for an open flag, what they were when it was raised: a restart or a new record must
/// not clear it.
fn keep_limits_of(limits: &mut FloodLimits, open: Option<&ConditionFlag>, seasons_min: usize) {
    let Some((open, limit)) = open.and_then(|open| Some((open, open.limit_value?))) else { return };
    match open.rule.as_str() {
        flood_flags::RECORD_HIGH => limits.record = Some((limit, seasons_min)),
        flood_flags::FAILURE_TO_RECOVER => limits.recovery_depth_m = Some(limit),
        _ => {}
    }
}

pub(crate) async fn read_depths(
    inner: &Inner,
    well: &Well,
    parameter: Parameter,
    from: Timestamp,
    now: Timestamp,
) -> Result<Vec<FloodReading>, WatchError> {
    // An elevation says nothing about depth where the ground is not surveyed.
    if parameter == Parameter::GroundwaterElevation && well.ground_elevation.is_none() {
        return Ok(Vec::new());
    }
    let ground = well.ground_elevation.unwrap_or(0.0);
    let rows = inner.reader.rows_since(&well.well_id, parameter, from).await?;
    let ahead = now.plus_secs(AHEAD_SECONDS);
    let readings = rows.iter().filter(|row| row.time <= ahead && counts(row.quality, row.qc_tests));
    let undisturbed =
        readings.filter(|row| matches!(row.site_status, None | Some(SiteStatus::Ok | SiteStatus::Flowing)));
    Ok(undisturbed
        .filter_map(|row| {
            let value = row.value()?;
            let depth_m = if parameter == Parameter::GroundwaterElevation { ground - value } else { value };
            Some(FloodReading { time: row.time, depth_m, received_at: row.seq.received_at() })
        })
        .collect())
}

/// Rain at the well, else at the first well of its district that measures rain.
async fn read_rain(
    inner: &Inner,
    registry: &Registry,
    well: &Well,
    from: Timestamp,
) -> Result<Option<Vec<(Timestamp, f64)>>, WatchError> {
    let from = from.plus_secs(-24 * HOUR_SECONDS);
    let in_district = registry
        .wells()
        .iter()
        .filter(|other| well.district_code.is_some() && other.district_code == well.district_code)
        .filter(|other| other.well_id != well.well_id)
        .map(|other| &other.well_id);
    for gauge in std::iter::once(&well.well_id).chain(in_district.take(RAIN_GAUGES_ASKED)) {
        if let Some(rain) = read_amounts(inner, gauge, Parameter::Rainfall, from).await? {
            return Ok(Some(rain));
        }
    }
    Ok(None)
}

/// `None` where the well does not measure it.
async fn read_amounts(
    inner: &Inner,
    well: &WellId,
    parameter: Parameter,
    from: Timestamp,
) -> Result<Option<Vec<(Timestamp, f64)>>, WatchError> {
    let rows = inner.reader.rows_since(well, parameter, from).await?;
    let amounts = rows.iter().filter(|row| counts(row.quality, row.qc_tests));
    let amounts: Vec<(Timestamp, f64)> = amounts.filter_map(|row| Some((row.time, row.value()?))).collect();
    Ok((!amounts.is_empty()).then_some(amounts))
}

/// Notes when each well stood high and returns the districts in which one does.
fn note_highs(inner: &Inner, state: &mut LiveState, followed: &[Followed]) -> BTreeSet<String> {
    let mut districts = BTreeSet::new();
    for Followed { well, limits, readings, .. } in followed {
        let steps = ladder(limits, None, &inner.config.flood);
        let is_high = |reading: &&FloodReading| steps.iter().any(|step| reading.depth_m <= step.limit_m);
        let highs: Vec<Timestamp> = readings.iter().filter(is_high).map(|reading| reading.time).collect();
        if highs.is_empty() {
            state.highs.remove(&well.well_id);
        } else {
            districts.extend(well.district_code.clone());
            state.highs.insert(well.well_id.clone(), highs);
        }
        if let Some(latest) = readings.last() {
            state.latest.insert(well.well_id.clone(), latest.time);
        }
    }
    districts
}

fn judge_well(
    inner: &Inner,
    registry: &Registry,
    state: &mut LiveState,
    followed: &Followed,
    now: Timestamp,
) -> (FlagKey, Where, Judgement) {
    let Followed { well, open, limits, readings, rain, inflow, rises } = followed;
    let rules = &inner.config.flood;
    let key = FlagKey::new(Hazard::Flood, Scope::Well, well.well_id.as_str());
    let neighbours = neighbour_highs(registry, state, well);
    let surroundings = Surroundings { rain: rain.as_deref(), inflow: inflow.as_deref(), neighbours: &neighbours };
    let follow_from =
        |initial, readings: &[FloodReading]| follow(wells::kind(well), initial, readings, limits, &surroundings, rules);
    let steps = ladder(limits, None, rules);
    let mut raise_is_gone = false;
    let track = match open {
        None => follow_from(None, readings),
        Some(open) => {
            let before = readings.first().is_none_or(|first| open.raised_at < first.time);
            let at = readings.partition_point(|reading| reading.time < open.raised_at);
            let raising = readings.get(at).filter(|reading| reading.time == open.raised_at);
            // Failure to recover has no fixed limit to compare with.
            let no_fixed_limit = open.rule == flood_flags::FAILURE_TO_RECOVER;
            let still_meets = |reading: &FloodReading| steps.iter().any(|step| reading.depth_m <= step.limit_m);
            if before {
                follow_from(Some(open.severity), readings)
            } else if raising.is_some_and(|reading| no_fixed_limit || still_meets(reading)) {
                follow_from(Some(open.severity), &readings[at..])
            } else {
                raise_is_gone = true;
                follow_from(None, readings)
            }
        }
    };

    let worst_met = readings.last().and_then(|latest| steps.iter().find(|step| latest.depth_m <= step.limit_m));
    let waits = worst_met.is_some_and(|met| met.severity >= Severity::Severe && Some(met.severity) > track.severity);
    if waits {
        state.held.insert(well.well_id.clone());
    } else {
        state.held.remove(&well.well_id);
    }
    note_danger(state, well, &track, open.as_ref());

    let evidence = flood_flags::well_evidence(&track, well, rises.ground.as_ref());
    let rises_to_ground = open.as_ref().is_some_and(|open| open.rule == flood_flags::TIME_TO_GROUND);
    let judgement = match (track.severity, open) {
        (None, _) if let Some(ground) = &rises.ground => {
            let is_live = now.micros_since(ground.last.at) <= late_micros(track.interval_micros, rules);
            if is_live || open.is_some() {
                let standing = flood_flags::ground_standing(inner, well, &track, ground, open.as_ref(), now, evidence);
                Judgement::Stands(Box::new(standing))
            } else {
                Judgement::Unknown { evidence }
            }
        }
        (None, Some(_)) if rises_to_ground && track.latest.is_none() => Judgement::Unknown { evidence },
        (Some(_), None) if !track.is_live(now, rules) => Judgement::Unknown { evidence },
        (Some(severity), _) => {
            let condition = WellCondition { severity, steps: &steps, open: open.as_ref() };
            let standing = flood_flags::well_standing(inner, well, &track, &condition, now, evidence);
            Judgement::Stands(Box::new(standing))
        }
        (None, _) => {
            let reason = match () {
                () if rises_to_ground => "no_rise_for_six_hours",
                () if raise_is_gone => "late_data",
                () => "six_hours_below_limit",
            };
            let mut evidence = evidence;
            crate::place_standing::put(&mut evidence, "reason", json!(reason));
            Judgement::Nothing { evidence }
        }
    };
    (key, inner.where_is(well), judgement)
}

fn neighbour_highs(registry: &Registry, state: &LiveState, well: &Well) -> Vec<Timestamp> {
    let Some(district) = &well.district_code else { return Vec::new() };
    let in_district =
        |id: &WellId| registry.well(id.as_str()).is_some_and(|other| other.district_code.as_ref() == Some(district));
    let others = state.highs.iter().filter(|(id, _)| **id != well.well_id && in_district(id));
    let mut times: Vec<Timestamp> = others.flat_map(|(_, times)| times.iter().copied()).collect();
    times.sort_unstable();
    times
}

fn note_danger(state: &mut LiveState, well: &Well, track: &FloodTrack, open: Option<&ConditionFlag>) {
    let danger = Some(Severity::Severe);
    if track.severity < danger {
        state.danger_since.remove(&well.well_id);
        return;
    }
    let came = track.steps.iter().rev().find(|step| step.to >= danger && step.from < danger).map(|step| step.at);
    let known = state.danger_since.get(&well.well_id).copied();
    if let Some(since) = came.or(known).or(open.map(|open| open.raised_at)) {
        state.danger_since.insert(well.well_id.clone(), since);
    }
}

/// Subdistricts, districts and provinces from their wells, as the book will be.
fn judge_places(
    inner: &Inner,
    (registry, without_level): (&Registry, &WithoutLevel),
    state: &LiveState,
    provinces: &BTreeSet<String>,
    changed: &HashMap<FlagKey, ConditionFlag>,
    now: Timestamp,
) -> Vec<(FlagKey, Where, Judgement)> {
    let flag_of = |well: &Well| {
        let key = FlagKey::new(Hazard::Flood, Scope::Well, well.well_id.as_str());
        let flag = changed.get(&key).cloned().or_else(|| inner.open_flag(&key));
        flag.filter(|flag| flag.state != FlagState::Closed)
    };
    // A well without limits counts once it has a flag.
    let mut places: BTreeMap<(Scope, String), PlaceWells> = BTreeMap::new();
    for well in registry.wells().iter().filter(|well| provinces.contains(&well.province_code)) {
        let flag = flag_of(well);
        if !wells::is_flood_capable(well, without_level) && flag.is_none() {
            continue;
        }
        let member = flood_flags::Member {
            well: Arc::clone(well),
            flag,
            latest: state.latest.get(&well.well_id).copied(),
            danger_since: state.danger_since.get(&well.well_id).copied(),
        };
        let codes = [
            (Scope::Subdistrict, well.subdistrict_code.clone()),
            (Scope::District, well.district_code.clone()),
            (Scope::Province, Some(well.province_code.clone())),
        ];
        for (scope, code) in codes {
            if let Some(code) = code {
                places.entry((scope, code)).or_default().push(member.clone());
            }
        }
    }
    // Open flags of places that have no such well any more.
    for flag in inner.book.lock().flags().filter(|f| f.hazard == Hazard::Flood && f.scope != Scope::Well) {
        if provinces.contains(&flag.province_code) {
            places.entry((flag.scope, flag.place.clone())).or_default();
        }
    }
    places
        .into_iter()
        .map(|((scope, code), members)| flood_flags::judge_place(inner, scope, &code, &members, now))
        .collect()
}
