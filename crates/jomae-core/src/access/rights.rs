//! What a caller has been given: the policies that speak for it, read from the records of this moment.

use core::net::IpAddr;
use std::sync::Arc;

use jomae_api::{names::AccountId, time::Timestamp};

use crate::{
    error::Fault,
    identity::{
        Who,
        token::{Session, Trusted, TrustedPrincipal},
    },
    policy::{
        Compiled, Facts, Principal, Request, ResourceVerdict, SystemPolicy, Verdict, action_number, system_policy,
    },
    ram::record::{Attached, EpochRecord, GroupRecord, PolicyKind, PolicyRecord, RoleRecord, UserRecord, path},
    run::Call,
    tx::Tx,
};

/// The policies that speak for a caller.
pub struct Rights {
    /// Of the user and its groups, or of the role. Not asked for the account itself.
    pub policies: Vec<Held>,
    /// Narrows the session.
    pub session: Option<Arc<Compiled>>,
    /// Why nothing at all is allowed.
    pub dead: Option<&'static str>,
}

/// A policy that somebody has.
pub enum Held {
    System(&'static SystemPolicy),
    Custom(Arc<PolicyRecord>, Arc<Compiled>),
    /// One that nobody has yet: for simulations.
    Proposed(String, Arc<Compiled>),
}

impl Held {
    pub fn name(&self) -> &str {
        match self {
            Self::System(policy) => policy.name,
            Self::Custom(record, _) => &record.name,
            Self::Proposed(name, _) => name,
        }
    }

    pub fn compiled(&self) -> &Compiled {
        match self {
            Self::System(policy) => policy.compiled(),
            Self::Custom(_, compiled) | Self::Proposed(_, compiled) => compiled,
        }
    }
}

impl Rights {
    const fn none() -> Self {
        Self { policies: Vec::new(), session: None, dead: None }
    }

    /// What all identity policies together say: a deny wins, whatever the order.
    pub fn verdict(&self, request: &Request<'_>) -> Verdict {
        let mut verdict = Verdict::ImplicitDeny;
        for held in &self.policies {
            match held.compiled().evaluate(request) {
                deny @ Verdict::ExplicitDeny { .. } => return deny,
                allow @ Verdict::Allow { .. } => verdict = allow,
                Verdict::ImplicitDeny => {}
            }
        }
        verdict
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
pub fn rights_of(tx: &mut Tx<'_>, call: &Call) -> Result<Rights, Fault> {
    let account = &call.caller.account;
    match &call.caller.who {
        Who::Root | Who::Federated(_) => Ok(Rights::none()),
        Who::User { id, .. } => at_one_moment(tx, account, |tx| of_user(tx, account, id)),
        Who::Session(session) => at_one_moment(tx, account, |tx| of_session(tx, session)),
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

/// The policies of a user and of the groups that it is in.
pub fn of_user(tx: &mut Tx<'_>, account: &AccountId, id: &str) -> Result<Rights, Fault> {
    let mut rights = Rights::none();
    let Some(user) = tx.get::<UserRecord>(&path::user(account, id))? else {
        return Ok(Rights { dead: Some("the user is gone"), ..rights });
    };
    add(tx, account, &user.policies, &mut rights.policies)?;
    for (group, _) in &user.groups {
        if let Some(group) = tx.get::<GroupRecord>(&path::group(account, group))? {
            add(tx, account, &group.policies, &mut rights.policies)?;
        }
    }
    Ok(rights)
}

fn of_session(tx: &mut Tx<'_>, session: &Session) -> Result<Rights, Fault> {
    let mut rights = Rights::none();
    let Some(role) = tx.get::<RoleRecord>(&path::role(&session.account, &session.role_id))? else {
        return Ok(Rights { dead: Some("the role is gone"), ..rights });
    };
    if role.trust_epoch != session.trust_epoch && !still_trusts(&role, session)? {
        return Ok(Rights { dead: Some("the role no longer trusts who assumed it"), ..rights });
    }
    add(tx, &session.account, &role.policies, &mut rights.policies)?;
    rights.session = session.compiled_policy()?;
    Ok(rights)
}

/// The policies of a role.
pub fn of_role(tx: &mut Tx<'_>, account: &AccountId, role: &RoleRecord) -> Result<Rights, Fault> {
    let mut rights = Rights::none();
    add(tx, account, &role.policies, &mut rights.policies)?;
    Ok(rights)
}

fn add(tx: &mut Tx<'_>, account: &AccountId, attached: &[Attached], to: &mut Vec<Held>) -> Result<(), Fault> {
    for Attached { kind, name, .. } in attached {
        match kind {
            PolicyKind::System => {
                // One that a newer release knows and this one does not cannot be skipped: it might deny.
                let policy = system_policy(name).ok_or_else(|| Fault::internal("a system policy is not known"))?;
                to.push(Held::System(policy));
            }
            PolicyKind::Custom => {
                let record = tx.get::<PolicyRecord>(&path::policy(account, name))?;
                let record = record.ok_or_else(|| Fault::internal("an attached policy is missing"))?;
                let compiled = record.compiled()?;
                to.push(Held::Custom(record, compiled));
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
        let request = Request { action, resource: &resource, facts: &facts };
        Ok::<_, Fault>(role.compiled_trust()?.evaluate_for(&request, &principal))
    };
    // Trust in an OIDC provider may be written with either name of the action.
    let first = asked(permission)?;
    if permission == "sts:AssumeRole" || matches!(first, ResourceVerdict::ExplicitDeny { .. }) {
        return Ok(first);
    }
    let second = asked("sts:AssumeRole")?;
    Ok(match (first, second) {
        (_, deny @ ResourceVerdict::ExplicitDeny { .. }) => deny,
        (ResourceVerdict::NotNamed, other) | (other, _) => other,
    })
}
