//! The object store that `deltalake` writes checkpoints through and removes log entries with.
//!
//! Its own never syncs: a checkpoint would have its name before its bytes, and a power cut then leaves a table that cannot
//! be opened, or, with the entries below the checkpoint removed, one that is lost. Here a file gets its name when its bytes
//! are durable, and a write returns when the name is too.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use super::disk::{ArchiveDisk, parent_of};

/// Ends the name of a file that is being written, as `object_store` names its own: no listing shows it.
const UNFINISHED: &str = "#1";

#[derive(Debug, Clone)]
pub(crate) struct SyncedStore {
    files: Arc<LocalFileSystem>,
    disk: ArchiveDisk,
}

impl SyncedStore {
    pub fn new(disk: ArchiveDisk) -> Self {
        Self { files: Arc::new(LocalFileSystem::new()), disk }
    }

    async fn put_synced(&self, location: &Path, payload: PutPayload, mode: PutMode) -> Result<PutResult> {
        let path = self.files.path_to_filesystem(location)?;
        let disk = self.disk.clone();
        let written = tokio::task::spawn_blocking(move || write(&disk, path, &Bytes::from(payload), &mode)).await;
        match written {
            Ok(Ok(())) => Ok(PutResult { e_tag: None, version: None }),
            Ok(Err(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::AlreadyExists { path: location.to_string(), source: error.into() })
            }
            Ok(Err(error)) => Err(failed(error)),
            Err(error) => Err(failed(error)),
        }
    }
}

fn failed(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic { store: "SyncedStore", source: Box::new(source) }
}

fn write(disk: &ArchiveDisk, path: PathBuf, bytes: &[u8], mode: &PutMode) -> io::Result<()> {
    let mut unfinished = path.clone().into_os_string();
    unfinished.push(UNFINISHED);
    let unfinished = PathBuf::from(unfinished);
    disk.write_synced(&unfinished, bytes)?;
    match mode {
        PutMode::Overwrite => disk.rename(&unfinished, &path)?,
        PutMode::Create => {
            disk.link(&unfinished, &path)?;
            disk.remove(&unfinished)?;
        }
        PutMode::Update(_) => return Err(io::ErrorKind::Unsupported.into()),
    }
    disk.sync_dir(parent_of(&path))
}

/// A checkpoint in parts. It lists what memory holds anyway, so its parts wait there for the last one.
#[derive(Debug)]
struct SyncedUpload {
    store: SyncedStore,
    location: Path,
    parts: Vec<PutPayload>,
}

#[async_trait]
impl MultipartUpload for SyncedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts.push(data);
        Box::pin(async { Ok(()) })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let payload: PutPayload = std::mem::take(&mut self.parts).into_iter().flatten().collect();
        self.store.put_synced(&self.location, payload, PutMode::Overwrite).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.clear();
        Ok(())
    }
}

impl fmt::Display for SyncedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SyncedStore")
    }
}

#[async_trait]
impl ObjectStore for SyncedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.put_synced(location, payload, options.mode).await
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(SyncedUpload { store: self.clone(), location: location.clone(), parts: Vec::new() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let remove = move |location: Result<Path>| {
            let location = location?;
            let path = store.files.path_to_filesystem(&location)?;
            store.disk.remove(&path).map_err(failed)?;
            Ok(location)
        };
        locations.map(remove).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(Error::NotImplemented { operation: "copy".to_owned(), implementer: self.to_string() })
    }
}
