//! How many messages an office gets: evenly spaced beyond a first burst (the generic cell rate algorithm).

use std::collections::HashMap;

use gwbank_model::Timestamp;

const MINUTE_MICROS: i64 = 60_000_000;

#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// By office: when the next message is due if all before it went on time.
    next: HashMap<String, Timestamp>,
    /// Messages that wait for the place that they have taken, and when that is.
    waiting: HashMap<String, Timestamp>,
}

/// Offices that are remembered; those that are idle are forgotten first.
const OFFICES_MAX: usize = 50_000;
/// Places that are remembered; a message whose place was forgotten takes a new one.
const WAITING_MAX: usize = 1_000_000;

impl Pace {
    /// Takes a place for a message: `None`, it goes now; else when it does. A minute's worth may go at once.
    pub fn take(&mut self, office: &str, key: &str, per_minute: u32, now: Timestamp) -> Option<Timestamp> {
        if self.waiting.get(key).is_some_and(|due| *due <= now) {
            self.waiting.remove(key);
            return None;
        }
        let spacing = MINUTE_MICROS / i64::from(per_minute.max(1));
        if self.next.len() >= OFFICES_MAX && !self.next.contains_key(office) {
            self.next.retain(|_, next| *next > now);
        }
        let next = self.next.entry(office.to_owned()).or_insert(now);
        let due = (*next).max(now);
        let ahead = due.micros_since(now);
        *next = due.plus_micros(spacing);
        let beyond = ahead - (MINUTE_MICROS - spacing);
        let until = (beyond > 0).then(|| now.plus_micros(beyond))?;
        if self.waiting.len() < WAITING_MAX {
            self.waiting.insert(key.to_owned(), until);
        }
        Some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_goes_at_once_and_the_rest_evenly() {
        let mut pace = Pace::default();
        let now = Timestamp::from_secs(1_000);
        let mut wait = |office: &str, key: &str, now: Timestamp| {
            pace.take(office, key, 4, now).map_or(0, |due| due.micros_since(now) / 1_000_000)
        };
        let waits: Vec<i64> = (0..8).map(|n| wait("o", &format!("m{n}"), now)).collect();
        assert_eq!(waits, [0, 0, 0, 0, 15, 30, 45, 60]);
        assert_eq!(wait("p", "n0", now), 0, "offices do not wait for each other");
        assert_eq!(wait("o", "m4", now.plus_secs(15)), 0, "it has its place");
        assert_eq!(wait("o", "m9", now.plus_secs(15)), 60, "behind those that wait");
        assert_eq!(wait("o", "m10", now.plus_secs(600)), 0);
    }
}
