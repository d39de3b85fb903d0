//! Shredding keys that another node has made, brought to memory when they are needed.
//!
//! A directory of another machine may not answer for long: it is read on a thread of its own kind, once for all who wait, and
//! a key that could not be had is not looked for again at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use jomae_core::{
    error::Fault,
    keyring::Keyring,
    shredding::{KeySource, ShreddingKeys},
    store::BoxFuture,
};
use jomae_crypto::shredding::{ShreddingKey, ShreddingKeyId};
use tokio::{sync::watch, task::spawn_blocking, time::timeout};

use super::{Places, restored::expect_key};

/// How long a call waits for a directory.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a key that could not be had is not looked for again.
const PAUSE: Duration = Duration::from_secs(1);

/// How a reading has ended; none: not yet.
type Outcome = Option<Result<(), String>>;
type Reads = Arc<Mutex<HashMap<ShreddingKeyId, Read>>>;

enum Read {
    Underway(watch::Receiver<Outcome>),
    Failed { at: Instant, why: String },
}

/// Reads keys for [`ShreddingKeys`].
pub(super) struct Loader<R> {
    keys: Weak<ShreddingKeys>,
    read: Arc<R>,
    reads: Reads,
}

/// How a key is read from its directory, and checked.
pub(super) fn reading(
    places: Places,
    keyring: Arc<Keyring>,
) -> impl Fn(ShreddingKeyId) -> Result<ShreddingKey, String> {
    move |id| expect_key(&places, &keyring, id).map_err(|error| error.to_string())
}

impl<R: Fn(ShreddingKeyId) -> Result<ShreddingKey, String> + Send + Sync + 'static> Loader<R> {
    pub(super) fn new(keys: &Arc<ShreddingKeys>, read: R) -> Self {
        Self { keys: Arc::downgrade(keys), read: Arc::new(read), reads: Reads::default() }
    }

    /// What tells the end of the reading that is under way, or begins now.
    fn begin(&self, id: ShreddingKeyId) -> Result<watch::Receiver<Outcome>, String> {
        let mut reads = lock(&self.reads);
        match reads.get(&id) {
            Some(Read::Underway(end)) if end.has_changed().is_ok() => return Ok(end.clone()),
            Some(Read::Failed { at, why }) if at.elapsed() < PAUSE => return Err(why.clone()),
            _ => {}
        }
        let (tell, end) = watch::channel(None);
        reads.insert(id, Read::Underway(end.clone()));
        let (keys, read, all) = (self.keys.clone(), Arc::clone(&self.read), Arc::clone(&self.reads));
        // It comes to its end also if nobody waits any more.
        drop(spawn_blocking(move || {
            let key = read(id);
            let mut reads = lock(&all);
            let outcome = match (key, keys.upgrade()) {
                (Ok(key), Some(keys)) => {
                    keys.take(key);
                    reads.remove(&id);
                    Ok(())
                }
                (Ok(_), None) => Ok(()),
                (Err(why), _) => {
                    tracing::error!(%id, why, "a shredding key cannot be loaded");
                    reads.insert(id, Read::Failed { at: Instant::now(), why: why.clone() });
                    Err(why)
                }
            };
            drop(reads);
            tell.send_replace(Some(outcome));
        }));
        Ok(end)
    }
}

impl<R: Fn(ShreddingKeyId) -> Result<ShreddingKey, String> + Send + Sync + 'static> KeySource for Loader<R> {
    fn fetch(&self, id: ShreddingKeyId) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let mut end = self.begin(id).map_err(Fault::unavailable)?;
            let ended = timeout(PATIENCE, end.wait_for(Option::is_some)).await;
            match ended {
                Ok(Ok(outcome)) => (*outcome).clone().unwrap_or(Ok(())).map_err(Fault::unavailable),
                Ok(Err(_)) => Err(Fault::internal(format!("the reading of shredding key {id} was lost"))),
                Err(_) => Err(Fault::unavailable(format!(
                    "destruction.keys_dir does not answer; shredding key {id} is looked for in it"
                ))),
            }
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use jomae_core::shredding::record::{KeyState, ShreddingRecord};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_who_need_a_key_read_it_once() {
        let id = ShreddingKeyId::from_text("2027-01-00000001").unwrap();
        let keys = Arc::new(ShreddingKeys::default());
        let state = KeyState { id, made: 0, retired: None, destroyed: None };
        keys.follow(&ShreddingRecord { keys: vec![state], ..ShreddingRecord::default() }, true);
        let (reads, is_there) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (counted, there) = (Arc::clone(&reads), Arc::clone(&is_there));
        let loader = Arc::new(Loader::new(&keys, move |id| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(100));
            match there.load(Ordering::SeqCst) {
                0 => Err("it is nowhere".to_owned()),
                _ => ShreddingKey::random(id).map_err(|error| error.to_string()),
            }
        }));
        let all = async || {
            let waiting: Vec<_> = (0..20)
                .map(|_| {
                    let loader = Arc::clone(&loader);
                    tokio::spawn(async move { loader.fetch(id).await })
                })
                .collect();
            let mut failed = 0;
            for one in waiting {
                failed += u32::from(one.await.unwrap().is_err());
            }
            failed
        };
        // Nor is what is nowhere looked for again at once.
        assert_eq!((all().await, reads.load(Ordering::SeqCst)), (20, 1));
        assert_eq!((all().await, reads.load(Ordering::SeqCst)), (20, 1));
        is_there.store(1, Ordering::SeqCst);
        tokio::time::sleep(PAUSE).await;
        assert_eq!((all().await, reads.load(Ordering::SeqCst)), (0, 2));
        assert!(keys.has(id));
    }
}
