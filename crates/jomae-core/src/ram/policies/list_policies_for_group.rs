use jomae_api::actions::ram::policies::{list_policies_for_group::ListPoliciesForGroup, params::AttachedOutput};

use super::attach::attached;
use crate::{
    access::Authorized,
    error::Error,
    ram::find,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<ListPoliciesForGroup> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListPoliciesForGroup>,
    ) -> Result<AttachedOutput, Error> {
        let group = find::group(tx, call.caller.account(), &granted.action().group)?;
        attached(call, tx, &*group)
    }
}
