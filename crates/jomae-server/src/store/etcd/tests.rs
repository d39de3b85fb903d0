use std::{
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::{Duration, Instant},
};

use jomae_core::store::{Change, ChangeKind, Phase, VALUE_BYTES_MAX};
use jomae_sim::{
    block_on,
    etcd::Etcd,
    model,
    store_suite::{self, commit, delete, done, everything, get, put},
};
use proptest::{prelude::*, test_runner::TestRunner};

use super::*;

/// After this a test has failed, rather than being slow.
const HANG: Duration = Duration::from_secs(30);

pub(super) fn fresh(etcd: &Etcd) -> EtcdOptions {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    EtcdOptions { prefix, ..EtcdOptions::new(etcd.endpoints()) }
}

pub(super) fn open(options: &EtcdOptions) -> EtcdStore {
    EtcdStore::open(options).expect("the store opens")
}

pub(super) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + HANG;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn all_exercises() {
    let etcd = Etcd::start();
    store_suite::run_all(|exercise| {
        exercise(&(Arc::new(open(&fresh(&etcd))) as Arc<dyn Store>));
    });
}

#[test]
fn the_model_agrees() {
    let etcd = Etcd::start();
    let mut runner = TestRunner::new(ProptestConfig::with_cases(16));
    let checked = runner.run(&model::commands(40), |commands| {
        let options = fresh(&etcd);
        let reopen = |store: EtcdStore| {
            drop(store);
            open(&options)
        };
        model::check(open(&options), reopen, &commands);
        Ok(())
    });
    checked.expect("the model agrees");
}
