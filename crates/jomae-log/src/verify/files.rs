//! The files of a log, read only, by whoever checks them. Where bytes stand is told by [`crate::layout`]; nothing of
//! what they say is trusted, and how much of them is looked at is decided here.

use std::{
    io::{self, Read as _},
    path::Path,
};

use jomae_files as files;

use super::VerifyError;
use crate::{
    FileError, VerifierKey,
    layout::{self, Segment},
    lines::{Line, Lines, open_segment},
    tree_files::TreeFiles,
};

/// The largest file of checkpoints that is read, in bytes.
const CHECKPOINTS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The largest file of a key that is read, in bytes.
const KEY_BYTES_MAX: u64 = 1024;
/// The longest line that is read to its end, in bytes.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// The files of events in a directory, oldest first, and the names of files that look like them and are none.
pub(super) fn segments(dir: &Path) -> Result<(Vec<Segment>, Vec<String>), VerifyError> {
    Ok(layout::segments_and_others(dir).map_err(FileError::of(dir))?)
}

/// The files of the tree. Those that are not there count as empty.
pub(super) fn tree(dir: &Path) -> Result<TreeFiles, VerifyError> {
    Ok(TreeFiles::open(&layout::tree(dir), files::open_of_others)?)
}

/// The whole lines of a segment, one after the other.
pub(super) struct SegmentLines<'a> {
    path: &'a Path,
    lines: Lines,
}

impl<'a> SegmentLines<'a> {
    pub fn open(segment: &'a Segment) -> Result<Self, VerifyError> {
        let path = segment.path.as_path();
        let lines = open_segment(path, files::open_of_others).and_then(|file| Lines::of(file, 0, LINE_BYTES_MAX));
        Ok(Self { path, lines: lines.map_err(FileError::of(path))? })
    }

    /// The next line without its newline; of a line that is longer than an event can be, the beginning.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, VerifyError> {
        let line = self.lines.next().map_err(FileError::of(self.path))?;
        Ok(line.map(|(Line::Event(line) | Line::TooLong(line))| line))
    }

    /// How many bytes follow the last newline, once the end is reached; zeros behind them do not count.
    pub fn torn_bytes(&self) -> u64 {
        self.lines.torn_bytes()
    }

    /// How many bytes there are behind the last newline.
    pub fn rest_bytes(&self) -> u64 {
        self.lines.rest_bytes()
    }
}

fn read_text(path: &Path, bytes_max: u64) -> Result<Option<String>, VerifyError> {
    let file = match files::open_of_others(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(FileError::of(path))?,
    };
    let mut content = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut content).map_err(FileError::of(path))?;
    if content.len() as u64 > bytes_max {
        return Err(VerifyError::Unverified(format!("{}: longer than {bytes_max} bytes", path.display())));
    }
    Ok(Some(String::from_utf8_lossy(&content).into_owned()))
}

/// The public key that lies beside the log; `None` if there is none. It proves nothing by itself: whoever can change
/// the log can change this file.
pub fn read_key(dir: &Path) -> Result<Option<VerifierKey>, VerifyError> {
    let text = read_text(&layout::public_key(dir), KEY_BYTES_MAX)?;
    text.map(|text| VerifierKey::parse(&text).map_err(VerifyError::from)).transpose()
}

/// What a file of checkpoints holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CheckpointFile {
    /// The notes, unchecked, each with the number of its first line, from 1.
    pub notes: Vec<(u64, String)>,
    /// The numbers of lines at which something begins that is no note.
    pub malformed: Vec<u64>,
    /// Whether the file ends within a note.
    pub torn: bool,
}

/// Reads the file of checkpoints; no file is the same as an empty one. Damage to one note does not hide the next.
pub fn read_checkpoints(dir: &Path) -> Result<CheckpointFile, VerifyError> {
    let mut found = CheckpointFile::default();
    let Some(text) = read_text(&layout::checkpoints(dir), CHECKPOINTS_BYTES_MAX)? else { return Ok(found) };
    let (body, tail) = text.rsplit_once("\n\n").unwrap_or(("", &text));
    let mut line = 1;
    let mut unsigned: Option<(u64, &str)> = None;
    for block in body.split("\n\n").filter(|_| !body.is_empty()) {
        match unsigned.take() {
            Some((begin, text)) if block.starts_with('\u{2014}') => {
                found.notes.push((begin, format!("{text}\n\n{block}\n")));
            }
            before => {
                found.malformed.extend(before.map(|(begin, _)| begin));
                unsigned = Some((line, block));
            }
        }
        line += block.matches('\n').count() as u64 + 2;
    }
    // A note that was not written to its end may lack its signatures, but has none in its text.
    if let Some((begin, _)) = unsigned.take_if(|(_, text)| text.contains('\u{2014}')) {
        found.malformed.push(begin);
    }
    found.torn = unsigned.is_some() || !tail.is_empty();
    Ok(found)
}
