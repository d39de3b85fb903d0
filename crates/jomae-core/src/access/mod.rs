//! May they? What a call acts on, and the proof that it is allowed.

mod authorize;
pub mod diagnosis;
mod explain;
mod reader;
mod resolve;
pub mod rights;
pub mod simulate;

use std::sync::{Arc, OnceLock};

use jomae_api::{
    action::RamKind,
    error::Refusal,
    names::{AliasName, KeyPlace, RoleRef},
    param::EncryptionContext,
};

pub(crate) use authorize::trusted_of;
pub use authorize::{Authorized, authorize};
pub(crate) use reader::KeyReader;
pub use resolve::resolve;
pub use rights::Rights;

use crate::{
    error::Fault,
    ram::record::RoleRecord,
    record::{AliasRecord, KeyRecord, VersionRecord},
};

/// What the targets of a call turned out to be.
pub struct Resolved<'a> {
    /// All of which must be allowed.
    pub needs: Vec<Required<'a>>,
}

/// A permission that a call needs.
pub struct Required<'a> {
    pub permission: &'static str,
    /// On what.
    pub resource: Resource,
    /// What conditions of policies may ask about.
    pub context: Option<&'a EncryptionContext>,
}

/// What a permission is needed on, looked up.
#[derive(Clone)]
pub enum Resource {
    /// A valid signature is enough.
    SignatureOnly,
    /// The account's service as a whole.
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
        /// The full name that it would have.
        arn: String,
        refusal: Refusal,
    },
    /// Something that RAM knows by name; none: all of the kind.
    Ram(RamKind, Option<String>),
    /// The user that calls, by name, who needs no policy for it; but one can deny it.
    OwnUser(String),
    /// A role to be assumed.
    Role(FoundRole),
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
    /// Another account's key that a ciphertext names: whoever may not use it is told that there is none, as if it had
    /// this name.
    pub hidden_as: Option<String>,
    /// The full name of another account's alias that led here: whoever may not use the key does not learn its id.
    pub alias: Option<String>,
    used: OnceLock<Arc<VersionRecord>>,
}

impl FoundKey {
    fn new(place: KeyPlace, record: Arc<KeyRecord>, version: Option<u32>) -> Self {
        Self { place, record, version, hidden_as: None, alias: None, used: OnceLock::new() }
    }

    /// Notes the version that the call uses: one of each key.
    pub(crate) fn uses(&self, version: &Arc<VersionRecord>) -> Result<(), Fault> {
        let noted = self.used.get_or_init(|| Arc::clone(version));
        let same = noted.stored.number == version.stored.number;
        if same { Ok(()) } else { Err(Fault::internal("a call uses two versions of one key")) }
    }

    /// The version that the call uses, if it uses one.
    pub(crate) fn used(&self) -> Option<&VersionRecord> {
        self.used.get().map(|version| &**version)
    }
}

/// An alias: there already, or about to be made.
#[derive(Clone)]
pub struct FoundAlias {
    pub name: AliasName,
    pub record: Option<Arc<AliasRecord>>,
}

/// A role: there, or not.
#[derive(Clone)]
pub struct FoundRole {
    pub role: RoleRef,
    pub record: Option<Arc<RoleRecord>>,
}
