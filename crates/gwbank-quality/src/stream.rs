//! The strict mode, one reading after the other.
//!
//! # Constraints
//! Live readings come in order, a few microseconds each. A reading's spike test needs the next reading, so a push may alter
//! the judgement of the reading before it, and of no other.
//!
//! # State
//! The last few readings (neighbours of spike and rate of change), and the run within the flat line's and the attenuated
//! signal's tolerance so far ([`FlatRun`]), each where it is configured.

use std::sync::Arc;

use gwbank_model::{QcTest, QcTests, QualityFlag, Timestamp};

use crate::config::{RATE_LOOKBACK_POINTS, SeriesConfig};
use crate::flat::FlatRun;
use crate::strict::{
    Assessment, Neighbour, Point, TestFlags, climatology, gap, gross_range, objects, rate_of_change, spike,
};

/// What a push found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    pub new: Assessment,
    /// The judgement of the reading directly before in time, where this push changed it.
    pub previous: Option<Assessment>,
}

/// Judges the readings of one series in order of time.
#[derive(Debug, Clone)]
pub struct Stream {
    config: Arc<SeriesConfig>,
    tail: Tail,
    flat: Option<FlatRun>,
    /// Apart, as few series have it.
    attenuated: Option<Box<FlatRun>>,
}

impl Stream {
    pub fn new(config: impl Into<Arc<SeriesConfig>>) -> Self {
        let config = config.into();
        let flat = config.flat_line.as_ref().map(|limits| FlatRun::new(limits.into()));
        let attenuated = config.attenuated_signal.as_ref().map(|limits| Box::new(FlatRun::new(limits.into())));
        Self { config, tail: Tail::EMPTY, flat, attenuated }
    }

    /// A stream that has seen these readings, in order. The readings that [`SeriesConfig::reach`] names before the next
    /// one are enough.
    pub fn rebuild(config: impl Into<Arc<SeriesConfig>>, points: impl IntoIterator<Item = Point>) -> Self {
        let mut stream = Self::new(config);
        for point in points {
            stream.push(point);
        }
        stream
    }

    pub fn config(&self) -> &Arc<SeriesConfig> {
        &self.config
    }

    /// The time of the newest reading seen.
    pub fn last_time(&self) -> Option<Timestamp> {
        self.tail.newest().map(|seen| seen.time)
    }

    /// Judges the next reading. One that is not later than the last is judged by itself alone and leaves the stream as it
    /// is: the caller then assesses the stretch around it ([`SeriesConfig::reach`]) and rebuilds the stream.
    pub fn push(&mut self, point: Point) -> Pushed {
        let (flags, previous) = self.push_detailed(point);
        // The test that came to the reading before is its spike test. It is a usable reading, so that it passed its syntax
        // at least, and only an objection can make it worse.
        let previous = previous.filter(|flags| objects(flags.spike)).map(|flags| flags.assessment());
        Pushed { new: flags.assessment(), previous }
    }

    /// The new reading's flags, and those of the reading before where one changed.
    pub(crate) fn push_detailed(&mut self, point: Point) -> (TestFlags, Option<TestFlags>) {
        let Self { config, tail, flat, attenuated } = self;
        let (mut flags, usable) = alone(config, &point);
        let last = tail.newest().map(|last| last.time);
        if last.is_some_and(|last| point.time <= last) {
            return (flags, None);
        }
        let new = usable.map(|value| Neighbour { time: point.time, value });
        let previous = new.and_then(|new| judge_previous(config, tail, new));
        if let (Some(limits), Some(new)) = (&config.rate_of_change, new)
            && let Some(before) = rate_reference(tail)
        {
            flags.rate_of_change = rate_of_change(limits, before, new);
        }
        if config.gap.is_some() && point.present().is_some() {
            flags.gap = gap(config, last, point.time);
        }
        // A value that is there but stands still for a known reason ends a run; a missing one may be bridged.
        let moving = usable.filter(|value| config.floor.is_none_or(|floor| !floor.reached_by(*value)));
        let ends = moving.is_none() && point.present().is_some() && flags.gross_range != QualityFlag::Fail;
        if let Some(run) = flat {
            flags.flat_line = follow(run, point.time, moving, ends).unwrap_or(flags.flat_line);
        }
        if let Some(run) = attenuated {
            flags.attenuated_signal = follow(run, point.time, moving, ends).unwrap_or(flags.attenuated_signal);
        }
        tail.add(point.time, usable, flags);
        (flags, previous)
    }
}

/// Takes a reading into a run; the flag where it can be judged.
fn follow(run: &mut FlatRun, time: Timestamp, moving: Option<f64>, ends: bool) -> Option<QualityFlag> {
    match moving {
        Some(value) => return Some(run.push(time, value)),
        None if ends => run.clear(),
        None => run.skip(),
    }
    None
}

/// The spike test of the newest reading so far, now that its successor is known.
fn judge_previous(config: &SeriesConfig, tail: &mut Tail, new: Neighbour) -> Option<TestFlags> {
    let limits = config.spike.as_ref()?;
    let before = tail.back(1)?.neighbour()?;
    let at = tail.newest()?.neighbour()?;
    let flag = spike(limits, before, at, new);
    tail.flags.spike = flag;
    tail.newest_mut().is_spike = objects(flag);
    Some(tail.flags)
}

/// The last usable reading; when that is a spike, the one before it, unless that is one too.
fn rate_reference(tail: &Tail) -> Option<Neighbour> {
    let mut usable = (0..tail.count).filter_map(|back| tail.back(back)).filter(|seen| seen.usable.is_some());
    let reference = match usable.next() {
        Some(last) if last.is_spike => usable.next().filter(|seen| !seen.is_spike),
        last => last,
    };
    reference.and_then(Seen::neighbour)
}

/// The readings before, in a ring.
#[derive(Debug, Clone, Copy)]
struct Tail {
    ring: [Seen; RATE_LOOKBACK_POINTS],
    /// Where in the ring the newest reading is.
    at: usize,
    count: usize,
    /// Of the newest reading.
    flags: TestFlags,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    time: Timestamp,
    /// As a neighbour; `None` when not usable.
    usable: Option<f64>,
    is_spike: bool,
}

impl Seen {
    fn neighbour(&self) -> Option<Neighbour> {
        self.usable.map(|value| Neighbour { time: self.time, value })
    }
}

impl Tail {
    const EMPTY: Tail = Tail {
        ring: [Seen { time: Timestamp::MIN, usable: None, is_spike: false }; RATE_LOOKBACK_POINTS],
        at: 0,
        count: 0,
        flags: TestFlags::MISSING,
    };

    fn newest(&self) -> Option<&Seen> {
        self.back(0)
    }

    /// So many readings before the newest.
    fn back(&self, readings: usize) -> Option<&Seen> {
        (readings < self.count).then(|| &self.ring[(self.at + RATE_LOOKBACK_POINTS - readings) % RATE_LOOKBACK_POINTS])
    }

    /// Of a tail that is not empty.
    fn newest_mut(&mut self) -> &mut Seen {
        &mut self.ring[self.at % RATE_LOOKBACK_POINTS]
    }

    fn add(&mut self, time: Timestamp, usable: Option<f64>, flags: TestFlags) {
        self.at = (self.at + 1) % RATE_LOOKBACK_POINTS;
        self.count = (self.count + 1).min(RATE_LOOKBACK_POINTS);
        self.ring[self.at] = Seen { time, usable, is_spike: false };
        self.flags = flags;
    }
}

/// Of the whole series, and of the stretch of time.
fn objections(config: &SeriesConfig, time: Timestamp) -> QcTests {
    if config.findings.is_empty() {
        return config.objections; // nearly all series, live
    }
    config.objections.union(config.findings.at(time))
}

/// What one reading says by itself, and its value where neighbours may be compared with it.
fn alone(config: &SeriesConfig, point: &Point) -> (TestFlags, Option<f64>) {
    let Some(value) = point.present() else { return (TestFlags::MISSING, None) };
    let finite = value.is_finite();
    let mut flags = TestFlags {
        syntax: if finite { QualityFlag::Pass } else { QualityFlag::Fail },
        gross_range: if finite { gross_range(config, value) } else { QualityFlag::Fail },
        spike: QualityFlag::NotEvaluated,
        rate_of_change: QualityFlag::NotEvaluated,
        flat_line: QualityFlag::NotEvaluated,
        gap: QualityFlag::NotEvaluated,
        climatology: QualityFlag::NotEvaluated,
        attenuated_signal: QualityFlag::NotEvaluated,
        objections: objections(config, point.time),
    };
    let is_rejected = flags.objections.contains(QcTest::Review);
    let usable = flags.gross_range != QualityFlag::Fail && !is_rejected && !point.is_disturbed();
    if usable && config.climatology.is_some() {
        flags.climatology = climatology(config, point.time, value);
    }
    (flags, usable.then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttenuatedSignal, Standstill};
    use gwbank_model::Parameter;

    #[test]
    fn a_stream_with_all_tests_stays_small() {
        let day = crate::config::MICROS_PER_DAY;
        let config = SeriesConfig {
            attenuated_signal: Some(AttenuatedSignal {
                suspect: Some(Standstill { span_micros: 30 * day, readings_min: 10 }),
                fail: None,
                range_min: 0.02,
                gap_max_micros: day,
            }),
            ..SeriesConfig::default_for(Parameter::DepthToWater)
        };
        let mut stream = Stream::new(config);
        let mut largest = 0;
        for i in 0..200_000i32 {
            // Falls so slowly that every step of both grids is a candidate at some time.
            let value = Some(5.0 - f64::from(i) * 1e-7);
            stream.push(Point { time: Timestamp::from_secs(i64::from(i) * 60), value, site_status: None });
            let runs = [stream.flat.as_ref(), stream.attenuated.as_deref()];
            let heap: usize = runs.into_iter().flatten().map(FlatRun::heap_bytes).sum();
            largest = largest.max(size_of::<Stream>() + size_of::<FlatRun>() + heap);
        }
        assert!(largest < 2_048, "{largest} bytes");
    }
}
