use proptest::prelude::*;

use super::*;
use crate::asym::tests::key;

const WRAPPING: [AsymSpec; 4] = [AsymSpec::Rsa2048, AsymSpec::Rsa3072, AsymSpec::Rsa4096, AsymSpec::EcSm2];

fn wrap(spec: AsymSpec, alg: WrapAlg, material: &[u8]) -> Result<Vec<u8>, EncryptRefused> {
    wrap_material(&key(spec).public_spki(), alg, &SecretBytes::new(material.to_vec()))
}

fn unwrap(spec: AsymSpec, alg: WrapAlg, blob: &[u8], expected_bytes: Option<usize>) -> Option<Vec<u8>> {
    unwrap_material(key(spec), alg, blob, expected_bytes).accept().map(|material| material.expose().to_vec())
}

#[test]
fn material_comes_back_in_every_way() {
    let mut pairs = 0;
    for spec in WRAPPING {
        for alg in WrapAlg::ALL {
            if !alg.fits(spec) {
                assert_eq!(wrap(spec, alg, &[7; 32]), Err(EncryptRefused::Algorithm));
                assert_eq!(unwrap(spec, alg, &[7; 256], Some(32)), None);
                continue;
            }
            pairs += 1;
            for len in [1, 16, 24, 32, 64] {
                let material: Vec<u8> = (0..len).collect();
                let expected_bytes = usize::from(len);
                let blob = wrap(spec, alg, &material).unwrap();
                assert_eq!(unwrap(spec, alg, &blob, Some(expected_bytes)), Some(material.clone()), "{spec:?} {alg:?}");
                assert_eq!(unwrap(spec, alg, &blob, Some(expected_bytes + 1)), None, "{spec:?} {alg:?}");
                assert_eq!(unwrap(spec, alg, &blob, Some(0)), None, "{spec:?} {alg:?}");
                let unasked = unwrap(spec, alg, &blob, None);
                assert_eq!(unasked, (alg != WrapAlg::RsaesPkcs1V15).then_some(material), "{spec:?} {alg:?}");
            }
            assert_eq!(wrap(spec, alg, b""), Err(EncryptRefused::Empty));
        }
    }
    assert_eq!(pairs, 16);
    assert_eq!(wrap(AsymSpec::EcP256, WrapAlg::Sm2Pke, &[7; 32]), Err(EncryptRefused::Algorithm));
    let material = SecretBytes::new(vec![7; 32]);
    assert_eq!(wrap_material(b"no key", WrapAlg::Sm2Pke, &material), Err(EncryptRefused::PublicKey));
}

#[test]
fn the_longest_material_is_wrapped_and_no_longer_one() {
    for (spec, alg, longest) in [
        (AsymSpec::Rsa2048, WrapAlg::RsaesPkcs1V15, 245),
        (AsymSpec::Rsa4096, WrapAlg::RsaesPkcs1V15, 501),
        (AsymSpec::Rsa2048, WrapAlg::RsaesOaepSha1, 214),
        (AsymSpec::Rsa2048, WrapAlg::RsaesOaepSha256, 190),
        (AsymSpec::EcSm2, WrapAlg::Sm2Pke, 6047),
        (AsymSpec::Rsa2048, WrapAlg::RsaAesKeyWrapSha1, MATERIAL_BYTES_MAX),
        (AsymSpec::Rsa4096, WrapAlg::RsaAesKeyWrapSha256, MATERIAL_BYTES_MAX),
    ] {
        assert_eq!(alg.material_bytes_max(spec), Some(longest));
        let material = vec![0xCD; longest];
        let blob = wrap(spec, alg, &material).unwrap();
        assert!(blob.len() <= BLOB_BYTES_MAX);
        assert_eq!(unwrap(spec, alg, &blob, Some(longest)), Some(material), "{spec:?} {alg:?}");
        assert_eq!(wrap(spec, alg, &vec![0; longest + 1]), Err(EncryptRefused::TooLong), "{spec:?} {alg:?}");
    }
    let too_long = vec![0; BLOB_BYTES_MAX + 1];
    assert_eq!(unwrap(AsymSpec::Rsa2048, WrapAlg::RsaAesKeyWrapSha256, &too_long, None), None);
}

#[test]
fn private_keys_of_every_spec_travel_by_key_wrap() {
    for spec in AsymSpec::ALL {
        let pkcs8 = key(spec).to_pkcs8().unwrap();
        for alg in [WrapAlg::RsaAesKeyWrapSha1, WrapAlg::RsaAesKeyWrapSha256] {
            let blob = wrap_material(&key(AsymSpec::Rsa4096).public_spki(), alg, &pkcs8).unwrap();
            let back = unwrap(AsymSpec::Rsa4096, alg, &blob, None).unwrap();
            assert_eq!(PrivateKey::import(spec, &back).unwrap().public_spki(), key(spec).public_spki());
        }
    }
}

#[test]
fn damage_is_refused() {
    for spec in [AsymSpec::Rsa2048, AsymSpec::EcSm2] {
        for alg in WrapAlg::ALL.into_iter().filter(|alg| alg.fits(spec)) {
            let blob = wrap(spec, alg, &[7; 32]).unwrap();
            for at in (0..blob.len()).step_by(17) {
                let mut damaged = blob.clone();
                damaged[at] ^= 1;
                assert_eq!(unwrap(spec, alg, &damaged, Some(32)), None, "{spec:?} {alg:?} byte {at}");
            }
            assert_eq!(unwrap(spec, alg, &blob[1..], Some(32)), None);
            assert_eq!(unwrap(spec, alg, &blob[..blob.len() - 1], Some(32)), None);
            assert_eq!(unwrap(spec, alg, b"", Some(32)), None);
            for other in WrapAlg::ALL.into_iter().filter(|other| *other != alg) {
                assert_eq!(unwrap(spec, other, &blob, Some(32)), None, "{alg:?} as {other:?}");
            }
        }
    }
}

/// What a caller holds before `accept` looks the same whatever was wrong with the blob.
#[test]
fn bad_padding_gives_material_like_any_other() {
    let spec = AsymSpec::Rsa2048;
    let bad_padding = wrap(spec, WrapAlg::RsaesOaepSha256, &[7; 32]).unwrap();
    let good_padding_wrong_length = wrap(spec, WrapAlg::RsaesPkcs1V15, &[7; 31]).unwrap();
    let not_below_the_modulus = vec![0xFF; 256];
    let wrong_length = vec![1; 255];
    let mut seen = Vec::new();
    for blob in [bad_padding, good_padding_wrong_length, not_below_the_modulus, wrong_length] {
        for expected_bytes in [16, 32] {
            let unwrap = || unwrap_material(key(spec), WrapAlg::RsaesPkcs1V15, &blob, Some(expected_bytes));
            let first = unwrap();
            assert_eq!(first.material().len(), expected_bytes);
            assert_eq!(first.material().expose(), unwrap().material().expose(), "the same each time");
            let head = first.material().expose()[..16].to_vec();
            assert_ne!(head, [7; 16]);
            if expected_bytes == 16 {
                assert!(!seen.contains(&head), "another for each blob");
                seen.push(head);
            }
            assert!(first.accept().is_none());
        }
    }
    // Another key has another substitute for the same blob.
    let other = PrivateKey::generate(spec).unwrap();
    let blob = vec![0xFF; 256];
    let substitute =
        |key: &PrivateKey| unwrap_material(key, WrapAlg::RsaesPkcs1V15, &blob, Some(32)).material().expose().to_vec();
    assert_ne!(substitute(&other), substitute(key(spec)));
}

#[test]
fn a_good_blob_gives_its_material_before_it_is_accepted() {
    let blob = wrap(AsymSpec::Rsa2048, WrapAlg::RsaesPkcs1V15, &[7; 32]).unwrap();
    let unwrapped = unwrap_material(key(AsymSpec::Rsa2048), WrapAlg::RsaesPkcs1V15, &blob, Some(32));
    assert_eq!(unwrapped.material().expose(), [7; 32]);
    assert_eq!(unwrapped.accept().unwrap().expose(), [7; 32]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_blob_panics_or_is_accepted(
        blob in prop_oneof![
            any::<Vec<u8>>(),
            prop::collection::vec(any::<u8>(), 256),
            prop::collection::vec(any::<u8>(), 256..400),
        ],
        expected_bytes: Option<u16>,
    ) {
        for alg in WrapAlg::ALL {
            for spec in [AsymSpec::Rsa2048, AsymSpec::EcSm2, AsymSpec::Ed25519] {
                let unwrapped = unwrap_material(key(spec), alg, &blob, expected_bytes.map(usize::from));
                prop_assert!(unwrapped.accept().is_none());
            }
        }
    }
}
