//! Shredding keys of a store that was restored: which are there, which shares bring back, and which are gone.

use std::path::PathBuf;

use jomae_api::names::RegionId;
use jomae_core::{
    error::Fault,
    keyring::Keyring,
    shredding::{
        pass,
        record::{KeyFile, KeyState, ShreddingRecord, read},
    },
    tx::Vault,
};
use jomae_crypto::shredding::{ShreddingKey, ShreddingKeyId};

use super::{PlaceError, Places, ShreddingError, combine, examined::other_shares, read_shares, set};
use crate::{config::Config, gateway};

/// A key for use.
pub(super) fn expect_key(
    places: &Places,
    keyring: &Keyring,
    id: ShreddingKeyId,
) -> Result<ShreddingKey, ShreddingError> {
    let dir = || places.keys.display().to_string();
    let Some(file) = places.key(id)? else {
        return Err(ShreddingError::Missing { id, keys: dir(), is_in_escrow: places.escrow(id)?.is_some() });
    };
    file.open(keyring).map_err(|source| ShreddingError::Key { id, dir: dir(), source })
}

/// As [`expect_key`]; a file that is damaged, or is of another moment of the store, is as good as none if the key can be
/// recovered.
fn expect_key_or_escrow(places: &Places, vault: &Vault, id: ShreddingKeyId) -> Result<ShreddingKey, ShreddingError> {
    match expect_key(places, vault.keyring(), id) {
        Err(ShreddingError::Key { .. } | ShreddingError::Place(PlaceError::File { .. }))
            if places.escrow(id)?.is_some() =>
        {
            Err(ShreddingError::Missing { id, keys: places.keys.display().to_string(), is_in_escrow: true })
        }
        found => found,
    }
}

/// Whether the material in a restored store can be had. `marks`: what is gone, and was accepted, is noted in the store, so
/// that a service starts without it. What there is to tell.
///
/// # Errors
/// Material is gone for good, and that is not accepted; or it cannot be told.
pub(crate) async fn after_restore(
    config: &Config,
    vault: &Vault,
    region: &RegionId,
    accepts: bool,
    marks: bool,
) -> Result<Vec<String>, ShreddingError> {
    let Some(record) = read(&mut vault.reading())? else { return Ok(Vec::new()) };
    let places = Places::of(&config.destruction);
    let counts = pass::count(vault)?;
    let (mut notes, mut gone) = (Vec::new(), Vec::new());
    for KeyState { id, .. } in record.keys.iter().filter(|key| key.is_there()) {
        let id = *id;
        let versions = counts.get(&Some(id)).copied().unwrap_or(0);
        if let Some(places) = &places {
            // One that is away, or damaged, is told of where it is needed.
            if let Ok(Some(file)) = places.escrow(id) {
                notes.extend(other_shares(&record, &file));
            }
            match expect_key_or_escrow(places, vault, id) {
                Ok(_) => continue,
                Err(ShreddingError::Missing { is_in_escrow: true, .. }) => {
                    notes.push(format!(
                        "shredding key {id}, which the material of {versions} key versions needs, is to be recovered before \
                         the start: jomae shred recover --share FILE …"
                    ));
                    continue;
                }
                Err(ShreddingError::Missing { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        if versions > 0 && places.is_none() && !accepts {
            // Nobody has looked: what is not there by the configuration may be on the next disk.
            return Err(ShreddingError::NoPlaces);
        }
        if versions > 0 && !accepts {
            let destroyed = places.as_ref().and_then(|places| places.destroyed(id));
            return Err(ShreddingError::Shredded { id, versions, destroyed });
        }
        if versions > 0 {
            notes.push(format!("the material of {versions} key versions is gone for good with shredding key {id}"));
        }
        gone.push((id, versions));
    }
    let is_marked = record.keys_place.is_some() || record.escrow_place.is_some();
    if marks && (is_marked || !gone.is_empty()) {
        let now = gateway::now();
        let names: Vec<String> = gone.iter().map(|(id, _)| id.to_string()).collect();
        let versions = gone.iter().map(|(_, versions)| versions).sum::<u64>().to_string();
        let names = names.join(", ");
        let parameters = [("Keys", names.as_str()), ("Versions", versions.as_str())];
        let event = if gone.is_empty() {
            ("ReleaseShreddingDirectories", &[][..])
        } else {
            ("RestoreWithoutShreddingKeys", &parameters[..])
        };
        let change = |record: &mut ShreddingRecord| {
            for (id, _) in &gone {
                set(record, *id, |key| key.destroyed = Some(now.0));
            }
            // The directories of today may be others than when the backup was made: the first node says which they are.
            (record.keys_place, record.escrow_place) = (None, None);
        };
        // Logged by the first start.
        record.change(vault, region, event, now, change).await?;
    }
    Ok(notes)
}

/// Brings the keys that a store needs back to where they are used, with shares; `identities` open those that are encrypted. Gives their names.
///
/// # Errors
/// The shares do not give one of them, and those that they give are back; or not all of them are there, and nothing was done.
pub(crate) async fn recover(
    config: &Config,
    vault: &Vault,
    region: &RegionId,
    shares: &[PathBuf],
    identities: &[PathBuf],
) -> Result<Vec<String>, ShreddingError> {
    let places = Places::of(&config.destruction).ok_or(ShreddingError::NoPlaces)?;
    let record = read(&mut vault.reading())?.unwrap_or_default();
    let shares = read_shares(shares, identities)?;
    let (mut recovered, mut failed) = (Vec::new(), None);
    for state in record.keys.iter().filter(|key| key.is_there()) {
        let id = state.id;
        match expect_key_or_escrow(&places, vault, id) {
            Ok(_) => continue,
            Err(ShreddingError::Missing { is_in_escrow: true, .. }) => {}
            Err(other) => return Err(other),
        }
        let Some(file) = places.escrow(id)? else {
            return Err(ShreddingError::Missing { id, keys: places.keys.display().to_string(), is_in_escrow: false });
        };
        let dir = || places.escrow.display().to_string();
        let opener = match combine(id, &file.set, &shares) {
            Ok(opener) => opener,
            // What these shares open is brought back; another call has those of the others.
            Err(error) => {
                failed.get_or_insert(error);
                continue;
            }
        };
        let key = file.open(&opener);
        let key = key.map_err(|source| ShreddingError::Key { id, dir: dir(), source })?;
        recovered.push((id.to_string(), KeyFile::of(&key, state.made, vault.keyring())?));
    }
    if recovered.is_empty() {
        return failed.map_or(Ok(Vec::new()), Err);
    }
    // Told before they are there; logged by the next start.
    let names: Vec<String> = recovered.iter().map(|(id, _)| id.clone()).collect();
    let shown = names.join(", ");
    let event = ("RecoverShreddingKeys", &[("Keys", shown.as_str())][..]);
    // Nodes of a cluster do not go on with the directory of before, if that comes back.
    let place = record.keys_place.as_ref().map(|_| places.claim_keys()).transpose()?;
    let change = |record: &mut ShreddingRecord| record.keys_place = place;
    let told = record.change(vault, region, event, gateway::now(), change).await?;
    told.ok_or_else(|| Fault::unavailable("the shredding keys have just changed; try again"))?;
    for (_, file) in &recovered {
        places.keep_key(file)?;
    }
    if let Some(error) = failed {
        return Err(error);
    }
    Ok(names)
}
