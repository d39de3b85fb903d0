use jomae_api::actions::ram::policies::attach_policy_to_user::AttachPolicyToUser;

use super::attach::attach;
use crate::{prelude::*, ram::find};

impl Handle<AttachPolicyToUser> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, AttachPolicyToUser>,
    ) -> Result<Empty> {
        let action = granted.action();
        let user = find::user(tx, call.caller.account(), &action.user)?;
        attach(call, tx, &*user, &action.policy)
    }
}
