//! The store: a sorted map of paths to sealed records. It is not trusted: it holds bytes, and knows no keys,
//! policies or states.

use std::{future::Future, pin::Pin, sync::Arc};

use crate::whole::record as whole;

pub mod memory;

/// Longest path, in bytes. The shortest has one byte.
pub const PATH_BYTES_MAX: usize = 512;
/// Largest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 256 * 1024;
/// Most paths that one commit expects or writes. etcd takes 128 operations, a few of which its store and the hash over all
/// records ([`crate::whole`]) need themselves: their paths are not counted.
pub const COMMIT_ITEMS_MAX: usize = 120;
/// Most entries that one scan returns.
pub const SCAN_LIMIT_MAX: usize = 512;

/// A boxed future, so that `dyn Store` works and no type parameter runs through the core.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a record lives: segments joined by `/`, compared as bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Arc<str>);

impl Path {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Path {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The number of the commit that last changed an entry, or the store. Grows by at least one with each commit that
/// changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// A stored value and the revision of its last change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub value: Vec<u8>,
    pub revision: Revision,
}

/// What a commit changes. Deleting what is not there is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    Put(Path, Vec<u8>),
    Delete(Path),
}

impl Write {
    pub fn path(&self) -> &Path {
        match self {
            Self::Put(path, _) | Self::Delete(path) => path,
        }
    }
}

/// Changes that happen together or not at all, and only if every expectation still holds. No path is written twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Revision that each path must still have; `None`: the path must not exist.
    pub expect: Vec<(Path, Option<Revision>)>,
    pub writes: Vec<Write>,
}

impl Commit {
    /// Whether every store must accept the shape of this commit. Each store asks before it looks at anything else.
    ///
    /// # Errors
    /// `Limit`, naming the limit that is exceeded.
    pub fn check_limits(&self) -> Result<(), StoreError> {
        let written = self.writes.iter().map(Write::path);
        let mut items: Vec<&str> =
            self.expect.iter().map(|(path, _)| path).chain(written.clone()).map(Path::as_str).collect();
        if items.len() > COMMIT_ITEMS_MAX {
            items.retain(|path| !whole::is_extra(path));
            items.sort_unstable();
            items.dedup();
            if items.len() > COMMIT_ITEMS_MAX {
                return Err(StoreError::Limit("paths in a commit"));
            }
        }
        if self.expect.iter().map(|(path, _)| path).chain(written.clone()).any(|path| path.as_str().is_empty()) {
            return Err(StoreError::Limit("an empty path"));
        }
        let mut paths = self.expect.iter().map(|(path, _)| path).chain(written.clone());
        if paths.any(|path| path.as_str().len() > PATH_BYTES_MAX) {
            return Err(StoreError::Limit("bytes in a path"));
        }
        let too_large = |write: &Write| matches!(write, Write::Put(_, value) if value.len() > VALUE_BYTES_MAX);
        if self.writes.iter().any(too_large) {
            return Err(StoreError::Limit("bytes in a value"));
        }
        let mut sorted: Vec<&str> = written.map(Path::as_str).collect();
        sorted.sort_unstable();
        if sorted.iter().zip(sorted.iter().skip(1)).any(|(one, next)| one == next) {
            return Err(StoreError::Limit("writes to one path in a commit"));
        }
        Ok(())
    }
}

/// How a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Durable, at this revision. A commit that changed nothing answers with the store's revision as it was.
    Done(Revision),
    /// Nothing was changed: an expectation did not hold.
    Conflict,
    /// A time-out: it may or may not have happened. Never a success, never retried blindly.
    Unknown,
}

/// Why a store could not do its work. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store cannot be reached or written: {0}")]
    Unavailable(String),
    #[error("the store is damaged: {0}")]
    Damaged(String),
    #[error("over a limit of the store: {0}")]
    Limit(&'static str),
}

/// What a watcher is told: the paths that one commit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub revision: Revision,
    pub writes: Vec<(Path, ChangeKind)>,
}

/// Whether the path existed before and after; deletions of absent paths are not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Created,
    Updated,
    Deleted,
}

/// How far a commit is when a watcher is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No read can see it before every watcher has returned.
    Prepared,
    /// It is durable, every read sees it, and nobody was answered yet.
    Committed,
    /// No read has seen it, nor will while the store is open.
    Aborted,
}

/// Called twice with every change: when it is prepared, and when that has ended one way or the other; both in order of
/// revision. It may read the store. It must return soon and not panic: later commits wait for it. It must neither commit
/// nor register a watcher.
pub type Watcher = Box<dyn Fn(Phase, &Change) + Send + Sync>;

/// Every record of one moment, in path order.
pub type Snapshot<'a> = Box<dyn Iterator<Item = Result<(Path, Entry), StoreError>> + Send + 'a>;

/// A strictly serialisable, durable, sorted map.
///
/// Reads are local by design (a file, or a replica fed by a watch), so they do not wait; only `commit` does.
pub trait Store: Send + Sync {
    /// The entry at a path. A path over the limits holds nothing.
    fn get(&self, path: &str) -> Result<Option<Entry>, StoreError>;

    /// Up to `limit` entries whose paths start with `prefix` and come after `after`, in path order. A limit over
    /// [`SCAN_LIMIT_MAX`] means that one.
    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(Path, Entry)>, StoreError>;

    /// All writes, or none. It is on its way once the future was polled, even if that is dropped. An answered `Done` survives kill -9 and power loss, even if the caller has stopped waiting.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>>;

    /// The revision of the newest commit that a read can see.
    fn revision(&self) -> Result<Revision, StoreError>;

    /// Registers a watcher. Of each commit that changes something from now on it hears every [`Phase`], whether or not
    /// anyone still waits for the answer; of one that is prepared already, nothing: this waits until it has ended.
    fn watch(&self, watcher: Watcher);

    /// Whether what stands here may be relied on, as far as that is known without a look at all of it.
    ///
    /// # Errors
    /// Why not, for as long as the store is open.
    fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Waits until reads show everything that was answered, by whichever process, before this was called. At once where
    /// every commit goes through this store.
    fn confirm(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// A consistent view of everything, for backup. Writers go on meanwhile.
    fn snapshot(&self) -> Result<Snapshot<'_>, StoreError>;
}
