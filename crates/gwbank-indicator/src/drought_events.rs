//! Drought events of one well: runs of months below a threshold that goes with the season.
//!
//! # Rules
//! 1. The threshold of each calendar month is the 20th percentile (Weibull) of its levels, rounded as levels are; it takes
//!    ten years with that month.
//! 2. A month is below when its level is strictly below the threshold. A month without level or threshold ends an event.
//! 3. Pooling joins two neighbouring events when at most so many months lie between them and all of those have a level and a threshold: one
//!    wet month does not make two droughts of one.
//! 4. A month that was dry to an unknown depth is below. It adds nothing to the deficit, which then is a least value, and
//!    has no part in the thresholds.
//! 5. An event beside a month without level or threshold is censored there: its true start or end is not known.

use gwbank_model::Month;

use crate::assessment::{Assessment, Why};
use crate::calendar::calendar_index;
use crate::monthly::{MonthlyLevel, round_to_nanometre};
use crate::thresholds::{calendar_months, weibull_quantile};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DroughtEventRules {
    /// From 0 to 1.
    pub quantile: f64,
    /// Years with a calendar month that its threshold takes.
    pub years_min: u32,
    /// Months between two events that still make one.
    pub pooling_months: u32,
}

impl Default for DroughtEventRules {
    fn default() -> Self {
        Self { quantile: 0.2, years_min: 10, pooling_months: 1 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DroughtEvent {
    /// First month below.
    pub start: Month,
    /// Last month below.
    pub end: Month,
    /// Months below; fewer than the duration where events were pooled.
    pub months_below: u32,
    /// Sum of threshold − level over the months below, in metre · months.
    pub deficit: f64,
    /// The largest single term of the deficit, m.
    pub deepest: f64,
    /// Some month was dry to an unknown depth: deficit and deepest are least values.
    pub deficit_is_minimum: bool,
    /// The month before the start has no level or no threshold.
    pub left_censored: bool,
    /// The month after the end has no level or no threshold.
    pub right_censored: bool,
}

impl DroughtEvent {
    /// From start to end, both included.
    pub fn duration_months(&self) -> u32 {
        u32::try_from(self.end.index() - self.start.index() + 1).unwrap_or(0)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct DroughtEvents {
    /// January first; or why that calendar month has none, and so no part in any event.
    pub thresholds: [Assessment<f64>; 12],
    /// In order of time.
    pub events: Vec<DroughtEvent>,
}

/// Drought events by the variable threshold level method.
///
/// - **Formula**: below = level < Q₀.₂(levels of that calendar month); deficit = Σ max(0, threshold − level).
/// - **Unit**: m (thresholds, deepest), m · months (deficit), up = wetter. **Shape**: months in any order, each once.
/// - **Source**: threshold level method and inter-event pooling: Yevjevich 1967; Tallaksen, Madsen & Clausen 1997,
///   *Hydrological Sciences Journal* 42, 15–33; Van Loon 2015, *WIREs Water* 2, 359–392 (80 % exceedance, monthly variable).
/// - **Limits**: 20th percentile, one month of pooling, ten years (this project's defaults, all configurable).
/// - **Weak**: the threshold is of the same record, so by construction about a fifth of all months are below, also where
///   nobody lacked water; a trend gathers the events at one end; gaps cut events (see the censoring).
///
/// ```
/// use gwbank_indicator::{DroughtEventRules, MonthlyLevel, drought_events};
/// use gwbank_model::Month;
///
/// // Twelve years of the same seasons, but for three low months in 2007.
/// let months: Vec<MonthlyLevel> = (0..144)
///     .map(|i| (Month::new(2000, 1).plus(i), f64::from(i % 12)))
///     .map(|(month, season)| MonthlyLevel::of(month, if month.year() == 2007 && season < 3.0 { season - 1.5 } else { season }))
///     .collect();
/// let found = drought_events(&months, &DroughtEventRules::default());
/// let event = found.events[0];
/// assert_eq!((event.start, event.end), (Month::new(2007, 1), Month::new(2007, 3)));
/// assert_eq!((event.duration_months(), event.deficit), (3, 4.5));
/// ```
pub fn drought_events(months: &[MonthlyLevel], rules: &DroughtEventRules) -> DroughtEvents {
    let mut in_order = months.to_vec();
    in_order.sort_by_key(|month| month.month);
    let thresholds = thresholds(&in_order, rules);
    let is_judged = |month: Month| {
        thresholds[calendar_index(month)].value().is_some()
            && in_order.binary_search_by_key(&month, |level| level.month).is_ok()
    };

    let mut events: Vec<DroughtEvent> = Vec::new();
    for month in &in_order {
        let Some(&threshold) = thresholds[calendar_index(month.month)].value() else { continue };
        let Some(below) = Below::of(month, threshold) else { continue };
        match events.last_mut() {
            Some(event) if joins(event.end, month.month, rules.pooling_months, is_judged) => {
                event.take(month.month, below)
            }
            _ => events.push(DroughtEvent {
                start: month.month,
                end: month.month,
                months_below: 1,
                deficit: below.deficit,
                deepest: below.deficit,
                deficit_is_minimum: below.of_unknown_depth,
                left_censored: !is_judged(month.month.plus(-1)),
                right_censored: false,
            }),
        }
    }
    for event in &mut events {
        event.right_censored = !is_judged(event.end.plus(1));
    }
    DroughtEvents { thresholds, events }
}

/// A month below its threshold.
#[derive(Debug, Clone, Copy)]
struct Below {
    deficit: f64,
    of_unknown_depth: bool,
}

impl Below {
    fn of(month: &MonthlyLevel, threshold: f64) -> Option<Self> {
        match month.level {
            Some(level) if level < threshold => Some(Self { deficit: threshold - level, of_unknown_depth: false }),
            Some(_) => None,
            None => Some(Self { deficit: 0.0, of_unknown_depth: true }),
        }
    }
}

impl DroughtEvent {
    fn take(&mut self, month: Month, below: Below) {
        self.end = month;
        self.months_below += 1;
        self.deficit += below.deficit;
        self.deepest = self.deepest.max(below.deficit);
        self.deficit_is_minimum |= below.of_unknown_depth;
    }
}

fn thresholds(months: &[MonthlyLevel], rules: &DroughtEventRules) -> [Assessment<f64>; 12] {
    calendar_months(months).map(|group| {
        let basis = group.basis;
        let quantile =
            if basis.n < rules.years_min { None } else { weibull_quantile(&group.ascending, rules.quantile) };
        match quantile {
            Some(level) => Assessment::Given { value: round_to_nanometre(level), basis },
            None => {
                let why = Why::ShortRecord { n: basis.n, needed: rules.years_min.max(1) };
                Assessment::Insufficient { why, basis }
            }
        }
    })
}

/// Whether a month below goes on with the event that ended at `end`.
fn joins(end: Month, month: Month, pooling_months: u32, is_judged: impl Fn(Month) -> bool) -> bool {
    let between = month.index() - end.index() - 1;
    i64::from(between) <= i64::from(pooling_months) && (1..=between).all(|step| is_judged(end.plus(step)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Twenty Januaries and so on at 0, with the levels of one year put in.
    fn record(levels: &[Option<f64>]) -> Vec<MonthlyLevel> {
        (0..240)
            .map(|i| Month::new(2000, 1).plus(i))
            .filter_map(|month| {
                let at = month.index() - Month::new(2010, 1).index();
                let level = usize::try_from(at).ok().and_then(|at| levels.get(at)).copied().unwrap_or(Some(0.0));
                level.map(|level| MonthlyLevel::of(month, level))
            })
            .collect()
    }

    fn spans(months: &[MonthlyLevel], pooling_months: u32) -> Vec<(u32, u32)> {
        let rules = DroughtEventRules { pooling_months, ..DroughtEventRules::default() };
        let events = drought_events(months, &rules).events;
        events.iter().map(|e| (e.duration_months(), e.months_below)).collect()
    }

    #[test]
    fn one_wet_month_is_bridged_and_two_are_not() {
        let (low, wet) = (Some(-1.0), Some(0.5));
        let one = record(&[low, wet, low, low]);
        assert_eq!(spans(&one, 0), vec![(1, 1), (2, 2)]);
        assert_eq!(spans(&one, 1), vec![(4, 3)]);
        let two = record(&[low, wet, wet, low]);
        assert_eq!(spans(&two, 1), vec![(1, 1), (1, 1)]);
        assert_eq!(spans(&two, 2), vec![(4, 2)]);
    }

    #[test]
    fn a_month_without_data_ends_and_censors() {
        let months = record(&[Some(-1.0), None, Some(-2.0)]);
        let found = drought_events(&months, &DroughtEventRules::default()).events;
        let censored: Vec<(bool, bool)> = found.iter().map(|e| (e.left_censored, e.right_censored)).collect();
        assert_eq!(censored, vec![(false, true), (true, false)]);
        assert_eq!((found[1].deficit, found[1].deepest), (2.0, 2.0));
    }

    #[test]
    fn a_dry_month_of_unknown_depth_is_below_and_adds_no_deficit() {
        let mut months = record(&[Some(-1.0), Some(0.0), Some(-1.0)]);
        let dry = &mut months[121];
        (dry.level, dry.dry) = (None, true);
        let found = drought_events(&months, &DroughtEventRules::default()).events;
        assert_eq!((found.len(), found[0].months_below, found[0].deficit), (1, 3, 2.0));
        assert!(found[0].deficit_is_minimum);
    }

    #[test]
    fn nine_years_give_no_threshold() {
        let months: Vec<MonthlyLevel> =
            (0..9).map(|i| MonthlyLevel::of(Month::new(2000 + i, 1), f64::from(i))).collect();
        let found = drought_events(&months, &DroughtEventRules::default());
        assert_eq!(found.thresholds[0].why(), Some(&Why::ShortRecord { n: 9, needed: 10 }));
        assert!(found.events.is_empty());
    }

    proptest! {
        #[test]
        fn order_is_of_no_consequence_and_pooling_only_joins(levels in proptest::collection::vec((-20i32..20, any::<u32>()), 120..240)) {
            let mut months: Vec<(u32, MonthlyLevel)> = levels
                .iter()
                .enumerate()
                .map(|(i, &(level, key))| (key, MonthlyLevel::of(Month::new(2000, 1).plus(i as i32), f64::from(level) / 10.0)))
                .collect();
            let of = |months: &[(u32, MonthlyLevel)], pooling_months| {
                let months: Vec<MonthlyLevel> = months.iter().map(|m| m.1).collect();
                drought_events(&months, &DroughtEventRules { pooling_months, ..DroughtEventRules::default() })
            };
            let (plain, pooled) = (of(&months, 0), of(&months, 1));
            months.sort_by_key(|m| m.0);
            prop_assert_eq!(&plain, &of(&months, 0));
            let total = |found: &DroughtEvents| {
                let below: u32 = found.events.iter().map(|e| e.months_below).sum();
                let deficit: f64 = found.events.iter().map(|e| e.deficit).sum();
                (below, (deficit * 1e6).round())
            };
            prop_assert!(pooled.events.len() <= plain.events.len());
            prop_assert_eq!(total(&plain), total(&pooled));
        }

        /// A lower month (its threshold unmoved: it was below already) never makes the deficit smaller.
        #[test]
        fn lower_is_never_less_of_a_drought(down in 0.0f64..5.0) {
            let deficit = |low: f64| drought_events(&record(&[Some(low)]), &DroughtEventRules::default()).events[0].deficit;
            prop_assert!(deficit(-1.0 - down) >= deficit(-1.0));
        }
    }
}
