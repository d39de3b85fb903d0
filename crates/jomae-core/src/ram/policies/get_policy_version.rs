use jomae_api::actions::ram::policies::{
    get_policy_version::GetPolicyVersion,
    params::{VersionOutput, version_id},
};

use super::{AnyPolicy, custom_version, found, system_version, version_of};
use crate::prelude::*;

impl Handle<GetPolicyVersion> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, GetPolicyVersion>,
    ) -> Result<VersionOutput> {
        let action = granted.action();
        let policy_version = match found(tx, call.caller.account(), &action.policy)? {
            AnyPolicy::System(policy) if policy.version == version_id(action.version) => system_version(policy),
            AnyPolicy::System(_) => return Err(Refusal::PolicyVersionNotFound.into()),
            AnyPolicy::Custom(policy) => custom_version(&policy, version_of(&policy, action.version)?),
        };
        Ok(VersionOutput { policy_version })
    }
}
