//! A request that somebody has recorded within TLS, sent once more after a restart.

use std::fs;

use jomae_tests::{
    Server, Site,
    calls::create_key,
    wire::{Answer, Wire, signed},
};

const HOST: &str = "kms.example";
const PLAINTEXT: &str = "aGVsbG8=";

fn encrypt(server: &Server, key: &str) -> Vec<u8> {
    signed(server, HOST, "Encrypt", &[("KeyId", key), ("Plaintext", PLAINTEXT)])
}

fn ask(server: &Server, request: &[u8]) -> Answer {
    Wire::tls(server).ask(request)
}

/// Two requests that were carried out, one that changes something and one that does not.
async fn recorded(server: &Server) -> (String, [Vec<u8>; 2]) {
    let key = create_key(&server.client(), "k").await;
    let requests = [encrypt(server, &key), signed(server, HOST, "CreateKey", &[])];
    for request in &requests {
        assert_eq!(ask(server, request).status, 200);
        assert_eq!(ask(server, request).code(), "SignatureNonceUsed");
    }
    (key, requests)
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = server.page("/metrics").expect("metrics").1;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect(name);
    value.parse().expect("a number")
}

fn is_refused_as_perhaps_used(server: &Server, request: &[u8]) {
    let answer = ask(server, request);
    assert_eq!((answer.status, answer.code().as_str()), (503, "ServiceUnavailableTemporary"));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_restart_remembers() {
    let site = Site::default();
    let mut server = site.start();
    let (key, requests) = recorded(&server).await;
    let host_and_id = [HOST, server.setting("ALIBABA_CLOUD_ACCESS_KEY_ID")].map(str::to_owned);
    assert_eq!(server.stop(), Some(0));

    let file = fs::read(site.data().join("nonces")).unwrap();
    assert!(file.len() > 28, "{}", file.len());
    let nonces = requests.iter().map(|request| {
        let text = String::from_utf8_lossy(request).into_owned();
        let (_, rest) = text.split_once("x-acs-signature-nonce: ").expect("a nonce");
        rest.split("\r\n").next().unwrap().to_owned()
    });
    for clear in nonces.chain(host_and_id) {
        assert!(clear.len() > 8);
        assert!(memchr::memmem::find(&file, clear.as_bytes()).is_none(), "{clear} is in the file");
    }

    for _ in 0..2 {
        let mut server = site.start();
        assert!(!site.data().join("nonces").exists());
        assert!(metric(&server, "jomae_nonces_recalled") >= 3);
        assert_eq!(metric(&server, "jomae_last_stop_unclean"), 0);
        let before = server.audit().len();
        for request in &requests {
            assert_eq!(ask(&server, request).code(), "SignatureNonceUsed");
        }
        assert_eq!(ask(&server, &encrypt(&server, &key)).status, 200);
        assert_eq!(server.stop(), Some(0));
        assert_eq!(server.audit().len(), before + 1);
        assert!(!server.stderr().contains("WARN"), "{}", server.stderr());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_what_was_signed_before_is_refused() {
    let site = Site::default();
    let mut server = site.start();
    assert_eq!(metric(&server, "jomae_last_stop_unclean"), 0);
    assert_eq!(ask(&server, &signed(&server, HOST, "ListKeys", &[])).status, 200);
    assert_eq!(server.stop(), Some(0));
    let file = site.data().join("nonces");
    let old = fs::read(&file).unwrap();
    let mut server = site.start();
    let (key, requests) = recorded(&server).await;
    server.kill();

    // Not even where a file says that the stop was clean.
    fs::write(&file, old).unwrap();
    let mut server = site.start();
    assert!(!file.exists());
    for request in &requests {
        is_refused_as_perhaps_used(&server, request);
    }
    assert_eq!(ask(&server, &encrypt(&server, &key)).status, 200, "signed after the start");
    assert_eq!(metric(&server, "jomae_nonces_perhaps_used_total"), 2);
    assert_eq!(metric(&server, "jomae_last_stop_unclean"), 1);
    assert_eq!(server.stderr().matches("the last stop was not a clean one").count(), 1, "{}", server.stderr());

    // It is still so after a clean restart, which remembers the rest.
    let later = encrypt(&server, &key);
    assert_eq!(ask(&server, &later).status, 200);
    assert_eq!(server.stop(), Some(0));
    let server = site.start();
    for request in &requests {
        is_refused_as_perhaps_used(&server, request);
    }
    assert_eq!(ask(&server, &later).code(), "SignatureNonceUsed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_a_crash() {
    let site = Site::default();
    let mut server = site.start();
    let (key, requests) = recorded(&server).await;
    assert_eq!(server.stop(), Some(0));
    let file = site.data().join("nonces");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();

    let server = site.start();
    for request in &requests {
        is_refused_as_perhaps_used(&server, request);
    }
    assert_eq!(ask(&server, &encrypt(&server, &key)).status, 200);
    assert_eq!(server.stderr().matches("WARN").count(), 1, "{}", server.stderr());
    assert!(server.stderr().contains("cannot use what the last stop has left"), "{}", server.stderr());
}
