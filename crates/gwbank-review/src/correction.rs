//! What a correction makes of values; pure.

use gwbank_model::Timestamp;
use gwbank_store::{Review, ReviewAction};

/// Sums of decimal fractions keep to this many places, as the sensors' own do.
const PLACES: f64 = 1e9;

/// The value that a review puts in the place of another; `None` where it leaves what is there.
///
/// | action | value |
/// | --- | --- |
/// | `add` | value + amount |
/// | `drift` | value + amount + (amount_end − amount) · (time − from) / (to − from) |
/// | `scale` | value · amount |
/// | `set` | amount, also of a missing value |
///
/// Values are in the parameter's canonical unit, rounded to 10⁻⁹ of it.
///
/// ```
/// # use gwbank_model::{Parameter, Seq, Timestamp, WellId};
/// # use gwbank_store::{Review, ReviewAction, ReviewId};
/// # let at = Timestamp::from_secs;
/// let mut review = Review {
///     action: ReviewAction::Drift,
///     amount: Some(0.0),
///     amount_end: Some(-0.4),
///     from: Some(at(0)),
///     to: Some(at(100)),
///     // who, why, when …
/// #   id: ReviewId(1), well_id: WellId::new("A").unwrap(), parameter: Parameter::DepthToWater, author: String::new(),
/// #   reason: String::new(), seq: Seq::ZERO, created_at: at(0), readings: 0, done_at: None, withdrawal: None,
/// };
/// assert_eq!(gwbank_review::corrected(&review, at(25), Some(3.4)), Some(3.3));
/// assert_eq!(gwbank_review::corrected(&review, at(25), None), None);
/// review.action = ReviewAction::Approve;
/// assert_eq!(gwbank_review::corrected(&review, at(25), Some(3.4)), None);
/// ```
pub fn corrected(review: &Review, time: Timestamp, value: Option<f64>) -> Option<f64> {
    let amount = review.amount?;
    let next = match (review.action, value) {
        (ReviewAction::Add, Some(value)) => value + amount,
        (ReviewAction::Drift, Some(value)) => {
            let (from, to) = review.ends();
            let share = time.micros_since(from) as f64 / to.micros_since(from) as f64;
            value + amount + (review.amount_end? - amount) * share
        }
        (ReviewAction::Scale, Some(value)) => value * amount,
        (ReviewAction::Set, _) => return Some(amount).filter(|_| value != Some(amount)),
        _ => return None,
    };
    let rounded = (next * PLACES).round() / PLACES;
    // Of values too large for the places.
    let next = if rounded.is_finite() { rounded } else { next };
    (value != Some(next)).then_some(next)
}
