use jomae_api::actions::ram::roles::{get_role::GetRole, params::RoleOutput};

use super::output;
use crate::{prelude::*, ram::find};

impl Handle<GetRole> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, GetRole>) -> Result<RoleOutput> {
        let account = call.caller.account();
        let role = find::role(tx, account, &granted.action().name)?;
        Ok(output(account, &role))
    }
}
