//! The file of signed checkpoints: notes, each followed by an empty line.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use jomae_files as files;

use crate::{checkpoint::split_file, layout};

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A file larger than this is thinned out, in bytes.
const THIN_BYTES: u64 = 1024 * 1024;
/// The number of newest checkpoints that are always kept.
const NEWEST_KEPT: usize = 512;

/// The file as text, up to its last whole character; nothing if it is not there.
pub(crate) fn read(log: &Path) -> io::Result<String> {
    let content = match files::read_limited(&layout::checkpoints(log), FILE_BYTES_MAX) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    match std::str::from_utf8(&content) {
        Ok(text) => Ok(text.to_owned()),
        // A crash may end a note within a character.
        Err(error) if error.error_len().is_none() => {
            let whole = content.get(..error.valid_up_to()).unwrap_or_default();
            Ok(String::from_utf8_lossy(whole).into_owned())
        }
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

/// All whole checkpoints, oldest first. Nothing is checked but where they end.
pub fn notes(log: &Path) -> io::Result<Vec<String>> {
    Ok(split_file(&read(log)?).0.into_iter().map(str::to_owned).collect())
}

/// The newest whole checkpoint.
pub fn newest_note(log: &Path) -> io::Result<Option<String>> {
    let content = read(log)?;
    Ok(split_file(&content).0.last().map(|note| (*note).to_owned()))
}

/// The file that grows.
pub(crate) struct CheckpointFile {
    log: PathBuf,
    file: File,
    /// Bytes that are whole notes.
    bytes: u64,
}

impl CheckpointFile {
    /// Opens the file, or creates it. An incomplete note that a crash left at its end is removed: nobody has seen it.
    pub fn open(log: &Path) -> io::Result<Self> {
        let path = layout::checkpoints(log);
        let content = read(log)?;
        let (_, torn) = split_file(&content);
        let bytes = (content.len() - torn.len()) as u64;
        let file = files::open_to_write(&path)?;
        file.set_len(bytes)?;
        file.sync_all()?;
        files::sync_dir_of(&path)?;
        Ok(Self { log: log.to_owned(), file, bytes })
    }

    /// Appends a note; it is on disk afterwards.
    pub fn append(&mut self, note: &str) -> io::Result<()> {
        if self.file.metadata()?.len() != self.bytes {
            self.file.set_len(self.bytes)?;
        }
        let entry = format!("{note}\n");
        self.file.write_all_at(entry.as_bytes(), self.bytes)?;
        self.file.sync_data()?;
        self.bytes += entry.len() as u64;
        Ok(())
    }

    /// Whether [`CheckpointFile::thin_out`] has something to do.
    pub fn is_long(&self) -> bool {
        self.bytes > THIN_BYTES
    }

    /// Drops every second of the older checkpoints, never the first. Each later one covers all that it did.
    pub fn thin_out(&mut self) -> io::Result<()> {
        let content = read(&self.log)?;
        let (notes, _) = split_file(&content);
        let older = notes.len().saturating_sub(NEWEST_KEPT);
        let mut kept = String::with_capacity(content.len());
        for (_, note) in notes.iter().enumerate().filter(|(at, _)| at % 2 == 0 || *at >= older) {
            kept.push_str(note);
            kept.push('\n');
        }
        let path = layout::checkpoints(&self.log);
        let written = files::write_private(&path, kept.as_bytes());
        // Even of a failure it is not known which of the two files has the name now.
        self.file = files::open_to_write(&path)?;
        self.bytes = self.file.metadata()?.len();
        written
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::layout::checkpoints as path;

    fn note(number: usize) -> String {
        format!("origin\n{number}\nroot\n\n\u{2014} name {}\n", "s".repeat(100))
    }

    #[test]
    fn a_torn_note_is_removed_and_the_next_one_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = CheckpointFile::open(dir.path()).unwrap();
        file.append(&note(1)).unwrap();
        file.append(&note(2)).unwrap();
        let whole = fs::read(path(dir.path())).unwrap();
        let last = note(2).len() + 1;
        for cut in 1..last {
            fs::write(path(dir.path()), &whole[..whole.len() - cut]).unwrap();
            let mut file = CheckpointFile::open(dir.path()).unwrap();
            assert_eq!(fs::read(path(dir.path())).unwrap(), whole[..whole.len() - last], "{cut}");
            file.append(&note(2)).unwrap();
            assert_eq!(fs::read(path(dir.path())).unwrap(), whole);
        }
    }

    #[test]
    fn a_long_file_keeps_its_first_and_its_newest() {
        let dir = tempfile::tempdir().unwrap();
        let mut number = 0;
        for _ in 0..3 {
            let mut content = read(dir.path()).unwrap();
            while content.len() as u64 <= THIN_BYTES {
                content.push_str(&(note(number) + "\n"));
                number += 1;
            }
            fs::write(path(dir.path()), content).unwrap();
            let mut file = CheckpointFile::open(dir.path()).unwrap();
            assert!(file.is_long());
            file.thin_out().unwrap();
            assert!(!file.is_long());
            let content = read(dir.path()).unwrap();
            let (notes, rest) = split_file(&content);
            assert_eq!((notes[0], rest), (note(0).as_str(), ""));
            let newest: Vec<String> = (number - NEWEST_KEPT..number).map(note).collect();
            assert_eq!(notes[notes.len() - NEWEST_KEPT..], newest);
            file.append(&note(number)).unwrap();
            number += 1;
            assert_eq!(read(dir.path()).unwrap(), content + &note(number - 1) + "\n");
        }
    }
}
