//! What the expressions of one operator took since it last got a batch. An operator evaluates all its expressions over a
//! batch within one poll, on one thread, so a number of the thread tells what they hold together.

use std::cell::Cell;

use super::Guard;
use crate::error::QueryError;

thread_local! {
    static CHARGED: Cell<u64> = const { Cell::new(0) };
}

/// Asks for the bytes of a result, on top of those that were asked for before over the same batch.
pub(super) fn charge(guard: &Guard, bytes: u64) -> Result<(), QueryError> {
    let together = CHARGED.get().saturating_add(bytes);
    guard.check_bytes(together)?;
    CHARGED.set(together);
    Ok(())
}

/// Another batch, or another operator: what was evaluated is handed on, and counted by whoever keeps it.
pub(super) fn forget() {
    CHARGED.set(0);
}
