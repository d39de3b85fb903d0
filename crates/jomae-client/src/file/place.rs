use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::Error;

/// Permission bits of an output whose source has none (a pipe).
const MODE_DEFAULT: u32 = 0o600;
/// Read, write and execute; never set-user-id and the like.
const MODE_MASK: u32 = 0o777;

/// Where bytes come from.
pub struct Input<'a> {
    pub(super) reader: Box<dyn Read + Send + 'a>,
    pub(super) bytes: Option<u64>,
    mode: u32,
}

impl<'a> Input<'a> {
    /// The file at `path`; its size is known if it is a regular file.
    pub fn file(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|error| Error::path(path, error))?;
        let metadata = file.metadata().map_err(|error| Error::path(path, error))?;
        if metadata.is_dir() {
            return Err(Error::path(path, io::ErrorKind::IsADirectory.into()));
        }
        let regular = metadata.is_file();
        let mode = if regular { metadata.permissions().mode() & MODE_MASK } else { MODE_DEFAULT };
        Ok(Self { reader: Box::new(file), bytes: regular.then_some(metadata.len()), mode })
    }

    /// Standard input, without a buffer between.
    pub fn stdin() -> Result<Self, Error> {
        let fd = io::stdin().as_fd().try_clone_to_owned().map_err(Error::Read)?;
        Ok(Self::reader(File::from(fd)))
    }

    /// Any reader, of unknown size. Reads are large (about 1 MiB), so it needs no buffer of its own.
    pub fn reader(reader: impl Read + Send + 'a) -> Self {
        Self { reader: Box::new(reader), bytes: None, mode: MODE_DEFAULT }
    }
}

/// Where bytes go.
pub struct Output<'a>(Kind<'a>);

enum Kind<'a> {
    Stream(Box<dyn Write + Send + 'a>),
    File { temporary: NamedTempFile, path: PathBuf, force: bool },
}

impl<'a> Output<'a> {
    /// The file at `path`. Bytes go to a temporary file `.NAME.*.jomae-tmp` beside it, which takes the name only when
    /// all of it is verified and on disk; until then whatever has the name stays as it is. The temporary file is
    /// removed on failure; only a kill leaves it behind.
    ///
    /// An existing file is refused unless `force` is given. With `force`, `path` may be the input itself. Symbolic
    /// links are followed; anything else than a regular file is refused, as a rename would replace it.
    pub fn file(path: &Path, force: bool) -> Result<Self, Error> {
        let mut place = path.to_owned();
        if let Ok(metadata) = fs::symlink_metadata(path) {
            if !force {
                return Err(Error::OutputExists(path.to_owned()));
            }
            if metadata.is_symlink() {
                place = fs::canonicalize(path).map_err(|error| Error::path(path, error))?;
            }
            if !fs::metadata(&place).map_err(|error| Error::path(path, error))?.is_file() {
                return Err(Error::OutputNotRegular(path.to_owned()));
            }
        }
        let no_name = || Error::path(path, io::ErrorKind::InvalidInput.into());
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(place.file_name().ok_or_else(no_name)?);
        prefix.push(".");
        let temporary = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".jomae-tmp")
            .tempfile_in(directory(&place))
            .map_err(|error| Error::path(path, error))?;
        Ok(Self(Kind::File { temporary, path: place, force }))
    }

    /// Standard output, without a buffer between.
    pub fn stdout() -> Result<Self, Error> {
        let fd = io::stdout().as_fd().try_clone_to_owned().map_err(Error::write)?;
        Ok(Self::writer(File::from(fd)))
    }

    /// Any writer. Writes are large (about 1 MiB), so it needs no buffer of its own.
    pub fn writer(writer: impl Write + Send + 'a) -> Self {
        Self(Kind::Stream(Box::new(writer)))
    }

    pub(super) fn writer_mut(&mut self) -> &mut (dyn Write + Send) {
        match &mut self.0 {
            Kind::Stream(writer) => writer,
            Kind::File { temporary, .. } => temporary.as_file_mut(),
        }
    }

    /// Declares the output complete: flushes a stream, or syncs a file and puts it in place with `input`'s mode.
    pub(super) fn finish(self, input: &Input<'_>) -> Result<(), Error> {
        let (temporary, path, force) = match self.0 {
            Kind::Stream(mut writer) => return writer.flush().map_err(Error::write),
            Kind::File { temporary, path, force } => (temporary, path, force),
        };
        let file = temporary.as_file();
        file.set_permissions(Permissions::from_mode(input.mode)).map_err(Error::write)?;
        file.sync_all().map_err(Error::write)?;
        let placed = if force { temporary.persist(&path) } else { temporary.persist_noclobber(&path) };
        placed.map_err(|failed| match failed.error.kind() {
            io::ErrorKind::AlreadyExists => Error::OutputExists(path.clone()),
            _ => Error::path(&path, failed.error),
        })?;
        // The content is on disk under one name or the other; some file systems cannot sync a directory at all.
        let _ = File::open(directory(&path)).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
