//! What an archive sums up is what a scan of it would sum up to.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use futures::StreamExt;
use gwbank_model::{Key, Parameter, QualityFlag, Row, SeriesId, Timestamp};

use super::archive::{Names, commit, read_all};
use crate::{Archive, ArchiveSnapshot, Bucket, Measure, MonthUnit, ScanRequest, Summary};

const MEASURES: [Measure; 5] = [Measure::Rows, Measure::Values, Measure::Sum, Measure::Least, Measure::Greatest];

type Group = (Option<SeriesId>, Option<Timestamp>);

/// Of one group.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sums {
    rows: i64,
    values: i64,
    sum: f64,
    least: f64,
    greatest: f64,
}

impl Sums {
    const NONE: Sums = Sums { rows: 0, values: 0, sum: 0.0, least: f64::INFINITY, greatest: f64::NEG_INFINITY };

    fn with(self, other: Sums) -> Sums {
        Sums {
            rows: self.rows + other.rows,
            values: self.values + other.values,
            sum: self.sum + other.sum,
            least: self.least.min(other.least),
            greatest: self.greatest.max(other.greatest),
        }
    }

    fn of(row: &Row) -> Sums {
        match row.value() {
            Some(value) => Sums { rows: 1, values: 1, sum: value, least: value, greatest: value },
            None => Sums { rows: 1, ..Sums::NONE },
        }
    }
}

pub(super) async fn summaries_say_what_a_scan_says(archive: &dyn Archive, names: &Names) {
    if !archive.summarizes() {
        return;
    }
    let mut rows = Vec::new();
    // Whole and half numbers, so that every order of summation gives the same.
    for well in ["A", "B"] {
        for step in -60_i64..60 {
            let (secs, value) = (step * 911_117 + 1_300_000_000, step as f64 * 0.5);
            let mut row = names.row(well, if step % 11 == 0 { -secs } else { secs }, value, 10);
            row.quality =
                [QualityFlag::Pass, QualityFlag::Suspect, QualityFlag::NotEvaluated][step.rem_euclid(3) as usize];
            if step % 7 == 0 {
                (row.value, row.quality) = (f64::NAN, QualityFlag::Missing);
            }
            rows.push(row);
        }
    }
    archive.commit(commit(rows.clone(), 10)).await.expect("commit");
    let snapshot = archive.snapshot().await.expect("snapshot");
    let day = |origin_hours: i64| Bucket::Width { micros: 86_400_000_000, origin_micros: origin_hours * 3_600_000_000 };
    let months = |unit, offset_seconds| Bucket::Months { unit, offset_seconds };
    let buckets = [
        None,
        Some(day(0)),
        Some(day(-7)),
        Some(Bucket::Width { micros: 900_000_000, origin_micros: 123_456_789 }),
        Some(months(MonthUnit::Month, 0)),
        Some(months(MonthUnit::Month, 25_200)),
        Some(months(MonthUnit::Quarter, 0)),
        Some(months(MonthUnit::Year, -12_600)),
    ];
    let requests = [
        ScanRequest::all(),
        ScanRequest { from: Some(Timestamp::from_secs(1_300_000_000)), partitions: 3, ..ScanRequest::all() },
        ScanRequest {
            wells: Some(["B".to_owned()].into()),
            parameters: Some([Parameter::DepthToWater].into()),
            ..ScanRequest::all()
        },
        ScanRequest { wells: Some(["nowhere".to_owned()].into()), ..ScanRequest::all() },
    ];
    let good = || Some(vec![QualityFlag::Pass, QualityFlag::NotEvaluated]);
    let choices = [
        (false, None, Vec::new()),
        (true, None, Vec::new()),
        (false, good(), vec![rows[0].key(), rows[3].key(), rows[130].key()]),
        (false, Some(Vec::new()), Vec::new()),
    ];
    for request in &requests {
        let (scanned, _) = read_all(&*snapshot, &names.names, request).await;
        for bucket in buckets {
            for by_series in [true, false] {
                for (with_value, qualities, without) in &choices {
                    let without: Vec<Key> = without.clone();
                    let summary = Summary {
                        by_series,
                        bucket,
                        measures: MEASURES.to_vec(),
                        with_value: *with_value,
                        qualities: qualities.clone(),
                        without: without.into(),
                    };
                    let mut expected: BTreeMap<Group, Sums> = BTreeMap::new();
                    let wanted = |row: &&Row| {
                        qualities.as_ref().is_none_or(|wanted| wanted.contains(&row.quality))
                            && !summary.without.contains(&row.key())
                            && (!with_value || row.value().is_some())
                    };
                    for row in scanned.iter().filter(wanted) {
                        let group = (by_series.then_some(row.series), bucket.map(|bucket| bucket.start_of(row.time)));
                        let sums = expected.entry(group).or_insert(Sums::NONE);
                        *sums = sums.with(Sums::of(row));
                    }
                    let found = summed(&*snapshot, names, request, &summary).await;
                    assert_eq!(found, expected, "{request:?} {summary:?}");
                }
            }
        }
    }
    // Measures as asked for, in that order.
    let measures = vec![Measure::Greatest, Measure::Rows];
    let summary =
        Summary { by_series: false, bucket: None, measures, with_value: false, qualities: None, without: [].into() };
    for mut stream in snapshot.summarize(ScanRequest::all(), &summary).expect("summary").expect("some") {
        while let Some(batch) = stream.next().await {
            assert_eq!(batch.expect("summary").schema(), summary.schema());
        }
    }
}

async fn summed(
    snapshot: &dyn ArchiveSnapshot,
    names: &Names,
    request: &ScanRequest,
    summary: &Summary,
) -> BTreeMap<Group, Sums> {
    let mut found: BTreeMap<Group, Sums> = BTreeMap::new();
    let streams = snapshot.summarize(request.clone(), summary).expect("summary").expect("this archive summarizes");
    for mut stream in streams {
        while let Some(batch) = stream.next().await {
            let batch = batch.expect("summary");
            assert_eq!(batch.schema(), summary.schema());
            let column = |name: &str| batch.column_by_name(name).expect("a column of the summary");
            let text = |name: &str| cast(column(name), &DataType::Utf8).expect("a text");
            for row in 0..batch.num_rows() {
                let series = summary.by_series.then(|| {
                    let (wells, parameters) = (text("well_id"), text("parameter"));
                    let parameter =
                        Parameter::from_name(parameters.as_string::<i32>().value(row)).expect("a parameter");
                    names.names.series.get(wells.as_string::<i32>().value(row), parameter).expect("a series")
                });
                let time = summary.bucket.map(|_| {
                    Timestamp::from_micros(column("time").as_primitive::<TimestampMicrosecondType>().value(row))
                });
                let count = |name: &str| column(name).as_primitive::<Int64Type>().value(row);
                let number = |name: &str, none: f64| {
                    let numbers = column(name).as_primitive::<Float64Type>();
                    if numbers.is_null(row) { none } else { numbers.value(row) }
                };
                let sums = Sums {
                    rows: count("rows"),
                    values: count("values"),
                    sum: number("sum", 0.0),
                    least: number("least", f64::INFINITY),
                    greatest: number("greatest", f64::NEG_INFINITY),
                };
                if sums.rows > 0 {
                    let group = found.entry((series, time)).or_insert(Sums::NONE);
                    *group = group.with(sums);
                }
            }
        }
    }
    found
}
