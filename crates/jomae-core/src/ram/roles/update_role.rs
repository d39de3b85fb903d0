use jomae_api::actions::ram::roles::{params::RoleOutput, update_role::UpdateRole};

use super::output;
use crate::{
    prelude::*,
    ram::{cost, find, record::path},
};

impl Handle<UpdateRole> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UpdateRole>,
    ) -> Result<RoleOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        let old = find::role(tx, account, &action.name)?;
        let mut role = (*old).clone();
        if let Some(trust) = action.trust.as_ref().filter(|trust| **trust != old.trust) {
            cost::check_trust(trust)?;
            role.trust.clone_from(trust);
            role.trust_epoch += 1;
        }
        if let Some(description) = &action.description {
            role.description.clone_from(description);
        }
        if let Some(secs) = action.max_session_secs {
            role.max_session_secs = secs.into();
        }
        if role != *old {
            role.updated = call.now.0;
            tx.put(path::role(account, &role.id), &role)?;
        }
        Ok(output(account, &role))
    }
}
