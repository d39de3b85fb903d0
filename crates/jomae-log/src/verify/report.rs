//! What a check of a log has found.

use std::fmt;

use crate::{Checkpoint, Timestamp};

/// More findings are counted only.
pub const FINDINGS_MAX: usize = 200;

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// Events have other bytes than when they were logged.
    Changed,
    /// Events between others are no longer there.
    Removed,
    /// There are events that were never logged at that place.
    Inserted,
    /// Events stand in another order than they were logged in.
    Reordered,
    /// The end of the log is missing.
    Cut,
    /// Events and tree agree with each other, and not with what was signed.
    Rewritten,
    /// A file of the tree is damaged; the events may be intact.
    Tree,
    /// A checkpoint is damaged, forged, of another log or missing.
    Checkpoint,
    /// A file does not belong to the log.
    File,
}

impl FindingKind {
    /// The kind in one word, for scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Inserted => "inserted",
            Self::Reordered => "reordered",
            Self::Cut => "cut",
            Self::Rewritten => "rewritten",
            Self::Tree => "tree",
            Self::Checkpoint => "checkpoint",
            Self::File => "file",
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing is wrong.
    pub kind: FindingKind,
    /// The file, by its name in the directory of the log.
    pub file: String,
    /// The line in that file, from 1.
    pub line: Option<u64>,
    /// The number of the first event that is concerned, from 0.
    pub index: Option<u64>,
    /// How many events are concerned.
    pub count: u64,
    /// What was found, as half a sentence.
    pub detail: String,
}

impl Finding {
    pub(super) fn of_file(kind: FindingKind, file: &str, detail: &str) -> Self {
        Self { kind, file: file.to_owned(), line: None, index: None, count: 0, detail: detail.to_owned() }
    }

    pub(super) fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    pub(super) fn of_events(mut self, index: u64, count: u64) -> Self {
        (self.index, self.count) = (Some(index), count);
        self
    }

    /// Whether the other one is about the events that follow those of this one, in the same way.
    fn continues(&self, next: &Self) -> bool {
        let follows = |(index, next_index): (u64, u64)| index.checked_add(self.count) == Some(next_index);
        self.kind == next.kind
            && self.file == next.file
            && self.detail == next.detail
            && self.count > 0
            && self.index.zip(next.index).is_some_and(follows)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        match self.index {
            Some(index) if self.count > 1 => write!(f, ", events {index} to {}", index.saturating_add(self.count - 1))?,
            Some(index) => write!(f, ", event {index}")?,
            None => {}
        }
        write!(f, ": {}", self.detail)
    }
}

/// What was checked and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many events the log has had since its beginning.
    pub events: u64,
    /// The first event that is still stored. Of those before it, removed by the retention, the hashes are there.
    pub stored_from: u64,
    /// Time of the earliest and of the latest event that is stored.
    pub time_range: Option<(Timestamp, Timestamp)>,
    /// How many events the newest valid checkpoint covers. What is said of the others is not proven.
    pub covered: u64,
    /// The newest valid checkpoint.
    pub newest: Option<Checkpoint>,
    /// Of an archive: the newest valid checkpoint over events that are not in it, if one was found or given.
    pub beyond: Option<Checkpoint>,
    /// How many checkpoints are signed by the key.
    pub checkpoints: u64,
    /// Bytes of a last line that was not written to its end: what a crash leaves.
    pub torn_bytes: u64,
    /// Whether the last checkpoint was not written to its end: what a crash leaves.
    pub torn_checkpoint: bool,
    /// What is wrong, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many findings more there are.
    pub findings_more: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many events no checkpoint covers yet.
    pub fn uncovered(&self) -> u64 {
        self.events.saturating_sub(self.covered)
    }

    pub(super) fn found(&mut self, finding: Finding) {
        if let Some(last) = self.findings.last_mut()
            && last.continues(&finding)
        {
            last.count += finding.count;
        } else if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.findings_more += 1;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "events: {}", self.events)?;
        if self.stored_from > 0 {
            writeln!(f, "no longer stored, proven by their hashes: {}", self.stored_from.min(self.events))?;
        }
        if let Some((from, to)) = self.time_range {
            writeln!(f, "time range: {from} to {to}")?;
        }
        writeln!(f, "checkpoints verified: {}", self.checkpoints)?;
        if let Some(newest) = &self.newest {
            writeln!(f, "newest checkpoint: {} events, signed {} by {}", newest.size, newest.time, newest.origin)?;
        }
        if let Some(beyond) = &self.beyond {
            let missing = beyond.size.saturating_sub(self.events);
            writeln!(f, "signed {} and not in the archive: {missing} later events", beyond.time)?;
        }
        if self.uncovered() > 0 {
            writeln!(f, "not yet covered by a checkpoint: {}", self.uncovered())?;
        }
        if self.torn_bytes > 0 {
            writeln!(f, "incomplete last line: {} bytes", self.torn_bytes)?;
        }
        if self.torn_checkpoint {
            writeln!(f, "the last checkpoint is incomplete")?;
        }
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        if self.findings_more > 0 {
            writeln!(f, "and {} findings more", self.findings_more)?;
        }
        f.write_str(if self.is_intact() { "the log is intact\n" } else { "THE LOG IS NOT INTACT\n" })
    }
}
