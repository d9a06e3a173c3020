//! `wells` and `installations`: the registry as it is when the query scans it, or as it was known.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use gwbank_registry::{Installation, Registry, Well};
use gwbank_store::Metadata;
use tokio::sync::watch;

use super::batch::BatchOf;
use super::small::{Rows, Then, Wanted, check_history, internal};
use crate::error::QueryError;
use crate::known_at::KnownAt;

/// Where the rows come from.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    registry: watch::Receiver<Arc<Registry>>,
    metadata: Arc<dyn Metadata>,
    at: Option<KnownAt>,
}

impl Registered {
    pub(super) fn now(registry: &watch::Receiver<Arc<Registry>>, metadata: &Arc<dyn Metadata>) -> Self {
        Self { registry: registry.clone(), metadata: metadata.clone(), at: None }
    }

    /// How it was, in a store that can tell.
    async fn then(&self, at: KnownAt) -> Result<&dyn Metadata, QueryError> {
        check_history(self.metadata.as_ref(), at).await?;
        Ok(self.metadata.as_ref())
    }

    fn at(&self, at: KnownAt) -> Self {
        Self { at: Some(at), ..self.clone() }
    }
}

#[derive(Debug)]
pub(super) struct Wells(pub(super) Registered);

fn of_wells(rows: &[Arc<Well>]) -> BatchOf<'_, Arc<Well>> {
    BatchOf::new(rows)
        .text("well_id", |w| Some(w.well_id.as_str()))
        .text("name", |w| w.name.as_deref())
        .text("name_th", |w| w.name_th.as_deref())
        .text("province_code", |w| Some(w.province_code.as_str()))
        .text("district_code", |w| w.district_code.as_deref())
        .text("subdistrict_code", |w| w.subdistrict_code.as_deref())
        .text("lao_code", |w| w.lao_code.as_deref())
        .text("aquifer", |w| w.aquifer.as_deref())
        .text("aquifer_condition", |w| w.aquifer_condition.map(|condition| condition.name()))
        .text("bank_type", |w| Some(w.bank_type.name()))
        .truth("represents_aquifer", |w| w.represents_aquifer)
        .truth("influenced", |w| w.influenced)
        .text("sampling", |w| Some(w.sampling.name()))
        .number("latitude", |w| w.latitude)
        .number("longitude", |w| w.longitude)
        .number("ground_elevation", |w| w.ground_elevation)
        .text("vertical_datum", |w| w.vertical_datum.as_deref())
        .number("depth", |w| w.depth)
        .number("screen_top", |w| w.screen_top)
        .number("screen_bottom", |w| w.screen_bottom)
        .number("specific_yield", |w| w.specific_yield)
        .number("flood_warning_depth", |w| w.flood_warning_depth)
        .number("flood_danger_depth", |w| w.flood_danger_depth)
        .number("bank_area", |w| w.bank_area)
        .number("bank_volume", |w| w.bank_volume)
        .text("fill_material", |w| w.fill_material.as_deref())
        .text("comparison_well_id", |w| w.comparison_well_id.as_ref())
        .day("installed_on", |w| w.installed_on)
        .text("status", |w| Some(w.status.name()))
}

#[async_trait]
impl Rows for Wells {
    fn schema(&self) -> SchemaRef {
        of_wells(&[]).schema()
    }
    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        match self.0.at {
            None => {
                let registry = self.0.registry.borrow().clone();
                of_wells(registry.wells()).finish().map_err(internal)
            }
            Some(at) => {
                let wells = self.0.then(at).await?.wells_before(at.before()).await.map_err(QueryError::metadata)?;
                let wells: Vec<Arc<Well>> = wells.into_iter().map(Arc::new).collect();
                of_wells(&wells).finish().map_err(internal)
            }
        }
    }
    fn as_known_at(&self, at: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::Rows(Arc::new(Self(self.0.at(at)))))
    }
}

#[derive(Debug)]
pub(super) struct Installations(pub(super) Registered);

fn of_installations(rows: &[Installation]) -> BatchOf<'_, Installation> {
    BatchOf::new(rows)
        .text("well_id", |i| Some(i.well_id.as_str()))
        .text("device_id", |i| i.device_id.as_deref())
        .text("sensor_model", |i| i.sensor_model.as_deref())
        .text("parameter", |i| i.parameter.map(|parameter| parameter.name()))
        .number("sensor_depth_below_mp", |i| i.sensor_depth_below_mp)
        .number("measuring_point_height", |i| i.measuring_point_height)
        .text("pressure_kind", |i| i.pressure_kind.map(|kind| kind.name()))
        .text("barometer_id", |i| i.barometer_id.as_deref())
        .number("offset", |i| i.offset)
        .time("valid_from", |i| Some(i.valid_from))
        .time("valid_to", |i| i.valid_to)
        .text("reason", |i| i.reason.as_deref())
}

#[async_trait]
impl Rows for Installations {
    fn schema(&self) -> SchemaRef {
        of_installations(&[]).schema()
    }
    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        match self.0.at {
            None => {
                let registry = self.0.registry.borrow().clone();
                of_installations(registry.installations()).finish().map_err(internal)
            }
            Some(at) => {
                let rows =
                    self.0.then(at).await?.installations_before(at.before()).await.map_err(QueryError::metadata)?;
                of_installations(&rows).finish().map_err(internal)
            }
        }
    }
    fn as_known_at(&self, at: KnownAt) -> Result<Then, QueryError> {
        Ok(Then::Rows(Arc::new(Self(self.0.at(at)))))
    }
}
