//! Files of the data directory: private, whole or not there, and never what a link points at.
//!
//! This is the one place where service and audit log open files: the `clippy.toml` of `jomae-server` and `jomae-log`
//! forbids it there. What stands in the data directory, in a log or in a backup, is opened without following a link and
//! without waiting for the other end of a pipe, and must be a regular file. Files that the configuration names may be
//! links: that is how secrets are mounted.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod unfinished;

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, FileTypeExt as _, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{fs::OFlags, io::Errno};
use zeroize::Zeroizing;

pub use unfinished::{NothingMore, Unfinished, remove_unfinished};

/// Bits of a mode that let the group or the world read or write.
const OTHERS: u32 = 0o077;
/// Bits of a mode that let the group or the world write.
const OTHERS_WRITE: u32 = 0o022;
/// What of [`OTHERS`] a mounted secret of root's may have: the group may read.
const GROUP_READS: u32 = 0o040;

/// Whose a file must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// This process's user, or root. A process of root's works on the files of others.
    Ours,
    Anyone,
}

/// Whether a link is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Links {
    Refused,
    Followed,
}

fn open_with(options: &mut OpenOptions, path: &Path, owner: Owner, links: Links) -> io::Result<File> {
    let mut flags = OFlags::NONBLOCK;
    if links == Links::Refused {
        flags |= OFlags::NOFOLLOW;
    }
    let file = options.custom_flags(flags.bits().cast_signed()).open(path).map_err(of_link)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if owner == Owner::Ours && !is_ours_or_root_works(&about) {
        return Err(io::Error::other(format!("belongs to another user ({})", about.uid())));
    }
    Ok(file)
}

/// Says what the system's "too many levels of symbolic links" means here.
fn of_link(error: io::Error) -> io::Error {
    match Errno::from_io_error(&error) {
        Some(Errno::LOOP | Errno::MLINK) => io::Error::other("a symbolic link, which is not followed"),
        // A pipe that nobody reads.
        Some(Errno::NXIO) => io::Error::other("not a regular file"),
        _ => error,
    }
}

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn is_ours(about: &Metadata) -> bool {
    about.uid() == own_user() || about.uid() == 0
}

fn is_ours_or_root_works(about: &Metadata) -> bool {
    is_ours(about) || own_user() == 0
}

/// Opens a file of the data directory for reading.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path, Owner::Ours, Links::Refused)
}

/// Opens a file that somebody else may have made, as in a backup or a copy of a log, for reading. It is not trusted.
pub fn open_of_others(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path, Owner::Anyone, Links::Refused)
}

/// Opens a file that the configuration names for reading; it may be a link.
pub fn open_configured(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path, Owner::Anyone, Links::Followed)
}

/// Opens a pipe that this process has, by its path in `/proc/self/fd`.
pub fn open_pipe(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).open(path)?;
    if file.metadata()?.file_type().is_fifo() { Ok(file) } else { Err(io::Error::other("not a pipe")) }
}

/// Opens a file that the configuration names for reading and appending, and makes it, readable by all, if it is not
/// there; it may be a link.
pub fn open_configured_to_append(path: &Path) -> io::Result<File> {
    let how = OpenOptions::new().read(true).append(true).create(true).mode(0o644).clone();
    open_with(&mut { how }, path, Owner::Anyone, Links::Followed)
}

/// Opens a file of the data directory for reading and writing, and makes it, of mode 0600, if it is not there.
pub fn open_to_write(path: &Path) -> io::Result<File> {
    let how = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
    open_with(&mut { how }, path, Owner::Ours, Links::Refused)
}

/// Makes a file, which must not be there.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// What is known of a file, or of the link if it is one.
pub fn about(path: &Path) -> io::Result<Metadata> {
    fs::symlink_metadata(path)
}

/// What is known of the data directory, which may be a link.
pub fn about_followed(path: &Path) -> io::Result<Metadata> {
    fs::metadata(path)
}

/// Whether there is a regular file; an error if there is anything else.
pub fn is_file(path: &Path) -> io::Result<bool> {
    match about(path) {
        Ok(about) if about.is_file() => Ok(true),
        Ok(about) if about.is_symlink() => Err(of_link(Errno::LOOP.into())),
        Ok(_) => Err(io::Error::other("not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a directory and its parents, readable by the owner alone. One that is there must be a directory itself, not a
/// link to one, and our own.
pub fn private_dir(path: &Path) -> io::Result<()> {
    // Before anything is made behind a link.
    check_dir(path)?;
    make_dir(path)?;
    check_dir(path)
}

/// As [`private_dir`] for the data directory itself, which may be a link to one.
pub fn make_dir(path: &Path) -> io::Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| match about(path) {
        Ok(there) if there.is_symlink() && !path.exists() => {
            io::Error::new(io::ErrorKind::NotFound, "is a link to something that is not there")
        }
        _ => error,
    })
}

/// Makes one directory, readable by the owner alone; what it stands in must be there.
pub fn make_one_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Whether a directory, if it is there, is one itself and our own.
pub fn check_dir(path: &Path) -> io::Result<()> {
    match about_dir(path)? {
        Some(about) if !is_ours_or_root_works(&about) => {
            Err(io::Error::other(format!("belongs to another user ({})", about.uid())))
        }
        _ => Ok(()),
    }
}

/// As [`check_dir`], whoever made it.
pub fn check_dir_of_others(path: &Path) -> io::Result<()> {
    about_dir(path).map(|_| ())
}

fn about_dir(path: &Path) -> io::Result<Option<Metadata>> {
    match about(path) {
        Ok(about) if about.is_symlink() => Err(of_link(Errno::LOOP.into())),
        Ok(about) if !about.is_dir() => Err(io::Error::other("not a directory")),
        Ok(about) => Ok(Some(about)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file of mode 0600 so that it is there whole or not at all, and survives a power cut.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    write_with_mode(path, content, 0o600)
}

/// As [`write_private`], readable by all: for certificates.
pub fn write_public(path: &Path, content: &[u8]) -> io::Result<()> {
    write_with_mode(path, content, 0o644)
}

fn write_with_mode(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let partial = path.with_file_name(name);
    // Left by a crash, or put there by somebody: whatever it is, it is not written through.
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create_new(&partial, mode)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    sync_dir_of(path)
}

/// Makes the names in a file's directory survive a power cut.
pub fn sync_dir_of(path: &Path) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

/// Copies a file that somebody else may have made to a new one of mode 0600, which survives a power cut once the names
/// in its directory do.
pub fn copy_of_others(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = open_of_others(from)?;
    let mut copy = create_new(to, 0o600)?;
    io::copy(&mut source, &mut copy)?;
    copy.sync_all()
}

/// Reads a file of the data directory of at most `bytes_max` bytes; a longer one is an error, and nothing of it is kept.
pub fn read_limited(path: &Path, bytes_max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    read_all(open(path)?, bytes_max)
}

/// As [`read_limited`], of a file that somebody else may have made.
pub fn read_limited_of_others(path: &Path, bytes_max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    read_all(open_of_others(path)?, bytes_max)
}

/// As [`read_limited`], of a file that the configuration or the command line names.
pub fn read_configured(path: &Path, bytes_max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    read_all(open_configured(path)?, bytes_max)
}

/// Reads a file that is open, as [`read_limited`].
pub fn read_all(file: File, bytes_max: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(Vec::with_capacity(bytes_max.min(64 * 1024) + 1));
    file.take(bytes_max as u64 + 1).read_to_end(&mut content)?;
    if content.len() > bytes_max {
        return Err(io::Error::other(format!("longer than {bytes_max} bytes")));
    }
    Ok(content)
}

/// Why a directory or a secret is not used as it stands; one line that says how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum NotPrivate {
    /// It cannot be looked at.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is neither this process's user's nor root's.
    #[error("{} belongs to another user ({uid}); run: chown {} {}", path.display(), own_user(), path.display())]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Its mode lets others in.
    #[error("{} can be {what} by other users; run: {mend} {}", path.display(), path.display())]
    Mode {
        /// The file or directory.
        path: PathBuf,
        /// What others can do to it, as a participle.
        what: &'static str,
        /// The command against it, without the path.
        mend: &'static str,
    },
}

impl NotPrivate {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Where a secret comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// A file of the data directory.
    Ours,
    /// A file that the configuration names. It may be a link, and if it is root's, its group may read it: as systemd
    /// and Kubernetes mount secrets.
    Configured,
}

/// Opens a secret for reading, which must be ours or root's, and nobody else's to read or to write.
pub fn open_secret(path: &Path, secret: Secret) -> Result<File, NotPrivate> {
    let links = if secret == Secret::Ours { Links::Refused } else { Links::Followed };
    let file = open_with(OpenOptions::new().read(true), path, Owner::Anyone, links).map_err(NotPrivate::io(path))?;
    let about = file.metadata().map_err(NotPrivate::io(path))?;
    if !is_ours(&about) {
        return Err(NotPrivate::Owner { path: path.to_owned(), uid: about.uid() });
    }
    let allowed = if secret == Secret::Configured && about.uid() == 0 { GROUP_READS } else { 0 };
    let open = about.mode() & OTHERS & !allowed;
    if open != 0 {
        let what = if open & 0o044 != 0 { "read" } else { "changed" };
        return Err(NotPrivate::Mode { path: path.to_owned(), what, mend: "chmod 600" });
    }
    Ok(file)
}

/// Reads a secret of at most `bytes_max` bytes; see [`open_secret`].
pub fn read_secret(path: &Path, secret: Secret, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, NotPrivate> {
    read_all(open_secret(path, secret)?, bytes_max).map_err(NotPrivate::io(path))
}

/// Whether nobody else owns the data directory, or can write to it: who can, can put anything in the place of its files.
pub fn check_data_dir(path: &Path) -> Result<(), NotPrivate> {
    let about = about_followed(path).map_err(NotPrivate::io(path))?;
    if !about.is_dir() {
        return Err(NotPrivate::io(path)(io::Error::other("not a directory")));
    }
    if !is_ours(&about) {
        return Err(NotPrivate::Owner { path: path.to_owned(), uid: about.uid() });
    }
    if about.mode() & OTHERS_WRITE != 0 {
        return Err(NotPrivate::Mode { path: path.to_owned(), what: "changed", mend: "chmod 700" });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
