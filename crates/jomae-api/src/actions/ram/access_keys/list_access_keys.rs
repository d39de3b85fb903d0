//! `ListAccessKeys`: the access keys of a user, or of the account itself.

use super::{Status, whose};
use crate::actions::{prelude::*, ram::names::USER_NAME_OR_SELF};

request! {
    pub struct ListAccessKeys {
        /// None: the caller.
        user_name: Option<String> = optional USER_NAME_OR_SELF,
    }
}

answer! {
    pub struct Output {
        /// The access keys, the oldest first.
        access_keys: List<AccessKeyRow> => "AccessKeys",
    }

    /// An access key, without its secret.
    pub struct AccessKeyRow as "AccessKey" {
        /// ID of the access key.
        access_key_id: String => "AccessKeyId",
        /// Whether it may be used.
        status: Status => "Status",
        /// When it was made.
        create_date: Timestamp => "CreateDate",
    }
}

impl Action for ListAccessKeys {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListAccessKeys",
        errors: &[Refusal::UserNotFound],
        doc: "Lists access keys, the oldest first, without their secrets.",
        example: &[("UserName", "zhangqiang")],
        ..ActionSpec::read(Group::AccessKeys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(whose(self.user_name.as_deref()))
    }
}
