//! From a name to the record that it means, in the caller's account.

use std::sync::Arc;

pub use super::entities::find as entity;
use super::record::{GroupRecord, PolicyRecord, RoleRecord, UserRecord, path};
use crate::prelude::*;

/// The user of this name, or `EntityNotExist.User`.
pub fn user(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<Arc<UserRecord>> {
    entity(tx, account, name)
}

/// The group of this name, or `EntityNotExist.Group`.
pub fn group(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<Arc<GroupRecord>> {
    entity(tx, account, name)
}

/// The role of this name, or `EntityNotExist.Role`.
pub fn role(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<Arc<RoleRecord>> {
    entity(tx, account, name)
}

/// The policy of the account (not one of the service's) of this name, or `EntityNotExist.Policy`.
pub fn policy(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<Arc<PolicyRecord>> {
    tx.get(&path::policy(account, name))?.ok_or(Refusal::PolicyNotFound.into())
}
