//! The one way of every call: parse → resolve → authorize → state → handle → commit.

use std::{future::Future, sync::Arc};

use jomae_api::{
    action::{Action, Api, Effect, RamKind},
    actions::params::DRY_RUN,
    error::Refusal,
    for_each_action,
    names::RegionId,
    param::{Input, ParamInfo},
    wire::{Params, render},
};

use serde::Serialize;

use crate::{
    access::{self, Authorized, FoundKey, FoundRole, Resource},
    audit::{self, AuditSink, CallTrace, outbox},
    backend::KeyBackend,
    call::Call,
    client_token::Token,
    error::{Error, Fault},
    quota::Ledger,
    ram::epoch,
    rank::Ranks,
    store::BoxFuture,
    tx::{CommitOutcome, Tx, Vault},
    usage::Usage,
    wait::Pool,
};

/// How often a changing call decides again when what it read has changed. Each time somebody else has succeeded.
const COMMIT_ATTEMPTS_MAX: u32 = 64;

/// What handlers work with.
pub struct Kms {
    pub vault: Vault,
    pub backend: Box<dyn KeyBackend>,
    pub ranks: Ranks,
    pub pool: Arc<dyn Pool>,
    pub usage: Usage,
    pub quotas: Ledger,
    /// For actions that read it; what is written to it goes through [`crate::service`].
    pub audit: Arc<dyn AuditSink>,
    /// Every region that this deployment serves.
    pub regions: Vec<RegionId>,
}

/// What an action does. Never called without the proof that it may be.
pub trait Handle<A: Action> {
    fn handle(
        &self,
        call: &Call,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, A>,
    ) -> impl Future<Output = Result<A::Output, Error>> + Send;
}

/// Runs one call. Handlers may run more than once: they change nothing except through the transaction.
async fn run<A: Action>(kms: &Kms, call: &Call, params: &Params<'_>, trace: &mut CallTrace) -> Result<Vec<u8>, Error>
where
    Kms: Handle<A>,
{
    let dry_run = is_dry_run::<A>(params);
    match attempt::<A>(kms, call, params, trace).await {
        Err(Error::Refused(refusal)) if dry_run => Err(Error::Refused(dry_run_refusal(refusal))),
        Ok(_) if dry_run => Err(Error::Refused(Refusal::DryRunWouldSucceed)),
        other => other,
    }
}

async fn attempt<A: Action>(
    kms: &Kms,
    call: &Call,
    params: &Params<'_>,
    trace: &mut CallTrace,
) -> Result<Vec<u8>, Error>
where
    Kms: Handle<A>,
{
    let action = A::parse(Input::new(params))?;
    for _ in 0..COMMIT_ATTEMPTS_MAX {
        let mut tx = match A::SPEC.effect {
            Effect::Read => kms.vault.reading(),
            Effect::Write => kms.vault.writing(),
        };
        let found = access::resolve(&mut tx, call, &action.access())?;
        note(trace, call, &found);
        let granted = access::authorize(&mut tx, call, &action, found, &mut trace.denial)?;
        note_foreign(trace, call, granted.keys(), granted.role().ok());
        granted.check_states(&A::SPEC.states)?;
        let token = Token::of(&A::SPEC, call, params);
        if let Some(token) = &token
            && let Some(output) = token.remembered(&mut tx, call.now)?
        {
            return rendered::<A>(call, &output);
        }
        let output = kms.handle(call, &mut tx, &granted).await?;
        if let Some(token) = &token {
            token.remember(&mut tx, &output, call.now)?;
        }
        trace.keys.append(&mut tx.made());
        if A::SPEC.api() == Api::Ram && tx.has_writes() {
            epoch::count_change(&mut tx, call.caller.account())?;
        }
        // What changes nothing needs no promise.
        trace.pending = if tx.has_writes() {
            call.abandonment.decide().await;
            let event = audit::call_event(Some(&A::SPEC), &call.request_id, call, params, trace, None);
            Some(outbox::put(&mut tx, &call.request_id, event)?)
        } else {
            None
        };
        // What is only tried does not count as a use.
        let used = if is_dry_run::<A>(params) { Vec::new() } else { tx.used() };
        if tx.commit().await? == CommitOutcome::Done {
            for (place, version) in &used {
                kms.usage.note(trace.action, version, place, &call.caller, call.now);
            }
            return rendered::<A>(call, &output);
        }
    }
    Err(Fault::unavailable("what the call read kept changing").into())
}

fn rendered<A: Action>(call: &Call, output: &impl Serialize) -> Result<Vec<u8>, Error> {
    let body = match A::SPEC.api() {
        Api::Kms => render::success(call.format, output, &call.request_id, "KMS"),
        _ => render::success(call.format, output, &call.request_id, &format!("{}Response", A::SPEC.name)),
    };
    body.map_err(|error| Fault::internal(format!("{}: {error:?}", A::SPEC.name)).into())
}

/// Notes what of the caller's own the call is about: whether another account's key exists is not told.
fn note(trace: &mut CallTrace, call: &Call, found: &access::Found<'_>) {
    trace.keys.clear();
    trace.aliases.clear();
    trace.ram.clear();
    trace.owner = None;
    for need in &found.needs {
        match &need.resource {
            // ReEncrypt may name one key twice.
            Resource::Key(key) if key.place.account == *call.caller.account() && !trace.keys.contains(&key.place) => {
                trace.keys.push(key.place.clone());
            }
            Resource::Alias(alias) => trace.aliases.push(alias.name.to_wire()),
            Resource::Ram(kind, Some(name)) => trace.ram.push((event_type(*kind), name.clone())),
            Resource::Role(role) => {
                trace.ram.push((event_type(RamKind::Role), role.role.name.to_string()));
            }
            _ => {}
        }
    }
}

/// Notes another account's key or role, once it is known that the caller may use it: its owner will find the event.
fn note_foreign<'k>(
    trace: &mut CallTrace,
    call: &Call,
    keys: impl Iterator<Item = &'k FoundKey>,
    role: Option<&FoundRole>,
) {
    trace.owner = role.map(|found| &found.role.account).filter(|owner| *owner != call.caller.account()).cloned();
    for key in keys.filter(|key| key.place.account != *call.caller.account()) {
        trace.owner = Some(key.place.account.clone());
        if !trace.keys.contains(&key.place) {
            trace.keys.push(key.place.clone());
        }
    }
}

/// By what type events know a thing of RAM.
const fn event_type(kind: RamKind) -> &'static str {
    match kind {
        RamKind::User => "ACS::RAM::User",
        RamKind::Group => "ACS::RAM::Group",
        RamKind::Role => "ACS::RAM::Role",
        RamKind::Policy | RamKind::SystemPolicy => "ACS::RAM::Policy",
    }
}

fn is_dry_run<A: Action>(params: &Params<'_>) -> bool {
    A::SPEC.params.iter().any(|used| used.param.name() == DRY_RUN.name())
        && params.get(DRY_RUN.name()).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// With `DryRun=true` the three documented outcomes; what is neither parameter nor permission keeps its own code.
const fn dry_run_refusal(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::ParameterMissing(_) | Refusal::ParameterInvalid(_) | Refusal::CiphertextInvalid => {
            Refusal::DryRunInvalid
        }
        Refusal::NoPermission => Refusal::DryRunDenied,
        other => other,
    }
}

/// How a call of an action is run.
pub type Route =
    for<'a> fn(&'a Kms, &'a Call, &'a Params<'a>, &'a mut CallTrace) -> BoxFuture<'a, Result<Vec<u8>, Error>>;

const fn route<A: Action>() -> (&'static jomae_api::action::ActionSpec, Route)
where
    Kms: Handle<A>,
{
    (&A::SPEC, |kms, call, params, trace| Box::pin(run::<A>(kms, call, params, trace)))
}

macro_rules! routes {
    ($($($part:ident)::+),* $(,)?) => {
        /// Every action and its way. Nothing else is reachable.
        pub const ROUTES: &[(&jomae_api::action::ActionSpec, Route)] =
            &[$(route::<jomae_api::actions::$($part)::+>()),*];
    };
}
for_each_action!(routes);
