//! Examining a data directory, and making a new domain key.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

use jomae_tests::{
    Ran, Site, binary,
    calls::{create_key, decrypt, encrypt},
    cli, tree,
};

use super::word;

fn doctor(data: &Path) -> Ran {
    cli::jomae(&["doctor", "--data-dir", word(data)])
}

/// Checks that a single finding is wrong and has these words.
#[track_caller]
fn finds(data: &Path, words: &[&str]) {
    let before = tree::read(data);
    let ran = doctor(data);
    let wrong: Vec<&str> = ran.text().lines().filter(|line| line.starts_with("WRONG")).collect();
    assert_eq!(wrong.len(), 1, "{}", ran.text());
    for word in words {
        assert!(wrong[0].contains(word), "{word:?} is not in {}", wrong[0]);
    }
    let changed = tree::differences(&before, &tree::read(data));
    let harmless = ["store.db-wal", "store.db-shm"];
    assert!(changed.iter().all(|path| harmless.contains(&path.as_str())), "changed: {changed:?}");
    ran.failed(1, &["1 thing(s) to mend"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_finds_what_is_wrong_and_changes_nothing() {
    let site = Site::default();
    let data = site.data();
    let mut server = site.start();
    let key = create_key(&server.client(), "k").await;
    let blob = encrypt(&server.client(), &key, "aGVsbG8=").await;
    // Beside a running server too.
    let text = doctor(&data).ok().text().to_owned();
    assert!(!text.contains("WRONG") && text.contains("open with the root key"), "{text}");
    assert_eq!(decrypt(&server.client(), &blob).await, "aGVsbG8=");
    assert_eq!(server.stop(), Some(0));
    doctor(&data).ok();

    let mode = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(&data, 0o755);
    finds(&data, &["data directory", "chmod 700"]);
    mode(&data, 0o700);

    let store = data.join("store.db");
    let own = fs::read(&store).unwrap();
    let at = memchr::memmem::find(&own, format!("/key/{key}").as_bytes()).unwrap() + 100;
    let mut flipped = own.clone();
    flipped[at] ^= 1;
    fs::write(&store, &flipped).unwrap();
    finds(&data, &["records", &key, "restore a backup"]);
    fs::write(&store, &own).unwrap();

    let log = data.join("audit/00000000000000000000.jsonl");
    let events = fs::read(&log).unwrap();
    let mut damaged = events.clone();
    damaged[0] = b'[';
    fs::write(&log, damaged).unwrap();
    finds(&data, &["audit log", "00000000000000000000.jsonl, line 1, event 0"]);
    fs::write(&log, events).unwrap();

    // Who can read the root key file has everything: the service does not start with it either.
    mode(&data.join("root.key"), 0o644);
    let ran = doctor(&data);
    assert_eq!(ran.code, Some(1));
    assert!(ran.text().contains("chmod 600"), "{}", ran.text());
    mode(&data.join("root.key"), 0o600);
    doctor(&data).ok();

    let nothing = site.path("nothing");
    let ran = doctor(&nothing);
    assert_eq!(ran.code, Some(1));
    assert!(!nothing.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_signs_every_event_and_tells_the_witness() {
    let site = Site::default();
    let witness = site.path("witness");
    let config = format!("[audit]\nwitness_file = \"{}\"\ncheckpoint_secs = 3600\n", word(&witness));
    for _ in 0..2 {
        let mut server = site.launch().config(&config).start();
        let key = create_key(&server.client(), "k").await;
        for _ in 0..20 {
            encrypt(&server.client(), &key, "aGVsbG8=").await;
        }
        assert_eq!(server.stop(), Some(0));
        let events = server.audit().len();
        let text = doctor(&site.data()).ok().text().to_owned();
        assert!(text.contains(&format!("{events} events, {events} of them covered")), "{text}");
        // The newest checkpoint, as the witness has it: origin, size, root, time.
        let told = fs::read_to_string(&witness).unwrap();
        let note = told.strip_suffix("\n\n").unwrap().rsplit("\n\n").nth(1).unwrap();
        assert_eq!(note.lines().nth(1), Some(events.to_string().as_str()), "{told}");
    }
    let signed = fs::read_to_string(site.data().join("audit/checkpoints")).unwrap();
    assert!(signed.ends_with(fs::read_to_string(&witness).unwrap().rsplit_once("jomae-").unwrap().1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_moved_to_another_path_is_noticed() {
    let site = Site::default();
    let mut server = site.start();
    let client = server.client();
    let (one, other) = (create_key(&client, "one").await, create_key(&client, "other").await);
    let blob = encrypt(&client, &one, "aGVsbG8=").await;
    assert_eq!(server.stop(), Some(0));
    // The ids swapped wherever they stand in paths: each key has the other's record then.
    let store = site.data().join("store.db");
    let mut content = fs::read(&store).unwrap();
    let find = |id: &str| memchr::memmem::find_iter(&content, id.as_bytes()).collect::<Vec<_>>();
    let (at_one, at_other) = (find(&one), find(&other));
    assert!(!at_one.is_empty() && !at_other.is_empty());
    for at in at_one {
        content[at..at + other.len()].copy_from_slice(other.as_bytes());
    }
    for at in at_other {
        content[at..at + one.len()].copy_from_slice(one.as_bytes());
    }
    fs::write(&store, content).unwrap();
    let ran = doctor(&site.data());
    assert_eq!(ran.code, Some(1), "{}", ran.text());
    if let Ok(server) = site.launch().try_start() {
        let answer = server.client().call("Decrypt", &[("CiphertextBlob", &blob)]).await;
        assert!(answer.is_err(), "a moved record was obeyed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_domain_key() {
    let site = Site::default();
    let data = site.data();
    let rotate = || cli::jomae(&["domain-key", "rotate", "--data-dir", word(&data)]);
    rotate().failed(1, &["store.db"]);
    assert!(!data.exists());
    let mut sealed = Vec::new();
    for version in 2..5 {
        let mut server = site.start();
        let client = server.client();
        let key = create_key(&client, "k").await;
        sealed.push((key.clone(), encrypt(&client, &key, "aGVsbG8=").await));
        for (key, blob) in &sealed {
            assert_eq!(decrypt(&client, blob).await, "aGVsbG8=");
            let new = encrypt(&client, key, "d29ybGQ=").await;
            assert_eq!(decrypt(&client, &new).await, "d29ybGQ=");
        }
        rotate().failed(1, &["another process"]);
        assert_eq!(server.stop(), Some(0));
        let ran = rotate().ok();
        assert!(ran.text().contains(&format!("version {version}")), "{}", ran.text());
    }
    let server = site.start();
    for (_, blob) in &sealed {
        assert_eq!(decrypt(&server.client(), blob).await, "aGVsbG8=");
    }
    doctor(&data).ok();
}

/// Who can write the store plants triggers that swallow changes: from then on they would be answered and not made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_trigger_is_named_by_start_doctor_backup_and_restore() {
    let site = Site::default();
    let (data, backup) = (site.data(), site.path("backup"));
    let mut server = site.start();
    let key = create_key(&server.client(), "k").await;
    super::copies::copy_as_before(&data, &backup);
    let plant = |store: &Path| {
        let sql = "CREATE TRIGGER planted BEFORE UPDATE ON records BEGIN SELECT RAISE(IGNORE); END";
        rusqlite::Connection::open(store).unwrap().execute_batch(sql).unwrap();
    };

    // Beside a running service: its next change fails, and is not made.
    plant(&data.join("store.db"));
    let refusal = server.client().call("DisableKey", &[("KeyId", &key)]).await.unwrap_err().to_string();
    assert!(refusal.contains("InternalFailure"), "{refusal}");
    let state = server.client().call("DescribeKey", &[("KeyId", &key)]).await.unwrap();
    assert_eq!(state["KeyMetadata"]["KeyState"], "Enabled");
    server.wait_for_log("planted");
    server.kill();

    let named = ["the trigger \"planted\" on \"records\" is none of ours"];
    site.launch().fails().failed(1, &named);
    let ran = doctor(&data);
    assert!(ran.code == Some(1) && ran.text().contains(named[0]), "{}", ran.text());
    let to = site.path("another");
    cli::jomae(&["backup", "create", "--data-dir", word(&data), "--to", word(&to)]).failed(1, &named);
    assert!(!to.exists());
    plant(&backup.join("store.db"));
    let root_key = data.join("root.key");
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
    cli::jomae(&words).failed(1, &named);
    assert!(!to.exists());
}

#[test]
fn doctor_asks_what_a_start_asks() {
    let (site, other) = (Site::default(), Site::default());
    for site in [&site, &other] {
        assert_eq!(site.start().stop(), Some(0));
    }
    let data = site.data();
    doctor(&data).ok();
    let store = fs::File::options().write(true).open(data.join("store.db")).unwrap();
    let hour = std::time::Duration::from_hours(1);
    store.set_modified(std::time::SystemTime::now() + hour).unwrap();
    finds(&data, &["clock", "behind"]);
    store.set_modified(std::time::SystemTime::now() - hour).unwrap();
    doctor(&data).ok();

    let with = |toml: &str, words: &[&str]| {
        let config = site.write("doctor.toml", toml);
        let ran = cli::jomae(&["doctor", "--data-dir", word(&data), "--config", word(&config)]);
        let wrong: Vec<&str> = ran.text().lines().filter(|line| line.starts_with("WRONG")).collect();
        assert!(ran.code == Some(1) && wrong.len() == 1, "{}", ran.text());
        assert!(words.iter().all(|word| wrong[0].contains(word)), "{wrong:?}");
    };
    with("listen = \"192.0.2.1:8443\"", &["addresses", "192.0.2.1"]);
    with("[log]\nlevel = \"what=ever=\"", &["configuration", "log.level"]);
    let (own, others) = (data.join("tls/server.pem"), other.data().join("tls/server.key"));
    let (own, others) = (word(&own), word(&others));
    with(&format!("[tls]\ncert_file = \"{own}\"\nkey_file = \"{others}\""), &["certificate", own]);

    let mut few = binary::without_settings(Command::new("sh"));
    few.args(["-c", "ulimit -n 400; exec \"$0\" doctor --data-dir \"$1\""]).arg(binary::path()).arg(&data);
    let ran = cli::run(few, b"");
    assert!(ran.code == Some(1) && ran.text().contains("WRONG  descriptors: the limit of 400"), "{}", ran.text());
}
