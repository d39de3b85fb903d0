//! `ListAccessKeys`: the access keys of a user, or of the account itself.

use serde::Serialize;

use super::{Status, whose};
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule},
    actions::ram::names::USER_NAME_OR_SELF,
    error::Refusal,
    param::{Input, optional},
    time::Timestamp,
};

pub struct ListAccessKeys {
    /// None: the caller.
    pub user_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub access_keys: AccessKeyList,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessKeyList {
    pub access_key: Vec<AccessKeyRow>,
}

/// An access key, without its secret.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessKeyRow {
    pub access_key_id: String,
    pub status: Status,
    pub create_date: Timestamp,
}

impl Action for ListAccessKeys {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "ListAccessKeys",
        group: Group::AccessKeys,
        class: Class::Management,
        effect: Effect::Read,
        params: &[optional(&USER_NAME_OR_SELF)],
        output: &["AccessKeys"],
        states: StateRule::ANY,
        errors: &[Refusal::UserNameLength, Refusal::UserNameChars, Refusal::UserNotFound],
        doc: "Lists access keys, the oldest first, without their secrets.",
        example: &[("UserName", "zhangqiang")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { user_name: input.optional(&USER_NAME_OR_SELF)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:ListAccessKeys", whose(self.user_name.as_deref()))
    }
}
