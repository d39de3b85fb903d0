//! The files of the tree: whether they fit each other and what was signed.

use super::{
    VerifyError,
    checkpoints::{self, SignedHead, Source},
    report::{FINDINGS_MAX, Finding, FindingKind, Report},
};
use crate::{
    Frontier, Hash,
    layout::{TREE_FANOUT, TREE_LEVELS, TREE_STEP, tree_level_name},
    tree_files::TreeFiles,
};

/// How many hashes are read at once.
const READ_AT_ONCE: u64 = 4096;

/// Where the files of the tree do not fit each other.
#[derive(Default)]
pub struct Mismatches {
    /// Level and index of nodes in the upper files that are not what `tree/0` gives.
    nodes: Vec<(u8, u64)>,
    more: u64,
}

/// Computes the tree from its leaves, and compares it with the upper files and with what was signed.
pub fn check(tree: &TreeFiles, signed: &mut [SignedHead]) -> Result<Mismatches, VerifyError> {
    let mut found = Mismatches::default();
    let mut frontier = Frontier::default();
    let mut next = 0;
    checkpoints::compare(signed, &mut next, &frontier, Source::Tree);
    let mut completed: Vec<(u8, u64, Hash)> = Vec::new();
    while frontier.size() < tree.leaves() {
        for leaf in tree.read(0, frontier.size(), frontier.size() + READ_AT_ONCE)? {
            frontier.push_with(leaf, |level, index, hash| {
                if level > 0 && TREE_LEVELS.contains(&level) {
                    completed.push((level, index, *hash));
                }
            });
            checkpoints::compare(signed, &mut next, &frontier, Source::Tree);
        }
        for (level, index, hash) in completed.drain(..) {
            if tree.one(level, index)?.is_some_and(|stored| stored != hash) {
                if found.nodes.len() < FINDINGS_MAX {
                    found.nodes.push((level, index));
                } else {
                    found.more += 1;
                }
            }
        }
    }
    Ok(found)
}

/// Whether the upper files contradict what `tree/0` says of an event.
fn contradicts(mismatches: &Mismatches, index: u64) -> bool {
    mismatches.nodes.contains(&(TREE_STEP, index / TREE_FANOUT))
}

/// Says which files are damaged. `differences` are the findings where events and hashes differ; they are reported
/// against the events or against `tree/0`, whichever does not fit what was signed.
pub fn report_mismatches(
    tree: &TreeFiles,
    mismatches: &Mismatches,
    differences: Vec<Finding>,
    signed: &[SignedHead],
    report: &mut Report,
) {
    let (tree_proven, lines_proven) = checkpoints::proven(signed);
    let mut blamed = Vec::new();
    for finding in differences {
        let (from, to) = (finding.index.unwrap_or(0), finding.index.unwrap_or(0).saturating_add(finding.count));
        if to > tree_proven && (to <= lines_proven || contradicts(mismatches, from)) {
            blamed.push(from / TREE_FANOUT);
            let detail = "the hashes are not those of the events, which are as they were";
            report
                .found(Finding::of_file(FindingKind::Tree, &tree_level_name(0), detail).of_events(from, finding.count));
        } else {
            report.found(finding);
        }
    }
    for (level, index) in &mismatches.nodes {
        let (from, count) = (index << level, 1 << level);
        let inside = |block: &u64| *block >= from / TREE_FANOUT && *block < (from + count) / TREE_FANOUT;
        let below = |(lower, at): &(u8, u64)| lower < level && inside(&(at << (lower - TREE_STEP)));
        let detail = if from + count <= tree_proven {
            "a hash is not that of these events"
        } else if blamed.iter().any(inside) || mismatches.nodes.iter().any(below) {
            continue;
        } else {
            "the hash and those of these events in tree/0 do not fit each other"
        };
        report.found(Finding::of_file(FindingKind::Tree, &tree_level_name(*level), detail).of_events(from, count));
    }
    report.findings_more += mismatches.more;
    for level in TREE_LEVELS {
        let (stored, file) = (tree.stored(level), tree_level_name(level));
        let needed = report.covered.min(report.events) >> level;
        if stored < needed {
            let detail =
                format!("has {stored} hashes, and {needed} are needed; the next start of the service adds them");
            report.found(Finding::of_file(FindingKind::Tree, &file, &detail));
        }
        if level > 0 && stored > tree.leaves() >> level {
            let detail = format!("has {stored} hashes, more than there are subtrees in tree/0");
            report.found(Finding::of_file(FindingKind::Tree, &file, &detail));
        }
    }
}
