//! SQL from outside, over archive and metadata in memory.

mod approval;
mod functions;
mod gapfill;
mod golden;
mod hostile;
mod known_at;
mod limits;
mod pg_clients;
mod plans;
mod read_cut;
mod read_only;
mod series_reader;
mod support;
mod tables;
