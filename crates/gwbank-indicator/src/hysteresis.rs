//! Drought through the months: raise, escalate, ease, stale, clear.
//!
//! # Rules
//! 1. A condition begins, and worsens, with one closed month that claims it.
//! 2. It eases with one closed month that no longer holds its severity (exit limits), to what that month holds, and with the
//!    second closed month in a row that only holds it, to the worse of what the two claim; but never below watch.
//! 3. It ends only after two closed months in a row that hold nothing.
//! 4. A month without a judgement changes nothing but staleness, and breaks the row of two: silence never clears.
//!
//! The state after a stretch of months is a pure function of their verdicts, so a restart or a late correction replays
//! the stretch and comes to the same state.

use gwbank_model::condition::Severity;

/// What one closed month says: the severity that it claims, and the one that it holds up by the exit limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthVerdict {
    pub entry: Option<Severity>,
    /// Never less than `entry`.
    pub hold: Option<Severity>,
}

impl MonthVerdict {
    fn holds(&self) -> Option<Severity> {
        self.hold.max(self.entry)
    }

    /// What is left of a severity after this month; `before` is the month before, where it said anything.
    fn keeps(&self, from: Severity, before: Option<MonthVerdict>) -> Option<Severity> {
        if self.holds().is_none() && before.is_some_and(|before| before.holds().is_none()) {
            return None;
        }
        let held = self.holds().unwrap_or(Severity::Watch).min(from);
        let claimed = before.map_or(held, |before| self.entry.max(before.entry).unwrap_or(Severity::Watch));
        Some(held.min(claimed))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Unchanged,
    Raised {
        to: Severity,
    },
    Escalated {
        from: Severity,
        to: Severity,
    },
    Eased {
        from: Severity,
        to: Severity,
    },
    /// The month has no judgement and a condition stands.
    Stale {
        at: Severity,
    },
    Cleared {
        from: Severity,
    },
}

/// Follows the verdicts of one well or place, month by month.
///
/// - **Formula**: severity ← claim where it is worse; else what the month holds, at most the present one and at least watch; none
///   where this month and the one before hold nothing. **Shape**: one verdict a closed month, in order of time without a gap;
///   `None` for a month without a judgement.
/// - **Source, limits**: none; two months and the exit limits (SGI + 0.25, percentile + 5, share − 10 points) are this project's.
/// - **Weak**: the end is told a month late by design; a severity that swings beyond both its limits eases and escalates from month
///   to month; a well that fell silent in a drought stays in it, stale, for as long as it is silent.
///
/// ```
/// use gwbank_indicator::{DroughtTrack, MonthVerdict, Step};
/// use gwbank_model::condition::Severity::{Severe, Watch};
///
/// let mut track = DroughtTrack::new();
/// let (dry, over) = (MonthVerdict { entry: Some(Severe), hold: Some(Severe) }, MonthVerdict { entry: None, hold: None });
/// assert_eq!(track.month(Some(dry)), Step::Raised { to: Severe });
/// assert_eq!(track.month(Some(over)), Step::Eased { from: Severe, to: Watch }, "one month eases and does not end it");
/// assert_eq!(track.month(None), Step::Stale { at: Watch }, "silence clears nothing, and breaks the row of two");
/// assert_eq!(track.month(Some(over)), Step::Unchanged);
/// assert_eq!(track.month(Some(over)), Step::Cleared { from: Watch });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DroughtTrack {
    severity: Option<Severity>,
    stale: bool,
    /// The month before; `None` where it had no judgement.
    before: Option<MonthVerdict>,
}

impl DroughtTrack {
    pub fn new() -> Self {
        Self::default()
    }

    /// A condition that began before the stretch.
    pub fn resume(severity: Severity) -> Self {
        Self { severity: Some(severity), ..Self::default() }
    }

    pub fn severity(&self) -> Option<Severity> {
        self.severity
    }

    /// A condition stands and the latest month says nothing.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Takes the next month; `None` where there is no judgement.
    pub fn month(&mut self, verdict: Option<MonthVerdict>) -> Step {
        let Some(verdict) = verdict else {
            self.before = None;
            self.stale = self.severity.is_some();
            return self.severity.map_or(Step::Unchanged, |at| Step::Stale { at });
        };
        self.stale = false;
        let before = self.before.replace(verdict);
        match (self.severity, verdict.entry) {
            (None, None) => Step::Unchanged,
            (None, Some(to)) => {
                self.severity = Some(to);
                Step::Raised { to }
            }
            (Some(from), Some(to)) if to > from => {
                self.severity = Some(to);
                Step::Escalated { from, to }
            }
            (Some(from), _) => {
                let kept = verdict.keeps(from, before);
                self.severity = kept;
                match kept {
                    None => Step::Cleared { from },
                    Some(to) if to < from => Step::Eased { from, to },
                    Some(_) => Step::Unchanged,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Severity::*;
    use proptest::prelude::*;

    fn verdict(entry: Option<Severity>, hold: Option<Severity>) -> Option<MonthVerdict> {
        Some(MonthVerdict { entry, hold })
    }

    #[test]
    fn raises_escalates_eases_and_clears() {
        let mut track = DroughtTrack::new();
        let clear = verdict(None, None);
        assert_eq!(track.month(clear), Step::Unchanged);
        assert_eq!(track.month(verdict(Some(Warning), Some(Warning))), Step::Raised { to: Warning });
        assert_eq!(track.month(verdict(Some(Severe), Some(Extreme))), Step::Escalated { from: Warning, to: Severe });
        assert_eq!(
            track.month(verdict(Some(Warning), Some(Severe))),
            Step::Unchanged,
            "within the exit limit of severe"
        );
        assert_eq!(track.month(verdict(None, Some(Warning))), Step::Eased { from: Severe, to: Warning });
        assert_eq!(track.month(clear), Step::Eased { from: Warning, to: Watch });
        assert_eq!(track.month(clear), Step::Cleared { from: Watch });
        assert_eq!(track.severity(), None);
    }

    #[test]
    fn a_month_in_the_exit_band_starts_the_two_months_anew() {
        let mut track = DroughtTrack::new();
        track.month(verdict(Some(Watch), Some(Watch)));
        for _ in 0..5 {
            assert_eq!(track.month(verdict(None, None)), Step::Unchanged);
            assert_eq!(track.month(verdict(None, Some(Watch))), Step::Unchanged);
        }
    }

    #[test]
    fn the_exit_band_keeps_a_severity_for_one_month() {
        let mut track = DroughtTrack::new();
        let (severe, band) = (verdict(Some(Severe), Some(Severe)), verdict(Some(Watch), Some(Severe)));
        track.month(severe);
        assert_eq!(track.month(band), Step::Unchanged);
        assert_eq!(track.month(severe), Step::Unchanged, "claimed again");
        assert_eq!(track.month(band), Step::Unchanged);
        assert_eq!(track.month(None), Step::Stale { at: Severe });
        assert_eq!(track.month(band), Step::Unchanged, "silence breaks the row of two here, too");
        assert_eq!(track.month(verdict(Some(Warning), Some(Severe))), Step::Eased { from: Severe, to: Warning });
        assert_eq!(track.month(verdict(None, Some(Severe))), Step::Unchanged, "the worse of the two claims");
        assert_eq!(track.month(verdict(None, Some(Severe))), Step::Eased { from: Warning, to: Watch });
        assert_eq!(track.month(verdict(None, Some(Watch))), Step::Unchanged, "the band ends nothing");
    }

    #[test]
    fn the_exit_band_does_not_bring_a_severity_back() {
        let mut track = DroughtTrack::new();
        track.month(verdict(Some(Severe), Some(Severe)));
        assert_eq!(track.month(verdict(None, Some(Watch))), Step::Eased { from: Severe, to: Watch });
        assert_eq!(track.month(verdict(None, Some(Severe))), Step::Unchanged);
        assert_eq!(track.month(verdict(Some(Severe), Some(Severe))), Step::Escalated { from: Watch, to: Severe });
    }

    #[test]
    fn silence_never_clears() {
        let mut track = DroughtTrack::new();
        track.month(verdict(Some(Severe), Some(Severe)));
        track.month(verdict(None, None));
        assert_eq!(track.month(None), Step::Stale { at: Watch });
        assert!(track.is_stale());
        assert_eq!(track.month(verdict(None, None)), Step::Unchanged, "one month since the silence");
        assert!(!track.is_stale());
        assert_eq!(track.month(verdict(None, None)), Step::Cleared { from: Watch });
        assert_eq!(track.month(None), Step::Unchanged);
    }

    fn any_verdict() -> impl Strategy<Value = Option<MonthVerdict>> {
        let severity = proptest::option::of(proptest::sample::select(Severity::ALL));
        proptest::option::of(
            (severity.clone(), severity).prop_map(|(entry, hold)| MonthVerdict { entry, hold: hold.max(entry) }),
        )
    }

    proptest! {
        #[test]
        fn never_below_the_claim_and_never_over_without_two_months(
            months in proptest::collection::vec(any_verdict(), 1..60),
        ) {
            let mut track = DroughtTrack::new();
            for (i, &month) in months.iter().enumerate() {
                let before = track.severity();
                track.month(month);
                if let Some(verdict) = month {
                    prop_assert!(track.severity() >= verdict.entry);
                }
                if track.severity() < before {
                    let claims_less = |m: Option<MonthVerdict>| m.is_some_and(|m| m.entry < before);
                    let is_second = i > 0 && claims_less(months[i - 1]) && claims_less(month);
                    prop_assert!(month.is_some_and(|m| m.hold < before) || is_second);
                }
                if track.severity().is_none() && before.is_some() {
                    let two = [months[i - 1], months[i]];
                    prop_assert!(two.iter().all(|m| m.is_some_and(|m| m.hold.is_none())));
                }
            }
        }

        /// Worse months never lead to a milder state.
        #[test]
        fn monotonic(months in proptest::collection::vec(any_verdict(), 1..40), at in any::<prop::sample::Index>()) {
            let mut worse = months.clone();
            let at = at.index(worse.len());
            if let Some(month) = &mut worse[at] {
                *month = MonthVerdict { entry: Some(Extreme), hold: Some(Extreme) };
            }
            let (mut a, mut b) = (DroughtTrack::new(), DroughtTrack::new());
            for (&x, &y) in months.iter().zip(&worse) {
                a.month(x);
                b.month(y);
                prop_assert!(b.severity() >= a.severity());
            }
        }
    }
}
