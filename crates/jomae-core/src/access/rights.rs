//! What a caller has been given: the policies that speak for it, read from the records of this moment.

use core::net::IpAddr;
use std::sync::Arc;

use jomae_api::{limits, names::AccountId, time::Timestamp};

use crate::{
    call::Call,
    error::Fault,
    identity::{
        Who,
        token::{Session, Trusted, TrustedPrincipal},
    },
    policy::{Compiled, Facts, Principal, Request, ResourceVerdict, Verdict, action_number, system_policy},
    ram::{
        epoch::{AttachedPolicy, EpochRecord, LoadedPrincipal, PrincipalId},
        record::{Attached, GroupRecord, PolicyRecord, PolicyType, RoleRecord, UserRecord, path},
    },
    tx::Tx,
};

/// The policies that speak for a caller.
pub struct Rights {
    /// Of the user and its groups, or of the role. Not asked for the account itself.
    pub policies: Arc<Vec<AttachedPolicy>>,
    /// How many of them, at the head, are attached to the user or the role itself; the others are of groups.
    pub own: usize,
    /// Narrows the session.
    pub session: Option<Arc<Compiled>>,
    /// Why nothing at all is allowed.
    pub dead: Option<&'static str>,
}

impl Rights {
    fn none() -> Self {
        Self { policies: Arc::default(), own: 0, session: None, dead: None }
    }

    fn dead(reason: &'static str) -> Self {
        Self { dead: Some(reason), ..Self::none() }
    }

    /// What all identity policies together say: a deny wins, whatever the order.
    pub fn verdict(&self, request: &Request<'_>) -> Verdict {
        let mut verdict = Verdict::ImplicitDeny;
        for held in self.policies.iter() {
            match held.compiled().evaluate(request) {
                denied @ (Verdict::ExplicitDeny { .. } | Verdict::TooCostly) => return denied,
                allow @ Verdict::Allow { .. } => verdict = allow,
                Verdict::ImplicitDeny => {}
            }
        }
        verdict
    }

    /// Whether they allow an action on every resource, whatever else is true of the call, within any budget. `false` may also
    /// mean that it depends on these.
    pub fn allow_whatever(&self, permission: &'static str) -> Result<bool, Fault> {
        let action = action_number(permission)
            .ok_or_else(|| Fault::internal(format!("{permission} is no permission of any action")))?;
        let all = || self.policies.iter().map(AttachedPolicy::compiled).chain(self.session.as_deref());
        if all().map(Compiled::steps_max).fold(0, u64::saturating_add) > limits::DECISION_STEPS_MAX {
            return Ok(false);
        }
        let mut is_allowed = false;
        for held in self.policies.iter() {
            match held.compiled().says_always(action) {
                Some(allows) => is_allowed |= allows,
                None => return Ok(false),
            }
        }
        Ok(is_allowed && self.session.as_ref().is_none_or(|session| session.says_always(action) == Some(true)))
    }

    /// What the session policy says; one that is not there allows.
    pub fn session_allows(&self, request: &Request<'_>) -> bool {
        self.session.as_ref().is_none_or(|policy| matches!(policy.evaluate(request), Verdict::Allow { .. }))
    }
}

/// How often rights are read while RAM keeps changing.
const MOMENTS_MAX: u32 = 64;

/// Reads the policies of the caller, all as they stood at one moment. That RAM has not changed since is part of what
/// the call's commit compares.
pub fn rights_of(tx: &mut Tx<'_>, call: &Call<'_>) -> Result<Rights, Fault> {
    let account = &call.caller.account;
    match &call.caller.who {
        Who::Root | Who::Federated(_) => Ok(Rights::none()),
        Who::User { id, name } => match &*holding(tx, account, PrincipalId::User(id))? {
            // Policies of keys and roles know a user by its name, which was read before: both must be of one moment.
            LoadedPrincipal::User(user, _) if user.name != *name => {
                Err(Fault::unavailable("the caller was renamed during the call"))
            }
            LoadedPrincipal::User(user, policies) => {
                Ok(Rights { policies: Arc::clone(policies), own: user.policies.len(), ..Rights::none() })
            }
            LoadedPrincipal::Nothing | LoadedPrincipal::Role(..) => Ok(Rights::dead("the user is gone")),
        },
        Who::Session(session) => match &*holding(tx, account, PrincipalId::Role(&session.role_id))? {
            LoadedPrincipal::Role(role, policies) => of_session(role, policies, session),
            LoadedPrincipal::Nothing | LoadedPrincipal::User(..) => Ok(Rights::dead("the role is gone")),
        },
    }
}

/// Reads several records of RAM as they stood together: every change of RAM counts up the account's epoch, and if that
/// has moved meanwhile, all is read again. So whoever leaves a group is never given what the group is given later.
pub fn at_one_moment<T>(
    tx: &mut Tx<'_>,
    account: &AccountId,
    mut read: impl FnMut(&mut Tx<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let epoch = path::epoch(account);
    for _ in 0..MOMENTS_MAX {
        let before = tx.get::<EpochRecord>(&epoch)?;
        let mut aside = tx.aside();
        let result = read(&mut aside);
        if aside.get::<EpochRecord>(&epoch)? == before {
            return result;
        }
    }
    Err(Fault::unavailable("the rights of the caller kept changing"))
}

/// What somebody holds, all of it as it stood at one moment.
fn holding(tx: &mut Tx<'_>, account: &AccountId, holder: PrincipalId<'_>) -> Result<Arc<LoadedPrincipal>, Fault> {
    let path = path::epoch(account);
    // What was kept with an epoch was read while it lasted.
    let epoch = tx.get::<EpochRecord>(&path)?;
    let known = epoch.and_then(|epoch| epoch.known(holder));
    if let Some(known) = known {
        return Ok(known);
    }
    let (epoch, holding) = at_one_moment(tx, account, |tx| {
        let epoch = tx.get::<EpochRecord>(&path)?;
        let holding = match holder {
            PrincipalId::User(id) => of_user(tx, account, id)?,
            PrincipalId::Role(id) => of_role(tx, account, id)?,
        };
        Ok((epoch, Arc::new(holding)))
    })?;
    if let Some(epoch) = epoch {
        epoch.keep(holder, &holding);
    }
    Ok(holding)
}

fn of_user(tx: &mut Tx<'_>, account: &AccountId, id: &str) -> Result<LoadedPrincipal, Fault> {
    let Some(user) = tx.get::<UserRecord>(&path::user(account, id))? else { return Ok(LoadedPrincipal::Nothing) };
    let mut policies = Vec::new();
    add(tx, account, &user.policies, &mut policies)?;
    for (group, _) in &user.groups {
        // One that is not there is damage, and cannot be skipped: it might deny.
        let group = tx.get::<GroupRecord>(&path::group(account, group))?;
        let group = group.ok_or_else(|| Fault::internal("a group of the user is missing"))?;
        add(tx, account, &group.policies, &mut policies)?;
    }
    Ok(LoadedPrincipal::User(user, Arc::new(policies)))
}

fn of_role(tx: &mut Tx<'_>, account: &AccountId, id: &str) -> Result<LoadedPrincipal, Fault> {
    let Some(role) = tx.get::<RoleRecord>(&path::role(account, id))? else { return Ok(LoadedPrincipal::Nothing) };
    let mut policies = Vec::new();
    add(tx, account, &role.policies, &mut policies)?;
    Ok(LoadedPrincipal::Role(role, Arc::new(policies)))
}

fn of_session(role: &RoleRecord, policies: &Arc<Vec<AttachedPolicy>>, session: &Session) -> Result<Rights, Fault> {
    if role.trust_epoch != session.trust_epoch && !still_trusts(role, session)? {
        return Ok(Rights::dead("the role no longer trusts who assumed it"));
    }
    Ok(Rights {
        policies: Arc::clone(policies),
        own: role.policies.len(),
        session: session.compiled_policy()?,
        ..Rights::none()
    })
}

fn add(tx: &mut Tx<'_>, account: &AccountId, attached: &[Attached], to: &mut Vec<AttachedPolicy>) -> Result<(), Fault> {
    for Attached { kind, name, .. } in attached {
        match kind {
            PolicyType::System => {
                // One that a newer release knows and this one does not cannot be skipped: it might deny.
                let policy = system_policy(name).ok_or_else(|| Fault::internal("a system policy is not known"))?;
                to.push(AttachedPolicy::System(policy));
            }
            PolicyType::Custom => {
                let record = tx.get::<PolicyRecord>(&path::policy(account, name))?;
                let record = record.ok_or_else(|| Fault::internal("an attached policy is missing"))?;
                let compiled = record.compiled()?;
                to.push(AttachedPolicy::Custom(record, compiled));
            }
        }
    }
    Ok(())
}

/// Asks the trust policy of today about the session of then.
fn still_trusts(role: &RoleRecord, session: &Session) -> Result<bool, Fault> {
    let verdict = trust(role, &session.account, &session.trusted, Timestamp(session.created))?;
    Ok(matches!(verdict, ResourceVerdict::Allow { .. } | ResourceVerdict::AllowAccount { .. }))
}

/// What a role's trust policy says about somebody who wants to assume it.
pub fn trust(
    role: &RoleRecord,
    role_account: &AccountId,
    trusted: &Trusted,
    now: Timestamp,
) -> Result<ResourceVerdict, Fault> {
    let (permission, principal, principal_arn) = match &trusted.who {
        TrustedPrincipal::User { account, name } => {
            ("sts:AssumeRole", Principal::User { account, name }, format!("acs:ram::{account}:user/{name}"))
        }
        TrustedPrincipal::Role { account, name } => {
            ("sts:AssumeRole", Principal::Role { account, name }, format!("acs:ram::{account}:role/{name}"))
        }
        TrustedPrincipal::Federated { provider_arn } => {
            ("sts:AssumeRoleWithOIDC", Principal::Federated { provider_arn }, provider_arn.clone())
        }
    };
    let more: Vec<(&'static str, &str)> = [
        ("sts:ExternalId", &trusted.external_id),
        ("oidc:iss", &trusted.issuer),
        ("oidc:aud", &trusted.audience),
        ("oidc:sub", &trusted.subject),
    ]
    .into_iter()
    .filter_map(|(key, value)| value.as_deref().map(|value| (key, value)))
    .collect();
    let facts = Facts {
        now,
        secure_transport: true,
        source_ip: trusted.source_ip.parse::<IpAddr>().ok(),
        mfa_present: None,
        principal_arn: &principal_arn,
        encryption_context: None,
        resource_tags: None,
        request_tags: None,
        more: &more,
    };
    let resource = format!("acs:ram::{role_account}:role/{}", role.name);
    let asked = |permission| {
        let action = action_number(permission).ok_or_else(|| Fault::internal("a permission is not known"))?;
        let request = Request::new(action, &resource, &facts);
        Ok::<_, Fault>(role.compiled_trust()?.evaluate_for(&request, &principal))
    };
    // Trust in an OIDC provider may be written with either name of the action.
    let first = asked(permission)?;
    if permission == "sts:AssumeRole"
        || matches!(first, ResourceVerdict::ExplicitDeny { .. } | ResourceVerdict::TooCostly)
    {
        return Ok(first);
    }
    let second = asked("sts:AssumeRole")?;
    Ok(match (first, second) {
        (_, denied @ (ResourceVerdict::ExplicitDeny { .. } | ResourceVerdict::TooCostly)) => denied,
        (ResourceVerdict::NotNamed, other) | (other, _) => other,
    })
}
