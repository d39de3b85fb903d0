use jomae_api::actions::ram::policies::attach_policy_to_group::AttachPolicyToGroup;

use super::attach::attach;
use crate::{prelude::*, ram::find};

impl Handle<AttachPolicyToGroup> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, AttachPolicyToGroup>,
    ) -> Result<Empty> {
        let action = granted.action();
        let group = find::group(tx, call.caller.account(), &action.group)?;
        attach(call, tx, &*group, &action.policy)
    }
}
