//! The store as a whole: every record opens only at its own path, but an older one does too, and one that was removed
//! does not show. So a hash over all records goes along with every commit, and stands in the store itself.
//!
//! - The hash is the sum of lanes and a base, each a sealed record. A commit takes a lane that no other uses, adds
//!   what it writes, subtracts what that replaces, and requires that both the lane and what it replaces are as it has read
//!   them. No two commits on their way have a record in common because of it.
//! - Each lane counts its commits, and says how far the others had come when it was last written. So a lane cannot be set
//!   back together with what was last changed in it, unless everything that came later is set back too.
//! - That much, a whole store of an earlier moment, is consistent. All counters together are what was ever committed:
//!   whoever keeps that number elsewhere sees that changes are missing ([`WholeStore::state`]; the audit log signs it).
//!
//! [`WholeStore`] does this for whatever is committed through it. It hides its own records. What was written while older
//! versions were about is taken as it is ([`WholeStore::accept`]).

mod lanes;
pub mod record;
mod tally;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use jomae_crypto::set::{SetKey, SetSum};

pub use self::{
    lanes::LANES,
    tally::{Found, State, Trouble},
};
use self::{
    lanes::{Known, Lane, Lanes},
    record::{BaseRecord, LaneRecord, is_inside, is_own},
    tally::Tally,
};
use crate::{
    cluster::record::NodeName,
    error::{Fault, FaultKind},
    form::{self, FormRecord},
    keyring::Keyring,
    store::{
        BoxFuture, Change, Commit, Committed, Entry, Path, Phase, Revision, SCAN_LIMIT_MAX, Snapshot, Store,
        StoreError, Watcher, Write,
    },
    tx,
};

/// How often a commit tries again whose caller expects nothing that has changed.
const ATTEMPTS_MAX: u32 = 256;

/// A store whose commits keep the hash over all records.
pub struct WholeStore {
    inner: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    keys: SetKey,
    /// Where the lanes of this process stand.
    prefix: String,
    lanes: Lanes,
    /// Whether the floor of stored forms is high enough; then it stays so.
    is_counting: AtomicBool,
    trouble: OnceLock<String>,
}

/// How one try went.
enum Attempt {
    Answer(Committed),
    /// Nothing was done, and of what the caller expects nothing has changed.
    Again,
}

/// What a commit does to the hash, if it finds everything as it was read.
struct Difference {
    expect: Vec<(Path, Option<Revision>)>,
    added: SetSum,
    removed: SetSum,
    changes_something: bool,
}

/// What [`WholeStore::accept`] has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What was wrong, beside what is missing.
    pub trouble: Option<Trouble>,
    /// Changes before, and from now on.
    pub found: u64,
    pub changes: u64,
    pub records: u64,
}

impl WholeStore {
    /// Takes a store of which this process is the single user, or a node of this name.
    ///
    /// # Errors
    /// The store cannot be read, or what it keeps of the hash does not open.
    pub fn open(inner: Arc<dyn Store>, keyring: Arc<Keyring>, node: Option<&NodeName>) -> Result<Arc<Self>, Fault> {
        let keys = keyring.set_key()?;
        let whole = Self {
            inner,
            keyring,
            keys,
            prefix: record::lanes_of(node),
            lanes: Lanes::new(),
            is_counting: AtomicBool::new(false),
            trouble: OnceLock::new(),
        };
        whole.refresh()?;
        for number in 0..LANES {
            let known = whole.read_lane(number)?;
            if known.revision.is_some() {
                whole.lanes.memory().learn(number, known);
            }
        }
        Ok(Arc::new(whole))
    }

    /// Counts everything, and compares it with the hash, and with what this process has seen before. May take long; `pace` hears
    /// the number of records so far, may wait, and says whether to go on.
    ///
    /// # Errors
    /// The store cannot be read, or it was not gone on. What is wrong with the store is in the answer.
    pub fn check(&self, mut pace: impl FnMut(u64) -> bool) -> Result<Result<Found, Trouble>, StoreError> {
        // Before the moment of the snapshot.
        let before = self.seen();
        let tally = match self.tally(&mut pace)? {
            Ok(tally) => tally,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let base = tally.base().map(|(base, _)| (record::base(), base.changes));
        for (path, known) in before {
            let of_lane = tally.lanes().find(|(lane, _)| **lane == path).map(|(_, changes)| changes);
            let found = of_lane.or(base.as_ref().filter(|(base, _)| *base == path).map(|(_, changes)| *changes));
            let found = found.unwrap_or(0);
            if found < known {
                return Ok(Err(Trouble::WentBack { path: path.as_str().to_owned(), found, known }));
            }
        }
        Ok(tally.finish())
    }

    fn tally(&self, pace: &mut dyn FnMut(u64) -> bool) -> Result<Result<Tally<'_>, Trouble>, StoreError> {
        let mut tally = Tally::new(&self.keys, &self.keyring);
        for row in self.inner.snapshot()? {
            let (path, entry) = row?;
            if let Err(trouble) = tally.take(&path, &entry.value, entry.revision) {
                return Ok(Err(trouble));
            }
            if !pace(tally.records()) {
                return Err(StoreError::Unavailable("it was not read to its end".to_owned()));
            }
        }
        Ok(Ok(tally))
    }

    /// Changes of all records of the hash that are known to be in the store.
    fn seen(&self) -> Vec<(Path, u64)> {
        let memory = self.lanes.memory();
        let own = memory.counters();
        let own = own.iter().enumerate().map(|(number, changes)| (record::lane(&self.prefix, number), *changes));
        let others = memory.others.iter().map(|(path, known)| (path.clone(), known.changes));
        let base = memory.base.as_ref().map(|(known, _)| (record::base(), known.changes));
        own.chain(others).chain(base).collect()
    }

    /// Nothing is committed any more, and [`Store::health`] says why.
    pub fn fail(&self, trouble: &Trouble) {
        let _ = self.trouble.set(trouble.to_string());
    }

    /// How many changes are known to be in the store, durably, and the digest of the records after them. None as long as
    /// no hash is kept.
    pub fn state(&self) -> Option<State> {
        let (changes, sum) = self.lanes.memory().state()?;
        Some(State { changes, digest: self.keys.digest(changes, &sum) })
    }

    /// Whether the hash is kept, so that it can be begun.
    pub fn is_counting(&self) -> Result<bool, StoreError> {
        Ok(self.is_counting.load(Ordering::Acquire) || self.form()?.0 >= record::FORM)
    }

    /// As if the floor were high enough: for a store that no older version will ever use.
    pub fn begin_counting(&self) {
        self.is_counting.store(true, Ordering::Release);
    }

    /// Whether the hash was begun.
    pub fn has_base(&self) -> bool {
        self.lanes.memory().base.is_some()
    }

    /// Looks at what others have done: at least so much is promised from now on, by each commit and by [`WholeStore::state`]. To
    /// be called every now and then; cheap.
    ///
    /// # Errors
    /// Of them, something is less than it was.
    pub fn refresh(&self) -> Result<(), Fault> {
        let mut last: Option<Path> = None;
        loop {
            let after = last.as_ref().map(Path::as_str);
            let rows = self.inner.scan(record::PREFIX, after, SCAN_LIMIT_MAX)?;
            for (path, entry) in &rows {
                self.look_at(path, entry)?;
            }
            match rows.into_iter().next_back() {
                Some((path, _)) => last = Some(path),
                None => return Ok(()),
            }
        }
    }

    fn look_at(&self, path: &Path, entry: &Entry) -> Result<(), Fault> {
        let text = path.as_str();
        let is_base = *path == record::base();
        if !is_base && (text.starts_with(&self.prefix) || record::of_lane(text).is_none()) {
            return Ok(());
        }
        let before = {
            let memory = self.lanes.memory();
            if is_base {
                memory.base.as_ref().map(|(known, _)| known.clone())
            } else {
                memory.others.get(path).cloned()
            }
        };
        if before.as_ref().is_some_and(|before| before.revision == Some(entry.revision)) {
            return Ok(());
        }
        let (known, epoch) = if is_base {
            let base: BaseRecord = tx::open(&self.keyring, text, &entry.value)?;
            (Known::of_base(&base, entry.revision)?, base.epoch)
        } else {
            (Known::of_lane(text, &tx::open(&self.keyring, text, &entry.value)?, entry.revision)?, 0)
        };
        self.expect_not_less(text, before.map_or(0, |before| before.changes), known.changes)?;
        let mut memory = self.lanes.memory();
        if is_base {
            memory.base = Some((known, epoch));
        } else {
            memory.others.insert(path.clone(), known);
        }
        Ok(())
    }

    fn expect_not_less(&self, path: &str, known: u64, found: u64) -> Result<(), Fault> {
        if found >= known {
            return Ok(());
        }
        let trouble = Trouble::WentBack { path: path.to_owned(), found, known };
        self.fail(&trouble);
        Err(Fault::internal(trouble))
    }

    /// Takes the records as they are now for what they are to be: the hash is begun, or goes on from here whatever was
    /// wrong. From now on over `promised` changes are counted. `expect` is for the commit to compare.
    ///
    /// # Errors
    /// Among others: another one has done the same meanwhile.
    pub async fn accept(&self, promised: u64, expect: Vec<(Path, Option<Revision>)>) -> Result<Accepted, Fault> {
        if !self.is_counting()? {
            return Err(Fault::unavailable("the hash over all records is not kept until every node knows of it"));
        }
        let (commit, known, accepted) = {
            let tally = self.tally(&mut |_| true)?.map_err(Fault::internal)?;
            let trouble = tally.finish().err();
            let before = tally.base();
            let of_lanes = tally.changes_of_lanes();
            let changes = before.map_or(0, |(base, _)| base.changes);
            let missing = (promised + 1).saturating_sub(changes.saturating_add(of_lanes));
            let needed = if before.is_none() && promised == 0 { 0 } else { missing };
            let base = BaseRecord {
                changes: changes.saturating_add(needed),
                sum: record::bytes_of(&tally.missing()?),
                epoch: before.map_or(0, |(base, _)| base.epoch.saturating_add(1)),
            };
            let accepted = Accepted {
                trouble,
                found: changes.saturating_add(of_lanes),
                changes: base.changes.saturating_add(of_lanes),
                records: tally.records(),
            };
            let sealed = tx::seal(&self.keyring, &record::base(), &base)?;
            let expect = expect.into_iter().chain([(record::base(), before.map(|(_, revision)| *revision))]).collect();
            (Commit { expect, writes: vec![Write::Put(record::base(), sealed)] }, base, accepted)
        };
        match self.inner.commit(commit).await? {
            Committed::Done(revision) => {
                self.lanes.memory().base = Some((Known::of_base(&known, revision)?, known.epoch));
                Ok(accepted)
            }
            Committed::Conflict => Err(Fault::unavailable("another process has just done the same")),
            Committed::Unknown => Err(Fault::unavailable("the store did not answer in time")),
        }
    }

    fn form(&self) -> Result<(u32, Option<Revision>), StoreError> {
        let Some(entry) = self.inner.get(form::PATH)? else { return Ok((form::OLDEST, None)) };
        let record: FormRecord = tx::open(&self.keyring, form::PATH, &entry.value).map_err(|fault| of_fault(&fault))?;
        Ok((record.form, Some(entry.revision)))
    }

    fn read_lane(&self, number: usize) -> Result<Known, Fault> {
        let path = record::lane(&self.prefix, number);
        match self.inner.get(path.as_str())? {
            Some(entry) => {
                let lane: LaneRecord = tx::open(&self.keyring, path.as_str(), &entry.value)?;
                Known::of_lane(path.as_str(), &lane, entry.revision)
            }
            None => Ok(Known::default()),
        }
    }

    /// What is known of a lane that this commit has taken.
    fn known(&self, lane: &Lane) -> Result<Known, StoreError> {
        let (known, is_stale) = {
            let memory = self.lanes.memory();
            (memory.own(lane.number), memory.is_stale(lane.number))
        };
        if !is_stale {
            return Ok(known);
        }
        let found = self.read_lane(lane.number).map_err(|fault| of_fault(&fault))?;
        let path = record::lane(&self.prefix, lane.number);
        self.expect_not_less(path.as_str(), known.changes, found.changes).map_err(|fault| of_fault(&fault))?;
        self.lanes.memory().learn(lane.number, found.clone());
        Ok(found)
    }

    async fn commit_whole(&self, commit: Commit) -> Result<Committed, StoreError> {
        commit.check_limits()?;
        self.health()?;
        let mut paths = commit.writes.iter().map(Write::path).chain(commit.expect.iter().map(|(path, _)| path));
        if paths.any(|path| is_own(path.as_str())) {
            return Err(StoreError::Limit("a path that is the store's own"));
        }
        if !commit.writes.iter().any(|write| is_inside(write.path().as_str())) {
            return self.inner.commit(commit).await;
        }
        for _ in 0..ATTEMPTS_MAX {
            let attempt = if self.is_counting.load(Ordering::Acquire) {
                self.with_lane(&commit).await?
            } else {
                match self.form()? {
                    (floor, revision) if floor < record::FORM => self.without_lane(&commit, revision).await?,
                    _ => {
                        self.is_counting.store(true, Ordering::Release);
                        Attempt::Again
                    }
                }
            };
            if let Attempt::Answer(answer) = attempt {
                return Ok(answer);
            }
        }
        Err(StoreError::Unavailable("other commits kept changing the same records".to_owned()))
    }

    /// As long as an older version may be about: requires that this is still so.
    async fn without_lane(&self, commit: &Commit, form: Option<Revision>) -> Result<Attempt, StoreError> {
        let floor = (Path::new(form::PATH), form);
        let mut sent = commit.clone();
        if !commit.expect.iter().any(|(path, _)| *path == floor.0) {
            sent.expect.push(floor.clone());
        }
        match self.inner.commit(sent).await? {
            Committed::Conflict => self.judge(commit, &[floor]),
            answer => Ok(Attempt::Answer(answer)),
        }
    }

    async fn with_lane(&self, commit: &Commit) -> Result<Attempt, StoreError> {
        let lane = self.lanes.take().await;
        let known = self.known(&lane)?;
        let Some(Difference { mut expect, added, removed, changes_something }) = self.difference(commit)? else {
            return Ok(Attempt::Answer(Committed::Conflict));
        };
        if !changes_something {
            drop(lane);
            let sent = Commit { expect: together(&commit.expect, &expect), writes: commit.writes.clone() };
            return match self.inner.commit(sent).await? {
                Committed::Conflict => self.judge(commit, &expect),
                answer => Ok(Attempt::Answer(answer)),
            };
        }
        let path = record::lane(&self.prefix, lane.number);
        let mut next = Known { changes: known.changes.saturating_add(1), ..known.clone() };
        next.sum.add(&added);
        next.sum.subtract(&removed);
        let sealed =
            tx::seal(&self.keyring, &path, &self.lane_record(lane.number, &next)).map_err(|fault| of_fault(&fault))?;
        expect.push((path.clone(), known.revision));
        let mut sent = Commit { expect: together(&commit.expect, &expect), writes: commit.writes.clone() };
        sent.writes.push(Write::Put(path, sealed));
        let inner = Arc::clone(&self.inner);
        match lane.send(Box::pin(async move { inner.commit(sent).await }), next).await? {
            Committed::Conflict => self.judge(commit, &expect),
            answer => Ok(Attempt::Answer(answer)),
        }
    }

    fn lane_record(&self, number: usize, next: &Known) -> LaneRecord {
        let memory = self.lanes.memory();
        let mut own = memory.counters();
        if own.len() <= number {
            own.resize(number + 1, 0);
        }
        if let Some(counter) = own.get_mut(number) {
            *counter = next.changes;
        }
        LaneRecord {
            changes: next.changes,
            sum: record::bytes_of(&next.sum),
            epoch: memory.epoch(),
            own,
            others: memory.totals_of_others(),
            base: memory.base.as_ref().map_or(0, |(known, _)| known.changes),
        }
    }

    /// None if something is not as the caller expects it: it never will be again.
    fn difference(&self, commit: &Commit) -> Result<Option<Difference>, StoreError> {
        let mut difference = Difference {
            expect: Vec::new(),
            added: SetSum::default(),
            removed: SetSum::default(),
            changes_something: false,
        };
        for write in &commit.writes {
            let path = write.path();
            let expected = commit.expect.iter().find(|(expected, _)| expected == path).map(|(_, revision)| *revision);
            let found = if expected == Some(None) { None } else { self.inner.get(path.as_str())? };
            let revision = found.as_ref().map(|entry| entry.revision);
            match expected {
                Some(expected) if expected != revision => return Ok(None),
                None if is_inside(path.as_str()) => difference.expect.push((path.clone(), revision)),
                Some(_) | None => {}
            }
            difference.changes_something |= found.is_some() || matches!(write, Write::Put(..));
            if is_inside(path.as_str()) {
                if let Some(entry) = found {
                    difference.removed.add(&self.keys.element(path.as_str().as_bytes(), &entry.value));
                }
                if let Write::Put(_, value) = write {
                    difference.added.add(&self.keys.element(path.as_str().as_bytes(), value));
                }
            }
        }
        Ok(Some(difference))
    }

    /// After a conflict: whether it was the caller's. The store shows by now what it was with.
    fn judge(&self, commit: &Commit, ours: &[(Path, Option<Revision>)]) -> Result<Attempt, StoreError> {
        let is_theirs = !self.hold(&commit.expect)?;
        // One that nobody can explain is the caller's, too: nothing was done.
        let is_ours = !is_theirs && !self.hold(ours)?;
        Ok(if is_ours { Attempt::Again } else { Attempt::Answer(Committed::Conflict) })
    }

    fn hold(&self, expect: &[(Path, Option<Revision>)]) -> Result<bool, StoreError> {
        for (path, revision) in expect {
            if self.inner.get(path.as_str())?.map(|entry| entry.revision) != *revision {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn together(theirs: &[(Path, Option<Revision>)], ours: &[(Path, Option<Revision>)]) -> Vec<(Path, Option<Revision>)> {
    theirs.iter().chain(ours).cloned().collect()
}

fn of_fault(fault: &Fault) -> StoreError {
    match fault.kind {
        FaultKind::Unavailable | FaultKind::Away => StoreError::Unavailable(fault.to_string()),
        _ => StoreError::Damaged(fault.to_string()),
    }
}

impl Store for WholeStore {
    fn get(&self, path: &str) -> Result<Option<Entry>, StoreError> {
        if is_own(path) { Ok(None) } else { self.inner.get(path) }
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(Path, Entry)>, StoreError> {
        if !record::PREFIX.starts_with(prefix) && !is_own(prefix) {
            return self.inner.scan(prefix, after, limit);
        }
        let limit = limit.min(SCAN_LIMIT_MAX);
        let mut found = Vec::new();
        let mut last: Option<Path> = None;
        while found.len() < limit {
            let after = last.as_ref().map_or(after, |last| Some(last.as_str()));
            let page = self.inner.scan(prefix, after, limit)?;
            last = page.last().map(|(path, _)| path.clone());
            let is_end = page.len() < limit;
            found.extend(page.into_iter().filter(|(path, _)| !is_own(path.as_str())));
            if is_end {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// As that of the store inside, once there is a lane for it: at once unless [`LANES`] commits are on their way. What is
    /// written to a path of which nothing is expected is written again if another commit comes between, as long as somebody
    /// waits.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(self.commit_whole(commit))
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.inner.revision()
    }

    fn watch(&self, watcher: Watcher) {
        self.inner.watch(Box::new(move |phase: Phase, change: &Change| {
            if !change.writes.iter().any(|(path, _)| is_own(path.as_str())) {
                return watcher(phase, change);
            }
            let writes = change.writes.iter().filter(|(path, _)| !is_own(path.as_str())).cloned().collect();
            watcher(phase, &Change { revision: change.revision, writes });
        }));
    }

    fn confirm(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.confirm()
    }

    fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let is_theirs =
            |row: &Result<(Path, Entry), StoreError>| row.as_ref().map_or(true, |(path, _)| !is_own(path.as_str()));
        Ok(Box::new(self.inner.snapshot()?.filter(is_theirs)))
    }

    fn health(&self) -> Result<(), StoreError> {
        match self.trouble.get() {
            Some(trouble) => Err(StoreError::Damaged(trouble.clone())),
            None => self.inner.health(),
        }
    }
}
