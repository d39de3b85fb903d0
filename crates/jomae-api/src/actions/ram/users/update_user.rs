//! `UpdateUser`: another name, or other particulars.

use super::{NEW_DISPLAY_NAME, NEW_EMAIL, NEW_MOBILE_PHONE, UserOutput};
use crate::actions::{
    prelude::*,
    ram::names::{NEW_COMMENTS, NEW_USER_NAME, USER_NAME},
};

request! {
    pub struct UpdateUser {
        user_name: String = required USER_NAME,
        new_user_name: Option<String> = optional NEW_USER_NAME,
        new_display_name: Option<String> = optional_maybe_empty NEW_DISPLAY_NAME,
        new_mobile_phone: Option<String> = optional_maybe_empty NEW_MOBILE_PHONE,
        new_email: Option<String> = optional_maybe_empty NEW_EMAIL,
        new_comments: Option<String> = optional_maybe_empty NEW_COMMENTS,
    }
}

impl Action for UpdateUser {
    type Output = UserOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "UpdateUser",
        errors: &[Refusal::UserNotFound, Refusal::UserExists],
        doc: "Changes what is given, and leaves the rest as it is. What is given empty is taken away, but never the user name. Renaming needs the permission on both names.",
        example: &[("UserName", "zhangqiang"), ("NewUserName", "zhangqiang2"), ("NewComments", "Left the company")],
        ..ActionSpec::write(Group::Users)
    };

    fn access(&self) -> Access<'_> {
        let old = Target::Ram(RamKind::User, &self.user_name);
        match &self.new_user_name {
            // Policies may name users: who gives a name gives what it may do.
            Some(new) => Self::on_both(old, Target::Ram(RamKind::User, new)),
            None => Self::on(old),
        }
    }
}
