//! `CreateUser`: a new user, who may do nothing yet.

use super::{DISPLAY_NAME, EMAIL, MOBILE_PHONE, UserOutput};
use crate::actions::{
    prelude::*,
    ram::names::{COMMENTS, USER_NAME},
};

request! {
    pub struct CreateUser {
        user_name: String = required USER_NAME,
        display_name: String = optional DISPLAY_NAME or String::new(),
        mobile_phone: String = optional MOBILE_PHONE or String::new(),
        email: String = optional EMAIL or String::new(),
        comments: String = optional COMMENTS or String::new(),
    }
}

impl Action for CreateUser {
    type Output = UserOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "CreateUser",
        errors: &[Refusal::UserExists, Refusal::UserLimit],
        doc: "Makes a user. Users have no access keys and no rights until they are given some.",
        example: &[("UserName", "zhangqiang"), ("DisplayName", "Zhang Qiang"), ("Comments", "Release engineering")],
        ..ActionSpec::write(Group::Users)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(RamKind::User, &self.user_name))
    }
}
