//! Who calls: signatures, time, nonces, rates.

use jomae_api::{
    error::Refusal,
    sign::client::{SignRequest, SignedRequest, SigningKey},
    time::Timestamp,
    wire::{Header, Request},
};
use jomae_core::{
    lane::Lane,
    rate::RateLimits,
    service::{Arrival, Limits},
    shares::Meter,
    wait::Abandonment,
};
use serde_json::Value;

use crate::common::{Credentials, HANGZHOU, HELLO, Scheme, Setup, World};

fn message(body: &[u8]) -> String {
    serde_json::from_slice::<Value>(body).unwrap()["Message"].as_str().unwrap().to_owned()
}

#[test]
fn every_scheme_with_a_secret() {
    let world = World::new();
    for scheme in Scheme::ALL.into_iter().filter(|scheme| !scheme.is_rsa()) {
        for (method, form) in [("GET", false), ("POST", false), ("POST", true)] {
            let params = [("Description", "a b+c/&=\u{e9}")];
            let request = SignRequest {
                scheme,
                access_key_id: &world.alice.id,
                key: SigningKey::Secret(&world.alice.secret),
                security_token: None,
                action: "CreateKey",
                version: jomae_api::API_VERSION,
                host: HANGZHOU,
                method,
                params: if form { &[] } else { &params },
                form: if form { &params } else { &[] },
                date: &world.timestamp(),
                nonce: &world.nonce(),
                region: "cn-hangzhou",
            };
            let reply = world.alice().reply_to(&request.sign().unwrap(), method);
            let body: Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!(body["KeyMetadata"]["Description"], params[0].1, "{scheme:?} {method} {body}");
        }
    }
}

#[test]
fn a_request_is_accepted_once() {
    let world = World::new();
    let signed = world.alice().signed("CreateKey", &[], "once");
    assert_eq!(world.alice().reply_to(&signed, "POST").status, 200);
    let (before, events) = (world.dump(), world.audit.len());
    for _ in 0..2 {
        let replay = world.alice().reply_to(&signed, "POST");
        assert_eq!(replay.outcome.refusal.unwrap().code(), "SignatureNonceUsed");
        world.advance(450);
    }
    // The same nonce under another signature is a replay too, of another caller it is not.
    let again = world.alice().signed("ListKeys", &[], "once");
    assert_eq!(world.alice().reply_to(&again, "POST").outcome.refusal.unwrap().code(), "SignatureNonceUsed");
    let bobs = world.bob().signed("ListKeys", &[], "once");
    assert_eq!(world.bob().reply_to(&bobs, "POST").status, 200);
    assert_eq!(world.dump(), before);
    assert_eq!(world.audit.len(), events + 1);
    world.advance(1);
    let expired = world.alice().reply_to(&signed, "POST");
    assert_eq!(expired.outcome.refusal.unwrap().code(), "InvalidTimeStamp.Expired", "until its time is over");
}

#[test]
fn nobody_else_burns_a_nonce() {
    let world = World::new();
    let thief = Credentials { secret: b"guessed".to_vec(), ..world.alice.clone() };
    for _ in 0..3 {
        let forged = world.alice().with(&thief).signed("CreateKey", &[], "mine");
        let reply = world.alice().reply_to(&forged, "POST");
        assert_eq!(reply.outcome.refusal.unwrap().code(), "SignatureDoesNotMatch");
    }
    assert!(world.service.authenticator.nonces.is_empty());
    let signed = world.alice().signed("CreateKey", &[], "mine");
    assert_eq!(world.alice().reply_to(&signed, "POST").status, 200);
    assert_eq!(world.service.authenticator.nonces.len(), 1);
}

#[test]
fn time_stamps() {
    for (skew, expected) in [(-901, 400), (-900, 200), (0, 200), (900, 200), (901, 400)] {
        let world = World::new();
        world.advance(skew);
        let signed = world.alice().signed("ListKeys", &[], "n");
        world.advance(-skew);
        assert_eq!(world.alice().reply_to(&signed, "POST").status, expected, "{skew}");
    }
}

#[test]
fn wrong_secrets_and_unknown_keys() {
    let world = World::new();
    let wrong = Credentials { secret: world.bob.secret.clone(), ..world.alice.clone() };
    let reply = world.alice().with(&wrong).reply("Encrypt", &[("KeyId", "k"), ("Plaintext", HELLO)]);
    assert_eq!(reply.status, 400);
    let text = message(&reply.body);
    let prefix = "Specified signature is not matched with our calculation. server string to sign is:";
    assert!(
        text.starts_with(prefix) && text.len() > prefix.len() + 100,
        "SDKs compare the rest with their own: {text}"
    );
    assert!(reply.outcome.fault.is_none());
    let unknown = Credentials { id: "LTAIunknown".to_owned(), ..world.alice.clone() };
    world.alice().with(&unknown).refused("ListKeys", &[], "404 InvalidAccessKeyId.NotFound");
    let odd = Credentials { id: "a/../b".to_owned(), ..world.alice.clone() };
    world.alice().with(&odd).refused("ListKeys", &[], "404 InvalidAccessKeyId.NotFound");
}

/// A request that was changed on its way is refused, whatever was changed.
#[test]
fn what_is_signed_cannot_be_changed() {
    let world = World::new();
    let key = world.key();
    let params = [("KeyId", key.as_str()), ("PendingWindowInDays", "30")];
    let before = world.dump();
    let mut query = world.alice().signed("ScheduleKeyDeletion", &params, "a");
    query.query = query.query.replace("30", "7");
    assert_eq!(world.alice().reply_to(&query, "POST").outcome.refusal.unwrap().code(), "SignatureDoesNotMatch");
    for (header, value) in [
        ("x-acs-action", "DisableKey"),
        ("host", "kms.cn-shanghai.example"),
        ("x-acs-signature-nonce", "b"),
        ("x-acs-date", &jomae_api::time::Timestamp(world.now() + 1).to_string()),
    ] {
        let mut signed = world.alice().signed("ScheduleKeyDeletion", &params, "a");
        let slot = signed.headers.iter_mut().find(|(name, _)| *name == header).unwrap();
        value.clone_into(&mut slot.1);
        let reply = world.alice().reply_to(&signed, "POST");
        assert_eq!(reply.outcome.refusal.unwrap().code(), "SignatureDoesNotMatch", "{header}");
    }
    let signed = world.alice().signed("ScheduleKeyDeletion", &params, "a");
    assert_eq!(world.alice().reply_to(&signed, "GET").outcome.refusal.unwrap().code(), "SignatureDoesNotMatch");
    assert_eq!(world.dump(), before);
    assert_eq!(world.alice().reply_to(&signed, "POST").status, 200);
}

#[test]
fn a_key_that_is_switched_off() {
    let world = World::new();
    world.alice().ok("ListKeys", &[]);
    world.set_access_key_active(false);
    world.alice().refused("ListKeys", &[], "400 InvalidAccessKeyId.Inactive");
    let wrong = Credentials { secret: b"guessed".to_vec(), ..world.alice.clone() };
    world.alice().with(&wrong).refused("ListKeys", &[], "400 SignatureDoesNotMatch");
    world.bob().ok("ListKeys", &[]);
    world.set_access_key_active(true);
    world.alice().ok("ListKeys", &[]);
}

#[test]
fn a_full_memory_of_nonces_refuses_rather_than_forgets() {
    let world = World::with(Setup { limits: Limits { nonces_max: 10, ..Limits::default() }, ..Setup::default() });
    let first = world.alice().signed("ListKeys", &[], "first");
    assert_eq!(world.alice().reply_to(&first, "POST").status, 200);
    for _ in 0..8 {
        world.alice().ok("ListKeys", &[]);
    }
    world.bob().ok("ListKeys", &[]);
    let full = world.alice().reply("ListKeys", &[]);
    assert_eq!((full.status, full.outcome.refusal.unwrap().code()), (429, "Rejected.Throttling"));
    let wait_ms = full.retry_after_ms.unwrap();
    assert!((1000..=300_000).contains(&wait_ms), "{wait_ms}");
    world.alice().refused("GetCallerIdentity", &[], "400 Throttling");
    assert_eq!(world.alice().reply_to(&first, "POST").outcome.refusal.unwrap().code(), "SignatureNonceUsed");
    world.advance(3000);
    world.service.authenticator.nonces.sweep(world.now());
    world.alice().ok("ListKeys", &[]);
}

#[test]
fn what_a_former_process_may_have_accepted_is_signed_anew() {
    let world = World::new();
    let early = world.alice().signed("ListKeys", &[], "early");
    world.service.authenticator.nonces.distrust(world.now());
    let events = world.audit.len();
    let reply = world.alice().reply_to(&early, "POST");
    assert_eq!((reply.status, reply.outcome.refusal.unwrap().code()), (503, "ServiceUnavailableTemporary"));
    assert_eq!(reply.retry_after_ms, Some(1000));
    assert!(reply.outcome.fault.is_none(), "nothing is wrong with us");
    world.alice().refused("GetCallerIdentity", &[], "503 ServiceUnavailable");
    assert_eq!(world.audit.len(), events, "whoever repeats a request shows no secret");
    world.advance(1);
    world.alice().ok("ListKeys", &[]);
    assert_eq!(world.alice().reply_to(&early, "POST").status, 503);
    assert_eq!(world.service.authenticator.nonces.perhaps_before(), 3);
}

#[test]
fn rates() {
    let rates = RateLimits { crypto_symmetric_per_sec: Some(3), management_per_sec: Some(5), ..RateLimits::default() };
    let limits = Limits { rates, ..Limits::default() };
    let world = World::with(Setup { limits, ..Setup::default() });
    let key = world.key();
    let encrypt = [("KeyId", key.as_str()), ("Plaintext", HELLO)];
    for _ in 0..3 {
        world.alice().ok("Encrypt", &encrypt);
    }
    let events = world.audit.len();
    let reply = world.alice().reply("Encrypt", &encrypt);
    assert_eq!((reply.status, reply.outcome.refusal.unwrap().code()), (429, "Rejected.Throttling"));
    assert_eq!(reply.retry_after_ms, Some(334));
    let left = world.audit.events().split_off(events);
    assert_eq!((left.len(), &left[0].0["errorCode"]), (1, &"Rejected.Throttling".into()));
    world.bob().refused("Encrypt", &encrypt, "404 Forbidden.KeyNotFound");
    for _ in 0..4 {
        assert_eq!(world.alice().reply("ListKeys", &[]).retry_after_ms, None);
    }
    world.alice().refused("ListKeys", &[], "429 Rejected.Throttling");
    world.steady_ns.store(334_000_000, std::sync::atomic::Ordering::SeqCst);
    world.alice().ok("Encrypt", &encrypt);
    world.alice().refused("Encrypt", &encrypt, "429 Rejected.Throttling");
}

/// Clients of KMS wait and try again on the codes of KMS alone, those of RAM, STS and ActionTrail on the gateway's: each
/// gets its own, also where the refusal comes before the action is looked for, and every one is told how long to wait.
#[test]
fn throttling_and_failures_in_the_words_of_each_api() {
    let told = |reply: &jomae_core::service::Reply| (reply.status, reply.outcome.refusal.unwrap().code());
    let apis = ["ListKeys", "ListUsers", "GetCallerIdentity", "LookupEvents"];
    for action in apis {
        let of_kms = action == "ListKeys";
        let rates = RateLimits { management_per_sec: Some(1), ..RateLimits::default() };
        let world = World::with(Setup { limits: Limits { rates, ..Limits::default() }, ..Setup::default() });
        world.alice().ok(action, &[]);
        let over = world.alice().reply(action, &[]);
        assert_eq!(told(&over), if of_kms { (429, "Rejected.Throttling") } else { (400, "Throttling.User") });
        assert_eq!(over.retry_after_ms, Some(1000), "{action}");
        let body: serde_json::Value = serde_json::from_slice(&over.body).unwrap();
        let message = if of_kms { "QPS Limit Exceeded" } else { "Request was denied due to user flow control." };
        assert_eq!((&body["Message"], body.get("HttpStatus").is_some()), (&message.into(), of_kms), "{action}");
        assert_eq!(world.audit.events().pop().unwrap().0["errorCode"], told(&over).1, "{action}");

        let world = World::new();
        let wrong = Credentials { secret: b"guessed".to_vec(), ..world.alice.clone() };
        for _ in 0..jomae_core::lockout::FAILURES_MAX {
            world.alice().with(&wrong).refused(action, &[], "400 SignatureDoesNotMatch");
        }
        let locked = world.alice().reply(action, &[]);
        assert_eq!(told(&locked), if of_kms { (429, "Rejected.Throttling") } else { (400, "Throttling") });
        assert_eq!(locked.retry_after_ms, Some(60_000), "{action}");
        world.advance(60);
        world.alice().ok(action, &[]);

        world.audit.unwritable.store(true, std::sync::atomic::Ordering::SeqCst);
        let down = world.alice().reply(action, &[]);
        let expected = if of_kms { "ServiceUnavailableTemporary" } else { "ServiceUnavailable" };
        assert_eq!(told(&down), (503, expected), "{action}");
    }
    let never_a_request = World::new().service.refuse(Refusal::TooManyConnections);
    assert_eq!(told(&never_a_request), (503, "ServiceUnavailableTemporary"));
}

/// Whether the head of a signed request, without its body, is vouched for.
fn vouches(world: &World, signed: &SignedRequest, ip: &str) -> bool {
    let headers: Vec<Header<'_>> =
        signed.headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
    let head = Request { method: "POST", path: "/", query: &signed.query, headers: &headers, body: &[] };
    world.service.vouches(
        &head,
        Arrival {
            source_ip: ip,
            now: Timestamp(world.now()),
            steady_ns: 0,
            abandonment: &Abandonment::default(),
            lane: &Lane::default(),
            meter: &Meter::default(),
        },
    )
}

#[test]
fn the_head_of_a_request_is_enough_to_vouch_for_it_and_for_nothing_else() {
    let world = World::new();
    let request = |scheme, secret| SignRequest {
        scheme,
        access_key_id: &world.alice.id,
        key: SigningKey::Secret(secret),
        security_token: None,
        action: "CreateKey",
        version: jomae_api::API_VERSION,
        host: HANGZHOU,
        method: "POST",
        params: &[],
        form: &[("Description", "large")],
        date: "",
        nonce: "",
        region: "cn-hangzhou",
    };
    let (date, ip) = (world.timestamp(), "198.51.100.9");
    for scheme in Scheme::ALL.into_iter().filter(|scheme| !scheme.is_rsa()) {
        let nonce = world.nonce();
        let sign = |secret| SignRequest { date: &date, nonce: &nonce, ..request(scheme, secret) }.sign().unwrap();
        let signed = sign(&world.alice.secret[..]);
        let in_headers = !matches!(scheme, Scheme::RpcV1HmacSha1);
        // As often as one likes: nothing is remembered.
        for _ in 0..2 {
            assert_eq!(vouches(&world, &signed, ip), in_headers, "{scheme:?}");
        }
        if in_headers {
            let mut other = sign(&world.alice.secret[..]);
            other.body[0] ^= 1;
            assert!(vouches(&world, &other, ip), "the body is not there yet");
            assert_eq!(world.alice().reply_to(&other, "POST").status, 400, "and counts in the end");
        }
        assert_eq!(world.alice().reply_to(&signed, "POST").status, 200);
        assert!(!vouches(&world, &sign(b"guessed"), ip));
    }
    let scheme = Scheme::Acs3HmacSha256;
    let late = SignRequest { date: &date, nonce: "late", ..request(scheme, &world.alice.secret[..]) };
    let late = late.sign().unwrap();
    assert!(vouches(&world, &late, ip));
    world.advance(901);
    assert!(!vouches(&world, &late, ip), "too old");
}

/// What a proxy in front could read otherwise than we is refused, whatever its signature: RPC v1 signs no header at all.
#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let world = World::new();
    let unreadable = |signed: &jomae_api::sign::client::SignedRequest| {
        let reply = world.alice().reply_to(signed, "POST");
        assert_eq!(reply.outcome.refusal, Some(Refusal::RequestUnreadable));
        assert_eq!(reply.status, 400);
    };
    let before = world.dump();
    for form in [&[("KeyId", "k")][..], &[]] {
        let request = SignRequest {
            scheme: Scheme::RpcV1HmacSha1,
            access_key_id: &world.alice.id,
            key: SigningKey::Secret(&world.alice.secret),
            security_token: None,
            action: "ListKeys",
            version: "2016-01-20",
            host: HANGZHOU,
            method: "POST",
            params: &[],
            form,
            date: &world.timestamp(),
            nonce: &world.nonce(),
            region: "cn-hangzhou",
        };
        for name in ["content-type", "host", "authorization"] {
            for other in ["application/json", "application/x-www-form-urlencoded"] {
                let mut signed = request.sign().unwrap();
                signed.headers.retain(|(given, _)| *given != name);
                signed.headers.push((name, "application/x-www-form-urlencoded".to_owned()));
                signed.headers.push((name, other.to_owned()));
                unreadable(&signed);
            }
        }
        for (name, value) in
            [("x-acs-action", "DisableKey"), ("x-acs-version", "2015-05-01"), ("x-acs-security-token", "t")]
        {
            let mut signed = request.sign().unwrap();
            signed.query.push_str(if signed.query.is_empty() { "SecurityToken=u" } else { "&SecurityToken=u" });
            signed.headers.push((name, value.to_owned()));
            unreadable(&signed);
        }
    }
    let mut twice = world.alice().signed("ListKeys", &[], "n");
    let action = twice.headers.iter().find(|(name, _)| *name == "x-acs-action").unwrap().clone();
    twice.headers.push(action);
    unreadable(&twice);
    // Signed rightly over the query, which names another action.
    for param in ["Action", "Version", "SignatureNonce"] {
        unreadable(&world.alice().signed("ListKeys", &[(param, "other")], "m"));
    }
    assert_eq!(world.dump(), before);
    let same = world.alice().signed("ListKeys", &[("Action", "ListKeys")], "same");
    assert_eq!(world.alice().reply_to(&same, "POST").status, 200, "some clients send both");
}
