//! Accounts: made and listed by the operator, never through the API.

use jomae_api::{limits, names::AccountId, time::Timestamp};
use jomae_crypto::secret::SecretBytes;

use super::{new_access_key, new_account_id};
use crate::{
    error::Fault,
    ram::record::path as ram_path,
    record::{AccountRecord, Marker, path},
    store::{Path, SCAN_LIMIT_MAX},
    tx::{CommitOutcome, Tx, Vault},
};

/// Active and inactive access keys that an account can have for itself.
pub const ROOT_KEYS_MAX: usize = 5;

/// An account, and a new access key of its own. The secret is shown once.
pub struct AccountKey {
    pub account: AccountId,
    pub access_key_id: String,
    pub secret: SecretBytes,
}

/// Why the operator's wish was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("the name must have 1 to {} characters, no control characters", limits::ACCOUNT_NAME_CHARS_MAX)]
    Name,
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    #[error("the account has {ROOT_KEYS_MAX} access keys of its own already; delete one first")]
    TooManyKeys,
    #[error("{0}")]
    Failed(#[from] Fault),
}

/// Writes a new account with its first access key, when the transaction commits.
pub fn put(tx: &mut Tx<'_>, vault: &Vault, name: &str, now: Timestamp) -> Result<AccountKey, Fault> {
    let account = new_account_id()?;
    // A number that is taken already would give one tenant another's things.
    if tx.get::<AccountRecord>(&path::account(&account))?.is_some() {
        return Err(Fault::internal("a random account number met another"));
    }
    tx.put(path::account(&account), &AccountRecord { name: name.to_owned(), created: now.0 })?;
    put_key(tx, vault, account, now)
}

fn put_key(tx: &mut Tx<'_>, vault: &Vault, account: AccountId, now: Timestamp) -> Result<AccountKey, Fault> {
    let (access_key_id, secret, record) = new_access_key(vault.keyring(), &account, None, now)?;
    tx.put(path::access_key(&access_key_id), &record)?;
    tx.put(ram_path::root_key(&account, &access_key_id), &Marker::default())?;
    Ok(AccountKey { account, access_key_id, secret })
}

/// Whether an account may have this name.
pub fn check_name(name: &str) -> Result<(), AccountError> {
    let fits = (1..=limits::ACCOUNT_NAME_CHARS_MAX).contains(&name.chars().count());
    if fits && !name.contains(char::is_control) { Ok(()) } else { Err(AccountError::Name) }
}

/// Makes an account with its first access key, and leaves no event: for tests, and for what has no log yet.
pub async fn create(vault: &Vault, name: &str, now: Timestamp) -> Result<AccountKey, AccountError> {
    check_name(name)?;
    let mut tx = vault.writing();
    let made = put(&mut tx, vault, name, now)?;
    committed(tx).await?;
    Ok(made)
}

/// Writes a further access key of an account, for one who has lost the others, when the transaction commits.
pub fn put_further_key(
    tx: &mut Tx<'_>,
    vault: &Vault,
    account: AccountId,
    now: Timestamp,
) -> Result<AccountKey, AccountError> {
    if tx.get::<AccountRecord>(&path::account(&account))?.is_none() {
        return Err(AccountError::NoAccount(account));
    }
    if tx.paths(&ram_path::root_keys(&account), None, ROOT_KEYS_MAX)?.len() >= ROOT_KEYS_MAX {
        return Err(AccountError::TooManyKeys);
    }
    Ok(put_key(tx, vault, account, now)?)
}

pub(crate) async fn committed(tx: Tx<'_>) -> Result<(), Fault> {
    match tx.commit().await? {
        CommitOutcome::Done => Ok(()),
        CommitOutcome::Conflict => Err(Fault::unavailable("somebody else has just changed the account")),
    }
}

/// Every account with its name and the moment of its making, by number.
pub fn list(vault: &Vault) -> Result<Vec<(AccountId, AccountRecord)>, Fault> {
    let tx = vault.reading();
    let (mut accounts, mut after) = (Vec::new(), None::<Path>);
    loop {
        let rows = tx.list::<AccountRecord>(path::ACCOUNTS, after.as_ref().map(Path::as_str), SCAN_LIMIT_MAX)?;
        let Some((last, _)) = rows.last() else { return Ok(accounts) };
        after = Some(last.clone());
        accounts.extend(
            rows.iter()
                .filter_map(|(at, record)| Some((AccountId::new(path::tail(at, path::ACCOUNTS)?)?, record.clone()))),
        );
    }
}
