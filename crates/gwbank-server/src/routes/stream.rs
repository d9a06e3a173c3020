//! Changes of condition flags as they happen: server-sent events.
//!
//! # Format
//! Each event has the transition's number as its id, the event name `flag`, and the notice as JSON: the one that webhooks get, or for those
//! who are not known the flag and the transition without names of people. Who
//! sends `Last-Event-ID` gets everything after it, however long ago that was; an id that was never given is answered by an event
//! `reset` with the newest one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use bytes::Bytes;
use futures::Stream;
use gwbank_model::Timestamp;
use gwbank_model::condition::Hazard;
use gwbank_notice::Notice;
use gwbank_store::{ConditionFlag, FlagTransition, MetadataError, NumberedTransition};
use serde::Deserialize;
use tokio::time::{interval, timeout};
use utoipa::IntoParams;

use super::input::{self, Parameters};
use crate::auth::Principal;
use crate::problem::Answer;
use crate::state::App;
use crate::views::{FlagView, TransitionView};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StreamParameters {
    /// Province code.
    province: Option<String>,
    hazard: Option<String>,
    /// As the header `Last-Event-ID`, for clients that cannot send one; 0 is everything from the beginning.
    last_event_id: Option<i64>,
}

/// How often new transitions are looked for, by all streams together.
const LOOK_INTERVAL: Duration = Duration::from_millis(400);
/// Without news a comment is sent, so that nothing on the way takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Transitions read at once.
const EVENTS_AT_ONCE: usize = 200;

/// Changes of condition flags from now on, or from `Last-Event-ID` on.
#[utoipa::path(get, path = "/api/v1/flags/stream", tag = "flags", params(StreamParameters),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub async fn stream(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    Parameters(asked): Parameters<StreamParameters>,
    headers: HeaderMap,
) -> Answer<Response<Body>> {
    let hazards = || Hazard::ALL.iter().map(|hazard| hazard.name()).collect();
    let hazard: Option<Hazard> =
        asked.hazard.as_deref().map(|text| input::named("hazard", text, hazards)).transpose()?;
    let province = input::province(asked.province.as_deref())?.map(str::to_owned);
    let after =
        match headers.get("last-event-id").map(|value| value.to_str().ok().and_then(|text| text.trim().parse().ok())) {
            // A browser that gets an error never asks again, so what is no id is one of another server.
            Some(after) => Some(after.unwrap_or(-1)),
            None => asked.last_event_id,
        };
    let last = app.metadata.last_transition().await?;
    let (after, is_reset) = match after {
        // Of another server, or of one that was restored: what came since cannot be told.
        Some(after) if after < 0 || after > last => (last, true),
        Some(after) => (after, false),
        None => (last, false),
    };
    let wanted = Wanted { province, hazard, with_names: !principal.is_public() };
    let mut response = Response::new(Body::from_stream(events(app, wanted, after, is_reset)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Proxies that gather answers would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Wanted {
    province: Option<String>,
    hazard: Option<Hazard>,
    /// Names of people are not for everybody.
    with_names: bool,
}

impl Wanted {
    fn is_met_by(&self, flag: &ConditionFlag) -> bool {
        self.hazard.is_none_or(|hazard| hazard == flag.hazard)
            && self.province.as_ref().is_none_or(|province| *province == flag.province_code)
    }
}

fn events(app: Arc<App>, wanted: Wanted, after: i64, is_reset: bool) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let ticks = interval(LOOK_INTERVAL);
    let first = match is_reset {
        true => format!("retry: 3000\nid: {after}\nevent: reset\ndata: {{\"last\":{after}}}\n\n"),
        false => "retry: 3000\n\n".to_owned(),
    };
    let state = (app, wanted, after, ticks, Some(first));
    futures::stream::unfold(state, async |(app, wanted, mut after, mut ticks, first)| {
        if let Some(first) = first {
            return Some((Ok(Bytes::from(first)), (app, wanted, after, ticks, None)));
        }
        let shutdown = app.shutdown.clone();
        let news = async {
            loop {
                ticks.tick().await;
                // A store that cannot be read now is asked again.
                let Ok((text, reached)) = news(&app, &wanted, after).await else { continue };
                after = reached;
                if !text.is_empty() {
                    return text;
                }
            }
        };
        let text = tokio::select! {
            () = shutdown.accepting_ended() => return None,
            told = timeout(KEEP_ALIVE, news) => told.unwrap_or_else(|_| ": still here\n\n".to_owned()),
        };
        Some((Ok(Bytes::from(text)), (app, wanted, after, ticks, None)))
    })
}

/// Events after a number, and the number that was reached.
async fn news(app: &App, wanted: &Wanted, after: i64) -> Result<(String, i64), MetadataError> {
    if app.last_transition().await? <= after {
        return Ok((String::new(), after));
    }
    let found = app.metadata.transitions_after(after, EVENTS_AT_ONCE).await?;
    let mut reached = after;
    let mut text = String::new();
    let mut then: HashMap<Timestamp, HashMap<String, ConditionFlag>> = HashMap::new();
    for NumberedTransition { number, transition } in found {
        reached = number;
        let flags = match then.entry(transition.at) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(missing) => {
                let flags = app.metadata.flags_at(transition.at).await?;
                missing.insert(flags.into_iter().map(|flag| (flag.id.clone(), flag)).collect())
            }
        };
        let Some(flag) = flags.get(&transition.flag_id) else { continue };
        if wanted.is_met_by(flag) {
            let data = match wanted.with_names {
                true => String::from_utf8(Notice::of(flag, &transition, None).to_bytes()).unwrap_or_default(),
                false => told_everybody(flag, &transition),
            };
            text.push_str(&format!("id: {number}\nevent: flag\ndata: {data}\n\n"));
        }
    }
    Ok((text, reached))
}

fn told_everybody(flag: &ConditionFlag, transition: &FlagTransition) -> String {
    let reader = Principal::public();
    let told = (FlagView::of(flag, &reader), TransitionView::of(transition, &reader));
    serde_json::json!({ "flag": told.0, "transition": told.1 }).to_string()
}

impl App {
    /// The highest number of a transition, read once for all streams that ask at about the same time.
    async fn last_transition(&self) -> Result<i64, MetadataError> {
        let mut known = self.last_transition.lock().await;
        if let Some((at, number)) = *known
            && at.elapsed() < LOOK_INTERVAL / 2
        {
            return Ok(number);
        }
        let number = self.metadata.last_transition().await?;
        *known = Some((Instant::now(), number));
        Ok(number)
    }
}
