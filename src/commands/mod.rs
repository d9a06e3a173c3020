//! One file a command.

mod archive_copy;
mod broker;
mod bulletin;
mod check_config;
mod dead_letters;
mod demo;
mod doctor;
mod explain;
mod export;
mod flags;
mod hash;
mod hindcast;
mod import;
mod indicators;
mod installations;
mod messages;
mod migrate;
mod offices;
mod output;
mod quality;
mod replay;
mod review;
mod scorecard;
mod serve;
mod simulate;
mod sql;
mod wells;

pub use import::Counts as ImportCounts;

use crate::arguments::{ArchiveCommand, Arguments, Command, ReadingsCommand};
use crate::failure::Outcome;

pub fn run(arguments: Arguments) -> Outcome {
    let Arguments { general, command } = arguments;
    match command {
        Command::Demo(asked) => demo::run(&general, &asked),
        Command::Serve(asked) => serve::run(&general, &asked),
        Command::CheckConfig => check_config::run(&general),
        Command::Migrate => migrate::run(&general),
        Command::Archive(ArchiveCommand::Copy(asked)) => archive_copy::run(&general, &asked),
        Command::Wells(asked) => wells::run(&general, asked),
        Command::Installations(asked) => installations::run(&general, asked),
        Command::Readings(ReadingsCommand::Import { files, map, dry_run, gateway, server }) => {
            import::run(&general, &server, import::Import { files, map, dry_run, gateway })
        }
        Command::Simulate(asked) => simulate::run(&asked),
        Command::Replay(asked) => replay::run(&asked),
        Command::Explain(asked) => explain::run(&general, &asked),
        Command::DeadLetters(asked) => dead_letters::run(&general, asked),
        Command::Sql(asked) => sql::run(&general, &asked),
        Command::Export(asked) => export::run(&general, &asked),
        Command::Indicators(asked) => indicators::run(&general, &asked),
        Command::Flags(asked) => flags::run(&general, asked),
        Command::Offices(asked) => offices::run(&general, asked),
        Command::Bulletin(asked) => bulletin::run(&general, &asked),
        Command::Scorecard(asked) => scorecard::run(&general, &asked),
        Command::Hindcast(asked) => hindcast::run(&general, &asked),
        Command::Review(command) => review::run(&general, command),
        Command::Quality(asked) => quality::run(&general, asked),
        Command::Doctor(server) => doctor::run(&general, &server),
        Command::HashPassword(asked) => hash::password(&asked),
        Command::HashToken(asked) => hash::token(&asked),
    }
}
