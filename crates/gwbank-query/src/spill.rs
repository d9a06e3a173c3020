//! Temporary files of one query, counted among those of all.
//!
//! The engine counts what one query has on the disk ([`DiskManager`]); around its files stands a count of all queries.

use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use datafusion::error::Result;
use datafusion::execution::disk_manager::{DiskManager, DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::spill_file::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;

use crate::config::QueryConfig;

/// By these words an error tells that it is the disk of all queries that ran out.
pub(crate) const FOR_ALL_REACHED: &str = "the temporary files of all queries together are as large as they may be";

/// What all queries have on the disk.
#[derive(Debug)]
pub(crate) struct SpillForAll {
    bytes_max: u64,
    bytes: AtomicU64,
}

impl SpillForAll {
    pub(crate) fn new(config: &QueryConfig) -> Self {
        Self { bytes_max: config.spill_bytes_for_all, bytes: AtomicU64::new(0) }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn try_take(&self, bytes: u64) -> io::Result<()> {
        let more = |sum: u64| sum.checked_add(bytes).filter(|&sum| sum <= self.bytes_max);
        match self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other(FOR_ALL_REACHED)),
        }
    }
}

/// Where a query's temporary files go; without a directory it has none.
pub(crate) fn disk_of_query(config: &QueryConfig, for_all: &Arc<SpillForAll>) -> Result<DiskManagerBuilder> {
    let Some(dir) = &config.spill_dir else {
        return Ok(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled));
    };
    let own = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![dir.clone()]))
        .with_max_temp_directory_size(config.spill_bytes_max)
        .build()?;
    let files = CountedFiles { own: Arc::new(own), for_all: for_all.clone() };
    Ok(DiskManagerBuilder::default().with_temp_file_factory(Arc::new(files)))
}

struct CountedFiles {
    own: Arc<DiskManager>,
    for_all: Arc<SpillForAll>,
}

impl TempFileFactory for CountedFiles {
    fn create_temp_file(&self, description: &str) -> Result<Arc<dyn SpillFile>> {
        let inner = self.own.create_tmp_file(description)?;
        let counted = Arc::new(Counted { for_all: self.for_all.clone(), bytes: AtomicU64::new(0) });
        Ok(Arc::new(CountedFile { inner, counted }))
    }
}

/// What one file has of the disk, until it is gone and nobody writes to it.
struct Counted {
    for_all: Arc<SpillForAll>,
    bytes: AtomicU64,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.for_all.bytes.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

struct CountedFile {
    inner: Arc<dyn SpillFile>,
    counted: Arc<Counted>,
}

impl SpillFile for CountedFile {
    fn path(&self) -> Option<&Path> {
        self.inner.path()
    }

    fn size(&self) -> Option<u64> {
        self.inner.size()
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        self.inner.read_stream()
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(CountedWriter { inner: self.inner.open_writer()?, counted: self.counted.clone() }))
    }
}

struct CountedWriter {
    inner: Box<dyn SpillWriter>,
    counted: Arc<Counted>,
}

impl Write for CountedWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let for_all = &self.counted.for_all;
        let asked = buffer.len() as u64;
        for_all.try_take(asked)?;
        let written = self.inner.write(buffer);
        let used = written.as_ref().map_or(0, |&bytes| bytes as u64);
        for_all.bytes.fetch_sub(asked - used, Ordering::Relaxed);
        self.counted.bytes.fetch_add(used, Ordering::Relaxed);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl SpillWriter for CountedWriter {
    fn finish(&mut self) -> Result<()> {
        self.inner.finish()
    }
}
