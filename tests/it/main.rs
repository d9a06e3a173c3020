//! The program as its users run it: the built binary, real ports, a directory of its own.

mod brokers;
mod certificates;
mod clients;
mod command_line;
mod conservation;
mod database;
mod demo;
mod history;
mod hostile;
mod indicators;
mod levels;
mod life;
mod many_nodes;
mod mosquitto;
mod mqtt_client;
mod postgres_wire;
mod program;
mod quality;
mod real_series;
mod real_wells;
mod reviews;
mod security;
mod sql_files;
mod time_raw;
mod tls;
