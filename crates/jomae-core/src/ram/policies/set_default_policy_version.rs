use jomae_api::actions::ram::policies::set_default_policy_version::SetDefaultPolicyVersion;

use super::version_of;
use crate::{
    prelude::*,
    ram::{find, record::path},
};

impl Handle<SetDefaultPolicyVersion> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, SetDefaultPolicyVersion>,
    ) -> Result<Empty> {
        let (account, action) = (call.caller.account(), granted.action());
        let mut policy = (*find::policy(tx, account, &action.name)?).clone();
        policy.default_version = version_of(&policy, action.version)?.number;
        policy.updated = call.now.0;
        tx.put(path::policy(account, &action.name), &policy)?;
        Ok(Empty {})
    }
}
