//! Filling the window from the archive at start.

use futures::TryStreamExt;
use gwbank_model::{Row, Timestamp};
use gwbank_recent::Window;
use gwbank_store::copy::{by_key, joined};
use gwbank_store::{ArchiveSnapshot, BatchStream, RowNames, ScanRequest, batch_to_revisions, batch_to_rows};

use crate::IngestError;

/// About what the window takes for a row; the budget is met to within its chunks' overhead.
const ROW_BYTES: usize = 40;
const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;

/// The shortest stretch that is looked at: what is denser is left to the archive.
const STEP_MICROS_MIN: i64 = 60 * 1_000_000;

/// Loads the newest days that fit and says from when on the window is complete. Never more rows are in memory than fit.
pub(crate) async fn warm(
    archive: &dyn ArchiveSnapshot,
    window: &Window,
    names: &RowNames,
    bytes_max: usize,
) -> Result<(), IngestError> {
    let rows_max = bytes_max / ROW_BYTES;
    let Some((earliest, latest)) = archive.time_range() else {
        window.set_covers_from(Timestamp::MIN);
        return Ok(());
    };
    if archive.row_count() <= rows_max as u64
        && let Some(Loaded { winners, revisions }) = load(archive, names, Stretch::default(), rows_max).await?
    {
        window.load_archived(winners, revisions);
        window.set_covers_from(Timestamp::MIN);
        return Ok(());
    }
    // Backwards in steps that grow while they find little; from the first that finds more than fits they only shrink.
    let mut covers_from = latest.plus_micros(1);
    let mut to = None;
    let (mut step, mut grows) = (DAY_MICROS, true);
    let mut loaded = 0;
    while covers_from > earliest && step >= STEP_MICROS_MIN {
        let from = covers_from.plus_micros(-step);
        let stretch = Stretch { from: Some(from), to };
        let Some(Loaded { winners, revisions }) = load(archive, names, stretch, rows_max - loaded).await? else {
            (step, grows) = (step / 4, false);
            continue;
        };
        let rows = winners.len() + revisions.len();
        window.load_archived(winners, revisions);
        loaded += rows;
        covers_from = from;
        to = Some(from);
        if grows && rows < rows_max / 32 {
            step *= 2;
        }
    }
    window.set_covers_from(if covers_from <= earliest { Timestamp::MIN } else { covers_from });
    Ok(())
}

/// Half-open in time; `None` is open.
#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

struct Loaded {
    winners: Vec<Row>,
    revisions: Vec<Row>,
}

/// `None` when there are more rows than `rows_max`; then it stops reading.
async fn load(
    archive: &dyn ArchiveSnapshot,
    names: &RowNames,
    stretch: Stretch,
    rows_max: usize,
) -> Result<Option<Loaded>, IngestError> {
    let request = ScanRequest { from: stretch.from, to: stretch.to, ..ScanRequest::all() };
    let unreadable = |error: arrow::error::ArrowError| IngestError::Batch(error.to_string());
    let mut winners = Vec::new();
    for stream in archive.scan(request.clone())? {
        let mut stream: BatchStream = stream;
        while let Some(batch) = stream.try_next().await? {
            if winners.len() + batch.num_rows() > rows_max {
                return Ok(None);
            }
            winners.extend(batch_to_rows(&batch, names).map_err(unreadable)?);
        }
    }
    let mut rows = winners.len();
    let mut revisions = Vec::new();
    for stream in archive.scan_revisions(request)? {
        let mut stream: BatchStream = stream;
        while let Some(batch) = stream.try_next().await? {
            rows += batch.num_rows();
            if rows > rows_max {
                return Ok(None);
            }
            revisions.extend(batch_to_revisions(&batch, names).map_err(unreadable)?);
        }
    }
    if revisions.is_empty() {
        return Ok(Some(Loaded { winners, revisions: Vec::new() }));
    }
    let mut losers = Vec::new();
    let mut revisions = by_key(revisions);
    let winners = joined(winners, &mut revisions).map(|versions| {
        losers.extend(versions.revisions.into_iter().map(|revision| revision.row));
        versions.winner
    });
    Ok(Some(Loaded { winners: winners.collect(), revisions: losers }))
}
