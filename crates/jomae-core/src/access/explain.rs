//! Why not? All of it for the operator's log; for the caller's account what it may know, a [`Disclosed`].

use std::fmt::Write as _;

use jomae_api::{
    actions::ram::policies::decode_diagnostic_message::AttachedTo,
    denied::{DecidedBy, NoPermissionType},
    limits::DECISION_STEPS_MAX,
};

use super::Rights;
use crate::{
    error::{Denial, DenyingPolicy, Disclosed},
    identity::{Caller, Who},
    policy::{Compiled, Request, ResourceVerdict, Verdict},
    ram::epoch::AttachedPolicy,
};

/// After this many bytes of reasons no further policy is gone through.
const REASON_BYTES_MAX: usize = 1024;

/// Why the caller's own policies, or the session policy, do not allow it.
pub(super) fn identity(caller: &Caller, rights: &Rights, permission: &'static str, request: &Request<'_>) -> Denial {
    let disclosed = match own_side(caller, rights, request) {
        OwnSide::Denies(disclosed) => Some(disclosed),
        OwnSide::Allows | OwnSide::Unknown => None,
    };
    denial(permission, request.resource().to_owned(), reason(rights, request), disclosed)
}

/// No reason: the policies cost more than a decision may.
fn denial(permission: &'static str, resource: String, reason: Option<String>, disclosed: Option<Disclosed>) -> Denial {
    let too_costly = reason.is_none();
    // What nobody could decide is not told as a decision.
    let disclosed = disclosed.filter(|_| !too_costly);
    Denial { permission, resource, reason: reason.unwrap_or_else(budget), too_costly, disclosed }
}

/// What the caller's own policies and its session policy say of a request.
pub(super) enum OwnSide {
    Allows,
    Denies(Disclosed),
    /// They cost more than a decision may.
    Unknown,
}

impl OwnSide {
    /// If it allows, the other side must have been missing; this does not look at whether there is one.
    pub(super) fn or_other_side(self, by: DecidedBy, resource: &str) -> Option<Disclosed> {
        match self {
            Self::Allows => Some(disclosed(resource, NoPermissionType::Implicit, by)),
            Self::Denies(disclosed) => Some(disclosed),
            Self::Unknown => None,
        }
    }
}

/// Asks them again, with a budget of its own.
pub(super) fn own_side(caller: &Caller, rights: &Rights, asked: &Request<'_>) -> OwnSide {
    if caller.is_root() {
        return OwnSide::Allows;
    }
    let request = &asked.again();
    let denies = |how, by| disclosed(request.resource(), how, by);
    let mut allows = false;
    for (at, held) in rights.policies.iter().enumerate() {
        match held.compiled().evaluate(request) {
            Verdict::ExplicitDeny { .. } => {
                let policy = denying(held, caller, at >= rights.own);
                return OwnSide::Denies(Disclosed {
                    policy: Some(policy),
                    ..denies(NoPermissionType::Explicit, DecidedBy::Identity)
                });
            }
            Verdict::TooCostly => return OwnSide::Unknown,
            Verdict::Allow { .. } => allows = true,
            Verdict::ImplicitDeny => {}
        }
    }
    match rights.session.as_ref().map(|session| session.evaluate(request)) {
        Some(Verdict::TooCostly) => OwnSide::Unknown,
        Some(Verdict::ExplicitDeny { .. }) => OwnSide::Denies(denies(NoPermissionType::Explicit, DecidedBy::Session)),
        _ if !allows => OwnSide::Denies(denies(NoPermissionType::Implicit, DecidedBy::Identity)),
        Some(Verdict::ImplicitDeny) => OwnSide::Denies(denies(NoPermissionType::Implicit, DecidedBy::Session)),
        Some(Verdict::Allow { .. }) | None => OwnSide::Allows,
    }
}

fn disclosed(resource: &str, how: NoPermissionType, by: DecidedBy) -> Disclosed {
    Disclosed { resource: resource.to_owned(), how, by, policy: None }
}

fn denying(held: &AttachedPolicy, caller: &Caller, of_group: bool) -> DenyingPolicy {
    let version = match held {
        AttachedPolicy::Custom(record, _) => Some(record.default_version),
        AttachedPolicy::System(_) | AttachedPolicy::Proposed(..) => None,
    };
    let attached_to = match caller.who {
        Who::Session(_) => AttachedTo::Role,
        _ if of_group => AttachedTo::Group,
        _ => AttachedTo::User,
    };
    DenyingPolicy { name: held.name().to_owned(), version, attached_to }
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

/// Why the key policy and the caller's own policies together do not allow it on another account's key. What is disclosed
/// was found without looking at the key.
pub(super) fn foreign_key(
    rights: &Rights,
    permission: &'static str,
    request: &Request<'_>,
    by_key: ResourceVerdict,
    disclosed: Option<Disclosed>,
) -> Denial {
    let reason = match by_key {
        ResourceVerdict::NotNamed => Some("the key policy of the other account does not allow it".to_owned()),
        _ => key_reason(rights, request, by_key),
    };
    Denial { disclosed, ..denial(permission, request.resource().to_owned(), reason, None) }
}

/// The same on a key of the caller's account.
pub(super) fn own_key(
    caller: &Caller,
    rights: &Rights,
    permission: &'static str,
    request: &Request<'_>,
    by_key: ResourceVerdict,
) -> Denial {
    let resource = request.resource();
    let told = match by_key {
        ResourceVerdict::ExplicitDeny { .. } => {
            Some(disclosed(resource, NoPermissionType::Explicit, DecidedBy::Resource))
        }
        _ => own_side(caller, rights, request).or_other_side(DecidedBy::Resource, resource),
    };
    denial(permission, resource.to_owned(), key_reason(rights, request, by_key), told)
}

fn key_reason(rights: &Rights, request: &Request<'_>, by_key: ResourceVerdict) -> Option<String> {
    match by_key {
        ResourceVerdict::ExplicitDeny { statement } => {
            Some(format!("explicit deny in the key policy, statement {statement}"))
        }
        ResourceVerdict::TooCostly => None,
        _ => reason(rights, request),
    }
}

/// Why a role does not trust the caller. To another account a role that denies is as one that does not name it.
pub(super) fn trust(permission: &'static str, resource: String, verdict: ResourceVerdict, tells: TrustTells) -> Denial {
    let reason = match verdict {
        ResourceVerdict::ExplicitDeny { statement } => {
            Some(format!("explicit deny in the trust policy, statement {statement}"))
        }
        ResourceVerdict::TooCostly => None,
        _ => Some("no statement of the trust policy names the caller, or a condition is not met".to_owned()),
    };
    let how = match (verdict, tells) {
        (ResourceVerdict::ExplicitDeny { .. }, TrustTells::All) => NoPermissionType::Explicit,
        _ => NoPermissionType::Implicit,
    };
    let told = (tells != TrustTells::Nothing).then(|| disclosed(&resource, how, DecidedBy::Trust));
    match tells {
        TrustTells::All => denial(permission, resource, reason, told),
        TrustTells::OtherSide | TrustTells::Nothing => {
            Denial { disclosed: told, ..denial(permission, resource, reason, None) }
        }
    }
}

/// How much of a trust policy a caller may know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TrustTells {
    /// The role is of the caller's account.
    All,
    /// It is another account's, if there is one.
    OtherSide,
    /// The caller comes with the token of an issuer, who may serve the whole world.
    Nothing,
}
