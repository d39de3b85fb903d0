use jomae_api::actions::ram::policies::delete_policy::DeletePolicy;

use crate::{
    prelude::*,
    ram::{
        counts, find,
        record::{
            PolicyRecord, PolicyType,
            path::{self, Entity},
        },
    },
};

impl Handle<DeletePolicy> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, DeletePolicy>) -> Result<Empty> {
        let (account, action) = (call.caller.account(), granted.action());
        let policy = find::policy(tx, account, &action.name)?;
        if policy.attachments > 0 {
            for (kind, refusal) in [
                (Entity::User, Refusal::PolicyHasUser),
                (Entity::Group, Refusal::PolicyHasGroup),
                (Entity::Role, Refusal::PolicyHasRole),
            ] {
                let attached = path::attached_to(account, (PolicyType::Custom, &action.name), kind);
                if !tx.paths(&attached, None, 1)?.is_empty() {
                    return Err(refusal.into());
                }
            }
            // Detached since the record was read: then the commit does not succeed, and all is decided again.
        }
        if policy.versions.len() > 1 && !action.cascading {
            return Err(Refusal::PolicyHasVersions.into());
        }
        let mut counts = counts::of(tx, account)?;
        counts.policies = counts.policies.saturating_sub(1);
        counts::put(tx, account, &counts)?;
        tx.delete::<PolicyRecord>(path::policy(account, &action.name));
        Ok(Empty {})
    }
}
