use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use jomae_core::store::{Committed, Store};

use super::{commit, done, everything, get, put};
use crate::block_on;

const ACCOUNTS: u64 = 8;
const START_AMOUNT: u64 = 100;
const SUM: u64 = ACCOUNTS * START_AMOUNT;

fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).expect("a stored number")
}

pub(super) fn counters(store: &Arc<dyn Store>) {
    const THREADS: u64 = 8;
    const STEPS: u64 = 25;
    let store = &**store;
    let increment = |path: &str| loop {
        let before = get(store, path);
        let (value, revision) = before.map_or((0, None), |entry| (number(&entry.value), Some(entry.revision)));
        let next = put(path, (value + 1).to_string());
        match block_on(store.commit(commit(&[(path, revision)], vec![next]))).expect("the store works") {
            Committed::Done(_) => break,
            Committed::Conflict => {}
            Committed::Unknown => panic!("a healthy store knows"),
        }
    };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for _ in 0..STEPS {
                    increment("counter/shared");
                    increment(&format!("counter/{}", thread % 3));
                }
            });
        }
    });
    assert_eq!(number(&get(store, "counter/shared").expect("present").value), THREADS * STEPS);
    let others: u64 = (0..3).map(|n| number(&get(store, &format!("counter/{n}")).expect("present").value)).sum();
    assert_eq!(others, THREADS * STEPS);
}

/// Moves an amount between two accounts, from a mix of the step's number; gives up when another was faster.
fn transfer(store: &dyn Store, step: u64) -> bool {
    let (from, to) = (step % ACCOUNTS, (step / ACCOUNTS + step) % ACCOUNTS);
    if from == to {
        return true;
    }
    let (from, to) = (format!("account/{from}"), format!("account/{to}"));
    let (source, target) = (get(store, &from).expect("present"), get(store, &to).expect("present"));
    let amount = number(&source.value).min(1 + step % 7);
    let writes = vec![
        put(&from, (number(&source.value) - amount).to_string()),
        put(&to, (number(&target.value) + amount).to_string()),
    ];
    let expect = [(from.as_str(), Some(source.revision)), (to.as_str(), Some(target.revision))];
    match block_on(store.commit(commit(&expect, writes))).expect("the store works") {
        Committed::Done(_) => true,
        Committed::Conflict => false,
        Committed::Unknown => panic!("a healthy store knows"),
    }
}

/// Fills the accounts that [`run_transfers`] works on.
pub fn open_accounts(store: &dyn Store) {
    let account = |n: u64| put(&format!("account/{n}"), START_AMOUNT.to_string());
    done(store, (0..ACCOUNTS).map(account).collect());
}

/// Moves amounts between accounts on several threads while `meanwhile` runs again and again on this one, at least
/// twice. The sum over all accounts never changes.
pub fn run_transfers(store: &dyn Store, mut meanwhile: impl FnMut()) {
    const THREADS: u64 = 4;
    let running = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            running.fetch_add(1, Ordering::SeqCst);
            let running = &running;
            scope.spawn(move || {
                let moved = (0..60).filter(|step| transfer(store, thread * 1009 + step * 31)).count();
                assert!(moved > 0, "no transfer at all succeeded");
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        meanwhile();
        while running.load(Ordering::SeqCst) > 0 && !thread::panicking() {
            meanwhile();
        }
        meanwhile();
    });
}

/// Panics unless the store's accounts hold exactly what [`open_accounts`] put there, in whatever split.
pub fn check_accounts(store: &dyn Store) {
    let amounts: Vec<u64> = everything(store).iter().map(|(_, entry)| number(&entry.value)).collect();
    assert_eq!(amounts.len() as u64, ACCOUNTS);
    assert_eq!(amounts.iter().sum::<u64>(), SUM, "a snapshot shows half a transfer");
}

pub(super) fn transfers(store: &Arc<dyn Store>) {
    let store = &**store;
    open_accounts(store);
    run_transfers(store, || {
        check_accounts(store);
        let scanned = store.scan("account/", None, 100).expect("scan works");
        assert_eq!(scanned.iter().map(|(_, entry)| number(&entry.value)).sum::<u64>(), SUM, "one scan, one moment");
    });
    check_accounts(store);
}

pub(super) fn creators(store: &Arc<dyn Store>) {
    let store = &**store;
    for round in 0..10 {
        let path = format!("name/{round}");
        let winners: Vec<usize> = thread::scope(|scope| {
            let create = |thread: usize| {
                let path = &path;
                move || {
                    let writes = vec![put(path, thread.to_string())];
                    let answer = block_on(store.commit(commit(&[(path, None)], writes))).expect("the store works");
                    matches!(answer, Committed::Done(_)).then_some(thread)
                }
            };
            let threads: Vec<_> = (0..6).map(|thread| scope.spawn(create(thread))).collect();
            threads.into_iter().filter_map(|thread| thread.join().expect("the creator ends")).collect()
        });
        assert_eq!(winners.len(), 1, "exactly one creator wins {path}");
        assert_eq!(get(store, &path).expect("present").value, winners[0].to_string().as_bytes());
    }
}
