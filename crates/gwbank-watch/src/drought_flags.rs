//! What the drought flag of a well or place should be: [`replay_drought`] on what is stored of it; and since when the water
//! has been low, which is before the month that raised it.

use gwbank_indicator::{
    DroughtEventRules, DroughtState, MonthClosing, MonthVerdict, OpenDrought, drought_events, replay_drought,
};
use gwbank_model::{Month, Timestamp};
use gwbank_store::ConditionFlag;

use crate::series::WellSeries;

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
    let open = open.map(|flag| OpenDrought { since: raising_month(flag.raised_at, closing), severity: flag.severity });
    replay_drought(open, latest, first, verdict)
}

/// The first month of the drought event that the latest closed month is of; `None` where that month is not below the
/// threshold of its season, or has none.
pub(crate) fn low_since(series: &WellSeries, latest: Month, rules: &DroughtEventRules) -> Option<Month> {
    let closed = &series.months[..series.months.partition_point(|month| month.month <= latest)];
    let last = drought_events(closed, rules).events.pop()?;
    (last.end == latest).then_some(last.start)
}

/// The month since which at least half of these wells have been low.
pub(crate) fn half_low_since(mut since: Vec<Month>) -> Option<Month> {
    since.sort_unstable();
    let half = since.len().div_ceil(2);
    since.get(half.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{FlagBook, FlagKey, Judgement, Standing, Texts, Where};
    use gwbank_model::condition::{Hazard, Scope, Severity};

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
        let stands = |severity, since| DroughtState::Stands { severity, stale: false, since };
        assert_eq!(replayed(None, &[NORMAL, SEVERE]), stands(Severity::Severe, since));
        assert_eq!(replayed(None, &[SEVERE, NORMAL]), DroughtState::None { reason: "no_drought" });
        assert_eq!(replayed(None, &[SEVERE, None]), DroughtState::Unknown);
        let eased = stands(Severity::Watch, MAY);
        assert_eq!(replayed(Some(&open(MAY)), &[SEVERE, NORMAL]), eased, "one month does not end it");
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
    fn half_of_the_wells_were_low_then() {
        let since = |months: &[i32]| half_low_since(months.iter().map(|&back| MAY.plus(-back)).collect());
        assert_eq!(since(&[]), None);
        assert_eq!(since(&[3]), Some(MAY.plus(-3)));
        assert_eq!(since(&[0, 5, 2, 9]), Some(MAY.plus(-5)), "two of four");
        assert_eq!(since(&[0, 5, 2]), Some(MAY.plus(-2)), "two of three");
    }

    #[test]
    fn silence_is_stale() {
        let stale = |severity| DroughtState::Stands { severity, stale: true, since: MAY };
        assert_eq!(replayed(Some(&open(MAY)), &[SEVERE, NORMAL, None]), stale(Severity::Watch));
        assert_eq!(replayed(Some(&open(MAY)), &[None]), stale(Severity::Severe));
    }

    #[test]
    fn a_flag_older_than_the_kept_months_is_resumed() {
        let flag = open(MAY.plus(-40));
        let eased = DroughtState::Stands { severity: Severity::Watch, stale: false, since: MAY.plus(-40) };
        assert_eq!(replayed(Some(&flag), &[SEVERE, NORMAL]), eased);
        let ended = DroughtState::None { reason: "two_months_beyond_exit" };
        assert_eq!(replayed(Some(&flag), &[SEVERE, NORMAL, NORMAL]), ended);
    }
}
