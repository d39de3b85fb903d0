use jomae_api::actions::ram::policies::{
    params::{PolicyOutput, PolicyRow},
    update_policy_description::UpdatePolicyDescription,
};

use super::custom_row;
use crate::{
    prelude::*,
    ram::{find, record::path},
};

impl Handle<UpdatePolicyDescription> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UpdatePolicyDescription>,
    ) -> Result<PolicyOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        let mut policy = (*find::policy(tx, account, &action.name)?).clone();
        policy.description.clone_from(&action.description);
        policy.updated = call.now.0;
        tx.put(path::policy(account, &action.name), &policy)?;
        Ok(PolicyOutput { policy: PolicyRow { attachment_count: None, ..custom_row(&policy) } })
    }
}
