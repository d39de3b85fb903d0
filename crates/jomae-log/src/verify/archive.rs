//! Checks a log in an archive: by the same way through its events, over a tree that is made anew from the hashes there.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use jomae_files as files;

use super::{
    VerifyError, Walk,
    checkpoints::{self, FoundNote},
    conclude,
    report::{Finding, FindingKind, Report},
    tree,
};
use crate::{
    FileError, Hash, VerifierKey,
    archive::{Archive, Kind, Object},
    layout::{self, HASH_BYTES, PUBLIC_KEY, Segment},
    note::NOTE_BYTES_MAX,
    tree::Tree,
    tree_files::TreeFiles,
};

/// The largest file of a key that is read, in bytes.
const KEY_BYTES_MAX: u64 = 1024;
/// How much is read at once, in bytes: whole hashes.
const BLOCK_BYTES: usize = 256 * 1024;

/// A log in an archive.
pub struct ArchivedLog<'a> {
    archive: &'a mut dyn Archive,
    name: &'a str,
}

/// Events that were shipped together.
struct Span {
    first: u64,
    end: u64,
    has_segment: bool,
}

impl<'a> ArchivedLog<'a> {
    /// The log of this name.
    pub fn new(archive: &'a mut dyn Archive, name: &'a str) -> Self {
        Self { archive, name }
    }

    fn failed(&self, name: &str) -> impl FnOnce(io::Error) -> VerifyError + use<> {
        let of_file = FileError::of(&Path::new(self.name).join(name));
        move |error| of_file(error).into()
    }

    fn text(&mut self, name: &str, bytes_max: u64) -> Result<Option<String>, VerifyError> {
        let file = match self.archive.get(self.name, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(self.failed(name))?,
        };
        let mut content = Vec::new();
        file.take(bytes_max).read_to_end(&mut content).map_err(self.failed(name))?;
        Ok(Some(String::from_utf8_lossy(&content).into_owned()))
    }

    /// The key that lies beside the log, which proves nothing by itself; `None` if there is none.
    pub fn key(&mut self) -> Result<Option<VerifierKey>, VerifyError> {
        let text = self.text(PUBLIC_KEY, KEY_BYTES_MAX)?;
        text.map(|text| VerifierKey::parse(&text).map_err(VerifyError::from)).transpose()
    }

    /// Appends the leaf hashes of a span to a tree.
    fn grow(&mut self, tree: &mut Tree, span: &Span) -> Result<(), VerifyError> {
        let name = Kind::Hashes(span.first).name();
        let mut file = self.archive.get(self.name, &name).map_err(self.failed(&name))?;
        let mut block = vec![0; BLOCK_BYTES];
        while tree.size() < span.end {
            let left = (span.end - tree.size()).saturating_mul(HASH_BYTES);
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
            let part = block.get_mut(..length).unwrap_or_default();
            file.read_exact(part).map_err(self.failed(&name))?;
            let (leaves, _): (&[Hash], _) = part.as_chunks();
            tree.push(leaves).map_err(self.failed(&name))?;
        }
        Ok(())
    }

    /// Fetches a segment to a file, and gives the file.
    fn fetch(&mut self, first: u64, to: &Path) -> Result<Segment, VerifyError> {
        let name = Kind::Segment(first).name();
        let path = to.join(&name);
        let mut from: File = self.archive.get(self.name, &name).map_err(self.failed(&name))?;
        let mut file = files::create_new(&path, 0o600).map_err(FileError::of(&path))?;
        io::copy(&mut from, &mut file).map_err(FileError::of(&path))?;
        Ok(Segment { first, path })
    }
}

/// Checks a log in an archive against the key of the log; `given` as for [`super::verify`]. `scratch` is an empty
/// directory of one's own, with room for the hashes of all events and for one segment.
///
/// An archive ends with its last closed segment: that there were later events is told, and is no finding.
pub fn verify_archived(
    log: &mut ArchivedLog<'_>,
    key: &VerifierKey,
    given: &[String],
    scratch: &Path,
) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    let (spans, notes) = survey(log, &mut report)?;
    match log.key() {
        Ok(Some(beside)) if beside != *key => {
            report.found(Finding::of_file(FindingKind::File, PUBLIC_KEY, "is another key than the one that was given"));
        }
        Err(VerifyError::Tlog(error)) => {
            report.found(Finding::of_file(FindingKind::File, PUBLIC_KEY, &error.to_string()));
        }
        other => drop(other?),
    }
    let tree_dir = layout::tree(scratch);
    let mut grown = Tree::open(&tree_dir, 0)?;
    for span in &spans {
        log.grow(&mut grown, span)?;
    }
    let reach = grown.size();
    let tree = TreeFiles::open(&tree_dir, files::open_of_others)?;
    let mut found = Vec::new();
    for first in notes {
        let file = Kind::Checkpoint(first).name();
        let note = log.text(&file, NOTE_BYTES_MAX as u64)?.unwrap_or_default();
        found.push(FoundNote { file, line: None, note });
    }
    let mut signed = checkpoints::collect(&found, key, given, Some(reach), &mut report);
    let mismatches = tree::check(&tree, &mut signed)?;
    let stored_from = spans.iter().find(|span| span.has_segment).map_or(reach, |span| span.first);
    (report.stored_from, report.events) = (stored_from, reach);
    let mut walk = Walk::new(&tree, &mut report, &mut signed);
    walk.push_hashes(0, stored_from)?;
    let mut last = Vec::new();
    for span in spans.iter().filter(|span| span.first >= stored_from) {
        if span.has_segment {
            let segment = log.fetch(span.first, scratch)?;
            walk.segment(&segment, Some(span.end))?;
            fs::remove_file(&segment.path).map_err(FileError::of(&segment.path))?;
            last = vec![segment];
        } else {
            let finding = Finding::of_file(FindingKind::Removed, &Kind::Segment(span.first).name(), "is not there");
            walk.report.found(finding.of_events(span.first, span.end - span.first));
            walk.push_hashes(span.first, span.end)?;
        }
    }
    let differences = walk.end();
    report.events = reach;
    conclude(&tree, &mismatches, differences, &last, &signed, &mut report);
    Ok(report)
}

/// What is there of the log: its spans without a gap from event 0 on, and the first events of those with a checkpoint.
fn survey(log: &mut ArchivedLog<'_>, report: &mut Report) -> Result<(Vec<Span>, Vec<u64>), VerifyError> {
    let mut objects = log.archive.list(log.name).map_err(log.failed(""))?;
    objects.sort_by(|a, b| a.name.cmp(&b.name));
    let (mut hashes, mut segments, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for Object { name, bytes } in objects {
        match Kind::of(&name) {
            Some(Kind::Hashes(first)) if bytes > 0 && bytes.is_multiple_of(HASH_BYTES) => {
                hashes.push((first, first.saturating_add(bytes / HASH_BYTES)));
            }
            Some(Kind::Hashes(_)) => {
                report.found(Finding::of_file(FindingKind::Tree, &name, "has another length than hashes have"));
            }
            Some(Kind::Segment(first)) => segments.push(first),
            Some(Kind::Checkpoint(first)) => notes.push(first),
            Some(Kind::Key) => {}
            None => report.found(Finding::of_file(FindingKind::File, &name, "is not named as what is archived")),
        }
    }
    let (mut spans, mut at, mut gap) = (Vec::<Span>::new(), 0, false);
    for (first, end) in hashes {
        let name = Kind::Hashes(at).name();
        if first > at {
            let finding =
                Finding::of_file(FindingKind::Removed, &name, "is not there, and nothing behind it is checked");
            report.found(finding.of_events(at, first - at));
            gap = true;
            break;
        }
        if first < at {
            let name = Kind::Hashes(first).name();
            report.found(Finding::of_file(FindingKind::Inserted, &name, "is of events that another one has"));
            continue;
        }
        spans.push(Span { first, end, has_segment: segments.binary_search(&first).is_ok() });
        at = end;
    }
    // A segment without hashes is being shipped, if it is the last one.
    for first in segments.iter().filter(|first| spans.binary_search_by_key(*first, |span| span.first).is_err()) {
        let is_next = *first == at && segments.last() == Some(first);
        let is_behind_gap = gap && *first >= at;
        if !is_next && !is_behind_gap {
            let name = Kind::Segment(*first).name();
            report.found(Finding::of_file(FindingKind::File, &name, "has no hashes beside it, and is not checked"));
        }
    }
    Ok((spans, notes))
}
