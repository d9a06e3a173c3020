//! Why a flag came to be what it is: each transition with its evidence, and the same numbers asked again of what was known then.
//!
//! # Rules
//! 1. What is asked again is SQL over tables as known at the transition's instant, and is shown: anybody can run it.
//! 2. Where a number of the evidence can be computed from it, it is, and compared: `reproduced` says yes or no, and which number.
//! 3. What was not kept (history began later) is said, not guessed.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use gwbank_model::condition::{Hazard, Scope};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};
use gwbank_notice::{
    english_time, field_words, reason_words, severity_words, thai_time, told_evidence, transition_words,
};
use gwbank_store::{ConditionFlag, FlagTransition};
use serde_json::Value;

use super::flags::unknown;
use super::input::Name;
use super::rows::rows_of;
use crate::auth::Principal;
use crate::doors::SqlErrorKind;
use crate::problem::Answer;
use crate::state::App;
use crate::views::{FlagExplanationView, ProblemView, ReproducedView, TransitionView};

/// Rows of a question that are shown.
const ROWS_SHOWN: usize = 12;
/// Means of the same values in another order differ in their last bits.
const TOLERANCE: f64 = 1e-6;

/// Why a flag came to be what it is, transition by transition, from the data as known then.
#[utoipa::path(get, path = "/api/v1/flags/{id}/explanation", tag = "flags", params(("id" = String, Path)),
    responses((status = 200, body = FlagExplanationView),
        (status = 404, body = ProblemView, content_type = "application/problem+json")))]
pub async fn explanation(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Name(id): Name,
) -> Answer<Json<FlagExplanationView>> {
    let flags = app.metadata.flags(false).await?;
    let flag = flags.iter().find(|flag| flag.id == id).ok_or_else(|| unknown(&id))?;
    let transitions = app.metadata.flag_transitions(Some(&id)).await?;
    let (mut text_en, mut text_th) = (heading(flag, false), heading(flag, true));
    let mut reproduced = Vec::new();
    for (index, transition) in transitions.iter().enumerate() {
        let then = app.metadata.flags_at(transition.at).await?.into_iter().find(|then| then.id == id);
        let evidence = TransitionView::of(transition, &principal).evidence;
        let told = told_again(&app, &principal.name, then.as_ref().unwrap_or(flag), transition, &evidence).await?;
        write_transition(&mut text_en, index + 1, (then.as_ref(), transition, &evidence), &told, false);
        write_transition(&mut text_th, index + 1, (then.as_ref(), transition, &evidence), &told, true);
        reproduced.extend(told.map(|told| ReproducedView {
            at: crate::views::instant(transition.at),
            transition: transition.transition.name().into(),
            sql: told.sql,
            number: told.number.map(Into::into),
            evidence: told.recorded,
            computed: told.computed,
            reproduced: told.reproduced,
        }));
    }
    Ok(Json(FlagExplanationView { id, text_en, text_th, reproduced }))
}

fn heading(flag: &ConditionFlag, is_thai: bool) -> String {
    let (headline, detail) = match is_thai {
        true => (&flag.headline_th, &flag.detail_th),
        false => (&flag.headline_en, &flag.detail_en),
    };
    format!("{headline}\n{detail}\n")
}

/// A question about what was known, and its answer.
struct Told {
    sql: String,
    rows: Vec<Value>,
    /// The number of the evidence that was looked for.
    number: Option<&'static str>,
    recorded: Option<f64>,
    computed: Option<f64>,
    reproduced: Option<bool>,
    /// Why there is no answer.
    problem: Option<String>,
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What is asked again for a transition, and which number of its evidence that gives.
fn question(flag: &ConditionFlag, at: Timestamp, evidence: &Value) -> Option<(String, Option<&'static str>)> {
    let place = quoted(&flag.place);
    let until = quoted(&at.to_rfc3339(BANGKOK_OFFSET_SECONDS));
    // Months of `levels_monthly` are dates, periods of `indicators` their first instants in UTC.
    let month = evidence["month"].as_str().map(|month| quoted(&format!("{month}-01")));
    let period = evidence["month"].as_str().map(|month| quoted(&format!("{month}-01T00:00:00Z")));
    match (flag.hazard, flag.scope) {
        (Hazard::Flood | Hazard::RapidChange, Scope::Well) => {
            let time = evidence["time"].as_str().map_or(until, quoted);
            let sql = format!(
                "SELECT time, parameter, value, quality, received_at FROM readings WHERE well_id = {place} AND parameter IN \
                 ('depth_to_water', 'groundwater_elevation') AND time <= {time} ORDER BY time DESC LIMIT {ROWS_SHOWN}"
            );
            Some((sql, Some("depth")))
        }
        (Hazard::Drought, Scope::Well) => {
            let month = month?;
            let sql = format!(
                "SELECT month, level, sgi(level) OVER (PARTITION BY well_id, date_part('month', month)) AS sgi, \
                 percentile_weibull(level) OVER (PARTITION BY well_id, date_part('month', month)) AS percentile \
                 FROM levels_monthly WHERE well_id = {place} AND month <= {month} ORDER BY month DESC LIMIT {ROWS_SHOWN}"
            );
            Some((sql, Some("level")))
        }
        (Hazard::Salinity, Scope::Well) => {
            let sql = format!(
                "SELECT day, parameter, mean, count FROM readings_daily WHERE well_id = {place} AND parameter IN \
                 ('specific_conductance', 'electrical_conductivity', 'total_dissolved_solids') ORDER BY day DESC \
                 LIMIT {ROWS_SHOWN}"
            );
            Some((sql, None))
        }
        (Hazard::NoData, Scope::Well) => {
            let sql = format!("SELECT max(time) AS last, count(*) AS readings FROM readings WHERE well_id = {place}");
            Some((sql, None))
        }
        (Hazard::Drought, _) => {
            let period = period?;
            let sql = format!(
                "SELECT indicator, value, class FROM indicators WHERE scope = {} AND place = {place} AND period = {period} \
                 ORDER BY indicator",
                quoted(flag.scope.name())
            );
            Some((sql, Some("coverage")))
        }
        (Hazard::Flood, Scope::District | Scope::Subdistrict | Scope::Province) => {
            let column = match flag.scope {
                Scope::District => "district_code",
                Scope::Subdistrict => "subdistrict_code",
                _ => "province_code",
            };
            let sql = format!(
                "SELECT well_id, severity, state, observed, raised_at FROM condition_flags WHERE hazard = 'flood' AND \
                 scope = 'well' AND state <> 'closed' AND severity IN ('severe', 'extreme') AND {column} = {place} \
                 ORDER BY well_id"
            );
            Some((sql, Some("wells_in_danger")))
        }
        _ => None,
    }
}

async fn told_again(
    app: &App,
    user: &str,
    flag: &ConditionFlag,
    transition: &FlagTransition,
    evidence: &Value,
) -> Answer<Option<Told>> {
    let Some((sql, number)) = question(flag, transition.at, evidence) else { return Ok(None) };
    let mut told = Told {
        sql: sql.clone(),
        rows: Vec::new(),
        number,
        recorded: number.and_then(|number| evidence[number].as_f64()),
        computed: None,
        reproduced: None,
        problem: None,
    };
    match rows(app, user, &sql, transition.at).await? {
        Ok(rows) => told.rows = rows,
        Err(problem) => {
            told.problem = Some(problem);
            return Ok(Some(told));
        }
    }
    told.computed = match (flag.hazard, flag.scope) {
        (Hazard::Flood | Hazard::RapidChange, Scope::Well) => told
            .rows
            .iter()
            .find(|row| row["parameter"] == "depth_to_water" && row["value"].is_number())
            .and_then(|row| row["value"].as_f64()),
        (Hazard::Drought, Scope::Well) => told.rows.first().and_then(|row| row["level"].as_f64()),
        (Hazard::Drought, _) => {
            told.rows.iter().find(|row| row["indicator"] == "coverage").and_then(|row| row["value"].as_f64())
        }
        (Hazard::Flood, _) => Some(told.rows.len() as f64),
        _ => None,
    };
    told.reproduced = match (told.recorded, told.computed) {
        (Some(recorded), Some(computed)) => Some((recorded - computed).abs() <= TOLERANCE),
        _ => None,
    };
    Ok(Some(told))
}

/// The answer as objects; or why there is none, of history that was not kept.
async fn rows(app: &App, user: &str, sql: &str, at: Timestamp) -> Answer<Result<Vec<Value>, String>> {
    let answer = match app.sql.query_as_known_at(user, sql, at).await {
        Ok(answer) => rows_of(answer).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(rows) => Ok(Ok(rows)),
        Err(error) if error.kind == SqlErrorKind::Internal => Err(error.into()),
        Err(error) => Ok(Err(error.message)),
    }
}

type Happened<'a> = (Option<&'a ConditionFlag>, &'a FlagTransition, &'a Value);

fn write_transition(text: &mut String, number: usize, happened: Happened<'_>, told: &Option<Told>, is_thai: bool) {
    let (flag, transition, evidence) = happened;
    let words = transition_words(transition.transition);
    let (severity_en, severity_th) = severity_words(transition.severity);
    let (what, severity, at) = match is_thai {
        true => (words.th, severity_th, thai_time(transition.at)),
        false => (words.en, severity_en, english_time(transition.at)),
    };
    let _ = writeln!(text, "\n{number}. {what} · {severity} · {at}");
    let either = |en: &'static str, th: &'static str| if is_thai { th } else { en };
    if let Some((en, th)) = evidence["reason"].as_str().and_then(reason_words) {
        let _ = writeln!(text, "   {}: {}", either("why", "เหตุผล"), either(en, th));
    }
    if let Some(flag) = flag {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        let _ = writeln!(
            text,
            "   {}: {} · {}: {} · {}: {}",
            either("rule", "เกณฑ์"),
            flag.rule,
            either("limit", "ค่าเกณฑ์"),
            number(flag.limit_value),
            either("observed", "ค่าที่พบ"),
            number(flag.observed)
        );
        let _ = writeln!(
            text,
            "   {}: {} · {}: {} · {}: {:.0} % · {}: {:.2}",
            either("wells in", "บ่อที่เข้าเกณฑ์"),
            flag.wells_in,
            either("wells out", "บ่อที่ไม่เข้าเกณฑ์"),
            flag.wells_out,
            either("coverage", "บ่อที่มีข้อมูล"),
            flag.coverage * 100.0,
            either("confidence", "ความเชื่อมั่น"),
            flag.confidence
        );
        if !is_thai && !flag.what_would_clear_it.is_empty() {
            let _ = writeln!(text, "   ends with: {}", flag.what_would_clear_it);
        }
    }
    for (name, value) in told_evidence(evidence, is_thai) {
        let _ = writeln!(text, "   {name}: {value}");
    }
    let Some(told) = told else { return };
    let _ = writeln!(text, "   {}: {}", either("as known then", "ตามข้อมูลที่ทราบขณะนั้น"), told.sql);
    if let Some(problem) = &told.problem {
        let _ = writeln!(text, "     {}: {problem}", either("not known any more", "ไม่มีข้อมูลขณะนั้นแล้ว"));
        return;
    }
    for row in told.rows.iter().take(ROWS_SHOWN) {
        let fields: Vec<String> = row
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        let _ = writeln!(text, "     {}", fields.join(" · "));
    }
    if told.rows.len() > ROWS_SHOWN {
        let _ = writeln!(text, "     … {}", told.rows.len() - ROWS_SHOWN);
    }
    let (Some(number), Some(recorded), Some(computed), Some(reproduced)) =
        (told.number, told.recorded, told.computed, told.reproduced)
    else {
        return;
    };
    let verdict = match reproduced {
        true => either("reproduced", "ตรงกัน"),
        false => either("NOT reproduced", "ไม่ตรงกัน"),
    };
    let called = field_words(number).map_or(number, |(en, th)| either(en, th));
    let _ = writeln!(text, "     {verdict}: {called} {recorded} = {computed}");
}
