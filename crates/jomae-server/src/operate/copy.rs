//! Moving a store between SQLite and etcd.
//!
//! Records keep their bytes: they are sealed under domain keys, which are records too. Only what stands in another place
//! where there are several nodes is sealed anew. The destination bears a mark from the first commit to the last, under
//! which nobody opens it, and which says whose copy it is: it opens with the domain keys of the source alone.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use jomae_core::{
    audit::outbox,
    cluster::{nonces, record, record::NodeName},
    error::Fault,
    keyring::{DOMAIN_PREFIX, Keyring},
    root,
    store::{COMMIT_ITEMS_MAX, Commit, Committed, Path, Revision, Store, StoreError, Write},
    whole::{
        Trouble, WholeStore,
        record::{ACCEPTED, UNFINISHED_COPY},
    },
};

use super::PROBLEMS_MAX;
use crate::{
    audit,
    bootstrap::{StartError, audit_dir, etcd_options, expect_file, refuse_unfinished, store_path},
    cluster,
    config::{ClusterConfig, Config, StoreConfig, StoreKind},
    files, nonces as run,
    root_key::{self, RootKeyError},
    store::{self, EtcdOpenError, EtcdOptions, EtcdStore, Lock, Options, SqliteStore},
    whole::accepted_path,
};

/// Paths and values in one commit, in bytes: with what etcd adds to each, below the 1.5 MiB that it takes.
const COMMIT_BYTES_MAX: usize = 1024 * 1024;

/// Why a store was not copied; one line.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(
        "both configurations name a store of the same kind; a copy goes from SQLite to etcd, or from etcd to SQLite"
    )]
    SameKind,
    #[error("the source: {0}")]
    Source(StartError),
    #[error("the destination: {0}")]
    Destination(StartError),
    #[error("the {0} is in use by {nodes}; stop every node first", nodes = .1.join(", "))]
    Served(&'static str, Vec<String>),
    #[error("the source holds no records")]
    Empty,
    #[error("the destination has no root key, and needs that of the source: copy it to {}", .0.display())]
    NoRootKey(PathBuf),
    #[error("the root key of the destination is not that of the source; nothing was written")]
    OtherRootKey,
    #[error("the source is damaged, and nothing was written: {}", .0.join("; "))]
    Damaged(Vec<String>),
    #[error("the destination holds a store already, and not an unfinished copy of this source; nothing was written")]
    Used,
    #[error("another process has changed the destination; see that nothing else uses it, and run the command again")]
    Disturbed,
    #[error("the destination does not answer in time; run the command again, it goes on where it was")]
    Late,
    #[error("the source, as a whole: {0}; nothing was written")]
    Trouble(Trouble),
    #[error("the source was changed while it was copied; stop every node of it, and run the command again")]
    Changed,
    #[error("the copy is not what was written: {0}; run the command again")]
    Differs(String),
    #[error("{0}; run the command again, it goes on where it was")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Fault(#[from] Fault),
}

/// What a copy does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Checking,
    Copying,
    Comparing,
}

/// What was copied, and found again in the destination.
#[derive(Debug)]
pub struct Copied {
    pub records: u64,
    /// Of their paths and values.
    pub bytes: u64,
    /// Records of the cluster that mean nothing to a service that is alone.
    pub left: u64,
    /// The audit log goes on in the second directory.
    pub log: Option<(PathBuf, PathBuf)>,
}

/// Copies every record from the store of one configuration to that of another. `on_progress` hears the step, the records
/// done, and how many there are, if that is known.
///
/// # Errors
/// The source is never changed. What was begun in the destination is finished by another call.
pub async fn copy(
    from: &Config,
    to: &Config,
    on_progress: &mut dyn FnMut(Step, u64, Option<u64>),
) -> Result<Copied, CopyError> {
    let of_source = |error| CopyError::Source(error);
    if from.store.kind == to.store.kind {
        return Err(CopyError::SameKind);
    }
    from.checked_regions().map_err(|error| of_source(error.into()))?;
    to.checked_regions().map_err(|error| CopyError::Destination(error.into()))?;

    let source = Side::open(from, to, false).map_err(of_source)?;
    refuse_served("source", &source, from).await?;
    let source = Arc::clone(&source.store);
    if source.scan("", None, 1)?.is_empty() {
        return Err(CopyError::Empty);
    }
    let root = root_key::open(from, &*source).await.map_err(|error| of_source(error.into()))?;
    let keyring = Arc::new(Keyring::open(&*source, &root.root).await.map_err(|fault| of_source(fault.into()))?);
    // What it keeps of its hash belongs to its own commits, and stays behind.
    let source = WholeStore::open(source, Arc::clone(&keyring), None)?;
    let (whole, source): (&WholeStore, &dyn Store) = (&source, &*source);
    expect_root_key(source, to).await?;
    let revision = source.revision()?;
    let job = fill(whole, &keyring, (from, to), on_progress).await?;
    source.confirm().await?;
    if source.revision()? != revision {
        return Err(CopyError::Changed);
    }
    let log = (!is_same_dir(from, to)).then(|| (audit_dir(&from.data_dir), audit_dir(&to.data_dir)));
    let Contents { records, bytes, left, .. } = job.end().await?;
    Ok(Copied { records, bytes, left, log })
}

/// Brings what was restored to the file of a data directory to the etcd of its configuration. What was begun there is
/// finished by another restore of a backup of the same service. `last`: what is done when everything is there, and before anybody
/// is let in; if it were done after that, a crash in between would leave a store that no other restore goes on with. Gives the prefix in etcd.
///
/// # Errors
/// The destination holds anything else, or does not answer.
pub(crate) async fn move_to_etcd<E: From<CopyError>>(
    whole: Arc<WholeStore>,
    keyring: &Arc<Keyring>,
    config: &Config,
    last: impl FnOnce() -> Result<(), E>,
) -> Result<String, E> {
    let file = in_file(config);
    let prefix = etcd_options(&config.store).map_err(CopyError::Destination)?.prefix;
    let job = fill(&whole, keyring, (&file, config), &mut |_, _, _| {}).await?;
    last()?;
    job.end().await?;
    Ok(prefix)
}

/// The configuration with the store in a file of the same directory.
pub(crate) fn in_file(config: &Config) -> Config {
    let store = StoreConfig { kind: StoreKind::Sqlite, ..StoreConfig::default() };
    Config { store, cluster: ClusterConfig::default(), ..config.clone() }
}

/// Before hours of work: whether a destination can take what is restored.
pub(crate) fn expect_room(config: &Config) -> Result<(), CopyError> {
    let options = etcd_options(&config.store).map_err(CopyError::Destination)?;
    let store = match EtcdStore::open(&EtcdOptions { makes_new: false, ..options }) {
        Ok(store) => store,
        Err(EtcdOpenError::Absent(_)) => return Ok(()),
        Err(error) => return Err(CopyError::Destination(error.into())),
    };
    // An unfinished copy may be one of the same service, which shows when its mark is opened.
    if store.get(UNFINISHED_COPY)?.is_some() || store.scan("", None, 1)?.is_empty() {
        Ok(())
    } else {
        Err(CopyError::Used)
    }
}

/// Writes everything to the destination, and reads it back. What is left is to end the job.
async fn fill<'j>(
    whole: &'j WholeStore,
    keyring: &'j Arc<Keyring>,
    (from, to): (&Config, &Config),
    on_progress: &mut dyn FnMut(Step, u64, Option<u64>),
) -> Result<Job<'j>, CopyError> {
    let source: &dyn Store = whole;
    let moves = Moves::new(from, to)?;
    // What does not open is named, which a hash over all cannot do.
    let contents = Contents::check(source, keyring, &moves, on_progress)?;
    let state = whole.check(|_| true)?.map_err(CopyError::Trouble)?.state;

    files::make_dir(&to.data_dir).map_err(|error| CopyError::Destination(StartError::io(&to.data_dir)(error)))?;
    let destination = Side::open(to, from, true).map_err(CopyError::Destination)?;
    let mut job = Job { source, to: destination, keyring, moves, contents, mark: None };
    let mark = job.begin().await?;
    job.remove_strays(&mark).await?;
    job.write(&mark, on_progress).await?;
    job.compare(on_progress).await?;
    if let Some(state) = state {
        // Of the records that are there now, and with no fewer changes than the log has promised.
        let whole = WholeStore::open(Arc::clone(&job.to.store), Arc::clone(keyring), None)?;
        whole.accept(state.changes, Vec::new()).await?;
    }
    job.mark = Some(mark);
    Ok(job)
}

fn is_same_dir(one: &Config, other: &Config) -> bool {
    let real = |config: &Config| config.data_dir.canonicalize().ok();
    real(one).is_some_and(|dir| Some(dir) == real(other))
}

/// A store that nobody else uses on this machine.
struct Side {
    store: Arc<dyn Store>,
    _lock: Option<Lock>,
}

impl Side {
    fn open(config: &Config, other: &Config, makes_new: bool) -> Result<Self, StartError> {
        let path = store_path(&config.data_dir);
        let side = match config.store.kind {
            StoreKind::Sqlite => {
                if !makes_new {
                    expect_file(&config.data_dir)?;
                }
                Self { store: Arc::new(SqliteStore::open(&path, &Options::default())?), _lock: None }
            }
            StoreKind::Etcd => {
                // One lock does for one directory, and comes with the file.
                let lock = if is_same_dir(config, other) { None } else { Some(store::lock(&path)?) };
                let options = EtcdOptions { makes_new, ..etcd_options(&config.store)? };
                Self { store: Arc::new(EtcdStore::open(&options)?), _lock: lock }
            }
        };
        if !makes_new {
            refuse_unfinished(&*side.store)?;
        }
        Ok(side)
    }
}

async fn refuse_served(name: &'static str, side: &Side, config: &Config) -> Result<(), CopyError> {
    let live = cluster::live_nodes(&*side.store, config.cluster.lease_secs).await?;
    if live.is_empty() { Ok(()) } else { Err(CopyError::Served(name, live)) }
}

/// The destination must open what it is given: with the same providers, or others that the source has too.
async fn expect_root_key(source: &dyn Store, to: &Config) -> Result<(), CopyError> {
    match root_key::open(to, source).await {
        Ok(_) => Ok(()),
        Err(RootKeyError::Missing { path }) => Err(CopyError::NoRootKey(path.into())),
        Err(RootKeyError::Wrong(_)) => Err(CopyError::OtherRootKey),
        Err(error) => Err(CopyError::Destination(error.into())),
    }
}

/// Where records stand in the destination.
pub(crate) enum Moves {
    /// The single node is this one of the cluster.
    ToCluster(NodeName),
    /// The log of this node goes on as that of the single one.
    FromCluster(NodeName),
}

impl Moves {
    fn new(from: &Config, to: &Config) -> Result<Self, CopyError> {
        let name = |config: &Config| {
            NodeName::new(&config.cluster.node).ok_or_else(|| CopyError::Fault(Fault::internal("cluster.node")))
        };
        match to.store.kind {
            StoreKind::Etcd => Ok(Self::ToCluster(name(to)?)),
            StoreKind::Sqlite => Ok(Self::FromCluster(name(from)?)),
        }
    }

    /// None if a record stays behind.
    pub(crate) fn target(&self, path: &Path) -> Option<Path> {
        let text = path.as_str();
        match self {
            Self::ToCluster(node) => Some(match text.strip_prefix(outbox::PREFIX) {
                Some(event) => Path::new(format!("{}{node}/{event}", outbox::PREFIX)),
                None if text == audit::KEY_PATH => audit::key_path(Some(node)),
                None if text == run::PATH => run::path_of(Some(node)),
                None if text == ACCEPTED => accepted_path(Some(node)),
                None => path.clone(),
            }),
            Self::FromCluster(node) => {
                // An event that another node has not logged is logged by the one that remains.
                let event = text.strip_prefix(outbox::PREFIX).and_then(|rest| rest.split_once('/'));
                if let Some((_, event)) = event {
                    return Some(Path::new(format!("{}{event}", outbox::PREFIX)));
                }
                if *path == audit::key_path(Some(node)) {
                    return Some(audit::key_path(None));
                }
                if *path == run::path_of(Some(node)) {
                    return Some(run::path_of(None));
                }
                if *path == accepted_path(Some(node)) {
                    return Some(accepted_path(None));
                }
                let stays = text.starts_with(record::ALL)
                    || text.starts_with(nonces::PREFIX)
                    || [audit::KEY_PATH, run::PATH, ACCEPTED]
                        .iter()
                        .any(|own| text.strip_prefix(own).is_some_and(|rest| rest.starts_with('/')));
                (!stays).then(|| path.clone())
            }
        }
    }
}

/// What is to be in the destination.
#[derive(Default)]
struct Contents {
    records: u64,
    bytes: u64,
    left: u64,
    /// Where a record came from that has another place now.
    moved: BTreeMap<Path, Path>,
}

impl Contents {
    /// Opens every record of the source.
    fn check(
        source: &dyn Store,
        keyring: &Keyring,
        moves: &Moves,
        on_progress: &mut dyn FnMut(Step, u64, Option<u64>),
    ) -> Result<Self, CopyError> {
        let (mut contents, mut problems) = (Self::default(), Vec::new());
        for row in source.snapshot()? {
            let (path, entry) = row?;
            if !root::is_bare(path.as_str())
                && let Err(error) = keyring.open_record(path.as_str(), &entry.value)
            {
                problems.push(format!("record {path}: {error}"));
                if problems.len() >= PROBLEMS_MAX {
                    break;
                }
            }
            match moves.target(&path) {
                Some(target) => {
                    contents.records += 1;
                    contents.bytes += target.as_str().len() as u64 + entry.value.len() as u64;
                    if target != path {
                        contents.moved.insert(target, path);
                    }
                }
                None => contents.left += 1,
            }
            on_progress(Step::Checking, contents.records + contents.left, None);
        }
        if problems.is_empty() { Ok(contents) } else { Err(CopyError::Damaged(problems)) }
    }
}

/// The mark in the destination, as this process has written it: every commit requires it.
struct Mark(Path, Revision);

struct Job<'j> {
    source: &'j dyn Store,
    to: Side,
    keyring: &'j Keyring,
    moves: Moves,
    contents: Contents,
    /// Once everything is there.
    mark: Option<Mark>,
}

impl Job<'_> {
    /// Takes the destination: an empty one, or one that bears the mark of this source. A service that starts on an empty
    /// store at the same time commits the first domain key too, so that one of both fails.
    async fn begin(&self) -> Result<Mark, CopyError> {
        let path = Path::new(UNFINISHED_COPY);
        let sealed = self.keyring.seal_record(UNFINISHED_COPY, b"{}")?;
        let mut commit = Commit { expect: Vec::new(), writes: vec![Write::Put(path.clone(), sealed)] };
        if let Some(found) = self.to.store.get(UNFINISHED_COPY)? {
            self.keyring.open_record(UNFINISHED_COPY, &found.value).map_err(|_| CopyError::Used)?;
            commit.expect.push((path.clone(), Some(found.revision)));
        } else {
            if !self.to.store.scan("", None, 1)?.is_empty() {
                return Err(CopyError::Used);
            }
            commit.expect.push((path.clone(), None));
            let slots = self.source.get(root::PATH)?.map(|entry| (Path::new(root::PATH), entry));
            for (bare, entry) in self.source.scan(DOMAIN_PREFIX, None, COMMIT_ITEMS_MAX - 2)?.into_iter().chain(slots) {
                commit.expect.push((bare.clone(), None));
                commit.writes.push(Write::Put(bare, entry.value));
            }
        }
        done(self.to.store.commit(commit).await?)?;
        let written = self.to.store.get(UNFINISHED_COPY)?.ok_or(CopyError::Disturbed)?;
        Ok(Mark(path, written.revision))
    }

    /// Where a record of the destination came from, if it is one of the copy.
    fn origin(&self, path: &Path) -> Option<Path> {
        if let Some(origin) = self.contents.moved.get(path) {
            return Some(origin.clone());
        }
        self.moves.target(path).filter(|target| target == path)
    }

    fn is_same(&self, from: (&Path, &[u8]), to: (&Path, &[u8])) -> bool {
        if from.0 == to.0 {
            return from.1 == to.1;
        }
        self.keyring.is_moved_record((from.0.as_str(), from.1), (to.0.as_str(), to.1))
    }

    /// What an earlier attempt has written, and the source has lost since.
    async fn remove_strays(&self, mark: &Mark) -> Result<(), CopyError> {
        let mut batch = Batch::default();
        for row in self.to.store.snapshot()? {
            let (path, _) = row?;
            let origin = self.origin(&path);
            if path != mark.0 && origin.map_or(Ok(None), |origin| self.source.get(origin.as_str()))?.is_none() {
                batch.add(&*self.to.store, mark, Write::Delete(path)).await?;
            }
        }
        batch.flush(&*self.to.store, mark).await
    }

    async fn write(&self, mark: &Mark, on_progress: &mut dyn FnMut(Step, u64, Option<u64>)) -> Result<(), CopyError> {
        let (mut batch, mut records) = (Batch::default(), 0);
        for row in self.source.snapshot()? {
            let (path, entry) = row?;
            let Some(target) = self.moves.target(&path) else { continue };
            let there = self.to.store.get(target.as_str())?;
            if !there.is_some_and(|there| self.is_same((&path, &entry.value), (&target, &there.value))) {
                let value = if target == path {
                    entry.value
                } else {
                    self.keyring.move_record(path.as_str(), target.as_str(), &entry.value)?
                };
                batch.add(&*self.to.store, mark, Write::Put(target, value)).await?;
            }
            records += 1;
            on_progress(Step::Copying, records, Some(self.contents.records));
        }
        batch.flush(&*self.to.store, mark).await
    }

    /// Reads the destination back, not what is known of it here.
    async fn compare(&self, on_progress: &mut dyn FnMut(Step, u64, Option<u64>)) -> Result<(), CopyError> {
        self.to.store.confirm().await?;
        let mut records = 0;
        for row in self.to.store.snapshot()? {
            let (path, entry) = row?;
            if path.as_str() == UNFINISHED_COPY {
                continue;
            }
            let differs = || CopyError::Differs(format!("record {path}"));
            let origin = self.origin(&path).ok_or_else(differs)?;
            let source = self.source.get(origin.as_str())?.ok_or_else(differs)?;
            if !self.is_same((&origin, &source.value), (&path, &entry.value)) {
                return Err(differs());
            }
            records += 1;
            on_progress(Step::Comparing, records, Some(self.contents.records));
        }
        if records == self.contents.records {
            Ok(())
        } else {
            Err(CopyError::Differs(format!("{records} records, not {}", self.contents.records)))
        }
    }

    /// From now on the destination is a store as any other.
    async fn end(self) -> Result<Contents, CopyError> {
        let Some(Mark(path, revision)) = self.mark else { return Ok(self.contents) };
        let commit = Commit { expect: vec![(path.clone(), Some(revision))], writes: vec![Write::Delete(path)] };
        match self.to.store.commit(commit).await? {
            // Another run would find a store that is complete, and take it for one in use.
            Committed::Unknown => {
                self.to.store.confirm().await?;
                if self.to.store.get(UNFINISHED_COPY)?.is_some() {
                    return Err(CopyError::Late);
                }
            }
            outcome => done(outcome)?,
        }
        Ok(self.contents)
    }
}

fn done(outcome: Committed) -> Result<(), CopyError> {
    match outcome {
        Committed::Done(_) => Ok(()),
        Committed::Conflict => Err(CopyError::Disturbed),
        Committed::Unknown => Err(CopyError::Late),
    }
}

/// Writes that go in one commit.
#[derive(Default)]
struct Batch {
    writes: Vec<Write>,
    bytes: usize,
}

impl Batch {
    async fn add(&mut self, to: &dyn Store, mark: &Mark, write: Write) -> Result<(), CopyError> {
        let bytes = match &write {
            Write::Put(path, value) => path.as_str().len() + value.len(),
            Write::Delete(path) => path.as_str().len(),
        };
        // One is the mark.
        if self.writes.len() >= COMMIT_ITEMS_MAX - 1 || self.bytes + bytes > COMMIT_BYTES_MAX {
            self.flush(to, mark).await?;
        }
        self.bytes += bytes;
        self.writes.push(write);
        Ok(())
    }

    async fn flush(&mut self, to: &dyn Store, mark: &Mark) -> Result<(), CopyError> {
        let Self { writes, .. } = std::mem::take(self);
        if writes.is_empty() {
            return Ok(());
        }
        let expect = vec![(mark.0.clone(), Some(mark.1))];
        done(to.commit(Commit { expect, writes }).await?)
    }
}

#[cfg(test)]
mod tests {
    use jomae_sim::etcd::Etcd;

    use super::*;
    use crate::{bootstrap, gateway};

    /// Cut off when the data directory is done, and nobody is let in yet.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_cut_off_at_the_very_end_is_gone_on_with() {
        let (etcd, dir) = (Etcd::start(), tempfile::tempdir().unwrap());
        let file = Config { data_dir: dir.path().join("data"), ..Config::default() };
        let started = bootstrap::open(&file, gateway::now()).await.unwrap();
        started.audit.close();
        drop(started);
        let mut config = file.clone();
        config.store.kind = StoreKind::Etcd;
        config.store.endpoints = etcd.endpoints();
        "a".clone_into(&mut config.cluster.node);

        let side = Side::open(&file, &config, false).unwrap();
        let root = root_key::open(&file, &*side.store).await.unwrap().root;
        let keyring = Arc::new(Keyring::open(&*side.store, &root).await.unwrap());
        let moved = async |last: Result<(), CopyError>| {
            let whole = WholeStore::open(Arc::clone(&side.store), Arc::clone(&keyring), None).unwrap();
            move_to_etcd(whole, &keyring, &config, || last).await
        };
        let cut_off = moved(Err(CopyError::Late)).await;
        assert!(matches!(cut_off, Err(CopyError::Late)));
        assert!(matches!(bootstrap::open_existing_etcd(&config), Err(StartError::UnfinishedCopy)));
        assert!(expect_room(&config).is_ok());
        moved(Ok(())).await.unwrap();
        assert!(bootstrap::open_existing_etcd(&config).is_ok());
        assert!(matches!(expect_room(&config), Err(CopyError::Used)));
    }
}
