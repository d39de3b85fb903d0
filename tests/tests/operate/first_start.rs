//! What the first start makes, and what later starts keep.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use jomae_tests::{
    Site,
    calls::{ask, create_key, decrypt, encrypt},
    cli,
    server::read_env,
    tree,
};

use super::word;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_and_their_modes() {
    let site = Site::default();
    let server = site.launch().after("umask 0").start();
    create_key(&server.client(), "k").await;
    let nodes = tree::read(&site.data());
    let modes: Vec<(&str, u32)> = nodes.iter().map(|(path, node)| (path.as_str(), node.mode)).collect();
    let expected = [
        ("audit/", 0o700),
        ("audit/00000000000000000000.jsonl", 0o600),
        ("audit/checkpoints", 0o600),
        ("audit/index/", 0o700),
        ("audit/key.pub", 0o644),
        ("audit/tail.mac", 0o600),
        ("audit/tree/", 0o700),
        ("audit/tree/0", 0o600),
        ("audit/tree/16", 0o600),
        ("audit/tree/24", 0o600),
        ("audit/tree/8", 0o600),
        ("ca.pem", 0o644),
        ("env", 0o600),
        ("root.key", 0o600),
        ("store.db", 0o600),
        ("store.db-shm", 0o600),
        ("store.db-wal", 0o600),
        ("store.db.lock", 0o600),
        ("tls/", 0o700),
        ("tls/ca.key", 0o600),
        ("tls/ca.pem", 0o644),
        ("tls/server.key", 0o600),
        ("tls/server.pem", 0o644),
    ];
    assert_eq!(modes, expected);
    assert_eq!(fs::metadata(site.data()).unwrap().permissions().mode() & 0o777, 0o700);
    // No memory of the process reaches a file.
    let limits = server.proc("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    // What is told on the first start, and no secret among it.
    let told = server.stdout();
    for text in ["account", "credential", "root key", "keep a copy elsewhere", ". ", "jomae key create"] {
        assert!(told.contains(text), "{text:?} is not in {told}");
    }
    assert!(!told.contains(server.setting("ALIBABA_CLOUD_ACCESS_KEY_SECRET")));
    assert_eq!(server.stderr(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_env_file_can_be_sourced_from_any_path() {
    for name in ["plain", "with space", "it's", "$HOME `id` \"x\" \\n", "schlüssel-錠前", "-dash;&|<>*?[]#~!{}()"] {
        let site = Site::default();
        let data = site.path(name);
        let server = site.launch().data(&data).start();
        assert_eq!(server.setting("JOMAE_CA_FILE"), word(&data.join("ca.pem")));
        assert_eq!(server.setting("JOMAE_ENDPOINT"), format!("https://{}", server.listening));
        assert_eq!(server.setting("JOMAE_ADMIN"), format!("http://{}", server.admin));
        assert_eq!(server.setting("JOMAE_REGION"), "cn-hangzhou");
        let made = server.jomae(&["key", "create"]).ok();
        assert_eq!(made.text().trim_end().len(), 36);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_survives_restarts_and_the_rest_is_brought_up_to_date() {
    let site = Site::default();
    let path = site.data().join("env");
    let mut first = site.start();
    let key = create_key(&first.client(), "k").await;
    let blob = encrypt(&first.client(), &key, "aGVsbG8=").await;
    let settings = first.settings.clone().unwrap();
    assert_eq!(first.stop(), Some(0));

    let own = [fs::read(&path).unwrap(), b"# mine\nexport JOMAE_MINE='a b'\n".to_vec()].concat();
    fs::write(&path, own).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let taken = std::net::TcpListener::bind(first.listening).unwrap();
    let mut second = site.start();
    assert_ne!(second.listening, first.listening);
    for name in ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "JOMAE_CA_FILE"] {
        assert_eq!(second.setting(name), settings[name]);
    }
    assert_eq!(second.setting("JOMAE_ENDPOINT"), format!("https://{}", second.listening));
    assert_eq!(second.setting("JOMAE_MINE"), "a b");
    assert!(fs::read_to_string(&path).unwrap().contains("# mine\n"));
    assert!(!second.stdout().contains("new service"));
    assert_eq!(decrypt(&second.client(), &blob).await, "aGVsbG8=");
    drop(taken);
    let ca = fs::read(site.data().join("ca.pem")).unwrap();
    assert_eq!(second.stop(), Some(0));

    // Taken away by the operator: it stays away, and the credential goes on working.
    fs::remove_file(&path).unwrap();
    let mut third = site.start();
    assert!(!path.exists());
    assert_eq!(fs::read(site.data().join("ca.pem")).unwrap(), ca);
    third.settings = Some(settings);
    assert_eq!(decrypt(&third.client(), &blob).await, "aGVsbG8=");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_the_operators_own() {
    let other = Site::default();
    drop(other.start());
    let (cert, key) = (other.data().join("tls/server.pem"), other.data().join("tls/server.key"));
    let site = Site::default();
    let config = format!("[tls]\ncert_file = \"{}\"\nkey_file = \"{}\"\n", word(&cert), word(&key));
    let mut server = site.launch().config(&config).start();
    assert!(!site.data().join("ca.pem").exists());
    // Its CA is the operator's business: the file does not name one that is not there.
    let settings = read_env(&site.data().join("env")).unwrap();
    assert!(!settings.contains_key("JOMAE_CA_FILE"), "{:?}", settings.keys());
    let ca = other.data().join("ca.pem");
    server.settings.as_mut().unwrap().insert("JOMAE_CA_FILE".into(), word(&ca).into());
    ask(&server.client(), "ListKeys", &[]).await;
    assert_eq!(server.stop(), Some(0));

    // Added by the operator, and kept.
    let line = format!("export JOMAE_CA_FILE={}\n", word(&ca));
    let path = site.data().join("env");
    fs::write(&path, [fs::read(&path).unwrap(), line.into_bytes()].concat()).unwrap();
    let server = site.launch().config(&config).start();
    ask(&server.client(), "ListKeys", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_key_on_another_disk() {
    let site = Site::default();
    let file = site.path("root key");
    let config = format!("[root_key]\nfile = \"{}\"\n", word(&file));
    let mut server = site.launch().config(&config).start();
    assert!(!site.data().join("root.key").exists());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = create_key(&server.client(), "k").await;
    assert_eq!(server.stop(), Some(0));
    // Without it there is no start, and no new key.
    let away = site.path("away");
    fs::rename(&file, &away).unwrap();
    site.launch().config(&config).fails().failed(1, &[word(&file), "missing"]);
    assert!(!file.exists());
    fs::rename(&away, &file).unwrap();
    let server = site.launch().config(&config).start();
    ask(&server.client(), "DescribeKey", &[("KeyId", &key)]).await;
    let config = site.path("jomae.toml");
    cli::jomae(&["doctor", "--config", word(&config), "--data-dir", word(&site.data())]).ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_can_be_listened_on() {
    let site = Site::default();
    let server = site.launch().config("admin_listen = \"localhost:0\"\n").listen("localhost:0").start();
    assert!(server.listening.is_ipv4() && server.listening.ip().is_loopback(), "{}", server.listening);
    server.jomae(&["key", "create"]).ok();
    let by_name = format!("https://localhost:{}", server.listening.port());
    server.jomae(&["key", "list", "--endpoint", &by_name]).ok();
}

#[test]
fn a_passphrase_of_the_environment_stays_in_no_environment_and_memory_is_locked() {
    const PASSPHRASE: &str = "a passphrase that nobody may see in /proc";
    let site = Site::default();
    let launch = || {
        site.launch().config("[root_key]\nprovider = \"passphrase\"\n").variable("JOMAE_ROOT_PASSPHRASE", PASSPHRASE)
    };
    for _ in 0..2 {
        let mut server = launch().start();
        let environment = server.proc("environ");
        assert!(environment.contains("JOMAE_ROOT_PASSPHRASE_PIPE=") && !environment.contains(PASSPHRASE));
        assert!(!server.proc("cmdline").contains(PASSPHRASE));
        let status = server.proc("status");
        let figure = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
        };
        // Where it is allowed, everything is locked; where it is not, that is said.
        let is_locked = figure("VmLck:") >= figure("VmRSS:") / 2;
        assert!(is_locked != server.stderr().contains("memory is not locked"), "{status}");
        assert_eq!(server.stop(), Some(0));
    }
}
