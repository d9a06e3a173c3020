//! How well the estimators of `gwbank-indicator` find what the simulation knows.
//!
//! Each test prints a table (`cargo test -p gwbank-sim --test estimators -- --nocapture`) and holds the errors within
//! bounds. Estimators see what a server would: readings with noise, spikes, drift, outages and flat lines, those of bad
//! quality left out, and the registry. Only comparison wells, which the simulated registry does not name, are taken from
//! the truth.

mod banks;
mod flags;
mod recharge;

use std::sync::LazyLock;

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Parameter, QcTests, QualityFlag, SiteStatus, Timestamp};
use gwbank_quality::{Point, SeriesConfig, WellFacts, assess};
use gwbank_sim::{Clogging, Level, SimConfig, World};

/// 2026-11-23T03:15:00Z
const NOW: Timestamp = Timestamp::from_secs(1_795_403_700);
const DAY_S: i64 = 86_400;

/// Twelve years of 770 wells, banks that clog.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let start = NOW.plus_secs(-12 * 365 * DAY_S - 3 * DAY_S);
    let config = SimConfig { wells: 770, start, live_days: 3, clogging: Clogging::ByFills, ..SimConfig::demo(NOW) };
    World::new(config).expect("a good configuration")
});

/// A reading of a well with the flag that the server gives it.
struct Judged {
    time: Timestamp,
    /// `None`: dry or missing.
    depth_m: Option<f64>,
    dry: bool,
    flag: QualityFlag,
    tests: QcTests,
}

/// What the server has of a well whose logger measures every so many hours, from seven in the morning of the first day on.
fn judged(world: &World, well: usize, first: Day, last: Day, hours: i64) -> Vec<Judged> {
    let truth = world.truth();
    let count = i64::from(last.0 - first.0) * 24 / hours;
    let seven = first.start(BANGKOK_OFFSET_SECONDS).plus_secs(7 * 3600);
    let times = (0..count).map(|step| seven.plus_secs(step * hours * 3600)).filter(|time| *time <= NOW);
    let points: Vec<Point> = times
        .filter_map(|time| match truth.sensed(well, time) {
            Level::Absent => None,
            Level::Missing => Some(Point { time, value: None, site_status: None }),
            Level::Dry => Some(Point { time, value: None, site_status: Some(SiteStatus::Dry) }),
            Level::Depth(depth) => Some(Point { time, value: Some(depth), site_status: None }),
        })
        .collect();
    let facts = WellFacts { depth: world.wells()[well].depth, ..WellFacts::default() };
    let flags = assess(&SeriesConfig::for_well(Parameter::DepthToWater, &facts), &points);
    points
        .iter()
        .zip(flags)
        .map(|(point, assessment)| Judged {
            time: point.time,
            depth_m: point.value,
            dry: point.site_status == Some(SiteStatus::Dry),
            flag: assessment.flag,
            tests: assessment.tests,
        })
        .collect()
}

/// Whether daily means and performance figures use a reading.
fn is_good(reading: &Judged) -> bool {
    matches!(reading.flag, QualityFlag::Pass | QualityFlag::NotEvaluated)
}

fn day_of(at: Timestamp) -> Day {
    at.day(BANGKOK_OFFSET_SECONDS)
}

fn history_days(world: &World) -> (Day, Day) {
    (day_of(world.config().start), day_of(world.config().end))
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// Of relative errors: the middle, and the middle of their sizes.
struct Errors {
    wells: usize,
    bias: f64,
    size: f64,
    /// Of the sizes, what nine of ten lie below.
    nine_of_ten: f64,
}

impl Errors {
    fn of(errors: &[f64]) -> Self {
        let sizes: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
        Errors {
            wells: errors.len(),
            bias: quantile(errors, 0.5),
            size: quantile(&sizes, 0.5),
            nine_of_ten: quantile(&sizes, 0.9),
        }
    }

    fn print(&self, what: &str) {
        println!(
            "{what:<44} {:>4} {:>+7.1} % {:>6.1} % {:>6.1} %",
            self.wells,
            100.0 * self.bias,
            100.0 * self.size,
            100.0 * self.nine_of_ten
        );
    }
}

fn print_head(title: &str) {
    println!("\n{title:<44}    n    bias   median error, 90 %");
}
