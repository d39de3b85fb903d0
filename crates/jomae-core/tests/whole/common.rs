use std::sync::Arc;

use jomae_core::{
    error::Fault,
    keyring::{Keyring, RootKey, WrongRootKey},
    store::{Path, Store, Write, memory::MemoryStore},
    whole::{Found, Trouble, WholeStore},
};
use jomae_crypto::{secret::Key256, wrap};
use jomae_sim::{block_on, store_suite::done};

struct Root(Key256);

impl RootKey for Root {
    fn wrap(&self, name: &str, domain_key: &Key256) -> Result<Vec<u8>, Fault> {
        wrap::wrap_domain_key(&self.0, name, domain_key).map_err(|error| Fault::internal(error.to_string()))
    }

    fn unwrap(&self, name: &str, wrapped: &[u8]) -> Result<Key256, WrongRootKey> {
        wrap::unwrap_domain_key(&self.0, name, wrapped).map_err(|_| WrongRootKey)
    }
}

/// The domain keys of all stores here: they stand in a store of their own, so that the others begin empty.
pub fn keyring() -> Arc<Keyring> {
    static KEYS: std::sync::OnceLock<MemoryStore> = std::sync::OnceLock::new();
    let root = Root(Key256::from_slice(&[5; 32]).unwrap());
    // Made by the first one that comes; nobody comes meanwhile.
    let keys = KEYS.get_or_init(|| {
        let keys = MemoryStore::new();
        block_on(Keyring::open(&keys, &root)).unwrap();
        keys
    });
    Arc::new(block_on(Keyring::open(keys, &root)).unwrap())
}

/// Opens a store in which the hash was begun.
pub fn opened(inner: Arc<dyn Store>) -> Arc<WholeStore> {
    let whole = WholeStore::open(inner, keyring(), None).unwrap();
    whole.begin_counting();
    whole
}

/// Begins it.
pub fn begun(inner: Arc<dyn Store>) -> Arc<WholeStore> {
    let whole = opened(inner);
    block_on(whole.accept(0, Vec::new())).unwrap();
    whole
}

pub fn checked(whole: &WholeStore) -> Result<Found, Trouble> {
    whole.check(|_| true).unwrap()
}

/// Everything is as it was committed, and this process knows how much that is.
pub fn sound(whole: &WholeStore) {
    let found = checked(whole).unwrap();
    assert_eq!(found.state, whole.state());
    assert!(found.state.is_some());
}

/// A store with these records, whose values alone matter.
pub fn store_of(rows: &[(Path, Vec<u8>)]) -> Arc<MemoryStore> {
    let store = MemoryStore::new();
    for (path, value) in rows {
        done(&store, vec![Write::Put(path.clone(), value.clone())]);
    }
    Arc::new(store)
}
