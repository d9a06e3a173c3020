//! Limits of the quality tests as they hold, for whoever shows them.

use std::fmt;

use gwbank_model::Timestamp;

use crate::QualityLimitKey;

/// One row of the table `quality_limits`.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveLimit {
    pub key: QualityLimitKey,
    pub value: f64,
    pub unit: Option<String>,
    pub source: LimitSource,
    /// Of limits of the table.
    pub changed_at: Option<Timestamp>,
}

/// Where a limit is from, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitSource {
    Default,
    /// The section `[quality]` of the configuration.
    File,
    /// `gwbank quality limits import`.
    Table,
}

impl LimitSource {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Table => "table",
        }
    }
}

impl fmt::Display for LimitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
