//! Old segments go; their hashes stay, so that every proof still works.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
    time::UNIX_EPOCH,
};

use jomae_api::time::Timestamp;

use super::segments;
use crate::files;

/// How much of a segment's end is searched for its newest event, in bytes.
const END_BYTES: u64 = 1024 * 1024;

/// Removes closed segments whose newest event is older than `before`, oldest first and without a gap, if the first
/// `covered` events include all of theirs. Gives how many.
pub(super) fn remove_expired(dir: &Path, before: Timestamp, covered: u64) -> io::Result<usize> {
    let segments = segments::list(dir)?;
    let mut removed = 0;
    for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
        if next.first > covered || newest_event(&segment.path)? >= before {
            break;
        }
        fs::remove_file(&segment.path)?;
        removed += 1;
    }
    if removed > 0 {
        files::sync_dir_of(&dir.join("tree"))?;
    }
    Ok(removed)
}

/// When the last event of a segment was; if it does not tell, when the file was last written.
fn newest_event(path: &Path) -> io::Result<Timestamp> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    let length = about.len().min(END_BYTES);
    let mut end = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut end, about.len() - length)?;
    let lines = end.strip_suffix(b"\n").unwrap_or(&end);
    let last = lines.rsplit(|byte| *byte == b'\n').next().and_then(segments::event_time);
    if let Some(time) = last {
        return Ok(time);
    }
    let since = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
}
