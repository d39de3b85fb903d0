//! Parameters that the actions of STS share.

use crate::{
    actions::prelude::*,
    policy::{self, Form},
};

pub static ROLE_ARN: Param<RoleRef> =
    Param::new("RoleArn", Kind::Text, "acs:ram::<account>:role/<name>", "The role to assume.", |text| {
        RoleRef::from_wire(text).ok_or(Invalid::As(Refusal::RoleArnInvalid))
    })
    .public()
    .refuses(&[Refusal::RoleArnInvalid]);

pub static ROLE_SESSION_NAME: Param<String> = Param::new(
    "RoleSessionName",
    Kind::Text,
    text!([limits::ROLE_SESSION_NAME_CHARS] " letters, digits, `.`, `@`, `-` and `_`"),
    "Tells the users of a role apart, in the audit log too.",
    |text| {
        let fits = limits::ROLE_SESSION_NAME_CHARS.contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'@' | b'-' | b'_'));
        if fits { Ok(text.to_owned()) } else { Err(Invalid::As(Refusal::RoleSessionNameInvalid)) }
    },
)
.public()
.refuses(&[Refusal::RoleSessionNameInvalid]);

pub static DURATION_SECONDS: Param<u32> = Param::new(
    "DurationSeconds",
    Kind::Integer,
    text!({*limits::STS_SESSION_SECS.start()} " to the role's MaxSessionDuration (default " {limits::STS_SESSION_SECS_DEFAULT} ", or the role's maximum if that is less)"),
    "How long the credentials work, in seconds.",
    |text| {
        let secs = text.parse().ok().filter(|secs| limits::STS_SESSION_SECS.contains(secs));
        secs.ok_or(Invalid::As(Refusal::DurationSecondsInvalid))
    },
)
.public()
.refuses(&[Refusal::DurationSecondsInvalid]);

pub static POLICY: Param<String> = Param::new(
    "Policy",
    Kind::Json,
    text!("a policy of at most " {limits::SESSION_POLICY_BYTES_MAX} " bytes"),
    "Narrows the session: what it does not allow, the session may not do, whatever the role may.",
    |text| {
        if text.len() > Form::Session.bytes_max() {
            return Err(Invalid::As(Refusal::PolicySize));
        }
        match policy::parse(text, Form::Session) {
            Ok(_) => Ok(text.to_owned()),
            Err(place) => Err(Invalid::As(Refusal::PolicyGrammar(place))),
        }
    },
)
.public()
.refuses(&[
    Refusal::PolicySize,
    Refusal::PolicyCost(crate::policy::TooCostly::ANY),
    Refusal::PolicyGrammar(crate::policy::Malformed::ANY),
]);
