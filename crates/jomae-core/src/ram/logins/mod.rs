//! Login profiles, passwords and the account's rules for them. One file an action.

mod change_password;
mod create_login_profile;
mod delete_login_profile;
mod get_login_profile;
mod get_password_policy;
mod set_password_policy;
mod update_login_profile;

use std::sync::Arc;

use jomae_api::actions::ram::logins::{LoginProfile, PasswordPolicy};

use super::{
    login::{KeptPassword, LoginRecord, PasswordPolicyRecord, path},
    record::UserRecord,
};
use crate::{
    prelude::*,
    wait::{Effort, offload},
};

/// The login profile of a user, or `EntityNotExist.User.LoginProfile`.
fn login(tx: &mut Tx<'_>, account: &AccountId, user: &UserRecord) -> Result<Arc<LoginRecord>> {
    tx.get(&path::login(account, &user.id))?.ok_or(Refusal::LoginProfileNotFound.into())
}

fn info(user: &UserRecord, login: &LoginRecord) -> LoginProfile {
    LoginProfile {
        user_name: user.name.clone(),
        password_reset_required: login.reset_required,
        mfa_bind_required: login.mfa_bind_required,
        create_date: Timestamp(login.created),
    }
}

const fn rules(policy: &PasswordPolicyRecord) -> PasswordPolicy {
    PasswordPolicy {
        minimum_password_length: policy.minimum_length,
        require_lowercase_characters: policy.lowercase,
        require_uppercase_characters: policy.uppercase,
        require_numbers: policy.numbers,
        require_symbols: policy.symbols,
        hard_expiry: policy.hard_expiry,
        max_password_age: policy.max_password_age,
        password_reuse_prevention: policy.reuse_prevention,
        max_login_attemps: policy.max_attempts,
    }
}

/// A new password as it is kept, hashed away from the request's thread.
async fn kept(kms: &Kms, account: &AccountId, password: &Arc<SecretBytes>) -> Result<KeptPassword> {
    let password = Arc::clone(password);
    Ok(offload(&*kms.pool, Effort::Password, account, move || KeptPassword::of(&password)).await??)
}

/// Whether a password is one of these.
async fn is_one_of(kms: &Kms, account: &AccountId, password: &Arc<SecretBytes>, of: Vec<KeptPassword>) -> Result<bool> {
    if of.is_empty() {
        return Ok(false);
    }
    let password = Arc::clone(password);
    Ok(offload(&*kms.pool, Effort::Password, account, move || of.iter().any(|kept| kept.matches(&password))).await?)
}

/// What is to be kept of the passwords before a new one.
fn earlier(login: &LoginRecord, policy: &PasswordPolicyRecord) -> Vec<KeptPassword> {
    std::iter::once(&login.password).chain(&login.earlier).take(policy.earlier_kept()).cloned().collect()
}
