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
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use jomae_crypto::{
    envelope::Binding,
    shredding::{ShreddingKey, ShreddingKeyId},
};

use crate::error::Fault;

/// The shredding keys that are there, and the one under which new material goes.
#[derive(Default)]
pub struct ShreddingKeys(RwLock<Held>);

#[derive(Default)]
struct Held {
    keys: BTreeMap<ShreddingKeyId, Arc<ShreddingKey>>,
    /// None: new material goes under none.
    target: Option<ShreddingKeyId>,
}

/// The shredding key of wrapped material is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shredded(pub ShreddingKeyId);

impl ShreddingKeys {
    /// Takes a key into use, for what is wrapped under it.
    pub fn add(&self, key: ShreddingKey) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).keys.insert(key.id(), Arc::new(key));
    }

    /// Forgets a key.
    pub fn remove(&self, id: ShreddingKeyId) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        held.keys.remove(&id);
        if held.target == Some(id) {
            held.target = None;
        }
    }

    /// Whether this one is there.
    pub fn has(&self, id: ShreddingKeyId) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys.contains_key(&id)
    }

    /// Under which one new material goes.
    pub fn target(&self) -> Option<ShreddingKeyId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).target
    }

    /// From now on new material goes under this one, or under none.
    ///
    /// # Errors
    /// It is not there.
    pub fn aim(&self, target: Option<ShreddingKeyId>) -> Result<(), Fault> {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = target
            && !held.keys.contains_key(&id)
        {
            return Err(Fault::internal(format!("shredding key {id} is not there")));
        }
        held.target = target;
        Ok(())
    }

    /// A key that is there.
    pub fn get(&self, id: ShreddingKeyId) -> Option<Arc<ShreddingKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys.get(&id).cloned()
    }

    /// Wraps material that was wrapped under a domain key, if there is a shredding key for it.
    pub fn wrap(&self, binding: &Binding<'_>, inner: Vec<u8>) -> Result<Vec<u8>, Fault> {
        match self.target().and_then(|id| self.get(id)) {
            Some(key) => key.wrap(binding, &inner).map_err(Fault::internal),
            None => Ok(inner),
        }
    }

    /// What the domain key has wrapped, from what is stored.
    pub fn unwrap<'b>(
        &self,
        binding: &Binding<'_>,
        stored: &'b [u8],
    ) -> Result<Result<Cow<'b, [u8]>, Shredded>, Fault> {
        let Some(id) = ShreddingKeyId::of_wrapped(stored) else { return Ok(Ok(Cow::Borrowed(stored))) };
        let Some(key) = self.get(id) else { return Ok(Err(Shredded(id))) };
        let inner = key.unwrap(binding, stored).map_err(|error| {
            Fault::internal(format!("material of key version {} under shredding key {id}: {error}", binding.version_id))
        })?;
        Ok(Ok(Cow::Owned(inner)))
    }

    /// What is to be stored in the place of what is; None if that may stay.
    pub fn rewrap(&self, binding: &Binding<'_>, stored: &[u8]) -> Result<Result<Option<Vec<u8>>, Shredded>, Fault> {
        if ShreddingKeyId::of_wrapped(stored) == self.target() {
            return Ok(Ok(None));
        }
        match self.unwrap(binding, stored)? {
            Ok(inner) => self.wrap(binding, inner.into_owned()).map(|wrapped| Ok(Some(wrapped))),
            Err(shredded) => Ok(Err(shredded)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDING: Binding<'static> =
        Binding { account: "a", region: "r", key_id: "k", version_id: "v", spec: "s", usage: "u" };

    fn id(text: &str) -> ShreddingKeyId {
        ShreddingKeyId::from_text(text).unwrap()
    }

    #[test]
    fn material_follows_the_target_and_is_gone_with_its_key() {
        let (keys, inner) = (ShreddingKeys::default(), vec![1, 2, 3]);
        let (october, november) = (id("2026-10-00000001"), id("2026-11-00000001"));
        assert_eq!(keys.wrap(&BINDING, inner.clone()).unwrap(), inner);
        assert!(keys.aim(Some(october)).is_err());
        keys.add(ShreddingKey::random(october).unwrap());
        keys.aim(Some(october)).unwrap();
        let old = keys.wrap(&BINDING, inner.clone()).unwrap();
        assert_eq!(ShreddingKeyId::of_wrapped(&old), Some(october));
        assert_eq!(keys.rewrap(&BINDING, &old).unwrap(), Ok(None));
        // The option was turned on: what is there follows.
        assert!(matches!(keys.rewrap(&BINDING, &inner).unwrap(), Ok(Some(_))));

        keys.add(ShreddingKey::random(november).unwrap());
        keys.aim(Some(november)).unwrap();
        let new = keys.rewrap(&BINDING, &old).unwrap().unwrap().unwrap();
        assert_eq!(ShreddingKeyId::of_wrapped(&new), Some(november));
        keys.remove(october);
        assert_eq!(keys.unwrap(&BINDING, &new).unwrap().unwrap(), inner);
        assert_eq!(keys.unwrap(&BINDING, &old).unwrap(), Err(Shredded(october)));
        assert_eq!(keys.rewrap(&BINDING, &old).unwrap(), Err(Shredded(october)));
        assert!(keys.unwrap(&Binding { key_id: "x", ..BINDING }, &new).is_err());

        // Turned off.
        keys.aim(None).unwrap();
        assert_eq!(keys.rewrap(&BINDING, &new).unwrap(), Ok(Some(inner.clone())));
        assert_eq!(keys.rewrap(&BINDING, &inner).unwrap(), Ok(None));
    }
}
