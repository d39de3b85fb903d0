//! The epoch of an account's RAM: how often anything in it has changed, and what users and roles hold as long as nothing
//! does.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, PoisonError, RwLock},
};

use jomae_api::names::AccountId;
use serde::{Deserialize, Serialize};

use super::record::{PolicyRecord, RoleRecord, UserRecord, path};
use crate::{
    error::Fault,
    policy::{Compiled, SystemPolicy},
    stored::{Derived, plain_records},
    tx::Tx,
};

/// Users and roles of an account whose policies are kept together: more than an account can have.
const HOLDINGS_MAX: usize = 8192;

/// How often anything in the account's RAM has changed. Read before and after what must be of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    pub changes: u64,
    /// What users and roles hold, as long as nothing changes.
    #[serde(skip)]
    holdings_in_memory: Derived<PrincipalPolicies>,
}

plain_records!(form: 1, bears_rights: false; EpochRecord);

impl EpochRecord {
    /// What somebody holds, if it was found out since the last change.
    pub(crate) fn known(&self, holder: PrincipalId<'_>) -> Option<Arc<LoadedPrincipal>> {
        self.holdings_in_memory.get()?.get(holder)
    }

    /// Keeps what was read while this epoch lasted.
    pub(crate) fn keep(&self, holder: PrincipalId<'_>, holding: &Arc<LoadedPrincipal>) {
        let Ok(holdings) = self.holdings_in_memory.or_find(|| Ok::<_, Infallible>(PrincipalPolicies::default()));
        holdings.keep(holder, holding);
    }
}

/// Counts up the account's epoch with a change of RAM.
pub(crate) fn count_change(tx: &mut Tx<'_>, account: &AccountId) -> Result<(), Fault> {
    let at = path::epoch(account);
    let changes = tx.get::<EpochRecord>(&at)?.map_or(0, |epoch| epoch.changes);
    tx.put(at, &EpochRecord { changes: changes + 1, ..EpochRecord::default() })
}

/// A policy that somebody has.
#[derive(Clone)]
pub enum AttachedPolicy {
    System(&'static SystemPolicy),
    Custom(Arc<PolicyRecord>, Arc<Compiled>),
    /// One that nobody has yet: for simulations.
    Proposed(String, Arc<Compiled>),
}

impl AttachedPolicy {
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

/// Whose policies.
#[derive(Clone, Copy)]
pub(crate) enum PrincipalId<'a> {
    /// By its id.
    User(&'a str),
    /// By its id.
    Role(&'a str),
}

/// What a user or a role has.
pub(crate) enum LoadedPrincipal {
    /// It is gone.
    Nothing,
    /// With those of the groups that the user is in.
    User(Arc<UserRecord>, Arc<Vec<AttachedPolicy>>),
    Role(Arc<RoleRecord>, Arc<Vec<AttachedPolicy>>),
}

/// What users and roles of an account hold, by their ids. Kept with the account's epoch in memory, and gone with it at
/// the next change of RAM.
#[derive(Default)]
struct PrincipalPolicies {
    users: RwLock<HashMap<String, Arc<LoadedPrincipal>>>,
    roles: RwLock<HashMap<String, Arc<LoadedPrincipal>>>,
}

impl PrincipalPolicies {
    fn of<'a>(&self, holder: PrincipalId<'a>) -> (&RwLock<HashMap<String, Arc<LoadedPrincipal>>>, &'a str) {
        match holder {
            PrincipalId::User(id) => (&self.users, id),
            PrincipalId::Role(id) => (&self.roles, id),
        }
    }

    fn get(&self, holder: PrincipalId<'_>) -> Option<Arc<LoadedPrincipal>> {
        let (known, id) = self.of(holder);
        known.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn keep(&self, holder: PrincipalId<'_>, holding: &Arc<LoadedPrincipal>) {
        let (known, id) = self.of(holder);
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < HOLDINGS_MAX {
            known.insert(id.to_owned(), Arc::clone(holding));
        }
    }
}
