//! Reading events from the segments: in order, to index them, and one by one, to check what the index says.

use std::{
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
};

use jomae_files as files;

use crate::{
    frames::is_damage,
    layout::{EVENT_BYTES_MAX, Segment},
    lines::{Line, Lines, Opened, open_segment},
};

/// The segment that holds an event, if there is one, and the number of the first event of the next segment.
pub(super) fn segment_of(segments: &[Segment], event: u64) -> Option<(&Segment, u64)> {
    let behind = segments.partition_point(|segment| segment.first <= event);
    let segment = segments.get(behind.checked_sub(1)?)?;
    Some((segment, segments.get(behind).map_or(u64::MAX, |next| next.first)))
}

/// Where a line is in its segment.
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

    /// Goes on to event `event`, at an offset of the segment that begins with event `segment`.
    pub(super) const fn go_to(&mut self, event: u64, segment: u64, offset: u64) {
        *self = Self { event, at: Some((segment, offset)) };
    }

    /// Reads whole lines up to, not including, event `until`, or to the end of the log. Events that no segment has are
    /// skipped.
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
            let until_here = until.min(behind);
            match self.read_segment(segment, until_here, &mut each) {
                // Verification tells of it. What can be read is indexed.
                Err(error) if is_damage(&error) && behind != u64::MAX => {}
                read => read?,
            }
            if self.event < until_here {
                if behind == u64::MAX {
                    // What is left of a line is still being written.
                    return Ok(());
                }
                *self = Self::before(until_here);
            }
        }
        Ok(())
    }

    fn read_segment(
        &mut self,
        segment: &Segment,
        until: u64,
        each: &mut impl FnMut(u64, Span, &[u8]),
    ) -> io::Result<()> {
        let mut lines = match self.at {
            Some((of, offset)) if of == segment.first => Lines::open_at(&segment.path, offset)?,
            _ => {
                let mut lines = Lines::open(&segment.path)?;
                lines.skip(self.event - segment.first)?;
                lines
            }
        };
        while self.event < until {
            let offset = lines.offset();
            match lines.next()? {
                Some(Line::Event(line)) => each(self.event, Span { offset, bytes: line.len() }, line),
                // It can be looked up by nothing.
                Some(Line::TooLong(_)) => {}
                None => break,
            }
            self.event += 1;
            self.at = Some((segment.first, lines.offset()));
        }
        Ok(())
    }

    /// Bytes of the log that are not read yet.
    pub(super) fn bytes_left(&self, segments: &[Segment]) -> io::Result<u64> {
        let from = segment_of(segments, self.event).map_or(0, |(segment, _)| segment.first);
        let mut left = 0u64;
        for segment in segments.iter().filter(|segment| segment.first >= from) {
            let read = self.at.filter(|(of, _)| *of == segment.first).map_or(0, |(_, offset)| offset);
            left += open_segment(&segment.path, files::open)?.bytes()?.saturating_sub(read);
        }
        Ok(left)
    }
}

/// Says which file is damaged.
fn in_file(segment: &Segment, error: io::Error) -> io::Error {
    if is_damage(&error) { io::Error::other(format!("{}: {error}", segment.path.display())) } else { error }
}

/// Reads single events; keeps the last segment open.
pub(super) struct Events<'a> {
    segments: &'a [Segment],
    open: Option<(u64, Opened)>,
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
            open => match open_segment(&segment.path, files::open) {
                Ok(file) => &mut open.insert((segment.first, file)).1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(in_file(segment, error)),
            },
        };
        let before = usize::from(span.offset > 0);
        let mut bytes = vec![0; before + span.bytes.min(EVENT_BYTES_MAX) + 1];
        let read = match file {
            Opened::Plain(file) => file.read_exact_at(&mut bytes, span.offset - before as u64),
            Opened::Compressed(frames) => {
                frames.seek(span.offset - before as u64).and_then(|()| frames.read_exact(&mut bytes))
            }
        };
        match read {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(in_file(segment, error)),
            _ => {}
        }
        let starts = before == 0 || bytes.first() == Some(&b'\n');
        bytes.drain(..before);
        let ends = bytes.pop() == Some(b'\n') && memchr::memchr(b'\n', &bytes).is_none();
        if starts && ends { Ok(Some(bytes)) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write as _, fs};

    use super::*;
    use crate::layout;

    fn log(files: &[(u64, &str)]) -> (tempfile::TempDir, Vec<Segment>) {
        let dir = tempfile::tempdir().unwrap();
        for (first, text) in files {
            fs::write(dir.path().join(format!("{first:020}.jsonl")), text).unwrap();
        }
        fs::write(dir.path().join("00000001.jsonl"), "old\n").unwrap();
        fs::write(dir.path().join("key.pub"), "k\n").unwrap();
        let segments = layout::segments(dir.path()).unwrap();
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
        for extra in [1, 2, 256 * 1024] {
            let long = "x".repeat(EVENT_BYTES_MAX + extra);
            let (_dir, segments) = log(&[(0, &format!("a\n{long}\nb\n"))]);
            assert_eq!(read(&mut Cursor::before(0), &segments, 9), "0=a 2=b", "{extra}");
            let (_dir, segments) = log(&[(0, &format!("a\n{long}"))]);
            let mut cursor = Cursor::before(0);
            assert_eq!((read(&mut cursor, &segments, 9), cursor.event), ("0=a".into(), 1), "{extra}");
        }
        let (_dir, segments) = log(&[(0, &format!("{}\nb\n", "x".repeat(EVENT_BYTES_MAX)))]);
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
}
