//! The store of a simulated world, and what a node knows of it.

use std::{collections::BTreeMap, rc::Rc};

use jomae_core::cluster::record::{NodeRecord, WorkRecord};

use super::dice;

/// Where a record stands. Names of nodes, keys and jobs are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    Node(usize),
    Work,
    /// The floor of stored forms.
    Form,
    Marker(usize),
    Key(usize),
    Job(usize),
}

#[derive(Debug)]
pub enum Value {
    Node(NodeRecord),
    Work(WorkRecord),
    Form(u32),
    Marker,
    Key {
        is_enabled: bool,
        /// The form in which it is stored.
        form: u32,
    },
    Job {
        /// By the true time, in Unix seconds.
        due_secs: i64,
        times_done: u32,
    },
}

/// A value and the revision of its last change.
pub type Entry = (Rc<Value>, u64);
pub type Records = BTreeMap<At, Entry>;

#[derive(Debug)]
pub struct Commit {
    pub expect: Vec<(At, Option<u64>)>,
    pub writes: Vec<(At, Option<Rc<Value>>)>,
}

/// A commit that has happened.
#[derive(Debug)]
pub struct Change {
    pub revision: u64,
    /// Which commit it was.
    pub commit: usize,
    pub writes: Vec<(At, Option<Rc<Value>>)>,
}

/// Strictly serialisable, and keeps everything that ever happened.
#[derive(Default)]
pub struct Store {
    pub records: Records,
    pub log: Vec<Rc<Change>>,
    /// The digest of all records at each revision.
    digests: Vec<u64>,
}

impl Store {
    pub fn revision(&self) -> u64 {
        self.log.len() as u64
    }

    pub fn revision_of(&self, at: At) -> Option<u64> {
        self.records.get(&at).map(|(_, revision)| *revision)
    }

    /// The revision, unless an expectation does not hold. A commit that changes nothing has the revision before it.
    pub fn commit(&mut self, id: usize, commit: &Commit) -> Option<u64> {
        if commit.expect.iter().any(|(at, revision)| self.revision_of(*at) != *revision) {
            return None;
        }
        let is_change = |(at, value): &&(At, Option<Rc<Value>>)| value.is_some() || self.records.contains_key(at);
        let writes: Vec<_> = commit.writes.iter().filter(is_change).cloned().collect();
        if writes.is_empty() {
            return Some(self.revision());
        }
        let change = Change { revision: self.revision() + 1, commit: id, writes };
        let before = self.digests.last().copied().unwrap_or(0);
        self.digests.push(before ^ applied(&mut self.records, &change));
        self.log.push(Rc::new(change));
        Some(self.revision())
    }

    /// The digest of all records at a revision.
    pub fn digest(&self, revision: u64) -> u64 {
        usize::try_from(revision).ok().and_then(|at| self.digests.get(at.checked_sub(1)?)).copied().unwrap_or(0)
    }
}

/// What one node knows of the store.
#[derive(Default)]
pub struct Replica {
    pub records: Records,
    pub revision: u64,
    digest: u64,
}

impl Replica {
    pub fn apply(&mut self, change: &Change) {
        self.digest ^= applied(&mut self.records, change);
        self.revision = change.revision;
    }

    /// Takes over everything as it was at a revision; tells what has become different.
    pub fn resync(&mut self, records: &Records, revision: u64) -> Vec<At> {
        let has_changed = |at: &At, found: &Entry| self.records.get(at).is_none_or(|(_, known)| *known != found.1);
        let written = records.iter().filter(|(at, found)| has_changed(at, found)).map(|(at, _)| *at);
        let deleted = self.records.keys().filter(|at| !records.contains_key(at)).copied();
        let different = written.chain(deleted).collect();
        self.records.clone_from(records);
        self.digest = self.records.iter().fold(0, |digest, (at, (_, known))| digest ^ of_entry(*at, *known));
        self.revision = revision;
        different
    }

    /// Whether these are the records of the revision that it claims.
    pub fn is_of_one_moment(&self, store: &Store) -> bool {
        self.digest == store.digest(self.revision)
    }
}

/// Changes the records; gives the difference of the digest.
fn applied(records: &mut Records, change: &Change) -> u64 {
    let mut difference = 0;
    for (at, value) in &change.writes {
        let before = match value {
            Some(value) => records.insert(*at, (Rc::clone(value), change.revision)),
            None => records.remove(at),
        };
        difference ^= before.map_or(0, |(_, revision)| of_entry(*at, revision));
        difference ^= value.as_ref().map_or(0, |_| of_entry(*at, change.revision));
    }
    difference
}

fn of_entry(at: At, revision: u64) -> u64 {
    let (kind, number) = match at {
        At::Node(number) => (1, number),
        At::Form => (6, 0),
        At::Work => (2, 0),
        At::Marker(number) => (3, number),
        At::Key(number) => (4, number),
        At::Job(number) => (5, number),
    };
    dice::mixed(dice::mixed(revision * 8 + kind) ^ number as u64)
}
