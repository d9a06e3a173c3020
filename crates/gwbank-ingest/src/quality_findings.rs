//! What the second look found: part of what readings are judged by.
//!
//! # Rules
//! 1. Findings are stored apart from the readings that they object to, as limits are. Whoever judges a reading asks them: one
//!    that comes late into the stretch of a finding is judged with it at once, and stored ones are judged anew where findings
//!    came or went ([`crate::rejudge`]).
//! 2. Series that findings judge otherwise are noted before the findings are stored, so that no end of the process leaves
//!    readings that are judged by neither the old nor the new ones.

use std::collections::HashMap;
use std::sync::Arc;

use gwbank_model::{Parameter, WellId};
use gwbank_quality::{Finding, Findings, SeriesConfig};
use gwbank_store::{QualityFinding, SecondLookCommit, SeriesFindings};

use crate::pipeline::Shared;
use crate::{IngestError, Pipeline};

/// The findings of all series that have some.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct FindingsBySeries(HashMap<(WellId, Parameter), Findings>);

impl FindingsBySeries {
    pub(crate) fn new(found: Vec<QualityFinding>) -> Self {
        let mut by_series: HashMap<(WellId, Parameter), Vec<QualityFinding>> = HashMap::new();
        for finding in found {
            by_series.entry((finding.well_id.clone(), finding.parameter)).or_default().push(finding);
        }
        Self(by_series.into_iter().map(|(series, found)| (series, findings(&found))).collect())
    }

    pub(crate) fn of_series(findings: HashMap<(WellId, Parameter), Findings>) -> Self {
        Self(findings)
    }

    pub(crate) fn of(&self, well: &WellId, parameter: Parameter) -> Findings {
        self.0.get(&(well.clone(), parameter)).cloned().unwrap_or_default()
    }

    fn with(&self, changed: &[SeriesFindings]) -> Self {
        let mut next = self.0.clone();
        for SeriesFindings { well_id, parameter, findings: found } in changed {
            let series = (well_id.clone(), *parameter);
            match found.is_empty() {
                true => next.remove(&series),
                false => next.insert(series, findings(found)),
            };
        }
        Self(next)
    }
}

fn findings(found: &[QualityFinding]) -> Findings {
    Findings::new(found.iter().map(|found| Finding { test: found.test, from: found.from, to: found.to }))
}

impl Pipeline {
    /// By what a series is judged, without what a second look found.
    pub fn quality_config(&self, well: &WellId, parameter: Parameter) -> SeriesConfig {
        self.shared().applier.lock().judge.basis().config_without_findings(well, parameter)
    }

    /// Takes over what a second look found. Stored readings are judged anew where that changes what holds for them.
    pub async fn take_second_look(&self, commit: SecondLookCommit) -> Result<(), IngestError> {
        let shared = self.shared();
        if commit.series.is_empty() {
            return Ok(shared.metadata.commit_second_look(commit).await?);
        }
        let _one_at_a_time = shared.administration.lock().await;
        let next = Arc::new(shared.findings().with(&commit.series));
        let basis = shared.prepare_basis(|basis| basis.findings = next).await?;
        shared.metadata.commit_second_look(commit).await?;
        shared.take_up_basis(basis);
        Ok(())
    }
}

impl Shared {
    fn findings(&self) -> Arc<FindingsBySeries> {
        self.applier.lock().judge.basis().findings.clone()
    }

    /// Takes over what another process has found. The caller holds `administration`.
    pub(crate) async fn look_at_findings(&self) -> Result<(), IngestError> {
        let stored = FindingsBySeries::new(self.metadata.quality_findings().await?);
        if stored == *self.findings() {
            return Ok(());
        }
        let next = Arc::new(stored);
        let basis = self.prepare_basis(|basis| basis.findings = next).await?;
        self.take_up_basis(basis);
        Ok(())
    }
}
