//! What a decoder must know beside the payload.

use gwbank_model::{Timestamp, named_enum};

use crate::profile::GatewayProfiles;

named_enum! {
    /// How a payload is written. The names are those of `gwbank explain` and of a stored dead letter.
    Format, "format" {
        Json = 1, "json";
        SenmlJson = 2, "senml_json";
        SenmlCbor = 3, "senml_cbor";
    }
}

impl Format {
    /// SenML on one topic may be JSON or CBOR; a CBOR pack starts with an array header or the self-description tag,
    /// neither of which can start a JSON text.
    pub fn of_senml(payload: &[u8]) -> Format {
        match payload.first() {
            Some(0x80..=0x9f | 0xd9) => Format::SenmlCbor,
            _ => Format::SenmlJson,
        }
    }
}

named_enum! {
    /// Where a message comes from.
    SourceKind, "source kind" {
        /// A gateway that speaks now.
        Live = 1, "live";
        /// A file, or the replay of one.
        Import = 2, "import";
    }
}

/// −9999 of loggers, and 65535 of 16-bit registers that were never written.
pub const DEFAULT_SENTINELS: &[f64] = &[-9999.0, 65535.0];

/// How far ahead of the server a device's clock may be.
pub const FUTURE_TOLERANCE_MICROS: i64 = 10 * 60 * 1_000_000;

/// What holds for one message.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The instant of arrival; relative times count from it.
    pub now: Timestamp,
    pub source: SourceKind,
    /// Seconds east of UTC that times without offset are in, where the gateway's configuration says so.
    pub clock_zone: Option<i32>,
    /// Readings before it are `clock` faults; `None` accepts any past since [`Context::EARLIEST`].
    pub earliest_time: Option<Timestamp>,
    /// Values, as sent, that mean "no value".
    pub sentinels: &'a [f64],
    /// Readings more than this after `now` are `clock` faults; `i64::MAX` accepts any future.
    pub future_tolerance_micros: i64,
    /// What vendors' fields mean at this gateway; `None` where nothing is configured.
    pub profiles: Option<GatewayProfiles<'a>>,
}

impl Context<'static> {
    /// 1700-01-01T00:00:00Z: nobody measured groundwater before. An earlier time is a year of two digits or a slip, and much
    /// software counts nanoseconds, which began in 1677.
    pub const EARLIEST: Timestamp = Timestamp::from_secs(-8_520_336_000);

    /// 2015-01-01T00:00:00Z, the default of `ingest.earliest_time`.
    pub const EARLIEST_LIVE: Timestamp = Timestamp::from_secs(1_420_070_400);

    /// A live message at `now` with every default.
    pub const fn live(now: Timestamp) -> Self {
        Context {
            now,
            source: SourceKind::Live,
            clock_zone: None,
            earliest_time: Some(Self::EARLIEST_LIVE),
            sentinels: DEFAULT_SENTINELS,
            future_tolerance_micros: FUTURE_TOLERANCE_MICROS,
            profiles: None,
        }
    }

    /// An import at `now`: any past since [`Self::EARLIEST`] is accepted, the future is not.
    pub const fn import(now: Timestamp) -> Self {
        Context { source: SourceKind::Import, earliest_time: None, ..Self::live(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senml_cbor_is_told_from_json_by_its_first_byte() {
        for (payload, format) in [
            (&b"[{}]"[..], Format::SenmlJson),
            (b" \n[", Format::SenmlJson),
            (b"\xef\xbb\xbf[", Format::SenmlJson),
            (b"", Format::SenmlJson),
            (b"\x81\xa1", Format::SenmlCbor),
            (b"\x9f\xff", Format::SenmlCbor),
            (b"\x98\x20", Format::SenmlCbor),
            (b"\xd9\xd9\xf7\x80", Format::SenmlCbor),
        ] {
            assert_eq!(Format::of_senml(payload), format, "{payload:?}");
        }
    }
}
