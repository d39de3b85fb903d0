use jomae_api::{action::Empty, actions::ram::policies::detach_policy_from_user::DetachPolicyFromUser};

use super::attach::detach;
use crate::{
    access::Authorized,
    error::Error,
    ram::find,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<DetachPolicyFromUser> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DetachPolicyFromUser>,
    ) -> Result<Empty, Error> {
        let action = granted.action();
        let user = find::user(tx, call.caller.account(), &action.user)?;
        detach(call, tx, &*user, &action.policy)
    }
}
