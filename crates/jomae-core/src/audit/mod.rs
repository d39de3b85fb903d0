//! The audit event of a call, in ActionTrail's shape, and where it goes.

mod event;
pub mod lookup;
pub mod outbox;
pub mod throttled;

pub use event::{Event, FoundBy, FoundMember, FoundValue};
pub use lookup::{Found, Page, Query};

use self::event::{Additional, Identity, Parts, Shown, ThrottledCalls};
use crate::{call::Call, identity::Caller, store::BoxFuture, wait::Work};
use jomae_api::{
    action::{ActionSpec, Api, Class, Effect},
    error::Refusal,
    names::{AccountId, KeyPlace, RegionId},
    time::Timestamp,
    wire::Params,
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

    /// Appends one event. Its place in the log is settled at once.
    fn append(&self, event: &Event, durability: Durability) -> Appended<'_>;

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

impl CallTrace {
    fn has_resources(&self) -> bool {
        !self.keys.is_empty() || !self.aliases.is_empty() || !self.ram.is_empty()
    }
}

/// How durable the event of a call must be before its answer leaves.
pub const fn durability(spec: &ActionSpec) -> Durability {
    match spec.class {
        Class::Management => Durability::OnDisk,
        Class::CryptoSymmetric | Class::CryptoAsymmetric => Durability::Handed,
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
    call: &Call<'_>,
    telling: &Telling<'_>,
    refusal: Option<Refusal>,
) -> Event {
    let (shown, trace, throttled) = match *telling {
        Telling::Whole { params, trace } => (spec.map(|spec| Shown::Call(spec, params)), Some(trace), None),
        Telling::Throttled { count, since } => (None, None, Some(ThrottledCalls { throttled_calls: count, since })),
    };
    let api = spec.map_or(Api::Kms, ActionSpec::api);
    let message = refusal.map(|refusal| refusal.message());
    Parts {
        event_id,
        event_name: spec.map_or("Unknown", |spec| spec.name),
        event_source: &call.host,
        event_type: call.channel.event_type(),
        event_rw: Some(read_or_write(spec.map_or(Effect::Read, |spec| spec.effect))),
        event_time: call.now,
        service_name: api.name(),
        api_version: Some(api.version()),
        request_id: &call.request_id,
        acs_region: call.region.as_str(),
        is_global: api.is_global(),
        source_ip_address: Some(&call.source_ip),
        user_agent: Some(&call.user_agent),
        user_identity: Identity::Caller(&call.caller),
        request_parameters: shown,
        referenced_resources: trace.filter(|trace| trace.has_resources()),
        resource_owner_id: trace.and_then(|trace| trace.owner.as_ref()).map(AccountId::as_str),
        error_code: refusal.map(|refusal| refusal.code()),
        error_message: message.as_deref(),
        additional_event_data: throttled.map(Additional::Throttled),
    }
    .write()
}

/// The event of something that the service did by itself: the destruction or rotation of a key.
pub fn service_event(name: &str, id: &str, now: Timestamp, key: &KeyPlace) -> Event {
    let trace = CallTrace { keys: vec![key.clone()], ..CallTrace::default() };
    Parts {
        event_id: id,
        event_name: name,
        event_source: "jomae",
        event_type: "AliyunServiceEvent",
        event_rw: Some("Write"),
        event_time: now,
        service_name: "Kms",
        api_version: Some(jomae_api::API_VERSION),
        request_id: id,
        acs_region: key.region.as_str(),
        is_global: false,
        source_ip_address: None,
        user_agent: None,
        user_identity: Identity::System(key.account.as_str(), "jomae"),
        request_parameters: None,
        referenced_resources: Some(&trace).filter(|trace| trace.has_resources()),
        resource_owner_id: None,
        error_code: None,
        error_message: None,
        additional_event_data: None,
    }
    .write()
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
pub fn operator_event(act: &OperatorAct<'_>, id: &str, now: Timestamp) -> Event {
    let ram = act.resources.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect();
    let trace = CallTrace { ram, ..CallTrace::default() };
    Parts {
        event_id: id,
        event_name: act.name,
        event_source: "jomae",
        event_type: "ConsoleOperation",
        event_rw: Some(read_or_write(act.effect)),
        event_time: now,
        service_name: "Jomae",
        api_version: Some("1"),
        request_id: id,
        acs_region: act.region.as_str(),
        is_global: true,
        source_ip_address: Some("Internal"),
        user_agent: None,
        user_identity: Identity::System(act.account.map_or("", AccountId::as_str), "operator"),
        request_parameters: Some(Shown::Texts(act.parameters)),
        referenced_resources: Some(&trace).filter(|trace| trace.has_resources()),
        resource_owner_id: None,
        error_code: None,
        error_message: None,
        additional_event_data: None,
    }
    .write()
}

/// Somebody who signs in to the console, or out of it.
pub struct SignInEvent<'a> {
    pub now: Timestamp,
    pub region: &'a RegionId,
    /// The Host that the browser named.
    pub host: &'a str,
    pub source_ip: &'a str,
    pub user_agent: &'a str,
    /// Who has signed in or out, or has tried to sign in.
    pub who: SignInIdentity<'a>,
    pub passage: Passage<'a>,
}

/// Which way somebody goes.
#[derive(Clone, Copy)]
pub enum Passage<'a> {
    In {
        /// The page to which the sign-in leads.
        callback_url: &'a str,
        /// Whether a second factor was right.
        mfa: bool,
        /// By what, where it is not as in the cloud.
        way: Option<&'a str>,
        /// Why it failed: code and message.
        failure: Option<(&'a str, &'a str)>,
    },
    Out,
}

/// Who signs in.
#[derive(Clone, Copy)]
pub enum SignInIdentity<'a> {
    Known(&'a Caller),
    /// Nobody whom the account has.
    Stranger(&'a AccountId),
}

/// The event of a sign-in to the console or of a sign-out, in the form in which ActionTrail has sign-ins.
pub fn sign_in_event(sign_in: &SignInEvent<'_>, id: &str) -> Event {
    let is_root = matches!(sign_in.who, SignInIdentity::Known(caller) if caller.is_root());
    let (name, texts, failure) = match sign_in.passage {
        Passage::Out => ("ConsoleSignout", None, None),
        Passage::In { callback_url, mfa, way, failure } => {
            let checked = if mfa { "true" } else { "false" };
            let mut texts = if is_root {
                vec![("loginAccount", "root"), ("isMFAChecked", checked)]
            } else {
                vec![("callbackUrl", callback_url), ("mfaChecked", checked)]
            };
            texts.extend(way.map(|way| ("signInWay", way)));
            // The account's has code and message only when it failed.
            ("ConsoleSignin", Some(texts), failure.or((!is_root).then_some(("", ""))))
        }
    };
    Parts {
        event_id: id,
        event_name: name,
        event_source: sign_in.host,
        event_type: name,
        event_rw: None,
        event_time: sign_in.now,
        service_name: if is_root { "AasCustomer" } else { "AasSub" },
        api_version: None,
        request_id: id,
        acs_region: sign_in.region.as_str(),
        is_global: true,
        source_ip_address: Some(sign_in.source_ip),
        user_agent: Some(sign_in.user_agent),
        user_identity: match sign_in.who {
            SignInIdentity::Known(caller) => Identity::Caller(caller),
            SignInIdentity::Stranger(account) => Identity::Stranger(account.as_str()),
        },
        request_parameters: None,
        referenced_resources: None,
        resource_owner_id: None,
        error_code: failure.map(|(code, _)| code),
        error_message: failure.map(|(_, message)| message),
        additional_event_data: texts.as_ref().map(|texts| Additional::Texts(texts)),
    }
    .write()
}
