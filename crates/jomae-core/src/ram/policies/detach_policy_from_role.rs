use jomae_api::actions::ram::policies::detach_policy_from_role::DetachPolicyFromRole;

use super::attach::detach;
use crate::{prelude::*, ram::find};

impl Handle<DetachPolicyFromRole> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DetachPolicyFromRole>,
    ) -> Result<Empty> {
        let action = granted.action();
        let role = find::role(tx, call.caller.account(), &action.role)?;
        detach(call, tx, &*role, &action.policy)
    }
}
