//! `GetAccessKeyLastUsed`: when an access key was last used.

use super::{USER_ACCESS_KEY_ID, whose};
use crate::actions::{metadata::DateOrEmpty, prelude::*, ram::names::USER_NAME_OR_SELF};

request! {
    pub struct GetAccessKeyLastUsed {
        /// None: the caller.
        user_name: Option<String> = optional USER_NAME_OR_SELF,
        access_key_id: String = required USER_ACCESS_KEY_ID,
    }
}

answer! {
    pub struct Output {
        /// The last use.
        access_key_last_used: LastUsed => "AccessKeyLastUsed",
    }

    /// The last use of an access key. Both are empty if it has never been used.
    pub struct LastUsed {
        /// When, to the minute; empty if never.
        last_used_date: DateOrEmpty => "LastUsedDate",
        /// The API, such as Kms; empty if never.
        service_name: String => extension "ServiceName",
    }
}

impl Action for GetAccessKeyLastUsed {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "GetAccessKeyLastUsed",
        errors: &[Refusal::UserNotFound, Refusal::UserAccessKeyNotFound],
        doc: "Tells when an access key last signed a call, to the minute and a few seconds late.",
        example: &[("UserName", "zhangqiang"), ("UserAccessKeyId", "LTAIjkl0mnOPqrSTuvWXyz12")],
        ..ActionSpec::read(Group::AccessKeys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(whose(self.user_name.as_deref()))
    }
}
