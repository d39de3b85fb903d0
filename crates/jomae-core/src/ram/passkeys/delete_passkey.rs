use jomae_api::actions::ram::passkeys::delete_passkey::DeletePasskey;

use super::{PasskeyRecord, PasskeysOfRecord, is_there, path, user};
use crate::prelude::*;

impl Handle<DeletePasskey> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, DeletePasskey>) -> Result<Empty> {
        let (account, action) = (call.caller.account(), granted.action());
        let user = user(call, tx, action.user_name.as_deref())?;
        // Whoever has found an access key must not take the second factor away with it, where no policy says so.
        if action.user_name.is_none() && call.caller.signed_in.is_none() {
            return Err(Refusal::NotAuthorized.into());
        }
        let of_user = path::of_user(account, &user.id);
        let before = tx.get::<PasskeysOfRecord>(&of_user)?.ok_or(Refusal::PasskeyNotFound)?;
        if !is_there(tx, account, &user.id, &action.passkey_id)? {
            return Err(Refusal::PasskeyNotFound.into());
        }
        let ids = before.ids.iter().filter(|id| **id != action.passkey_id).cloned().collect();
        tx.put(of_user, &PasskeysOfRecord { ids, answered: before.answered.clone() })?;
        tx.delete::<PasskeyRecord>(path::passkey(account, &action.passkey_id));
        Ok(Empty {})
    }
}
