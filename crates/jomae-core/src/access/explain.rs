//! Why not? For the operator's log: the caller learns nothing but that permission is missing.

use std::fmt::Write as _;

use super::{Denial, Rights};
use crate::policy::{Compiled, Request, ResourceVerdict, Verdict};

/// After this many bytes of reasons no further policy is gone through.
const REASON_BYTES_MAX: usize = 1024;

/// Why the caller's own policies, or the session policy, do not allow it.
pub(super) fn identity(rights: &Rights, permission: &'static str, request: &Request<'_>) -> Denial {
    Denial { permission, resource: request.resource.to_owned(), reason: reason(rights, request) }
}

fn reason(rights: &Rights, request: &Request<'_>) -> String {
    for held in rights.policies.iter() {
        if let Verdict::ExplicitDeny { statement } = held.compiled().evaluate(request) {
            return format!("explicit deny in policy {}, statement {statement}", held.name());
        }
    }
    if let Some(session) = rights.session.as_ref().filter(|_| !rights.session_allows(request)) {
        return format!("the session policy does not allow it{}", why_not("the session policy", session, request));
    }
    let mut reason = "no statement allows it".to_owned();
    for held in rights.policies.iter() {
        reason.push_str(&why_not(held.name(), held.compiled(), request));
        if reason.len() > REASON_BYTES_MAX {
            reason.push_str("; …");
            break;
        }
    }
    reason
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
            format!("explicit deny in the key policy, statement {statement}")
        }
        ResourceVerdict::NotNamed if !is_own => "the key policy of the other account does not allow it".to_owned(),
        _ => reason(rights, request),
    };
    Denial { permission, resource: request.resource.to_owned(), reason }
}

/// Why a role does not trust the caller.
pub(super) fn trust(permission: &'static str, resource: String, verdict: ResourceVerdict) -> Denial {
    let reason = match verdict {
        ResourceVerdict::ExplicitDeny { statement } => {
            format!("explicit deny in the trust policy, statement {statement}")
        }
        _ => "no statement of the trust policy names the caller, or a condition is not met".to_owned(),
    };
    Denial { permission, resource, reason }
}
