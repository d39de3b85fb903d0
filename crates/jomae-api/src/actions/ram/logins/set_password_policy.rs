//! `SetPasswordPolicy`: other rules for passwords.

use super::PasswordPolicyOutput;
use crate::actions::prelude::*;

param! {
    /// Shortest password, in characters.
    MINIMUM_PASSWORD_LENGTH: u32 = Integer "MinimumPasswordLength", text!([limits::PASSWORD_LENGTH]), public,
        refuses(&[Refusal::MinimumPasswordLengthRange]) => |text| {
        parse_number(text, &limits::PASSWORD_LENGTH).map_err(|_| Invalid::As(Refusal::MinimumPasswordLengthRange))
    };

    /// Whether a password must have a lower-case letter.
    REQUIRE_LOWERCASE_CHARACTERS: bool = Boolean "RequireLowercaseCharacters", "true or false", public => parse_bool;

    /// Whether a password must have an upper-case letter.
    REQUIRE_UPPERCASE_CHARACTERS: bool = Boolean "RequireUppercaseCharacters", "true or false", public => parse_bool;

    /// Whether a password must have a digit.
    REQUIRE_NUMBERS: bool = Boolean "RequireNumbers", "true or false", public => parse_bool;

    /// Whether a password must have a character that is neither letter nor digit.
    REQUIRE_SYMBOLS: bool = Boolean "RequireSymbols", "true or false", public => parse_bool;

    /// Whether nobody can sign in with a password that is too old; else it has to be changed at the sign-in.
    HARD_EXPIRY: bool = Boolean "HardExpiry", "true or false", public => parse_bool;

    /// After how many days a password is too old; 0: never.
    MAX_PASSWORD_AGE: u32 = Integer "MaxPasswordAge", text!([0..=limits::PASSWORD_AGE_DAYS_MAX]), public => |text| {
        parse_number(text, &(0..=limits::PASSWORD_AGE_DAYS_MAX))
    };

    /// How many of the last passwords cannot be used again; 0: all can.
    PASSWORD_REUSE_PREVENTION: u32 = Integer "PasswordReusePrevention", text!([0..=limits::PASSWORD_HISTORY_MAX]), public => |text| {
        parse_number(text, &(0..=limits::PASSWORD_HISTORY_MAX))
    };

    /// After how many wrong passwords within an hour a place is locked out for an hour; 0: as many as this service allows.
    MAX_LOGIN_ATTEMPS: u32 = Integer "MaxLoginAttemps", text!([0..=limits::LOGIN_ATTEMPTS_MAX]), public => |text| {
        parse_number(text, &(0..=limits::LOGIN_ATTEMPTS_MAX))
    };
}

request! {
    pub struct SetPasswordPolicy {
        minimum_password_length: Option<u32> = optional MINIMUM_PASSWORD_LENGTH,
        require_lowercase_characters: Option<bool> = optional REQUIRE_LOWERCASE_CHARACTERS,
        require_uppercase_characters: Option<bool> = optional REQUIRE_UPPERCASE_CHARACTERS,
        require_numbers: Option<bool> = optional REQUIRE_NUMBERS,
        require_symbols: Option<bool> = optional REQUIRE_SYMBOLS,
        hard_expiry: Option<bool> = optional HARD_EXPIRY,
        max_password_age: Option<u32> = optional MAX_PASSWORD_AGE,
        password_reuse_prevention: Option<u32> = optional PASSWORD_REUSE_PREVENTION,
        max_login_attemps: Option<u32> = optional MAX_LOGIN_ATTEMPS,
    }
}

impl Action for SetPasswordPolicy {
    type Output = PasswordPolicyOutput;
    const SHEET: ActionSpec = ActionSpec {
        name: "SetPasswordPolicy",
        doc: "Changes the account's rules for the passwords of its users: what is given; the rest stays. They hold for passwords that are chosen from then on; age and attempts at once.",
        example: &[("MinimumPasswordLength", "14"), ("PasswordReusePrevention", "5"), ("MaxLoginAttemps", "5")],
        ..ActionSpec::write(Group::Logins)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Service)
    }
}
