//! Would this principal be allowed, and why? And what would a proposed policy have done to the calls of the past?
//!
//! Both ask the evaluator that every call meets, with the records of this moment, so that a simulation cannot decide
//! otherwise than the service.

mod asked;
mod question;
pub mod replay;

use std::{borrow::Cow, sync::Arc};

use jomae_api::{
    actions::params::Tags,
    names::{AccountId, RegionId},
    param::EncryptionContext,
    policy::{Form, Malformed},
    time::Timestamp,
    wire::Format,
};

pub use question::{Answer, Layer, PrincipalName, Question, Standpoint, simulate, would_allow};

use super::{
    Rights,
    authorize::{NotPermitted, PolicyEvaluator},
};
use crate::{
    access::Resource,
    call::{Call, Channel},
    error::{Error, Fault},
    identity::{Caller, Who},
    policy::{Compiled, system_policy},
    ram::{
        epoch::AttachedPolicy,
        find,
        record::{PolicyRecord, UserRecord, path},
    },
    tx::Tx,
    wait::Abandonment,
};

/// Why there is no answer; one line.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    #[error("there is no {0}")]
    NoPrincipal(String),
    #[error("there is no permission {0}; permissions are named <service>:<Action>, as kms:Decrypt")]
    NoPermission(String),
    #[error("{0}")]
    Resource(String),
    #[error("there is no policy {0} in the account")]
    NoPolicy(String),
    #[error("{0} does not have the policy {1}")]
    NotAttached(String, String),
    #[error("the proposed policy would be none of {0}")]
    NotConcerned(String),
    #[error("the account itself has no policies: nothing can be added or replaced")]
    Root,
    #[error("the proposed policy: {0}")]
    Policy(#[from] Malformed),
    #[error("{0}")]
    Failed(#[from] Fault),
}

/// A policy that is not in force yet, and what it would be.
pub struct Proposal {
    compiled: Arc<Compiled>,
    attach_to: AttachTo,
}

/// What a proposed policy would be attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachTo {
    /// Whoever is asked about.
    Principal,
    /// Whoever has the policy of this name, which it replaces.
    InsteadOf(String),
    /// The user of this name.
    User(String),
    /// The group of this name.
    Group(String),
    /// The role of this name.
    Role(String),
}

impl AttachTo {
    /// Reads `user/<name>`, `group/<name>` or `role/<name>`.
    pub fn principal(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        let name = (!name.is_empty()).then(|| name.to_owned())?;
        match kind {
            "user" => Some(Self::User(name)),
            "group" => Some(Self::Group(name)),
            "role" => Some(Self::Role(name)),
            _ => None,
        }
    }
}

impl Proposal {
    /// Reads an identity policy.
    pub fn new(document: &str, attach_to: AttachTo) -> Result<Self, SimulateError> {
        let policy = jomae_api::policy::parse(document, Form::Identity)?;
        Ok(Self { compiled: Arc::new(Compiled::of(&policy)), attach_to })
    }

    /// Whether what the proposal names is there.
    fn check(&self, tx: &mut Tx<'_>, account: &AccountId) -> Result<(), SimulateError> {
        let missing = |name: &str| SimulateError::NoPrincipal(name.to_owned());
        match &self.attach_to {
            AttachTo::Principal => Ok(()),
            AttachTo::InsteadOf(name) => {
                let is_custom = tx.get::<PolicyRecord>(&path::policy(account, name))?.is_some();
                let is_there = is_custom || system_policy(name).is_some();
                if is_there { Ok(()) } else { Err(SimulateError::NoPolicy(name.clone())) }
            }
            AttachTo::User(name) => {
                found(find::user(tx, account, name))?.map(drop).ok_or_else(|| missing(&format!("user {name}")))
            }
            AttachTo::Group(name) => {
                found(find::group(tx, account, name))?.map(drop).ok_or_else(|| missing(&format!("group {name}")))
            }
            AttachTo::Role(name) => {
                found(find::role(tx, account, name))?.map(drop).ok_or_else(|| missing(&format!("role {name}")))
            }
        }
    }

    /// Puts the policy where it belongs among those of a caller; whether it belongs there at all.
    fn apply(&self, tx: &mut Tx<'_>, caller: &Caller, rights: &mut Rights) -> Result<bool, Fault> {
        let concerned = match (&self.attach_to, &caller.who) {
            (_, Who::Root | Who::Federated(_)) => false,
            (AttachTo::InsteadOf(name), _) => return Ok(self.replace(name, rights)),
            (AttachTo::Principal, _) => true,
            (AttachTo::User(wanted), Who::User { name, .. }) => wanted == name,
            (AttachTo::Role(wanted), Who::Session(session)) => *wanted == session.role_name,
            (AttachTo::Group(group), Who::User { id, .. }) => is_member(tx, &caller.account, id, group)?,
            _ => false,
        };
        if concerned {
            let proposed = AttachedPolicy::Proposed("the proposed policy".to_owned(), Arc::clone(&self.compiled));
            Arc::make_mut(&mut rights.policies).push(proposed);
        }
        Ok(concerned)
    }

    fn replace(&self, name: &str, rights: &mut Rights) -> bool {
        let mut replaced = false;
        for held in Arc::make_mut(&mut rights.policies).iter_mut().filter(|held| held.name() == name) {
            *held = AttachedPolicy::Proposed(format!("{name} as proposed"), Arc::clone(&self.compiled));
            replaced = true;
        }
        replaced
    }
}

fn is_member(tx: &mut Tx<'_>, account: &AccountId, user_id: &str, group: &str) -> Result<bool, Fault> {
    let Some(group) = found(find::group(tx, account, group))? else { return Ok(false) };
    let user = tx.get::<UserRecord>(&path::user(account, user_id))?;
    Ok(user.is_some_and(|user| user.groups.iter().any(|(id, _)| *id == group.id)))
}

/// What a look-up by name has found; a refusal says that there is none.
fn found<R>(result: Result<Arc<R>, Error>) -> Result<Option<Arc<R>>, Fault> {
    match result {
        Ok(record) => Ok(Some(record)),
        Err(Error::Refused(_) | Error::Denied(..)) => Ok(None),
        Err(Error::Failed(fault)) => Err(fault),
    }
}

/// How one permission was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Decision {
    Allowed,
    Denied(String),
}

/// Decides about one permission, by the evaluator of the calls.
fn decide(
    call: &Call<'_>,
    rights: &Rights,
    (permission, resource): (&'static str, &Resource),
    context: Option<&EncryptionContext>,
    request_tags: Option<&Tags>,
) -> Result<Decision, Fault> {
    if let Some(reason) = rights.dead {
        return Ok(Decision::Denied(reason.to_owned()));
    }
    Ok(match PolicyEvaluator::new(call, rights, request_tags).ask(permission, resource, context)? {
        Ok(()) => Decision::Allowed,
        Err(NotPermitted::Denied(denial)) => Decision::Denied(denial.reason),
        Err(NotPermitted::As(refusal)) => Decision::Denied(refusal.message().into_owned()),
        Err(NotPermitted::Hidden) => Decision::Denied("to another account, the key does not exist".to_owned()),
    })
}

/// A call with what decisions look at, and nothing else.
fn call_of(
    caller: Caller,
    region: RegionId,
    now: Timestamp,
    source_ip: &str,
    external_id: Option<String>,
) -> Call<'static> {
    Call {
        request_id: Cow::default(),
        now,
        caller,
        region,
        host: Cow::default(),
        source_ip: source_ip.to_owned().into(),
        user_agent: Cow::default(),
        format: Format::Json,
        external_id: external_id.map(Cow::Owned),
        nonce_place: None,
        abandonment: Abandonment::default(),
        channel: Channel::Api,
    }
}

/// The permission as it is declared; case does not count.
fn permission(name: &str) -> Result<&'static str, SimulateError> {
    let known = jomae_api::actions::permissions().iter().copied().find(|known| known.eq_ignore_ascii_case(name));
    known.ok_or_else(|| SimulateError::NoPermission(name.to_owned()))
}
