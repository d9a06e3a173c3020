//! What the gateways of the model send: corrections, repeats, late data, relative times, unknown wells, nonsense.

use gwbank_model::{Parameter, Timestamp};
use rand::Rng;
use rand::rngs::SmallRng;

use crate::rig::START_SECS;

/// A year and a bit before the clock, so that late data is years from nothing.
const FIRST_SECS: i64 = START_SECS - 400 * 86_400;
const STEP_SECS: i64 = 900;
/// Where late readings lie: some months, so that there are partitions to merge.
const LATE_SLOTS: i64 = 900;

#[derive(Debug, Clone)]
pub struct Sent {
    pub well: String,
    pub parameter: Parameter,
    pub time: Timestamp,
    pub value: Option<f64>,
    pub revision: u32,
}

#[derive(Debug, Clone)]
pub struct Message {
    pub payload: String,
    /// Empty where nothing of it can be read.
    pub readings: Vec<Sent>,
    /// Its times are those of its arrival: sent again it is known by its content.
    pub is_relative: bool,
}

impl Message {
    /// Readings that it counts as; one for nonsense.
    pub fn count(&self) -> u64 {
        (self.readings.len() as u64).max(1)
    }
}

/// One gateway. Its wells are its own, so that the order of its messages is all the order there is.
#[derive(Debug)]
pub struct Gateway {
    pub number: usize,
    next_slot: i64,
    /// Makes payloads and times unique where they must be.
    counter: i64,
}

impl Gateway {
    pub fn new(number: usize) -> Self {
        Self { number, next_slot: 0, counter: 0 }
    }

    pub fn id(&self) -> String {
        format!("gw-{}", self.number)
    }

    pub fn well(&self) -> String {
        format!("W{}", self.number)
    }

    /// Not registered at first.
    pub fn unknown_well(&self) -> String {
        format!("U{}", self.number)
    }

    pub fn message(&mut self, rng: &mut SmallRng, now: Timestamp) -> Message {
        self.counter += 1;
        match rng.random_range(0..20) {
            0 => Message { payload: format!("nonsense {}", self.counter), readings: vec![], is_relative: false },
            1..4 => self.relative(now),
            4..9 => {
                let count = rng.random_range(1..60);
                self.run(count)
            }
            _ => self.mixed(rng),
        }
    }

    /// Readings in order, one after the other.
    pub fn run(&mut self, count: i64) -> Message {
        let first = self.next_slot;
        self.next_slot += count;
        let value = |slot: i64| Some(if slot % 97 == 13 { 60.0 } else { (slot / 40 % 5) as f64 });
        let readings = (first..first + count).map(|slot| self.depth(slot, value(slot), 0)).collect();
        absolute(readings)
    }

    /// Old and new keys of the well and some of the unknown one.
    fn mixed(&mut self, rng: &mut SmallRng) -> Message {
        let mut readings = Vec::new();
        for _ in 0..rng.random_range(1..8) {
            if rng.random_bool(0.15) {
                readings.push(self.unknown());
                continue;
            }
            let slots = if rng.random_bool(0.3) { LATE_SLOTS } else { self.next_slot.clamp(30, LATE_SLOTS) };
            let value = match rng.random_range(0..10) {
                0 => None,
                1 => Some(900.0),
                _ => Some(f64::from(rng.random_range(0..6))),
            };
            let revision = if rng.random_bool(0.15) { rng.random_range(1..3) } else { 0 };
            readings.push(self.depth(rng.random_range(0..slots), value, revision));
        }
        absolute(readings)
    }

    fn depth(&self, slot: i64, value: Option<f64>, revision: u32) -> Sent {
        let time = Timestamp::from_secs(FIRST_SECS + slot * STEP_SECS);
        Sent { well: self.well(), parameter: Parameter::DepthToWater, time, value, revision }
    }

    /// Every key has one value, so that the order in which replayed letters come in does not matter.
    fn unknown(&mut self) -> Sent {
        self.counter += 1;
        let time = Timestamp::from_secs(FIRST_SECS + self.counter * STEP_SECS);
        let value = Some((self.counter % 7) as f64);
        Sent { well: self.unknown_well(), parameter: Parameter::DepthToWater, time, value, revision: 0 }
    }

    fn relative(&self, now: Timestamp) -> Message {
        let age_s = self.counter % 5 * 60;
        let value = self.counter as f64 / 100.0;
        let payload = format!(r#"{{"well":"{}","age_s":{age_s},"water_temperature":{value}}}"#, self.well());
        let time = now.plus_secs(-age_s);
        let parameter = Parameter::WaterTemperature;
        let reading = Sent { well: self.well(), parameter, time, value: Some(value), revision: 0 };
        Message { payload, readings: vec![reading], is_relative: true }
    }
}

fn absolute(readings: Vec<Sent>) -> Message {
    let objects: Vec<String> = readings
        .iter()
        .map(|sent| {
            let value = sent.value.map_or("null".to_owned(), |value| value.to_string());
            let (well, time) = (&sent.well, sent.time.to_rfc3339(0));
            format!(r#"{{"well":"{well}","time":"{time}","depth_to_water":{value},"revision":{}}}"#, sent.revision)
        })
        .collect();
    Message { payload: format!("[{}]", objects.join(",")), readings, is_relative: false }
}
