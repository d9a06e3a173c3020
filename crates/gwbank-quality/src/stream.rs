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

use gwbank_model::{QualityFlag, Timestamp};

use crate::config::{RATE_LOOKBACK_POINTS, SeriesConfig};
use crate::flat::{FlatRun, RunLimits};
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

#[derive(Debug, Clone, Copy)]
struct Seen {
    time: Timestamp,
    /// As a neighbour; `None` when not usable.
    usable: Option<f64>,
    flags: TestFlags,
}

impl Seen {
    fn neighbour(&self) -> Option<Neighbour> {
        self.usable.map(|value| Neighbour { time: self.time, value })
    }
}

/// Judges the readings of one series in order of time.
#[derive(Debug, Clone)]
pub struct Stream {
    config: Arc<SeriesConfig>,
    tail: Tail,
    flat: FlatRun,
    attenuated: FlatRun,
}

impl Stream {
    pub fn new(config: impl Into<Arc<SeriesConfig>>) -> Self {
        Self {
            config: config.into(),
            tail: [None; RATE_LOOKBACK_POINTS],
            flat: FlatRun::default(),
            attenuated: FlatRun::default(),
        }
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
        self.tail[0].map(|seen| seen.time)
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
        if tail[0].is_some_and(|last| point.time <= last.time) {
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
            flags.gap = gap(config, tail[0].map(|last| last.time), point.time);
        }
        // A value that is there but stands still for a known reason ends a run; a missing one may be bridged.
        let moving = usable.filter(|value| config.floor.is_none_or(|floor| !floor.reached_by(*value)));
        let ends = moving.is_none() && point.present().is_some() && flags.gross_range != QualityFlag::Fail;
        if let Some(limits) = &config.flat_line {
            flags.flat_line = follow(flat, &limits.into(), point.time, moving, ends).unwrap_or(flags.flat_line);
        }
        if let Some(limits) = &config.attenuated_signal {
            let found = follow(attenuated, &limits.into(), point.time, moving, ends);
            flags.attenuated_signal = found.unwrap_or(flags.attenuated_signal);
        }
        tail.rotate_right(1);
        tail[0] = Some(Seen { time: point.time, usable, flags });
        (flags, previous)
    }
}

/// Takes a reading into a run; the flag where it can be judged.
fn follow(
    run: &mut FlatRun,
    limits: &RunLimits,
    time: Timestamp,
    moving: Option<f64>,
    ends: bool,
) -> Option<QualityFlag> {
    match moving {
        Some(value) => return Some(run.push(limits, time, value)),
        None if ends => run.clear(),
        None => run.skip(),
    }
    None
}

/// Newest first.
type Tail = [Option<Seen>; RATE_LOOKBACK_POINTS];

/// The spike test of the newest reading so far, now that its successor is known.
fn judge_previous(config: &SeriesConfig, tail: &mut Tail, new: Neighbour) -> Option<TestFlags> {
    let limits = config.spike.as_ref()?;
    let before = tail[1]?.neighbour()?;
    let previous = tail[0].as_mut()?;
    previous.flags.spike = spike(limits, before, previous.neighbour()?, new);
    Some(previous.flags)
}

/// The last usable reading; when that is a spike, the one before it, unless that is one too.
fn rate_reference(tail: &Tail) -> Option<Neighbour> {
    let mut usable = tail.iter().flatten().filter(|seen| seen.usable.is_some());
    let is_spike = |seen: &&Seen| objects(seen.flags.spike);
    let reference = match usable.next() {
        Some(last) if is_spike(&last) => usable.next().filter(|seen| !is_spike(seen)),
        last => last,
    };
    reference.and_then(Seen::neighbour)
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
        objections: config.objections,
    };
    let usable = flags.gross_range != QualityFlag::Fail && !point.is_disturbed();
    if usable && config.climatology.is_some() {
        flags.climatology = climatology(config, point.time, value);
    }
    (flags, usable.then_some(value))
}
