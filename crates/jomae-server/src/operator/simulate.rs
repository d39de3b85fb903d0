//! Simulations: from words to questions, and through the files of the audit log.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::Path,
};

use jomae_api::{
    names::{AccountId, RegionId},
    time::Timestamp,
};
use jomae_core::{
    access::simulate::{
        self as core, AttachTo, PrincipalName, Proposal, Question, SimulateError,
        replay::{Replay, ReplayReport, TAKEN_AS_OF_NOW},
    },
    error::Fault,
    tx::Vault,
};
use jomae_log::{Lines, event::event_time, layout};
use serde::{Deserialize, Serialize};

/// How far back a replay goes unless it is told, in seconds.
const REPLAY_SECS_DEFAULT: i64 = 7 * 86_400;
/// How much later an event may stand in the log than one with a later time, in seconds: events are written in the order
/// in which calls end, and long calls end late.
const DISORDER_SECS_MAX: i64 = 3600;
/// How often a replay looks whether it is still wanted, in events.
const LOOK_EVERY: u64 = 4096;

/// A question, as it is asked on the socket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulateRequest {
    /// `acs:ram::<account>:user/<name>`, `…:role/<name>` or `…:root`.
    pub principal: String,
    /// The permission, as `kms:Decrypt`.
    pub action: String,
    /// The full name of what is acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The encryption context.
    pub context: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    /// `YYYY-MM-DDThh:mm:ssZ`; none: now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Tags of the key, in the place of those that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// Tags that the call would set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_tags: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The text of a policy that is not in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The policy in whose place it would stand; none: it is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
}

impl SimulateRequest {
    /// The account of the principal.
    pub(super) fn account(&self) -> Option<AccountId> {
        PrincipalName::from_wire(&self.principal).map(|principal| principal.account)
    }
}

/// What a question was answered.
#[derive(Serialize)]
pub struct Simulated {
    pub allowed: bool,
    pub permission: &'static str,
    pub resource: String,
    pub reason: String,
    pub policies: Vec<Layer>,
    pub notes: Vec<String>,
}

/// One policy, and what its statements that speak of the action say.
#[derive(Serialize)]
pub struct Layer {
    pub policy: String,
    pub statements: Vec<String>,
}

/// A replay, as it is asked for on the socket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayRequest {
    pub account: String,
    /// `YYYY-MM-DDThh:mm:ssZ`; none: seven days ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last second; none: now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    pub policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
    /// `user/<name>`, `group/<name>` or `role/<name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_to: Option<String>,
}

/// What a replay has found.
#[derive(Serialize)]
pub struct Replayed {
    pub from: Timestamp,
    pub until: Timestamp,
    pub calls: u64,
    pub decided: u64,
    pub denied_total: u64,
    pub denied: Vec<Change>,
    pub allowed_total: u64,
    pub allowed: Vec<Change>,
    pub changed_already: u64,
    pub callers_gone: u64,
    pub unknown: u64,
    pub note: &'static str,
    /// The policies that were asked, but for the proposed one. The operator may read all of them.
    #[serde(skip)]
    pub policies: BTreeSet<String>,
}

/// A call that would end otherwise.
#[derive(Serialize)]
pub struct Change {
    pub event_id: String,
    pub time: Timestamp,
    pub principal: String,
    pub action: &'static str,
    pub resource: String,
    pub reason: String,
}

/// Why there is no answer; one line.
#[derive(Debug)]
pub enum SimulationError {
    Simulate(SimulateError),
    Wrong(String),
    Fault(Fault),
}

impl fmt::Display for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simulate(error) => error.fmt(f),
            Self::Wrong(text) => f.write_str(text),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl From<SimulateError> for SimulationError {
    fn from(error: SimulateError) -> Self {
        match error {
            SimulateError::Failed(fault) => Self::Fault(fault),
            other => Self::Simulate(other),
        }
    }
}

impl From<Fault> for SimulationError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn wrong(text: &str) -> SimulationError {
    SimulationError::Wrong(text.to_owned())
}

fn time(text: Option<&str>, default: Timestamp) -> Result<Timestamp, SimulationError> {
    let Some(text) = text else { return Ok(default) };
    Timestamp::parse(text)
        .ok_or_else(|| SimulationError::Wrong(format!("{text} is no time of the form YYYY-MM-DDThh:mm:ssZ")))
}

/// Answers one question.
pub(super) fn simulate(
    vault: &Vault,
    region: &RegionId,
    request: &SimulateRequest,
    now: Timestamp,
) -> Result<Simulated, SimulationError> {
    let principal = PrincipalName::from_wire(&request.principal).ok_or_else(|| {
        wrong(
            "a principal is acs:ram::<account>:user/<name>, acs:ram::<account>:role/<name> or acs:ram::<account>:root",
        )
    })?;
    if request.source_ip.as_ref().is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_err()) {
        return Err(wrong("the source is not an IP address"));
    }
    let proposal = match (&request.policy, &request.instead_of) {
        (Some(policy), Some(name)) => Some(Proposal::new(policy, AttachTo::InsteadOf(name.clone()))?),
        (Some(policy), None) => Some(Proposal::new(policy, AttachTo::Principal)?),
        (None, Some(_)) => return Err(wrong("a policy is to be replaced, but there is no other")),
        (None, None) => None,
    };
    let question = Question {
        principal,
        permission: request.action.clone(),
        resource: request.resource.clone(),
        context: request.context.clone().into_iter().collect(),
        source_ip: request.source_ip.clone(),
        now: time(request.time.as_deref(), now)?,
        resource_tags: request.tags.clone(),
        request_tags: request.request_tags.clone(),
        external_id: request.external_id.clone(),
        region: region.clone(),
    };
    let answer = core::simulate(&mut vault.reading(), &question, proposal.as_ref())?;
    let layer = |layer: core::Layer| Layer {
        policy: layer.policy,
        statements: layer.statements.iter().map(ToString::to_string).collect(),
    };
    Ok(Simulated {
        allowed: answer.allowed,
        permission: answer.permission,
        resource: answer.resource,
        reason: answer.reason,
        policies: answer.layers.into_iter().map(layer).collect(),
        notes: answer.notes,
    })
}

/// Goes through the events of a range.
pub(crate) fn replay(
    vault: &Vault,
    log: &Path,
    request: &ReplayRequest,
    now: Timestamp,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Replayed, SimulationError> {
    let account = AccountId::new(&request.account).ok_or_else(|| wrong("an account has 16 digits"))?;
    let attach_to = match (&request.instead_of, &request.add_to) {
        (Some(name), None) => AttachTo::InsteadOf(name.clone()),
        (None, Some(principal)) => AttachTo::principal(principal)
            .ok_or_else(|| wrong("a policy is added to user/<name>, group/<name> or role/<name>"))?,
        _ => return Err(wrong("either a policy that is replaced, or somebody to whom it is added")),
    };
    let proposal = Proposal::new(&request.policy, attach_to)?;
    let from = time(request.from.as_deref(), Timestamp(now.0.saturating_sub(REPLAY_SECS_DEFAULT)))?;
    let until = time(request.until.as_deref(), now)?;
    if until < from {
        return Err(wrong("the range ends before it begins"));
    }
    let mut replay = Replay::new(vault, account, (from, until), proposal)?;
    let unreadable = |error: io::Error| SimulationError::Wrong(format!("{}: {error}", log.display()));
    let mine = memchr::memmem::Finder::new(request.account.as_bytes());
    let mut read = 0u64;
    for path in in_range(log, from, until).map_err(unreadable)? {
        let mut lines = Lines::open(&path).map_err(unreadable)?;
        while let Some(line) = lines.next_line().map_err(unreadable)? {
            read += 1;
            if read.is_multiple_of(LOOK_EVERY) && is_cancelled() {
                return Err(wrong("nobody waits for the answer"));
            }
            if mine.find(line).is_some() {
                replay.event(line)?;
            }
        }
    }
    Ok(replayed(replay.finish(), from, until))
}

/// The files that can hold events of a range.
fn in_range(log: &Path, from: Timestamp, until: Timestamp) -> io::Result<Vec<std::path::PathBuf>> {
    let segments = layout::segments(log)?;
    let mut starts = Vec::with_capacity(segments.len());
    for segment in &segments {
        starts.push(match Lines::open(&segment.path)?.next_line()? {
            Some(line) => event_time(line),
            None => None,
        });
    }
    let mut wanted = Vec::new();
    for (at, segment) in segments.into_iter().enumerate() {
        let begins = starts.get(at).copied().flatten();
        let ends = starts.get(at + 1).copied().flatten();
        let too_late = begins.is_some_and(|begins| begins.0 > until.0.saturating_add(DISORDER_SECS_MAX));
        let too_early = ends.is_some_and(|ends| ends.0 < from.0.saturating_sub(DISORDER_SECS_MAX));
        if !too_late && !too_early {
            wanted.push(segment.path);
        }
    }
    Ok(wanted)
}

fn replayed(outcome: ReplayReport, from: Timestamp, until: Timestamp) -> Replayed {
    let change = |change: core::replay::Change| Change {
        event_id: change.event_id,
        time: change.time,
        principal: change.principal,
        action: change.permission,
        resource: change.resource,
        reason: change.reason,
    };
    Replayed {
        from,
        until,
        calls: outcome.calls,
        decided: outcome.decided,
        denied_total: outcome.denied_total,
        denied: outcome.denied.into_iter().map(change).collect(),
        allowed_total: outcome.allowed_total,
        allowed: outcome.allowed.into_iter().map(change).collect(),
        changed_already: outcome.changed_already,
        callers_gone: outcome.callers_gone,
        unknown: outcome.unknown,
        note: TAKEN_AS_OF_NOW,
        policies: outcome.policies,
    }
}
