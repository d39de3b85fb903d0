//! The checkpoints, as evidence about the events.

use std::path::Path;

use super::{
    VerifyError, files,
    report::{Finding, FindingKind, Report},
};
use crate::{
    Checkpoint, Frontier, Hash, VerifierKey,
    layout::{CHECKPOINTS, Segment},
};

/// What the log has signed, and whether it fits.
pub struct SignedHead {
    pub size: u64,
    root: Hash,
    file: String,
    line: Option<u64>,
    /// Whether the hashes in `tree/0` have this root; `None` if there are not so many.
    tree: Option<bool>,
    /// Whether the events in the files have this root; `None` if there are not so many.
    lines: Option<bool>,
}

/// What a root is compared with.
#[derive(Clone, Copy)]
pub enum Source {
    Tree,
    Lines,
}

/// A note that is evidence, and where it stands.
pub struct FoundNote {
    pub file: String,
    pub line: Option<u64>,
    pub note: String,
}

/// Reads the checkpoints of the log in `dir`.
pub fn of_log(dir: &Path, report: &mut Report) -> Result<Vec<FoundNote>, VerifyError> {
    let content = files::read_checkpoints(dir)?;
    report.torn_checkpoint = content.torn;
    for line in content.malformed {
        report.found(
            Finding::of_file(FindingKind::Checkpoint, CHECKPOINTS, "something that is no checkpoint").at_line(line),
        );
    }
    let found = |(line, note)| FoundNote { file: CHECKPOINTS.to_owned(), line: Some(line), note };
    Ok(content.notes.into_iter().map(found).collect())
}

/// What the notes of the log and the given ones say, the smallest first. Of a log that is known to end before event
/// `reach`, those over later events say nothing but that there were some.
pub fn collect(
    notes: &[FoundNote],
    key: &VerifierKey,
    given: &[String],
    reach: Option<u64>,
    report: &mut Report,
) -> Vec<SignedHead> {
    let mut signed: Vec<SignedHead> = Vec::new();
    let mut states = Vec::new();
    let mut take = |file: &str, line: Option<u64>, note: &str, report: &mut Report| {
        match Checkpoint::open(note, key) {
            Ok(checkpoint) if reach.is_some_and(|reach| checkpoint.size > reach) => {
                if report.beyond.as_ref().is_none_or(|beyond| beyond.size <= checkpoint.size) {
                    report.beyond = Some(checkpoint);
                }
            }
            Ok(checkpoint) => {
                let Checkpoint { size, root, state, .. } = checkpoint;
                states.extend(state.map(|state| (size, state.changes, file.to_owned(), line)));
                if report.newest.as_ref().is_none_or(|newest| newest.size <= size) {
                    (report.covered, report.newest) = (size, Some(checkpoint));
                }
                signed.push(SignedHead { size, root, file: file.to_owned(), line, tree: None, lines: None });
                return Some(size);
            }
            Err(error) => {
                let finding = Finding::of_file(FindingKind::Checkpoint, file, &error.to_string());
                report.found(Finding { line, ..finding });
            }
        }
        None
    };
    let mut newest = 0;
    for FoundNote { file, line, note } in notes {
        let Some(size) = take(file, *line, note, report) else { continue };
        report.checkpoints += 1;
        if size < newest {
            let detail = format!("covers {size} events, and an earlier one {newest}");
            report.found(Finding { line: *line, ..Finding::of_file(FindingKind::Checkpoint, file, &detail) });
        }
        newest = newest.max(size);
    }
    for (number, note) in given.iter().enumerate() {
        let name = format!("given checkpoint {}", number + 1);
        if let Some(size) = take(&name, None, note, report)
            && size > newest
            && reach.is_none()
        {
            let detail =
                format!("the newest one covers {newest} events, and a given one {size}: later ones are missing");
            report.found(Finding::of_file(FindingKind::Checkpoint, CHECKPOINTS, &detail));
        }
    }
    signed.sort_by_key(|signed| signed.size);
    states.sort_by_key(|(size, changes, ..)| (*size, *changes));
    let mut most = 0;
    for (_, changes, file, line) in states {
        if changes < most {
            let detail =
                format!("says that the store had {changes} changes, and an earlier one {most}: the store went back");
            report.found(Finding { line, ..Finding::of_file(FindingKind::Checkpoint, &file, &detail) });
        }
        most = most.max(changes);
    }
    signed
}

/// Compares the root of a growing tree with those that are signed for its size.
pub fn compare(signed: &mut [SignedHead], next: &mut usize, frontier: &Frontier, source: Source) {
    while let Some(one) = signed.get_mut(*next)
        && one.size <= frontier.size()
    {
        if one.size == frontier.size() {
            let fits = Some(frontier.root() == one.root);
            match source {
                Source::Tree => one.tree = fits,
                Source::Lines => one.lines = fits,
            }
        }
        *next += 1;
    }
}

/// How many events, from the first on, are as they were signed: by the hashes in `tree/0`, and by the events
/// themselves.
pub fn proven(signed: &[SignedHead]) -> (u64, u64) {
    let most = |fits: fn(&SignedHead) -> Option<bool>| {
        signed.iter().filter(|one| fits(one) == Some(true)).map(|one| one.size).max().unwrap_or(0)
    };
    (most(|one| one.tree), most(|one| one.lines))
}

/// Says which checkpoints do not fit, and how much is cut off.
pub fn report_mismatches(signed: &[SignedHead], segments: &[Segment], report: &mut Report) {
    let (tree, lines) = proven(signed);
    let proven = tree.max(lines);
    let fits = |one: &&SignedHead| one.tree == Some(true) || one.lines == Some(true);
    let known = |one: &&SignedHead| one.tree.is_some() || one.lines.is_some();
    for one in signed.iter().filter(known).filter(|one| !fits(one)) {
        let finding = |kind, detail: &str| Finding { line: one.line, ..Finding::of_file(kind, &one.file, detail) };
        if one.size <= proven {
            report
                .found(finding(FindingKind::Checkpoint, "is signed, and contradicts a later one that fits the events"));
        } else {
            let detail =
                "the events are not those whose root was signed here: some of them were changed, or their hashes";
            report.found(finding(FindingKind::Rewritten, detail).of_events(proven, one.size - proven));
            break;
        }
    }
    if let Some(largest) = signed.last()
        && largest.size > report.events
    {
        let missing = largest.size - report.events;
        let cut_there =
            |finding: &&mut Finding| finding.kind == FindingKind::Cut && finding.index == Some(report.events);
        if let Some(finding) = report.findings.iter_mut().find(cut_there) {
            finding.count = finding.count.max(missing);
        } else {
            let file = segments.last().map_or_else(|| "*.jsonl".to_owned(), Segment::name);
            let detail = format!("a checkpoint covers {} events, but the log ends here", largest.size);
            report.found(Finding::of_file(FindingKind::Cut, &file, &detail).of_events(report.events, missing));
        }
    }
    if signed.is_empty() && report.events > 0 {
        let detail = "there is no valid checkpoint: nothing is proven";
        report.found(Finding::of_file(FindingKind::Checkpoint, CHECKPOINTS, detail));
    }
}
