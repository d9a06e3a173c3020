//! Rises of a well's water: towards the ground, and faster than it usually does.

use gwbank_indicator::flood::{FloodReading, Surroundings, came_in_time, filling_at, usual_interval};
use gwbank_indicator::rapid::{
    Filling, RapidChange, Rise, RiseReading, TimeToGround, UsualRises, follow_rapid_change, follow_time_to_ground,
    usual_rises,
};
use gwbank_indicator::{Basis, WetSeason};
use gwbank_model::{Parameter, Timestamp};
use gwbank_registry::Well;
use gwbank_store::IndicatorRow;

use crate::error::WatchError;
use crate::live::read_depths;
use crate::rows::{Cell, row_of};
use crate::watch::Inner;
use crate::wells;

/// All that are written while a well rises.
pub(crate) const RATE_OF_RISE: &str = "rate_of_rise";
pub(crate) const HOURS_TO_GROUND: &str = "hours_to_ground";

/// What stands at a well's latest reading.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Rises {
    pub ground: Option<Rise<TimeToGround>>,
    pub rapid: Option<Rise<RapidChange>>,
    pub latest: Option<Timestamp>,
    pub interval_micros: Option<i64>,
}

/// Readings are those of the recent past, in order of time.
pub(crate) async fn find(
    inner: &Inner,
    well: &Well,
    parameter: Parameter,
    readings: &[FloodReading],
    surroundings: &Surroundings<'_>,
) -> Result<Rises, WatchError> {
    let (flood, rules) = (&inner.config.flood, &inner.config.rapid);
    let interval_micros = usual_interval(readings);
    let filling = filling_at(wells::kind(well), readings, surroundings, flood);
    let rising: Vec<RiseReading> = readings
        .iter()
        .zip(filling)
        .map(|(reading, filling)| RiseReading {
            time: reading.time,
            depth_m: reading.depth_m,
            in_time: came_in_time(*reading, interval_micros, flood),
            filling: if filling { Filling::Yes } else { Filling::No },
        })
        .collect();
    let mut rapid = follow_rapid_change(&rising, &UsualRises::default(), rules);
    if rapid.is_some() {
        // Beyond the least limit: only now is it worth the whole record to know what is usual here.
        rapid = follow_rapid_change(&rising, &usual(inner, well, parameter).await?, rules);
    }
    Ok(Rises {
        ground: follow_time_to_ground(&rising, well.flood_warning_depth, rules),
        rapid,
        latest: readings.last().map(|reading| reading.time),
        interval_micros,
    })
}

/// The rises of past wet seasons, read once a season.
async fn usual(inner: &Inner, well: &Well, parameter: Parameter) -> Result<UsualRises, WatchError> {
    let season = WetSeason::of_province(&well.province_code);
    let year = season.present_season_year(inner.now().month(inner.config.closing.offset_seconds));
    if let Some((_, usual)) = inner.usual_rises.lock().get(&well.well_id).filter(|(known, _)| *known == year) {
        return Ok(*usual);
    }
    let depths: Vec<(Timestamp, f64)> = read_depths(inner, well, parameter, Timestamp::MIN, inner.now())
        .await?
        .iter()
        .map(|reading| (reading.time, reading.depth_m))
        .collect();
    let usual = usual_rises(season, &depths, &inner.config.rapid);
    inner.usual_rises.lock().insert(well.well_id.clone(), (year, usual));
    Ok(usual)
}

/// Rate and hours.
pub(crate) fn cells(rise: &Rise<TimeToGround>) -> [Cell; 2] {
    // How far the extrapolation may be trusted: half, as nobody knows the rain to come.
    let basis = Some(Basis { confidence: 0.5, ..Basis::NOTHING });
    let class = Some(rise.last.severity.name());
    [(rise.last.rise_m_per_hour, None), (rise.last.hours, class)].map(|(value, class)| Cell {
        value: Some(value),
        class,
        basis,
    })
}

/// One of each indicator, at the instant that began the rise.
pub(crate) fn rows(well: &Well, rise: &Rise<TimeToGround>, now: Timestamp) -> [IndicatorRow; 2] {
    let [rate, hours] = cells(rise);
    [(RATE_OF_RISE, rate), (HOURS_TO_GROUND, hours)]
        .map(|(indicator, cell)| row_of(well, (indicator, rise.since), cell, now))
}
