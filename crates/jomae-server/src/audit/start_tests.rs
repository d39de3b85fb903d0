use std::collections::BTreeMap;

use jomae_core::store::memory::MemoryStore;

use super::*;
use crate::{
    audit::{
        AuditLog, checkpoints, public_key_path,
        tests::{Site, append, line, lines_of, untold},
        trust_tests::{begun, vault},
    },
    config,
};
use std::sync::Arc;

type Change<'a> = &'a dyn Fn(&mut Vec<u8>);

/// Every file below a directory but the look-up index.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().unwrap() != "index" {
                found.extend(files(&path));
            }
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// The start is refused with these words, and changes nothing.
#[track_caller]
fn refused(site: &Site, words: &[&str]) {
    let before = files(&site.dir());
    let error = AuditLog::open(site.settings(), site.signer(), untold()).err().expect("a refusal").to_string();
    for word in words {
        assert!(error.contains(word), "{word:?} is not in {error}");
    }
    assert!(!error.contains('\n'));
    assert!(files(&site.dir()) == before, "the directory was changed");
}

/// A log of 600 events in several segments.
async fn logged() -> Site {
    let site = Site::new();
    let log = site.open_with(|settings| settings.segment_bytes_max = 10_000);
    for n in 0..60 {
        append(&log, n * 10, n * 10 + 10).await;
    }
    drop(log);
    assert!(site.segments().len() > 3);
    site.assert_intact(600);
    site
}

fn newest_segment(site: &Site) -> PathBuf {
    segments::list(&site.dir()).unwrap().pop().unwrap().path
}

#[tokio::test]
async fn a_cut_log_does_not_start() {
    let site = logged().await;
    let newest = newest_segment(&site);
    let own = fs::read(&newest).unwrap();
    let last = own[..own.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    fs::write(&newest, &own[..last]).unwrap();
    refused(&site, &["has been cut", "covers 600 events", "only 599", "jomae audit verify", "move the directory away"]);
    fs::write(&newest, &own[..own.len() - 1]).unwrap();
    refused(&site, &["has been cut", "only 599"]);
    fs::write(&newest, "").unwrap();
    refused(&site, &["has been cut"]);
    fs::remove_file(&newest).unwrap();
    refused(&site, &["has been cut"]);
    for segment in segments::list(&site.dir()).unwrap() {
        fs::remove_file(segment.path).unwrap();
    }
    refused(&site, &["has been cut", "only 0 are there"]);
}

#[tokio::test]
async fn a_changed_log_does_not_start() {
    let site = logged().await;
    let newest = newest_segment(&site);
    let own = fs::read(&newest).unwrap();
    let first = *site.segments().last().unwrap();
    let change = |from: &str, to: &str| {
        let text = String::from_utf8(own.clone()).unwrap();
        assert!(text.contains(from));
        fs::write(&newest, text.replacen(from, to, 1)).unwrap();
    };
    change(&format!("\"id-{first}\""), "\"id-x\"");
    refused(&site, &["has been changed", &format!("event {first} is not the one whose hash is in the tree")]);
    change("\"id-599\"", "\"id-590\"");
    refused(&site, &["has been changed", "event 599 "]);
    // An event too many, another one too few.
    change(&format!("{{\"eventId\":\"id-{}\"", first + 1), &format!("{{}}\n{{\"eventId\":\"id-{}\"", first + 1));
    refused(&site, &["has been changed", &format!("event {} ", first + 1)]);
    fs::write(&newest, &own).unwrap();

    // A segment missing in the middle, with a tree that must be made anew.
    let middle = segments::list(&site.dir()).unwrap().remove(1);
    let content = fs::read(&middle.path).unwrap();
    fs::remove_file(&middle.path).unwrap();
    let tree = tree::dir_of(&site.dir());
    fs::rename(&tree, site.dir().join("away")).unwrap();
    refused(&site, &["has been changed", &format!("event {} is missing", middle.first)]);
    fs::write(&middle.path, content).unwrap();
    // An event that was changed long ago: the tree that is made from it has another root.
    let oldest = segments::list(&site.dir()).unwrap().remove(0);
    let text = fs::read_to_string(&oldest.path).unwrap();
    fs::write(&oldest.path, text.replacen("\"id-5\"", "\"id-6\"", 1)).unwrap();
    refused(&site, &["has been changed", "do not give the root"]);
    fs::write(&oldest.path, text).unwrap();
    drop(site.open());
    site.assert_intact(600);
}

#[tokio::test]
async fn a_checkpoint_of_another_key_does_not_start() {
    let site = logged().await;
    let path = checkpoints::path(&site.dir());
    let own = fs::read_to_string(&path).unwrap();
    fs::write(&path, own.replacen("\n600\n", "\n599\n", 1)).unwrap();
    refused(&site, &["newest checkpoint", "not of this service", "did not make"]);
    let other = Site::new();
    let log = other.open();
    append(&log, 0, 3).await;
    drop(log);
    fs::write(&path, fs::read(checkpoints::path(&other.dir())).unwrap()).unwrap();
    refused(&site, &["newest checkpoint", "not of this service"]);
    fs::write(&path, &own).unwrap();
    drop(site.open());
}

#[tokio::test]
async fn a_damaged_tree_is_made_anew() {
    let site = logged().await;
    let tree = tree::dir_of(&site.dir());
    let own = files(&tree);
    let damage: [(&str, Change<'_>); 7] = [
        ("0", &|bytes| bytes.clear()),
        ("0", &|bytes| bytes.truncate(32 * 300 + 5)),
        ("0", &|bytes| bytes.extend([7; 32 * 5 + 9])),
        ("0", &|bytes| *bytes.last_mut().unwrap() ^= 1),
        ("8", &|bytes| bytes[40] ^= 1),
        ("8", &|bytes| bytes.truncate(32)),
        ("8", &|bytes| bytes.extend([7; 64])),
    ];
    for (level, change) in damage {
        let mut bytes = own[&tree.join(level)].clone();
        change(&mut bytes);
        fs::write(tree.join(level), bytes).unwrap();
        drop(site.open());
        assert!(files(&tree) == own);
    }
    fs::remove_file(tree.join("16")).unwrap();
    drop(site.open());
    fs::remove_dir_all(&tree).unwrap();
    fs::create_dir(site.dir().join("tree.new")).unwrap();
    fs::write(site.dir().join("tree.new/0"), "left by a crash").unwrap();
    drop(site.open());
    assert!(files(&tree) == own);
    assert!(!site.dir().join("tree.new").exists());
    // Killed while the new tree was taking its place, when the first events were no longer stored: whatever is there
    // of the two, the hashes of these events are.
    let oldest = segments::list(&site.dir()).unwrap().remove(0);
    fs::remove_file(&oldest.path).unwrap();
    let (old, new) = (site.dir().join("tree.old"), site.dir().join("tree.new"));
    fs::rename(&tree, &old).unwrap();
    fs::create_dir(&new).unwrap();
    fs::write(new.join("0"), "half a tree").unwrap();
    drop(site.open());
    assert!(files(&tree) == own && !old.exists());
    fs::create_dir(&old).unwrap();
    drop(site.open());
    assert!(files(&tree) == own && !old.exists());
    site.assert_intact(600);
}

#[tokio::test]
async fn what_no_checkpoint_covers_is_hashed_again() {
    let site = logged().await;
    let newest = newest_segment(&site);
    let more: Vec<u8> = (600..900).flat_map(|n| [line(n), b"\n".to_vec()].concat()).collect();
    fs::write(&newest, [fs::read(&newest).unwrap(), more, b"{\"torn".to_vec()].concat()).unwrap();
    // The tree has something for them, as after a power cut.
    let leaves = tree::dir_of(&site.dir()).join("0");
    fs::write(&leaves, [fs::read(&leaves).unwrap(), vec![0; 32 * 200]].concat()).unwrap();
    let log = site.open();
    assert_eq!((log.counts().size, log.counts().covered), (900, 900));
    append(&log, 900, 905).await;
    drop(log);
    assert_eq!(lines_of(&site.dir()), (0..905).map(line).collect::<Vec<_>>());
    site.assert_intact(905);
    let aside = fs::read_dir(site.dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("torn-at"));
    assert_eq!(fs::read(aside.unwrap()).unwrap(), b"{\"torn");
}

fn public_key(dir: &Path) -> VerifierKey {
    VerifierKey::parse(&fs::read_to_string(public_key_path(dir)).unwrap()).unwrap()
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
    fs::remove_file(public_key_path(&dir)).unwrap();
    let log = start().await.unwrap();
    append(&log, 5, 6).await;
    drop(log);
    assert_eq!(public_key(&dir), first);

    // Without its checkpoints a log is not taken for a new one.
    let checkpoints = checkpoints::path(&dir);
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
