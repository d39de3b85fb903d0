//! `DeleteAccessKey`: an access key is taken away for ever.

use super::{USER_ACCESS_KEY_ID, whose};
use crate::actions::{prelude::*, ram::names::USER_NAME_OR_SELF};

request! {
    pub struct DeleteAccessKey {
        /// None: the caller.
        user_name: Option<String> = optional USER_NAME_OR_SELF,
        access_key_id: String = required USER_ACCESS_KEY_ID,
    }
}

impl Action for DeleteAccessKey {
    type Output = Empty;
    const SHEET: ActionSpec = ActionSpec {
        name: "DeleteAccessKey",
        errors: &[Refusal::UserNotFound, Refusal::UserAccessKeyNotFound, Refusal::LastRootAccessKey],
        doc: "Deletes an access key. The last active access key of the account itself cannot be deleted.",
        example: &[("UserName", "zhangqiang"), ("UserAccessKeyId", "LTAIjkl0mnOPqrSTuvWXyz12")],
        ..ActionSpec::write(Group::AccessKeys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(whose(self.user_name.as_deref()))
    }
}
