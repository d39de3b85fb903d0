use jomae_api::actions::ram::logins::update_login_profile::UpdateLoginProfile;

use super::{earlier, kept, login};
use crate::{
    prelude::*,
    ram::{
        find,
        login::{LoginRecord, PasswordPolicyRecord, new_generation, path},
    },
};

impl Handle<UpdateLoginProfile> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UpdateLoginProfile>,
    ) -> Result<Empty> {
        let (account, action) = (call.caller.account(), granted.action());
        let user = find::user(tx, account, &action.user_name)?;
        let old = login(tx, account, &user)?;
        let mut new = LoginRecord {
            reset_required: action.password_reset_required.unwrap_or(old.reset_required),
            mfa_bind_required: action.mfa_bind_required.unwrap_or(old.mfa_bind_required),
            ..(*old).clone()
        };
        // Whoever administers may give a password that was used before: the user is not the one who chooses it.
        if let Some(password) = &action.password {
            let policy = PasswordPolicyRecord::of(tx, account)?;
            if !policy.accepts(password) {
                return Err(Refusal::PasswordWeak.into());
            }
            new = LoginRecord {
                password: kept(self, account, password).await?,
                earlier: earlier(&old, &policy),
                chosen: call.now.0,
                generation: new_generation(),
                ..new
            };
        }
        if new != *old {
            tx.put(path::login(account, &user.id), &new)?;
        }
        Ok(Empty {})
    }
}
