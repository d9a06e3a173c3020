//! Daily values of wells and what stands beside them, one a day.

use std::collections::{BTreeSet, HashMap};

use gwbank_model::{Day, Month, Parameter, WellId};
use gwbank_store::{DailyValue, SeriesRequest};

use super::due::Due;
use super::sources::Sources;
use crate::error::WatchError;
use crate::series::LEVEL_PARAMETERS;
use crate::watch::Inner;

/// All values that no stream test fails. Findings make a reading suspect and never fail it, so that this is the same with and
/// without them.
const QUALITIES: [u8; 3] = [1, 2, 3];

const MEDIANS_OF: [Parameter; 3] =
    [Parameter::DepthToWater, Parameter::GroundwaterElevation, Parameter::BarometricPressure];

/// From a first day on; NaN on days without a value.
#[derive(Debug, Clone)]
pub(super) struct Days {
    first: Day,
    series: HashMap<(WellId, Parameter), Vec<OfDay>>,
}

#[derive(Debug, Clone, Copy)]
struct OfDay {
    /// The median, or the sum of rain.
    value: f64,
    count: u32,
}

impl OfDay {
    const NOTHING: OfDay = OfDay { value: f64::NAN, count: 0 };
}

impl Days {
    pub fn starting(first: Day) -> Self {
        Self { first, series: HashMap::new() }
    }

    /// Reads months, which follow those that were read before.
    pub async fn read(
        &mut self,
        inner: &Inner,
        sources: &Sources,
        slice: &[Due],
        (from, to): (Month, Month),
    ) -> Result<(), WatchError> {
        let mut levels: BTreeSet<WellId> = BTreeSet::new();
        let mut weather: BTreeSet<WellId> = BTreeSet::new();
        for due in slice {
            let of = sources.of(&due.well.well_id);
            if of.neighbours.is_empty() && of.rain.is_none() && of.air.is_none() {
                continue;
            }
            levels.insert(due.well.well_id.clone());
            levels.extend(of.neighbours.iter().cloned());
            weather.extend(of.rain.iter().chain(&of.air).cloned());
        }
        let weather_parameters = [Parameter::Rainfall, Parameter::BarometricPressure];
        for (wells, parameters) in [(levels, LEVEL_PARAMETERS), (weather, weather_parameters)] {
            if wells.is_empty() {
                continue;
            }
            let request = SeriesRequest {
                wells: Some(wells.into_iter().collect()),
                parameters: parameters.to_vec(),
                from: Some(from.first_day()),
                to: Some(to.plus(1).first_day()),
                offset_seconds: inner.config.closing.offset_seconds,
                qualities: QUALITIES.to_vec(),
                medians_of: MEDIANS_OF.into_iter().filter(|median| parameters.contains(median)).collect(),
            };
            for day in inner.reader.daily_values(request).await? {
                self.add(day);
            }
        }
        Ok(())
    }

    fn add(&mut self, day: DailyValue) {
        let Ok(place) = usize::try_from(day.day.0 - self.first.0) else { return };
        let value = if day.parameter == Parameter::Rainfall { day.sum() } else { day.median };
        let count = day.count;
        let days = self.series.entry((day.well_id, day.parameter)).or_default();
        if days.len() <= place {
            days.resize(place + 1, OfDay::NOTHING);
        }
        days[place] = OfDay { value: value.unwrap_or(f64::NAN), count };
    }

    fn within(&self, well: &WellId, parameter: Parameter, from: Day, to: Day) -> impl Iterator<Item = OfDay> {
        let days = self.series.get(&(well.clone(), parameter)).map(Vec::as_slice).unwrap_or_default();
        let place = |day: i32| usize::try_from(day - self.first.0).ok();
        (from.0..to.0).map(move |day| place(day).and_then(|place| days.get(place)).copied().unwrap_or(OfDay::NOTHING))
    }

    /// From ≤ day < to.
    pub fn values(&self, well: &WellId, parameter: Parameter, from: Day, to: Day) -> Vec<f64> {
        self.within(well, parameter, from, to).map(|day| day.value).collect()
    }

    /// A level that points up, of the parameter of which there are more days; `None` where there is none.
    pub fn level(&self, well: &WellId, from: Day, to: Day) -> Option<(Parameter, Vec<f64>)> {
        let levels = LEVEL_PARAMETERS.map(|parameter| (parameter, self.values(well, parameter, from, to)));
        let known = |values: &[f64]| values.iter().filter(|value| !value.is_nan()).count();
        // Of equals the first, which is the depth.
        let (parameter, mut values) = levels.into_iter().rev().max_by_key(|(_, values)| known(values))?;
        if parameter == Parameter::DepthToWater {
            values.iter_mut().for_each(|value| *value = -*value);
        }
        (known(&values) > 0).then_some((parameter, values))
    }

    /// Sums of days on which the gauge spoke nearly as often as it does.
    pub fn rain(&self, well: &WellId, from: Day, to: Day) -> Vec<f64> {
        let days: Vec<OfDay> = self.within(well, Parameter::Rainfall, from, to).collect();
        let mut counts: Vec<u32> = days.iter().map(|day| day.count).filter(|count| *count > 0).collect();
        counts.sort_unstable();
        let usual = counts.get(counts.len() / 2).copied().unwrap_or_default();
        let is_whole = |day: &OfDay| day.count > 0 && 5 * u64::from(day.count) >= 4 * u64::from(usual);
        days.iter().map(|day| if is_whole(day) { day.value } else { f64::NAN }).collect()
    }
}
