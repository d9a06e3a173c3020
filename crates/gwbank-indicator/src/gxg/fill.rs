//! Levels for the 14th and 28th of every month from days that were measured.

use gwbank_model::{Day, Month};

/// A measured day and its level.
type Measured = (Day, f64);

/// How far a reference day may lie outside of the measured days where each measurement is used once.
const BEYOND_DAYS: i32 = 8;

/// How a 14th or 28th without a measurement gets its level. Days are whole days, of the same series only; nothing is
/// filled before the first or after the last measured day, but for `NearestOnce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Not at all.
    None,
    /// Each measurement is used once at most: a reference day counts where it is the nearest one of some measured day, and
    /// takes the measurement nearest to it (pastas' `nearest` with limit 0).
    NearestOnce,
    /// The nearest measured day within so many days; the later of two.
    Nearest { days: u32 },
    /// The last measured day before it, within so many days.
    Forward { days: u32 },
    /// The next measured day after it, within so many days.
    Backward { days: u32 },
    /// The straight line between the measured days around it, if one of them lies within so many days.
    Linear { days: u32 },
}

/// The level of a 14th or 28th.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HalfMonth {
    pub month: Month,
    /// Of the month: 14 or 28.
    pub day: u32,
    pub level: f64,
}

impl Fill {
    /// Levels on reference days, in order of time. `items` in order of time, each day once; `of` reads one of them.
    pub(super) fn half_months<T>(self, items: &[T], of: impl Fn(&T) -> Measured) -> Vec<HalfMonth> {
        let (Some(first), Some(last)) = (items.first(), items.last()) else { return Vec::new() };
        let ((first, _), (last, _)) = (of(first), of(last));
        if self == Fill::NearestOnce {
            let earliest = Day(first.0.saturating_sub(BEYOND_DAYS));
            let latest = Day(last.0.saturating_add(BEYOND_DAYS));
            return nearest_once(Walk::along(items, of, first), &reference_days(earliest, latest));
        }
        let mut walk = Walk::along(items, of, first);
        let mut level_at = |day: Day| -> Option<f64> {
            let (before, next) = walk.around(day);
            let next = next?;
            if next.0 == day {
                return Some(next.1);
            }
            self.between(day, before?, next)
        };
        let reference = reference_days(first, last).into_iter();
        reference.filter_map(|reference| Some(reference.with(level_at(reference.day)?))).collect()
    }

    /// The level of a day between two measured ones.
    fn between(self, day: Day, before: Measured, next: Measured) -> Option<f64> {
        let (back, on) = (day.0.abs_diff(before.0.0), next.0.0.abs_diff(day.0));
        match self {
            Fill::None | Fill::NearestOnce => None,
            Fill::Nearest { days } => {
                let (nearest, distance) = if back < on { (before, back) } else { (next, on) };
                (distance <= days).then_some(nearest.1)
            }
            Fill::Forward { days } => (back <= days).then_some(before.1),
            Fill::Backward { days } => (on <= days).then_some(next.1),
            Fill::Linear { days } => {
                let slope = (next.1 - before.1) / f64::from(back + on);
                (back.min(on) <= days).then_some(before.1 + slope * f64::from(back))
            }
        }
    }
}

/// A 14th or 28th.
#[derive(Debug, Clone, Copy)]
struct Reference {
    day: Day,
    month: Month,
    of_month: u32,
}

impl Reference {
    fn with(self, level: f64) -> HalfMonth {
        HalfMonth { month: self.month, day: self.of_month, level }
    }
}

/// The 14ths and 28ths from one day to another, both included. The calendar is asked once only.
fn reference_days(first: Day, last: Day) -> Vec<Reference> {
    let mut days = Vec::new();
    let mut month = first.month();
    let mut start = month.first_day().0;
    while start <= last.0 {
        for of_month in [14u32, 28] {
            let day = Day(start + of_month as i32 - 1);
            if day >= first && day <= last {
                days.push(Reference { day, month, of_month });
            }
        }
        start += length_of(month);
        month = month.plus(1);
    }
    days
}

fn length_of(month: Month) -> i32 {
    let year = month.year();
    match month.month_of_year() {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A reference day is the nearest one of some measured day where it is so of the last one before it or of the first one
/// from it on: the days to which it is the nearest are a stretch around it.
fn nearest_once<T>(mut walk: Walk<'_, T, impl Fn(&T) -> Measured>, reference: &[Reference]) -> Vec<HalfMonth> {
    let mut levels = Vec::with_capacity(reference.len());
    for (at, own) in reference.iter().enumerate() {
        let day = own.day;
        let (before, next) = walk.around(day);
        let distance = |measured: Measured, to: Day| measured.0.0.abs_diff(to.0);
        let earlier = at.checked_sub(1).map(|at| reference[at].day);
        let later = reference.get(at + 1).map(|later| later.day);
        // Of two reference days as near, a measured day belongs to the later.
        let has_before = before.is_some_and(|m| earlier.is_none_or(|earlier| distance(m, earlier) >= distance(m, day)));
        let has_next = next.is_some_and(|m| later.is_none_or(|later| distance(m, day) < distance(m, later)));
        if !has_before && !has_next {
            continue;
        }
        // And of two measured days as near, the later counts.
        let nearest = match (before, next) {
            (Some(before), Some(next)) => Some(if distance(before, day) < distance(next, day) { before } else { next }),
            (before, next) => before.or(next),
        };
        levels.extend(nearest.map(|nearest| own.with(nearest.1)));
    }
    levels
}

/// Goes along the measured days, for days in ascending order.
struct Walk<'a, T, F> {
    items: &'a [T],
    of: F,
    /// The first item from `day` on.
    at: usize,
    day: Day,
}

impl<'a, T, F: Fn(&T) -> Measured> Walk<'a, T, F> {
    fn along(items: &'a [T], of: F, first: Day) -> Self {
        Self { items, of, at: 0, day: first }
    }

    /// The last measured day before this one, and the first one from it on.
    fn around(&mut self, day: Day) -> (Option<Measured>, Option<Measured>) {
        // Each day is there once, so the place lies no farther on than the day; if it does, the whole rest is searched.
        let farthest = day.0.saturating_sub(self.day.0).max(0) as usize;
        let rest = &self.items[self.at..];
        let near = &rest[..rest.len().min(farthest + 1)];
        let is_before = |item: &T| (self.of)(item).0 < day;
        let found = near.partition_point(is_before);
        self.at += if found < near.len() { found } else { rest.partition_point(is_before) };
        self.day = self.day.max(day);
        let read = |at: usize| self.items.get(at).map(&self.of);
        (self.at.checked_sub(1).and_then(read), read(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Where the nearest day stands; of two as near, the later.
    fn nearest(items: &[Day], day: Day) -> Option<usize> {
        (0..items.len()).min_by_key(|&at| (items[at].0.abs_diff(day.0), std::cmp::Reverse(at)))
    }

    proptest! {
        /// Walked along, or by the plain definition: every measured day names its nearest reference day, and each of those takes
        /// the measured day nearest to it.
        #[test]
        fn walking_equals_the_plain_definition(
            steps in proptest::collection::vec(prop_oneof![4 => 1i32..4, 2 => 1i32..40, 1 => 30i32..300], 1..120),
        ) {
            let mut day = 18_000;
            let measured: Vec<(Day, f64)> = steps
                .into_iter()
                .map(|step| { day += step; (Day(day), f64::from(day % 97)) })
                .collect();
            let days: Vec<Day> = measured.iter().map(|&(day, _)| day).collect();
            let dated = reference_days(Day(days[0].0 - 8), Day(days[days.len() - 1].0 + 8));
            let reference: Vec<Day> = dated.iter().map(|reference| reference.day).collect();
            let mut taken: Vec<usize> = days.iter().filter_map(|&day| nearest(&reference, day)).collect();
            taken.dedup();
            let plain: Vec<HalfMonth> = taken
                .into_iter()
                .map(|at| dated[at].with(measured[nearest(&days, reference[at]).unwrap()].1))
                .collect();
            prop_assert_eq!(Fill::NearestOnce.half_months(&measured, |&measured| measured), plain);
        }
    }

    fn january(day: i32) -> Day {
        Day(Month::new(2021, 1).first_day().0 + day - 1)
    }

    fn filled(fill: Fill, measured: &[(i32, f64)]) -> Vec<(i32, f64)> {
        let measured: Vec<(Day, f64)> = measured.iter().map(|&(day, level)| (january(day), level)).collect();
        let found = fill.half_months(&measured, |&measured| measured).into_iter();
        found.map(|half| (half.month.first_day().0 - january(1).0 + half.day as i32, half.level)).collect()
    }

    #[test]
    fn months_have_their_lengths() {
        let (first, last) = (Month::new(1890, 1), Month::new(2110, 12));
        for index in first.index()..=last.index() {
            let month = Month::from_index(index);
            assert_eq!(length_of(month), month.days() as i32, "{month}");
        }
    }

    #[test]
    fn fills() {
        // 14 and 28 January, 14 February (45): measured on the 10th, 20th and on 10 February (41).
        let measured = [(10, 1.0), (20, 2.0), (41, 4.1)];
        assert_eq!(filled(Fill::None, &measured), vec![]);
        assert_eq!(filled(Fill::None, &[(14, 5.0), (15, 6.0)]), vec![(14, 5.0)]);
        assert_eq!(filled(Fill::Forward { days: 4 }, &measured), vec![(14, 1.0)]);
        assert_eq!(filled(Fill::Backward { days: 6 }, &measured), vec![(14, 2.0)]);
        assert_eq!(filled(Fill::Nearest { days: 5 }, &measured), vec![(14, 1.0)]);
        assert_eq!(filled(Fill::Linear { days: 4 }, &measured), vec![(14, 1.4)]);
        assert_eq!(filled(Fill::Linear { days: 8 }, &measured), vec![(14, 1.4), (28, 2.8)]);
        // The 10th is nearest to the 14th, the 20th to the 14th too, 10 February to the 14th.
        assert_eq!(filled(Fill::NearestOnce, &measured), vec![(14, 1.0), (45, 4.1)]);
    }

    #[test]
    fn of_two_as_near_the_later_counts() {
        assert_eq!(filled(Fill::Nearest { days: 3 }, &[(12, 1.0), (16, 2.0)]), vec![(14, 2.0)]);
        assert_eq!(filled(Fill::NearestOnce, &[(21, 1.0)]), vec![(28, 1.0)], "seven days from either");
    }
}
