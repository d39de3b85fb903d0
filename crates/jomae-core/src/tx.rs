//! The transaction: the only way to read and to change what is stored.
//!
//! A changing call remembers what it read; the commit compares all of it. So what was decided on is what still holds
//! when the change happens, or nothing happens.

use std::sync::Arc;

use crate::{
    backend::{Held, Unclaimed},
    cache::{Cache, Cached},
    cluster::{
        self, Cluster, Confirmed,
        record::{NodeName, WorkRecord},
    },
    error::Fault,
    form,
    keyring::Keyring,
    root,
    store::{Commit, Committed, Path, Phase, Revision, SCAN_LIMIT_MAX, Store, Write},
    stored::Record,
};

/// The sealed store with its decoded records: what transactions work on.
pub struct Vault {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    cache: Arc<Cache>,
    /// Where several nodes share the store.
    cluster: Option<Arc<Cluster>>,
    /// Which of them this is, while none of them runs.
    stopped: Option<NodeName>,
}

impl Vault {
    /// Takes a store into use. From now on every commit to it drops the decoded records that it changes before it can be
    /// read: so nobody meets them beside what it has written.
    pub fn new(store: Arc<dyn Store>, keyring: Arc<Keyring>, cache_entries_max: usize) -> Self {
        let cache = Arc::new(Cache::new(cache_entries_max));
        let watching = Arc::clone(&cache);
        store.watch(Box::new(move |phase, change| {
            for (path, _) in &change.writes {
                match phase {
                    Phase::Prepared => watching.hold_back(path.as_str()),
                    Phase::Committed | Phase::Aborted => watching.release(path.as_str()),
                }
            }
        }));
        Self { store, keyring, cache, cluster: None, stopped: None }
    }

    /// The same, for one of several nodes.
    #[must_use]
    pub fn in_cluster(self, cluster: Arc<Cluster>) -> Self {
        Self { cluster: Some(cluster), ..self }
    }

    /// The same, for what is done for a node while no node runs.
    #[must_use]
    pub fn of_stopped(self, node: NodeName) -> Self {
        Self { stopped: Some(node), ..self }
    }

    /// Which node of a cluster this is.
    pub fn node(&self) -> Option<&NodeName> {
        self.cluster.as_deref().map(Cluster::name).or(self.stopped.as_ref())
    }

    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_deref()
    }

    /// Waits until reads show everything that any node has answered before.
    pub async fn catch_up(&self) -> Result<(), Fault> {
        match &self.cluster {
            Some(_) => Ok(self.store.confirm().await?),
            None => Ok(()),
        }
    }

    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// How many decoded records are in memory.
    pub fn cached(&self) -> usize {
        self.cache.len()
    }

    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The same, for whoever outlives this.
    pub fn keyring_shared(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring)
    }

    /// Has what stands at a path told after each commit that changes it, of whichever node, before anybody is answered. `told` must
    /// return soon. A record that cannot be read is not told: whoever reads it himself meets the fault.
    pub fn follow<R: Record>(&self, path: Path, told: impl Fn(Option<R>) + Send + Sync + 'static) {
        let (store, keyring) = (Arc::downgrade(&self.store), Arc::clone(&self.keyring));
        self.store.watch(Box::new(move |phase, change| {
            if phase != Phase::Committed || change.writes.iter().all(|(changed, _)| *changed != path) {
                return;
            }
            let Some(Ok(entry)) = store.upgrade().map(|store| store.get(path.as_str())) else { return };
            if let Ok(record) = entry.map(|entry| open(&keyring, path.as_str(), &entry.value)).transpose() {
                told(record);
            }
        }));
    }

    /// Opens every record, and names those that do not open, at most `problems_max`; also how many there are.
    pub fn check(&self, problems_max: usize) -> Result<(u64, Vec<String>), Fault> {
        let (mut records, mut problems) = (0, Vec::new());
        for row in self.store.snapshot()? {
            let (path, entry) = row?;
            records += 1;
            if root::is_bare(path.as_str()) || problems.len() >= problems_max {
                continue;
            }
            if let Err(error) = self.keyring.open_record(path.as_str(), &entry.value) {
                problems.push(format!("record {path}: {error}"));
            }
        }
        Ok((records, problems))
    }

    /// A transaction that only reads.
    pub fn reading(&self) -> Tx<'_> {
        Tx { vault: self, reads: None, writes: Vec::new(), takes_away: false, gives_up: false, unclaimed: Vec::new() }
    }

    /// A transaction that may write.
    pub fn writing(&self) -> Tx<'_> {
        Tx {
            vault: self,
            reads: Some(Vec::new()),
            writes: Vec::new(),
            takes_away: false,
            gives_up: false,
            unclaimed: Vec::new(),
        }
    }

    /// A transaction of work that one node does for all. It commits only while the work is still this node's.
    pub fn working(&self) -> Result<Tx<'_>, Fault> {
        let mut tx = self.writing();
        if let Some(cluster) = &self.cluster {
            let held = tx.get::<WorkRecord>(&cluster::record::work())?;
            if held.is_none_or(|held| !cluster.is_holder(&held)) {
                return Err(Fault::unavailable("another node does this work now"));
            }
        }
        Ok(tx)
    }

    fn load<R: Record>(&self, path: &Path) -> Result<Option<(Arc<R>, Revision)>, Fault> {
        let ticket = match self.cache.get(path.as_str()) {
            Ok(cached) => return downcast(path, cached).map(Some),
            Err(ticket) => ticket,
        };
        let Some(entry) = self.store.get(path.as_str())? else { return Ok(None) };
        let record: Arc<R> = Arc::new(self.decode(path, &entry.value)?);
        if let Some(ticket) = ticket {
            self.cache.keep(ticket, path.as_str(), Cached { record: record.clone(), revision: entry.revision });
        }
        Ok(Some((record, entry.revision)))
    }

    fn decode<R: Record>(&self, path: &Path, sealed: &[u8]) -> Result<R, Fault> {
        open(&self.keyring, path.as_str(), sealed)
    }
}

/// A record as it is read.
pub(crate) fn open<R: Record>(keyring: &Keyring, path: &str, sealed: &[u8]) -> Result<R, Fault> {
    let opened =
        keyring.open_record(path, sealed).map_err(|error| Fault::internal(format!("record {path}: {error}")))?;
    R::decode(opened.expose()).map_err(|error| Fault::internal(format!("record {path} cannot be read: {error}")))
}

/// A record as it is stored.
pub(crate) fn seal<R: Record>(keyring: &Keyring, path: &Path, record: &R) -> Result<Vec<u8>, Fault> {
    let plain = zeroize::Zeroizing::new(
        record.encode().map_err(|error| Fault::internal(format!("record {path} cannot be written: {error}")))?,
    );
    keyring.seal_record(path.as_str(), &plain)
}

fn downcast<R: Record>(path: &Path, cached: Cached) -> Result<(Arc<R>, Revision), Fault> {
    match cached.record.downcast() {
        Ok(record) => Ok((record, cached.revision)),
        Err(_) => Err(Fault::internal(format!("record {path} is of another kind"))),
    }
}

/// One call's view of the store.
pub struct Tx<'v> {
    vault: &'v Vault,
    /// What was read, for the commit to compare; not kept by calls that change nothing.
    reads: Option<Vec<(Path, Option<Revision>)>>,
    writes: Vec<Write>,
    /// Whether it changes or removes what rights rest on.
    takes_away: bool,
    /// Whether what it was decided on holds no more.
    gives_up: bool,
    /// What was made outside the store for the records that it writes.
    unclaimed: Vec<Unclaimed>,
}

/// How a commit ended, seen by the loop that may try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    Done,
    /// Something that was read has changed: decide again.
    Conflict,
}

impl Tx<'_> {
    /// The record at a path.
    pub fn get<R: Record>(&mut self, path: &Path) -> Result<Option<Arc<R>>, Fault> {
        let found = self.vault.load::<R>(path)?;
        if let Some(reads) = &mut self.reads
            && !reads.iter().any(|(read, _)| read == path)
        {
            reads.push((path.clone(), found.as_ref().map(|(_, revision)| *revision)));
        }
        Ok(found.map(|(record, _)| record))
    }

    pub(crate) const fn vault(&self) -> &Vault {
        self.vault
    }

    /// A reading transaction on the same store, whose reads the commit of this one does not compare.
    pub fn aside(&self) -> Tx<'_> {
        self.vault.reading()
    }

    /// Up to `limit` records whose paths start with `prefix` and come after `after`. Lists are not part of what the
    /// commit compares: what must be unique or counted is a record of its own.
    pub fn list<R: Record>(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(Path, R)>, Fault> {
        let rows = self.vault.store.scan(prefix, after, limit.min(SCAN_LIMIT_MAX))?;
        rows.into_iter()
            .map(|(path, entry)| {
                let record = self.vault.decode(&path, &entry.value)?;
                Ok((path, record))
            })
            .collect()
    }

    /// As [`Tx::list`], without opening the records.
    pub fn paths(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Path>, Fault> {
        let rows = self.vault.store.scan(prefix, after, limit.min(SCAN_LIMIT_MAX))?;
        Ok(rows.into_iter().map(|(path, _)| path).collect())
    }

    /// What stands at a path of [`root::is_bare`], as it is.
    pub(crate) fn get_bare(&mut self, path: &Path) -> Result<Option<Vec<u8>>, Fault> {
        let found = self.vault.store.get(path.as_str())?;
        if let Some(reads) = &mut self.reads
            && !reads.iter().any(|(read, _)| read == path)
        {
            reads.push((path.clone(), found.as_ref().map(|entry| entry.revision)));
        }
        Ok(found.map(|entry| entry.value))
    }

    /// Writes there when the transaction commits.
    pub(crate) fn put_bare(&mut self, path: Path, value: Vec<u8>) {
        debug_assert!(root::is_bare(path.as_str()));
        self.write(Write::Put(path, value));
    }

    /// Removes what stands there when the transaction commits.
    pub(crate) fn delete_bare(&mut self, path: Path) {
        debug_assert!(root::is_bare(path.as_str()));
        self.write(Write::Delete(path));
    }

    /// Writes a record when the transaction commits.
    pub fn put<R: Record>(&mut self, path: Path, record: &R) -> Result<(), Fault> {
        const { assert!(R::FORM <= form::NEWEST, "a record of a form that this version does not know") };
        if R::FORM > form::OLDEST
            && let Some(cluster) = &self.vault.cluster
        {
            cluster.may_write(R::FORM)?;
        }
        let sealed = seal(&self.vault.keyring, &path, record)?;
        self.takes_away |= R::BEARS_RIGHTS && !self.is_new(&path);
        self.write(Write::Put(path, sealed));
        Ok(())
    }

    /// Writes a record of which nobody has heard when the transaction commits: one under a name that was drawn. The commit
    /// requires that nothing stands there.
    pub fn insert<R: Record>(&mut self, path: Path, record: &R) -> Result<(), Fault> {
        if let Some(reads) = &mut self.reads
            && !reads.iter().any(|(read, _)| *read == path)
        {
            reads.push((path.clone(), None));
        }
        self.put(path, record)
    }

    /// Whether nothing stood there when it was read, which the commit compares.
    fn is_new(&self, path: &Path) -> bool {
        self.reads.iter().flatten().any(|(read, found)| read == path && found.is_none())
    }

    /// Removes a record when the transaction commits.
    pub fn delete<R: Record>(&mut self, path: Path) {
        self.takes_away |= R::BEARS_RIGHTS;
        self.write(Write::Delete(path));
    }

    /// Removes a record of whatever kind when the transaction commits.
    pub fn delete_whatever(&mut self, path: Path) {
        self.takes_away = true;
        self.write(Write::Delete(path));
    }

    /// Has the commit wait until every node has come to it, and so to everything that was read: who is told that a right is
    /// gone already relies on it, too.
    pub fn confirm_everywhere(&mut self) {
        self.takes_away = true;
    }

    /// Has the commit do nothing, and end as one that has met another: what it was decided on holds no more.
    pub fn give_up(&mut self) {
        self.gives_up = true;
    }

    /// Takes what was made outside the store for a record that it writes. It is destroyed unless the record may have been
    /// written.
    pub fn claim(&mut self, made: Option<Unclaimed>) {
        self.unclaimed.extend(made);
    }

    /// Refuses what an older node could not read, as part of a record that it could.
    pub(crate) fn expect_form(&self, form: u32) -> Result<(), Fault> {
        self.vault.cluster.as_deref().map_or(Ok(()), |cluster| cluster.may_write(form))
    }

    /// How many records are to be written or removed.
    pub fn writes(&self) -> usize {
        self.writes.len()
    }

    /// Whether somebody may lose a right by it.
    pub const fn takes_away(&self) -> bool {
        self.takes_away
    }

    /// The last write to a path is the one that counts.
    fn write(&mut self, write: Write) {
        self.writes.retain(|earlier| earlier.path() != write.path());
        self.writes.push(write);
    }

    /// Whether anything is to be written.
    pub fn has_writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Does all writes if everything that was read still holds.
    ///
    /// # Errors
    /// Among others [`FaultKind::InDoubt`](crate::error::FaultKind::InDoubt): it is done, but not every node has confirmed it.
    pub async fn commit(self) -> Result<CommitOutcome, Fault> {
        Ok(self.commit_timed().await?.0)
    }

    /// As [`Tx::commit`]; tells also how long it took until every node had confirmed, in nanoseconds, if that was waited for.
    pub async fn commit_timed(mut self) -> Result<(CommitOutcome, Option<u64>), Fault> {
        if self.writes.is_empty() {
            return Ok((CommitOutcome::Done, None));
        }
        let Some(expect) = self.reads else {
            return Err(Fault::internal("a call that declares itself reading has written"));
        };
        if self.gives_up {
            self.unclaimed.into_iter().map(Unclaimed::hold).for_each(Held::destroy);
            return Ok((CommitOutcome::Conflict, None));
        }
        let confirming = self.vault.cluster.as_deref().filter(|_| self.takes_away);
        if let Some(cluster) = confirming {
            self.writes.push(cluster.marker()?);
        }
        // Whoever waits for this may go away, and it happens all the same.
        let held: Vec<Held> = self.unclaimed.into_iter().map(Unclaimed::hold).collect();
        match self.vault.store.commit(Commit { expect, writes: self.writes }).await? {
            Committed::Done(revision) => match confirming {
                None => Ok((CommitOutcome::Done, None)),
                Some(cluster) => match cluster.confirmed(revision).await {
                    Confirmed::Everywhere { waited_ns } => Ok((CommitOutcome::Done, Some(waited_ns))),
                    Confirmed::InDoubt => Err(Fault::in_doubt()),
                },
            },
            Committed::Conflict => {
                held.into_iter().for_each(Held::destroy);
                Ok((CommitOutcome::Conflict, None))
            }
            Committed::Unknown => {
                Err(Fault::unavailable("the store did not answer in time; the change may have happened"))
            }
        }
    }
}
