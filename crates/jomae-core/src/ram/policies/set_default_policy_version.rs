use jomae_api::{action::Empty, actions::ram::policies::set_default_policy_version::SetDefaultPolicyVersion};

use super::version_of;
use crate::{
    access::Authorized,
    error::Error,
    ram::{find, record::path},
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<SetDefaultPolicyVersion> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, SetDefaultPolicyVersion>,
    ) -> Result<Empty, Error> {
        let (account, action) = (call.caller.account(), granted.action());
        let mut policy = (*find::policy(tx, account, &action.name)?).clone();
        policy.default_version = version_of(&policy, action.version)?.number;
        policy.updated = call.now.0;
        tx.put(path::policy(account, &action.name), &policy)?;
        Ok(Empty {})
    }
}
