use jomae_api::actions::ram::passkeys::list_passkeys::{ListPasskeys, Output};

use super::{all, shown, user};
use crate::prelude::*;

impl Handle<ListPasskeys> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, ListPasskeys>) -> Result<Output> {
        let user = user(call, tx, granted.action().user_name.as_deref())?;
        let passkeys = all(tx, call.caller.account(), &user.id)?;
        Ok(Output { passkeys: List(passkeys.iter().map(|passkey| shown(passkey)).collect()) })
    }
}
