//! Reading the files of the tree.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use crate::{
    FileError, Hash, Nodes,
    layout::{self, HASH_BYTES, TREE_FANOUT, TREE_LEVELS, TREE_STEP},
    node_hash,
};

/// At most so many hashes are read at once.
const READ_AT_ONCE: u64 = 65_536;
/// How many blocks of hashes are kept in memory, each of about 16 KiB.
const BLOCKS_KEPT: usize = 16;

/// The files as they were when they were opened. What they hold is not checked: a proof made from them is.
pub struct TreeFiles {
    dir: PathBuf,
    /// By level, the lowest first; with the number of whole hashes.
    levels: [Option<(File, u64)>; TREE_LEVELS.len()],
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
    /// Opens the files in the directory of a tree. Those that are not there count as empty.
    pub fn open(dir: &Path, open: fn(&Path) -> io::Result<File>) -> Result<Self, FileError> {
        let open = |level: u8| {
            let path = layout::tree_level(dir, level);
            let file = match open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                file => file.map_err(FileError::of(&path))?,
            };
            let bytes = file.metadata().map_err(FileError::of(&path))?.len();
            Ok(Some((file, bytes / HASH_BYTES)))
        };
        let mut levels = [const { None }; TREE_LEVELS.len()];
        // The upper ones first: of a log in use, they must not have more than there is below them.
        for (file, level) in levels.iter_mut().zip(TREE_LEVELS).rev() {
            *file = open(level)?;
        }
        Ok(Self { dir: dir.to_owned(), levels, blocks: RefCell::default() })
    }

    fn file(&self, level: u8) -> Option<&(File, u64)> {
        let at = TREE_LEVELS.iter().position(|stored| *stored == level)?;
        self.levels.get(at)?.as_ref()
    }

    /// How many hashes the file of a level has; 0 for levels that have no file.
    pub fn stored(&self, level: u8) -> u64 {
        self.file(level).map_or(0, |(_, hashes)| *hashes)
    }

    /// The number of leaf hashes.
    pub fn leaves(&self) -> u64 {
        self.stored(0)
    }

    /// Whether every file is long enough for a tree of this size.
    pub fn hold(&self, size: u64) -> bool {
        TREE_LEVELS.iter().all(|level| self.stored(*level) >= size >> level)
    }

    /// The hashes `from..to` of a level, as far as they are there; at most 65,536 of them.
    pub fn read(&self, level: u8, from: u64, to: u64) -> Result<Vec<Hash>, FileError> {
        let Some((file, hashes)) = self.file(level) else { return Ok(Vec::new()) };
        let count = to.min(*hashes).saturating_sub(from).min(READ_AT_ONCE);
        let mut bytes = vec![0; usize::try_from(count * HASH_BYTES).unwrap_or(0)];
        if !bytes.is_empty() {
            let failed = FileError::of(&layout::tree_level(&self.dir, level));
            file.read_exact_at(&mut bytes, from * HASH_BYTES).map_err(failed)?;
        }
        Ok(bytes.as_chunks().0.to_vec())
    }

    /// The hash in the file, if it is there.
    pub fn one(&self, level: u8, index: u64) -> Result<Option<Hash>, FileError> {
        Ok(self.read(level, index, index.saturating_add(1))?.first().copied())
    }

    /// A node within a block of the file of `level`, `above` levels above it.
    fn in_block(&self, level: u8, above: u8, index: u64) -> Result<Option<Hash>, FileError> {
        let width = TREE_FANOUT >> above;
        let (number, place) = (index / width, usize::try_from(index % width).unwrap_or(0));
        let mut blocks = self.blocks.borrow_mut();
        let kept = blocks.iter().position(|block| block.level == level && block.number == number);
        let block = if let Some(block) = kept.and_then(|at| blocks.remove(at)) {
            block
        } else {
            let first = number * TREE_FANOUT;
            let mut nodes = vec![self.read(level, first, first + TREE_FANOUT)?];
            for _ in 0..TREE_STEP {
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
    type Error = FileError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, FileError> {
        let is_near_a_file = TREE_LEVELS.contains(&(level / TREE_STEP * TREE_STEP));
        if is_near_a_file && let Some(hash) = self.in_block(level / TREE_STEP * TREE_STEP, level % TREE_STEP, index)? {
            return Ok(hash);
        }
        // The upper files may be behind.
        let Some(below) = level.checked_sub(1) else {
            let missing =
                io::Error::new(io::ErrorKind::UnexpectedEof, format!("does not have the hash of event {index}"));
            return Err(FileError::of(&layout::tree_level(&self.dir, 0))(missing));
        };
        Ok(node_hash(&self.node(below, 2 * index)?, &self.node(below, 2 * index + 1)?))
    }
}
