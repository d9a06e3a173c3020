//! `GET /api/v1/export`: readings of a selection as one file, streamed.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Response, header};
use gwbank_model::{Parameter, QualityFlag};
use gwbank_registry::Well;
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{self, Parameters};
use super::sql::{hold_back, streamed};
use crate::auth::Principal;
use crate::encode::{SqlFormat, encode};
use crate::export::{Interval, Plan, Selection, batches, day_of, waterml};
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::ProblemView;

/// How many readings the selection has, for whoever shows how far it is.
const READINGS: HeaderName = HeaderName::from_static("gwbank-readings");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Parquet,
    WaterMl,
}

impl Format {
    const ALL: [Format; 3] = [Format::Csv, Format::Parquet, Format::WaterMl];

    const fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Parquet => "parquet",
            Format::WaterMl => "waterml",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Format::Csv => SqlFormat::Csv.content_type(),
            Format::Parquet => SqlFormat::Parquet.content_type(),
            Format::WaterMl => "application/xml",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Parquet => "parquet",
            Format::WaterMl => "xml",
        }
    }
}

impl std::str::FromStr for Format {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or(())
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportParameters {
    /// `csv` (the default), `parquet` or `waterml` (WaterML 2.0).
    format: Option<String>,
    /// Ids, with commas between them. Without `well`, `province` and `aquifer` all wells; with several of them, wells that all
    /// of them mean.
    well: Option<String>,
    /// Codes, with commas between them, such as `30,31`.
    province: Option<String>,
    /// As registered, whole.
    aquifer: Option<String>,
    /// Names, with commas between them, such as `depth_to_water,water_temperature`; by default all.
    parameter: Option<String>,
    /// RFC 3339, or a day in Thai time; included.
    from: Option<String>,
    /// RFC 3339, or a day in Thai time; excluded.
    to: Option<String>,
    /// Quality flags, with commas between them, such as `1,2`; by default all.
    quality: Option<String>,
    /// `true`: only what a hydrologist has approved.
    approved: Option<bool>,
    /// `raw` (the default), `daily` or `monthly`; days and months are those of Thailand.
    interval: Option<String>,
}

/// Readings of a selection as one file, by well, parameter and time.
///
/// Columns of single readings: `well_id, parameter, unit, time, value, quality, qc_tests, site_status, approval`; of days and
/// months: `well_id, parameter, unit, day` (`month`)`, mean, min, max, sum, count` (and `days`). In WaterML 2.0 each series is
/// an observation, each well a monitoring point; days and months are means, of rain and evaporation sums. The header
/// `gwbank-readings` tells how many readings are selected. There is no limit of rows: the series are read piece by piece. An
/// answer that fails after its first rows ends the connection without its last chunk; why is told by `GET /api/v1/sql/{id}`, with
/// the id of the header `gwbank-answer`.
#[utoipa::path(get, path = "/api/v1/export", tag = "export", params(ExportParameters), responses(
    (status = 200, description = "the readings", content(
        (String = "text/csv"),
        (Vec<u8> = "application/vnd.apache.parquet"),
        (String = "application/xml"),
    )),
    (status = 400, description = "a parameter is wrong", body = ProblemView, content_type = "application/problem+json"),
    (status = 404, description = "an id that no well has", body = ProblemView, content_type = "application/problem+json"),
    (status = 429, description = "too many queries at once", body = ProblemView, content_type = "application/problem+json"),
))]
pub async fn export(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Parameters(asked): Parameters<ExportParameters>,
) -> Answer<Response<Body>> {
    let format = match &asked.format {
        Some(name) => input::named("format", name, || Format::ALL.map(Format::name).to_vec())?,
        None => Format::Csv,
    };
    let plan = Plan::make(&app, &principal.name, selection(&app, &asked)?).await?;
    let answer = batches(&app, &principal.name, plan.statements()).await?;
    let now = app.now();
    let bytes = match format {
        Format::Csv => encode(SqlFormat::Csv, answer).await?,
        Format::Parquet => encode(SqlFormat::Parquet, answer).await?,
        Format::WaterMl => waterml(&plan, now, app.version, answer),
    };
    let mut response = streamed(&app, hold_back(bytes).await?, format.content_type(), ());
    let name = format!("attachment; filename=\"gwbank-{}.{}\"", day_of(now), format.extension());
    let headers = response.headers_mut();
    headers.insert(READINGS, HeaderValue::from(plan.readings()));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

fn selection(app: &App, asked: &ExportParameters) -> Answer<Selection> {
    let names = || Parameter::ALL.iter().map(|parameter| parameter.name()).collect::<Vec<_>>();
    let parameters = list(&asked.parameter).map(|name| input::named("parameter", name, names));
    let mut parameters = parameters.collect::<Answer<Vec<Parameter>>>()?;
    // By name, as the rows come.
    parameters.sort_unstable_by_key(|parameter| parameter.name());
    parameters.dedup();
    let qualities = list(&asked.quality).map(quality_flag).collect::<Answer<Vec<u8>>>()?;
    let from = asked.from.as_deref().map(|text| input::instant("from", text)).transpose()?;
    let to = asked.to.as_deref().map(|text| input::instant("to", text)).transpose()?;
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Problem::bad_parameter("to", "to must be later than from"));
    }
    let interval = match &asked.interval {
        Some(name) => input::named("interval", name, || Interval::ALL.map(Interval::name).to_vec())?,
        None => Interval::Raw,
    };
    let (wells, of_all_wells) = wells(app, asked)?;
    let approved_only = asked.approved.unwrap_or(false);
    Ok(Selection { wells, of_all_wells, parameters, from, to, qualities, approved_only, interval })
}

fn list(text: &Option<String>) -> impl Iterator<Item = &str> {
    text.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|item| !item.is_empty())
}

fn quality_flag(text: &str) -> Answer<u8> {
    let flag = text.parse().ok().and_then(QualityFlag::from_code);
    flag.map(QualityFlag::code).ok_or_else(|| {
        let known: Vec<String> = QualityFlag::ALL.iter().map(|flag| format!("{} {flag}", flag.code())).collect();
        Problem::bad_parameter("quality", format!("quality={text:?} is not one of {}", known.join(", ")))
    })
}

/// The wells that are meant, by id, and whether they are all.
fn wells(app: &App, asked: &ExportParameters) -> Answer<(Vec<Arc<Well>>, bool)> {
    let registry = app.ingest.registry();
    let ids: Vec<&str> = list(&asked.well).collect();
    if let Some(unknown) = ids.iter().find(|id| registry.well(id).is_none()) {
        return Err(Problem::new(Kind::UNKNOWN_WELL, format!("no well {unknown:?} is registered")));
    }
    let provinces: Vec<&str> = list(&asked.province).collect();
    for code in &provinces {
        input::province(Some(code))?;
    }
    let is_known = |aquifer: &str| registry.wells().iter().any(|well| well.aquifer.as_deref() == Some(aquifer));
    if let Some(aquifer) = asked.aquifer.as_deref().filter(|aquifer| !is_known(aquifer)) {
        return Err(Problem::bad_parameter("aquifer", format!("no well of an aquifer {aquifer:?} is registered")));
    }
    let is_meant = |well: &&Arc<Well>| {
        (ids.is_empty() || ids.contains(&well.well_id.as_str()))
            && (provinces.is_empty() || provinces.contains(&well.province_code.as_str()))
            && asked.aquifer.as_deref().is_none_or(|aquifer| well.aquifer.as_deref() == Some(aquifer))
    };
    let mut wells: Vec<Arc<Well>> = registry.wells().iter().filter(is_meant).cloned().collect();
    wells.sort_by(|a, b| a.well_id.cmp(&b.well_id));
    let of_all_wells = wells.len() == registry.wells().len();
    Ok((wells, of_all_wells))
}
