//! `gwbank quality check`: the quality tests over a file, without a server.
//!
//! # Rules
//! 1. The rows come out as they went in, with a column for each test and `rollup` at their end; columns of these names that
//!    the file has already are left out.
//! 2. In mode `ioos` the readings of a series are taken in the order of the file, as ioos_qc does. In mode `strict` in order
//!    of time; of readings of one time the first counts, and the others are judged by themselves.
//! 3. All series of one well are taken for one logger's ([`gwbank_quality::review`]).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use gwbank_model::{Parameter, QualityFlag};
use gwbank_quality::review::{LoggerSeries, ReviewRules, review_logger};
use gwbank_quality::{CheckLimits, Detail, Point, SeriesConfig, Span, TestFlags, WellFacts, assess_detailed};

use super::limits::{LimitsFile, SeriesLimits};
use super::series::{self, Series};
use crate::arguments::{General, QualityCheckArguments, QualityMode};
use crate::commands::output;
use crate::failure::{Failure, Outcome};

const TESTS: [&str; 6] = ["gross_range", "spike", "spike_differential", "rate_of_change", "flat_line", "rollup"];

type Flags = [QualityFlag; TESTS.len()];

pub fn run(general: &General, asked: &QualityCheckArguments) -> Outcome {
    let Some(limits_path) = &general.config else {
        return Err(Failure::usage(anyhow!("--config FILE is needed: the limits of each series, as a CSV")));
    };
    let limits = LimitsFile::read(limits_path)?;
    let all = series::read(&asked.file)?;
    let limits_of = |series: &Series| {
        limits.of(&series.well, &series.parameter).ok_or_else(|| {
            Failure::usage(anyhow!(
                "{}: no row for well {:?}, parameter {:?}, which {} has from line {} on; add one, or one of * for all",
                limits_path.display(),
                series.well,
                series.parameter,
                asked.file.display(),
                series.line
            ))
        })
    };
    let rows = all.iter().map(|series| series.rows.len()).sum();
    let mut flags: Vec<Flags> = vec![[QualityFlag::NotEvaluated; TESTS.len()]; rows];
    match asked.mode {
        QualityMode::Ioos => {
            for series in &all {
                for (row, found) in series.rows.iter().zip(ioos(series, &limits_of(series)?.limits)) {
                    flags[*row] = found;
                }
            }
        }
        QualityMode::Strict => {
            let mut loggers: BTreeMap<&str, Vec<Prepared<'_>>> = BTreeMap::new();
            for series in &all {
                loggers.entry(&series.well).or_default().push(Prepared::new(series, limits_of(series)?)?);
            }
            for of_logger in loggers.into_values() {
                strict(&of_logger, &mut flags);
            }
        }
    }
    write(&asked.file, &asked.out, &flags).with_context(|| format!("{} cannot be written", asked.out.display()))?;
    summary(&flags)
}

fn ioos(series: &Series, limits: &CheckLimits) -> Vec<Flags> {
    let found = limits.ioos(&series.times, &series.values);
    let flags = |at: usize| {
        [
            &found.gross_range,
            &found.spike,
            &found.spike_differential,
            &found.rate_of_change,
            &found.flat_line,
            &found.rollup,
        ]
        .map(|test| test[at])
    };
    (0..series.times.len()).map(flags).collect()
}

/// A series as the strict mode takes it.
struct Prepared<'a> {
    series: &'a Series,
    config: SeriesConfig,
    rules: ReviewRules,
    /// From the file's unit to the parameter's.
    factor: f64,
    /// In order of time, each once; with the place of each in the series.
    points: Vec<Point>,
    places: Vec<usize>,
    /// Of times that were there before.
    repeated: Vec<usize>,
}

impl<'a> Prepared<'a> {
    fn new(series: &'a Series, limits: &SeriesLimits) -> Outcome<Self> {
        let parameter = parameter(&series.parameter);
        let factor = match parameter {
            // The second look tells water from air by its pressure.
            Some(Parameter::WaterPressureAbsolute) => kilopascals(limits.unit.as_deref()),
            _ => 1.0,
        };
        let config = scaled(&limits.limits, factor).strict().map_err(|error| Failure::failed(error.to_string()))?;
        let rules = match parameter {
            Some(parameter) => ReviewRules::for_series(parameter, &config, &WellFacts::default()),
            None => ReviewRules { shifts: None, still_by_nature: false },
        };
        let mut order: Vec<usize> = (0..series.times.len()).collect();
        order.sort_by_key(|&place| series.times[place]); // stable: of equal times the first stays first
        let (mut places, mut repeated): (Vec<usize>, Vec<usize>) = (Vec::with_capacity(order.len()), Vec::new());
        for place in order {
            let is_repeated = places.last().is_some_and(|&last| series.times[last] == series.times[place]);
            if is_repeated { repeated.push(place) } else { places.push(place) }
        }
        let points = places.iter().map(|&place| point(series, place, factor)).collect();
        Ok(Self { series, config, rules, factor, points, places, repeated })
    }
}

fn point(series: &Series, place: usize, factor: f64) -> Point {
    let value = series.values[place];
    Point { time: series.times[place], value: (!value.is_nan()).then_some(value * factor), site_status: None }
}

fn strict(of_logger: &[Prepared<'_>], flags: &mut [Flags]) {
    let logger: Vec<LoggerSeries<'_>> = of_logger
        .iter()
        .map(|prepared| LoggerSeries { config: &prepared.config, rules: &prepared.rules, points: &prepared.points })
        .collect();
    for (prepared, review) in of_logger.iter().zip(review_logger(&logger)) {
        for (place, detail) in prepared.places.iter().zip(&review.details) {
            flags[prepared.series.rows[*place]] = columns(detail);
        }
        for &place in &prepared.repeated {
            let alone = assess_detailed(&prepared.config, &[point(prepared.series, place, prepared.factor)]);
            if let Some(detail) = alone.first() {
                flags[prepared.series.rows[place]] = columns(detail);
            }
        }
    }
}

/// Drift and level shifts have no column of their own: they show in the roll-up.
fn columns(Detail { flags, assessment }: &Detail) -> Flags {
    let TestFlags { gross_range, spike, rate_of_change, flat_line, .. } = *flags;
    [gross_range, spike, spike, rate_of_change, flat_line, assessment.flag]
}

/// Names of the parameter as other tools have them, too.
fn parameter(name: &str) -> Option<Parameter> {
    match name {
        "groundwater_level" => Some(Parameter::GroundwaterElevation),
        "water_pressure_abs" => Some(Parameter::WaterPressureAbsolute),
        "air_pressure" => Some(Parameter::BarometricPressure),
        name => Parameter::from_name(name),
    }
}

fn kilopascals(unit: Option<&str>) -> f64 {
    match unit {
        Some("cmH2O") => 0.098_066_5,
        Some("mH2O") => 9.806_65,
        Some("hPa" | "mbar") => 0.1,
        Some("bar") => 100.0,
        Some("psi") => 6.894_757_293_168_361,
        Some("Pa") => 0.001,
        _ => 1.0,
    }
}

fn scaled(limits: &CheckLimits, factor: f64) -> CheckLimits {
    let span = |span: Span| Span::new(span.min * factor, span.max * factor);
    CheckLimits {
        fail: span(limits.fail),
        suspect: span(limits.suspect),
        spike_suspect: limits.spike_suspect * factor,
        spike_fail: limits.spike_fail * factor,
        rate_suspect_per_second: limits.rate_suspect_per_second * factor,
        rate_fail_per_second: limits.rate_fail_per_second * factor,
        flat_tolerance: limits.flat_tolerance * factor,
        ..*limits
    }
}

/// Reads the file once more, so that its texts need not be kept.
fn write(from: &Path, to: &Path, flags: &[Flags]) -> anyhow::Result<()> {
    let Ok(mut reader) = series::open(from) else { anyhow::bail!("{} is gone", from.display()) };
    let header = reader.headers()?.clone();
    let kept: Vec<usize> = (0..header.len()).filter(|&place| !TESTS.contains(&header[place].trim())).collect();
    let is_gz = to.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let file = BufWriter::new(File::create(to)?);
    let sink: Box<dyn Write> = if is_gz {
        Box::new(flate2::write::GzEncoder::new(file, flate2::Compression::default()))
    } else {
        Box::new(file)
    };
    let mut writer = csv::Writer::from_writer(sink);
    writer.write_record(kept.iter().map(|&place| &header[place]).chain(TESTS))?;
    let mut record = csv::StringRecord::new();
    let mut rows = flags.iter();
    while reader.read_record(&mut record)? {
        let Some(found) = rows.next() else { anyhow::bail!("{} has grown meanwhile", from.display()) };
        let codes = found.map(|flag| flag.code().to_string());
        writer.write_record(kept.iter().map(|&place| &record[place]).chain(codes.iter().map(String::as_str)))?;
    }
    writer.into_inner().map_err(|error| anyhow!("{}", error.error()))?.flush()?;
    Ok(())
}

fn summary(flags: &[Flags]) -> Outcome {
    let headers: Vec<&str> = ["test", "pass", "not_evaluated", "suspect", "fail", "missing"].to_vec();
    let counts = |test: usize| {
        let count = |wanted: QualityFlag| flags.iter().filter(|found| found[test] == wanted).count().to_string();
        let flags = [
            QualityFlag::Pass,
            QualityFlag::NotEvaluated,
            QualityFlag::Suspect,
            QualityFlag::Fail,
            QualityFlag::Missing,
        ];
        std::iter::once(TESTS[test].to_owned()).chain(flags.map(count)).collect()
    };
    output::table(&headers, (0..TESTS.len()).map(counts).collect())
}
