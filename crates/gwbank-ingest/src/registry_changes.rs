//! Changes of the registry while messages come in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gwbank_model::{Timestamp, WellId};
use gwbank_registry::{Installation, Registry, Weight, Well};

use crate::pipeline::Shared;
use crate::rejudge::NextBasis;
use crate::{IngestError, Pipeline};

impl Pipeline {
    /// Registers wells, or replaces them by id, all or nothing. From the return on their readings are taken in; readings
    /// that came before are dead letters, to be replayed.
    pub async fn put_wells(&self, wells: Vec<Well>) -> Result<(), IngestError> {
        let shared = self.shared();
        let _one_at_a_time = shared.administration.lock().await;
        let next = shared.registry().with_wells(wells.iter().cloned());
        let ids: Vec<WellId> = wells.iter().map(|well| well.well_id.clone()).collect();
        refuse_contradictions(&next, &ids)?;
        let next = Arc::new(next);
        let basis = shared.prepare_basis(|basis| basis.registry = next.clone()).await?;
        let at = shared.mark().await?;
        shared.metadata.put_wells(wells, at).await?;
        shared.publish_registry(next, basis)
    }

    /// Registers what stood in wells when, or replaces it by (well, device, parameter, start), all or nothing.
    pub async fn put_installations(&self, installations: Vec<Installation>) -> Result<(), IngestError> {
        let shared = self.shared();
        let _one_at_a_time = shared.administration.lock().await;
        let next = shared.registry().with_installations(installations.iter().cloned());
        let ids: Vec<WellId> = installations.iter().map(|installation| installation.well_id.clone()).collect();
        refuse_contradictions(&next, &ids)?;
        let next = Arc::new(next);
        let basis = shared.prepare_basis(|basis| basis.registry = next.clone()).await?;
        let at = shared.mark().await?;
        shared.metadata.put_installations(installations, at).await?;
        shared.publish_registry(next, basis)
    }
}

impl Shared {
    fn publish_registry(&self, registry: Arc<Registry>, basis: NextBasis) -> Result<(), IngestError> {
        self.take_up_basis(basis);
        *self.present_registry.write() = registry.clone();
        self.registry.send_replace(registry.clone());
        self.last_known.as_ref().map_or(Ok(()), |known| known.write_registry(&registry)).map_err(IngestError::LastKnown)
    }

    /// Takes over what other nodes have registered, what limits they have set and what they found, and notices them.
    pub(crate) async fn look_at_other_nodes(&self) -> Result<(), IngestError> {
        self.metadata.still_here().await?;
        if !self.has_other_nodes.load(Ordering::SeqCst) && self.metadata.has_other_nodes().await? {
            tracing::info!("other nodes write to this database: recent readings of all of them are read from it");
            self.window.set_covers_from(Timestamp::MAX);
            self.has_other_nodes.store(true, Ordering::SeqCst);
        }
        let _one_at_a_time = self.administration.lock().await;
        self.look_at_limits().await?;
        self.look_at_findings().await?;
        self.look_at_reviews().await?;
        let version = self.metadata.registry_version().await?;
        if version == *self.registry_version.lock() {
            return Ok(());
        }
        let next = Registry::new(self.metadata.wells().await?, self.metadata.installations().await?);
        let known = self.registry();
        let mut changed: Vec<WellId> = next.wells().iter().map(|well| well.well_id.clone()).collect();
        changed.retain(|id| {
            let id = id.as_str();
            known.well(id) != next.well(id) || known.installations_of(id) != next.installations_of(id)
        });
        if !changed.is_empty() {
            tracing::info!(wells = changed.len(), "wells were registered by another node");
            let next = Arc::new(next);
            let basis = self.prepare_basis(|basis| basis.registry = next.clone()).await?;
            self.publish_registry(next, basis)?;
        }
        *self.registry_version.lock() = version;
        Ok(())
    }
}

/// Refuses what contradicts itself in the wells that are put; warnings and other wells' troubles are let through.
fn refuse_contradictions(registry: &Registry, ids: &[WellId]) -> Result<(), IngestError> {
    let found = registry.problems().into_iter().find(|p| p.weight == Weight::Error && ids.contains(&p.well_id));
    match found {
        Some(problem) => Err(IngestError::Refused {
            what: "well",
            id: problem.well_id.to_string(),
            problem: format!("{}: {}; {}", problem.column, problem.problem, problem.mend),
        }),
        None => Ok(()),
    }
}
