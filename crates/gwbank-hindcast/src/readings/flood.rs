//! Floods of wells and of the places around them.

use std::sync::Arc;

use gwbank_indicator::flood::{FloodLimits, FloodReading, FloodStep, Surroundings, follow};
use gwbank_indicator::{
    FloodWell, MonthlyLevel, Sense, WellKind, WetSeason, province_flood, season_highs, small_place_severity,
};
use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_model::{Month, Timestamp};
use gwbank_registry::Well;

use super::places::PlacesOfWells;
use super::{ReadingFlags, of_well, within};
use crate::config::{HindcastConfig, is_flood_capable, is_flood_watched};
use crate::episode::{Evidence, FlagBook, Judgement, Subject, When};
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

/// A change of a well's flood severity, at its receipt.
#[derive(Debug, Clone, Copy)]
struct WellStep {
    well: usize,
    step: FloodStep,
    known_at: Timestamp,
}

/// Replays the floods of wells, subdistricts, districts and provinces.
///
/// ```
/// use std::sync::Arc;
/// use gwbank_hindcast::{FloodInput, FloodReplay, HindcastConfig, WellRecord};
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
/// let (september, config) = (Month::new(2026, 9), HindcastConfig::default());
/// let mut replay = FloodReplay::new((september, september), &config);
/// replay.add(&FloodInput { record: &record, readings: &readings, rain: None, inflow: None });
/// let found = replay.finish();
/// assert_eq!((found.episodes[0].raised_at, found.episodes[0].closed_at), (time(2), Some(time(9))));
/// ```
#[derive(Debug)]
pub struct FloodReplay<'a> {
    span: (Month, Month),
    config: &'a HindcastConfig,
    wells: Vec<Arc<Well>>,
    steps: Vec<WellStep>,
}

impl<'a> FloodReplay<'a> {
    pub fn new(span: (Month, Month), config: &'a HindcastConfig) -> Self {
        Self { span, config, wells: Vec::new(), steps: Vec::new() }
    }

    /// Whether the well is followed for floods at all: a closed bank is full when it works.
    pub fn speaks_of(well: &Well) -> bool {
        is_flood_watched(well)
    }

    /// Takes a well once, with all of its readings; with none it still counts among those of its places that could speak.
    pub fn add(&mut self, input: &FloodInput<'_>) {
        let index = self.wells.len();
        self.wells.push(Arc::clone(input.record.well()));
        if is_flood_watched(input.record.well()) {
            let of_well = follow_well(input, self.config);
            self.steps.extend(of_well.into_iter().map(|(step, known_at)| WellStep { well: index, step, known_at }));
        }
    }

    /// The flags of all wells that were added, and of their places.
    pub fn finish(self) -> ReadingFlags {
        let Self { span, config, wells, mut steps } = self;
        let offset = config.closing.offset_seconds;
        steps.retain(|step| step.known_at.month(offset) <= span.1);
        // Stable: steps of one instant stay in the order of the wells and of their readings.
        steps.sort_by_key(|step| step.known_at);
        let scopes = [Scope::Subdistrict, Scope::District, Scope::Province];
        let mut places = PlacesOfWells::new(Hazard::Flood, &scopes, &wells, is_flood_capable);
        let mut book = FlagBook::default();
        let mut open: Vec<Option<usize>> = vec![None; wells.len()];
        let subjects: Vec<Subject> = wells.iter().map(|well| of_well(Hazard::Flood, well)).collect();
        for WellStep { well, step, known_at } in steps {
            let when = When { month: known_at.month(offset), at: known_at };
            let (rule, limit) = step.met.map_or((None, None), |(met, _)| (Some(met.rule), Some(met.limit_m)));
            let evidence = Evidence {
                rule,
                limit,
                observed: Some(step.depth_m),
                wells_in: 1,
                coverage: 1.0,
                ..Evidence::default()
            };
            let judgement = match step.to {
                Some(severity) => {
                    Judgement::Stands { severity, stale: false, since: step.at.month(offset), raised_at: step.at }
                }
                None => Judgement::Nothing { reason: "beyond_exit_limit" },
            };
            open[well] = book.judge(open[well], &subjects[well], judgement, evidence, when);
            places.set(well, step.to);
            places.judge_touched(&mut book, when, |place, wells| judge_place(place, wells, when, config));
        }
        within(book, span)
    }
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
        let track = follow(WellKind::of(well), severity, stretch, &limits, &surroundings, &config.flood);
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

/// A place as its flood-capable wells make it.
fn judge_place(
    place: &Subject,
    wells: &[(&Well, Option<Severity>)],
    when: When,
    config: &HindcastConfig,
) -> (Judgement, Evidence) {
    let wells: Vec<FloodWell<'_>> = wells
        .iter()
        .map(|(well, severity)| FloodWell { district: well.district_code.as_deref(), severity: *severity })
        .collect();
    let numbers = province_flood(&wells, &config.flood_places);
    let of_province = place.scope == Scope::Province;
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
    (judgement, evidence)
}
