//! The buckets that a group is to have.

use datafusion::common::ScalarValue;
use datafusion::error::Result;

use crate::functions::Cutter;

/// Buckets from a start to before a finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Range {
    cutter: Cutter,
    /// Of the first bucket, in microseconds.
    pub(super) start: i64,
    pub(super) finish: i64,
}

impl Range {
    pub(super) fn new(width: &ScalarValue, zone: Option<&ScalarValue>, start: i64, finish: i64) -> Result<Self> {
        let cutter = Cutter::new(width, zone)?;
        Ok(Self { cutter, start: cutter.start_of(start)?, finish })
    }

    /// The bucket after the one that begins here; `None` where there is none any more.
    pub(super) fn after(&self, start: i64) -> Option<i64> {
        self.cutter.after(start).filter(|next| *next < self.finish)
    }

    pub(super) fn first(&self) -> Option<i64> {
        (self.start < self.finish).then_some(self.start)
    }

    /// How many buckets, at least: months count as long as they can be.
    pub(super) fn count_at_least(&self) -> u64 {
        let span = i128::from(self.finish) - i128::from(self.start);
        let count = span.max(0) / i128::from(self.cutter.micros_at_most());
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}
