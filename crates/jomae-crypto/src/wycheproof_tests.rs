//! The Wycheproof vectors of every primitive that the crate uses, through its own functions where they take the
//! inputs of the vectors.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use wycheproof::{TestResult, aead, hkdf, mac, rsa_pkcs1_verify};

use crate::mac::{Mac, MacAlg};
use crate::{rsa, sealed};

/// `crate::sealed` fixes the nonce, so the same library calls are made here.
#[test]
fn aes_256_gcm() {
    let mut count = 0;
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in group.tests {
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &test.key).unwrap());
            let nonce = || Nonce::try_assume_unique_for_key(&test.nonce).unwrap();
            let mut plaintext = vec![0; test.ct.len()];
            let opened =
                key.open_separate_gather(nonce(), Aad::from(&*test.aad), &test.ct, &test.tag, &mut plaintext).is_ok();
            assert_eq!(opened, test.result == TestResult::Valid, "{}", test.tc_id);
            if opened {
                assert_eq!(plaintext, *test.pt, "{}", test.tc_id);
                let (mut ciphertext, mut tag) = (vec![0; test.pt.len()], [0; 16]);
                let aad = Aad::from(&*test.aad);
                key.seal_out_of_place_scatter(nonce(), aad, &test.pt, &mut ciphertext, &[], &mut tag).unwrap();
                assert_eq!((&ciphertext, &tag[..]), (&*test.ct, &**test.tag), "{}", test.tc_id);
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
fn hmac_sha1() {
    hmac(mac::TestName::HmacSha1, MacAlg::Sha1);
}

#[test]
fn hmac_sha256() {
    hmac(mac::TestName::HmacSha256, MacAlg::Sha256);
}

#[test]
fn hmac_sm3() {
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
