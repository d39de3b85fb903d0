//! `UpdateAccessKey`: an access key is switched on or off.

use super::{STATUS, Status, USER_ACCESS_KEY_ID, whose};
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule},
    actions::ram::names::USER_NAME_OR_SELF,
    error::Refusal,
    param::{Input, optional, required},
};

pub struct UpdateAccessKey {
    /// None: the caller.
    pub user_name: Option<String>,
    pub access_key_id: String,
    pub status: Status,
}

impl Action for UpdateAccessKey {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "UpdateAccessKey",
        group: Group::AccessKeys,
        class: Class::Management,
        effect: Effect::Write,
        params: &[optional(&USER_NAME_OR_SELF), required(&USER_ACCESS_KEY_ID), required(&STATUS)],
        states: StateRule::ANY,
        errors: &[
            Refusal::UserNameLength,
            Refusal::UserNameChars,
            Refusal::UserNotFound,
            Refusal::UserAccessKeyNotFound,
            Refusal::LastRootAccessKey,
        ],
        doc: "Switches an access key on or off: calls signed with an inactive one are refused. The last active access key of the account itself stays on.",
        example: &[("UserName", "zhangqiang"), ("UserAccessKeyId", "LTAIjkl0mnOPqrSTuvWXyz12"), ("Status", "Inactive")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user_name: input.optional(&USER_NAME_OR_SELF)?,
            access_key_id: input.required(&USER_ACCESS_KEY_ID)?,
            status: input.required(&STATUS)?,
        })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:UpdateAccessKey", whose(self.user_name.as_deref()))
    }
}
