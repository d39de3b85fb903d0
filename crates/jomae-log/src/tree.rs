//! The tree on disk as it grows: flat files of hashes that only get longer.
//!
//! All of it can be rebuilt from the events, except the leaves of events that retention has removed.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path};

use jomae_files as files;

use crate::{
    FileError, Frontier, Hash,
    layout::{self, HASH_BYTES, TREE_LEVELS, TREE_STEP},
    tree_files::TreeFiles,
};

/// The tree that grows.
pub(crate) struct Tree {
    files: Vec<(u8, File)>,
    frontier: Frontier,
    /// Files that have been written to since they were synced.
    unsynced: [bool; TREE_LEVELS.len()],
    /// What goes into each file next; kept for its memory.
    rows: [Vec<u8>; TREE_LEVELS.len()],
}

impl Tree {
    /// Opens the tree of the first `size` events, or creates it; what the files hold beyond it is cut off.
    pub fn open(dir: &Path, size: u64) -> Result<Self, FileError> {
        let in_dir = || FileError::of(dir);
        files::private_dir(dir).map_err(in_dir())?;
        let mut open = Vec::with_capacity(TREE_LEVELS.len());
        for level in TREE_LEVELS {
            let path = layout::tree_level(dir, level);
            open.push((level, files::open_to_write(&path).map_err(FileError::of(&path))?));
        }
        let there = TreeFiles::open(dir, files::open)?;
        if !there.hold(size) {
            return Err(in_dir()(io::ErrorKind::UnexpectedEof.into()));
        }
        let frontier = Frontier::from_nodes(&there, size)?;
        for (level, file) in &open {
            file.set_len((size >> level) * HASH_BYTES).map_err(in_dir())?;
        }
        files::sync_dir_of(&layout::tree_level(dir, 0)).and_then(|()| files::sync_dir_of(dir)).map_err(in_dir())?;
        Ok(Self { files: open, frontier, unsynced: [true; TREE_LEVELS.len()], rows: Default::default() })
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
                if level.is_multiple_of(TREE_STEP)
                    && let Some(row) = self.rows.get_mut(usize::from(level / TREE_STEP))
                {
                    row.extend_from_slice(hash);
                }
            });
        }
        // A write that failed before is written over: the places are always the same.
        let parts = self.files.iter().zip(&self.rows).zip(&mut self.unsynced);
        for (((level, file), row), unsynced) in parts.filter(|((_, row), _)| !row.is_empty()) {
            *unsynced = true;
            file.write_all_at(row, (before >> level) * HASH_BYTES)?;
        }
        self.frontier = frontier;
        Ok(())
    }

    /// Makes everything that was appended survive a power cut.
    pub fn sync(&mut self) -> io::Result<()> {
        for ((_, file), unsynced) in self.files.iter().zip(&mut self.unsynced) {
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

    use super::*;
    use crate::{Nodes as _, leaf_hash, root_at};

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
        let there = TreeFiles::open(dir.path(), files::open).unwrap();
        for size in (0..600).chain([65_535, 65_536, 65_537, at - 1, at]) {
            assert!(there.hold(size));
            assert_eq!(root_at(&there, size).unwrap(), roots[usize::try_from(size).unwrap()], "{size}");
        }
        assert!(!there.hold(at + 1));
        assert!(root_at(&there, at + 1).is_err());
        assert!(there.node(63, 0).is_err() && there.node(24, 0).is_err());
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
