//! `GetPasswordPolicy`: the account's rules for passwords.

use super::PasswordPolicyOutput;
use crate::actions::prelude::*;

request! {
    pub struct GetPasswordPolicy {
    }
}

impl Action for GetPasswordPolicy {
    type Output = PasswordPolicyOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "GetPasswordPolicy",
        doc: "Shows the account's rules for the passwords of its users.",
        ..ActionSpec::read(Group::Logins)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Service)
    }
}
