use jomae_api::actions::ram::policies::{
    create_policy_version::CreatePolicyVersion,
    params::{RotateStrategy, VersionOutput},
};

use super::custom_version;
use crate::{
    prelude::*,
    ram::{
        cost, find,
        record::{PolicyVersion, path},
    },
};

impl Handle<CreatePolicyVersion> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, CreatePolicyVersion>,
    ) -> Result<VersionOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        let mut policy = (*find::policy(tx, account, &action.name)?).clone();
        if policy.versions.len() >= limits::RAM_POLICY_VERSIONS_MAX {
            let oldest = policy.versions.iter().position(|version| version.number != policy.default_version);
            match (action.rotate, oldest) {
                (RotateStrategy::DeleteOldestNonDefault, Some(oldest)) => drop(policy.versions.remove(oldest)),
                _ => return Err(Refusal::PolicyVersionsLimit.into()),
            }
        }
        cost::check_policy(&action.document)?;
        policy.versions_made += 1;
        let version =
            PolicyVersion { number: policy.versions_made, document: action.document.clone(), created: call.now.0 };
        if action.set_as_default {
            policy.default_version = version.number;
        }
        policy.updated = call.now.0;
        let policy_version = custom_version(&policy, &version);
        policy.versions.push(version);
        tx.put(path::policy(account, &action.name), &policy)?;
        Ok(VersionOutput { policy_version })
    }
}
