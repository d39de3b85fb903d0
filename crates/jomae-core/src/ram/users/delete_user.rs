use jomae_api::actions::ram::users::delete_user::DeleteUser;

use crate::{
    prelude::*,
    ram::{entities, find},
};

impl Handle<DeleteUser> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, DeleteUser>) -> Result<Empty> {
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
        entities::remove(tx, account, &*record)?;
        Ok(Empty {})
    }
}
