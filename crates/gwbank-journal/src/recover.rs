//! Opening what a former process left behind. The rule of the torn tail is stated at the top of the crate.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use gwbank_model::Seq;

use crate::disk::{Disk, DiskFile, read_up_to, write_all_at};
use crate::error::{JournalError, Operation};
use crate::format::{
    HEADER_BYTES, Header, is_temporary, number_of_segment, number_of_torn, segment_path, temporary_path, torn_path,
};
use crate::reader::{SegmentReader, Step, read_header};
use crate::segments::Segment;

/// Bytes moved at once.
const COPY_BYTES: usize = 1 << 20;

/// What was found when the journal was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    pub segments: usize,
    pub bytes: u64,
    pub cut: Option<CutTail>,
}

/// The end of a group that was being written when the process or the power went. None of it was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutTail {
    pub path: PathBuf,
    pub offset: u64,
    pub bytes: u64,
    /// A copy of what was cut, unless it was nothing but zeros or could not be kept.
    pub kept_in: Option<PathBuf>,
}

pub(crate) struct Recovered {
    pub sealed: VecDeque<Segment>,
    pub active: Segment,
    pub active_file: Box<dyn DiskFile>,
    pub last_seq: Seq,
    pub recovery: Recovery,
}

pub(crate) fn recover(disk: &dyn Disk, dir: &Path, node: u8) -> Result<Recovered, JournalError> {
    create_dir(disk, dir)?;
    remove_leftovers(disk, dir)?;
    // Names that a former process saw appear or go may not be durable yet.
    disk.sync_dir(dir).map_err(JournalError::io(Operation::Sync, dir))?;

    let mut sealed = VecDeque::from(survey(disk, dir)?);
    for segment in &sealed {
        if segment.header.node != node {
            let (path, found) = (segment.path.clone(), segment.header.node);
            return Err(JournalError::NodeMismatch { path, found, configured: node });
        }
    }
    let Some(mut active) = sealed.pop_back() else {
        let header = Header {
            node,
            number: 1,
            salt: random_salt(),
            salt_before: 0,
            bytes_before: 0,
            records_through: Seq::ZERO,
        };
        let (active, active_file) = create_segment(disk, dir, header)?;
        let recovery = Recovery { segments: 1, bytes: active.bytes, cut: None };
        return Ok(Recovered { sealed, active, active_file, last_seq: Seq::ZERO, recovery });
    };
    let (active_file, cut) = recover_last(disk, dir, &mut active)?;
    let recovery = Recovery {
        segments: sealed.len() + 1,
        bytes: sealed.iter().map(|segment| segment.bytes).sum::<u64>() + active.bytes,
        cut,
    };
    let last_seq = active.last_seq;
    Ok(Recovered { sealed, active, active_file, last_seq, recovery })
}

/// Reads the headers of all segments and checks that they belong together. Changes nothing.
/// The last one's `bytes` is the length of its file, and its `last_seq` that of the segments before it.
pub(crate) fn survey(disk: &dyn Disk, dir: &Path) -> Result<Vec<Segment>, JournalError> {
    let names = disk.list(dir).map_err(JournalError::io(Operation::List, dir))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of_segment(name)).collect();
    numbers.sort_unstable();
    let mut segments: Vec<Segment> = Vec::with_capacity(numbers.len());
    for number in numbers {
        let path = segment_path(dir, number);
        let file = disk.open_read(&path).map_err(JournalError::io(Operation::Open, &path))?;
        let bytes = file.size().map_err(JournalError::io(Operation::Read, &path))?;
        let header = read_header(&*file, &path)?;
        let misplaced = |problem| Err(JournalError::Misplaced { path: path.clone(), problem });
        if header.number != number {
            return misplaced("its header tells another number");
        }
        if let Some(before) = segments.last_mut() {
            if number != before.number() + 1 {
                return Err(JournalError::MissingSegment { path: segment_path(dir, before.number() + 1) });
            }
            if header.salt_before != before.header.salt || header.records_through < before.header.records_through {
                return misplaced("its header tells of another segment before it");
            }
            if before.bytes < header.bytes_before {
                let (path, offset) = (before.path.clone(), before.bytes);
                let problem = "the file is shorter than when it was closed";
                return Err(JournalError::Damaged { path, offset, problem });
            }
            before.bytes = header.bytes_before;
            before.last_seq = header.records_through;
        }
        let last_seq = header.records_through;
        segments.push(Segment { path, header, bytes, last_seq });
    }
    Ok(segments)
}

/// Writes a segment's header and gives it its name, both durable.
pub(crate) fn create_segment(
    disk: &dyn Disk,
    dir: &Path,
    header: Header,
) -> Result<(Segment, Box<dyn DiskFile>), JournalError> {
    let temporary = temporary_path(dir, header.number);
    let path = segment_path(dir, header.number);
    let file = disk.create_new(&temporary).map_err(JournalError::io(Operation::Create, &temporary))?;
    let written = write_all_at(&*file, &header.encode(), 0).map_err(JournalError::io(Operation::Write, &temporary));
    let renamed = written.and_then(|()| {
        file.sync_data().map_err(JournalError::io(Operation::Sync, &temporary))?;
        disk.rename(&temporary, &path).map_err(JournalError::io(Operation::Rename, &path))
    });
    if let Err(error) = renamed {
        // It is no segment yet; the next attempt needs the name.
        disk.remove(&temporary).map_err(JournalError::io(Operation::Remove, &temporary))?;
        return Err(error);
    }
    disk.sync_dir(dir).map_err(JournalError::io(Operation::Sync, dir))?;
    let last_seq = header.records_through;
    Ok((Segment { path, header, bytes: HEADER_BYTES as u64, last_seq }, file))
}

/// Not to be guessed by whoever sends payloads.
pub(crate) fn random_salt() -> u64 {
    RandomState::new().build_hasher().finish()
}

pub(crate) enum Tail {
    Torn,
    WasDurable,
}

/// Judges a last segment whose record at the reader's place is not whole.
pub(crate) fn judge_tail<F: Deref<Target: DiskFile>>(reader: &SegmentReader<F>) -> io::Result<Tail> {
    Ok(if reader.evidence_beyond()? > reader.offset() { Tail::WasDurable } else { Tail::Torn })
}

fn create_dir(disk: &dyn Disk, dir: &Path) -> Result<(), JournalError> {
    disk.create_dir_all(dir).map_err(JournalError::io(Operation::Create, dir))?;
    match dir.parent() {
        // Even when the directory was there: a process that was killed may have made it a moment ago.
        Some(parent) if parent != Path::new("") => {
            disk.sync_dir(parent).map_err(JournalError::io(Operation::Sync, parent))
        }
        _ => Ok(()),
    }
}

/// Temporary files never became segments; torn ends are kept only as long as their segment.
fn remove_leftovers(disk: &dyn Disk, dir: &Path) -> Result<(), JournalError> {
    let names = disk.list(dir).map_err(JournalError::io(Operation::List, dir))?;
    let oldest = names.iter().filter_map(|name| number_of_segment(name)).min();
    for name in names {
        let is_left_over = number_of_torn(&name).is_some_and(|number| oldest.is_some_and(|oldest| number < oldest));
        if is_temporary(&name) || is_left_over {
            let path = dir.join(name);
            disk.remove(&path).map_err(JournalError::io(Operation::Remove, &path))?;
        }
    }
    Ok(())
}

/// Finds the end of the last segment, cuts off what is torn, and makes durable what stays.
fn recover_last(
    disk: &dyn Disk,
    dir: &Path,
    segment: &mut Segment,
) -> Result<(Box<dyn DiskFile>, Option<CutTail>), JournalError> {
    let path = segment.path.clone();
    let file = disk.open_write(&path).map_err(JournalError::io(Operation::Open, &path))?;
    let size = segment.bytes;
    let mut reader = SegmentReader::new(&*file, &segment.header, size);
    let mut evidence = HEADER_BYTES as u64;
    let mut is_torn = false;
    loop {
        match reader.step().map_err(JournalError::io(Operation::Read, &path))? {
            Step::Record(head) => evidence = evidence.max(u64::from(head.group_start)),
            Step::End => break,
            Step::Invalid(problem) => {
                match judge_tail(&reader).map_err(JournalError::io(Operation::Read, &path))? {
                    Tail::WasDurable => return Err(JournalError::Damaged { path, offset: reader.offset(), problem }),
                    Tail::Torn => is_torn = true,
                }
                break;
            }
        }
    }
    let end = reader.offset();
    segment.bytes = end;
    segment.last_seq = reader.last_seq();
    let cut = if is_torn {
        let kept_in = keep_torn(disk, dir, segment, &*file, size);
        tracing::warn!(
            file = %path.display(), offset = end, bytes = size - end, kept_in = ?kept_in,
            "cut the torn end of the journal; nothing in it had been acknowledged"
        );
        Some(CutTail { path: path.clone(), offset: end, bytes: size - end, kept_in })
    } else {
        None
    };
    // Also when nothing is cut now: a cut by a recovery that was killed may not be durable.
    file.set_size(end).map_err(JournalError::io(Operation::Resize, &path))?;
    rewrite(&*file, evidence, end).map_err(JournalError::io(Operation::Write, &path))?;
    file.sync_data().map_err(JournalError::io(Operation::Sync, &path))?;
    Ok((file, cut))
}

/// Writes the bytes that are there once more, so that the next sync has to bring them to the disk.
fn rewrite(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut offset = from;
    while offset < to {
        buffer.resize((to - offset).min(COPY_BYTES as u64) as usize, 0);
        let filled = read_up_to(file, &mut buffer, offset)?;
        if filled == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        write_all_at(file, &buffer[..filled], offset)?;
        offset += filled as u64;
    }
    Ok(())
}

/// Keeps a copy of what will be cut. It was never acknowledged, so a copy that fails stops nothing.
fn keep_torn(disk: &dyn Disk, dir: &Path, segment: &Segment, file: &dyn DiskFile, size: u64) -> Option<PathBuf> {
    let path = torn_path(dir, segment.number());
    match copy_torn(disk, dir, &path, file, segment.bytes, size) {
        Ok(Copied::Bytes) => Some(path),
        Ok(Copied::NothingButZeros) => None,
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "cannot keep a copy of the journal's torn end");
            None
        }
    }
}

enum Copied {
    Bytes,
    NothingButZeros,
}

fn copy_torn(disk: &dyn Disk, dir: &Path, to: &Path, file: &dyn DiskFile, from: u64, end: u64) -> io::Result<Copied> {
    match disk.remove(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut copy = None;
    let mut buffer = Vec::new();
    let mut offset = from;
    while offset < end {
        buffer.resize((end - offset).min(COPY_BYTES as u64) as usize, 0);
        let filled = read_up_to(file, &mut buffer, offset)?;
        if filled == 0 {
            break;
        }
        if buffer[..filled].iter().any(|byte| *byte != 0) {
            let target = match copy.take() {
                Some(target) => target,
                None => disk.create_new(to)?,
            };
            write_all_at(&*target, &buffer[..filled], offset - from)?;
            copy = Some(target);
        }
        offset += filled as u64;
    }
    let Some(copy) = copy else { return Ok(Copied::NothingButZeros) };
    copy.sync_data()?;
    disk.sync_dir(dir)?;
    Ok(Copied::Bytes)
}
