//! The audit event of a call, in ActionTrail's shape, and where it goes.

pub mod lookup;
pub mod outbox;
pub mod throttled;

use std::collections::BTreeMap;

pub use lookup::{Page, Query};

use jomae_api::{
    action::{ActionSpec, Api, Class, Effect},
    error::Refusal,
    names::{AccountId, KeyPlace, RegionId},
    param::{Kind, ParamInfo},
    time::Timestamp,
    wire::Params,
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    call::Call,
    identity::{Caller, Who},
    store::BoxFuture,
    wait::Work,
};

/// How long the answer waits for its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Until the event is on disk.
    OnDisk,
    /// Until the event is handed over; it reaches the disk within a stated bound.
    Handed,
}

/// The log cannot be written. The cause is for the operator.
#[derive(Debug, thiserror::Error)]
#[error("the audit log cannot be written: {0}")]
pub struct AuditError(pub String);

/// Where events go, in order, never lost without an error.
pub trait AuditSink: Send + Sync {
    /// Whether events can be written now. If not, nothing may be done.
    fn is_writable(&self) -> bool;

    /// Appends one event: a JSON object on one line, without the newline. Its place in the log is settled at once.
    fn append(&self, event: Vec<u8>, durability: Durability) -> Appended<'_>;

    /// Which of these event ids, at most a few hundred, the newest part of the log holds. It looks back at least as far
    /// as events of the last minutes can stand.
    fn find(&self, event_ids: &[&str]) -> Result<Vec<String>, AuditError>;

    /// A signed receipt for an event that is on disk, in a form that fits a header.
    fn receipt(&self, index: u64, event: &[u8], event_id: &str, now: Timestamp) -> Result<String, AuditError>;

    /// The events that a query asks for.
    fn lookup<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Page, AuditError>>;
}

/// An event that was handed over.
pub struct Appended<'a> {
    /// Its place in the log: how many events stand before it.
    pub index: u64,
    /// Done when the event is as durable as was asked for.
    pub done: Work<'a, Result<(), AuditError>>,
}

/// What a call touched, noted on its way.
#[derive(Default)]
pub struct CallTrace {
    pub keys: Vec<KeyPlace>,
    pub aliases: Vec<String>,
    /// What the call names in RAM: type and name.
    pub ram: Vec<(&'static str, String)>,
    /// Whose key was used, if it is another account's.
    pub owner: Option<AccountId>,
}

/// How durable the event of a call must be before its answer leaves.
pub const fn durability(spec: &ActionSpec) -> Durability {
    match spec.class {
        Class::Management => Durability::OnDisk,
        Class::CryptoSymmetric | Class::CryptoAsymmetric => Durability::Handed,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are ActionTrail's")]
struct Event<'a> {
    event_id: &'a str,
    event_version: u32,
    event_name: &'a str,
    event_source: &'a str,
    event_type: &'a str,
    event_category: &'a str,
    #[serde(rename = "eventRW")]
    event_rw: &'a str,
    event_time: Timestamp,
    service_name: &'a str,
    api_version: &'a str,
    request_id: &'a str,
    acs_region: &'a str,
    is_global: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    user_identity: Identity<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_parameters: Option<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referenced_resources: Option<Resources<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_owner_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_event_data: Option<ThrottledCalls>,
}

/// Of an event that stands for several calls.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThrottledCalls {
    throttled_calls: u64,
    /// When the first one of them came.
    since: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    r#type: &'a str,
    account_id: &'a str,
    principal_id: &'a str,
    user_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_context: Option<SessionContext>,
}

/// Of temporary credentials.
#[derive(Serialize)]
struct SessionContext {
    attributes: SessionAttributes,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionAttributes {
    creation_date: Timestamp,
    mfa_authenticated: &'static str,
}

impl SessionContext {
    fn of(caller: &Caller) -> Option<Self> {
        match &caller.who {
            Who::Session(session) => Some(Self {
                attributes: SessionAttributes { creation_date: Timestamp(session.created), mfa_authenticated: "false" },
            }),
            _ => None,
        }
    }
}

/// What was asked for.
enum Shown<'a> {
    Call(PublicParameters<'a>),
    Texts(&'a [(&'a str, &'a str)]),
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Call(parameters) => parameters.serialize(serializer),
            Self::Texts(texts) => serializer.collect_map(texts.iter().copied()),
        }
    }
}

/// The parameters that may be shown: declared public, and valid. What is not valid may be anything, a secret in the
/// wrong place too.
struct PublicParameters<'a> {
    spec: &'a ActionSpec,
    params: &'a Params<'a>,
}

impl<'a> PublicParameters<'a> {
    /// A map in its flattened form, `<name>.<member>=<value>`, if it is as valid as the same map in JSON would be.
    fn flattened(&self, param: &dyn ParamInfo) -> Vec<(&'a str, &'a str)> {
        let member = |full: &'a str| full.strip_prefix(param.name())?.strip_prefix('.');
        let pairs: Vec<_> = self.params.iter().filter(|(full, _)| member(full).is_some()).collect();
        if pairs.is_empty() {
            return pairs;
        }
        let map: BTreeMap<&str, &str> =
            pairs.iter().filter_map(|(full, value)| Some((member(full)?, *value))).collect();
        let json = serde_json::to_string(&map).unwrap_or_default();
        if param.shows(&json) { pairs } else { Vec::new() }
    }
}

impl Serialize for PublicParameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for used in self.spec.params {
            let param = used.param;
            if let Some(text) = self.params.given(param.name())
                && param.shows(text)
            {
                map.serialize_entry(param.name(), text)?;
            }
            match param.kind() {
                Kind::Map => {
                    for (name, value) in self.flattened(param) {
                        map.serialize_entry(name, value)?;
                    }
                }
                Kind::List => {
                    let items = self.params.numbered(param.name());
                    for item in items.iter().filter(|item| item.member.is_empty() && param.shows(item.value)) {
                        map.serialize_entry(&format!("{}.{}", param.name(), item.number), item.value)?;
                    }
                }
                _ => {}
            }
        }
        map.end()
    }
}

/// The things that a call is about: type → names.
struct Resources<'a>(&'a CallTrace);

impl Serialize for Resources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(trace) = self;
        let mut map = serializer.serialize_map(None)?;
        if !trace.keys.is_empty() {
            let names: Vec<&str> = trace.keys.iter().map(|key| key.id.as_str()).collect();
            map.serialize_entry("ACS::KMS::Key", &names)?;
        }
        if !trace.aliases.is_empty() {
            map.serialize_entry("ACS::KMS::Alias", &trace.aliases)?;
        }
        let mut kinds: Vec<&str> = trace.ram.iter().map(|(kind, _)| *kind).collect();
        kinds.dedup();
        for kind in kinds {
            let names: Vec<&str> =
                trace.ram.iter().filter(|(other, _)| *other == kind).map(|(_, name)| name.as_str()).collect();
            map.serialize_entry(kind, &names)?;
        }
        map.end()
    }
}

impl<'a> Resources<'a> {
    fn of(trace: &'a CallTrace) -> Option<Self> {
        (!trace.keys.is_empty() || !trace.aliases.is_empty() || !trace.ram.is_empty()).then_some(Self(trace))
    }
}

const fn read_or_write(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "Read",
        Effect::Write => "Write",
    }
}

/// How much the event of a call tells.
pub enum Telling<'a> {
    /// What was asked for, and what it was about.
    Whole { params: &'a Params<'a>, trace: &'a CallTrace },
    /// How many calls were turned away, and since when. Without parameters, so that what costs the service little does
    /// not fill its log.
    Throttled { count: u64, since: Timestamp },
}

/// The event of a call that was answered, or refused; of several that were throttled it is told by the first.
///
/// An unknown action is called `Unknown`: what stands in its place may be anything.
pub fn call_event(
    spec: Option<&ActionSpec>,
    event_id: &str,
    call: &Call,
    telling: &Telling<'_>,
    refusal: Option<Refusal>,
) -> Vec<u8> {
    let (shown, trace, throttled) = match *telling {
        Telling::Whole { params, trace } => {
            (spec.map(|spec| Shown::Call(PublicParameters { spec, params })), Some(trace), None)
        }
        Telling::Throttled { count, since } => (None, None, Some(ThrottledCalls { throttled_calls: count, since })),
    };
    let caller = &call.caller;
    let api = spec.map_or(Api::Kms, ActionSpec::api);
    let message = refusal.map(|refusal| refusal.message());
    write(&Event {
        event_id,
        event_version: 1,
        event_name: spec.map_or("Unknown", |spec| spec.name),
        event_source: &call.host,
        event_type: "ApiCall",
        event_category: "Management",
        event_rw: read_or_write(spec.map_or(Effect::Read, |spec| spec.effect)),
        event_time: call.now,
        service_name: api.name(),
        api_version: api.version(),
        request_id: &call.request_id,
        acs_region: call.region.as_str(),
        is_global: api.is_global(),
        source_ip_address: Some(&call.source_ip),
        user_agent: Some(&call.user_agent),
        user_identity: Identity {
            r#type: caller.event_type(),
            account_id: caller.account.as_str(),
            principal_id: &caller.principal_id(),
            user_name: &caller.user_name(),
            access_key_id: Some(caller.access_key_id.as_str()).filter(|id| !id.is_empty()),
            session_context: SessionContext::of(caller),
        },
        request_parameters: shown,
        referenced_resources: trace.and_then(Resources::of),
        resource_owner_id: trace.and_then(|trace| trace.owner.as_ref()).map(AccountId::as_str),
        error_code: refusal.map(|refusal| refusal.code()),
        error_message: message.as_deref(),
        additional_event_data: throttled,
    })
}

/// The event of something that the service did by itself: the destruction or rotation of a key.
pub fn service_event(name: &str, id: &str, now: Timestamp, key: &KeyPlace) -> Vec<u8> {
    let trace = CallTrace { keys: vec![key.clone()], ..CallTrace::default() };
    write(&Event {
        event_id: id,
        event_version: 1,
        event_name: name,
        event_source: "jomae",
        event_type: "AliyunServiceEvent",
        event_category: "Management",
        event_rw: "Write",
        event_time: now,
        service_name: "Kms",
        api_version: jomae_api::API_VERSION,
        request_id: id,
        acs_region: key.region.as_str(),
        is_global: false,
        source_ip_address: None,
        user_agent: None,
        user_identity: Identity {
            r#type: "system",
            account_id: key.account.as_str(),
            principal_id: "jomae",
            user_name: "jomae",
            access_key_id: None,
            session_context: None,
        },
        request_parameters: None,
        referenced_resources: Resources::of(&trace),
        resource_owner_id: None,
        error_code: None,
        error_message: None,
        additional_event_data: None,
    })
}

/// Something that the operator did beside the API.
#[derive(Clone, Copy)]
pub struct OperatorAct<'a> {
    pub name: &'a str,
    pub effect: Effect,
    pub region: &'a RegionId,
    /// The account that it was about, which finds the event in its own log.
    pub account: Option<&'a AccountId>,
    /// What was asked for. Never a secret.
    pub parameters: &'a [(&'a str, &'a str)],
    /// Types and names of what was made.
    pub resources: &'a [(&'static str, &'a str)],
}

/// The event of something that the operator did.
pub fn operator_event(act: &OperatorAct<'_>, id: &str, now: Timestamp) -> Vec<u8> {
    let ram = act.resources.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect();
    let trace = CallTrace { ram, ..CallTrace::default() };
    write(&Event {
        event_id: id,
        event_version: 1,
        event_name: act.name,
        event_source: "jomae",
        event_type: "ConsoleOperation",
        event_category: "Management",
        event_rw: read_or_write(act.effect),
        event_time: now,
        service_name: "Jomae",
        api_version: "1",
        request_id: id,
        acs_region: act.region.as_str(),
        is_global: true,
        source_ip_address: Some("Internal"),
        user_agent: None,
        user_identity: Identity {
            r#type: "system",
            account_id: act.account.map_or("", AccountId::as_str),
            principal_id: "operator",
            user_name: "operator",
            access_key_id: None,
            session_context: None,
        },
        request_parameters: Some(Shown::Texts(act.parameters)),
        referenced_resources: Resources::of(&trace),
        resource_owner_id: None,
        error_code: None,
        error_message: None,
        additional_event_data: None,
    })
}

fn write(event: &Event<'_>) -> Vec<u8> {
    let mut line = Vec::with_capacity(1024);
    // Texts and numbers under fixed names into memory: no part of this can fail.
    let _ = serde_json::to_writer(&mut line, event);
    line
}
