use jomae_api::actions::ram::policies::get_policy::{GetPolicy, Output};

use super::{AnyPolicy, custom_row, custom_version, found, system_row, system_version, version_of};
use crate::prelude::*;

impl Handle<GetPolicy> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, GetPolicy>) -> Result<Output> {
        let account = call.caller.account();
        Ok(match found(tx, account, &granted.action().policy)? {
            AnyPolicy::System(policy) => {
                Output { policy: system_row(tx, account, policy)?, default_policy_version: system_version(policy) }
            }
            AnyPolicy::Custom(policy) => {
                let version = version_of(&policy, policy.default_version)?;
                Output { policy: custom_row(&policy), default_policy_version: custom_version(&policy, version) }
            }
        })
    }
}
