//! One question: may this principal do this, there?

use std::sync::Arc;

use jomae_api::{
    action::{Action, RamKind, Target},
    actions::{params::Tags, ram::logins::change_password::ChangePassword},
    names::{AccountId, AliasName, KeyRef, RegionId, RoleRef},
    param::EncryptionContext,
    time::Timestamp,
};

use super::{
    Decision, Proposal, SimulateError,
    asked::{Shape, one, shape_of},
    call_of, decide, found, permission,
};
use crate::{
    access::{
        Owner, Resource, Rights,
        authorize::{PolicyEvaluator, number, principal},
        rights::rights_of,
    },
    call::Call,
    error::Fault,
    identity::{
        Caller, Who,
        token::{Session, Trusted, TrustedPrincipal},
    },
    policy::{Explained, Request, ResourceVerdict, Verdict},
    ram::{find, record::RoleRecord},
    record::{AccountRecord, KeyRecord, path},
    stored::Derived,
    tx::Tx,
};

/// Longest name of a user or role that is looked up, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Whom a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalName {
    pub account: AccountId,
    who: WhoName,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum WhoName {
    Root,
    User(String),
    Role(String),
}

impl PrincipalName {
    /// Reads `acs:ram::<account>:user/<name>`, `…:role/<name>` or `…:root`.
    pub fn from_wire(text: &str) -> Option<Self> {
        let (account, who) = text.strip_prefix("acs:ram::")?.split_once(':')?;
        let name = |name: &str| {
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b));
            (plain && (1..=NAME_BYTES_MAX).contains(&name.len())).then(|| name.to_owned())
        };
        let who = match who.split_once('/') {
            None if who == "root" => WhoName::Root,
            Some(("user", user)) => WhoName::User(name(user)?),
            Some(("role", role)) => WhoName::Role(name(role)?),
            _ => return None,
        };
        Some(Self { account: AccountId::new(account)?, who })
    }
}

/// A question, with all that conditions may look at.
pub struct Question {
    pub principal: PrincipalName,
    /// As `kms:Decrypt`.
    pub permission: String,
    /// The full name; none where the action acts on the service, or on all of a kind, as a whole.
    pub resource: Option<String>,
    pub context: EncryptionContext,
    pub source_ip: Option<String>,
    pub now: Timestamp,
    /// In the place of those that the key has.
    pub resource_tags: Option<Tags>,
    /// Those that the call would set.
    pub request_tags: Option<Tags>,
    pub external_id: Option<String>,
    /// Of what names no region.
    pub region: RegionId,
}

/// What a question was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub allowed: bool,
    pub permission: &'static str,
    /// The full name that was asked about.
    pub resource: String,
    /// Which statement decided, or why none did.
    pub reason: String,
    /// What every policy that was asked says of it.
    pub layers: Vec<Layer>,
    /// What to know beside.
    pub notes: Vec<String>,
}

/// One policy that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    pub policy: String,
    /// The statements that speak of the action; none does if this is empty.
    pub statements: Vec<Explained>,
}

/// Answers a question, with a proposed policy in force or without.
pub fn simulate(tx: &mut Tx<'_>, question: &Question, proposal: Option<&Proposal>) -> Result<Answer, SimulateError> {
    let permission = permission(&question.permission)?;
    let caller = caller_of(tx, &question.principal, question.now)?;
    let shape = shape_of(permission)
        .ok_or_else(|| SimulateError::Resource(format!("{permission} is not asked of users and roles")))?;
    let name = question.resource.as_deref().filter(|name| *name != "*");
    let region = name.and_then(region_of).unwrap_or_else(|| question.region.clone());
    let ip = question.source_ip.as_deref().unwrap_or_default();
    let call = call_of(caller, region, question.now, ip, question.external_id.clone());
    let mut rights = rights_of(tx, &call)?;
    if let Some(proposal) = proposal {
        propose(tx, proposal, &call.caller, &mut rights)?;
    }
    let mut notes = Vec::new();
    let mut resource = match name {
        _ if shape == Shape::Nothing => Resource::SignatureOnly,
        Some(name) => named(tx, &call, permission, name)?,
        None => unnamed(permission, shape)?,
    };
    if let (Resource::Key(key), Some(tags)) = (&mut resource, &question.resource_tags) {
        key.record = Arc::new(KeyRecord { tags: tags.clone(), ..(*key.record).clone() });
    }
    match &resource {
        Resource::Missing { owner: Owner::Caller, .. } => {
            notes.push("it is not there: the service asks for the permission first, and then says so".to_owned());
        }
        Resource::Key(key) if key.record.policy.is_none() => {
            notes.push("the key has the default key policy, which leaves everything to RAM".to_owned());
        }
        _ => {}
    }
    let evaluator = PolicyEvaluator::new(&call, &rights, question.request_tags.as_ref());
    let arn = evaluator.arn_of(permission, &resource);
    let context = Some(&question.context);
    let decision = decide(&call, &rights, (permission, &resource), context, question.request_tags.as_ref())?;
    let asked =
        Asked { evaluator: &evaluator, rights: &rights, call: &call, permission, resource: &resource, arn: &arn };
    let (allowed, reason) = match decision {
        Decision::Allowed => (true, asked.who_allowed(context)?),
        Decision::Denied(reason) => (false, reason),
    };
    let layers = asked.layers(context)?;
    Ok(Answer { allowed, permission, resource: arn, reason, layers, notes })
}

/// Where a caller stands: its region, its address and the time.
#[derive(Clone, Copy)]
pub struct Standpoint<'a> {
    pub region: &'a RegionId,
    pub source_ip: &'a str,
    pub now: Timestamp,
}

/// Whether a caller would be allowed, and if not, why. For those who offer what can be done: the call itself decides anew,
/// and may ask for more. No resource: the service, or all of a kind.
pub fn would_allow(
    tx: &mut Tx<'_>,
    caller: &Caller,
    (action, resource): (&str, Option<&str>),
    at: Standpoint<'_>,
) -> Result<Result<(), String>, SimulateError> {
    let permission = permission(action)?;
    let shape = shape_of(permission)
        .ok_or_else(|| SimulateError::Resource(format!("{permission} is not asked of users and roles")))?;
    let call = call_of(caller.clone(), at.region.clone(), at.now, at.source_ip, None);
    let rights = rights_of(tx, &call)?;
    let resource = match resource {
        _ if shape == Shape::Nothing => Resource::SignatureOnly,
        Some(name) => named(tx, &call, permission, name)?,
        None => unnamed(permission, shape)?,
    };
    let context = EncryptionContext::default();
    Ok(match decide(&call, &rights, (permission, &resource), Some(&context), None)? {
        Decision::Allowed => Ok(()),
        Decision::Denied(reason) => Err(reason),
    })
}

fn propose(tx: &mut Tx<'_>, proposal: &Proposal, caller: &Caller, rights: &mut Rights) -> Result<(), SimulateError> {
    if caller.is_root() {
        return Err(SimulateError::Root);
    }
    proposal.check(tx, &caller.account)?;
    if proposal.apply(tx, caller, rights)? {
        return Ok(());
    }
    Err(match &proposal.attach_to {
        super::AttachTo::InsteadOf(name) => SimulateError::NotAttached(caller.arn(), name.clone()),
        _ => SimulateError::NotConcerned(caller.arn()),
    })
}

fn caller_of(tx: &mut Tx<'_>, name: &PrincipalName, now: Timestamp) -> Result<Caller, SimulateError> {
    let account = name.account.clone();
    if tx.get::<AccountRecord>(&path::account(&account))?.is_none() {
        return Err(SimulateError::NoAccount(account));
    }
    let who = match &name.who {
        WhoName::Root => Who::Root,
        WhoName::User(user) => match found(find::user(tx, &account, user))? {
            Some(user) => Who::User { id: user.id.clone(), name: user.name.clone() },
            None => return Err(SimulateError::NoPrincipal(format!("user {user} in account {account}"))),
        },
        WhoName::Role(role) => match found(find::role(tx, &account, role))? {
            Some(role) => Who::Session(Arc::new(session(&account, &role, "simulation", now))),
            None => return Err(SimulateError::NoPrincipal(format!("role {role} in account {account}"))),
        },
    };
    Ok(Caller { account, access_key_id: String::new(), who, signed_in: None })
}

/// A session of a role whose trust is not in question.
pub(super) fn session(account: &AccountId, role: &RoleRecord, name: &str, now: Timestamp) -> Session {
    let who = TrustedPrincipal::Role { account: account.clone(), name: role.name.clone() };
    Session {
        access_key_id: String::new(),
        account: account.clone(),
        role_id: role.id.clone(),
        role_name: role.name.clone(),
        session_name: name.to_owned(),
        created: now.0,
        expires: now.0,
        policy: None,
        policy_in_memory: Derived::default(),
        source_identity: None,
        trust_epoch: role.trust_epoch,
        trusted: Trusted {
            who,
            source_ip: String::new(),
            external_id: None,
            issuer: None,
            audience: None,
            subject: None,
        },
    }
}

/// The region in a full name of KMS or ActionTrail.
fn region_of(name: &str) -> Option<RegionId> {
    let mut parts = name.split(':').skip(1);
    matches!(parts.next()?, "kms" | "actiontrail").then_some(())?;
    RegionId::new(parts.next()?)
}

/// What an action without a named resource acts on.
fn unnamed(permission: &str, shape: Shape) -> Result<Resource, SimulateError> {
    Ok(match shape {
        Shape::Nothing => Resource::SignatureOnly,
        Shape::Service => Resource::Service,
        Shape::Keys => Resource::Keys,
        Shape::Aliases => Resource::Aliases,
        Shape::All(kind) => Resource::Ram(kind, None),
        Shape::Named(what) => {
            return Err(SimulateError::Resource(format!("{permission} acts on {what}: name it in full")));
        }
    })
}

/// What a full name means to the caller.
fn named(tx: &mut Tx<'_>, call: &Call<'_>, permission: &'static str, name: &str) -> Result<Resource, SimulateError> {
    let wrong = || {
        SimulateError::Resource(format!(
            "{name} is no full name; such are acs:kms:<region>:<account>:key/<id>, \
             acs:kms:<region>:<account>:alias/<name>, acs:ram:*:<account>:user/<name> and acs:ram::<account>:role/<name>"
        ))
    };
    let parts: Vec<&str> = name.splitn(5, ':').collect();
    let ["acs", service, region, owner, what] = parts.as_slice() else { return Err(wrong()) };
    let own = call.caller.account();
    let is_own = *owner == own.as_str();
    match *service {
        "kms" | "actiontrail" => {
            let region = RegionId::new(region).ok_or_else(wrong)?;
            let account = AccountId::new(owner).ok_or_else(wrong)?;
            if let Some(id) = what.strip_prefix("key/").filter(|_| *service == "kms") {
                let reference = match id.strip_prefix("alias/").and_then(AliasName::new) {
                    Some(alias) if is_own => KeyRef::Alias(alias),
                    _ => KeyRef::Arn { region, account, id: jomae_api::names::KeyId::new(id).ok_or_else(wrong)? },
                };
                return one(tx, call, permission, Target::Key(&reference));
            }
            match *what {
                _ if !is_own => Ok(foreign(name)),
                "*" => Ok(Resource::Service),
                "key" if *service == "kms" => Ok(Resource::Keys),
                "alias" if *service == "kms" => Ok(Resource::Aliases),
                _ => {
                    let alias = what.strip_prefix("alias/").and_then(AliasName::new).ok_or_else(wrong)?;
                    one(tx, call, permission, Target::AliasName(&alias))
                }
            }
        }
        "ram" if permission.starts_with("sts:") => {
            let role = RoleRef::from_wire(name).ok_or_else(wrong)?;
            one(tx, call, permission, Target::Role(&role))
        }
        "ram" if matches!(*region, "" | "*") => {
            let (kind, item) = what.split_once('/').ok_or_else(wrong)?;
            let kind = match (kind, *owner) {
                ("policy", "system") => RamKind::SystemPolicy,
                _ if !is_own => return Ok(foreign(name)),
                ("user", _) if permission == ChangePassword::PERMISSION => {
                    return Ok(Resource::OwnUser(item.to_owned()));
                }
                ("user", _) => RamKind::User,
                ("group", _) => RamKind::Group,
                ("role", _) => RamKind::Role,
                ("mfa", _) => RamKind::MfaDevice,
                ("policy", _) => RamKind::Policy,
                _ => return Err(wrong()),
            };
            Ok(Resource::Ram(kind, Some(item.to_owned()).filter(|item| item != "*")))
        }
        _ => Err(wrong()),
    }
}

fn foreign(name: &str) -> Resource {
    let refusal = jomae_api::error::Refusal::NoPermission;
    Resource::Missing { owner: Owner::Another, arn: name.to_owned(), refusal }
}

/// A question that has been put to the evaluator.
struct Asked<'a> {
    evaluator: &'a PolicyEvaluator<'a>,
    rights: &'a Rights,
    call: &'a Call<'a>,
    permission: &'static str,
    resource: &'a Resource,
    arn: &'a str,
}

impl Asked<'_> {
    /// Which statement allows it, once it is known that it is allowed.
    fn who_allowed(&self, context: Option<&EncryptionContext>) -> Result<String, Fault> {
        if matches!(self.resource, Resource::SignatureOnly) {
            return Ok("a valid signature is enough".to_owned());
        }
        let facts = self.evaluator.facts(context, self.tags(), &[]);
        let request = Request::new(number(self.permission)?, self.arn, &facts);
        for held in self.rights.policies.iter() {
            if let Verdict::Allow { statement } = held.compiled().evaluate(&request) {
                return Ok(format!("{}, statement {statement}, allows it", held.name()));
            }
        }
        if let (Resource::Key(key), Some(principal)) = (self.resource, principal(&self.call.caller))
            && let Some(policy) = key.record.compiled_policy()?
            && let ResourceVerdict::Allow { statement } | ResourceVerdict::AllowAccount { statement } =
                policy.evaluate_for(&request, &principal)
        {
            return Ok(format!("the key policy, statement {statement}, allows it"));
        }
        Ok("the account itself may do everything in it".to_owned())
    }

    fn tags(&self) -> Option<&Tags> {
        match self.resource {
            Resource::Key(key) => Some(&key.record.tags),
            _ => None,
        }
    }

    /// What each policy says of it.
    fn layers(&self, context: Option<&EncryptionContext>) -> Result<Vec<Layer>, Fault> {
        if matches!(self.resource, Resource::SignatureOnly | Resource::Missing { owner: Owner::Another, .. }) {
            return Ok(Vec::new());
        }
        let facts = self.evaluator.facts(context, self.tags(), &[]);
        let request = Request::new(number(self.permission)?, self.arn, &facts);
        let layer = |policy: &str, statements| Layer { policy: policy.to_owned(), statements };
        let mut layers: Vec<Layer> = self
            .rights
            .policies
            .iter()
            .map(|held| layer(held.name(), held.compiled().explain(&request.again())))
            .collect();
        if let (Resource::Key(key), Some(principal)) = (self.resource, principal(&self.call.caller))
            && let Some(policy) = key.record.compiled_policy()?
        {
            layers.push(layer("the key policy", policy.explain_for(&request, &principal)));
        }
        if let (Resource::Role(role), Some(principal)) = (self.resource, principal(&self.call.caller))
            && let Some(record) = &role.record
        {
            let more: Vec<(&'static str, &str)> =
                self.call.external_id.as_deref().map(|id| ("sts:ExternalId", id)).into_iter().collect();
            let facts = self.evaluator.facts(None, None, &more);
            let request = Request::new(number(self.permission)?, self.arn, &facts);
            layers.push(layer("the trust policy", record.compiled_trust()?.explain_for(&request, &principal)));
        }
        Ok(layers)
    }
}
