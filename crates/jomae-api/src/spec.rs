//! Key specs: one table that says what a key of each kind is and can do. Everything else asks it.

use jomae_crypto::{
    asym::{AsymSpec, EncAlg, SignAlg},
    envelope::Cipher,
    import::WrapAlg,
    mac::MacAlg,
};

use crate::answer::wire_enum;

wire_enum!(
    /// What a key is made of.
    KeySpec {
        AliyunAes256 = "Aliyun_AES_256",
        AliyunAes192 = "Aliyun_AES_192",
        AliyunAes128 = "Aliyun_AES_128",
        AliyunSm4 = "Aliyun_SM4",
        Rsa2048 = "RSA_2048",
        Rsa3072 = "RSA_3072",
        Rsa4096 = "RSA_4096",
        EcP256 = "EC_P256",
        EcP256K = "EC_P256K",
        EcSm2 = "EC_SM2",
        EcP384 = "EC_P384",
        EcP521 = "EC_P521",
        Ed25519 = "EC_ED25519",
        MlDsa65 = "ML_DSA_65",
        MlKem768 = "ML_KEM_768",
        HmacSha224 = "HMAC_SHA_224",
        HmacSha256 = "HMAC_SHA_256",
        HmacSha384 = "HMAC_SHA_384",
        HmacSha512 = "HMAC_SHA_512",
        HmacSm3 = "HMAC_SM3",
    }
);

wire_enum!(
    /// What a key may do, for life.
    KeyUsage {
        EncryptDecrypt = "ENCRYPT/DECRYPT",
        SignVerify = "SIGN/VERIFY",
        /// The name of this usage is in no public source.
        GenerateVerifyMac = "GENERATE/VERIFY_MAC",
    }
);

wire_enum!(
    /// What asymmetric and MAC actions take as `Algorithm`.
    Algorithm {
        RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
        RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
        Sm2Pke = "SM2PKE",
        /// Extension: AsymmetricDecrypt decapsulates a shared secret (FIPS 203).
        MlKem768 = "ML_KEM_768",
        RsaPssSha256 = "RSA_PSS_SHA_256",
        RsaPkcs1Sha256 = "RSA_PKCS1_SHA_256",
        EcdsaSha256 = "ECDSA_SHA_256",
        Sm2Dsa = "SM2DSA",
        /// Extension: a 48-byte digest.
        EcdsaSha384 = "ECDSA_SHA_384",
        /// Extension: a 64-byte digest.
        EcdsaSha512 = "ECDSA_SHA_512",
        /// Extension: signs the bytes given as `Digest` as a message (RFC 8032).
        Ed25519 = "ED25519",
        /// Extension: signs the bytes given as `Digest` as a message (FIPS 204).
        MlDsa65 = "ML_DSA_65",
        HmacSha224 = "HMAC_SHA_224",
        HmacSha256 = "HMAC_SHA_256",
        HmacSha384 = "HMAC_SHA_384",
        HmacSha512 = "HMAC_SHA_512",
        HmacSm3 = "HMAC_SM3",
    }
);

wire_enum!(
    /// How material is wrapped for import.
    WrappingAlgorithm {
        RsaesPkcs1V15 = "RSAES_PKCS1_V1_5",
        RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
        RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
        Sm2Pke = "SM2PKE",
        /// Extension: RSA-OAEP (SHA-1) of an AES-256 key, then AES-KWP (RFC 5649) of the material.
        RsaAesKeyWrapSha1 = "RSA_AES_KEY_WRAP_SHA_1",
        /// Extension: the same with SHA-256.
        RsaAesKeyWrapSha256 = "RSA_AES_KEY_WRAP_SHA_256",
    }
);

/// What an algorithm is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Public-key encryption.
    Encrypt,
    /// Decapsulation only: anyone with the public key encapsulates by himself.
    Decapsulate,
    /// Signatures.
    Sign,
    /// MACs.
    Mac,
}

impl Algorithm {
    /// Which usage of a key it belongs to.
    pub const fn purpose(self) -> Purpose {
        match self {
            Self::RsaesOaepSha256 | Self::RsaesOaepSha1 | Self::Sm2Pke => Purpose::Encrypt,
            Self::MlKem768 => Purpose::Decapsulate,
            Self::RsaPssSha256
            | Self::RsaPkcs1Sha256
            | Self::EcdsaSha256
            | Self::Sm2Dsa
            | Self::EcdsaSha384
            | Self::EcdsaSha512
            | Self::Ed25519
            | Self::MlDsa65 => Purpose::Sign,
            Self::HmacSha224 | Self::HmacSha256 | Self::HmacSha384 | Self::HmacSha512 | Self::HmacSm3 => Purpose::Mac,
        }
    }

    /// The exact length of `Digest` in bytes; `None`: the bytes are a message of at most 6144.
    pub const fn digest_bytes(self) -> Option<usize> {
        match self {
            Self::EcdsaSha384 => Some(48),
            Self::EcdsaSha512 => Some(64),
            Self::Ed25519 | Self::MlDsa65 => None,
            _ => Some(32),
        }
    }
}

impl Algorithm {
    /// Not in the cloud's API: every key spec that takes it is an extension.
    pub fn extension(self) -> bool {
        SPECS.iter().filter(|row| row.algorithms.contains(&self)).all(|row| row.extension)
    }
}

impl WrappingAlgorithm {
    /// Not in the cloud's API.
    pub const fn extension(self) -> bool {
        matches!(self, Self::RsaAesKeyWrapSha1 | Self::RsaAesKeyWrapSha256)
    }

    /// Whether a wrapping key of this spec is for it.
    pub fn fits(self, wrapping: KeySpec) -> bool {
        (wrapping == KeySpec::EcSm2) == (self == Self::Sm2Pke)
    }
}

/// The kinds of wrapping keys for import, and whether each is an extension.
pub const WRAPPING_KEYS: &[(KeySpec, bool)] =
    &[(KeySpec::Rsa2048, false), (KeySpec::Rsa4096, true), (KeySpec::EcSm2, false)];

/// What kind of key it is, hence which actions take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Encrypt, Decrypt, data keys.
    Symmetric,
    /// The Asymmetric* actions.
    Asymmetric,
    /// GenerateMac, VerifyMac.
    Mac,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct SpecRow {
    /// Of which spec.
    pub spec: KeySpec,
    /// Hence which actions take it.
    pub kind: KeyKind,
    /// The first is the default of CreateKey.
    pub usages: &'static [KeyUsage],
    /// All algorithms, of all usages.
    pub algorithms: &'static [Algorithm],
    /// Bytes of secret material, for keys that are nothing but random bytes.
    pub material_bytes: Option<usize>,
    /// Not in the cloud's API.
    pub extension: bool,
}

use Algorithm as A;
use KeyUsage::{EncryptDecrypt, GenerateVerifyMac, SignVerify};

const fn symmetric(spec: KeySpec, material_bytes: usize) -> SpecRow {
    let (usages, algorithms): (&[KeyUsage], &[A]) = (&[EncryptDecrypt], &[]);
    SpecRow {
        spec,
        kind: KeyKind::Symmetric,
        usages,
        algorithms,
        material_bytes: Some(material_bytes),
        extension: false,
    }
}

const fn asymmetric(
    spec: KeySpec,
    usages: &'static [KeyUsage],
    algorithms: &'static [Algorithm],
    extension: bool,
) -> SpecRow {
    SpecRow { spec, kind: KeyKind::Asymmetric, usages, algorithms, material_bytes: None, extension }
}

const fn mac(spec: KeySpec, algorithms: &'static [Algorithm], material_bytes: usize) -> SpecRow {
    let usages: &[KeyUsage] = &[GenerateVerifyMac];
    SpecRow { spec, kind: KeyKind::Mac, usages, algorithms, material_bytes: Some(material_bytes), extension: false }
}

const RSA_USAGES: &[KeyUsage] = &[SignVerify, EncryptDecrypt];
const RSA_ALGORITHMS: &[A] = &[A::RsaesOaepSha256, A::RsaesOaepSha1, A::RsaPssSha256, A::RsaPkcs1Sha256];

/// The table, in the order of [`KeySpec::ALL`].
pub const SPECS: &[SpecRow] = &[
    symmetric(KeySpec::AliyunAes256, 32),
    symmetric(KeySpec::AliyunAes192, 24),
    symmetric(KeySpec::AliyunAes128, 16),
    symmetric(KeySpec::AliyunSm4, 16),
    asymmetric(KeySpec::Rsa2048, RSA_USAGES, RSA_ALGORITHMS, false),
    asymmetric(KeySpec::Rsa3072, RSA_USAGES, RSA_ALGORITHMS, false),
    asymmetric(KeySpec::Rsa4096, RSA_USAGES, RSA_ALGORITHMS, false),
    asymmetric(KeySpec::EcP256, &[SignVerify], &[A::EcdsaSha256], false),
    asymmetric(KeySpec::EcP256K, &[SignVerify], &[A::EcdsaSha256], false),
    asymmetric(KeySpec::EcSm2, &[SignVerify, EncryptDecrypt], &[A::Sm2Dsa, A::Sm2Pke], false),
    asymmetric(KeySpec::EcP384, &[SignVerify], &[A::EcdsaSha384], true),
    asymmetric(KeySpec::EcP521, &[SignVerify], &[A::EcdsaSha512], true),
    asymmetric(KeySpec::Ed25519, &[SignVerify], &[A::Ed25519], true),
    asymmetric(KeySpec::MlDsa65, &[SignVerify], &[A::MlDsa65], true),
    asymmetric(KeySpec::MlKem768, &[EncryptDecrypt], &[A::MlKem768], true),
    mac(KeySpec::HmacSha224, &[A::HmacSha224], 28),
    mac(KeySpec::HmacSha256, &[A::HmacSha256], 32),
    mac(KeySpec::HmacSha384, &[A::HmacSha384], 48),
    mac(KeySpec::HmacSha512, &[A::HmacSha512], 64),
    mac(KeySpec::HmacSm3, &[A::HmacSm3], 32),
];

impl KeySpec {
    /// The row of the table.
    pub const fn row(self) -> &'static SpecRow {
        &SPECS[self as usize]
    }
}

impl SpecRow {
    /// Whether a key of this spec and usage takes the algorithm.
    pub fn takes(&self, usage: KeyUsage, algorithm: Algorithm) -> bool {
        let fits = match algorithm.purpose() {
            Purpose::Encrypt | Purpose::Decapsulate => usage == EncryptDecrypt,
            Purpose::Sign => usage == SignVerify,
            Purpose::Mac => usage == GenerateVerifyMac,
        };
        fits && self.algorithms.contains(&algorithm)
    }
}

// In the terms of jomae-crypto, which knows nothing of the API.

impl KeySpec {
    /// The cipher of a symmetric key.
    pub const fn cipher(self) -> Option<Cipher> {
        match self {
            KeySpec::AliyunAes256 => Some(Cipher::Aes256),
            KeySpec::AliyunAes192 => Some(Cipher::Aes192),
            KeySpec::AliyunAes128 => Some(Cipher::Aes128),
            KeySpec::AliyunSm4 => Some(Cipher::Sm4),
            _ => None,
        }
    }

    /// What kind of asymmetric key it is.
    pub const fn asymmetric(self) -> Option<AsymSpec> {
        Some(match self {
            KeySpec::Rsa2048 => AsymSpec::Rsa2048,
            KeySpec::Rsa3072 => AsymSpec::Rsa3072,
            KeySpec::Rsa4096 => AsymSpec::Rsa4096,
            KeySpec::EcP256 => AsymSpec::EcP256,
            KeySpec::EcP256K => AsymSpec::EcP256K,
            KeySpec::EcSm2 => AsymSpec::EcSm2,
            KeySpec::EcP384 => AsymSpec::EcP384,
            KeySpec::EcP521 => AsymSpec::EcP521,
            KeySpec::Ed25519 => AsymSpec::Ed25519,
            KeySpec::MlDsa65 => AsymSpec::MlDsa65,
            KeySpec::MlKem768 => AsymSpec::MlKem768,
            _ => return None,
        })
    }
}

impl Algorithm {
    /// `None` if it signs nothing.
    pub const fn signature(self) -> Option<SignAlg> {
        Some(match self {
            Algorithm::RsaPssSha256 => SignAlg::RsaPssSha256,
            Algorithm::RsaPkcs1Sha256 => SignAlg::RsaPkcs1Sha256,
            Algorithm::EcdsaSha256 => SignAlg::EcdsaSha256,
            Algorithm::Sm2Dsa => SignAlg::Sm2Dsa,
            Algorithm::EcdsaSha384 => SignAlg::EcdsaSha384,
            Algorithm::EcdsaSha512 => SignAlg::EcdsaSha512,
            Algorithm::Ed25519 => SignAlg::Ed25519,
            Algorithm::MlDsa65 => SignAlg::MlDsa65,
            _ => return None,
        })
    }

    /// `None` if it encrypts nothing.
    pub const fn encryption(self) -> Option<EncAlg> {
        Some(match self {
            Algorithm::RsaesOaepSha1 => EncAlg::RsaesOaepSha1,
            Algorithm::RsaesOaepSha256 => EncAlg::RsaesOaepSha256,
            Algorithm::Sm2Pke => EncAlg::Sm2Pke,
            _ => return None,
        })
    }

    /// `None` if it is no MAC.
    pub const fn mac(self) -> Option<MacAlg> {
        Some(match self {
            Algorithm::HmacSha224 => MacAlg::Sha224,
            Algorithm::HmacSha256 => MacAlg::Sha256,
            Algorithm::HmacSha384 => MacAlg::Sha384,
            Algorithm::HmacSha512 => MacAlg::Sha512,
            Algorithm::HmacSm3 => MacAlg::Sm3,
            _ => return None,
        })
    }
}

impl WrappingAlgorithm {
    /// Every one unwraps.
    pub const fn wrapping(self) -> WrapAlg {
        match self {
            WrappingAlgorithm::RsaesPkcs1V15 => WrapAlg::RsaesPkcs1V15,
            WrappingAlgorithm::RsaesOaepSha1 => WrapAlg::RsaesOaepSha1,
            WrappingAlgorithm::RsaesOaepSha256 => WrapAlg::RsaesOaepSha256,
            WrappingAlgorithm::Sm2Pke => WrapAlg::Sm2Pke,
            WrappingAlgorithm::RsaAesKeyWrapSha1 => WrapAlg::RsaAesKeyWrapSha1,
            WrappingAlgorithm::RsaAesKeyWrapSha256 => WrapAlg::RsaAesKeyWrapSha256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(SPECS.len(), KeySpec::ALL.len());
        for (row, spec) in SPECS.iter().zip(KeySpec::ALL) {
            assert_eq!(row.spec, *spec);
            assert_eq!(spec.row().spec, *spec);
            assert!(!row.usages.is_empty());
            assert_eq!(KeySpec::from_wire(spec.as_str()), Some(*spec));
            assert_eq!(row.algorithms.is_empty(), row.kind == KeyKind::Symmetric);
            for algorithm in row.algorithms {
                assert!(row.usages.iter().any(|usage| row.takes(*usage, *algorithm)), "{spec:?} {algorithm:?}");
            }
        }
    }
}
