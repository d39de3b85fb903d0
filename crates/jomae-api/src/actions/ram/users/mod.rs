//! Users: people and programs of an account, each with rights of their own.

pub mod create_user;
pub mod delete_user;
pub mod get_user;
pub mod list_users;
pub mod update_user;

use super::names::checked;
use crate::actions::prelude::*;

answer! {
    /// A user, as answers show it. What has not been given is empty.
    pub struct UserInfo as "User" {
        /// ID of the user: 18 digits, which no other user ever has.
        user_id: String => "UserId",
        /// Name of the user.
        user_name: String => "UserName",
        /// The name for people.
        display_name: String => "DisplayName",
        /// Telephone number.
        mobile_phone: String => "MobilePhone",
        /// Mail address.
        email: String => "Email",
        /// Notes.
        comments: String => "Comments",
        /// When it was made.
        create_date: Timestamp => "CreateDate",
        /// When it was last changed; not in the answer of CreateUser.
        update_date: Option<Timestamp> => "UpdateDate",
    }

    pub struct UserOutput {
        /// The user.
        user: UserInfo => "User",
    }
}

fn display_name(text: &str, length: Refusal, wrong: Refusal) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '@' | '_' | '-');
    checked(text, &limits::DISPLAY_NAME_CHARS, allowed, length, wrong)
}

/// A rough look, enough to keep nonsense out: the number is never called.
fn mobile_phone(text: &str, wrong: Refusal) -> Result<String, Invalid> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let number = text.split_once('-').map_or(digits(text), |(country, rest)| digits(country) && digits(rest));
    let fits = limits::MOBILE_PHONE_CHARS.contains(&text.len()) && number;
    if text.is_empty() || fits { Ok(text.to_owned()) } else { Err(Invalid::As(wrong)) }
}

/// A rough look, enough to keep nonsense out: nothing is ever sent there.
fn email(text: &str, wrong: Refusal) -> Result<String, Invalid> {
    let part =
        |text: &str| !text.is_empty() && !text.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control());
    let address = text.split_once('@').is_some_and(|(mailbox, host)| part(mailbox) && part(host));
    let fits = text.len() <= limits::EMAIL_BYTES_MAX && address;
    if text.is_empty() || fits { Ok(text.to_owned()) } else { Err(Invalid::As(wrong)) }
}

param! {
    /// The name for people.
    DISPLAY_NAME: String = Text "DisplayName",
        text!([limits::DISPLAY_NAME_CHARS] " letters of any script, digits, blanks, ., @, _ and -"), public,
        refuses(&[Refusal::DisplayNameLength, Refusal::DisplayNameChars]) =>
        |text| display_name(text, Refusal::DisplayNameLength, Refusal::DisplayNameChars);

    /// The new name for people; empty: none.
    NEW_DISPLAY_NAME: String = Text "NewDisplayName",
        text!("at most " {*limits::DISPLAY_NAME_CHARS.end()} " letters of any script, digits, blanks, ., @, _ and -"),
        public, refuses(&[Refusal::NewDisplayNameLength, Refusal::NewDisplayNameChars]) => |text| match text {
        "" => Ok(String::new()),
        _ => display_name(text, Refusal::NewDisplayNameLength, Refusal::NewDisplayNameChars),
    };

    // Where somebody can be reached is nobody's business in a log.
    /// A telephone number, e.g. 86-18600008888.
    MOBILE_PHONE: String = Text "MobilePhone",
        text!([limits::MOBILE_PHONE_CHARS] " digits, with one hyphen after the country's number"),
        refuses(&[Refusal::MobilePhoneFormat]) => |text| mobile_phone(text, Refusal::MobilePhoneFormat);

    /// The new telephone number; empty: none.
    NEW_MOBILE_PHONE: String = Text "NewMobilePhone",
        text!([limits::MOBILE_PHONE_CHARS] " digits, with one hyphen after the country's number"),
        refuses(&[Refusal::NewMobilePhoneFormat]) => |text| mobile_phone(text, Refusal::NewMobilePhoneFormat);

    /// A mail address.
    EMAIL: String = Text "Email", text!("a mail address, at most " {limits::EMAIL_BYTES_MAX} " bytes"),
        refuses(&[Refusal::EmailFormat]) => |text| email(text, Refusal::EmailFormat);

    /// The new mail address; empty: none.
    NEW_EMAIL: String = Text "NewEmail", text!("a mail address, at most " {limits::EMAIL_BYTES_MAX} " bytes"),
        refuses(&[Refusal::NewEmailFormat]) => |text| email(text, Refusal::NewEmailFormat);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::param::ParamInfo;

    #[test]
    fn particulars() {
        let long = "x".repeat(129);
        for (param, good, bad) in [
            (&DISPLAY_NAME, &["a", "Zhang Qiang", "张强", "a@b-c_d.e"][..], &["", "a/b", "a\n", "<b>", &long][..]),
            (&MOBILE_PHONE, &["", "86-18600008888", "18600008888"], &["12", "86-", "-1234", "8-6-1", "+8612", "86 12"]),
            (&EMAIL, &["", "a@b", "alice@secloud.com"], &["a", "@b", "a@", "a@b@c", "a b@c", "a@b\n"]),
        ] {
            for text in good {
                assert!(param.accepts(text), "{text}");
            }
            for text in bad {
                assert!(!param.accepts(text), "{text}");
            }
        }
        assert!(!EMAIL.accepts(&format!("a@{}", "b".repeat(253))));
        assert!(!EMAIL.shows("a@b") && !MOBILE_PHONE.shows("1234"));
    }

    proptest! {
        #[test]
        fn never_panic(text in ".{0,200}") {
            for param in [&DISPLAY_NAME, &NEW_DISPLAY_NAME, &MOBILE_PHONE, &NEW_MOBILE_PHONE, &EMAIL, &NEW_EMAIL] {
                let _ = param.accepts(&text);
            }
        }
    }
}
