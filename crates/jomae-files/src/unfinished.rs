//! Files that get their name only when they are whole, and leave nothing behind if that never happens.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, linkat, openat, renameat_with},
    io::Errno,
};

/// Names that are tried before giving up; each has a process and a number in it.
const ATTEMPTS_MAX: u32 = 1000;

/// Names that stand on disk and are not the final ones.
static NAMES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn names() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what this process has not finished. No file gets its name while the result lives: for a signal handler,
/// which ends the process with it.
pub fn remove_unfinished() -> NothingMore {
    let names = names();
    for name in names.iter() {
        let _ = fs::remove_file(name);
    }
    NothingMore(names)
}

/// While it lives, no unfinished file is begun or gets its name.
#[must_use]
pub struct NothingMore(#[expect(dead_code, reason = "held, not read")] MutexGuard<'static, BTreeSet<PathBuf>>);

/// A new file without its name. Where the file system can, it has none at all (`O_TMPFILE`), and goes with the process.
/// Else it is called `.jomae-<process>-<number>.tmp`; dropping this removes it, and so does [`remove_unfinished`].
pub struct Unfinished {
    file: File,
    path: PathBuf,
    /// The name until then; none if there is no name.
    name: Option<PathBuf>,
}

impl Unfinished {
    /// Begins the file that shall be at `path`. `mode` is narrowed by the process's mask.
    pub fn create(path: &Path, mode: u32) -> io::Result<Self> {
        if path.file_name().is_none() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match nameless(directory_of(path), mode) {
            Some(file) => Ok(Self { file, path: path.to_owned(), name: None }),
            None => Self::create_named(path, mode),
        }
    }

    fn create_named(path: &Path, mode: u32) -> io::Result<Self> {
        let mut unfinished = names();
        let open = |name: &Path| OpenOptions::new().write(true).create_new(true).mode(mode).open(name);
        let (file, name) = named(directory_of(path), open)?;
        unfinished.insert(name.clone());
        Ok(Self { file, path: path.to_owned(), name: Some(name) })
    }

    /// The file, to be written.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives the file its name, once all of it is on disk. What has the name already is replaced, or kept with an error
    /// of the kind `AlreadyExists`.
    pub fn finish(mut self, replace: bool) -> io::Result<()> {
        self.file.sync_all()?;
        let mut unfinished = names();
        match (self.name.clone(), replace) {
            (None, false) => self.link(&self.path)?,
            (None, true) => {
                // A link replaces nothing, a rename does.
                let ((), name) = named(directory_of(&self.path), |name| self.link(name))?;
                if let Err(error) = fs::rename(&name, &self.path) {
                    let _ = fs::remove_file(&name);
                    return Err(error);
                }
            }
            (Some(name), _) => {
                let flags = if replace { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
                renameat_with(CWD, &name, CWD, &self.path, flags)?;
                unfinished.remove(&name);
                self.name = None;
            }
        }
        drop(unfinished);
        // The content is on disk under one name or the other; some file systems cannot sync a directory at all.
        let _ = File::open(directory_of(&self.path)).and_then(|directory| directory.sync_all());
        Ok(())
    }

    fn link(&self, to: &Path) -> io::Result<()> {
        Ok(linkat(CWD, proc_path(&self.file), CWD, to, AtFlags::SYMLINK_FOLLOW)?)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let mut unfinished = names();
            let _ = fs::remove_file(name);
            unfinished.remove(name);
        }
    }
}

fn proc_path(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// A file without a name, if file system and `/proc` let it have one later.
fn nameless(dir: &Path, mode: u32) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = File::from(openat(CWD, dir, flags, Mode::from_raw_mode(mode)).ok()?);
    fs::metadata(proc_path(&file)).is_ok().then_some(file)
}

/// Does `make` with a name that is free. The caller's name may be as long as names can be, so it is no part of it.
fn named<T>(dir: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(T, PathBuf)> {
    for number in 0..ATTEMPTS_MAX {
        let name = dir.join(OsString::from(format!(".jomae-{}-{number}.tmp", std::process::id())));
        match make(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(|made| (made, name)),
        }
    }
    Err(Errno::EXIST.into())
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_file_gets_its_name_when_it_is_whole() {
        for create in [Unfinished::create, Unfinished::create_named] {
            let directory = tempfile::tempdir().unwrap();
            let count = || fs::read_dir(directory.path()).unwrap().count();
            // The longest name that a file can have.
            let path = directory.path().join("n".repeat(255));
            let begun = |content: &[u8]| {
                let mut file = create(&path, 0o600).unwrap();
                file.file().write_all(content).unwrap();
                file
            };
            drop(begun(b"lost"));
            assert_eq!(count(), 0);
            begun(b"first").finish(false).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"first");
            assert_eq!(begun(b"second").finish(false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&path).unwrap(), b"first");
            begun(b"third").finish(true).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"third");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(count(), 1);
        }
    }

    #[test]
    fn what_has_a_name_of_its_own_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let file = Unfinished::create_named(&directory.path().join("out"), 0o600).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        drop(remove_unfinished());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        drop(file);
    }
}
