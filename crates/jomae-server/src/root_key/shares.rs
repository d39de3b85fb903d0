//! The provider that several people are together.

use std::path::PathBuf;

use jomae_crypto::{
    secret::Key256,
    shares::{CombineError, SHARE_BYTES_MAX, Share, ShareSet},
};

use super::{RootKeyError, local};

/// The key, from enough of its shares.
pub(super) fn key(files: &[PathBuf], params: &str) -> Result<Key256, RootKeyError> {
    if files.is_empty() {
        return Err(RootKeyError::NoShares);
    }
    let set = ShareSet::from_line(params).ok_or(CombineError::Damaged)?;
    let mut shares = Vec::with_capacity(files.len());
    for path in files {
        let text = local::read_configured(path, SHARE_BYTES_MAX)?;
        let share = Share::from_text(&text);
        shares.push(share.map_err(|source| RootKeyError::Share { path: path.display().to_string(), source })?);
    }
    Ok(set.combine(&shares)?)
}
