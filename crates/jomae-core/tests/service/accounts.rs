//! Names of accounts: one account each, also where early builds let two have the same.

use std::sync::Arc;

use jomae_api::{names::AccountId, time::Timestamp};
use jomae_core::{
    identity::accounts::{self, AccountError},
    keyring::Keyring,
    record::{AccountNameRecord, path},
    store::memory::MemoryStore,
    tx::Vault,
};
use jomae_sim::block_on;

use crate::common::Root;

#[test]
fn a_name_is_freed_only_by_the_account_that_has_it() {
    let store = Arc::new(MemoryStore::new());
    let keyring = Arc::new(block_on(Keyring::open(&*store, &Root::fixed())).unwrap());
    let vault = Vault::new(store, keyring, 100);
    let create = |name: &str| block_on(accounts::create(&vault, name, Timestamp(0)));
    let rename = |account: &AccountId, name: &str| {
        let mut tx = vault.writing();
        accounts::rename(&mut tx, account, name)?;
        block_on(tx.commit()).unwrap();
        Ok::<_, AccountError>(())
    };
    let early = create("tenant").unwrap().account;
    // As an early build left it: nothing says whose the name is.
    let mut tx = vault.writing();
    tx.delete::<AccountNameRecord>(path::account_name("tenant"));
    block_on(tx.commit()).unwrap();
    let late = create("tenant").unwrap().account;
    rename(&early, "other").unwrap();
    assert!(matches!(create("tenant"), Err(AccountError::NameTaken(holder)) if holder == late));
    rename(&late, "tenant").unwrap();
    rename(&late, "third").unwrap();
    create("tenant").unwrap();
    assert!(matches!(rename(&early, "third"), Err(AccountError::NameTaken(_))));
}
