use jomae_api::actions::ram::policies::{list_policies_for_role::ListPoliciesForRole, params::AttachedOutput};

use super::attach::attached;
use crate::{prelude::*, ram::find};

impl Handle<ListPoliciesForRole> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListPoliciesForRole>,
    ) -> Result<AttachedOutput> {
        let role = find::role(tx, call.caller.account(), &granted.action().role)?;
        attached(call, tx, &*role)
    }
}
