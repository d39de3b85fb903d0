use jomae_api::{action::Empty, actions::ram::policies::detach_policy_from_group::DetachPolicyFromGroup};

use super::attach::detach;
use crate::{
    access::Authorized,
    error::Error,
    ram::find,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<DetachPolicyFromGroup> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DetachPolicyFromGroup>,
    ) -> Result<Empty, Error> {
        let action = granted.action();
        let group = find::group(tx, call.caller.account(), &action.group)?;
        detach(call, tx, &*group, &action.policy)
    }
}
