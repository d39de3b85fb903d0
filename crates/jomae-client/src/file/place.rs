use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jomae_files::Unfinished;

use super::Error;

/// Permission bits of an output whose source has none (a pipe), and of every output while it is not whole.
const MODE_DEFAULT: u32 = 0o600;
/// Read, write and execute; never set-user-id and the like.
const MODE_MASK: u32 = 0o777;

/// Where bytes come from.
pub struct Input<'a> {
    /// The bytes. Reads should be large: there is no buffer between.
    pub reader: Box<dyn Read + Send + 'a>,
    /// How many there are, if that is known beforehand.
    pub bytes: Option<u64>,
    /// Permission bits that a copy of it should have.
    pub mode: u32,
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
    File { unfinished: Unfinished, path: PathBuf, force: bool },
}

impl<'a> Output<'a> {
    /// The file at `path`. It gets its name only when all of it is verified and on disk; until then whatever has the
    /// name stays as it is. On failure nothing is left, see [`Unfinished`].
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
        let unfinished = Unfinished::create(&place, MODE_DEFAULT).map_err(|error| Error::path(path, error))?;
        Ok(Self(Kind::File { unfinished, path: place, force }))
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
            Kind::File { unfinished, .. } => unfinished.file(),
        }
    }

    /// Writes everything at once, and declares the output complete as for any other.
    pub fn put(mut self, content: &[u8], mode: u32) -> Result<(), Error> {
        self.writer_mut().write_all(content).map_err(Error::write)?;
        self.finish(mode)
    }

    /// Declares the output complete: flushes a stream, or syncs a file and puts it in place with this mode.
    pub(super) fn finish(self, mode: u32) -> Result<(), Error> {
        let (mut unfinished, path, force) = match self.0 {
            Kind::Stream(mut writer) => return writer.flush().map_err(Error::write),
            Kind::File { unfinished, path, force } => (unfinished, path, force),
        };
        unfinished.file().set_permissions(Permissions::from_mode(mode)).map_err(Error::write)?;
        unfinished.finish(force).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::OutputExists(path),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull,
            _ => Error::path(&path, error),
        })
    }
}
