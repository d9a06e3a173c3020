//! What people decide on stretches of series.

use gwbank_store::Review;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::instant;

/// What somebody decides on a stretch of a series.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewRequest {
    pub well_id: String,
    pub parameter: String,
    /// RFC 3339, or a day of Thailand, which is meant whole. Both ends are inside; left out is open.
    pub from: Option<String>,
    pub to: Option<String>,
    /// `approve`, `reject`, `add`, `drift`, `scale` or `set`.
    pub action: String,
    /// In the parameter's unit, but for `scale`.
    pub amount: Option<f64>,
    pub amount_end: Option<f64>,
    /// By default who asks; only an admin may name another.
    pub author: Option<String>,
    pub reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawRequest {
    /// By default who asks; only an admin may name another.
    pub author: Option<String>,
    pub reason: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReviewView {
    pub review_id: i64,
    pub well_id: String,
    pub parameter: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub action: String,
    pub amount: Option<f64>,
    pub amount_end: Option<f64>,
    pub author: String,
    pub reason: String,
    /// In the stretch when it was made; of a correction those that it changes.
    pub readings: u64,
    pub created_at: String,
    /// Missing while corrected values are being written.
    pub done_at: Option<String>,
    pub withdrawn_by: Option<String>,
    pub withdrawn_reason: Option<String>,
    pub withdrawn_at: Option<String>,
}

impl From<&Review> for ReviewView {
    fn from(review: &Review) -> Self {
        let withdrawal = review.withdrawal.as_ref();
        Self {
            review_id: review.id.0,
            well_id: review.well_id.to_string(),
            parameter: review.parameter.name().to_owned(),
            from: review.from.map(instant),
            to: review.to.map(instant),
            action: review.action.name().to_owned(),
            amount: review.amount,
            amount_end: review.amount_end,
            author: review.author.clone(),
            reason: review.reason.clone(),
            readings: review.readings,
            created_at: instant(review.created_at),
            done_at: review.done_at.map(instant),
            withdrawn_by: withdrawal.map(|withdrawal| withdrawal.author.clone()),
            withdrawn_reason: withdrawal.map(|withdrawal| withdrawal.reason.clone()),
            withdrawn_at: withdrawal.map(|withdrawal| instant(withdrawal.at)),
        }
    }
}
