//! What the door counts, for whoever watches it.
//!
//! # Rules
//! 1. What is under way is counted by guards: whatever ends it, it is counted no more.
//! 2. Nothing is counted by a client's name or statement: the number of series stays the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// Why a connection or a call came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Wrong password or token, unknown name, or a role that may not ask.
    Credentials,
    /// All places are taken.
    Places,
    /// TLS is required, or its handshake failed.
    Tls,
    /// No beginning in time or of the protocol.
    Startup,
}

impl Refusal {
    pub const ALL: [Self; 4] = [Self::Credentials, Self::Places, Self::Tls, Self::Startup];

    /// As metrics name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Places => "places",
            Self::Tls => "tls",
            Self::Startup => "startup",
        }
    }
}

/// Upper bounds in seconds: from a look-up in a catalog to the longest query.
const SECONDS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];

/// Counts of one door since its start.
#[derive(Debug, Default)]
pub struct DoorStats {
    accepted: AtomicU64,
    open: AtomicUsize,
    sessions: AtomicUsize,
    refused: [AtomicU64; Refusal::ALL.len()],
    statements: AtomicU64,
    running: AtomicUsize,
    cancels: AtomicU64,
    rows: AtomicU64,
    prepared: AtomicUsize,
    buckets: [AtomicU64; SECONDS.len()],
    micros: AtomicU64,
}

/// A moment's view of them.
#[derive(Debug, Clone, PartialEq)]
pub struct DoorCounts {
    /// Connections that were accepted, whatever became of them.
    pub accepted: u64,
    /// Sockets that are open.
    pub open: usize,
    /// Connections of clients that were let in and are there.
    pub sessions: usize,
    pub refused: [(Refusal, u64); Refusal::ALL.len()],
    /// Queries that ended, well or not.
    pub statements: u64,
    /// Queries under way, their answers included.
    pub running: usize,
    /// Requests to cancel that named a query or its connection rightly.
    pub cancels: u64,
    /// Rows sent, where the door counts them.
    pub rows: u64,
    /// Prepared statements that are kept, where they are the door's.
    pub prepared: usize,
    /// Upper bound in seconds, and queries up to it.
    pub seconds_buckets: Vec<(f64, u64)>,
    pub seconds_sum: f64,
}

impl DoorStats {
    /// What they are now.
    pub fn counts(&self) -> DoorCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let gauge = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let mut cumulative = 0;
        let seconds_buckets = SECONDS.iter().zip(&self.buckets).map(|(&bound, count)| {
            cumulative += read(count);
            (bound, cumulative)
        });
        let seconds_buckets = seconds_buckets.collect();
        DoorCounts {
            accepted: read(&self.accepted),
            open: gauge(&self.open),
            sessions: gauge(&self.sessions),
            refused: Refusal::ALL.map(|refusal| (refusal, read(&self.refused[refusal as usize]))),
            statements: read(&self.statements).max(cumulative),
            running: gauge(&self.running),
            cancels: read(&self.cancels),
            rows: read(&self.rows),
            prepared: gauge(&self.prepared),
            seconds_buckets,
            seconds_sum: read(&self.micros) as f64 / 1e6,
        }
    }

    /// A connection or a call came to nothing.
    pub fn refuse(&self, refusal: Refusal) {
        self.refused[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A request to cancel was heeded.
    pub fn cancelled(&self) {
        self.cancels.fetch_add(1, Ordering::Relaxed);
    }

    /// So many rows more.
    pub fn sent(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// How many prepared statements there are now.
    pub fn keep_prepared(&self, count: usize) {
        self.prepared.store(count, Ordering::Relaxed);
    }

    /// A socket, for as long as what is given lives.
    pub fn accept(self: &Arc<Self>) -> Open {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Open::new(self, |stats| &stats.open)
    }

    /// A client that was let in, for as long as what is given lives.
    pub fn session(self: &Arc<Self>) -> Open {
        Open::new(self, |stats| &stats.sessions)
    }

    /// A query, for as long as what is given lives.
    pub fn statement(self: &Arc<Self>) -> Statement {
        Statement { began: Instant::now(), open: Open::new(self, |stats| &stats.running) }
    }
}

/// Something that is under way.
#[derive(Debug)]
pub struct Open {
    stats: Arc<DoorStats>,
    gauge: fn(&DoorStats) -> &AtomicUsize,
}

impl Open {
    fn new(stats: &Arc<DoorStats>, gauge: fn(&DoorStats) -> &AtomicUsize) -> Self {
        gauge(stats).fetch_add(1, Ordering::Relaxed);
        Self { stats: stats.clone(), gauge }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        (self.gauge)(&self.stats).fetch_sub(1, Ordering::Relaxed);
    }
}

/// A query under way.
#[derive(Debug)]
pub struct Statement {
    began: Instant,
    open: Open,
}

impl Drop for Statement {
    fn drop(&mut self) {
        let (stats, took) = (&self.open.stats, self.began.elapsed());
        let seconds = took.as_secs_f64();
        if let Some(index) = SECONDS.iter().position(|&bound| seconds <= bound) {
            stats.buckets[index].fetch_add(1, Ordering::Relaxed);
        }
        stats.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        stats.statements.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_is_counted_and_under_way_no_more() {
        let stats = Arc::new(DoorStats::default());
        let (connection, statement) = (stats.accept(), stats.statement());
        let counts = stats.counts();
        assert_eq!((counts.open, counts.running, counts.accepted, counts.statements), (1, 1, 1, 0));
        drop((connection, statement));
        stats.refuse(Refusal::Tls);
        let counts = stats.counts();
        assert_eq!((counts.open, counts.running, counts.accepted, counts.statements), (0, 0, 1, 1));
        assert_eq!(counts.refused[2], (Refusal::Tls, 1));
        assert!(counts.seconds_buckets.is_sorted_by_key(|(_, count)| *count));
    }
}
