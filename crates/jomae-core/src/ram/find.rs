//! From a name to the record that it means, in the caller's account.

use std::sync::Arc;

use jomae_api::{error::Refusal, names::AccountId};

use super::record::{
    GroupRecord, NameRecord, PolicyRecord, RoleRecord, UserRecord,
    path::{self, Entity},
};
use crate::{error::Error, record::Record, tx::Tx};

/// The user of this name, or `EntityNotExist.User`.
pub fn user(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<Arc<UserRecord>, Error> {
    by_name(tx, account, Entity::User, name)?.ok_or(Refusal::UserNotFound.into())
}

/// The group of this name, or `EntityNotExist.Group`.
pub fn group(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<Arc<GroupRecord>, Error> {
    by_name(tx, account, Entity::Group, name)?.ok_or(Refusal::GroupNotFound.into())
}

/// The role of this name, or `EntityNotExist.Role`.
pub fn role(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<Arc<RoleRecord>, Error> {
    by_name(tx, account, Entity::Role, name)?.ok_or(Refusal::RoleNotFound.into())
}

/// The policy of the account (not one of the service's) of this name, or `EntityNotExist.Policy`.
pub fn policy(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<Arc<PolicyRecord>, Error> {
    tx.get(&path::policy(account, name))?.ok_or(Refusal::PolicyNotFound.into())
}

fn by_name<R: Record>(tx: &mut Tx<'_>, account: &AccountId, kind: Entity, name: &str) -> Result<Option<Arc<R>>, Error> {
    match tx.get::<NameRecord>(&path::name(account, kind, name))? {
        // Gone if it was deleted since its name was read.
        Some(named) => Ok(tx.get::<R>(&path::entity(account, kind, &named.id))?),
        None => Ok(None),
    }
}
