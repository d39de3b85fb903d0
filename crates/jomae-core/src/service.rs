//! From a request to its answer: who calls, what they call, how it went, and the record of it.

use std::sync::Arc;

use jomae_api::{
    action::{ActionSpec, Api, Class},
    actions,
    error::{Origin, Refusal},
    names::RegionId,
    sign::Presented,
    time::Timestamp,
    wire::{Format, Params, Request, one_reading, render},
};

use crate::{
    access::Denial,
    audit::{self, AuditSink, CallTrace, Durability, outbox::Outbox, throttled::Throttled},
    call::{Call, new_request_id},
    error::{Error, Fault},
    identity::{Authenticated, Authenticator, Caller, NotAuthenticated, Signed},
    network::NetworkMeter,
    oidc::TokenVerifier,
    ram::last_used::LastUsed,
    rate::{RateLimits, RateMeter},
    record::AccessKeyRecord,
    run::{Kms, ROUTES, Route},
    shares::{Share, Shares, UnderWay},
    sts,
    wait::Abandonment,
};

/// A request with this header, `true`, is answered with a receipt of the audit log.
const RECEIPT_HEADER: &str = "x-jomae-receipt";

/// Longest user agent that is recorded, in bytes.
const USER_AGENT_BYTES_MAX: usize = 512;
/// Longest host that is recorded, in bytes.
const HOST_BYTES_MAX: usize = 255;
/// A string to sign longer than this is not echoed: it repeats the caller's parameters.
const ECHO_BYTES_MAX: usize = 16 * 1024;

/// The wait that a throttled caller is told where nothing better is known, in milliseconds.
const RETRY_AFTER_MS: u32 = 1000;

/// The whole service behind a socket.
pub struct Service {
    pub kms: Kms,
    pub audit: Arc<dyn AuditSink>,
    pub outbox: Outbox,
    pub authenticator: Authenticator,
    pub last_used: LastUsed,
    pub meter: RateMeter,
    pub shares: Shares,
    pub throttled: Throttled,
    /// How often strangers of a network may have a token of an identity provider checked.
    pub token_checks: NetworkMeter,
    /// Where a key is made when the host names no region of ours.
    pub default_region: RegionId,
    /// Who vouches for callers without a signature.
    pub oidc: Arc<dyn TokenVerifier>,
}

/// The totals that accounts and networks share, and rates.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub rates: RateLimits,
    /// Nonces remembered against replay.
    pub nonces_max: usize,
    /// Calls under way at a time.
    pub calls_in_flight_max: usize,
    /// Costly calls ([`crate::shares::COSTLY_NS`]) at a time: fewer than there are request threads, if there are several.
    pub costly_calls_max: usize,
    /// Tokens of identity providers that are checked for one source network, each second; 0: no limit.
    pub token_checks_per_sec: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rates: RateLimits::default(),
            nonces_max: 64_000_000,
            calls_in_flight_max: 4096,
            costly_calls_max: 1,
            token_checks_per_sec: 20,
        }
    }
}

/// Where a request came from, and when.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    pub source_ip: &'a str,
    pub now: Timestamp,
    /// A steady clock in nanoseconds, for rates.
    pub steady_ns: u64,
    /// Whether the call can be given up when its caller has gone.
    pub abandonment: &'a Abandonment,
}

/// An answer, ready for the wire.
pub struct Reply {
    pub status: u16,
    pub format: Format,
    pub request_id: String,
    /// Milliseconds after which a throttled caller may try again.
    pub retry_after_ms: Option<u32>,
    /// Where the call stands in the audit log, and the receipt for it.
    pub logged: Logged,
    pub body: Vec<u8>,
    /// For metrics and the operator's log.
    pub outcome: CallOutcome,
}

/// How a call ended, in our own words only.
pub struct CallOutcome {
    /// The action, if it is one of ours.
    pub action: Option<&'static str>,
    pub refusal: Option<Refusal>,
    /// What went wrong on our side.
    pub fault: Option<Fault>,
    /// Why permission was denied.
    pub denial: Option<Denial>,
    /// Whether the caller has proved who it is: what a stranger may hold of the service is less.
    pub known: bool,
    /// On whose bill the call goes.
    pub bill: Option<Bill>,
}

/// The bill of a call: whoever measures it says what it cost.
pub struct Bill {
    share: Arc<Share>,
    action: usize,
}

impl Bill {
    /// Puts the time that the call kept a request's thread, in nanoseconds, on the account's bill.
    pub fn charge(&self, took_ns: u64) {
        self.share.charge(self.action, took_ns);
    }
}

/// Where a call stands in the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logged {
    /// How many events stand before its own. None for a call that is not recorded.
    pub index: Option<u64>,
    /// The signed receipt, if the caller has asked for one.
    pub receipt: Option<String>,
}

/// What a call leaves beside its answer.
#[derive(Default)]
struct CallReport {
    spec: Option<&'static ActionSpec>,
    logged: Logged,
    denial: Option<Denial>,
    known: bool,
    bill: Option<Bill>,
}

/// A refusal on its way out.
struct Refused {
    error: Error,
    echo: Option<String>,
    retry_after_ms: Option<u32>,
    /// In whose words the caller is told.
    api: Api,
}

impl Refused {
    /// What the caller is told, in the words of the API that was called.
    const fn refusal(&self) -> Refusal {
        self.error.refusal().in_api(self.api)
    }
}

/// A caller, and what it calls.
struct Named<'r> {
    caller: Caller,
    api_version: &'r str,
    action: &'r str,
    format: Format,
    signature: Option<Signature<'r>>,
}

/// A signature that was right. Whether the request is accepted depends on its nonce.
struct Signature<'r> {
    presented: Presented<'r>,
    signed: Signed,
    access_key: Option<Arc<AccessKeyRecord>>,
}

/// An action, its number and its way.
type RouteEntry = (usize, &'static ActionSpec, Route);

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self { error: error.into(), echo: None, retry_after_ms: None, api: Api::Kms }
    }
}

impl From<NotAuthenticated> for Refused {
    fn from(NotAuthenticated { error, retry_after_ms }: NotAuthenticated) -> Self {
        Self { error, echo: None, retry_after_ms, api: Api::Kms }
    }
}

impl Service {
    pub fn new(kms: Kms, oidc: Arc<dyn TokenVerifier>, default_region: RegionId, limits: Limits) -> Self {
        Self {
            audit: Arc::clone(&kms.audit),
            kms,
            outbox: Outbox::default(),
            authenticator: Authenticator::new(limits.nonces_max),
            last_used: LastUsed::default(),
            meter: RateMeter::new(limits.rates),
            shares: Shares::new(limits.calls_in_flight_max, limits.costly_calls_max),
            throttled: Throttled::default(),
            token_checks: NetworkMeter::new(limits.token_checks_per_sec),
            default_region,
            oidc,
        }
    }

    /// Answers one request. Never fails: whatever happens becomes an answer.
    pub async fn answer(&self, request: &Request<'_>, arrival: Arrival<'_>) -> Reply {
        let request_id = new_request_id();
        let params = match Params::parse(request.query, request.form()) {
            Ok(params) => params,
            Err(error) => {
                let refused = Refusal::from(error).into();
                return refused_reply(Format::Json, request, request_id, CallReport::default(), refused);
            }
        };
        let format = Format::requested(&params);
        let mut report = CallReport::default();
        match self.call(request, &params, &request_id, arrival, &mut report).await {
            Ok(body) => Reply {
                status: 200,
                format,
                request_id,
                retry_after_ms: None,
                logged: report.logged,
                body,
                outcome: CallOutcome {
                    action: report.spec.map(|spec| spec.name),
                    refusal: None,
                    fault: None,
                    denial: None,
                    known: report.known,
                    bill: report.bill,
                },
            },
            Err(refused) => {
                let refused = Refused { api: asked_api(request, &params), ..refused };
                refused_reply(format, request, request_id, report, refused)
            }
        }
    }

    /// Whether the head of a request whose body is still to come was signed by a known caller. Changes nothing; the
    /// request has to pass [`Service::answer`] all the same.
    pub fn vouches(&self, head: &Request<'_>, arrival: Arrival<'_>) -> bool {
        let Ok(params) = Params::parse(head.query, None) else { return false };
        Presented::read(head, &params).is_ok_and(|presented| {
            self.authenticator.vouches(&self.kms.vault, &presented, arrival.source_ip, arrival.now)
        })
    }

    /// The answer to bytes that never became a request, or to a request whose handling broke.
    pub fn refuse(&self, refusal: Refusal) -> Reply {
        let request = Request { method: "", path: "", query: "", headers: &[], body: &[] };
        refused_reply(Format::Json, &request, new_request_id(), CallReport::default(), refusal.into())
    }

    async fn call(
        &self,
        request: &Request<'_>,
        params: &Params<'_>,
        request_id: &str,
        arrival: Arrival<'_>,
        report: &mut CallReport,
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
        one_reading::check(request, params)?;
        let named = self.identify(request, params, arrival).await?;
        report.known = true;
        let found = actions::api_of_version(named.api_version).map(|api| find_route(api, named.action));
        report.spec = found.flatten().map(|(_, spec, _)| spec);
        let host = text_header(request, "host", HOST_BYTES_MAX);
        let call = Call {
            request_id: request_id.to_owned(),
            now: arrival.now,
            caller: named.caller,
            region: self.region_of(&host),
            host,
            source_ip: arrival.source_ip.to_owned(),
            user_agent: text_header(request, "user-agent", USER_AGENT_BYTES_MAX),
            format: named.format,
            external_id: params.given("ExternalId").map(str::to_owned),
            abandonment: arrival.abandonment.clone(),
        };
        let api = report.spec.map_or_else(|| asked_api(request, params), ActionSpec::api);
        let share = self.shares.of(call.caller.account());
        let admitted = self.admit(&share, &call, report.spec, named.signature.as_ref(), arrival.steady_ns);
        let _under_way = match admitted {
            Ok(under_way) => under_way,
            Err(refused) => {
                let refused = Refused { api, ..refused };
                self.note_throttled(report, call, &refused).await?;
                return Err(refused);
            }
        };
        let mut trace = CallTrace::default();
        let result = match found {
            None => Err(Refusal::VersionInvalid.into()),
            Some(None) => Err(Refusal::ActionNotFound.into()),
            Some(Some(found)) => {
                report.bill = Some(Bill { share: Arc::clone(&share), action: found.0 });
                self.dispatch(found, &share, &call, params, &mut trace).await
            }
        };
        report.denial = trace.denial.take();
        let result = result.map_err(|refused| Refused { api, ..refused });
        let wants_receipt = request.header(RECEIPT_HEADER).is_some_and(|value| value.eq_ignore_ascii_case(b"true"));
        report.logged = self.record(report.spec, &call, params, trace, &result, wants_receipt).await?;
        result
    }

    /// Who calls what: by a signature, or by the token of an OIDC provider for the one action that takes it.
    async fn identify<'r>(
        &self,
        request: &Request<'r>,
        params: &'r Params<'r>,
        arrival: Arrival<'_>,
    ) -> Result<Named<'r>, Refused> {
        if let Some((api_version, action)) = sts::unsigned_action(request, params) {
            // Before the work: whoever asks has shown nothing yet.
            self.token_checks
                .admit(arrival.source_ip, arrival.steady_ns)
                .map_err(|retry_after_ms| throttled(Refusal::Throttled.in_api(Api::Sts), retry_after_ms))?;
            let caller = sts::authenticate_by_token(&*self.oidc, params, arrival.now).await?;
            return Ok(Named { caller, api_version, action, format: Format::requested(params), signature: None });
        }
        let presented = Presented::read(request, params).map_err(Refusal::from)?;
        let Authenticated { caller, access_key, signed } = self
            .authenticator
            .authenticate(&self.kms.vault, &presented, arrival.source_ip, arrival.now)
            .map_err(|refused| with_echo(refused, &presented))?;
        let (api_version, action, format) = (presented.api_version, presented.action, presented.format);
        let signature = Some(Signature { presented, signed, access_key });
        Ok(Named { caller, api_version, action, format, signature })
    }

    /// Lets a call of a known caller in: within its account's rate and shares, and once. The rate comes first, so that a
    /// throttled account cannot fill the memory of nonces.
    fn admit(
        &self,
        share: &Arc<Share>,
        call: &Call,
        spec: Option<&ActionSpec>,
        signature: Option<&Signature<'_>>,
        steady_ns: u64,
    ) -> Result<UnderWay, Refused> {
        let class = spec.map_or(Class::Management, |spec| spec.class);
        self.meter
            .admit(call.caller.account(), class, steady_ns)
            .map_err(|retry_after_ms| throttled(Refusal::UserThrottled, retry_after_ms))?;
        let under_way = self.shares.enter(share).ok_or_else(|| throttled(Refusal::UserThrottled, RETRY_AFTER_MS))?;
        if let Some(Signature { presented, signed, access_key }) = signature {
            self.authenticator.accept(presented, signed, share, call.now)?;
            if let Some(access_key) = access_key {
                let service = actions::api_of_version(presented.api_version).unwrap_or(Api::Kms).name();
                self.last_used.note(access_key, presented.access_key_id, service, call.now);
            }
        }
        Ok(under_way)
    }

    /// Counts a call that was not let in, and has the first one recorded. A nonce used before names nobody: whoever
    /// repeats a request shows no secret.
    async fn note_throttled(&self, report: &mut CallReport, call: Call, refused: &Refused) -> Result<(), Refused> {
        let refusal = refused.refusal();
        if refusal == Refusal::NonceUsed || report.spec.is_some_and(|spec| !spec.recorded) {
            return Ok(());
        }
        if let Some(event) = self.throttled.note(report.spec, call, refusal) {
            let appended = self.audit.append(event, Durability::Handed);
            appended.done.wait().await.map_err(Fault::unavailable)?;
            report.logged.index = Some(appended.index);
        }
        Ok(())
    }

    /// Runs an action: at once, or when it is the account's turn, if its calls have been costly.
    async fn dispatch(
        &self,
        (index, _, route): RouteEntry,
        share: &Share,
        call: &Call,
        params: &Params<'_>,
        trace: &mut CallTrace,
    ) -> Result<Vec<u8>, Refused> {
        trace.action = index;
        let turn = self.shares.turn(share, index).await;
        let _turn = turn.ok_or_else(|| throttled(Refusal::UserThrottled, RETRY_AFTER_MS))?;
        Ok(route(&self.kms, call, params, trace).await?)
    }

    /// Puts the event of an authenticated call on the log before its answer leaves.
    async fn record(
        &self,
        spec: Option<&'static ActionSpec>,
        call: &Call,
        params: &Params<'_>,
        mut trace: CallTrace,
        result: &Result<Vec<u8>, Refused>,
        wants_receipt: bool,
    ) -> Result<Logged, Refused> {
        let refusal = result.as_ref().err().map(Refused::refusal);
        let event_id = match (trace.pending.take(), refusal) {
            (Some(pending), None) => {
                let event = wants_receipt.then(|| pending.event.clone());
                let index = self.outbox.append(&*self.audit, pending).await?;
                return self.logged(index, event, &call.request_id, call.now);
            }
            // The change may have happened all the same, and then its own event will be found in the outbox: it must
            // not be taken for this one.
            (Some(_), Some(_)) => new_request_id(),
            (None, _) => call.request_id.clone(),
        };
        if spec.is_some_and(|spec| !spec.recorded) {
            return Ok(Logged::default());
        }
        let event = audit::call_event(spec, &event_id, call, params, &trace, refusal);
        let kept = wants_receipt.then(|| event.clone());
        // A receipt promises that the event is there.
        let durability = match kept {
            Some(_) => Durability::OnDisk,
            None => spec.map_or(Durability::Handed, audit::durability),
        };
        let appended = self.audit.append(event, durability);
        appended.done.wait().await.map_err(Fault::unavailable)?;
        self.logged(appended.index, kept, &event_id, call.now)
    }

    fn logged(&self, index: u64, event: Option<Vec<u8>>, id: &str, now: Timestamp) -> Result<Logged, Refused> {
        let receipt = event.map(|event| self.audit.receipt(index, &event, id, now)).transpose();
        Ok(Logged { index: Some(index), receipt: receipt.map_err(Fault::unavailable)? })
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

fn throttled(refusal: Refusal, retry_after_ms: u32) -> Refused {
    Refused { retry_after_ms: Some(retry_after_ms), ..refusal.into() }
}

fn find_route(api: Api, action: &str) -> Option<RouteEntry> {
    let index = ROUTES.iter().position(|(spec, _)| spec.name == action && spec.api() == api)?;
    ROUTES.get(index).map(|(spec, route)| (index, *spec, *route))
}

/// The string to sign goes back to a caller whose signature does not match: SDKs compare it with their own.
fn with_echo(refused: NotAuthenticated, presented: &Presented<'_>) -> Refused {
    let mismatch = matches!(refused.error, Error::Refused(Refusal::SignatureDoesNotMatch));
    let echo = mismatch.then(|| presented.string_to_sign()).filter(|echo| echo.len() <= ECHO_BYTES_MAX);
    Refused { echo, ..refused.into() }
}

/// Which API a request means, by its version: known before the action is, and before the caller. KMS if it names none
/// of ours.
fn asked_api(request: &Request<'_>, params: &Params<'_>) -> Api {
    let header = || std::str::from_utf8(request.header("x-acs-version")?.trim_ascii()).ok();
    let version = params.given("Version").or_else(header);
    version.and_then(actions::api_of_version).unwrap_or(Api::Kms)
}

fn refused_reply(
    format: Format,
    request: &Request<'_>,
    request_id: String,
    report: CallReport,
    refused: Refused,
) -> Reply {
    let refusal = refused.refusal();
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
        retry_after_ms: refused.retry_after_ms.or(refusal.is_throttling().then_some(RETRY_AFTER_MS)),
        logged: report.logged,
        body,
        outcome: CallOutcome {
            action: report.spec.map(|spec| spec.name),
            refusal: Some(refusal),
            fault,
            denial: report.denial,
            known: report.known,
            bill: report.bill,
        },
    }
}

fn text_header(request: &Request<'_>, name: &str, bytes_max: usize) -> String {
    let value = request.header(name).unwrap_or_default();
    String::from_utf8_lossy(value.get(..bytes_max).unwrap_or(value)).into_owned()
}
