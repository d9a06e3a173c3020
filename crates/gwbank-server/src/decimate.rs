//! Fewer points for a chart, without losing what the eye must see.
//!
//! The range is cut into equal stretches of time. Of each stretch the first, the lowest, the highest and the last value
//! stay (M4, Jugel et al. 2014), and one missing value if it has any, so that gaps remain gaps. What stays are stored
//! readings, never averages. Who asks for fewer than one stretch has gets the ends first, then the extremes.

/// One reading as far as a chart is concerned; `value` is NaN where missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChartPoint {
    pub time_micros: i64,
    pub value: f64,
    pub quality: i16,
    /// Place in a table of names; −1 for none.
    pub site_status: i16,
}

/// At most this many points stay of one stretch.
const KEPT_PER_STRETCH: usize = 5;

/// Smallest number of points that can be asked for: the first and the last.
pub const POINTS_MIN: usize = 2;

/// What stays of one stretch of time.
#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    first: Option<ChartPoint>,
    last: Option<ChartPoint>,
    lowest: Option<ChartPoint>,
    highest: Option<ChartPoint>,
    missing: Option<ChartPoint>,
}

impl Stretch {
    fn take(&mut self, point: ChartPoint) {
        let earlier = |known: &ChartPoint| point.time_micros < known.time_micros;
        if point.value.is_nan() {
            if self.missing.as_ref().is_none_or(earlier) {
                self.missing = Some(point);
            }
            return;
        }
        if self.first.as_ref().is_none_or(earlier) {
            self.first = Some(point);
        }
        if self.last.as_ref().is_none_or(|known| point.time_micros > known.time_micros) {
            self.last = Some(point);
        }
        // Of equal values the earliest low and the latest high stay, whatever the order they come in.
        let by_value = |known: &ChartPoint| point.value.total_cmp(&known.value);
        if self
            .lowest
            .as_ref()
            .is_none_or(|known| by_value(known).then(point.time_micros.cmp(&known.time_micros)).is_lt())
        {
            self.lowest = Some(point);
        }
        if self
            .highest
            .as_ref()
            .is_none_or(|known| by_value(known).then(point.time_micros.cmp(&known.time_micros)).is_gt())
        {
            self.highest = Some(point);
        }
    }

    fn by_importance(&self) -> impl Iterator<Item = ChartPoint> {
        [self.first, self.last, self.lowest, self.highest, self.missing].into_iter().flatten()
    }
}

/// The points of a series in any order, in pieces; the answer has at most `points_max` of them (at least [`POINTS_MIN`]), in time
/// order. Sorting comes last, and of few: a series of millions is read as it lies.
pub fn decimate(pieces: &[Vec<ChartPoint>], points_max: usize) -> Vec<ChartPoint> {
    let all = || pieces.iter().flatten().copied();
    if pieces.iter().map(Vec::len).sum::<usize>() <= points_max {
        let mut points: Vec<ChartPoint> = all().collect();
        points.sort_by_key(|point| point.time_micros);
        return points;
    }
    let (start, end) = all()
        .fold((i64::MAX, i64::MIN), |(start, end), point| (start.min(point.time_micros), end.max(point.time_micros)));
    let stretches = (points_max / KEPT_PER_STRETCH).max(1);
    // Times may lie as far apart as their type permits.
    let since_start = |time: i64| time.wrapping_sub(start) as u64;
    let width = (since_start(end) / stretches as u64).saturating_add(1);
    let mut kept = vec![Stretch::default(); stretches];
    for point in all() {
        kept[(since_start(point.time_micros) / width) as usize].take(point);
    }
    let mut points = Vec::with_capacity(points_max);
    for stretch in &kept {
        let from = points.len();
        points.extend(stretch.by_importance().take(points_max));
        points[from..].sort_by_key(|point| point.time_micros);
    }
    points.dedup_by_key(|point| point.time_micros);
    points
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point(time: i64, value: f64) -> ChartPoint {
        ChartPoint { time_micros: time, value, quality: 1, site_status: -1 }
    }

    #[test]
    fn extremes_ends_and_gaps_stay() {
        let mut points: Vec<ChartPoint> = (0..10_000).map(|i| point(i, (i as f64 / 300.0).sin())).collect();
        points[4321].value = 99.0;
        points[8765].value = -99.0;
        points[5000].value = f64::NAN;
        for points_max in [5, 7, 50, 999, 9_999] {
            let kept = decimate(std::slice::from_ref(&points), points_max);
            assert!(kept.len() <= points_max, "{points_max}");
            assert!(kept.windows(2).all(|pair| pair[0].time_micros < pair[1].time_micros));
            for value in [99.0, -99.0] {
                assert!(kept.iter().any(|point| point.value == value), "{value} of {points_max}");
            }
            assert!(kept.iter().any(|point| point.value.is_nan()));
            assert_eq!(kept.first(), points.first());
            assert_eq!(kept.last(), points.last());
        }
        assert_eq!(decimate(std::slice::from_ref(&points), 10_000).len(), 10_000, "nothing to drop");
        assert!(decimate(&[], 10).is_empty());
    }

    #[test]
    fn of_few_points_the_ends_come_first() {
        let points: Vec<ChartPoint> =
            [2.0, 9.0, f64::NAN, -5.0, 3.0].iter().zip(0..).map(|(&value, time)| point(time, value)).collect();
        let kept = |points_max| {
            decimate(std::slice::from_ref(&points), points_max).iter().map(|p| p.value).collect::<Vec<f64>>()
        };
        assert_eq!(kept(2), [2.0, 3.0]);
        assert_eq!(kept(3), [2.0, -5.0, 3.0]);
        assert_eq!(kept(4), [2.0, 9.0, -5.0, 3.0]);
        let missing: Vec<ChartPoint> = (0..3).map(|time| point(time, f64::NAN)).collect();
        assert_eq!(decimate(&[missing], 2).len(), 1, "a gap stays a gap");
    }

    #[test]
    fn the_widest_range_of_times_does_not_overflow() {
        let points = vec![point(i64::MIN, 1.0), point(0, 2.0), point(i64::MAX, 3.0)];
        assert_eq!(decimate(&[points], 5).len(), 3);
        let many: Vec<ChartPoint> = (-10..=10).map(|i| point(i * (i64::MAX / 10), i as f64)).collect();
        assert!(decimate(&[many], 5).len() <= 5);
    }

    proptest! {
        #[test]
        fn the_order_they_come_in_changes_nothing(
            values in prop::collection::vec(prop_oneof![8 => -3.0..3.0f64, 1 => Just(1.0), 1 => Just(f64::NAN)], 0..400),
            step in 1i64..1_000_000_000,
            places in prop::collection::vec(any::<prop::sample::Index>(), 0..400),
            cut in any::<prop::sample::Index>(),
            points_max in 2usize..200,
        ) {
            let points: Vec<ChartPoint> = values.iter().zip(0..).map(|(&value, n)| point(n * step, value)).collect();
            let mut shuffled = points.clone();
            for (n, place) in places.iter().enumerate().take(points.len()) {
                shuffled.swap(n, place.index(points.len()));
            }
            let second = shuffled.split_off(if shuffled.is_empty() { 0 } else { cut.index(shuffled.len()) });
            let (in_order, in_any) = (decimate(std::slice::from_ref(&points), points_max), decimate(&[shuffled, second], points_max));
            let told = |points: &[ChartPoint]| points.iter().map(|p| (p.time_micros, p.value.to_bits())).collect::<Vec<_>>();
            prop_assert_eq!(told(&in_order), told(&in_any));
            prop_assert!(in_order.len() <= points_max.max(points.len().min(points_max)));
            for kept in &in_order {
                prop_assert!(points.iter().any(|p| p.time_micros == kept.time_micros && p.value.to_bits() == kept.value.to_bits()));
            }
            // Whatever is drawn of it reaches as far up and down.
            let extremes = |points: &[ChartPoint]| points.iter().filter(|p| !p.value.is_nan()).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(p.value), high.max(p.value)));
            if points_max >= 5 {
                prop_assert_eq!(extremes(&points), extremes(&in_order));
            }
        }
    }
}
