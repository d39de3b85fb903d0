use jomae_api::actions::ram::policies::{
    create_policy::CreatePolicy,
    params::{PolicyOutput, PolicyRow},
};

use super::custom_row;
use crate::{
    policy::system_policy,
    prelude::*,
    quota::is_full,
    ram::{
        cost, counts,
        record::{PolicyRecord, PolicyVersion, path},
    },
    stored::Derived,
};

impl Handle<CreatePolicy> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, CreatePolicy>,
    ) -> Result<PolicyOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        let at = path::policy(account, &action.name);
        // Two policies of one name, one of the service and one of the account, would be mistaken for each other.
        if system_policy(&action.name).is_some() || tx.get::<PolicyRecord>(&at)?.is_some() {
            return Err(Refusal::PolicyExists.into());
        }
        cost::check_policy(&action.document)?;
        let mut counts = counts::of(tx, account)?;
        if is_full(self.quotas.quotas().policies, counts.policies) {
            return Err(Refusal::PoliciesLimit.into());
        }
        counts.policies += 1;
        let version = PolicyVersion { number: 1, document: action.document.clone(), created: call.now.0 };
        let record = PolicyRecord {
            name: action.name.clone(),
            description: action.description.clone(),
            created: call.now.0,
            updated: call.now.0,
            default_version: 1,
            versions_made: 1,
            versions: vec![version],
            attachments: 0,
            in_memory: Derived::default(),
        };
        tx.put(at, &record)?;
        counts::put(tx, account, &counts)?;
        Ok(PolicyOutput { policy: PolicyRow { attachment_count: None, ..custom_row(&record) } })
    }
}
