//! Shares as the people who hold them bring them: as text, or encrypted to a person in the format of the tool `age`
//! (age-encryption.org/v1), by a key of `age-keygen` or an SSH key of the kind `ssh-ed25519`.

use std::{
    fmt,
    io::{self, Read as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use age::{Decryptor, IdentityFile, armor::ArmoredReader, x25519};
use jomae_crypto::shares::{SHARE_BYTES_MAX, Share, ShareError};
use zeroize::Zeroizing;

use super::ssh;
use crate::files::{self, NotPrivate, Secret};

/// Longest encrypted share that is read, in bytes: text that is armored has some 1.4 times as many as a share, and a head.
pub const SEALED_BYTES_MAX: usize = 8 * 1024;
/// Longest file with identities that is read, in bytes.
pub const IDENTITY_BYTES_MAX: usize = 64 * 1024;
/// So much of a public key that is refused is shown, in characters.
const SHOWN_CHARS: usize = 100;
/// Begin what is encrypted, as text and as bytes.
const HEADS: [&[u8]; 2] = [b"-----BEGIN AGE ENCRYPTED FILE-----", b"age-encryption.org/v1\n"];
/// Begin the public keys of SSH.
const SSH: [&str; 3] = ["ssh-", "ecdsa-", "sk-"];
/// Begins files with private keys of SSH, of any format.
const PEM: &[u8] = b"-----BEGIN ";

/// Why a file does not give a share; one line.
#[derive(Debug, thiserror::Error)]
pub enum ShareFileError {
    #[error("the share in {path}: {source}")]
    Share { path: String, source: ShareError },
    #[error("the share in {path}: {source}")]
    Read { path: String, source: io::Error },
    #[error(
        "the share in {path} is encrypted with age: name the private key of its person with --identity FILE, or decrypt it with age -d"
    )]
    Sealed { path: String },
    #[error("the share in {path} does not open with the identities that are given, or is damaged")]
    OtherIdentity { path: String },
    #[error("{path} has no private key of age, AGE-SECRET-KEY-1…, and none of SSH")]
    NoIdentity { path: String },
    #[error("the SSH key in {path}: {source}")]
    SshKey { path: String, source: ssh::IdentityError },
    #[error("the identity of a person: {0}")]
    Identity(#[from] NotPrivate),
    #[error("a share cannot be encrypted")]
    Sealing,
}

/// Whoever holds a share, by a public key.
#[derive(Clone, PartialEq, Eq)]
pub enum Person {
    Age(x25519::Recipient),
    Ssh(ssh::Recipient),
}

/// The public key as `age-keygen` writes it, or as `ssh-keygen` does, without the comment; it is read again as the same person.
impl fmt::Display for Person {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Age(recipient) => recipient.fmt(out),
            Self::Ssh(recipient) => recipient.fmt(out),
        }
    }
}

impl FromStr for Person {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let shown: String = text.chars().take(SHOWN_CHARS).collect();
        let kind = shown.split_ascii_whitespace().next().unwrap_or_default();
        if kind == ssh::KIND {
            let recipient = ssh::Recipient::from_line(text).map(Self::Ssh);
            return recipient.ok_or_else(|| {
                format!("{shown} is not a public key as ssh-keygen -t ed25519 makes it, ssh-ed25519 AAAA…, in one line")
            });
        }
        if SSH.iter().any(|head| kind.starts_with(head)) {
            return Err(format!(
                "SSH keys of the kind {kind} are not taken: ssh-keygen -t ed25519 makes one that is, and age-keygen a key pair of age"
            ));
        }
        let recipient = x25519::Recipient::from_str(text).map(Self::Age);
        recipient.map_err(|_| {
            format!("{shown} is not a public key as age-keygen makes it, age1…, and none of SSH, ssh-ed25519 AAAA…")
        })
    }
}

impl Person {
    /// Encrypts a share, as text.
    ///
    /// # Errors
    /// The library does not, unless the system's random bytes are worth nothing.
    pub fn seal(&self, share: &[u8]) -> Result<String, ShareFileError> {
        let sealed = match self {
            Self::Age(recipient) => age::encrypt_and_armor(recipient, share),
            Self::Ssh(recipient) => age::encrypt_and_armor(recipient, share),
        };
        sealed.map_err(|_| ShareFileError::Sealing)
    }
}

/// The private keys of people, which open shares that are encrypted.
#[derive(Default)]
pub struct Identities(Vec<Box<dyn age::Identity>>);

impl Identities {
    /// Those in files, as `age-keygen` or `ssh-keygen` makes them.
    ///
    /// # Errors
    /// A file is not there, can be read by others, or has no private key that is taken.
    pub fn read(paths: &[PathBuf]) -> Result<Self, ShareFileError> {
        let mut all = Vec::new();
        for path in paths {
            let content = files::read_secret(path, Secret::Configured, IDENTITY_BYTES_MAX)?;
            all.extend(Self::in_file(path, &content)?.0);
        }
        Ok(Self(all))
    }

    /// Those in the content of a file of at most [`IDENTITY_BYTES_MAX`], at least one. `path`: for the error.
    ///
    /// # Errors
    /// It has none that is taken.
    pub fn in_file(path: &Path, content: &[u8]) -> Result<Self, ShareFileError> {
        let shown = || path.display().to_string();
        let is_ssh = content.trim_ascii_start().starts_with(PEM) && !is_sealed(content);
        if is_ssh {
            let identity = ssh::Identity::from_openssh(content);
            let identity = identity.map_err(|source| ShareFileError::SshKey { path: shown(), source })?;
            return Ok(Self(vec![Box::new(identity)]));
        }
        let none = || ShareFileError::NoIdentity { path: shown() };
        let file = IdentityFile::from_buffer(content).map_err(|_| none())?;
        let found = file.into_identities().map_err(|_| none())?;
        if found.is_empty() { Err(none()) } else { Ok(Self(found)) }
    }

    /// Decrypts a share, if one of these opens it and it is no longer than a share is.
    pub fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if sealed.len() > SEALED_BYTES_MAX {
            return None;
        }
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(sealed.trim_ascii_start())).ok()?;
        let reader = decryptor.decrypt(self.0.iter().map(Box::as_ref)).ok()?;
        // Not moved while it grows.
        let mut share = Zeroizing::new(Vec::with_capacity(SHARE_BYTES_MAX + 1));
        reader.take(SHARE_BYTES_MAX as u64 + 1).read_to_end(&mut share).ok()?;
        (share.len() <= SHARE_BYTES_MAX).then_some(share)
    }

    /// The share in the content of a file of at most [`SEALED_BYTES_MAX`]. `path`: for the error.
    ///
    /// # Errors
    /// It is none, or none of these opens it.
    pub fn share(&self, path: &Path, content: Zeroizing<Vec<u8>>) -> Result<Share, ShareFileError> {
        let shown = || path.display().to_string();
        let text = match (is_sealed(&content), self.0.is_empty()) {
            (false, _) => content,
            (true, true) => return Err(ShareFileError::Sealed { path: shown() }),
            (true, false) => self.open(&content).ok_or_else(|| ShareFileError::OtherIdentity { path: shown() })?,
        };
        Share::from_text(&text).map_err(|source| ShareFileError::Share { path: shown(), source })
    }
}

impl From<Box<dyn age::Identity>> for Identities {
    fn from(one: Box<dyn age::Identity>) -> Self {
        Self(vec![one])
    }
}

/// Whether a share is encrypted.
pub fn is_sealed(share: &[u8]) -> bool {
    let share = share.trim_ascii_start();
    HEADS.iter().any(|head| share.starts_with(head))
}
