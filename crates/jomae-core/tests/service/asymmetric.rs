//! `AsymmetricEncrypt`, `AsymmetricDecrypt`, `AsymmetricSign`, `AsymmetricVerify`, `GetPublicKey`: every spec, usage and
//! algorithm.

use std::{collections::BTreeMap, sync::OnceLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_api::spec::{Algorithm, KeyKind, KeySpec, KeyUsage, SPECS};
use jomae_crypto::{
    asym::{self, AsymSpec, EncAlg, PrivateKey, SignAlg, encapsulate, spec_of_spki},
    pem,
    secret::SecretBytes,
};
use serde_json::Value;

use crate::common::{Answer, Client, HELLO, World, code_of, import};

const BAD: &str = "400 InvalidParameter";
const UNSUPPORTED: &str = "400 UnsupportedOperation";
const ENCRYPT: &str = "ENCRYPT/DECRYPT";
const SIGN: &str = "SIGN/VERIFY";

/// Spec, usage, the spec in the terms of the crypto crate, and the algorithms.
type PairRow = (&'static str, &'static str, AsymSpec, &'static [(&'static str, usize, usize)]);

/// A key pair for every spec and usage, and what it does: each algorithm with the length of its digest (0: a message),
/// or with its longest plaintext and the length of the ciphertext of that. `crypto.md`, section 3, and the extensions.
const PAIRS: &[PairRow] = &[
    ("RSA_2048", SIGN, AsymSpec::Rsa2048, &[("RSA_PSS_SHA_256", 32, 0), ("RSA_PKCS1_SHA_256", 32, 0)]),
    ("RSA_3072", SIGN, AsymSpec::Rsa3072, &[("RSA_PSS_SHA_256", 32, 0), ("RSA_PKCS1_SHA_256", 32, 0)]),
    ("RSA_4096", SIGN, AsymSpec::Rsa4096, &[("RSA_PSS_SHA_256", 32, 0), ("RSA_PKCS1_SHA_256", 32, 0)]),
    ("EC_P256", SIGN, AsymSpec::EcP256, &[("ECDSA_SHA_256", 32, 0)]),
    ("EC_P256K", SIGN, AsymSpec::EcP256K, &[("ECDSA_SHA_256", 32, 0)]),
    ("EC_SM2", SIGN, AsymSpec::EcSm2, &[("SM2DSA", 32, 0)]),
    ("EC_P384", SIGN, AsymSpec::EcP384, &[("ECDSA_SHA_384", 48, 0)]),
    ("EC_P521", SIGN, AsymSpec::EcP521, &[("ECDSA_SHA_512", 64, 0)]),
    ("EC_ED25519", SIGN, AsymSpec::Ed25519, &[("ED25519", 0, 0)]),
    ("ML_DSA_65", SIGN, AsymSpec::MlDsa65, &[("ML_DSA_65", 0, 0)]),
    ("RSA_2048", ENCRYPT, AsymSpec::Rsa2048, &[("RSAES_OAEP_SHA_256", 190, 256), ("RSAES_OAEP_SHA_1", 214, 256)]),
    ("RSA_3072", ENCRYPT, AsymSpec::Rsa3072, &[("RSAES_OAEP_SHA_256", 318, 384), ("RSAES_OAEP_SHA_1", 342, 384)]),
    ("RSA_4096", ENCRYPT, AsymSpec::Rsa4096, &[("RSAES_OAEP_SHA_256", 446, 512), ("RSAES_OAEP_SHA_1", 470, 512)]),
    ("EC_SM2", ENCRYPT, AsymSpec::EcSm2, &[("SM2PKE", 6047, 6144)]),
    ("ML_KEM_768", ENCRYPT, AsymSpec::MlKem768, &[("ML_KEM_768", 0, 1088)]),
];

/// A key in the service.
struct Pair {
    key: String,
    version: String,
}

impl Pair {
    fn new(client: Client<'_>, key: String) -> Self {
        let version = client.describe(&key)["PrimaryKeyVersion"].as_str().unwrap().to_owned();
        Self { key, version }
    }

    fn named(&self) -> [(&str, &str); 2] {
        [("KeyId", &self.key), ("KeyVersionId", &self.version)]
    }

    fn call(&self, client: Client<'_>, action: &str, algorithm: &str, more: &[(&str, &str)]) -> Answer {
        client.call(action, &[&self.named()[..], &[("Algorithm", algorithm)], more].concat())
    }

    /// The member of an answer that must be a success.
    #[track_caller]
    fn member(&self, client: Client<'_>, action: &str, algorithm: &str, given: &[(&str, &str)], member: &str) -> Value {
        let mut answer = self.call(client, action, algorithm, given).unwrap_or_else(|no| panic!("{action}: {no:?}"));
        assert_eq!((&answer["KeyId"], &answer["KeyVersionId"]), (&(*self.key).into(), &(*self.version).into()));
        assert_eq!(answer.as_object().unwrap().len(), 3, "{action}");
        answer[member].take()
    }

    fn sign(&self, client: Client<'_>, algorithm: &str, digest: &[u8]) -> Vec<u8> {
        let value = self.member(client, "AsymmetricSign", algorithm, &[("Digest", &encode(digest))], "Value");
        STANDARD.decode(value.as_str().unwrap()).unwrap()
    }

    fn verify(&self, client: Client<'_>, algorithm: &str, digest: &[u8], signature: &[u8]) -> bool {
        let given = [("Digest", &*encode(digest)), ("Value", &*encode(signature))];
        self.member(client, "AsymmetricVerify", algorithm, &given, "Value").as_bool().unwrap()
    }

    fn decrypt(&self, client: Client<'_>, algorithm: &str, ciphertext: &[u8]) -> Vec<u8> {
        let given = [("CiphertextBlob", &*encode(ciphertext))];
        let value = self.member(client, "AsymmetricDecrypt", algorithm, &given, "Plaintext");
        STANDARD.decode(value.as_str().unwrap()).unwrap()
    }

    /// DER of the public key.
    fn public(&self, client: Client<'_>) -> Vec<u8> {
        let answer = client.ok("GetPublicKey", &self.named());
        assert_eq!((&answer["KeyId"], &answer["KeyVersionId"]), (&(*self.key).into(), &(*self.version).into()));
        let text = answer["PublicKey"].as_str().unwrap();
        assert!(text.starts_with("-----BEGIN PUBLIC KEY-----\n") && text.ends_with("\n-----END PUBLIC KEY-----\n"));
        pem::content(SecretBytes::new(text.as_bytes().to_vec())).unwrap().expose().to_vec()
    }
}

fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

struct Pairs {
    world: World,
    of: BTreeMap<(&'static str, &'static str), Pair>,
}

/// One world for all tests here. RSA keys are slow to generate: one of each size serves both usages.
fn pairs() -> &'static Pairs {
    static PAIRS_OF_ALL: OnceLock<Pairs> = OnceLock::new();
    PAIRS_OF_ALL.get_or_init(|| {
        let world = World::new();
        let mut rsa = BTreeMap::new();
        let mut of = BTreeMap::new();
        for (spec, usage, own, _) in PAIRS {
            let params = [("KeySpec", *spec), ("KeyUsage", *usage)];
            let key = if spec.starts_with("RSA") {
                let pkcs8 = rsa.entry(*spec).or_insert_with(|| PrivateKey::generate(*own).unwrap().to_pkcs8().unwrap());
                import::imported(world.alice(), &params, pkcs8.expose())
            } else {
                world.alice().key(&params)
            };
            of.insert((*spec, *usage), Pair::new(world.alice(), key));
        }
        Pairs { world, of }
    })
}

/// Each cell of spec × usage × algorithm × action works, or has its refusal.
#[test]
fn every_cell() {
    let Pairs { world, of } = pairs();
    let alice = world.alice();
    let mut works = 0;
    for (spec, usage, _, does) in PAIRS {
        let pair = &of[&(*spec, *usage)];
        for algorithm in Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()) {
            let fits = does.iter().find(|(name, ..)| *name == algorithm);
            let digest = encode(&vec![7; fits.map_or(32, |(_, digest, _)| (*digest).max(1))]);
            for action in ["AsymmetricEncrypt", "AsymmetricDecrypt", "AsymmetricSign", "AsymmetricVerify"] {
                let given = match action {
                    "AsymmetricEncrypt" => vec![("Plaintext", HELLO)],
                    "AsymmetricDecrypt" => vec![("CiphertextBlob", HELLO)],
                    "AsymmetricSign" => vec![("Digest", digest.as_str())],
                    _ => vec![("Digest", digest.as_str()), ("Value", HELLO)],
                };
                let is_for_it = fits.is_some() && action.ends_with(['n', 'y']) == (*usage == SIGN);
                let expected = match (is_for_it, action) {
                    // Whoever has the public key encapsulates by himself.
                    (true, "AsymmetricEncrypt") if *spec == "ML_KEM_768" => UNSUPPORTED,
                    // What is given to decrypt is no ciphertext; those that are come later.
                    (false, _) | (true, "AsymmetricDecrypt") => BAD,
                    (true, _) => "200",
                };
                works += usize::from(expected == "200");
                let answer = code_of(&pair.call(alice, action, algorithm, &given));
                assert_eq!(answer, expected, "{spec} {usage} {action} {algorithm}");
            }
        }
        // Nor is it a symmetric key.
        for action in ["Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"] {
            alice.refused(action, &[("KeyId", &pair.key), ("Plaintext", HELLO)], UNSUPPORTED);
        }
        let message = [("KeyId", pair.key.as_str()), ("Algorithm", "HMAC_SHA_256"), ("Message", HELLO)];
        alice.refused("GenerateMac", &message, UNSUPPORTED);
    }
    assert_eq!(works, 13 * 2 + 7);
}

/// `CreateKey` of every spec × usage × origin × protection level.
#[test]
fn every_kind_of_key() {
    let world = World::new();
    let alice = world.alice();
    for row in SPECS {
        let spec = ("KeySpec", row.spec.as_str());
        for usage in KeyUsage::ALL {
            let params = [spec, ("KeyUsage", usage.as_str()), ("Origin", "EXTERNAL")];
            if !row.usages.contains(usage) {
                alice.refused("CreateKey", &params, BAD);
                alice.refused("CreateKey", &params[..2], BAD);
                continue;
            }
            if row.kind == KeyKind::Asymmetric {
                assert!(PAIRS.iter().any(|(s, u, ..)| (*s, *u) == (spec.1, usage.as_str())), "{spec:?} {usage:?}");
            }
            let metadata = alice.describe(&alice.key(&params));
            assert_eq!((&metadata["KeySpec"], &metadata["KeyUsage"]), (&spec.1.into(), &usage.as_str().into()));
            assert_eq!(metadata["KeyState"], "PendingImport");
            for level in ["HSM", "SOFTWARE"] {
                let answer = code_of(&alice.call("CreateKey", &[&params[..], &[("ProtectionLevel", level)]].concat()));
                assert_eq!(answer, if level == "HSM" { "400 Unsupported.ProtectionLevel" } else { "200" });
            }
        }
        let by_default = alice.describe(&alice.key(&[spec, ("Origin", "EXTERNAL")]))["KeyUsage"].clone();
        let can_sign = PAIRS.iter().any(|(s, u, ..)| (*s, *u) == (spec.1, SIGN));
        assert_eq!(by_default == SIGN, can_sign, "{spec:?}");
        let is_slow = matches!(row.spec, KeySpec::Rsa3072 | KeySpec::Rsa4096);
        if !is_slow {
            assert_eq!(alice.state(&alice.key(&[spec])), "Enabled");
        }
    }
}

/// The public key is what anyone needs to check signatures and to encrypt, and it stays the same.
#[test]
fn public_keys() {
    let Pairs { world, of } = pairs();
    let again = world.reopened();
    for (spec, usage, own, _) in PAIRS {
        let pair = &of[&(*spec, *usage)];
        let spki = pair.public(world.alice());
        assert_eq!(spec_of_spki(&spki), Some(*own), "{spec}");
        assert_eq!(pair.public(again.alice()), spki);
    }
    assert_eq!(of[&("RSA_2048", SIGN)].public(world.alice()), of[&("RSA_2048", ENCRYPT)].public(world.alice()));
}

fn sign_alg(algorithm: &str) -> SignAlg {
    match algorithm {
        "RSA_PSS_SHA_256" => SignAlg::RsaPssSha256,
        "RSA_PKCS1_SHA_256" => SignAlg::RsaPkcs1Sha256,
        "ECDSA_SHA_256" => SignAlg::EcdsaSha256,
        "ECDSA_SHA_384" => SignAlg::EcdsaSha384,
        "ECDSA_SHA_512" => SignAlg::EcdsaSha512,
        "SM2DSA" => SignAlg::Sm2Dsa,
        "ED25519" => SignAlg::Ed25519,
        _ => SignAlg::MlDsa65,
    }
}

#[test]
fn signatures() {
    let Pairs { world, of } = pairs();
    let alice = world.alice();
    for (spec, usage, own, does) in PAIRS.iter().filter(|(_, usage, ..)| *usage == SIGN) {
        let pair = &of[&(*spec, *usage)];
        let spki = pair.public(alice);
        for (algorithm, digest_bytes, _) in *does {
            let digest = vec![0x5a; if *digest_bytes == 0 { 100 } else { *digest_bytes }];
            let signature = pair.sign(alice, algorithm, &digest);
            assert!(asym::verify(*own, sign_alg(algorithm), &spki, &digest, &signature), "{spec} {algorithm}");
            assert!(pair.verify(alice, algorithm, &digest, &signature));
            let mut other = digest.clone();
            other[0] ^= 1;
            assert!(!pair.verify(alice, algorithm, &other, &signature), "{spec} {algorithm}: another digest");
            let mut damaged = signature.clone();
            damaged[signature.len() / 2] ^= 1;
            for malformed in [
                &damaged[..],
                &signature[1..],
                &signature[..signature.len() - 1],
                &[&signature[..], &[0]].concat(),
                &[0x30],
                &[0x30, 6, 2, 1, 0, 2, 1, 0],
                &[0; 64],
                &[0xff; 8192],
            ] {
                assert!(!pair.verify(alice, algorithm, &digest, malformed), "{spec} {algorithm}");
            }
            let (good, value) = (encode(&digest), encode(&signature));
            for bad in ["?", &encode(&[0; 8193])] {
                let answer = pair.call(alice, "AsymmetricVerify", algorithm, &[("Digest", &good), ("Value", bad)]);
                assert_eq!(code_of(&answer), BAD);
            }
            let lengths: &[(usize, bool)] = match *digest_bytes {
                0 => &[(1, true), (6144, true), (6145, false)],
                32 => &[(31, false), (33, false), (20, false), (48, false), (64, false)],
                48 => &[(47, false), (49, false), (32, false)],
                _ => &[(63, false), (65, false), (32, false)],
            };
            for (length, fits) in lengths {
                let digest = encode(&vec![1; *length]);
                for (action, value) in [("AsymmetricSign", None), ("AsymmetricVerify", Some(("Value", &*value)))] {
                    let given: Vec<_> = [("Digest", digest.as_str())].into_iter().chain(value).collect();
                    let answer = code_of(&pair.call(alice, action, algorithm, &given));
                    assert_eq!(answer, if *fits { "200" } else { BAD }, "{spec} {algorithm} {action} {length}");
                }
            }
        }
    }
}

fn enc_alg(algorithm: &str) -> EncAlg {
    match algorithm {
        "RSAES_OAEP_SHA_256" => EncAlg::RsaesOaepSha256,
        "RSAES_OAEP_SHA_1" => EncAlg::RsaesOaepSha1,
        _ => EncAlg::Sm2Pke,
    }
}

#[test]
fn ciphertexts() {
    let Pairs { world, of } = pairs();
    let alice = world.alice();
    for (spec, usage, own, does) in PAIRS.iter().filter(|(_, usage, ..)| *usage == ENCRYPT) {
        let pair = &of[&(*spec, *usage)];
        let spki = pair.public(alice);
        for (algorithm, longest, ciphertext_bytes) in does.iter().filter(|(_, longest, _)| *longest > 0) {
            for length in [1, longest - 1, *longest] {
                let plaintext = vec![0xa5; length];
                let given = [("Plaintext", &*encode(&plaintext))];
                let blob = pair.member(alice, "AsymmetricEncrypt", algorithm, &given, "CiphertextBlob");
                let blob = STANDARD.decode(blob.as_str().unwrap()).unwrap();
                assert!(length < *longest || blob.len() == *ciphertext_bytes, "{spec} {algorithm}");
                assert_eq!(pair.decrypt(alice, algorithm, &blob), plaintext, "{spec} {algorithm} {length}");
                let elsewhere = asym::encrypt(*own, enc_alg(algorithm), &spki, &plaintext).unwrap();
                assert_eq!(pair.decrypt(alice, algorithm, &elsewhere), plaintext, "made by anyone");
                let mut damaged = blob.clone();
                damaged[blob.len() / 2] ^= 1;
                for bad in [&damaged[..], &blob[1..], &blob[..blob.len() - 1], &[0; 8193]] {
                    let given = [("CiphertextBlob", &*encode(bad))];
                    assert_eq!(code_of(&pair.call(alice, "AsymmetricDecrypt", algorithm, &given)), BAD);
                }
            }
            let too_long = [("Plaintext", &*encode(&vec![0; longest + 1]))];
            assert_eq!(code_of(&pair.call(alice, "AsymmetricEncrypt", algorithm, &too_long)), BAD);
        }
    }
    // The two hashes of OAEP are two algorithms.
    let pair = &of[&("RSA_2048", ENCRYPT)];
    let spki = pair.public(alice);
    let blob = encode(&asym::encrypt(AsymSpec::Rsa2048, EncAlg::RsaesOaepSha1, &spki, b"x").unwrap());
    let given = [("CiphertextBlob", blob.as_str())];
    assert_eq!(code_of(&pair.call(alice, "AsymmetricDecrypt", "RSAES_OAEP_SHA_256", &given)), BAD);
    let recipient = [given[0], ("Recipient", "{}")];
    assert_eq!(code_of(&pair.call(alice, "AsymmetricDecrypt", "RSAES_OAEP_SHA_1", &recipient)), BAD);
}

#[test]
fn encapsulations() {
    let Pairs { world, of } = pairs();
    let alice = world.alice();
    let pair = &of[&("ML_KEM_768", ENCRYPT)];
    let (ciphertext, secret) = encapsulate(&pair.public(alice)).unwrap();
    assert_eq!(pair.decrypt(alice, "ML_KEM_768", &ciphertext), secret.expose());
    let mut damaged = ciphertext.clone();
    damaged[0] ^= 1;
    let other = pair.decrypt(alice, "ML_KEM_768", &damaged);
    assert_eq!(other.len(), 32, "another secret, not an error: FIPS 203");
    assert_ne!(other, secret.expose());
    for length in [1, 1087, 1089] {
        let given = [("CiphertextBlob", &*encode(&vec![0; length]))];
        assert_eq!(code_of(&pair.call(alice, "AsymmetricDecrypt", "ML_KEM_768", &given)), BAD);
    }
}

/// Symmetric keys and MAC keys have no public half.
#[test]
fn keys_of_another_kind() {
    let world = World::new();
    let alice = world.alice();
    for spec in ["Aliyun_AES_256", "Aliyun_SM4", "HMAC_SHA_256"] {
        let pair = Pair::new(alice, alice.key(&[("KeySpec", spec)]));
        alice.refused("GetPublicKey", &pair.named(), UNSUPPORTED);
        for (action, given) in [
            ("AsymmetricEncrypt", vec![("Plaintext", HELLO)]),
            ("AsymmetricDecrypt", vec![("CiphertextBlob", HELLO)]),
            ("AsymmetricSign", vec![("Digest", HELLO)]),
            ("AsymmetricVerify", vec![("Digest", HELLO), ("Value", HELLO)]),
        ] {
            assert_eq!(code_of(&pair.call(alice, action, "RSA_PSS_SHA_256", &given)), UNSUPPORTED, "{spec} {action}");
            assert_eq!(code_of(&pair.call(alice, action, "rsa", &given)), BAD, "{spec} {action}");
        }
    }
}
