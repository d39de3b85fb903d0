//! Access keys of users, and of the account itself. One file an action.

mod create_access_key;
mod delete_access_key;
mod get_access_key_last_used;
mod list_access_keys;
mod update_access_key;

use std::sync::Arc;

use super::{
    find,
    record::{UserRecord, path as ram_path},
};
use crate::{
    identity::{Who, accounts::ROOT_KEYS_MAX},
    prelude::*,
    record::{AccessKeyRecord, path},
    store::SCAN_LIMIT_MAX,
};

/// Whose access keys a call is about.
enum KeyOwner {
    /// The account itself. Only it can name itself, by naming nobody.
    Account,
    User(Arc<UserRecord>),
}

impl KeyOwner {
    /// The user of this name, or the caller.
    fn find(call: &Call<'_>, tx: &mut Tx<'_>, user_name: Option<&str>) -> Result<Self> {
        let account = call.caller.account();
        if let Some(name) = user_name {
            return Ok(Self::User(find::user(tx, account, name)?));
        }
        match &call.caller.who {
            Who::Root => Ok(Self::Account),
            Who::User { id, .. } => {
                let user = tx.get::<UserRecord>(&ram_path::user(account, id))?;
                Ok(Self::User(user.ok_or(Refusal::UserNotFound)?))
            }
            // Temporary credentials are nobody's access keys.
            Who::Session(_) | Who::Federated(_) => Err(Refusal::ParameterMissing("UserName").into()),
        }
    }

    /// Active and inactive access keys that the owner can have.
    const fn access_keys_max(&self) -> usize {
        match self {
            Self::Account => ROOT_KEYS_MAX,
            Self::User(_) => limits::RAM_ACCESS_KEYS_MAX,
        }
    }

    fn user_id(&self) -> Option<&str> {
        match self {
            Self::Account => None,
            Self::User(user) => Some(&user.id),
        }
    }

    fn access_key_ids(&self, call: &Call<'_>, tx: &Tx<'_>) -> Result<Vec<String>, Fault> {
        let user = match self {
            Self::User(user) => return Ok(user.access_keys.clone()),
            Self::Account => call.caller.account(),
        };
        let prefix = ram_path::root_keys(user);
        let paths = tx.paths(&prefix, None, SCAN_LIMIT_MAX)?;
        Ok(paths.iter().filter_map(|at| path::tail(at, &prefix)).map(str::to_owned).collect())
    }

    /// The access key of this id, if it is the owner's.
    fn access_key(&self, call: &Call<'_>, tx: &mut Tx<'_>, id: &str) -> Result<Arc<AccessKeyRecord>> {
        let record = tx.get::<AccessKeyRecord>(&path::access_key(id))?;
        let is_theirs = |record: &Arc<AccessKeyRecord>| {
            record.stored.account == *call.caller.account() && record.stored.user.as_deref() == self.user_id()
        };
        record.filter(is_theirs).ok_or(Refusal::UserAccessKeyNotFound.into())
    }

    /// Refuses to take from the account itself its last active access key: nobody could sign for it any more.
    ///
    /// What makes another one active is read by the transaction, so two calls that each rely on the other's cannot both
    /// succeed.
    fn keep_one_active(&self, call: &Call<'_>, tx: &mut Tx<'_>, but: &str) -> Result<()> {
        if matches!(self, Self::User(_)) {
            return Ok(());
        }
        for id in self.access_key_ids(call, tx)?.iter().filter(|id| *id != but) {
            if tx.get::<AccessKeyRecord>(&path::access_key(id))?.is_some_and(|record| record.stored.active) {
                return Ok(());
            }
        }
        Err(Refusal::LastRootAccessKey.into())
    }
}
