//! Mode `strict` with its second look ([`gwbank_quality::review`]) against mode `ioos`, where the truth is known: readings
//! with defects put in, real ones (shared) and simulated ones of this crate, and readings that people called invalid.
//!
//! Both modes have **the same limits**, those of the golden configuration, as [`CheckLimits`] reads them; `strict` has no
//! limit of its own. A reading is found when it is suspect or failed (a missing one: when it is called missing). False
//! alarms are such flags of readings without a defect: by the tests that are there for the kind, and by all tests.
//!
//! No number was fitted to these files, but the rules of the second look were written while looking at the real ones and at
//! the labels: of those this is a description and no independent proof. The simulated readings were made afterwards and
//! changed nothing in the rules. What makes `strict` better follows from how sensors and aquifers behave:
//! - **spike**: a spike does not blame its neighbours, a change that stays is none.
//! - **flat**: a standstill that fails was none from its beginning on; the temperature of groundwater may stand still.
//! - **drift**, **step**: what comes back by a jump was away before. `ioos` sees only the jump.
//! - **rate**: a limit per hour is one on what happens within an hour, so noise between quick readings does not break it.
//! - **range**, **missing**: nothing to win; both find all and raise no false alarm.

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use gwbank_model::{Parameter, QualityFlag, Timestamp};
use gwbank_quality::review::{LoggerSeries, Review, ReviewRules, review, review_logger};
use gwbank_quality::{CheckLimits, Detail, Point, SeriesConfig, Span, WellFacts};
use support::{Key, Series, Table, check_limits, golden, own_golden, parameter, read_series, shared};

const KINDS: [&str; 6] = ["spike", "flat", "drift", "step", "range", "missing"];

/// Per kind of defect and mode.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    defects: usize,
    defects_found: usize,
    readings: usize,
    readings_found: usize,
    clean: usize,
    false_by_kind: usize,
    false_by_all: usize,
}

impl Score {
    fn found(self) -> f64 {
        self.readings_found as f64 / self.readings as f64
    }
    fn false_alarms(self) -> f64 {
        self.false_by_kind as f64 / self.clean as f64
    }
    fn text(self) -> String {
        format!(
            "{:>3}/{:<3} {:>6.2} % {:>8.3} % {:>8.3} %",
            self.defects_found,
            self.defects,
            100.0 * self.found(),
            100.0 * self.false_alarms(),
            100.0 * self.false_by_all as f64 / self.clean as f64
        )
    }
}

/// One mode's judgement of a series: by all tests, and by those for a kind.
struct Verdict {
    all: Vec<QualityFlag>,
    by_kind: BTreeMap<&'static str, Vec<QualityFlag>>,
}

fn is_bad(flag: QualityFlag) -> bool {
    matches!(flag, QualityFlag::Suspect | QualityFlag::Fail)
}

fn ioos_verdict(series: &Series) -> Verdict {
    let of = |test: &str| series.expected[test].clone();
    let by_kind = KINDS.map(|kind| {
        let flags = match kind {
            "spike" => of("spike"),
            "flat" => of("flat_line"),
            "range" => of("gross_range"),
            _ => of("rollup"),
        };
        (kind, flags)
    });
    Verdict { all: of("rollup"), by_kind: by_kind.into() }
}

fn strict_verdict(details: &[Detail]) -> Verdict {
    let of = |flag: fn(&Detail) -> QualityFlag| details.iter().map(flag).collect::<Vec<_>>();
    let all = of(|detail| detail.assessment.flag);
    let by_kind = KINDS.map(|kind| {
        let flags = match kind {
            "spike" => of(|detail| detail.flags.spike),
            "flat" => of(|detail| detail.flags.flat_line),
            "range" => of(|detail| detail.flags.gross_range),
            _ => all.clone(),
        };
        (kind, flags)
    });
    Verdict { all, by_kind: by_kind.into() }
}

struct Defect {
    kind: String,
    first: usize,
    last: usize,
}

fn add(scores: &mut BTreeMap<&'static str, Score>, verdict: &Verdict, defects: &[Defect]) {
    let mut clean = vec![true; verdict.all.len()];
    for defect in defects {
        clean[defect.first..=defect.last].fill(false);
    }
    for kind in KINDS {
        let score = scores.entry(kind).or_default();
        let is_found = |index: usize| match kind {
            "missing" => verdict.all[index] == QualityFlag::Missing,
            _ => is_bad(verdict.all[index]),
        };
        let is_false = |index: usize| match kind {
            "missing" => verdict.all[index] == QualityFlag::Missing,
            _ => is_bad(verdict.by_kind[kind][index]),
        };
        for defect in defects.iter().filter(|defect| defect.kind == kind) {
            let found = (defect.first..=defect.last).filter(|&index| is_found(index)).count();
            score.defects += 1;
            score.defects_found += usize::from(found > 0);
            score.readings += defect.last - defect.first + 1;
            score.readings_found += found;
        }
        let cleans = || (0..clean.len()).filter(|&index| clean[index]);
        score.clean += cleans().count();
        score.false_by_kind += cleans().filter(|&index| is_false(index)).count();
        score.false_by_all += cleans().filter(|&index| is_bad(verdict.all[index])).count();
    }
}

/// A series with its limits.
struct Prepared {
    key: Key,
    config: SeriesConfig,
    rules: ReviewRules,
    points: Vec<Point>,
}

/// Reviews all series of a table, logger by logger.
fn strict_reviews(limits: &Table, all: &BTreeMap<Key, Series>) -> BTreeMap<Key, Review> {
    let mut loggers: BTreeMap<String, Vec<Prepared>> = BTreeMap::new();
    for row in &limits.rows {
        let key = limits.key(row);
        let config = check_limits(limits, row).strict().unwrap();
        let rules = ReviewRules::for_series(parameter(&key.1), &config, &WellFacts::default());
        let points = all[&key].points();
        loggers.entry(key.0.clone()).or_default().push(Prepared { key, config, rules, points });
    }
    let mut reviews = BTreeMap::new();
    for series in loggers.into_values() {
        let of_logger: Vec<LoggerSeries<'_>> = series
            .iter()
            .map(|Prepared { config, rules, points, .. }| LoggerSeries { config, rules, points })
            .collect();
        let keys = series.iter().map(|prepared| prepared.key.clone());
        reviews.extend(keys.zip(review_logger(&of_logger)));
    }
    reviews
}

/// Prints the table and checks each of its rows.
fn compare(name: &str, limits: &Table, flags: &Table, defects: &Table) {
    let all = read_series(flags, &["gross_range", "spike", "rate_of_change", "flat_line", "rollup"]);
    let mut put_in: BTreeMap<Key, Vec<Defect>> = BTreeMap::new();
    for row in &defects.rows {
        let [first, last] = ["first_index", "last_index"].map(|name| defects.text(row, name).parse().unwrap());
        let kind = defects.text(row, "defect").to_owned();
        put_in.entry(defects.key(row)).or_default().push(Defect { kind, first, last });
    }
    let reviews = strict_reviews(limits, &all);
    let (mut ioos, mut strict) = (BTreeMap::new(), BTreeMap::new());
    for (key, series) in &all {
        add(&mut ioos, &ioos_verdict(series), &put_in[key]);
        add(&mut strict, &strict_verdict(&reviews[key].details), &put_in[key]);
    }
    println!(
        "{name}: same limits in both modes; defects found, readings of defects found, false alarms (kind, all tests)"
    );
    for kind in KINDS {
        let (ioos, strict) = (ioos[kind], strict[kind]);
        println!("{kind:>8}  ioos {}   strict {}", ioos.text(), strict.text());
        assert!(strict.defects_found >= ioos.defects_found, "{name}, {kind}: defects found");
        assert!(strict.found() >= ioos.found(), "{name}, {kind}: readings found");
        assert!(strict.false_alarms() <= ioos.false_alarms(), "{name}, {kind}: false alarms");
        assert!(strict.false_by_all < ioos.false_by_all, "{name}, {kind}: all false alarms");
        let is_perfect = ioos.found() == 1.0 && ioos.false_by_kind == 0;
        let is_better = strict.found() > ioos.found() || strict.false_alarms() < ioos.false_alarms();
        assert!(is_better || is_perfect, "{name}, {kind}: no better");
    }
}

#[test]
fn strict_is_better_than_ioos_in_every_row() {
    compare("simulated", &own_golden("limits.csv"), &own_golden("flags.csv.gz"), &own_golden("defects.csv"));
    if let (Some(limits), Some(flags), Some(defects)) =
        (golden("qc_config.csv"), golden("qc_flags.csv.gz"), golden("qc_defects.csv"))
    {
        compare("real wells", &limits, &flags, &defects);
    }
}

/// kPa per cm of water.
const KPA: f64 = 0.098_066_5;

/// The limits that the golden configuration gives to absolute pressures, in kPa; the ranges are what a diver can say.
fn diver_limits() -> CheckLimits {
    CheckLimits {
        fail: Span::new(30.0, 10_000.0),
        suspect: Span::new(60.0, 3_100.0),
        spike_suspect: 5.0 * KPA,
        spike_fail: 15.0 * KPA,
        rate_suspect_per_second: 10.0 / 3_600.0 * KPA,
        rate_fail_per_second: 50.0 / 3_600.0 * KPA,
        flat_suspect_seconds: 21_600,
        flat_fail_seconds: 86_400,
        flat_tolerance: 0.05 * KPA,
    }
}

#[test]
fn strict_is_better_than_ioos_by_the_labels_of_people() {
    let Some(labels) = shared("data/qc_labels.csv.gz") else { return };
    let labels = Table::read(labels);
    let mut by_well: BTreeMap<String, BTreeMap<Timestamp, bool>> = BTreeMap::new();
    for row in &labels.rows {
        if let Some(time) = Timestamp::parse_rfc3339(labels.text(row, "time")) {
            let is_bad = matches!(labels.text(row, "status"), "INV" | "DEL");
            by_well.entry(labels.text(row, "well_id").to_owned()).or_default().insert(time, is_bad);
        }
    }
    let (mut bad, mut good) = (0, 0);
    let (mut found, mut false_alarms) = ([0usize; 3], [0usize; 3]);
    for (well, labels) in &by_well {
        let Some(points) = pressures(well) else { continue };
        let values: Vec<f64> = points.iter().filter_map(|point| point.value).collect();
        let times: Vec<Timestamp> = points.iter().map(|point| point.time).collect();
        let same_limits = diver_limits().strict().unwrap();
        let default = SeriesConfig::default_for(Parameter::WaterPressureAbsolute);
        let strict = |config: &SeriesConfig| -> Vec<QualityFlag> {
            let rules = ReviewRules::for_series(Parameter::WaterPressureAbsolute, config, &WellFacts::default());
            review(config, &rules, &points, &[]).details.iter().map(|detail| detail.assessment.flag).collect()
        };
        let verdicts = [diver_limits().ioos(&times, &values).rollup, strict(&same_limits), strict(&default)];
        for (index, time) in times.iter().enumerate() {
            let Some(&label) = labels.get(time) else { continue };
            *(if label { &mut bad } else { &mut good }) += 1;
            for (mode, verdict) in verdicts.iter().enumerate() {
                let count = if label { &mut found } else { &mut false_alarms };
                count[mode] += usize::from(is_bad(verdict[index]));
            }
        }
    }
    println!("labels of people: {bad} bad, {good} good");
    for (mode, name) in ["ioos", "strict, same limits", "strict, default limits"].into_iter().enumerate() {
        println!("{name:>24}: found {}, false alarms {}", found[mode], false_alarms[mode]);
    }
    for mode in [1, 2] {
        assert!(found[mode] > found[0] && false_alarms[mode] < false_alarms[0], "mode {mode}");
    }
}

/// The absolute pressures of a diver, in kPa.
fn pressures(well: &str) -> Option<Vec<Point>> {
    let mut reader = csv::Reader::from_reader(shared(&format!("data/series/{well}.csv.gz"))?);
    let rows = reader.records().map(Result::unwrap).filter(|row| &row[2] == "water_pressure_abs");
    let mut points: Vec<Point> = rows
        .map(|row| Point {
            time: Timestamp::parse_rfc3339(&row[1]).unwrap(),
            value: Some(row[3].parse::<f64>().unwrap() * KPA),
            site_status: None,
        })
        .collect();
    points.dedup_by_key(|point| point.time);
    (!points.is_empty()).then_some(points)
}
