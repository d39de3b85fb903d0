//! Why not? For the operator's log: the caller learns nothing but that permission is missing.

use std::fmt::Write as _;

use jomae_api::limits::DECISION_STEPS_MAX;

use super::Rights;
use crate::{
    error::Denial,
    policy::{Compiled, Request, ResourceVerdict, Verdict},
};

/// After this many bytes of reasons no further policy is gone through.
const REASON_BYTES_MAX: usize = 1024;

/// Why the caller's own policies, or the session policy, do not allow it.
pub(super) fn identity(rights: &Rights, permission: &'static str, request: &Request<'_>) -> Denial {
    let reason = reason(rights, request);
    let too_costly = reason.is_none();
    denial(permission, request.resource().to_owned(), reason.unwrap_or_else(budget), too_costly)
}

const fn denial(permission: &'static str, resource: String, reason: String, too_costly: bool) -> Denial {
    Denial { permission, resource, reason, too_costly }
}

fn budget() -> String {
    format!("the policies cost more than the {DECISION_STEPS_MAX} steps that a decision may take")
}

/// `None`: the policies cost more than a decision may. The reason is found within a budget of its own.
fn reason(rights: &Rights, asked: &Request<'_>) -> Option<String> {
    let request = &asked.again();
    for held in rights.policies.iter() {
        match held.compiled().evaluate(request) {
            Verdict::ExplicitDeny { statement } => {
                return Some(format!("explicit deny in policy {}, statement {statement}", held.name()));
            }
            Verdict::TooCostly => return None,
            Verdict::Allow { .. } | Verdict::ImplicitDeny => {}
        }
    }
    let by_session = rights.session.as_ref().map(|session| (session, session.evaluate(request)));
    match by_session {
        Some((_, Verdict::TooCostly)) => return None,
        Some((session, Verdict::ExplicitDeny { .. } | Verdict::ImplicitDeny)) => {
            let why = why_not("the session policy", session, &asked.again());
            return Some(format!("the session policy does not allow it{why}"));
        }
        Some((_, Verdict::Allow { .. })) | None => {}
    }
    if asked.left() == 0 {
        return None;
    }
    let request = &asked.again();
    let mut reason = "no statement allows it".to_owned();
    for held in rights.policies.iter() {
        reason.push_str(&why_not(held.name(), held.compiled(), request));
        if reason.len() > REASON_BYTES_MAX || request.left() == 0 {
            reason.push_str("; …");
            break;
        }
    }
    Some(reason)
}

/// What became of the statements of one policy that speak of the action.
fn why_not(name: &str, policy: &Compiled, request: &Request<'_>) -> String {
    policy.explain(request).iter().fold(String::new(), |mut text, explained| {
        let _ = write!(text, "; {name}: {explained}");
        text
    })
}

/// Why the key policy and the caller's own policies together do not allow it.
pub(super) fn key(
    rights: &Rights,
    permission: &'static str,
    request: &Request<'_>,
    by_key: ResourceVerdict,
    is_own: bool,
) -> Denial {
    let reason = match by_key {
        ResourceVerdict::ExplicitDeny { statement } => {
            Some(format!("explicit deny in the key policy, statement {statement}"))
        }
        ResourceVerdict::TooCostly => None,
        ResourceVerdict::NotNamed if !is_own => {
            Some("the key policy of the other account does not allow it".to_owned())
        }
        _ => reason(rights, request),
    };
    let too_costly = reason.is_none();
    denial(permission, request.resource().to_owned(), reason.unwrap_or_else(budget), too_costly)
}

/// Why a role does not trust the caller.
pub(super) fn trust(permission: &'static str, resource: String, verdict: ResourceVerdict) -> Denial {
    let (reason, too_costly) = match verdict {
        ResourceVerdict::ExplicitDeny { statement } => {
            (format!("explicit deny in the trust policy, statement {statement}"), false)
        }
        ResourceVerdict::TooCostly => (budget(), true),
        _ => ("no statement of the trust policy names the caller, or a condition is not met".to_owned(), false),
    };
    denial(permission, resource, reason, too_costly)
}
