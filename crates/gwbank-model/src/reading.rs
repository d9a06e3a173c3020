//! A reading by name, as decoders give it, and by number, as the pipeline carries it.

use crate::{
    GatewayIndex, Key, Parameter, QcTests, QualityFlag, Seq, SeriesId, SiteStatus, TimeFormIndex, TimeSource,
    Timestamp, WellId,
};

/// One reading as a decoder understood it: names, canonical unit, resolved time. Not yet durable.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub well: WellId,
    pub parameter: Parameter,
    pub time: Timestamp,
    pub time_source: TimeSource,
    /// In the parameter's canonical unit; `None` is stored as missing. Always finite.
    pub value: Option<f64>,
    pub site_status: Option<SiteStatus>,
    /// Higher wins over lower whatever the order of arrival; 0 when the sender says nothing.
    pub revision: u32,
    /// The time as the sender wrote it, kept where it was corrected.
    pub time_raw: Option<Box<str>>,
}

/// Where a version of a key came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Origin {
    /// Sent by a gateway, an import or a person.
    Received = 0,
    /// The winner as it was, with the quality that it has since its neighbours changed.
    Requalified = 1,
}

/// One version of a reading inside a process. Small and `Copy`: the pipeline moves millions a second.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub series: SeriesId,
    pub gateway: GatewayIndex,
    pub time: Timestamp,
    /// NaN means missing (SQL NULL). Every other value is finite.
    pub value: f64,
    pub seq: Seq,
    pub revision: u32,
    pub qc_tests: QcTests,
    pub quality: QualityFlag,
    pub site_status: Option<SiteStatus>,
    pub time_source: TimeSource,
    pub origin: Origin,
    /// How the sender wrote the time, where it was corrected: gives the text again.
    pub time_form: Option<TimeFormIndex>,
}

const _: () = assert!(size_of::<Row>() <= 48, "rows are moved by the million");

impl Row {
    pub const fn key(&self) -> Key {
        Key { series: self.series, time: self.time }
    }

    pub const fn value(&self) -> Option<f64> {
        if self.value.is_nan() { None } else { Some(self.value) }
    }

    /// Whether both say the same about the world: value and site status. Quality is our judgement, not content, and how
    /// the time was written is the sender's spelling.
    /// 0.0 and −0.0 are the same value; missing equals missing.
    pub fn same_content(&self, other: &Row) -> bool {
        let same_value = self.value == other.value || (self.value.is_nan() && other.value.is_nan());
        same_value && self.site_status == other.site_status
    }

    /// What decides between versions of one key: the sender's revision, then the order of receipt.
    pub const fn precedence(&self) -> (u32, Seq) {
        (self.revision, self.seq)
    }
}
