//! The messages of the past, as gateways would have sent them: batches in the order of sending.
//!
//! # Format
//! Days are taken in windows: of [`WINDOW_DAYS`], and of one day for the last [`HOURLY_DAYS`]. At the end of a window every
//! gateway sends what its wells measured in it, in messages of about [`READINGS_PER_MESSAGE`].
//!
//! # Rules
//! 1. Loggers: one value a day, all years; water temperature in the last year. Manual wells: one a month, all years.
//!    Banks: one value a day in the last two years, one an hour in the last two weeks. The first well of a province has
//!    a rain gauge, the second a conductivity probe (two years).
//! 2. A doubled message is the same bytes again, a little later. A late message comes some windows later.
//! 3. No reading lies outside the history's start and end, but for those with a wrong clock.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Parameter, Timestamp};

use crate::encode::{Message, Record, message};
use crate::network::{ClockFault, Gateway, Kind, Site};
use crate::sensor::{self, Level};
use crate::world::{BANK_DAYS, World};

const WINDOW_DAYS: i32 = 25;
const HOURLY_DAYS: i32 = 14;
const READINGS_PER_MESSAGE: usize = 100;
const TEMPERATURE_DAYS: i32 = 365;
const CONDUCTIVITY_DAYS: i32 = 730;
/// For so long the clock that runs in local time has been wrong.
const LOCAL_AS_UTC_DAYS: i32 = 30;
const SEND_HOUR: i64 = 22;

const DOUBLED_SHARE: f64 = 0.004;
const LATE_SHARE: f64 = 0.006;
const LOST_CLOCK_SHARE: f64 = 0.000_1;

/// An iterator over the messages of the past; see the module. About 5 million readings for the demo.
#[derive(Debug)]
pub struct History<'w> {
    world: &'w World,
    days: Range<i32>,
    window: Range<i32>,
    next_gateway: usize,
    /// Made, but not yet sent in this window.
    ready: VecDeque<Message>,
    /// Late and doubled messages, by the count of messages after which they are sent.
    held: BTreeMap<(u64, u64), Message>,
    last_sent_at: Timestamp,
    sent: u64,
    made: u64,
}

impl<'w> History<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let config = world.config();
        let first = config.start.day(BANGKOK_OFFSET_SECONDS).0;
        let end = config.end.day(BANGKOK_OFFSET_SECONDS).0 + 1;
        let mut history = History {
            world,
            days: first..end,
            window: first..first,
            next_gateway: 0,
            ready: VecDeque::new(),
            held: BTreeMap::new(),
            last_sent_at: config.start,
            sent: 0,
            made: 0,
        };
        history.window = history.window_from(first);
        history
    }

    /// How many readings there will be, within a few percent: for a progress bar.
    pub fn readings_about(&self) -> u64 {
        const KEPT: f64 = 0.97;
        let days = f64::from(self.days.end - self.days.start);
        let last = |most: i32| days.min(f64::from(most));
        let readings: f64 = self
            .world
            .sites()
            .iter()
            .map(|site| match site.kind {
                Kind::Logger => {
                    let rain = if site.has_rain_gauge { days } else { 0.0 };
                    let conductivity = if site.has_conductivity { last(CONDUCTIVITY_DAYS) } else { 0.0 };
                    days + rain + conductivity + last(TEMPERATURE_DAYS)
                }
                Kind::Manual => days / 30.44,
                Kind::OpenBank | Kind::ClosedBank => last(BANK_DAYS) + 23.0 * last(HOURLY_DAYS),
            })
            .sum();
        (readings * KEPT) as u64
    }

    fn window_from(&self, start: i32) -> Range<i32> {
        let hourly_from = self.days.end - HOURLY_DAYS;
        let end = if start >= hourly_from { start + 1 } else { (start + WINDOW_DAYS).min(hourly_from) };
        start..end.min(self.days.end)
    }

    /// Makes the messages of one gateway for the window.
    fn make(&mut self, gateway_index: usize) {
        let world = self.world;
        let gateway = &world.gateways()[gateway_index];
        let sent_at = Day(self.window.end - 1)
            .start(BANGKOK_OFFSET_SECONDS)
            .plus_secs(SEND_HOUR * 3600 + gateway_index as i64 % 3600)
            .max(world.config().start)
            .min(world.config().end);
        let mut records: Vec<Record<'_>> = Vec::with_capacity(READINGS_PER_MESSAGE + 4);
        let mut readings = 0;
        for index in gateway.sites.clone() {
            for day in self.window.clone() {
                for_each_record(world, index, Day(day), &self.days, |record| {
                    readings += record.samples().len();
                    records.push(record);
                });
                if readings >= READINGS_PER_MESSAGE {
                    self.send(gateway, &records, sent_at);
                    records.clear();
                    readings = 0;
                }
            }
        }
        if !records.is_empty() {
            self.send(gateway, &records, sent_at);
        }
    }

    fn send(&mut self, gateway: &Gateway, records: &[Record<'_>], sent_at: Timestamp) {
        self.made += 1;
        let noise = gateway.noise.key(sent_at.as_secs() as u64).key(records[0].at.as_secs() as u64);
        let clock = match gateway.clock {
            ClockFault::LocalAsUtc if self.window.end < self.days.end - LOCAL_AS_UTC_DAYS => ClockFault::None,
            ClockFault::None if noise.chance(LOST_CLOCK_SHARE) => {
                if noise.key(1).chance(0.7) {
                    ClockFault::Year1980
                } else {
                    ClockFault::TenYearsAhead
                }
            }
            usual => usual,
        };
        let message = message(gateway, clock, records, sent_at);
        if noise.key(2).chance(DOUBLED_SHARE) {
            let later = 1 + noise.key(3).below(40);
            self.held.insert((self.made + later, 2 * self.made), message.clone());
        }
        if noise.key(4).chance(LATE_SHARE) {
            let gateways = self.world.gateways().len() as u64;
            let later = gateways + noise.key(5).below(3 * gateways);
            self.held.insert((self.made + later, 2 * self.made + 1), message);
            return;
        }
        self.ready.push_back(message);
    }

    /// The message as it leaves: none is sent before the one before it.
    fn stamped(&mut self, mut message: Message) -> Message {
        self.sent += 1;
        message.sent_at = message.sent_at.max(self.last_sent_at);
        self.last_sent_at = message.sent_at;
        message
    }

    /// A held message whose turn has come.
    fn due(&mut self) -> Option<Message> {
        let entry = self.held.first_entry()?;
        (entry.key().0 <= self.sent).then(|| entry.remove())
    }
}

impl Iterator for History<'_> {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.due().or_else(|| self.ready.pop_front()) {
                return Some(self.stamped(message));
            }
            if self.next_gateway == self.world.gateways().len() {
                self.next_gateway = 0;
                self.window = self.window_from(self.window.end);
            }
            if self.window.is_empty() {
                let (_, message) = self.held.pop_first()?;
                return Some(self.stamped(message));
            }
            let gateway = self.next_gateway;
            self.next_gateway += 1;
            self.make(gateway);
        }
    }
}

/// What a well measured on a day.
fn for_each_record<'w>(world: &'w World, index: usize, day: Day, days: &Range<i32>, mut take: impl FnMut(Record<'w>)) {
    let site = &world.sites()[index];
    let config = world.config();
    let within = |at: Timestamp| at >= config.start && at <= config.end;
    let from_end = days.end - day.0;
    match site.kind {
        Kind::Manual => {
            let visit = sensor::manual_visit(world, index, day.month());
            if let Some((at, level)) = visit
                && at.day(BANGKOK_OFFSET_SECONDS) == day
                && within(at)
            {
                take(level_record(site, at, level));
            }
        }
        Kind::Logger => {
            let at = day.start(BANGKOK_OFFSET_SECONDS).plus_secs((7 * 60 + site.minute) * 60);
            let level = sensor::level(world, index, at);
            if level == Level::Absent || !within(at) {
                return;
            }
            let mut record = level_record(site, at, level);
            if from_end <= TEMPERATURE_DAYS {
                record.push(Parameter::WaterTemperature, Some(sensor::temperature_cel(site, at)));
            }
            if site.has_rain_gauge {
                record.push(Parameter::Rainfall, Some(world.rain_mm_between(site.province, at.plus_secs(-86_400), at)));
            }
            if site.has_conductivity && from_end <= CONDUCTIVITY_DAYS {
                let value = sensor::specific_conductance(site, at, config.end);
                record.push(Parameter::SpecificConductance, Some(value));
            }
            take(record);
        }
        Kind::OpenBank | Kind::ClosedBank if from_end <= BANK_DAYS => {
            let midnight = day.start(BANGKOK_OFFSET_SECONDS);
            let hours = if from_end <= HOURLY_DAYS { 0..24 } else { 7..8 };
            for hour in hours {
                let at = midnight.plus_secs((hour * 60 + site.minute) * 60);
                let level = sensor::level(world, index, at);
                if level != Level::Absent && within(at) {
                    take(level_record(site, at, level));
                }
            }
        }
        Kind::OpenBank | Kind::ClosedBank => {}
    }
}

/// A record with its level, if there is one.
pub(crate) fn level_record(site: &Site, at: Timestamp, level: Level) -> Record<'_> {
    let mut record = Record::new(site.well_id.as_str(), at);
    match level {
        Level::Absent => {}
        Level::Missing => record.push(Parameter::DepthToWater, None),
        Level::Dry => {
            record.dry = true;
            record.push(Parameter::DepthToWater, None);
        }
        Level::Depth(depth) => record.push(Parameter::DepthToWater, Some(depth)),
    }
    record
}
