//! What is known of a well's closed months: its rows and their explanations are made of the same.

use gwbank_indicator::{CountedDay, CountedRainDay, MonthlyLevel, Sense, WetSeason};
use gwbank_model::Month;
use gwbank_registry::Well;
use gwbank_store::{DailyValue, HourlyMean};

use super::bank::BankInput;
use super::months::Place;
use super::rain::{CounterReading, rain_days};
use super::read::WellData;
use super::work::RecordTask;
use crate::config::WatchConfig;
use crate::series::{counted_days, level_parameter, months_of};
use crate::wells;

#[derive(Debug)]
pub(super) struct Closed<'a> {
    pub well: &'a Well,
    pub closed_through: Month,
    pub offset_seconds: i32,
    pub days: Vec<DailyValue>,
    pub hours: Vec<HourlyMean>,
    /// Readings of `rainfall_total`.
    pub rain_counter: Vec<CounterReading>,
    /// The comparison well with its days, where one is registered.
    pub comparison: Option<(&'a Well, Vec<DailyValue>)>,
}

impl<'a> Closed<'a> {
    pub fn of(
        task: &'a RecordTask,
        own: &WellData,
        compared: Option<&WellData>,
        closed_through: Month,
        offset_seconds: i32,
    ) -> Self {
        let end = closed_through.plus(1);
        let end_time = end.start(offset_seconds);
        let closed_days = |days: &[DailyValue]| days.iter().filter(|day| day.day < end.first_day()).cloned().collect();
        Self {
            well: &task.well,
            closed_through,
            offset_seconds,
            days: closed_days(&own.days),
            hours: own.hours.iter().filter(|hour| hour.time < end_time).cloned().collect(),
            rain_counter: own.rain_counter.iter().filter(|reading| reading.time < end_time).copied().collect(),
            comparison: task
                .comparison
                .as_deref()
                .map(|other| (other, closed_days(compared.map_or(&[][..], |data| &data.days)))),
        }
    }

    pub fn place(&self) -> Place {
        let season = WetSeason::of_province(&self.well.province_code);
        Place { kind: wells::kind(self.well), season, closed_through: self.closed_through }
    }

    /// By the level parameter that the well is followed by.
    pub fn levels(&self) -> (Sense, Vec<CountedDay>) {
        let (parameter, sense) = level_parameter(&self.days);
        (sense, counted_days(&self.days, parameter))
    }

    /// `None` where no comparison well is registered.
    pub fn comparison_months(&self, config: &WatchConfig) -> Option<Vec<MonthlyLevel>> {
        let (well, days) = self.comparison.as_ref()?;
        let (parameter, sense) = level_parameter(days);
        Some(months_of(days, parameter, &wells::month_rules(well, sense, config)).levels)
    }

    pub fn rain_days(&self) -> Vec<CountedRainDay> {
        rain_days(&self.days, &self.rain_counter, self.offset_seconds)
    }

    pub fn bank(&self) -> BankInput<'_> {
        BankInput {
            well: self.well,
            hours: &self.hours,
            days: &self.days,
            comparison: self.comparison.as_ref().map(|(well, days)| (*well, days.as_slice())),
            closed_through: self.closed_through,
            offset_seconds: self.offset_seconds,
        }
    }
}
