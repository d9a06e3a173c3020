//! One store into another, through the ports.
//!
//! # Rules
//! 1. It goes by months. One that both archives have alike is left alone: a copy that was broken off goes on where it was.
//! 2. All versions of a key are in one commit, in the order in which they lost: so the other archive decides as the first.
//! 3. Alike is: as many winners, as many former versions, and the same sum of the hashes of all that they say.

use std::hash::{DefaultHasher, Hash, Hasher};

use arrow::error::ArrowError;
use futures::TryStreamExt;
use gwbank_model::{GatewayId, Key, Row, Seq, Timestamp};
use hashbrown::HashMap;

use crate::{
    Archive, ArchiveCommit, ArchiveError, ArchiveSnapshot, DeadLetterFilter, DeadMessage, IngestCommit, KnownOffices,
    Metadata, MetadataError, NewDeadLetter, PayloadPage, QualityFinding, QualityLimitsChange, RevisionRow, RowNames,
    ScanRequest, SecondLookCommit, SeriesFindings, StoredVersions, WatchCommit, batch_to_revisions, batch_to_rows,
};

/// Versions of one commit.
const COMMIT_ROWS: usize = 200_000;
/// Payloads of dead letters in memory at once.
const PAYLOAD_BYTES: usize = 32 << 20;

#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("cannot read the archive that is copied")]
    Source(#[source] ArchiveError),
    #[error("the other archive does not take readings")]
    Target(#[source] ArchiveError),
    #[error("an archive gave a batch that cannot be read")]
    Batch(#[from] ArrowError),
    #[error("metadata cannot be copied")]
    Metadata(#[from] MetadataError),
    #[error("the other archive refuses a reading of {well} at {time}: {why}")]
    Refused { well: String, time: Timestamp, why: String },
    #[error("from {from} to {to} the archives differ after the copy: {source_has:?} and {target_has:?}")]
    Differs { from: Timestamp, to: Timestamp, source_has: Contents, target_has: Contents },
    #[error(
        "the other metadata stand at seq {target}, beyond {source_at} of those that are copied: they are of another node"
    )]
    AnotherNode { target: i64, source_at: i64 },
}

/// What an archive has of a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    pub winners: u64,
    pub revisions: u64,
    /// Of the hashes of all rows, whatever their order.
    pub checksum: u64,
}

/// From ≤ time < to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Span {
    fn request(self) -> ScanRequest {
        ScanRequest { from: Some(self.from), to: Some(self.to), ..ScanRequest::all() }
    }
}

/// The months (of UTC) that an archive has readings of.
pub fn months(snapshot: &dyn ArchiveSnapshot) -> Vec<Span> {
    let Some((first, last)) = snapshot.time_range() else { return Vec::new() };
    let (mut month, last) = (first.month(0), last.month(0));
    let mut spans = Vec::new();
    while month <= last {
        spans.push(Span { from: month.start(0), to: month.plus(1).start(0) });
        month = month.plus(1);
    }
    spans
}

fn hash(row: &Row, names: &RowNames, more: impl Hash) -> u64 {
    let key = names.series.key(row.series);
    let mut hasher = DefaultHasher::new();
    (key.well.as_str(), key.parameter, row.time.as_micros(), row.value.to_bits(), row.revision).hash(&mut hasher);
    (row.seq.as_i64(), row.quality.code(), row.qc_tests.bits(), row.time_source.code()).hash(&mut hasher);
    row.site_status.map(|status| status.code()).hash(&mut hasher);
    names.gateways.id(row.gateway).as_str().hash(&mut hasher);
    row.time_form.map(|form| names.time_forms.reader().render(form, row.time)).hash(&mut hasher);
    more.hash(&mut hasher);
    hasher.finish()
}

async fn revisions(
    snapshot: &dyn ArchiveSnapshot,
    names: &RowNames,
    span: Span,
) -> Result<Vec<RevisionRow>, ReadError> {
    let mut revisions = Vec::new();
    for mut stream in snapshot.scan_revisions(span.request())? {
        while let Some(batch) = stream.try_next().await? {
            revisions.extend(batch_to_revisions(&batch, names)?);
        }
    }
    Ok(revisions)
}

/// Reads what an archive has of a stretch of time.
pub async fn contents(snapshot: &dyn ArchiveSnapshot, names: &RowNames, span: Span) -> Result<Contents, ReadError> {
    let mut found = Contents::default();
    let mut add = |hash: u64| found.checksum = found.checksum.wrapping_add(hash);
    for revision in &revisions(snapshot, names, span).await? {
        let RevisionRow { row, superseded_seq, superseded_at, cause } = revision;
        add(hash(row, names, (superseded_seq.as_i64(), superseded_at.as_micros(), cause)));
        found.revisions += 1;
    }
    for mut stream in snapshot.scan(span.request())? {
        while let Some(batch) = stream.try_next().await? {
            for row in &batch_to_rows(&batch, names)? {
                found.checksum = found.checksum.wrapping_add(hash(row, names, ()));
                found.winners += 1;
            }
        }
    }
    Ok(found)
}

/// What goes wrong while one of two archives is read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Batch(#[from] ArrowError),
}

impl ReadError {
    fn of(self, side: impl FnOnce(ArchiveError) -> CopyError) -> CopyError {
        match self {
            ReadError::Archive(error) => side(error),
            ReadError::Batch(error) => CopyError::Batch(error),
        }
    }
}

/// What became of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    pub contents: Contents,
    /// Whether the other archive had it before.
    pub was_there: bool,
}

/// Copies a stretch of time and makes sure that both archives have it alike.
pub async fn copy_span(
    source: &dyn ArchiveSnapshot,
    target: &dyn Archive,
    names: &RowNames,
    span: Span,
) -> Result<Copied, CopyError> {
    let wanted = contents(source, names, span).await.map_err(|error| error.of(CopyError::Source))?;
    let there = async || {
        let snapshot = target.snapshot().await.map_err(CopyError::Target)?;
        let found = contents(&*snapshot, names, span).await.map_err(|error| error.of(CopyError::Target))?;
        Ok::<_, CopyError>((found, snapshot.position()))
    };
    let (found, position) = there().await?;
    if found == wanted {
        return Ok(Copied { contents: wanted, was_there: true });
    }
    let revisions = revisions(source, names, span).await.map_err(|error| error.of(CopyError::Source))?;
    let mut revisions = by_key(revisions);
    let mut rows = Vec::new();
    for mut stream in source.scan(span.request()).map_err(CopyError::Source)? {
        while let Some(batch) = stream.try_next().await.map_err(CopyError::Source)? {
            for versions in joined(batch_to_rows(&batch, names)?, &mut revisions) {
                rows.extend(versions.revisions.iter().map(|revision| revision.row));
                rows.push(versions.winner);
            }
            if rows.len() >= COMMIT_ROWS {
                commit(target, names, std::mem::take(&mut rows), position).await?;
            }
        }
    }
    commit(target, names, rows, position).await?;
    let (found, _) = there().await?;
    if found != wanted {
        return Err(CopyError::Differs { from: span.from, to: span.to, source_has: wanted, target_has: found });
    }
    Ok(Copied { contents: wanted, was_there: false })
}

async fn commit(target: &dyn Archive, names: &RowNames, rows: Vec<Row>, through: Seq) -> Result<(), CopyError> {
    let report = target.commit(ArchiveCommit { rows: rows.clone(), through }).await.map_err(CopyError::Target)?;
    match report.refused.into_iter().next() {
        None => Ok(()),
        Some(refused) => {
            let row = rows[refused.index];
            let well = names.series.key(row.series).well.to_string();
            Err(CopyError::Refused { well, time: row.time, why: refused.why })
        }
    }
}

/// Moves the other archive to where the first one stands: the journal goes on from there.
pub async fn finish_archive(source: &dyn ArchiveSnapshot, target: &dyn Archive) -> Result<(), CopyError> {
    let commit = ArchiveCommit { rows: Vec::new(), through: source.position() };
    target.commit(commit).await.map(drop).map_err(CopyError::Target)
}

/// Former versions by their keys, each in the order in which they lost.
pub fn by_key(mut revisions: Vec<RevisionRow>) -> HashMap<Key, Vec<RevisionRow>> {
    revisions.sort_by_key(|revision| (revision.superseded_at, revision.row.seq));
    let mut by_key: HashMap<Key, Vec<RevisionRow>> = HashMap::new();
    for revision in revisions {
        by_key.entry(revision.row.key()).or_default().push(revision);
    }
    by_key
}

/// Winners with their former versions. Scans do not tell origins: they are restored.
pub fn joined(
    winners: Vec<Row>,
    revisions: &mut HashMap<Key, Vec<RevisionRow>>,
) -> impl Iterator<Item = StoredVersions> {
    winners.into_iter().map(|winner| {
        let mut versions = StoredVersions { winner, revisions: revisions.remove(&winner.key()).unwrap_or_default() };
        if !versions.revisions.is_empty() {
            versions.restore_origins();
        }
        versions
    })
}

/// Copies everything that is not a reading, as of now: wells and installations, counts of gateways, dead letters, reviews,
/// marks, indicators, flags, offices. Messages that are owed stay with the source. What can be asked as it was known begins with it. The position of the other metadata, which comes
/// last, says that it is done; then nothing is done.
pub async fn copy_metadata(source: &dyn Metadata, target: &dyn Metadata) -> Result<bool, CopyError> {
    let (position, there) = (source.position().await?, target.position().await?);
    if there >= position {
        return match there == position {
            true => Ok(false),
            false => Err(CopyError::AnotherNode { target: there.as_i64(), source_at: position.as_i64() }),
        };
    }
    target.put_wells(source.wells().await?, position).await?;
    target.put_installations(source.installations().await?, position).await?;
    let limits = QualityLimitsChange { put: source.quality_limits().await?, ..QualityLimitsChange::default() };
    target.change_quality_limits(limits).await?;
    target.commit_second_look(second_look(source).await?).await?;
    for review in source.reviews().await? {
        target.put_review(review, Vec::new()).await?;
    }
    let mut watched = WatchCommit {
        indicators: source.indicators(None).await?,
        flags: source.flags(false).await?,
        transitions: source.flag_transitions(None).await?,
        notes: source.flag_notes(None).await?,
        holds: source.flag_holds().await?,
        drills: source.drills().await?,
        ..WatchCommit::default()
    };
    let begins = watched.instant().max(position.received_at());
    watched.at = Some(begins);
    target.commit_watch(watched).await?;
    target.begin_history(begins).await?;
    let KnownOffices { offices, .. } = source.offices(None).await?;
    target.put_offices(offices, target.offices_version().await?, begins).await?;
    let commit = IngestCommit {
        through: Some(position),
        gateways: source.gateways().await?,
        dead_messages: dead_messages(source).await?,
        dirty_months: [source.dirty_months(usize::MAX).await?, source.unconverted_months(usize::MAX).await?].concat(),
        received_contents: source.received_contents().await?,
        judged_series: source.judged_series().await?,
        ..IngestCommit::default()
    };
    target.commit_ingest(commit).await?;
    Ok(true)
}

async fn second_look(source: &dyn Metadata) -> Result<SecondLookCommit, MetadataError> {
    let findings = source.quality_findings().await?;
    let of_one_series = |one: &QualityFinding, other: &QualityFinding| {
        (&one.well_id, one.parameter) == (&other.well_id, other.parameter)
    };
    let series = findings.chunk_by(of_one_series).filter_map(|findings| {
        let QualityFinding { well_id, parameter, .. } = findings.first()?;
        Some(SeriesFindings { well_id: well_id.clone(), parameter: *parameter, findings: findings.to_vec() })
    });
    Ok(SecondLookCommit { series: series.collect(), looks: source.second_looks().await? })
}

/// Messages with what is still dead of them.
async fn dead_messages(source: &dyn Metadata) -> Result<Vec<DeadMessage>, MetadataError> {
    let mut messages: HashMap<(GatewayId, Seq), DeadMessage> = HashMap::new();
    for entry in source.dead_letters(DeadLetterFilter::default()).await? {
        let mut page = PayloadPage { after: Seq::ZERO, payloads_max: 1024, bytes_max: PAYLOAD_BYTES };
        loop {
            let letters = source.dead_letter_payloads(entry.id, page).await?;
            let Some(last) = letters.last() else { break };
            page.after = last.seq;
            for letter in letters {
                let message = messages.entry((letter.gateway_id.clone(), letter.seq)).or_insert_with(|| DeadMessage {
                    seq: letter.seq,
                    received_at: letter.received_at,
                    gateway_id: letter.gateway_id.clone(),
                    topic: letter.topic.clone(),
                    payload: letter.payload.clone(),
                    letters: Vec::new(),
                });
                let cause = crate::DeadLetterCause { reason: entry.reason.clone(), subject: entry.subject.clone() };
                message.letters.push(NewDeadLetter { cause, detail: letter.detail, readings: letter.readings });
            }
        }
    }
    let mut messages: Vec<DeadMessage> = messages.into_values().collect();
    messages.sort_by_key(|message| message.seq);
    Ok(messages)
}
