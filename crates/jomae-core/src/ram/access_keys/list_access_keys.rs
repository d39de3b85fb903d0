use jomae_api::actions::ram::access_keys::{
    Status,
    list_access_keys::{AccessKeyRow, ListAccessKeys, Output},
};

use super::KeyOwner;
use crate::{
    prelude::*,
    record::{AccessKeyRecord, path},
};

impl Handle<ListAccessKeys> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListAccessKeys>,
    ) -> Result<Output> {
        let owner = KeyOwner::find(call, tx, granted.action().user_name.as_deref())?;
        let mut access_key = Vec::new();
        for id in owner.access_key_ids(call, tx)? {
            if let Some(record) = tx.get::<AccessKeyRecord>(&path::access_key(&id))? {
                access_key.push(AccessKeyRow {
                    access_key_id: id,
                    status: Status::of(record.stored.active),
                    create_date: Timestamp(record.stored.created),
                });
            }
        }
        access_key.sort_by_key(|row| row.create_date);
        Ok(Output { access_keys: List(access_key) })
    }
}
