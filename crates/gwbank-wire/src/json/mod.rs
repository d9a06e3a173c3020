//! Native JSON: one object, an array of them, or `{"readings":[…]}`.
//!
//! # A record
//! `well`, `time` (or `age_s`), and either `parameter` + `value` (+ `unit`) or parameters as keys, or both; beside them
//! `status` and `revision`. Keys are compared letter by letter. `null` in a control key is the same as its absence.
//!
//! # Rules
//! 1. A control key (`well`, `time`, `age_s`, `time_source`, `time_raw`, `parameter`, `value`, `unit`, `status`, `revision`)
//!    that is wrong or stands twice costs the record: nothing of it can be read for certain.
//! 2. A parameter key that is wrong or stands twice, or a key that is neither, costs that field only.
//! 3. `unit` speaks of `value`. In a record with parameter keys and no `parameter` it has no meaning, and the record is
//!    refused rather than stored in the wrong unit.
//! 4. `parameter` without `value` is a reading only with `"status": "dry"`.
//! 5. A name that is neither control nor parameter may be one that a device profile maps or ignores; what it ignores is
//!    as if it were not there.
//! 6. Who corrected a time before it sent it says how with `time_source` (`buddhist_era`, `clock_zone`; `device` for none) and
//!    may add the text as it was, as `time_raw`. Imports and the payloads of dead letters are written so ([`write`]).
//!
//! Speed: visitors over `serde_json`, texts borrowed from the payload, one pass, no tree.

mod emit;
mod meaning;
mod record;
mod write;

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use self::meaning::RecentTimes;
use self::record::{Key, KeySeed, Record};
use crate::Reason;
use crate::decode::whole;
use crate::fault::{FaultText, Sink, excerpt, short};
use crate::repair;
use crate::scalar::ScalarSeed;

pub(crate) use self::emit::numeric;
pub(crate) use self::record::is_control_key;
pub use self::write::write;

/// What a record mostly takes at least: so that the list of readings need not grow again and again.
const RECORD_BYTES_USUAL: usize = 96;

pub(crate) fn decode(payload: &[u8], sink: &mut Sink<'_>) {
    let Err(error) = read(payload, sink) else { return };
    // Slow path: JSON cannot say NaN, but many senders do. See `repair`.
    if let Some(repaired) = repair::quote_impossible_numbers(payload) {
        *sink = Sink::new(sink.context);
        if let Err(error) = read(&repaired, sink) {
            unreadable(sink, &error);
        }
        return;
    }
    unreadable(sink, &error);
}

fn unreadable(sink: &mut Sink<'_>, error: &serde_json::Error) {
    let kept = sink.out.readings.len();
    whole(sink, Reason::Unreadable, || {
        let before = if kept == 0 { String::new() } else { format!("; the readings before it ({kept}) were kept") };
        format!("not JSON: {error}{before}")
    });
}

fn read(payload: &[u8], sink: &mut Sink<'_>) -> Result<(), serde_json::Error> {
    sink.out.readings.reserve(payload.len() / RECORD_BYTES_USUAL);
    // Checked once as a whole, the texts in it need not be checked one by one. What is no UTF-8 is read as far as it goes.
    match std::str::from_utf8(payload) {
        Ok(text) => read_from(serde_json::Deserializer::from_str(text), sink),
        Err(_) => read_from(serde_json::Deserializer::from_slice(payload), sink),
    }
}

fn read_from<'de, R: serde_json::de::Read<'de>>(
    mut deserializer: serde_json::Deserializer<R>,
    sink: &mut Sink<'_>,
) -> Result<(), serde_json::Error> {
    let mut native = Native { sink, record: None, shape: Shape::Object, index: 0, times: RecentTimes::default() };
    ElementSeed { native: &mut native, level: Level::Message }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// How the records of a message lie in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Object,
    Array,
    Envelope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Message,
    Record,
}

struct Native<'s, 'c, 'de> {
    sink: &'s mut Sink<'c>,
    /// Reused from record to record, boxed because it is large and moves; away while a record is read.
    record: Option<Box<Record<'de>>>,
    shape: Shape,
    index: usize,
    times: RecentTimes<'de>,
}

/// The message, or one element of its array.
struct ElementSeed<'n, 's, 'c, 'de> {
    native: &'n mut Native<'s, 'c, 'de>,
    level: Level,
}

impl<'de> DeserializeSeed<'de> for ElementSeed<'_, '_, '_, 'de> {
    type Value = ();
    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> ElementSeed<'_, '_, '_, 'de> {
    fn not_an_object<E>(self, kind: &str) -> Result<(), E> {
        let (reason, mend) = match self.level {
            Level::Message => (Reason::Unreadable, "send an object, an array of them, or {\"readings\":[…]}"),
            Level::Record => (Reason::BadRecord, "each reading is an object"),
        };
        let place = self.native.place("");
        self.native.sink.fault(reason, 1, || FaultText {
            place,
            detail: format!("found {kind}: {mend}"),
            subject: String::new(),
        });
        Ok(())
    }
}

impl<'de> Visitor<'de> for ElementSeed<'_, '_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message of readings")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.not_an_object("null")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.not_an_object("true or false")
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.not_an_object("a number")
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.not_an_object("a number")
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.not_an_object("a number")
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.not_an_object("text")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.level == Level::Record {
            while seq.next_element_seed(ScalarSeed::TOP)?.is_some() {}
            return self.not_an_object("an array");
        }
        self.native.shape = Shape::Array;
        self.native.read_elements(&mut seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let native = self.native;
        let mut record = native.record.take().unwrap_or_default();
        record.clear();
        let mut is_envelope = false;
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match key {
                Key::Control(control) => record.set_control(control, map.next_value_seed(ScalarSeed::TOP)?),
                Key::Measured(parameter) => record.set_measured(parameter, map.next_value_seed(ScalarSeed::TOP)?),
                Key::Readings if self.level == Level::Message => {
                    is_envelope = true;
                    native.shape = Shape::Envelope;
                    map.next_value_seed(ReadingsSeed { native: &mut *native })?;
                }
                Key::Readings => {
                    record.unknown.push((Cow::Borrowed("readings"), map.next_value_seed(ScalarSeed::TOP)?));
                }
                Key::Unknown(name) => {
                    record.unknown.push((name, map.next_value_seed(ScalarSeed::TOP)?));
                }
            }
        }
        let nothing_is_left = native.drop_ignored(&mut record) > 0 && record.is_without_measurement();
        if !is_envelope && !nothing_is_left {
            native.finish(&record);
        } else if is_envelope && !nothing_is_left && !record.is_empty() {
            native.beside_readings(&record);
        }
        native.record = Some(record);
        Ok(())
    }
}

/// The array below `readings`.
struct ReadingsSeed<'n, 's, 'c, 'de> {
    native: &'n mut Native<'s, 'c, 'de>,
}

impl<'de> DeserializeSeed<'de> for ReadingsSeed<'_, '_, '_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> ReadingsSeed<'_, '_, '_, 'de> {
    fn not_an_array<E>(self, kind: &str) -> Result<(), E> {
        self.native.sink.fault(Reason::Unreadable, 1, || FaultText {
            place: "readings".to_owned(),
            detail: format!("found {kind}: `readings` is an array of objects"),
            subject: String::new(),
        });
        Ok(())
    }
}

impl<'de> Visitor<'de> for ReadingsSeed<'_, '_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of readings")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.not_an_array("null")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.not_an_array("true or false")
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.not_an_array("a number")
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.not_an_array("a number")
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.not_an_array("a number")
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.not_an_array("text")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(ScalarSeed::TOP)?.is_some() {
            map.next_value_seed(ScalarSeed::TOP)?;
        }
        self.not_an_array("an object")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.native.read_elements(&mut seq)
    }
}

impl<'de> Native<'_, '_, 'de> {
    fn read_elements<A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<(), A::Error> {
        self.index = 0;
        while seq.next_element_seed(ElementSeed { native: &mut *self, level: Level::Record })?.is_some() {
            self.index += 1;
        }
        Ok(())
    }

    fn place(&self, field: &str) -> String {
        let index = self.index;
        match (self.shape, field) {
            (Shape::Object, field) => field.to_owned(),
            (Shape::Array, "") => format!("[{index}]"),
            (Shape::Array, field) => format!("[{index}].{field}"),
            (Shape::Envelope, "") => format!("readings[{index}]"),
            (Shape::Envelope, field) => format!("readings[{index}].{field}"),
        }
    }

    /// Keys beside `readings`: they look as if they spoke for all records, which they do not.
    fn beside_readings(&mut self, record: &Record<'de>) {
        self.shape = Shape::Object;
        let first_unknown = record.unknown.first().map_or("well, time or parameter", |(name, _)| short(name));
        let first_unknown = first_unknown.to_owned();
        self.sink.fault(Reason::UnknownParameter, record.readings(), || FaultText {
            place: String::new(),
            detail: format!("{} stands beside `readings`: put it into each record", excerpt(&first_unknown)),
            subject: format!("/{first_unknown}"),
        });
    }
}
