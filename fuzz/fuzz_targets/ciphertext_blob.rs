//! The ciphertext blob: `envelope::version_id` and `decrypt`.
//!
//! Input: the number of a published vector (one byte), then either 0 and a whole blob, or 1 and changes to the blob of
//! the vector. Only the blob of the vector itself may open.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jomae_crypto::envelope::{self, BLOB_BYTES_MAX, BLOB_BYTES_MIN, Binding, CanonicalContext, token};
use jomae_crypto::sealed::SealingKey;
use jomae_crypto::secret::Key256;
use jomae_fuzz::change;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

struct Vector {
    json: Value,
    material: SealingKey,
    context: CanonicalContext,
    plaintext: Vec<u8>,
    blob: Vec<u8>,
}

impl Vector {
    fn text(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap()
    }

    fn binding<'a>(&'a self, version_id: &'a str) -> Binding<'a> {
        Binding {
            account: self.text("account"),
            region: self.text("region"),
            key_id: self.text("key_id"),
            version_id,
            spec: self.text("spec"),
            usage: self.text("usage"),
        }
    }
}

static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(|| {
    let bytes = |json: &Value, name: &str| {
        let hex = json[name].as_str().unwrap().as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        hex.chunks(2).map(byte).collect::<Vec<u8>>()
    };
    let vector = |json: &Value| {
        let pairs: Option<BTreeMap<String, String>> = serde_json::from_value(json["context"].clone()).unwrap();
        Vector {
            material: SealingKey::new(&bytes(json, "material")).unwrap(),
            context: pairs.as_ref().map(envelope::canonical_context).unwrap_or_default(),
            plaintext: bytes(json, "plaintext"),
            blob: bytes(json, "blob"),
            json: json.clone(),
        }
    };
    let list = |text: &str, name: &str| -> Vec<Vector> {
        let file: Value = serde_json::from_str(text).unwrap();
        file[name].as_array().unwrap().iter().map(vector).collect()
    };
    let mut all = list(include_str!("../../crates/jomae-crypto/tests/vectors/envelope-v1.json"), "envelope");
    let ciphers = include_str!("../../crates/jomae-crypto/tests/vectors/envelope-ciphers.json");
    all.extend(list(ciphers, "envelope_ciphers"));
    let text = include_str!("../../crates/jomae-crypto/tests/vectors/envelope-text.json");
    all.extend(list(text, "envelope_text"));
    all
});

fuzz_target!(|data: &[u8]| {
    let [number, mode, rest @ ..] = data else { return };
    let vector = &VECTORS[usize::from(*number) % VECTORS.len()];
    let blob = if *mode == 0 {
        rest.to_vec()
    } else {
        let mut blob = vector.blob.clone();
        change(&mut blob, rest);
        blob
    };
    let genuine = blob == vector.blob;
    let named = envelope::version_id(&blob);
    assert!(named.is_none() || (BLOB_BYTES_MIN..=BLOB_BYTES_MAX).contains(&blob.len()));
    // Under the version that the key has, and under the one that the blob names.
    let genuine_id = vector.text("version_id");
    for version_id in [genuine_id, named.unwrap_or(genuine_id)] {
        let binding = vector.binding(version_id);
        match envelope::decrypt(&vector.material, &binding, &vector.context, &blob) {
            Ok(plaintext) => {
                assert!(genuine, "a blob that we did not make opens");
                assert_eq!(plaintext.expose(), vector.plaintext);
            }
            Err(_) => assert!(!genuine, "our own blob does not open"),
        }
        let other = envelope::canonical_context(&BTreeMap::from([("another".to_owned(), "context".to_owned())]));
        assert!(envelope::decrypt(&vector.material, &binding, &other, &blob).is_err());
        let secret = Key256::from_slice(&[7; 32]).unwrap();
        assert!(token::decrypt(&secret, &binding, &vector.context, &blob).is_err());
        let material = SealingKey::new(&[7; 32]).unwrap();
        assert!(envelope::decrypt(&material, &binding, &vector.context, &blob).is_err());
    }
});
