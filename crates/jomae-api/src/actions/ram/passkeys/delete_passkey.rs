//! `DeletePasskey`: takes a passkey from its user.

use super::{PASSKEY_ID, USER_NAME_OR_OWN, whose};
use crate::actions::prelude::*;

request! {
    pub struct DeletePasskey {
        /// None: the caller.
        user_name: Option<String> = optional USER_NAME_OR_OWN,
        passkey_id: String = required PASSKEY_ID,
    }
}

impl Action for DeletePasskey {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "DeletePasskey",
        errors: &[Refusal::UserNotFound, Refusal::UsersOnly, Refusal::PasskeyNotFound],
        doc: "Takes a passkey from its user. Sessions in the console that it was used for end. Without UserName it is for the console alone: no AccessKey pair takes the caller's own away. An action of ours.",
        example: &[("UserName", "zhangqiang"), ("PasskeyId", "7d865e959b2466918c9863afca942d0f")],
        ..ActionSpec::write(Group::Passkeys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(whose(self.user_name.as_deref()))
    }
}
