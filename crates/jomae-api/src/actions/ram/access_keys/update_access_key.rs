//! `UpdateAccessKey`: an access key is switched on or off.

use super::{STATUS, Status, USER_ACCESS_KEY_ID, whose};
use crate::actions::{prelude::*, ram::names::USER_NAME_OR_SELF};

request! {
    pub struct UpdateAccessKey {
        /// None: the caller.
        user_name: Option<String> = optional USER_NAME_OR_SELF,
        access_key_id: String = required USER_ACCESS_KEY_ID,
        status: Status = required STATUS,
    }
}

impl Action for UpdateAccessKey {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "UpdateAccessKey",
        errors: &[Refusal::UserNotFound, Refusal::UserAccessKeyNotFound, Refusal::LastRootAccessKey],
        doc: "Switches an access key on or off: calls signed with an inactive one are refused. The last active access key of the account itself stays on.",
        example: &[("UserName", "zhangqiang"), ("UserAccessKeyId", "LTAIjkl0mnOPqrSTuvWXyz12"), ("Status", "Inactive")],
        ..ActionSpec::write(Group::AccessKeys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(whose(self.user_name.as_deref()))
    }
}
