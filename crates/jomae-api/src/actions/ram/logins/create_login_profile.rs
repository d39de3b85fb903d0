//! `CreateLoginProfile`: lets a user sign in with a password.

use std::sync::Arc;

use super::{LoginProfileOutput, MFA_BIND_REQUIRED, PASSWORD, PASSWORD_RESET_REQUIRED};
use crate::actions::{prelude::*, ram::names::USER_NAME};

request! {
    pub struct CreateLoginProfile {
        user_name: String = required USER_NAME,
        password: Arc<SecretBytes> = required PASSWORD,
        password_reset_required: bool = optional PASSWORD_RESET_REQUIRED or false,
        mfa_bind_required: bool = optional MFA_BIND_REQUIRED or false,
    }
}

impl Action for CreateLoginProfile {
    type Output = LoginProfileOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "CreateLoginProfile",
        errors: &[Refusal::UserNotFound, Refusal::LoginProfileExists],
        doc: "Lets a user sign in with a password. The password is kept as a hash (Argon2id) and shown nowhere.",
        example: &[
            ("UserName", "zhangqiang"),
            ("Password", "a-Long-passphrase-9"),
            ("PasswordResetRequired", "true"),
            ("MFABindRequired", "true"),
        ],
        ..ActionSpec::write(Group::Logins)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::User, &self.user_name))
    }
}
