//! What `jomae doctor` says of shredding keys.

use std::{os::unix::fs::MetadataExt as _, path::Path};

use jomae_api::time::Timestamp;
use jomae_core::{
    shredding::record::{EscrowFile, KeyState, Recovery, ShreddingRecord, read},
    tx::Vault,
};
use jomae_crypto::{shares::ShareSet, shredding::ShreddingKeyId};

use super::{Places, ShreddingError, restored::expect_key};
use crate::{
    config::{Config, Destruction},
    files,
};

/// How late a key may be destroyed before that is called late, in seconds: a pass over all versions comes first.
pub(super) const LATE_SECS: i64 = 24 * 3600;
/// Mode bits by which others can write.
const OTHERS_WRITE: u32 = 0o022;
/// Mode bits by which others can do anything.
const OTHERS: u32 = 0o077;

/// Whether the shredding keys are as the store says, each in both places; nothing is changed. None: there are none, and the
/// configuration wants none.
pub(crate) fn examine(config: &Config, vault: &Vault, now: Timestamp) -> Option<Result<String, String>> {
    let shreds = config.destruction.mode == Destruction::Shred;
    let record = match read(&mut vault.reading()) {
        Ok(None) if !shreds => return None,
        Ok(record) => record.unwrap_or_default(),
        Err(fault) => return Some(Err(fault.to_string())),
    };
    let found = match Places::of(&config.destruction) {
        None if record.keys.iter().any(KeyState::is_there) => Err(vec![ShreddingError::NoPlaces.to_string()]),
        // Whatever there was is destroyed, or was never begun.
        None => return None,
        Some(places) => examine_places(config, &places, vault, &record, now),
    };
    Some(found.map_err(|problems| problems.join("; ")))
}

fn examine_places(
    config: &Config,
    places: &Places,
    vault: &Vault,
    record: &ShreddingRecord,
    now: Timestamp,
) -> Result<String, Vec<String>> {
    let mut problems = Vec::new();
    let mut note = |problem: Result<(), String>| problems.extend(problem.err());
    if config.destruction.mode == Destruction::Shred && record.recovery.is_none() {
        note(Err("no shares were made: `jomae shred shares` makes them".to_owned()));
    }
    if !record.keys.is_empty() {
        note(is_private(&places.keys, OTHERS));
        note(places.prove(record).map_err(|error| error.to_string()));
        note(places.expect_escrow().map_err(|error| error.to_string()));
        note(is_private(&places.escrow, OTHERS_WRITE));
        note(apart(places));
    }
    for key in &record.keys {
        let id = key.id;
        if !key.is_there() {
            note(is_gone(places, id));
            continue;
        }
        note(expect_key(places, vault.keyring(), id).map(drop).map_err(|error| error.to_string()));
        note(match places.escrow(id) {
            Ok(Some(file)) => other_shares(record, &file).map_or(Ok(()), Err),
            Ok(None) => Err(format!("shredding key {id} is not in {}", places.escrow.display())),
            // Said of the directory already.
            Err(super::PlaceError::NoEscrow(_)) => Ok(()),
            Err(error) => Err(error.to_string()),
        });
        let end = key.retired.map(|retired| retired.saturating_add(config.destruction.retention_secs()));
        if let Some(end) = end.filter(|end| now.0.saturating_sub(*end) > LATE_SECS) {
            note(Err(format!(
                "shredding key {id} should have been destroyed at {} and is there still: the log of the service says why",
                Timestamp(end)
            )));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let there: Vec<_> = record.keys.iter().filter(|key| key.is_there()).collect();
    let oldest = there.iter().map(|key| key.made).min();
    let oldest = oldest.map_or_else(String::new, |made| format!(", the oldest of {}", Timestamp(made)));
    let retired = there.iter().filter(|key| key.retired.is_some()).count();
    let destroyed = record.keys.len() - there.len();
    let shares = record.recovery.as_ref().and_then(|recovery| ShareSet::from_line(&recovery.set));
    let shares =
        shares.map_or_else(String::new, |set| format!("; any {} of {} shares recover them", set.open(), set.count()));
    Ok(format!("{} in both places{oldest}, {retired} of them retired; {destroyed} destroyed{shares}", there.len()))
}

/// Whether others have none of these rights on a directory.
fn is_private(dir: &Path, rights: u32) -> Result<(), String> {
    let about = files::about_followed(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    if about.mode() & rights == 0 {
        return Ok(());
    }
    let what = if rights == OTHERS { "read" } else { "written" };
    Err(format!("{} can be {what} by other users: chmod 700 {} mends that", dir.display(), dir.display()))
}

/// Whether what takes one of the directories need not take the other one.
fn apart(places: &Places) -> Result<(), String> {
    let device = |dir: &Path| files::about_followed(dir).map(|about| about.dev());
    match (device(&places.keys), device(&places.escrow)) {
        (Ok(keys), Ok(escrow)) if keys == escrow => Err(format!(
            "{} and {} are on one file system: what takes one takes both, and then every key is lost",
            places.keys.display(),
            places.escrow.display()
        )),
        // What cannot be looked at was said already.
        _ => Ok(()),
    }
}

fn is_gone(places: &Places, id: ShreddingKeyId) -> Result<(), String> {
    let left: Vec<String> = places
        .files(id)
        .into_iter()
        .filter(|path| files::about(path).is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(format!(
        "shredding key {id} is destroyed, and {} is there still: the service removes it while it runs",
        left.join(", ")
    ))
}

/// What there is to say if a key is not sealed to the shares that the store takes for those of today.
pub(super) fn other_shares(record: &ShreddingRecord, file: &EscrowFile) -> Option<String> {
    let ours = record.recovery.as_ref().map(|Recovery { set, .. }| set);
    if ours == Some(&file.set) {
        return None;
    }
    let of = ShareSet::from_line(&file.set)
        .map_or_else(String::new, |set| format!(", any {} of {}", set.open(), set.count()));
    Some(format!(
        "shredding key {} is sealed to other shares than the store knows of{of}: it is these that recover it; `jomae shred shares` \
         makes new ones for all keys",
        file.id
    ))
}
