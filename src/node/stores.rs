//! Archive, metadata and pipeline on the data directory. The caller holds its lock.

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use gwbank_delta::{DeltaArchive, DeltaConfig, SqliteMetadata};
use gwbank_ingest::{Pipeline, PipelineParts};
use gwbank_runtime::Clock;
use gwbank_store::{Archive, Metadata, RowNames};
use gwbank_timescale::{Database, DatabaseConfig, DatabaseError, PostgresArchive, PostgresMetadata};

use super::settings;
use crate::config::Config;
use crate::failure::Outcome;

pub struct Stores {
    pub names: RowNames,
    pub archive: Arc<dyn Archive>,
    pub metadata: Arc<dyn Metadata>,
}

pub async fn open(config: &Config, clock: Arc<dyn Clock>) -> Outcome<Stores> {
    let names = RowNames::default();
    if config.archive.kind == "timescale" {
        open_database(config, names).await
    } else {
        open_embedded(config, names, clock).await
    }
}

pub async fn open_database(config: &Config, names: RowNames) -> Outcome<Stores> {
    let owner = owner(&config.data_dir).with_context(|| format!("{} cannot be used", config.data_dir.display()))?;
    let database = DatabaseConfig { owner: Some(owner), ..settings::database(config) };
    let database = Database::new(&database).context("archive.url")?;
    let prepared = async {
        if config.archive.migrate_on_start {
            database.migrate().await?;
            database.set_policies(&settings::policies(config)).await?;
        }
        database.check_schema().await?;
        database.claim_node().await
    };
    match prepared.await {
        // The pipeline decides whether it can go on without: see "Rules" of its recovery.
        Ok(()) | Err(DatabaseError::Connect(_)) => {}
        Err(error) => {
            return Err(anyhow::Error::new(error).context("the database of archive.url cannot be used").into());
        }
    }
    let archive = PostgresArchive::new(database.clone(), names.clone());
    let metadata = PostgresMetadata::new(database, settings::dead_letter_bounds(config));
    Ok(Stores { names, archive: Arc::new(archive), metadata: Arc::new(metadata) })
}

/// What tells this data directory from all others, made once.
fn owner(data_dir: &Path) -> io::Result<String> {
    let path = data_dir.join("node");
    match std::fs::read_to_string(&path) {
        Ok(owner) if !owner.trim().is_empty() => return Ok(owner.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let owner = format!("{:032x}", rand::random::<u128>());
    std::fs::write(&path, format!("{owner}\n"))?;
    Ok(owner)
}

pub async fn open_embedded(config: &Config, names: RowNames, clock: Arc<dyn Clock>) -> Outcome<Stores> {
    let dir = config.archive_dir();
    let mut delta = DeltaConfig::new(&dir, names.clone());
    delta.clock = clock;
    let archive = DeltaArchive::open(delta)
        .await
        .with_context(|| format!("the archive in {} cannot be opened", dir.display()))?;
    let sqlite = settings::metadata(config);
    let path = sqlite.path.clone();
    let metadata = SqliteMetadata::open(sqlite)
        .await
        .with_context(|| format!("the metadata in {} cannot be opened", path.display()))?;
    Ok(Stores { names, archive: Arc::new(archive), metadata: Arc::new(metadata) })
}

pub async fn pipeline(config: &Config, stores: &Stores, clock: Arc<dyn Clock>) -> Outcome<Pipeline> {
    let parts = PipelineParts {
        archive: stores.archive.clone(),
        metadata: stores.metadata.clone(),
        names: stores.names.clone(),
        clock,
    };
    Ok(Pipeline::open(settings::pipeline(config)?, parts).await.context("the pipeline cannot recover")?)
}
