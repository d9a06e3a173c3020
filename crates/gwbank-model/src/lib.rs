//! The vocabulary of gwbank: what every other crate means by a well, a reading, a quality flag, a sequence.
//!
//! # Glossary
//! - **well** (บ่อ): a place where groundwater is measured; an observation well or a groundwater bank. [`WellId`]
//! - **bank type**: open (ระบบเปิด), closed (ระบบปิด) or observation. Lives in `gwbank-registry`.
//! - **parameter**: what is measured, in one canonical unit. [`Parameter`]
//! - **series**: one parameter of one well; inside a process a dense number. [`SeriesId`], [`SeriesTable`]
//! - **key** of a reading: (well, parameter, time). [`Key`]
//! - **time form**: how a sender writes times; gives the text of a corrected time again. [`TimeForm`]
//! - **version**: one value that a key has had; the highest (revision, seq) is the **winner**. [`versions`]
//! - **seq**: the order in which a node made things durable; also the time of receipt. [`Seq`]
//! - **quality flag**: QARTOD 1, 2, 3, 4, 9. [`QualityFlag`]; **condition flag**: drought, flood, …. [`condition`]
//!
//! # Invariants
//! - No I/O, no clock, no tokio: a clock is a number handed in.
//! - No public JSON shape: `gwbank-server` owns those.

pub mod condition;
mod fingerprint;
mod ids;
mod parameter;
mod reading;
mod runs;
mod seq;
mod series;
mod status;
mod time;
pub mod time_form;
pub mod versions;
mod zone;

pub use fingerprint::fingerprint;
pub use ids::{GatewayId, IdError, WellId};
pub use parameter::{Parameter, UnknownParameter};
pub use reading::{Origin, Reading, Row};
pub use runs::runs_in_order;
pub use seq::{Seq, SeqClock};
pub use series::{GatewayIndex, GatewayTable, Key, KnownSeries, SeriesId, SeriesKey, SeriesTable};
pub use status::{QcTest, QcTests, QualityFlag, SiteStatus, TimeSource, UnknownName};
pub use time::{BANGKOK_OFFSET_SECONDS, Day, Month, MonthCursor, Timestamp};
pub use time_form::{MONTH_NAMES, MONTH_NAMES_TH, TimeForm, TimeFormIndex, TimeForms};
pub use zone::Zone;
