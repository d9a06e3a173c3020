//! The watch: computes indicators when months change, and keeps the condition flags of wells and places.
//!
//! ```text
//! dirty months ─▶ daily levels ─▶ monthly levels ─▶ indicators ─▶ drought of wells ─▶ districts, provinces ─┐
//!                 (SeriesReader)                                                                            ├▶ WatchCommit
//! level changes ─▶ recent rows ──▶ flood of wells ─▶ subdistricts, districts, provinces ────────────────────┘  (flags,
//!                                                                                          transitions, outbox, marks)
//! closed months ─▶ second look at readings ─▶ findings ─▶ whoever judges readings (SeriesJudge)
//! ```
//!
//! # Rules
//! 1. What is computed is a pure function of the stored series, the registry and the configuration
//!    (`gwbank-indicator`); the watch only decides when, and writes the difference.
//! 2. A change of a flag, its transition and the messages that it owes are one transaction. The book of open flags in
//!    memory follows only after the transaction.
//! 3. A mark of a dirty month is removed in the transaction of its rows, and only if no newer change came meanwhile.
//! 4. Silence never clears a flag: it goes stale. Late data may update or cancel one, with the reason.
//! 5. "Not enough record" is written and said as such; it raises nothing and is never called normal.
//!
//! # Invariants
//! - Series are seen through [`gwbank_store::SeriesReader`] only; no SQL.
//! - The wall clock is asked through [`gwbank_runtime::Clock`]; every `run_*` method works without sleeping.

mod announce;
mod book;
mod config;
mod drought_flags;
mod error;
mod explain;
mod fleet;
mod flood_flags;
mod holds;
mod live;
mod monthly;
mod nearby;
mod parts;
mod place_standing;
mod places;
mod rapid_flags;
mod record;
mod rises;
mod rows;
mod salinity_flags;
mod second_look;
mod series;
mod silence_flags;
mod texts;
mod topics;
mod watch;
mod wells;

pub use config::{Contacts, StandsAtLeast, WatchConfig};
pub use error::WatchError;
pub use explain::explained_names;
pub use fleet::{FleetReport, FleetRules};
pub use gwbank_indicator::explain::{Detail, Explanation, Indicator, Language, PlaceExplanation};
pub use live::LiveReport;
pub use monthly::MonthlyReport;
pub use nearby::{Rain, ReferenceWell};
pub use parts::{LevelChanges, SeriesJudge, WatchParts};
pub use place_standing::ProvinceStanding;
pub use record::{RecordExplanation, RecordIndicator, RecordRules};
pub use rows::place_indicator_names;
pub use second_look::SecondLookReport;
pub use topics::{MQTT_CHANNEL, current_retained, flag_topic};
pub use watch::{Act, Watch, WatchHandle};
