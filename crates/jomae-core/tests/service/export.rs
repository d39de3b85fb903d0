//! `ExportDataKey`, `GenerateAndExportDataKey`.

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_crypto::asym::{AsymSpec, EncAlg, PrivateKey};
use serde_json::Value;

use crate::common::{HELLO, Subject, World, import};

const BAD: &str = "400 InvalidParameter";

/// A way out: the three parameters, and the caller's side of it.
struct Way {
    public_key: String,
    spec: &'static str,
    algorithm: &'static str,
    own: &'static PrivateKey,
    library: EncAlg,
    /// The longest data key, in bytes.
    longest: usize,
}

impl Way {
    fn all() -> [Self; 3] {
        let (rsa, sm2) = (import::own_rsa_key(), import::own_key());
        [
            Self::new(rsa, "RSA_2048", "RSAES_OAEP_SHA_256", EncAlg::RsaesOaepSha256, 190),
            Self::new(rsa, "RSA_2048", "RSAES_OAEP_SHA_1", EncAlg::RsaesOaepSha1, 214),
            Self::new(sm2, "EC_SM2", "SM2PKE", EncAlg::Sm2Pke, 1024),
        ]
    }

    fn new(
        own: &'static PrivateKey,
        spec: &'static str,
        algorithm: &'static str,
        library: EncAlg,
        longest: usize,
    ) -> Self {
        Self { public_key: STANDARD.encode(own.public_spki()), spec, algorithm, own, library, longest }
    }

    fn params(&self) -> [(&'static str, &str); 3] {
        [("PublicKeyBlob", &self.public_key), ("WrappingKeySpec", self.spec), ("WrappingAlgorithm", self.algorithm)]
    }

    /// The data key that came out.
    fn open(&self, answer: &Value) -> Vec<u8> {
        let exported = STANDARD.decode(answer["ExportedDataKey"].as_str().unwrap()).unwrap();
        self.own.decrypt(self.library, &exported).unwrap().expose().to_vec()
    }
}

#[test]
fn a_data_key_goes_out_under_the_callers_key() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    for way in Way::all() {
        for context in [&[][..], &[("EncryptionContext", r#"{"a":"1"}"#)]] {
            let made = alice.ok("GenerateDataKey", &[&[("KeyId", key.as_str())][..], context].concat());
            let blob = [("CiphertextBlob", made["CiphertextBlob"].as_str().unwrap())];
            let params = [&blob[..], &way.params(), context].concat();
            let answer = alice.ok("ExportDataKey", &params);
            assert_eq!(STANDARD.encode(way.open(&answer)), made["Plaintext"], "{}", way.algorithm);
            assert_eq!((&answer["KeyId"], &answer["KeyVersionId"]), (&made["KeyId"], &made["KeyVersionId"]));
            assert_eq!(answer.as_object().unwrap().len(), 3);
            if !context.is_empty() {
                alice.refused("ExportDataKey", &params[..4], BAD);
            }
            alice.refused("ExportDataKey", &[&params[..], &[("DryRun", "true")]].concat(), "400 DryRunOperationError");
        }
    }
}

#[test]
fn a_new_data_key_goes_out_and_stays() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    for way in Way::all() {
        for (length, bytes) in [
            (vec![], 32),
            (vec![("KeySpec", "AES_128")], 16),
            (vec![("NumberOfBytes", "1")], 1),
            (vec![("KeySpec", "AES_256"), ("NumberOfBytes", "24")], 24),
        ] {
            let params = [&[("KeyId", key.as_str())][..], &way.params(), &length].concat();
            let answer = alice.ok("GenerateAndExportDataKey", &params);
            assert_eq!(answer.as_object().unwrap().len(), 4, "no plaintext");
            let out = way.open(&answer);
            assert_eq!(out.len(), bytes);
            let kept = alice.ok("Decrypt", &[("CiphertextBlob", answer["CiphertextBlob"].as_str().unwrap())]);
            assert_eq!(kept["Plaintext"], STANDARD.encode(&out));
            assert!(bytes < 16 || way.open(&alice.ok("GenerateAndExportDataKey", &params)) != out, "a fresh one");
        }
    }
}

#[test]
fn data_keys_that_are_too_long() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    for way in Way::all() {
        for length in [way.longest, way.longest + 1] {
            let text = length.to_string();
            let id = ("KeyId", key.as_str());
            let fits = length == way.longest;
            let params = [&[id, ("NumberOfBytes", text.as_str())][..], &way.params()].concat();
            if length > 1024 {
                alice.refused("GenerateAndExportDataKey", &params, BAD);
                continue;
            }
            let made = alice.ok("GenerateDataKey", &[id, ("NumberOfBytes", &text)]);
            let blob = [("CiphertextBlob", made["CiphertextBlob"].as_str().unwrap())];
            let blob = [&blob[..], &way.params()].concat();
            if fits {
                assert_eq!(way.open(&alice.ok("GenerateAndExportDataKey", &params)).len(), length);
                assert_eq!(STANDARD.encode(way.open(&alice.ok("ExportDataKey", &blob))), made["Plaintext"]);
            } else {
                alice.refused("GenerateAndExportDataKey", &params, BAD);
                alice.refused("ExportDataKey", &blob, BAD);
            }
        }
    }
}

#[test]
fn public_keys_that_are_none_or_do_not_fit() {
    let world = World::new();
    let alice = world.alice();
    let [oaep, _, sm2] = Way::all();
    let p256 = STANDARD.encode(PrivateKey::generate(AsymSpec::EcP256).unwrap().public_spki());
    // A point that is not on the curve.
    let mut off = import::own_key().public_spki();
    let last = off.len() - 1;
    off[last] ^= 1;
    let off = STANDARD.encode(off);
    let long = STANDARD.encode(vec![0; 9000]);
    for action in ["ExportDataKey", "GenerateAndExportDataKey"] {
        let subject = Subject::of(&world, action);
        let with = |changes: &[(&'static str, &str)]| {
            let mut params = subject.params(action);
            params.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
            alice.refused(action, &[&params[..], changes].concat(), BAD);
        };
        for public_key in [HELLO, "?", &p256, &off, &long, &oaep.public_key] {
            with(&[("PublicKeyBlob", public_key)]);
        }
        // Each fits the key or the spec, not both.
        with(&[("WrappingKeySpec", "RSA_2048")]);
        with(&[("WrappingKeySpec", "RSA_2048"), ("WrappingAlgorithm", "RSAES_OAEP_SHA_1")]);
        with(&[("PublicKeyBlob", &sm2.public_key), ("WrappingAlgorithm", "RSAES_OAEP_SHA_256")]);
        for spec in ["RSA_3072", "EC_P256", "rsa_2048"] {
            with(&[("WrappingKeySpec", spec)]);
        }
        for algorithm in ["RSAES_PKCS1_V1_5", "ECDSA_SHA_256", "ML_KEM_768", "x"] {
            with(&[("WrappingAlgorithm", algorithm)]);
        }
    }
}

#[test]
fn what_cannot_be_exported() {
    let world = World::new();
    let alice = world.alice();
    let [_, _, way] = Way::all();
    for spec in ["EC_P256", "HMAC_SHA_256"] {
        let key = alice.key(&[("KeySpec", spec)]);
        let params = [&[("KeyId", key.as_str())][..], &way.params()].concat();
        alice.refused("GenerateAndExportDataKey", &params, "400 UnsupportedOperation");
    }
    let blob = world.bob().encrypt(&world.bob().key(&[]));
    let params = [&[("CiphertextBlob", blob.as_str())][..], &way.params()].concat();
    alice.refused("ExportDataKey", &params, "404 Forbidden.KeyNotFound");
    for damaged in [HELLO.to_owned(), blob.replacen('a', "b", 200)] {
        let params = [&[("CiphertextBlob", damaged.as_str())][..], &way.params()].concat();
        assert!(alice.call("ExportDataKey", &params).is_err());
    }
}
