use jomae_api::actions::ram::roles::delete_role::DeleteRole;

use crate::{
    prelude::*,
    ram::{entities, find},
};

impl Handle<DeleteRole> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, DeleteRole>) -> Result<Empty> {
        let account = call.caller.account();
        let role = find::role(tx, account, &granted.action().name)?;
        if !role.policies.is_empty() {
            return Err(Refusal::RoleHasPolicies.into());
        }
        entities::remove(tx, account, &*role)?;
        Ok(Empty {})
    }
}
