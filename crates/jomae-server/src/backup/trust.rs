//! Whose a backup is. That it opens does not say so.
//!
//! Each slot of a root key has a public half, so that the root key can be changed without the people who hold shares. It stands in every
//! manifest, and whoever has read one can seal a root key of his own to it, with a deployment of his own under that. The
//! seal of a manifest proves only that it belongs to the root key that comes with it. So a backup is taken if its manifest is signed with the
//! key of an audit log that is known from somewhere else, or with the key of backups for which the slot vouches that has opened
//! it: nobody can make that who has not its provider's key. The manifests that it goes on from are named in it by their digests.

use std::path::Path;

use jomae_log::{Checkpoint, VerifierKey, verify::files::read_key};

use super::{BackupError, Wish, chain::Chain, io_error};
use crate::{bootstrap::audit_dir, config::Config, files};

/// Largest file of a witness that is read, in bytes.
pub(super) const WITNESS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Whose backups are taken.
#[derive(Clone, Debug, Default)]
pub enum Whose {
    /// This service's, by what is known here: the key of the log in the data directory; else what the witness of the configuration
    /// has seen, which nobody signs with another key; else the key of backups for which the slot vouches that has opened it.
    #[default]
    Ours,
    /// Those that one of these keys of audit logs has signed.
    SignedBy(Vec<VerifierKey>),
    /// All.
    Anybodys,
}

/// Refuses a backup of which nothing says that it is whose it must be.
///
/// # Errors
/// It is not signed, or by another log, or nothing is known.
pub(super) fn expect_ours(chain: &Chain, config: &Config, wish: &Wish) -> Result<(), BackupError> {
    let vouched = || Ok(chain.is_vouched()?.map(|is_signed| (is_signed, chain.holder.name())));
    expect_known(&chain.newest()?.id, || Ok(chain.signed_by()), vouched, config, wish)
}

/// The same of a copy of store and log, as versions before have made them: its log must be ours. Whether the store goes with it is
/// found out by the restore.
///
/// # Errors
/// As for a backup.
pub fn expect_copy_is_ours(copy: &Path, config: &Config, wish: &Wish) -> Result<(), BackupError> {
    let signed_by = || {
        let log = audit_dir(copy);
        let key = read_key(&log).map_err(|error| BackupError::Log(error.to_string()))?;
        let note = jomae_log::newest_note(&log).map_err(io_error(&log))?;
        Ok(key.filter(|key| note.is_some_and(|note| Checkpoint::open(&note, key).is_ok())))
    };
    expect_known(&copy.display().to_string(), signed_by, || Ok(None), config, wish)
}

/// `vouched`: whether it is signed as the slot vouches for that has opened it, and the slot; none: it vouches for nothing.
fn expect_known<'s>(
    id: &str,
    signed_by: impl FnOnce() -> Result<Option<VerifierKey>, BackupError>,
    vouched: impl FnOnce() -> Result<Option<(bool, &'s str)>, BackupError>,
    config: &Config,
    wish: &Wish,
) -> Result<(), BackupError> {
    let keys = match &wish.whose {
        Whose::Anybodys => return Ok(()),
        Whose::SignedBy(keys) => Some(keys),
        Whose::Ours => None,
    };
    let Some(key) = signed_by()? else { return Err(BackupError::Unsigned(id.to_owned())) };
    let expect = |is_ours: bool, known: String| {
        if is_ours { Ok(()) } else { Err(BackupError::OtherLog { id: id.to_owned(), key: key.to_string(), known }) }
    };
    if let Some(keys) = keys {
        let known: Vec<String> = keys.iter().map(VerifierKey::to_string).collect();
        return expect(keys.contains(&key), known.join(", "));
    }
    let log = audit_dir(&config.data_dir);
    if let Some(live) = read_key(&log).map_err(|error| BackupError::Log(error.to_string()))? {
        return expect(live == key, format!("{live}, of the log in {}", log.display()));
    }
    if let Some(witness) = &config.audit.witness_file {
        let content = files::read_configured(witness, WITNESS_BYTES_MAX).map_err(io_error(witness))?;
        let content = String::from_utf8_lossy(&content);
        let (notes, _) = jomae_log::checkpoint::split_file(&content);
        if !notes.is_empty() {
            let has_seen = notes.iter().any(|note| Checkpoint::open(note, &key).is_ok());
            return expect(has_seen, format!("that of the checkpoints in {}", witness.display()));
        }
    }
    match vouched()? {
        Some((true, _)) => return Ok(()),
        Some((false, slot)) => {
            let (slot, key) = (slot.to_owned(), key.to_string());
            return Err(BackupError::NotVouched { id: id.to_owned(), slot, key });
        }
        None => {}
    }
    Err(BackupError::UnknownLog { id: id.to_owned(), key: key.to_string() })
}
