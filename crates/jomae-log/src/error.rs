//! Why what was signed or proven is not accepted, and which file failed.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::note;

/// Why something signed or proven is refused. No text of the input is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlogError {
    /// The name of a key is not one.
    #[error("a key name has 1 to {} bytes, none of them a space, a control character or +", note::NAME_BYTES_MAX)]
    Name,
    /// The text is not a verifier key.
    #[error("the text is not a verifier key (name+hash+key) of an Ed25519 key")]
    VerifierKey,
    /// The private key is of another kind.
    #[error("the private key is not an Ed25519 key")]
    PrivateKey,
    /// The text cannot be signed.
    #[error("the text cannot be signed: it is too long, does not end in a newline, or has control characters")]
    Text,
    /// The text is not a signed note.
    #[error("the text is not a signed note")]
    Note,
    /// A signature in the name of the key is false.
    #[error("the note has a signature in the name of the key that the key did not make")]
    Signature,
    /// The key has not signed.
    #[error("the note has no signature of the key")]
    Unsigned,
    /// The signed text is not a checkpoint.
    #[error("the signed text is not a checkpoint")]
    Checkpoint,
    /// What was signed is of another log.
    #[error("the checkpoint or receipt is of another log than the key")]
    Origin,
    /// The text is not a proof.
    #[error("the text is not a proof of an event")]
    Proof,
    /// The proof does not prove it.
    #[error("the proof does not lead from the event to the root of the checkpoint")]
    NotIncluded,
    /// The text is not a receipt.
    #[error("the text is not a receipt")]
    Receipt,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Library,
}

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct FileError {
    /// The file, or its directory.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl FileError {
    /// The error of a file.
    pub fn of(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}
