//! What kinds of keys a token may hold, and what it does with them.

use jomae_crypto::{
    asym::{AsymSpec, EncAlg, SignAlg},
    mac::MacAlg,
    sym::Cipher,
};
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($kind:ident),+) => {
        /// A kind of key, as the token is asked for it. RSA keys either sign or decrypt.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum Kind {
            $($kind),+
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind),+];
        }
    };
}

kinds!(
    Aes128,
    Aes192,
    Aes256,
    Rsa2048Sign,
    Rsa3072Sign,
    Rsa4096Sign,
    Rsa2048Decrypt,
    Rsa3072Decrypt,
    Rsa4096Decrypt,
    EcP256,
    EcP384,
    EcP521,
    EcP256K,
    Ed25519,
    HmacSha224,
    HmacSha256,
    HmacSha384,
    HmacSha512
);

/// What a kind is in the terms of PKCS#11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Aes { bytes: usize },
    Rsa { bits: u16, signs: bool },
    Ec(Curve),
    Ed25519,
    Hmac(Hash),
}

/// A curve for ECDSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
    P256K,
}

/// The hash of an HMAC. Keys are as long as it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl Curve {
    /// Bytes of a coordinate, and of each half of a signature.
    pub const fn bytes(self) -> usize {
        match self {
            Self::P256 | Self::P256K => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

impl Kind {
    pub(crate) const fn shape(self) -> Shape {
        match self {
            Self::Aes128 => Shape::Aes { bytes: 16 },
            Self::Aes192 => Shape::Aes { bytes: 24 },
            Self::Aes256 => Shape::Aes { bytes: 32 },
            Self::Rsa2048Sign => Shape::Rsa { bits: 2048, signs: true },
            Self::Rsa3072Sign => Shape::Rsa { bits: 3072, signs: true },
            Self::Rsa4096Sign => Shape::Rsa { bits: 4096, signs: true },
            Self::Rsa2048Decrypt => Shape::Rsa { bits: 2048, signs: false },
            Self::Rsa3072Decrypt => Shape::Rsa { bits: 3072, signs: false },
            Self::Rsa4096Decrypt => Shape::Rsa { bits: 4096, signs: false },
            Self::EcP256 => Shape::Ec(Curve::P256),
            Self::EcP384 => Shape::Ec(Curve::P384),
            Self::EcP521 => Shape::Ec(Curve::P521),
            Self::EcP256K => Shape::Ec(Curve::P256K),
            Self::Ed25519 => Shape::Ed25519,
            Self::HmacSha224 => Shape::Hmac(Hash::Sha224),
            Self::HmacSha256 => Shape::Hmac(Hash::Sha256),
            Self::HmacSha384 => Shape::Hmac(Hash::Sha384),
            Self::HmacSha512 => Shape::Hmac(Hash::Sha512),
        }
    }

    /// Of a symmetric key; none for SM4, whose mechanism is a vendor's own.
    pub const fn of_cipher(cipher: Cipher) -> Option<Self> {
        match cipher {
            Cipher::Aes128 => Some(Self::Aes128),
            Cipher::Aes192 => Some(Self::Aes192),
            Cipher::Aes256 => Some(Self::Aes256),
            Cipher::Sm4 => None,
        }
    }

    /// Of a key pair that signs, or that decrypts. None for SM2, which tokens sign with as if it were plain ECDSA, for
    /// post-quantum keys, and for curves that do not decrypt.
    pub const fn of_pair(spec: AsymSpec, signs: bool) -> Option<Self> {
        Some(match (spec, signs) {
            (AsymSpec::Rsa2048, true) => Self::Rsa2048Sign,
            (AsymSpec::Rsa3072, true) => Self::Rsa3072Sign,
            (AsymSpec::Rsa4096, true) => Self::Rsa4096Sign,
            (AsymSpec::Rsa2048, false) => Self::Rsa2048Decrypt,
            (AsymSpec::Rsa3072, false) => Self::Rsa3072Decrypt,
            (AsymSpec::Rsa4096, false) => Self::Rsa4096Decrypt,
            (AsymSpec::EcP256, true) => Self::EcP256,
            (AsymSpec::EcP384, true) => Self::EcP384,
            (AsymSpec::EcP521, true) => Self::EcP521,
            (AsymSpec::EcP256K, true) => Self::EcP256K,
            (AsymSpec::Ed25519, true) => Self::Ed25519,
            _ => return None,
        })
    }

    /// Of a key for MACs; none for SM3, and for what no key is for.
    pub const fn of_mac(mac: MacAlg) -> Option<Self> {
        match mac {
            MacAlg::Sha224 => Some(Self::HmacSha224),
            MacAlg::Sha256 => Some(Self::HmacSha256),
            MacAlg::Sha384 => Some(Self::HmacSha384),
            MacAlg::Sha512 => Some(Self::HmacSha512),
            MacAlg::Sha1 | MacAlg::Sm3 => None,
        }
    }

    /// Bytes of a key that is nothing but random bytes.
    pub(crate) const fn material_bytes(self) -> Option<usize> {
        match self.shape() {
            Shape::Aes { bytes } => Some(bytes),
            Shape::Hmac(hash) => Some(hash.bytes()),
            _ => None,
        }
    }

    /// What it is among key pairs.
    pub(crate) const fn pair(self) -> Option<AsymSpec> {
        Some(match self.shape() {
            Shape::Rsa { bits: 2048, .. } => AsymSpec::Rsa2048,
            Shape::Rsa { bits: 3072, .. } => AsymSpec::Rsa3072,
            Shape::Rsa { .. } => AsymSpec::Rsa4096,
            Shape::Ec(Curve::P256) => AsymSpec::EcP256,
            Shape::Ec(Curve::P384) => AsymSpec::EcP384,
            Shape::Ec(Curve::P521) => AsymSpec::EcP521,
            Shape::Ec(Curve::P256K) => AsymSpec::EcP256K,
            Shape::Ed25519 => AsymSpec::Ed25519,
            Shape::Aes { .. } | Shape::Hmac(_) => return None,
        })
    }
}

/// What is done with a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of jomae-crypto")]
pub enum Algorithm {
    RsaPssSha256,
    RsaPkcs1Sha256,
    Ecdsa,
    Ed25519,
    RsaesOaepSha1,
    RsaesOaepSha256,
}

impl Algorithm {
    /// None for what no token does.
    pub const fn of_signature(algorithm: SignAlg) -> Option<Self> {
        match algorithm {
            SignAlg::RsaPssSha256 => Some(Self::RsaPssSha256),
            SignAlg::RsaPkcs1Sha256 => Some(Self::RsaPkcs1Sha256),
            SignAlg::EcdsaSha256 | SignAlg::EcdsaSha384 | SignAlg::EcdsaSha512 => Some(Self::Ecdsa),
            SignAlg::Ed25519 => Some(Self::Ed25519),
            SignAlg::Sm2Dsa | SignAlg::MlDsa65 => None,
        }
    }

    /// None for what no token does.
    pub const fn of_encryption(algorithm: EncAlg) -> Option<Self> {
        match algorithm {
            EncAlg::RsaesOaepSha1 => Some(Self::RsaesOaepSha1),
            EncAlg::RsaesOaepSha256 => Some(Self::RsaesOaepSha256),
            EncAlg::Sm2Pke => None,
        }
    }
}
