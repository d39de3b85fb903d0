//! Where the bytes of a log are: file names and sizes, for writer, index and verifier. They share nothing else: what to
//! believe of the bytes, and how much of them to read, each decides alone.
//!
//! | file | content |
//! |---|---|
//! | `<number of the first event, 20 digits>.jsonl` | a segment; its line *k*, from 0, is event first + *k* |
//! | `<number of the first event, 20 digits>.jsonl.zst` | a closed segment, compressed: [`frames`] |
//! | `*.jsonl.zst.new` | one that is being made |
//! | `tree/0`, `8`, `16`, `24` | hashes: the leaves, and the roots of the complete subtrees of 256, 256², 256³ |
//! | `checkpoints` | signed notes, each followed by an empty line |
//! | `key.pub` | the verifier key that the notes are signed with, and a newline |
//! | `tail.mac` | two slots for a MAC over what no checkpoint covers: [`tail`] |
//! | `index/<number of the first event, 20 digits>.idx` | a block of the look-up index: [`index_file`] |
//! | `tree.new`, `tree.old` | while a damaged tree is made anew: the new one, and the one that it replaces |
//! | `*.torn-at-<offset>` | what was cut off a segment there |
//! | `archived` | where the archive is, and how many events are in it, a line each |
//! | `archive.new` | a segment that is compressed for the archive alone |

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The longest event, in bytes: a line without its newline.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// A hash of the tree, in bytes.
pub const HASH_BYTES: u64 = 32;
/// How many levels of the tree are from one that has a file to the next.
pub const TREE_STEP: u8 = 8;
/// The levels of the tree that have a file; a node of level *n* is over 2^*n* leaves.
pub const TREE_LEVELS: [u8; 4] = [0, TREE_STEP, 2 * TREE_STEP, 3 * TREE_STEP];
/// How many hashes of a file are below one of the next file.
pub const TREE_FANOUT: u64 = 1 << TREE_STEP;

/// The name of the file of signed checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";
/// The name of the file of the public key.
pub const PUBLIC_KEY: &str = "key.pub";

const SEGMENT_ENDING: &str = ".jsonl";
const COMPRESSED_ENDING: &str = ".jsonl.zst";
const PARTIAL_ENDING: &str = ".jsonl.zst.new";
const BLOCK_ENDING: &str = ".idx";
const NUMBER_DIGITS: usize = 20;

/// The segment that begins with event `first`.
pub fn segment(log: &Path, first: u64) -> PathBuf {
    log.join(numbered(first, SEGMENT_ENDING))
}

/// The compressed form of a segment, which is in the file `segment`.
pub fn compressed(segment: &Path) -> PathBuf {
    segment.with_extension("jsonl.zst")
}

/// The compressed form of a segment while it is made.
pub fn partial(segment: &Path) -> PathBuf {
    segment.with_extension("jsonl.zst.new")
}

/// Whether a file of events is a compressed one, by its name.
pub fn is_compressed(segment: &Path) -> bool {
    segment.extension().is_some_and(|ending| ending == "zst")
}

/// The file with what was cut off a segment after its first `offset` bytes.
pub fn torn(segment: &Path, offset: u64) -> PathBuf {
    segment.with_extension(format!("torn-at-{offset}"))
}

/// The file of signed checkpoints.
pub fn checkpoints(log: &Path) -> PathBuf {
    log.join(CHECKPOINTS)
}

/// The public key of the log.
pub fn public_key(log: &Path) -> PathBuf {
    log.join(PUBLIC_KEY)
}

/// The file of the MACs over the end of the log.
pub fn tail_mac(log: &Path) -> PathBuf {
    log.join("tail.mac")
}

/// The name of the file of a level of the tree.
pub fn tree_level_name(level: u8) -> String {
    format!("tree/{level}")
}

/// The file that says how far the archive has come.
pub fn archived(log: &Path) -> PathBuf {
    log.join("archived")
}

/// A segment that is compressed for the archive alone.
pub fn archive_partial(log: &Path) -> PathBuf {
    log.join("archive.new")
}

/// The directory of the tree.
pub fn tree(log: &Path) -> PathBuf {
    log.join("tree")
}

/// The directory of a tree that is being made anew.
pub fn new_tree(log: &Path) -> PathBuf {
    log.join("tree.new")
}

/// The directory of the tree that a new one replaces.
pub fn old_tree(log: &Path) -> PathBuf {
    log.join("tree.old")
}

/// The file of a level in the directory of a tree.
pub fn tree_level(tree: &Path, level: u8) -> PathBuf {
    tree.join(level.to_string())
}

/// The directory of the look-up index.
pub fn index(log: &Path) -> PathBuf {
    log.join("index")
}

/// The block that begins with event `first`, in the directory of the index.
pub fn index_block(index: &Path, first: u64) -> PathBuf {
    index.join(numbered(first, BLOCK_ENDING))
}

/// A name with the number of an event.
pub(crate) fn numbered(first: u64, ending: &str) -> String {
    format!("{first:0NUMBER_DIGITS$}{ending}")
}

fn number(name: &str, ending: &str) -> Option<u64> {
    let digits = name.strip_suffix(ending)?;
    let plain = digits.len() == NUMBER_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// A file of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The number of its first event, from 0.
    pub first: u64,
    /// Where it is.
    pub path: PathBuf,
}

impl Segment {
    /// Its name without the directory.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether it is compressed.
    pub fn is_compressed(&self) -> bool {
        is_compressed(&self.path)
    }
}

/// The segments of a log, oldest first.
pub fn segments(log: &Path) -> io::Result<Vec<Segment>> {
    Ok(segments_and_others(log)?.0)
}

/// The segments of a log, oldest first, and the names of files that end like one and are none. Of a segment that is there
/// in both forms the compressed one does not count: it may be from before a change.
pub fn segments_and_others(log: &Path) -> io::Result<(Vec<Segment>, Vec<String>)> {
    let (mut segments, mut others) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(log)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        match number(&name, SEGMENT_ENDING).or_else(|| number(&name, COMPRESSED_ENDING)) {
            Some(first) => segments.push(Segment { first, path: entry.path() }),
            None if name.ends_with(SEGMENT_ENDING) || name.ends_with(COMPRESSED_ENDING) => {
                others.push(name.into_owned());
            }
            None => {}
        }
    }
    segments.sort_by_key(|segment| (segment.first, segment.is_compressed()));
    segments.dedup_by_key(|segment| segment.first);
    others.sort();
    Ok((segments, others))
}

/// Compressed segments that a crash has left half made.
pub fn partials(log: &Path) -> io::Result<Vec<PathBuf>> {
    let mut partials = Vec::new();
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        partials.extend(name.and_then(|name| number(name, PARTIAL_ENDING)).map(|_| path.clone()));
    }
    Ok(partials)
}

/// The blocks in the directory of an index, by the number of their first event.
pub fn index_blocks(index: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut blocks = Vec::new();
    for entry in fs::read_dir(index)? {
        let path = entry?.path();
        let first = path.file_name().and_then(|name| name.to_str()).and_then(|name| number(name, BLOCK_ENDING));
        blocks.extend(first.map(|first| (first, path)));
    }
    Ok(blocks)
}

/// `tail.mac`: slots, each with a MAC or with anything else.
///
/// A MAC is the magic, the number of events that it covers (8 bytes, the highest first) and the tag.
pub mod tail {
    /// How a MAC begins.
    pub const MAGIC: &[u8; 8] = b"JMTAIL1\n";
    /// The tag, in bytes.
    pub const TAG_BYTES: usize = 32;
    /// A MAC, in bytes.
    pub const MAC_BYTES: usize = MAGIC.len() + 8 + TAG_BYTES;
    /// How far apart MACs stand, in bytes: no write of a disk touches both.
    pub const SLOT_BYTES: usize = 4096;
    /// How many there are.
    pub const SLOTS: usize = 2;
    /// The file, in bytes.
    pub const FILE_BYTES: usize = SLOTS * SLOT_BYTES;
}

/// A compressed segment: the seekable format of zstd.
///
/// ```text
/// frames   each a frame of zstd by itself, of whole lines, with its content's length and a checksum
/// table    a skippable frame: of each frame its length and that of its content, then how many there are
/// ```
///
/// Numbers are little-endian.
pub mod frames {
    use super::EVENT_BYTES_MAX;

    /// With as many bytes of lines a frame is closed, at the last line that fits.
    pub const FRAME_LINES_BYTES: usize = 256 * 1024;
    /// The most that a frame holds, in bytes of lines: those, or the longest line.
    pub const FRAME_BYTES_MAX: usize = EVENT_BYTES_MAX + 1;
    /// The most frames of a segment.
    pub const FRAMES_MAX: usize = 1 << 20;
    /// How the table begins: a skippable frame.
    pub const TABLE_MAGIC: u32 = 0x184D_2A5E;
    /// How the table ends.
    pub const SEEKABLE_MAGIC: u32 = 0x8F92_EAB1;
    /// Magic and length before the entries of the table, in bytes.
    pub const TABLE_HEAD_BYTES: usize = 4 + 4;
    /// An entry of the table: the length of the frame, the length of its content; in bytes.
    pub const ENTRY_BYTES: usize = 4 + 4;
    /// Number of frames, descriptor (0), magic; in bytes.
    pub const FOOTER_BYTES: usize = 4 + 1 + 4;
}

/// A block of the look-up index in a file, which never changes.
///
/// ```text
/// header      magic, hash key, first event, oldest and newest time, counts, the last event
/// fences      the first term of each page of the dictionary
/// dictionary  pages of (term, number of events, where they stand), sorted by term
/// locations   pages of (offset and length, seconds since the oldest time)
/// events      by term: places of two bytes, or a set of all places where that is shorter
/// ```
///
/// Each of these parts that is read at once has a sum behind it. Numbers are little-endian.
pub mod index_file {
    /// The last two letters are the version of the form.
    pub const MAGIC: &[u8; 8] = b"jomaeI01";
    /// Events of a block; the tests make do with fewer.
    pub const BLOCK_EVENTS: usize = if cfg!(test) { 512 } else { 16_384 };
    /// Magic, hash key, first event, two times, two counts, place and sum of the last event; in bytes.
    pub const HEADER_BYTES: usize = 8 + 16 + 8 + 8 + 8 + 4 + 4 + 2 + 8;
    /// A sum, in bytes.
    pub const SUM_BYTES: usize = 8;
    /// A fence, in bytes.
    pub const FENCE_BYTES: usize = 8;
    /// An entry of the dictionary: term, count, place; in bytes.
    pub const ENTRY_BYTES: usize = 8 + 4 + 4;
    /// Entries of a page of the dictionary.
    pub const ENTRIES_PER_PAGE: usize = 128;
    /// Where an event stands and when it was, in bytes.
    pub const LOCATION_BYTES: usize = 8 + 4;
    /// Locations that are read at once.
    pub const LOCATIONS_PER_PAGE: usize = 256;
    /// Of the eight bytes that say where an event stands, the bits of its length; the others are its offset.
    pub const LENGTH_BITS: u32 = 24;
    /// A set of places, in bytes.
    pub const SET_BYTES: usize = BLOCK_EVENTS / 8;
    /// With more events than this, a set is shorter than a list.
    pub const LISTED_MAX: usize = SET_BYTES / 2;

    /// Pages of a dictionary with so many entries.
    pub const fn dictionary_pages(entries: usize) -> usize {
        entries.div_ceil(ENTRIES_PER_PAGE)
    }

    /// Where the fences begin.
    pub const FENCES_AT: usize = HEADER_BYTES + SUM_BYTES;

    /// Where the dictionary begins, if it has so many entries.
    pub const fn dictionary_at(entries: usize) -> usize {
        FENCES_AT + dictionary_pages(entries) * FENCE_BYTES + SUM_BYTES
    }

    /// Where the locations begin.
    pub const fn locations_at(entries: usize) -> usize {
        dictionary_at(entries) + entries * ENTRY_BYTES + dictionary_pages(entries) * SUM_BYTES
    }

    /// Where the events begin.
    pub const fn events_at(entries: usize) -> usize {
        locations_at(entries) + BLOCK_EVENTS * LOCATION_BYTES + BLOCK_EVENTS / LOCATIONS_PER_PAGE * SUM_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_twenty_digits_are_segments() {
        let dir = tempfile::tempdir().unwrap();
        let odd = ["+0000000000000000001.jsonl", "00000001.jsonl", "99999999999999999999.jsonl"];
        let segments = ["00000000000000000000.jsonl", "00000000000000000300.jsonl", "00000000000000000020.jsonl"];
        let none = [
            "00000000000000000000.torn-at-7",
            "00000000000000000001.jsonl.new",
            "00000000000000000007.json",
            "00000000000000000001.jsonl.zst.new",
            "00000000000000000020.jsonl.zst",
        ];
        for name in odd.iter().chain(&segments).chain(&none) {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let (found, others) = segments_and_others(dir.path()).unwrap();
        assert_eq!(found.iter().map(|segment| segment.first).collect::<Vec<_>>(), [0, 20, 300]);
        assert!(found.iter().all(|found| found.path == segment(dir.path(), found.first) && !found.is_compressed()));
        assert_eq!(others, odd);
        assert_eq!(found.iter().map(Segment::name).collect::<Vec<_>>(), [segments[0], segments[2], segments[1]]);
        assert_eq!(partials(dir.path()).unwrap(), [partial(&segment(dir.path(), 1))]);
        fs::remove_file(dir.path().join(segments[2])).unwrap();
        let found = super::segments(dir.path()).unwrap();
        assert_eq!(found.iter().map(Segment::name).collect::<Vec<_>>(), [segments[0], none[4], segments[1]]);
        assert!(found[1].is_compressed() && found[1].path == compressed(&segment(dir.path(), 20)));
    }

    #[test]
    fn blocks_are_found_by_their_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["00000000000000016384.idx", "notes.idx", "00000000000000016384.idx.new"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(index_blocks(dir.path()).unwrap(), [(16_384, index_block(dir.path(), 16_384))]);
    }
}
