//! `CreateAccessKey`: credentials for a user, or for the account itself.

use super::{Status, whose};
use crate::actions::{prelude::*, ram::names::USER_NAME_OR_SELF};

request! {
    pub struct CreateAccessKey {
        /// None: the caller.
        user_name: Option<String> = optional USER_NAME_OR_SELF,
    }
}

answer! {
    pub struct Output {
        /// The access key.
        access_key: NewAccessKey => "AccessKey",
    }

    /// An access key with its secret.
    pub struct NewAccessKey {
        /// ID of the access key.
        access_key_id: String => "AccessKeyId",
        /// The secret. Shown here and never again.
        access_key_secret: SecretText => "AccessKeySecret",
        /// Whether it may be used.
        status: Status => "Status",
        /// When it was made.
        create_date: Timestamp => "CreateDate",
    }
}

impl Action for CreateAccessKey {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "CreateAccessKey",
        errors: &[Refusal::UserNotFound, Refusal::UserAccessKeyLimit],
        doc: "Makes an access key. Its secret is in this answer and in no other: it is kept sealed, and cannot be shown again. A user may have two, and the account itself five.",
        example: &[("UserName", "zhangqiang")],
        ..ActionSpec::write(Group::AccessKeys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(whose(self.user_name.as_deref()))
    }
}
