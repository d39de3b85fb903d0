//! Backups: everything of a service in a directory or a bucket, encrypted, so that whoever steals one sees no names either;
//! whole, or only what has changed since the last one.
//!
//! A place holds any number of backups, each under a name of its own. An object that lies there never changes; the manifest
//! comes last, so what has none was not finished.
//!
//! | object | content ([`frames`]) |
//! |---|---|
//! | `records` | the records of one moment, sealed as they stand in the store |
//! | `log` | the files of the audit log, read after the records |
//! | `identity` | `env` and the private certificate authority, if there are any |
//! | `manifest` | [`manifest::Manifest`], in clear, sealed with the root key and signed with the key of the log and with that of backups |
//!
//! The objects have a key of their own, wrapped under the root key; the manifest has the slots of the root key too, so that a
//! provider is all that a restore needs.

mod chain;
mod create;
mod drill;
pub mod frames;
pub mod manifest;
pub(crate) mod record;
mod restore;
pub(crate) mod schedule;
pub(crate) mod signer;
mod stream;
mod trust;

use std::{
    io,
    path::{Path, PathBuf},
};

use jomae_api::time::Timestamp;
use jomae_core::error::Fault;
use jomae_log::{FileError, archive::Archive};

use crate::{
    audit,
    config::{BackupConfig, Config, ConfigError},
    operate::{OperateError, copy::CopyError},
    root_key::RootKeyError,
    shredding::ShreddingError,
    store::BackupError as FileBackupError,
};
pub(crate) use chain::newest;
pub use chain::{Checked, Choice, Listed, list, verify};
pub use create::{Made, Source, create};
pub use drill::{Drill, check_report, drill};
pub use restore::{Wish, restore};
pub use trust::{Whose, expect_copy_is_ours};

const RECORDS: &str = "records";
const LOG: &str = "log";
const IDENTITY: &str = "identity";
const MANIFEST: &str = "manifest";

/// Why there is no backup, or none that can be read; one line.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("no place is named: backup.to in the configuration, or --to and --from")]
    NoPlace,
    #[error("backup.{0}")]
    Place(String),
    #[error("{place}: {source}")]
    Archive { place: String, source: io::Error },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("there is no backup in {0}")]
    None(String),
    #[error("there is no backup in {place} that was made at {at} or before; the oldest there is {oldest}")]
    NoneBefore { place: String, at: Timestamp, oldest: String },
    #[error("there is no backup {id} in {place}")]
    NotThere { place: String, id: String },
    #[error("backup {id}: {source}")]
    Manifest { id: String, source: manifest::ManifestError },
    #[error("backup {id}: {what}: {source}")]
    Object { id: String, what: &'static str, source: io::Error },
    #[error("backup {id}: {what} is not what was written: it is damaged, or was exchanged")]
    Exchanged { id: String, what: String },
    #[error("backup {id} goes on from {base}, which {why}")]
    Base { id: String, base: String, why: &'static str },
    #[error("backup {id} holds {what}, which no backup has: it was not made by this program")]
    Odd { id: String, what: String },
    #[error(
        "this backup needs the root key {root_id}, and what is given is that of another store, or the backup is damaged"
    )]
    OtherRootKey { root_id: String },
    #[error("this backup needs the root key {root_id}, and what is given does not lead to it: {source}")]
    RootKey { root_id: String, source: RootKeyError },
    #[error(
        "backup {0} is not signed with the key of an audit log: whoever can write where it lies may have made it; \
         --accept-unknown-log takes it all the same"
    )]
    Unsigned(String),
    #[error(
        "backup {id} is of another service, or of another log of this one: it is signed with {key}, and what is known is {known}"
    )]
    OtherLog { id: String, key: String, known: String },
    #[error(
        "backup {id} is signed with the key of the audit log {key}, and nothing here says whether that is this service's: whoever can \
         write where it lies may have put one of his own there. Compare the key with the one that you keep (docs/tasks/backup.md), and \
         then say --log-key {key}"
    )]
    UnknownLog { id: String, key: String },
    #[error(
        "backup {id} opens with {slot}, and is not signed with the key of backups that {slot} vouches for: whoever can write where it \
         lies may have made it. It is signed with the key of the audit log {key}; if you keep the same as this service's, say --log-key {key}"
    )]
    NotVouched { id: String, slot: String, key: String },
    #[error("backup {0}: what was planted in it does not open; it would not restore")]
    Canary(String),
    #[error("backup {id}: {problem}")]
    Record { id: String, problem: String },
    #[error("the audit log: {0}")]
    Log(String),
    #[error(transparent)]
    Shredding(#[from] ShreddingError),
    #[error(transparent)]
    Operate(#[from] OperateError),
    #[error(transparent)]
    ToEtcd(#[from] CopyError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Files(#[from] FileError),
    #[error(transparent)]
    Copy(#[from] FileBackupError),
    #[error("{0}")]
    Fault(#[from] Fault),
    #[error("{0}")]
    Other(String),
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { path, source }
}

/// Where backups are, opened. Whatever is done with it may block.
pub struct Place {
    archive: Box<dyn Archive>,
    address: String,
    /// Directories that were made for it, the innermost first.
    made: Vec<PathBuf>,
}

impl Place {
    /// The place that is named, or else that of the configuration. A directory that is named has nothing to do with the
    /// configuration's bucket. `makes_new`: a directory that is not there is made.
    ///
    /// # Errors
    /// There is none, or it cannot be one. Nobody is asked yet.
    pub fn open(config: &Config, named: Option<&str>, makes_new: bool) -> Result<Self, BackupError> {
        let to = named.or(config.backup.to.as_deref()).ok_or(BackupError::NoPlace)?;
        let is_bucket = to.starts_with("s3://");
        let mut settings = match named {
            Some(to) if !is_bucket => BackupConfig::default().archive(to),
            _ => config.backup.archive(to),
        };
        if !is_bucket {
            settings.to = std::path::absolute(to).map_err(io_error(Path::new(to)))?.display().to_string();
        }
        settings.place().map_err(BackupError::Place)?;
        let mut made = Vec::new();
        if makes_new && !is_bucket {
            let dir = Path::new(&settings.to);
            let is_missing = |dir: &&Path| crate::files::about(dir).is_err();
            made = dir.ancestors().take_while(is_missing).map(Path::to_owned).collect();
            crate::files::make_dir(dir).map_err(io_error(dir))?;
        }
        let archive = audit::open_archive(&settings, None);
        let archive = archive.map_err(|source| BackupError::Archive { place: settings.to.clone(), source })?;
        Ok(Self { archive, address: settings.to, made })
    }

    /// After a refusal: what was made for it goes again, unless something is in it.
    fn unmake(&mut self) {
        for dir in self.made.drain(..) {
            let _ = std::fs::remove_dir(dir);
        }
    }

    fn failed(&self) -> impl Fn(io::Error) -> BackupError + use<> {
        let place = self.address.clone();
        move |source| BackupError::Archive { place: place.clone(), source }
    }

    /// The names of all backups, the oldest first, finished or not.
    fn ids(&mut self) -> Result<Vec<String>, BackupError> {
        let failed = self.failed();
        let mut ids = self.archive.logs().map_err(failed)?;
        ids.retain(|id| is_id(id));
        ids.sort();
        Ok(ids)
    }
}

/// Whether a directory is named as backups are: `20261129T062233Z-0123abcd`.
fn is_id(name: &str) -> bool {
    let shape = b"00000000T000000Z-xxxxxxxx";
    name.len() == shape.len()
        && name.bytes().zip(shape).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            other => byte == *other,
        })
}

#[cfg(test)]
mod tests;
