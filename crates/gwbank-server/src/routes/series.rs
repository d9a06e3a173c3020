//! One well's readings and indicators.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int16Type, Int32Type, Int64Type, TimeUnit};
use axum::extract::State;
use axum::{Extension, Json};
use futures::StreamExt;
use gwbank_model::condition::Scope;
use gwbank_model::{Month, Parameter, SiteStatus, Timestamp};
use gwbank_registry::Well;
use gwbank_store::IndicatorRow;
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{self, Name, Parameters};
use crate::auth::Principal;
use crate::decimate::{ChartPoint, POINTS_MIN, decimate};
use crate::doors::{ExplanationOf, SqlError, SqlErrorKind};
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{ExplanationView, IndicatorView, PointView, ProblemView, SeriesView, WellIndicators, instant};

/// Points when the request does not say: enough for the widest screen.
const POINTS_DEFAULT: usize = 5_000;
/// More than this is a matter for SQL, which streams.
const POINTS_MAX: usize = 200_000;

pub(super) fn known_well(app: &App, id: &str) -> Answer<Arc<Well>> {
    app.ingest
        .registry()
        .well(id)
        .cloned()
        .ok_or_else(|| Problem::new(Kind::UNKNOWN_WELL, format!("no well {id:?} is registered")))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SeriesParameters {
    /// Such as `depth_to_water`.
    parameter: Option<String>,
    /// RFC 3339, or a day in Thai time; included.
    from: Option<String>,
    /// RFC 3339, or a day in Thai time; excluded.
    to: Option<String>,
    /// From 2 to 200,000, by default 5,000. Where there are more readings, the first, lowest, highest and last of each
    /// stretch of time stay; of 2 the first and the last.
    max_points: Option<usize>,
}

/// One series of a well in time order, decimated for a chart.
#[utoipa::path(get, path = "/api/v1/wells/{id}/readings", tag = "wells",
    params(("id" = String, Path, description = "well_id"), SeriesParameters),
    responses((status = 200, body = SeriesView),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn readings(
    State(app): State<Arc<App>>,
    Name(id): Name,
    Extension(principal): Extension<Principal>,
    Parameters(asked): Parameters<SeriesParameters>,
) -> Answer<Json<SeriesView>> {
    let well = known_well(&app, &id)?;
    let names = || Parameter::ALL.iter().map(|parameter| parameter.name()).collect::<Vec<_>>();
    let Some(parameter) = &asked.parameter else {
        let detail = format!("parameter is needed: one of {}", names().join(", "));
        return Err(Problem::bad_parameter("parameter", detail));
    };
    let parameter: Parameter = input::named("parameter", parameter, names)?;
    let from = asked.from.as_deref().map(|text| input::instant("from", text)).transpose()?;
    let to = asked.to.as_deref().map(|text| input::instant("to", text)).transpose()?;
    let points_max = asked.max_points.unwrap_or(POINTS_DEFAULT);
    if !(POINTS_MIN..=POINTS_MAX).contains(&points_max) {
        let detail = format!("max_points must lie between {POINTS_MIN} and {POINTS_MAX}");
        return Err(Problem::bad_parameter("max_points", detail));
    }

    let sql = series_sql(&well, parameter, from, to);
    let pieces = chart_points(&app, &principal.name, &sql).await?;
    let readings = pieces.iter().map(Vec::len).sum::<usize>() as u64;
    let kept = decimate(&pieces, points_max);
    Ok(Json(SeriesView {
        well_id: well.well_id.to_string(),
        parameter: parameter.name().to_owned(),
        unit: parameter.canonical_unit().to_owned(),
        readings,
        decimated: (kept.len() as u64) < readings,
        points: kept.iter().map(point_view).collect(),
    }))
}

fn series_sql(well: &Well, parameter: Parameter, from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    // Ids contain no quotes by construction; doubling them costs nothing and survives a change of that rule.
    let well_id = well.well_id.as_str().replace('\'', "''");
    let mut sql = format!(
        "SELECT time, value, quality, site_status FROM readings WHERE well_id = '{well_id}' AND parameter = '{parameter}'"
    );
    for (bound, operator) in [(from, ">="), (to, "<")] {
        if let Some(time) = bound {
            sql.push_str(&format!(" AND time {operator} TIMESTAMP '{}'", time.to_rfc3339(0)));
        }
    }
    sql
}

/// A piece a batch: one long list would be copied as it grows.
async fn chart_points(app: &App, user: &str, sql: &str) -> Answer<Vec<Vec<ChartPoint>>> {
    let mut batches = app.sql.query(user, sql).await?.batches;
    let mut pieces = Vec::new();
    while let Some(batch) = batches.next().await {
        pieces.push(points_of(&batch?).map_err(|error| {
            Problem::from(SqlError::new(SqlErrorKind::Internal, format!("series columns: {error}")))
        })?);
    }
    Ok(pieces)
}

fn points_of(batch: &RecordBatch) -> Result<Vec<ChartPoint>, arrow::error::ArrowError> {
    let times = cast(batch.column(0), &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))?;
    let times = cast(&times, &DataType::Int64)?;
    let times = times.as_primitive::<Int64Type>();
    let values = cast(batch.column(1), &DataType::Float64)?;
    let values = values.as_primitive::<Float64Type>();
    let qualities = cast(batch.column(2), &DataType::Int16)?;
    let qualities = qualities.as_primitive::<Int16Type>();
    // Each name is looked at once, not at each reading that has it.
    let statuses = cast(batch.column(3), &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))?;
    let statuses = statuses.as_dictionary::<Int32Type>();
    let names = statuses.values().as_string::<i32>();
    let codes: Vec<i16> = (0..names.len())
        .map(|name| SiteStatus::from_name(names.value(name)).map_or(-1, |status| i16::from(status.code())))
        .collect();
    let points = (0..batch.num_rows()).map(|row| ChartPoint {
        time_micros: times.value(row),
        value: if values.is_valid(row) { values.value(row) } else { f64::NAN },
        quality: qualities.value(row),
        site_status: statuses.key(row).map_or(-1, |name| codes[name]),
    });
    Ok(points.collect())
}

fn point_view(point: &ChartPoint) -> PointView {
    let status = u8::try_from(point.site_status).ok().and_then(SiteStatus::from_code);
    PointView {
        time: instant(Timestamp::from_micros(point.time_micros)),
        value: Some(point.value).filter(|value| value.is_finite()),
        quality: point.quality,
        site_status: status.map(|status| status.name().to_owned()),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IndicatorParameters {
    /// Only this one, such as `sgi`.
    indicator: Option<String>,
}

impl IndicatorParameters {
    pub(super) fn is_met_by(&self, row: &IndicatorRow) -> bool {
        self.indicator.as_ref().is_none_or(|name| *name == row.indicator)
    }
}

/// All indicators of a well, oldest first.
#[utoipa::path(get, path = "/api/v1/wells/{id}/indicators", tag = "wells",
    params(("id" = String, Path, description = "well_id"), IndicatorParameters),
    responses((status = 200, body = WellIndicators),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn indicators(
    State(app): State<Arc<App>>,
    Name(id): Name,
    Parameters(asked): Parameters<IndicatorParameters>,
) -> Answer<Json<WellIndicators>> {
    let well = known_well(&app, &id)?;
    let mut rows = app.metadata.indicators(Some(&id)).await?;
    rows.retain(|row| row.scope == Scope::Well && asked.is_met_by(row));
    rows.sort_by(|a, b| (a.period, &a.indicator).cmp(&(b.period, &b.indicator)));
    Ok(Json(WellIndicators {
        well_id: well.well_id.to_string(),
        indicators: rows.iter().map(IndicatorView::from).collect(),
    }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplanationParameters {
    /// Of a well: the name of any of its indicators, such as `sgi` or `trend`, or `drought`, which is what is left away.
    pub(super) indicator: Option<String>,
    /// Such as `2026-10`; by default that of the latest number, and of a standing the last closed month.
    pub(super) month: Option<String>,
    /// `true`: every single value of long lists, which are summed up by default.
    full: Option<bool>,
}

impl ExplanationParameters {
    pub(super) fn asked(&self) -> Answer<ExplanationOf> {
        let month = self.month.as_deref().map(|text| {
            Month::parse(text).ok_or_else(|| {
                Problem::new(Kind::BAD_PARAMETER, format!("month: `{text}` is no month; write it as 2026-10"))
            })
        });
        Ok(ExplanationOf { month: month.transpose()?, in_full: self.full.unwrap_or(false) })
    }
}

/// All that one indicator of a well in a month is made of: days, years, ranks, limits, and what was left out.
#[utoipa::path(get, path = "/api/v1/wells/{id}/indicators/explanation", tag = "wells",
    params(("id" = String, Path, description = "well_id"), ExplanationParameters),
    responses((status = 200, body = ExplanationView),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn explanation(
    State(app): State<Arc<App>>,
    Name(id): Name,
    Parameters(asked): Parameters<ExplanationParameters>,
) -> Answer<Json<ExplanationView>> {
    known_well(&app, &id)?;
    let indicator = asked.indicator.as_deref().unwrap_or("drought");
    let explained = app.flags.explain_well(&id, indicator, asked.asked()?).await?;
    explained
        .map(|explained| Json(explained.into()))
        .ok_or_else(|| Problem::new(Kind::UNKNOWN_WELL, format!("no well {id:?} is registered")))
}
