//! What a pipeline is told when it is opened.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gwbank_journal::JournalConfig;
use gwbank_model::{BANGKOK_OFFSET_SECONDS, GatewayId, Timestamp};
use gwbank_quality::overrides::QualityOverrides;
use gwbank_wire::{Context, DEFAULT_SENTINELS, DeviceProfiles, FUTURE_TOLERANCE_MICROS, SourceKind};

use crate::IngestError;

/// Least memory of the window: below this a single large message would hold up everything.
const WINDOW_BYTES_MIN: usize = 1 << 16;
/// The same of the ledger.
const LEDGER_BYTES_MIN: usize = 1 << 16;
/// A stretch is accounted for once it takes this share of the ledger: so that one transaction is never all of it.
const LEDGER_STRETCHES: usize = 8;

#[derive(Debug, Clone)]
pub struct PipelineConfig {
    pub journal: JournalConfig,
    /// Memory of the recent window. Evicted down to it once archived; a quarter more and acknowledgements wait.
    pub window_bytes_max: usize,
    /// Memory of what is not yet accounted for in archive and metadata beside the readings themselves: dead letters with
    /// their payloads, readings older than the window, marks. Beyond it acknowledgements wait.
    pub ledger_bytes_max: usize,
    /// How much of the window is filled from the archive at start.
    pub warm_bytes_max: usize,
    /// Readings are archived at the latest this long after their receipt.
    pub flush_interval: Duration,
    /// Readings are archived at once when so many wait; also the most of one commit, but for a last group.
    pub flush_rows: u64,
    /// The calendar in which months are dirty.
    pub calendar_offset_seconds: i32,
    pub decode: DecodeConfig,
    /// Limits of the quality tests that differ from the defaults.
    pub quality: Arc<QualityOverrides>,
    /// Where to remember what is needed to start while archive and metadata are away; for those that can be.
    pub last_known_dir: Option<PathBuf>,
    /// Of what is archived the journal keeps so much: an archive that comes back as it was a while ago lacks nothing then.
    pub journal_kept_for: Duration,
}

impl PipelineConfig {
    pub fn new(journal: JournalConfig) -> Self {
        Self {
            journal,
            window_bytes_max: 1 << 30,
            ledger_bytes_max: 1 << 28,
            warm_bytes_max: 1 << 29,
            flush_interval: Duration::from_secs(5),
            flush_rows: 500_000,
            calendar_offset_seconds: BANGKOK_OFFSET_SECONDS,
            decode: DecodeConfig::default(),
            quality: Arc::default(),
            last_known_dir: None,
            journal_kept_for: Duration::ZERO,
        }
    }

    pub(crate) fn seal_bytes(&self) -> usize {
        self.ledger_bytes_max / LEDGER_STRETCHES
    }

    pub(crate) fn validated(self) -> Result<Self, IngestError> {
        let refuse = |setting, problem: &str| Err(IngestError::Config { setting, problem: problem.to_owned() });
        if self.window_bytes_max < WINDOW_BYTES_MIN {
            return refuse("window_bytes_max", "must be at least 65536");
        }
        if self.ledger_bytes_max < LEDGER_BYTES_MIN {
            return refuse("ledger_bytes_max", "must be at least 65536");
        }
        if self.flush_rows == 0 {
            return refuse("flush_rows", "must be at least 1");
        }
        if self.flush_interval.is_zero() {
            return refuse("flush_interval", "must be longer than 0");
        }
        Ok(self)
    }
}

/// The time rules, sentinels and vendors' fields of live messages.
#[derive(Debug, Clone)]
pub struct DecodeConfig {
    /// Seconds east of UTC of the clocks of gateways that send times without offset.
    pub clock_zones: HashMap<GatewayId, i32>,
    /// Of live messages; imports take any past.
    pub earliest_time: Option<Timestamp>,
    pub future_tolerance_micros: i64,
    pub sentinels: Vec<f64>,
    pub profiles: DeviceProfiles,
}

impl Default for DecodeConfig {
    fn default() -> Self {
        Self {
            clock_zones: HashMap::new(),
            earliest_time: Some(Context::EARLIEST_LIVE),
            future_tolerance_micros: FUTURE_TOLERANCE_MICROS,
            sentinels: DEFAULT_SENTINELS.to_vec(),
            profiles: DeviceProfiles::default(),
        }
    }
}

impl DecodeConfig {
    /// What holds for a message of a gateway that arrives now.
    pub fn context<'a>(&'a self, gateway: &'a GatewayId, source: SourceKind, now: Timestamp) -> Context<'a> {
        Context {
            now,
            source,
            clock_zone: self.clock_zones.get(gateway).copied(),
            earliest_time: if source == SourceKind::Live { self.earliest_time } else { None },
            sentinels: &self.sentinels,
            future_tolerance_micros: self.future_tolerance_micros,
            profiles: self.profiles.of(gateway.as_str()),
        }
    }
}
