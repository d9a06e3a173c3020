//! A recent window with rows in it, as the pipeline inserts them.

use std::time::Instant;

use gwbank_model::{
    GatewayId, Origin, Parameter, QcTests, QualityFlag, Row, Seq, SeriesId, TimeSource, Timestamp, WellId,
};
use gwbank_query::{MetadataGateways, QueryConfig, QueryEngine, QuerySources};
use gwbank_recent::Window;
use gwbank_registry::Registry;

use super::ours::Stores;
use super::readings::{STEP_SECS, registered, well_id};
use super::{Error, expect};

pub const WELLS: usize = 10_801;
const WELLS_PER_GATEWAY: usize = 100;
/// 2026-01-01T00:00:00Z
const START_SECS: i64 = 1_767_225_600;
/// Rows that the pipeline inserts at once under load.
pub const ROWS_AT_ONCE: usize = 2_000;

/// Readings of every well, 15 minutes apart; nothing is archived.
pub struct Recent {
    pub window: Window,
    pub wells: Vec<String>,
    pub series: Vec<SeriesId>,
    pub end: Timestamp,
    /// That the insertions took.
    pub seconds: f64,
}

impl Recent {
    pub fn fill(stores: &Stores, steps: usize) -> Result<Self, Error> {
        let window = Window::new(4 << 30, Timestamp::MIN);
        let wells: Vec<String> = (0..WELLS).map(|n| well_id(n / WELLS_PER_GATEWAY, n % WELLS_PER_GATEWAY)).collect();
        let series: Vec<SeriesId> = wells
            .iter()
            .map(|id| Ok(stores.names.series.intern(&WellId::new(id)?, Parameter::DepthToWater)))
            .collect::<Result<_, Error>>()?;
        let seconds = fill(stores, &window, &series, steps)?;
        let end = Timestamp::from_secs(START_SECS + steps as i64 * STEP_SECS);
        Ok(Self { window, wells, series, end, seconds })
    }

    pub fn engine(&self, stores: &Stores, config: QueryConfig) -> Result<QueryEngine, Error> {
        let registry = Registry::new(self.wells.iter().map(|id| registered(id)), []);
        let sources = QuerySources {
            window: self.window.clone(),
            archive: stores.archive.clone(),
            metadata: stores.metadata.clone(),
            registry: tokio::sync::watch::channel(std::sync::Arc::new(registry)).1,
            names: stores.names.clone(),
            gateways: std::sync::Arc::new(MetadataGateways(stores.metadata.clone())),
            limits: tokio::sync::watch::channel(std::sync::Arc::default()).1,
            reviews: tokio::sync::watch::channel(std::sync::Arc::default()).1,
        };
        Ok(QueryEngine::new(config, sources)?)
    }
}

/// Seconds that the insertions took.
fn fill(stores: &Stores, window: &Window, series: &[SeriesId], steps: usize) -> Result<f64, Error> {
    let gateway = stores.names.gateways.intern(&GatewayId::new("gw-0")?);
    let mut seconds = 0.0;
    let mut group: Vec<Row> = Vec::with_capacity(ROWS_AT_ONCE);
    for step in 0..steps {
        let secs = START_SECS + step as i64 * STEP_SECS;
        for (index, &series) in series.iter().enumerate() {
            group.push(Row {
                series,
                gateway,
                time: Timestamp::from_secs(secs),
                value: 3.0 + (index % 97) as f64 * 0.01 + (step as f64 / 5.0).sin() * 0.05,
                seq: Seq::from_i64(((secs * 1000 + (index / ROWS_AT_ONCE) as i64) << 20) | 1),
                revision: 0,
                qc_tests: QcTests::NONE,
                quality: QualityFlag::Pass,
                site_status: None,
                time_source: TimeSource::Device,
                origin: Origin::Received,
                time_form: None,
            });
            if group.len() == ROWS_AT_ONCE || (step + 1 == steps && index + 1 == WELLS) {
                let began = Instant::now();
                let verdicts = window.classify(&group);
                expect(verdicts.iter().filter(|verdict| verdict.is_stored()).count(), group.len())?;
                window.insert(std::mem::take(&mut group));
                seconds += began.elapsed().as_secs_f64();
            }
        }
    }
    expect(window.rows(), WELLS * steps)?;
    Ok(seconds)
}
