//! Each refusal, by an authenticator in software that lies in one thing.

use coset::cbor::Value;
use jomae_crypto::asym::AsymSpec;
use jomae_sim::authenticator::{
    Authenticator, BACKED_UP, BACKUP_ELIGIBLE, EXTENSIONS, PRESENT, VERIFIED, attestation_of, cbor, client_data,
};
use proptest::prelude::*;

use super::*;

const CHALLENGE: [u8; CHALLENGE_BYTES] = [7; CHALLENGE_BYTES];
const ORIGIN: &str = "https://console.example:8445";
const RP_ID: &str = "console.example";
const HANDLE: &[u8] = b"1234567890123456/205812345678901234";
const CREATE: &str = "webauthn.create";
const GET: &str = "webauthn.get";

const EXPECTED: Expected<'static> =
    Expected { challenge: &CHALLENGE, origin: ORIGIN, rp_id: RP_ID, needs_verification: true };

fn authenticator() -> Authenticator {
    Authenticator::new(AsymSpec::EcP256, RP_ID)
}

fn make(authenticator: &Authenticator) -> Result<Made, Mistake> {
    verify_creation(&client_data(CREATE, &CHALLENGE, ORIGIN), &authenticator.attestation(), &EXPECTED)
}

/// What comes of making a passkey with an authenticator that lies.
fn made_by(lie: impl FnOnce(&mut Authenticator)) -> Result<Made, Mistake> {
    let mut authenticator = authenticator();
    lie(&mut authenticator);
    make(&authenticator)
}

fn known(made: &Made) -> Known<'_> {
    let Made { key, counter, can_be_backed_up, .. } = made;
    Known { key, counter: *counter, can_be_backed_up: *can_be_backed_up, user_handle: HANDLE }
}

/// What comes of a sign-in with a passkey that was made as it should be, where the authenticator lies only now.
fn used_by(lie: impl FnOnce(&mut Authenticator)) -> Result<Used, Mistake> {
    let mut authenticator = authenticator();
    let made = make(&authenticator).unwrap();
    lie(&mut authenticator);
    let client_data = client_data(GET, &CHALLENGE, ORIGIN);
    let (data, signature) = authenticator.sign(&client_data);
    let answer =
        Answer { client_data: &client_data, authenticator_data: &data, signature: &signature, user_handle: HANDLE };
    verify_use(&answer, &known(&made), &EXPECTED)
}

#[test]
fn passkeys_of_each_algorithm_are_made_and_used() {
    for spec in [AsymSpec::EcP256, AsymSpec::Ed25519, AsymSpec::Rsa2048] {
        let mut authenticator = Authenticator::new(spec, RP_ID);
        let made = make(&authenticator).unwrap();
        assert_eq!((&made.credential_id, made.counter, made.is_verified), (&authenticator.credential_id, 1, true));
        for user_handle in [HANDLE, b""] {
            let client_data = client_data(GET, &CHALLENGE, ORIGIN);
            let (data, signature) = authenticator.sign(&client_data);
            let answer =
                Answer { client_data: &client_data, authenticator_data: &data, signature: &signature, user_handle };
            let used = verify_use(&answer, &known(&made), &EXPECTED).unwrap();
            assert_eq!((used.counter, used.is_verified), (authenticator.counter, true));
        }
    }
}

#[test]
fn client_data_must_be_of_this_page_and_this_attempt() {
    let authenticator = authenticator();
    let refused = |client_data: &[u8]| verify_creation(client_data, &authenticator.attestation(), &EXPECTED).err();
    for (wrong, why) in [
        (client_data(GET, &CHALLENGE, ORIGIN), Mistake::Type),
        (client_data("payment.get", &CHALLENGE, ORIGIN), Mistake::Type),
        (client_data(CREATE, &[8; 32], ORIGIN), Mistake::Challenge),
        (client_data(CREATE, &CHALLENGE[1..], ORIGIN), Mistake::Challenge),
        (client_data(CREATE, b"", ORIGIN), Mistake::Challenge),
        (client_data(CREATE, &CHALLENGE, "https://console.example"), Mistake::Origin),
        (client_data(CREATE, &CHALLENGE, "http://console.example:8445"), Mistake::Origin),
        (client_data(CREATE, &CHALLENGE, "https://evil.console.example:8445"), Mistake::Origin),
        (client_data(CREATE, &CHALLENGE, "https://console.example:8445/"), Mistake::Origin),
        (vec![b' '; CLIENT_DATA_BYTES_MAX + 1], Mistake::ClientData),
        (b"{}".to_vec(), Mistake::ClientData),
        (b"\xff".to_vec(), Mistake::ClientData),
    ] {
        assert_eq!(refused(&wrong), Some(why), "{}", String::from_utf8_lossy(&wrong));
    }
    let good = String::from_utf8(client_data(CREATE, &CHALLENGE, ORIGIN)).unwrap();
    let framed = good.replace("\"crossOrigin\":false", "\"crossOrigin\":true");
    assert_eq!(refused(framed.as_bytes()), Some(Mistake::Origin));
    let framed = good.replace("\"crossOrigin\":false", "\"topOrigin\":\"https://evil.example\"");
    assert_eq!(refused(framed.as_bytes()), Some(Mistake::Origin));
    let twice = good.replace('{', "{\"type\":\"webauthn.get\",");
    assert_eq!(refused(twice.as_bytes()), Some(Mistake::ClientData), "a member twice");
    // Browsers may add members (section 5.8.1).
    let more = good.replace('{', "{\"other_keys_can_be_added_here\":\"x\",");
    assert_eq!(refused(more.as_bytes()), None);
    // The same for a sign-in: what was made for one cannot be used for the other.
    let made = make(&authenticator).unwrap();
    let mut authenticator = authenticator;
    for (wrong, why) in [
        (client_data(CREATE, &CHALLENGE, ORIGIN), Mistake::Type),
        (client_data(GET, &[8; 32], ORIGIN), Mistake::Challenge),
        (client_data(GET, &CHALLENGE, "https://console.example"), Mistake::Origin),
    ] {
        let (data, signature) = authenticator.sign(&wrong);
        let answer =
            Answer { client_data: &wrong, authenticator_data: &data, signature: &signature, user_handle: HANDLE };
        assert_eq!(verify_use(&answer, &known(&made), &EXPECTED).err(), Some(why));
    }
}

#[test]
fn what_the_authenticator_says_must_hold() {
    let of_another_party = |authenticator: &mut Authenticator| authenticator.rp_id = "example".to_owned();
    assert_eq!(made_by(of_another_party).err(), Some(Mistake::RelyingParty));
    assert_eq!(used_by(of_another_party).err(), Some(Mistake::RelyingParty));
    let nobody = |authenticator: &mut Authenticator| authenticator.flags = VERIFIED;
    assert_eq!(made_by(nobody).err(), Some(Mistake::NobodyPresent));
    assert_eq!(used_by(nobody).err(), Some(Mistake::NobodyPresent));
    let somebody = |authenticator: &mut Authenticator| authenticator.flags = PRESENT;
    assert_eq!(made_by(somebody).err(), Some(Mistake::NotVerified));
    assert_eq!(used_by(somebody).err(), Some(Mistake::NotVerified));
    let impossible = |authenticator: &mut Authenticator| authenticator.flags |= BACKED_UP;
    assert_eq!(made_by(impossible).err(), Some(Mistake::BackupFlags));
    assert_eq!(used_by(impossible).err(), Some(Mistake::BackupFlags));
    // Eligible or not is said once and for all at the making.
    let suddenly = |authenticator: &mut Authenticator| authenticator.flags |= BACKUP_ELIGIBLE;
    assert!(made_by(suddenly).is_ok_and(|made| made.can_be_backed_up && !made.is_backed_up));
    assert_eq!(used_by(suddenly).err(), Some(Mistake::BackupFlags));
    let both = |authenticator: &mut Authenticator| authenticator.flags |= BACKUP_ELIGIBLE | BACKED_UP;
    assert!(made_by(both).is_ok_and(|made| made.can_be_backed_up && made.is_backed_up));
    // As a second factor, that somebody is there is enough.
    let mut without = authenticator();
    without.flags = PRESENT;
    let client_data = client_data(CREATE, &CHALLENGE, ORIGIN);
    let lenient = Expected { needs_verification: false, ..EXPECTED };
    let made = verify_creation(&client_data, &without.attestation(), &lenient).unwrap();
    assert!(!made.is_verified);
}

#[test]
fn the_credential_must_be_one() {
    assert_eq!(made_by(|passkey| passkey.credential_id = vec![1; 1024]).err(), Some(Mistake::CredentialId));
    assert_eq!(made_by(|passkey| passkey.credential_id = Vec::new()).err(), Some(Mistake::CredentialId));
    assert!(made_by(|passkey| passkey.credential_id = vec![1; 1023]).is_ok());
    let client_data = client_data(CREATE, &CHALLENGE, ORIGIN);
    let made_of = |data: &[u8]| verify_creation(&client_data, &attestation_of(data), &EXPECTED).err();
    // Those of a sign-in have no credential.
    let (of_sign_in, _) = authenticator().sign(&client_data);
    assert_eq!(made_of(&of_sign_in), Some(Mistake::NoCredential));
    let good = authenticator().made();
    for bytes in 0..good.len() {
        assert!(made_of(&good[..bytes]).is_some(), "{bytes}");
    }
    assert_eq!(made_of(&[&good[..], &[0]].concat()), Some(Mistake::AuthenticatorData), "something behind it");
    assert_eq!(made_of(&vec![0; AUTHENTICATOR_DATA_BYTES_MAX + 1]), Some(Mistake::AuthenticatorData));
    let extended = |tail: Value| {
        made_by(|passkey| {
            passkey.flags |= EXTENSIONS;
            passkey.tail = cbor(&tail);
        })
        .err()
    };
    assert_eq!(extended(Value::Map(vec![(Value::Text("credProtect".into()), Value::Integer(2.into()))])), None);
    assert_eq!(extended(Value::Integer(1.into())), Some(Mistake::AuthenticatorData));
    assert_eq!(made_by(|passkey| passkey.flags |= EXTENSIONS).err(), Some(Mistake::AuthenticatorData), "none there");
}

#[test]
fn the_attestation_object_must_be_whole() {
    let client_data = client_data(CREATE, &CHALLENGE, ORIGIN);
    let refused = |object: &[u8]| verify_creation(&client_data, object, &EXPECTED).err();
    let good = authenticator().attestation();
    for bytes in 0..good.len() {
        assert!(refused(&good[..bytes]).is_some(), "{bytes}");
    }
    assert_eq!(refused(&[&good[..], &[0]].concat()), Some(Mistake::Attestation));
    assert_eq!(refused(&vec![0; ATTESTATION_BYTES_MAX + 1]), Some(Mistake::Attestation));
    let text = |text: &str| Value::Text(text.into());
    let data = (text("authData"), Value::Bytes(authenticator().made()));
    let (format, statement) = ((text("fmt"), text("none")), (text("attStmt"), Value::Map(Vec::new())));
    let object = |members: &[&(Value, Value)]| cbor(&Value::Map(members.iter().map(|one| (*one).clone()).collect()));
    assert_eq!(refused(&object(&[&format, &statement, &data])), None);
    assert_eq!(refused(&object(&[&format, &statement, &data, &data])), Some(Mistake::Attestation), "twice");
    assert_eq!(refused(&object(&[&statement, &data])), Some(Mistake::Attestation));
    assert_eq!(refused(&object(&[&format, &data])), Some(Mistake::Attestation));
    assert_eq!(refused(&object(&[&format, &statement])), Some(Mistake::Attestation));
    // Nested too deep, and a length that is not there.
    assert_eq!(refused(&[&[0x81; 1000][..], &[0]].concat()), Some(Mistake::Attestation));
    assert_eq!(refused(&[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Some(Mistake::Attestation));
}

#[test]
fn only_the_algorithms_that_were_asked_for() {
    let with = |label: i64, value: Value| {
        made_by(|passkey| {
            passkey.key.retain(|(known, _)| *known != label);
            passkey.key.push((label, value));
        })
        .err()
    };
    let int = |number: i64| Value::Integer(number.into());
    // ES384, ES256K, PS256, a private number, and that of another kind of key.
    for other in [-35, -47, -37, -70000] {
        assert_eq!(with(3, int(other)), Some(Mistake::Algorithm), "{other}");
    }
    assert_eq!(with(3, int(-8)), Some(Mistake::Key));
    assert_eq!(with(1, int(1)), Some(Mistake::Key), "another kind");
    assert_eq!(with(-1, int(2)), Some(Mistake::Key), "another curve");
    assert_eq!(with(-2, Value::Bytes(vec![0; 32])), Some(Mistake::Key), "no point of the curve");
    assert_eq!(with(-3, Value::Bool(true)), Some(Mistake::Key), "only the sign of y");
    assert_eq!(with(4, Value::Text("verify".into())), Some(Mistake::Key));
    let doubled = made_by(|passkey| {
        let x = passkey.key[3].clone();
        passkey.key.push(x);
    });
    assert_eq!(doubled.err(), Some(Mistake::Key), "a parameter twice");
    let missing = made_by(|passkey| passkey.key.retain(|(label, _)| *label != 3));
    assert_eq!(missing.err(), Some(Mistake::Algorithm));
}

#[test]
fn only_the_passkey_itself_signs_in() {
    let mut authenticator = authenticator();
    let made = make(&authenticator).unwrap();
    let client_data = client_data(GET, &CHALLENGE, ORIGIN);
    let (data, signature) = authenticator.sign(&client_data);
    let good =
        Answer { client_data: &client_data, authenticator_data: &data, signature: &signature, user_handle: HANDLE };
    let refused = |answer: &Answer<'_>, made: &Made| verify_use(answer, &known(made), &EXPECTED).err();
    assert_eq!(refused(&good, &made), None);
    let other = make(&self::authenticator()).unwrap();
    assert_eq!(refused(&good, &other), Some(Mistake::Signature));
    assert_eq!(refused(&Answer { user_handle: b"1234567890123456/1", ..good }, &made), Some(Mistake::UserHandle));
    assert_eq!(refused(&Answer { signature: &signature[1..], ..good }, &made), Some(Mistake::Signature));
    assert_eq!(refused(&Answer { signature: b"", ..good }, &made), Some(Mistake::Signature));
    // A counter or a flag that was changed on the way.
    let mut changed = data.clone();
    changed[36] += 1;
    assert_eq!(refused(&Answer { authenticator_data: &changed, ..good }, &made), Some(Mistake::Signature));
    let spaced = [&client_data[..], b" "].concat();
    assert_eq!(refused(&Answer { client_data: &spaced, ..good }, &made), Some(Mistake::Signature));
    for bytes in 0..data.len() {
        let cut = Answer { authenticator_data: &data[..bytes], ..good };
        assert_eq!(refused(&cut, &made), Some(Mistake::AuthenticatorData), "{bytes}");
    }
}

#[test]
fn a_counter_that_does_not_go_on_is_a_copy() {
    let mut authenticator = authenticator();
    let made = make(&authenticator).unwrap();
    let client_data = client_data(GET, &CHALLENGE, ORIGIN);
    authenticator.is_counting = false;
    let mut used_at = |counter: u32, kept: u32| {
        authenticator.counter = counter;
        let (data, signature) = authenticator.sign(&client_data);
        let answer =
            Answer { client_data: &client_data, authenticator_data: &data, signature: &signature, user_handle: HANDLE };
        verify_use(&answer, &Known { counter: kept, ..known(&made) }, &EXPECTED).err()
    };
    assert_eq!(used_at(6, 5), None);
    assert_eq!(used_at(5, 5), Some(Mistake::Counter));
    assert_eq!(used_at(4, 5), Some(Mistake::Counter));
    assert_eq!(used_at(0, 5), Some(Mistake::Counter), "one that does not count any more");
    assert_eq!(used_at(0, 0), None, "one that never counts");
    assert_eq!(used_at(1, 0), None, "one that begins to");
    assert_eq!(used_at(u32::MAX, u32::MAX - 1), None);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, cut in 0..400_usize, at in 0..400_usize, flip: u8) {
        let _ = ClientData::read(&bytes);
        let _ = AuthenticatorData::read(&bytes);
        let _ = AttestationObject::read(&bytes);
        // Near to good ones.
        let mut near = authenticator().attestation();
        near.truncate(near.len().saturating_sub(cut % 8));
        let at = at % near.len();
        near[at] ^= flip;
        let client_data = client_data(CREATE, &CHALLENGE, ORIGIN);
        let _ = verify_creation(&client_data, &near, &EXPECTED);
        let answer = Answer { client_data: &client_data, authenticator_data: &bytes, signature: &bytes, user_handle: &bytes };
        let made = make(&authenticator()).unwrap();
        prop_assert!(verify_use(&answer, &known(&made), &EXPECTED).is_err());
    }
}
