use jomae_api::actions::ram::policies::{list_policies_for_group::ListPoliciesForGroup, params::AttachedOutput};

use super::attach::attached;
use crate::{prelude::*, ram::find};

impl Handle<ListPoliciesForGroup> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListPoliciesForGroup>,
    ) -> Result<AttachedOutput> {
        let group = find::group(tx, call.caller.account(), &granted.action().group)?;
        attached(call, tx, &*group)
    }
}
