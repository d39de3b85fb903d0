use jomae_api::actions::ram::users::delete_user::DeleteUser;

use crate::{
    prelude::*,
    ram::{
        entities, find,
        login::{DeviceOfRecord, LoginRecord, path},
        passkeys,
    },
};

impl Handle<DeleteUser> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, DeleteUser>) -> Result<Empty> {
        let account = call.caller.account();
        let record = find::user(tx, account, &granted.action().user_name)?;
        for (is_free, conflict) in [
            (record.access_keys.is_empty(), Refusal::UserHasAccessKeys),
            (record.policies.is_empty(), Refusal::UserHasPolicies),
            (record.groups.is_empty(), Refusal::UserHasGroups),
            (tx.get::<LoginRecord>(&path::login(account, &record.id))?.is_none(), Refusal::UserHasLoginProfile),
            (
                tx.get::<DeviceOfRecord>(&path::device_of(account, &record.id))?.is_none(),
                Refusal::UserHasMfaDeviceBound,
            ),
        ] {
            if !is_free {
                return Err(conflict.into());
            }
        }
        passkeys::delete_all(tx, account, &record.id)?;
        entities::remove(tx, account, &*record)?;
        Ok(Empty {})
    }
}
