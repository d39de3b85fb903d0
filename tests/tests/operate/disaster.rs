//! The day on which something is gone: the bucket, the provider of the root key, the audit log. What is printed then is typed by
//! people who have no time, so it must be true.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use jomae_tests::{
    Site,
    calls::{create_key, decrypt, encrypt},
    cli,
};
use serde_json::Value;

use super::word;

const PLAIN: &str = "aGVsbG8=";

/// A configuration whose bucket nobody answers for.
fn lost_bucket(site: &Site) -> String {
    let credentials = site.write("s3.toml", "access_key_id = \"a\"\nsecret_access_key = \"b\"\n");
    fs::set_permissions(&credentials, fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "[backup]\nto = \"s3://lost/b\"\nendpoint = \"http://127.0.0.1:9\"\nregion = \"us-east-1\"\n\
         credentials_file = \"{}\"\n",
        credentials.display()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_takes_backups_and_gives_them_back_though_a_bucket_is_configured() {
    let site = Site::default();
    let toml = lost_bucket(&site);
    let mut server = site.launch().config(&toml).start();
    let key = create_key(&server.client(), "k").await;
    let (config, data, disk) = (site.path("jomae.toml"), site.data(), site.path("disk"));
    let on = |words: &[&str], data: &Path| {
        cli::jomae(&[words, &["--config", word(&config), "--data-dir", word(data)]].concat())
    };
    on(&["backup", "create", "--to", word(&disk)], &data).ok();
    assert_eq!(server.stop(), Some(0));
    on(&["backup", "create", "--to", word(&disk)], &data).ok();
    let listed = on(&["backup", "list", "--from", word(&disk), "--output", "json"], &data).ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    on(&["backup", "verify", "--from", word(&disk)], &data).ok();
    on(&["drill", "--from", word(&disk)], &data).ok();
    let to = site.path("restored");
    let (root_key, log_key) = (data.join("root.key"), data.join("audit/key.pub"));
    let words = ["restore", "--from", word(&disk), "--root-key", word(&root_key), "--log-key", word(&log_key)];
    on(&words, &to).ok();
    let server = site.launch().data(&to).config(&toml).start();
    jomae_tests::calls::ask(&server.client(), "DescribeKey", &[("KeyId", &key)]).await;
    // Before the first there is none, which is not to say that there is none at all.
    let oldest = listed[0]["Id"].as_str().unwrap();
    let early = ["backup", "verify", "--from", word(&disk), "--at", "2020-01-01T00:00:00Z"];
    on(&early, &data).failed(1, &["made at 2020-01-01T00:00:00Z or before", oldest]);
    // A file of the bucket's that others can read is named as it is.
    fs::set_permissions(site.path("s3.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    on(&["backup", "list"], &data).failed(1, &["s3://lost/b: ", "s3.toml can be read by other users"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_bucket_is_counted_before_a_backup_is_due_and_doctor_tells_of_it() {
    let site = Site::default();
    let (data, disk) = (site.data(), site.path("disk"));
    drop(site.start());
    cli::jomae(&["backup", "create", "--data-dir", word(&data), "--to", word(&disk)]).ok();
    // A drill that somebody holds by hand counts, though the service holds none.
    let root_key = data.join("root.key");
    cli::jomae(&["drill", "--data-dir", word(&data), "--from", word(&disk), "--root-key", word(&root_key)]).ok();
    let toml = lost_bucket(&site) + "every_hours = 24\n";
    let mut server = site.launch().config(&toml).start();
    server.wait_for_log("cannot look at the backups");
    let value = |name: &str| -> f64 {
        let metrics = server.page("/metrics").unwrap().1;
        let line = metrics.lines().find(|line| line.split(' ').next() == Some(name)).unwrap();
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    assert!(value("jomae_backup_newest_timestamp_seconds") > 1e9, "none is due");
    assert!(value("jomae_backup_failures_total") > 0.5 && value("jomae_drill_newest_timestamp_seconds") > 1e9);
    let config = site.path("jomae.toml");
    let doctor = || cli::jomae(&["doctor", "--config", word(&config), "--data-dir", word(&data)]);
    let line = |ran: &cli::Ran| ran.text().lines().find(|line| line.contains(" backups: ")).unwrap().to_owned();
    let lost = line(&doctor());
    assert!(lost.starts_with("WRONG  backups: s3://lost/b"), "{lost}");
    site.write("jomae.toml", format!("[backup]\nto = {disk:?}\nevery_hours = 24\n"));
    let found = line(&doctor());
    assert!(found.starts_with("ok     backups: the newest in ") && found.ends_with(", 0 h ago"), "{found}");
    site.write("jomae.toml", format!("[backup]\nto = {:?}\nevery_hours = 24\n", site.path("nowhere")));
    assert!(line(&doctor()).starts_with("WRONG"));
}

/// What the command line prints as the next steps is done as it stands there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_by_shares_says_what_lets_the_service_start() {
    let site = Site::default();
    let passphrase = site.write("passphrase", "correct horse battery staple");
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
    let root_key =
        |providers: &str| format!("[root_key]\nprovider = [{providers}]\npassphrase_file = {passphrase:?}\n");
    let toml = root_key("\"passphrase\", \"shares\"");
    let mut server = site.launch().config(&toml).start();
    let key = create_key(&server.client(), "k").await;
    let blob = encrypt(&server.client(), &key, PLAIN).await;
    let (config, data, disk, shares) = (site.path("jomae.toml"), site.data(), site.path("disk"), site.path("s"));
    let on = |words: &[&str]| cli::jomae(&[words, &["--config", word(&config), "--data-dir", word(&data)]].concat());
    on(&["root", "add", "shares", "--open", "2", "--of", "3", "--to", word(&shares)]).ok();
    on(&["root", "add", "shares", "--name", "other", "--open", "2", "--of", "3", "--to", word(&site.path("o"))]).ok();
    on(&["backup", "create", "--to", word(&disk)]).ok();
    assert_eq!(server.stop(), Some(0));

    // Slots are told apart, and a share says which is its own.
    let listed = on(&["backup", "list", "--from", word(&disk), "--output", "json"]).ok().json();
    assert_eq!(listed[0]["OpenedBy"], serde_json::json!(["passphrase", "shares", "other (shares)"]));
    let shown = on(&["root", "status", "--output", "json"]).ok().json();
    let share = fs::read_to_string(shares.join("share-1.txt")).unwrap();
    let set = share.lines().nth(1).unwrap().split(',').next().unwrap();
    assert!(shown[1]["Detail"].as_str().unwrap().ends_with(set), "{shown} {share}");

    let held = [shares.join("share-1.txt"), shares.join("share-3.txt")];
    let restore = ["restore", "--from", word(&disk), "--share", word(&held[0]), "--share"];
    // What is wrong with a file is said once, however many slots need it.
    let absent = site.path("nonesuch");
    let ran = on(&["backup", "verify", "--from", word(&disk), "--share", word(&held[0]), "--share", word(&absent)]);
    assert_eq!(ran.stderr.matches("nonesuch").count(), 1, "{}", ran.stderr);
    ran.failed(1, &["the share in ", "nonesuch"]);

    fs::remove_dir_all(&data).unwrap();
    let with = [&restore[..], &[word(&held[1])]].concat();
    // With the passphrase there is nothing to do before the start.
    let ran = on(&with).ok();
    let start = format!("Start with: jomae serve --config {} --data-dir {}", config.display(), data.display());
    assert_eq!(ran.text().lines().last(), Some(start.as_str()));
    assert!(!ran.text().contains("before the start"), "{}", ran.text());

    fs::remove_dir_all(&data).unwrap();
    fs::remove_file(&passphrase).unwrap();
    let ran = on(&with).ok();
    assert_eq!(ran.text().lines().last(), Some(start.as_str()));
    site.launch().config(&toml).fails().failed(1, &["passphrase"]);
    let step = ran.text().lines().find_map(|line| line.strip_prefix("before the start: jomae root add file ")).unwrap();
    assert!(step.contains("then name \"file\" in root_key.provider"), "{step}");
    let words: Vec<&str> = step.split(';').next().unwrap().split(' ').collect();
    cli::jomae(&[&["root", "add", "file"][..], &words].concat()).ok();
    let server = site.launch().config(&root_key("\"file\", \"shares\"")).start();
    assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_log_that_is_accepted_comes_with_what_the_start_needs() {
    let site = Site::default();
    let mut server = site.start();
    let key = create_key(&server.client(), "k").await;
    let blob = encrypt(&server.client(), &key, PLAIN).await;
    assert_eq!(server.stop(), Some(0));
    let (data, disk, to) = (site.data(), site.path("disk"), site.path("to"));
    cli::jomae(&["root", "add", "file", "--name", "safe", "--to", word(&site.path("safe")), "--data-dir", word(&data)])
        .ok();
    let vouching = |data: &Path| {
        let slots = cli::jomae(&["root", "status", "--data-dir", word(data), "--output", "json"]).ok().json();
        [0, 1].map(|n| slots[n]["Vouches"].as_bool().unwrap())
    };
    assert_eq!(vouching(&data), [true, true]);
    for entry in fs::read_dir(data.join("audit")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "jsonl") {
            let mut content = fs::read(&path).unwrap();
            content[40] ^= 1;
            fs::write(&path, content).unwrap();
        }
    }
    let ran = cli::jomae(&["backup", "create", "--data-dir", word(&data), "--to", word(&disk)]);
    assert!(ran.code == Some(0) && ran.stderr.starts_with("jomae: WARNING"), "{}", ran.stderr);
    assert!(ran.stderr.contains("of what is not as it was: the audit log: "), "{}", ran.stderr);
    let (root_key, log_key) = (data.join("root.key"), data.join("audit/key.pub"));
    let by = ["--root-key", word(&root_key), "--log-key", word(&log_key)];
    let words = [&["restore", "--from", word(&disk), "--data-dir", word(&to)][..], &by].concat();
    cli::jomae(&words).failed(1, &["--accept-damaged-audit-log"]);
    let ran = cli::jomae(&[&words[..], &["--accept-damaged-audit-log"]].concat()).ok();
    let start = format!("Start with: jomae serve --data-dir {} --new-audit-log", to.display());
    assert_eq!(ran.text().lines().last(), Some(start.as_str()));
    site.launch().data(&to).fails().failed(1, &["audit log"]);
    let mv = ran.text().lines().find_map(|line| Some(line.split_once(": mv ")?.1)).unwrap();
    let (from, aside) = mv.split_once(' ').unwrap();
    fs::rename(from, aside).unwrap();
    let server = site.launch().data(&to).flag("--new-audit-log").start();
    assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
    // What is refused changes nothing.
    let second = site.path("taken");
    let add = ["root", "add", "file", "--name", "safe", "--to", word(&second), "--data-dir", word(&to)];
    cli::jomae(&add).failed(1, &["there is a slot safe already"]);
    assert_eq!(vouching(&to), [false, false]);
    // With the log there is another key of backups, of which the key file that is elsewhere has not heard.
    let ran = cli::jomae(&["backup", "create", "--data-dir", word(&to), "--to", word(&disk)]);
    assert!(
        ran.code == Some(0) && ran.stderr.contains("these slots of the root key do not vouch: safe."),
        "{}",
        ran.stderr
    );
    assert_eq!(vouching(&to), [true, false]);
    let doctor = cli::jomae(&["doctor", "--data-dir", word(&to)]);
    let line = doctor.text().lines().find(|line| line.contains(" root key: ")).unwrap().to_owned();
    assert!(line.starts_with("ok ") && line.ends_with("the log's key: safe (file)"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_store_that_was_rolled_back_comes_with_a_warning() {
    let site = Site::default();
    let mut server = site.start();
    create_key(&server.client(), "k").await;
    assert_eq!(server.stop(), Some(0));
    let (store, older) = (site.data().join("store.db"), site.path("older.db"));
    fs::copy(&store, &older).unwrap();
    let create = || {
        cli::jomae(&["backup", "create", "--data-dir", word(&site.data()), "--to", word(&site.path("disk")), "--whole"])
    };
    create().ok();
    let mut server = site.start();
    create_key(&server.client(), "l").await;
    assert_eq!(server.stop(), Some(0));
    create().ok();
    fs::copy(&older, &store).unwrap();
    let ran = create();
    assert!(ran.code == Some(0) && ran.stderr.contains("not as it was: the store: "), "{}", ran.stderr);
}

/// Whoever can write to a place of backups writes no commands to the terminal of who looks at them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_manifest_commands_no_terminal() {
    let site = Site::default();
    drop(site.start());
    let (data, disk) = (site.data(), site.path("disk"));
    cli::jomae(&["backup", "create", "--data-dir", word(&data), "--to", word(&disk)]).ok();
    let path = fs::read_dir(&disk).unwrap().next().unwrap().unwrap().path().join("manifest");
    let mut signed: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut manifest: Value = serde_json::from_str(signed["manifest"].as_str().unwrap()).unwrap();
    manifest["slots"] = Value::Null;
    manifest["direct"] = serde_json::json!(["\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\njomae: all is well", ""]);
    manifest["root_id"] = "\u{1b}[8m".into();
    signed["manifest"] = manifest.to_string().into();
    fs::write(&path, signed.to_string()).unwrap();
    for words in [&["backup", "verify", "--accept-unknown-log"][..], &["backup", "list"], &["drill"]] {
        let ran = cli::jomae(&[words, &["--data-dir", word(&data), "--from", word(&disk)]].concat());
        let told = format!("{}{}", ran.text(), ran.stderr);
        let commands = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!told.contains(commands) && told.contains("\\u{1b}]0;owned"), "{told:?}");
        assert!(!told.lines().any(|line| line.starts_with("jomae: all is well")), "{told:?}");
    }
}

#[test]
fn a_data_directory_that_is_a_dangling_link_is_called_one() {
    let site = Site::default();
    symlink(site.path("nowhere"), site.data()).unwrap();
    site.launch().fails().failed(1, &["is a link to something that is not there"]);
}
