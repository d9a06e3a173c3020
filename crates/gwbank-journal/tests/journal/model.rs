//! Random lives of a journal, ended by closing, killing and power cuts, compared to what it promised.

use std::collections::BTreeMap;

use gwbank_journal::{AppendError, JournalError};
use gwbank_model::Seq;
use gwbank_testkit::{DiskFaults, test_rounds};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::bench::{Bench, Report, Running, entry};

/// What was promised so far. Entry n has the payload `payload(n)`; one producer appends them in order.
struct Model {
    appended: u64,
    /// Reported durable, or seen in a replay, which is as good.
    durable: BTreeMap<u64, Seq>,
    highest: Seq,
    given_up: Seq,
}

fn payload(id: u64) -> Vec<u8> {
    let mut rng = SmallRng::seed_from_u64(id);
    let bytes = match rng.random_range(0..20) {
        0 => rng.random_range(2_000..12_000),
        1..5 => rng.random_range(300..1_500),
        _ => rng.random_range(0..120),
    };
    let mut payload = id.to_le_bytes().to_vec();
    payload.extend((0..bytes).map(|_| rng.random::<u8>()));
    payload
}

impl Model {
    fn new() -> Self {
        Self { appended: 0, durable: BTreeMap::new(), highest: Seq::ZERO, given_up: Seq::ZERO }
    }

    fn reported(&mut self, group: Vec<(Seq, u64)>) {
        for (seq, id) in group {
            assert!(seq > self.highest, "seq {seq} of entry {id} is not after {}", self.highest);
            assert!(id < self.appended);
            assert_eq!(self.durable.insert(id, seq), None, "entry {id} is reported twice");
            self.highest = seq;
        }
    }

    fn compare(&mut self, running: &Running) {
        let records = running.replay();
        let mut last_id = None;
        let mut last_seq = Seq::ZERO;
        let mut found = BTreeMap::new();
        for record in &records {
            let id = record.payload.first_chunk().copied().map(u64::from_le_bytes).expect("an id");
            assert!(id < self.appended && record.payload == payload(id), "entry {id} was never appended like this");
            assert!(last_id < Some(id), "entry {id} comes after {last_id:?}");
            assert!(record.first_seq > last_seq);
            last_id = Some(id);
            last_seq = record.first_seq;
            found.insert(id, record.first_seq);
        }
        for (id, seq) in &self.durable {
            match found.get(id) {
                Some(found) => assert_eq!(found, seq, "seq of entry {id}"),
                None => assert!(*seq <= self.given_up, "entry {id} with seq {seq} is lost"),
            }
        }
        self.durable.extend(found);
        self.highest = self.highest.max(last_seq);
        assert!(running.journal.last_seq() >= self.highest, "the sequence went backwards");
        assert!(running.journal.truncated_through() <= self.given_up);
        assert_eq!(running.try_replay(last_seq).expect("nothing to read"), []);
    }
}

fn random_faults(rng: &mut SmallRng) -> DiskFaults {
    let mut faults = DiskFaults { short_write: [0.0, 0.3][rng.random_range(0..2)], ..DiskFaults::default() };
    match rng.random_range(0..4) {
        0 => faults.sync_fails_after = Some(rng.random_range(0..20)),
        1 | 2 => faults.dies_after = Some(rng.random_range(0..60)),
        _ => {}
    }
    faults
}

/// Opens, which a fault may prevent, but nothing else: the disk never damages what was synced.
fn open(bench: &Bench) -> Option<Running> {
    match bench.open() {
        Ok(running) => Some(running),
        Err(JournalError::Io { .. }) => None,
        Err(error) => panic!("refused: {error}"),
    }
}

/// Appends, truncates, and stops at the first sign of trouble.
fn live(running: &Running, model: &mut Model, rng: &mut SmallRng) {
    for _ in 0..rng.random_range(0..12) {
        if rng.random_bool(0.2) && !model.durable.is_empty() {
            let nth = rng.random_range(0..model.durable.len());
            let seq = *model.durable.values().nth(nth).expect("one of them");
            model.given_up = model.given_up.max(seq);
            // A dead disk refuses; then nothing, or not all, is removed.
            let _ = running.journal.truncate_through(seq);
        }
        let mut waiting = 0;
        for _ in 0..rng.random_range(1..12) {
            match running.journal.try_append(entry(model.appended, payload(model.appended))) {
                Ok(()) => waiting += 1,
                Err((AppendError::Closed, _)) => return,
                Err((error, _)) => panic!("not taken: {error}"),
            }
            model.appended += 1;
        }
        if rng.random_bool(0.1) {
            return;
        }
        while waiting > 0 {
            match running.report() {
                Report::Durable(group) => {
                    waiting -= group.len();
                    model.reported(group);
                }
                Report::Fatal(JournalError::Io { .. }) => return,
                Report::Fatal(error) => panic!("failed: {error}"),
            }
        }
    }
}

fn round(seed: u64) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut bench = Bench::new(seed);
    bench.config.segment_bytes = [1_500, 6_000, 40_000][rng.random_range(0..3)];
    bench.config.group_bytes_max = [1, 1_000, 1 << 20][rng.random_range(0..3)];
    let mut model = Model::new();
    for _ in 0..rng.random_range(2..8) {
        bench.disk.set_faults(random_faults(&mut rng));
        if let Some(running) = open(&bench) {
            if rng.random_bool(0.8) && !bench.disk.is_dead() {
                model.compare(&running);
            }
            live(&running, &mut model, &mut rng);
            // In the middle of whatever is going on; then the writer finds its handles useless.
            match rng.random_range(0..4) {
                0 => {}
                1 => bench.disk.restart(),
                _ => bench.disk.power_cut(&mut rng),
            }
            let Running { journal, reports } = running;
            journal.close();
            for report in reports.try_iter() {
                if let Report::Durable(group) = report {
                    model.reported(group);
                }
            }
        }
        if rng.random_bool(0.5) {
            bench.disk.restart();
        } else {
            bench.disk.power_cut(&mut rng);
        }
    }
    bench.disk.set_faults(DiskFaults::default());
    let running = open(&bench).expect("nothing is wrong any more");
    model.compare(&running);
    model.given_up = model.highest;
    running.journal.truncate_through(model.highest).expect("truncated");
    running.journal.close();
    let running = bench.open_well();
    model.compare(&running);
    let id = model.appended;
    model.appended += 1;
    let seq = running.append(id, payload(id));
    model.reported(vec![(seq, id)]);
    model.compare(&running);
}

#[test]
fn keeps_its_promises_through_faults_and_power_cuts() {
    for seed in 0..u64::from(test_rounds(200)) {
        if let Err(panic) = std::panic::catch_unwind(|| round(seed)) {
            eprintln!("in the round with seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// The process dies at the n-th operation and starts again; later the power goes. Whatever was reported, by the first
/// process or the second, is there.
#[test]
fn a_restart_after_dying_at_any_operation_makes_durable_what_it_builds_on() {
    for operation in 0..60 {
        for seed in 0..6 {
            let mut bench = Bench::new(seed);
            bench.config.segment_bytes = 300;
            let mut model = Model::new();
            bench.disk.set_faults(DiskFaults { dies_after: Some(operation), ..DiskFaults::default() });
            if let Some(running) = open(&bench) {
                for id in 0..10 {
                    model.appended = id + 1;
                    if running.journal.try_append(entry(id, vec![id as u8; 120])).is_err() {
                        break;
                    }
                    let Report::Durable(group) = running.report() else { break };
                    model.reported(group);
                }
                // Some of its operations are on what was given up.
                let _ = running.journal.truncate_through(model.highest);
                model.given_up = model.highest;
            }
            bench.disk.restart();
            let running = bench.open_well();
            let before = running.replay().len();
            let seq = running.append(100, vec![100]);
            assert!(seq > model.highest);
            bench.disk.power_cut(&mut SmallRng::seed_from_u64(seed));
            drop(running);
            let after = bench.open_well().replay();
            assert_eq!(after.len(), before + 1, "operation {operation}, seed {seed}");
            assert_eq!(after.last().map(|record| record.first_seq), Some(seq));
        }
    }
}

/// After a clean close there is evidence for every record, so no flipped bit makes one vanish in silence.
#[test]
fn a_flipped_bit_is_noticed_wherever_it_matters() {
    for seed in 0..u64::from(test_rounds(200)) {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut bench = Bench::new(seed);
        bench.config.segment_bytes = 3_000;
        let mut model = Model::new();
        let running = bench.open_well();
        live(&running, &mut model, &mut rng);
        running.journal.close();
        for report in running.reports.try_iter() {
            if let Report::Durable(group) = report {
                model.reported(group);
            }
        }

        let files = bench.disk.files();
        let file = &files[rng.random_range(0..files.len())];
        let bytes = bench.disk.contents(file).expect("it is listed").len();
        bench.disk.flip_bit(file, rng.random_range(0..bytes * 8));
        let Ok(running) = bench.open() else { continue };
        match running.try_replay(Seq::ZERO) {
            Ok(_) => model.compare(&running),
            Err(JournalError::Damaged { path, .. }) => assert_eq!(&path, file),
            Err(error) => panic!("with seed {seed}: {error}"),
        }
    }
}
