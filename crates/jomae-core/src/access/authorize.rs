//! The permission check, and the only maker of its proof.

use core::net::IpAddr;

use jomae_api::{
    action::{Action, RamKind, StateRule},
    actions::{is_shareable, metadata::KeyState, params::Tags},
    denied::DecidedBy,
    error::Refusal,
    names::alias_arn,
    param::EncryptionContext,
};

use super::{
    FoundAlias, FoundKey, FoundRole, Owner, Required, Resolved, Resource, Rights,
    explain::{self, TrustTells},
    rights::{rights_of, trust},
};
use crate::{
    call::Call,
    error::{Denial, Disclosed, Error, Fault},
    identity::{
        Caller, Who,
        token::{Trusted, TrustedPrincipal},
    },
    policy::{Facts, Principal, Request, ResourceVerdict, Verdict, action_number},
    tx::Tx,
};

/// The proof that the caller may do `A` on these resources. Handlers take it, and only [`authorize`] makes it, so a
/// handler without a permission check does not compile.
pub struct Authorized<'a, A> {
    action: &'a A,
    found: Resolved<'a>,
}

/// Checks every permission that the call needs.
pub fn authorize<'a, A: Action>(
    tx: &mut Tx<'_>,
    call: &Call<'_>,
    action: &'a A,
    found: Resolved<'a>,
) -> Result<Authorized<'a, A>, Error> {
    if call.caller.is_root() && found.needs.iter().all(|need| is_there_and_own(call, &need.resource)) {
        return Ok(Authorized { action, found });
    }
    let rights = rights_of(tx, call)?;
    if let Some(reason) = rights.dead {
        let permission = found.needs.first().map_or("any", |need| need.permission);
        let resource = call.caller.arn();
        return Err(denied(permission, resource, reason, None).into());
    }
    let evaluator = PolicyEvaluator::new(call, &rights, action.request_tags());
    let mut missing = None;
    for Required { permission, resource, context } in &found.needs {
        match evaluator.ask(permission, resource, *context)? {
            Ok(()) => {}
            Err(NotPermitted::Denied(why)) => return Err(why.into()),
            Err(NotPermitted::As(refusal)) => return Err(refusal.into()),
            Err(NotPermitted::Hidden) => missing = missing.or(Some(Refusal::KeyNotFound)),
        }
        if let Resource::Missing { refusal, .. } = resource {
            missing = missing.or(Some(*refusal));
        }
    }
    match missing {
        Some(refusal) => Err(refusal.into()),
        None => Ok(Authorized { action, found }),
    }
}

/// Whether it is something that the caller's account has: then no policy binds the account itself.
fn is_there_and_own(call: &Call<'_>, resource: &Resource) -> bool {
    match resource {
        Resource::SignatureOnly
        | Resource::Service
        | Resource::Keys
        | Resource::Aliases
        | Resource::Alias(_)
        | Resource::Ram(..)
        | Resource::OwnUser(_) => true,
        Resource::Key(key) => key.place.account == *call.caller.account(),
        Resource::Missing { .. } | Resource::Role(_) => false,
    }
}

/// Why a permission is not there.
pub(super) enum NotPermitted {
    Denied(Denial),
    As(Refusal),
    /// Another account's key that was found by a ciphertext: to this caller it does not exist.
    Hidden,
}

/// One call, ready to be judged.
pub(super) struct PolicyEvaluator<'c> {
    call: &'c Call<'c>,
    rights: &'c Rights,
    principal_arn: String,
    source_ip: Option<IpAddr>,
    request_tags: Option<&'c Tags>,
}

impl<'c> PolicyEvaluator<'c> {
    pub(super) fn new(call: &'c Call<'c>, rights: &'c Rights, request_tags: Option<&'c Tags>) -> Self {
        let principal_arn = match &call.caller.who {
            Who::Session(session) => format!("acs:ram::{}:role/{}", session.account, session.role_name),
            Who::Root | Who::User { .. } | Who::Federated(_) => call.caller.arn(),
        };
        let source_ip = call.source_ip.parse().ok();
        Self { call, rights, principal_arn, source_ip, request_tags }
    }

    fn caller(&self) -> &Caller {
        &self.call.caller
    }

    /// Whether one permission is there.
    pub(super) fn ask(
        &self,
        permission: &'static str,
        resource: &Resource,
        context: Option<&EncryptionContext>,
    ) -> Result<Result<(), NotPermitted>, Fault> {
        if let (Who::Federated(_), false) = (&self.caller().who, matches!(resource, Resource::Role(_))) {
            let reason = "a caller without a signature may only assume a role";
            return Ok(Err(NotPermitted::Denied(denied(permission, String::new(), reason, None))));
        }
        match resource {
            Resource::SignatureOnly => Ok(Ok(())),
            Resource::Role(role) => self.ask_role(permission, role),
            Resource::OwnUser(_) => self.ask_unless_denied(permission, &self.arn_of(permission, resource)),
            Resource::Key(key) => self.ask_key(permission, key, context),
            Resource::Missing { owner: Owner::Another, arn, .. } => {
                let disclosed = self.without_other_side(permission, arn, context)?;
                Ok(Err(NotPermitted::Denied(denied(permission, arn.clone(), "it is another account's", disclosed))))
            }
            _ if self.caller().is_root() => Ok(Ok(())),
            _ if self.binds_own_device(permission, resource) => {
                self.ask_unless_denied(permission, &self.arn_of(permission, resource))
            }
            _ => self.ask_identity(permission, &self.arn_of(permission, resource), context, None),
        }
    }

    /// Whether a user does what the login profile asks for (`MFABindRequired`), with whom nothing else goes on: a policy that
    /// is missing must not keep anybody out.
    fn binds_own_device(&self, permission: &str, resource: &Resource) -> bool {
        let Caller { who: Who::User { name, .. }, signed_in: Some(facts), .. } = self.caller() else { return false };
        facts.must_bind
            && match resource {
                Resource::Ram(RamKind::MfaDevice, None) => permission == "ram:CreateVirtualMFADevice",
                Resource::Ram(RamKind::User, Some(user)) => {
                    user == name && matches!(permission, "ram:BindMFADevice" | "ram:GetUserMFAInfo")
                }
                _ => false,
            }
    }

    pub(super) fn facts<'f>(
        &'f self,
        context: Option<&'f EncryptionContext>,
        tags: Option<&'f Tags>,
        more: &'f [(&'static str, &'f str)],
    ) -> Facts<'f> {
        Facts {
            now: self.call.now,
            // The API answers over TLS only.
            secure_transport: true,
            source_ip: self.source_ip,
            mfa_present: self.caller().signed_in.as_ref().map(|signed_in| signed_in.mfa),
            principal_arn: &self.principal_arn,
            encryption_context: context,
            resource_tags: tags,
            request_tags: self.request_tags,
            more,
        }
    }

    /// What may be told of a denial on what is, or would be, another account's: what the caller's own policies say of the
    /// name alone. So it is the same whether the thing exists or not, and whatever its policy and its tags are.
    fn without_other_side(
        &self,
        permission: &'static str,
        named: &str,
        context: Option<&EncryptionContext>,
    ) -> Result<Option<Disclosed>, Fault> {
        let facts = self.facts(context, None, &[]);
        let request = Request::new(number(permission)?, named, &facts);
        Ok(explain::own_side(self.caller(), self.rights, &request).or_other_side(DecidedBy::Resource, named))
    }

    /// What the caller's own policies and the session policy say.
    fn ask_identity(
        &self,
        permission: &'static str,
        arn: &str,
        context: Option<&EncryptionContext>,
        tags: Option<&Tags>,
    ) -> Result<Result<(), NotPermitted>, Fault> {
        let facts = self.facts(context, tags, &[]);
        let request = Request::new(number(permission)?, arn, &facts);
        let allowed =
            matches!(self.rights.verdict(&request), Verdict::Allow { .. }) && self.rights.session_allows(&request);
        Ok(if allowed {
            Ok(())
        } else {
            Err(NotPermitted::Denied(explain::identity(self.caller(), self.rights, permission, &request)))
        })
    }

    /// Whether no policy of the caller denies it; none has to allow it.
    fn ask_unless_denied(&self, permission: &'static str, arn: &str) -> Result<Result<(), NotPermitted>, Fault> {
        let facts = self.facts(None, None, &[]);
        let request = Request::new(number(permission)?, arn, &facts);
        Ok(match self.rights.verdict(&request) {
            Verdict::Allow { .. } | Verdict::ImplicitDeny => Ok(()),
            Verdict::ExplicitDeny { .. } | Verdict::TooCostly => {
                Err(NotPermitted::Denied(explain::identity(self.caller(), self.rights, permission, &request)))
            }
        })
    }

    /// Identity policies and key policy. In the key's own account either suffices; from another account both must
    /// allow. A deny in either wins. A key policy that names the account leaves it to the account's own policies.
    fn ask_key(
        &self,
        permission: &'static str,
        key: &FoundKey,
        context: Option<&EncryptionContext>,
    ) -> Result<Result<(), NotPermitted>, Fault> {
        let is_own = key.place.account == self.caller().account;
        if is_own && self.caller().is_root() {
            return Ok(Ok(()));
        }
        let arn = key.place.arn();
        let facts = self.facts(context, Some(&key.record.tags), &[]);
        let request = Request::new(number(permission)?, &arn, &facts);
        let by_key = match (key.record.compiled_policy()?, principal(self.caller())) {
            (Some(policy), Some(who)) => policy.evaluate_for(&request, &who),
            _ => ResourceVerdict::NotNamed,
        };
        let by_identity = match &self.caller().who {
            Who::Root => Verdict::Allow { statement: 0 },
            _ => self.rights.verdict(&request),
        };
        let denied = matches!(by_key, ResourceVerdict::ExplicitDeny { .. } | ResourceVerdict::TooCostly)
            || matches!(by_identity, Verdict::ExplicitDeny { .. } | Verdict::TooCostly)
            || !self.rights.session_allows(&request);
        let identity_allows = matches!(by_identity, Verdict::Allow { .. });
        let allowed = !denied
            && if is_own {
                identity_allows || matches!(by_key, ResourceVerdict::Allow { .. })
            } else {
                identity_allows
                    && matches!(by_key, ResourceVerdict::Allow { .. } | ResourceVerdict::AllowAccount { .. })
                    && is_shareable(permission)
            };
        if allowed {
            return Ok(Ok(()));
        }
        if let Some(stand_in) = &key.hidden_as {
            // Whoever could decrypt something of that name learns as much as about a ciphertext of nobody's.
            let asked =
                if self.caller().is_root() { Ok(()) } else { self.ask_identity(permission, stand_in, context, None)? };
            return Ok(asked.and(Err(NotPermitted::Hidden)));
        }
        Ok(Err(NotPermitted::Denied(if is_own {
            explain::own_key(self.caller(), self.rights, permission, &request, by_key)
        } else {
            let disclosed = self.without_other_side(permission, key.alias.as_deref().unwrap_or(&arn), context)?;
            explain::foreign_key(self.rights, permission, &request, by_key, disclosed)
        })))
    }

    /// A role: its trust policy must name the caller, and the caller's own policies must allow it.
    fn ask_role(&self, permission: &'static str, role: &FoundRole) -> Result<Result<(), NotPermitted>, Fault> {
        let arn = role.role.arn();
        let who = match &self.caller().who {
            Who::Root => return Ok(Err(NotPermitted::As(Refusal::RootMayNotAssume))),
            Who::User { name, .. } => {
                TrustedPrincipal::User { account: self.caller().account.clone(), name: name.clone() }
            }
            Who::Session(session) => {
                TrustedPrincipal::Role { account: session.account.clone(), name: session.role_name.clone() }
            }
            Who::Federated(federated) => TrustedPrincipal::Federated { provider_arn: federated.provider_arn.clone() },
        };
        if !matches!(self.caller().who, Who::Federated(_)) {
            let own = self.ask_identity(permission, &arn, None, None)?;
            if own.is_err() {
                return Ok(own);
            }
        }
        let is_federated = matches!(self.caller().who, Who::Federated(_));
        let tells = match role.role.account == self.caller().account {
            _ if is_federated => TrustTells::Nothing,
            true => TrustTells::All,
            false => TrustTells::OtherSide,
        };
        let Some(record) = &role.record else {
            // Who is of the account may know. Of another's one is told nothing; nor is who comes with a token: an issuer
            // may serve the whole world.
            return Ok(Err(if tells == TrustTells::All {
                NotPermitted::As(Refusal::RoleNotFound)
            } else {
                let untrusting = explain::trust(permission, arn, ResourceVerdict::NotNamed, tells);
                NotPermitted::Denied(Denial { reason: "there is no such role".to_owned(), ..untrusting })
            }));
        };
        let trusted = trusted_of(self.call, who);
        match trust(record, &role.role.account, &trusted, self.call.now)? {
            ResourceVerdict::Allow { .. } | ResourceVerdict::AllowAccount { .. } => Ok(Ok(())),
            verdict => Ok(Err(NotPermitted::Denied(explain::trust(permission, arn, verdict, tells)))),
        }
    }
}

/// What a trust policy can ask about a call.
pub(crate) fn trusted_of(call: &Call<'_>, who: TrustedPrincipal) -> Trusted {
    let federated = match &call.caller.who {
        Who::Federated(federated) => Some(federated),
        _ => None,
    };
    Trusted {
        who,
        source_ip: call.source_ip.clone().into_owned(),
        // AssumeRoleWithOIDC has no such parameter: nobody has looked at what stands there.
        external_id: call.external_id.as_deref().filter(|_| federated.is_none()).map(str::to_owned),
        issuer: federated.map(|federated| federated.issuer.clone()),
        audience: federated.map(|federated| federated.audience.clone()),
        subject: federated.map(|federated| federated.subject.clone()),
    }
}

fn denied(permission: &'static str, resource: String, reason: &str, disclosed: Option<Disclosed>) -> Denial {
    Denial { permission, resource, reason: reason.to_owned(), too_costly: false, disclosed }
}

pub(super) fn number(permission: &'static str) -> Result<u16, Fault> {
    action_number(permission).ok_or_else(|| Fault::internal(format!("the permission {permission} is not declared")))
}

/// The caller as policies of keys and roles name it.
pub(super) fn principal(caller: &Caller) -> Option<Principal<'_>> {
    let account = &caller.account;
    match &caller.who {
        Who::Root => Some(Principal::Root { account }),
        Who::User { name, .. } => Some(Principal::User { account, name }),
        Who::Session(session) => Some(Principal::Role { account, name: &session.role_name }),
        Who::Federated(_) => None,
    }
}

impl PolicyEvaluator<'_> {
    /// The full name that policies know a resource by.
    pub(super) fn arn_of(&self, permission: &str, resource: &Resource) -> String {
        let account = &self.caller().account;
        let region = &self.call.region;
        match resource {
            Resource::SignatureOnly => String::new(),
            Resource::Service => {
                let service = permission.split(':').next().unwrap_or_default();
                // RAM has no regions.
                let region = if service == "ram" { "" } else { region.as_str() };
                format!("acs:{service}:{region}:{account}:*")
            }
            Resource::Keys => format!("acs:kms:{region}:{account}:key"),
            Resource::Aliases => format!("acs:kms:{region}:{account}:alias"),
            Resource::Key(key) => key.place.arn(),
            Resource::Alias(alias) => alias_arn(region, account, &alias.name),
            Resource::Missing { arn, .. } => arn.clone(),
            Resource::Ram(kind, name) => {
                let owner = match kind {
                    RamKind::SystemPolicy => "system",
                    _ => account.as_str(),
                };
                format!("acs:ram::{owner}:{}/{}", kind.as_str(), name.as_deref().unwrap_or("*"))
            }
            Resource::OwnUser(name) => format!("acs:ram::{account}:user/{name}"),
            Resource::Role(role) => role.role.arn(),
        }
    }
}

impl<A> Authorized<'_, A> {
    /// What the caller asked for.
    pub fn action(&self) -> &A {
        self.action
    }

    /// The keys that the call acts on.
    pub fn keys(&self) -> impl Iterator<Item = &FoundKey> {
        self.found.needs.iter().filter_map(|need| match &need.resource {
            Resource::Key(key) => Some(key),
            _ => None,
        })
    }

    /// The key that the call acts on. A fault if its declaration names none, as of the others.
    pub fn key(&self) -> Result<&FoundKey, Error> {
        Self::declared("key", self.keys().next())
    }

    /// The alias that the call acts on.
    pub fn alias(&self) -> Result<&FoundAlias, Error> {
        let mut resources = self.found.needs.iter().map(|need| &need.resource);
        Self::declared(
            "alias",
            resources.find_map(|of| if let Resource::Alias(alias) = of { Some(alias) } else { None }),
        )
    }

    /// The role that the call assumes.
    pub fn role(&self) -> Result<&FoundRole, Error> {
        let mut resources = self.found.needs.iter().map(|need| &need.resource);
        Self::declared("role", resources.find_map(|of| if let Resource::Role(role) = of { Some(role) } else { None }))
    }

    fn declared<'t, T>(what: &str, found: Option<&'t T>) -> Result<&'t T, Error> {
        found.ok_or_else(|| Fault::internal(format!("the action declares no {what}")).into())
    }

    /// Applies the state table to the keys. Handlers never look at states to refuse.
    pub fn check_states(&self, rule: &StateRule) -> Result<(), Refusal> {
        for key in self.keys() {
            let refusal = match key.record.state {
                KeyState::Enabled => rule.enabled,
                KeyState::Disabled => rule.disabled,
                KeyState::PendingDeletion => rule.pending_deletion,
                KeyState::PendingImport => rule.pending_import,
            };
            if let Some(refusal) = refusal {
                return Err(refusal);
            }
        }
        Ok(())
    }
}
