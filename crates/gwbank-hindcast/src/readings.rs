//! Floods and salt of wells, from readings that the caller hands in.
//!
//! # Rules
//! 1. Floods go through [`gwbank_indicator::flood::follow`]: it raises by measurement and receipt, so a reading that came late
//!    raises nothing here as it did not then. A change is written at the receipt of the reading that made it.
//! 2. The record high of a well without limits is that of the wet seasons before each reading's season, by the months known
//!    when the season's first reading was taken. So such a well is followed season by season; any other in one go.
//! 3. Subdistricts, districts and provinces follow from their wells' flags at every change, as in the live watch.
//! 4. Salt goes through [`gwbank_indicator::salinity::follow`], whose baseline is of earlier seasons only. Readings that came
//!    after their own month had closed are left out: nobody saw them in time. The live watch has no salinity flag yet; these
//!    are what its rules would give.
//! 5. Flags that were raised before `from` are left out; what was known after `to` is not there.
//!
//! # Known weaknesses
//! Silence is not replayed, so no flood flag goes stale. Usual intervals are medians over the whole stretch, where the live
//! watch has those of the last days. Neighbours' warnings do not support a reading here.

use std::collections::{BTreeMap, BTreeSet};

use gwbank_indicator::flood::{FloodLimits, FloodReading, FloodStep, Surroundings, follow};
use gwbank_indicator::{
    FloodWell, MonthlyLevel, Sense, WetSeason, province_flood, salinity, season_highs, small_place_severity,
};
use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_model::{Month, Timestamp};
use gwbank_registry::Well;

use crate::config::{HindcastConfig, is_flood_capable, is_flood_watched, kind};
use crate::episode::{Episode, Evidence, FlagBook, FlagChange, Judgement, Subject, When};
use crate::known::WellRecord;

/// A well's depths below ground.
#[derive(Debug, Clone, Copy)]
pub struct FloodInput<'a> {
    pub record: &'a WellRecord,
    /// Those that count ([`gwbank_indicator::flood::counts`]), in order of time.
    pub readings: &'a [FloodReading],
    /// Rain amounts, mm, in order of time; `None` where nobody measures rain.
    pub rain: Option<&'a [(Timestamp, f64)]>,
    /// Recharge flow, m³/h, in order of time.
    pub inflow: Option<&'a [(Timestamp, f64)]>,
}

/// A value and when it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReceivedValue {
    pub time: Timestamp,
    pub value: f64,
    pub received_at: Timestamp,
}

/// A well's conductivity at 25 °C, µS/cm.
#[derive(Debug, Clone, Copy)]
pub struct SalinityInput<'a> {
    pub well: &'a Well,
    /// In any order.
    pub readings: &'a [ReceivedValue],
    /// When water was put in.
    pub recharges: &'a [Timestamp],
}

/// Flags and their changes, each in order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReadingFlags {
    pub episodes: Vec<Episode>,
    pub changes: Vec<FlagChange>,
}

/// A change of a well's flood severity, at its receipt.
#[derive(Debug, Clone, Copy)]
struct WellStep {
    input: usize,
    step: FloodStep,
    known_at: Timestamp,
}

/// Replays the floods of wells, subdistricts, districts and provinces.
///
/// ```
/// use std::sync::Arc;
/// use gwbank_hindcast::{FloodInput, HindcastConfig, WellRecord, replay_floods};
/// use gwbank_indicator::{Sense, flood::FloodReading};
/// use gwbank_model::{Month, Timestamp, WellId};
/// use gwbank_registry::{BankType, Well};
///
/// let mut well = Well::new(WellId::new("W1").unwrap(), "30", BankType::Observation);
/// well.flood_warning_depth = Some(1.0);
/// let record = WellRecord::of_months(Arc::new(well), Sense::Depth, &[]);
/// let time = |hour: i64| Timestamp::parse_rfc3339("2026-09-10T00:00:00+07:00").unwrap().plus_secs(hour * 3600);
/// let readings: Vec<FloodReading> = [1.4, 1.2, 0.9, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3]
///     .iter()
///     .zip(0..)
///     .map(|(&depth_m, hour)| FloodReading { time: time(hour), depth_m, received_at: time(hour) })
///     .collect();
/// let input = FloodInput { record: &record, readings: &readings, rain: None, inflow: None };
/// let september = Month::new(2026, 9);
/// let found = replay_floods(&[input], (september, september), &HindcastConfig::default());
/// assert_eq!((found.episodes[0].raised_at, found.episodes[0].closed_at), (time(2), Some(time(9))));
/// ```
pub fn replay_floods(inputs: &[FloodInput<'_>], span: (Month, Month), config: &HindcastConfig) -> ReadingFlags {
    let mut steps: Vec<WellStep> = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        if is_flood_watched(input.record.well()) {
            let of_well = follow_well(input, config);
            steps.extend(of_well.into_iter().map(|(step, known_at)| WellStep { input: index, step, known_at }));
        }
    }
    steps.retain(|step| step.known_at.month(config.closing.offset_seconds) <= span.1);
    // Stable: steps of one instant stay in the order of the wells and of their readings.
    steps.sort_by_key(|step| step.known_at);
    let mut places = FloodPlaces::new(inputs);
    let mut book = FlagBook::default();
    let mut open: Vec<Option<usize>> = vec![None; inputs.len()];
    let subjects: Vec<Subject> = inputs.iter().map(|input| of_well(Hazard::Flood, input.record.well())).collect();
    for WellStep { input, step, known_at } in steps {
        let offset = config.closing.offset_seconds;
        let when = When { month: known_at.month(offset), at: known_at };
        let (rule, limit) = step.met.map_or((None, None), |(met, _)| (Some(met.rule), Some(met.limit_m)));
        let evidence =
            Evidence { rule, limit, observed: Some(step.depth_m), wells_in: 1, coverage: 1.0, ..Evidence::default() };
        let judgement = match step.to {
            Some(severity) => {
                Judgement::Stands { severity, stale: false, since: step.at.month(offset), raised_at: step.at }
            }
            None => Judgement::Nothing { reason: "beyond_exit_limit" },
        };
        open[input] = book.judge(open[input], &subjects[input], judgement, evidence, when);
        places.change(input, step.to, &mut book, when, config);
    }
    within(book, span)
}

/// Steps with the instants at which they were known.
fn follow_well(input: &FloodInput<'_>, config: &HindcastConfig) -> Vec<(FloodStep, Timestamp)> {
    let well = input.record.well();
    let offset = config.closing.offset_seconds;
    let season = WetSeason::of_province(&well.province_code);
    let by_record = !is_flood_capable(well);
    let same = |a: &FloodReading, b: &FloodReading| {
        let year = |reading: &FloodReading| season.present_season_year(reading.time.month(offset));
        !by_record || year(a) == year(b)
    };
    let surroundings = Surroundings { rain: input.rain, inflow: input.inflow, neighbours: &[] };
    let mut severity = None;
    let mut found = Vec::new();
    for stretch in input.readings.chunk_by(same) {
        let Some(first) = stretch.first() else { continue };
        let month = first.time.month(offset);
        let known = if by_record {
            input.record.months_known_at(config.closing.closed_through(first.time))
        } else {
            Vec::new()
        };
        let limits = limits(input.record, &known, season, month);
        let track = follow(kind(well), severity, stretch, &limits, &surroundings, &config.flood);
        severity = track.severity;
        for step in track.steps {
            let at = stretch.partition_point(|reading| reading.time < step.at);
            let known_at = stretch.get(at).map_or(step.at, |reading| reading.received_at.max(step.at));
            found.push((step, known_at));
        }
    }
    found
}

fn limits(record: &WellRecord, known: &[MonthlyLevel], season: WetSeason, present: Month) -> FloodLimits {
    let well = record.well();
    let highs = season_highs(season, known, present);
    let to_depth = |level: f64| match record.sense() {
        Sense::Elevation => well.ground_elevation.map(|ground| ground - level),
        Sense::Depth => Some(-level),
    };
    let highest = highs.iter().copied().reduce(f64::max);
    FloodLimits {
        warning_depth_m: well.flood_warning_depth,
        danger_depth_m: well.flood_danger_depth,
        record: highest.and_then(to_depth).map(|depth| (depth, highs.len())),
        recovery_depth_m: None,
    }
}

/// Subdistricts, districts and provinces of the flood-capable wells.
struct FloodPlaces<'a> {
    wells: Vec<&'a Well>,
    severities: Vec<Option<Severity>>,
    capable: Vec<bool>,
    places: Vec<FloodPlace>,
    of_well: Vec<Vec<usize>>,
}

struct FloodPlace {
    subject: Subject,
    wells: Vec<usize>,
    open: Option<usize>,
}

impl<'a> FloodPlaces<'a> {
    fn new(inputs: &[FloodInput<'a>]) -> Self {
        let wells: Vec<&Well> = inputs.iter().map(|input| input.record.well().as_ref()).collect();
        let capable: Vec<bool> = wells.iter().map(|well| is_flood_capable(well)).collect();
        let mut members: BTreeMap<Subject, Vec<usize>> = BTreeMap::new();
        for (index, well) in wells.iter().enumerate().filter(|(index, _)| capable[*index]) {
            for scope in [Scope::Subdistrict, Scope::District, Scope::Province] {
                if let Some(subject) = around(well, scope) {
                    members.entry(subject).or_default().push(index);
                }
            }
        }
        let mut of_well = vec![Vec::new(); wells.len()];
        for (place, indices) in members.values().enumerate() {
            indices.iter().for_each(|&index| of_well[index].push(place));
        }
        let place = |(subject, wells)| FloodPlace { subject, wells, open: None };
        let places = members.into_iter().map(place).collect();
        Self { severities: vec![None; wells.len()], wells, capable, places, of_well }
    }

    fn change(&mut self, well: usize, to: Option<Severity>, book: &mut FlagBook, when: When, config: &HindcastConfig) {
        self.severities[well] = to;
        if !self.capable[well] {
            return;
        }
        for &index in &self.of_well[well] {
            let place = &mut self.places[index];
            let wells: Vec<FloodWell<'_>> = place
                .wells
                .iter()
                .map(|&well| FloodWell {
                    district: self.wells[well].district_code.as_deref(),
                    severity: self.severities[well],
                })
                .collect();
            let numbers = province_flood(&wells, &config.flood_places);
            let of_province = place.subject.scope == Scope::Province;
            let severity = if of_province { numbers.severity } else { small_place_severity(&wells) };
            let judgement = match severity {
                Some(severity) => Judgement::Stands { severity, stale: false, since: when.month, raised_at: when.at },
                None => Judgement::Nothing { reason: "no_well_in_danger" },
            };
            let observed = if of_province { numbers.districts } else { numbers.in_danger };
            let evidence = Evidence {
                rule: Some(if of_province { "flood_districts_in_danger" } else { "flood_well_in_danger" }),
                observed: Some(f64::from(observed)),
                wells_in: numbers.in_danger,
                wells_out: numbers.capable - numbers.in_danger,
                coverage: 1.0,
                ..Evidence::default()
            };
            place.open = book.judge(place.open, &place.subject, judgement, evidence, when);
        }
    }
}

fn around(well: &Well, scope: Scope) -> Option<Subject> {
    let place = match scope {
        Scope::Subdistrict => well.subdistrict_code.clone()?,
        Scope::District => well.district_code.clone()?,
        _ => well.province_code.clone(),
    };
    Some(Subject {
        hazard: Hazard::Flood,
        scope,
        place,
        province_code: well.province_code.clone(),
        district_code: if scope == Scope::Province { None } else { well.district_code.clone() },
        subdistrict_code: if scope == Scope::Subdistrict { well.subdistrict_code.clone() } else { None },
    })
}

fn of_well(hazard: Hazard, well: &Well) -> Subject {
    Subject {
        hazard,
        scope: Scope::Well,
        place: well.well_id.as_str().to_owned(),
        province_code: well.province_code.clone(),
        district_code: well.district_code.clone(),
        subdistrict_code: well.subdistrict_code.clone(),
    }
}

/// Replays the salinity of wells.
///
/// ```
/// use gwbank_hindcast::{HindcastConfig, ReceivedValue, SalinityInput, replay_salinity};
/// use gwbank_model::{Month, WellId, condition::Severity};
/// use gwbank_registry::{BankType, Well};
///
/// let well = Well::new(WellId::new("W1").unwrap(), "30", BankType::Observation);
/// // Two years at 600 µS/cm, then 2,000.
/// let first = Month::new(2024, 1).first_day().start(7 * 3600);
/// let readings: Vec<ReceivedValue> = (0..760)
///     .map(|day| {
///         let time = first.plus_secs(day * 86_400);
///         ReceivedValue { time, value: if day < 730 { 600.0 } else { 2000.0 }, received_at: time }
///     })
///     .collect();
/// let input = SalinityInput { well: &well, readings: &readings, recharges: &[] };
/// let found = replay_salinity(&[input], (Month::new(2024, 1), Month::new(2026, 1)), &HindcastConfig::default());
/// assert_eq!(found.episodes[0].worst, Severity::Severe);
/// ```
pub fn replay_salinity(inputs: &[SalinityInput<'_>], span: (Month, Month), config: &HindcastConfig) -> ReadingFlags {
    let mut steps = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let in_time = |reading: &&ReceivedValue| {
            reading.received_at <= config.closing.closes_at(reading.time.month(config.closing.offset_seconds))
        };
        let readings: Vec<(Timestamp, f64)> =
            input.readings.iter().filter(in_time).map(|reading| (reading.time, reading.value)).collect();
        let wet = WetSeason::of_province(&input.well.province_code);
        let track = salinity::follow(wet, &readings, input.recharges, &config.salinity);
        steps.extend(track.steps.into_iter().map(|step| (step.day, index, step)));
    }
    steps.retain(|(day, ..)| day.month() <= span.1);
    steps.sort_by_key(|(day, index, _)| (*day, *index));
    let mut book = FlagBook::default();
    let mut open: Vec<Option<usize>> = vec![None; inputs.len()];
    for (day, index, step) in steps {
        // What a day was is known when it is over.
        let at = day.start(config.closing.offset_seconds).plus_secs(86_400);
        let when = When { month: day.month(), at };
        let evidence = Evidence {
            rule: step.met.map(|met| met.rule),
            limit: step.met.map(|met| met.limit_us_cm),
            observed: Some(step.ec_25),
            wells_in: 1,
            coverage: 1.0,
            ..Evidence::default()
        };
        let judgement = match step.to {
            Some(severity) => Judgement::Stands { severity, stale: false, since: when.month, raised_at: at },
            None => Judgement::Nothing { reason: "below_exit_limit" },
        };
        let subject = of_well(Hazard::Salinity, inputs[index].well);
        open[index] = book.judge(open[index], &subject, judgement, evidence, when);
    }
    within(book, span)
}

fn within(book: FlagBook, (from, _): (Month, Month)) -> ReadingFlags {
    let episodes: Vec<Episode> = book.episodes.into_iter().filter(|episode| episode.raised >= from).collect();
    let ids: BTreeSet<&str> = episodes.iter().map(|episode| episode.id.as_str()).collect();
    let changes = book.changes.into_iter().filter(|change| ids.contains(change.flag_id.as_str())).collect();
    ReadingFlags { episodes, changes }
}

#[cfg(test)]
mod tests;
