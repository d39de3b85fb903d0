//! Passkeys of users. One file an action; what is stored of them, and where; and the challenges for which they answer.

mod challenge;
mod create_passkey;
mod delete_passkey;
mod list_passkeys;

use std::sync::Arc;

use jomae_api::{actions::ram::passkeys::Passkey, names::AccountId};
use jomae_crypto::{hash::sha256, passkey::PasskeyKey};
use serde::{Deserialize, Serialize};

pub use self::challenge::{CHALLENGE_SECS, Challenge, ChallengeFor, rp_id_of};
use super::record::{UserRecord, path as ram_path};
use crate::{
    identity::Who,
    prelude::*,
    store::Path,
    stored::{Bytes, plain_records},
};

/// Challenges of which one passkey remembers that it has answered them, as long as they could be answered again. Beyond, it
/// does not sign in.
const ANSWERED_MAX: usize = 32;

// An older version would let a user in by the password alone who has a passkey, and would leave it behind with the user.
plain_records!(form: 4, bears_rights: true, room: 2048; PasskeyRecord, PasskeysOfRecord);

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyRecord {
    /// Whose it is.
    pub user_id: String,
    pub name: String,
    pub credential_id: Bytes,
    pub key: PasskeyKey,
    /// For which relying party it was made.
    pub rp_id: String,
    /// Of the last signature; 0 where the authenticator does not count.
    pub counter: u32,
    pub can_be_backed_up: bool,
    pub is_backed_up: bool,
    /// How the authenticator is reached.
    pub transports: Vec<String>,
    /// Unix seconds.
    pub created: i64,
    /// Unix seconds.
    pub last_used: Option<i64>,
    pub answered: Answered,
}

/// The passkeys of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeysOfRecord {
    /// By their ids, the oldest first.
    pub ids: Vec<String>,
    /// Challenges for which one was made.
    pub answered: Answered,
}

/// Challenges that were answered, each with the moment until which it could be answered again, in Unix seconds: every
/// one is accepted once, on whatever node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered(Vec<(Bytes, i64)>);

impl Answered {
    /// With one more. None if that one was answered before, or there are too many.
    pub fn with(&self, challenge: &Challenge, now: i64) -> Option<Self> {
        let mut kept: Vec<_> = self.0.iter().filter(|(_, until)| *until > now).cloned().collect();
        if kept.len() >= ANSWERED_MAX || kept.iter().any(|(known, _)| known.0 == challenge.bytes) {
            return None;
        }
        kept.push((Bytes(challenge.bytes.to_vec()), challenge.until));
        Some(Self(kept))
    }
}

/// By what a passkey is named: a part of the hash of its credential id.
pub fn id_of(credential_id: &[u8]) -> String {
    let digest = sha256(&[credential_id]);
    hex::encode(&digest[..16])
}

/// What authenticators keep as the handle of a user, and give back when somebody signs in without a name.
pub fn user_handle(account: &AccountId, user_id: &str) -> String {
    format!("{account}/{user_id}")
}

/// Account and user of a handle.
pub fn of_handle(handle: &[u8]) -> Option<(AccountId, &str)> {
    let (account, user_id) = std::str::from_utf8(handle).ok()?.split_once('/')?;
    let is_id = !user_id.is_empty() && user_id.bytes().all(|b| b.is_ascii_digit());
    is_id.then_some(())?;
    Some((AccountId::new(account)?, user_id))
}

/// The passkey of a user that has this credential id.
pub fn find(
    tx: &mut Tx<'_>,
    account: &AccountId,
    user_id: &str,
    credential_id: &[u8],
) -> Result<Option<Arc<PasskeyRecord>>, Fault> {
    let found = tx.get::<PasskeyRecord>(&path::passkey(account, &id_of(credential_id)))?;
    Ok(found.filter(|passkey| passkey.user_id == user_id && passkey.credential_id.0 == credential_id))
}

/// Whether a user still has the passkey of this id.
pub fn is_there(tx: &mut Tx<'_>, account: &AccountId, user_id: &str, id: &str) -> Result<bool, Fault> {
    let found = tx.get::<PasskeyRecord>(&path::passkey(account, id))?;
    Ok(found.is_some_and(|passkey| passkey.user_id == user_id))
}

/// Whether a user has any.
pub fn has_any(tx: &mut Tx<'_>, account: &AccountId, user_id: &str) -> Result<bool, Fault> {
    let of_user = tx.get::<PasskeysOfRecord>(&path::of_user(account, user_id))?;
    Ok(of_user.is_some_and(|of_user| !of_user.ids.is_empty()))
}

/// All passkeys of a user, the oldest first.
pub fn all(tx: &mut Tx<'_>, account: &AccountId, user_id: &str) -> Result<Vec<Arc<PasskeyRecord>>, Fault> {
    let Some(of_user) = tx.get::<PasskeysOfRecord>(&path::of_user(account, user_id))? else { return Ok(Vec::new()) };
    let mut found = Vec::with_capacity(of_user.ids.len());
    for id in &of_user.ids {
        found.extend(tx.get::<PasskeyRecord>(&path::passkey(account, id))?);
    }
    Ok(found)
}

/// Deletes all passkeys of a user.
pub fn delete_all(tx: &mut Tx<'_>, account: &AccountId, user_id: &str) -> Result<(), Fault> {
    let at = path::of_user(account, user_id);
    let Some(of_user) = tx.get::<PasskeysOfRecord>(&at)? else { return Ok(()) };
    for id in &of_user.ids {
        tx.delete::<PasskeyRecord>(path::passkey(account, id));
    }
    tx.delete::<PasskeysOfRecord>(at);
    Ok(())
}

/// The user of this name, or the one who calls.
fn user(call: &Call<'_>, tx: &mut Tx<'_>, name: Option<&str>) -> Result<Arc<UserRecord>> {
    let account = call.caller.account();
    if let Some(name) = name {
        return super::find::user(tx, account, name);
    }
    let Who::User { id, .. } = &call.caller.who else { return Err(Refusal::UsersOnly.into()) };
    tx.get::<UserRecord>(&ram_path::user(account, id))?.ok_or(Refusal::UserNotFound.into())
}

fn shown(record: &PasskeyRecord) -> Passkey {
    Passkey {
        passkey_id: id_of(&record.credential_id.0),
        passkey_name: record.name.clone(),
        create_date: Timestamp(record.created),
        last_used_date: record.last_used.map(Timestamp),
        backed_up: record.is_backed_up,
    }
}

/// Paths. As all of RAM, under `ram/<account>/`.
pub mod path {
    use super::{AccountId, Path};

    pub fn passkey(account: &AccountId, id: &str) -> Path {
        Path::new(format!("ram/{account}/passkey/{id}"))
    }

    pub fn of_user(account: &AccountId, user_id: &str) -> Path {
        Path::new(format!("ram/{account}/passkeys-of/{user_id}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ACCOUNT: &str = "1234567890123456";

    #[test]
    fn handles_name_account_and_user() {
        let account = AccountId::new(ACCOUNT).unwrap();
        let handle = user_handle(&account, "205812345678901234");
        assert!(handle.len() <= crate::webauthn::USER_HANDLE_BYTES_MAX);
        assert_eq!(of_handle(handle.as_bytes()), Some((account, "205812345678901234")));
        for bad in [&b""[..], b"/1", b"1234567890123456/", b"1234567890123456/a", b"1234567890123456/1/2", b"\xff/1"] {
            assert_eq!(of_handle(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_challenge_is_answered_once() {
        let challenge = |n: u8, until: i64| Challenge {
            bytes: [n; 32],
            until,
            origin: "https://localhost".into(),
            of: ChallengeFor::SignIn,
        };
        let once = Answered::default().with(&challenge(1, 400), 100).unwrap();
        assert_eq!(once.with(&challenge(1, 400), 399), None);
        let twice = once.with(&challenge(2, 700), 400).unwrap();
        assert_eq!(twice.0.len(), 1, "what is over is forgotten");
        let full = (1..=32).try_fold(Answered::default(), |all, n| all.with(&challenge(n, 400), 100)).unwrap();
        assert_eq!(full.with(&challenge(33, 400), 100), None);
        assert!(full.with(&challenge(33, 700), 400).is_some());
    }

    proptest! {
        #[test]
        fn any_handle_is_read(handle: Vec<u8>) {
            if let Some((account, user_id)) = of_handle(&handle) {
                prop_assert_eq!(user_handle(&account, user_id).into_bytes(), handle);
            }
        }
    }
}
