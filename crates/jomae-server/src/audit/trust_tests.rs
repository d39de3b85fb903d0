//! What a start takes for its own log, and what it refuses.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use jomae_api::names::RegionId;
use jomae_core::{
    error::Fault,
    keyring::{Keyring, RootKey, WrongRootKey},
    store::{Store, memory::MemoryStore},
};
use jomae_crypto::{secret::Key256, wrap};
use jomae_log::{Extent, layout};

use super::*;

pub fn line(n: u64) -> Vec<u8> {
    let time = jomae_log::Timestamp(1_800_000_000 + i64::try_from(n).unwrap());
    format!("{{\"eventId\":\"id-{n}\",\"eventTime\":\"{time}\"}}").into_bytes()
}

/// Appends events `from..to`, and checks their numbers; the last one is on disk.
pub async fn append(log: &AuditLog, from: u64, to: u64) {
    for n in from..to {
        let durability = if n + 1 == to { Durability::OnDisk } else { Durability::Handed };
        let Appended { index, done } = log.append(&Event::of_line(line(n)), durability);
        assert_eq!(index, n);
        done.wait().await.unwrap();
    }
}

fn lines_of(dir: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for segment in layout::segments(dir).unwrap() {
        assert_eq!(segment.first, all.len() as u64);
        let mut lines = jomae_log::Lines::open(&segment.path).unwrap();
        while let Some(line) = lines.next_line().unwrap() {
            all.push(line.to_vec());
        }
    }
    all
}

struct Root(Key256);

impl RootKey for Root {
    fn wrap(&self, name: &str, domain_key: &Key256) -> Result<Vec<u8>, Fault> {
        wrap::wrap_domain_key(&self.0, name, domain_key).map_err(|error| Fault::internal(error.to_string()))
    }

    fn unwrap(&self, name: &str, wrapped: &[u8]) -> Result<Key256, WrongRootKey> {
        wrap::unwrap_domain_key(&self.0, name, wrapped).map_err(|_| WrongRootKey)
    }
}

/// The vault over a store, as a start opens it.
pub async fn vault(store: &Arc<MemoryStore>) -> Vault {
    let root = Root(Key256::from_slice(&[7; 32]).unwrap());
    let keyring = Keyring::open(&**store, &root).await.unwrap();
    Vault::new(Arc::clone(store) as Arc<dyn jomae_core::store::Store>, Arc::new(keyring), 100)
}

/// A start.
pub async fn begun(dir: &Path, config: &config::Audit, vault: &Vault) -> Result<AuditLog, OpenError> {
    open(dir, config, vault, jomae_log::StateSource::default())
        .await?
        .begin(vault, &RegionId::new("cn-hangzhou").unwrap())
        .await
}

/// A service's log with the store that knows it.
struct Service {
    store: Arc<MemoryStore>,
    temp: tempfile::TempDir,
    config: config::Audit,
}

impl Service {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        Self { store: Arc::new(MemoryStore::new()), temp, config: config::Audit::default() }
    }

    fn dir(&self) -> PathBuf {
        self.temp.path().join("audit")
    }

    fn newest(&self) -> PathBuf {
        layout::segments(&self.dir()).unwrap().pop().unwrap().path
    }

    async fn start(&self) -> Result<AuditLog, OpenError> {
        begun(&self.dir(), &self.config, &vault(&self.store).await).await
    }

    /// A clean stop.
    async fn stop(&self, log: AuditLog) {
        log.close();
        log.keep_end(&vault(&self.store).await).await.unwrap();
    }

    /// Events that were written, and a stop.
    async fn run(&self, from: u64, to: u64) {
        let log = self.start().await.unwrap();
        append(&log, from, to).await;
        self.stop(log).await;
    }

    /// Leaves the log as a kill would: with MACs, but without the last checkpoints and without a word to the store.
    async fn killed(&self, from: u64, to: u64) {
        let log = self.start().await.unwrap();
        let (signed, tree) = (fs::read(layout::checkpoints(&self.dir())).unwrap(), layout::tree(&self.dir()).join("0"));
        let leaves = fs::read(&tree).unwrap();
        append(&log, from, to).await;
        drop(log);
        fs::write(layout::checkpoints(&self.dir()), signed).unwrap();
        fs::write(tree, leaves).unwrap();
    }

    async fn known(&self) -> TreeHead {
        signing_key::known(&vault(&self.store).await, None).unwrap().unwrap().2.unwrap().head
    }
}

#[track_caller]
fn refused(result: Result<AuditLog, OpenError>, words: &[&str]) {
    let error = result.err().expect("a refusal").to_string();
    for word in words {
        assert!(error.contains(word), "{word:?} is not in {error}");
    }
    assert!(!error.contains('\n'));
}

fn text(from: u64, to: u64) -> Vec<u8> {
    (from..to).flat_map(|n| [line(n), b"\n".to_vec()].concat()).collect()
}

/// Every file of a log.
fn content(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_made_up_event_is_refused_before_anything_is_signed() {
    let service = Service::new();
    service.run(0, 20).await;
    let own = fs::read(service.newest()).unwrap();
    fs::write(service.newest(), [own.clone(), text(20, 21)].concat()).unwrap();
    let before = content(&service.dir());
    refused(service.start().await, &["continued by somebody else", "after 20 events", "21 are there"]);
    assert!(content(&service.dir()) == before, "the directory was changed");
    // In a file of its own.
    fs::write(service.newest(), &own).unwrap();
    let next = layout::segment(&service.dir(), 20);
    fs::write(&next, text(20, 22)).unwrap();
    refused(service.start().await, &["continued by somebody else", "22 are there"]);
    fs::remove_file(&next).unwrap();
    service.run(20, 25).await;
    assert_eq!(lines_of(&service.dir()).len(), 25);
}

#[tokio::test]
async fn history_behind_an_older_checkpoint_is_refused() {
    let service = Service::new();
    service.run(0, 10).await;
    let signed = fs::read(layout::checkpoints(&service.dir())).unwrap();
    service.run(10, 20).await;
    let own = content(&service.dir());
    // An event dropped behind the checkpoint that is left, which is all that the files say then.
    fs::write(layout::checkpoints(&service.dir()), &signed).unwrap();
    fs::write(service.newest(), [text(0, 14), text(15, 20)].concat()).unwrap();
    refused(service.start().await, &["has been cut", "store's record covers 20 events", "only 19"]);
    // Another one in its place; in another order; cut back to the checkpoint.
    for lines in
        [[text(0, 14), text(30, 31), text(15, 20)].concat(), [text(0, 14), text(15, 20), text(14, 15)].concat()]
    {
        fs::write(service.newest(), lines).unwrap();
        refused(service.start().await, &["has been changed"]);
    }
    fs::write(service.newest(), text(0, 10)).unwrap();
    refused(service.start().await, &["has been cut", "20 events", "only 10"]);
    // The whole log, without its newest checkpoint, is still the log.
    for (path, bytes) in own {
        fs::write(path, bytes).unwrap();
    }
    fs::write(layout::checkpoints(&service.dir()), signed).unwrap();
    service.run(20, 21).await;
    assert_eq!(lines_of(&service.dir()).len(), 21);
}

#[tokio::test]
async fn another_course_of_the_log_is_refused() {
    let service = Service::new();
    service.run(0, 300).await;
    // As if a backup had been brought back, and the log had gone on from there.
    let (other, entries) = (service.temp.path().join("other"), service.store.snapshot().unwrap());
    let earlier: Vec<_> = entries.map(|row| row.unwrap()).collect();
    fs::create_dir(&other).unwrap();
    jomae_log::copy(&service.dir(), &other).unwrap();
    service.run(300, 310).await;
    let fork = Service::new();
    let writes = earlier.into_iter().map(|(path, entry)| jomae_core::store::Write::Put(path, entry.value)).collect();
    fork.store.commit(jomae_core::store::Commit { expect: Vec::new(), writes }).await.unwrap();
    fs::rename(&other, fork.dir()).unwrap();
    let log = fork.start().await.unwrap();
    for n in 400..430 {
        log.append(&Event::of_line(line(n)), Durability::OnDisk).done.wait().await.unwrap();
    }
    fork.stop(log).await;
    fs::remove_dir_all(service.dir()).unwrap();
    fs::rename(fork.dir(), service.dir()).unwrap();
    refused(service.start().await, &["has been changed", "do not go on from the 310"]);
}

#[tokio::test]
async fn what_a_kill_leaves_is_taken_as_far_as_it_is_proven() {
    let service = Service::new();
    service.run(0, 10).await;
    service.killed(10, 20).await;
    // Without a checkpoint, and the store knows of 10 only: the MACs say that they are ours.
    assert_eq!(service.known().await.size, 10);
    let log = service.start().await.unwrap();
    assert_eq!((log.counts().size, log.counts().covered), (20, 20));
    drop(log);
    service.killed(20, 30).await;
    // Behind them stands what the kill has left of a batch, or what somebody has written meanwhile: it is not signed.
    fs::write(service.newest(), [text(0, 32), b"{\"torn".to_vec()].concat()).unwrap();
    let log = service.start().await.unwrap();
    assert_eq!(log.counts().size, 30);
    append(&log, 30, 31).await;
    service.stop(log).await;
    assert_eq!(lines_of(&service.dir()).len(), 31);
    let aside = service.newest().with_extension(format!("torn-at-{}", text(0, 30).len()));
    assert_eq!(fs::read(aside).unwrap(), [text(30, 32), b"{\"torn".to_vec()].concat());
    // A file of its own, too.
    service.killed(31, 33).await;
    fs::write(layout::segment(&service.dir(), 33), text(40, 42)).unwrap();
    let log = service.start().await.unwrap();
    assert_eq!(log.counts().size, 33);
    drop(log);
    // One of the proven events changed: none of what comes after the checkpoint is proven then.
    service.killed(33, 40).await;
    let lines = String::from_utf8(fs::read(service.newest()).unwrap()).unwrap();
    fs::write(service.newest(), lines.replacen("id-35", "id-36", 1)).unwrap();
    let log = service.start().await.unwrap();
    assert_eq!(log.counts().size, 33);
}

#[tokio::test]
async fn a_log_that_has_gone_on_since_the_store_was_copied_is_taken_as_far_as_it_is_signed() {
    let service = Service::new();
    service.run(0, 5).await;
    let rows: Vec<_> = service.store.snapshot().unwrap().map(|row| row.unwrap()).collect();
    service.run(5, 9).await;
    let copied = Service::new();
    let writes = rows.into_iter().map(|(path, entry)| jomae_core::store::Write::Put(path, entry.value)).collect();
    copied.store.commit(jomae_core::store::Commit { expect: Vec::new(), writes }).await.unwrap();
    fs::create_dir(copied.dir()).unwrap();
    jomae_log::copy(&service.dir(), &copied.dir()).unwrap();
    fs::write(copied.newest(), text(0, 10)).unwrap();
    let log = copied.start().await.unwrap();
    assert_eq!((log.counts().size, log.counts().covered), (9, 9));
}

#[tokio::test]
async fn a_log_that_is_gone_is_missed() {
    let mut service = Service::new();
    service.run(0, 7).await;
    let head = service.known().await;
    let away = service.temp.path().join("away");
    fs::rename(service.dir(), &away).unwrap();
    let words = ["is gone", "of 7 events", &head.root_text(), "--new-audit-log"];
    refused(service.start().await, &words);
    assert!(!service.dir().exists());
    fs::create_dir(service.dir()).unwrap();
    refused(service.start().await, &words);

    service.config.begin_new = true;
    let log = service.start().await.unwrap();
    assert_eq!(log.counts().size, 1);
    let event: serde_json::Value = serde_json::from_slice(&log.log.event(0).unwrap().unwrap()).unwrap();
    assert_eq!(event["eventName"], "BeginAuditLog");
    assert_eq!(event["userIdentity"]["userName"], "operator");
    let origin = fs::read_to_string(layout::public_key(&away)).unwrap();
    assert!(origin.starts_with(event["requestParameters"]["FormerOrigin"].as_str().unwrap()));
    assert_eq!(event["requestParameters"]["FormerSize"], "7");
    assert_eq!(event["requestParameters"]["FormerRoot"], head.root_text());
    service.stop(log).await;
    // Only once, and only where there is none.
    refused(service.start().await, &["--new-audit-log", "there is one"]);
    service.config.begin_new = false;
    service.run(1, 3).await;
    // The former log is not taken for this one.
    fs::rename(service.dir(), service.temp.path().join("away-2")).unwrap();
    fs::rename(away, service.dir()).unwrap();
    refused(service.start().await, &["which another log of this service has followed"]);
}

#[tokio::test]
async fn a_start_that_breaks_off_before_the_first_event_tells_of_the_former_log_later() {
    let mut service = Service::new();
    service.run(0, 3).await;
    fs::rename(service.dir(), service.temp.path().join("away")).unwrap();
    service.config.begin_new = true;
    fs::create_dir(service.dir()).unwrap();
    fs::write(service.dir().join("index"), "no directory").unwrap();
    assert!(service.start().await.is_err());
    fs::remove_file(service.dir().join("index")).unwrap();
    service.config.begin_new = false;
    let log = service.start().await.unwrap();
    let event = String::from_utf8(log.log.event(0).unwrap().unwrap()).unwrap();
    assert!(event.contains("\"BeginAuditLog\"") && event.contains("\"FormerSize\":\"3\""), "{event}");
    service.stop(log).await;
    // Once only.
    let log = service.start().await.unwrap();
    assert_eq!(log.counts().size, 1);
    drop(log);
    // Broken off between the word to the store and the event: there is a log of nothing.
    fs::rename(service.dir(), service.temp.path().join("away-2")).unwrap();
    service.config.begin_new = true;
    let opened = open(&service.dir(), &service.config, &vault(&service.store).await, jomae_log::StateSource::default())
        .await
        .unwrap();
    let head = opened.log.log.head().unwrap();
    signing_key::begin(&vault(&service.store).await, opened.log.log.verifier(), head, &opened.tail_key).await.unwrap();
    drop(opened);
    service.config.begin_new = false;
    let log = service.start().await.unwrap();
    let event = String::from_utf8(log.log.event(0).unwrap().unwrap()).unwrap();
    assert!(event.contains("\"BeginAuditLog\"") && event.contains("\"FormerSize\":\"1\""), "{event}");
}

#[tokio::test]
async fn a_store_without_the_key_of_its_log_does_not_begin_another() {
    let mut service = Service::new();
    service.run(0, 3).await;
    let forget = jomae_core::store::Write::Delete(jomae_core::store::Path::new("sys/audit-key"));
    let other = jomae_core::store::Write::Put(jomae_core::store::Path::new("account/1"), vec![1]);
    let commit = jomae_core::store::Commit { expect: Vec::new(), writes: vec![forget, other] };
    service.store.commit(commit).await.unwrap();
    refused(service.start().await, &["not of this service"]);
    fs::remove_file(layout::checkpoints(&service.dir())).unwrap();
    refused(service.start().await, &["has events", "no key of a log"]);
    fs::remove_dir_all(service.dir()).unwrap();
    refused(service.start().await, &["is gone", "--new-audit-log"]);
    service.config.begin_new = true;
    drop(service.start().await.unwrap());
}

#[tokio::test]
async fn the_store_is_told_of_the_head_never_ahead_of_the_files() {
    let service = Service::new();
    let log = service.start().await.unwrap();
    assert_eq!(service.known().await.size, 0);
    append(&log, 0, 5).await;
    // Not due yet: nothing but a closed segment, or some seconds, make it so.
    log.keep_head(&vault(&service.store).await).await.unwrap();
    assert_eq!(service.known().await.size, 0);
    while log.counts().covered < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    *log.stored_head.lock().unwrap() = None;
    log.keep_head(&vault(&service.store).await).await.unwrap();
    let head = service.known().await;
    assert_eq!(head.size, 5);
    assert_eq!(Some(head), log.log.head());
    service.stop(log).await;
}

#[tokio::test]
async fn no_part_of_the_log_is_a_link_or_a_pipe() {
    for part in ["next", "00000000000000000000.jsonl", "checkpoints", "tail.mac", "tree/0", "tree", "index", "."] {
        let service = Service::new();
        service.run(0, 3).await;
        let precious = service.temp.path().join("root.key");
        fs::write(&precious, "precious").unwrap();
        let path = match part {
            "next" => layout::segment(&service.dir(), 3),
            "." => service.dir(),
            part => service.dir().join(part),
        };
        let aside = service.temp.path().join("aside");
        let there = path.exists();
        if there {
            fs::rename(&path, &aside).unwrap();
        }
        symlink(if there { &aside } else { &precious }, &path).unwrap();
        let error = service.start().await.err().unwrap_or_else(|| panic!("{part} was followed")).to_string();
        assert!(error.contains("symbolic link"), "{part}: {error}");
        fs::remove_file(&path).unwrap();
        if part != "." {
            rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
            assert!(service.start().await.is_err(), "{part}");
        }
        assert_eq!(fs::read(precious).unwrap(), b"precious");
    }
}

#[tokio::test]
async fn a_check_says_how_far_the_log_is_proven() {
    let service = Service::new();
    let log = service.start().await.unwrap();
    append(&log, 0, 5).await;
    while log.counts().covered < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let examined = examine(&service.dir(), &vault(&service.store).await, None).unwrap().unwrap();
    assert_eq!(examined.extent, Extent { events: 5, authentic: 5 });
    fs::write(service.newest(), text(0, 6)).unwrap();
    let examined = examine(&service.dir(), &vault(&service.store).await, None).unwrap().unwrap();
    assert_eq!(examined.extent, Extent { events: 6, authentic: 5 });
}

fn public_key(dir: &Path) -> jomae_log::VerifierKey {
    jomae_log::VerifierKey::parse(&fs::read_to_string(layout::public_key(dir)).unwrap()).unwrap()
}

#[tokio::test]
async fn every_log_has_its_key_from_the_vault() {
    let store = Arc::new(MemoryStore::new());
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("audit");
    let config = config::Audit::default();
    let start = async || begun(&dir, &config, &vault(&store).await).await;
    let log = start().await.unwrap();
    append(&log, 0, 5).await;
    drop(log);
    let first = public_key(&dir);
    let name = first.name().strip_prefix("jomae-").unwrap();
    assert!(name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    // The public key is written again wherever it got lost.
    fs::remove_file(layout::public_key(&dir)).unwrap();
    let log = start().await.unwrap();
    append(&log, 5, 6).await;
    drop(log);
    assert_eq!(public_key(&dir), first);

    // Without its checkpoints a log is not taken for a new one.
    let checkpoints = layout::checkpoints(&dir);
    let own = fs::read(&checkpoints).unwrap();
    for content in [&b""[..], b"no note"] {
        fs::write(&checkpoints, content).unwrap();
        let error = start().await.err().unwrap().to_string();
        assert!(error.contains("its checkpoints are gone"), "{error}");
    }
    fs::remove_file(&checkpoints).unwrap();
    assert!(matches!(start().await, Err(OpenError::NoCheckpoint(_))));
    fs::write(&checkpoints, own).unwrap();

    // Another service's log.
    let other = Arc::new(MemoryStore::new());
    let error = begun(&dir, &config, &vault(&other).await).await.err().unwrap().to_string();
    assert!(error.contains("not of this service"), "{error}");
}

#[tokio::test]
async fn the_origin_names_a_new_log() {
    let store = Arc::new(MemoryStore::new());
    let temp = tempfile::tempdir().unwrap();
    let open = async |origin: &str| {
        let config = config::Audit { origin: Some(origin.to_owned()), ..config::Audit::default() };
        begun(temp.path(), &config, &vault(&store).await).await
    };
    for wrong in ["", "a b", "a+b", "a\n"] {
        assert!(matches!(open(wrong).await, Err(OpenError::Origin(_))), "{wrong:?}");
    }
    drop(open("kms.example.com/audit").await.unwrap());
    assert_eq!(public_key(temp.path()).name(), "kms.example.com/audit");
    drop(open("other.example.com/audit").await.unwrap());
    assert_eq!(public_key(temp.path()).name(), "kms.example.com/audit");
}

#[tokio::test]
async fn a_key_that_never_signed_is_used_by_the_next_start() {
    let store = Arc::new(MemoryStore::new());
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("audit");
    // The start breaks off after the key was made.
    fs::create_dir_all(dir.join("tree")).unwrap();
    fs::write(dir.join("tree/8"), "").unwrap();
    fs::create_dir(dir.join("checkpoints")).unwrap();
    let open = async || begun(&dir, &config::Audit::default(), &vault(&store).await).await;
    assert!(open().await.is_err());
    fs::remove_dir(dir.join("checkpoints")).unwrap();
    fs::create_dir(dir.join("tree/0")).unwrap();
    assert!(open().await.is_err());
    fs::remove_dir(dir.join("tree/0")).unwrap();
    let log = open().await.unwrap();
    append(&log, 0, 1).await;
}
