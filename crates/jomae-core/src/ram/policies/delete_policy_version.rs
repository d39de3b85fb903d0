use jomae_api::{action::Empty, actions::ram::policies::delete_policy_version::DeletePolicyVersion, error::Refusal};

use super::version_of;
use crate::{
    access::Authorized,
    error::Error,
    ram::{find, record::path},
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<DeletePolicyVersion> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DeletePolicyVersion>,
    ) -> Result<Empty, Error> {
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
