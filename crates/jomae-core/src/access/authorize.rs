//! The permission check, and the only maker of its proof.

use jomae_api::{
    action::{Action, StateRule},
    actions::metadata::KeyState,
    error::Refusal,
};

use super::{Found, FoundAlias, FoundKey, Owner, Resource};
use crate::{error::Error, error::Fault, identity::Caller, run::Call};

/// The proof that the caller may do `A` on these resources. Handlers take it, and only [`authorize`] makes it, so a
/// handler without a permission check does not compile.
pub struct Authorized<'a, A> {
    action: &'a A,
    found: Found,
}

/// Checks every permission that the call needs.
pub fn authorize<'a, A: Action>(call: &Call, action: &'a A, found: Found) -> Result<Authorized<'a, A>, Refusal> {
    for (_, resource) in &found.needs {
        if !allowed(&call.caller, resource) {
            return Err(Refusal::NoPermission);
        }
    }
    for (_, resource) in &found.needs {
        if let Resource::Missing { refusal, .. } = resource {
            return Err(*refusal);
        }
    }
    Ok(Authorized { action, found })
}

/// An account may do everything with what is its own, and nothing with what is another's.
fn allowed(caller: &Caller, resource: &Resource) -> bool {
    match caller {
        Caller::Root { account, .. } => match resource {
            Resource::SignatureOnly | Resource::Service | Resource::Keys | Resource::Aliases | Resource::Alias(_) => {
                true
            }
            Resource::Key(found) => found.place.account == *account,
            Resource::Missing { owner, .. } => matches!(owner, Owner::Caller | Owner::Nobody),
        },
    }
}

impl<A> Authorized<'_, A> {
    /// What the caller asked for.
    pub fn action(&self) -> &A {
        self.action
    }

    /// The keys that the call acts on.
    pub fn keys(&self) -> impl Iterator<Item = &FoundKey> {
        self.found.needs.iter().filter_map(|(_, resource)| match resource {
            Resource::Key(key) => Some(key),
            _ => None,
        })
    }

    /// The key that the call acts on. A fault if its declaration names none.
    pub fn key(&self) -> Result<&FoundKey, Error> {
        self.keys().next().ok_or_else(|| Fault::internal("the action declares no key").into())
    }

    /// The alias that the call acts on. A fault if its declaration names none.
    pub fn alias(&self) -> Result<&FoundAlias, Error> {
        self.found
            .needs
            .iter()
            .find_map(|(_, resource)| match resource {
                Resource::Alias(alias) => Some(alias),
                _ => None,
            })
            .ok_or_else(|| Fault::internal("the action declares no alias").into())
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
