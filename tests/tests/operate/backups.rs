//! Backups: made under load and one upon the other, restored with a key file and with shares, refused, and drilled.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::AtomicBool, atomic::Ordering},
    time::Duration,
};

use jomae_tests::{
    Site,
    bucket::Bucket,
    calls::{ask, create_key, decrypt, encrypt},
    cli,
    server::audit_events,
    tree,
};
use serde_json::Value;

use super::word;

const PLAIN: &str = "aGVsbG8=";

fn create(data: &Path, to: &Path, more: &[&str]) -> Value {
    let words = ["backup", "create", "--data-dir", word(data), "--to", word(to), "--output", "json"];
    cli::jomae(&[&words[..], more].concat()).ok().json()
}

fn restore(from: &Path, to: &Path, more: &[&str]) -> cli::Ran {
    cli::jomae(&[&["restore", "--accept-unknown-log", "--from", word(from), "--data-dir", word(to)][..], more].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_under_load_have_all_that_was_made_before() {
    let site = Site::default();
    let server = site.start();
    let made: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (client, made, stop) = (server.client(), Arc::clone(&made), Arc::clone(&stop));
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let key = create_key(&client, "under load").await;
                let blob = encrypt(&client, &key, PLAIN).await;
                made.lock().unwrap().push((key, blob));
            }
        });
    }
    let count = || made.lock().unwrap().len();
    let backups = site.path("backups");
    let mut taken = Vec::new();
    for n in 0..3 {
        let grown = count() + 10;
        while count() < grown {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let before = made.lock().unwrap().clone();
        let told = create(&site.data(), &backups, &[]);
        assert_eq!(told["IsWhole"], n == 0, "{told}");
        let (records, written) = (told["Records"].as_u64().unwrap(), told["Written"].as_u64().unwrap());
        assert!(if n == 0 { written == records } else { written < records }, "{told}");
        taken.push((told["Id"].as_str().unwrap().to_owned(), before));
    }
    stop.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    assert!(count() > taken[2].1.len(), "there was no load");

    // Nothing is told of what is in it.
    let key = &taken[0].1[0].0;
    let secret = server.setting("ALIBABA_CLOUD_ACCESS_KEY_SECRET").to_owned();
    for (name, node) in tree::read(&backups) {
        let content = node.content.unwrap_or_default();
        for hidden in [key.as_str(), &secret, "PRIVATE KEY", "CreateKey"] {
            assert!(memchr::memmem::find(&content, hidden.as_bytes()).is_none(), "{hidden} is in {name}");
        }
        assert_eq!(node.mode & 0o077, 0, "{name}");
    }
    let listed = cli::jomae(&["backup", "list", "--from", word(&backups), "--output", "json"]).ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 3);
    assert_eq!(listed[0]["OpenedBy"], serde_json::json!(["file"]));

    let (root_key, log_key) = (site.data().join("root.key"), site.data().join("audit/key.pub"));
    for (n, (id, before)) in taken.iter().enumerate() {
        let words = [
            "backup",
            "verify",
            "--from",
            word(&backups),
            "--backup",
            id,
            "--root-key",
            word(&root_key),
            "--log-key",
            word(&log_key),
            "--output",
            "json",
        ];
        let checked = cli::jomae(&words).ok().json();
        let signed_by = fs::read_to_string(&log_key).unwrap();
        assert_eq!((&checked["Backups"], &checked["SignedBy"]), (&Value::from(n + 1), &signed_by.trim().into()));
        let restored = site.path(&format!("restored-{n}"));
        let ran = restore(&backups, &restored, &["--backup", id, "--root-key", word(&root_key)]).ok();
        assert!(ran.text().contains("every one opened") && ran.text().contains(id.as_str()), "{}", ran.text());
        assert!(ran.text().contains("audit log: ") && !ran.text().contains("missing"), "{}", ran.text());
        for (name, mode) in [("env", 0o600), ("tls/ca.key", 0o600), ("ca.pem", 0o644), ("root.key", 0o600)] {
            assert_eq!(fs::metadata(restored.join(name)).unwrap().permissions().mode() & 0o777, mode, "{name}");
        }
        let server = site.launch().data(&restored).start();
        assert!(!server.stdout().contains("AUTHORITY"), "clients notice nothing");
        let client = server.client();
        for (_, blob) in before {
            assert_eq!(decrypt(&client, blob).await, PLAIN);
        }
        // No change in it without its event.
        let events = audit_events(&restored);
        for (key, _) in before {
            let concerns = |event: &Value| event["referencedResources"]["ACS::KMS::Key"][0] == **key;
            assert!(events.iter().any(|event| event["eventName"] == "CreateKey" && concerns(event)), "{key}");
        }
    }
}

/// A person who has three of five shares and the backups rebuilds the service on an empty machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_and_a_bucket_rebuild_the_service() {
    let site = Site::default();
    let bucket = Bucket::start(&site.path("s3")).await;
    let credentials = site.write("bucket.toml", Bucket::credentials());
    fs::set_permissions(&credentials, fs::Permissions::from_mode(0o600)).unwrap();
    let toml = format!(
        "[backup]\nto = \"{}\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\ncredentials_file = {credentials:?}\n",
        Bucket::prefix("b"),
        bucket.endpoint()
    );
    let mut server = site.launch().config(&toml).start();
    let config = site.path("jomae.toml");
    let key = create_key(&server.client(), "k").await;
    let blob = encrypt(&server.client(), &key, PLAIN).await;
    let data = site.data();
    let on = |words: &[&str]| cli::jomae(&[words, &["--config", word(&config), "--data-dir", word(&data)]].concat());
    on(&["root", "add", "shares", "--open", "3", "--of", "5", "--to", word(&site.path("s"))]).ok();
    on(&["backup", "create"]).ok();
    let gone = create_key(&server.client(), "after the first").await;
    on(&["backup", "create"]).ok();
    let root = on(&["root", "status", "--field", "RootKeyId"]).ok().text().lines().next().unwrap().to_owned();
    assert_eq!(server.stop(), Some(0));
    let before = audit_events(&data);
    fs::remove_dir_all(&data).unwrap();

    let share = |n: u8| site.path("s").join(format!("share-{n}.txt"));
    let shares: Vec<PathBuf> = [5, 1, 2].map(share).to_vec();
    let words = |shares: &[PathBuf]| -> Vec<String> {
        shares.iter().flat_map(|path| ["--share".to_owned(), word(path).to_owned()]).collect()
    };
    let rebuild = |shares: &[PathBuf], more: &[&str]| {
        let shares = words(shares);
        let shares: Vec<&str> = shares.iter().map(String::as_str).collect();
        on(&[&["restore"], &shares[..], more].concat())
    };
    rebuild(&shares[..2], &[]).failed(1, &[&root, "2 shares of 5 are given, and 3 open"]);
    assert!(!data.exists());
    // Their slot vouches for who has signed it.
    let told = rebuild(&shares, &[]).ok();
    assert!(told.text().contains("root.key is new, in the slot file-2"), "{}", told.text());
    let mut server = site.launch().config(&toml).start();
    assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
    ask(&server.client(), "DescribeKey", &[("KeyId", &gone)]).await;
    let after = audit_events(&data);
    assert!(after.len() > before.len() - 3 && after.starts_with(&before[..before.len() - 3]), "the log goes on");
    on(&["audit", "verify", "--dir", word(&data.join("audit"))]).text();
    assert_eq!(server.stop(), Some(0));
}

/// That a backup opens does not say whose it is. Here another service is opened by the same file, and is told by its log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_can_write_where_backups_lie_restores_nothing_of_his_own() {
    let (ours, others) = (Site::default(), Site::default());
    let (backups, to) = (ours.path("backups"), ours.path("to"));
    let mut server = ours.start();
    let first = create(&ours.data(), &backups, &[])["Id"].as_str().unwrap().to_owned();
    fs::create_dir(others.data()).unwrap();
    let root_key = ours.data().join("root.key");
    fs::copy(&root_key, others.data().join("root.key")).unwrap();
    let mut stranger = others.start();
    create(&others.data(), &backups, &[]);
    assert_eq!((server.stop(), stranger.stop()), (Some(0), Some(0)));
    let keys = [&ours, &others].map(|site| site.data().join("audit/key.pub"));
    let texts = keys.each_ref().map(|key| fs::read_to_string(key).unwrap().trim().to_owned());
    let opened = ["--from", word(&backups), "--root-key", word(&root_key)];
    let on = |words: &[&str], data: &Path, more: &[&str]| {
        cli::jomae(&[words, &opened[..], &["--data-dir", word(data)], more].concat())
    };
    let all: [&[&str]; 3] = [&["restore"], &["drill"], &["backup", "verify"]];
    for words in all {
        on(words, &to, &["--log-key", word(&keys[0])]).failed(1, &["of another service", &texts[0], &texts[1]]);
    }
    on(&["drill"], &ours.data(), &[]).failed(1, &["of another service", "of the log in"]);
    assert!(!to.exists() || fs::read_dir(&to).unwrap().next().is_none(), "nothing is left");
    on(&["drill"], &ours.data(), &["--backup", &first]).ok();

    // What a witness has seen was not signed with the other key.
    let checkpoint = cli::jomae(&["audit", "checkpoint", "--log", word(&ours.data().join("audit"))]).ok();
    let witness = ours.write("witness", format!("{}\n", checkpoint.text()));
    let toml = ours.write("witnessed.toml", format!("[audit]\nwitness_file = {witness:?}\n"));
    let by_witness = ["--config", word(&toml)];
    on(&["restore"], &to, &by_witness).failed(1, &["of another service", "checkpoints in"]);
    on(&["restore"], &to, &[&by_witness[..], &["--backup", &first]].concat()).ok();

    // Without its signature it is nobody's, whatever its root key says.
    let path = backups.join(&first).join("manifest");
    let mut signed: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    signed["note"] = Value::Null;
    fs::write(&path, signed.to_string()).unwrap();
    let unsigned = ours.path("unsigned");
    for words in all {
        on(words, &unsigned, &["--backup", &first, "--log-key", word(&keys[0])]).failed(1, &["is not signed"]);
    }
    on(&["restore"], &unsigned, &["--backup", &first, "--accept-unknown-log"]).ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_exchanged_and_foreign_backups_are_refused() {
    let site = Site::default();
    let mut server = site.start();
    create_key(&server.client(), "k").await;
    let (data, backups, to) = (site.data(), site.path("backups"), site.path("to"));
    let first = create(&data, &backups, &[])["Id"].as_str().unwrap().to_owned();
    create_key(&server.client(), "l").await;
    let second = create(&data, &backups, &[])["Id"].as_str().unwrap().to_owned();
    assert_eq!(server.stop(), Some(0));
    let root_key = data.join("root.key");
    let refused = |why: &[&str]| {
        restore(&backups, &to, &["--root-key", word(&root_key)]).failed(1, why);
        assert!(!to.exists(), "what was made is removed");
        let words =
            ["backup", "verify", "--from", word(&backups), "--root-key", word(&root_key), "--accept-unknown-log"];
        cli::jomae(&words).failed(1, why);
    };
    for (id, name) in [(&second, "records"), (&second, "log"), (&first, "records"), (&second, "manifest")] {
        let path = backups.join(id).join(name);
        let own = fs::read(&path).unwrap();
        for at in [own.len() / 2, own.len() - 1] {
            let mut damaged = own.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            refused(&["backup"]);
        }
        fs::write(&path, &own[..own.len() / 2]).unwrap();
        refused(&["backup"]);
        // What a link names is not brought in.
        let aside = site.path("aside");
        fs::write(&aside, &own).unwrap();
        fs::remove_file(&path).unwrap();
        symlink(&aside, &path).unwrap();
        refused(&["symbolic link"]);
        fs::remove_file(&path).unwrap();
        fs::write(&path, &own).unwrap();
    }
    // Objects of one in the place of another's, and a base that is gone.
    let (one, other) = (backups.join(&first).join("log"), backups.join(&second).join("log"));
    let own = fs::read(&other).unwrap();
    fs::copy(&one, &other).unwrap();
    refused(&[&second, "log", "exchanged"]);
    fs::write(&other, own).unwrap();
    fs::rename(backups.join(&first), site.path("first")).unwrap();
    refused(&[&first, "not there any more"]);
    fs::rename(site.path("first"), backups.join(&first)).unwrap();
    let newer = backups.join(&second).join("manifest");
    let own = fs::read_to_string(&newer).unwrap();
    fs::write(&newer, own.replace(r#"\"format\":1,"#, r#"\"format\":2,"#)).unwrap();
    refused(&["newer version"]);
    fs::write(&newer, own.replace(r#"\"records\":"#, r#"\"records\":1"#)).unwrap();
    refused(&["forged or damaged"]);
    fs::write(&newer, &own).unwrap();

    // Another service's root key, none, and a directory that is used.
    let other = Site::default();
    drop(other.start());
    restore(&backups, &to, &["--root-key", word(&other.data().join("root.key"))]).failed(1, &["root key"]);
    restore(&backups, &to, &["--root-key", word(&site.path("none"))]).failed(1, &["root key", "none"]);
    restore(&backups, &data, &["--root-key", word(&root_key)]).failed(1, &["not empty"]);
    restore(&site.path("nothing"), &to, &[]).failed(1, &["nothing"]);
    restore(&backups, &to, &["--backup", "20200101T000000Z-00000000"]).failed(1, &["no backup 20200101"]);
    restore(&backups, &to, &["--at", "2020-01-01T00:00:00Z"]).failed(1, &["no backup"]);
    assert!(!to.exists());
    restore(&backups, &to, &["--root-key", word(&root_key)]).ok();
    drop(site.launch().data(&to).start());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_changed_is_little_and_a_new_root_key_begins_anew() {
    let site = Site::default();
    let server = site.start();
    let client = server.client();
    let mut keys = Vec::new();
    for n in 0..60 {
        keys.push(create_key(&client, &format!("key {n}")).await);
    }
    let (data, backups) = (site.data(), site.path("backups"));
    let whole = create(&data, &backups, &[]);
    ask(&client, "CreateAlias", &[("AliasName", "alias/a"), ("KeyId", &keys[0])]).await;
    let with = create(&data, &backups, &[]);
    ask(&client, "DeleteAlias", &[("AliasName", "alias/a")]).await;
    let without = create(&data, &backups, &[]);
    assert_eq!((&whole["IsWhole"], &with["IsWhole"]), (&Value::Bool(true), &Value::Bool(false)));
    assert!(without["Gone"].as_u64().unwrap() >= 1, "{without}");
    let bytes = |told: &Value| told["Bytes"].as_u64().unwrap();
    assert!(bytes(&without) * 3 < bytes(&whole), "{without} {whole}");
    // Under another root key nothing goes on from what the old one opens.
    cli::jomae(&["root", "rotate", "--data-dir", word(&data)]).ok();
    assert_eq!(create(&data, &backups, &[])["IsWhole"], true);
    assert_eq!(create(&data, &backups, &["--whole"])["IsWhole"], true);
    let root_key = data.join("root.key");
    for (told, has_alias) in [(&with, true), (&without, false)] {
        let to = site.path(told["Id"].as_str().unwrap());
        restore(&backups, &to, &["--backup", told["Id"].as_str().unwrap(), "--root-key", word(&root_key)]).ok();
        let server = site.launch().data(&to).start();
        let found = server.client().call("DescribeKey", &[("KeyId", "alias/a")]).await;
        assert_eq!(found.is_ok(), has_alias, "{told}");
    }
}

/// Wherever it went, and whether the service ran or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_last_backup_was_made_is_known_after_a_start() {
    let site = Site::default();
    let launch = || site.launch().flag("--operator-account=only").start();
    let newest = |server: &jomae_tests::server::Server| -> f64 {
        let metrics = server.page("/metrics").unwrap().1;
        let line = metrics.lines().find(|line| line.starts_with("jomae_backup_newest_timestamp_seconds ")).unwrap();
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    let mut server = launch();
    assert!(newest(&server) < 0.5);
    let described = server.client().call("DescribeServer", &[]).await.unwrap();
    assert!(described["Backup"].get("Last").is_none(), "{described}");
    let first = create(&site.data(), &site.path("one"), &[]);
    let at = newest(&server);
    assert!(at > 1e9);
    assert_eq!(server.stop(), Some(0));
    let mut server = launch();
    assert!((newest(&server) - at).abs() < 0.5, "forgotten");
    assert_eq!(server.stop(), Some(0));
    // Without the service.
    let second = create(&site.data(), &site.path("one"), &[]);
    assert_eq!(second["IsWhole"], false);
    let server = launch();
    assert!(newest(&server) >= at);
    let described = server.client().call("DescribeServer", &[]).await.unwrap();
    let last = &described["Backup"]["Last"];
    assert_eq!((&last["BackupId"], &last["BaseBackupId"]), (&second["Id"], &first["Id"]), "{described}");
    assert_eq!(
        (&last["Whole"], &last["PlaceKind"], &last["Bytes"]),
        (&Value::Bool(false), &"directory".into(), &second["Bytes"])
    );
    assert!(!described.to_string().contains(word(&site.path(""))), "a place on the disk: {described}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_restores_opens_and_reports() {
    let site = Site::default();
    let toml = format!(
        "[backup]\nto = {:?}\nevery_hours = 24\ndrill_every_days = 7\n[audit]\nwitness_file = {:?}\n",
        site.path("backups"),
        site.path("witness")
    );
    fs::create_dir(site.path("backups")).unwrap();
    let mut server = site.launch().config(&toml).start();
    create_key(&server.client(), "k").await;
    // The service makes a backup by itself, and holds a drill.
    server.wait_for_log("the drill has restored a backup");
    let metrics = server.page("/metrics").unwrap().1;
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    assert!(
        value("jomae_backup_newest_timestamp_seconds") > 1e9 && value("jomae_drill_newest_timestamp_seconds") > 1e9
    );
    assert!(value("jomae_backup_failures_total") < 0.5 && value("jomae_drill_failures_total") < 0.5);

    let (data, config) = (site.data(), site.path("jomae.toml"));
    let words = ["drill", "--config", word(&config), "--data-dir", word(&data), "--output", "json"];
    create_key(&server.client(), "l").await;
    let told = cli::jomae(&words).ok().json();
    let elsewhere = told["KnownElsewhere"].as_array().unwrap();
    assert!(elsewhere.iter().any(|line| line.as_str().unwrap().contains("goes on from its")), "{told}");
    assert_eq!(told["OpenedBy"], "file");
    let report = fs::read_to_string(told["Report"].as_str().unwrap()).unwrap();
    assert!(report.starts_with("jomae drill v1\n") && report.contains("\n\u{2014} "), "{report}");
    // Whoever has the public key sees that it is true.
    let (report_at, key) = (told["Report"].as_str().unwrap(), data.join("audit/key.pub"));
    let check = |path: &str| cli::jomae(&["audit", "check-drill", path, "--key", word(&key)]);
    let checked = check(report_at).ok();
    let shown: Value = serde_json::from_str(checked.text().split_once('\n').unwrap().1).unwrap();
    assert_eq!(shown["Backup"], told["Backup"]);
    let younger = site.write("younger.txt", report.replace("\"AgeSeconds\": ", "\"AgeSeconds\": -"));
    check(word(&younger)).failed(1, &["younger.txt"]);
    let note = cli::jomae(&["audit", "checkpoint", "--log", word(&data.join("audit"))]).ok();
    let other = site.write("checkpoint.txt", note.text());
    check(word(&other)).failed(1, &["not the report of a drill"]);
    let left: Vec<String> = tree::read(&data).into_keys().filter(|name| name.contains("jomae-drill")).collect();
    assert!(left.is_empty(), "{left:?}");

    // A backup that would not restore.
    assert_eq!(server.stop(), Some(0));
    for entry in fs::read_dir(site.path("backups")).unwrap() {
        let records = entry.unwrap().path().join("records");
        let mut bytes = fs::read(&records).unwrap();
        bytes[100] ^= 1;
        fs::write(&records, bytes).unwrap();
    }
    cli::jomae(&words).failed(1, &["backup", "records"]);
}
