//! The payload of a journal record: one message as it was understood.
//!
//! # Constraints
//! - A record defines its own names: wells and parameters by text, never by a number of this process.
//! - It holds what was decoded, so that a replay after a restart needs no decoder and no registry, and gives what the
//!   first pass gave whatever the configuration says by then.
//! - The payload as it came is kept only where something of it could not be understood.
//!
//! # Format
//! ```text
//! version u8 = 1, or 2 where a reading has the time as it was written │ kind u8 │ body
//! kind 1, message:
//!   fields u8 (bit 0 payload, 1 content hash, 2 settled dead letters, 3 duplicates)
//!   gateway │ topic                                  text = varint length, UTF-8
//!   [content hash u64] [duplicates varint]
//!   [settled: varint n, n × (id zigzag, seq zigzag, readings varint)]
//!   wells: varint n, n × text │ parameters: varint n, n × text
//!   readings: varint n, n × (
//!     name varint = well × number of parameters + parameter │ time zigzag, difference from the one before, µs
//!     fields u8 (bit 0 missing, 1 status, 2 time source, 3 revision, 4 time as written)
//!     [value f64] [status u8] [time source u8] [revision varint] [time as written: text; empty is that of the last one])
//!   faults: varint n, n × (reason │ place │ detail │ subject │ readings varint)
//!   [payload: varint length, bytes]
//! kind 2, mark: no body; takes a place in the order of the journal
//! kind 3, seal: no body; ends a stretch of the ledger here, in a replay too
//! ```
//! Integers and floats of fixed size are little-endian. A reader refuses a version that it does not know; a record has the
//! lowest version that can say it, so that an earlier program refuses no more than it must.

use gwbank_model::{GatewayId, Parameter, Reading, Seq, SiteStatus, TimeSource, Timestamp, WellId};
use gwbank_store::{DeadLetterId, SettledDeadLetter};
use gwbank_wire::{Fault, Reason};
use hashbrown::HashMap;

const VERSION: u8 = 1;
/// Readings may have the time as it was written.
const VERSION_WITH_TIME_RAW: u8 = 2;
const KIND_MESSAGE: u8 = 1;
const KIND_MARK: u8 = 2;
const KIND_SEAL: u8 = 3;

const HAS_PAYLOAD: u8 = 1;
const HAS_CONTENT_HASH: u8 = 2;
const HAS_SETTLED: u8 = 4;
const HAS_DUPLICATES: u8 = 8;

const IS_MISSING: u8 = 1;
const HAS_STATUS: u8 = 2;
const HAS_TIME_SOURCE: u8 = 4;
const HAS_REVISION: u8 = 8;
const HAS_TIME_RAW: u8 = 16;

/// Up to here a search through the names of a message is faster than hashing them.
const LINEAR_SEARCH_MAX: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("record ends too early")]
    Truncated,
    #[error("record version {0} is newer than this program")]
    Version(u8),
    #[error("record kind {0} is unknown")]
    Kind(u8),
    #[error("record has {0} bytes after its end")]
    Trailing(usize),
    #[error("record holds an impossible {0}")]
    Impossible(&'static str),
}

/// What a message brought, after decoding and resolving.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    pub readings: Vec<Reading>,
    pub faults: Vec<Fault>,
    /// Readings known to say nothing new before they were compared with anything stored.
    pub duplicates: u64,
    /// Set where a time was resolved at arrival: a redelivery would give other times and is known by this alone.
    pub content_hash: Option<u64>,
    /// Dead letters of which this came.
    pub settled: Vec<SettledDeadLetter>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    Message { gateway: GatewayId, topic: String, content: Content, payload: Option<Vec<u8>> },
    Mark,
    Seal,
}

/// Encodes a message from borrowed parts.
pub fn encode_message(gateway: &str, topic: &str, content: &Content, payload: Option<&[u8]>) -> Vec<u8> {
    let readings = &content.readings;
    let payload_bytes = payload.map_or(0, <[u8]>::len);
    let mut out = Vec::with_capacity(64 + topic.len() + readings.len() * 14 + payload_bytes);
    let mut fields = 0;
    fields |= if payload.is_some() { HAS_PAYLOAD } else { 0 };
    fields |= if content.content_hash.is_some() { HAS_CONTENT_HASH } else { 0 };
    fields |= if content.settled.is_empty() { 0 } else { HAS_SETTLED };
    fields |= if content.duplicates == 0 { 0 } else { HAS_DUPLICATES };
    out.extend_from_slice(&[VERSION, KIND_MESSAGE, fields]);
    put_text(&mut out, gateway);
    put_text(&mut out, topic);
    if let Some(hash) = content.content_hash {
        out.extend_from_slice(&hash.to_le_bytes());
    }
    if content.duplicates > 0 {
        put_varint(&mut out, content.duplicates);
    }
    if !content.settled.is_empty() {
        put_varint(&mut out, content.settled.len() as u64);
        for settled in &content.settled {
            put_zigzag(&mut out, settled.id.0);
            put_zigzag(&mut out, settled.seq.as_i64());
            put_varint(&mut out, settled.readings);
        }
    }
    out[0] = put_readings(&mut out, readings);
    put_varint(&mut out, content.faults.len() as u64);
    for fault in &content.faults {
        for text in [fault.reason.name(), &fault.place, &fault.detail, &fault.subject] {
            put_text(&mut out, text);
        }
        put_varint(&mut out, fault.readings);
    }
    if let Some(payload) = payload {
        put_varint(&mut out, payload.len() as u64);
        out.extend_from_slice(payload);
    }
    out
}

/// A record that only takes a place in the journal's order.
pub fn encode_mark() -> Vec<u8> {
    vec![VERSION, KIND_MARK]
}

/// A record that ends a stretch of the ledger.
pub fn encode_seal() -> Vec<u8> {
    vec![VERSION, KIND_SEAL]
}

/// Reads a record; any bytes give a record or an error, never a panic.
pub fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    let mut input = Input(bytes);
    let version = input.byte()?;
    if !(VERSION..=VERSION_WITH_TIME_RAW).contains(&version) {
        return Err(RecordError::Version(version));
    }
    let record = match input.byte()? {
        KIND_MESSAGE => decode_message(&mut input)?,
        KIND_MARK => Record::Mark,
        KIND_SEAL => Record::Seal,
        kind => return Err(RecordError::Kind(kind)),
    };
    match input.0.len() {
        0 => Ok(record),
        rest => Err(RecordError::Trailing(rest)),
    }
}

/// For a fuzzer: decoding arbitrary bytes never panics, and what decodes encodes to something that decodes alike.
pub fn fuzz_record(bytes: &[u8]) {
    if let Ok(Record::Message { gateway, topic, content, payload }) = decode(bytes) {
        let again = encode_message(gateway.as_str(), &topic, &content, payload.as_deref());
        let Ok(Record::Message { content: same, .. }) = decode(&again) else { panic!("own encoding is refused") };
        assert_eq!(same.readings.len(), content.readings.len());
        assert_eq!(same.faults, content.faults);
    }
}

/// Gives the lowest version that can say them.
fn put_readings(out: &mut Vec<u8>, readings: &[Reading]) -> u8 {
    let mut wells = Names::default();
    let mut parameters: Vec<Parameter> = Vec::new();
    let names: Vec<(u32, u32)> = readings
        .iter()
        .map(|reading| {
            let well = wells.number(reading.well.as_str());
            let parameter = match parameters.iter().position(|p| *p == reading.parameter) {
                Some(known) => known,
                None => {
                    parameters.push(reading.parameter);
                    parameters.len() - 1
                }
            };
            (well, parameter as u32)
        })
        .collect();
    put_varint(out, wells.names.len() as u64);
    for well in &wells.names {
        put_text(out, well);
    }
    put_varint(out, parameters.len() as u64);
    for parameter in &parameters {
        put_text(out, parameter.name());
    }
    put_varint(out, readings.len() as u64);
    let mut time_before = 0i64;
    let mut time_raw_before = "";
    for (reading, (well, parameter)) in readings.iter().zip(names) {
        put_varint(out, u64::from(well) * parameters.len() as u64 + u64::from(parameter));
        let time = reading.time.as_micros();
        put_zigzag(out, time.wrapping_sub(time_before));
        time_before = time;
        let mut fields = 0;
        fields |= if reading.value.is_none() { IS_MISSING } else { 0 };
        fields |= if reading.site_status.is_some() { HAS_STATUS } else { 0 };
        fields |= if reading.time_source == TimeSource::Device { 0 } else { HAS_TIME_SOURCE };
        fields |= if reading.revision == 0 { 0 } else { HAS_REVISION };
        fields |= if reading.time_raw.is_none() { 0 } else { HAS_TIME_RAW };
        out.push(fields);
        if let Some(value) = reading.value {
            out.extend_from_slice(&value.to_le_bytes());
        }
        if let Some(status) = reading.site_status {
            out.push(status.code());
        }
        if reading.time_source != TimeSource::Device {
            out.push(reading.time_source.code());
        }
        if reading.revision != 0 {
            put_varint(out, u64::from(reading.revision));
        }
        if let Some(time_raw) = &reading.time_raw {
            put_text(out, if **time_raw == *time_raw_before { "" } else { time_raw });
            time_raw_before = time_raw;
        }
    }
    if time_raw_before.is_empty() { VERSION } else { VERSION_WITH_TIME_RAW }
}

/// Numbers for the wells of one message, in order of first sight.
#[derive(Default)]
struct Names<'a> {
    names: Vec<&'a str>,
    last: u32,
    by_name: HashMap<&'a str, u32>,
}

impl<'a> Names<'a> {
    fn number(&mut self, name: &'a str) -> u32 {
        // Readings of one well mostly stand together.
        if self.names.get(self.last as usize).is_some_and(|last| *last == name) {
            return self.last;
        }
        let known = if self.names.len() <= LINEAR_SEARCH_MAX {
            self.names.iter().position(|n| *n == name).map(|n| n as u32)
        } else {
            if self.by_name.is_empty() {
                self.by_name.extend(self.names.iter().enumerate().map(|(n, name)| (*name, n as u32)));
            }
            self.by_name.get(name).copied()
        };
        self.last = known.unwrap_or_else(|| {
            let number = self.names.len() as u32;
            self.names.push(name);
            if !self.by_name.is_empty() {
                self.by_name.insert(name, number);
            }
            number
        });
        self.last
    }
}

fn decode_message(input: &mut Input<'_>) -> Result<Record, RecordError> {
    let fields = input.byte()?;
    let gateway = GatewayId::new(input.text()?).map_err(|_| RecordError::Impossible("gateway id"))?;
    let topic = input.text()?.to_owned();
    let content_hash = if fields & HAS_CONTENT_HASH != 0 { Some(u64::from_le_bytes(input.array()?)) } else { None };
    let duplicates = if fields & HAS_DUPLICATES != 0 { input.varint()? } else { 0 };
    let mut settled = Vec::new();
    if fields & HAS_SETTLED != 0 {
        for _ in 0..input.varint()? {
            let id = DeadLetterId(input.zigzag()?);
            let seq = Seq::from_i64(input.zigzag()?);
            settled.push(SettledDeadLetter { id, seq, readings: input.varint()? });
        }
    }
    let readings = decode_readings(input)?;
    let mut faults = Vec::new();
    for _ in 0..input.varint()? {
        faults.push(Fault {
            reason: Reason::from_name(input.text()?).ok_or(RecordError::Impossible("reason"))?,
            place: input.text()?.to_owned(),
            detail: input.text()?.to_owned(),
            subject: input.text()?.to_owned(),
            readings: input.varint()?,
        });
    }
    let payload = if fields & HAS_PAYLOAD != 0 {
        let length = input.length()?;
        Some(input.take(length)?.to_vec())
    } else {
        None
    };
    let content = Content { readings, faults, duplicates, content_hash, settled };
    Ok(Record::Message { gateway, topic, content, payload })
}

fn decode_readings(input: &mut Input<'_>) -> Result<Vec<Reading>, RecordError> {
    let mut wells = Vec::new();
    for _ in 0..input.varint()? {
        wells.push(WellId::new(input.text()?).map_err(|_| RecordError::Impossible("well id"))?);
    }
    let mut parameters = Vec::new();
    for _ in 0..input.varint()? {
        parameters.push(Parameter::from_name(input.text()?).ok_or(RecordError::Impossible("parameter"))?);
    }
    let count = input.varint()?;
    // A reading takes at least three bytes: a count that lies reserves no more than the record is long.
    let mut readings = Vec::with_capacity(usize::try_from(count).unwrap_or(usize::MAX).min(input.0.len() / 3));
    let mut time = 0i64;
    let mut time_raw_before = "";
    for _ in 0..count {
        let name = input.varint()?;
        let width = (parameters.len() as u64).max(1);
        let well = usize::try_from(name / width).ok().and_then(|n| wells.get(n));
        let parameter = parameters.get((name % width) as usize);
        let (Some(well), Some(parameter)) = (well, parameter) else { return Err(RecordError::Impossible("name")) };
        time = time.wrapping_add(input.zigzag()?);
        let fields = input.byte()?;
        let value = if fields & IS_MISSING != 0 { None } else { Some(f64::from_le_bytes(input.array()?)) };
        if value.is_some_and(|v| !v.is_finite()) {
            return Err(RecordError::Impossible("value"));
        }
        let site_status = if fields & HAS_STATUS != 0 {
            Some(SiteStatus::from_code(input.byte()?).ok_or(RecordError::Impossible("site status"))?)
        } else {
            None
        };
        let time_source = if fields & HAS_TIME_SOURCE != 0 {
            TimeSource::from_code(input.byte()?).ok_or(RecordError::Impossible("time source"))?
        } else {
            TimeSource::Device
        };
        let revision = if fields & HAS_REVISION != 0 {
            u32::try_from(input.varint()?).map_err(|_| RecordError::Impossible("revision"))?
        } else {
            0
        };
        let time_raw = if fields & HAS_TIME_RAW != 0 {
            let text = input.text()?;
            time_raw_before = if text.is_empty() { time_raw_before } else { text };
            if time_raw_before.is_empty() {
                return Err(RecordError::Impossible("time"));
            }
            Some(Box::from(time_raw_before))
        } else {
            None
        };
        readings.push(Reading {
            well: well.clone(),
            parameter: *parameter,
            time: Timestamp::from_micros(time),
            time_source,
            value,
            site_status,
            revision,
            time_raw,
        });
    }
    Ok(readings)
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(RecordError::Truncated)?;
        self.0 = tail;
        Ok(head)
    }
    fn byte(&mut self) -> Result<u8, RecordError> {
        Ok(self.take(1)?[0])
    }
    fn array(&mut self) -> Result<[u8; 8], RecordError> {
        self.take(8)?.try_into().map_err(|_| RecordError::Truncated)
    }
    fn varint(&mut self) -> Result<u64, RecordError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(RecordError::Impossible("integer"))
    }
    fn zigzag(&mut self) -> Result<i64, RecordError> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
    fn length(&mut self) -> Result<usize, RecordError> {
        usize::try_from(self.varint()?).map_err(|_| RecordError::Truncated)
    }
    fn text(&mut self) -> Result<&'a str, RecordError> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| RecordError::Impossible("text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reading() -> impl Strategy<Value = Reading> {
        (
            0u8..20,
            proptest::sample::select(Parameter::ALL.to_vec()),
            any::<i64>(),
            proptest::option::of(-1e9f64..1e9),
            proptest::option::of(proptest::sample::select(SiteStatus::ALL.to_vec())),
            proptest::sample::select(TimeSource::ALL.to_vec()),
            prop_oneof![Just(0u32), any::<u32>()],
            proptest::option::of("a|[^a].{0,20}"),
        )
            .prop_map(|(well, parameter, time, value, site_status, time_source, revision, time_raw)| Reading {
                well: WellId::new(&format!("บ่อ-{well}")).unwrap(),
                parameter,
                time: Timestamp::from_micros(time),
                time_source,
                value,
                site_status,
                revision,
                time_raw: time_raw.map(String::into_boxed_str),
            })
    }

    fn fault() -> impl Strategy<Value = Fault> {
        let reason = proptest::sample::select(Reason::ALL.to_vec());
        (reason, ".{0,20}", ".{0,40}", ".{0,20}", any::<u64>())
            .prop_map(|(reason, place, detail, subject, readings)| Fault { reason, place, detail, subject, readings })
    }

    fn settled() -> impl Strategy<Value = SettledDeadLetter> {
        (any::<i64>(), any::<i64>(), any::<u64>()).prop_map(|(id, seq, readings)| SettledDeadLetter {
            id: DeadLetterId(id),
            seq: Seq::from_i64(seq),
            readings,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            readings in proptest::collection::vec(reading(), 0..60),
            faults in proptest::collection::vec(fault(), 0..4),
            settled in proptest::collection::vec(settled(), 0..3),
            content_hash in proptest::option::of(any::<u64>()),
            duplicates in prop_oneof![Just(0u64), any::<u64>()],
            payload in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..50)),
            topic in ".{0,30}",
        ) {
            let content = Content { readings, faults, duplicates, content_hash, settled };
            let bytes = encode_message("gw-1", &topic, &content, payload.as_deref());
            let gateway = GatewayId::new("gw-1").unwrap();
            prop_assert_eq!(decode(&bytes), Ok(Record::Message { gateway, topic, content, payload }));
            for end in 0..bytes.len() {
                prop_assert!(decode(&bytes[..end]).is_err());
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            fuzz_record(&bytes);
            if bytes.len() > 2 {
                (bytes[0], bytes[1]) = (VERSION_WITH_TIME_RAW, KIND_MESSAGE);
                fuzz_record(&bytes);
            }
        }
    }

    #[test]
    fn a_reading_more_of_the_same_series_takes_few_bytes() {
        let at = |n: i64| Reading {
            well: WellId::new("TH3001-0007").unwrap(),
            parameter: Parameter::DepthToWater,
            time: Timestamp::from_secs(1_700_000_000 + n * 900),
            time_source: TimeSource::Device,
            value: Some(3.42),
            site_status: None,
            revision: 0,
            time_raw: None,
        };
        let bytes = |n: i64| {
            let content = Content { readings: (0..n).map(at).collect(), ..Content::default() };
            encode_message("gw", "gwbank/v1/gw/readings", &content, None).len()
        };
        assert!(bytes(100) - bytes(99) <= 15, "{}", bytes(100) - bytes(99));
    }

    #[test]
    fn records_of_earlier_programs_are_read_and_new_ones_are_theirs_where_they_can_be() {
        let text: Box<str> = "2569-11-23T10:15:00+07:00".into();
        let at = |time_raw: Option<&Box<str>>| Reading {
            well: WellId::new("W-1").unwrap(),
            parameter: Parameter::DepthToWater,
            time: Timestamp::from_secs(1_795_403_700),
            time_source: TimeSource::BuddhistEra,
            value: Some(3.5),
            site_status: None,
            revision: 0,
            time_raw: time_raw.cloned(),
        };
        let encoded =
            |readings: Vec<Reading>| encode_message("gw", "t", &Content { readings, ..Content::default() }, None);
        let without = encoded(vec![at(None)]);
        let from_before: &[u8] = &[
            1, 1, 0, 2, b'g', b'w', 1, b't', 1, 3, b'W', b'-', b'1', 1, 14, b'd', b'e', b'p', b't', b'h', b'_', b't',
            b'o', b'_', b'w', b'a', b't', b'e', b'r', 1, 0, 0x80, 0xd4, 0xa2, 0xfc, 0x9f, 0xba, 0xb0, 0x06, 4, 0, 0, 0,
            0, 0, 0, 0x0c, 0x40, 2, 0,
        ];
        assert_eq!(without, from_before);
        let with = encoded(vec![at(Some(&text)), at(Some(&text))]);
        assert_eq!((without[0], with[0]), (VERSION, VERSION_WITH_TIME_RAW));
        assert_eq!(with.windows(text.len()).filter(|bytes| *bytes == text.as_bytes()).count(), 1, "written once");
        let Ok(Record::Message { content, .. }) = decode(&with) else { panic!("own encoding is refused") };
        assert_eq!(content.readings, [at(Some(&text)), at(Some(&text))]);
    }

    #[test]
    fn a_mark_a_seal_and_strange_records() {
        assert_eq!(decode(&encode_mark()), Ok(Record::Mark));
        assert_eq!(decode(&encode_seal()), Ok(Record::Seal));
        assert_eq!(decode(&[9, 1]), Err(RecordError::Version(9)));
        assert_eq!(decode(&[1, 7]), Err(RecordError::Kind(7)));
        assert_eq!(decode(&[1, 2, 0]), Err(RecordError::Trailing(1)));
    }
}
