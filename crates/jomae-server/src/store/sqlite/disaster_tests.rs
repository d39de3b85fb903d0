//! What needs a process of its own: each test starts itself again with a variable set, and that process misbehaves.

use std::{
    env,
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use jomae_core::store::{Committed, Phase, Store, StoreError};
use jomae_sim::{
    block_on,
    store_suite::{commit, done, everything, get, put},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{SqliteStore, check::check_file, file::Options};

const DIRECTORY: &str = "JOMAE_TEST_DIRECTORY";

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, &Options::default()).expect("the store opens")
}

/// The store's file, in the process that is to misbehave.
fn in_child() -> Option<PathBuf> {
    env::var_os(DIRECTORY).map(|directory| Path::new(&directory).join("jomae.db"))
}

/// Starts one test of this program again. Writes beyond the file size limit fail there instead of ending the process.
fn child(test: &str, directory: &Path) -> Command {
    let module = module_path!().split_once("::").expect("inside a crate").1;
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(env::current_exe().expect("this program's path"))
        .args(["--exact", "--nocapture", &format!("{module}::{test}")])
        .env(DIRECTORY, directory);
    command
}

#[test]
fn what_was_answered_survives_a_kill() {
    if let Some(path) = in_child() {
        let store = open(&path);
        let start = everything(&store).len();
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let store = &store;
                scope.spawn(move || {
                    for n in start.. {
                        let key = format!("k/{thread}/{n}");
                        done(store, vec![put(&key, &key), put(&format!("pair/{thread}/{n}"), &key)]);
                        writeln!(std::io::stdout(), "answered {key}").expect("the test reads");
                    }
                });
            }
        });
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("jomae.db");
    let mut answered: Vec<String> = Vec::new();
    for round in 1..=4 {
        let mut process = child("what_was_answered_survives_a_kill", directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines().map_while(Result::ok);
        for (n, line) in lines.filter(|line| line.contains("answered ")).enumerate() {
            if n == 50 * round {
                process.kill().expect("killed");
            }
            // The first line may follow the test runner's own words; the last may be cut off.
            let key = line.split("answered ").nth(1).unwrap_or_default();
            answered.extend(key.ends_with(|last: char| last.is_ascii_digit()).then(|| key.to_owned()));
        }
        assert!(!process.wait().expect("ended").success());
        assert!(answered.len() > 50 * round, "the process was killed at work");
        let store = open(&path);
        for key in &answered {
            assert_eq!(get(&store, key).expect("it was answered").value, key.as_bytes());
        }
        for (path, entry) in everything(&store) {
            let other = if let Some(rest) = path.as_str().strip_prefix("k/") {
                format!("pair/{rest}")
            } else {
                path.as_str().replacen("pair/", "k/", 1)
            };
            assert_eq!(get(&store, &other), Some(entry), "half a commit at {path}");
        }
        drop(store);
        assert_eq!(check_file(&path).expect("checked").problems, Vec::<String>::new());
    }
}

#[test]
fn failing_writes_change_nothing_and_the_store_recovers() {
    if let Some(path) = in_child() {
        writes_fail_for_a_while(&path);
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = child("failing_writes_change_nothing_and_the_store_recovers", directory.path()).output();
    let output = output.expect("this program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let store = open(&directory.path().join("jomae.db"));
    assert_eq!(get(&store, "after").expect("present").value, b"x");
    assert_eq!(store.check().expect("checked").problems, Vec::<String>::new());
}

/// The log cannot grow beyond the process's limit on file sizes, so COMMIT itself fails, as on a failing disk.
fn writes_fail_for_a_while(path: &Path) {
    let store = open(path);
    let before = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(300_000), ..before }).expect("a limit of one's own");
    let value = |n: u8| vec![n; 20_000];
    let told = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&told);
    store.watch(Box::new(move |phase, _| keep.lock().expect("not poisoned").push(phase)));
    let mut stored = 0;
    let failed = loop {
        match block_on(store.commit(commit(&[], vec![put(&format!("k/{stored}"), value(stored))]))) {
            Ok(Committed::Done(_)) => stored += 1,
            other => break other,
        }
    };
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    assert!(stored > 0);
    let ended = std::mem::take(&mut *told.lock().expect("not poisoned"));
    assert_eq!(ended.len(), 2 * usize::from(stored) + 2);
    assert_eq!(ended.last_chunk(), Some(&[Phase::Prepared, Phase::Aborted]), "a COMMIT that failed is told as such");
    assert_eq!(everything(&store).len(), usize::from(stored), "nothing of the failed commit is there");
    for n in 0..3 {
        let again = block_on(store.commit(commit(&[], vec![put(&format!("more/{n}"), value(n))])));
        assert!(matches!(again, Err(StoreError::Unavailable(_))), "{again:?}");
    }
    setrlimit(Resource::Fsize, before).expect("the old limit");
    done(&store, vec![put("after", "x")]);
    assert_eq!(everything(&store).len(), usize::from(stored) + 1);
    drop(store);
    assert_eq!(everything(&open(path)).len(), usize::from(stored) + 1);
}
