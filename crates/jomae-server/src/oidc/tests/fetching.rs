//! How keys are got: discovery, its bounds, rotation, and failures.

use super::{
    server::{Answer, Server},
    *,
};

const DISCOVERY: &str = "/.well-known/openid-configuration";

fn after(secs: i64) -> Timestamp {
    Timestamp(NOW.0 + secs)
}

/// A token that is good for two days.
fn long_token(signer: &Signer, issuer: &str) -> String {
    signer.sign(&changed(good_claims(issuer), "exp", json!(NOW.0 + 200_000)))
}

fn metadata(issuer: &str, keys: &str) -> Answer {
    Answer::ok(json!({ "issuer": issuer, "jwks_uri": keys, "response_types_supported": ["id_token"] }).to_string())
}

/// Trusts the server's authority and its private address.
fn trusting(server: &Server) -> OidcProviderConfig {
    OidcProviderConfig { allow_private: true, ca_file: Some(server.ca_file.clone()), ..config(&server.base()) }
}

fn with_uri(server: &Server) -> OidcProviderConfig {
    OidcProviderConfig { jwks_uri: Some(format!("{}/keys", server.base())), ..trusting(server) }
}

async fn cause(config: OidcProviderConfig, token: &str) -> String {
    let verifier = Verifier::from_config(&[config]).unwrap();
    match verify(&verifier, token, NOW).await {
        Err(OidcError::KeysUnavailable(cause)) => cause,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("accepted"),
    }
}

#[tokio::test]
async fn keys_are_discovered() {
    let server = Server::start().await;
    let signer = Signer::new(Algorithm::ES256, "k1");
    server.set(DISCOVERY, metadata(&server.base(), &format!("{}/keys", server.base())));
    server.set("/keys", Answer::ok(key_set(&[&signer])));
    let verifier = Verifier::from_config(&[trusting(&server)]).unwrap();
    assert!(server.asked().is_empty());
    let token = signer.sign(&good_claims(&server.base()));
    assert!(verify(&verifier, &token, NOW).await.is_ok());
    assert_eq!(server.asked(), [DISCOVERY, "/keys"]);
    assert!(verify(&verifier, &token, after(200)).await.is_ok());
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn an_issuer_with_a_path() {
    let server = Server::start().await;
    let signer = Signer::new(Algorithm::ES256, "k1");
    for end in ["", "/"] {
        let issuer = format!("{}/realms/a{end}", server.base());
        server.set(&format!("/realms/a{DISCOVERY}"), metadata(&issuer, &format!("{}/keys", server.base())));
        server.set("/keys", Answer::ok(key_set(&[&signer])));
        let config = OidcProviderConfig { issuer: issuer.clone(), ..trusting(&server) };
        let verifier = Verifier::from_config(&[config]).unwrap();
        assert!(verify(&verifier, &signer.sign(&good_claims(&issuer)), NOW).await.is_ok(), "{issuer}");
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_good_fetches_nothing() {
    let server = Server::start().await;
    let verifier = Verifier::from_config(&[with_uri(&server)]).unwrap();
    for token in ["", "a.b.c", &"a".repeat(30_000)] {
        assert_eq!(verify(&verifier, token, NOW).await.err(), Some(OidcError::TokenMalformed));
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn private_addresses_are_refused() {
    let server = Server::start().await;
    let signer = Signer::new(Algorithm::ES256, "k1");
    server.set("/keys", Answer::ok(key_set(&[&signer])));
    let port = server.port;
    let token = signer.sign(&good_claims(&server.base()));
    for host in ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let uri = Some(format!("https://{host}:{port}/keys"));
        let cause =
            cause(OidcProviderConfig { jwks_uri: uri, allow_private: false, ..with_uri(&server) }, &token).await;
        assert!(cause.contains("public address"), "{host}: {cause}");
    }
    assert!(server.asked().is_empty());
    let uri = Some(format!("https://127.0.0.1:{port}/keys"));
    let verifier = Verifier::from_config(&[OidcProviderConfig { jwks_uri: uri, ..with_uri(&server) }]).unwrap();
    assert!(verify(&verifier, &token, NOW).await.is_ok());
}

#[tokio::test]
async fn certificates_are_checked() {
    let (server, other) = (Server::start().await, Server::start().await);
    let signer = Signer::new(Algorithm::ES256, "k1");
    server.set("/keys", Answer::ok(key_set(&[&signer])));
    let token = signer.sign(&good_claims(&server.base()));
    for ca_file in [Some(other.ca_file.clone()), None] {
        let cause = cause(OidcProviderConfig { ca_file, ..with_uri(&server) }, &token).await;
        assert!(cause.contains("certificate"), "{cause}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn answers_that_are_not_a_key_set_are_refused() {
    let server = Server::start().await;
    let signer = Signer::new(Algorithm::ES256, "k1");
    let keys = key_set(&[&signer]);
    let token = signer.sign(&good_claims(&server.base()));
    server.set("/elsewhere", Answer::ok(&keys));
    let cases = [
        (Answer { location: "/elsewhere".into(), ..Answer::status(302) }, "HTTP 302"),
        (Answer { location: format!("{}/elsewhere", server.base()), ..Answer::status(308) }, "HTTP 308"),
        (Answer { status: 201, ..Answer::ok(&keys) }, "HTTP 201"),
        (Answer::status(404), "HTTP 404"),
        (Answer { status: 500, ..Answer::ok(&keys) }, "HTTP 500"),
        (Answer::ok(format!("{keys}{}", " ".repeat(256 * 1024))), "larger than 262144 bytes"),
        (Answer::ok("<html>"), "not a JSON object"),
        (Answer::ok(json!({ "keys": vec![signer.jwk.clone(); 101] }).to_string()), "more than 100 keys"),
    ];
    for (answer, expected) in cases {
        server.set("/keys", answer);
        let cause = cause(with_uri(&server), &token).await;
        assert!(cause.contains(expected), "{expected}: {cause}");
        assert_eq!(server.asked(), ["/keys"]);
    }
}

#[tokio::test]
async fn discovery_does_not_lead_elsewhere() {
    let (server, other) = (Server::start().await, Server::start().await);
    let signer = Signer::new(Algorithm::ES256, "k1");
    let base = server.base();
    let token = signer.sign(&good_claims(&base));
    let plain = format!("http://localhost:{}/keys", server.port);
    let address = format!("https://127.0.0.1:{}/keys", server.port);
    let cases = [
        (metadata("https://other.example.com", &format!("{base}/keys")), "is of another issuer"),
        (metadata(&base, &format!("{}/keys", other.base())), "is on another server"),
        (metadata(&base, &address), "is on another server"),
        (metadata(&base, "https://169.254.169.254/latest/meta-data"), "is on another server"),
        (metadata(&base, &plain), "must start with https://"),
        (metadata(&base, "file:///etc/passwd"), "must start with https://"),
        (metadata(&base, "keys"), "is not a URL"),
        (Answer::ok("{}"), "has no texts"),
        (Answer::status(404), "HTTP 404"),
        (Answer { location: DISCOVERY.into(), ..Answer::status(301) }, "HTTP 301"),
    ];
    for (answer, expected) in cases {
        server.set(DISCOVERY, answer);
        let cause = cause(trusting(&server), &token).await;
        assert!(cause.contains(expected), "{expected}: {cause}");
        assert_eq!(server.asked(), [DISCOVERY]);
    }
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_silent_issuer_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let token = Signer::new(Algorithm::ES256, "k1").sign(&good_claims(&issuer));
    let cause = cause(OidcProviderConfig { allow_private: true, ..config(&issuer) }, &token).await;
    assert_eq!(cause, "no answer within 5 s");
}

#[tokio::test]
async fn new_keys_are_picked_up_but_not_at_every_token() {
    let server = Server::start().await;
    let (old, new) = (Signer::new(Algorithm::ES256, "k1"), Signer::new(Algorithm::ES256, "k2"));
    server.set("/keys", Answer::ok(key_set(&[&old])));
    let verifier = Verifier::from_config(&[with_uri(&server)]).unwrap();
    let (old_token, new_token) = (long_token(&old, &server.base()), long_token(&new, &server.base()));
    assert!(verify(&verifier, &old_token, NOW).await.is_ok());
    // An unknown key is asked for once in 30 seconds.
    assert_eq!(verify(&verifier, &new_token, after(29)).await.err(), Some(OidcError::SignatureInvalid));
    assert_eq!(server.asked().len(), 1);
    server.set("/keys", Answer::ok(key_set(&[&old, &new])));
    assert_eq!(verify(&verifier, &new_token, after(29)).await.err(), Some(OidcError::SignatureInvalid));
    assert!(server.asked().is_empty());
    assert!(verify(&verifier, &new_token, after(30)).await.is_ok());
    assert!(verify(&verifier, &old_token, after(30)).await.is_ok());
    assert_eq!(server.asked().len(), 1);
    // A key that is taken away is refused when the set has grown old.
    server.set("/keys", Answer::ok(key_set(&[&new])));
    assert!(verify(&verifier, &old_token, after(629)).await.is_ok());
    assert!(server.asked().is_empty());
    assert_eq!(verify(&verifier, &old_token, after(630)).await.err(), Some(OidcError::SignatureInvalid));
    assert!(verify(&verifier, &new_token, after(631)).await.is_ok());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn old_keys_serve_for_a_day_while_the_issuer_is_away() {
    let server = Server::start().await;
    let signer = Signer::new(Algorithm::ES256, "k1");
    let verifier = Verifier::from_config(&[with_uri(&server)]).unwrap();
    let token = long_token(&signer, &server.base());
    // Never reached: no keys, and no new try at once.
    let unavailable = |result: Result<Claims, OidcError>| matches!(result, Err(OidcError::KeysUnavailable(_)));
    assert!(unavailable(verify(&verifier, &token, NOW).await));
    assert!(unavailable(verify(&verifier, &token, after(1)).await));
    assert_eq!(server.asked().len(), 1);
    server.set("/keys", Answer::ok(key_set(&[&signer])));
    assert!(verify(&verifier, &token, after(30)).await.is_ok());
    server.set("/keys", Answer::status(503));
    server.asked();
    assert!(verify(&verifier, &token, after(700)).await.is_ok());
    assert!(verify(&verifier, &token, after(701)).await.is_ok());
    assert_eq!(server.asked().len(), 1);
    assert!(verify(&verifier, &token, after(30 + 86_399)).await.is_ok());
    assert!(unavailable(verify(&verifier, &token, after(30 + 86_400)).await));
    // A clock that is set back far asks again.
    server.set("/keys", Answer::ok(key_set(&[&signer])));
    assert!(verify(&verifier, &token, NOW).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_share_one_fetch() {
    let server = Server::start().await;
    let signer = Signer::new(Algorithm::ES256, "k1");
    server.set("/keys", Answer::ok(key_set(&[&signer])));
    let verifier = std::sync::Arc::new(Verifier::from_config(&[with_uri(&server)]).unwrap());
    let token = signer.sign(&good_claims(&server.base()));
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (verifier, token) = (std::sync::Arc::clone(&verifier), token.clone());
            tokio::spawn(async move { verify(&verifier, &token, NOW).await.is_ok() })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap());
    }
    assert_eq!(server.asked(), ["/keys"]);
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_end_the_fetch() {
    let server = Server::start().await;
    let signer = Signer::new(Algorithm::ES256, "k1");
    server.set("/keys", Answer::ok(key_set(&[&signer])));
    let verifier = Verifier::from_config(&[with_uri(&server)]).unwrap();
    let token = signer.sign(&good_claims(&server.base()));
    for _ in 0..3 {
        // Polled once, which starts the fetch, and dropped.
        let mut call = Box::pin(verify(&verifier, &token, NOW));
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context).is_pending()));
        assert!(polled.await);
    }
    assert!(verify(&verifier, &token, NOW).await.is_ok());
    assert_eq!(server.asked(), ["/keys"]);
}

#[tokio::test]
async fn a_file_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    let (old, new) = (Signer::new(Algorithm::ES256, "k1"), Signer::new(Algorithm::ES256, "k2"));
    fs::write(&path, key_set(&[&old])).unwrap();
    // The issuer need not be a URL.
    let config = OidcProviderConfig { jwks_file: Some(path.clone()), ..config("kubernetes/serviceaccount") };
    let verifier = Verifier::from_config(&[config]).unwrap();
    let token = |signer: &Signer| long_token(signer, "kubernetes/serviceaccount");
    assert!(verify(&verifier, &token(&old), NOW).await.is_ok());
    fs::write(&path, key_set(&[&new])).unwrap();
    assert_eq!(verify(&verifier, &token(&new), after(10)).await.err(), Some(OidcError::SignatureInvalid));
    assert!(verify(&verifier, &token(&new), after(40)).await.is_ok());
    fs::write(&path, "damaged").unwrap();
    assert!(verify(&verifier, &token(&new), after(1000)).await.is_ok());
}
