use jomae_api::actions::ram::policies::detach_policy_from_user::DetachPolicyFromUser;

use super::attach::detach;
use crate::{prelude::*, ram::find};

impl Handle<DetachPolicyFromUser> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DetachPolicyFromUser>,
    ) -> Result<Empty> {
        let action = granted.action();
        let user = find::user(tx, call.caller.account(), &action.user)?;
        detach(call, tx, &*user, &action.policy)
    }
}
