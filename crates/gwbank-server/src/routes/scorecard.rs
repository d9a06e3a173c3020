//! The scorecard of local administrative organisations for a fiscal year, for the yearly performance assessment (LPA).
//!
//! It is one statement of SQL over the tables that everybody has, and says so: with `show=sql` the statement itself is the answer.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::response::IntoResponse;
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Month};
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{self, Parameters};
use super::sql::streamed;
use crate::auth::Principal;
use crate::encode::{SqlFormat, encode};
use crate::problem::{Answer, Problem};
use crate::state::App;
use crate::views::ProblemView;

/// How a scorecard is counted.
#[derive(Debug, Clone, PartialEq)]
pub struct ScorecardRules {
    /// Scores from which a class is given, of 100.
    pub platinum: f64,
    pub gold: f64,
    pub silver: f64,
    pub bronze: f64,
    /// What the parts count; a part that an organisation has nothing of (no flags) counts nothing.
    pub reporting_weight: f64,
    pub quality_weight: f64,
    pub answered_weight: f64,
    /// A flag is answered in time within so many hours.
    pub answer_hours: u32,
    /// Recharge is ranked where so many of the banks measure it.
    pub recharge_measured_share: f64,
}

impl Default for ScorecardRules {
    fn default() -> Self {
        Self {
            platinum: 90.0,
            gold: 80.0,
            silver: 70.0,
            bronze: 60.0,
            reporting_weight: 40.0,
            quality_weight: 30.0,
            answered_weight: 30.0,
            answer_hours: 24,
            recharge_measured_share: 0.8,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ScorecardParameters {
    /// Such as 2569 (or 2026): from 1 October of the year before to 30 September. By default the present one, up to today.
    fiscal_year: Option<i32>,
    /// Province code.
    province: Option<String>,
    /// `sql`: the statement and not its answer.
    show: Option<String>,
}

/// Share of wells reporting, data quality and flags answered in time, for each local administrative organisation, with its class.
/// Recharge is shown beside it and ranked only where enough banks measure it.
#[utoipa::path(get, path = "/api/v1/scorecard", tag = "flags", params(ScorecardParameters), responses(
    (status = 200, content((serde_json::Value = "application/json"), (String = "text/csv"))),
    (status = 400, body = ProblemView, content_type = "application/problem+json")))]
pub async fn scorecard(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Parameters(asked): Parameters<ScorecardParameters>,
    headers: HeaderMap,
) -> Answer<Response<Body>> {
    let province = input::province(asked.province.as_deref())?;
    let today = app.now().day(BANGKOK_OFFSET_SECONDS);
    let this_month = today.month();
    let year = match asked.fiscal_year {
        Some(year @ 2543..=2743) => year - 543,
        Some(year @ 2000..=2200) => year,
        Some(year) => {
            let detail = format!("fiscal_year={year} is no year; write it as 2569 or 2026");
            return Err(Problem::bad_parameter("fiscal_year", detail));
        }
        None => this_month.plus(3).year(),
    };
    let (first, end) = (Month::new(year - 1, 10), Month::new(year, 10));
    if first > this_month {
        let detail = format!("the fiscal year {} has not begun", year + 543);
        return Err(Problem::bad_parameter("fiscal_year", detail));
    }
    let tomorrow = gwbank_model::Day(today.0 + 1);
    let end = if end.first_day() < tomorrow { end.first_day() } else { tomorrow };
    let until = app.now().to_rfc3339(BANGKOK_OFFSET_SECONDS);
    let days = (first.first_day().date().to_string(), end.date().to_string());
    let sql = statement(&app.scorecard, (&days.0, &days.1, &until), province);
    match asked.show.as_deref() {
        None => {}
        Some("sql") => {
            let mut response = sql.into_response();
            let kind = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            return Ok(response);
        }
        Some(other) => return Err(Problem::bad_parameter("show", format!("show={other:?} is not sql; leave it out"))),
    }
    let accept = headers.get(header::ACCEPT).map(|value| value.to_str().unwrap_or("?"));
    let format = SqlFormat::from_accept(accept)?;
    let bytes = encode(format, app.sql.query(&principal.name, &sql).await?).await?;
    Ok(streamed(&app, bytes, format.content_type(), ()))
}

/// From the first day to the one before `end`; `until` is now.
fn statement(rules: &ScorecardRules, (from, end, until): (&str, &str, &str), province: Option<&str>) -> String {
    let ScorecardRules {
        platinum,
        gold,
        silver,
        bronze,
        reporting_weight,
        quality_weight,
        answered_weight,
        answer_hours,
        recharge_measured_share,
    } = rules;
    let province = province.map_or_else(String::new, |code| format!(" AND province_code = '{code}'"));
    format!(
        "WITH w AS (
  -- Active wells of local administrative organisations, each from when it is due: from its installation, or else its first reading.
  SELECT well_id, lao_code, province_code, bank_type,
    greatest(coalesce(installed_on, first_day, DATE '{from}'), DATE '{from}') AS since
  FROM (SELECT wells.*, begun.first_day FROM wells LEFT JOIN (SELECT well_id AS begun_id, min(day) AS first_day FROM readings_daily
    GROUP BY well_id) begun ON begun_id = wells.well_id) known
  WHERE lao_code IS NOT NULL AND status = 'active'{province}
), days AS (
  SELECT well_id, day, sum(count) AS n, sum(good_count) AS good FROM readings_daily
  WHERE day >= DATE '{from}' AND day < DATE '{end}' GROUP BY well_id, day
), heard AS (
  SELECT w.well_id, count(d.day) AS days_heard, sum(d.n) AS n, sum(d.good) AS good
  FROM w JOIN days d ON d.well_id = w.well_id AND d.day >= w.since GROUP BY w.well_id
), of_wells AS (
  SELECT w.lao_code, min(w.province_code) AS province_code, count(*) AS wells, count(h.well_id) AS wells_reporting,
    avg(coalesce(h.days_heard, 0) * 1.0 / greatest(DATE '{end}' - w.since, 1)) AS reporting_share,
    sum(h.good) * 1.0 / nullif(sum(h.n), 0) AS quality_share,
    sum(CASE WHEN w.bank_type <> 'observation' THEN 1 ELSE 0 END) AS banks
  FROM w LEFT JOIN heard h ON h.well_id = w.well_id
  WHERE w.since < DATE '{end}' GROUP BY w.lao_code
), answers AS (
  SELECT flag_id, min(at) AS answered_at FROM flag_actions WHERE action = 'acknowledged' GROUP BY flag_id
), told AS (
  -- When each flag was told as worse than watch for the first time; what was withdrawn was never so.
  SELECT flag_id, min(CASE WHEN transition <> 'acknowledged' AND severity <> 'watch' THEN at END) AS told_at
  FROM flag_transitions GROUP BY flag_id HAVING max(CASE WHEN transition = 'cancelled' THEN 1 ELSE 0 END) = 0
), flags AS (
  -- A flag whose hours have not passed counts once it is answered.
  SELECT w.lao_code, count(*) AS flags,
    sum(CASE WHEN a.answered_at <= t.told_at + INTERVAL '{answer_hours} hours' THEN 1 ELSE 0 END) AS answered
  FROM condition_flags f JOIN w ON w.well_id = f.well_id JOIN told t ON t.flag_id = f.id LEFT JOIN answers a ON a.flag_id = f.id
  WHERE f.hazard IN ('drought', 'flood', 'salinity')
    AND t.told_at >= TIMESTAMPTZ '{from}T00:00:00+07:00' AND t.told_at < TIMESTAMPTZ '{end}T00:00:00+07:00'
    AND (a.answered_at IS NOT NULL OR t.told_at + INTERVAL '{answer_hours} hours' <= TIMESTAMPTZ '{until}')
  GROUP BY w.lao_code
), recharge AS (
  SELECT w.lao_code, count(DISTINCT i.well_id) AS banks_measured, sum(i.value) AS recharge_m3
  FROM indicators i JOIN w ON w.well_id = i.well_id
  WHERE i.indicator IN ('recharge_volume', 'infiltrated_volume') AND i.value IS NOT NULL AND w.bank_type <> 'observation'
    AND i.period >= TIMESTAMPTZ '{from}T00:00:00+07:00' AND i.period < TIMESTAMPTZ '{end}T00:00:00+07:00'
  GROUP BY w.lao_code
), parts AS (
  SELECT o.*, coalesce(f.flags, 0) AS flags, coalesce(f.answered, 0) AS flags_answered_in_time,
    f.answered * 1.0 / nullif(f.flags, 0) AS answered_share,
    coalesce(r.banks_measured, 0) AS banks_measured, r.recharge_m3,
    o.banks > 0 AND coalesce(r.banks_measured, 0) >= {recharge_measured_share} * o.banks AS recharge_is_ranked
  FROM of_wells o LEFT JOIN flags f ON f.lao_code = o.lao_code LEFT JOIN recharge r ON r.lao_code = o.lao_code
), scores AS (
  -- A part that there is nothing of counts nothing.
  SELECT *, 100 * (reporting_share * {reporting_weight:?} + coalesce(quality_share, 0) * {quality_weight:?}
      + coalesce(answered_share, 0) * {answered_weight:?})
    / ({reporting_weight:?} + {quality_weight:?} + CASE WHEN answered_share IS NULL THEN 0.0 ELSE {answered_weight:?} END) AS score
  FROM parts
)
SELECT lao_code, province_code, wells, wells_reporting, reporting_share, quality_share, flags, flags_answered_in_time,
  answered_share, score,
  CASE WHEN score >= {platinum:?} THEN 'platinum' WHEN score >= {gold:?} THEN 'gold' WHEN score >= {silver:?} THEN 'silver'
    WHEN score >= {bronze:?} THEN 'bronze' ELSE 'none' END AS class,
  rank() OVER (ORDER BY score DESC) AS place,
  banks, banks_measured, recharge_m3, recharge_is_ranked,
  CASE WHEN recharge_is_ranked THEN rank() OVER (PARTITION BY recharge_is_ranked ORDER BY recharge_m3 DESC) END AS recharge_place
FROM scores ORDER BY score DESC, lao_code"
    )
}
