//! `UpdateUser`: another name, or other particulars.

use super::{NEW_DISPLAY_NAME, NEW_EMAIL, NEW_MOBILE_PHONE, UserOutput};
use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, RamKind, StateRule, Target},
    actions::ram::names::{NEW_COMMENTS, NEW_USER_NAME, USER_NAME},
    error::Refusal,
    param::{Input, optional, required},
};

pub struct UpdateUser {
    pub user_name: String,
    pub new_user_name: Option<String>,
    pub new_display_name: Option<String>,
    pub new_mobile_phone: Option<String>,
    pub new_email: Option<String>,
    pub new_comments: Option<String>,
}

impl Action for UpdateUser {
    type Output = UserOutput;
    const SPEC: ActionSpec = ActionSpec {
        name: "UpdateUser",
        group: Group::Users,
        class: Class::Management,
        effect: Effect::Write,
        params: &[
            required(&USER_NAME),
            optional(&NEW_USER_NAME),
            optional(&NEW_DISPLAY_NAME),
            optional(&NEW_MOBILE_PHONE),
            optional(&NEW_EMAIL),
            optional(&NEW_COMMENTS),
        ],
        states: StateRule::ANY,
        errors: &[
            Refusal::UserNameLength,
            Refusal::UserNameChars,
            Refusal::NewUserNameLength,
            Refusal::NewUserNameChars,
            Refusal::NewDisplayNameLength,
            Refusal::NewDisplayNameChars,
            Refusal::NewMobilePhoneFormat,
            Refusal::NewEmailFormat,
            Refusal::NewCommentsLength,
            Refusal::UserNotFound,
            Refusal::UserExists,
        ],
        doc: "Changes what is given, and leaves the rest as it is. What is given empty is taken away, but never the user name. Renaming needs the permission on both names.",
        example: &[("UserName", "zhangqiang"), ("NewUserName", "zhangqiang2"), ("NewComments", "Left the company")],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            user_name: input.required(&USER_NAME)?,
            new_user_name: input.optional(&NEW_USER_NAME)?,
            new_display_name: input.optional_maybe_empty(&NEW_DISPLAY_NAME)?,
            new_mobile_phone: input.optional_maybe_empty(&NEW_MOBILE_PHONE)?,
            new_email: input.optional_maybe_empty(&NEW_EMAIL)?,
            new_comments: input.optional_maybe_empty(&NEW_COMMENTS)?,
        })
    }

    fn access(&self) -> Access<'_> {
        let old = ("ram:UpdateUser", Target::Ram(RamKind::User, &self.user_name));
        match &self.new_user_name {
            // Policies may name users: who gives a name gives what it may do.
            Some(new) => Access::two(old, ("ram:UpdateUser", Target::Ram(RamKind::User, new))),
            None => Access::one(old.0, old.1),
        }
    }
}
