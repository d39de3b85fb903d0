use jomae_api::actions::ram::access_keys::{
    Status,
    create_access_key::{CreateAccessKey, NewAccessKey, Output},
};

use super::KeyOwner;
use crate::{
    identity::new_access_key,
    prelude::*,
    ram::{counts, record::path as ram_path},
    record::{Marker, path},
};

impl Handle<CreateAccessKey> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, CreateAccessKey>,
    ) -> Result<Output> {
        let account = call.caller.account();
        let owner = KeyOwner::find(call, tx, granted.action().user_name.as_deref())?;
        // Written with every access key of the account itself, so that two calls at once do not both find room.
        let counts = counts::of(tx, account)?;
        if owner.access_key_ids(call, tx)?.len() >= owner.access_keys_max() {
            return Err(Refusal::UserAccessKeyLimit.into());
        }
        let (id, secret, record) = new_access_key(self.vault.keyring(), account, owner.user_id(), call.now)?;
        tx.insert(path::access_key(&id), &record)?;
        match owner {
            KeyOwner::Account => {
                tx.put(ram_path::root_key(account, &id), &Marker {})?;
                counts::put(tx, account, &counts)?;
            }
            KeyOwner::User(user) => {
                let mut user = (*user).clone();
                user.access_keys.push(id.clone());
                tx.put(ram_path::user(account, &user.id), &user)?;
            }
        }
        Ok(Output {
            access_key: NewAccessKey {
                access_key_id: id,
                access_key_secret: SecretText(secret),
                status: Status::of(record.stored.active),
                create_date: Timestamp(record.stored.created),
            },
        })
    }
}
