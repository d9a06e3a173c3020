//! Changes of the registry while messages come in.

use gwbank_model::WellId;
use gwbank_registry::{Installation, Registry, Weight, Well};

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
        let at = shared.mark().await?;
        shared.metadata.put_wells(wells, at).await?;
        self.publish(next, &ids);
        Ok(())
    }

    /// Registers what stood in wells when, or replaces it by (well, device, parameter, start), all or nothing.
    pub async fn put_installations(&self, installations: Vec<Installation>) -> Result<(), IngestError> {
        let shared = self.shared();
        let _one_at_a_time = shared.administration.lock().await;
        let next = shared.registry().with_installations(installations.iter().cloned());
        let ids: Vec<WellId> = installations.iter().map(|installation| installation.well_id.clone()).collect();
        refuse_contradictions(&next, &ids)?;
        let at = shared.mark().await?;
        shared.metadata.put_installations(installations, at).await?;
        self.publish(next, &ids);
        Ok(())
    }

    fn publish(&self, registry: Registry, changed: &[WellId]) {
        let shared = self.shared();
        let registry = std::sync::Arc::new(registry);
        shared.applier.lock().judge.set_registry(registry.clone(), changed);
        *shared.present_registry.write() = registry.clone();
        shared.registry.send_replace(registry);
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
