//! The store in etcd: for several servers over one set of records.
//!
//! Reads are served from a replica in memory, which a watch feeds. Commits are transactions of etcd that compare the
//! revisions of keys; the revision of a record is etcd's own. All traffic runs on one thread of the store, and one more
//! applies what the watch brings and tells the watchers.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use jomae_core::store::{BoxFuture, Commit, Committed, Entry, Path, Revision, Snapshot, Store, StoreError, Watcher};
use jomae_etcd::{Client, Tls, proto::TxnRequest};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{mpsc as updates, oneshot},
    time::{self, timeout_at},
};

mod commit;
mod confirm;
mod feed;
mod keys;
pub mod open;
mod pages;
mod replica;
mod slots;

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod tests;

use confirm::Confirms;
use feed::{Feed, Health, UPDATES_MAX};
use keys::Keys;
use open::{EtcdOptions, OpenError};
use pages::{Pages, SnapshotRows};
use replica::Replica;
use slots::{SLOTS, Slots};

/// A revision that is known to exist and does not come for so long makes the watch go to another member.
const MISSING_MAX: Duration = Duration::from_millis(1500);
/// How long dropping the store waits for commits on their way.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// A [`Store`] in etcd. Dropping it gives commits that were handed over a moment to finish.
pub struct EtcdStore {
    inner: Arc<Inner>,
    id: String,
    instance: String,
    /// What the certificates in use are told from others by; a key goes with its certificate.
    certificates: Mutex<Option<Certificates>>,
    runtime: Option<Runtime>,
    handle: Handle,
    applier: JoinHandle<()>,
}

/// The CA's, and the client's.
type Certificates = (Vec<u8>, Option<Vec<u8>>);

fn certificates(tls: &Tls) -> Certificates {
    (tls.ca.clone(), tls.identity.as_ref().map(|identity| identity.certificate.clone()))
}

/// What the store's tasks share.
struct Inner {
    client: Client,
    keys: Keys,
    call_timeout: Duration,
    replica: Arc<Replica>,
    slots: Arc<Slots>,
    health: Arc<Health>,
    confirms: Confirms,
}

/// How fresh the replica is, and how large.
#[derive(Clone, Debug)]
pub struct Lag {
    /// When the watch last said anything; while all is well, not over a second or two ago. It says that the connection
    /// lives, not that nothing is missing: that says [`Store::confirm`].
    pub heard: Instant,
    /// Whether the watch is open.
    pub connected: bool,
    /// Of the newest commit that a read can see.
    pub revision: Revision,
    /// How often the watch was opened again.
    pub reconnects: u64,
    /// How often everything was read again because the watch had missed what was compacted.
    pub resyncs: u64,
    /// Why no change comes any more, until the store is opened again.
    pub failed: Option<String>,
    pub entries: usize,
    /// Of paths and values.
    pub bytes: usize,
}

impl EtcdStore {
    /// Opens the store under the prefix, and makes it if there is nothing and the options allow it. Returns when all records are in memory.
    ///
    /// # Errors
    /// Each says in one line what is wrong. What is not a store of this version is left as it is.
    pub fn open(options: &EtcdOptions) -> Result<Self, OpenError> {
        let keys = Keys::new(&options.prefix).ok_or_else(|| OpenError::Prefix(options.prefix.clone()))?;
        let client = options.client()?;
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("store-etcd").enable_all().build()?;
        let handle = runtime.handle().clone();
        // The caller may itself be a task of another runtime, which must not block on this one.
        let (sender, opened) = mpsc::sync_channel(1);
        let opening = (client.clone(), keys.clone(), options.makes_new, options.open_wait);
        handle.spawn(async move {
            let _ = sender.send(open::open(&opening.0, &opening.1, opening.2, opening.3).await);
        });
        let stopped = |_| OpenError::Threads(std::io::Error::other("the runtime of the store has stopped"));
        let opened = match opened.recv().map_err(stopped).flatten() {
            Ok(opened) => opened,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let next = opened.records.moment + 1;
        tracing::info!(id = opened.id, records = opened.records.entries.len(), "the store in etcd is open");
        let replica = Arc::new(Replica::new(opened.records));
        let health = Arc::new(Health::new());
        let (updates, queue) = updates::channel(UPDATES_MAX);
        let applying = Arc::clone(&replica);
        let applier = thread::Builder::new().name("store-replica".to_owned()).spawn(move || applying.run(queue))?;
        let feed = Feed {
            client: client.clone(),
            keys: keys.clone(),
            identity: opened.identity,
            replica: Arc::clone(&replica),
            health: Arc::clone(&health),
            updates,
            next,
        };
        handle.spawn(feed.run());
        let instance = open::random_id();
        let slots = Slots::new((0..SLOTS).map(|number| keys.slot(&instance, number)));
        let confirms = Confirms::default();
        let inner = Inner { client, keys, call_timeout: options.call_timeout, replica, slots, health, confirms };
        let certificates = Mutex::new(options.tls.as_ref().map(certificates));
        let (inner, runtime) = (Arc::new(inner), Some(runtime));
        Ok(Self { inner, id: opened.id, instance, certificates, runtime, handle, applier })
    }

    /// Comes to etcd with these certificates from now on, unless it does already; gives whether they are new. Nothing is left
    /// of the connections that the former ones have made but calls on their way.
    ///
    /// # Errors
    /// They cannot be used, or a member refuses them or what their user asks: the former ones stay.
    pub async fn renew(&self, tls: Tls) -> Result<bool, OpenError> {
        let new = certificates(&tls);
        if self.certificates.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&new) {
            // A key that has stopped fitting would be noticed at the next start.
            return self.inner.client.with_tls(&tls).map(|_| false).map_err(OpenError::Config);
        }
        let inner = Arc::clone(&self.inner);
        let renewing = self.handle.spawn(async move {
            let client = open::with_tls(&inner.client, &inner.keys, &tls).await?;
            inner.client.take_over(client).await;
            inner.health.moved.notify_one();
            Ok(())
        });
        let stopped = |error| OpenError::Threads(std::io::Error::other(error));
        renewing.await.map_err(stopped).flatten()?;
        *self.certificates.lock().unwrap_or_else(PoisonError::into_inner) = Some(new);
        Ok(true)
    }

    /// The random number of the store, which all who have it open share, in hexadecimal.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How fresh the replica is. Takes time in proportion to the number of records: for metrics, not for calls.
    pub fn lag(&self) -> Lag {
        let (health, replica) = (&self.inner.health, &self.inner.replica);
        let (entries, bytes) = replica.size();
        Lag {
            heard: health.heard(),
            connected: health.is_connected(),
            revision: Revision(replica.revision()),
            reconnects: health.reconnects.load(Ordering::Relaxed),
            resyncs: health.resyncs.load(Ordering::Relaxed),
            failed: replica.failed().map(str::to_owned),
            entries,
            bytes,
        }
    }
}

impl Inner {
    /// Whether the replica has a revision of etcd, and its watchers have returned, before the deadline.
    async fn applied(&self, revision: i64, deadline: time::Instant) -> bool {
        let revision = revision.unsigned_abs();
        let mut applied = self.replica.applied();
        let patience = deadline.min(time::Instant::now() + MISSING_MAX);
        if timeout_at(patience, applied.wait_for(|now| *now >= revision)).await.is_ok() {
            return true;
        }
        self.health.kick.notify_one();
        matches!(timeout_at(deadline, applied.wait_for(|now| *now >= revision)).await, Ok(Ok(_)))
    }
}

impl Store for EtcdStore {
    fn get(&self, path: &str) -> Result<Option<Entry>, StoreError> {
        Ok(self.inner.replica.get(path))
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(Path, Entry)>, StoreError> {
        Ok(self.inner.replica.scan(prefix, after, limit))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(async move {
            commit.check_limits()?;
            let (answer, answered) = oneshot::channel();
            self.handle.spawn(commit::run(Arc::clone(&self.inner), commit, answer));
            // Unanswered only if the store was closed on the way.
            answered.await.unwrap_or(Ok(Committed::Unknown))
        })
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        Ok(Revision(self.inner.replica.revision()))
    }

    fn watch(&self, watcher: Watcher) {
        self.inner.replica.watch(watcher);
    }

    /// Within some five seconds, or not. Calls that come together share one read of etcd.
    fn confirm(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let (waiter, confirmed) = oneshot::channel();
            if self.inner.confirms.join(waiter) {
                self.handle.spawn(confirm::run(Arc::clone(&self.inner)));
            }
            let closed = |_| StoreError::Unavailable("the store is closed".to_owned());
            confirmed.await.map_err(closed)?
        })
    }

    fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let pages = Pages::new(&self.inner.client, &self.inner.keys);
        Ok(Box::new(SnapshotRows::begin(&self.handle, pages)?))
    }
}

impl Drop for EtcdStore {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // A watcher may hold the last reference: then this is the thread that commits wait for.
        if self.applier.thread().id() != thread::current().id() {
            let (sender, closed) = mpsc::sync_channel::<()>(1);
            let inner = Arc::clone(&self.inner);
            let slots = self.inner.keys.slots_of(&self.instance);
            runtime.spawn(async move {
                inner.slots.close().await;
                let success = vec![slots::delete(slots.0, slots.1)];
                if let Err(error) = inner.client.txn(TxnRequest { success, ..TxnRequest::default() }).await {
                    tracing::debug!(%error, "the commit slots stay behind");
                }
                let _ = sender.send(());
            });
            if closed.recv_timeout(CLOSE_WAIT) == Err(RecvTimeoutError::Timeout) {
                tracing::warn!("the store is closed while commits are on their way");
            }
        }
        runtime.shutdown_background();
    }
}
