//! From the judged months of a well or place to what its drought flag should be.
//!
//! The months from the one that raised an open flag to the latest closed one are replayed, so the outcome depends on the
//! data and not on when they came. A flag whose raising month no longer claims a drought, and whom no later month
//! carries, is cancelled with the reason `late_data`.

use gwbank_indicator::{DroughtTrack, MonthClosing, MonthVerdict};
use gwbank_model::condition::Severity;
use gwbank_model::{Month, Timestamp};
use gwbank_store::ConditionFlag;

/// Late data can only be told from re-ranking by new years while no such year has come.
const LATE_DATA_MONTHS: i32 = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DroughtState {
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

/// The month that raised a drought flag: flags are raised at the instant at which their month closed.
pub(crate) fn raising_month(raised_at: Timestamp, closing: MonthClosing) -> Month {
    raised_at.month(closing.offset_seconds).plus(-1)
}

/// `first` is the earliest month that `verdict` knows of.
pub(crate) fn replay(
    open: Option<&ConditionFlag>,
    latest: Month,
    first: Month,
    closing: MonthClosing,
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
    let since = raising_month(open.raised_at, closing);
    // A raising month that says nothing now is no ground to close what it opened.
    let replayable = since >= first && verdict(since).is_some();
    let mut track = if replayable { DroughtTrack::new() } else { DroughtTrack::resume(open.severity) };
    let start = since.max(first);
    for month in (start.index()..=latest.index()).map(Month::from_index) {
        track.month(verdict(month));
    }
    if let Some(severity) = track.severity() {
        return DroughtState::Stands { severity, stale: track.is_stale(), since };
    }
    let raised_by_its_month = verdict(since).is_some_and(|verdict| verdict.entry.is_some());
    let young = latest.index() - since.index() < LATE_DATA_MONTHS;
    let reason = if replayable && !raised_by_its_month && young { "late_data" } else { "two_months_beyond_exit" };
    DroughtState::None { reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{FlagBook, FlagKey, Judgement, Standing, Texts, Where};
    use gwbank_model::condition::{Hazard, Scope};

    const MAY: Month = Month::new(2026, 5);

    fn open(since: Month) -> ConditionFlag {
        let standing = Standing {
            severity: Severity::Severe,
            stale: false,
            raised_at: MonthClosing::default().closes_at(since),
            confidence: 1.0,
            wells_in: 1,
            wells_out: 0,
            coverage: 1.0,
            rule: "sgi".into(),
            limit_value: None,
            observed: None,
            texts: Texts::default(),
            evidence: serde_json::Value::Null,
        };
        let key = FlagKey::new(Hazard::Drought, Scope::Province, "30");
        let judgement = Judgement::Stands(Box::new(standing));
        FlagBook::default().propose(&key, &Where::default(), judgement, Timestamp::from_secs(0)).unwrap().flag
    }

    fn replayed(open: Option<&ConditionFlag>, months: &[Option<Option<Severity>>]) -> DroughtState {
        let verdict = |month: Month| {
            let index = usize::try_from(month.index() - MAY.index()).ok()?;
            months.get(index).copied().flatten().map(|s| MonthVerdict { entry: s, hold: s })
        };
        let latest = MAY.plus(months.len() as i32 - 1);
        replay(open, latest, MAY.plus(-24), MonthClosing::default(), verdict)
    }

    const SEVERE: Option<Option<Severity>> = Some(Some(Severity::Severe));
    const NORMAL: Option<Option<Severity>> = Some(None);

    #[test]
    fn only_the_latest_month_raises() {
        let since = MAY.plus(1);
        let stands = |since| DroughtState::Stands { severity: Severity::Severe, stale: false, since };
        assert_eq!(replayed(None, &[NORMAL, SEVERE]), stands(since));
        assert_eq!(replayed(None, &[SEVERE, NORMAL]), DroughtState::None { reason: "no_drought" });
        assert_eq!(replayed(None, &[SEVERE, None]), DroughtState::Unknown);
        assert_eq!(replayed(Some(&open(MAY)), &[SEVERE, NORMAL]), stands(MAY), "one month is not enough");
    }

    #[test]
    fn ends_after_two_months_or_by_late_data() {
        let ended = DroughtState::None { reason: "two_months_beyond_exit" };
        assert_eq!(replayed(Some(&open(MAY)), &[SEVERE, NORMAL, NORMAL]), ended);
        assert_eq!(replayed(Some(&open(MAY)), &[NORMAL]), DroughtState::None { reason: "late_data" });
        assert_eq!(replayed(Some(&open(MAY)), &[NORMAL, NORMAL]), DroughtState::None { reason: "late_data" });
        let moved = replayed(Some(&open(MAY)), &[NORMAL, SEVERE]);
        assert_eq!(moved, DroughtState::Stands { severity: Severity::Severe, stale: false, since: MAY });
    }

    #[test]
    fn silence_is_stale() {
        let stale = DroughtState::Stands { severity: Severity::Severe, stale: true, since: MAY };
        assert_eq!(replayed(Some(&open(MAY)), &[SEVERE, NORMAL, None]), stale);
        assert_eq!(replayed(Some(&open(MAY)), &[None]), stale);
    }

    #[test]
    fn a_flag_older_than_the_kept_months_is_resumed() {
        let flag = open(MAY.plus(-40));
        let stands = DroughtState::Stands { severity: Severity::Severe, stale: false, since: MAY.plus(-40) };
        assert_eq!(replayed(Some(&flag), &[SEVERE, NORMAL]), stands);
        let ended = DroughtState::None { reason: "two_months_beyond_exit" };
        assert_eq!(replayed(Some(&flag), &[SEVERE, NORMAL, NORMAL]), ended);
    }
}
