use jomae_api::actions::ram::logins::delete_login_profile::DeleteLoginProfile;

use super::login;
use crate::{
    prelude::*,
    ram::{
        find,
        login::{LoginRecord, path},
        passkeys,
    },
};

impl Handle<DeleteLoginProfile> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DeleteLoginProfile>,
    ) -> Result<Empty> {
        let account = call.caller.account();
        let user = find::user(tx, account, &granted.action().user_name)?;
        login(tx, account, &user)?;
        tx.delete::<LoginRecord>(path::login(account, &user.id));
        passkeys::delete_all(tx, account, &user.id)?;
        Ok(Empty {})
    }
}
