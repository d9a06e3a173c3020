//! `gwbank archive copy`: from one kind of archive to the other.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use gwbank_runtime::{Clock, SystemClock};
use gwbank_store::RowNames;
use gwbank_store::copy::{self, Contents};
use indicatif::{ProgressBar, ProgressStyle};

use super::output::grouped;
use crate::arguments::{ArchiveCopy, ArchiveKind, General, load_or_explain};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::node::lock::DataDirLock;
use crate::node::offline::runtime;
use crate::node::stores::{self, Stores};

pub fn run(general: &General, asked: &ArchiveCopy) -> Outcome {
    if asked.from == asked.to {
        return Err(Failure::usage(anyhow!("--from and --to are the same kind of archive")));
    }
    let mut config = load_or_explain(&general.overrides()?)?.config;
    let is_database = |url: &str| url.starts_with("postgresql://") || url.starts_with("postgres://");
    let configured = Some(&config.archive.url).filter(|url| is_database(url)).cloned();
    let Some(url) = asked.database.clone().or(configured) else {
        return Err(Failure::usage(anyhow!("name the database: --database postgresql://… or archive.url")));
    };
    let delta_dir = match (&asked.delta_dir, is_database(&config.archive.url)) {
        (Some(dir), _) => dir.clone(),
        (None, true) => config.data_dir.join("archive"),
        (None, false) => config.archive_dir(),
    };
    if asked.from == ArchiveKind::Delta && !delta_dir.is_dir() {
        return Err(Failure::usage(anyhow!("there is no archive in {}: name it by --delta-dir", delta_dir.display())));
    }
    let _lock = DataDirLock::take(&config.data_dir)?;
    config.archive.url = url;
    let runtime = runtime()?;
    runtime.block_on(async {
        let names = RowNames::default();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let database = stores::open_database(&config, names.clone()).await?;
        config.archive.url = delta_dir.display().to_string();
        let embedded = stores::open_embedded(&config, names.clone(), clock).await?;
        let (source, target) = match asked.from {
            ArchiveKind::Delta => (embedded, database),
            ArchiveKind::Timescale => (database, embedded),
        };
        copy_all(&source, &target, &names).await?;
        next(asked.to, &config)
    })
}

async fn copy_all(source: &Stores, target: &Stores, names: &RowNames) -> Outcome {
    let began = Instant::now();
    let snapshot = source.archive.snapshot().await.context("the archive that is copied cannot be read")?;
    let progress = ProgressBar::new(snapshot.row_count());
    let style = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} readings {eta} {msg}");
    let progress = progress.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let (mut all, mut was_there) = (Contents::default(), 0);
    for span in copy::months(&*snapshot) {
        progress.set_message(span.from.to_rfc3339(0)[..7].to_owned());
        let copied = copy::copy_span(&*snapshot, &*target.archive, names, span)
            .await
            .context("broken off; the same command goes on from here")?;
        let Contents { winners, revisions, checksum } = copied.contents;
        all.winners += winners;
        all.revisions += revisions;
        all.checksum = all.checksum.wrapping_add(checksum);
        was_there += if copied.was_there { winners } else { 0 };
        progress.inc(winners);
    }
    copy::finish_archive(&*snapshot, &*target.archive).await.context("the position cannot be moved")?;
    drop(snapshot);
    let moved = copy::copy_metadata(&*source.metadata, &*target.metadata).await.context("the readings are copied")?;
    progress.finish_and_clear();
    println!(
        "{} readings and {} former versions are alike in both archives (checksum {:016x}); {} were there before; {:.1} s",
        grouped(all.winners),
        grouped(all.revisions),
        all.checksum,
        grouped(was_there),
        began.elapsed().as_secs_f64()
    );
    println!("wells, dead letters, indicators and flags {}", if moved { "are copied" } else { "were there before" });
    Ok(())
}

fn next(to: ArchiveKind, config: &Config) -> Outcome {
    let setting = match to {
        ArchiveKind::Timescale => "archive.kind = \"timescale\" and archive.url to the database".to_owned(),
        ArchiveKind::Delta => format!("archive.kind = \"delta\" and archive.url = \"{}\"", config.archive.url),
    };
    println!("set {setting}, then start `gwbank serve`: the journal in data_dir goes on from here");
    Ok(())
}
