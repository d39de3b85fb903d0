//! The files of an audit log, read only, by whoever checks them: nothing here trusts what it reads.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use jomae_log::{Hash, Nodes, VerifierKey, event_proof::EVENT_BYTES_MAX, node_hash};

use super::VerifyError;
use crate::files;

/// The largest file of checkpoints that is read, in bytes.
const CHECKPOINTS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The largest file of a key that is read, in bytes.
const KEY_BYTES_MAX: u64 = 1024;
const HASH_BYTES: u64 = 32;
/// The levels of the tree that are kept in files, each 2^8 times smaller than the one below.
pub(super) const STORED_LEVELS: [u8; 4] = [0, 8, 16, 24];
const BLOCK: u64 = 256;
/// How many blocks of hashes are kept in memory, each of about 16 KiB.
const BLOCKS_KEPT: usize = 16;

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> VerifyError {
    let path = path.to_owned();
    move |error| VerifyError::Io { path, error }
}

/// A file of events. Its line *k*, from 0, is event `first + k`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The number of its first event, from 0.
    pub first: u64,
    pub path: PathBuf,
    /// Its name without the directory.
    pub name: String,
}

/// The files of events in a directory, oldest first, and the names of files that look like them and are none.
pub fn segments(dir: &Path) -> Result<(Vec<Segment>, Vec<String>), VerifyError> {
    let (mut segments, mut others) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir).map_err(io_error(dir))? {
        let path = entry.map_err(io_error(dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".jsonl") else { continue };
        let number = stem.bytes().all(|byte| byte.is_ascii_digit()) && stem.len() == 20;
        match stem.parse().ok().filter(|_| number) {
            Some(first) => segments.push(Segment { first, path, name }),
            None => others.push(name),
        }
    }
    segments.sort_by_key(|segment| segment.first);
    others.sort();
    Ok((segments, others))
}

/// The whole lines of a file, one after the other.
pub struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    torn_bytes: u64,
}

impl Lines {
    pub fn open(segment: &Segment) -> Result<Self, VerifyError> {
        let file = files::open_of_others(&segment.path).map_err(io_error(&segment.path))?;
        let reader = BufReader::with_capacity(256 * 1024, file);
        Ok(Self { path: segment.path.clone(), reader, line: Vec::new(), torn_bytes: 0 })
    }

    /// The next line without its newline; of a line that is longer than an event can be, the beginning.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, VerifyError> {
        self.line.clear();
        let limit = EVENT_BYTES_MAX as u64 + 1;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.line).map_err(io_error(&self.path))?;
        let mut whole = self.line.pop_if(|last| *last == b'\n').is_some();
        if !whole && read as u64 == limit {
            whole = self.skip_line().map_err(io_error(&self.path))?;
        }
        if whole {
            return Ok(Some(&self.line));
        }
        self.torn_bytes = read as u64;
        Ok(None)
    }

    /// Skips to the next line; whether there was a newline.
    fn skip_line(&mut self) -> io::Result<bool> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let newline = memchr::memchr(b'\n', buffer);
            let skipped = newline.map_or(buffer.len(), |at| at + 1);
            self.reader.consume(skipped);
            if newline.is_some() {
                return Ok(true);
            }
        }
    }

    /// How many bytes stood behind the last newline, once the end is reached.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }
}

fn read_text(path: &Path, bytes_max: u64) -> Result<Option<String>, VerifyError> {
    let file = match files::open_of_others(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(io_error(path))?,
    };
    let mut content = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut content).map_err(io_error(path))?;
    if content.len() as u64 > bytes_max {
        return Err(VerifyError::Refused(format!("{}: longer than {bytes_max} bytes", path.display())));
    }
    Ok(Some(String::from_utf8_lossy(&content).into_owned()))
}

/// The public key that lies beside the log; `None` if there is none. It proves nothing by itself: whoever can change the
/// log can change this file.
pub fn read_key(dir: &Path) -> Result<Option<VerifierKey>, VerifyError> {
    let text = read_text(&dir.join("key.pub"), KEY_BYTES_MAX)?;
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
    let Some(text) = read_text(&dir.join("checkpoints"), CHECKPOINTS_BYTES_MAX)? else { return Ok(found) };
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

/// The files of the tree.
pub struct TreeFiles {
    /// One for each of [`STORED_LEVELS`], with the number of whole hashes in it when it was opened.
    levels: Vec<Option<(PathBuf, File, u64)>>,
    blocks: RefCell<VecDeque<Block>>,
}

/// The hashes of one block of a file, and those of the nodes above them up to the root of the block.
struct Block {
    level: u8,
    number: u64,
    /// By level above that of the file; only whole subtrees.
    nodes: Vec<Vec<Hash>>,
}

impl TreeFiles {
    /// Opens the files in `tree/`. Those that are not there count as empty.
    pub fn open(dir: &Path) -> Result<Self, VerifyError> {
        let open = |level: u8| {
            let path = dir.join("tree").join(level.to_string());
            let file = match files::open_of_others(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                file => file.map_err(io_error(&path))?,
            };
            let bytes = file.metadata().map_err(io_error(&path))?.len();
            Ok(Some((path, file, bytes / HASH_BYTES)))
        };
        // The upper ones first: of a log in use, they must not have more than there is below them.
        let mut levels = STORED_LEVELS.into_iter().rev().map(open).collect::<Result<Vec<_>, VerifyError>>()?;
        levels.reverse();
        Ok(Self { levels, blocks: RefCell::default() })
    }

    /// How many hashes the file of a level has; 0 for levels that have no file.
    pub fn stored(&self, level: u8) -> u64 {
        self.file(level).map_or(0, |(_, _, hashes)| *hashes)
    }

    /// The number of leaf hashes.
    pub fn leaves(&self) -> u64 {
        self.stored(0)
    }

    fn file(&self, level: u8) -> Option<&(PathBuf, File, u64)> {
        let at = STORED_LEVELS.iter().position(|stored| *stored == level)?;
        self.levels.get(at)?.as_ref()
    }

    /// The hashes `from..to` of a level, as far as they are there; at most 65536 of them.
    pub fn read(&self, level: u8, from: u64, to: u64) -> Result<Vec<Hash>, VerifyError> {
        let Some((path, file, hashes)) = self.file(level) else { return Ok(Vec::new()) };
        let count = to.min(*hashes).saturating_sub(from).min(65536);
        let mut bytes = vec![0; usize::try_from(count * HASH_BYTES).unwrap_or(0)];
        if !bytes.is_empty() {
            file.read_exact_at(&mut bytes, from * HASH_BYTES).map_err(io_error(path))?;
        }
        Ok(bytes.as_chunks().0.to_vec())
    }

    /// The hash in the file, if it is there.
    pub fn one(&self, level: u8, index: u64) -> Result<Option<Hash>, VerifyError> {
        Ok(self.read(level, index, index.saturating_add(1))?.first().copied())
    }

    /// A node within a block of the file of `level`, `above` levels above it.
    fn in_block(&self, level: u8, above: u8, index: u64) -> Result<Option<Hash>, VerifyError> {
        let width = BLOCK >> above;
        let (number, place) = (index / width, usize::try_from(index % width).unwrap_or(0));
        let mut blocks = self.blocks.borrow_mut();
        let kept = blocks.iter().position(|block| block.level == level && block.number == number);
        let block = if let Some(block) = kept.and_then(|at| blocks.remove(at)) {
            block
        } else {
            let first = number * BLOCK;
            let mut nodes = vec![self.read(level, first, first + BLOCK)?];
            for _ in 0..8 {
                let below = nodes.last().map(Vec::as_slice).unwrap_or_default();
                nodes.push(below.as_chunks().0.iter().map(|[left, right]| node_hash(left, right)).collect());
            }
            Block { level, number, nodes }
        };
        let hash = block.nodes.get(usize::from(above)).and_then(|nodes| nodes.get(place)).copied();
        blocks.push_front(block);
        blocks.truncate(BLOCKS_KEPT);
        Ok(hash)
    }
}

impl Nodes for TreeFiles {
    type Error = VerifyError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, VerifyError> {
        let (file, above) = if level < 32 { (level / 8 * 8, level % 8) } else { (24, 8) };
        if level < 32
            && let Some(hash) = self.in_block(file, above, index)?
        {
            return Ok(hash);
        }
        // The upper files may be behind.
        let Some(below) = level.checked_sub(1) else {
            return Err(VerifyError::Refused(format!("tree/0 does not have the hash of event {index}")));
        };
        Ok(node_hash(&self.node(below, 2 * index)?, &self.node(below, 2 * index + 1)?))
    }
}
