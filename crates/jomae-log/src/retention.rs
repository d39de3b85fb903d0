//! Old segments go; their hashes stay, so that every proof still works.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::Path,
    time::UNIX_EPOCH,
};

use jomae_files as files;

use crate::{
    Timestamp,
    event::event_time,
    layout,
    lines::{Lines, Opened, open_segment},
};

/// How much of a segment's end is searched for its last event, in bytes.
const END_BYTES: u64 = 1024 * 1024;
/// After reading this much, in bytes, the rest is left for later: the log cannot be written meanwhile.
const BYTES_AT_ONCE: u64 = 128 * 1024 * 1024;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub files: usize,
    /// Whether there may be more to remove.
    pub more: bool,
}

/// Removes closed segments whose newest event is older than `before`, oldest first and without a gap, if the first
/// `covered` events include all of theirs.
pub(crate) fn remove_expired(dir: &Path, before: Timestamp, covered: u64) -> io::Result<Removed> {
    let segments = layout::segments(dir)?;
    let (mut removed, mut bytes) = (Removed::default(), 0);
    for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
        // Most often the last event tells; but the clock may have been set back.
        if next.first > covered || last_event(&segment.path)? >= before || newest_event(&segment.path)? >= before {
            break;
        }
        bytes += files::about(&segment.path)?.len();
        if !segment.is_compressed() {
            // Left by a crash: without the other it would count.
            remove(&layout::compressed(&segment.path))?;
        }
        remove(&segment.path)?;
        removed.files += 1;
        if bytes >= BYTES_AT_ONCE {
            removed.more = true;
            break;
        }
    }
    if removed.files > 0 {
        files::sync_dir_of(&layout::tree(dir))?;
    }
    Ok(removed)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// When the last event of a segment was; if it does not tell, when the file was last written.
fn last_event(path: &Path) -> io::Result<Timestamp> {
    let (mut file, about) = (open_segment(path, files::open)?, files::about(path)?);
    let bytes = file.bytes()?;
    let length = bytes.min(END_BYTES);
    let mut end = vec![0; usize::try_from(length).unwrap_or(0)];
    match &mut file {
        Opened::Plain(file) => file.read_exact_at(&mut end, bytes - length)?,
        Opened::Compressed(frames) => {
            frames.seek(bytes - length)?;
            frames.read_exact(&mut end)?;
        }
    }
    let lines = end.strip_suffix(b"\n").unwrap_or(&end);
    let last = lines.rsplit(|byte| *byte == b'\n').next().and_then(event_time);
    last.map_or_else(|| written(&about), Ok)
}

/// When the newest event of a segment was; if none tells, when the file was last written.
fn newest_event(path: &Path) -> io::Result<Timestamp> {
    let (mut lines, mut newest) = (Lines::open(path)?, None);
    while let Some(line) = lines.next_line()? {
        newest = newest.max(event_time(line));
    }
    newest.map_or_else(|| written(&files::about(path)?), Ok)
}

fn written(about: &fs::Metadata) -> io::Result<Timestamp> {
    let since = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_removes_nothing_early() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tree")).unwrap();
        let now = Timestamp(1_800_000_000);
        let write = |first: u64, times: &[i64]| {
            let line = |time: &i64| format!("{{\"eventTime\":\"{}\"}}\n", Timestamp(*time));
            fs::write(layout::segment(dir.path(), first), times.iter().map(line).collect::<String>()).unwrap();
        };
        let before = Timestamp(now.0 - 86_400);
        write(0, &[before.0 - 2, before.0 - 1]);
        // Begun today, with a clock that went back to 1970 then.
        write(2, &[now.0, 7]);
        write(4, &[now.0]);
        assert_eq!(remove_expired(dir.path(), before, 5).unwrap(), Removed { files: 1, more: false });
        assert_eq!(layout::segments(dir.path()).unwrap().len(), 2);
        assert_eq!(remove_expired(dir.path(), Timestamp(now.0 + 1), 3).unwrap(), Removed::default());
        assert_eq!(remove_expired(dir.path(), Timestamp(now.0 + 1), 4).unwrap(), Removed { files: 1, more: false });
    }
}
