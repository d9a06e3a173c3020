//! `gwbank quality report`: what the quality of a well's series comes to, from the running server.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Parameter, QcTests, QualityFlag, SiteStatus, Timestamp};
use gwbank_quality::report::{Report, ReportRules, Stretch, TimeSpan, report};
use gwbank_quality::review::ReviewRules;
use gwbank_quality::shift::{Shift, shifts};
use gwbank_quality::{Assessment, Point, SeriesConfig, WellFacts, assess_detailed};
use serde_json::{Value, json};

use crate::arguments::{General, QualityReportArguments};
use crate::client::{Client, encoded, read_all};
use crate::commands::output;
use crate::failure::{Failure, Outcome};

#[derive(Default)]
struct Series {
    points: Vec<Point>,
    assessments: Vec<Assessment>,
}

/// A row of `quality_findings`.
struct Finding {
    test: String,
    span: TimeSpan,
    detail: String,
}

pub fn run(general: &General, asked: &QualityReportArguments) -> Outcome {
    let client = Client::needed(general, &asked.server)?;
    let well: Value = client.get(&format!("/api/v1/wells/{}", encoded(&asked.well)))?;
    let facts = WellFacts {
        depth: well["depth"].as_f64(),
        ground_elevation: well["ground_elevation"].as_f64(),
        sensor_depth: None,
        objections: QcTests::NONE,
    };
    let all = read(&client, asked)?;
    if all.is_empty() {
        return Err(Failure::failed(format!("well {:?} has no readings of that kind and time", asked.well)));
    }
    let stored = findings(&client, &asked.well)?;
    for (parameter, Series { points, assessments }) in &all {
        let config = SeriesConfig::for_well(*parameter, &facts);
        let rules = ReviewRules::for_series(*parameter, &config, &facts);
        let found = rules.shifts.map(|limits| shifts(&limits, points, &assess_detailed(&config, points)));
        let report = report(&ReportRules::default(), points, assessments, found.unwrap_or_default(), None);
        print(&asked.well, *parameter, &report, stored.get(parameter).map(Vec::as_slice).unwrap_or_default())?;
    }
    Ok(())
}

/// Readings by parameter, in order of time, as they are stored now.
fn read(client: &Client, asked: &QualityReportArguments) -> Outcome<BTreeMap<Parameter, Series>> {
    let mut wanted = vec![format!("well_id = {}", text(&asked.well))];
    wanted.extend(asked.parameter.map(|parameter| format!("parameter = '{parameter}'")));
    wanted.extend(asked.from.as_ref().map(|from| format!("time >= {}", text(from))));
    wanted.extend(asked.to.as_ref().map(|to| format!("time < {}", text(to))));
    let statement = format!(
        "SELECT parameter, CAST(time AS BIGINT) AS micros, value, site_status, quality, qc_tests FROM readings WHERE {} \
         ORDER BY parameter, time",
        wanted.join(" AND ")
    );
    let mut all: BTreeMap<Parameter, Series> = BTreeMap::new();
    for record in rows(client, &statement)? {
        let strange = || anyhow!("the answer has a strange row: {record:?}");
        let parameter = Parameter::from_name(&record[0]).ok_or_else(strange)?;
        let time = Timestamp::from_micros(record[1].parse().ok().ok_or_else(strange)?);
        let quality = record[4].parse().ok().and_then(QualityFlag::from_code).ok_or_else(strange)?;
        let tests = QcTests::from_bits(record[5].parse().ok().ok_or_else(strange)?);
        let series = all.entry(parameter).or_default();
        series.points.push(Point {
            time,
            value: record[2].parse().ok(),
            site_status: SiteStatus::from_name(&record[3]),
        });
        series.assessments.push(Assessment { flag: quality, tests });
    }
    Ok(all)
}

/// What the server's second look has found in a well's series, whenever.
fn findings(client: &Client, well: &str) -> Outcome<BTreeMap<Parameter, Vec<Finding>>> {
    let statement = format!(
        "SELECT parameter, CAST(from_time AS BIGINT) AS begins, CAST(to_time AS BIGINT) AS ends, test, detail FROM quality_findings \
         WHERE well_id = {} ORDER BY parameter, begins",
        text(well)
    );
    let mut all: BTreeMap<Parameter, Vec<Finding>> = BTreeMap::new();
    for record in rows(client, &statement)? {
        let strange = || anyhow!("the answer has a strange row: {record:?}");
        let time = |column: usize| record[column].parse().map(Timestamp::from_micros).map_err(|_| strange());
        let parameter = Parameter::from_name(&record[0]).ok_or_else(strange)?;
        let span = TimeSpan { from: time(1)?, to: time(2)? };
        let finding = Finding { test: record[3].to_owned(), span, detail: record[4].to_owned() };
        all.entry(parameter).or_default().push(finding);
    }
    Ok(all)
}

fn rows(client: &Client, statement: &str) -> Outcome<Vec<csv::StringRecord>> {
    let headers = [("content-type", "application/json"), ("accept", "text/csv")];
    let body = json!({ "sql": statement }).to_string();
    let mut reply = client.send("POST", "/api/v1/sql", &headers, body.as_bytes())?;
    let bytes = read_all(&mut reply)?;
    let records = csv::Reader::from_reader(bytes.as_slice()).into_records().collect::<Result<_, _>>();
    Ok(records.context("the answer cannot be read")?)
}

fn text(of: &str) -> String {
    format!("'{}'", of.replace('\'', "''"))
}

fn print(well: &str, parameter: Parameter, report: &Report, findings: &[Finding]) -> Outcome {
    let percent = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0));
    let mut lines = vec![format!("{well}  {parameter}")];
    let mut line = |name: &str, value: String| lines.push(format!("  {name:<16}{value}"));
    line(
        "readings",
        format!(
            "{}{}",
            output::grouped(report.readings as u64),
            report.span.map(|span| format!(", {}", shown(span))).unwrap_or_default()
        ),
    );
    let flags = report.by_flag.iter().filter(|(_, count)| **count > 0);
    line("quality", flags.map(|(flag, count)| format!("{} {count}", flag.name())).collect::<Vec<_>>().join(", "));
    let tests = report.by_test.iter().map(|(test, count)| format!("{} {count}", test.name()));
    line(
        "objections by",
        Some(tests.collect::<Vec<_>>().join(", "))
            .filter(|tests| !tests.is_empty())
            .unwrap_or_else(|| "none".to_owned()),
    );
    line("usable", percent(report.share_usable));
    line(
        "interval",
        report.usual_interval_micros.map_or_else(
            || "unknown".to_owned(),
            |micros| format!("{}, {} of the expected readings came", duration(micros), percent(report.share_arrived)),
        ),
    );
    line(
        "gaps",
        format!(
            "{}{}",
            report.gaps,
            report
                .longest_gap
                .map(|gap| format!(", the longest time between values {} ({})", duration(gap.micros()), shown(gap)))
                .unwrap_or_default()
        ),
    );
    if let Some(stretch) = report.longest_unusable {
        let told = format!("the longest {} ({})", duration(stretch.micros()), shown(stretch));
        line("no usable value", told);
    }
    for Shift { kind, from, to, size } in &report.shifts {
        line("shift", format!("{kind:?} of {size:+.3} ({})", shown(TimeSpan { from: *from, to: *to })).to_lowercase());
    }
    for Finding { test, span, detail } in findings {
        line("finding", format!("{test}: {detail} ({})", shown(*span)));
    }
    for Stretch { span, suspect, failed, tests } in &report.worst_stretches {
        let tests: Vec<&str> = tests.iter().map(|test| test.name()).collect();
        line("worst stretch", format!("{}: {suspect} suspect, {failed} failed by {}", shown(*span), tests.join(", ")));
    }
    output::line(&lines.join("\n"))
}

fn shown(span: TimeSpan) -> String {
    format!("{} to {}", span.from.to_rfc3339(BANGKOK_OFFSET_SECONDS), span.to.to_rfc3339(BANGKOK_OFFSET_SECONDS))
}

fn duration(micros: i64) -> String {
    let minutes = micros as f64 / 60e6;
    match minutes {
        minutes if minutes < 120.0 => format!("{minutes:.0} min"),
        minutes if minutes < 48.0 * 60.0 => format!("{:.1} h", minutes / 60.0),
        minutes => format!("{:.1} d", minutes / (24.0 * 60.0)),
    }
}
