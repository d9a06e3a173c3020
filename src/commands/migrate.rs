//! `gwbank migrate`

use anyhow::{Context as _, anyhow};
use gwbank_timescale::{Database, Layout};

use crate::arguments::{General, load_or_explain};
use crate::failure::{Failure, Outcome};
use crate::node::offline::runtime;
use crate::node::settings;

pub fn run(general: &General) -> Outcome {
    let config = load_or_explain(&general.overrides()?)?.config;
    if config.archive.kind != "timescale" {
        let kind = &config.archive.kind;
        return Err(Failure::usage(anyhow!("archive.kind is {kind:?}: there is no database to migrate")));
    }
    let database = Database::new(&settings::database(&config)).context("archive.url")?;
    runtime()?.block_on(async {
        let applied = database.migrate().await.context("the database cannot be migrated")?;
        for migration in &applied {
            println!("applied {}/{}", migration.track, migration.name);
        }
        let policies = database.set_policies(&settings::policies(&config)).await.context("policies")?;
        for policy in &policies {
            println!("set {policy}");
        }
        let layout = match database.layout().await? {
            Layout::Timescale => "readings lie in a hypertable of TimescaleDB",
            Layout::TimescaleApache => {
                "readings lie in a hypertable of TimescaleDB, which compresses and rolls up nothing under its Apache licence"
            }
            Layout::Partitions => "readings lie in partitions by month: TimescaleDB is not installed in this database",
        };
        let count = applied.len();
        println!("{count} migrations applied; the schema is that of this version; {layout}");
        Ok(())
    })
}
