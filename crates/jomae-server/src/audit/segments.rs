//! The events on disk: segments, one event a line.
//!
//! A segment is named by the number of its first event, in 20 digits: line *k* of it, from 0, is event first + *k*.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use jomae_api::time::Timestamp;
use jomae_log::{Hash, leaf_hash};
use serde::Deserialize;

use super::BUFFER_BYTES_MAX;
use crate::files;

/// The longest line that is read, in bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Of a torn last line so much is set aside, in bytes.
const TORN_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Leaves that are handed over at a time.
const LEAVES_AT_ONCE: usize = 4096;

/// One file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The number of its first event.
    pub first: u64,
    pub path: PathBuf,
}

/// Where the segment that begins with event `first` stands.
pub fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.jsonl"))
}

/// The segments of a log, oldest first.
pub fn list(dir: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if let Some(first) = number_in_name(&path) {
            segments.push(Segment { first, path });
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// The number in a name of 20 digits and `.jsonl`.
fn number_in_name(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
    let plain = name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
    if plain { name.parse().ok() } else { None }
}

/// The whole lines of a file as it was when it was opened.
pub struct Lines {
    reader: io::Take<BufReader<File>>,
    line: Vec<u8>,
}

impl Lines {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = files::open(path)?;
        let about = file.metadata()?;
        Ok(Self { reader: BufReader::with_capacity(256 * 1024, file).take(about.len()), line: Vec::new() })
    }

    /// The next line, without its newline; none after the last whole one.
    pub fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let read = self.reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line)?;
        match self.line.split_last() {
            Some((b'\n', line)) => Ok(Some(line)),
            _ if read as u64 == LINE_BYTES_MAX => Err(io::Error::other("a line is too long")),
            _ => Ok(None),
        }
    }
}

/// What is in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Whole lines.
    pub events: u64,
    /// Bytes of whole lines.
    pub bytes: u64,
    /// Bytes behind them: a last line without its end, or what begins with a line that was never written, only made
    /// room for: a power cut leaves zeros there, and no event has one.
    pub torn_bytes: u64,
}

/// Counts the lines of a file, up to the first that cannot be an event.
pub fn measure(path: &Path) -> io::Result<Measured> {
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
pub fn event(dir: &Path, index: u64) -> io::Result<Option<Vec<u8>>> {
    let segments = list(dir)?;
    let Some(segment) = segments.iter().rfind(|segment| segment.first <= index) else { return Ok(None) };
    let mut lines = Lines::open(&segment.path)?;
    for _ in segment.first..index {
        if lines.next_line()?.is_none() {
            return Ok(None);
        }
    }
    Ok(lines.next_line()?.map(<[u8]>::to_vec))
}

/// Why the leaves of some events cannot be had.
#[derive(Debug)]
pub(super) enum LeavesError {
    Io(PathBuf, io::Error),
    /// The event is in no file, or in two.
    Missing(u64),
}

/// Hands over the leaf hashes of events `from..to`, in order, some thousand at a time.
pub(super) fn leaves(
    dir: &Path,
    from: u64,
    to: u64,
    mut each: impl FnMut(&[Hash]) -> io::Result<()>,
) -> Result<(), LeavesError> {
    let in_dir = |error| LeavesError::Io(dir.to_owned(), error);
    let segments = list(dir).map_err(in_dir)?;
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
        let in_file = |error| LeavesError::Io(segment.path.clone(), error);
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

/// The moment of an event.
pub(super) fn event_time(line: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Timed<'a> {
        #[serde(rename = "eventTime", borrow)]
        time: Cow<'a, str>,
    }
    Timestamp::parse(&serde_json::from_slice::<Timed<'_>>(line).ok()?.time)
}

/// Moves what stands in a file behind its first `bytes` bytes to a file of its own, named by the place.
fn cut_at(path: &Path, file: &mut File, bytes: u64) -> io::Result<()> {
    let mut torn = Vec::new();
    file.seek(SeekFrom::Start(bytes))?;
    io::Read::by_ref(file).take(TORN_BYTES_MAX).read_to_end(&mut torn)?;
    files::write_private(&path.with_extension(format!("torn-at-{bytes}")), &torn)?;
    file.set_len(bytes)
}

/// Takes event `event` and all that come after it out of a segment, into a file of their own.
pub(super) fn cut(segment: &Segment, event: u64) -> io::Result<()> {
    let (mut lines, mut bytes) = (Lines::open(&segment.path)?, 0);
    for _ in segment.first..event {
        let line = lines.next_line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes += line.len() as u64 + 1;
    }
    let mut file = files::open_to_write(&segment.path)?;
    cut_at(&segment.path, &mut file, bytes)?;
    file.sync_all()
}

/// The segment that is written now.
pub(super) struct OpenSegment {
    dir: PathBuf,
    path: PathBuf,
    first: u64,
    /// Events that are in the file.
    events: u64,
    /// Bytes that are whole lines.
    bytes: u64,
    file: File,
    /// The last of these bytes, which have not been synced.
    unsynced: Vec<u8>,
    /// Whether something failed since the last sync.
    doubtful: bool,
}

impl OpenSegment {
    /// Takes a segment into use that is there, or makes it. A last line that a crash cut off is moved to a file of its
    /// own: its call was never answered.
    pub fn open(dir: &Path, first: u64) -> io::Result<Self> {
        let path = path(dir, first);
        let mut file = files::open_to_write(&path)?;
        let Measured { events, bytes, torn_bytes } = measure(&path)?;
        if torn_bytes > 0 {
            tracing::warn!(file = %path.display(), at = bytes, "a crash cut off the last audit event; it was set aside");
            cut_at(&path, &mut file, bytes)?;
        }
        file.sync_all()?;
        files::sync_dir_of(&path)?;
        let dir = dir.to_owned();
        Ok(Self { dir, path, first, events, bytes, file, unsynced: Vec::new(), doubtful: false })
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

    /// The number of the event that comes next.
    pub fn next(&self) -> u64 {
        self.first + self.events
    }

    /// Whole days from 1970 to its first event; none if that cannot be told.
    pub fn day(&self) -> Option<i64> {
        let time = event_time(Lines::open(&self.path).ok()?.next_line().ok()??)?;
        Some(day_of(time))
    }

    /// Appends whole lines, all or none: what a failed write left is cut off before the next one.
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

    fn write(&self, lines: &[u8], sync: bool) -> io::Result<()> {
        // Also without new lines: nothing may be left behind the last line of a segment that is closed.
        if self.file.metadata()?.len() != self.bytes {
            self.file.set_len(self.bytes)?;
        }
        if self.doubtful {
            // A sync that failed may have dropped what it could not write, and the next one would not tell.
            self.file.write_all_at(&self.unsynced, self.bytes - self.unsynced.len() as u64)?;
        }
        self.file.write_all_at(lines, self.bytes)?;
        if sync { self.file.sync_data() } else { Ok(()) }
    }

    /// The segment that follows. The caller has synced this one.
    pub fn follow(&self) -> io::Result<Self> {
        Self::open(&self.dir, self.next())
    }
}

/// Whole days from 1970 to a moment.
pub(super) fn day_of(time: Timestamp) -> i64 {
    time.0.div_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_twenty_digits_are_segments() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "00000000000000000000.jsonl",
            "00000000000000000300.jsonl",
            "00000000000000000020.jsonl",
            "00000001.jsonl",
            "00000000000000000000.torn-at-7",
            "+0000000000000000001.jsonl",
            "00000000000000000001.jsonl.new",
            "99999999999999999999.jsonl",
        ] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let firsts: Vec<u64> = list(dir.path()).unwrap().iter().map(|segment| segment.first).collect();
        assert_eq!(firsts, [0, 20, 300]);
    }

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
        fs::write(&file, vec![b'x'; usize::try_from(LINE_BYTES_MAX).unwrap() + 5]).unwrap();
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
            assert_eq!(fs::read(file.with_extension("torn-at-11")).unwrap(), rest);
            segment.append(b"{\"b\":2}\n", 1, true).unwrap();
            assert_eq!(fs::read(&file).unwrap(), b"{\"a\":1}\n{}\n{\"b\":2}\n");
        }
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

    #[test]
    fn the_moment_of_an_event() {
        assert_eq!(event_time(br#"{"a":[1],"eventTime":"1970-01-02T00:00:00Z"}"#), Some(Timestamp(86_400)));
        assert_eq!(event_time(br#"{"eventTime":7}"#), None);
        assert_eq!(event_time(b"{"), None);
        assert_eq!(day_of(Timestamp(86_400)), 1);
        assert_eq!(day_of(Timestamp(-1)), -1);
    }
}
