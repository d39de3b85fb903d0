use jomae_api::actions::{
    metadata::DateOrEmpty,
    ram::access_keys::get_access_key_last_used::{GetAccessKeyLastUsed, LastUsed, Output},
};

use super::KeyOwner;
use crate::{
    prelude::*,
    ram::record::{LastUsedRecord, path},
};

impl Handle<GetAccessKeyLastUsed> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, GetAccessKeyLastUsed>,
    ) -> Result<Output> {
        let action = granted.action();
        let owner = KeyOwner::find(call, tx, action.user_name.as_deref())?;
        owner.access_key(call, tx, &action.access_key_id)?;
        let used = tx.get::<LastUsedRecord>(&path::last_used(call.caller.account(), &action.access_key_id))?;
        Ok(Output {
            access_key_last_used: LastUsed {
                last_used_date: DateOrEmpty(used.as_ref().map(|used| Timestamp(used.at))),
                service_name: used.map(|used| used.service.clone()).unwrap_or_default(),
            },
        })
    }
}
