//! Where sources wait while the window holds more than it may.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Over its bound by this much (in eighths), the window takes nothing more: what is in flight when the gate closes still
/// comes in.
const EIGHTHS_OVER: usize = 2;

#[derive(Debug)]
pub(crate) struct Gate {
    bytes_max: usize,
    closed: AtomicBool,
    /// The pipeline is closing: never closed again, however full the window is.
    released: AtomicBool,
    opened: Notify,
}

impl Gate {
    pub(crate) fn new(window_bytes_max: usize) -> Self {
        let bytes_max = window_bytes_max + window_bytes_max / 8 * EIGHTHS_OVER;
        Self { bytes_max, closed: AtomicBool::new(false), released: AtomicBool::new(false), opened: Notify::new() }
    }

    /// Tells what the window holds; true when the gate is closed.
    pub(crate) fn window_has(&self, bytes: usize) -> bool {
        let close = bytes > self.bytes_max && !self.released.load(Ordering::SeqCst);
        let was_closed = self.closed.swap(close, Ordering::SeqCst);
        if was_closed && !close {
            self.opened.notify_waiters();
        }
        close
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
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
        self.closed.store(false, Ordering::SeqCst);
        self.opened.notify_waiters();
    }
}
