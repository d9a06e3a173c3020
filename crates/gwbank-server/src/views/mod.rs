//! The public JSON shapes. Field names are those of CONTRACT's tables; changing one is a change of the interface.

mod flags;
mod offices;
mod operation;
mod places;
mod reviews;
mod wells;

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use flags::*;
pub use offices::*;
pub use operation::*;
pub use places::*;
pub use reviews::*;
pub use wells::*;

/// An instant as it leaves: RFC 3339 in Thai time.
pub fn instant(time: Timestamp) -> String {
    time.to_rfc3339(BANGKOK_OFFSET_SECONDS)
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

fn text<T: ToString>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// A part of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// How many there are in all.
    pub total: u64,
    pub items: Vec<T>,
}

/// Who asks, and what the role may.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// `null`: nobody who is known.
    pub name: Option<String>,
    pub role: Option<&'static str>,
    /// Of `view`, `read`, `sql`, `publish`, `review`, `acknowledge`, `administer`.
    pub may: Vec<&'static str>,
    /// Of a session: sent in the header `x-csrf-token` with whatever changes something.
    pub csrf: Option<String>,
    /// Whether anybody could log in with a password.
    pub accounts: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    pub name: String,
    pub password: String,
}

/// A statement to run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlRequest {
    #[schema(example = "SELECT well_id, last_value(value ORDER BY time) FROM readings GROUP BY well_id")]
    pub sql: String,
    /// Every table as gwbank knew it at this instant (RFC 3339 with offset); now when left out.
    #[serde(default)]
    #[schema(example = "2026-05-01T00:00:00+07:00")]
    pub as_known_at: Option<String>,
}

/// An RFC 9457 problem document. Some kinds carry further members.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemView {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
}
