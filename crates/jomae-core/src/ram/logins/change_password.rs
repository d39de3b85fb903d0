use jomae_api::actions::ram::logins::change_password::ChangePassword;

use super::{earlier, is_one_of, kept, login};
use crate::{
    identity::Who,
    prelude::*,
    ram::{
        login::{LoginRecord, PasswordPolicyRecord, new_generation, path},
        record::{UserRecord, path as ram_path},
        sign_in::Places,
    },
};

impl Handle<ChangePassword> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ChangePassword>,
    ) -> Result<Empty> {
        let (account, action) = (call.caller.account(), granted.action());
        let Who::User { id, .. } = &call.caller.who else { return Err(Refusal::UsersOnly.into()) };
        let user = tx.get::<UserRecord>(&ram_path::user(account, id))?.ok_or(Refusal::UserNotFound)?;
        let old = login(tx, account, &user)?;
        let policy = PasswordPolicyRecord::of(tx, account)?;
        // Whoever has found an access key must not find the password with it.
        let places = Places::of_network(&self.sign_in, account, (id, old.generation), &call.source_ip, call.now);
        let is_locked = || places.locked_secs(&self.sign_in, call.now).is_some();
        if is_locked() {
            return Err(Refusal::Throttled.into());
        }
        let is_right = is_one_of(self, account, &action.old_password, vec![old.password.clone()]).await?;
        // Calls of the same moment have all come so far; beyond the limit they learn nothing.
        if is_locked() {
            return Err(Refusal::Throttled.into());
        }
        if !is_right {
            places.failed(&self.sign_in, &policy, call.now);
            return Err(Refusal::OldPasswordIncorrect.into());
        }
        if !policy.accepts(&action.new_password) {
            return Err(Refusal::NewPasswordWeak.into());
        }
        let kept_max = usize::try_from(policy.reuse_prevention).unwrap_or(0);
        let before: Vec<_> = std::iter::once(&old.password).chain(&old.earlier).take(kept_max).cloned().collect();
        if is_one_of(self, account, &action.new_password, before).await? {
            return Err(Refusal::NewPasswordUsedBefore.into());
        }
        let new = LoginRecord {
            password: kept(self, account, &action.new_password).await?,
            earlier: earlier(&old, &policy),
            reset_required: false,
            chosen: call.now.0,
            generation: new_generation(),
            ..(*old).clone()
        };
        tx.put(path::login(account, &user.id), &new)?;
        Ok(Empty {})
    }
}
