use jomae_api::actions::ram::logins::{PasswordPolicyOutput, get_password_policy::GetPasswordPolicy};

use super::rules;
use crate::{prelude::*, ram::login::PasswordPolicyRecord};

impl Handle<GetPasswordPolicy> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        _: &Authorized<'_, GetPasswordPolicy>,
    ) -> Result<PasswordPolicyOutput> {
        let policy = PasswordPolicyRecord::of(tx, call.caller.account())?;
        Ok(PasswordPolicyOutput { password_policy: rules(&policy) })
    }
}
