//! What the operator does beside the API: accounts and their first access keys. Each change is committed together with
//! its event, which waits in the outbox until it is in the log.

use jomae_api::{
    action::Effect,
    names::{AccountId, RegionId},
    time::Timestamp,
};

use crate::{
    audit::{OperatorAct, operator_event, outbox},
    call::new_request_id,
    identity::accounts::{self, AccountError, AccountKey},
    tx::{Tx, Vault},
};

/// A change that was committed, and its event, which is still to be appended to the log.
pub struct Made {
    pub key: AccountKey,
    pub event: outbox::Pending,
}

/// Makes an account with its first access key.
pub async fn create_account(
    vault: &Vault,
    region: &RegionId,
    name: &str,
    now: Timestamp,
) -> Result<Made, AccountError> {
    accounts::check_name(name)?;
    let mut tx = vault.writing();
    let key = accounts::put(&mut tx, vault, name, now)?;
    committed(tx, "CreateAccount", region, key, &[("Name", name)], now).await
}

/// Makes a further access key of an account, for one who has lost the others.
pub async fn create_key(
    vault: &Vault,
    region: &RegionId,
    account: AccountId,
    now: Timestamp,
) -> Result<Made, AccountError> {
    let mut tx = vault.writing();
    let key = accounts::put_further_key(&mut tx, vault, account, now)?;
    committed(tx, "CreateAccountKey", region, key, &[], now).await
}

/// Gives an account another name.
pub async fn rename_account(
    vault: &Vault,
    region: &RegionId,
    account: &AccountId,
    name: &str,
    now: Timestamp,
) -> Result<outbox::Pending, AccountError> {
    let mut tx = vault.writing();
    accounts::rename(&mut tx, account, name)?;
    recorded(tx, "RenameAccount", region, account, &[("Name", name)], &[], now).await
}

/// Shuts an account, or opens it again: with the next call, none of its access keys and sessions is accepted.
pub async fn set_account_disabled(
    vault: &Vault,
    region: &RegionId,
    account: &AccountId,
    disabled: bool,
    now: Timestamp,
) -> Result<outbox::Pending, AccountError> {
    let mut tx = vault.writing();
    accounts::set_disabled(&mut tx, account, disabled)?;
    let name = if disabled { "DisableAccount" } else { "EnableAccount" };
    recorded(tx, name, region, account, &[], &[], now).await
}

/// Deletes a disabled account that has no keys.
pub async fn delete_account(
    vault: &Vault,
    region: &RegionId,
    account: &AccountId,
    now: Timestamp,
) -> Result<outbox::Pending, AccountError> {
    let mut tx = vault.writing();
    accounts::remove(&mut tx, vault, account).await?;
    recorded(tx, "DeleteAccount", region, account, &[], &[], now).await
}

async fn committed(
    tx: Tx<'_>,
    name: &str,
    region: &RegionId,
    key: AccountKey,
    parameters: &[(&str, &str)],
    now: Timestamp,
) -> Result<Made, AccountError> {
    let resources = [("ACS::RAM::AccessKey", key.access_key_id.as_str())];
    let event = recorded(tx, name, region, &key.account, parameters, &resources, now).await?;
    Ok(Made { key, event })
}

async fn recorded(
    mut tx: Tx<'_>,
    name: &str,
    region: &RegionId,
    account: &AccountId,
    parameters: &[(&str, &str)],
    resources: &[(&'static str, &str)],
    now: Timestamp,
) -> Result<outbox::Pending, AccountError> {
    let act = OperatorAct { name, effect: Effect::Write, region, account: Some(account), parameters, resources };
    let id = new_request_id();
    let event = outbox::put(&mut tx, &id, operator_event(&act, &id, now))?;
    accounts::committed(tx).await?;
    Ok(event)
}
