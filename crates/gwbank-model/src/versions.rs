//! Which version of a key wins, which are kept as revisions, which are duplicates.
//!
//! # Rules
//! 1. The winner is the version with the highest (revision, seq).
//! 2. A version whose content the key has, or ever had, at the same or a higher revision is a **duplicate** and leaves no
//!    trace: no redelivery, replay or re-import undoes a correction. To return to an earlier value, send a higher revision.
//! 3. A version that meets itself (same seq, same content) was stored before, in an earlier life of this process: it is
//!    neither new nor a duplicate. So a replay of the journal counts exactly as the first time.
//! 4. A requalified version replaces the winner only if it is that winner with another quality.
//!
//! Every store (window, Delta, PostgreSQL, in memory) decides with these functions, so that none can differ.

use crate::{GatewayIndex, Origin, QcTest, Row};

/// What became of one incoming version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// New to its key, as winner or as a revision that loses; or stored by an earlier life of this process.
    Stored,
    /// Said nothing new.
    Duplicate,
}

/// What an incoming version changes in the versions known of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The key had no version.
    First,
    /// The incoming version wins; the winner so far becomes a revision.
    Supersedes,
    /// The incoming version is kept as a revision beside the winner.
    Loses,
    /// Nothing to store: the version itself is there already.
    Known,
    /// Nothing to store: said nothing new.
    Duplicate,
}

impl Change {
    pub const fn outcome(self) -> Outcome {
        match self {
            Change::First | Change::Supersedes | Change::Loses | Change::Known => Outcome::Stored,
            Change::Duplicate => Outcome::Duplicate,
        }
    }
}

/// Decides what `incoming` changes, given every version known of its key (winner included, in any order).
pub fn compare<'a>(known: impl IntoIterator<Item = &'a Row>, incoming: &Row) -> Change {
    let mut winner: Option<&Row> = None;
    let mut duplicate = false;
    for version in known {
        debug_assert_eq!(version.key(), incoming.key());
        if version.seq == incoming.seq && version.origin == incoming.origin && version.same_content(incoming) {
            return Change::Known;
        }
        duplicate |= version.same_content(incoming) && version.revision >= incoming.revision;
        if winner.is_none_or(|best| version.precedence() > best.precedence()) {
            winner = Some(version);
        }
    }
    let Some(winner) = winner else {
        return match incoming.origin {
            Origin::Received => Change::First,
            Origin::Requalified => Change::Duplicate, // what it judged is not there
        };
    };
    match incoming.origin {
        Origin::Requalified => {
            let judges_winner = winner.same_content(incoming) && winner.revision == incoming.revision;
            let differs = winner.quality != incoming.quality || winner.qc_tests != incoming.qc_tests;
            if judges_winner && differs && incoming.seq > winner.seq { Change::Supersedes } else { Change::Duplicate }
        }
        Origin::Received if duplicate => Change::Duplicate,
        Origin::Received if incoming.precedence() > winner.precedence() => Change::Supersedes,
        Origin::Received => Change::Loses,
    }
}

/// Why a version lost its place, as `reading_revisions.cause` names it.
pub fn cause(superseded: &Row, by: &Row) -> &'static str {
    let is_rejected = |row: &Row| row.qc_tests.contains(QcTest::Review);
    if by.origin == Origin::Requalified && superseded.same_content(by) {
        if is_rejected(superseded) == is_rejected(by) { "quality" } else { "review" }
    } else if by.gateway == GatewayIndex::REVIEW {
        "review"
    } else {
        "correction"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GatewayIndex, QcTest, QcTests, QualityFlag, Seq, SeriesId, TimeSource, Timestamp};
    use proptest::prelude::*;

    fn row(value: f64, revision: u32, seq: i64) -> Row {
        Row {
            series: SeriesId(0),
            gateway: GatewayIndex(0),
            time: Timestamp::from_secs(0),
            value,
            seq: Seq::from_i64(seq),
            revision,
            qc_tests: QcTests::NONE,
            quality: QualityFlag::Pass,
            site_status: None,
            time_source: TimeSource::Device,
            origin: Origin::Received,
            time_form: None,
        }
    }

    #[test]
    fn a_redelivery_never_undoes_a_correction() {
        let first = row(1.0, 0, 10);
        let corrected = row(2.0, 0, 20);
        assert_eq!(compare([&first], &corrected), Change::Supersedes);
        assert_eq!(compare([&first, &corrected], &row(1.0, 0, 30)), Change::Duplicate);
        assert_eq!(compare([&first, &corrected], &row(1.0, 1, 30)), Change::Supersedes, "a higher revision may return");
        assert_eq!(compare([&first, &corrected], &first), Change::Known);
    }

    #[test]
    fn a_lower_revision_is_kept_but_loses() {
        let revised = row(2.0, 3, 10);
        assert_eq!(compare([&revised], &row(9.0, 0, 20)), Change::Loses);
    }

    #[test]
    fn missing_equals_missing() {
        assert_eq!(compare([&row(f64::NAN, 0, 1)], &row(f64::NAN, 0, 2)), Change::Duplicate);
        assert_eq!(compare([&row(f64::NAN, 0, 1)], &row(0.0, 0, 2)), Change::Supersedes);
        assert_eq!(compare([&row(0.0, 0, 1)], &row(-0.0, 0, 2)), Change::Duplicate);
    }

    #[test]
    fn a_requalified_version_replaces_only_the_winner_it_judged() {
        let winner = row(2.0, 0, 20);
        let mut judged = Row { origin: Origin::Requalified, seq: Seq::from_i64(30), ..winner };
        assert_eq!(compare([&winner], &judged), Change::Duplicate, "same quality");
        judged.quality = QualityFlag::Suspect;
        judged.qc_tests = QcTests::NONE.with(QcTest::Spike);
        assert_eq!(compare([&winner], &judged), Change::Supersedes);
        assert_eq!(cause(&winner, &judged), "quality");
        assert_eq!(compare([&winner, &row(3.0, 0, 25)], &judged), Change::Duplicate, "judged a value that lost since");
        assert_eq!(compare([], &judged), Change::Duplicate);
    }

    proptest! {
        /// Taking versions one by one ends with the same winner and as many stored versions as any grouping,
        /// and a second pass over the same input stores nothing.
        #[test]
        fn a_replay_changes_nothing(input in proptest::collection::vec((0u8..4, 0u32..3), 1..20)) {
            let incoming: Vec<Row> =
                input.iter().enumerate().map(|(i, &(v, r))| row(f64::from(v), r, i as i64 + 1)).collect();
            let mut known: Vec<Row> = Vec::new();
            let mut first_outcomes = Vec::new();
            for version in &incoming {
                let change = compare(&known, version);
                first_outcomes.push(change.outcome());
                if !matches!(change, Change::Known | Change::Duplicate) {
                    known.push(*version);
                }
            }
            let count = known.len();
            for (version, outcome) in incoming.iter().zip(first_outcomes) {
                let change = compare(&known, version);
                prop_assert!(matches!(change, Change::Known | Change::Duplicate));
                prop_assert_eq!(change.outcome(), outcome);
            }
            prop_assert_eq!(known.len(), count);
        }
    }
}
