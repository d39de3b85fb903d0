use jomae_api::actions::ram::logins::{LoginProfileOutput, create_login_profile::CreateLoginProfile};

use super::{info, kept};
use crate::{
    prelude::*,
    ram::{
        find,
        login::{LoginRecord, PasswordPolicyRecord, new_generation, path},
    },
};

impl Handle<CreateLoginProfile> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, CreateLoginProfile>,
    ) -> Result<LoginProfileOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        let user = find::user(tx, account, &action.user_name)?;
        let at = path::login(account, &user.id);
        if tx.get::<LoginRecord>(&at)?.is_some() {
            return Err(Refusal::LoginProfileExists.into());
        }
        if !PasswordPolicyRecord::of(tx, account)?.accepts(&action.password) {
            return Err(Refusal::PasswordWeak.into());
        }
        let login = LoginRecord {
            password: kept(self, account, &action.password).await?,
            earlier: Vec::new(),
            reset_required: action.password_reset_required,
            mfa_bind_required: action.mfa_bind_required,
            created: call.now.0,
            chosen: call.now.0,
            generation: new_generation(),
        };
        tx.put(at, &login)?;
        Ok(LoginProfileOutput { login_profile: info(&user, &login) })
    }
}
