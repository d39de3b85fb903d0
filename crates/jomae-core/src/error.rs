//! Who erred: the caller (a [`Refusal`], shown), or we (a [`Fault`], logged and never shown).

use std::fmt;

use jomae_api::{
    actions::ram::policies::decode_diagnostic_message::AttachedTo,
    denied::{DecidedBy, NoPermissionType},
    error::Refusal,
};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// What becomes of a call, or of a part of it.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call has no answer.
#[derive(Debug)]
pub enum Error {
    Refused(Refusal),
    /// Refused since a permission is not there, and why.
    Denied(Refusal, Box<Denial>),
    Failed(Fault),
}

/// Why a permission was denied, for the operator's log. Names things of ours only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The permission, e.g. `kms:Decrypt`.
    pub permission: &'static str,
    /// The full name of the resource.
    pub resource: String,
    pub reason: String,
    /// The policies cost more than a decision may, so that nobody knows what they say.
    pub too_costly: bool,
    /// What the caller's account may know of it; none if that is nothing.
    pub disclosed: Option<Disclosed>,
}

/// What the account of a denied caller may know: what its own policies say, and those of its own keys and roles. Of what
/// is another's, whether it exists or not, it is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disclosed {
    /// The full name of the resource, as the caller may know it.
    pub resource: String,
    pub how: NoPermissionType,
    pub by: DecidedBy,
    /// The attached policy whose statement denies.
    pub policy: Option<DenyingPolicy>,
}

/// An attached policy with a statement that denies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenyingPolicy {
    pub name: String,
    /// Of a custom policy.
    pub version: Option<u32>,
    pub attached_to: AttachedTo,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: {}", self.permission, self.resource, self.reason)
    }
}

/// Our own failure. The cause is for the operator's log; the wire shows only the kind.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Fault {
    pub kind: FaultKind,
    cause: Box<dyn std::error::Error + Send + Sync>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A part that we need cannot be reached, or is full: may work later.
    Unavailable,
    /// The same, of a part that only some calls need, and of whose absence the operator has been told once: he is not told again of each call.
    Away,
    /// A change was made, but not every node has confirmed it: some may act as before for a while.
    InDoubt,
    /// Damage or a bug: will not work until someone mends it.
    Internal,
}

impl Fault {
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { kind: FaultKind::Internal, cause: cause.into() }
    }

    pub fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { kind: FaultKind::Unavailable, cause: cause.into() }
    }

    /// The part is watched by whoever gives this, who tells of its outage.
    pub fn away(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { kind: FaultKind::Away, cause: cause.into() }
    }

    /// Whether it may work later without anybody mending anything.
    pub const fn is_temporary(&self) -> bool {
        matches!(self.kind, FaultKind::Unavailable | FaultKind::Away)
    }

    pub fn in_doubt() -> Self {
        let cause = "the change was made, but not every node has confirmed it in time";
        Self { kind: FaultKind::InDoubt, cause: cause.into() }
    }

    /// What the caller is told.
    pub const fn refusal(&self) -> Refusal {
        match self.kind {
            FaultKind::Unavailable | FaultKind::Away | FaultKind::InDoubt => Refusal::Unavailable,
            FaultKind::Internal => Refusal::Internal,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Denial> for Error {
    fn from(why: Denial) -> Self {
        Self::Denied(Refusal::NoPermission, Box::new(why))
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Unavailable(_) => FaultKind::Unavailable,
            StoreError::Damaged(_) | StoreError::Limit(_) => FaultKind::Internal,
        };
        Self { kind, cause: Box::new(error) }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Error {
    /// What the caller is told.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::Refused(refusal) | Self::Denied(refusal, _) => *refusal,
            Self::Failed(fault) => fault.refusal(),
        }
    }
}
