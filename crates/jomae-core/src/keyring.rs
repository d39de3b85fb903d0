//! Domain keys: what stands between the root key and everything that is stored.
//!
//! The root wraps domain keys, domain keys seal records and wrap key material. Sealed bytes name the version of the
//! domain key, so a new version never rewrites what is stored. Layout of sealed bytes: format (1 byte, 0x01), domain
//! key version (u32, big-endian), then the message of `jomae_crypto::sealed`.

use std::sync::{Arc, PoisonError, RwLock};

use jomae_crypto::{
    purpose::Purpose,
    root::RootMaterial,
    sealed::{self, OpenError, SealError, SealingKey},
    secret::{Key256, SecretBytes, ct_eq},
    set::SetKey,
    wrap,
};

use crate::{
    error::Fault,
    store::{Commit, Committed, Path, Store, Write},
};

/// Where the wrapped domain keys stand in the store. They are not sealed as records are: the root key wraps them.
pub const DOMAIN_PREFIX: &str = "sys/domain/";
const FORMAT: u8 = 1;
const HEAD_BYTES: usize = 5;
/// Domain key versions that one store may have.
const VERSIONS_MAX: usize = crate::store::SCAN_LIMIT_MAX;

/// Wraps a few bytes under the root of trust. Seldom called: at start, and when a domain key is made.
pub trait RootKey: Send + Sync {
    /// Wraps a domain key under its name.
    fn wrap(&self, name: &str, domain_key: &Key256) -> Result<Vec<u8>, Fault>;
    /// Unwraps it. An error if this root key did not wrap it.
    fn unwrap(&self, name: &str, wrapped: &[u8]) -> Result<Key256, WrongRootKey>;
}

impl RootKey for RootMaterial {
    fn wrap(&self, name: &str, domain_key: &Key256) -> Result<Vec<u8>, Fault> {
        wrap::wrap_domain_key(self.key(), name, domain_key).map_err(|error| Fault::internal(error.to_string()))
    }

    fn unwrap(&self, name: &str, wrapped: &[u8]) -> Result<Key256, WrongRootKey> {
        wrap::unwrap_domain_key(self.key(), name, wrapped).map_err(|_| WrongRootKey)
    }
}

/// The root key is another one than the store was made with, or the wrapped key is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the root key does not open the domain keys of this store: it is another store's key, or the store is damaged")]
pub struct WrongRootKey;

/// Why sealed bytes do not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    #[error("sealed bytes are damaged or belong elsewhere")]
    Damaged,
    #[error("sealed under domain key version {0}, which the store does not have")]
    UnknownVersion(u32),
    #[error("sealed in a form that this version does not know")]
    UnknownFormat,
}

/// All domain keys of a store, unwrapped. The newest seals; every one opens.
pub struct Keyring {
    keys: RwLock<Vec<Arc<SealingKey>>>,
}

impl Keyring {
    /// Reads and unwraps the domain keys; makes the first one in an empty store.
    pub async fn open(store: &dyn Store, root: &dyn RootKey) -> Result<Self, Fault> {
        let mut keys = Vec::new();
        for (path, entry) in store.scan(DOMAIN_PREFIX, None, crate::store::SCAN_LIMIT_MAX)? {
            let expected = domain_path(keys.len() + 1);
            if path.as_str() != expected {
                return Err(Fault::internal(format!("the store lacks {expected}, or holds a stray {path}")));
            }
            let mut key = root.unwrap(path.as_str(), &entry.value);
            if let (Err(_), Some(beside)) = (&key, store.get(crate::root::path_beside(path.as_str()).as_str())?) {
                // The root key was changed, and that was cut off.
                key = root.unwrap(path.as_str(), &beside.value);
            }
            let key = key.map_err(Fault::internal)?;
            keys.push(Arc::new(SealingKey::new(key.expose()).map_err(Fault::internal)?));
        }
        let keyring = Self { keys: RwLock::new(keys) };
        if keyring.version() == 0 {
            // The slots of the root key are there before the first domain key is.
            if store.scan("", None, 2)?.iter().any(|(path, _)| path.as_str() != crate::root::PATH) {
                return Err(Fault::internal("the store holds records but no domain keys: it is damaged"));
            }
            keyring.rotate(store, root).await?;
        }
        Ok(keyring)
    }

    /// Makes a new domain key version, which seals from now on. What is stored stays as it is.
    pub async fn rotate(&self, store: &dyn Store, root: &dyn RootKey) -> Result<u32, Fault> {
        let version = self.version() as usize + 1;
        if version > VERSIONS_MAX {
            return Err(Fault::internal("the store has as many domain keys as it can hold"));
        }
        let path = domain_path(version);
        let key = Key256::random();
        let wrapped = root.wrap(&path, &key)?;
        let key = SealingKey::new(key.expose()).map_err(Fault::internal)?;
        let path = Path::new(path);
        let commit = Commit { expect: vec![(path.clone(), None)], writes: vec![Write::Put(path, wrapped)] };
        match store.commit(commit).await? {
            Committed::Done(_) => {
                self.keys.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(key));
                Ok(self.version())
            }
            Committed::Conflict => Err(Fault::unavailable("another process has just made a domain key")),
            Committed::Unknown => Err(Fault::unavailable("the store did not answer in time")),
        }
    }

    /// The version that seals now; versions count from 1.
    pub fn version(&self) -> u32 {
        u32::try_from(self.keys.read().unwrap_or_else(PoisonError::into_inner).len()).unwrap_or(u32::MAX)
    }

    /// The keys of the hash over all records: they belong to the first domain key, and so stay the same.
    pub fn set_key(&self) -> Result<SetKey, Fault> {
        let first = self.keys.read().unwrap_or_else(PoisonError::into_inner).first().cloned();
        let first = first.ok_or_else(|| Fault::internal("no domain key"))?;
        SetKey::of(&first).map_err(|error| Fault::internal(error.to_string()))
    }

    /// Seals by the given function under the newest domain key.
    pub fn seal_with(&self, seal: impl FnOnce(&SealingKey) -> Result<Vec<u8>, SealError>) -> Result<Vec<u8>, Fault> {
        let (version, key) = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            (u32::try_from(keys.len()).unwrap_or(u32::MAX), keys.last().cloned())
        };
        let key = key.ok_or_else(|| Fault::internal("no domain key"))?;
        let message = seal(&key).map_err(|error| Fault::internal(error.to_string()))?;
        let mut out = Vec::with_capacity(HEAD_BYTES + message.len());
        out.push(FORMAT);
        out.extend_from_slice(&version.to_be_bytes());
        out.extend_from_slice(&message);
        Ok(out)
    }

    /// Opens by the given function under the domain key that the bytes name.
    pub fn open_with<T>(
        &self,
        bytes: &[u8],
        open: impl FnOnce(&SealingKey, &[u8]) -> Result<T, OpenError>,
    ) -> Result<T, Unsealable> {
        let (head, message) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(Unsealable::Damaged)?;
        let [FORMAT, version @ ..] = *head else { return Err(Unsealable::UnknownFormat) };
        let version = u32::from_be_bytes(version);
        let key = usize::try_from(version)
            .ok()
            .and_then(|version| version.checked_sub(1))
            .and_then(|index| self.keys.read().unwrap_or_else(PoisonError::into_inner).get(index).cloned())
            .ok_or(Unsealable::UnknownVersion(version))?;
        open(&key, message).map_err(|_| Unsealable::Damaged)
    }

    /// Seals a record in its place.
    pub fn seal_record(&self, path: &str, value: &[u8]) -> Result<Vec<u8>, Fault> {
        self.seal_with(|key| sealed::seal(key, Purpose::Record, path.as_bytes(), &[], value))
    }

    /// Opens a record found in this place.
    pub fn open_record(&self, path: &str, bytes: &[u8]) -> Result<SecretBytes, Unsealable> {
        self.open_with(bytes, |key, message| sealed::open(key, Purpose::Record, path.as_bytes(), &[], message))
    }

    /// Seals a record found in one place anew, in another.
    pub fn move_record(&self, from: &str, to: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let opened =
            self.open_record(from, bytes).map_err(|error| Fault::internal(format!("record {from}: {error}")))?;
        self.seal_record(to, opened.expose())
    }

    /// Whether two places hold the same record, each sealed in its own.
    pub fn is_moved_record(&self, from: (&str, &[u8]), to: (&str, &[u8])) -> bool {
        match (self.open_record(from.0, from.1), self.open_record(to.0, to.1)) {
            (Ok(one), Ok(other)) => ct_eq(one.expose(), other.expose()),
            _ => false,
        }
    }
}

/// Where a version of the domain key stands.
pub(crate) fn domain_path(version: usize) -> String {
    format!("{DOMAIN_PREFIX}{version:08}")
}
