//! Parameters that the actions of STS share.

use crate::{
    actions::prelude::*,
    policy::{self, Form},
};

param! {
    /// The role to assume.
    pub ROLE_ARN: RoleRef = Text "RoleArn", "acs:ram::<account>:role/<name>", public,
        refuses(&[Refusal::RoleArnInvalid]) => |text| {
        RoleRef::from_wire(text).ok_or(Invalid::As(Refusal::RoleArnInvalid))
    };

    /// Tells the users of a role apart, in the audit log too.
    pub ROLE_SESSION_NAME: String = Text "RoleSessionName",
        text!([limits::ROLE_SESSION_NAME_CHARS] " letters, digits, `.`, `@`, `-` and `_`"), public,
        refuses(&[Refusal::RoleSessionNameInvalid]) => |text| {
        let fits = limits::ROLE_SESSION_NAME_CHARS.contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'@' | b'-' | b'_'));
        if fits { Ok(text.to_owned()) } else { Err(Invalid::As(Refusal::RoleSessionNameInvalid)) }
    };

    /// How long the credentials work, in seconds.
    pub DURATION_SECONDS: u32 = Integer "DurationSeconds",
        text!(
            {*limits::STS_SESSION_SECS.start()} " to the role's MaxSessionDuration (default "
            {limits::STS_SESSION_SECS_DEFAULT} ", or the role's maximum if that is less)"
        ),
        public, refuses(&[Refusal::DurationSecondsInvalid]) => |text| {
        let secs = text.parse().ok().filter(|secs| limits::STS_SESSION_SECS.contains(secs));
        secs.ok_or(Invalid::As(Refusal::DurationSecondsInvalid))
    };

    /// Narrows the session: what it does not allow, the session may not do, whatever the role may.
    pub POLICY: String = Json "Policy", text!("a policy of at most " {limits::SESSION_POLICY_BYTES_MAX} " bytes"),
        public,
        refuses(&[Refusal::PolicySize, Refusal::PolicyCost(TooCostly::ANY), Refusal::PolicyGrammar(Malformed::ANY)]) =>
        |text| {
            if text.len() > Form::Session.bytes_max() {
                return Err(Invalid::As(Refusal::PolicySize));
            }
            match policy::parse(text, Form::Session) {
                Ok(_) => Ok(text.to_owned()),
                Err(place) => Err(Invalid::As(Refusal::PolicyGrammar(place))),
            }
        };
}
