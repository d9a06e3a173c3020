//! What is acknowledged is never lost: a publisher that records every PUBACK, a server killed at random under load.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::mosquitto::Mosquitto;
use crate::mqtt_client::Publisher;
use crate::program::{Place, Server, until};

const WELLS: usize = 20;
const PUBLISHERS: usize = 4;
/// 2026-01-01T00:00:00Z
const FIRST_TIME: i64 = 1_767_225_600;

pub fn wells_csv() -> String {
    let mut csv = String::from("well_id,province_code,bank_type\n");
    for well in 0..WELLS {
        csv.push_str(&format!("W{well},30,observation\n"));
    }
    csv
}

/// (well, epoch second) → (value, revision) of the acknowledged reading that must win.
pub type Acknowledged = HashMap<(String, i64), (f64, u32)>;

struct Reading {
    well: String,
    time: i64,
    value: f64,
    revision: u32,
}

fn payload(readings: &[Reading]) -> String {
    let mut text = String::from("[");
    for (i, r) in readings.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        text.push_str(&format!(
            r#"{comma}{{"well":"{}","time":{},"parameter":"depth_to_water","value":{},"revision":{}}}"#,
            r.well, r.time, r.value, r.revision
        ));
    }
    text.push(']');
    text
}

/// One gateway: new readings, repeats, corrections with rising revisions and late ones, one message at a time, each kept
/// until it is acknowledged. Keys of different publishers are disjoint, so the last revision sent wins for certain.
fn publish_until_stopped(
    number: usize,
    address: Arc<Mutex<String>>,
    stop: &AtomicBool,
    sent: &AtomicU64,
    allowed: &AtomicU64,
) -> Acknowledged {
    let mut rng = SmallRng::seed_from_u64(number as u64);
    let mut acknowledged = Acknowledged::new();
    let mut history: Vec<(String, i64, u32)> = Vec::new();
    let mut next_time = FIRST_TIME + number as i64;
    let topic = format!("gwbank/v1/gw-{number}/readings");
    let mut connection: Option<Publisher> = None;
    let mut session = 0;
    while !stop.load(Ordering::Relaxed) {
        if sent.load(Ordering::Relaxed) >= allowed.load(Ordering::Relaxed) {
            std::thread::park_timeout(Duration::from_millis(1));
            continue;
        }
        let mut readings = Vec::new();
        for _ in 0..rng.random_range(1..=20) {
            let (well, time, revision) = match rng.random_range(0..10) {
                0 if !history.is_empty() => {
                    let chosen = rng.random_range(0..history.len());
                    let (well, time, revision) = &mut history[chosen];
                    *revision += 1;
                    (well.clone(), *time, *revision)
                }
                kind => {
                    next_time += PUBLISHERS as i64;
                    // Late data: sometimes years back, into other months.
                    let time = if kind == 1 { next_time - 86_400 * 365 } else { next_time };
                    let well = format!("W{}", rng.random_range(0..WELLS));
                    history.push((well.clone(), time, 0));
                    (well, time, 0)
                }
            };
            readings.push(Reading { well, time, value: f64::from(rng.random_range(0..5_000)) / 1000.0, revision });
        }
        // The same key twice in one message: the higher revision wins, which is the later one here.
        let body = payload(&readings);
        // Send until acknowledged, as a gateway with a queue does; sometimes once more, as one with a lost PUBACK does.
        let times = if rng.random_range(0..10) == 0 { 2 } else { 1 };
        for _ in 0..times {
            loop {
                if connection.is_none() {
                    session += 1;
                    let to = address.lock().expect("address").clone();
                    connection = Publisher::connect(&to, &format!("conservation-{number}-{session}")).ok();
                }
                match connection.as_mut().map(|c| c.publish(&topic, body.as_bytes())) {
                    Some(Ok(())) => break,
                    _ => {
                        connection = None;
                        std::thread::park_timeout(Duration::from_millis(10));
                    }
                }
                if stop.load(Ordering::Relaxed) {
                    return acknowledged; // this message was not acknowledged: nothing is promised
                }
            }
        }
        sent.fetch_add(readings.len() as u64, Ordering::Relaxed);
        for r in readings {
            let entry = acknowledged.entry((r.well, r.time)).or_insert((r.value, r.revision));
            if r.revision >= entry.1 {
                *entry = (r.value, r.revision);
            }
        }
    }
    acknowledged
}

/// Every acknowledged reading is there once, with the right value; the gateways' counts add up.
pub fn check_conserved(server: &Server, acknowledged: &Acknowledged) {
    let rows = server.sql(
        "SELECT well_id, CAST(arrow_cast(time, 'Int64') / 1000000 AS BIGINT) AS t, value, revision FROM readings \
         WHERE parameter = 'depth_to_water'",
    );
    let mut stored: HashMap<(String, i64), (f64, i64)> = HashMap::new();
    for row in rows.as_array().expect("rows") {
        let key = (row["well_id"].as_str().expect("a well").to_owned(), row["t"].as_i64().expect("a time"));
        let value = (row["value"].as_f64().expect("a value"), row["revision"].as_i64().expect("a revision"));
        assert!(stored.insert(key.clone(), value).is_none(), "{key:?} is stored twice");
    }
    for (key, (value, revision)) in acknowledged {
        let Some((found, found_revision)) = stored.get(key) else { panic!("acknowledged and lost: {key:?}") };
        // A later correction may be stored although its PUBACK never came; an earlier value may not win.
        assert!(*found_revision >= i64::from(*revision), "{key:?}: revision {found_revision} won over {revision}");
        if *found_revision == i64::from(*revision) {
            assert_eq!(found, value, "{key:?}");
        }
    }
    until("nothing is pending and the counts add up", || {
        let gateways = server.sql("SELECT * FROM gateways ORDER BY gateway_id");
        let number = |row: &serde_json::Value, name: &str| row[name].as_i64().unwrap_or(-1);
        let gateways = gateways.as_array().expect("rows");
        gateways
            .iter()
            .all(|g| {
                number(g, "pending") == 0
                    && number(g, "received") == number(g, "stored") + number(g, "duplicate") + number(g, "dead")
            })
            .then_some(())
    });
}

/// How fast publishers may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as they are acknowledged.
    Own,
    /// As far as the test lets them: a broker that acknowledges without syncing anything takes far more than a debug build
    /// can follow, and the test would wait for the backlog.
    Allowed,
}

/// Publishers under way, and what they were promised.
pub struct Load {
    publishers: Vec<JoinHandle<Acknowledged>>,
    address: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    /// How many readings may have been sent.
    allowed: Arc<AtomicU64>,
    pace: Pace,
}

impl Load {
    pub fn start(address: &str, pace: Pace) -> Self {
        let address = Arc::new(Mutex::new(address.to_owned()));
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let allowed = Arc::new(AtomicU64::new(if pace == Pace::Own { u64::MAX } else { 0 }));
        let publishers = (0..PUBLISHERS)
            .map(|number| {
                let (address, stop, sent, allowed) = (address.clone(), stop.clone(), sent.clone(), allowed.clone());
                std::thread::spawn(move || publish_until_stopped(number, address, &stop, &sent, &allowed))
            })
            .collect();
        Self { publishers, address, stop, sent, allowed, pace }
    }

    pub fn may_go_on_by(&self, readings: u64) {
        self.allowed.fetch_max(self.sent.load(Ordering::Relaxed) + readings, Ordering::Relaxed);
    }

    pub fn goes_on_by(&self, readings: u64) {
        self.may_go_on_by(readings);
        let target = self.sent.load(Ordering::Relaxed) + readings;
        until("the publishers get on", || (self.sent.load(Ordering::Relaxed) >= target).then_some(()));
    }

    pub fn moves_to(&self, address: &str) {
        *self.address.lock().expect("address") = address.to_owned();
    }

    pub fn stop(self) -> Acknowledged {
        self.stop.store(true, Ordering::Relaxed);
        let mut acknowledged = Acknowledged::new();
        for publisher in self.publishers {
            acknowledged.extend(publisher.join().expect("a publisher"));
        }
        assert!(acknowledged.len() > 500, "only {} readings: not a test", acknowledged.len());
        acknowledged
    }
}

/// How often a server is killed; `scripts/soak` asks for the full count.
pub fn kills() -> usize {
    std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

/// Frequent flushes, so that commits and merges of the archive are under way at any time.
const EAGER: [&str; 4] = ["--set", "archive.flush_interval_seconds=1", "--set", "archive.flush_rows=2000"];

/// When a server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Moment {
    AnyTime,
    /// A data file is there that no entry of the log names yet.
    Flush,
    /// An entry of the log is being written, or just was.
    Commit,
    /// Files were merged; what they replace is not deleted yet.
    Compaction,
    /// The next server is killed too, before it has replayed the journal.
    Replay,
}

impl Moment {
    const ALL: [Moment; 5] = [Moment::AnyTime, Moment::Flush, Moment::Commit, Moment::Compaction, Moment::Replay];

    /// Waits until the archive shows it; false when it is long in coming, as a merge on a loaded machine, where the kill
    /// shall come all the same.
    fn comes(self, place: &Place, load: &Load) -> bool {
        let sent = load.sent.load(Ordering::Relaxed);
        if self == Moment::Compaction {
            // Merges wait while readings come faster than they are archived, as they do at a publisher's own pace.
            load.allowed.store(sent, Ordering::Relaxed);
        }
        let is_shown = self.is_shown_soon(place, load, sent);
        if load.pace == Pace::Own {
            load.allowed.store(u64::MAX, Ordering::Relaxed);
        }
        is_shown
    }

    fn is_shown_soon(self, place: &Place, load: &Load, first_allowed: u64) -> bool {
        const PATIENCE: Duration = Duration::from_secs(20);
        /// What a debug build follows without effort.
        const READINGS_PER_SECOND: u64 = 1_000;
        let table = place.data_dir().join("archive/readings");
        let known = names_below(&table);
        let began = Instant::now();
        // No pause: what is waited for is there for milliseconds.
        while !names_below(&table).difference(&known).any(|path| self.is_shown_by(path)) {
            let elapsed = began.elapsed();
            if elapsed > PATIENCE {
                return false;
            }
            let allowed = first_allowed + elapsed.as_millis() as u64 * READINGS_PER_SECOND / 1_000;
            load.allowed.fetch_max(allowed, Ordering::Relaxed);
            std::thread::yield_now();
        }
        true
    }

    fn is_shown_by(self, new: &Path) -> bool {
        let ends = |end: &str| new.to_str().is_some_and(|path| path.ends_with(end));
        match self {
            Moment::AnyTime | Moment::Replay => true,
            Moment::Flush => ends(".parquet"),
            Moment::Commit => ends(".json.tmp") || ends(".json"),
            Moment::Compaction => {
                ends(".json") && std::fs::read_to_string(new).is_ok_and(|entry| entry.contains("OPTIMIZE"))
            }
        }
    }
}

fn names_below(dir: &Path) -> HashSet<PathBuf> {
    let mut names = HashSet::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.extend(names_below(&entry.path()));
        } else {
            names.insert(entry.path());
        }
    }
    names
}

/// Every moment in turn, for the whole number of kills; so a few kills meet as many as they can.
struct Killer {
    rng: SmallRng,
    kills: usize,
    met: HashSet<Moment>,
}

impl Killer {
    fn new(seed: u64) -> Self {
        Self { rng: SmallRng::seed_from_u64(seed), kills: 0, met: HashSet::new() }
    }

    /// Kills a server after some progress, at the next moment, and maybe the one after it.
    fn kill(&mut self, server: Server, load: &Load, place: &Place, settings: &[&str]) {
        let moment = Moment::ALL[self.kills % Moment::ALL.len()];
        self.kills += 1;
        load.goes_on_by(self.rng.random_range(0..3_000));
        let mut is_met = match moment {
            Moment::AnyTime | Moment::Replay => true,
            Moment::Flush | Moment::Commit | Moment::Compaction => moment.comes(place, load),
        };
        server.kill();
        if moment == Moment::Replay {
            is_met = place.start(settings).kill_in_replay();
        }
        if is_met {
            self.met.insert(moment);
        }
    }

    /// After a round of all moments the archive catches up: Mosquitto sends as fast as it can, and kills as soon as the
    /// archive begins would leave it ever farther behind, until a debug build replays for minutes.
    fn rests(&self, server: &Server) {
        if self.kills.is_multiple_of(Moment::ALL.len()) {
            assert_eq!(server.ask("POST", "/api/v1/flush", &[], &[]).0, 204);
        }
    }

    /// A replay of milliseconds may be over before anybody looks, a merge may be late; but not every time.
    fn met_every_moment(&self) {
        eprintln!("{} kills, met {:?}", self.kills, self.met);
        let moments = Moment::ALL.len();
        assert!(self.met.len() == moments || self.kills < 3 * moments, "met only {:?}", self.met);
    }
}

pub fn broker_of(server: &Server) -> &str {
    server.mqtt.trim_start_matches("mqtt://")
}

pub fn place_with_wells() -> Place {
    let place = Place::new();
    let csv = place.file("wells.csv", &wells_csv());
    place.run(&["wells", "import", csv.to_str().expect("a path")]).good();
    place
}

#[test]
fn acknowledged_readings_survive_kills() {
    let place = place_with_wells();
    let mut server = place.serve_with(&EAGER);
    let load = Load::start(broker_of(&server), Pace::Own);
    let mut killer = Killer::new(4711);
    for _ in 0..kills() {
        killer.kill(server, &load, &place, &EAGER);
        server = place.serve_with(&EAGER);
        load.moves_to(broker_of(&server));
    }
    killer.met_every_moment();
    load.goes_on_by(500);
    let acknowledged = load.stop();
    check_conserved(&server, &acknowledged);

    // A clean end, and everything again from what lies on disk.
    let (code, _) = server.terminate();
    assert_eq!(code, Some(0));
    check_conserved(&place.serve_with(&EAGER), &acknowledged);
}

#[test]
fn readings_that_mosquitto_acknowledged_survive_kills_of_gwbank() {
    let place = place_with_wells();
    let mosquitto = Mosquitto::start(place.dir.path());
    let config =
        format!("[[mqtt.external]]\nurl = \"mqtt://{}\"\nclient_id = \"gwbank-conservation\"\n", mosquitto.address);
    let config = place.file("external.toml", &config);
    let settings = [&["--config", config.to_str().expect("a path")], &EAGER[..]].concat();
    let mut server = place.serve_with(&settings);
    // The session must exist before anything is published: before that, a broker owes nothing to a subscriber.
    until("gwbank has subscribed", || (server.ask("GET", "/readyz", &[], &[]).0 == 200).then_some(()));
    let load = Load::start(&mosquitto.address, Pace::Allowed);
    let mut killer = Killer::new(4712);
    for _ in 0..kills() {
        killer.kill(server, &load, &place, &settings);
        load.goes_on_by(killer.rng.random_range(0..500)); // Mosquitto holds these
        server = place.serve_with(&settings);
        killer.rests(&server);
    }
    killer.met_every_moment();
    load.goes_on_by(500);
    let acknowledged = load.stop();
    let keys = acknowledged.len() as i64;
    until("Mosquitto has handed over everything", || {
        let n = &server.sql("SELECT count(*) AS n FROM readings")[0]["n"];
        (n.as_i64()? >= keys).then_some(())
    });
    check_conserved(&server, &acknowledged);
}
