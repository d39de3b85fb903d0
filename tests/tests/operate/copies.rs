//! Restoring what versions before have made as backups: a copy of the store, and of the audit log.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use jomae_tests::{
    Site,
    calls::{create_key, decrypt, encrypt},
    cli, tree,
};

use super::word;

/// A backup as it was made before.
pub fn copy_as_before(data: &Path, to: &Path) {
    fs::create_dir_all(to.join("audit")).unwrap();
    jomae_server::store::backup_file(&data.join("store.db"), &to.join("store.db")).unwrap();
    jomae_log::copy(&data.join("audit"), &to.join("audit")).unwrap();
}

/// Gives a restored directory the credential that a backup does not hold.
fn bring_env(from: &Path, to: &Path) {
    fs::copy(from.join("env"), to.join("env")).unwrap();
    fs::set_permissions(to.join("env"), Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restore_refuses() {
    let site = Site::default();
    let mut server = site.start();
    let key = create_key(&server.client(), "k").await;
    let blob = encrypt(&server.client(), &key, "aGVsbG8=").await;
    let (data, backup) = (site.data(), site.path("backup"));
    let root_key = data.join("root.key");
    copy_as_before(&data, &backup);
    assert_eq!(server.stop(), Some(0));
    let restore = |from: &Path, root_key: Option<&Path>, to: &Path| {
        let mut words = vec!["restore", "--accept-unknown-log", "--from", word(from), "--data-dir", word(to)];
        words.extend(root_key.map(word).into_iter().flat_map(|path| ["--root-key", path]));
        cli::jomae(&words)
    };

    // A directory that is in use, or holds anything at all.
    let before = tree::read(&data);
    restore(&backup, Some(&root_key), &data).failed(1, &[word(&data), "not empty"]);
    assert!(tree::differences(&before, &tree::read(&data)).is_empty());
    let used = site.path("used");
    fs::create_dir(&used).unwrap();
    fs::write(used.join("precious"), "x").unwrap();
    restore(&backup, Some(&root_key), &used).failed(1, &[word(&used), "not empty"]);
    assert_eq!(fs::read(used.join("precious")).unwrap(), b"x");

    let to = site.path("to");
    restore(&site.path("nothing"), Some(&root_key), &to).failed(1, &["nothing"]);
    assert!(!to.exists());
    let other = Site::default();
    drop(other.start());
    let wrong = other.data().join("root.key");
    restore(&backup, Some(&wrong), &to).failed(1, &["root key"]);
    assert!(!to.exists(), "what was made is removed");
    restore(&backup, None, &to).failed(1, &["root key"]);
    assert!(!to.exists());
    restore(&backup, Some(&site.path("no such key")), &to).failed(1, &["no such key"]);
    assert!(!to.exists());
    let garbage = site.write("garbage.key", "garbage");
    restore(&backup, Some(&garbage), &to).failed(1, &["root key"]);
    assert!(!to.exists());

    // A damaged backup: one byte in the middle of the sealed records.
    let store = backup.join("store.db");
    let own = fs::read(&store).unwrap();
    let at = memchr::memmem::find(&own, format!("/key/{key}").as_bytes()).unwrap() + 100;
    let mut damaged = own.clone();
    damaged[at] ^= 1;
    fs::write(&store, damaged).unwrap();
    restore(&backup, Some(&root_key), &to).failed(1, &["damaged", &key]);
    assert!(!to.exists());
    fs::write(&store, own).unwrap();

    // A configuration that places the root key where another one is.
    let precious = site.path("precious.key");
    fs::copy(&wrong, &precious).unwrap();
    let config = site.write("elsewhere.toml", format!("[root_key]\nfile = \"{}\"\n", word(&precious)));
    let words = [
        "restore",
        "--accept-unknown-log",
        "--config",
        word(&config),
        "--from",
        word(&backup),
        "--root-key",
        word(&root_key),
    ];
    cli::jomae(&[&words[..], &["--data-dir", word(&to)]].concat()).failed(1, &[word(&precious), "left as it is"]);
    assert_eq!(fs::read(&precious).unwrap(), fs::read(&wrong).unwrap());
    assert!(!to.exists());

    // After all that it still can be restored, into an empty directory too.
    fs::create_dir(&to).unwrap();
    restore(&backup, Some(&root_key), &to).ok();
    bring_env(&data, &to);
    let server = site.launch().data(&to).start();
    assert_eq!(decrypt(&server.client(), &blob).await, "aGVsbG8=");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_checks_the_audit_log() {
    let site = Site::default();
    let mut server = site.start();
    for n in ["a", "b", "c"] {
        create_key(&server.client(), n).await;
    }
    assert_eq!(server.stop(), Some(0));
    let (data, backup) = (site.data(), site.path("backup"));
    copy_as_before(&data, &backup);
    let (root_key, to) = (data.join("root.key"), site.path("to"));
    let restore = |more: &[&str]| {
        let words = [
            "restore",
            "--accept-unknown-log",
            "--from",
            word(&backup),
            "--root-key",
            word(&root_key),
            "--data-dir",
            word(&to),
        ];
        cli::jomae(&[&words[..], more].concat())
    };
    let audit = backup.join("audit");
    let log = audit.join("00000000000000000000.jsonl");
    let own = fs::read_to_string(&log).unwrap();
    let count = own.lines().count();
    let last = own.trim_end().rfind('\n').unwrap() + 1;
    let made_up = format!("{own}{}", &own[last..]);
    let changed = own.replacen("CreateKey", "DeleteKey", 1);
    for (content, words) in [
        (&own[..last], &["audit log of the backup", "has been cut"][..]),
        (&made_up, &["continued by somebody else"]),
        (&changed, &["audit log of the backup"]),
    ] {
        fs::write(&log, content).unwrap();
        restore(&[]).failed(1, words).failed(1, &["--accept-damaged-audit-log"]);
        assert!(!to.exists());
    }
    // A whole log, of an older checkpoint or of another service; and none.
    fs::write(&log, &own).unwrap();
    fs::rename(&audit, site.path("away")).unwrap();
    fs::create_dir(&audit).unwrap();
    restore(&[]).failed(1, &["audit log of the backup", "is gone"]);
    let ran = restore(&["--accept-damaged-audit-log"]).ok();
    assert!(ran.text().contains("DAMAGED"), "{}", ran.text());
    site.launch().data(&to).fails().failed(1, &["is gone", "--new-audit-log"]);
    drop(site.launch().data(&to).flag("--new-audit-log").start());
    fs::remove_dir_all(&to).unwrap();
    fs::remove_dir(&audit).unwrap();
    fs::rename(site.path("away"), &audit).unwrap();
    // What a link in a backup names is not brought in.
    for part in ["audit/key.pub", "audit/tree/0", "audit/tree", "audit", "store.db"] {
        let (path, aside) = (backup.join(part), site.path("aside"));
        fs::rename(&path, &aside).unwrap();
        symlink(&aside, &path).unwrap();
        restore(&[]).failed(1, &["symbolic link"]);
        assert!(!to.exists());
        fs::remove_file(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    }
    let ran = restore(&[]).ok();
    assert!(ran.text().contains(&format!("{count} events, {count} of them covered")), "{}", ran.text());
    drop(site.launch().data(&to).start());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passphrase_restores_without_a_key_file() {
    let site = Site::default();
    let config = "[root_key]\nprovider = \"passphrase\"\n";
    let launch = || site.launch().config(config).variable("JOMAE_ROOT_PASSPHRASE", "correct horse battery");
    let mut server = launch().start();
    let key = create_key(&server.client(), "k").await;
    let blob = encrypt(&server.client(), &key, "aGVsbG8=").await;
    let (data, backup, to) = (site.data(), site.path("backup"), site.path("to"));
    copy_as_before(&data, &backup);
    assert_eq!(server.stop(), Some(0));
    let config_file = site.path("jomae.toml");
    let restore = |passphrase: &str| {
        let mut command = jomae_tests::binary::command();
        command.args([
            "restore",
            "--accept-unknown-log",
            "--config",
            word(&config_file),
            "--from",
            word(&backup),
            "--data-dir",
            word(&to),
        ]);
        command.env("JOMAE_ROOT_PASSPHRASE", passphrase);
        cli::run(command, b"")
    };
    restore("wrong horse battery").failed(1, &["root key"]);
    assert!(!to.exists());
    restore("correct horse battery").ok();
    bring_env(&data, &to);
    let server = launch().data(&to).start();
    assert_eq!(decrypt(&server.client(), &blob).await, "aGVsbG8=");
}

#[test]
fn a_restore_says_what_is_missing_and_a_new_authority_is_announced() {
    let site = Site::default();
    let mut server = site.start();
    let (data, backup, restored) = (site.data(), site.path("backup"), site.path("restored"));
    copy_as_before(&data, &backup);
    assert_eq!(server.stop(), Some(0));
    let words = ["restore", "--accept-unknown-log", "--from", word(&backup), "--data-dir", word(&restored)];
    cli::jomae(&words).failed(1, &["--root-key FILE", "root.key"]);
    assert!(!restored.exists());
    let root_key = data.join("root.key");
    let said = cli::jomae(&[&words[..], &["--root-key", word(&root_key)]].concat()).ok().text().to_owned();
    for told in ["missing: ", "/env: put it back", "tls/ca.key: put both back", "NEW certificate authority"] {
        assert!(said.contains(told), "{told} is not in {said}");
    }
    bring_env(&data, &restored);
    let mut server = site.launch().data(&restored).start();
    assert!(server.stdout().contains("NEW CERTIFICATE AUTHORITY"), "{}", server.stdout());
    assert!(server.stderr().contains("new certificate authority"), "{}", server.stderr());
    assert_eq!(server.stop(), Some(0));
    let mut server = site.launch().data(&restored).start();
    assert!(!server.stdout().contains("AUTHORITY"), "{}", server.stdout());
    assert_eq!(server.stop(), Some(0));
    // The certificate that clients trust is gone: refused, with what helps, and found by the doctor too.
    let ca = restored.join("ca.pem");
    let own = fs::read(&ca).unwrap();
    fs::remove_file(&ca).unwrap();
    let copy = format!("cp {} {}", word(&restored.join("tls/ca.pem")), word(&ca));
    site.launch().data(&restored).fails().failed(1, &[&copy, "rm -r"]);
    let ran = cli::jomae(&["doctor", "--data-dir", word(&restored)]);
    assert!(ran.code == Some(1) && ran.text().contains(&copy), "{}", ran.text());
    assert!(!ca.exists());
    fs::copy(restored.join("tls/ca.pem"), &ca).unwrap();
    assert_eq!(fs::read(&ca).unwrap(), own);
    drop(site.launch().data(&restored).start());
}
