//! Counting, and the Prometheus text format (version 0.0.4).
//!
//! Written by hand: the format is a dozen lines of rules, and the process has a fixed, small set of metrics.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use parking_lot::Mutex;

pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text that a scrape gets, family by family.
#[derive(Debug, Default)]
pub struct MetricsText {
    out: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FamilyKind {
    Counter,
    Gauge,
}

impl MetricsText {
    /// Begins a family; its samples follow at once.
    pub fn family(&mut self, name: &str, kind: FamilyKind, help: &str) -> Family<'_> {
        let kind = match kind {
            FamilyKind::Counter => "counter",
            FamilyKind::Gauge => "gauge",
        };
        self.head(name, kind, help);
        Family { text: self, name: format!("gwbank_{name}") }
    }

    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, FamilyKind::Counter, help).sample(&[], value as f64);
    }

    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, FamilyKind::Gauge, help).sample(&[], value);
    }

    /// `buckets` are (upper bound in seconds, observations up to it), cumulative and without the infinite one.
    pub fn histogram(&mut self, name: &str, help: &str, buckets: &[(f64, u64)], count: u64, sum: f64) {
        self.head(name, "histogram", help);
        for (bound, observations) in buckets {
            let _ = writeln!(self.out, "gwbank_{name}_bucket{{le=\"{bound}\"}} {observations}");
        }
        let _ = writeln!(self.out, "gwbank_{name}_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(self.out, "gwbank_{name}_sum {sum}");
        let _ = writeln!(self.out, "gwbank_{name}_count {count}");
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(self.out, "# HELP gwbank_{name} {help}\n# TYPE gwbank_{name} {kind}");
    }

    pub fn into_text(self) -> String {
        self.out
    }
}

#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut MetricsText,
    name: String,
}

impl Family<'_> {
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        let out = &mut self.text.out;
        out.push_str(&self.name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(out, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        if !labels.is_empty() {
            out.push('}');
        }
        let _ = writeln!(out, " {value}");
        self
    }
}

/// Upper bounds in seconds of the time histograms: from a fast disk's fsync to the longest query.
pub const TIME_BOUNDS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Durations, counted by [`TIME_BOUNDS`].
#[derive(Debug, Default)]
pub struct TimeHistogram {
    buckets: [AtomicU64; TIME_BOUNDS.len()],
    count: AtomicU64,
    sum_micros: AtomicU64,
}

impl TimeHistogram {
    pub fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some(index) = TIME_BOUNDS.iter().position(|&bound| seconds <= bound) {
            self.buckets[index].fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub fn write(&self, text: &mut MetricsText, name: &str, help: &str) {
        let mut cumulative = 0;
        let buckets: Vec<(f64, u64)> = TIME_BOUNDS
            .iter()
            .zip(&self.buckets)
            .map(|(&bound, count)| {
                cumulative += count.load(Ordering::Relaxed);
                (bound, cumulative)
            })
            .collect();
        let count = self.count.load(Ordering::Relaxed).max(cumulative);
        text.histogram(name, help, &buckets, count, self.sum_micros.load(Ordering::Relaxed) as f64 / 1e6);
    }
}

/// Requests answered, by method and status class, and those being answered.
#[derive(Debug, Default)]
pub struct HttpRequests {
    answered: Mutex<BTreeMap<(String, u16), u64>>,
    running: AtomicI64,
}

impl HttpRequests {
    pub fn begin(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    pub fn end(&self, method: &Method, status: StatusCode) {
        self.running.fetch_sub(1, Ordering::Relaxed);
        // A client may invent methods; the metric may not grow with them.
        let method = match *method {
            Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE | Method::OPTIONS => {
                method.as_str().to_owned()
            }
            _ => "other".to_owned(),
        };
        *self.answered.lock().entry((method, status.as_u16())).or_default() += 1;
    }

    pub fn write(&self, text: &mut MetricsText) {
        let running = self.running.load(Ordering::Relaxed) as f64;
        text.gauge("http_requests_running", "HTTP requests being answered", running);
        let mut family = text.family("http_requests_total", FamilyKind::Counter, "HTTP requests answered");
        for ((method, status), count) in self.answered.lock().iter() {
            family.sample(&[("method", method), ("status", &status.to_string())], *count as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_heads_labels_and_cumulative_buckets() {
        let mut text = MetricsText::default();
        text.family("readings_dead_total", FamilyKind::Counter, "Dead readings")
            .sample(&[("reason", "unknown_well")], 3.0)
            .sample(&[("reason", "odd \"name\"\n")], 1.0);
        let histogram = TimeHistogram::default();
        histogram.observe(Duration::from_millis(2));
        histogram.observe(Duration::from_millis(20));
        histogram.observe(Duration::from_secs(3600));
        histogram.write(&mut text, "query_seconds", "Query time");
        let text = text.into_text();
        assert!(text.contains("# TYPE gwbank_readings_dead_total counter\n"));
        assert!(text.contains("gwbank_readings_dead_total{reason=\"unknown_well\"} 3\n"));
        assert!(text.contains("{reason=\"odd \\\"name\\\"\\n\"} 1\n"));
        assert!(text.contains("gwbank_query_seconds_bucket{le=\"0.0025\"} 1\n"));
        assert!(text.contains("gwbank_query_seconds_bucket{le=\"60\"} 2\n"));
        assert!(text.contains("gwbank_query_seconds_bucket{le=\"+Inf\"} 3\n"));
        assert!(text.contains("gwbank_query_seconds_count 3\n"));
    }
}
