//! `DeleteAccessKey`: an access key is taken away for ever.

use super::{USER_ACCESS_KEY_ID, whose};
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Empty, Group, StateRule},
    actions::ram::names::USER_NAME_OR_SELF,
    error::Refusal,
    param::{Input, optional, required},
};

pub struct DeleteAccessKey {
    /// None: the caller.
    pub user_name: Option<String>,
    pub access_key_id: String,
}

impl Action for DeleteAccessKey {
    type Output = Empty;
    const SPEC: ActionSpec = ActionSpec {
        name: "DeleteAccessKey",
        group: Group::AccessKeys,
        class: Class::Management,
        effect: Effect::Write,
        params: &[optional(&USER_NAME_OR_SELF), required(&USER_ACCESS_KEY_ID)],
        states: StateRule::ANY,
        errors: &[
            Refusal::UserNameLength,
            Refusal::UserNameChars,
            Refusal::UserNotFound,
            Refusal::UserAccessKeyNotFound,
            Refusal::LastRootAccessKey,
        ],
        doc: "Deletes an access key. The last active access key of the account itself cannot be deleted.",
        example: &[("UserName", "zhangqiang"), ("UserAccessKeyId", "LTAIjkl0mnOPqrSTuvWXyz12")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let user_name = input.optional(&USER_NAME_OR_SELF)?;
        Ok(Self { user_name, access_key_id: input.required(&USER_ACCESS_KEY_ID)? })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:DeleteAccessKey", whose(self.user_name.as_deref()))
    }
}
