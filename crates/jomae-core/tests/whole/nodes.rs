//! Several nodes on one store, and one that is upgraded while others are not.

use std::sync::Arc;

use jomae_core::{
    cluster::record::NodeName,
    form::{self, FormRecord},
    store::{Committed, Path, Store, memory::MemoryStore},
    stored::Record as _,
    whole::{Trouble, WholeStore, record},
};
use jomae_sim::{
    block_on,
    store_suite::{commit, delete, done, everything, get, put},
};

use crate::common::{checked, keyring, sound};

fn node(inner: &Arc<MemoryStore>, name: &str) -> Arc<WholeStore> {
    WholeStore::open(inner.clone(), keyring(), NodeName::new(name).as_ref()).unwrap()
}

fn floor(inner: &MemoryStore, form: u32) {
    let record = FormRecord { form }.encode().unwrap();
    let sealed = keyring().seal_record(form::PATH, &record).unwrap();
    done(inner, vec![put(form::PATH, sealed)]);
}

fn cluster() -> (Arc<MemoryStore>, Arc<WholeStore>, Arc<WholeStore>) {
    let inner = Arc::new(MemoryStore::new());
    floor(&inner, form::NEWEST);
    let (a, b) = (node(&inner, "a"), node(&inner, "b"));
    done(&*b, vec![put("before", "x")]);
    block_on(a.accept(0, Vec::new())).unwrap();
    a.refresh().unwrap();
    b.refresh().unwrap();
    (inner, a, b)
}

#[test]
fn each_node_has_lanes_of_its_own_and_all_are_one_hash() {
    let (inner, a, b) = cluster();
    for n in 0..20 {
        let store = if n % 3 == 0 { &a } else { &b };
        done(&**store, vec![put(&format!("r/{}", n % 5), format!("{n}")), delete("before")]);
    }
    a.refresh().unwrap();
    b.refresh().unwrap();
    sound(&a);
    sound(&b);
    assert_eq!(a.state(), b.state());
    let lanes: Vec<String> = everything(&*inner).into_iter().map(|(path, _)| path.to_string()).collect();
    assert!(lanes.contains(&"sys/whole/node/a/00".to_owned()) && lanes.contains(&"sys/whole/node/b/00".to_owned()));
}

#[test]
fn what_one_node_has_seen_of_another_cannot_be_taken_back() {
    let (inner, a, b) = cluster();
    let lane = "sys/whole/node/b/00";
    let before = get(&*inner, lane).unwrap().value;
    done(&*b, vec![put("granted", "revoked")]);
    a.refresh().unwrap();
    done(&*a, vec![put("later", "x")]);
    done(&*inner, vec![delete("granted"), put(lane, before)]);
    let trouble = checked(&node(&inner, "c")).unwrap_err();
    let Trouble::Behind { path, by, found, known } = trouble else { panic!("{trouble}") };
    assert_eq!((path.as_str(), by.as_str()), ("the lanes of node b", "sys/whole/node/a/00"));
    assert_eq!((found, known), (1, 2));
    assert!(matches!(checked(&a), Err(Trouble::WentBack { .. })));
    assert!(a.refresh().is_err());
    assert!(a.health().is_err());
}

#[test]
fn leases_and_markers_are_no_part_of_it() {
    let (inner, a, _) = cluster();
    let before = a.state();
    done(&*a, vec![put("sys/cluster/node/a", "beat 1")]);
    done(&*inner, vec![put("sys/cluster/node/a", "beat 0"), put("sys/cluster/barrier/b", "marker")]);
    assert_eq!(a.state(), before);
    done(&*a, vec![put("x", "1"), put("sys/cluster/barrier/a", "marker")]);
    done(&*inner, vec![delete("sys/cluster/barrier/a")]);
    sound(&a);
}

#[test]
fn nothing_is_kept_before_every_node_knows_of_it() {
    let inner = Arc::new(MemoryStore::new());
    let (a, b) = (node(&inner, "a"), node(&inner, "b"));
    assert!(block_on(a.accept(0, Vec::new())).is_err());
    done(&*a, vec![put("x", "1")]);
    floor(&inner, 1);
    done(&*b, vec![put("x", "2")]);
    let own = || everything(&*inner).iter().filter(|(path, _)| record::is_own(path.as_str())).count();
    assert_eq!((own(), a.state()), (0, None));
    assert_eq!(checked(&a).unwrap().state, None);
    floor(&inner, form::NEWEST);
    done(&*a, vec![put("x", "3")]);
    done(&*b, vec![put("y", "3")]);
    assert_eq!(own(), 2);
    block_on(b.accept(0, Vec::new())).unwrap();
    assert!(block_on(a.accept(0, vec![(record::base(), None)])).is_err(), "one of them does it");
    a.refresh().unwrap();
    b.refresh().unwrap();
    sound(&a);
    sound(&b);
}

/// One that has read the floor before it was raised does not slip through.
#[test]
fn a_commit_does_not_pass_the_moment_at_which_the_hash_begins() {
    let inner = Arc::new(Raising { inner: MemoryStore::new(), raises: std::sync::atomic::AtomicBool::new(false) });
    let whole = WholeStore::open(inner.clone(), keyring(), None).unwrap();
    inner.raises.store(true, std::sync::atomic::Ordering::SeqCst);
    done(&*whole, vec![put("x", "1")]);
    assert!(get(&inner.inner, "sys/whole/lane/00").is_some(), "it was done anew, with a lane");
    inner.raises.store(true, std::sync::atomic::Ordering::SeqCst);
    let expecting = commit(&[(form::PATH, None)], vec![put("x", "1")]);
    assert!(matches!(block_on(whole.commit(expecting)), Ok(Committed::Conflict)));
}

/// The floor is raised just before a commit.
struct Raising {
    inner: MemoryStore,
    raises: std::sync::atomic::AtomicBool,
}

impl Store for Raising {
    fn get(&self, path: &str) -> Result<Option<jomae_core::store::Entry>, jomae_core::store::StoreError> {
        self.inner.get(path)
    }
    fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Path, jomae_core::store::Entry)>, jomae_core::store::StoreError> {
        self.inner.scan(prefix, after, limit)
    }
    fn commit(
        &self,
        commit: jomae_core::store::Commit,
    ) -> jomae_core::store::BoxFuture<'_, Result<Committed, jomae_core::store::StoreError>> {
        if self.raises.swap(false, std::sync::atomic::Ordering::SeqCst) {
            floor(&self.inner, form::NEWEST);
        }
        self.inner.commit(commit)
    }
    fn revision(&self) -> Result<jomae_core::store::Revision, jomae_core::store::StoreError> {
        self.inner.revision()
    }
    fn watch(&self, watcher: jomae_core::store::Watcher) {
        self.inner.watch(watcher);
    }
    fn snapshot(&self) -> Result<jomae_core::store::Snapshot<'_>, jomae_core::store::StoreError> {
        self.inner.snapshot()
    }
}
