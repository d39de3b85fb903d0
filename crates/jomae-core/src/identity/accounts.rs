//! Accounts: made and listed by the operator, never through the API.

use jomae_api::{limits, names::AccountId, time::Timestamp};
use jomae_crypto::secret::SecretBytes;

use super::{new_access_key, new_account_id};
use crate::{
    error::Fault,
    ram::record::{UserRecord, path as ram_path},
    record::{AccountNameRecord, AccountRecord, Marker, path},
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
    #[error("the account {0} has this name already")]
    NameTaken(AccountId),
    #[error("the account is not disabled: disable it first, and see whether anybody misses it")]
    NotDisabled,
    #[error(
        "the account still has a key, in the region {region}: {key}. Only without keys can it go: schedule their deletion, and wait for it"
    )]
    HasKeys { region: String, key: String },
    #[error("the account has {ROOT_KEYS_MAX} access keys of its own already; delete one first")]
    TooManyKeys,
    #[error("{0}")]
    Failed(#[from] Fault),
}

/// Writes a new account with its first access key, when the transaction commits.
pub fn put(tx: &mut Tx<'_>, vault: &Vault, name: &str, now: Timestamp) -> Result<AccountKey, AccountError> {
    let account = new_account_id()?;
    // A number that is taken already would give one tenant another's things.
    if tx.get::<AccountRecord>(&path::account(&account))?.is_some() {
        return Err(Fault::internal("a random account number met another").into());
    }
    claim_name(tx, &account, name)?;
    tx.put(path::account(&account), &AccountRecord { name: name.to_owned(), created: now.0, disabled: false })?;
    Ok(put_key(tx, vault, account, now)?)
}

/// The account of this number or name, if there is one.
pub fn named(vault: &Vault, text: &str) -> Result<Option<AccountId>, Fault> {
    let mut tx = vault.reading();
    if let Some(account) = AccountId::new(text) {
        return Ok(tx.get::<AccountRecord>(&path::account(&account))?.map(|_| account));
    }
    if check_name(text).is_err() {
        return Ok(None);
    }
    Ok(tx.get::<AccountNameRecord>(&path::account_name(text))?.map(|holder| holder.account.clone()))
}

fn claim_name(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<(), AccountError> {
    let at = path::account_name(name);
    if let Some(holder) = tx.get::<AccountNameRecord>(&at)?
        && holder.account != *account
    {
        return Err(AccountError::NameTaken(holder.account.clone()));
    }
    Ok(tx.put(at, &AccountNameRecord { account: account.clone() })?)
}

/// Frees a name, if it is the account's: accounts of early builds may share one that has since been claimed.
fn free_name(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<(), Fault> {
    let at = path::account_name(name);
    if tx.get::<AccountNameRecord>(&at)?.is_some_and(|holder| holder.account == *account) {
        tx.delete::<AccountNameRecord>(at);
    }
    Ok(())
}

fn existing(tx: &mut Tx<'_>, account: &AccountId) -> Result<AccountRecord, AccountError> {
    match tx.get::<AccountRecord>(&path::account(account))? {
        Some(record) => Ok((*record).clone()),
        None => Err(AccountError::NoAccount(account.clone())),
    }
}

/// Gives an account another name, when the transaction commits.
pub fn rename(tx: &mut Tx<'_>, account: &AccountId, name: &str) -> Result<(), AccountError> {
    check_name(name)?;
    let record = existing(tx, account)?;
    claim_name(tx, account, name)?;
    if record.name != name {
        free_name(tx, account, &record.name)?;
    }
    Ok(tx.put(path::account(account), &AccountRecord { name: name.to_owned(), ..record })?)
}

/// Shuts an account, or opens it again, when the transaction commits. Its keys stay as they are, for those whom it has let
/// use them.
pub fn set_disabled(tx: &mut Tx<'_>, account: &AccountId, disabled: bool) -> Result<(), AccountError> {
    let record = existing(tx, account)?;
    Ok(tx.put(path::account(account), &AccountRecord { disabled, ..record })?)
}

/// Removes what a disabled account without keys still has, in as many transactions as it takes, and leaves to `tx` the rest,
/// with which the account is gone. What was interrupted is gone on with by asking again.
pub async fn remove(tx: &mut Tx<'_>, vault: &Vault, account: &AccountId) -> Result<(), AccountError> {
    let record = existing(tx, account)?;
    if !record.disabled {
        return Err(AccountError::NotDisabled);
    }
    let owned = all_paths(vault, &path::owned(account))?;
    if let Some(key) = owned.iter().find(|path| path::is_key(path)) {
        let parts: Vec<&str> = key.as_str().split('/').collect();
        let part = |index: usize| parts.get(index).copied().unwrap_or_default().to_owned();
        return Err(AccountError::HasKeys { region: part(2), key: part(4) });
    }
    let mut paths = access_keys(vault, account)?;
    paths.extend(owned);
    // The list of access keys stands in what goes last.
    paths.extend(all_paths(vault, &ram_path::all(account))?);
    for paths in paths.chunks(REMOVED_AT_ONCE) {
        let mut part = vault.writing();
        for path in paths {
            part.delete_whatever(path.clone());
        }
        committed(part).await?;
    }
    free_name(tx, account, &record.name)?;
    tx.delete::<AccountRecord>(path::account(account));
    Ok(())
}

/// Records removed in one transaction.
const REMOVED_AT_ONCE: usize = 64;

/// The records of all access keys: of the account itself, and of its users.
fn access_keys(vault: &Vault, account: &AccountId) -> Result<Vec<Path>, Fault> {
    let roots = ram_path::root_keys(account);
    let of_root = all_paths(vault, &roots)?;
    let mut ids: Vec<String> = of_root.iter().filter_map(|at| path::tail(at, &roots)).map(str::to_owned).collect();
    let mut tx = vault.reading();
    for at in all_paths(vault, &ram_path::users(account))? {
        if let Some(user) = tx.get::<UserRecord>(&at)? {
            ids.extend(user.access_keys.iter().cloned());
        }
    }
    Ok(ids.iter().map(|id| path::access_key(id)).collect())
}

fn all_paths(vault: &Vault, prefix: &str) -> Result<Vec<Path>, Fault> {
    let tx = vault.reading();
    let (mut all, mut after) = (Vec::new(), None::<Path>);
    loop {
        let page = tx.paths(prefix, after.as_ref().map(Path::as_str), SCAN_LIMIT_MAX)?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.clone());
        all.extend(page);
    }
}

fn put_key(tx: &mut Tx<'_>, vault: &Vault, account: AccountId, now: Timestamp) -> Result<AccountKey, Fault> {
    let (access_key_id, secret, record) = new_access_key(vault.keyring(), &account, None, now)?;
    tx.insert(path::access_key(&access_key_id), &record)?;
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

/// Whether this account is the only one.
pub fn is_only(tx: &Tx<'_>, account: &AccountId) -> Result<bool, Fault> {
    let first = tx.list::<AccountRecord>(path::ACCOUNTS, None, 2)?;
    Ok(matches!(first.as_slice(), [(at, _)] if path::tail(at, path::ACCOUNTS) == Some(account.as_str())))
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
