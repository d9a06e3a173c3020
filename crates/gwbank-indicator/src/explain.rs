//! The whole evidence of one number: what stands behind an SGI, a percentile, a class, a drought of a well or of a place.
//!
//! # Rules
//! 1. An explanation lists all that its number is made of, and [`Explanation::recomputed`] makes the number again from this
//!    list alone, to the last bit.
//! 2. What was left out stands beside what was used, with the reason and the counts.
//! 3. No number is an explanation too: the limit that was not reached is told, with what was found.
//! 4. Numbers in formulas have ten digits ([`number`]), so that they can be checked by hand. Tables have fixed widths.
//! 5. English, with long lists summed up, is the [`Display`](std::fmt::Display) of an explanation; [`Explanation::told`]
//!    tells it in Thai, too, and in full. Symbols are the same in both languages, words are not.
//!
//! An explanation judges nothing of its own: class and limits are those of [`standings`](crate::standings),
//! [`judge_well`](crate::judge_well) and [`judge_place`](crate::judge_place).

mod evidence;
mod language;
mod limits;
mod number;
mod place;
mod place_text;
mod text;
mod thai;
mod well;
pub mod words;

pub use evidence::{
    Confidence, Explanation, Extent, Formula, GroupYear, Indicator, Lacks, LeftOut, LeftOutReason, MonthDays, Outcome,
    Weakness, WellRules,
};
pub use language::{Detail, Language, shortened};
pub use limits::{Limit, Relation};
pub use number::number;
pub use place::{Change, PlaceExplanation, PlaceMember, PlaceRule, WellLine, WellPart, explain_place};
pub use well::{WellRecord, explain_well};

#[cfg(test)]
mod tests;
