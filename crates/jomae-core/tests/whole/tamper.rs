//! Each way to change a store beside the service, one by one.

use std::sync::Arc;

use jomae_core::store::{Path, Store, memory::MemoryStore};
use jomae_core::whole::{Trouble, WholeStore, record};
use jomae_sim::{
    block_on,
    store_suite::{delete, done, everything, get, put},
};

use crate::common::{begun, checked, opened, sound, store_of};

/// A store with a history, and its raw records after each commit.
struct World {
    inner: Arc<MemoryStore>,
    whole: Arc<WholeStore>,
    moments: Vec<Vec<(Path, Vec<u8>)>>,
}

fn rows(store: &dyn Store) -> Vec<(Path, Vec<u8>)> {
    everything(store).into_iter().map(|(path, entry)| (path, entry.value)).collect()
}

fn world() -> World {
    let inner = Arc::new(MemoryStore::new());
    let whole = begun(inner.clone());
    let mut moments = vec![rows(&*inner)];
    let commits = [
        vec![put("a/key", "enabled"), put("a/alias", "to key")],
        vec![put("b/key", "enabled")],
        vec![put("a/key", "disabled")],
        vec![delete("a/alias")],
        vec![put("b/key", "disabled"), put("c", "x")],
    ];
    for writes in commits {
        done(&*whole, writes);
        moments.push(rows(&*inner));
    }
    sound(&whole);
    World { inner, whole, moments }
}

fn value(rows: &[(Path, Vec<u8>)], path: &str) -> Vec<u8> {
    rows.iter().find(|(at, _)| at.as_str() == path).unwrap().1.clone()
}

#[test]
fn a_record_set_back_removed_added_or_moved_is_found() {
    let World { inner, whole, moments } = world();
    let cases = [
        ("set back", vec![put("a/key", value(&moments[1], "a/key"))]),
        ("removed", vec![delete("c")]),
        ("brought back", vec![put("a/alias", value(&moments[1], "a/alias"))]),
        ("moved", vec![put("d", "x"), delete("c")]),
        ("swapped", vec![put("a/key", "x"), put("c", "disabled")]),
    ];
    for (what, writes) in cases {
        let paths: Vec<String> = writes.iter().map(|write| write.path().to_string()).collect();
        let before: Vec<_> = paths.iter().map(|path| (path, get(&*inner, path))).collect();
        done(&*inner, writes);
        let running = checked(&whole).unwrap_err();
        assert!(matches!(running, Trouble::Differs { .. }), "{what}: {running}");
        let started = checked(&opened(inner.clone())).unwrap_err();
        assert_eq!(started, running, "{what}");
        for (path, entry) in before {
            done(&*inner, vec![entry.map_or_else(|| delete(path), |entry| put(path, entry.value))]);
        }
        sound(&whole);
    }
}

#[test]
fn a_running_process_refuses_a_lane_that_went_back() {
    let World { inner, whole, moments } = world();
    let lane = "sys/whole/lane/00";
    // With everything that came with it, so that the rest fits together.
    let older = value(&moments[4], lane);
    done(&*inner, vec![put(lane, older), put("b/key", value(&moments[4], "b/key")), delete("c")]);
    let trouble = checked(&whole).unwrap_err();
    assert_eq!(trouble, Trouble::WentBack { path: lane.to_owned(), found: 4, known: 5 });
    assert!(trouble.to_string().contains("sys/whole/lane/00 has 4 changes, and had 5"));
    // A start has not seen more; it is told by what was promised.
    let started = opened(inner.clone());
    assert_eq!(checked(&started).unwrap().state.unwrap().changes, 4);
    // The process that has seen more notices when it uses the lane, too.
    assert!(block_on(whole.commit(jomae_sim::store_suite::commit(&[], vec![put("x", "1")]))).is_err());
    let why = whole.health().unwrap_err().to_string();
    assert!(why.contains("went back while it was in use"), "{why}");
    assert!(block_on(whole.commit(jomae_sim::store_suite::commit(&[], vec![put("x", "1")]))).is_err());
}

#[test]
fn an_older_store_has_fewer_changes() {
    let World { whole, moments, .. } = world();
    let promised = whole.state().unwrap();
    for (nth, moment) in moments.iter().enumerate() {
        let older = opened(store_of(moment));
        let state = checked(&older).unwrap().state.unwrap();
        assert_eq!(state.changes, nth as u64);
        assert_eq!(state == promised, nth + 1 == moments.len());
    }
}

#[test]
fn without_its_hash_a_store_says_that_it_has_none() {
    let World { inner, .. } = world();
    done(&*inner, vec![delete(record::base().as_str())]);
    assert_eq!(checked(&opened(inner.clone())).unwrap().state, None, "for whoever was promised one to refuse");
    done(&*inner, vec![put("sys/whole/lane/00", "nonsense")]);
    let error = WholeStore::open(inner, crate::common::keyring(), None).map(drop).unwrap_err();
    assert!(error.to_string().contains("sys/whole/lane/00"), "{error}");
}

#[test]
fn lanes_do_not_pass_for_each_other() {
    let World { inner, .. } = world();
    let lane = get(&*inner, "sys/whole/lane/00").unwrap().value;
    done(&*inner, vec![put("sys/whole/lane/01", lane)]);
    assert!(WholeStore::open(inner, crate::common::keyring(), None).is_err());
}

#[test]
fn what_an_operator_accepts_is_what_counts_from_then_on() {
    let World { inner, whole, moments } = world();
    let promised = whole.state().unwrap().changes;
    // An older moment, and something removed.
    let older = store_of(&moments[3]);
    done(&*older, vec![delete("b/key")]);
    let started = opened(older.clone());
    let trouble = checked(&started).unwrap_err();
    let accepted = block_on(started.accept(promised, Vec::new())).unwrap();
    assert_eq!((accepted.trouble, accepted.found, accepted.changes), (Some(trouble), 3, promised + 1));
    sound(&started);
    done(&*started, vec![put("after", "x")]);
    sound(&opened(older.clone()));
    assert_eq!(started.state().unwrap().changes, promised + 2);
    // What stood there before the acceptance does not come back.
    done(&*older, vec![put(record::base().as_str(), value(&moments[3], record::base().as_str()))]);
    assert!(checked(&opened(older.clone())).is_err());
    assert!(checked(&started).is_err());
    drop(inner);
}
