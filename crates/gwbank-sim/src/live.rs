//! Messages of any instant from now on.
//!
//! A message is stamped with the instant asked for, but shows the water of the model's instant: `started` plus the time
//! since then times `speed`. At speed 1 a demo shows real time; at 180 a message every 5 seconds is a step of 15 minutes of
//! the model. Beyond the days simulated the water stands still.

use gwbank_model::{Parameter, Timestamp};

use crate::encode::{Message, message};
use crate::history::level_record;
use crate::network::{ClockFault, Kind};
use crate::sensor::{self, Level};
use crate::world::World;

const LOST_CLOCK_SHARE: f64 = 0.000_1;

/// The gateways as they speak now.
#[derive(Debug, Clone, Copy)]
pub struct Live<'w> {
    world: &'w World,
    started: Timestamp,
    speed: f64,
}

impl<'w> Live<'w> {
    pub(crate) fn new(world: &'w World, started: Timestamp, speed: f64) -> Self {
        Live { world, started, speed }
    }

    /// The instant of the model that an instant shows.
    pub fn model_time(&self, at: Timestamp) -> Timestamp {
        let elapsed_micros = at.micros_since(self.started) as f64 * self.speed;
        self.world.config().end.plus_micros(elapsed_micros as i64)
    }

    /// What a gateway sends at `at`, having last sent at `previous`: one to eight readings; `None` while all its sensors
    /// are silent.
    pub fn message(&self, gateway: usize, previous: Timestamp, at: Timestamp) -> Option<Message> {
        let gateway = &self.world.gateways()[gateway];
        let (model_previous, model_at) = (self.model_time(previous), self.model_time(at));
        let mut records = Vec::with_capacity(gateway.sites.len());
        for index in gateway.sites.clone() {
            let site = &self.world.sites()[index];
            if !sensor::is_automatic(site) {
                continue;
            }
            let level = sensor::level(self.world, index, model_at);
            if level == Level::Absent {
                continue;
            }
            let mut record = level_record(site, at, level);
            match site.kind {
                Kind::Logger if site.has_rain_gauge => {
                    let rain_mm = self.world.rain_mm_between(site.province, model_previous, model_at);
                    record.push(Parameter::Rainfall, Some(rain_mm));
                }
                Kind::Logger if site.has_conductivity => {
                    let value = sensor::specific_conductance(site, model_at, self.world.config().end);
                    record.push(Parameter::SpecificConductance, Some(value));
                }
                Kind::Logger => record.push(Parameter::WaterTemperature, Some(sensor::temperature_cel(site, model_at))),
                _ => record.push(Parameter::BatteryVoltage, Some(sensor::battery_volts(site, model_at))),
            }
            records.push(record);
        }
        if records.is_empty() {
            return None;
        }
        let noise = gateway.noise.key(at.as_secs() as u64);
        let clock = match gateway.clock {
            ClockFault::None if noise.chance(LOST_CLOCK_SHARE) => ClockFault::Year1980,
            usual => usual,
        };
        Some(message(gateway, clock, &records, at))
    }

    /// The messages of all gateways at `at`, in the order of their names.
    pub fn messages(&self, previous: Timestamp, at: Timestamp) -> impl Iterator<Item = Message> + use<'_, 'w> {
        (0..self.world.gateways().len()).filter_map(move |gateway| self.message(gateway, previous, at))
    }
}
