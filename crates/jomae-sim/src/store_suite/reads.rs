use std::sync::Arc;

use jomae_core::store::{Entry, SCAN_LIMIT_MAX, Store};

use super::{delete, done, everything, get, paths, put};

pub(super) fn empty(store: &Arc<dyn Store>) {
    for path in ["", "a", "a/b"] {
        assert_eq!(get(&**store, path), None);
        assert_eq!(store.scan(path, None, 10).expect("scan works"), []);
    }
    assert_eq!(everything(&**store), []);
}

pub(super) fn get_after_put(store: &Arc<dyn Store>) {
    let store = &**store;
    let all_bytes: Vec<u8> = (0..=255).collect();
    let values: [&[u8]; 4] = [b"", b"\0", b"plain text", &all_bytes];
    for path in ["a", "a/b", "schl\u{fc}ssel/\u{5bc6}\u{94a5}/\u{1f511}", "nul\0inside", " ", "%_*?[a]'\"\\"] {
        for value in values {
            let revision = done(store, vec![put(path, value)]);
            assert_eq!(get(store, path), Some(Entry { value: value.to_vec(), revision }), "at {path:?}");
        }
    }
    for absent in ["", "A", "a/", "a/b/c", "nul", "nul\0", "schl"] {
        assert_eq!(get(store, absent), None, "nothing was put at {absent:?}");
    }
    assert_eq!(get(store, &"p".repeat(100_000)), None, "a path over the limits holds nothing");
}

pub(super) fn scan_order(store: &Arc<dyn Store>) {
    let store = &**store;
    // UTF-16 order or any alphabet's order would differ from the order of bytes.
    let sorted = [
        "\0",
        "\t",
        "!",
        "-",
        "/",
        "0",
        "10",
        "2",
        "A",
        "Z",
        "_",
        "a",
        "a\0",
        "a/b",
        "a0",
        "aa",
        "z",
        "\u{7f}",
        "\u{80}",
        "\u{e9}",
        "\u{20ac}",
        "\u{ffff}",
        "\u{10000}",
        "\u{1f511}",
    ];
    for path in sorted.iter().rev() {
        done(store, vec![put(path, path.as_bytes())]);
    }
    let found = store.scan("", None, SCAN_LIMIT_MAX).expect("scan works");
    assert_eq!(paths(&found), sorted);
    assert!(found.iter().all(|(path, entry)| path.as_str().as_bytes() == entry.value), "values stay with their paths");
    assert_eq!(everything(store), found);
}

pub(super) fn scan_prefix(store: &Arc<dyn Store>) {
    let store = &**store;
    for path in ["k", "k/1", "k/1/x", "k/10", "k/10/x", "k/2", "k0", "l", "\u{e9}/1", "\u{ea}"] {
        done(store, vec![put(path, "")]);
    }
    let cases: [(&str, &[&str]); 9] = [
        ("k/1", &["k/1", "k/1/x", "k/10", "k/10/x"]),
        ("k/1/", &["k/1/x"]),
        ("k/", &["k/1", "k/1/x", "k/10", "k/10/x", "k/2"]),
        ("k", &["k", "k/1", "k/1/x", "k/10", "k/10/x", "k/2", "k0"]),
        ("k/2/", &[]),
        ("m", &[]),
        ("\u{e9}", &["\u{e9}/1"]),
        ("\u{10ffff}", &[]),
        ("%", &[]),
    ];
    for (prefix, expected) in cases {
        let found = store.scan(prefix, None, 100).expect("scan works");
        assert_eq!(paths(&found), expected, "prefix {prefix:?}");
    }
}

pub(super) fn scan_after(store: &Arc<dyn Store>) {
    let store = &**store;
    for path in ["a/1", "b/1", "b/2", "b/3", "c/1"] {
        done(store, vec![put(path, "")]);
    }
    let cases: [(&str, &str, &[&str]); 12] = [
        ("b/", "", &["b/1", "b/2", "b/3"]),
        ("b/", "a/1", &["b/1", "b/2", "b/3"]),
        ("b/", "b", &["b/1", "b/2", "b/3"]),
        ("b/", "b/", &["b/1", "b/2", "b/3"]),
        ("b/", "b/1", &["b/2", "b/3"]),
        ("b/", "b/10", &["b/2", "b/3"]),
        ("b/", "b/3", &[]),
        ("b/", "c/0", &[]),
        ("b/", "\u{10ffff}", &[]),
        ("b/2", "b/2", &[]),
        ("", "b/2", &["b/3", "c/1"]),
        ("", "c/1", &[]),
    ];
    for (prefix, after, expected) in cases {
        let found = store.scan(prefix, Some(after), 100).expect("scan works");
        assert_eq!(paths(&found), expected, "prefix {prefix:?} after {after:?}");
    }
}

pub(super) fn scan_limit(store: &Arc<dyn Store>) {
    let store = &**store;
    let all: Vec<String> = (0..SCAN_LIMIT_MAX + 3).map(|n| format!("r/{n:05}")).collect();
    for chunk in all.chunks(100) {
        done(store, chunk.iter().map(|path| put(path, path)).collect());
    }
    for limit in [0, 1, 2, SCAN_LIMIT_MAX - 1, SCAN_LIMIT_MAX] {
        let found = store.scan("r/", None, limit).expect("scan works");
        assert_eq!(paths(&found), all[..limit], "limit {limit}");
    }
    for limit in [SCAN_LIMIT_MAX + 1, usize::MAX] {
        let found = store.scan("r/", None, limit).expect("scan works");
        assert_eq!(paths(&found), all[..SCAN_LIMIT_MAX], "limit {limit}");
    }
    let (mut collected, mut after) = (Vec::<String>::new(), None::<String>);
    loop {
        let page = store.scan("r/", after.as_deref(), 7).expect("scan works");
        let Some((last, _)) = page.last() else { break };
        after = Some(last.to_string());
        collected.extend(paths(&page).into_iter().map(str::to_owned));
    }
    assert_eq!(collected, all, "pages of a scan join without gap or repeat");
}

pub(super) fn snapshot_moment(store: &Arc<dyn Store>) {
    let store = &**store;
    let old: Vec<String> = (0..300).map(|n| format!("s/{n:03}")).collect();
    for chunk in old.chunks(100) {
        done(store, chunk.iter().map(|path| put(path, "old")).collect());
    }
    let before = everything(store);
    let mut rows = store.snapshot().expect("snapshot works");
    let mut seen = vec![rows.next().expect("a first record").expect("readable")];
    done(store, vec![put("s/000", "new"), put("s/250", "new"), delete("s/299"), put("s/9", "new"), put("a", "new")]);
    done(store, vec![delete("s/100"), put("s/150/x", "new")]);
    seen.extend(rows.map(|row| row.expect("readable")));
    assert_eq!(seen, before, "the snapshot shows nothing of later commits");
    let now = everything(store);
    assert_eq!(now.len(), before.len() - 2 + 3);
    assert_eq!(get(store, "s/250").expect("present").value, b"new");
}
