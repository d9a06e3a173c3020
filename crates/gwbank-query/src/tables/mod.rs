//! Everything that is not a reading: small tables, made into batches when a query scans them.

mod batch;
mod findings;
mod flags;
mod indicators;
mod limits;
mod offices;
mod operations;
mod places;
mod reviews;
mod small;
mod wells;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::error::DataFusionError;
use gwbank_store::{GatewayRecord, Metadata, MetadataError};

use crate::engine::QuerySources;
use crate::functions::FunctionsTable;
use crate::readings::{ReadingsTable, Table};
use crate::session::Template;

/// One row of the table `gateways`.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayRow {
    pub record: GatewayRecord,
    /// Readings that are durable and can be queried, but are not compared with the archive yet.
    pub pending: u64,
}

/// Who knows the gateways and their dead letters as of now: the pipeline, or (without one) the metadata.
#[async_trait]
pub trait GatewaySource: Debug + Send + Sync + 'static {
    async fn gateways(&self) -> Result<Vec<GatewayRow>, MetadataError>;

    /// Returns when the metadata has every dead letter of what was acknowledged before.
    async fn account_dead_letters(&self) -> Result<(), MetadataError>;
}

/// Gateways as of the last commit.
#[derive(Debug, Clone)]
pub struct MetadataGateways(pub Arc<dyn Metadata>);

#[async_trait]
impl GatewaySource for MetadataGateways {
    async fn gateways(&self) -> Result<Vec<GatewayRow>, MetadataError> {
        let records = self.0.gateways().await?;
        Ok(records.into_iter().map(|record| GatewayRow { record, pending: 0 }).collect())
    }

    async fn account_dead_letters(&self) -> Result<(), MetadataError> {
        Ok(())
    }
}

/// Adds every table that is not a view.
pub(crate) fn register(template: &Template, sources: &QuerySources) -> Result<(), DataFusionError> {
    let QuerySources { metadata, registry, gateways, limits, reviews, .. } = sources;
    use wells::Registered;
    template.add_table("readings", Arc::new(ReadingsTable::all(Table::Readings)))?;
    template.add_table("reading_revisions", Arc::new(ReadingsTable::all(Table::Revisions)))?;
    template.add_table("provinces", SmallTable::shared(places::Provinces))?;
    template.add_table("districts", SmallTable::shared(places::Districts))?;
    template.add_table("subdistricts", SmallTable::shared(places::Subdistricts))?;
    template.add_table("wells", SmallTable::shared(wells::Wells(Registered::now(registry, metadata))))?;
    template
        .add_table("installations", SmallTable::shared(wells::Installations(Registered::now(registry, metadata))))?;
    template.add_table("quality_limits", SmallTable::shared(limits::QualityLimits(limits.clone())))?;
    template.add_table("quality_findings", SmallTable::shared(findings::QualityFindings(metadata.clone())))?;
    template.add_table("reviews", SmallTable::shared(reviews::ReviewsTable::now(reviews.clone())))?;
    template.add_table("gateways", SmallTable::shared(operations::Gateways(gateways.clone())))?;
    let letters = operations::DeadLetters { metadata: metadata.clone(), gateways: gateways.clone() };
    template.add_table("dead_letters", SmallTable::shared(letters))?;
    template.add_table("indicators", SmallTable::shared(indicators::Indicators::now(metadata.clone())))?;
    let revisions = indicators::IndicatorRevisions::now(metadata.clone());
    template.add_table("indicator_revisions", SmallTable::shared(revisions))?;
    template.add_table("condition_flags", SmallTable::shared(flags::ConditionFlags::now(metadata.clone())))?;
    template.add_table("flag_transitions", SmallTable::shared(flags::FlagTransitions::now(metadata.clone())))?;
    template.add_table("flag_actions", SmallTable::shared(offices::FlagActions::now(metadata.clone())))?;
    template.add_table("flag_holds", SmallTable::shared(offices::FlagHolds(metadata.clone())))?;
    template.add_table("drills", SmallTable::shared(offices::Drills(metadata.clone())))?;
    let offices = |of| SmallTable::shared(offices::OfficesTable::now(metadata.clone(), of));
    template.add_table("offices", offices(offices::Of::Offices))?;
    template.add_table("contacts", offices(offices::Of::Contacts))?;
    template.add_table("deliveries", SmallTable::shared(offices::Deliveries(metadata.clone())))?;
    template.add_table("delivery_attempts", SmallTable::shared(offices::DeliveryAttempts::now(metadata.clone())))?;
    template.add_table("gwbank_functions", SmallTable::shared(FunctionsTable))
}

pub(crate) use batch::BatchOf;
pub(crate) use small::{Rows, SmallTable, Then, Wanted};
