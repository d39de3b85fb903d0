//! The provider that several people are together.

use std::path::PathBuf;

use jomae_crypto::{
    secret::Key256,
    shares::{CombineError, ShareSet},
};

use super::{
    RootKeyError, local,
    people::{Identities, SEALED_BYTES_MAX},
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
        shares.push(identities.share(path, local::read_configured(path, SEALED_BYTES_MAX)?)?);
    }
    Ok(set.combine(&shares)?)
}
