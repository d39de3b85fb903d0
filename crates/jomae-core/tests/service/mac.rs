//! `GenerateMac`, `VerifyMac`.

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_api::spec::{Algorithm, KeyKind, SPECS};
use jomae_crypto::mac::{MacAlg, mac};
use serde_json::{Value, json};

use crate::common::{Client, HELLO, World, import};

const BAD: &str = "400 InvalidParameter";
const UNSUPPORTED: &str = "400 UnsupportedOperation";

fn generate(client: Client<'_>, key: &str, algorithm: &str, message: &str) -> Value {
    client.ok("GenerateMac", &[("KeyId", key), ("Algorithm", algorithm), ("Message", message)])
}

fn verify(client: Client<'_>, key: &str, algorithm: &str, message: &str, mac: &str) -> Value {
    let params = [("KeyId", key), ("Algorithm", algorithm), ("Message", message), ("Mac", mac)];
    let answer = client.ok("VerifyMac", &params);
    assert_eq!(answer, json!({ "KeyId": key, "Algorithm": algorithm, "Value": answer["Value"] }));
    answer["Value"].clone()
}

const fn library(algorithm: Algorithm) -> MacAlg {
    match algorithm {
        Algorithm::HmacSha224 => MacAlg::Sha224,
        Algorithm::HmacSha256 => MacAlg::Sha256,
        Algorithm::HmacSha384 => MacAlg::Sha384,
        Algorithm::HmacSha512 => MacAlg::Sha512,
        _ => MacAlg::Sm3,
    }
}

/// Each spec takes its own algorithm and no other; the MAC is the standard's, over imported material.
#[test]
fn every_spec_and_algorithm() {
    let world = World::new();
    let alice = world.alice();
    let specs: Vec<_> = SPECS.iter().filter(|row| row.kind == KeyKind::Mac).collect();
    assert_eq!(specs.len(), 5);
    for row in specs {
        let key = alice.key(&[("KeySpec", row.spec.as_str()), ("Origin", "EXTERNAL")]);
        let material = vec![0x2a; row.material_bytes.unwrap()];
        import::parameters(alice, &key, "EC_SM2", "SM2PKE").import(alice, &key, &material, &[]).unwrap();
        assert_eq!(alice.describe(&key)["KeyUsage"], "GENERATE/VERIFY_MAC");
        for algorithm in Algorithm::ALL {
            let params = [("KeyId", key.as_str()), ("Algorithm", algorithm.as_str()), ("Message", HELLO)];
            if !row.algorithms.contains(algorithm) {
                alice.refused("GenerateMac", &params, BAD);
                alice.refused("VerifyMac", &[&params[..], &[("Mac", HELLO)]].concat(), BAD);
                continue;
            }
            let expected = STANDARD.encode(&*mac(library(*algorithm), &material, b"hello"));
            let answer = generate(alice, &key, algorithm.as_str(), HELLO);
            assert_eq!(answer, json!({ "KeyId": key, "Algorithm": algorithm.as_str(), "Mac": expected }));
            assert_eq!(verify(alice, &key, algorithm.as_str(), HELLO, &expected), true);
        }
    }
}

#[test]
fn what_is_not_the_mac_is_false_and_no_error() {
    let world = World::new();
    let alice = world.alice();
    let (key, other) = (alice.key(&[("KeySpec", "HMAC_SHA_256")]), alice.key(&[("KeySpec", "HMAC_SHA_256")]));
    let made = generate(alice, &key, "HMAC_SHA_256", HELLO)["Mac"].as_str().unwrap().to_owned();
    let bytes = STANDARD.decode(&made).unwrap();
    assert_eq!(verify(alice, &key, "HMAC_SHA_256", HELLO, &made), true);
    assert_eq!(verify(alice, &key, "HMAC_SHA_256", "aGVsbG8h", &made), false, "another message");
    assert_eq!(verify(alice, &other, "HMAC_SHA_256", HELLO, &made), false, "another key");
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert_eq!(verify(alice, &key, "HMAC_SHA_256", HELLO, &STANDARD.encode(damaged)), false, "byte {at}");
    }
    for mac in [&bytes[..1], &bytes[..31], &[&bytes[..], &[0]].concat(), &[0; 64]] {
        assert_eq!(verify(alice, &key, "HMAC_SHA_256", HELLO, &STANDARD.encode(mac)), false);
    }
    let params = [("KeyId", key.as_str()), ("Algorithm", "HMAC_SHA_256"), ("Message", HELLO)];
    for (mac, expected) in [("", "400 MissingParameter"), ("?", BAD), (&STANDARD.encode([0; 65]), BAD)] {
        alice.refused("VerifyMac", &[&params[..], &[("Mac", mac)]].concat(), expected);
    }
}

#[test]
fn messages_of_every_length() {
    let world = World::new();
    let alice = world.alice();
    let key = alice.key(&[("KeySpec", "HMAC_SM3")]);
    for length in [1, 63, 64, 65, 6144] {
        let message = STANDARD.encode(vec![9; length]);
        let mac = generate(alice, &key, "HMAC_SM3", &message)["Mac"].as_str().unwrap().to_owned();
        assert_eq!(verify(alice, &key, "HMAC_SM3", &message, &mac), true);
        assert_eq!(generate(world.reopened().alice(), &key, "HMAC_SM3", &message)["Mac"], mac, "the same for ever");
    }
    let too_long = STANDARD.encode(vec![9; 6145]);
    for (message, expected) in [(too_long.as_str(), BAD), ("", "400 MissingParameter"), ("a", BAD)] {
        let params = [("KeyId", key.as_str()), ("Algorithm", "HMAC_SM3"), ("Message", message)];
        alice.refused("GenerateMac", &params, expected);
    }
}

/// A MAC key does nothing else, and no other key makes MACs.
#[test]
fn keys_of_another_kind() {
    let world = World::new();
    let alice = world.alice();
    let mac = alice.key(&[("KeySpec", "HMAC_SHA_256")]);
    let version = alice.describe(&mac)["PrimaryKeyVersion"].as_str().unwrap().to_owned();
    for action in ["Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"] {
        let plaintext = ("Plaintext", HELLO);
        alice.refused(action, &[("KeyId", &mac), plaintext], UNSUPPORTED);
    }
    let named = [("KeyId", mac.as_str()), ("KeyVersionId", &version)];
    alice.refused("GetPublicKey", &named, UNSUPPORTED);
    for (usage, spec) in
        [("ENCRYPT/DECRYPT", "HMAC_SHA_256"), ("SIGN/VERIFY", "HMAC_SM3"), ("GENERATE/VERIFY_MAC", "Aliyun_AES_256")]
    {
        alice.refused("CreateKey", &[("KeySpec", spec), ("KeyUsage", usage)], BAD);
    }
    let rotating = [("EnableAutomaticRotation", "true"), ("RotationInterval", "30d")];
    alice.refused("CreateKey", &[&[("KeySpec", "HMAC_SHA_256")][..], &rotating].concat(), BAD);
    for spec in ["Aliyun_AES_256", "Aliyun_SM4", "EC_P256"] {
        let key = alice.key(&[("KeySpec", spec)]);
        let params = [("KeyId", key.as_str()), ("Algorithm", "HMAC_SHA_256"), ("Message", HELLO)];
        alice.refused("GenerateMac", &params, UNSUPPORTED);
        alice.refused("VerifyMac", &[&params[..], &[("Mac", HELLO)]].concat(), UNSUPPORTED);
    }
}
