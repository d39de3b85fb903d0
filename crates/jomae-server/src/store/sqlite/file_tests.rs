//! What happens to files: refused, damaged, private, copied.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path as FilePath, PathBuf},
    task::{Context, Waker},
};

use jomae_core::store::{Store, StoreError};
use jomae_sim::{
    block_on,
    store_suite::{self, commit, done, everything, get, put},
};
use rusqlite::Connection;

use super::{
    SqliteStore,
    backup::{Backup, BackupError, backup_file},
    check::check_file,
    file::{APPLICATION_ID, OpenError, Options, SCHEMA_VERSION, with_suffix},
    tests::{directory, hold_the_writer, open},
};

fn open_error(path: &FilePath) -> OpenError {
    match SqliteStore::open(path, &Options::default()) {
        Ok(_) => panic!("{} must not open", path.display()),
        Err(error) => error,
    }
}

/// Runs SQL behind the store's back, as an operator might.
fn tamper(path: &FilePath, sql: &str) {
    Connection::open(path).and_then(|connection| connection.execute_batch(sql)).expect("the SQL runs");
}

#[test]
fn a_second_store_on_the_file_is_refused() {
    let (directory, path) = directory();
    let store = open(&path);
    done(&store, vec![put("a", "x")]);
    assert!(matches!(open_error(&path), OpenError::Locked(_)));
    let elsewhere = tempfile::tempdir().expect("a directory");
    let link = elsewhere.path().join("link");
    std::os::unix::fs::symlink(directory.path(), &link).expect("a link");
    let path_through_link = link.join("jomae.db");
    let through_link = open_error(&path_through_link);
    assert!(through_link.to_string().ends_with("jomae.db: another process has this store open"), "{through_link}");
    done(&store, vec![put("b", "x")]);
    drop(store);
    assert_eq!(everything(&open(&path_through_link)).len(), 2);
}

#[test]
fn a_link_in_the_place_of_a_file_is_not_followed() {
    let (directory, path) = directory();
    drop(open(&path));
    for name in ["link.db", "link.db-wal", "link.db-shm", "link.db-journal", "link.db.lock"] {
        let link = directory.path().join(name);
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        let error = open_error(&directory.path().join("link.db")).to_string();
        assert!(error.contains(name) && error.contains("symbolic link"), "{error}");
        fs::remove_file(link).expect("removed");
    }
    let own = fs::read(&path).expect("readable");
    std::os::unix::fs::symlink(&path, directory.path().join("link.db")).expect("a link");
    assert!(backup_file(&directory.path().join("link.db"), &directory.path().join("copy.db")).is_err());
    assert_eq!(fs::read(&path).expect("readable"), own);
}

#[test]
fn files_are_private() {
    let (directory, path) = directory();
    let store = open(&path);
    done(&store, vec![put("a", "x")]);
    store.backup_to(&directory.path().join("copy.db")).expect("copied");
    let mut names = Vec::new();
    for file in fs::read_dir(directory.path()).expect("readable").map(|file| file.expect("readable")) {
        assert_eq!(file.metadata().expect("readable").permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
        names.push(file.file_name());
    }
    names.sort();
    assert_eq!(names, ["copy.db", "jomae.db", "jomae.db-shm", "jomae.db-wal", "jomae.db.lock"]);
}

type Expected = fn(&OpenError) -> bool;

#[test]
fn files_that_are_no_store_are_left_as_they_are() {
    let (directory, path) = directory();
    let foreign = |name: &str, sql: &str| {
        let path = directory.path().join(name);
        tamper(&path, sql);
        fs::read(path).expect("readable")
    };
    drop(open(&path));
    let ours = fs::read(&path).expect("readable");
    let newer =
        foreign("newer", &format!("PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=2; CREATE TABLE t(x)"));
    let unversioned = foreign("never", &format!("PRAGMA application_id={APPLICATION_ID}; CREATE TABLE t(x)"));
    let cases: [(&str, Vec<u8>, Expected); 8] = [
        ("text", b"a shopping list".to_vec(), |error| matches!(error, OpenError::NotADatabase(_))),
        ("long text", vec![b'x'; 100_000], |error| matches!(error, OpenError::NotADatabase(_))),
        ("cut short", ours[..64].to_vec(), |error| matches!(error, OpenError::NotADatabase(_))),
        ("another program's", foreign("foreign", "CREATE TABLE t(x)"), |error| {
            matches!(error, OpenError::Foreign { application_id: 0, .. })
        }),
        ("another program's with an id", foreign("id", "PRAGMA application_id=7; CREATE TABLE records(x)"), |error| {
            matches!(error, OpenError::Foreign { application_id: 7, .. })
        }),
        ("a newer store", newer, |error| matches!(error, OpenError::Newer { found: 2, .. })),
        ("a store of no version", unversioned, |error| matches!(error, OpenError::Damaged { .. })),
        ("half a store", ours[..4096].to_vec(), |error| matches!(error, OpenError::Damaged { .. })),
    ];
    assert_eq!(SCHEMA_VERSION, 1);
    for (what, bytes, expected) in cases {
        fs::write(&path, &bytes).expect("written");
        let error = open_error(&path);
        assert!(expected(&error), "{what}: {error:?}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
        assert!(error.to_string().contains("jomae.db"), "{error}");
        assert!(what == "half a store" || fs::read(&path).expect("readable") == bytes, "{what}: changed");
        assert!(check_file(&path).is_err(), "{what}");
        assert!(backup_file(&path, &directory.path().join("copy")).is_err(), "{what}");
        assert!(!directory.path().join("copy").exists(), "{what}: a failed copy leaves nothing");
    }
}

#[test]
fn an_empty_file_becomes_a_store_and_a_missing_directory_does_not() {
    let (directory, path) = directory();
    fs::write(&path, "").expect("written");
    let store = open(&path);
    done(&store, vec![put("a", "x")]);
    assert!(matches!(open_error(&directory.path().join("absent/jomae.db")), OpenError::Io { .. }));
    assert!(matches!(open_error(FilePath::new("/")), OpenError::Io { .. } | OpenError::NotADatabase(_)));
    assert!(matches!(check_file(&directory.path().join("absent.db")), Err(OpenError::Io { .. })));
}

#[test]
fn rows_that_no_store_wrote_are_damage_and_named() {
    let cases = [
        ("INSERT INTO records VALUES (CAST(x'6bff2f31' AS TEXT), 1, x'')", "\"k\\xff/1\" is not UTF-8"),
        ("INSERT INTO records VALUES ('', 1, x'')", "the length of the path \"\""),
        ("INSERT INTO records VALUES (printf('k/%.513c', 'x'), 1, x'')", "the length of the path \"k/x"),
        ("INSERT INTO records VALUES ('k/1', -1, x'')", "the revision of the record \"k/1\""),
        ("INSERT INTO records VALUES ('k/1', 1, zeroblob(262145))", "the value of the record \"k/1\""),
    ];
    for (sql, expected) in cases {
        let (_directory, path) = directory();
        done(&open(&path), vec![put("j", "x"), put("l", "x")]);
        tamper(&path, sql);
        let store = open(&path);
        let damage = |result: Result<(), StoreError>| match result {
            Err(StoreError::Damaged(what)) => assert!(what.contains(expected), "{sql}: {what}"),
            other => panic!("{sql}: {other:?}"),
        };
        damage(store.scan("", None, 10).map(drop));
        damage(store.snapshot().expect("begins").collect::<Result<Vec<_>, _>>().map(drop));
        if expected.contains("record") {
            damage(store.get("k/1").map(drop));
        }
        assert!(get(&store, "l").is_some(), "other records stay readable");
        done(&store, vec![put("m", "x")]);
        let problems = store.check().expect("checked").problems;
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{sql}: {problems:?}");
    }
}

#[test]
fn damage_met_in_a_group_undoes_the_whole_group() {
    let (_directory, path) = directory();
    done(&open(&path), vec![put("broken", "x")]);
    tamper(&path, "UPDATE records SET revision = -1");
    let store = open(&path);
    let release = hold_the_writer(&store);
    let commits = [commit(&[], vec![put("a", "x")]), commit(&[("broken", None)], vec![put("b", "x")])];
    let mut waiting = commits.map(|commit| store.commit(commit));
    for future in &mut waiting {
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(release);
    for future in waiting {
        let answer = block_on(future);
        assert!(matches!(answer, Err(StoreError::Damaged(_))), "{answer:?}");
    }
    done(&store, vec![put("c", "x")]);
    assert_eq!([get(&store, "a"), get(&store, "b")], [None, None]);
}

#[test]
fn a_record_from_the_future_is_a_problem() {
    let (_directory, path) = directory();
    done(&open(&path), vec![put("a", "x")]);
    tamper(&path, "UPDATE records SET revision = 1000");
    assert_eq!(check_file(&path).expect("checked").problems, ["the record \"a\" is newer than the store's revision 1"]);
    tamper(&path, "DELETE FROM meta");
    assert!(matches!(open_error(&path), OpenError::Damaged { .. }));
}

#[test]
fn overwritten_pages_are_found() {
    let (_directory, path) = directory();
    let store = open(&path);
    for n in 0..200 {
        done(&store, vec![put(&format!("k/{n:03}"), vec![7; 700])]);
    }
    drop(store);
    let mut bytes = fs::read(&path).expect("readable");
    let (middle, page) = (bytes.len() / 2 / 4096 * 4096, 4096);
    bytes[middle..middle + 4 * page].fill(0xA5);
    fs::write(&path, &bytes).expect("written");
    let store = open(&path);
    let all: Result<Vec<_>, StoreError> = store.snapshot().expect("begins").collect();
    assert!(matches!(all, Err(StoreError::Damaged(_))), "{all:?}");
    assert!(!store.check().expect("checked").problems.is_empty());
    let mut damaged = 0;
    for n in 0..200 {
        match store.get(&format!("k/{n:03}")) {
            Ok(found) => assert_eq!(found.map(|entry| entry.value), Some(vec![7; 700])),
            Err(StoreError::Damaged(_)) => damaged += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!((1..200).contains(&damaged), "{damaged} records are unreadable, the others are right");
}

#[test]
fn backups_during_transfers_keep_the_sum() {
    let (directory, path) = directory();
    let store = open(&path);
    store_suite::open_accounts(&store);
    let mut copies: Vec<(PathBuf, Backup)> = Vec::new();
    store_suite::run_transfers(&store, || {
        let dest = directory.path().join(format!("copy-{}.db", copies.len()));
        // As `jomae backup` in another process would, and as the server itself would.
        let backup = if copies.len().is_multiple_of(2) { store.backup_to(&dest) } else { backup_file(&path, &dest) };
        copies.push((dest, backup.expect("copied")));
    });
    assert!(copies.windows(2).all(|pair| pair[0].1.revision <= pair[1].1.revision));
    for (dest, copied) in &copies {
        assert!(!with_suffix(dest, "-wal").exists() && !with_suffix(dest, ".partial").exists(), "one file");
        assert_eq!(fs::metadata(dest).expect("readable").len(), copied.bytes);
        let copy = open(dest);
        store_suite::check_accounts(&copy);
        assert_eq!(copy.check().expect("checked").problems, Vec::<String>::new());
        let newest = everything(&copy).iter().map(|(_, entry)| entry.revision).max();
        assert_eq!(newest, Some(copied.revision));
        assert!(done(&copy, vec![put("more", "x")]) > copied.revision, "a copy is a store");
    }
}

#[test]
fn a_backup_overwrites_nothing() {
    let (directory, path) = directory();
    let store = open(&path);
    done(&store, vec![put("a", "x")]);
    let dest = directory.path().join("copy.db");
    fs::write(&dest, "precious").expect("written");
    assert!(matches!(store.backup_to(&dest), Err(BackupError::Exists(_))));
    assert_eq!(fs::read(&dest).expect("readable"), b"precious");
    fs::remove_file(&dest).expect("removed");
    let partial = with_suffix(&dest, ".partial");
    fs::write(&partial, "precious").expect("written");
    assert!(matches!(store.backup_to(&dest), Err(BackupError::Exists(found)) if found == partial));
    assert!(!dest.exists());
    fs::remove_file(&partial).expect("removed");
    assert!(matches!(store.backup_to(&directory.path().join("absent/copy.db")), Err(BackupError::Io { .. })));
    assert!(matches!(store.backup_to(&path), Err(BackupError::Exists(_))));
    let copied = store.backup_to(&dest).expect("copied");
    assert_eq!(copied.revision, done(&open(&dest), vec![]));
}
