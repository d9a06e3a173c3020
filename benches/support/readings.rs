//! Messages as gateways write them, made so cheaply that the maker is not what is measured.
//!
//! Text is written once; of each message only the times are new. A connection's wells take turns; each message carries on
//! where the last one of its wells ended, every 15 minutes, so that every reading is new, in order and plausible.

use gwbank_model::{Timestamp, WellId};
use gwbank_registry::{BankType, Well};

pub const STEP_SECS: i64 = 900;
/// Values repeat after so many steps: eight hours of a tide.
const TIDE_STEPS: usize = 32;
const TIME_BYTES: usize = "2026-11-23T10:15:00+07:00".len();
const OFFSET_SECONDS: i32 = 7 * 3600;

/// What the messages of one connection look like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub connections: usize,
    /// That a connection speaks for.
    pub wells: usize,
    pub wells_per_message: usize,
    pub steps_per_message: usize,
}

impl Shape {
    /// 100 readings: 25 wells of the gateway's 100, an hour each.
    pub const BATCHES: Shape = Shape { connections: 20, wells: 100, wells_per_message: 25, steps_per_message: 4 };
    pub const SINGLE: Shape = Shape { connections: 200, wells: 5, wells_per_message: 1, steps_per_message: 1 };

    pub const fn readings_per_message(&self) -> usize {
        self.wells_per_message * self.steps_per_message
    }

    pub fn registry(&self) -> Vec<Well> {
        let wells = (0..self.connections).flat_map(|c| (0..self.wells).map(move |well| well_id(c, well)));
        wells.map(|id| registered(&id)).collect()
    }
}

pub fn well_id(connection: usize, well: usize) -> String {
    format!("TH{:04}-{:04}", 1001 + connection, well)
}

pub fn registered(id: &str) -> Well {
    Well::new(WellId::new(id).expect("a valid id"), "30", BankType::Observation)
}

pub fn topic(connection: usize) -> String {
    format!("gwbank/v1/gw-{connection}/readings")
}

struct Template {
    text: Vec<u8>,
    /// Where times stand, and which step of the message each is.
    times: Vec<(usize, usize)>,
}

/// The endless messages of one connection.
pub struct Messages {
    shape: Shape,
    start_secs: i64,
    /// One after another: every group of wells at every state of the tide.
    templates: Vec<Template>,
    groups: usize,
    next: usize,
}

impl Messages {
    pub fn new(connection: usize, shape: Shape, start: Timestamp) -> Self {
        let groups = shape.wells / shape.wells_per_message;
        let tides = TIDE_STEPS / shape.steps_per_message;
        let mut templates = Vec::with_capacity(groups * tides);
        for tide in 0..tides {
            for group in 0..groups {
                templates.push(template(connection, shape, group, tide * shape.steps_per_message));
            }
        }
        Self { shape, start_secs: start.as_secs(), templates, groups, next: 0 }
    }

    /// The next payload; the bytes are good until the one after.
    pub fn next_payload(&mut self) -> &[u8] {
        let round = self.next / self.groups;
        let index = self.next % self.templates.len();
        self.next += 1;
        let first = self.start_secs + (round * self.shape.steps_per_message) as i64 * STEP_SECS;
        let texts: Vec<String> = (0..self.shape.steps_per_message)
            .map(|step| Timestamp::from_secs(first + step as i64 * STEP_SECS).to_rfc3339(OFFSET_SECONDS))
            .collect();
        let template = &mut self.templates[index];
        for (place, step) in &template.times {
            template.text[*place..*place + TIME_BYTES].copy_from_slice(texts[*step].as_bytes());
        }
        &template.text
    }
}

fn template(connection: usize, shape: Shape, group: usize, first_step: usize) -> Template {
    let mut text = Vec::new();
    let mut times = Vec::new();
    for well in 0..shape.wells_per_message {
        let well = group * shape.wells_per_message + well;
        for step in 0..shape.steps_per_message {
            let turn = (first_step + step) as f64 / TIDE_STEPS as f64 * std::f64::consts::TAU;
            let value = 3.0 + well as f64 * 0.037 + turn.sin() * 0.05;
            text.extend_from_slice(if text.is_empty() { b"[{" } else { b",{" });
            text.extend_from_slice(format!(r#""well":"{}","time":""#, well_id(connection, well)).as_bytes());
            times.push((text.len(), step));
            text.resize(text.len() + TIME_BYTES, b'0');
            text.extend_from_slice(format!(r#"","parameter":"depth_to_water","value":{value:.3}}}"#).as_bytes());
        }
    }
    text.push(b']');
    Template { text, times }
}
