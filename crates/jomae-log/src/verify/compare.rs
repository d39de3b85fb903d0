//! Compares the events of a file with the leaf hashes of the tree, and tells what was done where they differ.

use std::collections::{BTreeMap, VecDeque};

use super::{VerifyError, files::SegmentLines};
use crate::{Hash, layout::Segment, leaf_hash, tree_files::TreeFiles};

/// How far around a difference the events and hashes are searched for each other.
const WINDOW: usize = 65536;
/// After so many differences in one file, the others are taken for changed events.
const DIAGNOSES_MAX: u32 = 100;
/// How many hashes are read at once.
const READ_AT_ONCE: u64 = 4096;

/// What stands at the next place of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The event that belongs there, or one behind the end of the tree.
    Same(Hash),
    /// An event with other bytes; its own hash.
    Changed(Hash),
    /// These events, in another order than in the tree.
    Reordered(Vec<Hash>),
    /// Nothing of these events, of which the tree has the hashes.
    Removed(Vec<Hash>),
    /// Nothing of these events, and the file ends here.
    Ended(Vec<Hash>),
    /// So many lines that do not belong there.
    Inserted(u64),
}

/// The hashes of the lines of a file beside those of the tree.
pub struct Compare<'a> {
    lines: SegmentLines<'a>,
    tree: &'a TreeFiles,
    /// The hashes that were read ahead.
    line_hashes: VecDeque<Hash>,
    tree_hashes: VecDeque<Hash>,
    /// The event after the last one that may be in the file.
    end: u64,
    /// The next event of which the hash is read from the tree.
    next_in_tree: u64,
    lines_ended: bool,
    diagnoses: u32,
    /// Whether lines may follow for which there are no hashes yet.
    last: bool,
    /// Number of the event, from 0, and of the line, from 1, at which the next step begins.
    pub index: u64,
    pub line: u64,
}

impl<'a> Compare<'a> {
    /// Compares a file that ends before event `end`; `None` for the last file.
    pub fn new(segment: &'a Segment, end: Option<u64>, tree: &'a TreeFiles) -> Result<Self, VerifyError> {
        Ok(Self {
            lines: SegmentLines::open(segment)?,
            tree,
            line_hashes: VecDeque::new(),
            tree_hashes: VecDeque::new(),
            end: end.unwrap_or(u64::MAX).min(tree.leaves()),
            next_in_tree: segment.first,
            lines_ended: false,
            diagnoses: 0,
            last: end.is_none() || end > Some(tree.leaves()),
            index: segment.first,
            line: 1,
        })
    }

    /// Bytes behind the last newline, once all steps are done, without the zeros at the end.
    pub fn torn_bytes(&self) -> u64 {
        self.lines.torn_bytes()
    }

    /// Bytes behind the last newline.
    pub fn rest_bytes(&self) -> u64 {
        self.lines.rest_bytes()
    }

    /// Reads ahead so that `count` hashes of each kind are there, if the files have them. `seen` gets every line once.
    fn fill(&mut self, count: usize, seen: &mut impl FnMut(&[u8])) -> Result<(), VerifyError> {
        while self.tree_hashes.len() < count && self.next_in_tree < self.end {
            let read = self.tree.read(0, self.next_in_tree, self.end.min(self.next_in_tree + READ_AT_ONCE))?;
            if read.is_empty() {
                break;
            }
            self.next_in_tree += read.len() as u64;
            self.tree_hashes.extend(read);
        }
        while self.line_hashes.len() < count && !self.lines_ended {
            match self.lines.next_line()? {
                Some(line) => {
                    seen(line);
                    self.line_hashes.push_back(leaf_hash(line));
                }
                None => self.lines_ended = true,
            }
        }
        Ok(())
    }

    /// The next step; `None` at the end of the file and of the hashes.
    pub fn step(&mut self, seen: &mut impl FnMut(&[u8])) -> Result<Option<Step>, VerifyError> {
        self.fill(1, seen)?;
        let step = match (self.line_hashes.front(), self.tree_hashes.front()) {
            (None, None) => return Ok(None),
            (Some(line), Some(leaf)) if line == leaf => Step::Same(*line),
            (Some(line), None) if self.last => Step::Same(*line),
            (Some(_), None) => {
                self.fill(WINDOW, seen)?;
                Step::Inserted(self.line_hashes.len() as u64)
            }
            (None, Some(_)) => {
                self.fill(WINDOW, seen)?;
                Step::Ended(self.tree_hashes.iter().copied().collect())
            }
            (Some(line), Some(_)) if self.diagnoses >= DIAGNOSES_MAX => Step::Changed(*line),
            (Some(_), Some(_)) => {
                self.diagnoses += 1;
                self.fill(WINDOW, seen)?;
                self.diagnose()
            }
        };
        let (lines, events) = match &step {
            Step::Same(_) | Step::Changed(_) => (1, 1),
            Step::Reordered(hashes) => (hashes.len(), hashes.len()),
            Step::Removed(hashes) | Step::Ended(hashes) => (0, hashes.len()),
            Step::Inserted(count) => (usize::try_from(*count).unwrap_or(0), 0),
        };
        self.line_hashes.drain(..lines.min(self.line_hashes.len()));
        self.tree_hashes.drain(..events.min(self.tree_hashes.len()));
        self.line += lines as u64;
        self.index = self.index.saturating_add(events as u64);
        Ok(Some(step))
    }

    /// What explains that the next line is not the one of the next hash.
    fn diagnose(&self) -> Step {
        let line = self.line_hashes.front().copied().unwrap_or_default();
        let leaf = self.tree_hashes.front().copied().unwrap_or_default();
        let line_belongs = self.tree_hashes.iter().position(|other| *other == line);
        let leaf_stands = self.line_hashes.iter().position(|other| *other == leaf);
        match (line_belongs, leaf_stands) {
            (Some(missing), None) => Step::Removed(self.tree_hashes.iter().take(missing).copied().collect()),
            (None, Some(more)) => Step::Inserted(more as u64),
            // A copy of an event that also stands in its place.
            (Some(_), Some(more)) if self.line_hashes.iter().skip(1).any(|other| *other == line) => {
                Step::Inserted(more as u64)
            }
            (Some(_), Some(_)) => self.permuted().map_or(Step::Changed(line), Step::Reordered),
            (None, None) => Step::Changed(line),
        }
    }

    /// The shortest run of lines that are the next events in another order.
    fn permuted(&self) -> Option<Vec<Hash>> {
        let mut surplus: BTreeMap<Hash, i64> = BTreeMap::new();
        for (at, (line, leaf)) in self.line_hashes.iter().zip(&self.tree_hashes).enumerate() {
            for (hash, change) in [(line, 1), (leaf, -1)] {
                let count = surplus.entry(*hash).or_default();
                *count += change;
                if *count == 0 {
                    surplus.remove(hash);
                }
            }
            if surplus.is_empty() {
                return Some(self.line_hashes.iter().take(at + 1).copied().collect());
            }
        }
        None
    }
}
