//! Shutdown in two phases: first stop accepting, then settle and flush.
//!
//! Every part takes a [`Shutdown`]. When [`ShutdownTrigger::stop_accepting`] is called, sources stop taking in; when
//! what they took is settled, [`ShutdownTrigger::stop`] ends the rest.

use tokio_util::sync::CancellationToken;

/// The side that parts listen to.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    accepting: CancellationToken,
    running: CancellationToken,
}

impl Shutdown {
    /// Resolves when no new work may be taken in.
    pub async fn accepting_ended(&self) {
        self.accepting.cancelled().await;
    }
    pub fn is_accepting(&self) -> bool {
        !self.accepting.is_cancelled()
    }
    /// Resolves when everything shall end.
    pub async fn ended(&self) {
        self.running.cancelled().await;
    }
    pub fn has_ended(&self) -> bool {
        self.running.is_cancelled()
    }
}

/// The side that decides. One per process.
#[derive(Debug, Clone, Default)]
pub struct ShutdownTrigger(Shutdown);

impl ShutdownTrigger {
    pub fn new() -> Self {
        Self::default()
    }
    pub fn listener(&self) -> Shutdown {
        self.0.clone()
    }
    pub fn stop_accepting(&self) {
        self.0.accepting.cancel();
    }
    pub fn stop(&self) {
        self.0.accepting.cancel();
        self.0.running.cancel();
    }
}
