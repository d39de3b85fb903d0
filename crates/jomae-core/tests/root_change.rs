//! A change of the root key of a store with more domain keys than one commit takes: cut off at every commit, and raced.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use jomae_api::{names::RegionId, time::Timestamp};
use jomae_core::{
    form,
    keyring::Keyring,
    root::{self, BESIDE_PREFIX, Change, ChangeError, MARK, NewSlot, Opener, PATH, Slots, change, settle},
    store::{
        BoxFuture, COMMIT_ITEMS_MAX, Commit, Committed, Entry, Path, Revision, Snapshot, Store, StoreError, Watcher,
        Write, memory::MemoryStore,
    },
    tx::Vault,
};
use jomae_crypto::{root::RootMaterial, secret::Key256};
use jomae_sim::{
    block_on,
    faults::{CommitFault, FaultStore},
};

/// More than fit.
const DOMAIN_KEYS: u32 = 127;
const _: () = assert!(DOMAIN_KEYS as usize > COMMIT_ITEMS_MAX);
const NOW: Timestamp = Timestamp(1_790_000_000);

type Faulty = FaultStore<MemoryStore>;

/// A store with a record under each domain key, and what opens it.
struct World {
    store: Arc<Faulty>,
    opener: Opener,
    sealed: Vec<Vec<u8>>,
}

impl World {
    fn new() -> Self {
        let store = Arc::new(FaultStore::new(MemoryStore::new()));
        let key = Key256::random();
        let slot = NewSlot { name: "file", provider: "file", params: "", key: &key };
        let (root, opener) = block_on(root::begin(&*store, &slot, NOW)).unwrap();
        let keyring = block_on(Keyring::open(&*store, &root)).unwrap();
        let mut sealed = vec![keyring.seal_record("a", b"content").unwrap()];
        while keyring.version() < DOMAIN_KEYS {
            block_on(keyring.rotate(&*store, &root)).unwrap();
            sealed.push(keyring.seal_record("a", b"content").unwrap());
        }
        let world = Self { store, opener, sealed };
        block_on(form::raise(&world.vault(&root))).unwrap();
        world
    }

    fn root(&self) -> RootMaterial {
        self.opener.root(&Slots::read(&*self.store).unwrap().unwrap()).unwrap()
    }

    /// As a start gets it, which must open everything.
    fn vault(&self, root: &RootMaterial) -> Vault {
        let keyring = block_on(Keyring::open(&*self.store, root)).unwrap();
        for sealed in &self.sealed {
            assert_eq!(keyring.open_record("a", sealed).unwrap().expose(), b"content");
        }
        Vault::new(Arc::clone(&self.store) as Arc<dyn Store>, Arc::new(keyring), 100)
    }

    fn is_settled(&self) -> bool {
        self.store.get(MARK).unwrap().is_none() && self.store.scan(BESIDE_PREFIX, None, 1).unwrap().is_empty()
    }
}

async fn rotated(vault: &Vault, root: &RootMaterial) -> Result<(), ChangeError> {
    let region = RegionId::new("cn-hangzhou").unwrap();
    change(vault, &region, root, None, &Change::Rotate, None, NOW).await.map(drop)
}

#[test]
fn as_many_domain_keys_as_there_are_get_another_root_key() {
    let world = World::new();
    let first = world.root();
    let before = world.store.commits();
    block_on(rotated(&world.vault(&first), &first)).unwrap();
    assert!(world.store.commits() - before > 2, "one commit cannot have done it");
    let next = world.root();
    assert_ne!(next.id(), first.id());
    world.vault(&next);
    assert!(world.is_settled());
    assert!(block_on(Keyring::open(&*world.store, &first)).is_err(), "the old one opens nothing any more");
    assert!(!block_on(settle(&world.vault(&next), &next)).unwrap());
    // And a few as before, in one.
    let outcome = block_on(rotated(&world.vault(&next), &next));
    outcome.unwrap();
    assert_ne!(world.root().id(), next.id());
}

#[test]
fn cut_off_at_any_commit_it_has_happened_or_not() {
    let (mut not_yet, mut done) = (0, 0);
    let faults = [CommitFault::Unavailable, CommitFault::UnknownWithoutEffect, CommitFault::UnknownWithEffect];
    let world = World::new();
    for fault in faults {
        for passed in 0.. {
            let first = world.root();
            let vault = world.vault(&first);
            world.store.script_commits((0..passed).map(|_| None).chain([Some(fault)]));
            // Nothing more is written by the one that dies.
            world.store.script_commits((0..40).map(|_| Some(CommitFault::Unavailable)));
            let before = world.store.commits();
            let ended = block_on(rotated(&vault, &first));
            let asked = world.store.commits() - before;
            while world.store.commits() - before < passed + 41 {
                let path = Path::new("b");
                let _ =
                    block_on(world.store.commit(Commit { expect: vec![(path, Some(Revision(0)))], writes: vec![] }));
            }
            // Another start, which finds what it needs, whatever was left.
            let now = world.root();
            let vault = world.vault(&now);
            if now.id() == first.id() {
                assert!(ended.is_err());
                not_yet += 1;
            } else {
                done += 1;
            }
            block_on(settle(&vault, &now)).unwrap();
            assert!(world.is_settled());
            let vault = world.vault(&now);
            let of_other = if now.id() == first.id() { None } else { Some(first) };
            assert!(of_other.is_none_or(|first| block_on(Keyring::open(&*world.store, &first)).is_err()));
            // It can be done again.
            block_on(rotated(&vault, &now)).unwrap();
            if asked <= passed {
                break;
            }
        }
    }
    assert!(not_yet > 3 && done > 3, "{not_yet} and {done}");
}

/// Waits a little before each commit, so that two go on in turns.
struct Hesitating {
    inner: Arc<Faulty>,
    turns: AtomicUsize,
    dice: usize,
}

impl Store for Hesitating {
    fn get(&self, path: &str) -> Result<Option<Entry>, StoreError> {
        self.inner.get(path)
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(Path, Entry)>, StoreError> {
        self.inner.scan(prefix, after, limit)
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(async move {
            let turn = self.turns.fetch_add(1, Ordering::Relaxed);
            let mut waits = (self.dice >> (2 * (turn % 8))) & 3;
            poll_fn(|context| {
                if waits == 0 {
                    return Poll::Ready(());
                }
                waits -= 1;
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            self.inner.commit(commit).await
        })
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.inner.revision()
    }

    fn watch(&self, watcher: Watcher) {
        self.inner.watch(watcher);
    }

    fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        self.inner.snapshot()
    }
}

#[test]
fn of_two_at_once_none_loses_a_domain_key() {
    let world = World::new();
    let (mut conflicts, mut changes) = (0, 0);
    for dice in 0..60_usize {
        let root = world.root();
        let vault = |dice: usize| {
            let keyring = Arc::new(block_on(Keyring::open(&*world.store, &root)).unwrap());
            let store = Hesitating { inner: Arc::clone(&world.store), turns: AtomicUsize::new(0), dice };
            Vault::new(Arc::new(store), keyring, 100)
        };
        let (one, other) = (vault(dice.wrapping_mul(40_503)), vault(dice.wrapping_mul(30_011)));
        let mut first = pin!(rotated(&one, &root));
        // One that rotates too, or one that starts and takes the first for dead.
        let mut second = pin!(async {
            if dice % 2 == 0 { rotated(&other, &root).await } else { settle(&other, &root).await.map(drop) }
        });
        let (mut ended, mut ended_too) = (None, None);
        block_on(poll_fn(|context| {
            if ended.is_none()
                && let Poll::Ready(outcome) = first.as_mut().poll(context)
            {
                ended = Some(outcome);
            }
            if ended_too.is_none()
                && let Poll::Ready(outcome) = second.as_mut().poll(context)
            {
                ended_too = Some(outcome);
            }
            if ended.is_some() && ended_too.is_some() { Poll::Ready(()) } else { Poll::Pending }
        }));
        for outcome in [ended.unwrap(), ended_too.unwrap()] {
            match outcome {
                Ok(()) => {}
                Err(ChangeError::Conflict) => conflicts += 1,
                Err(error) => panic!("{dice}: {error}"),
            }
        }
        let now = world.root();
        changes += usize::from(now.id() != root.id());
        let vault = world.vault(&now);
        block_on(settle(&vault, &now)).unwrap();
        assert!(world.is_settled());
        world.vault(&now);
    }
    assert!(conflicts > 5 && changes > 5, "{conflicts} conflicts, {changes} changes");
}

#[test]
fn what_stands_beside_and_does_not_open_is_not_taken() {
    let world = World::new();
    let first = world.root();
    let vault = world.vault(&first);
    // Cut off after the slots, and then somebody writes to the store.
    let counted = world.store.commits();
    block_on(rotated(&vault, &first)).unwrap();
    let all = world.store.commits() - counted;
    let now = world.root();
    let vault = world.vault(&now);
    let to_slots = (1..all)
        .find(|passed| {
            let root = world.root();
            world.store.script_commits((0..*passed).map(|_| None).chain([Some(CommitFault::Unavailable)]));
            let _ = block_on(rotated(&vault, &root));
            let changed = world.root().id() != root.id();
            if !changed {
                block_on(settle(&vault, &root)).unwrap();
            }
            changed
        })
        .unwrap();
    assert!(to_slots > 2);
    let root = world.root();
    let (beside, entry) = world.store.scan(BESIDE_PREFIX, None, 1).unwrap().remove(0);
    let forged = Write::Put(beside, vec![0; entry.value.len()]);
    block_on(world.store.commit(Commit { expect: Vec::new(), writes: vec![forged] })).unwrap();
    let slots = world.store.get(PATH).unwrap();
    assert!(matches!(block_on(settle(&vault, &root)), Err(ChangeError::Failed(_))));
    assert_eq!(world.store.get(PATH).unwrap(), slots);
    assert!(!world.is_settled(), "nothing is thrown away");
}
