//! What calls ask for: from the declarations of the actions, and from recorded events.

use std::collections::BTreeMap;

use jomae_api::{
    action::{self as api, Access, Action, ActionSpec, RamKind, Target},
    actions::params::Tags,
    error::Refusal,
    for_each_action,
    names::{AccountId, KeyId, KeyPlace, KeyRef},
    param::{EncryptionContext, Input, Kind, Secrecy},
    wire::Params,
};

use super::SimulateError;
use crate::{
    access::{Resource, resolve},
    call::Call,
    error::{Error, Fault},
    record::{KeyRecord, path},
    tx::Tx,
};

/// What kind of thing a permission is asked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A valid signature is enough.
    Nothing,
    Service,
    Keys,
    Aliases,
    All(RamKind),
    /// Something with a name of its own.
    Named(&'static str),
}

/// How the permissions of an action are found out.
struct Way {
    spec: &'static ActionSpec,
    shapes: fn() -> Vec<(&'static str, Shape)>,
    needs: fn(&mut Tx<'_>, &Call<'_>, &Recorded<'_>) -> Result<Option<Needs>, Fault>,
}

macro_rules! ways {
    ($($($part:ident)::+),* $(,)?) => {
        const WAYS: &[Way] = &[$(way::<jomae_api::actions::$($part)::+>()),*];
    };
}
for_each_action!(ways);

const fn way<A: Action>() -> Way {
    Way { spec: &A::SPEC, shapes: shapes::<A>, needs: needs::<A> }
}

/// What a permission is asked on. `None`: no action asks it of a signed caller.
pub(super) fn shape_of(permission: &str) -> Option<Shape> {
    let of = |way: &Way| (way.shapes)().into_iter().find(|(asked, _)| *asked == permission);
    // Only the actions of that name come into question; ReEncrypt asks for two of other names.
    let (_, name) = permission.split_once(':')?;
    let named = WAYS.iter().find(|way| way.spec.name == name).and_then(of);
    named.or_else(|| WAYS.iter().find_map(of)).map(|(_, shape)| shape)
}

/// As the example of the action asks.
fn shapes<A: Action>() -> Vec<(&'static str, Shape)> {
    let Ok(params) = Params::of(A::SPEC.example) else { return Vec::new() };
    let Ok(action) = A::parse(Input::new(&params)) else { return Vec::new() };
    let access = action.access();
    let shape = |target| match target {
        Target::SignatureOnly => Shape::Nothing,
        Target::Service => Shape::Service,
        Target::Keys => Shape::Keys,
        Target::Aliases => Shape::Aliases,
        Target::RamAll(kind) => Shape::All(kind),
        Target::Key(_) | Target::CiphertextOf(_) => Shape::Named("a key"),
        Target::AliasName(_) | Target::AliasAndItsKey(_) => Shape::Named("an alias and its key"),
        Target::Ram(kind, _) => Shape::Named(kind.as_str()),
        Target::RamSelf | Target::RamSelfUnlessDenied => Shape::Named("a user"),
        Target::Role(_) => Shape::Named("a role"),
    };
    access.iter().map(|need| (need.permission, shape(need.target))).collect()
}

/// What an event holds of a call.
pub(super) struct Recorded<'e> {
    /// The public parameters.
    pub params: &'e BTreeMap<String, String>,
    /// Types and names of what the call was about, in the order of its permissions.
    pub resources: &'e BTreeMap<String, Vec<String>>,
    /// Whose the resources are, if they are another account's.
    pub owner: Option<&'e AccountId>,
    /// Whether the call was denied: then what is another account's is not named.
    pub was_denied: bool,
}

/// All that a recorded call needs.
pub(super) struct Needs {
    pub all: Vec<Need>,
    pub request_tags: Option<Tags>,
}

pub(super) struct Need {
    pub permission: &'static str,
    pub resource: Resource,
    pub context: Option<EncryptionContext>,
}

impl Need {
    fn of(asked: &api::Need<'_>, resource: Resource) -> Self {
        Self { permission: asked.permission, resource, context: asked.context.cloned() }
    }
}

/// What a recorded call of an action needs. `None`: the event does not tell.
pub(super) fn needs_of(
    tx: &mut Tx<'_>,
    call: &Call<'_>,
    spec: &ActionSpec,
    recorded: &Recorded<'_>,
) -> Result<Option<Needs>, Fault> {
    match WAYS.iter().find(|way| way.spec.name == spec.name && way.spec.group == spec.group) {
        Some(way) => (way.needs)(tx, call, recorded),
        None => Ok(None),
    }
}

/// The parameters of a call, as far as they were recorded; for the rest those of the example stand in.
struct Filled<'e> {
    pairs: Vec<(&'e str, &'e str)>,
    /// A parameter that would have been recorded, had it been plain: what it names is not known.
    hides_names: bool,
    /// A numbered list, which is not recorded.
    hides_list: bool,
    hides_tags: bool,
}

fn filled<'e>(spec: &ActionSpec, recorded: &'e BTreeMap<String, String>) -> Filled<'e> {
    let pairs = recorded.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut filled = Filled { pairs, hides_names: false, hides_list: false, hides_tags: false };
    for &(name, value) in spec.example {
        let base = name.split('.').next().unwrap_or(name);
        let is_of_base =
            |given: &String| given.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let Some(used) = spec.params.iter().find(|used| used.param.name() == base && used.required) else { continue };
        if recorded.keys().any(is_of_base) {
            continue;
        }
        match used.param.kind() {
            Kind::Pairs => filled.hides_tags = true,
            Kind::List if used.param.secrecy() == Secrecy::Public => filled.hides_list = true,
            _ if used.param.secrecy() == Secrecy::Public => filled.hides_names = true,
            _ => {}
        }
        filled.pairs.push((name, value));
    }
    filled
}

fn needs<A: Action>(tx: &mut Tx<'_>, call: &Call<'_>, recorded: &Recorded<'_>) -> Result<Option<Needs>, Fault> {
    let filled = filled(&A::SPEC, recorded.params);
    let Ok(params) = Params::of(&filled.pairs) else { return Ok(None) };
    let Ok(action) = A::parse(Input::new(&params)) else { return Ok(None) };
    let access = action.access();
    let asked: Vec<api::Need<'_>> = access.iter().collect();
    let mut names = Names::new(tx, call, recorded)?;
    let Some(all) = (if filled.hides_list {
        names.list(tx, call, &asked)?
    } else {
        names.each(tx, call, &asked, filled.hides_names)?
    }) else {
        return Ok(None);
    };
    let request_tags = if filled.hides_tags { None } else { action.request_tags().cloned() };
    Ok(Some(Needs { all, request_tags }))
}

/// The names that an event holds, each used once.
struct Names<'e> {
    keys: Vec<KeyPlace>,
    used: Vec<bool>,
    ram: BTreeMap<&'e str, std::slice::Iter<'e, String>>,
    was_denied: bool,
}

impl<'e> Names<'e> {
    fn new(tx: &mut Tx<'_>, call: &Call<'_>, recorded: &Recorded<'e>) -> Result<Self, Fault> {
        let mut keys = Vec::new();
        for id in recorded.resources.get("ACS::KMS::Key").into_iter().flatten().filter_map(|id| KeyId::new(id)) {
            keys.push(place_of(tx, call, &id, recorded.owner)?);
        }
        let ram = recorded.resources.iter().map(|(kind, names)| (kind.as_str(), names.iter())).collect();
        Ok(Self { used: vec![false; keys.len()], keys, ram, was_denied: recorded.was_denied })
    }

    /// One permission on each key of a list.
    fn list(&self, tx: &mut Tx<'_>, call: &Call<'_>, asked: &[api::Need<'_>]) -> Result<Option<Vec<Need>>, Fault> {
        let Some(first) = asked.first() else { return Ok(None) };
        if self.keys.is_empty() {
            return Ok(None);
        }
        let of_key = |key| Ok(Need::of(first, resource(tx, call, first.permission, &reference(key))?));
        self.keys.iter().map(of_key).collect::<Result<_, Fault>>().map(Some)
    }

    /// Each target as it was at the time: what the event names comes before what the parameters mean today.
    fn each(
        &mut self,
        tx: &mut Tx<'_>,
        call: &Call<'_>,
        asked: &[api::Need<'_>],
        hides_names: bool,
    ) -> Result<Option<Vec<Need>>, Fault> {
        let mut found: Vec<Option<Vec<Need>>> = Vec::new();
        for asked in asked {
            found.push(self.plain(tx, call, asked, hides_names)?);
        }
        let left = found.iter().filter(|found| found.is_none()).count();
        let unused = self.used.iter().filter(|used| !**used).count();
        for (asked, place) in asked.iter().zip(&mut found).filter(|(_, place)| place.is_none()) {
            let is_key = matches!(asked.target, Target::Key(_) | Target::CiphertextOf(_));
            let next = self.used.iter().position(|used| !*used);
            let key = match next {
                Some(at) if unused >= left => {
                    self.used.iter_mut().skip(at).take(1).for_each(|used| *used = true);
                    self.keys.get(at)
                }
                // One key was both; of a call that was denied one of them may be missing.
                None if self.keys.len() == 1 && !self.was_denied => self.keys.first(),
                _ => None,
            };
            let Some(key) = key.filter(|_| is_key) else { return Ok(None) };
            *place = Some(vec![Need::of(asked, resource(tx, call, asked.permission, &reference(key))?)]);
        }
        Ok(Some(found.into_iter().flatten().flatten().collect()))
    }

    /// What is known without guessing.
    fn plain(
        &mut self,
        tx: &mut Tx<'_>,
        call: &Call<'_>,
        asked: &api::Need<'_>,
        hides_names: bool,
    ) -> Result<Option<Vec<Need>>, Fault> {
        match asked.target {
            Target::CiphertextOf(_) => return Ok(None),
            Target::Key(key) => {
                if hides_names {
                    return Ok(None);
                }
                let today = resource(tx, call, asked.permission, key)?;
                if self.keys.is_empty() {
                    return Ok(Some(vec![Need::of(asked, today)]));
                }
                let id = match &today {
                    Resource::Key(found) => Some(&found.place),
                    _ => None,
                };
                let at = self.keys.iter().position(|place| Some(place) == id);
                if let Some(used) = at.and_then(|at| self.used.get_mut(at)) {
                    *used = true;
                    return Ok(Some(vec![Need::of(asked, today)]));
                }
                // The alias means another key today.
                return Ok(None);
            }
            Target::Ram(kind, _) => {
                let type_name = match kind {
                    RamKind::User => "ACS::RAM::User",
                    RamKind::Group => "ACS::RAM::Group",
                    RamKind::Role => "ACS::RAM::Role",
                    RamKind::MfaDevice => "ACS::RAM::MFADevice",
                    RamKind::Policy | RamKind::SystemPolicy => "ACS::RAM::Policy",
                };
                if let Some(name) = self.ram.get_mut(type_name).and_then(Iterator::next) {
                    return Ok(Some(vec![Need::of(asked, Resource::Ram(kind, Some(name.clone())))]));
                }
            }
            _ => {}
        }
        if hides_names
            && matches!(
                asked.target,
                Target::Ram(..) | Target::AliasName(_) | Target::AliasAndItsKey(_) | Target::Role(_)
            )
        {
            return Ok(None);
        }
        match resolve(tx, call, &Access::one(*asked)) {
            Ok(found) => Ok(Some(found.needs.into_iter().map(|need| Need::of(asked, need.resource)).collect())),
            Err(Error::Failed(fault)) => Err(fault),
            Err(Error::Refused(_) | Error::Denied(..)) => Ok(None),
        }
    }
}

/// A key that an event names is the caller's own if there is such a one.
fn place_of(tx: &mut Tx<'_>, call: &Call<'_>, id: &KeyId, owner: Option<&AccountId>) -> Result<KeyPlace, Fault> {
    let place =
        |account: &AccountId| KeyPlace { account: account.clone(), region: call.region.clone(), id: id.clone() };
    let own = place(call.caller.account());
    let is_own = tx.get::<KeyRecord>(&path::key(&own))?.is_some();
    Ok(match owner {
        Some(owner) if !is_own => place(owner),
        _ => own,
    })
}

fn reference(place: &KeyPlace) -> KeyRef {
    KeyRef::Arn { region: place.region.clone(), account: place.account.clone(), id: place.id.clone() }
}

/// Looks up one target.
pub(super) fn one(
    tx: &mut Tx<'_>,
    call: &Call<'_>,
    permission: &'static str,
    target: Target<'_>,
) -> Result<Resource, SimulateError> {
    let resolved = resolve(tx, call, &Access::one(api::Need::new(permission, target)));
    let found = resolved.map_err(|error| match error {
        Error::Failed(fault) => SimulateError::Failed(fault),
        Error::Refused(refusal) | Error::Denied(refusal, _) => SimulateError::Resource(refusal.message().into_owned()),
    })?;
    let resource = found.needs.into_iter().next().map(|need| need.resource);
    resource.ok_or_else(|| Fault::internal("a target without a resource").into())
}

fn resource(tx: &mut Tx<'_>, call: &Call<'_>, permission: &'static str, key: &KeyRef) -> Result<Resource, Fault> {
    one(tx, call, permission, Target::Key(key)).map_err(|error| match error {
        SimulateError::Failed(fault) => fault,
        other => Fault::internal(other.to_string()),
    })
}

/// Whether an event's error code says that a permission was missing. `None`: that it failed otherwise.
pub(super) fn was_denied(spec: &ActionSpec, code: &str) -> Option<bool> {
    let denials = [Refusal::NoPermission.in_api(spec.api()), Refusal::DryRunDenied];
    if denials.iter().any(|refusal| refusal.code() == code) {
        Some(true)
    } else {
        (code == Refusal::DryRunWouldSucceed.code()).then_some(false)
    }
}
