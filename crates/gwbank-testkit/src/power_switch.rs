//! One instant for all that a machine stores: operations of every store are counted by one switch.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

/// The power of a machine. Clones are the same switch.
#[derive(Debug, Clone, Default)]
pub struct PowerSwitch(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    operations_left: Option<u64>,
    is_off: bool,
}

impl PowerSwitch {
    /// Power is on; it fails at the n-th operation from now, or never.
    pub fn turn_on(&self, fails_after: Option<u64>) {
        *self.0.lock() = State { operations_left: fails_after, is_off: false };
    }

    pub fn turn_off(&self) {
        self.0.lock().is_off = true;
    }

    pub fn is_off(&self) -> bool {
        self.0.lock().is_off
    }

    /// Counts an operation that changes or syncs something. `Err` when the power fails at it or has failed.
    pub fn operate(&self) -> io::Result<()> {
        let state = &mut *self.0.lock();
        match &mut state.operations_left {
            Some(0) => state.is_off = true,
            Some(left) if !state.is_off => *left -= 1,
            _ => {}
        }
        if state.is_off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }
}
