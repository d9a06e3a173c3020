//! The watch against the in-memory metadata and a series reader of plain maps. Nothing sleeps; the clock is set.

mod drought;
mod explained;
mod flood;
mod life;
mod record;
mod rises;
mod running;
mod second_look;
mod second_look_country;
mod silence;
mod support;
