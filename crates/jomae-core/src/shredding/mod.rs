//! Shredding keys: destroyed key material stays destroyed in older copies of the store, too
//! ([why](../../../docs/decisions/0039-shredding-keys.md)).
//!
//! What is stored of a key version is wrapped once more under the shredding key of the month ([`jomae_crypto::shredding`]).
//! A new month has a new one, under which everything that lives is wrapped anew ([`pass`]). When no record needs the old one
//! any more it is retired, and after the time of retention it is destroyed; what was destroyed before, and is in a backup
//! still, is then worth nothing.
//!
//! Where the keys are kept is not known here: never in the store.

pub mod pass;
pub mod record;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use jomae_crypto::{
    envelope::Binding,
    shredding::{ShreddingKey, ShreddingKeyId},
};

use self::record::ShreddingRecord;
use crate::{
    error::Fault,
    store::BoxFuture,
    tx::{Tx, Vault},
};

/// How often a key may be loaded for one wrapping: it is another one each time.
const FETCHES_MAX: u32 = 4;

/// The shredding keys that are in memory, and the one under which new material goes.
#[derive(Default)]
pub struct ShreddingKeys {
    held: RwLock<Held>,
    source: OnceLock<Box<dyn KeySource>>,
}

#[derive(Default)]
struct Held {
    keys: BTreeMap<ShreddingKeyId, Arc<ShreddingKey>>,
    /// Those that the store says are there, in memory or not.
    there: BTreeSet<ShreddingKeyId>,
    /// None: new material goes under none.
    target: Option<ShreddingKeyId>,
}

/// Where keys come from that are there, and not in memory: another node has made them.
pub trait KeySource: Send + Sync {
    /// Has a key brought to memory by [`ShreddingKeys::take`].
    ///
    /// # Errors
    /// It cannot be had now.
    fn fetch(&self, id: ShreddingKeyId) -> BoxFuture<'_, Result<(), Fault>>;
}

/// Why material is not unwrapped, or wrapped, at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The store does not know of the shredding key, or says that it is destroyed.
    Shredded(ShreddingKeyId),
    /// It is there, and not in memory.
    Away(ShreddingKeyId),
}

impl ShreddingKeys {
    /// From where keys are loaded that are not in memory. The first call counts.
    pub fn load_from(&self, source: Box<dyn KeySource>) {
        let _the_first_counts = self.source.set(source);
    }

    /// Takes a key into use, for what is wrapped under it.
    pub fn add(&self, key: ShreddingKey) {
        self.write().keys.insert(key.id(), Arc::new(key));
    }

    /// As [`ShreddingKeys::add`], if the store says that it is there: one that was destroyed while it was read does not come back.
    pub fn take(&self, key: ShreddingKey) {
        let mut held = self.write();
        if held.there.contains(&key.id()) {
            held.keys.insert(key.id(), Arc::new(key));
        }
    }

    /// Does as the store says: destroyed keys are forgotten, and if the service `shreds`, new material goes under the newest one.
    pub fn follow(&self, record: &ShreddingRecord, shreds: bool) {
        let mut held = self.write();
        held.there = record.keys.iter().filter(|key| key.is_there()).map(|key| key.id).collect();
        // Those that the store has not heard of yet are being made, or found.
        held.keys.retain(|id, _| record.find(*id).is_none_or(record::KeyState::is_there));
        held.target = record.newest().filter(|_| shreds);
    }

    /// Has what the store says followed from now on, whichever node has changed it.
    pub fn follow_changes(self: &Arc<Self>, vault: &Vault, shreds: bool) {
        let keys = Arc::clone(self);
        vault.follow(record::path(), move |record: Option<ShreddingRecord>| {
            keys.follow(&record.unwrap_or_default(), shreds);
        });
    }

    /// Whether this one is in memory.
    pub fn has(&self, id: ShreddingKeyId) -> bool {
        self.read().keys.contains_key(&id)
    }

    /// Under which one new material goes.
    pub fn target(&self) -> Option<ShreddingKeyId> {
        self.read().target
    }

    /// A key that is in memory.
    pub fn get(&self, id: ShreddingKeyId) -> Option<Arc<ShreddingKey>> {
        self.read().keys.get(&id).cloned()
    }

    fn find(&self, id: ShreddingKeyId) -> Result<Arc<ShreddingKey>, Missing> {
        let held = self.read();
        match held.keys.get(&id) {
            Some(key) => Ok(Arc::clone(key)),
            None if held.there.contains(&id) => Err(Missing::Away(id)),
            None => Err(Missing::Shredded(id)),
        }
    }

    /// Brings a key to memory.
    ///
    /// # Errors
    /// It is destroyed, or cannot be had now.
    pub async fn fetch(&self, missing: Missing) -> Result<(), Fault> {
        match (missing, self.source.get()) {
            (Missing::Shredded(id), _) => Err(Fault::internal(format!("shredding key {id} is not there any more"))),
            (Missing::Away(id), None) => Err(Fault::unavailable(format!("shredding key {id} is not in memory"))),
            (Missing::Away(id), Some(source)) => source.fetch(id).await,
        }
    }

    /// Wraps material that was wrapped under a domain key, if there is a shredding key for it.
    pub fn wrap(&self, binding: &Binding<'_>, inner: &[u8]) -> Result<Result<Vec<u8>, Missing>, Fault> {
        let Some(id) = self.target() else { return Ok(Ok(inner.to_vec())) };
        match self.find(id) {
            Ok(key) => key.wrap(binding, inner).map(Ok).map_err(Fault::internal),
            Err(missing) => Ok(Err(missing)),
        }
    }

    /// As [`ShreddingKeys::wrap`], and waits for the key.
    pub async fn wrap_later(&self, binding: &Binding<'_>, inner: &[u8]) -> Result<Vec<u8>, Fault> {
        for _ in 0..FETCHES_MAX {
            match self.wrap(binding, inner)? {
                Ok(wrapped) => return Ok(wrapped),
                Err(missing) => self.fetch(missing).await?,
            }
        }
        Err(Fault::unavailable("the shredding keys keep changing"))
    }

    /// What the domain key has wrapped, from what is stored.
    pub fn unwrap<'b>(&self, binding: &Binding<'_>, stored: &'b [u8]) -> Result<Result<Cow<'b, [u8]>, Missing>, Fault> {
        let Some(id) = ShreddingKeyId::of_wrapped(stored) else { return Ok(Ok(Cow::Borrowed(stored))) };
        let key = match self.find(id) {
            Ok(key) => key,
            Err(missing) => return Ok(Err(missing)),
        };
        let inner = key.unwrap(binding, stored).map_err(|error| {
            Fault::internal(format!("material of key version {} under shredding key {id}: {error}", binding.version_id))
        })?;
        Ok(Ok(Cow::Owned(inner)))
    }

    /// What is to be stored in the place of what is; None if that may stay.
    pub fn rewrap(&self, binding: &Binding<'_>, stored: &[u8]) -> Result<Result<Option<Vec<u8>>, Missing>, Fault> {
        if ShreddingKeyId::of_wrapped(stored) == self.target() {
            return Ok(Ok(None));
        }
        match self.unwrap(binding, stored)? {
            Ok(inner) => Ok(self.wrap(binding, &inner)?.map(Some)),
            Err(missing) => Ok(Err(missing)),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has the commit compare that material which was just wrapped is under the newest shredding key of the store. Whoever was
/// held up meanwhile, for however long and on whichever node, does not commit it, and wraps it anew: so from the commit on that
/// brings another key, nothing comes under the one before.
pub fn expect_newest(tx: &mut Tx<'_>, wrapped: &[u8]) -> Result<(), Fault> {
    let Some(id) = ShreddingKeyId::of_wrapped(wrapped) else { return Ok(()) };
    if tx.get::<ShreddingRecord>(&record::path())?.is_none_or(|record| record.newest() != Some(id)) {
        tx.give_up();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDING: Binding<'static> =
        Binding { account: "a", region: "r", key_id: "k", version_id: "v", spec: "s", usage: "u" };

    fn id(text: &str) -> ShreddingKeyId {
        ShreddingKeyId::from_text(text).unwrap()
    }

    fn record(keys: &[(ShreddingKeyId, Option<i64>)]) -> ShreddingRecord {
        let state = |(id, destroyed): &(ShreddingKeyId, Option<i64>)| record::KeyState {
            id: *id,
            made: 0,
            retired: *destroyed,
            destroyed: *destroyed,
        };
        ShreddingRecord { keys: keys.iter().map(state).collect(), ..ShreddingRecord::default() }
    }

    #[test]
    fn material_follows_the_target_and_is_gone_with_its_key() {
        let (keys, inner) = (ShreddingKeys::default(), vec![1, 2, 3]);
        let (october, november) = (id("2026-10-00000001"), id("2026-11-00000001"));
        assert_eq!(keys.wrap(&BINDING, &inner).unwrap().unwrap(), inner);
        keys.follow(&record(&[(october, None)]), true);
        assert_eq!(keys.wrap(&BINDING, &inner).unwrap(), Err(Missing::Away(october)));
        keys.take(ShreddingKey::random(october).unwrap());
        let old = keys.wrap(&BINDING, &inner).unwrap().unwrap();
        assert_eq!(ShreddingKeyId::of_wrapped(&old), Some(october));
        assert_eq!(keys.rewrap(&BINDING, &old).unwrap(), Ok(None));
        // The option was turned on: what is there follows.
        assert!(matches!(keys.rewrap(&BINDING, &inner).unwrap(), Ok(Some(_))));

        keys.take(ShreddingKey::random(november).unwrap());
        assert!(!keys.has(november), "nobody has heard of it");
        keys.add(ShreddingKey::random(november).unwrap());
        keys.follow(&record(&[(october, None), (november, None)]), true);
        let new = keys.rewrap(&BINDING, &old).unwrap().unwrap().unwrap();
        assert_eq!(ShreddingKeyId::of_wrapped(&new), Some(november));
        keys.follow(&record(&[(october, Some(1)), (november, None)]), true);
        keys.take(ShreddingKey::random(october).unwrap());
        assert!(!keys.has(october), "what was read while it was destroyed is not kept");
        assert_eq!(keys.unwrap(&BINDING, &new).unwrap().unwrap(), inner);
        assert_eq!(keys.unwrap(&BINDING, &old).unwrap(), Err(Missing::Shredded(october)));
        assert_eq!(keys.rewrap(&BINDING, &old).unwrap(), Err(Missing::Shredded(october)));
        assert!(keys.unwrap(&Binding { key_id: "x", ..BINDING }, &new).is_err());

        // Turned off.
        keys.follow(&record(&[(october, Some(1)), (november, None)]), false);
        assert_eq!(keys.rewrap(&BINDING, &new).unwrap(), Ok(Some(inner.clone())));
        assert_eq!(keys.rewrap(&BINDING, &inner).unwrap(), Ok(None));
    }
}
