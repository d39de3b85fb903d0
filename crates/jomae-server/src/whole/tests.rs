//! What a start makes of a store that was changed beside the service, or is older than was promised.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use jomae_core::{
    keyring::{Keyring, RootKey, WrongRootKey},
    store::{Commit, Committed, Store, Write, memory::MemoryStore},
    whole::State,
};
use jomae_crypto::{root::RootMaterial, secret::Key256, wrap};
use jomae_sim::block_on;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::{
    bootstrap::{self, StartError, Started, audit_dir, store_path},
    config::Config,
    files,
    operate::{self, Accepting},
    store::{Options, SqliteStore, backup_file},
};

struct Root(Key256);

impl RootKey for Root {
    fn wrap(&self, name: &str, domain_key: &Key256) -> Result<Vec<u8>, Fault> {
        wrap::wrap_domain_key(&self.0, name, domain_key).map_err(|error| Fault::internal(error.to_string()))
    }

    fn unwrap(&self, name: &str, wrapped: &[u8]) -> Result<Key256, WrongRootKey> {
        wrap::unwrap_domain_key(&self.0, name, wrapped).map_err(|_| WrongRootKey)
    }
}

/// A store with its hash, whose domain keys stand elsewhere, so that it is empty.
pub(crate) fn begun(store: Arc<dyn Store>) -> Arc<WholeStore> {
    let root = Root(Key256::from_slice(&[7; 32]).unwrap());
    let keyring = block_on(Keyring::open(&MemoryStore::new(), &root)).unwrap();
    let whole = WholeStore::open(store, Arc::new(keyring), None).unwrap();
    whole.begin_counting();
    block_on(whole.accept(0, Vec::new())).unwrap();
    whole
}

/// After this a test has failed, rather than being slow.
const HANG: Duration = Duration::from_mins(1);

struct Site {
    temp: TempDir,
    config: Config,
}

impl Site {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let config = Config { data_dir: temp.path().join("data"), ..Config::default() };
        Self { temp, config }
    }

    async fn start(&self) -> Result<Started, StartError> {
        bootstrap::open(&self.config, gateway::now()).await
    }

    async fn accepting(&self) -> Result<Started, StartError> {
        bootstrap::open(&Config { accept_rollback: true, ..self.config.clone() }, gateway::now()).await
    }

    async fn refused(&self, words: &[&str]) {
        let before = self.files();
        let error = self.start().await.map(drop).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{word} in {error}");
        }
        assert!(!error.contains('\n'));
        assert_eq!(self.files(), before, "nothing was changed");
    }

    fn store(&self) -> PathBuf {
        store_path(&self.config.data_dir)
    }

    /// What is in the store's file, as it is.
    fn files(&self) -> Vec<(String, i64, Vec<u8>)> {
        let mut rows = Vec::new();
        self.sql(|connection| {
            let mut statement = connection.prepare("SELECT path, revision, value FROM records ORDER BY path").unwrap();
            let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
            rows = found.map(Result::unwrap).collect();
        });
        rows
    }

    fn sql(&self, run: impl FnOnce(&Connection)) {
        run(&Connection::open(self.store()).unwrap());
    }

    fn set(&self, path: &str, value: &[u8]) {
        self.sql(|connection| {
            let changed = connection.execute("UPDATE records SET value = ?2 WHERE path = ?1", (path, value)).unwrap();
            assert_eq!(changed, 1);
        });
    }

    fn value(&self, path: &str) -> Vec<u8> {
        self.files().into_iter().find(|(at, ..)| at == path).unwrap().2
    }

    fn events(&self, name: &str) -> Vec<Value> {
        let mut events = Vec::new();
        for segment in jomae_log::layout::segments(&audit_dir(&self.config.data_dir)).unwrap() {
            let text = fs::read_to_string(segment.path).unwrap();
            events.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
        events.retain(|event| event["eventName"] == name);
        events
    }
}

/// Writes a sealed record, and an event, so that the next checkpoint covers both.
async fn write(started: &Started, path: &str, value: &str) {
    let vault = &started.service.kms.vault;
    let sealed = vault.keyring().seal_record(path, value.as_bytes()).unwrap();
    let commit = Commit { expect: vec![], writes: vec![Write::Put(Path::new(path), sealed)] };
    assert!(matches!(vault.store().commit(commit).await, Ok(Committed::Done(_))));
    event(&started.audit, "Test", &[("Path", path)], &started.service.default_region).await.unwrap();
}

/// As the daemon stops.
async fn stop(started: Started) {
    started.audit.close();
    started.audit.keep_end(&started.service.kms.vault).await.unwrap();
}

fn state(started: &Started) -> State {
    let State { changes, digest } = started.whole.state().unwrap();
    State { changes, digest }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_changed_beside_the_service_is_refused_and_named() {
    let site = Site::new();
    let started = site.start().await.unwrap();
    write(&started, "a/key", "enabled").await;
    stop(started).await;
    let older = site.value("a/key");
    let started = site.start().await.unwrap();
    write(&started, "a/key", "disabled").await;
    write(&started, "b/key", "x").await;
    stop(started).await;
    drop(site.start().await.unwrap());

    let newest = site.value("a/key");
    let words = ["changed beside the service", "set back", "jomae restore", "--accept-rollback"];
    site.set("a/key", &older);
    site.refused(&words).await;
    site.set("a/key", &newest);
    drop(site.start().await.unwrap());
    site.sql(|connection| {
        connection.execute("UPDATE records SET path = 'c/key' WHERE path = 'b/key'", ()).unwrap();
    });
    site.refused(&words).await;
    site.sql(|connection| {
        connection.execute("DELETE FROM records WHERE path = 'c/key'", ()).unwrap();
    });
    site.refused(&words).await;

    let started = site.accepting().await.unwrap();
    stop(started).await;
    let events = site.events("AcceptRollback");
    assert_eq!(events.len(), 1, "{events:?}");
    let parameters = events[0]["requestParameters"].to_string();
    assert!(parameters.contains("changed beside the service"), "{parameters}");
    let started = site.start().await.unwrap();
    assert_eq!(site.events("AcceptRollback").len(), 1);
    stop(started).await;
    let error = site.accepting().await.map(drop).unwrap_err();
    assert!(matches!(error, StartError::NothingToAccept), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_older_store_is_refused_by_what_the_log_promises() {
    let site = Site::new();
    let started = site.start().await.unwrap();
    write(&started, "a/key", "enabled").await;
    stop(started).await;
    let older = fs::read(site.store()).unwrap();
    let started = site.start().await.unwrap();
    for n in 0..5 {
        write(&started, "a/key", &format!("changed {n}")).await;
    }
    stop(started).await;
    let newest = fs::read(site.store()).unwrap();
    fs::write(site.store(), &older).unwrap();
    site.refused(&["older than its audit log promises", "changes would be lost, the newest at 2", "--accept-rollback"])
        .await;
    fs::write(site.store(), &newest).unwrap();
    let started = site.start().await.unwrap();
    let promised = state(&started).changes;
    stop(started).await;

    fs::write(site.store(), &older).unwrap();
    let error = site.start().await.map(drop).unwrap_err().to_string();
    // The log is ahead of what the older store knows of it, which is as it should be.
    let started = site.accepting().await.unwrap();
    assert!(state(&started).changes >= promised, "{error}");
    stop(started).await;
    let events = site.events("AcceptRollback");
    let lost = events[0]["requestParameters"]["Lost"].as_str().unwrap();
    assert!(lost.parse::<u64>().unwrap() >= 5, "{events:?}");
    assert!(error.contains(&format!(" {lost} changes would be lost")), "{error}, {lost}");
    drop(site.start().await.unwrap());

    // What was accepted does not make the other one acceptable.
    fs::write(site.store(), &newest).unwrap();
    assert!(site.start().await.is_err());
}

/// The limit of what can be seen on one machine: both are older, and fit together. Checkpoints that are elsewhere tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_and_log_that_are_both_older_are_told_by_a_checkpoint_from_elsewhere() {
    let site = Site::new();
    let started = site.start().await.unwrap();
    write(&started, "a/key", "enabled").await;
    stop(started).await;
    let log = audit_dir(&site.config.data_dir);
    let (older, kept) = (fs::read(site.store()).unwrap(), site.temp.path().join("log"));
    jomae_log::copy(&log, &kept).unwrap_or_else(|_| {
        fs::create_dir(&kept).unwrap();
        jomae_log::copy(&log, &kept).unwrap()
    });
    let started = site.start().await.unwrap();
    write(&started, "a/key", "disabled").await;
    stop(started).await;
    let elsewhere = jomae_log::newest_note(&log).unwrap().unwrap();
    fs::write(site.store(), &older).unwrap();
    fs::remove_dir_all(&log).unwrap();
    fs::create_dir(&log).unwrap();
    jomae_log::copy(&kept, &log).unwrap();
    drop(site.start().await.unwrap());
    let key = jomae_log::verify::files::read_key(&log).unwrap().unwrap();
    let report = jomae_log::verify::verify(&log, &key, &[elsewhere]).unwrap();
    assert!(!report.is_intact());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_hash_was_taken_away_is_refused() {
    let site = Site::new();
    let started = site.start().await.unwrap();
    write(&started, "a/key", "enabled").await;
    stop(started).await;
    site.sql(|connection| {
        connection.execute("DELETE FROM records WHERE path LIKE 'sys/whole/%'", ()).unwrap();
    });
    site.refused(&["does not say what has been changed", "promises", "--accept-rollback"]).await;
    stop(site.accepting().await.unwrap()).await;
    drop(site.start().await.unwrap());
}

/// One that an older version has made is taken as it is, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_an_older_version_is_taken_as_it_is() {
    let mut site = Site::new();
    fs::create_dir(&site.config.data_dir).unwrap();
    fs::set_permissions(&site.config.data_dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    {
        let store = SqliteStore::open(&site.store(), &Options::default()).unwrap();
        let root = RootMaterial::random();
        files::write_private(&site.config.root_key_file(), root.to_key_file().expose()).unwrap();
        let keyring = Keyring::open(&store, &root).await.unwrap();
        let sealed = keyring.seal_record("a/key", b"enabled").unwrap();
        let commit = Commit { expect: vec![], writes: vec![Write::Put(Path::new("a/key"), sealed)] };
        store.commit(commit).await.unwrap();
    }
    site.config.audit.begin_new = true;
    let started = site.start().await.unwrap();
    stop(started).await;
    site.config.audit.begin_new = false;
    let events = site.events("BeginRollbackDetection");
    assert_eq!(events.len(), 1);
    drop(site.start().await.unwrap());
    assert_eq!(site.events("BeginRollbackDetection").len(), 1);
    site.sql(|connection| {
        connection.execute("DELETE FROM records WHERE path = 'a/key'", ()).unwrap();
    });
    site.refused(&["changed beside the service"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_store_says_nothing_of_a_beginning() {
    let site = Site::new();
    stop(site.start().await.unwrap()).await;
    assert_eq!(site.events("BeginRollbackDetection").len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_notices_and_serves_nobody() {
    let mut site = Site::new();
    site.config.store.verify_every_secs = 1;
    let started = site.start().await.unwrap();
    write(&started, "a/key", "enabled").await;
    let older = site.value("a/key");
    write(&started, "a/key", "disabled").await;
    let verifier =
        Verifier::start(Arc::clone(&started.whole), Arc::clone(&started.verified), &site.config.store).unwrap();
    let until = Instant::now() + HANG;
    let runs = started.verified.runs();
    while started.verified.runs() < runs + 2 {
        assert!(Instant::now() < until);
        write(&started, "b/key", "goes on").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(started.service.kms.vault.store().health().is_ok());
    site.set("a/key", &older);
    let why = loop {
        assert!(Instant::now() < until);
        match started.service.kms.vault.store().health() {
            Ok(()) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => break error.to_string(),
        }
    };
    assert!(why.contains("changed beside the service"), "{why}");
    let commit = Commit { expect: vec![], writes: vec![Write::Put(Path::new("b/key"), vec![1])] };
    assert!(started.service.kms.vault.store().commit(commit).await.is_err());
    assert!(started.service.do_due_work(gateway::now()).await.is_err());
    drop(verifier);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_goes_on_from_its_backup_and_refuses_what_is_not_one() {
    let site = Site::new();
    let started = site.start().await.unwrap();
    write(&started, "a/key", "enabled").await;
    let backup = site.temp.path().join("backup");
    fs::create_dir_all(backup.join("audit")).unwrap();
    backup_file(&site.store(), &backup.join("store.db")).unwrap();
    jomae_log::copy(&audit_dir(&site.config.data_dir), &backup.join("audit")).unwrap();
    let root = site.config.root_key_file();
    let restored = |name: &str| Config { data_dir: site.temp.path().join(name), ..Config::default() };
    let whole = restored("whole");
    let found = operate::restore(&backup, Some(&root), Accepting::default(), &whole).await.unwrap();
    assert_eq!(found.rollback, None);
    drop(bootstrap::open(&whole, gateway::now()).await.unwrap());

    // The log went on while the backup was made.
    write(&started, "a/key", "disabled").await;
    stop(started).await;
    fs::remove_dir_all(backup.join("audit")).unwrap();
    fs::create_dir(backup.join("audit")).unwrap();
    jomae_log::copy(&audit_dir(&site.config.data_dir), &backup.join("audit")).unwrap();
    let behind = restored("behind");
    let found = operate::restore(&backup, Some(&root), Accepting::default(), &behind).await.unwrap();
    assert!(found.rollback.is_some_and(|what| what.contains("changes would be lost")));
    let started = bootstrap::open(&behind, gateway::now()).await.unwrap();
    stop(started).await;
    let behind = Site { temp: tempfile::tempdir().unwrap(), config: behind };
    assert_eq!(behind.events("AcceptRollback").len(), 1);

    // One whose records are not those of one moment.
    let connection = Connection::open(backup.join("store.db")).unwrap();
    connection.execute("DELETE FROM records WHERE path = 'a/key'", ()).unwrap();
    drop(connection);
    let mixed = restored("mixed");
    let error = operate::restore(&backup, Some(&root), Accepting::default(), &mixed).await.map(drop).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("changed beside the service") && error.contains("--accept-rollback"), "{error}");
    let accepting = Accepting { rollback: true, ..Accepting::default() };
    let found = operate::restore(&backup, Some(&root), accepting, &mixed).await.unwrap();
    assert!(found.rollback.is_some());
    drop(bootstrap::open(&mixed, gateway::now()).await.unwrap());
}

#[test]
fn a_log_runs_ahead_of_a_backup_for_an_hour_at_most() {
    let state = |changes| StoreState { changes, digest: [0; 32] };
    let at = |secs: i64| jomae_log::Timestamp(1_800_000_000 + secs);
    let promised = Promised { state: state(10), at: at(3600) };
    let older = WholeError::Older { lost: 1, newest: promised.at };
    assert!(is_of_one_backup(&older, Some(&promised), Some(at(0))));
    assert!(!is_of_one_backup(&older, Some(&promised), Some(at(-1))));
    assert!(!is_of_one_backup(&older, Some(&promised), None));
    assert!(!is_of_one_backup(&WholeError::Other { changes: 10 }, Some(&promised), Some(at(0))));
    assert!(!is_of_one_backup(&WholeError::Trouble(Trouble::Differs { records: 3 }), Some(&promised), Some(at(0))));
}

#[test]
fn what_is_promised_is_held() {
    let at = jomae_log::Timestamp(1_800_000_000);
    let found = |changes, byte| Ok(Found { records: 3, state: Some(State { changes, digest: [byte; 32] }) });
    let promised = Promised { state: StoreState { changes: 10, digest: [1; 32] }, at };
    assert!(judge(&found(10, 1), Some(&promised)).is_ok());
    assert!(judge(&found(11, 2), Some(&promised)).is_ok());
    assert!(judge(&found(0, 0), None).is_ok());
    assert!(judge(&Ok(Found { records: 3, state: None }), None).is_ok());
    let why = judge(&found(7, 1), Some(&promised)).unwrap_err();
    let said = "the store is older than its audit log promises: 3 changes would be lost, the newest at \
                2027-01-15T08:00:00Z (UTC)";
    assert_eq!(without_advice(&why), said);
    assert!(matches!(judge(&found(10, 2), Some(&promised)), Err(WholeError::Other { changes: 10 })));
    assert!(matches!(judge(&Ok(Found { records: 3, state: None }), Some(&promised)), Err(WholeError::Silent { .. })));
    let differs = Err(Trouble::Differs { records: 3 });
    assert!(matches!(judge(&differs, None), Err(WholeError::Trouble(_))));
}
