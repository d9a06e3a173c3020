//! What a second look found in a series, as part of what its readings are judged by.
//!
//! A finding objects to every reading in its stretch of time, whenever that reading comes: what is there has at least flag 3
//! and names the test. It never fails a reading, says nothing of one without a value, and changes no other test. So a stream
//! with findings judges as one without, and then objects.
//!
//! What a person rejects is told in the same way, with [`QcTest::Review`]; only that it fails what is there, which is nobody's
//! neighbour then.

use std::sync::Arc;

use gwbank_model::{QcTest, QcTests, Timestamp};

/// A test that objects to the readings of a stretch of time, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Finding {
    pub test: QcTest,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// All findings of a series. The same ones in another order, or cut into pieces, are equal.
///
/// ```
/// use gwbank_model::{QcTest, QcTests, Timestamp};
/// use gwbank_quality::{Finding, Findings};
///
/// let at = Timestamp::from_secs;
/// let found = |test, from, to| Finding { test, from: at(from), to: at(to) };
/// let findings = Findings::new([found(QcTest::Neighbour, 10, 30), found(QcTest::LevelShift, 20, 20)]);
/// assert_eq!(findings.at(at(9)), QcTests::NONE);
/// assert_eq!(findings.at(at(30)), QcTests::NONE.with(QcTest::Neighbour));
/// assert_eq!(findings.at(at(20)), QcTests::NONE.with(QcTest::Neighbour).with(QcTest::LevelShift));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(Arc<[Segment]>);

/// Between two ends of findings, in order and without overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    from: Timestamp,
    to: Timestamp,
    tests: QcTests,
}

impl Findings {
    /// Findings that end before they begin are nothing.
    pub fn new(found: impl IntoIterator<Item = Finding>) -> Self {
        let found: Vec<Finding> = found.into_iter().filter(|finding| finding.from <= finding.to).collect();
        let mut ends: Vec<Timestamp> =
            found.iter().flat_map(|finding| [finding.from, finding.to.plus_micros(1)]).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut by_start = found;
        by_start.sort_unstable_by_key(|finding| finding.from);
        let mut waiting = by_start.into_iter().peekable();
        let mut open: Vec<Finding> = Vec::new();
        let mut segments: Vec<Segment> = Vec::new();
        for pair in ends.windows(2) {
            let (from, to) = (pair[0], pair[1].plus_micros(-1));
            open.retain(|finding| finding.to >= from);
            while let Some(finding) = waiting.next_if(|finding| finding.from <= from) {
                open.push(finding);
            }
            let tests = open.iter().fold(QcTests::NONE, |tests, finding| tests.with(finding.test));
            match segments.last_mut() {
                _ if tests == QcTests::NONE => {}
                Some(last) if last.tests == tests && last.to.plus_micros(1) == from => last.to = to,
                _ => segments.push(Segment { from, to, tests }),
            }
        }
        Self(segments.into())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These and others.
    ///
    /// ```
    /// # use gwbank_model::{QcTest, QcTests, Timestamp};
    /// # use gwbank_quality::{Finding, Findings};
    /// # let at = Timestamp::from_secs;
    /// let shift = Findings::new([Finding { test: QcTest::LevelShift, from: at(10), to: at(30) }]);
    /// let rejected = Findings::new([Finding { test: QcTest::Review, from: at(20), to: at(40) }]);
    /// let both = shift.union(&rejected);
    /// assert_eq!(both.at(at(20)), QcTests::NONE.with(QcTest::LevelShift).with(QcTest::Review));
    /// assert_eq!(both.at(at(40)), QcTests::NONE.with(QcTest::Review));
    /// ```
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (_, true) => self.clone(),
            (true, false) => other.clone(),
            (false, false) => Self::new(self.iter().chain(other.iter())),
        }
    }

    fn iter(&self) -> impl Iterator<Item = Finding> {
        let found = |segment: &Segment| {
            let Segment { from, to, tests } = *segment;
            tests.iter().map(move |test| Finding { test, from, to })
        };
        self.0.iter().flat_map(found)
    }

    /// The tests that object to a reading at this time.
    pub fn at(&self, time: Timestamp) -> QcTests {
        let next = self.0.partition_point(|segment| segment.from <= time);
        let segment = next.checked_sub(1).and_then(|last| self.0.get(last));
        segment.filter(|segment| time <= segment.to).map_or(QcTests::NONE, |segment| segment.tests)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finding() -> impl Strategy<Value = Finding> {
        let tests = prop_oneof![Just(QcTest::Neighbour), Just(QcTest::LevelShift), Just(QcTest::Review)];
        (tests, 0i64..40, -2i64..12).prop_map(|(test, from, length)| Finding {
            test,
            from: Timestamp::from_micros(from),
            to: Timestamp::from_micros(from + length),
        })
    }

    proptest! {
        #[test]
        fn every_instant_has_the_tests_that_hold_there(found in proptest::collection::vec(finding(), 0..12)) {
            let findings = Findings::new(found.iter().copied());
            for time in (-3..60).map(Timestamp::from_micros) {
                let holding = found.iter().filter(|finding| finding.from <= time && time <= finding.to);
                let expected = holding.fold(QcTests::NONE, |tests, finding| tests.with(finding.test));
                prop_assert_eq!(findings.at(time), expected, "{:?}", time);
            }
        }

        #[test]
        fn order_and_pieces_make_no_difference(found in proptest::collection::vec(finding(), 0..12), cut in 0i64..50) {
            let whole = Findings::new(found.iter().copied());
            let cut = Timestamp::from_micros(cut);
            let pieces = found.iter().rev().flat_map(|finding| {
                let before = Finding { to: finding.to.min(cut), ..*finding };
                let after = Finding { from: finding.from.max(cut.plus_micros(1)), ..*finding };
                [after, before]
            });
            prop_assert_eq!(Findings::new(pieces), whole);
        }

        #[test]
        fn a_union_has_what_either_has(
            one in proptest::collection::vec(finding(), 0..8),
            other in proptest::collection::vec(finding(), 0..8),
        ) {
            let union = Findings::new(one.iter().copied()).union(&Findings::new(other.iter().copied()));
            prop_assert_eq!(union, Findings::new(one.into_iter().chain(other)));
        }
    }
}
