//! What a backup says of itself, in clear: enough to find what opens it, and no name of anything.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_core::root::Slots;
use jomae_crypto::{hash::sha256, root::RootMaterial, secret::Key256, wrap};
use jomae_log::{Signer, VerifierKey};
use serde::{Deserialize, Serialize};

/// Largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 1024 * 1024;
/// The form that this version writes.
pub const FORMAT: u32 = 1;
/// The first line of what is signed.
const SIGNED_LABEL: &str = "jomae backup v1";

/// The manifest of a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The name of the backup: when it was made, and 8 hexadecimal digits.
    pub id: String,
    /// In Unix seconds.
    pub made: i64,
    /// The version that has made it.
    pub version: String,
    /// `sqlite`, or `etcd` with the name of the node whose audit log is in it.
    pub store: String,
    pub node: Option<String>,
    /// The backup that this one goes on from; none if it is whole.
    pub base: Option<Base>,
    /// How many backups it goes on from, with those before them.
    pub depth: u32,
    /// The revision of the store.
    pub revision: u64,
    /// Records of the store; how many of them are in this backup, and how many it says are gone.
    pub records: u64,
    pub written: u64,
    pub gone: u64,
    /// By what the root key is told from others.
    pub root_id: String,
    /// The slots of the root key as they stand in the store. None in a store without slots, whose provider and its parameters
    /// follow.
    pub slots: Option<String>,
    pub direct: Option<(String, String)>,
    /// The key of the objects, wrapped under the root key: Base64.
    pub key: String,
    /// A text sealed under the domain key, and the SHA-256 of it, in hexadecimal: whoever opens it has really restored.
    pub canary: (String, String),
    pub objects: Vec<Object>,
    /// The audit log: its name and public key, and how many events the newest checkpoint covers.
    pub log: Option<LogHead>,
}

/// Another backup, and what its manifest was: SHA-256 in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    pub id: String,
    pub digest: String,
}

/// An object of a backup, as it lies there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Object {
    pub name: String,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogHead {
    pub key: String,
    pub size: u64,
}

/// A manifest as it is stored: its text, with what vouches for it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    manifest: String,
    /// The seal of the root key over the text: Base64.
    seal: String,
    /// A note signed with the key of the audit log, and with that of backups.
    note: Option<String>,
}

/// Why a manifest is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("its manifest cannot be read: it is damaged")]
    Unreadable,
    #[error("it was made by a newer version, in form {0}; this one reads {FORMAT}")]
    Newer(u32),
    #[error("its manifest is not what the holder of the root key has made: it is forged or damaged")]
    Forged,
}

impl Manifest {
    /// Signs a manifest: with the root key, and with those of the log and of backups, if there are any.
    pub(super) fn sign(
        &self,
        root: &RootMaterial,
        log: Option<&Signer>,
        backups: Option<&Signer>,
    ) -> Result<Vec<u8>, String> {
        let text = serde_json::to_string(self).map_err(|error| error.to_string())?;
        let seal = wrap::seal_backup_manifest(root.key(), text.as_bytes()).map_err(|error| error.to_string())?;
        let note = log.map(|log| {
            let note = log.sign(&noted(&self.id, &text))?;
            backups.map_or(Ok(note.clone()), |backups| backups.cosign(&note))
        });
        let note = note.transpose().map_err(|error| error.to_string())?;
        serde_json::to_vec(&Signed { manifest: text, seal: STANDARD.encode(seal), note })
            .map_err(|error| error.to_string())
    }

    /// The root key's slots.
    pub(super) fn slots(&self) -> Result<Option<Slots>, ManifestError> {
        let slots = self.slots.as_ref().map(|text| Slots::from_bytes(text.as_bytes()));
        slots.transpose().map_err(|_| ManifestError::Unreadable)
    }

    /// The key of the objects.
    pub(super) fn data_key(&self, root: &RootMaterial) -> Result<Key256, ManifestError> {
        let wrapped = STANDARD.decode(&self.key).map_err(|_| ManifestError::Unreadable)?;
        wrap::unwrap_backup_key(root.key(), &self.id, &wrapped).map_err(|_| ManifestError::Forged)
    }
}

fn noted(id: &str, text: &str) -> String {
    format!("{SIGNED_LABEL}\n{id}\n{}\n", hex::encode(sha256(&[text.as_bytes()])))
}

impl Signed {
    /// Reads a manifest. Nobody has vouched for it yet.
    ///
    /// # Errors
    /// Longer than [`MANIFEST_BYTES_MAX`], not of its form, or of a newer one.
    pub fn read(bytes: &[u8]) -> Result<(Self, Manifest), ManifestError> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::Unreadable);
        }
        let signed: Self = serde_json::from_slice(bytes).map_err(|_| ManifestError::Unreadable)?;
        let form: Form = serde_json::from_str(&signed.manifest).map_err(|_| ManifestError::Unreadable)?;
        if form.format != FORMAT {
            return Err(ManifestError::Newer(form.format));
        }
        let manifest = serde_json::from_str(&signed.manifest).map_err(|_| ManifestError::Unreadable)?;
        Ok((signed, manifest))
    }

    /// Whether the holder of the root key has made it.
    pub(super) fn check(&self, root: &RootMaterial) -> Result<(), ManifestError> {
        let seal = STANDARD.decode(&self.seal).map_err(|_| ManifestError::Forged)?;
        wrap::check_backup_manifest(root.key(), self.manifest.as_bytes(), &seal).map_err(|_| ManifestError::Forged)
    }

    /// Whether the key of a log, or that of backups, has signed it.
    pub(super) fn is_signed_by(&self, id: &str, key: &VerifierKey) -> bool {
        let opened = self.note.as_ref().and_then(|note| jomae_log::note::open(note, &[key]).ok());
        opened.is_some_and(|text| text == noted(id, &self.manifest))
    }

    /// By what the next backup knows this one again.
    pub(super) fn digest(&self) -> String {
        let mut digest = String::with_capacity(64);
        for byte in sha256(&[self.manifest.as_bytes()]) {
            let _ = write!(digest, "{byte:02x}");
        }
        digest
    }
}
