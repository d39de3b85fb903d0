use jomae_api::{action::Empty, actions::ram::policies::attach_policy_to_group::AttachPolicyToGroup};

use super::attach::attach;
use crate::{
    access::Authorized,
    error::Error,
    ram::find,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<AttachPolicyToGroup> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, AttachPolicyToGroup>,
    ) -> Result<Empty, Error> {
        let action = granted.action();
        let group = find::group(tx, call.caller.account(), &action.group)?;
        attach(call, tx, &*group, &action.policy)
    }
}
