//! The embedded stores against the rules of their ports, against cuts and failures, and as others read them.

mod archive;
mod crash;
mod metadata;
mod outside;
mod widen;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gwbank_delta::{DeltaArchive, DeltaConfig};
use gwbank_runtime::ManualClock;
use gwbank_store::RowNames;

/// Small files and eager upkeep, so that few rows reach every path.
fn eager(dir: &Path, names: &RowNames) -> DeltaConfig {
    DeltaConfig {
        clock: Arc::new(ManualClock::at_micros(1_760_000_000_000_000)),
        removed_files_kept: Duration::ZERO,
        checkpoint_commits: 4,
        file_rows_max: 40,
        merge_files_min: 2,
        ..DeltaConfig::new(dir, names.clone())
    }
}

async fn open(dir: &Path, names: &RowNames) -> DeltaArchive {
    DeltaArchive::open(eager(dir, names)).await.expect("archive opens")
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("directory");
    for entry in std::fs::read_dir(from).expect("list") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("kind").is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copy");
        }
    }
}

fn data_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() && !path.ends_with("_delta_log") {
            found.extend(data_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
    found
}

/// How many random histories a test takes.
fn rounds(few: u64) -> u64 {
    std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(few)
}
