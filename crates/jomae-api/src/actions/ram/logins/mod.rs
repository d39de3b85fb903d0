//! How people sign in: login profiles with their passwords, and the account's rules for passwords.

pub mod change_password;
pub mod create_login_profile;
pub mod delete_login_profile;
pub mod get_login_profile;
pub mod get_password_policy;
pub mod set_password_policy;
pub mod update_login_profile;

use std::sync::Arc;

use crate::actions::prelude::*;

answer! {
    /// That a user may sign in with a password, as answers show it.
    pub struct LoginProfile {
        /// Name of the user.
        user_name: String => "UserName",
        /// Whether the user has to choose another password at the next sign-in.
        password_reset_required: bool => "PasswordResetRequired",
        /// Whether the user has to bind an MFA device at the next sign-in.
        mfa_bind_required: bool => "MFABindRequired",
        /// When it was made.
        create_date: Timestamp => "CreateDate",
    }

    pub struct LoginProfileOutput {
        /// The login profile.
        login_profile: LoginProfile => "LoginProfile",
    }

    /// The account's rules for passwords, as answers show them.
    pub struct PasswordPolicy {
        /// Shortest password, in characters.
        minimum_password_length: u32 => "MinimumPasswordLength",
        /// Whether a password must have a lower-case letter.
        require_lowercase_characters: bool => "RequireLowercaseCharacters",
        /// Whether a password must have an upper-case letter.
        require_uppercase_characters: bool => "RequireUppercaseCharacters",
        /// Whether a password must have a digit.
        require_numbers: bool => "RequireNumbers",
        /// Whether a password must have a character that is neither letter nor digit.
        require_symbols: bool => "RequireSymbols",
        /// Whether nobody can sign in with a password that is too old; else it has to be changed at the sign-in.
        hard_expiry: bool => "HardExpiry",
        /// After how many days a password is too old; 0: never.
        max_password_age: u32 => "MaxPasswordAge",
        /// How many of the last passwords cannot be used again.
        password_reuse_prevention: u32 => "PasswordReusePrevention",
        /// After how many wrong passwords within an hour a place is locked out for an hour; 0: as many as this service allows.
        max_login_attemps: u32 => "MaxLoginAttemps",
    }

    pub struct PasswordPolicyOutput {
        /// The rules.
        password_policy: PasswordPolicy => "PasswordPolicy",
    }
}

/// A password, to be shared with the thread that hashes it, whatever it is: whether it is a good one, the account's rules say.
fn password(text: &str, refusal: Refusal) -> Result<Arc<SecretBytes>, Invalid> {
    let fits = text.chars().count() <= limits::PASSWORD_CHARS_MAX && !text.chars().any(char::is_control);
    if fits { Ok(Arc::new(SecretBytes::new(text.as_bytes().to_vec()))) } else { Err(Invalid::As(refusal)) }
}

param! {
    /// The password, which has to follow the account's rules.
    PASSWORD: Arc<SecretBytes> = Text "Password", text!("at most " {limits::PASSWORD_CHARS_MAX} " characters"),
        refuses(&[Refusal::PasswordWeak]) => |text| password(text, Refusal::PasswordWeak);

    /// The password that the caller has.
    OLD_PASSWORD: Arc<SecretBytes> = Text "OldPassword", text!("at most " {limits::PASSWORD_CHARS_MAX} " characters"),
        refuses(&[Refusal::OldPasswordIncorrect]) => |text| password(text, Refusal::OldPasswordIncorrect);

    /// The password that the caller is to have, which has to follow the account's rules.
    NEW_PASSWORD: Arc<SecretBytes> = Text "NewPassword", text!("at most " {limits::PASSWORD_CHARS_MAX} " characters"),
        refuses(&[Refusal::NewPasswordWeak]) => |text| password(text, Refusal::NewPasswordWeak);

    /// Whether the user has to choose another password at the next sign-in.
    PASSWORD_RESET_REQUIRED: bool = Boolean "PasswordResetRequired", "true or false", public => parse_bool;

    /// Whether the user has to bind an MFA device at the next sign-in.
    MFA_BIND_REQUIRED: bool = Boolean "MFABindRequired", "true or false", public => parse_bool;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::param::ParamInfo;

    #[test]
    fn a_password_is_shown_nowhere() {
        for param in [&PASSWORD, &OLD_PASSWORD, &NEW_PASSWORD] {
            for good in ["x", "correct horse battery staple", "密码", &*"é".repeat(128)] {
                assert!(param.accepts(good) && !param.shows(good), "{good}");
            }
            for bad in ["a\nb", "\0", &*"x".repeat(129)] {
                assert!(!param.accepts(bad), "{bad}");
            }
        }
    }

    proptest! {
        #[test]
        fn never_panic(text in ".{0,200}") {
            prop_assert!(!PASSWORD.shows(&text));
            let _ = PASSWORD.accepts(&text);
        }
    }
}
