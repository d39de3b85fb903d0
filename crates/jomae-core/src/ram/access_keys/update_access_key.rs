use jomae_api::actions::ram::access_keys::{Status, update_access_key::UpdateAccessKey};

use super::KeyOwner;
use crate::{
    prelude::*,
    record::{AccessKeyRecord, StoredAccessKey, path},
};

impl Handle<UpdateAccessKey> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UpdateAccessKey>,
    ) -> Result<Empty> {
        let action = granted.action();
        let owner = KeyOwner::find(call, tx, action.user_name.as_deref())?;
        let record = owner.access_key(call, tx, &action.access_key_id)?;
        let active = action.status == Status::Active;
        if record.stored.active == active {
            return Ok(Empty {});
        }
        if !active {
            owner.keep_one_active(call, tx, &action.access_key_id)?;
        }
        let stored = StoredAccessKey { active, ..record.stored.clone() };
        tx.put(path::access_key(&action.access_key_id), &AccessKeyRecord::of(stored))?;
        Ok(Empty {})
    }
}
