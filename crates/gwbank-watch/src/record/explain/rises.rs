//! Evidence of a rise that goes on: how fast, and when the water would be at the ground. From the recent readings alone.

use std::sync::Arc;

use gwbank_indicator::flood::FloodReading;
use gwbank_indicator::rapid::{RapidRules, Rise, TimeToGround};
use gwbank_registry::{Registry, Well};

use super::evidence::{Evidence, Missing, lines, side_by_side};
use super::{RecordExplanation, RecordIndicator};
use crate::error::WatchError;
use crate::live::read_well;
use crate::rises::{self, RATE_OF_RISE};
use crate::watch::Inner;
use crate::wells;

pub(super) async fn explain(
    inner: &Inner,
    registry: &Registry,
    well: &Arc<Well>,
    indicator: RecordIndicator,
) -> Result<RecordExplanation, WatchError> {
    let (now, offset_seconds) = (inner.now(), inner.config.closing.offset_seconds);
    let rules = &inner.config.rapid;
    let mut explanation = RecordExplanation {
        well: well.well_id.to_string(),
        indicator,
        month: now.month(offset_seconds),
        period: None,
        value: None,
        class: None,
        basis: None,
        evidence: evidence(rules),
        offset_seconds,
    };
    if !wells::is_flood_watched(well) {
        let told = "the well is not active, or does not speak of high groundwater";
        return Ok(explanation.without(Missing::new("not_applicable", told)));
    }
    let followed = read_well(inner, registry, Arc::clone(well), now).await?;
    let Some(rise) = followed.rises.ground else {
        explanation.evidence.used = readings(&followed.readings, offset_seconds);
        let latest = followed.rises.latest.map_or("none".to_owned(), |time| time.to_rfc3339(offset_seconds));
        let told = format!("no rise towards the ground stands in the recent readings (the latest: {latest})");
        return Ok(explanation.without(Missing::new("no_event", told)));
    };
    let [rate, hours] = rises::cells(&rise);
    let cell = if indicator.name() == RATE_OF_RISE { rate } else { hours };
    explanation.month = rise.since.month(offset_seconds);
    explanation.period = Some(rise.since);
    (explanation.value, explanation.class, explanation.basis) = (cell.value, cell.class, cell.basis);
    of_rise(well, &rise, &followed.readings, rules, offset_seconds, &mut explanation.evidence);
    Ok(explanation)
}

fn evidence(rules: &RapidRules) -> Evidence {
    Evidence {
        limits: vec![
            format!(
                "steady over at least {} h and {} readings, by {} m at least",
                rules.steady_hours, rules.steady_readings, rules.steady_rise_min_m
            ),
            format!("no reading more than {} m deeper than the one before; the bank is not filling", rules.noise_m),
            format!(
                "water at most {} m deep; at the ground within {} h",
                rules.ground_depth_max_m, rules.horizon_hours
            ),
            format!("stands until a reading comes {} h after the last that met it", rules.ground_exit_hours),
        ],
        confidence: "one half, as nobody knows the rain to come".to_owned(),
        weaknesses: lines(["near the ground water rises more slowly: the true time is later"]),
        ..Evidence::default()
    }
}

fn of_rise(
    well: &Well,
    rise: &Rise<TimeToGround>,
    recent: &[FloodReading],
    rules: &RapidRules,
    offset_seconds: i32,
    evidence: &mut Evidence,
) {
    let TimeToGround { at, depth_m, rise_m_per_hour, hours, severity } = rise.last;
    // The steady stretch is the shortest that is long enough, so it lies within.
    let from = at.plus_secs(-2 * rules.steady_hours * 3600);
    let own: Vec<FloodReading> = recent.iter().filter(|own| own.time >= from && own.time <= at).copied().collect();
    evidence.used = readings(&own, offset_seconds);
    evidence.formulas = vec![
        format!(
            "rate = median of the slopes of all pairs of readings, of the shortest stretch of {} h and {} readings up to {} = \
             {rise_m_per_hour}",
            rules.steady_hours,
            rules.steady_readings,
            at.to_rfc3339(offset_seconds)
        ),
        format!("hours = depth/rate = {}/{rise_m_per_hour} = {hours}", depth_m.max(0.0)),
    ];
    evidence.limits.push(match well.flood_warning_depth {
        Some(limit) => format!("warning where the depth {depth_m} <= flood warning depth {limit}: {}", severity.name()),
        None => format!("no flood warning depth is registered: {}", severity.name()),
    });
}

fn readings(readings: &[FloodReading], offset_seconds: i32) -> Vec<String> {
    let heading = "recent readings, m below the ground".to_owned();
    let cells = readings.iter().map(|own| format!("{} {}", own.time.to_rfc3339(offset_seconds), own.depth_m));
    std::iter::once(heading).chain(side_by_side(cells, 3)).collect()
}
