use jomae_api::actions::ram::policies::{list_policies_for_user::ListPoliciesForUser, params::AttachedOutput};

use super::attach::attached;
use crate::{
    access::Authorized,
    error::Error,
    ram::find,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<ListPoliciesForUser> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListPoliciesForUser>,
    ) -> Result<AttachedOutput, Error> {
        let user = find::user(tx, call.caller.account(), &granted.action().user)?;
        attached(call, tx, &*user)
    }
}
