use std::sync::Arc;

use jomae_core::store::{Committed, Revision, Store, Write};

use super::{commit, delete, done, everything, get, put};
use crate::block_on;

fn try_commit(store: &dyn Store, expect: &[(&str, Option<Revision>)], writes: Vec<Write>) -> Committed {
    block_on(store.commit(commit(expect, writes))).expect("the store works")
}

pub(super) fn expectations(store: &Arc<dyn Store>) {
    let store = &**store;
    let a_old = done(store, vec![put("a", "1")]);
    let a = done(store, vec![put("a", "2")]);
    let b = done(store, vec![put("b", "1")]);
    let before = everything(store);
    let never = Revision(b.0 + 1000);
    let failing: [&[(&str, Option<Revision>)]; 10] = [
        &[("a", None)],
        &[("a", Some(a_old))],
        &[("a", Some(b))],
        &[("a", Some(never))],
        &[("absent", Some(a))],
        &[("absent", Some(Revision(0)))],
        &[("a", Some(a)), ("b", Some(b)), ("absent", Some(a))],
        &[("a", Some(a_old)), ("b", Some(b)), ("absent", None)],
        &[("a", Some(a)), ("b", None), ("absent", None)],
        &[("a", Some(a)), ("a", None)],
    ];
    for expect in failing {
        let writes = vec![put("a", "changed"), delete("b"), put("c", "created")];
        assert_eq!(try_commit(store, expect, writes), Committed::Conflict, "{expect:?}");
        assert_eq!(everything(store), before, "a conflict changes nothing: {expect:?}");
    }
    let answer = try_commit(
        store,
        &[("a", Some(a)), ("b", Some(b)), ("absent", None), ("c", None), ("a", Some(a))],
        vec![put("a", "3"), delete("b"), put("c", "1")],
    );
    let Committed::Done(revision) = answer else { panic!("all expectations hold: {answer:?}") };
    assert_eq!(get(store, "a").map(|entry| (entry.value, entry.revision)), Some((b"3".to_vec(), revision)));
    assert_eq!(get(store, "b"), None);
    assert_eq!(get(store, "c").map(|entry| entry.revision), Some(revision));
    let again = try_commit(store, &[("b", Some(b))], vec![put("b", "2")]);
    assert_eq!(again, Committed::Conflict, "a deleted entry has lost its revision");
}

pub(super) fn expectation_of_own_write(store: &Arc<dyn Store>) {
    let store = &**store;
    let create = |value: &str| try_commit(store, &[("a", None)], vec![put("a", value)]);
    assert!(matches!(create("first"), Committed::Done(_)));
    assert_eq!(create("second"), Committed::Conflict);
    let revision = get(store, "a").expect("present").revision;
    assert!(matches!(try_commit(store, &[("a", Some(revision))], vec![delete("a")]), Committed::Done(_)));
    assert!(matches!(create("third"), Committed::Done(_)));
    let newer = get(store, "a").expect("present");
    assert_eq!(newer.value, b"third");
    assert!(newer.revision > revision, "a recreated entry never gets an old revision back");
    assert_eq!(try_commit(store, &[("a", Some(revision))], vec![delete("a")]), Committed::Conflict);
}

pub(super) fn revisions(store: &Arc<dyn Store>) {
    let store = &**store;
    let mut last = Revision(0);
    for step in 0..20 {
        // The same value again is a change too.
        let revision = done(store, vec![put("a", "same"), put(&format!("n/{step}"), "x")]);
        assert!(revision > last, "revisions grow: {last:?}, then {revision:?}");
        assert_eq!(get(store, "a").expect("present").revision, revision);
        last = revision;
    }
    let untouched = get(store, "n/3").expect("present").revision;
    assert!(untouched < last, "other commits leave an entry's revision alone");
    let revision = done(store, vec![delete("n/3")]);
    assert!(revision > last);
}

pub(super) fn deletion(store: &Arc<dyn Store>) {
    let store = &**store;
    let first = done(store, vec![put("a", "1"), put("a/b", "2")]);
    assert!(done(store, vec![delete("absent")]) >= first);
    assert_eq!(everything(store).len(), 2);
    done(store, vec![delete("a"), delete("absent"), put("c", "3")]);
    assert_eq!(get(store, "a"), None);
    assert_eq!(get(store, "a/b").expect("deleting a path leaves what is below it").value, b"2");
    assert_eq!(get(store, "c").expect("present").value, b"3");
    done(store, vec![delete("a")]);
    assert_eq!(store.scan("a", None, 10).expect("scan works").len(), 1);
}

pub(super) fn compare_only(store: &Arc<dyn Store>) {
    let store = &**store;
    let revision = done(store, vec![put("a", "1")]);
    let before = everything(store);
    let holds = try_commit(store, &[("a", Some(revision)), ("b", None)], vec![]);
    assert!(matches!(holds, Committed::Done(answered) if answered >= revision), "{holds:?}");
    assert_eq!(try_commit(store, &[("a", None)], vec![]), Committed::Conflict);
    assert!(matches!(try_commit(store, &[], vec![]), Committed::Done(_)));
    assert_eq!(everything(store), before);
}
