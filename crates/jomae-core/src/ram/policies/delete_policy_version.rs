use jomae_api::actions::ram::policies::delete_policy_version::DeletePolicyVersion;

use super::version_of;
use crate::{
    prelude::*,
    ram::{find, record::path},
};

impl Handle<DeletePolicyVersion> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DeletePolicyVersion>,
    ) -> Result<Empty> {
        let (account, action) = (call.caller.account(), granted.action());
        let mut policy = (*find::policy(tx, account, &action.name)?).clone();
        let number = version_of(&policy, action.version)?.number;
        if number == policy.default_version {
            return Err(Refusal::PolicyVersionIsDefault.into());
        }
        policy.versions.retain(|version| version.number != number);
        policy.updated = call.now.0;
        tx.put(path::policy(account, &action.name), &policy)?;
        Ok(Empty {})
    }
}
