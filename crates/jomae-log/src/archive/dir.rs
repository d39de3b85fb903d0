//! An archive in a directory, which is on another machine's disk.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use jomae_files as files;

use super::{Archive, BLOCK_BYTES, Content, Object};

/// How an object is called until it is whole.
const PARTIAL_ENDING: &str = ".new";

/// A directory with one for each log.
pub struct DirArchive(PathBuf);

impl DirArchive {
    /// The directory, which somebody else has made: were it made here, it could stand where nothing is mounted.
    pub fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    fn of_log(&self, log: &str) -> PathBuf {
        self.0.join(log)
    }
}

impl Archive for DirArchive {
    fn logs(&mut self) -> io::Result<Vec<String>> {
        let mut logs = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(|error| of(&self.0, &error))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                logs.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        logs.sort();
        Ok(logs)
    }

    fn list(&mut self, log: &str) -> io::Result<Vec<Object>> {
        if !files::about_followed(&self.0).is_ok_and(|about| about.is_dir()) {
            return Err(io::Error::other(format!("{}: there is no such directory", self.0.display())));
        }
        let dir = self.of_log(log);
        files::check_dir_of_others(&dir).map_err(|error| of(&dir, &error))?;
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| of(&dir, &error))?,
        };
        let mut objects = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(PARTIAL_ENDING) {
                objects.push(Object { name, bytes: files::about(&entry.path())?.len() });
            }
        }
        Ok(objects)
    }

    fn put(&mut self, log: &str, name: &str, content: Content<'_>) -> io::Result<()> {
        let dir = self.of_log(log);
        if files::about(&dir).is_err() {
            // Not its parents.
            files::make_one_dir(&dir).map_err(|error| of(&dir, &error))?;
            files::sync_dir_of(&dir).map_err(|error| of(&self.0, &error))?;
        }
        files::check_dir_of_others(&dir).map_err(|error| of(&dir, &error))?;
        let path = dir.join(name);
        let partial = dir.join(format!("{name}{PARTIAL_ENDING}"));
        let put = write(&path, &partial, content);
        if put.is_err() {
            let _ = fs::remove_file(&partial);
        }
        put.map_err(|error| of(&path, &error))
    }

    fn remove(&mut self, log: &str, name: &str) -> io::Result<()> {
        let dir = self.of_log(log);
        files::check_dir_of_others(&dir).map_err(|error| of(&dir, &error))?;
        let path = dir.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(of(&path, &error)),
            _ => {}
        }
        // Once it is empty.
        let _ = fs::remove_dir(&dir);
        Ok(())
    }

    fn get(&mut self, log: &str, name: &str) -> io::Result<File> {
        let path = self.of_log(log).join(name);
        files::open_of_others(&path).map_err(|error| of(&path, &error))
    }
}

/// The error of a file or directory, of the same kind.
fn of(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn write(path: &Path, partial: &Path, content: Content<'_>) -> io::Result<()> {
    // Left by a crash; it has never been an object.
    match fs::remove_file(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = files::create_new(partial, 0o600)?;
    let (mut block, mut at) = (vec![0; BLOCK_BYTES], 0);
    while at < content.bytes() {
        let read = content.read(&mut block, at)?;
        file.write_all(block.get(..read).unwrap_or_default())?;
        at += read as u64;
    }
    file.sync_all()?;
    if files::about(path).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(partial, path)?;
    files::sync_dir_of(path)
}
