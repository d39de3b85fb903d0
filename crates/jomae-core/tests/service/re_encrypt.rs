//! `ReEncrypt`.

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_api::actions::metadata::KeyState;
use jomae_crypto::asym::{AsymSpec, EncAlg, encrypt};
use serde_json::{Value, json};

use crate::common::{Client, HELLO, SHANGHAI, Subject, World, import};

const BAD: &str = "400 InvalidParameter";
const UNSUPPORTED: &str = "400 UnsupportedOperation";
const CONTEXT: (&str, &str) = ("EncryptionContext", r#"{"a":"1"}"#);
const SOURCE_CONTEXT: (&str, &str) = ("SourceEncryptionContext", r#"{"a":"1"}"#);
const DESTINATION_CONTEXT: (&str, &str) = ("DestinationEncryptionContext", r#"{"b":"2"}"#);

fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap().to_owned()
}

fn sealed(client: Client<'_>, key: &str, more: &[(&str, &str)]) -> Value {
    client.ok("Encrypt", &[&[("KeyId", key), ("Plaintext", HELLO)][..], more].concat())
}

fn params<'a>(blob: &'a str, to: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("CiphertextBlob", blob), ("DestinationKeyId", to)][..], more].concat()
}

#[test]
fn from_one_key_to_another() {
    let world = World::new();
    let alice = world.alice();
    let (from, to) = (Subject::new(&world, KeyState::Enabled), Subject::new(&world, KeyState::Enabled));
    let arn = world.place(&to.key).arn();
    for name in [to.key.as_str(), &to.alias, &arn] {
        let answer = alice.ok("ReEncrypt", &params(&from.blob, name, &[]));
        let blob = text(&answer, "CiphertextBlob");
        let expected = json!({ "CiphertextBlob": blob, "KeyId": from.key, "KeyVersionId": from.version });
        assert_eq!(answer, expected, "the answer names what decrypted");
        let opened = alice.ok("Decrypt", &[("CiphertextBlob", &blob)]);
        assert_eq!(opened, json!({ "KeyId": to.key, "KeyVersionId": to.version, "Plaintext": HELLO }));
    }
    alice.decrypts(&from.blob);
    alice.done("DisableKey", &[("KeyId", &from.key)]);
    alice.refused("ReEncrypt", &params(&from.blob, &to.key, &[]), "409 Rejected.Disabled");
    alice.refused("ReEncrypt", &params(&to.blob, &from.key, &[]), "409 Rejected.Disabled");
}

#[test]
fn contexts_of_both_sides() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let bound = text(&sealed(alice, &key, &[CONTEXT]), "CiphertextBlob");
    for wrong in [&[][..], &[DESTINATION_CONTEXT], &[("SourceEncryptionContext", r#"{"a":"2"}"#)], &[CONTEXT]] {
        alice.refused("ReEncrypt", &params(&bound, &key, wrong), BAD);
    }
    for malformed in [("SourceEncryptionContext", "[]"), ("DestinationEncryptionContext", "x")] {
        alice.refused("ReEncrypt", &params(&bound, &key, &[malformed]), BAD);
    }
    let moved = alice.ok("ReEncrypt", &params(&bound, &key, &[SOURCE_CONTEXT, DESTINATION_CONTEXT]));
    let moved = text(&moved, "CiphertextBlob");
    alice.refused("Decrypt", &[("CiphertextBlob", &moved), CONTEXT], BAD);
    let opened = alice.ok("Decrypt", &[("CiphertextBlob", &moved), ("EncryptionContext", r#"{"b":"2"}"#)]);
    assert_eq!(opened["Plaintext"], HELLO, "the same key with another context");
    let flat = [("SourceEncryptionContext.a", "1"), ("DestinationEncryptionContext.b", "2")];
    let moved = text(&alice.ok("ReEncrypt", &params(&bound, &key, &flat)), "CiphertextBlob");
    alice.ok("Decrypt", &[("CiphertextBlob", &moved), ("EncryptionContext.b", "2")]);
    let freed = text(&alice.ok("ReEncrypt", &params(&bound, &key, &[SOURCE_CONTEXT])), "CiphertextBlob");
    alice.decrypts(&freed);
}

/// From an old version to the newest of the same key.
#[test]
fn to_the_newest_version() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let old = sealed(alice, &key, &[]);
    let newest = alice.ok("CreateKeyVersion", &[("KeyId", &key)])["KeyVersion"]["KeyVersionId"].clone();
    let moved = alice.ok("ReEncrypt", &params(&text(&old, "CiphertextBlob"), &key, &[]));
    assert_eq!(moved["KeyVersionId"], old["KeyVersionId"]);
    let opened = alice.ok("Decrypt", &[("CiphertextBlob", &text(&moved, "CiphertextBlob"))]);
    assert_eq!((&opened["KeyVersionId"], &opened["Plaintext"]), (&newest, &json!(HELLO)));
}

/// A source whose ciphertext was made under a public key, by anyone.
struct Outside {
    key: String,
    version: String,
    algorithm: &'static str,
    blob: String,
}

impl Outside {
    fn all(client: Client<'_>) -> [Self; 3] {
        let rsa = import::imported_rsa(client, "ENCRYPT/DECRYPT");
        let sm2 = client.key(&[("KeySpec", "EC_SM2"), ("KeyUsage", "ENCRYPT/DECRYPT")]);
        [
            Self::new(client, &rsa, "RSAES_OAEP_SHA_256", AsymSpec::Rsa2048, EncAlg::RsaesOaepSha256),
            Self::new(client, &rsa, "RSAES_OAEP_SHA_1", AsymSpec::Rsa2048, EncAlg::RsaesOaepSha1),
            Self::new(client, &sm2, "SM2PKE", AsymSpec::EcSm2, EncAlg::Sm2Pke),
        ]
    }

    fn new(client: Client<'_>, key: &str, algorithm: &'static str, spec: AsymSpec, library: EncAlg) -> Self {
        let version = text(&client.describe(key), "PrimaryKeyVersion");
        let pem = text(&client.ok("GetPublicKey", &[("KeyId", key), ("KeyVersionId", &version)]), "PublicKey");
        let pem = jomae_crypto::secret::SecretBytes::new(pem.into_bytes());
        let spki = jomae_crypto::pem::content(pem).unwrap();
        let blob = STANDARD.encode(encrypt(spec, library, spki.expose(), b"hello").unwrap());
        Self { key: key.to_owned(), version, algorithm, blob }
    }

    fn params<'a>(&'a self, to: &'a str) -> Vec<(&'a str, &'a str)> {
        let source = [("SourceKeyId", self.key.as_str()), ("SourceKeyVersionId", self.version.as_str())];
        params(&self.blob, to, &[&source[..], &[("SourceEncryptionAlgorithm", self.algorithm)]].concat())
    }
}

#[test]
fn from_a_public_key() {
    let world = World::new();
    let (to, alice) = (world.key(), world.alice());
    for source in Outside::all(alice) {
        let mut answer = alice.ok("ReEncrypt", &[&source.params(&to)[..], &[DESTINATION_CONTEXT]].concat());
        let blob = text(&answer, "CiphertextBlob");
        answer["CiphertextBlob"].take();
        let named = json!({ "CiphertextBlob": null, "KeyId": source.key, "KeyVersionId": source.version });
        assert_eq!(answer, named);
        let opened = alice.ok("Decrypt", &[("CiphertextBlob", &blob), ("EncryptionContext", r#"{"b":"2"}"#)]);
        assert_eq!((&opened["Plaintext"], &opened["KeyId"]), (&json!(HELLO), &json!(to)));
        for missing in ["SourceKeyVersionId", "SourceEncryptionAlgorithm"] {
            let mut some = source.params(&to);
            some.retain(|(name, _)| *name != missing);
            alice.refused("ReEncrypt", &some, "400 MissingParameter");
        }
        // Without SourceKeyId it would have to be a ciphertext of ours.
        alice.refused("ReEncrypt", &params(&source.blob, &to, &[]), BAD);
        let with = |name: &str, value: &'static str| {
            let mut changed = source.params(&to);
            changed.iter_mut().filter(|(other, _)| *other == name).for_each(|(_, old)| *old = value);
            changed
        };
        alice.refused("ReEncrypt", &with("SourceKeyVersionId", "none"), "404 Forbidden.KeyVersionNotFound");
        alice.refused("ReEncrypt", &with("SourceKeyId", "none"), "404 Forbidden.KeyNotFound");
        alice.refused("ReEncrypt", &with("CiphertextBlob", HELLO), BAD);
        for other in ["RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1", "SM2PKE", "ECDSA_SHA_256"] {
            if other != source.algorithm {
                alice.refused("ReEncrypt", &with("SourceEncryptionAlgorithm", other), BAD);
            }
        }
    }
}

#[test]
fn keys_that_cannot() {
    let world = World::new();
    let alice = world.alice();
    let subject = Subject::new(&world, KeyState::Enabled);
    for spec in ["EC_P256", "HMAC_SHA_256"] {
        let key = alice.key(&[("KeySpec", spec)]);
        alice.refused("ReEncrypt", &params(&subject.blob, &key, &[]), UNSUPPORTED);
    }
    // A key pair for signatures decrypts nothing, and a symmetric key is none.
    let pair = Subject::of(&world, "AsymmetricSign");
    for (key, version, expected) in [(&pair.key, &pair.version, BAD), (&subject.key, &subject.version, UNSUPPORTED)] {
        let source = [("SourceKeyId", key.as_str()), ("SourceKeyVersionId", version)];
        let source = [&source[..], &[("SourceEncryptionAlgorithm", "SM2PKE")]].concat();
        alice.refused("ReEncrypt", &params(HELLO, &subject.key, &source), expected);
    }
}

/// Both permissions are needed: to read the source and to use the destination.
#[test]
fn other_accounts_and_regions() {
    let world = World::new();
    let (alice, bob) = (world.alice(), world.bob());
    let mine = Subject::new(&world, KeyState::Enabled);
    let his = bob.key(&[]);
    let his_arn = text(&bob.describe(&his), "Arn");
    let his_blob = bob.encrypt(&his);
    let before = world.dump();
    alice.refused("ReEncrypt", &params(&mine.blob, &his_arn, &[]), "403 Forbidden.NoPermission");
    alice.refused("ReEncrypt", &params(&mine.blob, &his, &[]), "404 Forbidden.KeyNotFound");
    alice.refused("ReEncrypt", &params(&his_blob, &mine.key, &[]), "404 Forbidden.KeyNotFound");
    let shanghai = alice.at(SHANGHAI);
    shanghai.refused("ReEncrypt", &params(&mine.blob, &mine.key, &[]), "404 Forbidden.KeyNotFound");
    let there = shanghai.key(&[]);
    shanghai.refused("ReEncrypt", &params(&mine.blob, &there, &[]), "404 Forbidden.KeyNotFound");
    assert!(world.dump().len() > before.len(), "but for the key just made nothing changed");
    for source in Outside::all(bob) {
        let arn = text(&bob.describe(&source.key), "Arn");
        let mut foreign = source.params(&mine.key);
        foreign.iter_mut().filter(|(name, _)| *name == "SourceKeyId").for_each(|(_, value)| *value = &arn);
        alice.refused("ReEncrypt", &foreign, "403 Forbidden.NoPermission");
    }
    alice.refused("ReEncrypt", &params(&mine.blob, &his_arn, &[("DryRun", "true")]), "403 AccessDeniedError");
}

#[test]
fn a_dry_run_and_the_audit() {
    let world = World::new();
    let alice = world.alice();
    let (from, to) = (Subject::new(&world, KeyState::Enabled), world.key());
    alice.refused("ReEncrypt", &params(&from.blob, &to, &[("DryRun", "true")]), "400 DryRunOperationError");
    alice.ok("ReEncrypt", &params(&from.blob, &to, &[SOURCE_CONTEXT][..0]));
    let (event, _) = world.audit.events().pop().unwrap();
    assert_eq!(event["referencedResources"]["ACS::KMS::Key"], json!([from.key, to]));
    assert_eq!(event["requestParameters"], json!({ "DestinationKeyId": to }));
    alice.refused("ReEncrypt", &params(&from.blob, &to, &[SOURCE_CONTEXT]), BAD);
}
