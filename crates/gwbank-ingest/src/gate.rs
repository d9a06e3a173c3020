//! Where sources wait while window or ledger hold more than they may.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::sync::Notify;

/// Over its bound by this much (in eighths), the window takes nothing more: what is in flight when the gate closes still
/// comes in.
const EIGHTHS_OVER: usize = 2;

/// What the gate watches, and what names the bound that is reached.
const OPEN: u8 = 0;
const WINDOW_FULL: u8 = 1;
const LEDGER_FULL: u8 = 2;

#[derive(Debug)]
pub(crate) struct Gate {
    window_bytes_max: usize,
    ledger_bytes_max: usize,
    state: AtomicU8,
    /// The pipeline is closing: never closed again, however much is held.
    released: AtomicBool,
    opened: Notify,
}

/// Memory that waits for archive and metadata.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) window_bytes: usize,
    pub(crate) ledger_bytes: usize,
}

impl Gate {
    pub(crate) fn new(window_bytes_max: usize, ledger_bytes_max: usize) -> Self {
        Self {
            window_bytes_max: window_bytes_max + window_bytes_max / 8 * EIGHTHS_OVER,
            ledger_bytes_max,
            state: AtomicU8::new(OPEN),
            released: AtomicBool::new(false),
            opened: Notify::new(),
        }
    }

    /// Tells what is held; true when the gate is closed.
    pub(crate) fn held(&self, held: Held) -> bool {
        let state = if self.released.load(Ordering::SeqCst) {
            OPEN
        } else if held.window_bytes > self.window_bytes_max {
            WINDOW_FULL
        } else if held.ledger_bytes > self.ledger_bytes_max {
            LEDGER_FULL
        } else {
            OPEN
        };
        let before = self.state.swap(state, Ordering::SeqCst);
        if before != OPEN && state == OPEN {
            self.opened.notify_waiters();
        }
        state != OPEN
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Ordering::SeqCst) != OPEN
    }

    /// The configuration's name of the bound that closes it.
    pub(crate) fn limit(&self) -> Option<&'static str> {
        match self.state.load(Ordering::SeqCst) {
            WINDOW_FULL => Some("window.bytes_max"),
            LEDGER_FULL => Some("ingest.ledger_bytes_max"),
            _ => None,
        }
    }

    pub(crate) async fn opened(&self) {
        while self.is_closed() {
            let opened = self.opened.notified();
            if !self.is_closed() {
                return;
            }
            opened.await;
        }
    }

    /// Lets everybody through, to find the pipeline closed.
    pub(crate) fn release(&self) {
        self.released.store(true, Ordering::SeqCst);
        self.state.store(OPEN, Ordering::SeqCst);
        self.opened.notify_waiters();
    }
}
