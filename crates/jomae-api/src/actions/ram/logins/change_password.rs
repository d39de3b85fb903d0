//! `ChangePassword`: a user chooses another password.

use std::sync::Arc;

use super::{NEW_PASSWORD, OLD_PASSWORD};
use crate::actions::prelude::*;

request! {
    pub struct ChangePassword {
        old_password: Arc<SecretBytes> = required OLD_PASSWORD,
        new_password: Arc<SecretBytes> = required NEW_PASSWORD,
    }
}

impl Action for ChangePassword {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "ChangePassword",
        errors: &[
            Refusal::UsersOnly,
            Refusal::LoginProfileNotFound,
            Refusal::NewPasswordUsedBefore,
            Refusal::Throttled,
        ],
        doc: "Changes the password of the user who calls. The old password is the permission: no policy has to allow it, but one can deny it. Sessions of the user in the console end. Wrong passwords count like those of a sign-in.",
        example: &[("OldPassword", "a-Long-passphrase-9"), ("NewPassword", "another-Long-passphrase-9")],
        ..ActionSpec::write(Group::Logins)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::RamSelfUnlessDenied)
    }
}
