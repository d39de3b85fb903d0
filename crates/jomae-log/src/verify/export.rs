//! An excerpt of a log in one file that verifies with the public key alone.
//!
//! Lines of JSON. The first is `{"format":"jomae-audit-export/v1","account":…,"from":…,"to":…,"checkpoint":…}`: what
//! was asked for, and the note with the newest checkpoint. Each other line is `{"index":…,"proof":[…],"event":{…}}`:
//! the proof of inclusion in base64, and the bytes of the event as they are in the log. An excerpt proves that its
//! events are in the log. That no event is missing between them is proven where the numbers follow on each other; the
//! report counts where they do not.

use std::{
    io::{BufRead, Read as _, Write},
    path::Path,
};

use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{
    VerifyError,
    files::{self, SegmentLines},
    prove::{hashes, newest_checkpoint, unverified},
};
use crate::{
    Checkpoint, Hash, Timestamp, VerifierKey,
    event::{Event, Findable as _},
    inclusion_proof,
    layout::EVENT_BYTES_MAX,
    leaf_hash,
    merkle::hash_text,
    note::NOTE_BYTES_MAX,
    verify_inclusion,
};

const FORMAT: &str = "jomae-audit-export/v1";
/// The longest line of an excerpt, in bytes: an event or a note, with a proof.
const LINE_BYTES_MAX: u64 = (EVENT_BYTES_MAX + 2 * NOTE_BYTES_MAX) as u64;
/// What stands before the event in a line, after number and proof, which cannot contain it.
const EVENT: &str = ",\"event\":";

/// Which events to export. What is `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Events of the principals of this account, and those about what it owns.
    pub account: Option<String>,
    /// Time of the first event.
    pub from: Option<Timestamp>,
    /// Time of the last event.
    pub to: Option<Timestamp>,
}

impl Filter {
    fn takes(&self, line: &[u8]) -> bool {
        let Some((event, time)) = Event::parse(line) else { return false };
        self.account.as_ref().is_none_or(|account| event.accounts().any(|of_event| of_event == account.as_bytes()))
            && self.from.is_none_or(|from| time >= from)
            && self.to.is_none_or(|to| time <= to)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    account: Option<String>,
    from: Option<String>,
    to: Option<String>,
    checkpoint: String,
}

/// What stands before the event, made an object of its own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    index: u64,
    proof: Vec<String>,
}

/// What an excerpt holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportReport {
    /// How many events, all of them proven.
    pub events: u64,
    /// Numbers of the first and the last one.
    pub range: Option<(u64, u64)>,
    /// How many events of the log lie between these two and are not in the excerpt.
    pub left_out: u64,
    /// The checkpoint that all of them are proven against.
    pub checkpoint: Checkpoint,
    /// What was asked for, as the excerpt says; this is not signed.
    pub filter: Filter,
}

impl ExportReport {
    fn new(checkpoint: Checkpoint, filter: Filter) -> Self {
        Self { events: 0, range: None, left_out: 0, checkpoint, filter }
    }

    fn count(&mut self, index: u64) {
        let (first, last) = self.range.unwrap_or((index, index));
        self.left_out += index.saturating_sub(last).saturating_sub(1);
        self.range = Some((first, index));
        self.events += 1;
    }
}

/// Writes the events that the newest checkpoint covers and `filter` takes, each with its proof.
///
/// An event that does not verify is an error: the log is to be checked.
pub fn export(dir: &Path, key: &VerifierKey, filter: &Filter, to: &mut dyn Write) -> Result<ExportReport, VerifyError> {
    let (checkpoint, note) = newest_checkpoint(dir, key)?;
    let tree = files::tree(dir)?;
    let (segments, _) = files::segments(dir)?;
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let header = Header {
        format: FORMAT.to_owned(),
        account: filter.account.clone(),
        from: time(filter.from),
        to: time(filter.to),
        checkpoint: note,
    };
    let mut report = ExportReport::new(checkpoint, filter.clone());
    write_line(to, &[&json(&header), "\n"])?;
    for segment in segments {
        let (mut lines, mut index) = (SegmentLines::open(&segment)?, segment.first);
        while index < report.checkpoint.size
            && let Some(line) = lines.next_line()?
        {
            if filter.takes(line) {
                let (size, root) = (report.checkpoint.size, &report.checkpoint.root);
                let proof = inclusion_proof(&tree, index, size)?;
                let text = std::str::from_utf8(line).ok();
                let Some(event) = text.filter(|_| verify_inclusion(&leaf_hash(line), index, size, &proof, root)) else {
                    return unverified(format!("event {index} cannot be proven: the log is damaged; check it"));
                };
                let position = json(&Position { index, proof: proof.iter().map(hash_text).collect() });
                write_line(to, &[position.trim_end_matches('}'), EVENT, event, "}\n"])?;
                report.count(index);
            }
            index += 1;
        }
    }
    to.flush().map_err(|error| VerifyError::Unverified(format!("cannot write the excerpt: {error}")))?;
    Ok(report)
}

/// Texts and numbers into memory: no part of this can fail.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn write_line(to: &mut dyn Write, parts: &[&str]) -> Result<(), VerifyError> {
    let written = parts.iter().try_for_each(|part| to.write_all(part.as_bytes()));
    written.map_err(|error| VerifyError::Unverified(format!("cannot write the excerpt: {error}")))
}

/// The next line without its newline. `line` is its number, from 1.
fn read_line(from: &mut dyn BufRead, line: u64) -> Result<Option<String>, VerifyError> {
    let mut text = String::new();
    let read = from.take(LINE_BYTES_MAX + 1).read_line(&mut text);
    let read = read.map_err(|error| VerifyError::Unverified(format!("line {line} of the excerpt: {error}")))?;
    match text.strip_suffix('\n') {
        Some(text) => Ok(Some(text.to_owned())),
        None if read == 0 => Ok(None),
        None => unverified(format!("line {line} of the excerpt is too long, or cut off")),
    }
}

/// Checks an excerpt: every event must be proven, and the numbers must ascend.
pub fn verify_export(from: &mut dyn BufRead, key: &VerifierKey) -> Result<ExportReport, VerifyError> {
    let head = read_line(from, 1)?.and_then(|line| serde_json::from_str::<Header>(&line).ok());
    let Some(head) = head.filter(|head| head.format == FORMAT) else {
        return unverified("the file is not an excerpt of an audit log");
    };
    let time = |text: Option<String>| text.and_then(|text| Timestamp::parse(&text));
    let filter = Filter { account: head.account, from: time(head.from), to: time(head.to) };
    let mut report = ExportReport::new(Checkpoint::open(&head.checkpoint, key)?, filter);
    let mut number = 2;
    while let Some(line) = read_line(from, number)? {
        let Some((index, event, proof)) = parse_line(&line) else {
            return unverified(format!("line {number} of the excerpt is not an event with its proof"));
        };
        let Checkpoint { size, root, .. } = &report.checkpoint;
        if !verify_inclusion(&leaf_hash(event.as_bytes()), index, *size, &proof, root) {
            return unverified(format!(
                "line {number} of the excerpt: event {index} is not in the log as it stands here"
            ));
        }
        if report.range.is_some_and(|(_, last)| index <= last) {
            return unverified(format!("line {number} of the excerpt: event {index} is out of order"));
        }
        if !report.filter.takes(event.as_bytes()) {
            return unverified(format!("line {number} of the excerpt: event {index} is not what was asked for"));
        }
        report.count(index);
        number += 1;
    }
    Ok(report)
}

fn parse_line(line: &str) -> Option<(u64, &str, Vec<Hash>)> {
    let (position, event) = line.split_once(EVENT)?;
    let event = event.strip_suffix('}')?;
    serde_json::from_str::<IgnoredAny>(event).ok()?;
    let position: Position = serde_json::from_str(&format!("{position}}}")).ok()?;
    Some((position.index, event, hashes(&position.proof)?))
}
