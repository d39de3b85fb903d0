//! May they? What a call acts on, and the proof that it is allowed.

mod authorize;
mod resolve;

use std::sync::Arc;

use jomae_api::{error::Refusal, names::AliasName};

pub use authorize::{Authorized, authorize};
pub use resolve::resolve;

use crate::record::{AliasRecord, KeyPlace, KeyRecord};

/// What the targets of a call turned out to be.
pub struct Found {
    /// RAM action and resource, all of which must be allowed.
    pub needs: Vec<(&'static str, Resource)>,
}

/// What a permission is needed on, looked up.
#[derive(Clone)]
pub enum Resource {
    /// A valid signature is enough.
    SignatureOnly,
    /// The account's KMS as a whole.
    Service,
    /// The container of keys.
    Keys,
    /// The container of aliases.
    Aliases,
    Key(FoundKey),
    Alias(FoundAlias),
    /// Named, but not there: the permission is checked all the same, and only who has it learns of the absence.
    Missing {
        owner: Owner,
        refusal: Refusal,
    },
}

/// Whose a missing thing would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Caller,
    Another,
    /// A ciphertext whose key version nobody knows: nobody's, and the same answer for all.
    Nobody,
}

/// A key that exists.
#[derive(Clone)]
pub struct FoundKey {
    pub place: KeyPlace,
    pub record: Arc<KeyRecord>,
    /// The number of the version that a ciphertext names.
    pub version: Option<u32>,
}

/// An alias: there already, or about to be made.
#[derive(Clone)]
pub struct FoundAlias {
    pub name: AliasName,
    pub record: Option<Arc<AliasRecord>>,
}
