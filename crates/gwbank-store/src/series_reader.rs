//! The port through which the watch reads series: recent window and archive as one, no SQL.

use async_trait::async_trait;
use gwbank_model::{Day, Parameter, Row, Timestamp, WellId};

#[derive(Debug, thiserror::Error)]
#[error("series cannot be read now")]
pub struct SeriesReadError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What one day of one series amounts to.
#[derive(Debug, Clone, PartialEq)]
pub struct DailyValue {
    pub well_id: WellId,
    pub parameter: Parameter,
    pub day: Day,
    /// Mean of the day's counted values in the parameter's own sense and unit (depths stay positive down);
    /// `None` on a day that has only dry or uncounted readings.
    pub mean: Option<f64>,
    /// Of the same values, where the request asked for medians.
    pub median: Option<f64>,
    /// Values in the mean.
    pub count: u32,
    /// Readings with site status `dry`, with or without a value.
    pub dry_count: u32,
    /// Values of the mean with approval `approved`.
    pub approved_count: u32,
    /// Values of the mean with quality 1.
    pub good_count: u32,
}

impl DailyValue {
    /// Of the counted values: the day's amount, for what is measured since the reading before.
    pub fn sum(&self) -> Option<f64> {
        self.mean.map(|mean| mean * f64::from(self.count))
    }
}

/// The mean of one hour of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct HourlyMean {
    pub well_id: WellId,
    pub parameter: Parameter,
    /// The middle of the hour.
    pub time: Timestamp,
    /// Of the counted values.
    pub mean: Option<f64>,
    pub count: u32,
    /// Readings with site status `dry`.
    pub dry_count: u32,
}

#[derive(Debug, Clone)]
pub struct SeriesRequest {
    /// `None` is all wells.
    pub wells: Option<Vec<WellId>>,
    pub parameters: Vec<Parameter>,
    /// Days at `offset_seconds`, from ≤ day < to.
    pub from: Option<Day>,
    pub to: Option<Day>,
    pub offset_seconds: i32,
    /// Quality flags whose values count.
    pub qualities: Vec<u8>,
    /// Of these parameters the days' medians are told, too. They cost memory by the reading.
    pub medians_of: Vec<Parameter>,
}

/// When a series last had a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastHeard {
    pub well_id: WellId,
    pub parameter: Parameter,
    /// By measurement.
    pub time: Timestamp,
}

/// The end of one series.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeriesEnd {
    /// By measurement, ascending.
    pub times: Vec<Timestamp>,
    /// Who sent the last.
    pub gateway: Option<String>,
}

#[async_trait]
pub trait SeriesReader: Send + Sync + 'static {
    /// Days of the asked series, by well, parameter, day. Readings with a pumping status (`pumping`,
    /// `recently_pumped`, `nearby_pumping`), `obstructed` or `maintenance` are not counted.
    async fn daily_values(&self, request: SeriesRequest) -> Result<Vec<DailyValue>, SeriesReadError>;

    /// The same by the hour, without medians.
    async fn hourly_means(&self, request: SeriesRequest) -> Result<Vec<HourlyMean>, SeriesReadError>;

    /// Winners of one series in time order, from ≤ time < to.
    async fn rows_between(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Row>, SeriesReadError>;

    /// The same without an end.
    async fn rows_since(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
    ) -> Result<Vec<Row>, SeriesReadError> {
        self.rows_between(well, parameter, from, Timestamp::MAX).await
    }

    /// Every series that ever had a reading, in any order. Readings that came within the last seconds may be missing.
    async fn last_heard(&self) -> Result<Vec<LastHeard>, SeriesReadError>;

    /// The readings of one series, from ≤ time, told by their times.
    async fn series_end(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
    ) -> Result<SeriesEnd, SeriesReadError>;
}
