//! How far a gateway's clock is off, as its messages show it.
//!
//! A message says when its readings were measured; it never arrives before that. So of every message the newest reading
//! counts, and `ahead` = time of that reading − receipt = error of the clock − lateness, where lateness is never negative.
//!
//! # Rules
//! 1. **Ahead** is certain: nobody sends a reading before it is measured. [`AHEAD_VOTES`] of the last [`MESSAGES_KEPT`]
//!    messages that agree are enough; late ones between them show less and are passed over.
//! 2. **Behind** looks like lateness. It is taken for a clock only when the best of [`STEPS_KEPT`] stretches of time in a
//!    row is behind by the same amount, and by more than messages are apart: a batch of yesterday's readings every morning
//!    is late, a backlog that is caught up with changes its lag.
//! 3. What says neither leaves the former estimate. Zero means: seen, and nothing is wrong.
//! 4. Offered, never applied: the times of readings are left as they came.
//!
//! Kept in memory only; the metadata keeps the estimate, and after a restart the first messages confirm or replace it.

use std::collections::VecDeque;

use gwbank_model::{GatewayIndex, Timestamp};
use hashbrown::HashMap;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;

/// Of the last so many messages the highest offset that is shown often enough counts. Few, so that a clock that was set
/// right is seen to be right soon.
const MESSAGES_KEPT: usize = 8;
/// One message may carry one wrong digit; three do not carry the same one.
const AHEAD_VOTES: usize = 3;
/// Messages agree when they differ by no more than the seconds of a transmission and of a clock without seconds.
const TOLERANCE_MICROS: i64 = 2 * MINUTE;
/// Below it a clock is as right as a device's clock is.
const AHEAD_MIN_MICROS: i64 = 2 * MINUTE;
/// Messages of one stretch are one observation: many wells, or a backlog, arrive in a burst.
const STEP_MICROS: i64 = 5 * MINUTE;
const STEPS_KEPT: usize = 6;
/// Lateness up to here is ordinary: readings on the hour, sent some time after it.
const BEHIND_MIN_MICROS: i64 = 30 * MINUTE;
/// Gateways observed; some 250 bytes each. Whoever comes later is not, so that invented names fill no memory.
const GATEWAYS_MAX: usize = 100_000;

/// The clocks of all gateways.
#[derive(Debug, Default)]
pub(crate) struct ClockOffsets(HashMap<GatewayIndex, GatewayClock>);

impl ClockOffsets {
    /// Notes a live message whose newest reading is so far ahead of its receipt (negative: older).
    pub(crate) fn observe(&mut self, gateway: GatewayIndex, received_at: Timestamp, ahead_micros: i64) {
        if self.0.len() >= GATEWAYS_MAX && !self.0.contains_key(&gateway) {
            return;
        }
        self.0.entry(gateway).or_default().observe(received_at, ahead_micros);
    }

    /// Seconds by which the clock is ahead (negative: behind), 0 where it is seen to be right, `None` while unknown.
    pub(crate) fn offset_s(&self, gateway: GatewayIndex) -> Option<f64> {
        self.0.get(&gateway)?.offset_s
    }
}

#[derive(Debug, Default)]
struct GatewayClock {
    /// Of the last messages, oldest first.
    messages: VecDeque<i64>,
    steps: VecDeque<Step>,
    offset_s: Option<f64>,
}

/// The best that a stretch of time showed.
#[derive(Debug, Clone, Copy)]
struct Step {
    began: Timestamp,
    ahead_micros: i64,
}

impl GatewayClock {
    fn observe(&mut self, received_at: Timestamp, ahead_micros: i64) {
        push_bounded(&mut self.messages, ahead_micros, MESSAGES_KEPT);
        match self.steps.back_mut() {
            Some(step) if received_at.micros_since(step.began) < STEP_MICROS => {
                step.ahead_micros = step.ahead_micros.max(ahead_micros);
            }
            _ => push_bounded(&mut self.steps, Step { began: received_at, ahead_micros }, STEPS_KEPT),
        }
        self.offset_s = self.shown_by_messages().or_else(|| self.shown_by_steps()).map(seconds).or(self.offset_s);
    }

    /// Rule 1; `Some(0)` where the clock is seen to be right.
    fn shown_by_messages(&self) -> Option<i64> {
        let mut sorted: Vec<i64> = self.messages.iter().copied().collect();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let votes = sorted.windows(AHEAD_VOTES).find(|votes| agree(votes[0], votes[AHEAD_VOTES - 1]))?;
        let shown = votes[AHEAD_VOTES / 2];
        match shown {
            shown if shown >= AHEAD_MIN_MICROS => Some(shown),
            shown if shown > -BEHIND_MIN_MICROS => Some(0),
            _ => None,
        }
    }

    /// Rule 2.
    fn shown_by_steps(&self) -> Option<i64> {
        if self.steps.len() < STEPS_KEPT {
            return None;
        }
        let mut shown: Vec<i64> = self.steps.iter().map(|step| step.ahead_micros).collect();
        shown.sort_unstable();
        let median = shown[STEPS_KEPT / 2];
        let steps = self.steps.iter().zip(self.steps.iter().skip(1));
        let apart_max = steps.map(|(step, next)| next.began.micros_since(step.began)).max().unwrap_or(i64::MAX);
        let more_than_late = median <= -BEHIND_MIN_MICROS && median.saturating_neg() > apart_max;
        (agree(shown[STEPS_KEPT - 1], shown[0]) && more_than_late).then_some(median)
    }
}

fn agree(higher_micros: i64, lower_micros: i64) -> bool {
    higher_micros.saturating_sub(lower_micros) <= TOLERANCE_MICROS
}

/// Whole seconds: a transmission blurs the rest.
fn seconds(micros: i64) -> f64 {
    (micros as f64 / SECOND as f64).round()
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, kept: usize) {
    if queue.len() == kept {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 60 * MINUTE;
    const BANGKOK_SECONDS: i64 = 7 * 3600;
    const GATEWAY: GatewayIndex = GatewayIndex(0);

    /// The estimate after messages of (minutes after the start, how far ahead its newest reading is).
    fn after(messages: impl IntoIterator<Item = (i64, i64)>) -> Option<f64> {
        let start = Timestamp::from_secs(1_793_491_200);
        let mut clocks = ClockOffsets::default();
        for (minutes, ahead_micros) in messages {
            clocks.observe(GATEWAY, start.plus_micros(minutes * MINUTE), ahead_micros);
        }
        clocks.offset_s(GATEWAY)
    }

    #[test]
    fn seven_hours_ahead_is_seen_after_three_messages() {
        let ahead = BANGKOK_SECONDS * SECOND - SECOND / 10;
        assert_eq!(after([(0, ahead), (0, ahead)]), None);
        assert_eq!(after([(0, ahead), (0, ahead), (0, ahead)]), Some(25_200.0));
    }

    #[test]
    fn one_wrong_time_moves_nothing() {
        assert_eq!(after([(0, -SECOND), (15, -SECOND), (30, 900 * HOUR), (45, -SECOND)]), Some(0.0));
        assert_eq!(after([(0, 900 * HOUR), (15, 7 * HOUR), (30, 8 * HOUR)]), None, "no two agree");
    }

    #[test]
    fn a_clock_that_was_set_right_is_seen_to_be_right() {
        let wrong = (0..20).map(|n| (n * 15, 7 * HOUR));
        let right = (20..26).map(|n| (n * 15, -SECOND));
        assert_eq!(after(wrong.clone().chain(right.clone().take(2))), Some(25_200.0));
        assert_eq!(after(wrong.chain(right)), Some(0.0));
    }

    #[test]
    fn seven_hours_behind_is_a_clock_and_not_lateness() {
        let behind = |every_minutes: i64, lag: i64| after((0..12).map(move |n| (n * every_minutes, -lag)));
        assert_eq!(behind(15, 7 * HOUR), Some(-25_200.0));
        assert_eq!(behind(60, 7 * HOUR), Some(-25_200.0));
        assert_eq!(behind(60, 20 * MINUTE), Some(0.0), "sent some time after the hour");
        assert_eq!(behind(24 * 60, 8 * HOUR), None, "yesterday's readings, every morning");
        assert_eq!(after((0..100).map(|_| (0, -72 * HOUR))), None, "a backlog of many wells in one burst");
    }

    proptest! {
        /// However late the other messages are, three of the last eight in time show a clock that is ahead.
        #[test]
        fn lateness_does_not_hide_a_clock_that_is_ahead(
            error_s in 300i64..400_000_000,
            on_time in prop::collection::vec(0i64..60, 3..=8),
            late in prop::collection::vec(600i64..5_000_000, 0..=5),
            order in any::<u64>(),
        ) {
            let on_time_max = on_time.iter().copied().max().unwrap();
            let mut lateness: Vec<i64> = on_time.into_iter().chain(late).take(MESSAGES_KEPT).collect();
            let turn = order as usize % lateness.len();
            lateness.rotate_left(turn);
            let messages = lateness.iter().enumerate().map(|(n, late)| (n as i64 * 15, (error_s - late) * SECOND));
            let shown = after(messages).unwrap();
            prop_assert!(shown <= error_s as f64 && shown >= (error_s - on_time_max) as f64, "{shown} for {error_s}");
        }

        /// A backlog that is sent faster or slower than it was measured is never taken for a clock.
        #[test]
        fn a_backlog_is_no_wrong_clock(
            lag_hours in 1i64..10_000,
            catching_up_s_per_message in prop_oneof![-3000i64..-300, 300i64..3000],
            apart_minutes in 0i64..30,
            count in 1i64..300,
        ) {
            let shown = after((0..count).map(|n| {
                let lag = lag_hours * HOUR - n * catching_up_s_per_message * SECOND;
                // Messages of one step are one observation; let each be one of its own.
                (n * apart_minutes.max(5), -lag.max(0))
            }));
            prop_assert!(matches!(shown, None | Some(0.0)), "{shown:?}");
        }

        #[test]
        fn a_constant_lag_beyond_the_pause_between_messages_is_a_clock(
            error_s in 7200i64..4_000_000, every_minutes in 5i64..60, jitter in prop::collection::vec(0i64..100, 6..40),
        ) {
            let shown = after(jitter.iter().enumerate().map(|(n, late)| (n as i64 * every_minutes, (-error_s - late) * SECOND)));
            let shown = shown.unwrap();
            prop_assert!((shown + error_s as f64).abs() <= 100.0, "{shown} for {error_s}");
        }

        #[test]
        fn nothing_overflows(messages in prop::collection::vec((any::<i64>(), any::<i64>()), 0..30)) {
            let mut clocks = ClockOffsets::default();
            for (at, ahead) in messages {
                clocks.observe(GATEWAY, Timestamp::from_micros(at), ahead);
            }
            let _ = clocks.offset_s(GATEWAY);
        }
    }
}
