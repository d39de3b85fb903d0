//! Reading the lines of a segment.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Take},
    path::Path,
};

use jomae_files as files;

use crate::{
    frames::Frames,
    layout::{self, EVENT_BYTES_MAX},
};

const READ_BYTES: usize = 256 * 1024;

/// A whole line, without its newline.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Of a length that is read.
    Event(&'a [u8]),
    /// Longer than that: its beginning, one byte more than the limit. It is no event of ours.
    TooLong(&'a [u8]),
}

/// Opens a file of events as it is now: since it was listed, it may have been compressed.
pub(crate) fn open_segment(path: &Path, open: fn(&Path) -> io::Result<File>) -> io::Result<Opened> {
    if layout::is_compressed(path) {
        return Ok(Opened::Compressed(Frames::open(open(path)?)?));
    }
    match open(path) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => match open(&layout::compressed(path)) {
            Ok(file) => Ok(Opened::Compressed(Frames::open(file)?)),
            Err(_) => Err(gone),
        },
        file => Ok(Opened::Plain(file?)),
    }
}

/// A file of events in one of its forms.
pub(crate) enum Opened {
    Plain(File),
    Compressed(Frames<File>),
}

impl Opened {
    /// The length of the lines in it.
    pub fn bytes(&self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => Ok(file.metadata()?.len()),
            Self::Compressed(frames) => Ok(frames.content_bytes()),
        }
    }
}

enum Reader {
    Plain(Take<BufReader<File>>),
    Compressed(Box<Frames<File>>),
}

impl Reader {
    fn buffers(&mut self) -> &mut dyn BufRead {
        match self {
            Self::Plain(file) => file,
            Self::Compressed(frames) => &mut **frames,
        }
    }
}

/// The whole lines of a file as it was when it was opened. Behind the lines of the segment that is written there may be
/// zeros, room for more of them.
pub struct Lines {
    reader: Reader,
    line: Vec<u8>,
    line_bytes_max: usize,
    /// Length of the file.
    bytes: u64,
    offset: u64,
    torn_bytes: u64,
    rest_bytes: u64,
}

impl Lines {
    /// The lines of a segment of one's own log.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_at(path, 0)
    }

    /// Those from `offset` on, where one begins.
    pub fn open_at(path: &Path, offset: u64) -> io::Result<Self> {
        Self::of(open_segment(path, files::open)?, offset, EVENT_BYTES_MAX)
    }

    /// The lines from `offset` on, where one begins. Longer ones than `line_bytes_max` are not kept.
    pub(crate) fn of(file: Opened, offset: u64, line_bytes_max: usize) -> io::Result<Self> {
        let bytes = file.bytes()?;
        let reader = match file {
            Opened::Plain(file) => Reader::Plain(BufReader::with_capacity(READ_BYTES, file).take(0)),
            Opened::Compressed(frames) => Reader::Compressed(Box::new(frames)),
        };
        let mut lines = Self { reader, line: Vec::new(), line_bytes_max, bytes, offset, torn_bytes: 0, rest_bytes: 0 };
        lines.go_to_offset()?;
        Ok(lines)
    }

    fn go_to_offset(&mut self) -> io::Result<()> {
        match &mut self.reader {
            Reader::Plain(file) => {
                file.get_mut().seek(SeekFrom::Start(self.offset))?;
                file.set_limit(self.bytes.saturating_sub(self.offset));
                Ok(())
            }
            Reader::Compressed(frames) => frames.seek(self.offset),
        }
    }

    /// The next line; none after the last whole one.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut read = self.read()?;
        if read.is_some() && memchr::memchr(0, &self.line).is_some() {
            // It was read while it was written, and what stands behind it already came with it. It is whole by now.
            self.go_to_offset()?;
            read = self.read()?;
        }
        let Some(bytes) = read else { return Ok(None) };
        self.offset += bytes;
        let is_event = self.line.len() <= self.line_bytes_max;
        Ok(Some(if is_event { Line::Event(&self.line) } else { Line::TooLong(&self.line) }))
    }

    /// Reads a whole line, and tells its length with the newline.
    fn read(&mut self) -> io::Result<Option<u64>> {
        self.line.clear();
        let room = self.line_bytes_max as u64 + 1;
        let read = self.reader.buffers().take(room).read_until(b'\n', &mut self.line)? as u64;
        if self.line.pop_if(|last| *last == b'\n').is_some() {
            return Ok(Some(read));
        }
        let filled = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        (self.torn_bytes, self.rest_bytes) = (filled(&self.line), read);
        if read < room {
            return Ok(None);
        }
        loop {
            let reader = self.reader.buffers();
            let buffer = reader.fill_buf()?;
            let newline = memchr::memchr(b'\n', buffer);
            let used = newline.map_or(buffer.len(), |at| at + 1);
            if used == 0 {
                return Ok(None);
            }
            let filled = filled(buffer);
            reader.consume(used);
            if filled > 0 {
                self.torn_bytes = self.rest_bytes + filled;
            }
            self.rest_bytes += used as u64;
            if newline.is_some() {
                return Ok(Some(self.rest_bytes));
            }
        }
    }

    /// The next event; none after the last whole line. A line that can be no event is an error.
    pub fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        match self.next()? {
            Some(Line::Event(line)) => Ok(Some(line)),
            Some(Line::TooLong(_)) => Err(io::Error::other("a line is too long")),
            None => Ok(None),
        }
    }

    /// Skips so many lines. `false` if there are fewer.
    pub(crate) fn skip(&mut self, lines: u64) -> io::Result<bool> {
        for _ in 0..lines {
            if self.next()?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where the next line begins.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes follow the last newline, once the end is reached; zeros behind them do not count.
    pub(crate) const fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// How many bytes follow the last newline, zeros too.
    pub(crate) const fn rest_bytes(&self) -> u64 {
        self.rest_bytes
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lines(content: &str, offset: u64) -> (tempfile::TempDir, Lines) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        fs::write(&path, content).unwrap();
        let lines = Lines::of(Opened::Plain(File::open(path).unwrap()), offset, 4).unwrap();
        (dir, lines)
    }

    #[test]
    fn whole_lines_and_where_they_end() {
        let (_dir, mut lines) = lines("ab\n\nabcd\nabcde\nx\ntorn", 0);
        let mut expect = |line: Option<Line<'_>>, offset: u64| {
            assert_eq!(lines.next().unwrap(), line);
            assert_eq!(lines.offset(), offset);
        };
        expect(Some(Line::Event(b"ab")), 3);
        expect(Some(Line::Event(b"")), 4);
        expect(Some(Line::Event(b"abcd")), 9);
        expect(Some(Line::TooLong(b"abcde")), 15);
        expect(Some(Line::Event(b"x")), 17);
        expect(None, 17);
        expect(None, 17);
    }

    #[test]
    fn what_is_torn_is_counted() {
        let cases = [
            ("", 0),
            ("a\n", 0),
            ("a\nbc", 2),
            ("a\nbcdefgh", 7),
            ("a\n\0\0\0", 0),
            ("a\nb\0\0\0\0\0\0", 1),
            ("a\n\0\0\0\0\0\0\0\0b\0", 9),
        ];
        for (content, torn) in cases {
            let (_dir, mut lines) = lines(content, 0);
            while lines.next().unwrap().is_some() {}
            assert_eq!(lines.torn_bytes(), torn, "{content:?}");
            assert_eq!(lines.rest_bytes(), content.trim_start_matches("a\n").len() as u64, "{content:?}");
        }
    }

    #[test]
    fn a_line_that_is_being_written_is_read_again() {
        let (dir, mut lines) = lines("a\n\0\0\nc\n\0\0", 0);
        assert_eq!(lines.next_line().unwrap(), Some(&b"a"[..]));
        fs::write(dir.path().join("lines"), "a\nbb\nc\n\0\0").unwrap();
        assert_eq!(lines.next_line().unwrap(), Some(&b"bb"[..]));
        assert_eq!(lines.next_line().unwrap(), Some(&b"c"[..]));
        assert_eq!(lines.next_line().unwrap(), None);
        // Zeros that stay are damage, and stand where the line stood.
        let (_dir, mut lines) = self::lines("\0\0\nc\n", 0);
        assert_eq!(lines.next_line().unwrap(), Some(&b"\0\0"[..]));
        assert_eq!(lines.next_line().unwrap(), Some(&b"c"[..]));
    }

    #[test]
    fn lines_are_skipped() {
        let (_dir, mut some) = lines("a\nbbbbbbbb\nc\n", 0);
        assert!(some.skip(2).unwrap());
        assert_eq!((some.offset(), some.next_line().unwrap()), (11, Some(&b"c"[..])));
        assert!(some.skip(0).unwrap() && !some.skip(1).unwrap());
        let (_dir, mut some) = lines("a\nbbbbbbbb\nc\n", 2);
        some.next_line().unwrap_err();
        assert_eq!(some.next_line().unwrap(), Some(&b"c"[..]));
    }

    #[test]
    fn a_file_is_read_as_it_was() {
        let (dir, mut lines) = lines("a\nb", 0);
        fs::write(dir.path().join("lines"), "a\nb\nc\n").unwrap();
        assert_eq!(lines.next_line().unwrap(), Some(&b"a"[..]));
        assert_eq!(lines.next_line().unwrap(), None);
    }
}
