//! `CreateUser`: a new user, who may do nothing yet.

use super::{DISPLAY_NAME, EMAIL, MOBILE_PHONE, UserOutput};
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::names::{COMMENTS, USER_NAME},
    error::Refusal,
    param::{Input, optional, required},
};

pub struct CreateUser {
    pub user_name: String,
    pub display_name: String,
    pub mobile_phone: String,
    pub email: String,
    pub comments: String,
}

impl Action for CreateUser {
    type Output = UserOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "CreateUser",
        group: Group::Users,
        class: Class::Management,
        effect: Effect::Write,
        params: &[
            required(&USER_NAME),
            optional(&DISPLAY_NAME),
            optional(&MOBILE_PHONE),
            optional(&EMAIL),
            optional(&COMMENTS),
        ],
        states: StateRule::ANY,
        errors: &[
            Refusal::UserNameLength,
            Refusal::UserNameChars,
            Refusal::DisplayNameLength,
            Refusal::DisplayNameChars,
            Refusal::MobilePhoneFormat,
            Refusal::EmailFormat,
            Refusal::CommentsLength,
            Refusal::UserExists,
            Refusal::UserLimit,
        ],
        doc: "Makes a user. Users have no access keys and no rights until they are given some.",
        example: &[("UserName", "zhangqiang"), ("DisplayName", "Zhang Qiang"), ("Comments", "Release engineering")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user_name: input.required(&USER_NAME)?,
            display_name: input.optional(&DISPLAY_NAME)?.unwrap_or_default(),
            mobile_phone: input.optional(&MOBILE_PHONE)?.unwrap_or_default(),
            email: input.optional(&EMAIL)?.unwrap_or_default(),
            comments: input.optional(&COMMENTS)?.unwrap_or_default(),
        })
    }

    fn access(&self) -> Access<'_> {
        Access::one("ram:CreateUser", Target::Ram(RamKind::User, &self.user_name))
    }
}
