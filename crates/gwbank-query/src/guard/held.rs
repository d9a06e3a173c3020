//! Rows that a window function keeps, which its operator does not account for.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::{WindowFrameBound, WindowFrameUnits};
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_expr::window::WindowExpr;
use datafusion::scalar::ScalarValue;
use parking_lot::Mutex;

use super::measure::{batch_bytes, widest};

/// A window that reaches back further keeps about all of its rows.
const REACH_ROWS: i64 = 100_000;

/// What went into the window of each partition and has not come out.
#[derive(Debug)]
pub(super) struct HeldRows {
    partitions: Vec<Mutex<Held>>,
    keeps_what_left: bool,
}

#[derive(Debug, Default)]
struct Held {
    rows: usize,
    bytes: usize,
    reservation: Option<MemoryReservation>,
}

impl HeldRows {
    pub(super) fn new(partitions: usize, expressions: &[Arc<dyn WindowExpr>]) -> Self {
        Self {
            partitions: (0..partitions).map(|_| Mutex::default()).collect(),
            keeps_what_left: expressions.iter().any(|expression| reaches_far_back(expression.as_ref())),
        }
    }

    pub(super) fn enter(&self, partition: usize, batch: &RecordBatch, context: &TaskContext) -> Result<()> {
        let Some(held) = self.partitions.get(partition) else { return Ok(()) };
        let mut held = held.lock();
        // A result such as the first value is repeated for each row of its partition.
        let bytes = batch_bytes(batch);
        let repeated: u64 = batch.columns().iter().map(|column| widest(column)).sum();
        let bytes = bytes.saturating_add(repeated.saturating_mul(batch.num_rows() as u64) / 2);
        held.rows += batch.num_rows();
        held.bytes = held.bytes.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX));
        let bytes = held.bytes;
        let reservation = held
            .reservation
            .get_or_insert_with(|| MemoryConsumer::new("rows of a window").register(context.memory_pool()));
        reservation.try_resize(bytes)
    }

    pub(super) fn leave(&self, partition: usize, rows: usize) {
        let Some(held) = self.partitions.get(partition) else { return };
        let mut held = held.lock();
        if self.keeps_what_left || held.rows == 0 {
            return;
        }
        let left = held.rows.saturating_sub(rows);
        held.bytes = (held.bytes as u128 * left as u128 / held.rows as u128) as usize;
        held.rows = left;
        let bytes = held.bytes;
        if let Some(reservation) = &mut held.reservation {
            reservation.resize(bytes);
        }
    }
}

fn reaches_far_back(expression: &dyn WindowExpr) -> bool {
    let frame = expression.get_window_frame();
    let by_frame = match &frame.start_bound {
        WindowFrameBound::Preceding(reach) => frame.units != WindowFrameUnits::Range && is_far(reach),
        WindowFrameBound::CurrentRow | WindowFrameBound::Following(_) => false,
    };
    let is_far_literal = |argument: &Arc<dyn datafusion::physical_plan::PhysicalExpr>| {
        argument.downcast_ref::<Literal>().is_some_and(|literal| is_far(literal.value()))
    };
    // `lag(value, 1000000)`
    by_frame || expression.expressions().iter().any(is_far_literal)
}

fn is_far(reach: &ScalarValue) -> bool {
    match reach.cast_to(&arrow::datatypes::DataType::Int64) {
        Ok(ScalarValue::Int64(Some(reach))) => reach.unsigned_abs() > REACH_ROWS.unsigned_abs(),
        _ => false,
    }
}
