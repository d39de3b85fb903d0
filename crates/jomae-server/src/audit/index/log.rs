//! Reading the segments of the log.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use crate::files;

/// Longest line that is indexed, in bytes. No event is nearly as long; a longer one is passed over.
pub(super) const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
const READ_BYTES: usize = 256 * 1024;
const NAME_DIGITS: usize = 20;

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Number of its first event.
    pub(super) first: u64,
    pub(super) path: PathBuf,
}

/// The number in a name of 20 digits and this ending.
pub(super) fn number_in(name: &str, ending: &str) -> Option<u64> {
    let digits = name.strip_suffix(ending)?;
    (digits.len() == NAME_DIGITS && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The segments in a directory, oldest first.
pub(super) fn segments(dir: &Path) -> io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if let Some(first) = entry.file_name().to_str().and_then(|name| number_in(name, ".jsonl")) {
            found.push(Segment { first, path: entry.path() });
        }
    }
    found.sort_by_key(|segment| segment.first);
    Ok(found)
}

/// The segment that holds an event, if the log has it, and the number of the first event behind that segment.
pub(super) fn segment_of(segments: &[Segment], event: u64) -> Option<(&Segment, u64)> {
    let behind = segments.partition_point(|segment| segment.first <= event);
    let segment = segments.get(behind.checked_sub(1)?)?;
    Some((segment, segments.get(behind).map_or(u64::MAX, |next| next.first)))
}

/// Where a line stands in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) offset: u64,
    /// Without the newline.
    pub(super) bytes: usize,
}

/// How far the log has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Number of the next event.
    pub(super) event: u64,
    /// The segment that holds it and its place there, if known.
    at: Option<(u64, u64)>,
}

impl Cursor {
    pub(super) const fn before(event: u64) -> Self {
        Self { event, at: None }
    }

    /// Reads whole lines up to the event `until`, which is not read, or the end of the log. Events that no segment has
    /// are passed over.
    pub(super) fn read(
        &mut self,
        segments: &[Segment],
        until: u64,
        mut each: impl FnMut(u64, Span, &[u8]),
    ) -> io::Result<()> {
        let Some(oldest) = segments.first() else { return Ok(()) };
        if self.event < oldest.first {
            *self = Self::before(oldest.first.min(until));
        }
        while self.event < until {
            let Some((segment, behind)) = segment_of(segments, self.event) else { return Ok(()) };
            let mut lines = BufReader::with_capacity(READ_BYTES, files::open(&segment.path)?);
            let mut offset = match self.at {
                Some((of, offset)) if of == segment.first => lines.seek(SeekFrom::Start(offset))?,
                _ => skip_lines(&mut lines, self.event - segment.first)?,
            };
            let mut line = Vec::new();
            while self.event < until.min(behind) {
                line.clear();
                let room = LINE_BYTES_MAX as u64 + 1;
                let mut read = lines.by_ref().take(room).read_until(b'\n', &mut line)? as u64;
                let whole = line.pop_if(|last| *last == b'\n').is_some();
                if whole {
                    each(self.event, Span { offset, bytes: line.len() }, &line);
                } else if read == room {
                    read += lines.skip_until(b'\n')? as u64;
                    // The end of the file may have come before the end of the line.
                    lines.seek_relative(-1)?;
                    if lines.fill_buf()?.first() != Some(&b'\n') {
                        break;
                    }
                    lines.consume(1);
                } else {
                    break;
                }
                offset += read;
                self.event += 1;
                self.at = Some((segment.first, offset));
            }
            if self.event < until.min(behind) {
                if behind == u64::MAX {
                    // What is left of a line is still being written.
                    return Ok(());
                }
                *self = Self::before(until.min(behind));
            }
        }
        Ok(())
    }

    /// Bytes of the log that are not read yet.
    pub(super) fn bytes_left(&self, segments: &[Segment]) -> io::Result<u64> {
        let from = segment_of(segments, self.event).map_or(0, |(segment, _)| segment.first);
        let mut left = 0u64;
        for segment in segments.iter().filter(|segment| segment.first >= from) {
            let read = self.at.filter(|(of, _)| *of == segment.first).map_or(0, |(_, offset)| offset);
            left += files::about(&segment.path)?.len().saturating_sub(read);
        }
        Ok(left)
    }
}

/// Passes over so many lines, or what there is; gives the offset behind them.
fn skip_lines(file: &mut impl BufRead, mut lines: u64) -> io::Result<u64> {
    let mut offset = 0u64;
    while lines > 0 {
        let buffer = file.fill_buf()?;
        if buffer.is_empty() {
            break;
        }
        let mut used = buffer.len();
        for newline in memchr::memchr_iter(b'\n', buffer) {
            lines -= 1;
            if lines == 0 {
                used = newline + 1;
                break;
            }
        }
        offset += used as u64;
        file.consume(used);
    }
    Ok(offset)
}

/// Reads single events; keeps the last segment open.
pub(super) struct Events<'a> {
    segments: &'a [Segment],
    open: Option<(u64, File)>,
}

impl<'a> Events<'a> {
    pub(super) fn new(segments: &'a [Segment]) -> Self {
        Self { segments, open: None }
    }

    /// The line of an event. `None` if its segment has been removed; an error of kind `InvalidData` if there is no line
    /// where it should be.
    pub(super) fn line(&mut self, event: u64, span: Span) -> io::Result<Option<Vec<u8>>> {
        let Some((segment, _)) = segment_of(self.segments, event) else { return Ok(None) };
        let file = match &mut self.open {
            Some((of, file)) if *of == segment.first => file,
            open => match files::open(&segment.path) {
                Ok(file) => &mut open.insert((segment.first, file)).1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        let before = usize::from(span.offset > 0);
        let mut bytes = vec![0; before + span.bytes.min(LINE_BYTES_MAX) + 1];
        let read = file.read_exact_at(&mut bytes, span.offset - before as u64);
        if read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::UnexpectedEof) {
            read?;
        }
        let starts = before == 0 || bytes.first() == Some(&b'\n');
        bytes.drain(..before);
        let ends = bytes.pop() == Some(b'\n') && memchr::memchr(b'\n', &bytes).is_none();
        if starts && ends { Ok(Some(bytes)) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn log(files: &[(u64, &str)]) -> (tempfile::TempDir, Vec<Segment>) {
        let dir = tempfile::tempdir().unwrap();
        for (first, text) in files {
            fs::write(dir.path().join(format!("{first:020}.jsonl")), text).unwrap();
        }
        fs::write(dir.path().join("00000001.jsonl"), "old\n").unwrap();
        fs::write(dir.path().join("key.pub"), "k\n").unwrap();
        let segments = segments(dir.path()).unwrap();
        (dir, segments)
    }

    fn read(cursor: &mut Cursor, segments: &[Segment], until: u64) -> String {
        let (mut text, mut events) = (String::new(), Events::new(segments));
        let each = |event: u64, span: Span, line: &[u8]| {
            assert_eq!(events.line(event, span).unwrap().unwrap(), line);
            write!(text, "{event}={} ", String::from_utf8_lossy(line)).unwrap();
        };
        cursor.read(segments, until, each).unwrap();
        text.trim_end().to_owned()
    }

    #[test]
    fn across_segments() {
        let (dir, segments) = log(&[(0, "a\nbb\n"), (2, "c\n\nd\n"), (5, "e\nf")]);
        let mut cursor = Cursor::before(0);
        assert_eq!(cursor.bytes_left(&segments).unwrap(), 13);
        assert_eq!(read(&mut cursor, &segments, 3), "0=a 1=bb 2=c");
        assert_eq!(cursor.bytes_left(&segments).unwrap(), 6);
        assert_eq!(read(&mut cursor, &segments, 100), "3= 4=d 5=e");
        assert_eq!(read(&mut cursor, &segments, 100), "", "f is not whole");
        fs::write(dir.path().join(format!("{:020}.jsonl", 5)), "e\nf\ng\n").unwrap();
        assert_eq!(read(&mut cursor, &segments, 7), "6=f");
        assert_eq!(read(&mut cursor, &segments, 100), "7=g");
        assert_eq!(read(&mut Cursor::before(4), &segments, 6), "4=d 5=e");
        assert_eq!(read(&mut Cursor::before(4), &[], 6), "");
    }

    #[test]
    fn gaps_and_removed_segments() {
        // Two events are missing before 5; the segment of 2 has a line too many.
        let (_dir, segments) = log(&[(2, "c\nd\n?\n"), (4, "e\n"), (7, "h\n")]);
        assert_eq!(read(&mut Cursor::before(0), &segments, 100), "2=c 3=d 4=e 7=h");
        let mut cursor = Cursor::before(0);
        assert_eq!(read(&mut cursor, &segments, 1), "");
        assert_eq!(cursor.event, 1);
        assert_eq!(read(&mut cursor, &segments, 6), "2=c 3=d 4=e");
        assert_eq!((cursor.event, read(&mut cursor, &segments, 100)), (6, "7=h".into()));
        assert_eq!(Events::new(&segments).line(1, Span { offset: 0, bytes: 1 }).unwrap(), None);
    }

    #[test]
    fn long_lines_are_passed_over() {
        for extra in [1, 2, READ_BYTES] {
            let long = "x".repeat(LINE_BYTES_MAX + extra);
            let (_dir, segments) = log(&[(0, &format!("a\n{long}\nb\n"))]);
            assert_eq!(read(&mut Cursor::before(0), &segments, 9), "0=a 2=b", "{extra}");
            let (_dir, segments) = log(&[(0, &format!("a\n{long}"))]);
            let mut cursor = Cursor::before(0);
            assert_eq!((read(&mut cursor, &segments, 9), cursor.event), ("0=a".into(), 1), "{extra}");
        }
        let (_dir, segments) = log(&[(0, &format!("{}\nb\n", "x".repeat(LINE_BYTES_MAX)))]);
        assert_eq!(read(&mut Cursor::before(1), &segments, 9), "1=b");
    }

    #[test]
    fn a_span_that_is_no_line() {
        let (_dir, segments) = log(&[(0, "ab\ncd\n")]);
        let mut events = Events::new(&segments);
        let mut line = |offset, bytes| events.line(0, Span { offset, bytes });
        assert_eq!(line(3, 2).unwrap().unwrap(), b"cd");
        for (offset, bytes) in [(0, 1), (1, 1), (0, 5), (3, 3), (3, 100), (1 << 40, 1), (3, usize::MAX)] {
            assert_eq!(line(offset, bytes).unwrap_err().kind(), io::ErrorKind::InvalidData, "{offset} {bytes}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(number_in("00000000000000000007.jsonl", ".jsonl"), Some(7));
        for bad in ["7.jsonl", "+0000000000000000007.jsonl", "99999999999999999999.jsonl", "00000000000000000007.json"]
        {
            assert_eq!(number_in(bad, ".jsonl"), None, "{bad}");
        }
    }
}
