//! The window against the simplest thing that could be right: a map from key to versions.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use gwbank_model::versions::{Change, compare};
use gwbank_model::{
    GatewayIndex, Key, Origin, QcTest, QcTests, QualityFlag, Row, Seq, SeriesId, SiteStatus, TimeFormIndex, TimeForms,
    Timestamp,
};
use gwbank_recent::{Classified, RowFilter, Slice, Window, WindowSnapshot, supersessions};
use gwbank_testkit::received_row;
use proptest::prelude::*;

const SERIES: u32 = 3;
const TIMES: i64 = 12;

#[derive(Debug, Clone)]
enum Step {
    /// (series, time, value, revision) of each row of one message; value 0 is missing, 4 is dry.
    Message(Vec<(u32, i64, u8, u32)>),
    /// Another quality for the n-th unarchived version, in place.
    RequalifyInPlace(usize),
    /// Another quality for the n-th archived winner, as a version of its own.
    Requalify(usize),
    /// The archive writer commits all up to so many messages ago.
    Archive(i64),
    Evict,
    /// The archive refuses the n-th unarchived version.
    Withdraw(usize),
    RaiseCoversFrom(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let row = (0..SERIES, 0..TIMES, 0u8..5, prop_oneof![8 => Just(0u32), 1 => 1u32..3]);
    prop_oneof![
        8 => prop::collection::vec(row, 1..8).prop_map(Step::Message),
        2 => (0usize..50).prop_map(Step::RequalifyInPlace),
        2 => (0usize..50).prop_map(Step::Requalify),
        2 => (0i64..4).prop_map(Step::Archive),
        1 => Just(Step::Evict),
        1 => (0usize..50).prop_map(Step::Withdraw),
        1 => (0..TIMES).prop_map(Step::RaiseCoversFrom),
    ]
}

fn row(series: u32, time: i64, value: u8, revision: u32, seq: Seq) -> Row {
    let shown = if value == 0 { f64::NAN } else { f64::from(value) };
    Row {
        gateway: GatewayIndex(series + 70_000 * u32::from(value == 3)),
        revision,
        site_status: (value == 4).then_some(SiteStatus::Dry),
        time_form: (value == 2).then(|| *TIME_FORM),
        ..received_row(SeriesId(series), Timestamp::from_secs(time), shown, seq)
    }
}

/// Any form will do: the window only carries its number.
static TIME_FORM: LazyLock<TimeFormIndex> =
    LazyLock::new(|| TimeForms::default().intern("as written", Timestamp::from_secs(0), None).unwrap());

fn requalified(row: Row) -> Row {
    let quality = if row.quality == QualityFlag::Suspect { QualityFlag::Pass } else { QualityFlag::Suspect };
    let tests = if quality == QualityFlag::Suspect { QcTests::NONE.with(QcTest::Spike) } else { QcTests::NONE };
    Row { quality, qc_tests: tests, ..row }
}

fn message_seq(number: i64) -> Seq {
    Seq::from_i64(number << 20 | 1)
}

/// All that distinguishes a row, comparable.
fn text(row: &Row) -> String {
    format!("{row:?}")
}
fn texts<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<String> {
    rows.into_iter().map(text).collect()
}

fn best(versions: &[Row]) -> Option<Row> {
    versions.iter().copied().max_by_key(|v| (v.revision, v.seq, v.origin as u8))
}

struct Model {
    /// What the window should hold.
    held: BTreeMap<Key, Vec<Row>>,
    /// All that there ever was.
    truth: BTreeMap<Key, Vec<Row>>,
    messages: i64,
    archived: Seq,
}

impl Model {
    fn put(&mut self, row: Row) {
        for map in [&mut self.held, &mut self.truth] {
            let versions = map.entry(row.key()).or_default();
            versions.retain(|v| v.seq != row.seq || v.origin != row.origin);
            versions.push(row);
            versions.sort_by_key(|v| (v.seq, v.origin as u8));
        }
    }

    fn withdraw(&mut self, row: &Row) {
        let judges = |v: &Row| v.origin == Origin::Requalified && v.revision == row.revision && v.same_content(row);
        for map in [&mut self.held, &mut self.truth] {
            let versions = map.entry(row.key()).or_default();
            versions.retain(|v| (v.seq, v.origin) != (row.seq, row.origin) && !judges(v));
        }
    }

    fn classify(&self, row: &Row, covers_from: Timestamp) -> Classified {
        let change = compare(self.held.get(&row.key()).into_iter().flatten(), row);
        let pending = row.time < covers_from
            && !(change == Change::Known || change == Change::Duplicate && row.origin == Origin::Received);
        if pending { Classified::Pending } else { Classified::New(change) }
    }

    fn all(&self) -> impl Iterator<Item = &Row> {
        self.held.values().flatten()
    }

    fn check(&self, snapshot: &WindowSnapshot) {
        let covers_from = snapshot.covers_from();
        assert_eq!(snapshot.rows(), self.all().count());
        // Winners at or after covers_from are those of the whole truth, once each.
        let expected: Vec<Row> =
            self.truth.iter().filter(|(key, _)| key.time >= covers_from).filter_map(|(_, v)| best(v)).collect();
        let scanned = scan(snapshot, &RowFilter::default());
        assert_eq!(texts(&scanned), texts(&expected));
        let filter = RowFilter {
            from: Some(Timestamp::from_secs(3)),
            to: Some(Timestamp::from_secs(9)),
            series: Some(Arc::from([SeriesId(0), SeriesId(2), SeriesId(9)])),
        };
        let inside =
            |row: &&Row| row.time >= filter.from.unwrap() && row.time < filter.to.unwrap() && row.series.0 != 1;
        assert_eq!(texts(&scan(snapshot, &filter)), texts(expected.iter().filter(inside)));

        // Every version that the archive lacks.
        let through = message_seq(self.messages - 1);
        let wanted: Vec<&Row> = self.all().filter(|r| r.seq > self.archived && r.seq <= through).collect();
        assert_eq!(texts(&snapshot.unarchived(self.archived, through)), texts(wanted));
        let pending: Vec<Row> = self.all().filter(|r| r.time < covers_from && r.seq > self.archived).copied().collect();
        assert_eq!(texts(&snapshot.pending_versions(self.archived)), texts(&pending));
        let pending_winners: Vec<Row> = pending.chunk_by(|a, b| a.key() == b.key()).filter_map(best).collect();
        assert_eq!(texts(&snapshot.pending(self.archived)), texts(&pending_winners));

        // Revisions, and what took their place, as the whole truth has them.
        for after in [Seq::ZERO, self.archived] {
            let expected: Vec<String> = self
                .truth
                .iter()
                .filter(|(key, _)| key.time >= covers_from)
                .flat_map(|(_, versions)| supersessions(versions))
                .filter(|revision| revision.since() > after)
                .map(|r| format!("{r:?}"))
                .collect();
            let found: Vec<String> = snapshot.revisions(after).iter().map(|r| format!("{r:?}")).collect();
            assert_eq!(found, expected);
        }

        for series in (0..SERIES).map(SeriesId) {
            let winners: Vec<Row> =
                self.held.iter().filter(|(key, _)| key.series == series).filter_map(|(_, v)| best(v)).collect();
            let (from, to) = (Timestamp::from_secs(2), Timestamp::from_secs(10));
            let within = winners.iter().filter(|r| r.time >= from && r.time < to);
            assert_eq!(texts(&snapshot.series_rows(series, from, to)), texts(within));
            assert_eq!(snapshot.latest(series).as_ref().map(text), winners.last().map(text));
            for at in [0, 5, 11].map(Timestamp::from_secs) {
                let start = winners.partition_point(|r| r.time < at);
                let end = winners.partition_point(|r| r.time <= at);
                let around = &winners[start.saturating_sub(2)..(end + 1).min(winners.len())];
                assert_eq!(texts(&snapshot.neighbours(series, at, 2, 1)), texts(around));
            }
        }
    }
}

/// Rows of all slices in the order of their keys.
fn scan(snapshot: &WindowSnapshot, filter: &RowFilter) -> Vec<Row> {
    let mut rows = Vec::new();
    for slice in snapshot.scan(filter) {
        let of_slice = slice_rows(&slice);
        assert!(of_slice.is_sorted_by_key(Row::key));
        assert!(of_slice.len() <= slice.rows_max());
        assert!(slice.rows_exact().is_none_or(|exact| exact == of_slice.len()));
        rows.extend(of_slice);
    }
    rows.sort_by_key(Row::key);
    rows
}

fn slice_rows(slice: &Slice) -> Vec<Row> {
    let mut spans = slice.spans();
    let mut rows = Vec::new();
    while let Some(span) = spans.next_span(2) {
        assert!(!span.rows.is_empty() && span.rows.len() <= 2);
        let columns = slice.columns();
        rows.extend(span.rows.map(|row| Row {
            series: span.series,
            gateway: GatewayIndex(columns.gateway(row)),
            time: Timestamp::from_micros(columns.times()[row]),
            value: columns.values()[row],
            seq: Seq::from_i64(columns.seqs()[row]),
            revision: columns.revision(row),
            qc_tests: columns.qc_tests(row),
            quality: columns.quality(row),
            site_status: columns.site_status(row),
            time_source: columns.time_source(row),
            origin: columns.origin(row),
            time_form: columns.time_form(row),
        }));
    }
    rows
}

fn run(steps: Vec<Step>, bytes_max: usize, archived_before: Vec<(u32, i64, u8)>) {
    let mut model = Model { held: BTreeMap::new(), truth: BTreeMap::new(), messages: 0, archived: Seq::ZERO };
    let window = Window::new(bytes_max, Timestamp::MIN);
    // An earlier life of the process left winners and revisions in the archive.
    for (series, time, value) in archived_before {
        let old = row(series, time, value, 0, message_seq(model.messages));
        if model.classify(&old, Timestamp::MIN) != Classified::New(Change::Duplicate) {
            model.put(old);
        }
        model.messages += 1;
    }
    model.archived = message_seq(model.messages);
    model.messages += 1;
    let (mut winners, mut revisions) = (Vec::new(), Vec::new());
    for versions in model.held.values() {
        let winner = best(versions).unwrap();
        winners.push(winner);
        revisions.extend(versions.iter().filter(|v| v.seq != winner.seq));
    }
    window.load_archived(winners, revisions);
    model.check(&window.snapshot());

    for step in steps {
        let covers_from = window.snapshot().covers_from();
        match step {
            Step::Message(rows) => {
                let first = message_seq(model.messages);
                model.messages += 1;
                let mut rows: Vec<Row> = rows.iter().map(|&(s, t, v, r)| row(s, t, v, r, first)).collect();
                for i in 0..rows.len() {
                    let repeats = rows[..i].iter().filter(|r| r.key() == rows[i].key()).count();
                    rows[i].seq = first.nth(repeats as u32);
                }
                let classified = window.classify(&rows);
                let mut accepted = Vec::new();
                for (row, found) in rows.iter().zip(classified) {
                    assert_eq!(found, model.classify(row, covers_from), "{row:?}");
                    if found.is_stored() {
                        model.put(*row);
                        accepted.push(*row);
                    }
                }
                window.insert(accepted);
                // A redelivery within the same life says nothing new.
                for again in window.classify(&rows) {
                    assert!(!again.is_stored());
                }
            }
            Step::Withdraw(n) => {
                let unarchived: Vec<Row> = model.all().filter(|r| r.seq > model.archived).copied().collect();
                if !unarchived.is_empty() {
                    let refused = unarchived[n % unarchived.len()];
                    model.withdraw(&refused);
                    window.withdraw(&[refused]);
                }
            }
            Step::RequalifyInPlace(n) => {
                let unarchived: Vec<Row> = model.all().filter(|r| r.seq > model.archived).copied().collect();
                if !unarchived.is_empty() {
                    let replaced = requalified(unarchived[n % unarchived.len()]);
                    model.put(replaced);
                    window.insert(vec![replaced]);
                }
            }
            Step::Requalify(n) => {
                let winners: Vec<Row> =
                    model.held.values().filter_map(|v| best(v)).filter(|r| r.seq <= model.archived).collect();
                if !winners.is_empty() {
                    let seq = message_seq(model.messages);
                    model.messages += 1;
                    let judged = Row { origin: Origin::Requalified, seq, ..requalified(winners[n % winners.len()]) };
                    let found = window.classify(&[judged]);
                    assert_eq!(found, [model.classify(&judged, covers_from)]);
                    assert!(found[0].is_stored());
                    model.put(judged);
                    window.insert(vec![judged]);
                }
            }
            Step::Archive(ago) => model.archived = model.archived.max(message_seq(model.messages - ago)),
            Step::Evict => {
                let before = window.bytes();
                let eviction = window.evict(model.archived);
                assert!(eviction.covers_from >= covers_from);
                assert!(eviction.covers_from == covers_from || before > bytes_max);
                let rows_before = model.all().count();
                for versions in model.held.values_mut() {
                    versions.retain(|r| r.time >= eviction.covers_from || r.seq > model.archived);
                }
                model.held.retain(|_, versions| !versions.is_empty());
                assert_eq!(eviction.rows_dropped, rows_before - model.all().count());
                assert_eq!(eviction.bytes, window.bytes());
                let archived_left = model.all().any(|r| r.seq <= model.archived);
                assert!(before <= bytes_max || !archived_left || eviction.rows_dropped > 0);
            }
            Step::RaiseCoversFrom(time) => {
                // Only an eviction may leave archived rows behind covers_from, and only until the next one.
                let time = Timestamp::from_secs(time).max(covers_from);
                window.set_covers_from(time);
                window.evict(model.archived);
                let time = window.snapshot().covers_from();
                for versions in model.held.values_mut() {
                    versions.retain(|r| r.time >= time || r.seq > model.archived);
                }
                model.held.retain(|_, versions| !versions.is_empty());
            }
        }
        model.check(&window.snapshot());
    }
}

fn cases() -> u32 {
    std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn does_what_the_model_does(
        steps in prop::collection::vec(step(), 1..60),
        bytes_max in prop_oneof![Just(usize::MAX), 500usize..4000],
        archived_before in prop::collection::vec((0..SERIES, 0..TIMES, 0u8..5), 0..20),
    ) {
        run(steps, bytes_max, archived_before);
    }
}

#[test]
fn a_snapshot_never_changes() {
    let window = Window::new(usize::MAX, Timestamp::MIN);
    window.insert(vec![row(0, 1, 1, 0, message_seq(1))]);
    let before = window.snapshot();
    window.insert(vec![row(0, 1, 2, 0, message_seq(2)), row(0, 2, 1, 0, message_seq(2))]);
    assert_eq!(scan(&before, &RowFilter::default()).len(), 1);
    assert_eq!(scan(&before, &RowFilter::default())[0].value, 1.0);
    assert_eq!(before.applied(), message_seq(1));
    assert_eq!(window.snapshot().applied(), message_seq(2));
}

#[test]
fn a_row_takes_little_more_than_30_bytes() {
    const ROWS_PER_SERIES: i64 = 1000;
    let window = Window::new(usize::MAX, Timestamp::MIN);
    for time in 0..ROWS_PER_SERIES {
        window.insert((0..100).map(|series| row(series, time, 1, 0, message_seq(time + 1))).collect());
    }
    let rows = window.rows();
    assert_eq!(rows, 100_000);
    assert!(window.bytes() < rows * 32, "{} bytes for {rows} rows", window.bytes());
}

#[test]
fn evicts_down_to_its_bound_once_archived() {
    const BOUND: usize = 1_000_000;
    let window = Window::new(BOUND, Timestamp::MIN);
    for time in 0..1000 {
        window.insert((0..100).map(|series| row(series, time, 1, 0, message_seq(time + 1))).collect());
    }
    assert_eq!(window.evict(Seq::ZERO).rows_dropped, 0, "nothing is archived");
    let eviction = window.evict(message_seq(990));
    assert!(eviction.bytes <= BOUND && eviction.bytes > BOUND * 6 / 10, "{eviction:?}");
    assert!(eviction.covers_from > Timestamp::MIN);
    assert_eq!(window.rows(), scan(&window.snapshot(), &RowFilter::default()).len());
}
