//! Ed25519 keys of SSH as recipients and identities of age: the stanza `ssh-ed25519` of the tools age and rage.
//!
//! The key is agreed by X25519 with the Montgomery form of the Ed25519 key, and multiplied by a number that follows from the public
//! key. The primitives are those under the crate `age`; what it does so itself stands behind its feature `ssh`, which brings the
//! crate `rsa`. Lines and files are parsed by the crate `ssh-key`, which allocates at most 1 MiB for what a length claims.

use std::{collections::HashSet, fmt, io};

use age::{DecryptError, EncryptError};
use age_core::{
    format::{FILE_KEY_BYTES, FileKey, Stanza},
    primitives::{aead_decrypt, aead_encrypt, hkdf},
    secrecy::ExposeSecret as _,
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use ssh_key::{
    HashAlg,
    public::{Ed25519PublicKey, KeyData},
    sha2::{Digest as _, Sha512},
};
use x25519_dalek::{EphemeralSecret, PublicKey, SharedSecret, StaticSecret};
use zeroize::{Zeroize as _, Zeroizing};

/// Longest line with a public key that is read, in bytes: the key takes 80, the rest is comment.
pub const LINE_BYTES_MAX: usize = 4 * 1024;
/// What the keys and the stanzas call themselves.
pub const KIND: &str = "ssh-ed25519";
/// Sets apart what is derived.
const LABEL: &[u8] = b"age-encryption.org/v1/ssh-ed25519";
/// How many bytes of the key's fingerprint stand in a stanza.
const TAG_BYTES: usize = 4;

/// Why a file does not give a private key; part of a line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("it is of the kind {0}, and only ssh-ed25519 is taken; if age takes it, age -d -i decrypts the share")]
    Kind(String),
    #[error("it is protected by a passphrase; age -d -i asks for that and decrypts the share")]
    Protected,
    #[error("it is damaged, or no ssh-ed25519 key in the format of OpenSSH")]
    Damaged,
}

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    /// `ssh-ed25519 AAAA…`, without a comment.
    line: String,
    /// What the line has in Base64.
    encoded: Vec<u8>,
    /// The first bytes of its SHA-256, in Base64: by these a stanza is found.
    tag: String,
    public: PublicKey,
}

/// The line, without a comment.
impl fmt::Display for Recipient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line.fmt(out)
    }
}

impl Recipient {
    /// From the line of a file `.pub`, with or without a comment. `None`: it is longer than [`LINE_BYTES_MAX`], more than one line,
    /// of another kind, or no key that anybody can have the private half of.
    pub fn from_line(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.len() > LINE_BYTES_MAX || line.contains(['\n', '\r']) {
            return None;
        }
        Self::from_key(*ssh_key::PublicKey::from_openssh(line).ok()?.key_data().ed25519()?)
    }

    fn from_key(key: Ed25519PublicKey) -> Option<Self> {
        let point = CompressedEdwardsY(key.0).decompress()?;
        // Two lines for one point would be two people.
        if point.is_small_order() || point.compress().0 != key.0 {
            return None;
        }
        let key = ssh_key::PublicKey::from(KeyData::Ed25519(key));
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        Some(Self {
            line: key.to_openssh().ok()?,
            encoded: key.to_bytes().ok()?,
            tag: STANDARD_NO_PAD.encode(fingerprint.as_bytes().get(..TAG_BYTES)?),
            public: PublicKey::from(point.to_montgomery().to_bytes()),
        })
    }

    /// The key around a file key. `share`: the ephemeral public key. `None`: nothing of what was agreed is secret.
    fn wrapping_key(&self, share: &PublicKey, agreed: &SharedSecret) -> Option<Zeroizing<[u8; 32]>> {
        if !agreed.was_contributory() {
            return None;
        }
        let tweak = StaticSecret::from(hkdf(&self.encoded, LABEL, &[]));
        let tweaked = tweak.diffie_hellman(&PublicKey::from(*agreed.as_bytes()));
        let salt = [share.to_bytes(), self.public.to_bytes()].concat();
        Some(Zeroizing::new(hkdf(&salt, LABEL, tweaked.as_bytes())))
    }
}

impl age::Recipient for Recipient {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let ephemeral = EphemeralSecret::random();
        let share = PublicKey::from(&ephemeral);
        let key = self.wrapping_key(&share, &ephemeral.diffie_hellman(&self.public));
        let key = key.ok_or_else(|| EncryptError::Io(io::Error::other("nothing secret was agreed")))?;
        let stanza = Stanza {
            tag: KIND.to_owned(),
            args: vec![self.tag.clone(), STANDARD_NO_PAD.encode(share.as_bytes())],
            body: aead_encrypt(&key, file_key.expose_secret()),
        };
        Ok((vec![stanza], HashSet::new()))
    }
}

/// A private key.
pub struct Identity {
    recipient: Recipient,
    secret: StaticSecret,
}

impl Identity {
    /// From a file as `ssh-keygen -t ed25519` makes it without a passphrase.
    ///
    /// # Errors
    /// It is another one.
    pub fn from_openssh(content: &[u8]) -> Result<Self, IdentityError> {
        let key = ssh_key::PrivateKey::from_openssh(content).map_err(|_| IdentityError::Damaged)?;
        if key.algorithm() != ssh_key::Algorithm::Ed25519 {
            return Err(IdentityError::Kind(key.algorithm().to_string()));
        }
        if key.is_encrypted() {
            return Err(IdentityError::Protected);
        }
        let pair = key.key_data().ed25519().ok_or(IdentityError::Damaged)?;
        let secret = secret(pair.private.as_ref());
        if EdwardsPoint::mul_base_clamped(*secret.as_bytes()).compress().0 != pair.public.0 {
            return Err(IdentityError::Damaged);
        }
        let recipient = Recipient::from_key(pair.public).ok_or(IdentityError::Damaged)?;
        Ok(Self { recipient, secret })
    }

    /// The public half.
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    fn unwrap(&self, share: &str, body: &[u8]) -> Option<FileKey> {
        let share: [u8; 32] = STANDARD_NO_PAD.decode(share).ok()?.try_into().ok()?;
        let share = PublicKey::from(share);
        let key = self.recipient.wrapping_key(&share, &self.secret.diffie_hellman(&share))?;
        let opened = Zeroizing::new(aead_decrypt(&key, FILE_KEY_BYTES, body).ok()?);
        FileKey::try_init_with_mut(|file_key| {
            (opened.len() == FILE_KEY_BYTES).then(|| file_key.copy_from_slice(&opened)).ok_or(())
        })
        .ok()
    }
}

impl age::Identity for Identity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != KIND {
            return None;
        }
        let [tag, share] = &stanza.args[..] else { return Some(Err(DecryptError::InvalidHeader)) };
        (*tag == self.recipient.tag).then(|| self.unwrap(share, &stanza.body).ok_or(DecryptError::DecryptionFailed))
    }
}

/// The private key for X25519: half of what RFC 8032 makes of the seed.
fn secret(seed: &[u8; 32]) -> StaticSecret {
    let mut hash = Sha512::digest(seed);
    let mut half = Zeroizing::new([0; 32]);
    half.copy_from_slice(&hash[..32]);
    hash.as_mut_slice().zeroize();
    StaticSecret::from(*half)
}

#[cfg(test)]
pub(super) mod tests;
