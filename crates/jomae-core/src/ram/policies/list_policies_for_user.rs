use jomae_api::actions::ram::policies::{list_policies_for_user::ListPoliciesForUser, params::AttachedOutput};

use super::attach::attached;
use crate::{prelude::*, ram::find};

impl Handle<ListPoliciesForUser> for Kms {
    async fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListPoliciesForUser>,
    ) -> Result<AttachedOutput> {
        let user = find::user(tx, call.caller.account(), &granted.action().user)?;
        attached(call, tx, &*user)
    }
}
