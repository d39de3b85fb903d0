use jomae_api::actions::ram::access_keys::delete_access_key::DeleteAccessKey;

use super::Holder;
use crate::{prelude::*, ram::record::path as ram_path, record::path};

impl Handle<DeleteAccessKey> for Kms {
    async fn handle(&self, call: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, DeleteAccessKey>) -> Result<Empty> {
        let (account, action) = (call.caller.account(), granted.action());
        let id = &action.access_key_id;
        let holder = Holder::find(call, tx, action.user_name.as_deref())?;
        if holder.access_key(call, tx, id)?.stored.active {
            holder.keep_one_active(call, tx, id)?;
        }
        match holder {
            Holder::Account => tx.delete(ram_path::root_key(account, id)),
            Holder::User(user) => {
                let mut user = (*user).clone();
                user.access_keys.retain(|other| other != id);
                tx.put(ram_path::user(account, &user.id), &user)?;
            }
        }
        tx.delete(path::access_key(id));
        tx.delete(ram_path::last_used(account, id));
        Ok(Empty {})
    }
}
