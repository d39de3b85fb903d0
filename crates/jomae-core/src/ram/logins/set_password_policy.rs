use jomae_api::actions::ram::logins::{PasswordPolicyOutput, set_password_policy::SetPasswordPolicy};

use super::rules;
use crate::{
    prelude::*,
    ram::login::{PasswordPolicyRecord, path},
};

impl Handle<SetPasswordPolicy> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, SetPasswordPolicy>,
    ) -> Result<PasswordPolicyOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        let old = PasswordPolicyRecord::of(tx, account)?;
        let new = PasswordPolicyRecord {
            minimum_length: action.minimum_password_length.unwrap_or(old.minimum_length),
            lowercase: action.require_lowercase_characters.unwrap_or(old.lowercase),
            uppercase: action.require_uppercase_characters.unwrap_or(old.uppercase),
            numbers: action.require_numbers.unwrap_or(old.numbers),
            symbols: action.require_symbols.unwrap_or(old.symbols),
            hard_expiry: action.hard_expiry.unwrap_or(old.hard_expiry),
            max_password_age: action.max_password_age.unwrap_or(old.max_password_age),
            reuse_prevention: action.password_reuse_prevention.unwrap_or(old.reuse_prevention),
            max_attempts: action.max_login_attemps.unwrap_or(old.max_attempts),
        };
        if new != old {
            tx.put(path::password_policy(account), &new)?;
        }
        Ok(PasswordPolicyOutput { password_policy: rules(&new) })
    }
}
