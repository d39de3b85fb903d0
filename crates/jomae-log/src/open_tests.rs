use std::collections::BTreeMap;

use super::*;
use crate::{
    Log,
    log::tests::{Site, append, line, lines_of, unknown},
};

type Change<'a> = &'a dyn Fn(&mut Vec<u8>);

/// Every file below a directory but the look-up index.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().unwrap() != "index" {
                found.extend(content(&path));
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
    let before = content(&site.dir());
    let error = Log::open(site.settings(), site.signer(), unknown()).err().expect("a refusal").to_string();
    for word in words {
        assert!(error.contains(word), "{word:?} is not in {error}");
    }
    assert!(!error.contains('\n'));
    assert!(content(&site.dir()) == before, "the directory was changed");
}

/// A log of 600 events in several segments.
fn logged() -> Site {
    let site = Site::new();
    let log = site.open_with(|settings| settings.segment_bytes_max = 10_000);
    for n in 0..60 {
        append(&log, n * 10, n * 10 + 10);
    }
    drop(log);
    assert!(site.segments().len() > 3);
    site.assert_intact(600);
    site
}

fn newest_segment(site: &Site) -> PathBuf {
    layout::segments(&site.dir()).unwrap().pop().unwrap().path
}

#[test]
fn a_cut_log_does_not_start() {
    let site = logged();
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
    for segment in layout::segments(&site.dir()).unwrap() {
        fs::remove_file(segment.path).unwrap();
    }
    refused(&site, &["has been cut", "only 0 are there"]);
}

#[test]
fn a_changed_log_does_not_start() {
    let site = logged();
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
    let middle = layout::segments(&site.dir()).unwrap().remove(1);
    let content = fs::read(&middle.path).unwrap();
    fs::remove_file(&middle.path).unwrap();
    let tree = layout::tree(&site.dir());
    fs::rename(&tree, site.dir().join("away")).unwrap();
    refused(&site, &["has been changed", &format!("event {} is missing", middle.first)]);
    fs::write(&middle.path, content).unwrap();
    // An event that was changed long ago: the tree that is made from it has another root.
    let oldest = layout::segments(&site.dir()).unwrap().remove(0);
    let text = fs::read_to_string(&oldest.path).unwrap();
    fs::write(&oldest.path, text.replacen("\"id-5\"", "\"id-6\"", 1)).unwrap();
    refused(&site, &["has been changed", "do not give the root"]);
    fs::write(&oldest.path, text).unwrap();
    drop(site.open());
    site.assert_intact(600);
}

#[test]
fn a_checkpoint_of_another_key_does_not_start() {
    let site = logged();
    let path = layout::checkpoints(&site.dir());
    let own = fs::read_to_string(&path).unwrap();
    fs::write(&path, own.replacen("\n600\n", "\n599\n", 1)).unwrap();
    refused(&site, &["newest checkpoint", "not of this service", "did not make"]);
    let other = Site::new();
    let log = other.open();
    append(&log, 0, 3);
    drop(log);
    fs::write(&path, fs::read(layout::checkpoints(&other.dir())).unwrap()).unwrap();
    refused(&site, &["newest checkpoint", "not of this service"]);
    fs::write(&path, &own).unwrap();
    drop(site.open());
}

#[test]
fn a_damaged_tree_is_made_anew() {
    let site = logged();
    let tree = layout::tree(&site.dir());
    let own = content(&tree);
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
        assert!(content(&tree) == own);
    }
    fs::remove_file(tree.join("16")).unwrap();
    drop(site.open());
    fs::remove_dir_all(&tree).unwrap();
    fs::create_dir(site.dir().join("tree.new")).unwrap();
    fs::write(site.dir().join("tree.new/0"), "left by a crash").unwrap();
    drop(site.open());
    assert!(content(&tree) == own);
    assert!(!site.dir().join("tree.new").exists());
    // Killed while the new tree was taking its place, when the first events were no longer stored: whatever is there
    // of the two, the hashes of these events are.
    let oldest = layout::segments(&site.dir()).unwrap().remove(0);
    fs::remove_file(&oldest.path).unwrap();
    let (old, new) = (site.dir().join("tree.old"), site.dir().join("tree.new"));
    fs::rename(&tree, &old).unwrap();
    fs::create_dir(&new).unwrap();
    fs::write(new.join("0"), "half a tree").unwrap();
    drop(site.open());
    assert!(content(&tree) == own && !old.exists());
    fs::create_dir(&old).unwrap();
    drop(site.open());
    assert!(content(&tree) == own && !old.exists());
    site.assert_intact(600);
}

#[test]
fn what_no_checkpoint_covers_is_hashed_again() {
    let site = logged();
    let newest = newest_segment(&site);
    let more: Vec<u8> = (600..900).flat_map(|n| [line(n), b"\n".to_vec()].concat()).collect();
    fs::write(&newest, [fs::read(&newest).unwrap(), more, b"{\"torn".to_vec()].concat()).unwrap();
    // The tree has something for them, as after a power cut.
    let leaves = layout::tree(&site.dir()).join("0");
    fs::write(&leaves, [fs::read(&leaves).unwrap(), vec![0; 32 * 200]].concat()).unwrap();
    let log = site.open();
    assert_eq!((log.counts().size, log.counts().covered), (900, 900));
    append(&log, 900, 905);
    drop(log);
    assert_eq!(lines_of(&site.dir()), (0..905).map(line).collect::<Vec<_>>());
    site.assert_intact(905);
    let aside = fs::read_dir(site.dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("torn-at"));
    assert_eq!(fs::read(aside.unwrap()).unwrap(), b"{\"torn");
}
