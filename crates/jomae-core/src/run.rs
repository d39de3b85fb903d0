//! The one way of every call: parse → resolve → authorize → state → handle → commit.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use jomae_api::{
    action::{Action, Api, Effect, RamKind},
    actions::params::DRY_RUN,
    answer::Answer,
    error::Refusal,
    for_each_action,
    names::{KeyPlace, RegionId},
    param::{Input, ParamInfo},
    wire::{Params, render},
};

use crate::{
    access::{self, Authorized, FoundKey, FoundRole, Resource},
    audit::{
        self, AuditSink, CallTrace, Telling,
        lookup::OtherLogs,
        outbox::{self, Pending},
    },
    backend::Levels,
    call::Call,
    client_token::Token,
    cluster::record::Marker,
    error::{Error, Fault, FaultKind},
    host::Hosting,
    key_index::KeyIndex,
    quota::Ledger,
    ram::{epoch, sign_in::SignInGuard},
    rank::Ranks,
    rivals::Rivals,
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
    pub backends: Levels,
    pub ranks: Ranks,
    pub key_index: KeyIndex,
    pub pool: Arc<dyn Pool>,
    pub usage: Usage,
    pub quotas: Ledger,
    pub rivals: Rivals,
    /// Who may try to sign in, and who has tried too often.
    pub sign_in: SignInGuard,
    /// For actions that read it; what is written to it goes through [`crate::service`].
    pub audit: Arc<dyn AuditSink>,
    /// Of the other nodes, if there are several.
    pub other_logs: Option<Arc<dyn OtherLogs>>,
    /// The process around it, once its start is over.
    pub hosting: OnceLock<Hosting>,
    /// Every region that this deployment serves.
    pub regions: Vec<RegionId>,
}

/// What an action does. Never called without the proof that it may be.
pub trait Handle<A: Action> {
    fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, A>,
    ) -> impl Future<Output = Result<A::Output, Error>> + Send;

    /// The key that the call has made, for its event.
    fn made(_: &Call<'_>, _: &A::Output) -> Option<KeyPlace> {
        None
    }
}

/// How an action went, and what its event tells.
pub struct ActionReport {
    pub result: Result<Vec<u8>, Error>,
    pub trace: CallTrace,
    /// The event of a change. It was committed with the change, or may have been.
    pub pending: Option<Box<Pending>>,
    /// Whether the change was certainly made, however the call is answered.
    pub is_made: bool,
}

impl ActionReport {
    /// Of a call that never came to its action.
    pub fn refused(refusal: Refusal) -> Self {
        Self { result: Err(refusal.into()), trace: CallTrace::default(), pending: None, is_made: false }
    }
}

/// A call on its way, and what is to be reported of it so far.
struct Run<'c> {
    kms: &'c Kms,
    call: &'c Call<'c>,
    params: &'c Params<'c>,
    /// The number of the action in the list of all actions.
    action: usize,
    trace: CallTrace,
    // Boxed, as most calls change nothing.
    pending: Option<Box<Pending>>,
    is_made: bool,
}

/// Runs one call. Handlers may run more than once: they change nothing except through the transaction.
async fn run<A: Action>(kms: &Kms, call: &Call<'_>, params: &Params<'_>, action: usize) -> ActionReport
where
    Kms: Handle<A>,
{
    let mut run = Run { kms, call, params, action, trace: CallTrace::default(), pending: None, is_made: false };
    let result = match run.attempt::<A>().await {
        result if !is_dry_run::<A>(params) => result,
        Ok(_) => Err(Refusal::DryRunWouldSucceed.into()),
        Err(error) => Err(dry_run_error(error)),
    };
    ActionReport { result, trace: run.trace, pending: run.pending, is_made: run.is_made }
}

impl Run<'_> {
    async fn attempt<A: Action>(&mut self) -> Result<Vec<u8>, Error>
    where
        Kms: Handle<A>,
    {
        let Self { kms, call, params, action: number, .. } = *self;
        let action = A::parse(Input::new(params))?;
        let mut turn = None;
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let mut tx = match A::SPEC.effect {
                Effect::Read => kms.vault.reading(),
                Effect::Write => kms.vault.writing(),
            };
            let found = access::resolve(&mut tx, call, &action.access())?;
            self.note(&found);
            let granted = access::authorize(&mut tx, call, &action, found)?;
            self.note_foreign(granted.keys(), granted.role().ok());
            granted.check_states(&A::SPEC.states)?;
            let token = Token::of(&A::SPEC, call, params);
            if let Some(token) = &token
                && let Some(output) = token.remembered(&mut tx, call.now)?
            {
                return rendered::<A>(call, |out| serde_json::to_writer(out, &output));
            }
            // Before the work, as a repetition is to be refused even where it would change nothing.
            if let Some(nonce) = &call.nonce_place {
                if tx.get::<Marker>(nonce)?.is_some() {
                    return Err(Refusal::NonceUsed.into());
                }
                tx.put(nonce.clone(), &Marker {})?;
            }
            let output = kms.handle(call, &mut tx, &granted).await?;
            // Nothing but the nonce: it is as the caller wants it, but perhaps not yet on every node.
            if call.nonce_place.is_some() && tx.writes() == 1 {
                tx.confirm_everywhere();
            }
            if let Some(token) = &token {
                token.remember(&mut tx, &output, call.now)?;
            }
            self.trace.keys.extend(Kms::made(call, &output));
            if A::SPEC.api() == Api::Ram && tx.has_writes() {
                epoch::count_change(&mut tx, call.caller.account())?;
            }
            // What changes nothing needs no promise.
            self.pending = if tx.has_writes() {
                call.abandonment.decide().await;
                let event = Telling::Whole { params, trace: &self.trace };
                let event = audit::call_event(Some(&A::SPEC), &call.request_id, call, &event, None);
                Some(Box::new(outbox::put(&mut tx, &call.request_id, event)?))
            } else {
                None
            };
            let (outcome, waited_ns) = if tx.has_writes() {
                tx.commit_timed().await.inspect_err(|fault| self.is_made = fault.kind == FaultKind::InDoubt)?
            } else {
                (CommitOutcome::Done, None)
            };
            if outcome == CommitOutcome::Done {
                self.is_made = true;
                if let (Some(pending), Some(waited_ns)) = (&mut self.pending, waited_ns) {
                    pending.confirmed_after(waited_ns / 1_000_000);
                }
                // What is only tried does not count as a use.
                if !is_dry_run::<A>(params) {
                    for (key, version) in granted.keys().filter_map(|key| Some((key, key.used()?))) {
                        kms.usage.note(number, version, &key.place, &call.caller, call.now);
                    }
                }
                return rendered::<A>(call, |out| written(&output, out));
            }
            // Its event will never be told.
            self.pending = None;
            if turn.is_none() {
                // Boxed: most calls lose to nobody.
                turn = Some(Box::new(Box::pin(kms.rivals.turn(call.caller.account())).await));
            }
        }
        Err(Fault::unavailable("what the call read kept changing").into())
    }

    /// Notes what of the caller's own the call is about: whether another account's key exists is not told.
    fn note(&mut self, found: &access::Resolved<'_>) {
        let Self { call, trace, .. } = self;
        *trace = CallTrace::default();
        for need in &found.needs {
            match &need.resource {
                // ReEncrypt may name one key twice.
                Resource::Key(key)
                    if key.place.account == *call.caller.account() && !trace.keys.contains(&key.place) =>
                {
                    trace.keys.push(key.place.clone());
                }
                Resource::Alias(alias) => trace.aliases.push(alias.name.to_wire()),
                Resource::Ram(kind, Some(name)) => trace.ram.push((event_type(*kind), name.clone())),
                Resource::OwnUser(name) => trace.ram.push((event_type(RamKind::User), name.clone())),
                Resource::Role(role) => {
                    trace.ram.push((event_type(RamKind::Role), role.role.name.to_string()));
                }
                _ => {}
            }
        }
    }

    /// Notes another account's key or role, once it is known that the caller may use it: its owner will find the event.
    fn note_foreign<'k>(&mut self, keys: impl Iterator<Item = &'k FoundKey>, role: Option<&FoundRole>) {
        let Self { call, trace, .. } = self;
        let own = call.caller.account();
        trace.owner = role.map(|found| &found.role.account).filter(|owner| *owner != own).cloned();
        for key in keys.filter(|key| key.place.account != *own) {
            trace.owner = Some(key.place.account.clone());
            if !trace.keys.contains(&key.place) {
                trace.keys.push(key.place.clone());
            }
        }
    }
}

fn rendered<A: Action>(
    call: &Call<'_>,
    write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
) -> Result<Vec<u8>, Error> {
    let body = match A::SPEC.api() {
        Api::Kms => render::success(call.format, write, &call.request_id, "KMS"),
        _ => render::success(call.format, write, &call.request_id, &format!("{}Response", A::SPEC.name)),
    };
    body.map_err(|error| Fault::internal(format!("{}: {error:?}", A::SPEC.name)).into())
}

/// Writes an answer as its declaration has it, which is what serde makes of it.
fn written(answer: &impl Answer, out: &mut Vec<u8>) -> serde_json::Result<()> {
    answer.write(out)?;
    debug_assert!(serde_json::to_vec(answer).is_ok_and(|same| same == *out), "two forms of an answer");
    Ok(())
}

/// By what type events know a thing of RAM.
const fn event_type(kind: RamKind) -> &'static str {
    match kind {
        RamKind::User => "ACS::RAM::User",
        RamKind::Group => "ACS::RAM::Group",
        RamKind::Role => "ACS::RAM::Role",
        RamKind::MfaDevice => "ACS::RAM::MFADevice",
        RamKind::Policy | RamKind::SystemPolicy => "ACS::RAM::Policy",
    }
}

fn is_dry_run<A: Action>(params: &Params<'_>) -> bool {
    A::SPEC.params.iter().any(|used| used.param.name() == DRY_RUN.name())
        && params.get(DRY_RUN.name()).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// With `DryRun=true` the three documented outcomes; what is neither parameter nor permission keeps its own code.
fn dry_run_error(error: Error) -> Error {
    match error {
        Error::Refused(Refusal::ParameterMissing(_) | Refusal::ParameterInvalid(_) | Refusal::CiphertextInvalid) => {
            Refusal::DryRunInvalid.into()
        }
        Error::Refused(Refusal::NoPermission) => Refusal::DryRunDenied.into(),
        Error::Denied(_, why) => Error::Denied(Refusal::DryRunDenied, why),
        other => other,
    }
}

/// How a call of an action is run.
pub type Route = for<'a> fn(&'a Kms, &'a Call<'a>, &'a Params<'a>, usize) -> BoxFuture<'a, ActionReport>;

const fn route<A: Action>() -> (&'static jomae_api::action::ActionSpec, Route)
where
    Kms: Handle<A>,
{
    (&A::SPEC, |kms, call, params, action| Box::pin(run::<A>(kms, call, params, action)))
}

macro_rules! routes {
    ($($($part:ident)::+),* $(,)?) => {
        /// Every action and its way. Nothing else is reachable.
        pub const ROUTES: &[(&jomae_api::action::ActionSpec, Route)] =
            &[$(route::<jomae_api::actions::$($part)::+>()),*];
    };
}
for_each_action!(routes);
