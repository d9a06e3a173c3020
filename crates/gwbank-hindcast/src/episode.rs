//! Flags from being raised to being cleared, and the book that writes them.
//!
//! # Rules
//! 1. At most one flag of a (hazard, scope, place) is open.
//! 2. A flag's id is that of the live watch: `{hazard}-{scope}-{place}-{raised_at in Unix seconds}`.
//! 3. A flag raised, escalated, eased, gone stale, come back or cleared is a [`FlagChange`]; a month that leaves it as it is
//!    is none. A stale flag whose data came back is `raised` again with the reason `data_resumed`, as the watch writes it.

use gwbank_indicator::PlaceEvidence;
use gwbank_model::condition::{FlagState, Hazard, Scope, Severity, Transition};
use gwbank_model::{Month, Timestamp};

/// What a flag speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    pub hazard: Hazard,
    pub scope: Scope,
    /// The well's id or the place's code.
    pub place: String,
    pub province_code: String,
    /// Of a well, subdistrict or district, where it is known.
    pub district_code: Option<String>,
    pub subdistrict_code: Option<String>,
}

/// The numbers that a change rests on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evidence {
    /// `sgi`, `percentile`, `dry` or `place_{severity}` for droughts; the rule of the flood or salinity step.
    pub rule: Option<&'static str>,
    pub limit: Option<f64>,
    pub observed: Option<f64>,
    /// Years with that calendar month, for a well's drought.
    pub n: Option<u32>,
    pub wells_in: u32,
    pub wells_out: u32,
    pub coverage: f64,
    /// Of districts and provinces in drought.
    pub place: Option<PlaceEvidence>,
    pub reason: Option<&'static str>,
}

/// A flag's life. An open one has no end yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    pub id: String,
    pub subject: Subject,
    /// For a drought the month whose closing raised it; for floods and salinity the month of the reading.
    pub raised: Month,
    pub raised_at: Timestamp,
    pub first_severity: Severity,
    /// At its end, or now.
    pub severity: Severity,
    pub worst: Severity,
    /// The first month at the worst severity.
    pub worst_month: Month,
    /// The month at whose closing (or in which) it was cleared.
    pub closed: Option<Month>,
    pub closed_at: Option<Timestamp>,
    pub state: FlagState,
    /// Why it ended.
    pub reason: Option<&'static str>,
    /// Of the latest change.
    pub evidence: Evidence,
}

impl Episode {
    /// Closings (for floods and salinity: calendar months) at which it stood, from the raising month to the one before its
    /// end; of an open one through `last`. At least 1.
    pub fn months_open(&self, last: Month) -> u32 {
        let end = self.closed.unwrap_or(last.plus(1));
        u32::try_from(end.index() - self.raised.index()).unwrap_or(0).max(1)
    }

    /// The last month in which it stood; of an open one `last`.
    pub fn last_month(&self, last: Month) -> Month {
        self.raised.plus(self.months_open(last) as i32 - 1)
    }

    /// Months from being raised to the first month at its worst severity.
    pub fn lead_months(&self) -> u32 {
        u32::try_from(self.worst_month.index() - self.raised.index()).unwrap_or(0)
    }
}

/// A change that the live watch would have written.
#[derive(Debug, Clone, PartialEq)]
pub struct FlagChange {
    pub flag_id: String,
    pub at: Timestamp,
    pub month: Month,
    pub transition: Transition,
    pub severity: Severity,
    pub evidence: Evidence,
}

/// What a closing or reading says of a subject.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Judgement {
    Stands { severity: Severity, stale: bool, since: Month, raised_at: Timestamp },
    Nothing { reason: &'static str },
    Unknown,
}

/// When something was judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When {
    pub month: Month,
    pub at: Timestamp,
}

/// All flags of a replay, in the order in which they were raised, and which of each subject is open.
#[derive(Debug, Default)]
pub(crate) struct FlagBook {
    pub episodes: Vec<Episode>,
    pub changes: Vec<FlagChange>,
}

impl FlagBook {
    /// Writes what a judgement changes; gives back the open flag, if one is left.
    pub fn judge(
        &mut self,
        open: Option<usize>,
        subject: &Subject,
        judgement: Judgement,
        evidence: Evidence,
        when: When,
    ) -> Option<usize> {
        match (open, judgement) {
            (None, Judgement::Stands { severity, stale: false, since, raised_at }) => {
                Some(self.raise(subject, severity, since, raised_at, evidence, when))
            }
            (None, _) => None,
            (Some(open), Judgement::Nothing { reason }) => {
                let episode = &mut self.episodes[open];
                episode.state = FlagState::Closed;
                episode.closed = Some(when.month);
                episode.closed_at = Some(when.at);
                episode.reason = Some(reason);
                self.tell(open, Transition::Cleared, Evidence { reason: Some(reason), ..evidence }, when);
                None
            }
            (Some(open), Judgement::Unknown) => {
                self.go_stale(open, evidence, when);
                Some(open)
            }
            (Some(open), Judgement::Stands { severity, stale, .. }) => {
                self.update(open, severity, stale, evidence, when);
                Some(open)
            }
        }
    }

    fn raise(
        &mut self,
        subject: &Subject,
        severity: Severity,
        raised: Month,
        raised_at: Timestamp,
        evidence: Evidence,
        when: When,
    ) -> usize {
        let Subject { hazard, scope, place, .. } = subject;
        self.episodes.push(Episode {
            id: format!("{}-{}-{place}-{}", hazard.name(), scope.name(), raised_at.as_secs()),
            subject: subject.clone(),
            raised,
            raised_at,
            first_severity: severity,
            severity,
            worst: severity,
            worst_month: raised,
            closed: None,
            closed_at: None,
            state: FlagState::Open,
            reason: None,
            evidence,
        });
        let index = self.episodes.len() - 1;
        self.tell(index, Transition::Raised, evidence, when);
        index
    }

    fn update(&mut self, open: usize, severity: Severity, stale: bool, evidence: Evidence, when: When) {
        let episode = &mut self.episodes[open];
        if stale && severity == episode.severity {
            return self.go_stale(open, evidence, when);
        }
        let (what, reason) = match severity.cmp(&episode.severity) {
            std::cmp::Ordering::Greater => (Some(Transition::Escalated), None),
            std::cmp::Ordering::Less => (Some(Transition::Eased), None),
            std::cmp::Ordering::Equal if episode.state == FlagState::Stale => {
                (Some(Transition::Raised), Some("data_resumed"))
            }
            std::cmp::Ordering::Equal => (None, None),
        };
        episode.severity = severity;
        episode.state = if stale { FlagState::Stale } else { FlagState::Open };
        episode.evidence = evidence;
        if severity > episode.worst {
            episode.worst = severity;
            episode.worst_month = when.month;
        }
        if let Some(what) = what {
            self.tell(open, what, Evidence { reason, ..evidence }, when);
        }
    }

    fn go_stale(&mut self, open: usize, evidence: Evidence, when: When) {
        if self.episodes[open].state != FlagState::Stale {
            self.episodes[open].state = FlagState::Stale;
            self.tell(open, Transition::WentStale, evidence, when);
        }
    }

    fn tell(&mut self, flag: usize, transition: Transition, evidence: Evidence, when: When) {
        let Episode { id, severity, .. } = &self.episodes[flag];
        let (flag_id, severity) = (id.clone(), *severity);
        self.changes.push(FlagChange { flag_id, at: when.at, month: when.month, transition, severity, evidence });
    }
}
