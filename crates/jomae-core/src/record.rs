//! What is stored, and where: the one file with all paths and record forms.
//!
//! A record is JSON inside its seal: fields may be added with a default, never change their meaning.

use std::sync::{Arc, OnceLock, atomic::AtomicI64};

use jomae_api::{
    actions::{
        metadata::{KeyOrigin, KeyState, ProtectionLevel},
        params::Tags,
    },
    names::{AccountId, AliasName, KeyId, KeyPlace, KeyVersionId, RegionId},
    policy::{Form, KeyPolicy},
    sign::SigningSecret,
    spec::{KeySpec, KeyUsage},
    time::Timestamp,
};
use jomae_crypto::envelope::Binding;
use serde::{Deserialize, Serialize};

use crate::{
    backend::KeyHandle,
    error::Fault,
    policy::Compiled,
    store::Path,
    stored::{Bytes, Derived, Record, plain_records},
    usage::cell::UsageSlot,
};

plain_records!(form: 1, bears_rights: true; KeyRecord, AliasRecord, AccountRecord);
plain_records!(form: 2, bears_rights: false; Discarded);
plain_records!(form: 1, bears_rights: false; VersionIndex, AccountNameRecord, DueRecord, GoneRecord, Marker);

/// A customer master key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyRecord {
    pub creator: AccountId,
    pub created: i64,
    pub description: String,
    pub spec: KeySpec,
    pub usage: KeyUsage,
    pub origin: KeyOrigin,
    /// Where the material is used. Only where every version knows [`Discarded`] is it anything but `SOFTWARE`.
    #[serde(default = "software", skip_serializing_if = "ProtectionLevel::is_software")]
    pub protection: ProtectionLevel,
    pub state: KeyState,
    /// The version that encrypts; none before an EXTERNAL key has material.
    pub primary: Option<PrimaryVersion>,
    /// How many versions there have been; they count from 1.
    pub versions: u32,
    pub last_rotation: i64,
    pub rotation_interval_secs: Option<i64>,
    /// When the key will be destroyed; only in `PendingDeletion`.
    pub delete_at: Option<i64>,
    pub deletion_protection: bool,
    pub deletion_protection_description: String,
    pub material_expires_at: Option<i64>,
    /// For EXTERNAL keys: whether there is material now.
    pub has_imported_material: bool,
    /// For EXTERNAL keys: the check value of the first material, to which the key is bound for ever.
    pub material_check: Option<Bytes>,
    /// None: the default policy.
    pub policy: Option<KeyPolicy>,
    #[serde(skip)]
    pub policy_in_memory: Derived<Arc<Compiled>>,
    /// The primary version, once it has been used. Every commit that changes that version changes this record too, so
    /// both are dropped from memory together.
    #[serde(skip)]
    pub primary_in_memory: Derived<Arc<VersionRecord>>,
    pub tags: Tags,
}

const fn software() -> ProtectionLevel {
    ProtectionLevel::Software
}

/// Material in a token that belongs to no record any more, and is to be destroyed there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discarded {
    pub key: KeyPlace,
    pub version: KeyVersionId,
    pub spec: KeySpec,
    pub usage: KeyUsage,
    pub blob: Bytes,
}

impl Discarded {
    /// The names to which the material was bound.
    pub fn binding(&self) -> Binding<'_> {
        Binding {
            account: self.key.account.as_str(),
            region: self.key.region.as_str(),
            key_id: self.key.id.as_str(),
            version_id: self.version.as_str(),
            spec: self.spec.as_str(),
            usage: self.usage.as_str(),
        }
    }
}

/// The version of a key that encrypts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrimaryVersion {
    pub number: u32,
    pub id: KeyVersionId,
}

/// One version of a key, with its wrapped material, and the unwrapped one once it has been used.
pub struct VersionRecord {
    pub stored: StoredVersion,
    pub handle: OnceLock<KeyHandle>,
    pub usage: UsageSlot,
}

/// What is stored of a key version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredVersion {
    pub id: KeyVersionId,
    pub number: u32,
    pub created: i64,
    /// None while imported material is away.
    pub blob: Option<Bytes>,
    /// DER SubjectPublicKeyInfo of an asymmetric version.
    pub public: Option<Bytes>,
}

impl VersionRecord {
    /// A version whose material has not been used yet.
    pub fn of(stored: StoredVersion) -> Self {
        Self { stored, handle: OnceLock::new(), usage: UsageSlot::new() }
    }
}

impl Record for VersionRecord {
    const FORM: u32 = 1;
    const BEARS_RIGHTS: bool = true;

    fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(Self::of(serde_json::from_slice(bytes)?))
    }
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&self.stored)
    }
}

/// An alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRecord {
    pub key: KeyId,
    pub created: i64,
}

/// Which key a version belongs to: a ciphertext names only the version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionIndex {
    pub key: KeyPlace,
    pub number: u32,
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    pub name: String,
    pub created: i64,
    /// The operator has shut it: none of its access keys and sessions is accepted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

/// Whose a name of an account is: no two accounts have the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountNameRecord {
    pub account: AccountId,
}

/// Work that becomes due at the moment in its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueRecord {
    pub key: KeyPlace,
    pub job: Job,
}

/// What is to be done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    Destroy,
    Rotate,
    /// Forget imported material.
    ExpireMaterial,
}

/// What remains of a key that was destroyed: that it existed, and when it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneRecord {
    pub created: i64,
    pub destroyed: i64,
}

/// A record whose path says everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {}

/// The credential of a caller.
pub struct AccessKeyRecord {
    pub stored: StoredAccessKey,
    pub secret: OnceLock<SigningSecret>,
    /// When its use was last noted, in Unix seconds.
    pub noted: AtomicI64,
}

impl AccessKeyRecord {
    /// An access key whose secret has not been unwrapped yet.
    pub fn of(stored: StoredAccessKey) -> Self {
        Self { stored, secret: OnceLock::new(), noted: AtomicI64::new(0) }
    }
}

/// What is stored of an access key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAccessKey {
    pub account: AccountId,
    /// The id of the user; none: the account itself.
    pub user: Option<String>,
    pub created: i64,
    pub active: bool,
    /// The secret, wrapped under a domain key and bound to the access key's id.
    pub secret: Bytes,
}

impl Record for AccessKeyRecord {
    const FORM: u32 = 1;
    const BEARS_RIGHTS: bool = true;

    fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(Self::of(serde_json::from_slice(bytes)?))
    }
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&self.stored)
    }
}

impl KeyRecord {
    /// The key policy, ready to be asked. None: the default policy, which leaves all to RAM.
    pub fn compiled_policy(&self) -> Result<Option<Arc<Compiled>>, Fault> {
        let policy = self.policy.as_ref();
        let compiled = |policy: &KeyPolicy| {
            self.policy_in_memory.or_find(|| Compiled::of_stored(policy.as_str(), Form::Key)).cloned()
        };
        policy.map(compiled).transpose()
    }

    /// Whether the key has material to work with.
    pub const fn has_material(&self) -> bool {
        match self.origin {
            KeyOrigin::AliyunKms => true,
            KeyOrigin::External => self.has_imported_material,
        }
    }

    /// `NextRotationDate`: the moment of the next rotation, if the key rotates by itself.
    pub fn next_rotation_date(&self) -> Option<Timestamp> {
        self.rotation_interval_secs.map(|interval| Timestamp(self.last_rotation.saturating_add(interval)))
    }
}

/// The names to which material and ciphertexts of a key version are bound.
pub fn binding<'a>(place: &'a KeyPlace, record: &KeyRecord, version: &'a KeyVersionId) -> Binding<'a> {
    Binding {
        account: place.account.as_str(),
        region: place.region.as_str(),
        key_id: place.id.as_str(),
        version_id: version.as_str(),
        spec: record.spec.as_str(),
        usage: record.usage.as_str(),
    }
}

/// Paths. Account and region come first wherever a tenant owns the record, so tenants and regions cannot meet.
pub mod path {
    use super::{AccountId, AliasName, Job, KeyPlace, KeyVersionId, Path, RegionId};

    fn join(parts: &[&str]) -> Path {
        Path::new(parts.join("/"))
    }

    pub fn account(account: &AccountId) -> Path {
        join(&["sys/account", account.as_str()])
    }

    /// In hexadecimal, since a name may have any character.
    pub fn account_name(name: &str) -> Path {
        join(&["sys/account-name", &hex::encode(name)])
    }

    /// Everything that an account owns but its RAM.
    pub fn owned(account: &AccountId) -> String {
        format!("a/{account}/")
    }

    /// Everything that an account owns in a region but its RAM.
    pub fn owned_in(account: &AccountId, region: &RegionId) -> String {
        format!("a/{account}/{region}/")
    }

    /// [`owned`] of what is [`owned_in`] a region.
    pub fn account_of_owner(owner: &str) -> Option<&str> {
        let end = owner.match_indices('/').nth(1)?.0;
        owner.get(..=end)
    }

    /// What of a key a record is about.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum KeyPart {
        Itself,
        Alias,
        /// Its use as a whole.
        Use,
    }

    /// The owner, as [`owned_in`] names it, and the id of the key that a record is about, if it is one of these.
    pub fn of_key(path: &Path) -> Option<(&str, &str, KeyPart)> {
        let (slash, _) = path.as_str().match_indices('/').nth(2).filter(|_| path.as_str().starts_with("a/"))?;
        let (owner, rest) = path.as_str().split_at_checked(slash + 1)?;
        let (kind, rest) = rest.split_once('/')?;
        match (kind, rest.split_once('/')) {
            ("key", None) => Some((owner, rest, KeyPart::Itself)),
            ("alias-of", Some((id, _))) => Some((owner, id, KeyPart::Alias)),
            ("usage", Some((id, "all"))) => Some((owner, id, KeyPart::Use)),
            _ => None,
        }
    }

    /// Whether a path is that of a key, of whatever region.
    pub fn is_key(path: &Path) -> bool {
        path.as_str().split('/').nth(3) == Some("key")
    }

    pub fn access_key(id: &str) -> Path {
        join(&["sys/access-key", id])
    }

    /// Every account.
    pub const ACCOUNTS: &str = "sys/account/";

    /// Every access key.
    pub const ACCESS_KEYS: &str = "sys/access-key/";

    pub fn key(key: &KeyPlace) -> Path {
        join(&["a", key.account.as_str(), key.region.as_str(), "key", key.id.as_str()])
    }

    /// Every key of an account in a region. Key IDs of ours sort by their time of creation.
    pub fn keys(account: &AccountId, region: &RegionId) -> String {
        format!("a/{account}/{region}/key/")
    }

    pub fn version(key: &KeyPlace, number: u32) -> Path {
        join(&["a", key.account.as_str(), key.region.as_str(), "version", key.id.as_str(), &format!("{number:08}")])
    }

    /// Every version of a key, oldest first.
    pub fn versions(key: &KeyPlace) -> String {
        format!("a/{}/{}/version/{}/", key.account, key.region, key.id)
    }

    pub fn alias(account: &AccountId, region: &RegionId, name: &AliasName) -> Path {
        join(&["a", account.as_str(), region.as_str(), "alias", name.as_str()])
    }

    /// Every alias of an account in a region, by name.
    pub fn aliases(account: &AccountId, region: &RegionId) -> String {
        format!("a/{account}/{region}/alias/")
    }

    pub fn alias_of(key: &KeyPlace, name: &AliasName) -> Path {
        join(&["a", key.account.as_str(), key.region.as_str(), "alias-of", key.id.as_str(), name.as_str()])
    }

    /// Every alias of a key, by name.
    pub fn aliases_of(key: &KeyPlace) -> String {
        format!("a/{}/{}/alias-of/{}/", key.account, key.region, key.id)
    }

    /// Uses of one version.
    pub fn version_usage(key: &KeyPlace, number: u32) -> Path {
        join(&["a", key.account.as_str(), key.region.as_str(), "usage", key.id.as_str(), &format!("{number:08}")])
    }

    /// Uses of a key as a whole.
    pub fn key_usage(key: &KeyPlace) -> Path {
        join(&["a", key.account.as_str(), key.region.as_str(), "usage", key.id.as_str(), "all"])
    }

    /// All records of the uses of a key.
    pub fn usages(key: &KeyPlace) -> String {
        format!("a/{}/{}/usage/{}/", key.account, key.region, key.id)
    }

    /// Material to be destroyed in a token.
    pub const DISCARDED: &str = "sys/discarded/";

    /// One of these, under an id of its own.
    pub fn discarded(id: &str) -> Path {
        Path::new(format!("{DISCARDED}{id}"))
    }

    pub fn client_token(hash: &str) -> Path {
        join(&["sys/client-token", hash])
    }

    /// Tokens by the moment at which they are forgotten.
    pub const CLIENT_TOKEN_EXPIRIES: &str = "sys/client-token-expiry/";

    pub fn client_token_expiry(at_secs: i64, token: &Path) -> Path {
        let hash = token.as_str().rsplit('/').next().unwrap_or_default();
        Path::new(format!("{CLIENT_TOKEN_EXPIRIES}{:012}/{hash}", at_secs.max(0)))
    }

    /// Moment and token of a path made by [`client_token_expiry`].
    pub fn expired_client_token(path: &Path) -> Option<(i64, Path)> {
        let (at, hash) = path.as_str().strip_prefix(CLIENT_TOKEN_EXPIRIES)?.split_once('/')?;
        Some((at.parse().ok()?, client_token(hash)))
    }

    pub fn gone(key: &KeyPlace) -> Path {
        join(&["a", key.account.as_str(), key.region.as_str(), "gone", key.id.as_str()])
    }

    /// Which key a version belongs to, by region alone: a ciphertext does not name its account.
    pub fn version_index(region: &RegionId, version: &KeyVersionId) -> Path {
        join(&["sys/version", region.as_str(), version.as_str()])
    }

    /// Work due at `at_secs`, sorted by time.
    pub fn due(at_secs: i64, job: Job, key: &KeyPlace) -> Path {
        let job = match job {
            Job::Destroy => "destroy",
            Job::Rotate => "rotate",
            Job::ExpireMaterial => "expire",
        };
        let at = format!("{:012}", at_secs.max(0));
        join(&["sys/due", &at, job, key.account.as_str(), key.region.as_str(), key.id.as_str()])
    }

    /// All work, the earliest first.
    pub const DUE: &str = "sys/due/";

    /// The moment in a path made by [`due`].
    pub fn due_at(path: &str) -> Option<i64> {
        path.strip_prefix(DUE)?.get(..12)?.parse().ok()
    }

    /// The last segment after a prefix.
    pub fn tail<'a>(path: &'a Path, prefix: &str) -> Option<&'a str> {
        path.as_str().strip_prefix(prefix)
    }
}
