use jomae_api::actions::ram::roles::delete_role::DeleteRole;

use crate::{
    prelude::*,
    ram::{
        counts, find,
        record::path::{self, Entity},
    },
};

impl Handle<DeleteRole> for Kms {
    async fn handle(&self, call: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, DeleteRole>) -> Result<Empty> {
        let (account, action) = (call.caller.account(), granted.action());
        let role = find::role(tx, account, &action.name)?;
        if !role.policies.is_empty() {
            return Err(Refusal::RoleHasPolicies.into());
        }
        let mut counts = counts::of(tx, account)?;
        counts.roles = counts.roles.saturating_sub(1);
        counts::put(tx, account, &counts)?;
        tx.delete(path::name(account, Entity::Role, &action.name));
        tx.delete(path::role(account, &role.id));
        Ok(Empty {})
    }
}
