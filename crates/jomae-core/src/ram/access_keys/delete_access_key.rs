use jomae_api::actions::ram::access_keys::delete_access_key::DeleteAccessKey;

use super::KeyOwner;
use crate::{
    prelude::*,
    ram::record::{LastUsedRecord, path as ram_path},
    record::{AccessKeyRecord, Marker, path},
};

impl Handle<DeleteAccessKey> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DeleteAccessKey>,
    ) -> Result<Empty> {
        let (account, action) = (call.caller.account(), granted.action());
        let id = &action.access_key_id;
        let owner = KeyOwner::find(call, tx, action.user_name.as_deref())?;
        if owner.access_key(call, tx, id)?.stored.active {
            owner.keep_one_active(call, tx, id)?;
        }
        match owner {
            KeyOwner::Account => tx.delete::<Marker>(ram_path::root_key(account, id)),
            KeyOwner::User(user) => {
                let mut user = (*user).clone();
                user.access_keys.retain(|other| other != id);
                tx.put(ram_path::user(account, &user.id), &user)?;
            }
        }
        tx.delete::<AccessKeyRecord>(path::access_key(id));
        tx.delete::<LastUsedRecord>(ram_path::last_used(account, id));
        Ok(Empty {})
    }
}
