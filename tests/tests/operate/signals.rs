//! SIGHUP and SIGTERM.

use std::{fs, net::TcpStream};

use jomae_tests::{
    Site,
    calls::{ask, create_key, encrypt, refused},
    wire::{Wire, signed, with_header},
};
use rustix::process::Signal;

const RELOADED: &str = "reloaded certificate";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hangup_renews_the_certificate_and_drops_no_connection() {
    let site = Site::default();
    let mut server = site.start();
    let host = server.listening.to_string();
    let list = || signed(&server, &host, "ListKeys", &[]);
    let mut open = Wire::tls(&server);
    assert_eq!(open.ask(list()).status, 200);
    let old = open.certificate();
    assert_eq!(Wire::tls(&server).ask(list()).status, 200);
    let next = list();
    server.signal(Signal::HUP);
    server.wait_for_log(RELOADED);
    let mut new = Wire::tls(&server);
    assert_eq!(new.ask(signed(&server, &host, "ListKeys", &[])).status, 200);
    assert_ne!(new.certificate(), old, "new connections get the new certificate");
    assert_eq!(open.ask(next).status, 200);
    assert_eq!(open.ask(signed(&server, &host, "ListKeys", &[])).status, 200);
    assert_eq!(open.certificate(), old);
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hangup_takes_names_for_the_certificate() {
    let site = Site::default();
    let mut server = site.launch().config("").start();
    site.write("jomae.toml", "[tls]\nnames = [\"kms.cn-hangzhou.example\"]\n");
    server.signal(Signal::HUP);
    server.wait_for_log(RELOADED);
    let request = signed(&server, "kms.cn-hangzhou.example", "ListKeys", &[]);
    assert_eq!(Wire::tls_as(&server, "kms.cn-hangzhou.example").ask(request).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hangup_reads_certificates_of_the_operators_own() {
    let (one, two, site) = (Site::default(), Site::default(), Site::default());
    let (cert, key) = (site.path("cert.pem"), site.path("key.pem"));
    let install = |from: &Site| {
        fs::copy(from.data().join("tls/server.pem"), &cert).unwrap();
        fs::copy(from.data().join("tls/server.key"), &key).unwrap();
    };
    drop(one.start());
    drop(two.start());
    install(&one);
    let config = format!("[tls]\ncert_file = \"{}\"\nkey_file = \"{}\"\n", cert.display(), key.display());
    let mut server = site.launch().config(&config).start();
    let trust = |site: &Site| fs::copy(site.data().join("ca.pem"), server.data.join("ca.pem")).unwrap();
    let host = server.listening.to_string();
    trust(&one);
    let mut open = Wire::tls(&server);
    assert_eq!(open.ask(signed(&server, &host, "ListKeys", &[])).status, 200);

    // A pair that does not belong together is not taken.
    fs::copy(two.data().join("tls/server.key"), &key).unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("certificate not reloaded; keeping the current one");
    assert_eq!(Wire::tls(&server).ask(signed(&server, &host, "ListKeys", &[])).status, 200);

    install(&two);
    server.signal(Signal::HUP);
    server.wait_for_log(RELOADED);
    fs::copy(two.data().join("ca.pem"), server.data.join("ca.pem")).unwrap();
    assert_eq!(Wire::tls(&server).ask(signed(&server, &host, "ListKeys", &[])).status, 200);
    assert_eq!(open.ask(signed(&server, &host, "ListKeys", &[])).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hangup_switches_rate_limits() {
    let site = Site::default();
    let mut server = site.launch().config("").start();
    let client = server.client();
    let key = create_key(&client, "k").await;
    for _ in 0..20 {
        encrypt(&client, &key, "aGVsbG8=").await;
    }
    site.write("jomae.toml", "[limits]\ncrypto_symmetric_per_sec = 1\n");
    server.signal(Signal::HUP);
    server.wait_for_log(RELOADED);
    let host = server.listening.to_string();
    let form = [("KeyId", key.as_str()), ("Plaintext", "aGVsbG8=")];
    let mut wire = Wire::tls(&server);
    let throttled = (0..50).map(|_| wire.ask(signed(&server, &host, "Encrypt", &form)));
    let throttled = throttled.into_iter().find(|answer| answer.status != 200).expect("a limit");
    assert_eq!((throttled.status, throttled.code().as_str()), (429, "Rejected.Throttling"));
    let wait_ms: u32 = throttled.header("x-acs-retry-after").unwrap().parse().unwrap();
    assert!((1..=1000).contains(&wait_ms), "{wait_ms}");
    // Other calls have a limit of their own.
    for _ in 0..20 {
        ask(&client, "DescribeKey", &[("KeyId", &key)]).await;
    }
    // After the time that was named, it works again.
    tokio::time::sleep(std::time::Duration::from_millis(u64::from(wait_ms))).await;
    encrypt(&client, &key, "aGVsbG8=").await;

    // A configuration that is wrong is not taken: the limit stays.
    site.write("jomae.toml", "[limits]\ncrypto_symmetric_per_second = 0\n");
    server.signal(Signal::HUP);
    server.wait_for_log("configuration not reloaded");
    let mut codes = Vec::new();
    while !codes.contains(&429) {
        codes.push(wire.ask(signed(&server, &host, "Encrypt", &form)).status);
        assert!(codes.len() < 50, "the limit is gone");
    }
    site.write("jomae.toml", "[log]\nlevel = \"debug\"\n");
    server.signal(Signal::HUP);
    while server.stderr().matches(RELOADED).count() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for _ in 0..20 {
        encrypt(&client, &key, "aGVsbG8=").await;
    }
    // The level of the log is another one too.
    assert!(!server.stderr().contains("a call was refused"));
    let refused = refused(&client, "DescribeKey", &[("KeyId", "alias/none")]).await;
    server.wait_for_log("a call was refused");
    server.wait_for_log(&refused.request_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn termination_finishes_what_is_under_way() {
    for signal in [Signal::TERM, Signal::INT] {
        let site = Site::default();
        let mut server = site.start();
        let key = create_key(&server.client(), "k").await;
        let host = server.listening.to_string();
        let form = [("KeyId", key.as_str()), ("Description", "changed while stopping")];
        let request = signed(&server, &host, "UpdateKeyDescription", &form);
        let request = with_header(&request, "Expect: 100-continue");
        let body = request.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let mut under_way = Wire::tls(&server);
        under_way.send(&request[..body]);
        under_way.continued();
        let mut idle = Wire::tls(&server);
        assert_eq!(idle.ask(signed(&server, &host, "ListKeys", &[])).status, 200);

        server.signal(signal);
        server.wait_for_log("stopping");
        assert!(idle.is_closed(), "idle connections are closed");
        assert!(server.is_running());
        under_way.send(&request[body..]);
        let answer = under_way.answer();
        assert_eq!(answer.status, 200);
        assert!(under_way.is_closed());
        assert_eq!(server.ended(), Some(0));
        assert!(TcpStream::connect(server.listening).is_err());

        let id = answer.json()["RequestId"].as_str().unwrap().to_owned();
        assert!(server.audit().iter().any(|event| event["requestId"] == *id), "its event is on disk");
        let server = site.start();
        let found = ask(&server.client(), "DescribeKey", &[("KeyId", &key)]).await;
        assert_eq!(found["KeyMetadata"]["Description"], "changed while stopping");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn termination_does_not_wait_for_ever() {
    let site = Site::default();
    let mut server = site.launch().config("[server]\ndrain_secs = 1\n").start();
    let host = server.listening.to_string();
    let request = with_header(&signed(&server, &host, "DescribeKey", &[("KeyId", "k")]), "Expect: 100-continue");
    let body = request.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let mut never_ends = Wire::tls(&server);
    never_ends.send(&request[..body]);
    never_ends.continued();
    assert_eq!(server.stop(), Some(0));
    assert!(server.stderr().contains("were aborted"));
}
