//! Ingest: sources, acknowledgements, the pipeline, the archive writer.
//!
//! ```text
//! embedded broker ┐
//! external broker ┼▶ decode ─▶ resolve ─▶ journal ─▶ applier ─▶ window ─▶ acknowledgement
//! HTTP, import    ┘  (in the caller's task)  (thread)   (thread)    └─▶ archive writer ─▶ archive, metadata
//! ```
//!
//! Start with [`Pipeline::open`] and [`Pipeline::ingest`]; then [`embedded`], [`external`] and [`publisher`].
//!
//! # Invariants
//! - An acknowledgement is given for what is durable **and** applied, and for nothing else: it waits for a receipt, which
//!   only the applier gives, for what only the journal can call durable.
//! - Every message ends as stored, duplicate or dead; counted in readings, received = stored + duplicate + dead + pending.
//! - Nothing is dropped when a bound is reached: sources wait, HTTP is told so.
//! - Only this crate names rumqttc and mqtt5.

mod config;
mod error;
mod fault;
mod message;

pub mod record;

mod resolve;

mod applier;
mod changes;
mod clock_offset;
mod context;
mod dead_message;
mod gate;
mod judge;
mod last_known;
mod ledger;
mod merged;
mod metrics;
mod repeats;

mod settle;
mod writer;

mod quality_findings;
mod quality_limits;
mod rejudge;
mod reviews;

mod open;
mod pipeline;
mod warm;

mod dead_letters;
mod registry_changes;
mod share;
mod status;

mod mqtt;

pub use changes::{LevelChanges, SensorChange, SensorChanges};
pub use config::{DecodeConfig, PipelineConfig};
pub use dead_letters::DeadLetterReport;
pub use error::IngestError;
pub use gwbank_wire::{DeviceProfile, DeviceProfiles, Fault, FieldReading, FieldRule, Format, Reason, SourceKind};
pub use message::{GatewayRow, Message, MessageContent, Receipt};
pub use metrics::IngestMetrics;
pub use mqtt::{BrokerProblem, check_ca_file, embedded, external, publisher};
pub use open::JournalHost;
pub use pipeline::{Pipeline, PipelineParts, PipelineStatus, ReadingsOptions};
pub use quality_limits::LimitsApplied;
pub use rejudge::RejudgeProgress;
pub use status::{status_payload, status_topic};
