//! Parameters and members of answers that the actions on roles share.

use crate::{
    actions::{
        prelude::*,
        ram::{names::checked, policies::params::MALFORMED},
    },
    policy::{self, Form},
};

const TRUST_LIMITS: &str =
    text!("JSON of a trust policy, at most " {limits::TRUST_POLICY_BYTES_MAX} " bytes, Version 1");
const SESSION_LIMITS: &str = text!([limits::RAM_SESSION_SECS] " (at first " {*limits::RAM_SESSION_SECS.start()} ")");

param! {
    /// The role. Names are case-sensitive, and stay as they are given (the public service makes them lower-case in
    /// Arn).
    pub ROLE_NAME: String = Text "RoleName", text!([limits::RAM_NAME_CHARS] " letters, digits, . and -"), public,
        refuses(&[Refusal::RoleNameLength, Refusal::RoleNameChars]) => |text| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        checked(text, &limits::RAM_NAME_CHARS, allowed, Refusal::RoleNameLength, Refusal::RoleNameChars)
    };

    /// Who may assume the role. Not a secret: it stands in the audit log.
    pub ASSUME_ROLE_POLICY_DOCUMENT: String = Json "AssumeRolePolicyDocument", TRUST_LIMITS, public,
        refuses(&[MALFORMED, Refusal::PolicyCost(TooCostly::ANY)]) => trust;

    /// Who may assume the role from now on. Not a secret: it stands in the audit log.
    pub NEW_ASSUME_ROLE_POLICY_DOCUMENT: String = Json "NewAssumeRolePolicyDocument", TRUST_LIMITS, public,
        refuses(&[MALFORMED, Refusal::PolicyCost(TooCostly::ANY)]) => trust;

    /// Longest session, in seconds.
    pub MAX_SESSION_DURATION: u32 = Integer "MaxSessionDuration", SESSION_LIMITS, public => session_secs;

    /// Longest session from now on, in seconds.
    pub NEW_MAX_SESSION_DURATION: u32 = Integer "NewMaxSessionDuration", SESSION_LIMITS, public => session_secs;

    /// There is no console to log in to.
    pub ALLOW_CONSOLE_LOGIN: () = Boolean "AllowConsoleLogin", "false", public => no_console;

    /// There is no console to log in to.
    pub NEW_ALLOW_CONSOLE_LOGIN: () = Boolean "NewAllowConsoleLogin", "false", public => no_console;
}

fn trust(text: &str) -> Result<String, Invalid> {
    match policy::parse(text, Form::Trust) {
        Ok(_) => Ok(text.to_owned()),
        Err(place) => Err(Invalid::As(Refusal::MalformedPolicyDocument(place))),
    }
}

fn session_secs(text: &str) -> Result<u32, Invalid> {
    parse_number(text, &limits::RAM_SESSION_SECS)
}

fn no_console(text: &str) -> Result<(), Invalid> {
    if parse_bool(text)? { Err(Invalid::Value) } else { Ok(()) }
}

answer! {
    /// A role in an answer.
    pub struct RoleRow as "Role" {
        /// ID of the role: 18 digits, which no other role ever has.
        role_id: String => "RoleId",
        /// Name of the role.
        role_name: String => "RoleName",
        /// Full name of the role, with its name as it was given.
        arn: String => "Arn",
        /// What it is for.
        description: String => "Description",
        /// When it was made.
        create_date: Timestamp => "CreateDate",
        /// When it was last changed.
        update_date: Timestamp => "UpdateDate",
        /// Longest session, in seconds.
        max_session_duration: i64 => "MaxSessionDuration",
        /// Always false: there is no console.
        allow_console_login: bool => "AllowConsoleLogin",
        /// Who may assume it, as JSON text; absent from lists.
        assume_role_policy_document: Option<String> => "AssumeRolePolicyDocument",
    }

    /// An answer with one role.
    pub struct RoleOutput {
        /// The role.
        role: RoleRow => "Role",
    }
}

/// For examples: a trust policy that trusts the account itself.
pub(super) const EXAMPLE_TRUST: &str = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":["acs:ram::1234567890123456:root"]}}]}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{names::RoleName, param::ParamInfo};

    #[test]
    fn names() {
        let (longest, over) = ("x".repeat(64), "x".repeat(65));
        for text in ["a", "A.b-9", &longest, "", "a_b", "a/b", "é", &over] {
            assert_eq!(ROLE_NAME.accepts(text), RoleName::new(text).is_some(), "{text}");
        }
        assert!(ROLE_NAME.shows(&longest) && !ROLE_NAME.accepts("a b"));
    }

    #[test]
    fn limits_of_roles() {
        for (text, fits) in [("3599", false), ("3600", true), ("43200", true), ("43201", false), ("1h", false)] {
            assert_eq!(MAX_SESSION_DURATION.accepts(text), fits, "{text}");
        }
        assert!(ASSUME_ROLE_POLICY_DOCUMENT.shows(EXAMPLE_TRUST));
        let over = format!("{EXAMPLE_TRUST}{}", " ".repeat(4096));
        for bad in ["hunter2", "{}", r#"{"Version":"1","Statement":[]}"#, &over] {
            assert!(!ASSUME_ROLE_POLICY_DOCUMENT.accepts(bad) && !ASSUME_ROLE_POLICY_DOCUMENT.shows(bad), "{bad}");
        }
        assert!(ALLOW_CONSOLE_LOGIN.accepts("false") && !ALLOW_CONSOLE_LOGIN.accepts("true"));
    }
}
