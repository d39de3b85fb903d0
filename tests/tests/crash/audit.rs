//! The audit log as it grows over all rounds.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use serde_json::Value;

/// Request ids of the log, each of which may stand there once; and those that must.
pub struct AuditTrail {
    dir: PathBuf,
    /// The file that is read now, and how far: whole lines only.
    at: (PathBuf, u64),
    seen: HashSet<String>,
    /// Descriptions and alias names of changes that were recorded as done.
    changes: HashSet<String>,
    /// How often a change of people was recorded as done, by [`AuditTrail::named`].
    people: HashMap<String, u64>,
    expected: Vec<String>,
}

impl AuditTrail {
    pub fn new(data: &Path) -> Self {
        let dir = data.join("audit");
        let first = dir.join("00000000000000000000.jsonl");
        let (seen, changes, people) = (HashSet::new(), HashSet::new(), HashMap::new());
        Self { dir, at: (first, 0), seen, changes, people, expected: Vec::new() }
    }

    /// Adds calls that were answered.
    pub fn expect(&mut self, request_ids: Vec<String>) {
        self.expected.extend(request_ids);
    }

    /// Reads what is new, and checks that every answered call has exactly one event.
    pub fn check(&mut self) {
        let mut files: Vec<PathBuf> = fs::read_dir(&self.dir)
            .expect("an audit log")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl") && *path >= self.at.0)
            .collect();
        files.sort();
        for path in files {
            let from = if path == self.at.0 { self.at.1 } else { 0 };
            let mut file = File::open(&path).expect("an audit file");
            file.seek(SeekFrom::Start(from)).expect("the log only grows");
            let mut new = Vec::new();
            file.read_to_end(&mut new).expect("an audit file");
            let whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            for line in new[..whole].split_inclusive(|byte| *byte == b'\n') {
                self.note(line);
            }
            self.at = (path, from + whole as u64);
        }
        for id in self.expected.drain(..) {
            assert!(self.seen.contains(&id), "the answered call {id} has no audit event");
        }
    }

    fn note(&mut self, line: &[u8]) {
        let event: Value = serde_json::from_slice(line).expect("every event is JSON");
        let id = event["requestId"].as_str().expect("a request id");
        assert!(self.seen.insert(id.to_owned()), "the call {id} has two audit events");
        if event["errorCode"].is_null() && event["eventRW"] == "Write" {
            if event["serviceName"] == "Ram" {
                let action = event["eventName"].as_str().expect("an event name");
                let change = Self::named(action, |name| event["requestParameters"][name].as_str());
                *self.people.entry(change).or_default() += 1;
            }
            for name in ["description", "Description", "aliasName", "AliasName", "keyId", "KeyId"] {
                if let Some(text) = event["requestParameters"][name].as_str() {
                    let event_name = event["eventName"].as_str().expect("an event name");
                    self.changes.insert(format!("{event_name} {text}"));
                }
            }
        }
    }

    /// Whether a change of this action is recorded for a description, alias or key.
    pub fn records(&self, action: &str, of: &str) -> bool {
        self.changes.contains(&format!("{action} {of}"))
    }

    /// The text that tells a change of people from others: its action and whom and what it is about.
    pub fn named<'v>(action: &'v str, value: impl Fn(&str) -> Option<&'v str>) -> String {
        let names = ["UserName", "PolicyName", "UserAccessKeyId", "Status"];
        [action].into_iter().chain(names.into_iter().filter_map(value)).collect::<Vec<_>>().join(" ")
    }

    /// How often such a change was recorded as done.
    pub fn times(&self, change: &str) -> u64 {
        self.people.get(change).copied().unwrap_or(0)
    }

    /// How many changes of people were recorded as done.
    pub fn changes_of_people(&self) -> u64 {
        self.people.values().sum()
    }

    pub fn len(&self) -> usize {
        self.seen.len()
    }
}
