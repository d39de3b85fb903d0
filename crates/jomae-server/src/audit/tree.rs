//! The hash tree on disk: flat files of 32-byte hashes that only grow.
//!
//! `tree/0` holds the leaf hashes, `tree/8`, `tree/16` and `tree/24` the roots of the complete subtrees of 256, 65,536
//! and 16,777,216 leaves. All of it can be made anew from the events, except the leaves of events that retention has
//! removed.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use jomae_log::{Frontier, Hash, Nodes, node_hash};

use crate::files;

/// The levels that are on disk.
pub const LEVELS: [u8; 4] = [0, 8, 16, 24];

/// Length of a hash, in bytes.
const HASH_BYTES: u64 = 32;

/// Where the files of the tree are.
pub fn dir_of(log: &Path) -> PathBuf {
    log.join("tree")
}

/// The files, for reading.
pub(super) struct TreeFiles {
    files: [File; LEVELS.len()],
}

fn open_all(dir: &Path, open: fn(&Path) -> io::Result<File>) -> io::Result<[File; LEVELS.len()]> {
    let [leaves, a, b, c] = LEVELS.map(|level| open(&dir.join(level.to_string())));
    Ok([leaves?, a?, b?, c?])
}

impl TreeFiles {
    /// Opens the files in the directory of a tree.
    pub fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self { files: open_all(dir, files::open)? })
    }

    /// Whether every file is long enough for a tree of this size.
    pub fn hold(&self, size: u64) -> io::Result<bool> {
        for (file, level) in self.files.iter().zip(LEVELS) {
            if file.metadata()?.len() / HASH_BYTES < size >> level {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `count` leaf hashes from number `first` on.
    pub fn read_leaves(&self, first: u64, count: usize) -> io::Result<Vec<Hash>> {
        read(&self.files[0], first, count)
    }
}

fn read(file: &File, first: u64, count: usize) -> io::Result<Vec<Hash>> {
    let mut hashes = vec![[0; 32]; count];
    file.read_exact_at(hashes.as_flattened_mut(), first.saturating_mul(HASH_BYTES))?;
    Ok(hashes)
}

impl Nodes for TreeFiles {
    type Error = io::Error;

    fn node(&self, level: u8, index: u64) -> io::Result<Hash> {
        let base = usize::from(level / 8).min(LEVELS.len() - 1);
        let (Some(file), Some(at)) = (self.files.get(base), LEVELS.get(base)) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        // Beyond the highest level on disk the count grows with the tree: 2^40 events give 65,536.
        let count = 1u64.checked_shl(u32::from(level - at)).ok_or(io::ErrorKind::InvalidInput)?;
        if count > file.metadata()?.len() / HASH_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let count_fits = usize::try_from(count).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut row = read(file, index.saturating_mul(count), count_fits)?;
        while row.len() > 1 {
            row = row.chunks_exact(2).filter_map(|pair| Some(node_hash(pair.first()?, pair.last()?))).collect();
        }
        row.first().copied().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// The tree that grows.
pub(super) struct Tree {
    files: TreeFiles,
    frontier: Frontier,
    /// Files that have been written to since they were synced.
    unsynced: [bool; LEVELS.len()],
    /// What goes into each file next; kept for its memory.
    rows: [Vec<u8>; LEVELS.len()],
}

impl Tree {
    /// Takes the tree of the first `size` events into use; what the files hold beyond it is cut off. They are made if
    /// they are not there.
    pub fn open(dir: &Path, size: u64) -> io::Result<Self> {
        files::private_dir(dir)?;
        let files = TreeFiles { files: open_all(dir, files::open_to_write)? };
        if !files.hold(size)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (file, level) in files.files.iter().zip(LEVELS) {
            file.set_len((size >> level) * HASH_BYTES)?;
        }
        files::sync_dir_of(&dir.join("0"))?;
        files::sync_dir_of(dir)?;
        let frontier = Frontier::from_nodes(&files, size)?;
        Ok(Self { files, frontier, unsynced: [true; LEVELS.len()], rows: Default::default() })
    }

    /// Its right edge.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Appends leaves, all or none.
    pub fn push(&mut self, leaves: &[Hash]) -> io::Result<()> {
        let before = self.frontier.size();
        let mut frontier = self.frontier.clone();
        for row in &mut self.rows {
            row.clear();
        }
        for leaf in leaves {
            frontier.push_with(*leaf, |level, _, hash| {
                if level.is_multiple_of(8)
                    && let Some(row) = self.rows.get_mut(usize::from(level / 8))
                {
                    row.extend_from_slice(hash);
                }
            });
        }
        // A write that failed before is written over: the places are always the same.
        let parts = self.files.files.iter().zip(&self.rows).zip(LEVELS).zip(&mut self.unsynced);
        for (((file, row), level), unsynced) in parts.filter(|(((_, row), _), _)| !row.is_empty()) {
            *unsynced = true;
            file.write_all_at(row, (before >> level) * HASH_BYTES)?;
        }
        self.frontier = frontier;
        Ok(())
    }

    /// Makes everything that was appended survive a power cut.
    pub fn sync(&mut self) -> io::Result<()> {
        for (file, unsynced) in self.files.files.iter().zip(&mut self.unsynced) {
            if *unsynced {
                file.sync_data()?;
                *unsynced = false;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jomae_log::{leaf_hash, root_at};

    use super::*;

    fn leaf(index: u64) -> Hash {
        leaf_hash(&index.to_be_bytes())
    }

    #[test]
    fn files_grow_with_the_tree_and_give_every_root() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = Tree::open(dir.path(), 0).unwrap();
        let mut expected = Frontier::default();
        let mut roots = vec![expected.root()];
        let mut at = 0;
        for step in (1..200).chain([70_000]) {
            let leaves: Vec<Hash> = (at..at + step).map(leaf).collect();
            for leaf in &leaves {
                expected.push(*leaf);
                roots.push(expected.root());
            }
            tree.push(&leaves).unwrap();
            at += step;
            assert_eq!((tree.size(), tree.root()), (at, expected.root()));
        }
        tree.sync().unwrap();
        let length = |level: &str| fs::metadata(dir.path().join(level)).unwrap().len() / HASH_BYTES;
        assert_eq!([length("0"), length("8"), length("16"), length("24")], [at, at >> 8, at >> 16, 0]);
        let files = TreeFiles::open(dir.path()).unwrap();
        for size in (0..600).chain([65_535, 65_536, 65_537, at - 1, at]) {
            assert!(files.hold(size).unwrap());
            assert_eq!(root_at(&files, size).unwrap(), roots[usize::try_from(size).unwrap()], "{size}");
        }
        assert!(!files.hold(at + 1).unwrap());
        assert!(root_at(&files, at + 1).is_err());
        assert!(files.node(63, 0).is_err() && files.node(24, 0).is_err());
        // Reopened shorter, it grows to the same.
        for size in [0, 1, 255, 256, 65_536, at] {
            let mut tree = Tree::open(dir.path(), size).unwrap();
            assert_eq!(tree.root(), roots[usize::try_from(size).unwrap()]);
            assert_eq!(length("0"), size);
            tree.push(&(size..at).map(leaf).collect::<Vec<_>>()).unwrap();
            assert_eq!(tree.root(), expected.root());
        }
        assert!(Tree::open(dir.path(), at + 1).is_err());
        assert_eq!(length("0"), at, "nothing was cut off");
    }
}
