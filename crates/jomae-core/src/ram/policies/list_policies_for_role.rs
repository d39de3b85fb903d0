use jomae_api::actions::ram::policies::{list_policies_for_role::ListPoliciesForRole, params::AttachedOutput};

use super::attach::attached;
use crate::{
    access::Authorized,
    error::Error,
    ram::find,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<ListPoliciesForRole> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListPoliciesForRole>,
    ) -> Result<AttachedOutput, Error> {
        let role = find::role(tx, call.caller.account(), &granted.action().role)?;
        attached(call, tx, &*role)
    }
}
