use jomae_api::{action::Empty, actions::ram::policies::attach_policy_to_user::AttachPolicyToUser};

use super::attach::attach;
use crate::{
    access::Authorized,
    error::Error,
    ram::find,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<AttachPolicyToUser> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, AttachPolicyToUser>,
    ) -> Result<Empty, Error> {
        let action = granted.action();
        let user = find::user(tx, call.caller.account(), &action.user)?;
        attach(call, tx, &*user, &action.policy)
    }
}
