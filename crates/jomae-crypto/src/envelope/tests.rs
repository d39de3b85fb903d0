use super::*;
use crate::test_vectors::{Vector, section};
use proptest::prelude::*;

const BINDING: Binding<'static> = Binding {
    account: "1234567890123456",
    region: "cn-hangzhou",
    key_id: "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73",
    version_id: "2ab1a983-7072-4bbc-a582-584b5bd8edf4",
    spec: "Aliyun_AES_256",
    usage: "ENCRYPT/DECRYPT",
};

fn material() -> SealingKey {
    SealingKey::new(&[7; 32]).unwrap()
}

fn context(pairs: &[(&str, &str)]) -> CanonicalContext {
    canonical_context(&pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect())
}

fn binding_of(v: &Vector) -> Binding<'_> {
    Binding {
        account: v.text("account"),
        region: v.text("region"),
        key_id: v.text("key_id"),
        version_id: v.text("version_id"),
        spec: v.text("spec"),
        usage: v.text("usage"),
    }
}

#[test]
fn fixed_vectors() {
    for v in section("envelope").into_iter().chain(section("envelope_ciphers")).chain(section("envelope_text")) {
        let name = v.text("name");
        let cipher = match v.value("cipher").as_str().unwrap_or("AES-256") {
            "AES-256" => Cipher::Aes256,
            "AES-128" => Cipher::Aes128,
            "AES-192" => Cipher::Aes192,
            "SM4" => Cipher::Sm4,
            other => panic!("{other}"),
        };
        let kind = match v.value("content").as_str() {
            None => Content::Bytes,
            Some("text") => Content::Text,
            Some(other) => panic!("{other}"),
        };
        let binding = binding_of(&v);
        assert_eq!(binding.to_bytes(), v.bytes("binding"), "{name}");
        let pairs: Option<BTreeMap<String, String>> = serde_json::from_value(v.value("context").clone()).unwrap();
        let context = pairs.as_ref().map(canonical_context).unwrap_or_default();
        assert_eq!(context.as_bytes(), v.bytes("canonical_context"), "{name}");
        let material = SealingKey::new(&v.bytes("material")).unwrap();
        let plaintext = v.bytes("plaintext");
        let blob = encrypt_with_salt((cipher, kind), &v.salt(), &material, &binding, &context, &plaintext).unwrap();
        assert_eq!(blob, v.bytes("blob"), "{name}");
        assert_eq!(super::content(&blob), Some(kind), "{name}");
        assert_eq!(version_id(&blob), Some(binding.version_id), "{name}");
        assert_eq!(decrypt(&material, &binding, &context, &blob).unwrap().expose(), plaintext, "{name}");
    }
}

#[test]
fn no_bit_can_be_flipped() {
    let context = context(&[("a", "1")]);
    let blob = encrypt(Cipher::Aes256, &material(), &BINDING, &context, b"plaintext").unwrap();
    for bit in 0..blob.len() * 8 {
        let mut damaged = blob.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(decrypt(&material(), &BINDING, &context, &damaged).is_err(), "bit {bit}");
        // A version id is in the AAD, so it does not open under a binding that follows the damage either.
        if let Some(version_id) = version_id(&damaged) {
            let binding = Binding { version_id, ..BINDING };
            assert!(decrypt(&material(), &binding, &context, &damaged).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn no_byte_can_be_cut_or_added() {
    let blob = encrypt(Cipher::Aes256, &material(), &BINDING, &CanonicalContext::default(), b"plaintext").unwrap();
    let opens = |blob: &[u8]| decrypt(&material(), &BINDING, &CanonicalContext::default(), blob).is_ok();
    assert!(opens(&blob));
    for len in 0..blob.len() {
        assert!(!opens(&blob[..len]), "first {len}");
        assert!(!opens(&blob[blob.len() - len..]), "last {len}");
        assert_eq!(version_id(&blob[..len]).is_some(), len >= BLOB_BYTES_MIN, "first {len}");
    }
    assert!(!opens(&[&blob[..], &[0]].concat()));
}

#[test]
fn every_field_of_the_binding_counts() {
    let none = CanonicalContext::default();
    let blob = encrypt(Cipher::Aes256, &material(), &BINDING, &none, b"plaintext").unwrap();
    let version_id = "2ab1a983-7072-4bbc-a582-584b5bd8edf5";
    let others = [
        Binding { account: "1234567890123457", ..BINDING },
        Binding { region: "cn-shanghai", ..BINDING },
        Binding { key_id: version_id, ..BINDING },
        Binding { version_id, ..BINDING },
        Binding { spec: "Aliyun_AES_128", ..BINDING },
        Binding { usage: "SIGN/VERIFY", ..BINDING },
        Binding { account: "1234567890123456c", region: "n-hangzhou", ..BINDING },
    ];
    for other in others {
        assert!(decrypt(&material(), &other, &none, &blob).is_err(), "{other:?}");
    }
    assert!(decrypt(&SealingKey::new(&[8; 32]).unwrap(), &BINDING, &none, &blob).is_err());
}

#[test]
fn the_context_counts() {
    let contexts = [
        context(&[]),
        context(&[("", "")]),
        context(&[("a", "1")]),
        context(&[("a", "12")]),
        context(&[("a1", "")]),
        context(&[("a", "1"), ("b", "2")]),
        context(&[("a", "2"), ("b", "1")]),
    ];
    for (i, sealed_with) in contexts.iter().enumerate() {
        let blob = encrypt(Cipher::Aes256, &material(), &BINDING, sealed_with, b"plaintext").unwrap();
        for (j, opened_with) in contexts.iter().enumerate() {
            assert_eq!(decrypt(&material(), &BINDING, opened_with, &blob).is_ok(), i == j, "{i} {j}");
        }
    }
    assert_eq!(context(&[]), CanonicalContext::default());
}

#[test]
fn a_blob_opens_in_its_own_format_only() {
    let none = CanonicalContext::default();
    for (cipher, number) in [(Cipher::Aes256, 1), (Cipher::Aes128, 2), (Cipher::Aes192, 3), (Cipher::Sm4, 4)] {
        for (content, own) in [(Content::Bytes, number), (Content::Text, 0x10 + number)] {
            let mut blob = encrypt_content(cipher, content, &material(), &BINDING, &none, b"plaintext").unwrap();
            assert_eq!((super::cipher(&blob), super::content(&blob)), (Some(cipher), Some(content)));
            assert_eq!(blob[VERSION_ID_BYTES], own);
            for format in 0..=255 {
                blob[VERSION_ID_BYTES] = format;
                let known = (1..=4).contains(&format) || (0x11..=0x14).contains(&format);
                assert_eq!(version_id(&blob).is_some(), known, "{format}");
                assert_eq!(decrypt(&material(), &BINDING, &none, &blob).is_ok(), format == own, "{cipher:?} {format}");
            }
        }
    }
}

#[test]
fn every_cipher_detects_damage_and_takes_material_of_its_key_length() {
    let none = CanonicalContext::default();
    for cipher in Cipher::ALL {
        let material = SealingKey::new(SecretBytes::random(cipher.key_bytes()).expose()).unwrap();
        for plaintext in [&b""[..], b"plaintext", &[7; PLAINTEXT_BYTES_MAX]] {
            let blob = encrypt(cipher, &material, &BINDING, &none, plaintext).unwrap();
            assert_eq!(blob.len(), BLOB_BYTES_MIN + plaintext.len());
            assert_eq!(decrypt(&material, &BINDING, &none, &blob).unwrap().expose(), plaintext);
        }
        let blob = encrypt(cipher, &material, &BINDING, &none, b"plaintext").unwrap();
        for bit in 0..blob.len() * 8 {
            let mut damaged = blob.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decrypt(&material, &BINDING, &none, &damaged).is_err(), "{cipher:?} bit {bit}");
        }
    }
}

#[test]
fn version_ids_have_36_letters_digits_and_hyphens() {
    let mut blob = encrypt(Cipher::Aes256, &material(), &BINDING, &CanonicalContext::default(), b"").unwrap();
    for byte in 0..=255_u8 {
        blob[5] = byte;
        assert_eq!(version_id(&blob).is_some(), byte.is_ascii_alphanumeric() || byte == b'-', "{byte}");
    }
    for wrong in ["", "2ab1a983", "2ab1a983-7072-4bbc-a582-584b5bd8edf44", "2ab1a983_7072_4bbc_a582_584b5bd8edf4"] {
        let binding = Binding { version_id: wrong, ..BINDING };
        let outcome = encrypt(Cipher::Aes256, &material(), &binding, &CanonicalContext::default(), b"");
        assert_eq!(outcome.unwrap_err(), EncryptError::VersionId, "{wrong}");
    }
}

#[test]
fn lengths_are_limited() {
    let none = CanonicalContext::default();
    let longest = vec![0; PLAINTEXT_BYTES_MAX];
    let mut blob = encrypt(Cipher::Aes256, &material(), &BINDING, &none, &longest).unwrap();
    assert_eq!(blob.len(), BLOB_BYTES_MIN + PLAINTEXT_BYTES_MAX);
    assert_eq!(decrypt(&material(), &BINDING, &none, &blob).unwrap().expose(), longest);
    blob.push(0);
    assert_eq!(version_id(&blob), None);
    let outcome = encrypt(Cipher::Aes256, &material(), &BINDING, &none, &[0; PLAINTEXT_BYTES_MAX + 1]);
    assert_eq!(outcome.unwrap_err(), EncryptError::PlaintextTooLong);
}

proptest! {
    #[test]
    fn decrypts_what_it_encrypted(
        material in prop::collection::vec(any::<u8>(), sealed::KEY_BYTES),
        version_id in "[0-9a-zA-Z-]{36}",
        account: String,
        key_id: String,
        pairs: BTreeMap<String, String>,
        plaintext: Vec<u8>,
    ) {
        let material = SealingKey::new(&material).unwrap();
        let binding = Binding { account: &account, key_id: &key_id, version_id: &version_id, ..BINDING };
        let context = canonical_context(&pairs);
        let blob = encrypt(Cipher::Aes256, &material, &binding, &context, &plaintext).unwrap();
        prop_assert_eq!(super::version_id(&blob), Some(&*version_id));
        let decrypted = decrypt(&material, &binding, &context, &blob).unwrap();
        prop_assert_eq!(decrypted.expose(), plaintext);
    }

    #[test]
    fn no_bytes_panic(
        id in prop_oneof!["[0-9a-zA-Z-]{36}".prop_map(String::into_bytes), any::<Vec<u8>>()],
        format in prop_oneof![Just(1), any::<u8>()],
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let blob = [&id[..], &[format], &rest].concat();
        let id = version_id(&blob);
        let binding = Binding { version_id: id.unwrap_or_default(), ..BINDING };
        prop_assert!(decrypt(&material(), &binding, &CanonicalContext::default(), &blob).is_err());
    }

    #[test]
    fn canonical_contexts_are_equal_only_for_equal_pairs(
        a in prop::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..4),
        b in prop::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..4),
    ) {
        prop_assert_eq!(canonical_context(&a) == canonical_context(&b), a == b);
    }
}
