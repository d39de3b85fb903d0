//! The first account and its first access key.
//!
//! They are made in one commit, together with a note that the operator has not been given the secret yet. The note
//! goes only after the secret stands where the operator finds it, so a crash in between loses nothing: the next start
//! reads the secret back from its sealed record.

use jomae_api::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    accounts::{self, AccountKey},
    open_secret,
};
use crate::{
    error::Fault,
    record::{AccessKeyRecord, path},
    store::Path,
    stored::plain_records,
    tx::{CommitOutcome, Vault},
};

const PENDING: &str = "sys/bootstrap";

/// The state of the bootstrap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootstrapRecord {
    pub access_key_id: String,
    /// Whether the operator has it.
    pub delivered: bool,
}

plain_records!(form: 1, bears_rights: false; BootstrapRecord);

/// Makes the first account in an empty store. Gives the credential as long as it has not been confirmed as delivered.
pub async fn first_credential(vault: &Vault, now: Timestamp) -> Result<Option<AccountKey>, Fault> {
    let at = Path::new(PENDING);
    if let Some(bootstrap) = vault.reading().get::<BootstrapRecord>(&at)? {
        if bootstrap.delivered {
            return Ok(None);
        }
        return read_back(vault, &bootstrap.access_key_id).map(Some);
    }
    let mut tx = vault.writing();
    tx.get::<BootstrapRecord>(&at)?;
    let made = accounts::put(&mut tx, vault, "default", now).map_err(Fault::internal)?;
    let bootstrap = BootstrapRecord { access_key_id: made.access_key_id.clone(), delivered: false };
    tx.put(at, &bootstrap)?;
    match tx.commit().await? {
        CommitOutcome::Done => Ok(Some(made)),
        CommitOutcome::Conflict => Err(Fault::unavailable("another process has just made the first account")),
    }
}

/// Notes that the operator has the credential.
pub async fn delivered(vault: &Vault) -> Result<(), Fault> {
    let at = Path::new(PENDING);
    let mut tx = vault.writing();
    if let Some(bootstrap) = tx.get::<BootstrapRecord>(&at)? {
        tx.put(at, &BootstrapRecord { delivered: true, ..(*bootstrap).clone() })?;
        tx.commit().await?;
    }
    Ok(())
}

fn read_back(vault: &Vault, access_key_id: &str) -> Result<AccountKey, Fault> {
    let record = vault
        .reading()
        .get::<AccessKeyRecord>(&path::access_key(access_key_id))?
        .ok_or_else(|| Fault::internal("the first access key is missing"))?;
    Ok(AccountKey {
        account: record.stored.account.clone(),
        access_key_id: access_key_id.to_owned(),
        secret: open_secret(vault.keyring(), access_key_id, &record.stored)?,
    })
}
