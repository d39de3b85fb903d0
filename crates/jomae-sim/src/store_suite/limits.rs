use std::sync::Arc;

use jomae_core::store::{
    COMMIT_ITEMS_MAX, Commit, Committed, PATH_BYTES_MAX, Path, Store, StoreError, VALUE_BYTES_MAX, Write,
};

use super::{commit, delete, done, everything, get, put};
use crate::block_on;

pub(super) fn exact(store: &Arc<dyn Store>) {
    let store = &**store;
    let longest = "p".repeat(PATH_BYTES_MAX);
    let longest_wide = "\u{e9}".repeat(PATH_BYTES_MAX / 2);
    let largest: Vec<u8> = (0..VALUE_BYTES_MAX).map(|n| u8::try_from(n % 251).unwrap_or_default()).collect();
    done(store, vec![put(&longest, &largest), put(&longest_wide, "x")]);
    assert_eq!(get(store, &longest).expect("present").value, largest);
    let found = store.scan(&longest, None, 2).expect("scan works");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1.value, largest);
    assert!(get(store, &longest_wide).is_some());

    let absent = |n: usize| (Path::new(format!("w/{n:03}")), None);
    let writes = (0..COMMIT_ITEMS_MAX).map(|n| put(&format!("w/{n:03}"), "x")).collect();
    let expect = (0..COMMIT_ITEMS_MAX).map(absent).collect();
    let answer = block_on(store.commit(Commit { expect, writes })).expect("the most items are accepted");
    assert!(matches!(answer, Committed::Done(_)), "{answer:?}");
    assert_eq!(store.scan("w/", None, 500).expect("scan works").len(), COMMIT_ITEMS_MAX);
    // Each path counts once; those that are only expected count too.
    let expect = (COMMIT_ITEMS_MAX..2 * COMMIT_ITEMS_MAX - 1).map(absent).collect();
    let answer = block_on(store.commit(Commit { expect, writes: vec![put("one", "x")] })).expect("accepted");
    assert!(matches!(answer, Committed::Done(_)), "{answer:?}");
    // None is read first.
    let writes: Vec<Write> = (0..COMMIT_ITEMS_MAX).map(|n| put(&format!("w/{n:03}"), "y")).collect();
    done(store, writes);
    done(store, vec![delete(&longest)]);
    assert_eq!(get(store, &longest), None);
}

pub(super) fn over(store: &Arc<dyn Store>) {
    let store = &**store;
    done(store, vec![put("kept", "as it was")]);
    let before = everything(store);
    let too_long = "p".repeat(PATH_BYTES_MAX + 1);
    // Fewer characters than the limit, but more bytes.
    let too_wide = "\u{e9}".repeat(PATH_BYTES_MAX / 2 + 1);
    let items = |n: usize| -> Vec<Write> { (0..n).map(|n| put(&format!("w/{n}"), "x")).collect() };
    let expect_many = (0..=COMMIT_ITEMS_MAX).map(|n| (Path::new(format!("e/{n}")), None)).collect();
    let expect_most = (0..COMMIT_ITEMS_MAX).map(|n| (Path::new(format!("e/{n}")), None)).collect();
    let cases = [
        ("a value", commit(&[], vec![put("ok", "x"), put("big", vec![0; VALUE_BYTES_MAX + 1])])),
        ("a put path", commit(&[], vec![put("ok", "x"), put(&too_long, "x")])),
        ("a wide path", commit(&[], vec![put("ok", "x"), put(&too_wide, "x")])),
        ("a delete path", commit(&[], vec![put("ok", "x"), delete(&too_long)])),
        ("an expected path", commit(&[(&too_long, None)], vec![put("ok", "x")])),
        ("an empty path", commit(&[], vec![put("ok", "x"), put("", "x")])),
        ("an empty expected path", commit(&[("", None)], vec![put("ok", "x")])),
        ("writes", commit(&[], items(COMMIT_ITEMS_MAX + 1))),
        ("expectations", Commit { expect: expect_many, writes: vec![put("ok", "x")] }),
        ("both together", Commit { expect: expect_most, writes: vec![put("ok", "x")] }),
        ("two puts to a path", commit(&[], vec![put("ok", "1"), put("other", "x"), put("ok", "2")])),
        ("put and delete of a path", commit(&[], vec![put("kept", "1"), delete("kept")])),
    ];
    for (what, commit) in cases {
        let answer = block_on(store.commit(commit));
        assert!(matches!(answer, Err(StoreError::Limit(_))), "{what}: {answer:?}");
        assert_eq!(everything(store), before, "{what}: nothing changed");
    }
    done(store, vec![put("kept", "changed")]);
}
