//! From a request to its answer: who calls, what they call, how it went, and the record of it.

use std::sync::Arc;

use jomae_api::{
    action::{ActionSpec, Class},
    error::{Origin, Refusal},
    names::RegionId,
    sign::Presented,
    time::Timestamp,
    wire::{Format, Params, Request, render},
};
use jomae_crypto::rng;

use crate::{
    audit::{self, AuditSink, Durability, Trace, outbox::Outbox},
    error::{Error, Fault},
    identity::{self, Caller, DummySecret},
    nonce::NonceMemory,
    rate::{RateLimits, RateMeter},
    run::{Call, Kms, ROUTES, Route},
};

/// Longest user agent that is recorded, in bytes.
const USER_AGENT_BYTES_MAX: usize = 512;
/// Longest host that is recorded, in bytes.
const HOST_BYTES_MAX: usize = 255;
/// A string to sign longer than this is not echoed: it repeats the caller's parameters.
const ECHO_BYTES_MAX: usize = 16 * 1024;

/// The whole service behind a socket.
pub struct Service {
    pub kms: Kms,
    pub audit: Arc<dyn AuditSink>,
    pub outbox: Outbox,
    pub nonces: NonceMemory,
    pub meter: RateMeter,
    /// Where a key is made when the host names no region of ours.
    pub default_region: RegionId,
    dummy: DummySecret,
}

/// Where a request came from, and when.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    pub source_ip: &'a str,
    pub now: Timestamp,
    /// A steady clock in nanoseconds, for rates.
    pub steady_ns: u64,
}

/// An answer, ready for the wire.
pub struct Reply {
    pub status: u16,
    pub format: Format,
    pub request_id: String,
    /// Milliseconds after which a throttled caller may try again.
    pub retry_after_ms: Option<u32>,
    pub body: Vec<u8>,
    /// For metrics and the operator's log.
    pub outcome: Outcome,
}

/// How a call ended, in our own words only.
pub struct Outcome {
    /// The action, if it is one of ours.
    pub action: Option<&'static str>,
    pub refusal: Option<Refusal>,
    /// What went wrong on our side.
    pub fault: Option<Fault>,
}

/// A refusal on its way out.
struct Refused {
    error: Error,
    echo: Option<String>,
    retry_after_ms: Option<u32>,
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self { error: error.into(), echo: None, retry_after_ms: None }
    }
}

impl Service {
    pub fn new(
        kms: Kms,
        audit: Arc<dyn AuditSink>,
        default_region: RegionId,
        limits: RateLimits,
        nonces_max: usize,
    ) -> Self {
        Self {
            kms,
            audit,
            outbox: Outbox::default(),
            nonces: NonceMemory::new(nonces_max),
            meter: RateMeter::new(limits),
            default_region,
            dummy: DummySecret::default(),
        }
    }

    /// Answers one request. Never fails: whatever happens becomes an answer.
    pub async fn answer(&self, request: &Request<'_>, arrival: Arrival<'_>) -> Reply {
        let request_id = new_request_id();
        let params = match Params::parse(request.query, request.form()) {
            Ok(params) => params,
            Err(error) => {
                return refused_reply(Format::Json, request, request_id, None, Refusal::from(error).into());
            }
        };
        let format = Format::requested(&params);
        let mut spec = None;
        match self.call(request, &params, &request_id, arrival, &mut spec).await {
            Ok(body) => Reply {
                status: 200,
                format,
                request_id,
                retry_after_ms: None,
                body,
                outcome: Outcome { action: spec.map(|spec| spec.name), refusal: None, fault: None },
            },
            Err(refused) => refused_reply(format, request, request_id, spec, refused),
        }
    }

    /// The answer to bytes that never became a request, or to a request whose handling broke.
    pub fn refuse(&self, refusal: Refusal) -> Reply {
        let request = Request { method: "", path: "", query: "", headers: &[], body: &[] };
        refused_reply(Format::Json, &request, new_request_id(), None, refusal.into())
    }

    async fn call(
        &self,
        request: &Request<'_>,
        params: &Params<'_>,
        request_id: &str,
        arrival: Arrival<'_>,
        spec: &mut Option<&'static ActionSpec>,
    ) -> Result<Vec<u8>, Refused> {
        if !matches!(request.method, "GET" | "POST") {
            return Err(Refusal::HttpMethodUnsupported.into());
        }
        if request.path != "/" {
            return Err(Refusal::ActionNotFound.into());
        }
        if !self.audit.is_writable() {
            return Err(Fault::unavailable("the audit log cannot be written").into());
        }
        let presented = Presented::read(request, params).map_err(Refusal::from)?;
        let caller = identity::authenticate(&self.kms.vault, &self.nonces, &self.dummy, &presented, arrival.now)
            .map_err(|error| with_echo(error, &presented))?;
        let host = text_header(request, "host", HOST_BYTES_MAX);
        let call = Call {
            request_id: request_id.to_owned(),
            now: arrival.now,
            caller,
            region: self.region_of(&host),
            host,
            source_ip: arrival.source_ip.to_owned(),
            user_agent: text_header(request, "user-agent", USER_AGENT_BYTES_MAX),
            format: presented.format,
        };
        let mut trace = Trace::default();
        let result = self.dispatch(&presented, &call, params, &mut trace, arrival.steady_ns, spec).await;
        self.record(*spec, &call, params, trace, &result).await?;
        result
    }

    /// Finds the action of an authenticated call, and runs it.
    async fn dispatch(
        &self,
        presented: &Presented<'_>,
        call: &Call,
        params: &Params<'_>,
        trace: &mut Trace,
        steady_ns: u64,
        spec: &mut Option<&'static ActionSpec>,
    ) -> Result<Vec<u8>, Refused> {
        if presented.api_version != jomae_api::API_VERSION {
            return Err(Refusal::VersionInvalid.into());
        }
        let (index, found, route) = find_route(presented.action).ok_or(Refusal::ActionNotFound)?;
        *spec = Some(found);
        trace.action = index;
        self.throttle(&call.caller, found.class, steady_ns)?;
        Ok(route(&self.kms, call, params, trace).await?)
    }

    /// Puts the event of an authenticated call on the log before its answer leaves.
    async fn record(
        &self,
        spec: Option<&'static ActionSpec>,
        call: &Call,
        params: &Params<'_>,
        mut trace: Trace,
        result: &Result<Vec<u8>, Refused>,
    ) -> Result<(), Refused> {
        let refusal = result.as_ref().err().map(|refused| refused.error.refusal());
        let event_id = match (trace.pending.take(), refusal) {
            (Some(pending), None) => return Ok(self.outbox.append(&*self.audit, pending).await?),
            // The change may have happened all the same, and then its own event will be found in the outbox: it must
            // not be taken for this one.
            (Some(_), Some(_)) => new_request_id(),
            (None, _) => call.request_id.clone(),
        };
        if spec.is_some_and(|spec| !audit::is_recorded(spec)) {
            return Ok(());
        }
        let event = audit::call_event(spec, &event_id, call, params, &trace, refusal);
        let durability = spec.map_or(Durability::Handed, audit::durability);
        Ok(self.audit.append(event, durability).wait().await.map_err(Fault::unavailable)?)
    }

    fn throttle(&self, caller: &Caller, class: Class, now_ns: u64) -> Result<(), Refused> {
        self.meter.admit(caller.account(), class, now_ns).map_err(|retry_after_ms| Refused {
            error: Refusal::UserThrottled.into(),
            echo: None,
            retry_after_ms: Some(retry_after_ms),
        })
    }

    /// The region in a host of the form `kms.<region>.…` or `kms-vpc.<region>.…`, if we serve it; else the default.
    fn region_of(&self, host: &str) -> RegionId {
        let host = host.split_once("://").map_or(host, |(_, rest)| rest);
        let named = host
            .strip_prefix("kms.")
            .or_else(|| host.strip_prefix("kms-vpc."))
            .and_then(|rest| rest.split(['.', ':']).next());
        self.kms.regions.iter().find(|region| Some(region.as_str()) == named).unwrap_or(&self.default_region).clone()
    }
}

fn find_route(action: &str) -> Option<(usize, &'static ActionSpec, Route)> {
    let index = ROUTES.iter().position(|(spec, _)| spec.name == action)?;
    ROUTES.get(index).map(|(spec, route)| (index, *spec, *route))
}

/// The string to sign goes back to a caller whose signature does not match: SDKs compare it with their own.
fn with_echo(error: Error, presented: &Presented<'_>) -> Refused {
    let echo = matches!(error, Error::Refused(Refusal::SignatureDoesNotMatch)).then(|| presented.string_to_sign());
    Refused { error, echo: echo.filter(|echo| echo.len() <= ECHO_BYTES_MAX), retry_after_ms: None }
}

fn refused_reply(
    format: Format,
    request: &Request<'_>,
    request_id: String,
    spec: Option<&'static ActionSpec>,
    refused: Refused,
) -> Reply {
    let refusal = refused.error.refusal();
    let row = refusal.row();
    let mut message = refusal.message().into_owned();
    if let Some(echo) = &refused.echo {
        message.push_str(echo);
    }
    let host = if row.origin == Origin::Gateway { text_header(request, "host", HOST_BYTES_MAX) } else { String::new() };
    let body = render::error(format, row.origin, row.status, row.code, &message, &request_id, &host);
    let fault = match refused.error {
        Error::Failed(fault) => Some(fault),
        Error::Refused(_) => None,
    };
    Reply {
        status: row.status,
        format,
        request_id,
        retry_after_ms: refused.retry_after_ms,
        body,
        outcome: Outcome { action: spec.map(|spec| spec.name), refusal: Some(refusal), fault },
    }
}

fn text_header(request: &Request<'_>, name: &str, bytes_max: usize) -> String {
    let value = request.header(name).unwrap_or_default();
    String::from_utf8_lossy(value.get(..bytes_max).unwrap_or(value)).into_owned()
}

/// A random lower-case UUID.
pub fn new_request_id() -> String {
    uuid::Builder::from_random_bytes(rng::public_array()).into_uuid().to_string()
}
