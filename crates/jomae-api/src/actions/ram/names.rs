//! Names and notes of users and groups.

use std::ops::RangeInclusive;

use crate::actions::prelude::*;

/// Text of so many characters, all of them allowed. The two mistakes have codes of their own in RAM.
pub(super) fn checked(
    text: &str,
    chars: &RangeInclusive<usize>,
    allowed: fn(char) -> bool,
    length: Refusal,
    wrong: Refusal,
) -> Result<String, Invalid> {
    if !chars.contains(&text.chars().count()) {
        return Err(Invalid::As(length));
    }
    if text.chars().all(allowed) { Ok(text.to_owned()) } else { Err(Invalid::As(wrong)) }
}

fn user_name(text: &str, length: Refusal, wrong: Refusal) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '@' | '_' | '-');
    checked(text, &limits::RAM_NAME_CHARS, allowed, length, wrong)
}

/// The name of a user.
pub(super) fn user_name_of(text: &str) -> Result<String, Invalid> {
    user_name(text, Refusal::UserNameLength, Refusal::UserNameChars)
}

fn group_name(text: &str, length: Refusal, wrong: Refusal) -> Result<String, Invalid> {
    checked(text, &limits::RAM_NAME_CHARS, |c| c.is_ascii_alphanumeric() || c == '-', length, wrong)
}

param! {
    /// The name of the user. Names are case-sensitive.
    pub USER_NAME: String = Text "UserName", text!([limits::RAM_NAME_CHARS] " letters, digits, ., @, _ and -"), public,
        refuses(&[Refusal::UserNameLength, Refusal::UserNameChars]) =>
        |text| user_name(text, Refusal::UserNameLength, Refusal::UserNameChars);

    /// The name of the user. If absent, the caller: the user, or the account itself.
    pub USER_NAME_OR_SELF: String = Text "UserName", text!([limits::RAM_NAME_CHARS] " letters, digits, ., @, _ and -"),
        public, refuses(&[Refusal::UserNameLength, Refusal::UserNameChars]) =>
        |text| user_name(text, Refusal::UserNameLength, Refusal::UserNameChars);

    /// The new name. The user keeps its ID, policies, groups and access keys; policies that name it must be changed.
    pub NEW_USER_NAME: String = Text "NewUserName", text!([limits::RAM_NAME_CHARS] " letters, digits, ., @, _ and -"),
        public, refuses(&[Refusal::NewUserNameLength, Refusal::NewUserNameChars]) =>
        |text| user_name(text, Refusal::NewUserNameLength, Refusal::NewUserNameChars);

    /// The name of the group. Names are case-sensitive.
    pub GROUP_NAME: String = Text "GroupName", text!([limits::RAM_NAME_CHARS] " letters, digits and -"), public,
        refuses(&[Refusal::GroupNameLength, Refusal::GroupNameChars]) =>
        |text| group_name(text, Refusal::GroupNameLength, Refusal::GroupNameChars);

    /// The new name. The group keeps its ID, users and policies.
    pub NEW_GROUP_NAME: String = Text "NewGroupName", text!([limits::RAM_NAME_CHARS] " letters, digits and -"), public,
        refuses(&[Refusal::NewGroupNameLength, Refusal::NewGroupNameChars]) =>
        |text| group_name(text, Refusal::NewGroupNameLength, Refusal::NewGroupNameChars);
}

fn comments(text: &str, length: Refusal) -> Result<String, Invalid> {
    checked(text, &(0..=limits::COMMENTS_CHARS_MAX), |_| true, length, length)
}

param! {
    /// Notes for people.
    pub COMMENTS: String = Text "Comments", text!("at most " {limits::COMMENTS_CHARS_MAX} " characters"), public,
        refuses(&[Refusal::CommentsLength]) => |text| comments(text, Refusal::CommentsLength);

    /// New notes; empty: none.
    pub NEW_COMMENTS: String = Text "NewComments", text!("at most " {limits::COMMENTS_CHARS_MAX} " characters"), public,
        refuses(&[Refusal::NewCommentsLength]) => |text| comments(text, Refusal::NewCommentsLength);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::param::ParamInfo;

    #[test]
    fn names() {
        for (param, good, bad) in [
            (&USER_NAME, &["a", "Zhang.Qiang_1@x-y"][..], &["", "a b", "a/b", "*", "a?", "é", "a\n"][..]),
            (&GROUP_NAME, &["dev", "Dev-1"][..], &["", "a.b", "a_b", "a/b", "*", "é"][..]),
        ] {
            for name in good.iter().copied().chain([&*"n".repeat(64)]) {
                assert!(param.shows(name), "{name}");
            }
            for name in bad.iter().copied().chain([&*"n".repeat(65)]) {
                assert!(!param.accepts(name), "{name}");
            }
        }
    }

    proptest! {
        #[test]
        fn never_panic(text in ".{0,200}") {
            for param in [&USER_NAME, &NEW_USER_NAME, &GROUP_NAME, &NEW_GROUP_NAME, &COMMENTS] {
                let _ = param.accepts(&text);
            }
        }
    }
}
