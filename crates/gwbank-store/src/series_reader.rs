//! The port through which the watch reads series: recent window and archive as one, no SQL.

use async_trait::async_trait;
use gwbank_model::{Day, Parameter, Row, Timestamp, WellId};

#[derive(Debug, thiserror::Error)]
#[error("series cannot be read now")]
pub struct SeriesReadError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What one day of one level series amounts to.
#[derive(Debug, Clone, PartialEq)]
pub struct DailyLevel {
    pub well_id: WellId,
    pub parameter: Parameter,
    pub day: Day,
    /// Mean of the day's counted values in the parameter's own sense and unit (depths stay positive down);
    /// `None` on a day that has only dry or uncounted readings.
    pub mean: Option<f64>,
    /// Values in the mean.
    pub count: u32,
    /// Readings with site status `dry`, with or without a value.
    pub dry_count: u32,
    /// Values of the mean with approval `approved`.
    pub approved_count: u32,
    /// Values of the mean with quality 1.
    pub good_count: u32,
}

#[derive(Debug, Clone)]
pub struct DailyLevelRequest {
    /// `None` is all wells.
    pub wells: Option<Vec<WellId>>,
    /// Days at `offset_seconds`, from ≤ day < to.
    pub from: Option<Day>,
    pub to: Option<Day>,
    pub offset_seconds: i32,
    /// Quality flags whose values count.
    pub qualities: Vec<u8>,
}

#[async_trait]
pub trait SeriesReader: Send + Sync + 'static {
    /// Days of `depth_to_water` and `groundwater_elevation`, by well, parameter, day. Readings with a pumping status
    /// (`pumping`, `recently_pumped`, `nearby_pumping`), `obstructed` or `maintenance` are not counted.
    async fn daily_levels(&self, request: DailyLevelRequest) -> Result<Vec<DailyLevel>, SeriesReadError>;

    /// Winners of one series in time order, from ≤ time.
    async fn rows_since(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
    ) -> Result<Vec<Row>, SeriesReadError>;
}
