//! From the judged months of a well or place to what its drought flag should be, for the live watch and for a hindcast.
//!
//! The months from the one that raised an open flag to the latest closed one are replayed with what is known now, so a flag
//! depends on the data and not on when they came. A flag whose raising month no longer claims a drought, and whom no later
//! month carries, is cancelled with the reason `late_data`.

use gwbank_model::Month;
use gwbank_model::condition::Severity;

use crate::hysteresis::{DroughtTrack, MonthVerdict};

/// Late data can only be told from re-ranking by new years while no such year has come.
const LATE_DATA_MONTHS: i32 = 12;

/// A flag that is open when a month closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenDrought {
    /// The month that raised it.
    pub since: Month,
    pub severity: Severity,
}

/// What a drought flag should be after the latest closed month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DroughtState {
    None {
        reason: &'static str,
    },
    Stands {
        severity: Severity,
        stale: bool,
        /// The month that raised it.
        since: Month,
    },
    /// The latest closed month says nothing and no flag stands.
    Unknown,
}

/// `first` is the earliest month that `verdict` knows of.
pub fn replay_drought(
    open: Option<OpenDrought>,
    latest: Month,
    first: Month,
    verdict: impl Fn(Month) -> Option<MonthVerdict>,
) -> DroughtState {
    let Some(open) = open else {
        let mut track = DroughtTrack::new();
        let judged = verdict(latest);
        track.month(judged);
        return match (track.severity(), judged) {
            (Some(severity), _) => DroughtState::Stands { severity, stale: false, since: latest },
            (None, Some(_)) => DroughtState::None { reason: "no_drought" },
            (None, None) => DroughtState::Unknown,
        };
    };
    let since = open.since;
    let of_raising_month = if since >= first { verdict(since) } else { None };
    // A raising month that says nothing now is no ground to close what it opened.
    let replayable = of_raising_month.is_some();
    let mut track = if replayable { DroughtTrack::new() } else { DroughtTrack::resume(open.severity) };
    let start = since.max(first);
    for month in (start.index()..=latest.index()).map(Month::from_index) {
        track.month(verdict(month));
    }
    if let Some(severity) = track.severity() {
        return DroughtState::Stands { severity, stale: track.is_stale(), since };
    }
    let raised_by_its_month = of_raising_month.is_some_and(|verdict| verdict.entry.is_some());
    let young = latest.index() - since.index() < LATE_DATA_MONTHS;
    let reason = if replayable && !raised_by_its_month && young { "late_data" } else { "two_months_beyond_exit" };
    DroughtState::None { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAY: Month = Month::new(2026, 5);
    const SEVERE: Option<Option<Severity>> = Some(Some(Severity::Severe));
    const NORMAL: Option<Option<Severity>> = Some(None);

    fn open(since: Month) -> Option<OpenDrought> {
        Some(OpenDrought { since, severity: Severity::Severe })
    }

    fn replayed(open: Option<OpenDrought>, months: &[Option<Option<Severity>>]) -> DroughtState {
        let verdict = |month: Month| {
            let index = usize::try_from(month.index() - MAY.index()).ok()?;
            months.get(index).copied().flatten().map(|s| MonthVerdict { entry: s, hold: s })
        };
        replay_drought(open, MAY.plus(months.len() as i32 - 1), MAY.plus(-24), verdict)
    }

    /// The cases of the live watch's own tests.
    #[test]
    fn as_the_live_watch() {
        let stands = |since, stale| DroughtState::Stands { severity: Severity::Severe, stale, since };
        let ended = DroughtState::None { reason: "two_months_beyond_exit" };
        let late = DroughtState::None { reason: "late_data" };
        assert_eq!(replayed(None, &[NORMAL, SEVERE]), stands(MAY.plus(1), false));
        assert_eq!(replayed(None, &[SEVERE, NORMAL]), DroughtState::None { reason: "no_drought" });
        assert_eq!(replayed(None, &[SEVERE, None]), DroughtState::Unknown);
        let eased = |since, stale| DroughtState::Stands { severity: Severity::Watch, stale, since };
        assert_eq!(replayed(open(MAY), &[SEVERE, NORMAL]), eased(MAY, false));
        assert_eq!(replayed(open(MAY), &[SEVERE, NORMAL, NORMAL]), ended);
        assert_eq!(replayed(open(MAY), &[NORMAL]), late);
        assert_eq!(replayed(open(MAY), &[NORMAL, NORMAL]), late);
        assert_eq!(replayed(open(MAY), &[NORMAL, SEVERE]), stands(MAY, false));
        assert_eq!(replayed(open(MAY), &[SEVERE, NORMAL, None]), eased(MAY, true));
        assert_eq!(replayed(open(MAY), &[None]), stands(MAY, true));
        assert_eq!(replayed(open(MAY.plus(-40)), &[SEVERE, NORMAL]), eased(MAY.plus(-40), false));
        assert_eq!(replayed(open(MAY.plus(-40)), &[SEVERE, NORMAL, NORMAL]), ended);
    }
}
