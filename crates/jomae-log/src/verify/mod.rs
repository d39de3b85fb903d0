//! Checks an audit log off line, from its files and the public key alone.
//!
//! Where bytes stand is told by [`crate::layout`]; what they say is not trusted. What is proven is what the signed
//! checkpoints say; the hashes in the tree tell, where something differs, what was done and at which event.
//!
//! Memory is bounded, whatever the size of the log: about 10 MiB, and 100 bytes for each checkpoint.

mod archive;
mod checkpoints;
mod compare;
mod export;
pub mod files;
mod prove;
mod report;
#[cfg(test)]
mod tests;
mod tree;

use std::{io, path::Path};

pub use self::{
    archive::{ArchivedLog, verify_archived},
    export::{ExportReport, Filter, export, verify_export},
    prove::{
        ConsistencyProof, EventRef, ReceiptCheck, check_receipt, check_receipt_by_proof, consistency,
        newest_checkpoint, prove,
    },
    report::{FINDINGS_MAX, Finding, FindingKind, Report},
};
use self::{
    checkpoints::{SignedHead, Source},
    compare::{Compare, Step},
};
use crate::{
    FileError, Frontier, Hash, Timestamp, TlogError, VerifierKey,
    event::event_time,
    frames::is_damage,
    layout::{CHECKPOINTS, PUBLIC_KEY, Segment, tree_level_name},
    tree_files::TreeFiles,
};

/// Events that wait longer for a checkpoint than this are a sign that checkpoints are missing, in seconds: twice the
/// longest time that may be set between two.
const UNCOVERED_SECS_MAX: i64 = 2 * 3600;

/// Why there is no result. One line.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Something signed is not what it should be.
    #[error(transparent)]
    Tlog(#[from] TlogError),
    /// What was asked for is not there, or does not verify; the text says why.
    #[error("{0}")]
    Unverified(String),
}

/// Checks the log in `dir` against the key of the log. `given` are checkpoints of it that were kept elsewhere, by a
/// witness or by whoever asks: the log must still contain all that they say.
///
/// An error means that the check could not be done; what is wrong with the log is in the report.
pub fn verify(dir: &Path, key: &VerifierKey, given: &[String]) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    // In this order, a log that is being written has all that the checkpoints cover.
    let notes = checkpoints::of_log(dir, &mut report)?;
    let mut signed = checkpoints::collect(&notes, key, given, None, &mut report);
    let tree = files::tree(dir)?;
    let (segments, others) = files::segments(dir)?;
    for name in others {
        report.found(Finding::of_file(FindingKind::File, &name, "is not named as the files of events are"));
    }
    match files::read_key(dir) {
        Ok(Some(beside)) if beside != *key => {
            report.found(Finding::of_file(FindingKind::File, PUBLIC_KEY, "is another key than the one that was given"));
        }
        Err(VerifyError::Tlog(error)) => {
            report.found(Finding::of_file(FindingKind::File, PUBLIC_KEY, &error.to_string()));
        }
        other => drop(other?),
    }
    let mismatches = tree::check(&tree, &mut signed)?;
    let mut walk = Walk::new(&tree, &mut report, &mut signed);
    walk.before_first(&segments)?;
    for (at, segment) in segments.iter().enumerate() {
        walk.segment(segment, segments.get(at + 1).map(|next| next.first))?;
    }
    let differences = walk.end();
    conclude(&tree, &mismatches, differences, &segments, &signed, &mut report);
    Ok(report)
}

/// Weighs what was found against what was signed.
fn conclude(
    tree: &TreeFiles,
    mismatches: &tree::Mismatches,
    differences: Report,
    segments: &[Segment],
    signed: &[SignedHead],
    report: &mut Report,
) {
    let Report { findings, findings_more, .. } = differences;
    checkpoints::report_mismatches(signed, segments, report);
    tree::report_mismatches(tree, mismatches, findings, signed, report);
    report.findings_more += findings_more;
    report.findings.sort_by_key(|finding| finding.index);
}

/// The way through all events.
struct Walk<'a> {
    tree: &'a TreeFiles,
    report: &'a mut Report,
    signed: &'a mut [SignedHead],
    /// The tree over the events as they stand in the files; `None` once it cannot be known.
    lines: Option<Frontier>,
    /// The next of `signed` that it is compared with.
    next: usize,
    /// Where events and hashes differ, and either may be at fault.
    differences: Report,
    /// Times of the first and the latest event that no checkpoint covers.
    waiting: Option<(Timestamp, Timestamp)>,
}

impl<'a> Walk<'a> {
    fn new(tree: &'a TreeFiles, report: &'a mut Report, signed: &'a mut [SignedHead]) -> Self {
        let lines = Some(Frontier::default());
        Self { tree, report, signed, lines, next: 0, differences: Report::default(), waiting: None }
    }

    fn push(&mut self, hash: Hash) {
        if let Some(lines) = &mut self.lines {
            lines.push(hash);
            checkpoints::compare(self.signed, &mut self.next, lines, Source::Lines);
        }
    }

    fn push_all(&mut self, hashes: Vec<Hash>) {
        for hash in hashes {
            self.push(hash);
        }
    }

    /// Takes the hashes of events `from..to` for the events.
    fn push_hashes(&mut self, from: u64, to: u64) -> Result<(), VerifyError> {
        let mut at = from;
        while at < to {
            let hashes = self.tree.read(0, at, to)?;
            if hashes.is_empty() {
                break;
            }
            at += hashes.len() as u64;
            self.push_all(hashes);
        }
        Ok(())
    }

    /// Before the first stored event, the hashes stand for the events.
    fn before_first(&mut self, segments: &[Segment]) -> Result<(), VerifyError> {
        let leaves = self.tree.leaves();
        let Some(Segment { first, .. }) = segments.first() else {
            if leaves > 0 {
                let detail = "there are hashes of events, but no file of events";
                self.report.found(Finding::of_file(FindingKind::Cut, "*.jsonl", detail).of_events(0, leaves));
            }
            return Ok(());
        };
        (self.report.stored_from, self.report.events) = (*first, *first);
        if let Some(lines) = &self.lines {
            checkpoints::compare(self.signed, &mut self.next, lines, Source::Lines);
        }
        let at = leaves.min(*first);
        self.push_hashes(0, at)?;
        if at < *first {
            self.lines = None;
            let detail = "the hashes of events that are no longer stored are missing";
            self.report
                .found(Finding::of_file(FindingKind::Tree, &tree_level_name(0), detail).of_events(at, first - at));
        }
        Ok(())
    }

    /// The events of one file, which ends before event `end`; `None` for the last file.
    fn segment(&mut self, segment: &Segment, end: Option<u64>) -> Result<(), VerifyError> {
        let mut compare = match Compare::new(segment, end, self.tree) {
            Err(VerifyError::File(error)) if is_damage(&error.source) => {
                self.damaged(segment, segment.first, end, &error.source);
                return Ok(());
            }
            opened => opened?,
        };
        let (mut times, mut waiting) = (self.report.time_range, self.waiting);
        let (mut number, covered) = (segment.first, self.report.covered);
        let mut seen = |line: &[u8]| {
            if let Some(time) = event_time(line) {
                let (from, to) = times.unwrap_or((time, time));
                times = Some((from.min(time), to.max(time)));
                if number >= covered {
                    let (since, latest) = waiting.unwrap_or((time, time));
                    waiting = Some((since, latest.max(time)));
                }
            }
            number = number.saturating_add(1);
        };
        let found = |kind, line, detail: &str| Finding::of_file(kind, &segment.name(), detail).at_line(line);
        loop {
            let (index, line) = (compare.index, compare.line);
            let step = match compare.step(&mut seen) {
                Err(VerifyError::File(error)) if is_damage(&error.source) => {
                    self.damaged(segment, index, end, &error.source);
                    return Ok(());
                }
                step => step?,
            };
            let Some(step) = step else { break };
            match step {
                Step::Same(hash) => self.push(hash),
                Step::Changed(hash) => {
                    self.push(hash);
                    let detail = "other bytes than those that were logged";
                    self.differences.found(found(FindingKind::Changed, line, detail).of_events(index, 1));
                }
                Step::Reordered(hashes) => {
                    let finding =
                        found(FindingKind::Reordered, line, "the events stand in another order than they were logged");
                    self.differences.found(finding.of_events(index, hashes.len() as u64));
                    self.push_all(hashes);
                }
                Step::Ended(_) if end.is_none() => {
                    let detail = "the file ends here, and there are hashes of later events";
                    let count = self.tree.leaves().saturating_sub(index);
                    self.report.found(found(FindingKind::Cut, line, detail).of_events(index, count));
                    compare.index = index;
                    break;
                }
                Step::Removed(hashes) | Step::Ended(hashes) => {
                    let detail = "the events that stood before this line are no longer there";
                    self.report.found(found(FindingKind::Removed, line, detail).of_events(index, hashes.len() as u64));
                    self.push_all(hashes);
                }
                Step::Inserted(count) => {
                    let detail = format!("{count} lines from here on were not logged in this place");
                    self.report.found(found(FindingKind::Inserted, line, &detail).of_events(index, 1));
                }
            }
        }
        (self.report.time_range, self.waiting) = (times, waiting);
        self.report.torn_bytes += compare.torn_bytes();
        self.report.events = end.unwrap_or(compare.index);
        if compare.rest_bytes() > 0 && end.is_some() {
            self.report.found(found(
                FindingKind::Changed,
                compare.line,
                "the file ends within a line, and is not the last",
            ));
        }
        // Where the tree has no hashes, the names of the files still tell how many events there were.
        if let Some(end) = end
            && compare.index != end
        {
            self.lines = None;
            let (kind, from, count, detail) = if compare.index < end {
                (FindingKind::Removed, compare.index, end - compare.index, "fewer lines than the next file says")
            } else {
                (FindingKind::Inserted, end, compare.index - end, "more lines than the next file says")
            };
            self.report.found(found(kind, compare.line, detail).of_events(from, count));
        }
        Ok(())
    }

    /// That a compressed file cannot be read on from event `index`. Of those behind it the hashes tell.
    fn damaged(&mut self, segment: &Segment, index: u64, end: Option<u64>, why: &io::Error) {
        let leaves = self.tree.leaves();
        let end = end.unwrap_or(leaves).max(index);
        let finding = Finding::of_file(FindingKind::Changed, &segment.name(), &why.to_string());
        self.report.found(finding.of_events(index, end - index));
        self.report.events = end;
        self.lines = None;
    }

    /// The end of all events; gives the differences.
    fn end(self) -> Report {
        if let Some((since, latest)) = self.waiting
            && latest.0 - since.0 > UNCOVERED_SECS_MAX
        {
            let detail = format!("the events since {since} have none: checkpoints are missing");
            let finding = Finding::of_file(FindingKind::Checkpoint, CHECKPOINTS, &detail);
            let (covered, count) = (self.report.covered, self.report.uncovered());
            self.report.found(finding.of_events(covered, count));
        }
        self.differences
    }
}
