use jomae_api::actions::ram::policies::attach_policy_to_role::AttachPolicyToRole;

use super::attach::attach;
use crate::{prelude::*, ram::find};

impl Handle<AttachPolicyToRole> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, AttachPolicyToRole>,
    ) -> Result<Empty> {
        let action = granted.action();
        let role = find::role(tx, call.caller.account(), &action.role)?;
        attach(call, tx, &*role, &action.policy)
    }
}
