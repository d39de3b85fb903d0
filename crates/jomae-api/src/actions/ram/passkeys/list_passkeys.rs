//! `ListPasskeys`: the passkeys of a user.

use super::{Passkey, USER_NAME_OR_OWN, whose};
use crate::actions::prelude::*;

request! {
    pub struct ListPasskeys {
        /// None: the caller.
        user_name: Option<String> = optional USER_NAME_OR_OWN,
    }
}

answer! {
    pub struct Output {
        /// The passkeys, the oldest first.
        passkeys: List<Passkey> => "Passkeys",
    }
}

impl Action for ListPasskeys {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListPasskeys",
        errors: &[Refusal::UserNotFound, Refusal::UsersOnly],
        doc: "Lists the passkeys of a user, the oldest first. An action of ours.",
        example: &[("UserName", "zhangqiang")],
        ..ActionSpec::read(Group::Passkeys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(whose(self.user_name.as_deref()))
    }
}
