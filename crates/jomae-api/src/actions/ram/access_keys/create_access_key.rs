//! `CreateAccessKey`: credentials for a user, or for the account itself.

use serde::Serialize;

use super::{Status, whose};
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, SecretText, StateRule},
    actions::ram::names::USER_NAME_OR_SELF,
    error::Refusal,
    param::{Input, optional},
    time::Timestamp,
};

pub struct CreateAccessKey {
    /// None: the caller.
    pub user_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub access_key: NewAccessKey,
}

/// An access key with its secret.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NewAccessKey {
    pub access_key_id: String,
    pub access_key_secret: SecretText,
    pub status: Status,
    pub create_date: Timestamp,
}

impl Action for CreateAccessKey {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "CreateAccessKey",
        group: Group::AccessKeys,
        class: Class::Management,
        effect: Effect::Write,
        params: &[optional(&USER_NAME_OR_SELF)],
        output: &["AccessKey"],
        states: StateRule::ANY,
        errors: &[Refusal::UserNameLength, Refusal::UserNameChars, Refusal::UserNotFound, Refusal::UserAccessKeyLimit],
        doc: "Makes an access key. Its secret is in this answer and in no other: it is kept sealed, and cannot be shown again. A user may have two, and the account itself five.",
        example: &[("UserName", "zhangqiang")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { user_name: input.optional(&USER_NAME_OR_SELF)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:CreateAccessKey", whose(self.user_name.as_deref()))
    }
}
