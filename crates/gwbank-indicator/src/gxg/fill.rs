//! Levels for the 14th and 28th of every month from days that were measured.

use gwbank_model::Day;

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

impl Fill {
    /// Levels on reference days, in order of time. `measured` in order of time, each day once.
    pub(super) fn half_months(self, measured: &[(Day, f64)]) -> Vec<(Day, f64)> {
        let (Some(&(first, _)), Some(&(last, _))) = (measured.first(), measured.last()) else { return Vec::new() };
        if self == Fill::NearestOnce {
            let earliest = Day(first.0.saturating_sub(BEYOND_DAYS));
            let latest = Day(last.0.saturating_add(BEYOND_DAYS));
            return nearest_once(measured, &reference_days(earliest, latest));
        }
        let level_at = |day: Day| -> Option<f64> {
            let at = measured.partition_point(|&(other, _)| other < day);
            let next = *measured.get(at)?;
            if next.0 == day {
                return Some(next.1);
            }
            let before = *measured.get(at.checked_sub(1)?)?;
            self.between(day, before, next)
        };
        reference_days(first, last).into_iter().filter_map(|day| Some((day, level_at(day)?))).collect()
    }

    /// The level of a day between two measured ones.
    fn between(self, day: Day, before: (Day, f64), next: (Day, f64)) -> Option<f64> {
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

pub(super) fn day_of_month(day: Day) -> i32 {
    day.0 - day.month().first_day().0 + 1
}

/// The 14ths and 28ths from one day to another, both included.
fn reference_days(first: Day, last: Day) -> Vec<Day> {
    let mut days = Vec::new();
    let mut month = first.month();
    while month.first_day() <= last {
        let start = month.first_day().0;
        days.extend([Day(start + 13), Day(start + 27)].into_iter().filter(|&day| day >= first && day <= last));
        month = month.plus(1);
    }
    days
}

fn nearest_once(measured: &[(Day, f64)], reference: &[Day]) -> Vec<(Day, f64)> {
    let mut taken: Vec<usize> = if reference.len() == 1 {
        vec![0]
    } else {
        measured.iter().filter_map(|&(day, _)| nearest(reference, day, |&other| other)).collect()
    };
    taken.dedup();
    taken
        .into_iter()
        .filter_map(|at| {
            let day = *reference.get(at)?;
            Some((day, measured.get(nearest(measured, day, |&(other, _)| other)?)?.1))
        })
        .collect()
}

/// Where the nearest day stands; of two as near, the later. In ascending order.
fn nearest<T>(items: &[T], day: Day, day_of: impl Fn(&T) -> Day) -> Option<usize> {
    let at = items.partition_point(|item| day_of(item) < day);
    let distance = |place: usize| items.get(place).map(|item| day_of(item).0.abs_diff(day.0));
    match (at.checked_sub(1), distance(at)) {
        (Some(before), Some(on)) => Some(if distance(before)? < on { before } else { at }),
        (None, Some(_)) => Some(at),
        (before, None) => before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwbank_model::Month;

    fn january(day: i32) -> Day {
        Day(Month::new(2021, 1).first_day().0 + day - 1)
    }

    fn filled(fill: Fill, measured: &[(i32, f64)]) -> Vec<(i32, f64)> {
        let measured: Vec<(Day, f64)> = measured.iter().map(|&(day, level)| (january(day), level)).collect();
        fill.half_months(&measured).into_iter().map(|(day, level)| (day.0 - january(1).0 + 1, level)).collect()
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
