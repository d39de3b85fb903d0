//! Disks that fill up under a running server. Limits on file sizes stand in for full disks: every write beyond them
//! fails, and they can be lifted while the server runs.

use std::fs;

use jomae_client::api::CallError;
use jomae_tests::{
    Refused, Server, Site,
    calls::{ask, create_key, decrypt, encrypt, refused},
    random,
    server::read_env,
};
use rustix::process::{Resource, Rlimit, prlimit};

/// The signal of a write beyond the limit is ignored, so that the write fails with an error, as on a full disk.
const IGNORE: &str = "trap '' XFSZ";

fn limit(server: &Server, file_bytes_max: Option<u64>) {
    let limit = Rlimit { current: file_bytes_max, maximum: None };
    prlimit(Some(server.pid()), Resource::Fsize, limit).expect("the limit can be set");
}

fn assert_unavailable(refused: &Refused) {
    assert_eq!((refused.status, refused.code.as_str()), (503, "ServiceUnavailableTemporary"));
    assert_eq!(refused.request_id.len(), 36, "{}", refused.request_id);
}

fn log_bytes(site: &Site) -> u64 {
    fs::metadata(site.data().join("audit/00000000000000000000.jsonl")).unwrap().len()
}

fn store_bytes(site: &Site) -> u64 {
    ["store.db", "store.db-wal"].iter().map(|name| fs::metadata(site.data().join(name)).unwrap().len()).max().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_log_that_cannot_grow_stops_everything_and_recovers() {
    let site = Site::default();
    let mut server = site.launch().after(IGNORE).start();
    let client = server.client();
    let key = create_key(&client, "before").await;
    let blob = encrypt(&client, &key, "aGVsbG8=").await;
    // Long contexts stand in the log, not in the store: so it is the log that meets the limit.
    let context = format!("{{\"note\":\"{}\"}}", "n".repeat(8000));
    let params = [("KeyId", key.as_str()), ("Plaintext", "aGVsbG8="), ("EncryptionContext", &context)];
    // A management call is answered after its event is on disk, with those of all calls before it.
    let describe = [("KeyId", key.as_str())];
    while log_bytes(&site) < 2 * store_bytes(&site) {
        for _ in 0..10 {
            ask(&client, "Encrypt", &params).await;
        }
        ask(&client, "DescribeKey", &describe).await;
    }
    let before = log_bytes(&site);
    limit(&server, Some(before + 10));
    assert_unavailable(&refused(&client, "DescribeKey", &describe).await);
    for _ in 0..3 {
        assert_unavailable(&refused(&client, "CreateKey", &[("Description", "during")]).await);
        assert_unavailable(&refused(&client, "DisableKey", &[("KeyId", &key)]).await);
        assert_unavailable(&refused(&client, "Encrypt", &[("KeyId", &key), ("Plaintext", "aGVsbG8=")]).await);
        assert_unavailable(&refused(&client, "Decrypt", &[("CiphertextBlob", &blob)]).await);
        assert_eq!(server.page("/readyz").unwrap(), (503, "the audit log cannot be written\n".to_owned()));
        assert_eq!(server.page("/healthz").unwrap().0, 200);
        assert!(server.page("/metrics").unwrap().1.contains("jomae_audit_writable 0"));
    }
    assert!(server.is_running());

    limit(&server, None);
    server.wait_for_log("the audit log can be written again");
    while server.page("/readyz").unwrap().0 != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // Nothing was done meanwhile.
    let answer = ask(&client, "DescribeKey", &describe).await;
    assert_eq!(answer["KeyMetadata"]["KeyState"], "Enabled");
    assert_eq!(ask(&client, "ListKeys", &[]).await["TotalCount"], 1);
    assert_eq!(decrypt(&client, &blob).await, "aGVsbG8=");
    let id = answer["RequestId"].as_str().unwrap();
    let events = server.audit();
    assert_eq!(events.iter().filter(|event| event["requestId"] == id).count(), 1);
    let mut ids: Vec<&str> = events.iter().map(|event| event["requestId"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "an event was written twice");
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_event_could_not_be_written_has_it_after_a_kill() {
    let site = Site::default();
    let mut server = site.launch().after(IGNORE).start();
    let client = server.client();
    let key = create_key(&client, "before").await;
    let context = format!("{{\"note\":\"{}\"}}", "n".repeat(8000));
    let params = [("KeyId", key.as_str()), ("Plaintext", "aGVsbG8="), ("EncryptionContext", &context)];
    while log_bytes(&site) < 2 * store_bytes(&site) {
        for _ in 0..10 {
            ask(&client, "Encrypt", &params).await;
        }
        ask(&client, "DescribeKey", &[("KeyId", &key)]).await;
    }
    limit(&server, Some(log_bytes(&site) + 10));
    // The change may be done or not, but the caller is not told that it was.
    let asked = refused(&client, "UpdateKeyDescription", &[("KeyId", &key), ("Description", "after")]).await;
    assert_unavailable(&asked);
    server.kill();
    let server = site.start();
    let found = ask(&server.client(), "DescribeKey", &[("KeyId", &key)]).await;
    let done = found["KeyMetadata"]["Description"] == "after";
    assert!(done || found["KeyMetadata"]["Description"] == "before");
    let events = server.audit();
    assert_eq!(events.iter().filter(|event| event["requestId"] == *asked.request_id).count(), usize::from(done));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_grow_refuses_changes_and_loses_nothing() {
    let site = Site::default();
    let mut server = site.launch().after(IGNORE).start();
    let client = server.client();
    let mut keys = Vec::new();
    for n in 0..5 {
        let key = create_key(&client, &format!("key {n}")).await;
        let blob = encrypt(&client, &key, "aGVsbG8=").await;
        keys.push((key, blob));
    }
    limit(&server, Some(store_bytes(&site) + 64 * 1024));
    let mut failures = 0;
    let mut tries = 0;
    while failures < 5 {
        tries += 1;
        assert!(tries < 500, "the store never met its limit");
        // Descriptions of their own make the store grow faster than the log.
        match client.call("CreateKey", &[("Description", &random::word(20))]).await {
            Ok(answer) => {
                let key = answer["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
                let blob = encrypt(&client, &key, "aGVsbG8=").await;
                keys.push((key, blob));
            }
            Err(CallError::Refused { status, code, request_id, .. }) => {
                assert_unavailable(&Refused { status, code, request_id });
                failures += 1;
            }
            Err(error) => panic!("{error}"),
        }
        assert!(server.is_running());
    }
    // Whatever needs no room goes on.
    assert_eq!(server.page("/readyz").unwrap().0, 200);
    for (key, blob) in &keys {
        assert_eq!(decrypt(&client, blob).await, "aGVsbG8=");
        encrypt(&client, key, "aGVsbG8=").await;
    }
    refused(&client, "CreateKey", &[]).await;

    // With room again, changes work without a restart.
    limit(&server, None);
    let key = create_key(&client, "after").await;
    let blob = encrypt(&client, &key, "aGVsbG8=").await;
    keys.push((key, blob));
    server.kill();
    let server = site.start();
    let client = server.client();
    for (key, blob) in &keys {
        assert_eq!(ask(&client, "DescribeKey", &[("KeyId", key)]).await["KeyMetadata"]["KeyState"], "Enabled");
        assert_eq!(decrypt(&client, blob).await, "aGVsbG8=");
    }
    // What was refused was not done.
    assert_eq!(ask(&client, "ListKeys", &[]).await["TotalCount"], keys.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_on_a_full_disk_leaves_nothing_that_a_later_one_cannot_finish() {
    let mut failed = 0;
    // In blocks of 512 bytes, as POSIX has it; the smallest still lets the error be written.
    for blocks in [1, 2, 4, 8, 12, 16, 24, 32, 40, 48, 56, 64] {
        let site = Site::default();
        if let Err(ran) = site.launch().after(&format!("{IGNORE}; ulimit -f {blocks}")).try_start() {
            // The store may log before what it could not write.
            let last = ran.stderr.lines().last().unwrap_or_default();
            assert!(ran.code == Some(1) && last.starts_with("jomae: "), "{:?}: {}", ran.code, ran.stderr);
            failed += 1;
        }
        let given = read_env(&site.data().join("env"));
        let server = site.start();
        let key = create_key(&server.client(), "k").await;
        encrypt(&server.client(), &key, "aGVsbG8=").await;
        let secret = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
        if let Some(given) = given.and_then(|env| env.get(secret).cloned()) {
            assert_eq!(given, server.setting(secret), "{blocks}: a credential that was given stays");
        }
    }
    assert!(failed > 3, "the limits were not met");
}
