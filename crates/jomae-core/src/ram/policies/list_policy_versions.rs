use jomae_api::actions::ram::policies::list_policy_versions::{ListPolicyVersions, Output};

use super::{AnyPolicy, custom_version, found, system_version};
use crate::prelude::*;

impl Handle<ListPolicyVersions> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListPolicyVersions>,
    ) -> Result<Output> {
        let policy_version = match found(tx, call.caller.account(), &granted.action().policy)? {
            AnyPolicy::System(policy) => vec![system_version(policy)],
            AnyPolicy::Custom(policy) => {
                policy.versions.iter().map(|version| custom_version(&policy, version)).collect()
            }
        };
        Ok(Output { policy_versions: List(policy_version) })
    }
}
