//! The PIN file, and what became of the PIN in it: a token locks after a few wrong ones, whichever process tries them.
//!
//! The data directory remembers of which file a PIN was tried, and never what was in it. As long as that file stays what it is,
//! no process tries a PIN again that the token has refused.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use jomae_api::time::Timestamp;
use jomae_hsm::{NoPin, Pin, PinSource, Secret};
use serde::{Deserialize, Serialize};

use crate::{config::HsmConfig, files, gateway};

/// Longest file with a PIN, in bytes.
const PIN_FILE_BYTES_MAX: usize = 512;
/// What became of the PIN, in the data directory.
pub(crate) const NOTE_FILE: &str = "hsm-pin.json";
const NOTE_BYTES_MAX: usize = 16 * 1024;

/// Which PIN file it was, and of which token. Nothing in it follows from the PIN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    path: PathBuf,
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds of the last change of its content, and of anything about it.
    modified: (i64, i64),
    changed: (i64, i64),
    token_label: String,
    token_serial: Option<String>,
}

/// What is known of a PIN that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// Nobody has heard what the token said.
    Tried,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    outcome: Outcome,
    /// When, in seconds since 1970.
    at: i64,
    #[serde(flatten)]
    file: Identity,
}

impl Note {
    /// What the note says; none if there is none, or none that is understood.
    fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&files::read_limited(path, NOTE_BYTES_MAX).ok()?).ok()
    }
}

/// The PIN file that the configuration names.
pub(super) struct PinFile {
    path: PathBuf,
    token_label: String,
    token_serial: Option<String>,
    note: PathBuf,
    /// Of the PIN that was read last.
    last: Mutex<Option<Identity>>,
}

impl PinFile {
    pub(super) fn new(config: &HsmConfig, data_dir: &Path) -> Self {
        Self {
            path: config.pin_file.clone(),
            token_label: config.token_label.clone(),
            token_serial: config.token_serial.clone(),
            note: data_dir.join(NOTE_FILE),
            last: Mutex::default(),
        }
    }

    /// The PIN, and which file it was in: both of one file, also while somebody puts another one in its place.
    fn content(&self) -> Result<(Secret, Identity), String> {
        let failed = |error: io::Error| format!("{}: {error}", self.path.display());
        let file = files::open_secret(&self.path, files::Secret::Configured).map_err(|error| error.to_string())?;
        let about = file.metadata().map_err(failed)?;
        let content = files::read_all(file, PIN_FILE_BYTES_MAX).map_err(failed)?;
        let end = content.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
        let secret = Secret::new(content.get(..end).unwrap_or_default().to_vec());
        let identity = Identity {
            path: self.path.clone(),
            device: about.dev(),
            inode: about.ino(),
            bytes: about.len(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
            token_label: self.token_label.clone(),
            token_serial: self.token_serial.clone(),
        };
        Ok((secret, identity))
    }

    /// Whether there is a PIN, and none that is known to be wrong.
    pub(super) fn examine(&self) -> Result<(), String> {
        let (_, identity) = self.content()?;
        match Note::read(&self.note).filter(|note| note.file == identity) {
            Some(Note { outcome: Outcome::Refused, at, .. }) => Err(self.refusal(at)),
            _ => Ok(()),
        }
    }

    fn refusal(&self, at: i64) -> String {
        let (path, at) = (self.path.display(), Timestamp(at));
        format!(
            "the token refused the PIN in {path} at {at}, and it is not tried again while that file stays as it is: correct \
             it; to have the same PIN tried once more, touch {path}"
        )
    }

    fn remember(&self, outcome: Outcome) {
        let Some(file) = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return };
        let note = Note { outcome, at: gateway::now().0, file };
        let written = serde_json::to_vec(&note)
            .map_err(io::Error::other)
            .and_then(|content| files::write_private(&self.note, &content));
        if let Err(error) = written {
            let place = self.note.display();
            tracing::warn!(%error, "cannot note in {place} what becomes of the PIN; another process may try it again");
        }
    }
}

impl PinSource for PinFile {
    fn read(&self, is_asked_for: bool) -> Result<Pin, NoPin> {
        let (secret, identity) = self.content().map_err(NoPin::Unreadable)?;
        let note = Note::read(&self.note).filter(|note| note.file == identity && !is_asked_for);
        let is_doubtful = match note {
            Some(Note { outcome: Outcome::Refused, at, .. }) => return Err(NoPin::Refused(self.refusal(at))),
            Some(Note { outcome: Outcome::Tried, .. }) => true,
            None => false,
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity);
        self.remember(Outcome::Tried);
        Ok(Pin { secret, is_doubtful })
    }

    fn taken(&self) {
        let removed = fs::remove_file(&self.note).and_then(|()| files::sync_dir_of(&self.note));
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "cannot remove {}", self.note.display());
        }
    }

    fn refused(&self) {
        self.remember(Outcome::Refused);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::*;

    struct Place {
        dir: tempfile::TempDir,
        config: HsmConfig,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let pin_file = dir.path().join("pin");
            fs::write(&pin_file, "2468\r\n").unwrap();
            fs::set_permissions(&pin_file, fs::Permissions::from_mode(0o600)).unwrap();
            let config = HsmConfig {
                module: "/m.so".into(),
                token_label: "t".to_owned(),
                token_serial: None,
                pin_file,
                sessions: 1,
                workers: 1,
                timeout_secs: 1,
            };
            Self { dir, config }
        }

        /// As of a new process.
        fn source(&self) -> PinFile {
            PinFile::new(&self.config, self.dir.path())
        }

        fn note(&self) -> PathBuf {
            self.dir.path().join(NOTE_FILE)
        }
    }

    fn is_refused(source: &PinFile) -> bool {
        matches!(source.read(false), Err(NoPin::Refused(_)))
    }

    #[test]
    fn a_pin_that_was_refused_is_given_to_nobody_until_its_file_changes() {
        let place = Place::new();
        let first = place.source();
        assert_eq!(first.read(false).unwrap().secret.expose(), b"2468");
        first.refused();
        assert!(is_refused(&first) && is_refused(&place.source()));
        let said = place.source().examine().unwrap_err();
        assert!(said.contains("touch") && said.contains("refused the PIN"), "{said}");
        let noted = fs::read_to_string(place.note()).unwrap();
        assert!(!noted.contains("2468"), "{noted}");
        assert_eq!(fs::metadata(place.note()).unwrap().mode() & 0o777, 0o600);
        // Another token is another matter.
        let other = HsmConfig { token_label: "u".to_owned(), ..place.config.clone() };
        assert!(PinFile::new(&other, place.dir.path()).examine().is_ok());
        // The same content again.
        fs::File::options()
            .append(true)
            .open(&place.config.pin_file)
            .unwrap()
            .set_modified(std::time::SystemTime::now())
            .unwrap();
        assert!(!place.source().read(false).unwrap().is_doubtful);
    }

    #[test]
    fn a_restore_goes_on_where_a_pin_was_refused_before() {
        let (place, dir) = (Place::new(), tempfile::tempdir().unwrap());
        PinFile { note: dir.path().join(NOTE_FILE), ..place.source() }.read(false).unwrap();
        assert!(dir.path().join(NOTE_FILE).exists() && crate::operate::refuse_if_used(dir.path()).is_ok());
        fs::write(dir.path().join("other"), "").unwrap();
        assert!(crate::operate::refuse_if_used(dir.path()).is_err());
    }

    #[test]
    fn an_operator_has_it_tried_once() {
        let place = Place::new();
        let source = place.source();
        source.read(false).unwrap();
        source.refused();
        assert!(!source.read(true).unwrap().is_doubtful);
        source.refused();
        assert!(is_refused(&source));
        source.read(true).unwrap();
        source.taken();
        assert!(!place.note().exists());
        assert!(!source.read(false).unwrap().is_doubtful);
    }

    #[test]
    fn a_pin_of_which_nobody_has_heard_is_doubtful() {
        let place = Place::new();
        place.source().read(false).unwrap();
        assert!(place.source().read(false).unwrap().is_doubtful);
    }

    proptest! {
        #[test]
        fn a_note_that_is_not_understood_says_nothing(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let place = Place::new();
            fs::write(place.note(), content).unwrap();
            prop_assert!(!place.source().read(false).unwrap().is_doubtful);
        }
    }

    #[test]
    fn a_note_that_is_too_long_says_nothing() {
        let place = Place::new();
        let source = place.source();
        source.read(false).unwrap();
        source.refused();
        let long = fs::read_to_string(place.note()).unwrap() + &" ".repeat(NOTE_BYTES_MAX);
        fs::write(place.note(), long).unwrap();
        assert!(!is_refused(&place.source()));
    }
}
