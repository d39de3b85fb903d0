//! The two directories of the shredding keys: for use, and for recovery.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use jomae_api::time::Timestamp;
use jomae_core::shredding::record::{EscrowFile, FILE_BYTES_MAX, KeyFile, KeyFileError, ShreddingRecord};
use jomae_crypto::shredding::ShreddingKeyId;

use crate::{
    config::DestructionConfig,
    files::{self, NotPrivate, Secret},
};

/// Stands in the directory for recovery, so that an empty mount point is not taken for it.
const MARKER: &str = "jomae-escrow";
const MARKER_TEXT: &[u8] =
    b"Shredding keys of Jomae, sealed for recovery by shares. Not to be copied: see docs/tasks/destruction.md.\n";
/// Stands in each of the two, as the store remembers it: so nodes of a cluster know that they share them.
const PLACE: &str = "jomae-place";
/// Longest content of it, in bytes: a number, and the line of a set of shares.
const PLACE_BYTES_MAX: usize = FILE_BYTES_MAX;
/// Longest tombstone, in bytes.
const TOMBSTONE_BYTES_MAX: usize = 64;

/// Why shredding keys cannot be used; one line.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    NotPrivate(#[from] NotPrivate),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: KeyFileError },
    #[error(
        "{0}: there is no {MARKER} in it, so it is not the place for the recovery of shredding keys: is it mounted?"
    )]
    NoEscrow(String),
    #[error(
        "{dir} is not the directory of shredding keys that the other nodes have: {}. All nodes must share it: is it mounted?",
        if *.is_marked { "its jomae-place is another one than the store knows of" } else { "there is no jomae-place in it" }
    )]
    Another { dir: String, is_marked: bool },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> PlaceError {
    let path = path.to_owned();
    move |source| PlaceError::Io { path, source }
}

/// Where shredding keys are. Whatever is done with it may block.
#[derive(Clone, Debug)]
pub struct Places {
    pub keys: PathBuf,
    pub escrow: PathBuf,
}

impl Places {
    /// Those of a configuration, if it names them.
    pub fn of(config: &DestructionConfig) -> Option<Self> {
        let (keys, escrow) = (config.keys_dir.clone()?, config.escrow_dir.clone()?);
        Some(Self { keys, escrow })
    }

    fn key_path(&self, id: ShreddingKeyId) -> PathBuf {
        self.keys.join(format!("{id}.key"))
    }

    fn escrow_path(&self, id: ShreddingKeyId) -> PathBuf {
        self.escrow.join(format!("{id}.escrow"))
    }

    /// Where a key is kept, for use and for recovery.
    pub(super) fn files(&self, id: ShreddingKeyId) -> [PathBuf; 2] {
        [self.key_path(id), self.escrow_path(id)]
    }

    fn tombstone(&self, id: ShreddingKeyId) -> PathBuf {
        self.keys.join(format!("{id}.destroyed"))
    }

    /// Begins to use the directory for recovery.
    pub fn begin_escrow(&self) -> Result<(), PlaceError> {
        make_lasting_dir(&self.escrow)?;
        let path = self.escrow.join(MARKER);
        files::write_private(&path, MARKER_TEXT).map_err(io_error(&path))
    }

    /// Whether there is no directory for recovery at all, not even a place at which one is mounted.
    pub fn has_no_escrow(&self) -> bool {
        is_missing(&self.escrow)
    }

    /// Whether the directory for recovery is there, and not only the place at which it is mounted.
    pub fn expect_escrow(&self) -> Result<(), PlaceError> {
        match files::about_followed(&self.escrow.join(MARKER)) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(PlaceError::NoEscrow(self.escrow.display().to_string()))
            }
            Err(error) => Err(io_error(&self.escrow)(error)),
        }
    }

    /// Whether these are the directories that the store remembers, if it remembers any.
    pub fn prove(&self, record: &ShreddingRecord) -> Result<(), PlaceError> {
        self.prove_keys(record)?;
        self.prove_escrow(record)
    }

    /// As [`Places::prove`], for the directory for use.
    pub fn prove_keys(&self, record: &ShreddingRecord) -> Result<(), PlaceError> {
        let Some(place) = &record.keys_place else { return Ok(()) };
        expect_place(&self.keys, |found| found == place)
    }

    /// As [`Places::prove`], for the directory for recovery.
    pub fn prove_escrow(&self, record: &ShreddingRecord) -> Result<(), PlaceError> {
        let Some(place) = &record.escrow_place else { return Ok(()) };
        let Some(pending) = record.pending() else { return expect_place(&self.escrow, |found| found == place) };
        // With new shares, another directory may begin: one that was not there.
        if self.has_no_escrow() {
            return Ok(());
        }
        expect_place(&self.escrow, |found| found == place || found.ends_with(&of_shares(&pending.set)))
    }

    /// What stands in the directory for use; it is put there now if nothing does.
    pub fn claim_keys(&self) -> Result<String, PlaceError> {
        make_lasting_dir(&self.keys)?;
        claim(&self.keys, "")
    }

    /// What stands in the directory for recovery, which was begun for these shares; it is put there now if nothing does.
    pub fn claim_escrow(&self, set: &str) -> Result<String, PlaceError> {
        self.expect_escrow()?;
        claim(&self.escrow, &of_shares(set))
    }

    /// Keeps a key for recovery.
    pub fn keep_escrow(&self, file: &EscrowFile) -> Result<(), PlaceError> {
        self.expect_escrow()?;
        let path = self.escrow_path(file.id);
        let bytes = file.to_bytes().map_err(|fault| io_error(&path)(io::Error::other(fault.to_string())))?;
        files::write_private(&path, &bytes).map_err(io_error(&path))?;
        // Another node, which was held up, may have written at the same moment.
        match self.escrow(file.id)? {
            Some(there) if there == *file => Ok(()),
            _ => Err(io_error(&path)(io::Error::other("another process has written it at the same time"))),
        }
    }

    /// Keeps a key for use.
    pub fn keep_key(&self, file: &KeyFile) -> Result<(), PlaceError> {
        make_lasting_dir(&self.keys)?;
        let path = self.key_path(file.id);
        let bytes = file.to_bytes().map_err(|fault| io_error(&path)(io::Error::other(fault.to_string())))?;
        files::write_private(&path, &bytes).map_err(io_error(&path))
    }

    /// A key for use, if it is there.
    pub fn key(&self, id: ShreddingKeyId) -> Result<Option<KeyFile>, PlaceError> {
        let path = self.key_path(id);
        let bytes = match files::read_secret(&path, Secret::Configured, FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(NotPrivate::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let file = KeyFile::from_bytes(&bytes);
        // One that was renamed is not the one that is looked for.
        let file = file.and_then(|file| if file.id == id { Ok(file) } else { Err(KeyFileError::NotAKey) });
        file.map(Some).map_err(|source| PlaceError::File { path, source })
    }

    /// A key for recovery, if it is there.
    pub fn escrow(&self, id: ShreddingKeyId) -> Result<Option<EscrowFile>, PlaceError> {
        let path = self.escrow_path(id);
        let bytes = match files::read_configured(&path, FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // An empty place at which nothing is mounted says nothing of the key.
                self.expect_escrow()?;
                return Ok(None);
            }
            Err(error) => return Err(io_error(&path)(error)),
        };
        let file = EscrowFile::from_bytes(&bytes);
        let file = file.and_then(|file| if file.id == id { Ok(file) } else { Err(KeyFileError::NotAKey) });
        file.map(Some).map_err(|source| PlaceError::File { path, source })
    }

    /// The IDs of all keys for use.
    pub fn list(&self) -> Result<Vec<ShreddingKeyId>, PlaceError> {
        let entries = match fs::read_dir(&self.keys) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error(&self.keys)(error)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(io_error(&self.keys))?.file_name();
            let id = name.to_str().and_then(|name| ShreddingKeyId::from_text(name.strip_suffix(".key")?));
            ids.extend(id);
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Destroys a key in both places, and leaves a note of it. What is gone already is destroyed.
    pub fn destroy(&self, id: ShreddingKeyId, at: Timestamp) -> Result<(), PlaceError> {
        self.expect_escrow()?;
        for path in self.files(id).into_iter().rev() {
            wipe(&path).map_err(io_error(&path))?;
        }
        let path = self.tombstone(id);
        if files::about(&path).is_ok() {
            return Ok(());
        }
        files::make_dir(&self.keys).map_err(io_error(&self.keys))?;
        files::write_private(&path, format!("{at}\n").as_bytes()).map_err(io_error(&path))
    }

    /// When a key was destroyed, as the note says; for people.
    pub fn destroyed(&self, id: ShreddingKeyId) -> Option<String> {
        let text = files::read_configured(&self.tombstone(id), TOMBSTONE_BYTES_MAX).ok()?;
        let text = std::str::from_utf8(&text).ok()?.trim();
        Timestamp::parse(text).map(|at| at.to_string())
    }
}

fn of_shares(set: &str) -> String {
    format!(" {set}")
}

fn expect_place(dir: &Path, is_it: impl FnOnce(&str) -> bool) -> Result<(), PlaceError> {
    let found = place(dir)?;
    match &found {
        Some(found) if is_it(found) => Ok(()),
        _ => Err(PlaceError::Another { dir: dir.display().to_string(), is_marked: found.is_some() }),
    }
}

fn place(dir: &Path) -> Result<Option<String>, PlaceError> {
    let path = dir.join(PLACE);
    match files::read_configured(&path, PLACE_BYTES_MAX) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(&path)(error)),
    }
}

/// Of several nodes that do this at a time in one directory, all get the same.
fn claim(dir: &Path, tail: &str) -> Result<String, PlaceError> {
    if let Some(there) = place(dir)? {
        return Ok(there);
    }
    let (number, path) = (hex::encode(jomae_crypto::rng::public_array::<16>()), dir.join(PLACE));
    let (new, partial) = (format!("{number}{tail}"), dir.join(format!("{PLACE}.{number}")));
    let made = || {
        files::write_private(&partial, format!("{new}\n").as_bytes())?;
        // A link replaces nothing, with NFS neither.
        let linked = fs::hard_link(&partial, &path);
        fs::remove_file(&partial)?;
        linked?;
        files::sync_dir_of(&path)
    };
    match made() {
        Ok(()) => Ok(new),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match place(dir)? {
            Some(there) => Ok(there),
            None => Err(io_error(&path)(error)),
        },
        Err(error) => Err(io_error(&path)(error)),
    }
}

fn is_missing(path: &Path) -> bool {
    files::about_followed(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Makes a directory whose name survives a power cut, with those above it that are missing.
fn make_lasting_dir(path: &Path) -> Result<(), PlaceError> {
    let made: Vec<&Path> = path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && is_missing(dir)).collect();
    files::make_dir(path).map_err(io_error(path))?;
    made.into_iter().try_for_each(|dir| files::sync_dir_of(dir).map_err(io_error(dir)))
}

/// Overwrites a file, then removes it. Where the file system writes elsewhere than where it has read, the first is for nothing.
fn wipe(path: &Path) -> io::Result<()> {
    match files::is_file(path) {
        Ok(false) => return Ok(()),
        Ok(true) => {
            let length = files::about(path)?.len();
            if let (Ok(length), Ok(mut file)) = (usize::try_from(length), files::open_to_write(path)) {
                file.write_all(&vec![0; length.min(FILE_BYTES_MAX)])?;
                file.sync_all()?;
            }
        }
        // Another node has removed it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    files::sync_dir_of(path)
}
