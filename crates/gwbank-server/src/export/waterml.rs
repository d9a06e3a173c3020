//! A selection as WaterML 2.0 (OGC 10-126r4): a `wml2:Collection` of one observation a series.
//!
//! ```text
//! Collection ─ DocumentMetadata · Dictionary of our terms · MonitoringPoint a well
//!            └ OM_Observation a series ─ MeasurementTimeseries ─ default metadata, MeasurementTVP a row
//! ```
//!
//! # Rules
//! 1. Written as it is read: wells and series are known from the plan, points come batch by batch.
//! 2. Numbers with all their digits: the shortest text that reads back as the same number.
//! 3. Whatever an id or a name contains, the document is well-formed, and ids in it are unique.
//! 4. A value that is missing is a point all the same: `xsi:nil` with its `nilReason`; of a well found dry, which is no fault
//!    but knowledge, with a `censoredReason`.
//! 5. What differs from the defaults of a series is said at the point, whole.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int16Array, Int32Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Parameter, QcTests, QualityFlag, SiteStatus, Timestamp};
use gwbank_registry::{Sampling, Well};

use super::plan::{Plan, PlannedSeries, unexpected_columns};
use super::selection::Interval;
use crate::doors::{SqlAnswer, SqlError};

const HEAD: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    "\n",
    r#"<wml2:Collection gml:id="collection""#,
    r#" xmlns:wml2="http://www.opengis.net/waterml/2.0""#,
    r#" xmlns:gml="http://www.opengis.net/gml/3.2""#,
    r#" xmlns:om="http://www.opengis.net/om/2.0""#,
    r#" xmlns:sa="http://www.opengis.net/sampling/2.0""#,
    r#" xmlns:sams="http://www.opengis.net/samplingSpatial/2.0""#,
    r#" xmlns:swe="http://www.opengis.net/swe/2.0""#,
    r#" xmlns:xlink="http://www.w3.org/1999/xlink""#,
    r#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance""#,
    r#" xsi:schemaLocation="http://www.opengis.net/waterml/2.0 http://schemas.opengis.net/waterml/2.0/waterml2.xsd">"#,
    "\n",
);

const END: &str = "</wml2:Collection>\n";

/// Who gives out the names of wells and parameters: whoever runs the server, so no address that would have to exist.
const CODE_SPACE: &str = "urn:x-gwbank";

const DEFINITIONS: &str = "http://www.opengis.net/def/waterml/2.0";
const NIL: &str = "http://www.opengis.net/def/nil/OGC/0";

/// Terms of qualifiers that points carry.
const TERMS: [(&str, &str); 6] = [
    ("approval", "provisional, or approved by a hydrologist"),
    ("site_status", "how the site was at the measurement: dry, pumping, recently_pumped, obstructed, …"),
    ("qc_tests", "a quality test (QARTOD) that did not pass"),
    ("count", "how many readings a mean or sum is made of"),
    ("ground_elevation", "of the ground at the well, above its vertical datum"),
    ("well_depth", "of the well, below ground"),
];

/// The answer as a stream of bytes, up to its first error.
pub(crate) fn waterml(
    plan: &Plan,
    generated_at: Timestamp,
    version: &str,
    answer: SqlAnswer,
) -> BoxStream<'static, Result<Bytes, SqlError>> {
    let head = head(plan, generated_at, version);
    let document = Document {
        interval: plan.selection.interval,
        judged: !plan.selection.qualities.is_empty() && plan.selection.qualities.iter().all(|&quality| quality == 1),
        generated_at,
        series: plan.series.iter().cloned().collect(),
        open: None,
        numbers: HashMap::new(),
    };
    enum Stage {
        Head(String),
        Points,
        Done,
    }
    let start = (Stage::Head(head), document, answer.batches);
    stream::unfold(start, |(stage, mut document, mut batches)| async move {
        match stage {
            Stage::Head(text) => Some((Ok(text.into()), (Stage::Points, document, batches))),
            Stage::Points => match batches.next().await {
                Some(Ok(batch)) => {
                    let written = document.points(&batch).map(Bytes::from).map_err(unexpected_columns);
                    let next = if written.is_ok() { Stage::Points } else { Stage::Done };
                    Some((written, (next, document, batches)))
                }
                Some(Err(error)) => Some((Err(error), (Stage::Done, document, batches))),
                None => {
                    let end = document.end();
                    Some((Ok(Bytes::from(end)), (Stage::Done, document, batches)))
                }
            },
            Stage::Done => None,
        }
    })
    .boxed()
}

fn head(plan: &Plan, generated_at: Timestamp, version: &str) -> String {
    let mut xml = HEAD.to_owned();
    let generated = instant(generated_at);
    let _ = writeln!(
        xml,
        "<wml2:metadata><wml2:DocumentMetadata gml:id=\"document\">\
         <wml2:generationDate>{generated}</wml2:generationDate>\
         <wml2:version xlink:href=\"http://www.opengis.net/waterml/2.0\" xlink:title=\"WaterML 2.0\"/>\
         <wml2:generationSystem>gwbank {}</wml2:generationSystem>\
         </wml2:DocumentMetadata></wml2:metadata>",
        escaped(version)
    );
    xml.push_str("<wml2:localDictionary><gml:Dictionary gml:id=\"terms\">");
    let _ = write!(xml, "<gml:identifier codeSpace=\"{CODE_SPACE}\">terms</gml:identifier>");
    let mut parameters: Vec<Parameter> = plan.series.iter().map(|series| series.parameter).collect();
    parameters.sort_unstable();
    parameters.dedup();
    for parameter in parameters {
        let meaning = format!("{}, in {}", parameter.name().replace('_', " "), parameter.canonical_unit());
        definition(&mut xml, parameter.name(), &meaning);
    }
    for (term, meaning) in TERMS {
        definition(&mut xml, term, meaning);
    }
    xml.push_str("</gml:Dictionary></wml2:localDictionary>\n");
    for of_well in plan.series.chunk_by(|a, b| a.well.well_id == b.well.well_id) {
        monitoring_point(&mut xml, &of_well[0].well);
    }
    xml
}

fn definition(xml: &mut String, term: &str, meaning: &str) {
    let _ = write!(
        xml,
        "<gml:dictionaryEntry><gml:Definition gml:id=\"{term}\">\
         <gml:description>{}</gml:description>\
         <gml:identifier codeSpace=\"{CODE_SPACE}\">{term}</gml:identifier>\
         </gml:Definition></gml:dictionaryEntry>",
        escaped(meaning)
    );
}

fn monitoring_point(xml: &mut String, well: &Well) {
    let (id, well_id) = (xml_id(well.well_id.as_str()), escaped(well.well_id.as_str()));
    let _ = write!(xml, "<wml2:samplingFeatureMember><wml2:MonitoringPoint gml:id=\"well-{id}\">");
    let _ = write!(xml, "<gml:identifier codeSpace=\"{CODE_SPACE}:well\">{well_id}</gml:identifier>");
    for name in [&well.name, &well.name_th].into_iter().flatten() {
        let _ = write!(xml, "<gml:name>{}</gml:name>", escaped(name));
    }
    match &well.aquifer {
        Some(aquifer) => {
            let _ = write!(xml, "<sa:sampledFeature xlink:title=\"{}\"/>", escaped(aquifer));
        }
        None => xml.push_str("<sa:sampledFeature xsi:nil=\"true\" nilReason=\"unknown\"/>"),
    }
    for (term, title, value) in [
        ("ground_elevation", "ground elevation", well.ground_elevation),
        ("well_depth", "depth of the well", well.depth),
    ] {
        if let Some(metres) = value.filter(|value| value.is_finite()) {
            let _ = write!(
                xml,
                "<sa:parameter><om:NamedValue><om:name xlink:href=\"#{term}\" xlink:title=\"{title}\"/>\
                 <om:value xsi:type=\"gml:MeasureType\" uom=\"m\">{metres}</om:value></om:NamedValue></sa:parameter>"
            );
        }
    }
    match (well.latitude, well.longitude) {
        (Some(latitude), Some(longitude)) => {
            // EPSG:4326 is latitude first.
            let _ = write!(
                xml,
                "<sams:shape><gml:Point gml:id=\"place-{id}\" srsName=\"http://www.opengis.net/def/crs/EPSG/0/4326\">\
                 <gml:pos>{latitude} {longitude}</gml:pos></gml:Point></sams:shape>"
            );
        }
        _ => xml.push_str("<sams:shape nilReason=\"unknown\"/>"),
    }
    if let Some(datum) = &well.vertical_datum {
        let _ = write!(xml, "<wml2:verticalDatum xlink:title=\"{}\"/>", escaped(datum));
    }
    xml.push_str(
        "<wml2:timeZone><wml2:TimeZone><wml2:zoneOffset>+07:00</wml2:zoneOffset>\
         <wml2:zoneAbbreviation>ICT</wml2:zoneAbbreviation></wml2:TimeZone></wml2:timeZone>\
         </wml2:MonitoringPoint></wml2:samplingFeatureMember>\n",
    );
}

/// What is being written.
struct Document {
    interval: Interval,
    /// Whether only values that passed were asked for, so that means are known to be good.
    judged: bool,
    generated_at: Timestamp,
    /// Still to come.
    series: VecDeque<PlannedSeries>,
    open: Option<PlannedSeries>,
    /// Observations of a well so far, for ids.
    numbers: HashMap<String, u32>,
}

/// A row, whatever the interval.
struct Points {
    wells: StringArray,
    parameters: StringArray,
    times: Vec<Option<Timestamp>>,
    rows: Rows,
}

enum Rows {
    Raw(Box<RawColumns>),
    Summed { means: Float64Array, sums: Float64Array, counts: ArrayRef },
}

struct RawColumns {
    values: Float64Array,
    qualities: Int16Array,
    tests: Int32Array,
    statuses: StringArray,
    approvals: StringArray,
}

fn column<A: Clone + 'static>(batch: &RecordBatch, name: &str, to: &DataType) -> Result<A, ArrowError> {
    let column = batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))?;
    let column = cast(column, to)?;
    let typed = column.as_any().downcast_ref::<A>();
    typed.cloned().ok_or_else(|| ArrowError::SchemaError(format!("column {name} is no {to}")))
}

impl Points {
    fn of(batch: &RecordBatch, interval: Interval) -> Result<Self, ArrowError> {
        let text = |name: &str| column::<StringArray>(batch, name, &DataType::Utf8);
        let number = |name: &str| column::<Float64Array>(batch, name, &DataType::Float64);
        let (time, rows) = match interval {
            Interval::Raw => {
                let (values, qualities) = (number("value")?, column(batch, "quality", &DataType::Int16)?);
                let tests = column(batch, "qc_tests", &DataType::Int32)?;
                let (statuses, approvals) = (text("site_status")?, text("approval")?);
                ("time", Rows::Raw(Box::new(RawColumns { values, qualities, tests, statuses, approvals })))
            }
            Interval::Daily | Interval::Monthly => {
                let counts = batch.column_by_name("count").map(|counts| cast(counts, &DataType::Int64)).transpose()?;
                let counts = counts.ok_or_else(|| ArrowError::SchemaError("no column count".to_owned()))?;
                let time = if interval == Interval::Daily { "day" } else { "month" };
                (time, Rows::Summed { means: number("mean")?, sums: number("sum")?, counts })
            }
        };
        Ok(Self { wells: text("well_id")?, parameters: text("parameter")?, times: times(batch, time)?, rows })
    }
}

/// Instants; of days their beginning in Thailand.
fn times(batch: &RecordBatch, name: &str) -> Result<Vec<Option<Timestamp>>, ArrowError> {
    let column = batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))?;
    let is_day = matches!(column.data_type(), DataType::Date32 | DataType::Date64);
    let zone = if is_day { None } else { Some("UTC".into()) };
    let micros = cast(&cast(column, &DataType::Timestamp(TimeUnit::Microsecond, zone))?, &DataType::Int64)?;
    let micros = micros.as_primitive::<Int64Type>();
    let shift = if is_day { -i64::from(BANGKOK_OFFSET_SECONDS) } else { 0 };
    Ok(micros.iter().map(|micros| Some(Timestamp::from_micros(micros?).plus_secs(shift))).collect())
}

impl Document {
    fn points(&mut self, batch: &RecordBatch) -> Result<String, ArrowError> {
        let points = Points::of(batch, self.interval)?;
        let mut xml = String::with_capacity(batch.num_rows() * 160);
        for row in 0..batch.num_rows() {
            let (well, parameter) = (points.wells.value(row), points.parameters.value(row));
            if !self.go_to(well, parameter, &mut xml) {
                continue;
            }
            let Some(time) = points.times[row] else { continue };
            let _ = write!(xml, "<wml2:point><wml2:MeasurementTVP><wml2:time>{}</wml2:time>", instant(time));
            match &points.rows {
                Rows::Raw(columns) => {
                    let RawColumns { values, qualities, tests, statuses, approvals } = columns.as_ref();
                    let text = |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
                    raw_point(
                        &mut xml,
                        &RawPoint {
                            value: values.is_valid(row).then(|| values.value(row)).filter(|value| value.is_finite()),
                            quality: qualities.is_valid(row).then(|| qualities.value(row)),
                            tests: QcTests::from_bits(u16::try_from(tests.value(row)).unwrap_or_default()),
                            status: text(statuses),
                            approval: text(approvals),
                        },
                    );
                }
                Rows::Summed { means, sums, counts } => {
                    let is_sum = self.open.as_ref().is_some_and(|series| adds_up(series.parameter));
                    let values = if is_sum { sums } else { means };
                    let value = values.is_valid(row).then(|| values.value(row)).filter(|value| value.is_finite());
                    summed_point(&mut xml, value, counts.as_primitive::<Int64Type>().value(row));
                }
            }
            xml.push_str("</wml2:MeasurementTVP></wml2:point>\n");
        }
        Ok(xml)
    }

    /// Makes the row's series the one that is written; false where it was not planned, as it came in since.
    fn go_to(&mut self, well: &str, parameter: &str, xml: &mut String) -> bool {
        let name =
            |series: &PlannedSeries| (series.well.well_id.as_str(), series.parameter.name()).cmp(&(well, parameter));
        if self.open.as_ref().is_some_and(|series| name(series).is_eq()) {
            return true;
        }
        // Rows and plan have one order.
        while self.series.front().is_some_and(|series| name(series).is_lt()) {
            self.series.pop_front();
        }
        if !self.series.front().is_some_and(|series| name(series).is_eq()) {
            return false;
        }
        let Some(series) = self.series.pop_front() else { return false };
        self.close(xml);
        let number = self.numbers.entry(well.to_owned()).or_default();
        *number += 1;
        let id = format!("{}-{number}", xml_id(well));
        self.open_series(&series, &id, xml);
        self.open = Some(series);
        true
    }

    fn open_series(&self, series: &PlannedSeries, id: &str, xml: &mut String) {
        let PlannedSeries { well, parameter, first, last, .. } = series;
        let start_of = |time: &Timestamp| match self.interval {
            Interval::Raw => *time,
            Interval::Daily => time.day(BANGKOK_OFFSET_SECONDS).start(BANGKOK_OFFSET_SECONDS),
            Interval::Monthly => time.month(BANGKOK_OFFSET_SECONDS).start(BANGKOK_OFFSET_SECONDS),
        };
        let (process, summed_over) = match (self.interval, well.sampling) {
            (Interval::Raw, Sampling::Logger) => ("Sensor", None),
            (Interval::Raw, Sampling::Manual) => ("ManualMethod", None),
            (Interval::Daily, _) => ("Algorithm", Some("P1D")),
            (Interval::Monthly, _) => ("Algorithm", Some("P1M")),
        };
        let over =
            |text: &str| summed_over.map_or_else(String::new, |over| format!("<wml2:{text}>{over}</wml2:{text}>"));
        let (name, title) = (parameter.name(), parameter.name().replace('_', " "));
        let (point, point_title) = (xml_id(well.well_id.as_str()), escaped(well.well_id.as_str()));
        let _ = write!(
            xml,
            "<wml2:observationMember><om:OM_Observation gml:id=\"observation-{id}\">\
             <om:type xlink:href=\"{DEFINITIONS}/observationType/measurementTVP\" xlink:title=\"measurements\"/>\
             <om:phenomenonTime><gml:TimePeriod gml:id=\"period-{id}\">\
             <gml:beginPosition>{}</gml:beginPosition><gml:endPosition>{}</gml:endPosition>\
             </gml:TimePeriod></om:phenomenonTime>\
             <om:resultTime><gml:TimeInstant gml:id=\"result-{id}\"><gml:timePosition>{}</gml:timePosition>\
             </gml:TimeInstant></om:resultTime>\
             <om:procedure><wml2:ObservationProcess gml:id=\"process-{id}\">\
             <wml2:processType xlink:href=\"{DEFINITIONS}/processType/{process}\" xlink:title=\"{process}\"/>{}\
             </wml2:ObservationProcess></om:procedure>\
             <om:observedProperty xlink:href=\"#{name}\" xlink:title=\"{title}\"/>\
             <om:featureOfInterest xlink:href=\"#well-{point}\" xlink:title=\"{point_title}\"/>\
             <om:result><wml2:MeasurementTimeseries gml:id=\"series-{id}\">\
             <wml2:metadata><wml2:MeasurementTimeseriesMetadata><wml2:temporalExtent xlink:href=\"#period-{id}\"/>",
            instant(start_of(first)),
            instant(start_of(last)),
            instant(self.generated_at),
            over("aggregationDuration"),
        );
        if *parameter == Parameter::RainfallTotal && summed_over.is_none() {
            xml.push_str("<wml2:cumulative>true</wml2:cumulative>");
        }
        xml.push_str(
            "</wml2:MeasurementTimeseriesMetadata></wml2:metadata>\
             <wml2:defaultPointMetadata><wml2:DefaultTVPMeasurementMetadata>",
        );
        if summed_over.is_none() || self.judged {
            quality(xml, Some(QualityFlag::Pass));
        }
        if summed_over.is_none() {
            category(xml, "approval", PROVISIONAL);
        }
        let (interpolation, meaning) = interpolation(*parameter, self.interval);
        let _ = writeln!(
            xml,
            "<wml2:uom code=\"{}\"/>\
             <wml2:interpolationType xlink:href=\"{DEFINITIONS}/interpolationType/{interpolation}\" \
             xlink:title=\"{meaning}\"/>{}</wml2:DefaultTVPMeasurementMetadata></wml2:defaultPointMetadata>",
            ucum(*parameter),
            over("aggregationDuration"),
        );
    }

    fn close(&mut self, xml: &mut String) {
        if self.open.take().is_some() {
            xml.push_str("</wml2:MeasurementTimeseries></om:result></om:OM_Observation></wml2:observationMember>\n");
        }
    }

    fn end(&mut self) -> String {
        let mut xml = String::new();
        self.close(&mut xml);
        xml + END
    }
}

/// The approval that is said once a series, as most readings have it.
const PROVISIONAL: &str = "provisional";

struct RawPoint {
    value: Option<f64>,
    quality: Option<i16>,
    tests: QcTests,
    status: Option<String>,
    approval: Option<String>,
}

fn raw_point(xml: &mut String, point: &RawPoint) {
    let RawPoint { value, quality: judged, tests, status, approval } = point;
    value_element(xml, *value);
    let flag = judged.and_then(|code| u8::try_from(code).ok()).and_then(QualityFlag::from_code);
    let status = status.as_deref().filter(|status| *status != SiteStatus::Ok.name());
    let approval = approval.as_deref().filter(|approval| *approval != PROVISIONAL);
    let is_usual = flag == Some(QualityFlag::Pass) && *tests == QcTests::NONE && status.is_none() && approval.is_none();
    if is_usual && value.is_some() {
        return;
    }
    xml.push_str("<wml2:metadata><wml2:TVPMeasurementMetadata>");
    quality(xml, flag);
    let is_dry = status == Some(SiteStatus::Dry.name());
    if value.is_none() && !is_dry {
        let _ = write!(xml, "<wml2:nilReason xlink:href=\"{NIL}/missing\" xlink:title=\"missing\"/>");
    }
    category(xml, "approval", approval.unwrap_or(PROVISIONAL));
    if let Some(status) = status {
        category(xml, "site_status", status);
    }
    for test in tests.iter() {
        category(xml, "qc_tests", test.name());
    }
    if value.is_none() && is_dry {
        // The level is deeper than the well can tell.
        let reason = "BelowDetectionRange";
        let _ = write!(xml, "<wml2:censoredReason xlink:href=\"{NIL}/{reason}\" xlink:title=\"dry\"/>");
    }
    xml.push_str("</wml2:TVPMeasurementMetadata></wml2:metadata>");
}

fn summed_point(xml: &mut String, value: Option<f64>, count: i64) {
    value_element(xml, value);
    xml.push_str("<wml2:metadata><wml2:TVPMeasurementMetadata>");
    if value.is_none() {
        let _ = write!(xml, "<wml2:nilReason xlink:href=\"{NIL}/missing\" xlink:title=\"missing\"/>");
    }
    let _ = write!(
        xml,
        "<wml2:qualifier><swe:Quantity definition=\"#count\"><swe:uom code=\"1\"/><swe:value>{count}</swe:value>\
         </swe:Quantity></wml2:qualifier></wml2:TVPMeasurementMetadata></wml2:metadata>"
    );
}

fn value_element(xml: &mut String, value: Option<f64>) {
    match value {
        Some(value) => {
            let _ = write!(xml, "<wml2:value>{value}</wml2:value>");
        }
        None => xml.push_str("<wml2:value xsi:nil=\"true\"/>"),
    }
}

fn quality(xml: &mut String, flag: Option<QualityFlag>) {
    let name = match flag {
        Some(QualityFlag::Pass) => "good",
        Some(QualityFlag::Suspect) => "suspect",
        Some(QualityFlag::Fail) => "poor",
        Some(QualityFlag::Missing) => "missing",
        Some(QualityFlag::NotEvaluated) | None => "unchecked",
    };
    let _ = write!(xml, "<wml2:quality xlink:href=\"{DEFINITIONS}/quality/{name}\" xlink:title=\"{name}\"/>");
}

fn category(xml: &mut String, term: &str, value: &str) {
    let value = escaped(value);
    let _ = write!(
        xml,
        "<wml2:qualifier><swe:Category definition=\"#{term}\"><swe:value>{value}</swe:value></swe:Category>\
         </wml2:qualifier>"
    );
}

/// What falls or leaves over a time, where a mean of readings says nothing.
const fn adds_up(parameter: Parameter) -> bool {
    matches!(parameter, Parameter::Rainfall | Parameter::Evaporation)
}

/// How a value stands for the time around it. Days and months are named by their beginning.
fn interpolation(parameter: Parameter, interval: Interval) -> (&'static str, &'static str) {
    match (adds_up(parameter), interval) {
        (true, Interval::Raw) => ("TotalPrec", "total since the previous value"),
        (false, Interval::Raw) => ("Continuous", "instantaneous"),
        (true, _) => ("TotalSucc", "total of the time that begins here"),
        (false, _) => ("AverageSucc", "mean of the time that begins here"),
    }
}

/// The unit as UCUM writes it; what it has no symbol for stands in braces.
fn ucum(parameter: Parameter) -> &'static str {
    match parameter.canonical_unit() {
        "NTU" => "{NTU}",
        "dBm" => "dB{mW}",
        _ if parameter == Parameter::Ph => "[pH]",
        unit => unit,
    }
}

fn instant(time: Timestamp) -> String {
    time.to_rfc3339(BANGKOK_OFFSET_SECONDS)
}

/// Text as XML holds it. Characters that XML 1.0 cannot hold at all are replaced.
fn escaped(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !matches!(c, '&' | '<' | '>' | '"' | '\'') && !is_forbidden(c) && !c.is_control();
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // As they are they would become spaces in an attribute.
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if is_forbidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Part of an XML id: letters, digits, full stops and hyphens as they are, everything else by its number between underscores,
/// so that different texts have different ids.
fn xml_id(text: &str) -> String {
    let mut id = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
            id.push(c);
        } else {
            let _ = write!(id, "_{:x}_", u32::from(c));
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_names_of_xml_and_differ_as_their_texts_do() {
        assert_eq!(xml_id("TH3001-0007"), "TH3001-0007");
        assert_eq!(xml_id("บ่อ_1"), "_e1a__e48__e2d__5f_1");
        let texts = ["a_b", "a b", "a_5f_b", "a__b", "a:b", "ab", "a_20_b"];
        let ids: HashSet<String> = texts.iter().map(|text| xml_id(text)).collect();
        assert_eq!(ids.len(), texts.len());
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("บ่อ 7"), "บ่อ 7");
        assert_eq!(escaped("<a href=\"x\">&'\u{1}\n"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\u{fffd}&#10;");
    }

    #[test]
    fn every_parameter_has_a_unit_without_spaces_and_an_interpolation() {
        for &parameter in Parameter::ALL {
            assert!(!ucum(parameter).is_empty() && !ucum(parameter).contains([' ', ':']), "{parameter}");
        }
        assert_eq!(interpolation(Parameter::Rainfall, Interval::Raw).0, "TotalPrec");
        assert_eq!(interpolation(Parameter::DepthToWater, Interval::Daily).0, "AverageSucc");
    }

    proptest! {
        #[test]
        fn numbers_read_back_as_they_were(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
            let mut xml = String::new();
            value_element(&mut xml, Some(value));
            let text = xml.strip_prefix("<wml2:value>").unwrap().strip_suffix("</wml2:value>").unwrap();
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
        }

        #[test]
        fn ids_are_made_of_what_xml_permits(text in "\\PC{0,64}") {
            prop_assert!(xml_id(&text).chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')));
        }

        #[test]
        fn different_texts_have_different_ids(a in "\\PC{0,8}", b in "\\PC{0,8}") {
            prop_assert_eq!(a == b, xml_id(&a) == xml_id(&b));
        }
    }
}
