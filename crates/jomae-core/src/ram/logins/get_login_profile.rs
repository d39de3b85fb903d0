use jomae_api::actions::ram::logins::{LoginProfileOutput, get_login_profile::GetLoginProfile};

use super::{info, login};
use crate::{prelude::*, ram::find};

impl Handle<GetLoginProfile> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, GetLoginProfile>,
    ) -> Result<LoginProfileOutput> {
        let account = call.caller.account();
        let user = find::user(tx, account, &granted.action().user_name)?;
        let login = login(tx, account, &user)?;
        Ok(LoginProfileOutput { login_profile: info(&user, &login) })
    }
}
