//! The bulletin of a province and month.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, header};
use axum::response::IntoResponse;
use gwbank_bulletin::{Bulletin, page, statements};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Month};
use gwbank_registry::places::{self, Province};
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{Name, Parameters};
use super::rows::rows_of;
use crate::auth::Principal;
use crate::problem::{Answer, Kind, Problem};
use crate::state::App;
use crate::views::ProblemView;

/// The page's own style, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// Nobody has measured wells here before.
const MONTH_MIN: Month = Month::new(1950, 1);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BulletinParameters {
    /// Such as 2569-10 or 2026-10; by default the last closed month.
    month: Option<String>,
}

/// A month of a province on two printed pages, Thai and English: map, levels, flags, salinity, data, recharge; with the SQL of all
/// its numbers.
#[utoipa::path(get, path = "/api/v1/provinces/{code}/bulletin", tag = "provinces",
    params(("code" = String, Path), BulletinParameters),
    responses((status = 200, content_type = "text/html", body = String),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn bulletin(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Name(code): Name,
    Parameters(asked): Parameters<BulletinParameters>,
) -> Answer<Response<Body>> {
    let province = places::province(&code).ok_or_else(|| {
        Problem::new(Kind::UNKNOWN_PROVINCE, format!("no province {code:?}; codes have two digits, such as 30"))
    })?;
    let month = match asked.month.as_deref() {
        None => app.flags.province_standing(&code).month,
        Some(text) => month_of(text).ok_or_else(|| {
            Problem::bad_parameter("month", format!("month={text:?} is no month; write it as 2569-10 or 2026-10"))
        })?,
    };
    let this_month = app.now().day(BANGKOK_OFFSET_SECONDS).month();
    if month > this_month || month < MONTH_MIN {
        let detail = format!("there is nothing of {month} to tell: it lies before 1950, or has not begun");
        return Err(Problem::bad_parameter("month", detail));
    }
    let mut response = made(&app, &principal.name, province, month).await?.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

/// A month, in years of the Buddhist era too.
fn month_of(text: &str) -> Option<Month> {
    let (year, rest) = text.split_once('-')?;
    match year.parse::<i32>().ok()? {
        year @ 2400..=2700 => Month::parse(&format!("{}-{rest}", year - 543)),
        _ => Month::parse(text),
    }
}

/// The bulletin as one file of HTML.
pub async fn made(app: &App, user: &str, province: &Province, month: Month) -> Answer<String> {
    let statements = statements(province.code, month);
    let mut rows = BTreeMap::new();
    for statement in &statements {
        rows.insert(statement.name, rows_of(app.sql.query(user, &statement.sql).await?).await?);
    }
    Ok(page(&Bulletin {
        province,
        month,
        rows,
        statements: &statements,
        made: app.now().day(BANGKOK_OFFSET_SECONDS),
        is_preliminary: month > app.flags.province_standing(province.code).month,
    }))
}

/// The bulletin of the last closed month of a province, for who writes files: the month and the HTML, or why there is none.
pub async fn latest_bulletin(app: &App, province: &str) -> Result<(Month, String), String> {
    let place = places::province(province).ok_or_else(|| format!("no province {province:?}"))?;
    let month = app.flags.province_standing(province).month;
    made(app, "bulletins", place, month).await.map(|html| (month, html)).map_err(|problem| problem.detail)
}
