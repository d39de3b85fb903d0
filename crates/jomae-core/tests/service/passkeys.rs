//! People sign in with passkeys: alone, behind a password, and what is refused.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_api::{limits, time::Timestamp};
use jomae_core::{
    identity::Who,
    ram::{
        passkeys::{CHALLENGE_SECS, user_handle},
        sign_in::{
            Duty, FAILURES_MAX, NoCaller, NotSignedIn, PasskeyAnswer, SignedIn, challenge_to_make,
            challenge_to_sign_in, passkeys_for, verify_passkey, verify_password, verify_second_passkey,
        },
    },
    service::Reply,
    webauthn::Answer,
};
use jomae_crypto::asym::AsymSpec;
use jomae_sim::{
    authenticator::{Authenticator, PRESENT, client_data},
    block_on,
};
use serde_json::{Value, json};

use crate::{
    common::World,
    ram_users::new_access_key,
    sign_in::{
        At, HOME, PASSWORD, caller_name, may_list_keys, newest_event, person, reply_as, run_as, secret, sign_in,
        with_attempt,
    },
};

const ORIGIN: &str = "https://kms.example:8445";
const RP_ID: &str = "kms.example";

fn authenticator() -> Authenticator {
    Authenticator::new(AsymSpec::EcP256, RP_ID)
}

/// The id of whoever has signed in.
fn id_of(world: &World, signed_in: &SignedIn) -> String {
    let caller = signed_in.caller(&world.service.kms.vault, "ListPasskeys", Timestamp(world.now())).unwrap();
    let Who::User { id, .. } = caller.who else { panic!("a user") };
    id
}

/// The user of a session makes a passkey.
fn make(world: &World, signed_in: &SignedIn, passkey: &Authenticator) -> Reply {
    make_at(world, signed_in, passkey, ORIGIN)
}

fn make_at(world: &World, signed_in: &SignedIn, passkey: &Authenticator, origin: &str) -> Reply {
    let (id, account) = (id_of(world, signed_in), signed_in.account());
    let new = challenge_to_make(&world.service.kms, ORIGIN, (account, &id), world.now()).unwrap();
    let client_data = client_data("webauthn.create", &new.challenge.bytes, origin);
    let (client_data, attestation) = (STANDARD.encode(client_data), STANDARD.encode(passkey.attestation()));
    let params = [
        ("PasskeyName", "phone"),
        ("Challenge", &new.sealed),
        ("ClientDataJSON", &client_data),
        ("AttestationObject", &attestation),
        ("Transports", "internal"),
    ];
    reply_as(world, signed_in, "CreatePasskey", &params)
}

/// A user of Alice's with a passkey, and the session in which it was made.
fn with_passkey(world: &World, name: &str) -> (SignedIn, Authenticator) {
    person(world, name);
    let signed_in = sign_in(world, name, PASSWORD, None, HOME).unwrap();
    let passkey = authenticator();
    assert_eq!(make(world, &signed_in, &passkey).status, 200);
    (signed_in, passkey)
}

/// What a browser sends.
struct Sent {
    challenge: String,
    credential_id: Vec<u8>,
    client_data: Vec<u8>,
    data: Vec<u8>,
    signature: Vec<u8>,
    user_handle: Vec<u8>,
}

impl Sent {
    fn given(&self) -> PasskeyAnswer<'_> {
        PasskeyAnswer {
            challenge: &self.challenge,
            credential_id: &self.credential_id,
            answer: Answer {
                client_data: &self.client_data,
                authenticator_data: &self.data,
                signature: &self.signature,
                user_handle: &self.user_handle,
            },
        }
    }
}

/// The answer of a passkey to a new challenge, for somebody with this handle.
fn answer(world: &World, passkey: &mut Authenticator, user_handle: &str) -> Sent {
    let new = challenge_to_sign_in(&world.service.kms, ORIGIN, world.now()).unwrap();
    let client_data = client_data("webauthn.get", &new.challenge.bytes, ORIGIN);
    let (data, signature) = passkey.sign(&client_data);
    let credential_id = passkey.credential_id.clone();
    let user_handle = user_handle.as_bytes().to_vec();
    Sent { challenge: new.sealed, credential_id, client_data, data, signature, user_handle }
}

fn show(world: &World, sent: &Sent, at: At<'_>) -> Result<SignedIn, NotSignedIn> {
    let nobody = jomae_api::names::AccountId::new("0000000000000000").unwrap();
    with_attempt(world, &nobody, "", at, |attempt| block_on(verify_passkey(&world.service.kms, attempt, &sent.given())))
}

/// The handle of the user of a session.
fn handle(world: &World, signed_in: &SignedIn) -> String {
    user_handle(signed_in.account(), &id_of(world, signed_in))
}

/// Signs in with a password, and a passkey behind it.
fn second(world: &World, name: &str, passkey: &mut Authenticator) -> Result<SignedIn, NotSignedIn> {
    let kms = &world.service.kms;
    with_attempt(world, &world.alice.account, name, HOME, |attempt| {
        block_on(async {
            let shown = verify_password(kms, attempt, secret(PASSWORD)).await?;
            assert!(shown.takes_passkey() && shown.needs_second());
            let (new, allowed) = shown.challenge(kms, ORIGIN, world.now()).unwrap();
            assert!(allowed.iter().all(|one| one.transports == ["internal"]));
            let client_data = client_data("webauthn.get", &new.challenge.bytes, ORIGIN);
            let (data, signature) = passkey.sign(&client_data);
            let credential_id = passkey.credential_id.clone();
            // Authenticators that keep no handle give none.
            let sent =
                Sent { challenge: new.sealed, credential_id, client_data, data, signature, user_handle: Vec::new() };
            verify_second_passkey(kms, attempt, shown, &sent.given()).await.map_err(|(shown, error)| {
                assert!(shown.is_some(), "the password stays shown");
                error
            })
        })
    })
}

fn code_of(reply: &Reply) -> String {
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    body["Code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_passkey_alone_is_both_factors() {
    let world = World::new();
    let document = json!({"Version": "1", "Statement": [{
        "Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*",
        "Condition": {"Bool": {"acs:MFAPresent": "true"}},
    }]});
    world.alice().policy("with-mfa", &document.to_string());
    let (made_in, mut passkey) = with_passkey(&world, "aoi");
    world.alice().attach("with-mfa", ("User", "aoi"));
    assert!(!may_list_keys(&world, &made_in), "that session began with a password alone");
    let sent = answer(&world, &mut passkey, &handle(&world, &made_in));
    let signed_in = show(&world, &sent, HOME).unwrap();
    assert!(may_list_keys(&world, &signed_in) && signed_in.facts().mfa);
    let events = world.audit.events();
    let event = events.iter().rev().map(|(event, _)| event).find(|event| event["eventName"] == "ConsoleSignin");
    let event = event.unwrap();
    assert_eq!(event["userIdentity"]["userName"], "aoi");
    assert_eq!(
        event["additionalEventData"],
        json!({"callbackUrl": "/keys", "mfaChecked": "true", "signInWay": "passkey"})
    );
    let listed = world.alice().ok("ListPasskeys", &[("UserName", "aoi")]);
    let listed = &listed["Passkeys"]["Passkey"][0];
    assert_eq!((&listed["PasskeyName"], &listed["BackedUp"]), (&json!("phone"), &json!(false)));
    assert!(listed["LastUsedDate"].is_string());
    // Nothing of the ceremony is in the log.
    let text = world.audit.text();
    assert!(text.contains("CreatePasskey") && !text.contains(&sent.challenge) && !text.contains("webauthn.create"));
    assert!(!text.contains(&STANDARD.encode(passkey.attestation())));
}

#[test]
fn a_passkey_behind_a_password() {
    let world = World::new();
    let (made_in, mut passkey) = with_passkey(&world, "bo");
    // The password alone opens nothing any more.
    let alone = with_attempt(&world, &world.alice.account, "bo", HOME, |attempt| {
        block_on(async {
            let kms = &world.service.kms;
            let shown = verify_password(kms, attempt, secret(PASSWORD)).await.unwrap_or_else(|_| panic!("right"));
            assert!(!shown.takes_code());
            shown.without_second(kms, attempt).await
        })
    });
    assert!(matches!(alone, Err(NotSignedIn::WrongCode)));
    // Behind a password, somebody who is there is enough; alone the authenticator has to know who.
    passkey.flags = PRESENT;
    let signed_in = second(&world, "bo", &mut passkey).unwrap();
    assert!(signed_in.facts().mfa);
    assert_eq!(newest_event(&world)["additionalEventData"]["signInWay"], "password and passkey");
    let handle = handle(&world, &made_in);
    let sent = answer(&world, &mut passkey, &handle);
    assert!(matches!(show(&world, &sent, HOME), Err(NotSignedIn::WrongPasskey)));
    assert_eq!(newest_event(&world)["errorCode"], "PasskeyFailed");
    assert_eq!(newest_event(&world)["additionalEventData"]["mfaChecked"], "false");
    // A challenge of one way is none of the other.
    let other = with_attempt(&world, &world.alice.account, "bo", HOME, |attempt| {
        block_on(async {
            let kms = &world.service.kms;
            let shown = verify_password(kms, attempt, secret(PASSWORD)).await.unwrap_or_else(|_| panic!("right"));
            let sent = answer(&world, &mut passkey, &handle);
            verify_second_passkey(kms, attempt, shown, &sent.given()).await.err().map(|(_, error)| error)
        })
    });
    assert!(matches!(other, Some(NotSignedIn::WrongPasskey)));
}

#[test]
fn what_is_not_the_users_is_refused() {
    let world = World::new();
    let (of_chie, mut chies) = with_passkey(&world, "chie");
    let (of_dan, mut dans) = with_passkey(&world, "dan");
    let (chie, dan) = (handle(&world, &of_chie), handle(&world, &of_dan));
    // The passkey of another: under the other's handle, and behind the other's password.
    assert!(matches!(show(&world, &answer(&world, &mut dans, &chie), HOME), Err(NotSignedIn::WrongPasskey)));
    assert!(matches!(second(&world, "chie", &mut dans), Err(NotSignedIn::WrongPasskey)));
    // Credential ids are no secret: another key under the same one.
    let mut forged = authenticator();
    forged.credential_id.clone_from(&chies.credential_id);
    forged.counter = 100;
    assert!(matches!(show(&world, &answer(&world, &mut forged, &chie), HOME), Err(NotSignedIn::WrongPasskey)));
    // Nobody, and what is no handle.
    for nobody in ["", "1234567890123456/1", "x/1", &dan[..dan.len() - 1]] {
        let sent = answer(&world, &mut dans, nobody);
        assert!(matches!(show(&world, &sent, HOME), Err(NotSignedIn::Wrong)), "{nobody}");
    }
    assert!(show(&world, &answer(&world, &mut chies, &chie), HOME).is_ok());
    // Made for another page.
    let reply = make_at(&world, &of_chie, &authenticator(), "https://evil.example");
    assert_eq!(code_of(&reply), "InvalidParameter.Passkey");
}

#[test]
fn an_answer_is_accepted_once_and_for_a_time() {
    let world = Arc::new(World::new());
    let (made_in, _) = with_passkey(&world, "emi");
    // One that does not count: nothing but the challenge tells that the answer is old.
    let mut silent = Authenticator::new(AsymSpec::Ed25519, RP_ID);
    silent.is_counting = false;
    silent.counter = 0;
    assert_eq!(make(&world, &made_in, &silent).status, 200);
    let handle = handle(&world, &made_in);
    let sent = answer(&world, &mut silent, &handle);
    assert!(show(&world, &sent, HOME).is_ok());
    assert!(matches!(show(&world, &sent, HOME), Err(NotSignedIn::Ended)));
    let again = Sent { challenge: answer(&world, &mut silent, &handle).challenge, ..sent };
    assert!(matches!(show(&world, &again, HOME), Err(NotSignedIn::WrongPasskey)), "the answer to another challenge");
    let late = answer(&world, &mut silent, &handle);
    world.advance(CHALLENGE_SECS);
    assert!(matches!(show(&world, &late, HOME), Err(NotSignedIn::Ended)));
    let mut foreign = answer(&world, &mut silent, &handle);
    foreign.challenge = "AAAA".to_owned();
    assert!(matches!(show(&world, &foreign, HOME), Err(NotSignedIn::Ended)));
    // Two at once, with one answer.
    let sent = Arc::new(answer(&world, &mut silent, &handle));
    let (elsewhere, same) = (Arc::clone(&world), Arc::clone(&sent));
    world.store.before_next_commit(move || {
        assert!(show(&elsewhere, &same, HOME).is_ok());
    });
    assert!(matches!(show(&world, &sent, HOME), Err(NotSignedIn::Ended)));
}

#[test]
fn a_copy_is_told_by_its_counter() {
    let world = World::new();
    let (made_in, mut passkey) = with_passkey(&world, "fumi");
    let handle = handle(&world, &made_in);
    passkey.counter = 10;
    assert!(show(&world, &answer(&world, &mut passkey, &handle), HOME).is_ok());
    passkey.counter = 5;
    assert!(matches!(show(&world, &answer(&world, &mut passkey, &handle), HOME), Err(NotSignedIn::WrongPasskey)));
    let event = newest_event(&world);
    assert_eq!(event["errorCode"], "PasskeyCounterWentBack");
    assert_eq!(event["userIdentity"]["userName"], "fumi");
    assert_eq!(event["additionalEventData"]["signInWay"], "passkey");
    assert!(matches!(second(&world, "fumi", &mut passkey), Err(NotSignedIn::WrongPasskey)));
    assert_eq!(newest_event(&world)["errorCode"], "PasskeyCounterWentBack");
    passkey.counter = 11;
    assert!(show(&world, &answer(&world, &mut passkey, &handle), HOME).is_ok(), "the one that goes on");
}

#[test]
fn sessions_end_with_their_passkey() {
    let world = World::new();
    let alice = world.alice();
    let (by_password, mut passkey) = with_passkey(&world, "gen");
    let handle = handle(&world, &by_password);
    let alone = show(&world, &answer(&world, &mut passkey, &handle), HOME).unwrap();
    let behind = second(&world, "gen", &mut passkey).unwrap();
    let listed = alice.ok("ListPasskeys", &[("UserName", "gen")]);
    let id = listed["Passkeys"]["Passkey"][0]["PasskeyId"].as_str().unwrap().to_owned();
    // Nobody else's can be removed, and nobody needs a policy for the own one.
    let (hiro, _) = with_passkey(&world, "hiro");
    let of_gen = [("UserName", "gen"), ("PasskeyId", id.as_str())];
    assert_eq!(run_as(&world, &hiro, "DeletePasskey", &of_gen), Err("NoPermission".to_owned()));
    assert_eq!(run_as(&world, &hiro, "ListPasskeys", &of_gen[..1]), Err("NoPermission".to_owned()));
    let not_there = Err("EntityNotExist.User.Passkey".to_owned());
    assert_eq!(run_as(&world, &hiro, "DeletePasskey", &of_gen[1..]), not_there);
    assert!(caller_name(&world, &alone, "ListKeys").is_ok() && caller_name(&world, &behind, "ListKeys").is_ok());
    assert!(run_as(&world, &by_password, "DeletePasskey", &of_gen[1..]).is_ok());
    for ended in [&alone, &behind] {
        assert!(matches!(caller_name(&world, ended, "ListKeys"), Err(NoCaller::Ended)));
    }
    assert!(caller_name(&world, &by_password, "ListKeys").is_ok());
    assert!(matches!(show(&world, &answer(&world, &mut passkey, &handle), HOME), Err(NotSignedIn::WrongPasskey)));
    assert!(sign_in(&world, "gen", PASSWORD, None, HOME).is_ok(), "the password alone is enough again");
}

#[test]
fn an_access_key_takes_no_passkey_away() {
    let world = World::new();
    let (made_in, _) = with_passkey(&world, "nao");
    let key = new_access_key(&world, "nao");
    let by_key = world.alice().with(&key);
    let listed = by_key.ok("ListPasskeys", &[]);
    let id = listed["Passkeys"]["Passkey"][0]["PasskeyId"].as_str().unwrap();
    let reply = by_key.reply("DeletePasskey", &[("PasskeyId", id)]);
    assert_eq!((reply.status, &*code_of(&reply)), (403, "NoPermission"));
    assert!(run_as(&world, &made_in, "DeletePasskey", &[("PasskeyId", id)]).is_ok());
}

#[test]
fn passkeys_go_with_the_login_profile_and_the_user() {
    let world = World::new();
    let alice = world.alice();
    let (made_in, mut passkey) = with_passkey(&world, "iori");
    let handle = handle(&world, &made_in);
    alice.done("DeleteLoginProfile", &[("UserName", "iori")]);
    assert!(matches!(show(&world, &answer(&world, &mut passkey, &handle), HOME), Err(NotSignedIn::Wrong)));
    assert_eq!(alice.ok("ListPasskeys", &[("UserName", "iori")])["Passkeys"]["Passkey"], json!([]));
    alice.ok("CreateLoginProfile", &[("UserName", "iori"), ("Password", PASSWORD)]);
    assert!(matches!(show(&world, &answer(&world, &mut passkey, &handle), HOME), Err(NotSignedIn::WrongPasskey)));
    // The same authenticator can be used for a new one.
    let signed_in = sign_in(&world, "iori", PASSWORD, None, HOME).unwrap();
    assert_eq!(make(&world, &signed_in, &passkey).status, 200);
    alice.done("DeleteLoginProfile", &[("UserName", "iori")]);
    alice.done("DeleteUser", &[("UserName", "iori")]);
    assert!(matches!(show(&world, &answer(&world, &mut passkey, &handle), HOME), Err(NotSignedIn::Wrong)));
}

#[test]
fn what_is_asked_of_passwords_is_not_asked_of_passkeys() {
    let world = World::new();
    let (made_in, mut passkey) = with_passkey(&world, "jun");
    let handle = handle(&world, &made_in);
    let profile = [("UserName", "jun"), ("PasswordResetRequired", "true")];
    world.alice().done("UpdateLoginProfile", &profile);
    let alone = show(&world, &answer(&world, &mut passkey, &handle), HOME).unwrap();
    assert!(caller_name(&world, &alone, "ListKeys").is_ok());
    let behind = second(&world, "jun", &mut passkey).unwrap();
    assert!(matches!(caller_name(&world, &behind, "ListKeys"), Err(NoCaller::PasswordMustChange)));
}

#[test]
fn whoever_must_bind_a_device_can_make_a_passkey() {
    let world = World::new();
    person(&world, "kei");
    world.alice().done("UpdateLoginProfile", &[("UserName", "kei"), ("MFABindRequired", "true")]);
    let signed_in = sign_in(&world, "kei", PASSWORD, None, HOME).unwrap();
    let duty =
        |signed_in: &SignedIn| signed_in.standing(&world.service.kms.vault, Timestamp(world.now())).unwrap().duty;
    assert_eq!(duty(&signed_in), Some(Duty::BindDevice));
    assert_eq!(make(&world, &signed_in, &authenticator()).status, 200);
    assert_eq!(duty(&signed_in), None);
}

#[test]
fn strangers_lock_out_themselves_alone() {
    let world = World::new();
    let (made_in, mut passkey) = with_passkey(&world, "leo");
    let handle = handle(&world, &made_in);
    let elsewhere = At { ip: "198.51.100.9", browser: None };
    for _ in 0..FAILURES_MAX {
        let sent = answer(&world, &mut authenticator(), &handle);
        assert!(matches!(show(&world, &sent, elsewhere), Err(NotSignedIn::WrongPasskey)));
    }
    let good = answer(&world, &mut passkey, &handle);
    assert!(matches!(show(&world, &good, elsewhere), Err(NotSignedIn::Locked(_))));
    assert!(show(&world, &good, HOME).is_ok());
    // Those who guess passwords from everywhere do not keep a passkey from signing in from a new place.
    for host in 0..=150_u8 {
        let ip = format!("203.0.113.{host}");
        let _ = sign_in(&world, "leo", "wrong", Some("000000"), At { ip: &ip, browser: None });
    }
    let new_place = At { ip: "192.0.2.200", browser: None };
    assert!(matches!(sign_in(&world, "leo", "wrong", None, new_place), Err(NotSignedIn::Locked(_))));
    assert!(show(&world, &answer(&world, &mut passkey, &handle), new_place).is_ok());
}

#[test]
fn passkeys_are_for_one_relying_party() {
    let world = World::new();
    let (made_in, _) = with_passkey(&world, "mio");
    let id = id_of(&world, &made_in);
    let of = |rp_id| passkeys_for(&world.service.kms.vault, (made_in.account(), &id), rp_id).unwrap().len();
    assert_eq!((of(RP_ID), of("other.example")), (1, 0));
}

/// What the authenticator answers to something else.
pub fn invalid() -> Reply {
    let world = World::new();
    person(&world, "u");
    let signed_in = sign_in(&world, "u", PASSWORD, None, HOME).unwrap();
    make(&world, &signed_in, &Authenticator::new(AsymSpec::EcP256, "other.example"))
}

/// The same passkey twice; nor can another user take its id.
pub fn twice() -> Reply {
    let world = World::new();
    let (_, passkey) = with_passkey(&world, "u");
    person(&world, "v");
    let other = sign_in(&world, "v", PASSWORD, None, HOME).unwrap();
    make(&world, &other, &passkey)
}

pub fn too_many() -> Reply {
    let world = World::new();
    let (signed_in, _) = with_passkey(&world, "u");
    for _ in 1..limits::PASSKEYS_MAX {
        assert_eq!(make(&world, &signed_in, &authenticator()).status, 200);
    }
    make(&world, &signed_in, &authenticator())
}
