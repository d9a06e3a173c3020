//! Provinces: what is open there and how well it is seen.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use axum::extract::State;
use axum::{Extension, Json};
use futures::StreamExt;
use gwbank_model::condition::Scope;
use gwbank_registry::{BankType, places};
use gwbank_store::{ConditionFlag, IndicatorRow};

use super::input::{Name, Parameters};
use super::series::{ExplanationParameters, IndicatorParameters};
use crate::auth::Principal;
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::{
    CoverageView, ExplanationView, FlagView, IndicatorView, Page, ProblemView, ProvinceDetail, ProvinceView,
};

/// All provinces with their wells and open condition flags counted.
#[utoipa::path(get, path = "/api/v1/provinces", tag = "provinces", responses((status = 200, body = Page<ProvinceView>)))]
pub async fn list(State(app): State<Arc<App>>) -> Answer<Json<Page<ProvinceView>>> {
    let registry = app.ingest.registry();
    let mut wells: HashMap<&str, u64> = HashMap::new();
    for well in registry.wells() {
        *wells.entry(well.province_code.as_str()).or_default() += 1;
    }
    let mut flags: HashMap<String, Vec<ConditionFlag>> = HashMap::new();
    for flag in app.metadata.flags(true).await? {
        flags.entry(flag.province_code.clone()).or_default().push(flag);
    }
    let items: Vec<ProvinceView> = places::provinces()
        .iter()
        .map(|province| {
            let wells = wells.get(province.code).copied().unwrap_or(0);
            ProvinceView::new(province, wells, flags.get(province.code).into_iter().flatten())
        })
        .collect();
    Ok(Json(Page { total: items.len() as u64, items }))
}

/// One province: where it stands in words, newest indicators, coverage, open condition flags.
#[utoipa::path(get, path = "/api/v1/provinces/{code}", tag = "provinces",
    params(("code" = String, Path, description = "DOPA code, two digits")),
    responses((status = 200, body = ProvinceDetail),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn show(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Name(code): Name,
) -> Answer<Json<ProvinceDetail>> {
    let province = known_province(&code)?;
    let registry = app.ingest.registry();
    let here: Vec<_> = registry.wells().iter().filter(|well| well.province_code == code).collect();
    let of_type = |bank_type: BankType| here.iter().filter(|well| well.bank_type == bank_type).count() as u64;
    let coverage = CoverageView {
        observation_wells: of_type(BankType::Observation),
        open_banks: of_type(BankType::Open),
        closed_banks: of_type(BankType::Closed),
        wells_reporting: match here.is_empty() {
            true => 0,
            false => wells_reporting(&app, &principal.name, province.code).await?,
        },
    };
    let mut flags = app.metadata.flags(true).await?;
    flags.retain(|flag| flag.province_code == code);
    flags.sort_by(|a, b| (b.severity, &a.id).cmp(&(a.severity, &b.id)));
    let indicators = newest(app.metadata.indicators(Some(&code)).await?);
    Ok(Json(ProvinceDetail {
        province: ProvinceView::new(province, here.len() as u64, &flags),
        coverage,
        standing: app.flags.province_standing(province.code).into(),
        indicators: indicators.iter().map(IndicatorView::from).collect(),
        flags: flags.iter().map(|flag| FlagView::of(flag, &principal)).collect(),
    }))
}

/// All indicators of a province, oldest first.
#[utoipa::path(get, path = "/api/v1/provinces/{code}/indicators", tag = "provinces",
    params(("code" = String, Path, description = "DOPA code, two digits"), IndicatorParameters),
    responses((status = 200, body = Page<IndicatorView>),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn indicators(
    State(app): State<Arc<App>>,
    Name(code): Name,
    Parameters(asked): Parameters<IndicatorParameters>,
) -> Answer<Json<Page<IndicatorView>>> {
    known_province(&code)?;
    let mut rows = app.metadata.indicators(Some(&code)).await?;
    rows.retain(|row| row.scope == Scope::Province && asked.is_met_by(row));
    rows.sort_by(|a, b| (a.period, &a.indicator).cmp(&(b.period, &b.indicator)));
    Ok(Json(Page { total: rows.len() as u64, items: rows.iter().map(IndicatorView::from).collect() }))
}

/// All that the drought of a province in a month is made of: wells in and out, shares, rules, and what would change it.
#[utoipa::path(get, path = "/api/v1/provinces/{code}/explanation", tag = "provinces",
    params(("code" = String, Path, description = "DOPA code, two digits"), ExplanationParameters),
    responses((status = 200, body = ExplanationView),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn explanation(
    State(app): State<Arc<App>>,
    Name(code): Name,
    Parameters(asked): Parameters<ExplanationParameters>,
) -> Answer<Json<ExplanationView>> {
    known_province(&code)?;
    if asked.indicator.as_deref().is_some_and(|indicator| indicator != "drought") {
        return Err(Problem::new(Kind::BAD_PARAMETER, "indicator: of a province it is drought".to_owned()));
    }
    Ok(Json(app.flags.explain_province(&code, asked.asked()?).await?.into()))
}

fn known_province(code: &str) -> Answer<&'static places::Province> {
    places::province(code).ok_or_else(|| {
        Problem::new(Kind::UNKNOWN_PROVINCE, format!("no province {code:?}; codes have two digits, such as 30"))
    })
}

/// The last period of each indicator of the province itself.
fn newest(rows: Vec<IndicatorRow>) -> Vec<IndicatorRow> {
    let mut newest: HashMap<String, IndicatorRow> = HashMap::new();
    for row in rows.into_iter().filter(|row| row.scope == Scope::Province) {
        match newest.get(&row.indicator) {
            Some(known) if known.period >= row.period => {}
            _ => {
                newest.insert(row.indicator.clone(), row);
            }
        }
    }
    let mut rows: Vec<IndicatorRow> = newest.into_values().collect();
    rows.sort_by(|a, b| a.indicator.cmp(&b.indicator));
    rows
}

async fn wells_reporting(app: &App, user: &str, province_code: &str) -> Answer<u64> {
    let since = app.now().plus_secs(-24 * 3600).to_rfc3339(0);
    let sql = format!(
        "SELECT count(DISTINCT well_id) FROM readings WHERE time >= TIMESTAMP '{since}' \
         AND well_id IN (SELECT well_id FROM wells WHERE province_code = '{province_code}')"
    );
    let mut batches = app.sql.query(user, &sql).await?.batches;
    let mut count = 0;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let counts = cast(batch.column(0), &DataType::Int64).map_err(|error| Problem::internal(&error))?;
        count += counts.as_primitive::<Int64Type>().values().iter().map(|&n| n.max(0) as u64).sum::<u64>();
    }
    Ok(count)
}
