//! From a request to its answer: who calls, what they call, how it went, and the record of it.

use std::{borrow::Cow, sync::Arc};

use jomae_api::{
    action::{ActionSpec, Api, Class, Effect},
    actions,
    denied::AccessDeniedDetail,
    error::{Origin, Refusal},
    names::RegionId,
    sign::Presented,
    time::Timestamp,
    wire::{Format, Params, Request, one_reading, render},
};

use crate::{
    access::diagnosis,
    audit::{
        self, AuditSink, Durability, Telling,
        outbox::{Outbox, Pending},
        throttled::Throttled,
    },
    call::{Call, Channel, new_request_id},
    cluster,
    error::{Denial, Error, Fault},
    identity::{Authenticated, Authenticator, Caller, NotAuthenticated, Signed},
    lane::Lane,
    network::NetworkMeter,
    oidc::TokenVerifier,
    ram::last_used::LastUsed,
    rate::{RateLimits, RateMeter},
    record::AccessKeyRecord,
    run::{ActionReport, Kms, ROUTES, Route},
    shares::{Meter, Share, Shares, UnderWay},
    store::Path,
    sts,
    wait::{Abandonment, let_go_when_waiting},
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
    /// Where a key is made when neither the host nor the call names a region of ours.
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
    /// Which threads carry the call.
    pub lane: &'a Lane,
    /// What the call costs.
    pub meter: &'a Meter,
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
}

/// Where a call stands in the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logged {
    /// How many events stand before its own. None for a call that is not recorded.
    pub index: Option<u64>,
    /// The signed receipt, if the caller has asked for one.
    pub receipt: Option<String>,
}

/// How a call went, and what is known of it.
struct CallReport {
    spec: Option<&'static ActionSpec>,
    known: bool,
    logged: Logged,
    result: Result<Vec<u8>, Refused>,
}

/// A refusal on its way out.
struct Refused {
    error: Error,
    echo: Option<String>,
    retry_after_ms: Option<u32>,
    /// What the caller's account may know of a permission that is missing.
    detail: Option<Box<AccessDeniedDetail>>,
}

/// A caller, and what it calls.
struct Named<'r> {
    caller: Caller,
    api_version: &'r str,
    action: &'r str,
    format: Format,
    signature: Option<Signature<'r>>,
    channel: Channel,
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
        Self { error: error.into(), echo: None, retry_after_ms: None, detail: None }
    }
}

impl From<NotAuthenticated> for Refused {
    fn from(NotAuthenticated { error, retry_after_ms }: NotAuthenticated) -> Self {
        Self { error, echo: None, retry_after_ms, detail: None }
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
                let report = CallReport::of_stranger(Refusal::from(error).into());
                return report.reply(Format::Json, Api::Kms, request, request_id);
            }
        };
        let api = asked_api(request, &params);
        let report = self.call(request, &params, api, &request_id, arrival).await;
        report.reply(Format::requested(&params), api, request, request_id)
    }

    /// Answers a call of somebody who has signed in to the console, in the same way as one that is signed: rate and share
    /// of the account, permission, state, audit event. `request` gives host and user agent; what it carries beside them
    /// is not looked at. The answer is JSON.
    pub async fn answer_signed_in(
        &self,
        caller: &Caller,
        (api, action): (Api, &str),
        params: &Params<'_>,
        request: &Request<'_>,
        arrival: Arrival<'_>,
    ) -> Reply {
        let (request_id, format) = (new_request_id(), Format::Json);
        let (caller, api_version) = (caller.clone(), api.version());
        let named = Named { caller, api_version, action, format, signature: None, channel: Channel::Console };
        let report = match self.check_ready() {
            Ok(()) => self.perform(named, request, params, api, &request_id, arrival).await,
            Err(refused) => CallReport::of_known(None, Ok(Logged::default()), Err(refused)),
        };
        report.reply(format, api, request, request_id)
    }

    /// Lets somebody for whom a provider of identities vouches assume a role (AssumeRoleWithOIDC), for a session of the
    /// console: in the same way as a request that carries the token.
    pub async fn answer_with_token(&self, params: &Params<'_>, request: &Request<'_>, arrival: Arrival<'_>) -> Reply {
        let (request_id, format, api) = (new_request_id(), Format::Json, Api::Sts);
        let named = async {
            self.check_ready()?;
            self.token_checks
                .admit(arrival.source_ip, arrival.steady_ns)
                .map_err(|retry_after_ms| throttled(Refusal::Throttled.in_api(api), retry_after_ms))?;
            let caller = sts::authenticate_by_token(&*self.oidc, params, arrival.now).await?;
            let action = "AssumeRoleWithOIDC";
            let channel = Channel::Console;
            Ok(Named { caller, api_version: api.version(), action, format, signature: None, channel })
        };
        let report = match named.await {
            Ok(named) => self.perform(named, request, params, api, &request_id, arrival).await,
            Err(refused) => CallReport::of_stranger(refused),
        };
        report.reply(format, api, request, request_id)
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
        CallReport::of_stranger(refusal.into()).reply(Format::Json, Api::Kms, &request, new_request_id())
    }

    async fn call(
        &self,
        request: &Request<'_>,
        params: &Params<'_>,
        api: Api,
        request_id: &str,
        arrival: Arrival<'_>,
    ) -> CallReport {
        match self.identify(request, params, arrival).await {
            Ok(named) => self.perform(named, request, params, api, request_id, arrival).await,
            Err(refused) => CallReport::of_stranger(refused),
        }
    }

    /// Lets a named caller's call in, runs it and records it.
    async fn perform(
        &self,
        named: Named<'_>,
        request: &Request<'_>,
        params: &Params<'_>,
        api: Api,
        request_id: &str,
        arrival: Arrival<'_>,
    ) -> CallReport {
        let found = actions::api_of_version(named.api_version).map(|api| find_route(api, named.action));
        let spec = found.flatten().map(|(_, spec, _)| spec);
        let host = text_header(request, "host", HOST_BYTES_MAX);
        let region = self.region_of(&host, params.given("RegionId"));
        let call = Call {
            request_id: request_id.into(),
            now: arrival.now,
            caller: named.caller,
            region: region.as_ref().unwrap_or(&self.default_region).clone(),
            host,
            source_ip: arrival.source_ip.into(),
            user_agent: text_header(request, "user-agent", USER_AGENT_BYTES_MAX),
            format: named.format,
            external_id: params.given("ExternalId").map(Cow::Borrowed),
            nonce_place: self.nonce_place(spec, named.signature.as_ref()),
            abandonment: arrival.abandonment.clone(),
            channel: named.channel,
        };
        let share = self.shares.of(call.caller.account());
        let admitted = self.admit(&share, &call, spec, named.signature.as_ref(), arrival.steady_ns);
        let _under_way = match admitted {
            Ok(under_way) => under_way,
            Err(refused) => {
                let logged = self.note_throttled(spec, call, refused.error.refusal().in_api(api), &share).await;
                return CallReport::of_known(spec, logged, Err(refused));
            }
        };
        let report = match found {
            None => ActionReport::refused(Refusal::VersionInvalid),
            Some(None) => ActionReport::refused(Refusal::ActionNotFound),
            Some(Some(found)) if region.is_err() && is_regional(found.1) => {
                ActionReport::refused(Refusal::ParameterInvalid("RegionId"))
            }
            Some(Some(found)) => {
                arrival.meter.goes_to(&share, found.0);
                self.dispatch(found, &share, &call, params, arrival.lane).await
            }
        };
        let ActionReport { result, trace, pending, is_made } = report;
        let refusal = result.as_ref().err().map(|error| error.refusal().in_api(api));
        share.note_call(call.now, refusal.is_some());
        let wants_receipt = request.header(RECEIPT_HEADER).is_some_and(|value| value.eq_ignore_ascii_case(b"true"));
        let logged = match (pending, refusal) {
            (Some(pending), None) => self.record_change(*pending, &call, wants_receipt).await,
            // It is answered with a fault, but it happened.
            (Some(pending), _) if is_made => self.record_change(*pending, &call, wants_receipt).await,
            (pending, refusal) => {
                // The change may have happened all the same, and then its own event will be found in the outbox: it
                // must not be taken for this one.
                let id = if pending.is_some() { Cow::Owned(new_request_id()) } else { Cow::Borrowed(request_id) };
                let telling = Telling::Whole { params, trace: &trace };
                self.record(spec, &id, &call, &telling, refusal, wants_receipt).await
            }
        };
        // A node that was held up for so long that its lease is over does not know whether the answer is still right.
        let result = match self.check_lease() {
            Err(refused) if result.is_ok() => return CallReport::of_known(spec, logged, Err(refused)),
            _ => result,
        };
        let result = result.map_err(|error| {
            let detail = match &error {
                Error::Denied(_, why) => diagnosis::detail(self.kms.vault.keyring(), &call, why).map(Box::new),
                _ => None,
            };
            Refused { detail, ..error.into() }
        });
        CallReport::of_known(spec, logged, result)
    }

    /// Who calls what: by a signature, or by the token of an OIDC provider for the one action that takes it.
    async fn identify<'r>(
        &self,
        request: &Request<'r>,
        params: &'r Params<'r>,
        arrival: Arrival<'_>,
    ) -> Result<Named<'r>, Refused> {
        if !matches!(request.method, "GET" | "POST") {
            return Err(Refusal::HttpMethodUnsupported.into());
        }
        if request.path != "/" {
            return Err(Refusal::ActionNotFound.into());
        }
        self.check_ready()?;
        one_reading::check(request, params)?;
        if let Some((api_version, action)) = sts::unsigned_action(request, params) {
            // Before the work: whoever asks has shown nothing yet.
            self.token_checks
                .admit(arrival.source_ip, arrival.steady_ns)
                .map_err(|retry_after_ms| throttled(Refusal::Throttled.in_api(Api::Sts), retry_after_ms))?;
            let caller = sts::authenticate_by_token(&*self.oidc, params, arrival.now).await?;
            let (format, channel) = (Format::requested(params), Channel::Api);
            return Ok(Named { caller, api_version, action, format, signature: None, channel });
        }
        let presented = Presented::read(request, params).map_err(Refusal::from)?;
        let vault = &self.kms.vault;
        let authenticate = || self.authenticator.authenticate(vault, &presented, arrival.source_ip, arrival.now);
        let authenticated = match authenticate() {
            // It may have been made a moment ago, on another node.
            Err(NotAuthenticated { error: Error::Refused(refusal), .. })
                if vault.cluster().is_some() && is_of_credentials(refusal) =>
            {
                vault.catch_up().await?;
                authenticate()
            }
            other => other,
        };
        let Authenticated { caller, access_key, signed } =
            authenticated.map_err(|refused| with_echo(refused, &presented))?;
        let (api_version, action, format) = (presented.api_version, presented.action, presented.format);
        let signature = Some(Signature { presented, signed, access_key });
        Ok(Named { caller, api_version, action, format, signature, channel: Channel::Api })
    }

    /// Whether anything may be done: it has to be recorded, and this node has to be allowed to serve.
    fn check_ready(&self) -> Result<(), Refused> {
        if !self.audit.is_writable() {
            return Err(Fault::unavailable("the audit log cannot be written").into());
        }
        self.kms.vault.store().health().map_err(Fault::from)?;
        self.check_lease()
    }

    /// Whether this node may answer. One of several may only while it has a lease.
    fn check_lease(&self) -> Result<(), Refused> {
        let Some(cluster) = self.kms.vault.cluster() else { return Ok(()) };
        cluster
            .serving()
            .map_err(|why| Refused { retry_after_ms: Some(RETRY_AFTER_MS), ..Fault::unavailable(why).into() })
    }

    /// Where the nonce of a change stands, if several nodes could each be given the same request.
    fn nonce_place(&self, spec: Option<&ActionSpec>, signature: Option<&Signature<'_>>) -> Option<Path> {
        let Signature { presented, signed, .. } = signature?;
        (self.kms.vault.cluster().is_some() && spec.is_some_and(|spec| spec.effect == Effect::Write))
            .then(|| cluster::nonces::path(presented.access_key_id, presented.nonce, signed.until_secs()))
    }

    /// Lets a call of a known caller in: within its account's rate and shares, and once. The rate comes first, so that a
    /// throttled account cannot fill the memory of nonces.
    fn admit(
        &self,
        share: &Arc<Share>,
        call: &Call<'_>,
        spec: Option<&ActionSpec>,
        signature: Option<&Signature<'_>>,
        steady_ns: u64,
    ) -> Result<UnderWay, Refused> {
        let class = spec.map_or(Class::Management, |spec| spec.class);
        self.meter
            .admit(call.caller.account(), class, steady_ns)
            .map_err(|retry_after_ms| throttled(Refusal::UserThrottled, retry_after_ms))?;
        let under_way = self.shares.enter(share).ok_or(Refusal::UserThrottled)?;
        if let Some(Signature { presented, signed, access_key }) = signature {
            self.authenticator.accept(presented, signed, share, call.now)?;
            if let Some(access_key) = access_key {
                let service = actions::api_of_version(presented.api_version).unwrap_or(Api::Kms).name();
                self.last_used.note(access_key, presented.access_key_id, service, call.now);
            }
        }
        Ok(under_way)
    }

    /// Counts a call that was not let in, and has the first one recorded. A nonce that was used before, or may have been,
    /// names nobody: whoever repeats a request shows no secret.
    async fn note_throttled(
        &self,
        spec: Option<&'static ActionSpec>,
        call: Call<'_>,
        refusal: Refusal,
        share: &Share,
    ) -> Result<Logged, Fault> {
        let unproven = matches!(refusal, Refusal::NonceUsed | Refusal::Unavailable | Refusal::GatewayUnavailable);
        if unproven || spec.is_some_and(|spec| !spec.recorded) {
            return Ok(Logged::default());
        }
        share.note_call(call.now, true);
        let Some(event) = self.throttled.note(spec, call, refusal) else { return Ok(Logged::default()) };
        let appended = self.audit.append(&event, Durability::Handed);
        appended.done.wait().await.map_err(Fault::unavailable)?;
        Ok(Logged { index: Some(appended.index), receipt: None })
    }

    /// Runs an action on what is up to date. Where several nodes serve, what this one reads may be a moment old. That does
    /// not matter for the use of a key: what takes a right away is answered only when it holds here. What reads or changes
    /// how things are waits until it sees all that was answered elsewhere, and no use is refused because something is not
    /// here yet.
    ///
    /// It runs at once, or when it is the account's turn, on threads of its own, if its calls have been costly. The turn is for
    /// work: it passes on as soon as the call waits, for a token, a pool or the store.
    async fn dispatch(
        &self,
        (index, spec, route): RouteEntry,
        share: &Share,
        call: &Call<'_>,
        params: &Params<'_>,
        lane: &Lane,
    ) -> ActionReport {
        let vault = &self.kms.vault;
        let mut is_current = vault.cluster().is_none();
        loop {
            if !is_current && spec.class == Class::Management {
                // Boxed, as most calls need none of it.
                if let Err(fault) = Box::pin(vault.catch_up()).await {
                    return ActionReport { result: Err(fault.into()), ..ActionReport::refused(Refusal::Unavailable) };
                }
                is_current = true;
            }
            if share.is_costly(index) {
                // Before the turn, which others wait for meanwhile.
                lane.become_costly().await;
            }
            let Some(turn) = self.shares.turn(share, index).await else {
                return ActionReport::refused(Refusal::UserThrottled);
            };
            let mut running = route(&self.kms, call, params, index);
            let report = match turn {
                None => running.await,
                Some(turn) => let_go_when_waiting(running.as_mut(), || drop(turn)).await,
            };
            if is_current || !matches!(report.result, Err(Error::Refused(_) | Error::Denied(..))) {
                return report;
            }
            if let Err(fault) = Box::pin(vault.catch_up()).await {
                return ActionReport { result: Err(fault.into()), ..report };
            }
            is_current = true;
        }
    }

    /// Puts the event of a change, which was committed with it, on the log before the answer leaves.
    async fn record_change(&self, pending: Pending, call: &Call<'_>, wants_receipt: bool) -> Result<Logged, Fault> {
        let event = wants_receipt.then(|| pending.event.line().to_vec());
        let index = self.outbox.append(&*self.audit, pending).await?;
        self.logged(index, event.as_deref(), &call.request_id, call.now)
    }

    /// Puts the event of any other authenticated call on the log before its answer leaves.
    async fn record(
        &self,
        spec: Option<&'static ActionSpec>,
        event_id: &str,
        call: &Call<'_>,
        telling: &Telling<'_>,
        refusal: Option<Refusal>,
        wants_receipt: bool,
    ) -> Result<Logged, Fault> {
        if spec.is_some_and(|spec| !spec.recorded) {
            return Ok(Logged::default());
        }
        let event = audit::call_event(spec, event_id, call, telling, refusal);
        // A receipt promises that the event is there.
        let durability =
            if wants_receipt { Durability::OnDisk } else { spec.map_or(Durability::Handed, audit::durability) };
        let appended = self.audit.append(&event, durability);
        appended.done.wait().await.map_err(Fault::unavailable)?;
        self.logged(appended.index, wants_receipt.then(|| event.line()), event_id, call.now)
    }

    fn logged(&self, index: u64, event: Option<&[u8]>, id: &str, now: Timestamp) -> Result<Logged, Fault> {
        let receipt = event.map(|event| self.audit.receipt(index, event, id, now)).transpose();
        Ok(Logged { index: Some(index), receipt: receipt.map_err(Fault::unavailable)? })
    }

    /// The region in a host of the form `kms.<region>.…` or `kms-vpc.<region>.…`, if we serve it; else the one that the
    /// parameter names; else the default. An error if the parameter names one that we do not serve, or another than the
    /// host: what it asks for would be done elsewhere.
    fn region_of(&self, host: &str, named: Option<&str>) -> Result<RegionId, OtherRegion> {
        let served = |name: &str| self.kms.regions.iter().find(|region| region.as_str() == name);
        let host = host.split_once("://").map_or(host, |(_, rest)| rest);
        let of_host = host.strip_prefix("kms.").or_else(|| host.strip_prefix("kms-vpc."));
        let of_host = of_host.and_then(|rest| rest.split(['.', ':']).next()).and_then(served);
        let region = match named {
            None => of_host.unwrap_or(&self.default_region),
            Some(named) => {
                served(named).filter(|&named| of_host.is_none_or(|host| host == named)).ok_or(OtherRegion)?
            }
        };
        Ok(region.clone())
    }
}

/// A call asks for a region that it has not reached.
struct OtherRegion;

/// Whether what an action does depends on the region. The other APIs have none, and DescribeRegions tells which there are.
fn is_regional(spec: &ActionSpec) -> bool {
    spec.api() == Api::Kms && spec.name != "DescribeRegions"
}

/// Whether a credential is refused for what the store says of it.
const fn is_of_credentials(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::AccessKeyNotFound | Refusal::AccessKeyInactive)
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

impl CallReport {
    /// Of whoever has not shown who it is.
    fn of_stranger(refused: Refused) -> Self {
        Self { spec: None, known: false, logged: Logged::default(), result: Err(refused) }
    }

    /// Of a known caller. A call that could not be logged has failed, however it went.
    fn of_known(
        spec: Option<&'static ActionSpec>,
        logged: Result<Logged, Fault>,
        result: Result<Vec<u8>, Refused>,
    ) -> Self {
        let known = Self { spec, known: true, logged: Logged::default(), result };
        match logged {
            Ok(logged) => Self { logged, ..known },
            Err(fault) => Self { result: Err(fault.into()), ..known },
        }
    }

    /// The answer, a refusal in the words of the API that was called.
    fn reply(self, format: Format, api: Api, request: &Request<'_>, request_id: String) -> Reply {
        let Self { spec, known, logged, result } = self;
        let outcome =
            CallOutcome { action: spec.map(|spec| spec.name), refusal: None, fault: None, denial: None, known };
        let Refused { error, echo, retry_after_ms, detail } = match result {
            Ok(body) => return Reply { status: 200, format, request_id, retry_after_ms: None, logged, body, outcome },
            Err(refused) => refused,
        };
        let refusal = error.refusal().in_api(api);
        let row = refusal.row();
        let mut message = refusal.message().into_owned();
        if let Some(echo) = &echo {
            message.push_str(echo);
        }
        let from_gateway = row.origin == Origin::Gateway;
        let host = if from_gateway { text_header(request, "host", HOST_BYTES_MAX) } else { Cow::Borrowed("") };
        let body = render::error(format, row, &message, &request_id, &host, detail.as_deref());
        let (fault, denial) = match error {
            Error::Refused(_) => (None, None),
            Error::Denied(_, why) => (None, Some(*why)),
            Error::Failed(fault) => (Some(fault), None),
        };
        let retry_after_ms = retry_after_ms.or(refusal.is_throttling().then_some(RETRY_AFTER_MS));
        let outcome = CallOutcome { refusal: Some(refusal), fault, denial, ..outcome };
        Reply { status: row.status, format, request_id, retry_after_ms, logged, body, outcome }
    }
}

fn text_header<'r>(request: &Request<'r>, name: &str, bytes_max: usize) -> Cow<'r, str> {
    let value = request.header(name).unwrap_or_default();
    String::from_utf8_lossy(value.get(..bytes_max).unwrap_or(value))
}
