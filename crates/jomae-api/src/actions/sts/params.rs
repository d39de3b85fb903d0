//! Parameters that the actions of STS share.

use crate::{
    error::Refusal,
    names::RoleRef,
    param::{Invalid, Kind, Param},
    policy::{self, Form},
};

/// Longest session of any role, in seconds.
const DURATION_SECS_MAX: u32 = 43_200;
/// Shortest session, in seconds.
const DURATION_SECS_MIN: u32 = 900;

pub static ROLE_ARN: Param<RoleRef> =
    Param::new("RoleArn", Kind::Text, "acs:ram::<account>:role/<name>", "The role to assume.", |text| {
        RoleRef::from_wire(text).ok_or(Invalid::As(Refusal::RoleArnInvalid))
    })
    .public()
    .refuses(&[Refusal::RoleArnInvalid]);

pub static ROLE_SESSION_NAME: Param<String> = Param::new(
    "RoleSessionName",
    Kind::Text,
    "2–64 letters, digits, `.`, `@`, `-` and `_`",
    "Tells the users of a role apart, in the audit log too.",
    |text| {
        let fits = (2..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'@' | b'-' | b'_'));
        if fits { Ok(text.to_owned()) } else { Err(Invalid::As(Refusal::RoleSessionNameInvalid)) }
    },
)
.public()
.refuses(&[Refusal::RoleSessionNameInvalid]);

pub static DURATION_SECONDS: Param<u32> = Param::new(
    "DurationSeconds",
    Kind::Integer,
    "900 to the role's MaxSessionDuration (default 3600, or the role's maximum if that is less)",
    "How long the credentials work, in seconds.",
    |text| {
        let secs = text.parse().ok().filter(|secs| (DURATION_SECS_MIN..=DURATION_SECS_MAX).contains(secs));
        secs.ok_or(Invalid::As(Refusal::DurationSecondsInvalid))
    },
)
.public()
.refuses(&[Refusal::DurationSecondsInvalid]);

pub static POLICY: Param<String> = Param::new(
    "Policy",
    Kind::Json,
    "a policy of at most 2048 bytes",
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
