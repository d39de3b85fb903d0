//! What a caller may read of each key of a list.

use std::sync::Arc;

use jomae_api::names::KeyPlace;

use super::{FoundKey, Resource, Rights, authorize::PolicyEvaluator, rights::rights_of};
use crate::{call::Call, error::Fault, record::KeyRecord, tx::Tx};

/// Judges the keys of a list one by one, for what the list tells of each beside its name. The list itself has been
/// allowed before; what is not allowed here is left out and refuses nothing.
pub struct KeyReader<'c> {
    call: &'c Call<'c>,
    rights: Rights,
}

impl<'c> KeyReader<'c> {
    /// For whoever calls.
    pub fn of(tx: &mut Tx<'_>, call: &'c Call<'c>) -> Result<Self, Fault> {
        Ok(Self { call, rights: rights_of(tx, call)? })
    }

    /// Whether the caller has a permission on a key.
    pub fn may(&self, permission: &'static str, place: &KeyPlace, record: &Arc<KeyRecord>) -> Result<bool, Fault> {
        if self.rights.dead.is_some() {
            return Ok(false);
        }
        let key = Resource::Key(FoundKey::new(place.clone(), Arc::clone(record), None));
        Ok(PolicyEvaluator::new(self.call, &self.rights, None).ask(permission, &key, None)?.is_ok())
    }

    /// Whether the caller has a permission on every key of the account that has no policy of its own. `false` may also mean
    /// that it depends on the key.
    pub fn may_on_any(&self, permission: &'static str) -> Result<bool, Fault> {
        if self.rights.dead.is_some() {
            return Ok(false);
        }
        if self.call.caller.is_root() {
            return Ok(true);
        }
        self.rights.allow_whatever(permission)
    }
}
