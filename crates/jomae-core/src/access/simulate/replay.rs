//! The calls of the past, decided again with a proposed policy in force.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jomae_api::{
    action::ActionSpec,
    actions,
    names::{AccountId, RegionId},
    time::Timestamp,
};
use serde::Deserialize;

use super::{
    Decision, Proposal, SimulateError,
    asked::{Needs, Recorded, needs_of, was_denied},
    call_of, decide,
    question::session,
};
use crate::{
    access::{Rights, authorize::PolicyEvaluator, rights::rights_of},
    call::Call,
    error::Fault,
    identity::{Caller, Who},
    ram::{
        epoch::AttachedPolicy,
        record::{RoleRecord, UserRecord, path},
    },
    record::{AccountRecord, path as record_path},
    tx::{Tx, Vault},
};

/// Changes that are told one by one; more are counted only.
pub const CHANGES_MAX: usize = 1000;

/// A call that would end otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub event_id: String,
    pub time: Timestamp,
    /// The full name of the caller, as the event has it.
    pub principal: String,
    pub permission: &'static str,
    pub resource: String,
    /// Why it would be denied; or why it was.
    pub reason: String,
}

/// What a replay has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Calls of the account's principals in the range.
    pub calls: u64,
    /// Those that were decided again: the proposal concerns their callers, and they had come to a decision then.
    pub decided: u64,
    /// Calls that were allowed and would be denied, oldest first.
    pub denied: Vec<Change>,
    pub denied_total: u64,
    /// Calls that were denied and would be allowed, oldest first.
    pub allowed: Vec<Change>,
    pub allowed_total: u64,
    /// Calls that today's policies decide otherwise than those of then, with the proposal or without.
    pub changed_already: u64,
    /// Calls of users and roles that are gone.
    pub callers_gone: u64,
    /// Calls of which the log does not hold what they acted on.
    pub unknown: u64,
    /// The policies that were asked, but for the proposed one: reasons and counts tell what they say.
    pub policies: BTreeSet<String>,
}

/// What is taken as of today, because events do not hold it.
pub const TAKEN_AS_OF_NOW: &str = "Taken as of now, since events do not hold them: tags and policies of keys, trust \
    policies, memberships and all other policies. Session policies are left out, and so are tags in requests of \
    TagResources.";

/// Goes through events, in the order of the log.
pub struct Replay<'v> {
    vault: &'v Vault,
    account: AccountId,
    range: (Timestamp, Timestamp),
    proposal: Proposal,
    outcome: ReplayReport,
}

/// The parts of an event that decisions look at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are ActionTrail's")]
struct Event<'e> {
    #[serde(borrow, default)]
    event_id: Cow<'e, str>,
    #[serde(borrow, default)]
    event_name: Cow<'e, str>,
    #[serde(borrow, default)]
    event_time: Cow<'e, str>,
    #[serde(borrow, default)]
    event_type: Cow<'e, str>,
    #[serde(borrow, default)]
    api_version: Cow<'e, str>,
    #[serde(borrow, default)]
    acs_region: Cow<'e, str>,
    #[serde(borrow, default)]
    source_ip_address: Cow<'e, str>,
    #[serde(borrow)]
    user_identity: Identity<'e>,
    #[serde(default)]
    request_parameters: BTreeMap<String, String>,
    #[serde(default)]
    referenced_resources: BTreeMap<String, Vec<String>>,
    #[serde(borrow, default)]
    resource_owner_id: Cow<'e, str>,
    #[serde(borrow, default)]
    error_code: Option<Cow<'e, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'e> {
    #[serde(borrow, default)]
    r#type: Cow<'e, str>,
    #[serde(borrow, default)]
    account_id: Cow<'e, str>,
    #[serde(borrow, default)]
    principal_id: Cow<'e, str>,
    #[serde(borrow, default)]
    user_name: Cow<'e, str>,
}

impl<'v> Replay<'v> {
    /// Events from the first second of the range to its last count.
    pub fn new(
        vault: &'v Vault,
        account: AccountId,
        range: (Timestamp, Timestamp),
        proposal: Proposal,
    ) -> Result<Self, SimulateError> {
        let mut tx = vault.reading();
        if tx.get::<AccountRecord>(&record_path::account(&account))?.is_none() {
            return Err(SimulateError::NoAccount(account));
        }
        proposal.check(&mut tx, &account)?;
        Ok(Self { vault, account, range, proposal, outcome: ReplayReport::default() })
    }

    /// Takes the next event: a line of the log, without its newline. What is no event of a call is passed over.
    pub fn event(&mut self, line: &[u8]) -> Result<(), Fault> {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(line) else { return Ok(()) };
        let Some(time) = Timestamp::parse(&event.event_time) else { return Ok(()) };
        let (from, to) = self.range;
        // What the operator does is told as done in the console too, and is no call.
        let is_call = matches!(&*event.event_type, "ApiCall" | "ConsoleOperation")
            && event.user_identity.r#type != "system"
            && event.user_identity.account_id == self.account.as_str();
        if !is_call || time < from || to < time {
            return Ok(());
        }
        self.outcome.calls += 1;
        let Some(spec) = spec_of(&event) else { return Ok(()) };
        let denied_then = match &event.error_code {
            None => false,
            Some(code) => match was_denied(spec, code) {
                Some(denied) => denied,
                None => return Ok(()),
            },
        };
        let mut tx = self.vault.reading();
        let caller = match caller_of(&mut tx, &self.account, &event, time)? {
            Named::Caller(caller) => caller,
            Named::Gone => {
                self.outcome.callers_gone += 1;
                return Ok(());
            }
            Named::Unconcerned => return Ok(()),
        };
        let Some(region) = RegionId::new(&event.acs_region) else { return Ok(()) };
        let external_id = event.request_parameters.get("ExternalId").cloned();
        let call = call_of(caller, region, time, &event.source_ip_address, external_id);
        let mut proposed = rights_of(&mut tx, &call)?;
        if !self.proposal.apply(&mut tx, &call.caller, &mut proposed)? {
            return Ok(());
        }
        let today = rights_of(&mut tx, &call)?;
        let owner = AccountId::new(&event.resource_owner_id);
        let recorded = Recorded {
            params: &event.request_parameters,
            resources: &event.referenced_resources,
            owner: owner.as_ref(),
            was_denied: denied_then,
        };
        let Some(needs) = needs_of(&mut tx, &call, spec, &recorded)? else {
            self.outcome.unknown += 1;
            return Ok(());
        };
        self.outcome.decided += 1;
        for held in today.policies.iter().chain(&*proposed.policies) {
            let is_known = matches!(held, AttachedPolicy::Proposed(..)) || self.outcome.policies.contains(held.name());
            if !is_known {
                self.outcome.policies.insert(held.name().to_owned());
            }
        }
        let (today, proposed) = (decide_all(&call, &today, &needs)?, decide_all(&call, &proposed, &needs)?);
        let change = |(at, reason): (usize, String)| {
            let need = needs.all.get(at);
            let rights = Rights { policies: Arc::default(), own: 0, session: None, dead: None };
            let arn = |need: &super::asked::Need| {
                PolicyEvaluator::new(&call, &rights, None).arn_of(need.permission, &need.resource)
            };
            Change {
                event_id: event.event_id.clone().into_owned(),
                time,
                principal: call.caller.arn(),
                permission: need.map_or("", |need| need.permission),
                resource: need.map(arn).unwrap_or_default(),
                reason,
            }
        };
        match (denied_then, today, proposed) {
            (false, None, Some(denial)) => {
                self.outcome.denied_total += 1;
                keep(&mut self.outcome.denied, || change(denial));
            }
            (true, Some(denial), None) => {
                self.outcome.allowed_total += 1;
                keep(&mut self.outcome.allowed, || change(denial));
            }
            (then, today, _) if then != today.is_some() => self.outcome.changed_already += 1,
            _ => {}
        }
        Ok(())
    }

    /// What was found.
    pub fn finish(self) -> ReplayReport {
        self.outcome
    }
}

fn keep(changes: &mut Vec<Change>, change: impl FnOnce() -> Change) {
    if changes.len() < CHANGES_MAX {
        changes.push(change());
    }
}

fn spec_of(event: &Event<'_>) -> Option<&'static ActionSpec> {
    let api = actions::api_of_version(&event.api_version)?;
    actions::ACTIONS.iter().copied().find(|spec| spec.name == event.event_name && spec.api() == api)
}

/// The first permission that is missing, and why.
fn decide_all(call: &Call<'_>, rights: &Rights, needs: &Needs) -> Result<Option<(usize, String)>, Fault> {
    for (at, need) in needs.all.iter().enumerate() {
        let asked = (need.permission, &need.resource);
        if let Decision::Denied(reason) =
            decide(call, rights, asked, need.context.as_ref(), needs.request_tags.as_ref())?
        {
            return Ok(Some((at, reason)));
        }
    }
    Ok(None)
}

/// Who an event says has called.
enum Named {
    Caller(Caller),
    Gone,
    /// The account itself, or a system: no policy of the account is asked.
    Unconcerned,
}

fn caller_of(tx: &mut Tx<'_>, account: &AccountId, event: &Event<'_>, time: Timestamp) -> Result<Named, Fault> {
    let identity = &event.user_identity;
    let who = match &*identity.r#type {
        "ram-user" => {
            let user = tx.get::<UserRecord>(&path::user(account, &identity.principal_id))?;
            user.map(|user| Who::User { id: user.id.clone(), name: user.name.clone() })
        }
        "assumed-role" => {
            let id = identity.principal_id.split(':').next().unwrap_or_default();
            let name = identity.user_name.split_once(':').map_or("", |(_, session)| session);
            let role = tx.get::<RoleRecord>(&path::role(account, id))?;
            role.map(|role| Who::Session(Arc::new(session(account, &role, name, time))))
        }
        _ => return Ok(Named::Unconcerned),
    };
    Ok(match who {
        Some(who) => {
            Named::Caller(Caller { account: account.clone(), access_key_id: String::new(), who, signed_in: None })
        }
        None => Named::Gone,
    })
}
