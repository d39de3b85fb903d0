//! `UpdateLoginProfile`: another password, or other conditions of a sign-in.

use std::sync::Arc;

use super::{MFA_BIND_REQUIRED, PASSWORD, PASSWORD_RESET_REQUIRED};
use crate::actions::{prelude::*, ram::names::USER_NAME};

request! {
    pub struct UpdateLoginProfile {
        user_name: String = required USER_NAME,
        password: Option<Arc<SecretBytes>> = optional PASSWORD,
        password_reset_required: Option<bool> = optional PASSWORD_RESET_REQUIRED,
        mfa_bind_required: Option<bool> = optional MFA_BIND_REQUIRED,
    }
}

impl Action for UpdateLoginProfile {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "UpdateLoginProfile",
        errors: &[Refusal::UserNotFound, Refusal::LoginProfileNotFound],
        doc: "Changes what is given, and leaves the rest as it is. Another password ends the sessions of the user in the console.",
        example: &[("UserName", "zhangqiang"), ("Password", "another-Long-passphrase-9")],
        ..ActionSpec::write(Group::Logins)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::User, &self.user_name))
    }
}
