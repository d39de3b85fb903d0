//! `GetParametersForImport`, `ImportKeyMaterial`: how material comes in, and what is refused.

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_api::spec::{KeyKind, SPECS};
use jomae_crypto::{
    asym::{self, AsymSpec, PrivateKey, SignAlg, spec_of_spki},
    import::WrapAlg,
};
use serde_json::Value;

use crate::common::{
    Client, DAY, HELLO, START, World, code_of,
    import::{Parameters, imported, own_rsa_key, parameters},
};

const BAD_MATERIAL: &str = "400 InvalidKeyMaterial";
const BAD_TOKEN: &str = "400 InvalidImportToken";
const BAD: &str = "400 InvalidParameter";
const MATERIAL: [u8; 32] = [0x42; 32];

/// The ways for material of a few bytes. `crypto.md` has the first four; the others are extensions.
const WAYS: &[(&str, &str)] = &[
    ("RSA_2048", "RSAES_PKCS1_V1_5"),
    ("RSA_2048", "RSAES_OAEP_SHA_1"),
    ("RSA_2048", "RSAES_OAEP_SHA_256"),
    ("EC_SM2", "SM2PKE"),
    ("RSA_2048", "RSA_AES_KEY_WRAP_SHA_1"),
    ("RSA_2048", "RSA_AES_KEY_WRAP_SHA_256"),
    ("RSA_4096", "RSAES_OAEP_SHA_256"),
    ("RSA_4096", "RSA_AES_KEY_WRAP_SHA_256"),
];

fn external(client: Client<'_>) -> String {
    client.key(&[("Origin", "EXTERNAL")])
}

/// A quick wrapping key.
fn quick(client: Client<'_>, key: &str) -> Parameters {
    parameters(client, key, "EC_SM2", "SM2PKE")
}

fn import(parameters: &Parameters, client: Client<'_>, key: &str, material: &[u8]) -> String {
    code_of(&parameters.import(client, key, material, &[]))
}

#[test]
fn every_way_in() {
    let world = World::new();
    let alice = world.alice();
    for (spec, algorithm) in WAYS {
        let key = external(alice);
        let parameters = parameters(alice, &key, spec, algorithm);
        assert_eq!(import(&parameters, alice, &key, &MATERIAL), "200", "{spec} {algorithm}");
        let metadata = alice.describe(&key);
        assert_eq!((&metadata["KeyState"], &metadata["MaterialExpireTime"]), (&"Enabled".into(), &"".into()));
        assert!(metadata["PrimaryKeyVersion"].is_string());
        alice.decrypts(&alice.encrypt(&key));
        // Not again with other material, and not with damage.
        assert_eq!(import(&parameters, alice, &key, &[0x43; 32]), BAD_MATERIAL, "{algorithm}");
        let mut damaged = STANDARD.decode(parameters.wrap(&MATERIAL)).unwrap();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        for wrapped in [STANDARD.encode(damaged), HELLO.to_owned(), STANDARD.encode(vec![0; 8192])] {
            assert_eq!(code_of(&parameters.import_wrapped(alice, &key, &wrapped, &[])), BAD_MATERIAL, "{algorithm}");
        }
        assert_eq!(import(&parameters, alice, &key, &MATERIAL), "200", "a token serves many times");
    }
}

#[test]
fn parameters_for_import() {
    let world = World::new();
    let alice = world.alice();
    let key = external(alice);
    let ask = |spec: &str, algorithm: &str| {
        let params = [("KeyId", key.as_str()), ("WrappingKeySpec", spec), ("WrappingAlgorithm", algorithm)];
        alice.call("GetParametersForImport", &params)
    };
    let public_key = |answer: &Value| STANDARD.decode(answer["PublicKey"].as_str().unwrap()).unwrap();
    let before = world.dump();
    let (one, two) = (ask("EC_SM2", "SM2PKE").unwrap(), ask("EC_SM2", "SM2PKE").unwrap());
    assert_eq!(one["KeyId"], key);
    assert_eq!(one["TokenExpireTime"], jomae_api::time::Timestamp(START + DAY).to_string());
    assert_eq!(one.as_object().unwrap().len(), 4);
    assert!(one["PublicKey"] != two["PublicKey"] && one["ImportToken"] != two["ImportToken"], "a new pair each time");
    assert_eq!(spec_of_spki(&public_key(&one)), Some(AsymSpec::EcSm2), "DER, without PEM lines");
    let rsa = ask("RSA_2048", "RSAES_OAEP_SHA_256").unwrap();
    assert_eq!(spec_of_spki(&public_key(&rsa)), Some(AsymSpec::Rsa2048));
    assert_eq!(world.dump(), before, "nothing is stored");
    for (spec, algorithm) in [
        ("EC_SM2", "RSAES_OAEP_SHA_256"),
        ("RSA_2048", "SM2PKE"),
        ("RSA_3072", "RSAES_OAEP_SHA_256"),
        ("EC_P256", "SM2PKE"),
        ("RSA_2048", "RSAES_OAEP_SHA_512"),
        ("rsa_2048", "RSAES_OAEP_SHA_1"),
    ] {
        assert_eq!(code_of(&ask(spec, algorithm)), BAD, "{spec} {algorithm}");
    }
    assert_eq!(code_of(&ask("", "SM2PKE")), "400 MissingParameter");
    assert_eq!(code_of(&ask("EC_SM2", "")), "400 MissingParameter");
}

#[test]
fn only_external_keys_take_material() {
    let world = World::new();
    let alice = world.alice();
    let (own, key) = (world.key(), external(alice));
    let sm2 = [("WrappingKeySpec", "EC_SM2"), ("WrappingAlgorithm", "SM2PKE")];
    let params = [&[("KeyId", own.as_str())][..], &sm2].concat();
    alice.refused("GetParametersForImport", &params, "400 Unsupported.Origin");
    assert_eq!(import(&quick(alice, &key), alice, &own, &MATERIAL), "400 Unsupported.Origin");
    alice.refused("DeleteKeyMaterial", &[("KeyId", &own)], "400 Unsupported.Origin");
    for name in ["alias/a", "acs:kms:cn-hangzhou:1234567890123456:key/abc"] {
        let expected = if name.starts_with("alias/") { "400 Unsupported.Alias" } else { BAD };
        alice.refused("GetParametersForImport", &[&[("KeyId", name)][..], &sm2].concat(), expected);
        alice.refused("DeleteKeyMaterial", &[("KeyId", name)], expected);
    }
}

/// Material has exactly the length of the spec.
#[test]
fn lengths() {
    let world = World::new();
    let alice = world.alice();
    for row in SPECS.iter().filter(|row| row.kind != KeyKind::Asymmetric) {
        let key = alice.key(&[("KeySpec", row.spec.as_str()), ("Origin", "EXTERNAL")]);
        let parameters = quick(alice, &key);
        let right = row.material_bytes.unwrap();
        for length in [1, 15, 16, 17, 24, 28, 31, 32, 33, 48, 64, 65, 100] {
            if length != right {
                let answer = import(&parameters, alice, &key, &vec![7; length]);
                assert_eq!(answer, BAD_MATERIAL, "{:?} {length}", row.spec);
            }
        }
        assert_eq!(alice.state(&key), "PendingImport", "nothing of it has stuck");
        assert_eq!(import(&parameters, alice, &key, &vec![7; right]), "200");
    }
}

#[test]
fn tokens_that_are_not_this_keys() {
    let world = World::new();
    let alice = world.alice();
    let (key, other) = (external(alice), external(alice));
    let (mine, others) = (quick(alice, &key), quick(alice, &other));
    assert_eq!(import(&others, alice, &key, &MATERIAL), BAD_TOKEN, "another key's");
    let bobs = external(world.bob());
    assert_eq!(import(&quick(world.bob(), &bobs), alice, &key, &MATERIAL), BAD_TOKEN, "another account's");
    let token = STANDARD.decode(&mine.token).unwrap();
    let with = |token: &[u8]| {
        let forged = Parameters { token: STANDARD.encode(token), ..quick(alice, &key) };
        import(&forged, alice, &key, &MATERIAL)
    };
    for at in [0, 4, 5, 20, 40, token.len() / 2, token.len() - 1] {
        let mut flipped = token.clone();
        flipped[at] ^= 1;
        assert_eq!(with(&flipped), BAD_TOKEN, "byte {at}");
    }
    for length in [1, 5, 50, token.len() - 1] {
        assert_eq!(with(&token[..length]), BAD_TOKEN, "{length} bytes");
    }
    assert_eq!(with(&[&token[..], &[0]].concat()), BAD_TOKEN);
    let swapped = quick(alice, &key);
    assert_eq!(
        code_of(&mine.import_wrapped(alice, &key, &swapped.wrap(&MATERIAL), &[])),
        BAD_MATERIAL,
        "the public key of another token"
    );
    assert_eq!(alice.state(&key), "PendingImport");
    // Another process has the same domain keys.
    let again = world.reopened();
    assert_eq!(import(&mine, again.alice(), &key, &MATERIAL), "200");
}

#[test]
fn tokens_are_good_for_a_day() {
    let world = World::new();
    let alice = world.alice();
    let key = external(alice);
    let parameters = quick(alice, &key);
    world.advance(DAY - 1);
    assert_eq!(import(&parameters, alice, &key, &MATERIAL), "200");
    world.advance(1);
    assert_eq!(import(&parameters, alice, &key, &MATERIAL), "400 ExpiredImportToken");
    assert_eq!(alice.state(&key), "Enabled");
}

/// All that a caller and an observer of the store and the log can see of an import that is refused.
fn seen(world: &World, key: &str, parameters: &Parameters, wrapped: &[u8]) -> Value {
    let commits = world.store.faults().commits();
    let mut reply = None;
    let wrapped = STANDARD.encode(wrapped);
    let params = [("KeyId", key), ("ImportToken", &parameters.token), ("EncryptedKeyMaterial", &wrapped)];
    let reads = world.reads_of(|| reply = Some(world.alice().reply("ImportKeyMaterial", &params)));
    let reply = reply.unwrap();
    let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
    body["RequestId"].take();
    let (mut event, durability) = world.audit.events().pop().unwrap();
    event["requestId"].take();
    event["eventId"].take();
    let commits = world.store.faults().commits() - commits;
    serde_json::json!([reply.status, body, event, format!("{durability:?}"), reads, commits])
}

/// Bad padding of PKCS#1 v1.5, good padding with the wrong material, and good padding with the wrong length are one
/// answer, one event and the same reads and writes.
#[test]
fn bad_padding_cannot_be_told_from_wrong_material() {
    let world = World::new();
    let alice = world.alice();
    for is_bound in [true, false] {
        let key = external(alice);
        let pkcs1 = parameters(alice, &key, "RSA_2048", "RSAES_PKCS1_V1_5");
        if is_bound {
            assert_eq!(import(&pkcs1, alice, &key, &MATERIAL), "200");
        }
        let bytes = |text: String| STANDARD.decode(text).unwrap();
        let public_key = pkcs1.public_key.clone();
        let oaep = Parameters { token: String::new(), public_key, algorithm: WrapAlg::RsaesOaepSha256 };
        let mut blobs = vec![
            ("bad padding", bytes(oaep.wrap(&MATERIAL))),
            ("more bad padding", vec![0x11; 256]),
            ("not below the modulus", vec![0xff; 256]),
            ("a byte too few", bytes(pkcs1.wrap(&MATERIAL[..31]))),
            ("a byte too many", bytes(pkcs1.wrap(&[0x42; 33]))),
            ("nothing but padding", bytes(pkcs1.wrap(&[0x42; 245]))),
        ];
        if is_bound {
            blobs.push(("wrong material", bytes(pkcs1.wrap(&[0x43; 32]))));
        }
        let before = world.dump();
        // The first call may load what stays in memory afterwards.
        seen(&world, &key, &pkcs1, &[0; 256]);
        let expected = seen(&world, &key, &pkcs1, &[0; 256]);
        assert_eq!(expected[1]["Code"], "InvalidKeyMaterial");
        for (what, blob) in blobs {
            assert_eq!(seen(&world, &key, &pkcs1, &blob), expected, "{what}");
        }
        assert_eq!(world.dump(), before);
    }
}

/// Private keys come in by the extensions, and by SM2, which carries as much.
#[test]
fn private_keys() {
    let world = World::new();
    let alice = world.alice();
    for (spec, library, algorithm, name) in [
        ("RSA_2048", AsymSpec::Rsa2048, SignAlg::RsaPssSha256, "RSA_PSS_SHA_256"),
        ("EC_P256", AsymSpec::EcP256, SignAlg::EcdsaSha256, "ECDSA_SHA_256"),
        ("EC_P256K", AsymSpec::EcP256K, SignAlg::EcdsaSha256, "ECDSA_SHA_256"),
        ("EC_SM2", AsymSpec::EcSm2, SignAlg::Sm2Dsa, "SM2DSA"),
        ("EC_ED25519", AsymSpec::Ed25519, SignAlg::Ed25519, "ED25519"),
        ("ML_DSA_65", AsymSpec::MlDsa65, SignAlg::MlDsa65, "ML_DSA_65"),
    ] {
        let fresh = (library != AsymSpec::Rsa2048).then(|| PrivateKey::generate(library).unwrap());
        let own = fresh.as_ref().unwrap_or_else(|| own_rsa_key());
        let pkcs8 = own.to_pkcs8().unwrap();
        let key = alice.key(&[("KeySpec", spec), ("Origin", "EXTERNAL")]);
        let hybrid = parameters(alice, &key, "RSA_2048", "RSA_AES_KEY_WRAP_SHA_256");
        assert_eq!(import(&hybrid, alice, &key, pkcs8.expose()), "200", "{spec}");
        let version = alice.describe(&key)["PrimaryKeyVersion"].as_str().unwrap().to_owned();
        let digest = STANDARD.encode([7; 32]);
        let params = [("KeyId", key.as_str()), ("KeyVersionId", &version), ("Algorithm", name), ("Digest", &digest)];
        let signature = alice.ok("AsymmetricSign", &params)["Value"].as_str().unwrap().to_owned();
        let signature = STANDARD.decode(signature).unwrap();
        assert!(asym::verify(library, algorithm, &own.public_spki(), &[7; 32], &signature), "{spec}: it is that key");
        // The same key again, and no other.
        assert_eq!(import(&hybrid, alice, &key, pkcs8.expose()), "200");
        assert_eq!(import(&quick(alice, &key), alice, &key, pkcs8.expose()), "200");
        if library != AsymSpec::Rsa2048 {
            let other = PrivateKey::generate(library).unwrap().to_pkcs8().unwrap();
            assert_eq!(import(&hybrid, alice, &key, other.expose()), BAD_MATERIAL);
        }
    }
}

#[test]
fn private_keys_that_do_not_fit() {
    let world = World::new();
    let alice = world.alice();
    let p256 = PrivateKey::generate(AsymSpec::EcP256).unwrap().to_pkcs8().unwrap();
    let trailing = [p256.expose(), &[0]].concat();
    for spec in ["EC_P256K", "EC_P384", "EC_SM2", "EC_ED25519", "RSA_2048", "ML_DSA_65", "ML_KEM_768"] {
        let key = alice.key(&[("KeySpec", spec), ("Origin", "EXTERNAL")]);
        assert_eq!(import(&quick(alice, &key), alice, &key, p256.expose()), BAD_MATERIAL, "{spec}");
    }
    let key = alice.key(&[("KeySpec", "EC_P256"), ("Origin", "EXTERNAL")]);
    let way = quick(alice, &key);
    for nonsense in [&MATERIAL[..], &p256.expose()[1..], &trailing] {
        assert_eq!(import(&way, alice, &key, nonsense), BAD_MATERIAL);
    }
    // PKCS#1 v1.5 would show by the outcome whether its padding was good: without a length it takes nothing.
    let pkcs1 = parameters(alice, &key, "RSA_2048", "RSAES_PKCS1_V1_5");
    assert_eq!(import(&pkcs1, alice, &key, p256.expose()), BAD_MATERIAL);
    assert_eq!(alice.state(&key), "PendingImport");
    let symmetric = external(alice);
    assert_eq!(import(&quick(alice, &symmetric), alice, &symmetric, p256.expose()), BAD_MATERIAL);
}

/// Two keys of the same material cannot read each other's ciphertexts.
#[test]
fn the_same_material_is_not_the_same_key() {
    let world = World::new();
    let alice = world.alice();
    let (one, two) = (imported(alice, &[], &MATERIAL), imported(alice, &[], &MATERIAL));
    let (of_one, of_two) = (alice.encrypt(&one), alice.encrypt(&two));
    let grafted = {
        let (one, two) = (STANDARD.decode(&of_one).unwrap(), STANDARD.decode(&of_two).unwrap());
        STANDARD.encode([&two[..36], &one[36..]].concat())
    };
    alice.refused("Decrypt", &[("CiphertextBlob", &grafted)], BAD);
    alice.decrypts(&of_one);
}
