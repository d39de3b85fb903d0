//! A pass over all key versions, which brings each under the shredding key under which new material goes.
//!
//! In small commits, each of which compares what it has read: whatever happens between two of them, every version is
//! under a key that is still there. Where a pass stands is kept in memory only; one that is cut off begins again.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use jomae_api::{
    names::{AccountId, KeyId, KeyPlace, RegionId},
    time::Timestamp,
};
use jomae_crypto::shredding::ShreddingKeyId;

use super::{Missing, ShreddingKeys, expect_newest};
use crate::{
    error::Fault,
    record::{self, KeyRecord, StoredVersion, VersionRecord},
    store::{COMMIT_ITEMS_MAX, Path, SCAN_LIMIT_MAX},
    stored::Bytes,
    tx::{CommitOutcome, Tx, Vault},
};

/// What tenants own.
const OWNED: &str = "a/";
/// Versions wrapped anew in one commit, which writes two records for each at most.
const VERSIONS_PER_COMMIT: usize = COMMIT_ITEMS_MAX / 2 - 10;
/// Commits, and looks at the store, in one turn.
const COMMITS_PER_TURN: usize = 10;
const LOOKS_PER_TURN: usize = 64;

/// Where a pass stands.
pub struct Pass {
    /// When it began.
    pub began: Timestamp,
    /// The last path that was looked at.
    after: Option<String>,
    found: Found,
}

/// What a pass has found so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Versions with material outside of a token.
    pub versions: u64,
    /// Of these, wrapped anew.
    pub rewrapped: u64,
    /// Of these, under a shredding key that is not there any more.
    pub shredded: u64,
}

/// A key version with its key.
struct Version {
    at: Path,
    place: KeyPlace,
}

impl Pass {
    /// A new one.
    pub fn begin(now: Timestamp) -> Self {
        Self { began: now, after: None, found: Found::default() }
    }

    /// Goes on for a while. What it has found, when it is at its end.
    ///
    /// # Errors
    /// It stays where it is.
    pub async fn go_on(&mut self, vault: &Vault, keys: &ShreddingKeys) -> Result<Option<Found>, Fault> {
        let mut commits = 0;
        for _ in 0..LOOKS_PER_TURN {
            let (versions, next) = look(&vault.reading(), self.after.as_deref())?;
            for batch in versions.chunks(VERSIONS_PER_COMMIT) {
                let Some(found) = rewrap(vault, keys, batch).await? else { return Ok(None) };
                self.found.versions += found.versions;
                self.found.rewrapped += found.rewrapped;
                self.found.shredded += found.shredded;
                self.after = batch.last().map(|version| version.at.as_str().to_owned());
                commits += usize::from(found.rewrapped > 0);
                if commits >= COMMITS_PER_TURN {
                    return Ok(None);
                }
            }
            match next {
                Some(next) => self.after = Some(next),
                None => return Ok(Some(self.found)),
            }
        }
        Ok(None)
    }
}

/// Under how many versions of a store each shredding key is; none: under none.
pub fn count(vault: &Vault) -> Result<BTreeMap<Option<ShreddingKeyId>, u64>, Fault> {
    let (mut counts, mut after) = (BTreeMap::new(), None);
    loop {
        let mut tx = vault.reading();
        let (versions, next) = look(&tx, after.as_deref())?;
        for Version { at, place } in versions {
            if let Some((_, stored, _)) = material(&mut tx, &at, &place)? {
                *counts.entry(ShreddingKeyId::of_wrapped(&stored.0)).or_default() += 1;
            }
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(counts),
        }
    }
}

/// Key versions after a path, and after which path to go on; none: these were the last.
fn look(tx: &Tx<'_>, after: Option<&str>) -> Result<(Vec<Version>, Option<String>), Fault> {
    let paths = tx.paths(OWNED, after, SCAN_LIMIT_MAX)?;
    let mut versions = Vec::new();
    for at in &paths {
        let parts: Vec<&str> = at.as_str().split('/').collect();
        let [_, account, region, kind, rest @ ..] = parts.as_slice() else { continue };
        match (*kind).cmp("version") {
            Ordering::Equal => {
                let named =
                    (AccountId::new(account), RegionId::new(region), rest.first().and_then(|id| KeyId::new(id)));
                let (Some(account), Some(region), Some(id)) = named else {
                    return Err(Fault::internal(format!("record {at} is at a place where no key version is")));
                };
                versions.push(Version { at: at.clone(), place: KeyPlace { account, region, id } });
            }
            // Whatever else there is of this account in this region is passed over.
            Ordering::Less => return Ok((versions, Some(format!("a/{account}/{region}/version/")))),
            Ordering::Greater => return Ok((versions, Some(format!("a/{account}/{region}0")))),
        }
    }
    let next = (paths.len() == SCAN_LIMIT_MAX).then(|| paths.last().map(|path| path.as_str().to_owned())).flatten();
    Ok((versions, next))
}

type Material = (Arc<VersionRecord>, Bytes, Arc<KeyRecord>);

/// A version whose material is in the store, with its key.
fn material(tx: &mut Tx<'_>, at: &Path, place: &KeyPlace) -> Result<Option<Material>, Fault> {
    let Some(version) = tx.get::<VersionRecord>(at)? else { return Ok(None) };
    let Some(blob) = version.stored.blob.clone() else { return Ok(None) };
    let Some(key) = tx.get::<KeyRecord>(&record::path::key(place))? else { return Ok(None) };
    Ok(key.protection.is_software().then_some((version, blob, key)))
}

/// Wraps some versions anew, all in one commit; None if one of them has changed meanwhile, or a key was not in memory.
async fn rewrap(vault: &Vault, keys: &ShreddingKeys, versions: &[Version]) -> Result<Option<Found>, Fault> {
    let (mut tx, mut found) = (vault.working()?, Found::default());
    for Version { at, place } in versions {
        let Some((version, blob, key)) = material(&mut tx, at, place)? else { continue };
        found.versions += 1;
        let binding = record::binding(place, &key, &version.stored.id);
        match keys.rewrap(&binding, &blob.0)? {
            Ok(None) => {}
            Ok(Some(blob)) => {
                expect_newest(&mut tx, &blob)?;
                let stored = StoredVersion { blob: Some(Bytes(blob)), ..version.stored.clone() };
                tx.put(at.clone(), &VersionRecord::of(stored))?;
                // So that the version which it keeps in memory is dropped, too.
                tx.put(record::path::key(place), &*key)?;
                found.rewrapped += 1;
            }
            Err(Missing::Shredded(_)) => found.shredded += 1,
            Err(away) => {
                keys.fetch(away).await?;
                return Ok(None);
            }
        }
    }
    if found.rewrapped == 0 {
        return Ok(Some(found));
    }
    Ok((tx.commit().await? == CommitOutcome::Done).then_some(found))
}
