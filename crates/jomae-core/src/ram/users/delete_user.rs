use jomae_api::{action::Empty, actions::ram::users::delete_user::DeleteUser, error::Refusal};

use crate::{
    access::Authorized,
    error::Error,
    ram::{
        counts, find,
        record::path::{self, Entity},
    },
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<DeleteUser> for Kms {
    async fn handle(&self, call: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, DeleteUser>) -> Result<Empty, Error> {
        let account = call.caller.account();
        let record = find::user(tx, account, &granted.action().user_name)?;
        for (is_free, conflict) in [
            (record.access_keys.is_empty(), Refusal::UserHasAccessKeys),
            (record.policies.is_empty(), Refusal::UserHasPolicies),
            (record.groups.is_empty(), Refusal::UserHasGroups),
        ] {
            if !is_free {
                return Err(conflict.into());
            }
        }
        let mut counts = counts::of(tx, account)?;
        counts.users = counts.users.saturating_sub(1);
        counts::put(tx, account, &counts)?;
        tx.delete(path::name(account, Entity::User, &record.name));
        tx.delete(path::user(account, &record.id));
        Ok(Empty {})
    }
}
