//! Salt of wells, and of the districts and provinces around them.

use std::sync::Arc;

use gwbank_indicator::salinity::{SalinityStep, follow};
use gwbank_indicator::{PlaceSalinity, WetSeason};
use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_model::{Day, Month, Timestamp};
use gwbank_registry::{BankType, Well, WellStatus};

use super::places::PlacesOfWells;
use super::{ReadingFlags, ReceivedValue, of_well, within};
use crate::config::HindcastConfig;
use crate::episode::{Evidence, FlagBook, Judgement, Subject, When};

const DAY_SECONDS: i64 = 86_400;

/// A well's conductivity at 25 °C, µS/cm.
#[derive(Debug, Clone, Copy)]
pub struct SalinityInput<'a> {
    pub well: &'a Arc<Well>,
    /// In any order.
    pub readings: &'a [ReceivedValue],
    /// When water was put in.
    pub recharges: &'a [Timestamp],
}

/// Replays the salinity of wells, districts and provinces.
///
/// ```
/// use std::sync::Arc;
/// use gwbank_hindcast::{HindcastConfig, ReceivedValue, SalinityInput, SalinityReplay};
/// use gwbank_model::{Month, WellId, condition::Severity};
/// use gwbank_registry::{BankType, Well};
///
/// let well = Arc::new(Well::new(WellId::new("W1").unwrap(), "30", BankType::Observation));
/// // Two years at 600 µS/cm, then 2,000.
/// let first = Month::new(2024, 1).first_day().start(7 * 3600);
/// let readings: Vec<ReceivedValue> = (0..760)
///     .map(|day| {
///         let time = first.plus_secs(day * 86_400);
///         ReceivedValue { time, value: if day < 730 { 600.0 } else { 2000.0 }, received_at: time }
///     })
///     .collect();
/// let config = HindcastConfig::default();
/// let mut replay = SalinityReplay::new((Month::new(2024, 1), Month::new(2026, 1)), &config);
/// replay.add(&SalinityInput { well: &well, readings: &readings, recharges: &[] });
/// let found = replay.finish();
/// assert_eq!(found.episodes[0].worst, Severity::Severe);
/// ```
#[derive(Debug)]
pub struct SalinityReplay<'a> {
    span: (Month, Month),
    config: &'a HindcastConfig,
    wells: Vec<Arc<Well>>,
    steps: Vec<(Day, usize, SalinityStep)>,
}

impl<'a> SalinityReplay<'a> {
    pub fn new(span: (Month, Month), config: &'a HindcastConfig) -> Self {
        Self { span, config, wells: Vec::new(), steps: Vec::new() }
    }

    /// Whether the well is followed for salt at all: what stands in a closed bank is rain.
    pub fn speaks_of(well: &Well) -> bool {
        well.status == WellStatus::Active && well.bank_type != BankType::Closed
    }

    /// Takes a well once, with all of its readings.
    pub fn add(&mut self, input: &SalinityInput<'_>) {
        if !Self::speaks_of(input.well) {
            return;
        }
        let closing = &self.config.closing;
        let in_time = |reading: &&ReceivedValue| {
            reading.received_at <= closing.closes_at(reading.time.month(closing.offset_seconds))
        };
        let readings: Vec<(Timestamp, f64)> =
            input.readings.iter().filter(in_time).map(|reading| (reading.time, reading.value)).collect();
        let wet = WetSeason::of_province(&input.well.province_code);
        let track = follow(wet, &readings, input.recharges, &self.config.salinity);
        let index = self.wells.len();
        self.wells.push(Arc::clone(input.well));
        self.steps.extend(track.steps.into_iter().map(|step| (step.day, index, step)));
    }

    /// The flags of all wells that were added, and of their places.
    pub fn finish(self) -> ReadingFlags {
        let Self { span, config, wells, mut steps } = self;
        steps.retain(|(day, ..)| day.month() <= span.1);
        steps.sort_by_key(|(day, index, _)| (*day, *index));
        let mut book = FlagBook::default();
        let mut open: Vec<Option<usize>> = vec![None; wells.len()];
        let scopes = [Scope::District, Scope::Province];
        let mut places = PlacesOfWells::new(Hazard::Salinity, &scopes, &wells, |_| true);
        for steps in steps.chunk_by(|(day, ..), (next, ..)| day == next) {
            let Some(&(day, ..)) = steps.first() else { continue };
            // What a day was is known when it is over.
            let at = day.start(config.closing.offset_seconds).plus_secs(DAY_SECONDS);
            let when = When { month: day.month(), at };
            for &(_, index, step) in steps {
                let (judgement, evidence) = judge_well(&step, when);
                let subject = of_well(Hazard::Salinity, &wells[index]);
                open[index] = book.judge(open[index], &subject, judgement, evidence, when);
                places.set(index, step.to);
            }
            places.judge_touched(&mut book, when, |place, wells| judge_place(place, wells, when));
        }
        within(book, span)
    }
}

fn judge_well(step: &SalinityStep, when: When) -> (Judgement, Evidence) {
    let evidence = Evidence {
        rule: step.met.map(|met| met.rule),
        limit: step.met.map(|met| met.limit_us_cm),
        observed: Some(step.ec_25),
        wells_in: 1,
        coverage: 1.0,
        ..Evidence::default()
    };
    (judgement_of(step.to, "below_exit_limit", when), evidence)
}

fn judge_place(place: &Subject, wells: &[(&Well, Option<Severity>)], when: When) -> (Judgement, Evidence) {
    let found = PlaceSalinity::of(place.scope, wells.iter().map(|(_, severity)| *severity));
    let evidence = Evidence {
        rule: Some("salinity_wells"),
        limit: Some(1.0),
        observed: Some(f64::from(found.counted)),
        wells_in: found.counted,
        wells_out: found.measuring - found.counted,
        coverage: 1.0,
        ..Evidence::default()
    };
    (judgement_of(found.severity, "no_well_turning_saline", when), evidence)
}

fn judgement_of(severity: Option<Severity>, reason: &'static str, when: When) -> Judgement {
    match severity {
        Some(severity) => Judgement::Stands { severity, stale: false, since: when.month, raised_at: when.at },
        None => Judgement::Nothing { reason },
    }
}
