//! Starts that must fail.

use std::{
    fs::{self, Permissions},
    net::{SocketAddr, TcpListener},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
    sync::Arc,
};

use jomae_client::api::CallError;
use jomae_core::{
    form::{self, FormRecord},
    keyring::Keyring,
    tx::Vault,
};
use jomae_server::{
    config::Config,
    root_key,
    store::{Options, SqliteStore},
};
use jomae_tests::{
    Site,
    calls::{create_key, encrypt},
    cli::jomae,
    server::Launch,
    tree,
};
use serde_json::Value;

/// A data directory that was used and stopped in order, so that the store is one file.
async fn used() -> Site {
    let site = Site::default();
    let mut server = site.start();
    let client = server.client();
    for n in 0..30 {
        let key = create_key(&client, &format!("key {n}")).await;
        encrypt(&client, &key, "aGVsbG8=").await;
    }
    assert_eq!(server.stop(), Some(0));
    site
}

/// Checks that a start fails with one line that has all `words`, and changes no file of the data directory.
#[track_caller]
fn fails(site: &Site, launch: Launch<'_>, words: &[&str]) {
    let before = tree::read(&site.data());
    launch.fails().failed(1, words);
    let changed = tree::differences(&before, &tree::read(&site.data()));
    // The store's own helpers beside it: a lock, and an empty log that SQLite makes for whoever opens the store.
    let harmless = ["store.db.lock", "store.db-wal", "store.db-shm"];
    let changed: Vec<_> = changed.iter().filter(|path| !harmless.contains(&path.as_str())).collect();
    assert!(changed.is_empty(), "changed: {changed:?}");
}

/// Replaces bytes of a file.
fn patch(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut content = fs::read(path).unwrap();
    change(&mut content);
    fs::write(path, content).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_key_files() {
    let site = used().await;
    let path = site.data().join("root.key");
    let name = path.to_str().unwrap();
    let own = fs::read(&path).unwrap();

    let other = used().await;
    fs::copy(other.data().join("root.key"), &path).unwrap();
    fails(&site, site.launch(), &["root key"]);

    // Typed from paper, it opens; typed wrong, the line is named and nothing of the key is shown.
    let text = String::from_utf8(own.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (first, rest) = lines[1].split_at(20);
    fs::write(&path, format!("\u{feff}{}\r\n\r\n{first} {rest} \r\n{}\r\n\r\n", lines[0], lines[2].to_uppercase()))
        .unwrap();
    drop(site.start());
    fs::write(&path, format!("{}\n\n{first}\n{}\n", lines[0], lines[2])).unwrap();
    let ran = site.launch().fails().failed(1, &[name, "line 3", "20 characters", "44"]);
    assert!(!ran.stderr.contains(first), "{}", ran.stderr);
    fs::write(&path, &own).unwrap();

    fs::remove_file(&path).unwrap();
    fails(&site, site.launch(), &[name, "missing", "put the file back"]);
    assert!(!path.exists());

    fs::write(&path, &own).unwrap();
    for mode in [0o644, 0o640, 0o604, 0o660, 0o620, 0o602] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        fails(&site, site.launch(), &[name, "chmod 600"]);
    }
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();

    let mut typo = own.clone();
    typo[30] = if typo[30] == b'A' { b'B' } else { b'A' };
    let long = [own.as_slice(), &own].concat();
    for damaged in [&b""[..], b"hello\n", &own[..own.len() - 9], &typo, &long, &[0xff; 80], &vec![b'x'; 1 << 20]] {
        fs::write(&path, damaged).unwrap();
        fails(&site, site.launch(), &[name]);
    }

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fails(&site, site.launch(), &[name]);
    fs::remove_dir(&path).unwrap();

    fs::write(&path, &own).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    drop(site.start());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores() {
    let site = used().await;
    let path = site.data().join("store.db");
    let name = path.to_str().unwrap();
    let own = fs::read(&path).unwrap();
    let restored = || fs::write(&path, &own).unwrap();

    fs::write(&path, "not a database, but long enough to be looked at: ".repeat(100)).unwrap();
    fails(&site, site.launch(), &[name, "not a SQLite file", "left as it is"]);
    fs::write(&path, "short").unwrap();
    fails(&site, site.launch(), &[name, "not a SQLite file"]);

    restored();
    patch(&path, |bytes| bytes[60..64].copy_from_slice(&2i32.to_be_bytes()));
    fails(&site, site.launch(), &[name, "newer version", "schema 2"]);
    restored();
    patch(&path, |bytes| bytes[68..72].copy_from_slice(&7i32.to_be_bytes()));
    fails(&site, site.launch(), &[name, "another program"]);

    // The header: page size, read version, schema format.
    for at in [16, 19, 47] {
        restored();
        patch(&path, |bytes| bytes[at] = 0xfe);
        fails(&site, site.launch(), &[name]);
    }
    // The first page after the header: the root of the table of tables.
    restored();
    patch(&path, |bytes| bytes[100..400].fill(0xaa));
    fails(&site, site.launch(), &[name]);
    // The file cut in the middle.
    restored();
    patch(&path, |bytes| bytes.truncate(4096 + 100));
    fails(&site, site.launch(), &[name]);

    restored();
    drop(site.start());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_page_never_gives_a_wrong_answer() {
    let site = Site::default();
    let mut server = site.start();
    let client = server.client();
    let mut sealed = Vec::new();
    for n in 0..30 {
        let key = create_key(&client, &format!("key {n}")).await;
        let blob = encrypt(&client, &key, "aGVsbG8=").await;
        sealed.push((key, blob));
    }
    assert_eq!(server.stop(), Some(0));
    let data = site.data();
    let path = data.join("store.db");
    let own = fs::read(&path).unwrap();
    let pages = own.len() / 4096;
    let (mut found, mut started) = (0, 0);
    for page in 1..pages {
        fs::write(&path, &own).unwrap();
        patch(&path, |bytes| {
            for at in (page * 4096..(page + 1) * 4096).step_by(7) {
                bytes[at] ^= 0x5a;
            }
        });
        let examined = jomae_tests::cli::jomae(&["doctor", "--data-dir", data.to_str().unwrap()]);
        // A page that nothing stands on can be damaged without harm.
        let harmless = examined.code == Some(0);
        found += usize::from(!harmless);
        assert_eq!(!harmless, examined.text().contains("WRONG"), "page {page}: {}", examined.text());
        let server = match site.launch().try_start() {
            Ok(server) => server,
            Err(ran) => {
                assert!(!harmless, "page {page}");
                assert!(ran.stderr.contains("jomae: "), "page {page}: {}", ran.stderr);
                continue;
            }
        };
        started += 1;
        let client = server.client();
        let mut failures = 0;
        let mut check = |answer: Result<Value, CallError>, right: &dyn Fn(&Value) -> bool| match answer {
            Ok(answer) => assert!(right(&answer), "page {page}: a wrong answer: {answer}"),
            Err(CallError::Refused { status: 500, .. }) => failures += 1,
            Err(error) => panic!("page {page}: {error}"),
        };
        for (key, blob) in &sealed {
            let answer = client.call("Decrypt", &[("CiphertextBlob", blob)]).await;
            check(answer, &|answer| answer["Plaintext"] == "aGVsbG8=" && answer["KeyId"] == **key);
            let answer = client.call("DescribeKey", &[("KeyId", key)]).await;
            check(answer, &|answer| answer["KeyMetadata"]["KeyState"] == "Enabled");
        }
        check(client.call("ListKeys", &[]).await, &|answer| answer["TotalCount"] == sealed.len());
        assert!(failures == 0 || !harmless, "page {page}: doctor saw nothing");
    }
    assert!(found > 3 && started > 0, "{pages} pages, {found} with damage, {started} started");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_the_same_directory() {
    let site = Site::default();
    let mut server = site.start();
    let env = fs::read(site.data().join("env")).unwrap();
    site.launch().fails().failed(1, &["store.db", "another process"]);
    // Also through another name of the same directory, and on a new one that has no store yet.
    let link = site.path("link");
    symlink(site.data(), &link).unwrap();
    site.launch().data(&link).fails().failed(1, &["another process"]);
    assert_eq!(fs::read(site.data().join("env")).unwrap(), env);
    create_key(&server.client(), "still here").await;
    assert_eq!(server.stop(), Some(0));
    drop(site.launch().data(&link).start());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ports_in_use() {
    let site = used().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = address.to_string();
    fails(&site, site.launch().listen(address), &[&text, "--listen"]);
    fails(&site, site.launch().admin_listen(address), &[&text, "--admin-listen"]);
    let named = format!("localhost:{}", address.port());
    // The IPv6 address of the name, where there is one, can still be had.
    if let Err(ran) = site.launch().listen(&named).try_start() {
        ran.failed(1, &[&named, "--listen"]);
    }
    fails(&site, site.launch().listen("no-such-host.invalid:0"), &["no-such-host.invalid:0"]);
    // An address of another machine (TEST-NET-1).
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 8443));
    fails(&site, site.launch().listen(elsewhere), &["192.0.2.1:8443"]);
    // A first start that finds its port taken leaves nothing half made.
    let new = Site::default();
    new.launch().listen(address).fails().failed(1, &[&text]);
    drop(new.start());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configurations() {
    let site = used().await;
    let missing = site.path("missing.toml");
    fails(&site, site.launch().config_at(&missing), &[missing.to_str().unwrap(), "cannot read"]);
    fails(&site, site.launch().config_at(&site.data()), &["cannot read"]);
    let file = site.path("jomae.toml");
    let file = file.to_str().unwrap();
    for (toml, words) in [
        ("lisen = \"127.0.0.1:1\"", &[file, "line 1", "lisen"][..]),
        ("[server]\n\nconnection_max = 1", &[file, "line 3", "connection_max"]),
        ("listen = 8443", &[file, "line 1"]),
        ("listen = \"nowhere\"", &[file, "line 1"]),
        ("[root_key]\nprovider = \"tpm\"", &[file, "line 2", "tpm"]),
        ("[audit]\ndurability = \"none\"", &[file, "line 2", "none"]),
        ("region = \"", &[file, "line 1"]),
        ("region = \"Not a region\"", &["Not a region"]),
        ("regions = [\"cn-shanghai\", \"cn shanghai\"]", &["cn shanghai"]),
        ("[server]\nconnections_max = 0", &["connections_max"]),
        ("[server]\nhead_timeout_secs = -1", &[file, "line 2"]),
        ("[log]\nlevel = \"what=ever=\"", &["log.level"]),
        ("[tls]\ncert_file = \"x.pem\"", &["tls.cert_file", "tls.key_file"]),
        ("[tls]\ncert_file = \"/no/cert.pem\"\nkey_file = \"/no/key.pem\"", &["/no/cert.pem"]),
        ("[tls]\nnames = [\"not a name\"]", &["not a name"]),
        ("[root_key]\nfile = \"/no/such/directory/root.key\"", &["/no/such/directory/root.key"]),
    ] {
        fails(&site, site.launch().config(toml), words);
    }
    let large = format!("region = \"cn-hangzhou\"\n#{}", "x".repeat(2 << 20));
    fails(&site, site.launch().config(&large), &[file, "1 MiB"]);
    fs::write(file, b"region = \"\xff\"").unwrap();
    fails(&site, site.launch().config_at(Path::new(file)), &[file]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_directories() {
    let site = Site::default();
    let file = site.write("file", "precious");
    site.launch().data(&file).fails().failed(1, &[file.to_str().unwrap()]);
    let below = file.join("below");
    site.launch().data(&below).fails().failed(1, &[below.to_str().unwrap()]);
    let dangling = site.path("dangling");
    symlink(site.path("nothing"), &dangling).unwrap();
    site.launch().data(&dangling).fails().failed(1, &[dangling.to_str().unwrap()]);
    assert_eq!(fs::read(&file).unwrap(), b"precious");

    // Parts of it that are not what they should be.
    for part in ["store.db", "audit", "tls", "root.key", "env", "store.db.lock"] {
        let site = used().await;
        let path = site.data().join(part);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap();
            fs::write(&path, "a file").unwrap();
        } else {
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
        }
        site.launch().fails().failed(1, &[part]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_log_that_cannot_be_written() {
    let site = used().await;
    let log = site.data().join("audit/00000000000000000000.jsonl");
    fs::remove_file(&log).unwrap();
    symlink("/dev/full", &log).unwrap();
    fails(&site, site.launch(), &["audit"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_log_that_was_cut_or_changed() {
    let site = used().await;
    let audit = site.data().join("audit");
    let log = audit.join("00000000000000000000.jsonl");
    let own = fs::read(&log).unwrap();
    let last = own[..own.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    fs::write(&log, &own[..last]).unwrap();
    fails(&site, site.launch(), &["audit", "has been cut", "move the directory away"]);
    let mut flipped = own.clone();
    flipped[last + 20] ^= 1;
    fs::write(&log, flipped).unwrap();
    fails(&site, site.launch(), &["audit", "has been changed"]);
    fs::write(&log, &own).unwrap();
    let checkpoints = audit.join("checkpoints");
    let signed = fs::read(&checkpoints).unwrap();
    fs::remove_file(&checkpoints).unwrap();
    fails(&site, site.launch(), &["audit", "checkpoints are gone"]);
    fs::write(&checkpoints, signed).unwrap();
    // Moved away, or emptied: missed, until the operator says that a new one is to begin.
    let key = fs::read(audit.join("key.pub")).unwrap();
    fs::rename(&audit, site.path("away")).unwrap();
    fails(&site, site.launch(), &["audit", "is gone", "--new-audit-log"]);
    fs::create_dir(&audit).unwrap();
    fails(&site, site.launch(), &["audit", "is gone", "--new-audit-log"]);
    let mut server = site.launch().flag("--new-audit-log").start();
    assert_ne!(fs::read(audit.join("key.pub")).unwrap(), key);
    let first = server.audit().remove(0);
    assert_eq!(
        (&first["eventName"], &first["userIdentity"]["userName"]),
        (&"BeginAuditLog".into(), &"operator".into())
    );
    assert_eq!(server.stop(), Some(0));
    fails(&site, site.launch().flag("--new-audit-log"), &["--new-audit-log", "without the option"]);
    drop(site.start());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_log_that_somebody_else_has_written() {
    let site = used().await;
    let audit = site.data().join("audit");
    let log = audit.join("00000000000000000000.jsonl");
    let own = fs::read_to_string(&log).unwrap();
    let last = own.lines().last().unwrap();
    // An event is made up, while the service is stopped.
    let made_up = last.replace("\"eventId\":\"", "\"eventId\":\"0").replace("127.0.0.1", "198.51.100.66");
    fs::write(&log, format!("{own}{made_up}\n")).unwrap();
    fails(&site, site.launch(), &["audit", "continued by somebody else"]);
    // The next file is a link to the root key.
    fs::write(&log, &own).unwrap();
    let key = fs::read(site.data().join("root.key")).unwrap();
    let next = audit.join(format!("{:020}.jsonl", own.lines().count()));
    symlink("../root.key", &next).unwrap();
    fails(&site, site.launch(), &["audit", "symbolic link"]);
    assert_eq!(fs::read(site.data().join("root.key")).unwrap(), key);
    fs::remove_file(next).unwrap();
    // All of it is somewhere else.
    fs::rename(&audit, site.path("elsewhere")).unwrap();
    symlink(site.path("elsewhere"), &audit).unwrap();
    fails(&site, site.launch(), &["audit", "symbolic link"]);
    fs::remove_file(&audit).unwrap();
    fs::rename(site.path("elsewhere"), &audit).unwrap();
    drop(site.start());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_and_pipes_in_the_data_directory() {
    for part in ["root.key", "env", "ca.pem", "tls", "tls/ca.key", "store.db", "store.db.lock", "audit/key.pub"] {
        let site = used().await;
        let (path, aside) = (site.data().join(part), site.path("aside"));
        fs::rename(&path, &aside).unwrap();
        symlink(&aside, &path).unwrap();
        if part == "audit/key.pub" {
            // It is written again, beside what the link names.
            let own = fs::read(&aside).unwrap();
            fs::write(&aside, "precious").unwrap();
            drop(site.start());
            assert_eq!((fs::read(&path).unwrap(), fs::read(&aside).unwrap()), (own, b"precious".to_vec()));
            continue;
        }
        fails(&site, site.launch(), &[part, "symbolic link"]);
        fs::remove_file(&path).unwrap();
        if part != "tls" {
            assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().unwrap().success());
            fails(&site, site.launch(), &[part]);
            fs::remove_file(&path).unwrap();
        }
        fs::rename(&aside, &path).unwrap();
        drop(site.start());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_can_read_or_write() {
    let site = used().await;
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let data = site.data();
    for open in [0o777, 0o770, 0o707, 0o720] {
        mode(&data, open);
        fails(&site, site.launch(), &[data.to_str().unwrap(), "can be changed by other users", "chmod 700"]);
    }
    mode(&data, 0o700);
    for part in ["root.key", "env", "tls/ca.key", "tls/server.key"] {
        let path = data.join(part);
        for open in [0o644, 0o640, 0o620] {
            mode(&path, open);
            fails(&site, site.launch(), &[path.to_str().unwrap(), "chmod 600"]);
        }
        mode(&path, 0o600);
    }
    // Secrets that the configuration names.
    let key = site.path("own.key");
    fs::copy(data.join("tls/server.key"), &key).unwrap();
    mode(&key, 0o644);
    let cert = data.join("tls/server.pem");
    let tls = format!("[tls]\ncert_file = \"{}\"\nkey_file = \"{}\"\n", cert.display(), key.display());
    fails(&site, site.launch().config(&tls), &[key.to_str().unwrap(), "chmod 600"]);
    mode(&key, 0o600);
    let link = site.path("mounted.key");
    symlink(&key, &link).unwrap();
    let tls = tls.replace(key.to_str().unwrap(), link.to_str().unwrap());
    drop(site.launch().config(&tls).start());
    let new = Site::default();
    let passphrase = new.write("passphrase", "right horse battery\n");
    mode(&passphrase, 0o644);
    let config = format!("[root_key]\nprovider = \"passphrase\"\npassphrase_file = \"{}\"\n", passphrase.display());
    new.launch().config(&config).fails().failed(1, &[passphrase.to_str().unwrap(), "chmod 600"]);
    mode(&passphrase, 0o600);
    drop(new.launch().config(&config).start());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passphrases() {
    let site = Site::default();
    let passphrase = "[root_key]\nprovider = \"passphrase\"\n";
    let launch = || site.launch().config(passphrase);
    site.launch().config(passphrase).fails().failed(1, &["JOMAE_ROOT_PASSPHRASE", "root_key.passphrase_file"]);
    launch().variable("JOMAE_ROOT_PASSPHRASE", "").fails().failed(1, &["passphrase"]);
    let mut server = launch().variable("JOMAE_ROOT_PASSPHRASE", "right horse battery").start();
    let key = create_key(&server.client(), "k").await;
    let blob = encrypt(&server.client(), &key, "aGVsbG8=").await;
    assert_eq!(server.stop(), Some(0));
    assert!(!site.data().join("root.key").exists());

    fails(&site, launch(), &["JOMAE_ROOT_PASSPHRASE"]);
    fails(&site, launch().variable("JOMAE_ROOT_PASSPHRASE", "wrong horse battery"), &["root key"]);
    // The other provider must not make a key.
    fails(&site, site.launch(), &["no provider of the root key", "it has passphrase"]);
    assert!(!site.data().join("root.key").exists() && !site.data().join("root.params").exists());

    // A line end behind it is not part of it, in the variable as in a file.
    let mut server = launch().variable("JOMAE_ROOT_PASSPHRASE", "right horse battery\r\n").start();
    assert_eq!(jomae_tests::calls::decrypt(&server.client(), &blob).await, "aGVsbG8=");
    assert_eq!(server.stop(), Some(0));
    let file = site.write("passphrase", "right horse battery\n");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let config = format!("{passphrase}passphrase_file = \"{}\"\n", file.display());
    let server = site.launch().config(&config).start();
    assert_eq!(jomae_tests::calls::decrypt(&server.client(), &blob).await, "aGVsbG8=");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_certificate_authority() {
    let site = used().await;
    let (ca, ca_key) = (site.data().join("ca.pem"), site.data().join("tls/ca.key"));
    let own_key = fs::read(&ca_key).unwrap();
    fs::remove_file(&ca_key).unwrap();
    fails(&site, site.launch(), &["ca.pem", "ca.key", "put it back"]);
    fs::write(&ca_key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    fs::set_permissions(&ca_key, Permissions::from_mode(0o600)).unwrap();
    fails(&site, site.launch(), &["ca.key"]);
    let other = used().await;
    fs::copy(other.data().join("tls/ca.key"), &ca_key).unwrap();
    fails(&site, site.launch(), &["CA"]);
    fs::write(&ca_key, own_key).unwrap();
    let own = fs::read(&ca).unwrap();
    fs::write(&ca, "no certificate").unwrap();
    fails(&site, site.launch(), &["ca.pem"]);
    fs::write(&ca, own).unwrap();
    drop(site.start());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_a_newer_version() {
    let site = used().await;
    let config = Config { data_dir: site.data(), ..Config::default() };
    let store = Arc::new(SqliteStore::open(&site.data().join("store.db"), &Options::default()).unwrap());
    let root = root_key::open(&config, &*store).await.unwrap().root;
    let keyring = Arc::new(Keyring::open(&*store, &root).await.unwrap());
    let vault = Vault::new(store, keyring, 100);
    let mut tx = vault.writing();
    tx.put(form::path(), &FormRecord { form: form::NEWEST + 1 }).unwrap();
    tx.commit().await.unwrap();
    drop(vault);
    fails(&site, site.launch(), &["which a newer version wrote", "use the newer version"]);
    let data = site.data();
    let words = ["account", "list", "--data-dir", data.to_str().unwrap()];
    jomae(&words).failed(1, &["which a newer version wrote"]);
}
