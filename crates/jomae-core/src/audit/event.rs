//! An event of the log as it is written: one line of JSON in ActionTrail's shape, and what it is found by.

use std::collections::BTreeMap;
use std::io::Write as _;

use jomae_api::{
    action::ActionSpec,
    actions::trail::lookup_events::Attribute,
    json,
    param::{Kind, ParamInfo},
    time::Timestamp,
    wire::Params,
};

use super::CallTrace;
use crate::identity::{Caller, Who};

/// A line of the log, without its newline, and what look-ups find it by.
pub struct Event {
    line: Vec<u8>,
    found_by: Option<FoundBy>,
}

/// All that an event is found by.
pub struct FoundBy {
    pub time: Timestamp,
    pub values: Vec<FoundValue>,
}

/// Where in the line one of the values stands that an event is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundValue {
    pub member: FoundMember,
    /// Offset of its first byte in the line.
    pub start: u32,
    /// Length, in bytes.
    pub bytes: u32,
}

/// What of an event has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundMember {
    /// An account that sees the event.
    Account,
    Attribute(Attribute),
}

impl Event {
    /// An event that was kept as its line alone: what it is found by has to be read in it.
    pub const fn of_line(line: Vec<u8>) -> Self {
        Self { line, found_by: None }
    }

    /// The same, with how long it took until every node had confirmed the change, in milliseconds. What it is found by
    /// stands before.
    #[must_use]
    pub fn with_barrier(mut self, waited_ms: u64) -> Self {
        if self.line.pop() == Some(b'}') {
            // Writing to a vector cannot fail.
            let _ = write!(self.line, ",\"additionalEventData\":{{\"barrierMilliseconds\":{waited_ms}}}}}");
        }
        self
    }

    /// One line of JSON, without the newline.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// `None` if it has to be read in the line.
    pub const fn found_by(&self) -> Option<&FoundBy> {
        self.found_by.as_ref()
    }
}

/// The members of an event.
pub(super) struct Parts<'a> {
    pub event_id: &'a str,
    pub event_name: &'a str,
    pub event_source: &'a str,
    pub event_type: &'a str,
    /// None for sign-ins, which are no calls.
    pub event_rw: Option<&'a str>,
    pub event_time: Timestamp,
    pub service_name: &'a str,
    /// None for sign-ins, which are no calls.
    pub api_version: Option<&'a str>,
    pub request_id: &'a str,
    pub acs_region: &'a str,
    pub is_global: bool,
    pub source_ip_address: Option<&'a str>,
    pub user_agent: Option<&'a str>,
    pub user_identity: Identity<'a>,
    pub request_parameters: Option<Shown<'a>>,
    /// What it is about; none if it is about nothing.
    pub referenced_resources: Option<&'a CallTrace>,
    pub resource_owner_id: Option<&'a str>,
    pub error_code: Option<&'a str>,
    pub error_message: Option<&'a str>,
    pub additional_event_data: Option<Additional<'a>>,
}

/// What is told beside.
pub(super) enum Additional<'a> {
    Throttled(ThrottledCalls),
    Texts(&'a [(&'a str, &'a str)]),
}

/// Of an event that stands for several calls.
#[derive(Clone, Copy)]
pub(super) struct ThrottledCalls {
    pub throttled_calls: u64,
    /// When the first one of them came.
    pub since: Timestamp,
}

/// Who it was.
pub(super) enum Identity<'a> {
    Caller(&'a Caller),
    /// Somebody who says to be a RAM user of this account, and none of it has that name.
    Stranger(&'a str),
    /// The service, or its operator: the account that it was about, and which of the two.
    System(&'a str, &'a str),
}

/// What was asked for.
pub(super) enum Shown<'a> {
    Call(&'a ActionSpec, &'a Params<'a>),
    Texts(&'a [(&'a str, &'a str)]),
}

impl Parts<'_> {
    /// Members and values, in the order of the log.
    pub fn write(&self) -> Event {
        let mut line = Line::default();
        line.found(b"{\"eventId\":", self.event_id, Attribute::EventId);
        line.found(b",\"eventVersion\":1,\"eventName\":", self.event_name, Attribute::EventName);
        line.text(b",\"eventSource\":", self.event_source);
        line.found(b",\"eventType\":", self.event_type, Attribute::EventType);
        if let Some(event_rw) = self.event_rw {
            line.found(b",\"eventCategory\":\"Management\",\"eventRW\":", event_rw, Attribute::EventRW);
        }
        line.time(b",\"eventTime\":", self.event_time);
        line.found(b",\"serviceName\":", self.service_name, Attribute::ServiceName);
        if let Some(version) = self.api_version {
            line.text(b",\"apiVersion\":", version);
        }
        line.text(b",\"requestId\":", self.request_id);
        line.text(b",\"acsRegion\":", self.acs_region);
        line.raw(if self.is_global { b",\"isGlobal\":true" } else { b",\"isGlobal\":false" });
        if let Some(address) = self.source_ip_address {
            line.found(b",\"sourceIpAddress\":", address, Attribute::SourceIpAddress);
        }
        if let Some(agent) = self.user_agent {
            line.text(b",\"userAgent\":", agent);
        }
        self.user_identity.write(&mut line);
        if let Some(shown) = &self.request_parameters {
            line.raw(b",\"requestParameters\":");
            shown.write(&mut line);
        }
        if let Some(trace) = self.referenced_resources {
            write_resources(trace, &mut line);
        }
        if let Some(owner) = self.resource_owner_id {
            let text = line.text(b",\"resourceOwnerId\":", owner);
            // Each account once.
            if owner != self.user_identity.account() {
                line.find(FoundMember::Account, text);
            }
        }
        if let Some(code) = self.error_code {
            line.text(b",\"errorCode\":", code);
        }
        if let Some(message) = self.error_message {
            line.text(b",\"errorMessage\":", message);
        }
        match &self.additional_event_data {
            Some(Additional::Throttled(throttled)) => {
                // Writing to a vector cannot fail.
                let _ =
                    write!(line.text, ",\"additionalEventData\":{{\"throttledCalls\":{}", throttled.throttled_calls);
                line.time(b",\"since\":", throttled.since);
                line.raw(b"}");
            }
            Some(Additional::Texts(texts)) => {
                line.raw(b",\"additionalEventData\":");
                Shown::Texts(texts).write(&mut line);
            }
            None => {}
        }
        line.raw(b"}");
        let found_by = (!line.has_escapes).then_some(FoundBy { time: self.event_time, values: line.values });
        Event { line: line.text, found_by }
    }
}

impl Identity<'_> {
    fn account(&self) -> &str {
        match self {
            Self::Caller(caller) => caller.account.as_str(),
            Self::System(account, _) | Self::Stranger(account) => account,
        }
    }

    fn write(&self, line: &mut Line) {
        let r#type = match self {
            Self::Caller(caller) => caller.event_type(),
            Self::Stranger(_) => "ram-user",
            Self::System(..) => "system",
        };
        line.text(b",\"userIdentity\":{\"type\":", r#type);
        let account = line.text(b",\"accountId\":", self.account());
        line.find(FoundMember::Account, account);
        let caller = match self {
            Self::System(_, name) => {
                line.text(b",\"principalId\":", name);
                line.found(b",\"userName\":", name, Attribute::User);
                return line.raw(b"}");
            }
            Self::Stranger(_) => {
                // What was typed as a name may be anything, a password too.
                return line.raw(b",\"principalId\":\"\",\"userName\":\"\"}");
            }
            Self::Caller(caller) => caller,
        };
        line.text(b",\"principalId\":", &caller.principal_id());
        let user = line.found(b",\"userName\":", &caller.user_name(), Attribute::User);
        if let Who::Session(session) = &caller.who {
            let role = user.map(|user| Span { bytes: session.role_name.len(), ..user });
            line.find(FoundMember::Attribute(Attribute::RoleName), role);
        }
        if !caller.access_key_id.is_empty() {
            line.found(b",\"accessKeyId\":", &caller.access_key_id, Attribute::EventAccessKeyId);
        }
        let session = match (&caller.signed_in, &caller.who) {
            (Some(signed_in), _) => Some((signed_in.at, signed_in.mfa)),
            (None, Who::Session(session)) => Some((session.created, false)),
            (None, _) => None,
        };
        if let Some((since, mfa)) = session {
            line.time(b",\"sessionContext\":{\"attributes\":{\"creationDate\":", Timestamp(since));
            line.raw(b",\"mfaAuthenticated\":");
            line.raw(if mfa { b"\"true\"}}" } else { b"\"false\"}}" });
        }
        line.raw(b"}");
    }
}

impl Shown<'_> {
    fn write(&self, line: &mut Line) {
        let mut members = Members::new(line);
        match self {
            Self::Call(spec, params) => write_public(spec, params, &mut members),
            Self::Texts(texts) => texts.iter().for_each(|(name, value)| members.text(name, value)),
        }
        members.end();
    }
}

/// The parameters that may be shown: declared public, and valid. What is not valid may be anything, a secret in the
/// wrong place too.
fn write_public(spec: &ActionSpec, params: &Params<'_>, members: &mut Members<'_>) {
    for used in spec.params {
        let param = used.param;
        if let Some(text) = params.given(param.name())
            && param.shows(text)
        {
            members.text(param.name(), text);
        }
        match param.kind() {
            Kind::Map => {
                for (name, value) in flattened(params, param) {
                    members.text(name, value);
                }
            }
            Kind::List => {
                let items = params.numbered(param.name());
                for item in items.iter().filter(|item| item.member.is_empty() && param.shows(item.value)) {
                    members.text(&format!("{}.{}", param.name(), item.number), item.value);
                }
            }
            _ => {}
        }
    }
}

/// A map in its flattened form, `<name>.<member>=<value>`, if it is as valid as the same map in JSON would be.
fn flattened<'a>(params: &'a Params<'_>, param: &dyn ParamInfo) -> Vec<(&'a str, &'a str)> {
    let member = |full: &'a str| full.strip_prefix(param.name())?.strip_prefix('.');
    let pairs: Vec<_> = params.iter().filter(|(full, _)| member(full).is_some()).collect();
    if pairs.is_empty() {
        return pairs;
    }
    let map: BTreeMap<&str, &str> = pairs.iter().filter_map(|(full, value)| Some((member(full)?, *value))).collect();
    let json = serde_json::to_string(&map).unwrap_or_default();
    if param.shows(&json) { pairs } else { Vec::new() }
}

/// The things that a call is about: type → names.
fn write_resources(trace: &CallTrace, line: &mut Line) {
    line.raw(b",\"referencedResources\":{");
    let mut is_first = true;
    let mut names_of = |kind: &str, names: &mut dyn Iterator<Item = &str>| {
        line.found(if std::mem::take(&mut is_first) { b"" } else { b"," }, kind, Attribute::ResourceType);
        line.raw(b":[");
        for (nth, name) in names.enumerate() {
            line.found(if nth == 0 { b"" } else { b"," }, name, Attribute::ResourceName);
        }
        line.raw(b"]");
    };
    if !trace.keys.is_empty() {
        names_of("ACS::KMS::Key", &mut trace.keys.iter().map(|key| key.id.as_str()));
    }
    if !trace.aliases.is_empty() {
        names_of("ACS::KMS::Alias", &mut trace.aliases.iter().map(String::as_str));
    }
    let mut kinds: Vec<&str> = trace.ram.iter().map(|(kind, _)| *kind).collect();
    kinds.dedup();
    for kind in kinds {
        let of_kind = trace.ram.iter().filter(|(other, _)| *other == kind);
        names_of(kind, &mut of_kind.map(|(_, name)| name.as_str()));
    }
    line.raw(b"}");
}

/// A text that was written, without its quotes.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    bytes: usize,
}

struct Line {
    text: Vec<u8>,
    values: Vec<FoundValue>,
    /// Whether a value that it is found by does not stand in it as it is.
    has_escapes: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self { text: Vec::with_capacity(1024), values: Vec::with_capacity(16), has_escapes: false }
    }
}

impl Line {
    fn raw(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    /// Writes a text after what stands before it: comma, name and colon.
    fn text(&mut self, before: &[u8], text: &str) -> Option<Span> {
        self.raw(before);
        let start = self.text.len() + 1;
        json::text(&mut self.text, text).then_some(Span { start, bytes: text.len() })
    }

    /// Writes a text that the event is found by.
    fn found(&mut self, before: &[u8], text: &str, attribute: Attribute) -> Option<Span> {
        let span = self.text(before, text);
        self.find(FoundMember::Attribute(attribute), span);
        span
    }

    /// Notes a text that the event is found by. Nothing is found by the empty text.
    fn find(&mut self, member: FoundMember, text: Option<Span>) {
        let place =
            text.and_then(|Span { start, bytes }| Some((u32::try_from(start).ok()?, u32::try_from(bytes).ok()?)));
        match place {
            Some((_, 0)) => {}
            Some((start, bytes)) => self.values.push(FoundValue { member, start, bytes }),
            None => self.has_escapes = true,
        }
    }

    fn time(&mut self, before: &[u8], time: Timestamp) {
        self.raw(before);
        // A text into memory: it cannot fail.
        let _ = serde_json::to_writer(&mut self.text, &time);
    }
}

/// An object whose names are not known beforehand.
struct Members<'l> {
    line: &'l mut Line,
    is_first: bool,
}

impl<'l> Members<'l> {
    fn new(line: &'l mut Line) -> Self {
        line.raw(b"{");
        Self { line, is_first: true }
    }

    fn text(&mut self, name: &str, value: &str) {
        self.line.text(if std::mem::take(&mut self.is_first) { b"" } else { b"," }, name);
        self.line.text(b":", value);
    }

    fn end(self) {
        self.line.raw(b"}");
    }
}
