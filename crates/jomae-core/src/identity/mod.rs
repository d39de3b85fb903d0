//! Who? Callers, their access keys, and the check of a signature.

pub mod bootstrap;

use std::sync::Arc;

use jomae_api::{
    error::Refusal,
    names::AccountId,
    sign::{self, Credential, Presented},
    time::Timestamp,
};
use jomae_crypto::{rng, secret::SecretBytes, wrap};

use crate::{
    error::{Error, Fault},
    keyring::Keyring,
    nonce::{NonceMemory, Seen},
    record::{AccessKeyRecord, Bytes, StoredAccessKey, path},
    tx::Vault,
};

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The account itself, by one of its access keys.
    Root { account: AccountId, access_key_id: String },
}

impl Caller {
    /// By what name events and usage counts know the caller.
    pub fn name(&self) -> &str {
        match self {
            Self::Root { access_key_id, .. } => access_key_id,
        }
    }

    /// The account that the caller belongs to.
    pub const fn account(&self) -> &AccountId {
        match self {
            Self::Root { account, .. } => account,
        }
    }
}

/// The secret that stands in for one that does not exist, so that an unknown access key costs the same work as a
/// wrong signature.
pub struct DummySecret(SecretBytes);

impl Default for DummySecret {
    fn default() -> Self {
        Self(SecretBytes::random(30))
    }
}

/// Finds out who sent a request: time, access key, signature, nonce, in this order. A nonce is remembered only after
/// its signature has proved right, so that nobody else can burn it or fill the memory.
pub fn authenticate(
    vault: &Vault,
    nonces: &NonceMemory,
    dummy: &DummySecret,
    presented: &Presented<'_>,
    now: Timestamp,
) -> Result<Caller, Error> {
    let signed_at = sign::check_time(presented.timestamp_text, now.0).map_err(Refusal::from)?;
    let id = presented.access_key_id;
    let record = vault.reading().get::<AccessKeyRecord>(&path::access_key(id))?;
    let Some(record) = record else {
        let _ = presented.verify(Credential::Secret(dummy.0.expose()));
        return Err(Refusal::AccessKeyNotFound.into());
    };
    let secret = secret(vault.keyring(), id, &record)?;
    presented.verify(Credential::Secret(secret.expose())).map_err(Refusal::from)?;
    // What the account has switched off is told only to who holds the secret.
    if !record.stored.active {
        return Err(Refusal::AccessKeyInactive.into());
    }
    if presented.security_token.is_some() {
        return Err(Refusal::SecurityTokenMismatch.into());
    }
    match nonces.remember(id, presented.nonce, signed_at, now.0) {
        Seen::First => {}
        Seen::Before => return Err(Refusal::NonceUsed.into()),
        Seen::MemoryFull => return Err(Refusal::Throttled.into()),
    }
    Ok(Caller::Root { account: record.stored.account.clone(), access_key_id: id.to_owned() })
}

fn secret<'r>(keyring: &Keyring, id: &str, record: &'r AccessKeyRecord) -> Result<&'r SecretBytes, Fault> {
    if let Some(secret) = record.secret.get() {
        return Ok(secret);
    }
    let opened = keyring
        .open_with(&record.stored.secret.0, |domain, wrapped| wrap::unwrap_access_key_secret(domain, id, wrapped))
        .map_err(|error| Fault::internal(format!("secret of access key {id}: {error}")))?;
    Ok(record.secret.get_or_init(|| Arc::new(opened)))
}

/// A new access key: its id, its secret (to be shown once), and its record.
pub fn new_access_key(
    keyring: &Keyring,
    account: &AccountId,
    now: Timestamp,
) -> Result<(String, SecretBytes, AccessKeyRecord), Fault> {
    let id = format!("LTAI{}", random_text(20));
    let secret = SecretBytes::new(random_text(30).into_bytes());
    let wrapped = keyring.seal_with(|domain| wrap::wrap_access_key_secret(domain, &id, &secret))?;
    let stored = StoredAccessKey { account: account.clone(), created: now.0, active: true, secret: Bytes(wrapped) };
    Ok((id, secret, AccessKeyRecord { stored, secret: std::sync::OnceLock::new() }))
}

/// A new account id: 16 digits, the first not 0.
pub fn new_account_id() -> Result<AccountId, Fault> {
    let number = u64::from_be_bytes(rng::array()) % 9_000_000_000_000_000 + 1_000_000_000_000_000;
    AccountId::new(&number.to_string()).ok_or_else(|| Fault::internal("account id"))
}

/// Letters and digits, each equally likely.
fn random_text(chars: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(chars);
    while text.len() < chars {
        for byte in rng::array::<64>() {
            // 248 is the largest multiple of 62 in a byte: above it some letters would be likelier.
            if byte < 248 && text.len() < chars {
                text.push(char::from(LETTERS[usize::from(byte) % 62]));
            }
        }
    }
    text
}
