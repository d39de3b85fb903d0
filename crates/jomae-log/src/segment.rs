//! The segments of one's own log: counted, hashed, cut, written.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use jomae_files as files;

use crate::{
    FileError, Hash,
    event::event_time,
    layout::{self, Segment},
    leaf_hash,
    lines::Lines,
};

/// With more than this in the buffer, every caller waits for the disk, in bytes.
pub(crate) const BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// At most this much of a torn last line is kept in the file beside the segment, in bytes.
const TORN_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// So many zeros are written behind the lines at a time, in bytes.
const AHEAD_BYTES: usize = 512 * 1024;
/// Leaf hashes per call of the closure.
const LEAVES_AT_ONCE: usize = 4096;

/// The size of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Whole lines.
    pub events: u64,
    /// Bytes of whole lines.
    pub bytes: u64,
    /// Bytes behind them: a last line without its end, or what begins with a line that was never written, only made
    /// room for: a power cut leaves zeros there, and no event has one.
    pub torn_bytes: u64,
}

/// Counts the lines of a file, up to the first that cannot be an event.
pub(crate) fn measure(path: &Path) -> io::Result<Measured> {
    let mut file = files::open(path)?;
    let about = file.metadata()?;
    let (mut at, mut measured) = (0u64, Measured { events: 0, bytes: 0, torn_bytes: 0 });
    let mut block = vec![0; 256 * 1024];
    'file: loop {
        let read = match file.read(&mut block) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let block = block.get(..read).unwrap_or_default();
        for place in memchr::memchr2_iter(b'\n', 0, block) {
            if block.get(place) == Some(&0) {
                at = about.len().max(at + place as u64);
                break 'file;
            }
            measured.events += 1;
            measured.bytes = at + place as u64 + 1;
        }
        at += read as u64;
    }
    measured.torn_bytes = at - measured.bytes;
    Ok(measured)
}

/// The line of an event; none if it is not in the files.
pub(crate) fn event(dir: &Path, index: u64) -> io::Result<Option<Vec<u8>>> {
    let segments = layout::segments(dir)?;
    let Some(segment) = segments.iter().rfind(|segment| segment.first <= index) else { return Ok(None) };
    let mut lines = Lines::open(&segment.path)?;
    if !lines.skip(index - segment.first)? {
        return Ok(None);
    }
    Ok(lines.next_line()?.map(<[u8]>::to_vec))
}

/// Why leaf hashes cannot be computed.
#[derive(Debug)]
pub(crate) enum LeavesError {
    File(FileError),
    /// The event is in no file, or in two.
    Missing(u64),
}

/// Calls `each` with the leaf hashes of events `from..to`, in order, some thousand at a time.
pub(crate) fn leaves(
    dir: &Path,
    from: u64,
    to: u64,
    mut each: impl FnMut(&[Hash]) -> io::Result<()>,
) -> Result<(), LeavesError> {
    let in_dir = |error| LeavesError::File(FileError::of(dir)(error));
    let segments = layout::segments(dir).map_err(in_dir)?;
    let start = segments.iter().rposition(|segment| segment.first <= from).unwrap_or(0);
    let mut at = from;
    let mut gathered = Vec::with_capacity(LEAVES_AT_ONCE);
    for segment in segments.iter().skip(start) {
        if at >= to {
            break;
        }
        let mut index = segment.first;
        if index > at || (index < at && at > from) {
            return Err(LeavesError::Missing(at.min(index)));
        }
        let in_file = |error| LeavesError::File(FileError::of(&segment.path)(error));
        let mut lines = Lines::open(&segment.path).map_err(in_file)?;
        while index < to
            && let Some(line) = lines.next_line().map_err(in_file)?
        {
            if index >= from {
                gathered.push(leaf_hash(line));
                at = index + 1;
                if gathered.len() == LEAVES_AT_ONCE {
                    each(&gathered).map_err(in_dir)?;
                    gathered.clear();
                }
            }
            index += 1;
        }
    }
    each(&gathered).map_err(in_dir)?;
    if at < to { Err(LeavesError::Missing(at)) } else { Ok(()) }
}

/// Truncates a file to `bytes` bytes, and moves the rest to a file of its own, named by that offset. `false` if the rest
/// was nothing but room for more lines.
fn cut_at(path: &Path, file: &mut File, bytes: u64) -> io::Result<bool> {
    let mut torn = Vec::new();
    file.seek(SeekFrom::Start(bytes))?;
    io::Read::by_ref(file).take(TORN_BYTES_MAX).read_to_end(&mut torn)?;
    let torn = torn.iter().rposition(|byte| *byte != 0).and_then(|last| torn.get(..=last));
    if let Some(torn) = torn {
        files::write_private(&layout::torn(path, bytes), torn)?;
    }
    file.set_len(bytes)?;
    Ok(torn.is_some())
}

/// Moves event `event` and all later ones of a segment to a file of their own.
pub(crate) fn cut(segment: &Segment, event: u64) -> io::Result<()> {
    if segment.is_compressed() {
        return Err(io::Error::other("is compressed, which only events are that a checkpoint covers"));
    }
    let mut lines = Lines::open(&segment.path)?;
    if !lines.skip(event - segment.first)? {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut file = files::open_to_write(&segment.path)?;
    cut_at(&segment.path, &mut file, lines.offset())?;
    file.sync_all()
}

/// The newest segment, open for writing.
pub(crate) struct OpenSegment {
    dir: PathBuf,
    path: PathBuf,
    first: u64,
    /// Events that are in the file.
    events: u64,
    /// Bytes that are whole lines.
    bytes: u64,
    /// Bytes of the file: behind the lines there may be zeros, room for more of them.
    length: u64,
    /// Whether there is to be such room: a sync that does not change the length of the file spares the file system a
    /// commit.
    ahead: bool,
    file: File,
    /// The last of these bytes, which have not been synced.
    unsynced: Vec<u8>,
    /// Whether something failed since the last sync.
    doubtful: bool,
}

impl OpenSegment {
    /// Opens a segment, or creates it. A last line that a crash left incomplete is moved to a file of its own: nobody
    /// was told that it was on disk.
    pub fn open(dir: &Path, first: u64) -> io::Result<Self> {
        let path = layout::segment(dir, first);
        let mut file = files::open_to_write(&path)?;
        let Measured { events, bytes, torn_bytes } = measure(&path)?;
        if torn_bytes > 0 && cut_at(&path, &mut file, bytes)? {
            tracing::warn!(file = %path.display(), at = bytes, "a crash cut off the last audit event; it was set aside");
        }
        file.sync_all()?;
        files::sync_dir_of(&path)?;
        let (dir, unsynced) = (dir.to_owned(), Vec::new());
        Ok(Self { dir, path, first, events, bytes, length: bytes, ahead: false, file, unsynced, doubtful: false })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of its first event.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The number of the event that comes next.
    pub fn next(&self) -> u64 {
        self.first + self.events
    }

    /// The day of its first event, in days since 1970; `None` if the event does not tell.
    pub fn day(&self) -> Option<i64> {
        let time = event_time(Lines::open(&self.path).ok()?.next_line().ok()??)?;
        Some(time.day())
    }

    /// Appends whole lines, all or none: what a failed write left behind is cut off before the next one.
    pub fn append(&mut self, lines: &[u8], events: u64, sync: bool) -> io::Result<()> {
        if let Err(error) = self.write(lines, sync) {
            self.doubtful = true;
            return Err(error);
        }
        self.bytes += lines.len() as u64;
        self.events += events;
        if sync {
            self.unsynced.clear();
            self.unsynced.shrink_to(BUFFER_BYTES_MAX);
            self.doubtful = false;
        } else {
            self.unsynced.extend_from_slice(lines);
        }
        Ok(())
    }

    fn write(&mut self, lines: &[u8], sync: bool) -> io::Result<()> {
        // Also without new lines: nothing may be left behind the last line of a segment that is closed.
        let length = if self.ahead { self.length } else { self.bytes };
        if self.doubtful || self.file.metadata()?.len() != length {
            self.file.set_len(self.bytes)?;
            self.length = self.bytes;
        }
        if self.doubtful {
            // A sync that failed may have dropped what it could not write, and the next one would not tell.
            self.file.write_all_at(&self.unsynced, self.bytes - self.unsynced.len() as u64)?;
        }
        let end = self.bytes + lines.len() as u64;
        if end > self.length {
            self.length = end;
            // Without room it goes on as well.
            if self.ahead && self.file.write_all_at(&vec![0; AHEAD_BYTES], end).is_ok() {
                self.length += AHEAD_BYTES as u64;
            }
        }
        self.file.write_all_at(lines, self.bytes)?;
        if sync { self.file.sync_data() } else { Ok(()) }
    }

    /// Whether to make room behind the lines, from the next write on.
    pub const fn go_ahead(&mut self, ahead: bool) {
        self.ahead = ahead;
    }

    /// Gives back what room there is, and syncs.
    pub fn finish(&mut self) -> io::Result<()> {
        self.go_ahead(false);
        self.append(b"", 0, true)
    }

    /// The segment that follows. The caller has finished this one.
    pub fn follow(&self) -> io::Result<Self> {
        Self::open(&self.dir, self.next())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::layout::{EVENT_BYTES_MAX, segment as path};

    #[test]
    fn lines_are_counted_across_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        fs::write(&file, vec![b'x'; 10_000]).unwrap();
        assert_eq!(measure(&file).unwrap(), Measured { events: 0, bytes: 0, torn_bytes: 10_000 });
        fs::write(&file, [vec![b'x'; 300_000], vec![b'\n'], vec![b'y'; 9000]].concat()).unwrap();
        assert_eq!(measure(&file).unwrap(), Measured { events: 1, bytes: 300_001, torn_bytes: 9000 });
        let mut lines = Lines::open(&file).unwrap();
        assert_eq!(lines.next_line().unwrap().map(<[u8]>::len), Some(300_000));
        assert_eq!(lines.next_line().unwrap(), None);
        fs::write(&file, [vec![b'x'; EVENT_BYTES_MAX + 1], vec![b'\n']].concat()).unwrap();
        assert!(Lines::open(&file).unwrap().next_line().is_err());
    }

    #[test]
    fn zeros_of_a_power_cut_are_no_events() {
        let dir = tempfile::tempdir().unwrap();
        let file = path(dir.path(), 0);
        for (rest, torn_bytes) in [(&b"\0\0\0\0"[..], 4), (b"\0\0\n{\"c\":1}\n", 11), (b"{\"c\":\0\0\n{}\n{", 12)] {
            fs::write(&file, [&b"{\"a\":1}\n{}\n"[..], rest].concat()).unwrap();
            assert_eq!(measure(&file).unwrap(), Measured { events: 2, bytes: 11, torn_bytes });
            let mut segment = OpenSegment::open(dir.path(), 0).unwrap();
            let torn = fs::read(layout::torn(&file, 11)).unwrap_or_default();
            assert_eq!(torn, if rest == b"\0\0\0\0" { b"" } else { rest });
            segment.append(b"{\"b\":2}\n", 1, true).unwrap();
            assert_eq!(fs::read(&file).unwrap(), b"{\"a\":1}\n{}\n{\"b\":2}\n");
        }
    }

    #[test]
    fn room_behind_the_lines_is_no_part_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = path(dir.path(), 0);
        let begin = || {
            let mut segment = OpenSegment::open(dir.path(), 0).unwrap();
            segment.go_ahead(true);
            segment
        };
        let length = || fs::metadata(&file).unwrap().len();
        let mut segment = begin();
        assert_eq!(length(), 0);
        segment.append(b"a\n", 1, true).unwrap();
        let room = length();
        assert_eq!(room, 2 + AHEAD_BYTES as u64);
        segment.append(&[vec![b'b'; AHEAD_BYTES - 1], b"\n".to_vec()].concat(), 1, true).unwrap();
        assert_eq!(length(), room, "what fits does not change the length");
        segment.append(b"c\n", 1, true).unwrap();
        assert!(length() > room);
        let mut lines = Lines::open(&file).unwrap();
        let mut read = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            read.push(line.len());
        }
        assert_eq!((read, lines.torn_bytes()), (vec![1, AHEAD_BYTES - 1, 1], 0));
        // A crash leaves it; the next start gives it back, without a word of damage.
        let segment = begin();
        assert_eq!((segment.next(), segment.bytes(), length()), (3, room + 2, room + 2));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        // A line that a crash cut off is set aside without it.
        let mut segment = begin();
        segment.append(b"d\n", 1, true).unwrap();
        segment.file.write_all_at(b"{\"e", room + 4).unwrap();
        let mut segment = begin();
        assert_eq!((segment.next(), length()), (4, room + 4));
        assert_eq!(fs::read(layout::torn(&file, room + 4)).unwrap(), b"{\"e");
        segment.append(b"e\n", 1, true).unwrap();
        segment.finish().unwrap();
        assert_eq!((segment.next(), length()), (5, room + 6));
        segment.append(b"f\n", 1, true).unwrap();
        assert_eq!(length(), room + 8, "a finished segment has no more room");
    }

    #[test]
    fn a_failed_write_leaves_nothing_in_the_room() {
        let dir = tempfile::tempdir().unwrap();
        let mut segment = OpenSegment::open(dir.path(), 0).unwrap();
        segment.go_ahead(true);
        segment.append(b"a\nb\n", 2, true).unwrap();
        segment.file.write_all_at(b"c\nhalf", 4).unwrap();
        segment.doubtful = true;
        segment.append(b"d\n", 1, true).unwrap();
        let content = fs::read(segment.path()).unwrap();
        assert_eq!(content, [&b"a\nb\nd\n"[..], &vec![0; AHEAD_BYTES]].concat());
    }

    #[test]
    fn what_a_failed_write_left_is_not_in_a_closed_segment() {
        let dir = tempfile::tempdir().unwrap();
        let mut segment = OpenSegment::open(dir.path(), 0).unwrap();
        segment.append(b"a\nb\n", 2, true).unwrap();
        fs::write(segment.path(), "a\nb\nc\nhalf of it").unwrap();
        // The day has changed before it could be tried again.
        segment.append(b"", 0, true).unwrap();
        let next = segment.follow().unwrap();
        assert_eq!(fs::read(segment.path()).unwrap(), b"a\nb\n");
        assert_eq!(next.next(), 2);
    }

    #[test]
    fn what_was_not_synced_is_written_again_after_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let mut segment = OpenSegment::open(dir.path(), 0).unwrap();
        segment.append(b"a\n", 1, true).unwrap();
        segment.append(b"b\n", 1, false).unwrap();
        segment.append(b"c\n", 1, false).unwrap();
        // A write that fails.
        let read_only = File::open(segment.path()).unwrap();
        let own = std::mem::replace(&mut segment.file, read_only);
        segment.append(b"d\n", 1, true).unwrap_err();
        segment.file = own;
        // What the disk has in their place.
        fs::write(segment.path(), "a\n\0\0\0\0").unwrap();
        segment.append(b"d\n", 1, true).unwrap();
        assert_eq!(fs::read(segment.path()).unwrap(), b"a\nb\nc\nd\n");
        assert!(segment.unsynced.is_empty() && !segment.doubtful);
        assert_eq!((segment.next(), segment.bytes()), (4, 8));
    }

    #[test]
    fn leaves_are_read_across_segments_and_gaps_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let line = |index: u64| format!("{{\"n\":{index}}}");
        let mut first = 0;
        for events in [3u64, 5, 4097, 1] {
            let text: String = (first..first + events).map(|index| line(index) + "\n").collect();
            fs::write(path(dir.path(), first), text).unwrap();
            first += events;
        }
        let read = |from, to| {
            let mut all = Vec::new();
            leaves(dir.path(), from, to, |some| {
                all.extend_from_slice(some);
                Ok(())
            })
            .map(|()| all)
        };
        let expected =
            |from: u64, to: u64| -> Vec<Hash> { (from..to).map(|n| leaf_hash(line(n).as_bytes())).collect() };
        for (from, to) in [(0, 0), (0, first), (2, 4), (3, 8), (7, 4100), (4105, 4106), (first, first)] {
            assert_eq!(read(from, to).unwrap(), expected(from, to), "{from}..{to}");
        }
        assert!(matches!(read(0, first + 1), Err(LeavesError::Missing(at)) if at == first));
        assert_eq!(event(dir.path(), 6).unwrap(), Some(line(6).into_bytes()));
        assert_eq!(event(dir.path(), first).unwrap(), None);
        fs::remove_file(path(dir.path(), 3)).unwrap();
        assert!(matches!(read(0, first), Err(LeavesError::Missing(3))));
        assert!(matches!(read(4, 6), Err(LeavesError::Missing(4))));
        assert_eq!(event(dir.path(), 6).unwrap(), None);
        // One event too many in a closed segment.
        fs::write(path(dir.path(), 0), "a\nb\nc\nd\n".repeat(3)).unwrap();
        assert!(matches!(read(0, first), Err(LeavesError::Missing(8))));
    }
}
