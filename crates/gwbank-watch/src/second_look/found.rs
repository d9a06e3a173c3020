//! What was found, as it is stored.

use gwbank_model::{Month, Parameter, QcTest, Timestamp, WellId};
use gwbank_store::QualityFinding;

/// A stretch of a series to which a test objects, ends included.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub parameter: Parameter,
    pub test: QcTest,
    pub from: Timestamp,
    pub to: Timestamp,
    pub detail: String,
}

impl Found {
    pub fn begins_in(&self, month: Month, offset_seconds: i32) -> bool {
        self.from.month(offset_seconds) == month
    }
}

/// The findings of a series after those from an instant on were found anew, by test and start. What was found before, and as
/// it is now, keeps its age.
pub(super) fn merged(
    well_id: &WellId,
    parameter: Parameter,
    before: &[QualityFinding],
    from: Timestamp,
    found: Vec<Found>,
    now: Timestamp,
) -> Vec<QualityFinding> {
    let mut findings: Vec<QualityFinding> = before.iter().filter(|finding| finding.from < from).cloned().collect();
    findings.extend(found.into_iter().map(|Found { test, from, to, detail, .. }| {
        let is_known =
            |known: &&QualityFinding| (known.test, known.from, known.to) == (test, from, to) && known.detail == detail;
        let found_at = before.iter().find(is_known).map_or(now, |known| known.found_at);
        QualityFinding { well_id: well_id.clone(), parameter, test, from, to, detail, found_at }
    }));
    findings.sort_by(|one, other| (one.test.name(), one.from, one.to).cmp(&(other.test.name(), other.from, other.to)));
    // Of those that begin together the longest one.
    findings.dedup_by(|later, first| {
        let same = (first.test, first.from) == (later.test, later.from);
        if same {
            std::mem::swap(first, later);
        }
        same
    });
    findings
}
