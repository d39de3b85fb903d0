//! Decoded records and commits: whoever has read a record of a commit meets nothing that is older than the commit.

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
};

use jomae_core::{
    keyring::Keyring,
    record::AccountRecord,
    store::{Path, Phase, Store, memory::MemoryStore},
    tx::{CommitOutcome, Vault},
};
use jomae_sim::block_on;

use crate::common::Root;

const FIRST: &str = "test/first";
const SECOND: &str = "test/second";

fn read(vault: &Vault, path: &str) -> i64 {
    vault.reading().get::<AccountRecord>(&Path::new(path)).unwrap().map_or(0, |record| record.created)
}

/// Writes the same number into both records.
fn write(vault: &Vault, created: i64) {
    let mut tx = vault.writing();
    for path in [FIRST, SECOND] {
        tx.put(Path::new(path), &AccountRecord { name: String::new(), created, disabled: false }).unwrap();
    }
    assert_eq!(block_on(tx.commit()).unwrap(), CommitOutcome::Done);
}

fn vault(store: &Arc<MemoryStore>, cache_entries_max: usize) -> Arc<Vault> {
    let keyring = Arc::new(block_on(Keyring::open(&**store, &Root::fixed())).unwrap());
    Arc::new(Vault::new(store.clone(), keyring, cache_entries_max))
}

/// Reads at every step of a commit, before the vault hears of it and after.
#[test]
fn every_step_of_a_commit_shows_one_side_of_it() {
    let store = Arc::new(MemoryStore::new());
    let known: Arc<OnceLock<Weak<Vault>>> = Arc::default();
    let (commits, looks) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let look = || {
        let (known, commits, looks) = (Arc::clone(&known), Arc::clone(&commits), Arc::clone(&looks));
        store.watch(Box::new(move |phase, _| {
            let Some(vault) = known.get().and_then(Weak::upgrade) else { return };
            let expected = commits.load(Ordering::SeqCst) - i64::from(phase == Phase::Prepared);
            assert_eq!((read(&vault, FIRST), read(&vault, SECOND)), (expected, expected), "{phase:?}");
            looks.fetch_add(1, Ordering::SeqCst);
        }));
    };
    look();
    let vault = vault(&store, 1000);
    look();
    known.set(Arc::downgrade(&vault)).unwrap();
    for round in 0..20 {
        // Of one the old value is in memory when the commit comes, the other is still to be read.
        assert_eq!(read(&vault, if round % 2 == 0 { FIRST } else { SECOND }), round);
        write(&vault, commits.fetch_add(1, Ordering::SeqCst) + 1);
    }
    assert_eq!(looks.load(Ordering::SeqCst), 20 * 4);
}

#[test]
fn readers_on_many_threads_go_with_the_commits() {
    // With a cache that holds everything, and one that hardly holds anything.
    for cache_entries_max in [1000, 1] {
        let store = Arc::new(MemoryStore::new());
        let vault = vault(&store, cache_entries_max);
        let running = AtomicBool::new(true);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut last = 0;
                    while running.load(Ordering::SeqCst) {
                        let first = read(&vault, FIRST);
                        let second = read(&vault, SECOND);
                        assert!(first >= last, "{first} after {last}");
                        assert!(second >= first, "{second} beside {first}");
                        last = second;
                    }
                });
            }
            for created in 1..=3000 {
                write(&vault, created);
            }
            running.store(false, Ordering::SeqCst);
        });
        assert_eq!((read(&vault, FIRST), read(&vault, SECOND)), (3000, 3000));
        assert!(vault.cached() > 0, "what no commit changes any more is kept");
    }
}
