use jomae_api::actions::ram::policies::detach_policy_from_group::DetachPolicyFromGroup;

use super::attach::detach;
use crate::{prelude::*, ram::find};

impl Handle<DetachPolicyFromGroup> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DetachPolicyFromGroup>,
    ) -> Result<Empty> {
        let action = granted.action();
        let group = find::group(tx, call.caller.account(), &action.group)?;
        detach(call, tx, &*group, &action.policy)
    }
}
