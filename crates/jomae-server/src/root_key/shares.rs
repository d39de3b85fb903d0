//! The provider that several people are together.

use std::path::PathBuf;

use jomae_crypto::{
    secret::Key256,
    shares::{CombineError, ShareSet},
};

use super::{
    RootKeyError, local,
    people::{Identities, SEALED_BYTES_MAX, ShareFileError},
};

/// The key, from enough of its shares. `identities`: files with what opens those that are encrypted.
pub(super) fn key(files: &[PathBuf], identities: &[PathBuf], params: &str) -> Result<Key256, RootKeyError> {
    if files.is_empty() {
        return Err(RootKeyError::NoShares);
    }
    let set = ShareSet::from_line(params).ok_or(CombineError::Damaged)?;
    let identities = Identities::read(identities)?;
    let mut shares = Vec::with_capacity(files.len());
    for path in files {
        let content = local::read_configured(path, SEALED_BYTES_MAX).map_err(|error| match error {
            RootKeyError::Needed { path, source } => ShareFileError::Read { path, source }.into(),
            other => other,
        })?;
        shares.push(identities.share(path, content)?);
    }
    set.combine(&shares).map_err(|error| of_file(error, files, &set))
}

/// Whoever has given files knows these, and no place in a row.
fn of_file(error: CombineError, files: &[PathBuf], set: &ShareSet) -> RootKeyError {
    let (CombineError::OtherSet { at } | CombineError::Forged { at, .. }) = error else { return error.into() };
    let Some(path) = files.get(at).map(|path| path.display().to_string()) else { return error.into() };
    match error {
        CombineError::Forged { number, .. } => RootKeyError::ForgedShare { path, number },
        _ => RootKeyError::OtherSet { path, set: set.id(), at },
    }
}
