//! A backup during which the root key is changed.

mod forged;

use std::sync::atomic::{AtomicBool, Ordering};

use jomae_core::{
    root::{Change, change},
    service::Service,
    store::{BoxFuture, Commit, Committed, Entry, Path as RecordPath, Revision, Snapshot, Store, StoreError, Watcher},
};

use tokio::runtime::Handle;

use super::*;
use crate::{bootstrap, gateway, root_key::Holder};

/// A store whose root key another process changes just before its records are read, or just after.
struct Rotating<'s> {
    store: &'s dyn Store,
    rotate: &'s (dyn Fn() + Send + Sync),
    is_before: bool,
    is_done: AtomicBool,
}

impl Rotating<'_> {
    fn act(&self) {
        if !self.is_done.swap(true, Ordering::Relaxed) {
            (self.rotate)();
        }
    }
}

impl Store for Rotating<'_> {
    fn get(&self, path: &str) -> Result<Option<Entry>, StoreError> {
        self.store.get(path)
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(RecordPath, Entry)>, StoreError> {
        self.store.scan(prefix, after, limit)
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>> {
        self.store.commit(commit)
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.store.revision()
    }

    fn watch(&self, watcher: Watcher) {
        self.store.watch(watcher);
    }

    fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        if self.is_before {
            self.act();
        }
        let snapshot = self.store.snapshot()?;
        if !self.is_before {
            self.act();
        }
        Ok(snapshot)
    }
}

fn rotate(service: &Service, holder: &Holder) {
    let (vault, region) = (&service.kms.vault, &service.default_region);
    let root = holder.root(vault.store()).unwrap();
    let direct = holder.direct(vault.store()).unwrap();
    let changed = change(vault, region, &root, direct.as_ref(), &Change::Rotate, None, gateway::now());
    tokio::task::block_in_place(|| Handle::current().block_on(changed)).map(drop).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_during_which_the_root_key_changes_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { data_dir: dir.path().join("data"), ..Config::default() };
    let started = bootstrap::open(&config, gateway::now()).await.unwrap();
    let (bare, to) = (started.store.store(), dir.path().join("backups"));
    let back_up = |store: &dyn Store| {
        let of = Source { store, vault: &started.service.kms.vault, holder: &started.root_holder };
        let mut place = Place::open(&config, to.to_str(), true).unwrap();
        let made =
            tokio::task::block_in_place(|| create(&config, &of, &mut place, false, gateway::now(), &Handle::current()));
        (made, place.ids().map_or(0, |ids| ids.len()))
    };
    let (service, holder) = (&*started.service, &*started.root_holder);
    let act = || rotate(service, holder);
    // First from no slots to some, then from slots to slots.
    for (n, is_before) in [(0, true), (1, false), (2, true)] {
        let rotating = Rotating { store: &*bare, rotate: &act, is_before, is_done: AtomicBool::new(false) };
        let (made, there) = back_up(&rotating);
        let refused = made.unwrap_err().to_string();
        assert!(refused.contains("the root key was changed meanwhile"), "{refused}");
        assert!(rotating.is_done.load(Ordering::Relaxed));
        assert_eq!((there, to.exists()), (n, n > 0), "it counts for nothing, and a place made for it goes again");
        // Made again, it is good.
        let (made, there) = back_up(&*bare);
        assert_eq!((made.is_ok(), there), (true, n + 1));
    }
    let verified = tokio::task::spawn_blocking({
        let (config, to) = (config.clone(), to.clone());
        move || {
            let mut place = Place::open(&config, to.to_str(), false)?;
            verify(&config, &mut place, &Wish::default(), &std::env::temp_dir(), &Handle::current())
        }
    });
    assert!(verified.await.unwrap().is_ok());
    started.audit.close();
}
