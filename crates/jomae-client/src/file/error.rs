use std::io;
use std::path::{Path, PathBuf};

/// What a [`super::DataKeys`] implementation reports; kept whole, so that callers can downcast to their own error.
pub type KeysError = Box<dyn std::error::Error + Send + Sync>;

/// Why a file was not encrypted, decrypted or inspected. Each is one line for a person at a terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input does not begin with the magic.
    #[error("the input is not a Jomae encrypted file")]
    NotOurFile,
    /// The version byte is higher than this program knows.
    #[error("the file has format version {0}, newer than this program reads (1): update jomae")]
    NewerVersion(u8),
    /// The input ends inside the header or before the first whole segment.
    #[error("the file is cut off before its data begins")]
    Truncated,
    /// The header is not of the form, or a value does not fit it.
    #[error("the file header is not valid: {0}")]
    Header(&'static str),
    /// A segment does not verify: changed, moved, repeated, missing at the end, or under another header.
    #[error(
        "the encrypted data is damaged, cut off or extended (segment {segment} does not verify): \
         discard anything already written"
    )]
    Damaged {
        /// Index of the first segment that does not verify.
        segment: u32,
    },
    /// The caller's `EncryptionContext` has other keys than the header lists.
    #[error("the EncryptionContext does not fit: {}", describe(missing, unexpected))]
    Context {
        /// Keys that the header lists and the caller did not give.
        missing: Vec<String>,
        /// Keys that the caller gave and the header does not list.
        unexpected: Vec<String>,
    },
    /// The key service refused or could not be reached; a wrong context value or a disabled key shows here.
    #[error("{0}")]
    Keys(#[source] KeysError),
    /// The key service returned a data key of another length.
    #[error("the key service returned a data key of {0} bytes; 32 are needed")]
    DataKeyLength(usize),
    /// More than 2^32 segments, about 4 PiB.
    #[error("the input is too long for one file: the limit is 4 PiB")]
    TooLong,
    /// The cipher library refused to seal: not for any input known.
    #[error("the cipher library refused to encrypt; this is a defect of the program")]
    Cipher,
    /// The output path exists and `force` was not given.
    #[error("{} exists; it is left as it is", .0.display())]
    OutputExists(PathBuf),
    /// The output path is a directory, device, pipe or socket, which a rename would replace.
    #[error("{} is not a regular file; write to standard output instead", .0.display())]
    OutputNotRegular(PathBuf),
    /// A path could not be opened, created or put in place.
    #[error("{}: {error}", path.display())]
    Path {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Reading the input failed.
    #[error("reading the input failed: {0}")]
    Read(#[source] io::Error),
    /// The output's disk or quota is full.
    #[error("the disk is full: nothing was replaced")]
    DiskFull,
    /// Writing the output failed.
    #[error("writing the output failed: {0}")]
    Write(#[source] io::Error),
}

impl Error {
    pub(super) fn path(path: &Path, error: io::Error) -> Self {
        Self::Path { path: path.to_owned(), error }
    }

    pub(super) fn write(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Write(error),
        }
    }
}

/// Names are quoted with escapes: they come from a file and go to a terminal.
fn describe(missing: &[String], unexpected: &[String]) -> String {
    match (missing, unexpected) {
        (missing, []) => format!("the file also needs {missing:?}"),
        ([], unexpected) => format!("the file was encrypted without {unexpected:?}"),
        (missing, unexpected) => {
            format!("the file also needs {missing:?} and was encrypted without {unexpected:?}")
        }
    }
}
