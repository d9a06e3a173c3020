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

/// `points` in time order; the answer has at most `points_max` of them (at least [`POINTS_MIN`]), in time order.
pub fn decimate(points: Vec<ChartPoint>, points_max: usize) -> Vec<ChartPoint> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return points };
    if points.len() <= points_max {
        return points;
    }
    let stretches = (points_max / KEPT_PER_STRETCH).max(1) as i128;
    let start = i128::from(first.time_micros);
    let span = i128::from(last.time_micros) - start + 1;
    let stretch_of = |point: &ChartPoint| (i128::from(point.time_micros) - start) * stretches / span;

    let mut kept = Vec::with_capacity(points_max);
    for stretch in points.chunk_by(|a, b| stretch_of(a) == stretch_of(b)) {
        keep(stretch, points_max, &mut kept);
    }
    kept
}

fn keep(stretch: &[ChartPoint], points_max: usize, kept: &mut Vec<ChartPoint>) {
    let present = || stretch.iter().enumerate().filter(|(_, point)| !point.value.is_nan());
    let by_value = |a: &(usize, &ChartPoint), b: &(usize, &ChartPoint)| a.1.value.total_cmp(&b.1.value);
    let by_importance = [
        present().next().map(|(place, _)| place),
        present().next_back().map(|(place, _)| place),
        present().min_by(by_value).map(|(place, _)| place),
        present().max_by(by_value).map(|(place, _)| place),
        stretch.iter().position(|point| point.value.is_nan()),
    ];
    let mut places: Vec<usize> = by_importance.into_iter().flatten().take(points_max).collect();
    places.sort_unstable();
    places.dedup();
    kept.extend(places.into_iter().map(|place| stretch[place]));
}

#[cfg(test)]
mod tests {
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
            let kept = decimate(points.clone(), points_max);
            assert!(kept.len() <= points_max, "{points_max}");
            assert!(kept.windows(2).all(|pair| pair[0].time_micros < pair[1].time_micros));
            for value in [99.0, -99.0] {
                assert!(kept.iter().any(|point| point.value == value), "{value} of {points_max}");
            }
            assert!(kept.iter().any(|point| point.value.is_nan()));
            assert_eq!(kept.first(), points.first());
            assert_eq!(kept.last(), points.last());
        }
        assert_eq!(decimate(points.clone(), 10_000).len(), 10_000, "nothing to drop");
        assert!(decimate(Vec::new(), 10).is_empty());
    }

    #[test]
    fn of_few_points_the_ends_come_first() {
        let points: Vec<ChartPoint> =
            [2.0, 9.0, f64::NAN, -5.0, 3.0].iter().zip(0..).map(|(&value, time)| point(time, value)).collect();
        let kept = |points_max| decimate(points.clone(), points_max).iter().map(|p| p.value).collect::<Vec<f64>>();
        assert_eq!(kept(2), [2.0, 3.0]);
        assert_eq!(kept(3), [2.0, -5.0, 3.0]);
        assert_eq!(kept(4), [2.0, 9.0, -5.0, 3.0]);
        let missing: Vec<ChartPoint> = (0..3).map(|time| point(time, f64::NAN)).collect();
        assert_eq!(decimate(missing, 2).len(), 1, "a gap stays a gap");
    }

    #[test]
    fn the_widest_range_of_times_does_not_overflow() {
        let points = vec![point(i64::MIN, 1.0), point(0, 2.0), point(i64::MAX, 3.0)];
        assert_eq!(decimate(points, 5).len(), 3);
        let many: Vec<ChartPoint> = (-10..=10).map(|i| point(i * (i64::MAX / 10), i as f64)).collect();
        assert!(decimate(many, 5).len() <= 5);
    }
}
