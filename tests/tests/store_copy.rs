//! A store that moves from SQLite to etcd and back, wherever the move is interrupted; and a backup that is restored to etcd.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use jomae_core::{
    keyring::Keyring,
    store::{Commit, Store as _, Write},
    whole::WholeStore,
};
use jomae_server::{
    config::Config,
    operate::copy::{Copied, Step, copy},
    root_key,
    store::{Options, SqliteStore},
};
use jomae_sim::etcd::Etcd;
use jomae_tests::{
    Server, Site, binary,
    calls::{ask, create_key, decrypt, encrypt},
    cli::{Ran, jomae},
    tree,
};
use rustix::process::{Pid, Signal, kill_process};

/// Base64 of "secret".
const PLAINTEXT: &str = "c2VjcmV0";

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A service, and the configurations under which its store is a file and in etcd.
struct Move {
    site: Site,
    etcd: Etcd,
}

impl Move {
    fn new() -> Self {
        Self { site: Site::default(), etcd: Etcd::start() }
    }

    fn sqlite(&self) -> PathBuf {
        self.sqlite_in(&self.site.data(), "sqlite")
    }

    fn sqlite_in(&self, data: &Path, name: &str) -> PathBuf {
        self.site.write(&format!("{name}.toml"), format!("data_dir = \"{}\"\n", data.display()))
    }

    fn etcd(&self) -> PathBuf {
        self.etcd_in(&self.site.data(), "etcd")
    }

    /// In a store of that name.
    fn etcd_in(&self, data: &Path, name: &str) -> PathBuf {
        let endpoints = self.etcd.endpoints();
        self.site.write(
            &format!("{name}.toml"),
            format!(
                "data_dir = \"{}\"\n[store]\nkind = \"etcd\"\nendpoints = {endpoints:?}\nprefix = \"{name}\"\n\
                 [cluster]\nnode = \"a\"\nlease_secs = 3\n",
                data.display()
            ),
        )
    }

    fn start(&self, config: &Path) -> Server {
        self.site.launch().config_at(config).start()
    }

    /// A service with a key, a user, and a secret under the key.
    fn filled() -> (Self, Secret) {
        let this = Self::new();
        let mut server = this.start(&this.sqlite());
        let secret = runtime().block_on(async {
            let key = create_key(&server.client(), "orders").await;
            let text = encrypt(&server.client(), &key, PLAINTEXT).await;
            Secret { key, text }
        });
        server.jomae(&["user", "create", "billing"]).ok();
        assert_eq!(server.stop(), Some(0));
        (this, secret)
    }

    /// More records than fit in a commit, in number and in bytes, and more domain keys.
    fn fill(&self) {
        let config = Config::read(&self.sqlite()).unwrap();
        let store = Arc::new(SqliteStore::open(&self.site.data().join("store.db"), &Options::default()).unwrap());
        runtime().block_on(async {
            let root = root_key::open(&config, &*store).await.unwrap().root;
            let keyring = Arc::new(Keyring::open(&*store, &root).await.unwrap());
            // As a service writes.
            let store = WholeStore::open(store, Arc::clone(&keyring), None).unwrap();
            while keyring.version() < 125 {
                keyring.rotate(&*store, &root).await.unwrap();
            }
            for n in 0..600 {
                let path = format!("filler/{n:04}");
                let bytes = if n % 50 == 0 { 200 * 1024 } else { 1000 };
                let value = keyring.seal_record(&path, &vec![b'x'; bytes]).unwrap();
                let writes = vec![Write::Put(jomae_core::store::Path::new(path), value)];
                store.commit(Commit { expect: Vec::new(), writes }).await.unwrap();
            }
            // As a crash leaves it.
            let event = br#"{"eventId":"0ba1c2d3-5e6f-7081-92a3-b4c5d6e7f809"}"#;
            let path = "sys/outbox/0ba1c2d3-5e6f-7081-92a3-b4c5d6e7f809";
            let writes =
                vec![Write::Put(jomae_core::store::Path::new(path), keyring.seal_record(path, event).unwrap())];
            store.commit(Commit { expect: Vec::new(), writes }).await.unwrap();
        });
    }

    fn keys_in_etcd(&self, name: &str) -> usize {
        let found = self.etcd.control(&["get", "--prefix", "--keys-only", &format!("{name}/")]);
        found.lines().filter(|line| !line.is_empty()).count()
    }
}

/// What must be decrypted wherever the store is.
struct Secret {
    key: String,
    text: String,
}

impl Secret {
    fn is_kept_by(&self, server: &Server) {
        runtime().block_on(async {
            assert_eq!(decrypt(&server.client(), &self.text).await, PLAINTEXT);
            let about = ask(&server.client(), "DescribeKey", &[("KeyId", &self.key)]).await;
            assert_eq!(about["KeyMetadata"]["Description"], "orders");
        });
        assert!(server.jomae(&["user", "list", "--field", "UserName"]).ok().text().contains("billing"));
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn store_copy(from: &Path, to: &Path) -> Ran {
    jomae(&["store", "copy", "--from", word(from), "--to", word(to)])
}

/// A copy that dies at a step, after some records.
fn interrupted(from: &Path, to: &Path, at: (Step, u64)) -> bool {
    let (from, to) = (Config::read(from).unwrap(), Config::read(to).unwrap());
    let mut on_progress = |step, done, _: Option<u64>| assert!((step, done) != at, "interrupted");
    let run = || runtime().block_on(async { copy(&from, &to, &mut on_progress).await.unwrap() });
    catch_unwind(AssertUnwindSafe(run)).map(|_: Copied| ()).is_err()
}

/// The log of a service comes before what it says.
#[track_caller]
fn is_unfinished(start: &Ran) {
    assert_eq!(start.code, Some(1));
    assert!(start.stderr.lines().last().unwrap().contains("unfinished copy"), "{}", start.stderr);
}

#[test]
fn to_etcd_and_back() {
    let (this, secret) = Move::filled();
    this.fill();
    let said = store_copy(&this.sqlite(), &this.etcd()).ok();
    assert!(said.text().starts_with("copied ") && !said.text().contains("move"), "{}", said.text());
    store_copy(&this.sqlite(), &this.etcd()).failed(1, &["holds a store already"]);

    let config = this.etcd();
    let mut node = this.start(&config);
    secret.is_kept_by(&node);
    // Its log is that of the single node, with the event that had waited.
    let events = node.audit();
    assert!(events.iter().any(|event| event["eventId"] == "0ba1c2d3-5e6f-7081-92a3-b4c5d6e7f809"));
    assert!(events.iter().any(|event| event["eventName"] == "CreateKey"));
    let config_words = ["--config", word(&config)];
    let doctor = jomae(&[&["doctor"], &config_words[..]].concat());
    for line in ["ok     store in etcd: ", "ok     records: all ", "ok     audit log: "] {
        assert!(doctor.text().contains(line), "{}", doctor.text());
    }
    jomae(&[&["account", "list"], &config_words[..]].concat()).ok();
    let backup = this.site.path("backup");
    jomae(&[&["backup", "create", "--to", word(&backup)], &config_words[..]].concat()).ok();
    jomae(&[&["restore", "--from", word(&backup), "--accept-unknown-log"], &config_words[..]].concat())
        .failed(1, &["is not empty"]);
    jomae(&[&["domain-key", "rotate"], &config_words[..]].concat()).failed(1, &["another process"]);
    let created = runtime().block_on(create_key(&node.client(), "made in etcd"));

    // In use, on this machine and seen from another.
    let back = this.site.path("back");
    fs::create_dir(&back).unwrap();
    fs::copy(this.site.data().join("root.key"), back.join("root.key")).unwrap();
    let to = this.sqlite_in(&back, "back");
    store_copy(&config, &to).failed(1, &["the source", "another process"]);
    let elsewhere = this.site.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::copy(this.site.data().join("root.key"), elsewhere.join("root.key")).unwrap();
    let other = this.etcd_in(&elsewhere, "etcd");
    store_copy(&other, &to).failed(1, &["the source is in use by a"]);
    assert!(!back.join("store.db").exists());
    assert_eq!(node.stop(), Some(0));
    let config = this.etcd();
    jomae(&["account", "list", "--config", word(&config)]).failed(4, &["no node of the cluster"]);
    jomae(&["audit", "verify", "--data-dir", word(&this.site.data())]).ok();
    jomae(&["domain-key", "rotate", "--config", word(&config)]).ok();

    // The old file is still there, and not written over.
    store_copy(&config, &this.sqlite()).failed(1, &["holds a store already"]);
    let said = store_copy(&config, &to).ok();
    assert!(said.text().contains("Before the first start, move "), "{}", said.text());
    fs::rename(this.site.data().join("audit"), back.join("audit")).unwrap();
    for name in ["env", "ca.pem", "tls"] {
        fs::rename(this.site.data().join(name), back.join(name)).unwrap();
    }
    let server = this.site.launch().data(&back).config_at(&to).start();
    secret.is_kept_by(&server);
    let about = runtime().block_on(ask(&server.client(), "DescribeKey", &[("KeyId", &created)]));
    assert_eq!(about["KeyMetadata"]["Description"], "made in etcd");
    assert!(server.audit().iter().any(|event| event["eventId"] == "0ba1c2d3-5e6f-7081-92a3-b4c5d6e7f809"));
    let doctor = jomae(&["doctor", "--config", word(&to)]);
    assert!(doctor.text().contains("ok     records: all "), "{}", doctor.text());
}

#[test]
fn an_interrupted_copy_is_taken_up_and_not_served() {
    let (this, secret) = Move::filled();
    this.fill();
    let (from, to) = (this.sqlite(), this.etcd());
    for at in [(Step::Checking, 3), (Step::Copying, 1), (Step::Copying, 300), (Step::Comparing, 300)] {
        assert!(interrupted(&from, &to, at), "{at:?}");
        if at.0 != Step::Checking {
            is_unfinished(&this.site.launch().config_at(&to).fails());
            jomae(&["domain-key", "rotate", "--config", word(&to)]).failed(1, &["unfinished copy"]);
        }
    }
    // Between two attempts the source may go on.
    let mut server = this.start(&from);
    let created = runtime().block_on(create_key(&server.client(), "meanwhile"));
    server.jomae(&["user", "delete", "billing", "--yes"]);
    server.jomae(&["user", "create", "billing"]);
    assert_eq!(server.stop(), Some(0));
    for wait in [30, 80, 150, 250] {
        let mut command = binary::command();
        command.args(["store", "copy", "--from", word(&from), "--to", word(&to)]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            break;
        }
    }
    let again = store_copy(&from, &to);
    if again.code != Some(0) {
        again.failed(1, &["holds a store already"]);
    }
    let mut node = this.start(&to);
    secret.is_kept_by(&node);
    runtime().block_on(ask(&node.client(), "DescribeKey", &[("KeyId", &created)]));
    assert_eq!(node.stop(), Some(0));

    let back = this.site.path("back");
    fs::create_dir(&back).unwrap();
    fs::copy(this.site.data().join("root.key"), back.join("root.key")).unwrap();
    let sqlite = this.sqlite_in(&back, "back");
    for at in [(Step::Copying, 200), (Step::Comparing, 1)] {
        assert!(interrupted(&to, &sqlite, at), "{at:?}");
        is_unfinished(&this.site.launch().data(&back).config_at(&sqlite).fails());
    }
    store_copy(&to, &sqlite).ok();
}

#[test]
fn what_is_not_copied() {
    let (this, _) = Move::filled();
    let (from, to) = (this.sqlite(), this.etcd());
    store_copy(&from, &from).failed(1, &["same kind"]);

    // The root key.
    let other = this.site.path("other");
    fs::create_dir(&other).unwrap();
    let without = this.etcd_in(&other, "other");
    store_copy(&from, &without).failed(1, &["no root key", "root.key"]);
    let stranger = Site::default();
    let mut server = stranger.start();
    assert_eq!(server.stop(), Some(0));
    fs::copy(stranger.data().join("root.key"), other.join("root.key")).unwrap();
    store_copy(&from, &without).failed(1, &["is not that of the source"]);
    assert_eq!(this.keys_in_etcd("other"), 0);

    // A source in use, and one that is none.
    let mut server = this.start(&from);
    store_copy(&from, &to).failed(1, &["the source", "another process"]);
    assert_eq!(server.stop(), Some(0));
    let nothing = this.sqlite_in(&this.site.path("nothing"), "nothing");
    store_copy(&nothing, &to).failed(1, &["there is no store"]);
    store_copy(&to, &nothing).failed(1, &["there is no store under the prefix"]);
    assert!(!this.site.path("nothing").exists());
    assert_eq!(this.keys_in_etcd("etcd"), 0);

    // A destination in use, and an unfinished copy of another source.
    assert!(interrupted(&from, &to, (Step::Copying, 1)));
    let strange = this.etcd_in(&stranger.data(), "etcd");
    store_copy(&this.sqlite_in(&stranger.data(), "stranger"), &strange).failed(1, &["holds a store already"]);
    let to = this.etcd();
    store_copy(&from, &to).ok();
    let strange = this.etcd_in(&stranger.data(), "etcd");
    store_copy(&this.sqlite_in(&stranger.data(), "stranger"), &strange).failed(1, &["holds a store already"]);

    // Damage.
    let store = this.site.data().join("store.db");
    let connection = rusqlite::Connection::open(&store).unwrap();
    let damage = "UPDATE records SET value = zeroblob(length(value)) WHERE path LIKE 'sys/account/%'";
    assert!(connection.execute(damage, []).unwrap() > 0);
    drop(connection);
    let fresh = this.etcd_in(&this.site.data(), "fresh");
    store_copy(&from, &fresh).failed(1, &["the source is damaged, and nothing was written: record sys/account/"]);
    assert_eq!(this.keys_in_etcd("fresh"), 0);
}

/// A node that was killed does not stand in the way for longer than its lease.
#[test]
fn a_killed_node_is_waited_for() {
    let (this, secret) = Move::filled();
    let (from, to) = (this.sqlite(), this.etcd());
    store_copy(&from, &to).ok();
    let mut node = this.start(&to);
    node.kill();
    let back = this.site.path("back");
    fs::create_dir(&back).unwrap();
    fs::copy(this.site.data().join("root.key"), back.join("root.key")).unwrap();
    let sqlite = this.sqlite_in(&back, "back");
    let began = Instant::now();
    let said = store_copy(&this.etcd(), &sqlite).ok();
    assert!(began.elapsed() > Duration::from_secs(3));
    assert!(said.text().contains("that only a cluster needs were left out"), "{}", said.text());
    for name in ["audit", "env", "ca.pem", "tls"] {
        fs::rename(this.site.data().join(name), back.join(name)).unwrap();
    }
    secret.is_kept_by(&this.site.launch().data(&back).config_at(&sqlite).start());
}

/// Restores the newest backup by the configuration, with more words.
fn restore(from: &Path, config: &Path, more: &[&str]) -> Ran {
    jomae(&[&["restore", "--from", word(from), "--config", word(config), "--accept-unknown-log"][..], more].concat())
}

#[test]
fn a_backup_is_restored_to_etcd_and_that_of_a_node_to_another() {
    let (this, secret) = Move::filled();
    this.fill();
    let mut server = this.start(&this.sqlite());
    let (backups, root_key) = (this.site.path("backups"), this.site.data().join("root.key"));
    let back_up = |config: &Path| {
        jomae(&["backup", "create", "--to", word(&backups), "--whole", "--config", word(config)]).ok();
    };
    // With more domain keys than one commit takes.
    jomae(&["root", "rotate", "--data-dir", word(&this.site.data())]).ok();
    back_up(&this.sqlite());
    assert_eq!(server.stop(), Some(0));
    let mut server = this.start(&this.sqlite());
    secret.is_kept_by(&server);
    assert_eq!(server.stop(), Some(0));
    let by_key = ["--root-key", word(&root_key)];

    // Not without what opens it, not to an etcd that is not there, and nothing is left of the attempt.
    let data = this.site.path("machine");
    let config = this.etcd_in(&data, "direct");
    restore(&backups, &config, &[]).failed(1, &["root.key"]);
    let nowhere = this.site.write(
        "nowhere.toml",
        format!(
            "data_dir = \"{}\"\n[store]\nkind = \"etcd\"\nendpoints = [\"http://127.0.0.1:1\"]\n[cluster]\nnode = \"a\"\n",
            data.display()
        ),
    );
    restore(&backups, &nowhere, &by_key).failed(1, &["the destination"]);
    assert!(!data.exists());
    assert_eq!(this.keys_in_etcd("direct"), 0);

    let told = restore(&backups, &config, &by_key).ok();
    assert!(told.text().contains("records to etcd, every one opened"), "{}", told.text());
    assert!(told.text().contains("as that of the node a"), "{}", told.text());
    for gone in ["store.db", "store.db-wal", "store.db-shm"] {
        assert!(!data.join(gone).exists(), "{gone}");
    }
    let mut node = this.site.launch().data(&data).config_at(&config).start();
    secret.is_kept_by(&node);
    assert!(node.audit().iter().any(|event| event["eventName"] == "CreateKey"), "its log goes on");
    let doctor = jomae(&["doctor", "--config", word(&config)]);
    for line in ["ok     store in etcd: ", "ok     records: all ", "ok     audit log: "] {
        assert!(doctor.text().contains(line), "{}", doctor.text());
    }
    let created = runtime().block_on(create_key(&node.client(), "made in etcd"));
    let root_id =
        || jomae(&["root", "status", "--field", "RootKeyId", "--config", word(&config)]).ok().text().to_owned();
    let before = root_id();
    jomae(&["root", "rotate", "--config", word(&config)]).ok();
    assert_ne!(root_id(), before);
    secret.is_kept_by(&node);
    let shares = this.site.path("t");
    let add = ["root", "add", "shares", "--open", "2", "--of", "3", "--to", word(&shares), "--config", word(&config)];
    jomae(&add).ok();
    let of_node = this.site.path("of-node");
    jomae(&["backup", "create", "--to", word(&of_node), "--config", word(&config)]).ok();

    // A store that is used is left as it is, whether its node runs or not.
    let second = this.site.path("second");
    let same = this.etcd_in(&second, "direct");
    restore(&backups, &same, &by_key).failed(1, &["holds a store already"]);
    assert_eq!(node.stop(), Some(0));
    restore(&backups, &same, &by_key).failed(1, &["holds a store already"]);
    assert!(!second.exists());

    // That of a node, with shares, becomes that of a node with another name.
    let config = this.etcd_in(&second, "second");
    let renamed = fs::read_to_string(&config).unwrap().replace("node = \"a\"", "node = \"b\"");
    let config = this.site.write("second.toml", renamed);
    let share = |n: u8| shares.join(format!("share-{n}.txt"));
    let (one, three) = (share(1), share(3));
    let told = restore(&of_node, &config, &["--share", word(&one), "--share", word(&three)]).ok();
    assert!(told.text().contains("root.key is new"), "{}", told.text());
    let node = this.site.launch().data(&second).config_at(&config).start();
    secret.is_kept_by(&node);
    let about = runtime().block_on(ask(&node.client(), "DescribeKey", &[("KeyId", &created)]));
    assert_eq!(about["KeyMetadata"]["Description"], "made in etcd");
}

#[test]
fn an_interrupted_restore_to_etcd_is_not_served_and_another_one_ends_it() {
    let (this, secret) = Move::filled();
    this.fill();
    let server = this.start(&this.sqlite());
    let (backups, root_key) = (this.site.path("backups"), this.site.data().join("root.key"));
    jomae(&["backup", "create", "--to", word(&backups), "--data-dir", word(&this.site.data())]).ok();
    drop(server);
    let data = this.site.path("machine");
    let config = this.etcd_in(&data, "cut");
    // In etcd, and then, of one that goes on with it, before it has come so far again.
    let stages: [(&str, &dyn Fn() -> bool); 2] =
        [("etcd", &|| this.keys_in_etcd("cut") >= 20), ("file", &|| data.join("store.db").exists())];
    for (stage, is_there) in stages {
        let mut command = binary::command();
        command.args(["restore", "--from", word(&backups), "--root-key", word(&root_key), "--config", word(&config)]);
        command.arg("--accept-unknown-log");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        // It stands still while it is looked at, however busy the machine is.
        loop {
            thread::sleep(Duration::from_millis(5));
            kill_process(pid, Signal::STOP).unwrap();
            if is_there() || child.try_wait().unwrap().is_some() {
                break;
            }
            kill_process(pid, Signal::CONT).unwrap();
        }
        let config = this.etcd_in(&data, "cut");
        let by_key = ["--root-key", word(&root_key)];
        restore(&backups, &config, &by_key).failed(1, &["under way"]);
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "the restore was not cut off: {stage}");
        let fresh = this.site.path(&format!("fresh-{stage}"));
        fs::create_dir(&fresh).unwrap();
        fs::copy(&root_key, fresh.join("root.key")).unwrap();
        let on_it = this.etcd_in(&fresh, "cut");
        is_unfinished(&this.site.launch().data(&fresh).config_at(&on_it).fails());
        // What was killed could not clean up. It is nobody's data directory, and whoever restores again is told what to do.
        let config = this.etcd_in(&data, "cut");
        let left = tree::read(&data);
        let told = ["machine is what a restore has left that was cut off", "Remove it, and run the restore again"];
        restore(&backups, &config, &by_key).failed(1, &told);
        this.site.launch().data(&data).config_at(&config).fails().failed(1, &told);
        this.site.launch().data(&data).fails().failed(1, &told);
        assert_eq!(tree::differences(&left, &tree::read(&data)), Vec::<String>::new());
        assert!(jomae(&["doctor", "--data-dir", word(&data)]).text().contains(told[0]));
        fs::remove_dir_all(&data).unwrap();
    }

    // Of another service, it is none of theirs.
    let stranger = Site::default();
    let server = stranger.start();
    let others = stranger.path("backups");
    jomae(&["backup", "create", "--to", word(&others), "--data-dir", word(&stranger.data())]).ok();
    drop(server);
    let other_key = stranger.data().join("root.key");
    restore(&others, &config, &["--root-key", word(&other_key)]).failed(1, &["holds a store already"]);
    assert!(!data.exists());

    restore(&backups, &config, &["--root-key", word(&root_key)]).ok();
    secret.is_kept_by(&this.site.launch().data(&data).config_at(&config).start());
}
