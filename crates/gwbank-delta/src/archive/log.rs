//! The log of the table: entries by our own hand, everything else by the `deltalake` crate.
//!
//! Entries are written here because `object_store` never syncs and because a snapshot of `deltalake` would be kept beside
//! ours for nothing: there is one writer, and it knows what it wrote. Reading, checkpoints and clean-up are the crate's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deltalake::kernel::{Action, DataType, Metadata, MetadataExt, StructField, StructType, new_metadata};
use deltalake::{DeltaTableBuilder, checkpoints};
use gwbank_model::Seq;
use serde_json::{Value, json};
use url::Url;

use super::disk::ArchiveDisk;
use super::files::{DataChange, DataFile, TableState};
use super::synced_store::SyncedStore;
use crate::DeltaError;

/// Names our consumer in the application transactions.
const APP_ID: &str = "gwbank";

pub(crate) fn table_dir(dir: &Path) -> PathBuf {
    dir.join("readings")
}

pub(super) fn log_dir(table: &Path) -> PathBuf {
    table.join("_delta_log")
}

fn entry_path(table: &Path, version: u64) -> PathBuf {
    log_dir(table).join(format!("{version:020}.json"))
}

fn schema() -> Result<StructType, deltalake::DeltaTableError> {
    let required = |name, data_type| StructField::new(name, data_type, false);
    let optional = |name, data_type| StructField::new(name, data_type, true);
    Ok(StructType::try_new([
        required("well_id", DataType::STRING),
        required("parameter", DataType::STRING),
        required("time", DataType::TIMESTAMP),
        optional("value", DataType::DOUBLE),
        optional("site_status", DataType::STRING),
        required("quality", DataType::SHORT),
        required("qc_tests", DataType::INTEGER),
        required("time_source", DataType::STRING),
        required("gateway_id", DataType::STRING),
        required("revision", DataType::INTEGER),
        required("seq", DataType::LONG),
        optional("time_raw", DataType::STRING),
        // Absent from the files of winners, which every reader takes as null.
        optional("superseded_seq", DataType::LONG),
        optional("superseded_at", DataType::TIMESTAMP),
        optional("cause", DataType::STRING),
        required("month", DataType::STRING),
        required("superseded", DataType::BOOLEAN),
    ])?)
}

/// Writes version 0 unless the table is there.
pub(crate) fn create(
    disk: &ArchiveDisk,
    table: &Path,
    log_kept_hours: u64,
    files_kept_hours: u64,
    now_ms: i64,
) -> Result<(), DeltaError> {
    if entry_path(table, 0).exists() || log_dir(table).join("_last_checkpoint").exists() {
        return Ok(());
    }
    disk.create_dirs(&log_dir(table))?;
    let failed = |source| DeltaError::Table { path: table.to_owned(), source: Box::new(source) };
    let properties = [
        ("delta.logRetentionDuration", format!("interval {log_kept_hours} hours")),
        ("delta.deletedFileRetentionDuration", format!("interval {files_kept_hours} hours")),
    ];
    let schema = schema().map_err(failed)?;
    let metadata = new_metadata(&schema, ["month", "superseded"], properties).map_err(|e| failed(e.into()))?;
    let metadata = serde_json::to_value(Action::Metadata(metadata)).map_err(|e| failed(e.into()))?;
    let actions = [
        commit_info("CREATE TABLE", now_ms),
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        metadata,
    ];
    write_entry(disk, table, 0, &actions)
}

fn commit_info(operation: &str, now_ms: i64) -> Value {
    json!({"commitInfo": {
        "timestamp": now_ms,
        "operation": operation,
        "operationParameters": {},
        "engineInfo": concat!("gwbank/", env!("CARGO_PKG_VERSION")),
    }})
}

/// What one entry does.
pub(crate) struct Entry<'a> {
    pub removed: &'a [Arc<DataFile>],
    pub added: &'a [Arc<DataFile>],
    /// `None` where the position stays, as in maintenance.
    pub position: Option<Seq>,
}

impl Entry<'_> {
    pub fn actions(&self, now_ms: i64) -> Vec<Value> {
        let (operation, change) = match self.position {
            Some(_) => ("WRITE", DataChange::Yes),
            None => ("OPTIMIZE", DataChange::No),
        };
        let mut actions = vec![commit_info(operation, now_ms)];
        if let Some(position) = self.position {
            actions.push(json!({"txn": {"appId": APP_ID, "version": position.as_i64(), "lastUpdated": now_ms}}));
        }
        actions.extend(self.removed.iter().map(|file| file.remove_action(now_ms, change)));
        actions.extend(self.added.iter().map(|file| file.add_action(now_ms, change)));
        actions
    }
}

/// Makes one entry durable, or fails with [`DeltaError::OtherWriter`] where its version exists.
pub(crate) fn write_entry(disk: &ArchiveDisk, table: &Path, version: u64, actions: &[Value]) -> Result<(), DeltaError> {
    let dir = log_dir(table);
    let path = entry_path(table, version);
    // Named as `deltalake` names its own: no reader takes it for an entry.
    let prepared = dir.join(format!("_commit_{version}.json.tmp"));
    let mut text = String::new();
    for action in actions {
        text.push_str(&action.to_string());
        text.push('\n');
    }
    disk.write_synced(&prepared, text.as_bytes()).map_err(DeltaError::io("write", &prepared))?;
    // A link never replaces; where a file system has none, we are the one writer.
    let named = match disk.link(&prepared, &path) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported && !path.exists() => disk.rename(&prepared, &path),
        other => other,
    };
    match named {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(DeltaError::OtherWriter { version });
        }
        other => other.map_err(DeltaError::io("name log entry", &path))?,
    }
    let _ = disk.remove(&prepared); // gone already where it was renamed
    disk.sync_dir(&dir).map_err(DeltaError::io("sync directory", &dir))
}

fn table_url(table: &Path) -> Result<Url, DeltaError> {
    let absolute = fs::canonicalize(table).map_err(DeltaError::io("find", table))?;
    Url::from_directory_path(&absolute)
        .map_err(|()| DeltaError::StrangeFile { path: absolute.display().to_string(), problem: "is no directory path" })
}

/// The latest version, and what its table is to be described as where an earlier program knew fewer columns.
pub(crate) struct Loaded {
    pub state: TableState,
    pub wider: Option<Value>,
}

/// Reads the latest version.
pub(crate) async fn load(table: &Path) -> Result<Loaded, DeltaError> {
    let failed = |source| DeltaError::Table { path: table.to_owned(), source: Box::new(source) };
    let loaded = DeltaTableBuilder::from_url(table_url(table)?).map_err(failed)?.load().await.map_err(failed)?;
    let snapshot = loaded.snapshot().map_err(failed)?;
    let log_store = loaded.log_store();
    let position = snapshot.transaction_version(log_store.as_ref(), APP_ID).await.map_err(failed)?;
    let mut state = TableState {
        version: snapshot.version(),
        position: Seq::from_i64(position.unwrap_or(0)),
        ..TableState::default()
    };
    for view in snapshot.log_data().iter() {
        let bytes = u64::try_from(view.size()).unwrap_or(0);
        let file = DataFile::from_log(view.path().into_owned(), bytes, view.stats().as_deref())?;
        state.add(Arc::new(file));
    }
    let wider = wider_metadata(snapshot.metadata(), &snapshot.schema()).map_err(failed)?;
    Ok(Loaded { state, wider })
}

/// The metadata of a table with our columns that it lacks; `None` where it lacks none. Its files lack them for good, which
/// every reader takes as null, as the columns are optional.
fn wider_metadata(metadata: &Metadata, known: &StructType) -> Result<Option<Value>, deltalake::DeltaTableError> {
    let ours = schema()?;
    let lacking: Vec<StructField> =
        ours.fields().filter(|field| known.field(field.name()).is_none()).cloned().collect();
    if lacking.is_empty() {
        return Ok(None);
    }
    let wider = StructType::try_new(known.fields().cloned().chain(lacking))?;
    Ok(Some(serde_json::to_value(Action::Metadata(metadata.clone().with_schema(&wider)?))?))
}

/// Describes the table anew, in an entry of its own.
pub(crate) fn widen(
    disk: &ArchiveDisk,
    table: &Path,
    state: &mut TableState,
    metadata: Value,
    now_ms: i64,
) -> Result<(), DeltaError> {
    write_entry(disk, table, state.version + 1, &[commit_info("ADD COLUMNS", now_ms), metadata])?;
    state.version += 1;
    Ok(())
}

/// Writes a checkpoint of a version and, when it is durable, removes the entries that are older than the table's
/// retention.
pub(crate) async fn checkpoint(disk: &ArchiveDisk, table: &Path, version: u64) -> Result<(), DeltaError> {
    let failed = |source| DeltaError::Table { path: table.to_owned(), source: Box::new(source) };
    let url = table_url(table)?;
    let store = Arc::new(SyncedStore::new(disk.clone()));
    let builder = DeltaTableBuilder::from_url(url.clone()).map_err(failed)?;
    let loaded = builder.with_storage_backend(store, url).with_version(version).load().await.map_err(failed)?;
    checkpoints::create_checkpoint(&loaded, None).await.map_err(failed)?;
    checkpoints::cleanup_metadata(&loaded, None).await.map_err(failed)?;
    Ok(())
}

/// The version of the newest checkpoint, 0 when there is none.
pub(crate) fn checkpointed_version(table: &Path) -> u64 {
    let hint = fs::read(log_dir(table).join("_last_checkpoint")).ok();
    let hint: Option<Value> = hint.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    hint.and_then(|hint| hint["version"].as_u64()).unwrap_or(0)
}
