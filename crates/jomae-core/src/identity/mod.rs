//! Who? Callers, their credentials, and the check of a signature.

pub mod accounts;
pub mod bootstrap;
pub mod caller;
pub mod sessions;
pub mod token;

use std::sync::Arc;

use jomae_api::{
    error::Refusal,
    limits::SKEW_SECS_MAX,
    names::AccountId,
    sign::{self, Credential, Presented, SignError, SigningSecret},
    time::Timestamp,
};
use jomae_crypto::{rng, secret::SecretBytes, wrap};

pub use caller::{Caller, Federated, SignInFacts, Who};
pub use sessions::Sessions;

use self::sessions::Opened;
use crate::{
    error::{Error, Fault},
    keyring::Keyring,
    lockout::{Lockout, SourceId},
    nonce::{self, NonceMemory, Seen},
    ram::{
        find,
        record::{UserRecord, path as ram_path},
    },
    record::{AccessKeyRecord, AccountRecord, StoredAccessKey, path},
    shares::Share,
    stored::Bytes,
    tx::Vault,
};

/// What the access key ids of temporary credentials start with.
pub const TEMPORARY_PREFIX: &str = "STS.";

/// When a request that may be a repetition is worth signing anew, in milliseconds: time stamps have whole seconds.
const UNAVAILABLE_MS: u32 = 1000;

/// How much of a request a signature is compared with: all of it, or its head.
type Verify<'p> = fn(&Presented<'p>, Credential<'_>) -> Result<(), SignError>;

/// Everything that finding out a caller needs.
pub struct Authenticator {
    pub nonces: NonceMemory,
    pub lockout: Lockout,
    pub sessions: Sessions,
    /// Stands in for a secret that does not exist, so that an unknown access key costs the same work as a wrong
    /// signature.
    dummy: SigningSecret,
}

impl Authenticator {
    pub fn new(nonces_max: usize) -> Self {
        Self {
            nonces: NonceMemory::new(nonces_max),
            lockout: Lockout::default(),
            sessions: Sessions::default(),
            dummy: SigningSecret::new(SecretBytes::random(30)),
        }
    }

    /// Finds out who sent a signed request: time, access key, signature, in this order. The request is accepted only by
    /// [`Authenticator::accept`], which remembers its nonce: after its signature has proved right, so that nobody else can burn it
    /// or fill the memory, and after the account was metered, so that a throttled one does not fill it either.
    pub fn authenticate(
        &self,
        vault: &Vault,
        presented: &Presented<'_>,
        source_ip: &str,
        now: Timestamp,
    ) -> Result<Authenticated, NotAuthenticated> {
        let signed_at_secs = sign::check_time(presented.timestamp_text, now.0).map_err(Refusal::from)?;
        let id = presented.access_key_id;
        let place = self.lockout.place(id, source_ip);
        if let Some(secs) = self.lockout.locked_secs(place, now) {
            return Err(NotAuthenticated::throttled(secs));
        }
        let checked = self.check(vault, presented, Presented::verify, now);
        if matches!(checked, Err(Error::Refused(Refusal::SignatureDoesNotMatch))) {
            self.lockout.failed(place, now);
        }
        let (caller, access_key) = checked?;
        Ok(Authenticated { caller, access_key, signed: Signed { place, signed_at_secs } })
    }

    /// Accepts a request whose signature was right: once, and within the account's share of the nonce memory.
    pub fn accept(
        &self,
        presented: &Presented<'_>,
        signed: &Signed,
        share: &Share,
        now: Timestamp,
    ) -> Result<(), NotAuthenticated> {
        let in_share = share.may_remember(self.nonces.len(), self.nonces.entries_max(), now.0);
        let (id, nonce) = (presented.access_key_id, presented.nonce);
        match self.nonces.remember(id, nonce, signed.signed_at_secs, now.0, in_share) {
            Seen::First => {
                share.note_nonce(nonce::generation(signed.signed_at_secs));
                // Not before: whoever repeats a request of somebody else's shows no secret.
                self.lockout.succeeded(signed.place, now);
                Ok(())
            }
            Seen::Before => Err(Refusal::NonceUsed.into()),
            // Its client signs anew when it tries again, unless the request is a repetition.
            Seen::PerhapsBefore => Err(NotAuthenticated::unavailable()),
            Seen::MemoryFull => Err(NotAuthenticated::throttled(NonceMemory::room_in_secs(now.0))),
        }
    }

    /// Whether a request whose body is still to come has a head that a known caller has signed: time, lock-out, access
    /// key and signature, as [`Authenticator::authenticate`] looks at them. The body may still prove wrong, and the request may
    /// be a repetition: this is enough to let it have memory, and for nothing else. Nothing is counted or remembered.
    pub fn vouches(&self, vault: &Vault, presented: &Presented<'_>, source_ip: &str, now: Timestamp) -> bool {
        sign::check_time(presented.timestamp_text, now.0).is_ok()
            && self.lockout.admits(self.lockout.place(presented.access_key_id, source_ip), now)
            && self.check(vault, presented, Presented::verify_head, now).is_ok()
    }

    /// The caller, and the record of its access key; temporary credentials have none.
    fn check<'p>(
        &self,
        vault: &Vault,
        presented: &Presented<'p>,
        verify: Verify<'p>,
        now: Timestamp,
    ) -> Result<(Caller, Option<Arc<AccessKeyRecord>>), Error> {
        let (caller, access_key) = if presented.access_key_id.starts_with(TEMPORARY_PREFIX) {
            (self.by_token(vault.keyring(), presented, verify, now)?, None)
        } else {
            let (caller, access_key) = self.by_access_key(vault, presented, verify)?;
            (caller, Some(access_key))
        };
        if !is_open(vault, &caller.account)? {
            return Err(Refusal::AccessKeyInactive.into());
        }
        Ok((caller, access_key))
    }

    fn by_access_key<'p>(
        &self,
        vault: &Vault,
        presented: &Presented<'p>,
        verify: Verify<'p>,
    ) -> Result<(Caller, Arc<AccessKeyRecord>), Error> {
        let id = presented.access_key_id;
        let mut tx = vault.reading();
        let Some(record) = tx.get::<AccessKeyRecord>(&path::access_key(id))? else {
            let _ = verify(presented, Credential::Secret(&self.dummy));
            return Err(Refusal::AccessKeyNotFound.into());
        };
        let secret = secret(vault.keyring(), id, &record)?;
        verify(presented, Credential::Secret(secret)).map_err(Refusal::from)?;
        // What the account has switched off is told only to who holds the secret.
        if !record.stored.active {
            return Err(Refusal::AccessKeyInactive.into());
        }
        if presented.security_token.is_some() {
            return Err(Refusal::SecurityTokenMismatch.into());
        }
        let account = record.stored.account.clone();
        let who = match &record.stored.user {
            None => Who::Root,
            Some(user_id) => {
                let user = tx.get::<UserRecord>(&ram_path::user(&account, user_id))?;
                let user = user.ok_or(Refusal::AccessKeyNotFound)?;
                Who::User { id: user.id.clone(), name: user.name.clone() }
            }
        };
        Ok((Caller { account, access_key_id: id.to_owned(), who, signed_in: None }, record))
    }

    /// A caller with temporary credentials: all that is known of the session stands in the token.
    fn by_token<'p>(
        &self,
        keyring: &Keyring,
        presented: &Presented<'p>,
        verify: Verify<'p>,
        now: Timestamp,
    ) -> Result<Caller, Error> {
        let token = presented.security_token.ok_or(Refusal::SecurityTokenMissing)?;
        let (opened, place) = match self.sessions.get(token, now) {
            Ok(opened) => (opened, None),
            Err(place) => {
                let (session, secret) = token::open(keyring, token).ok_or(Refusal::SecurityTokenMalformed)?;
                (Arc::new(Opened { session: Arc::new(session), secret: SigningSecret::new(secret) }), Some(place))
            }
        };
        let Opened { session, secret } = &*opened;
        if session.access_key_id != presented.access_key_id {
            return Err(Refusal::SecurityTokenMismatch.into());
        }
        verify(presented, Credential::Secret(secret)).map_err(Refusal::from)?;
        if session.expires <= now.0 {
            return Err(Refusal::SecurityTokenExpired.into());
        }
        if let Some(place) = place {
            self.sessions.keep(place, Arc::clone(&opened));
        }
        Ok(Caller {
            account: session.account.clone(),
            access_key_id: session.access_key_id.clone(),
            who: Who::Session(Arc::clone(session)),
            signed_in: None,
        })
    }
}

/// Why a caller is not known, or its request not accepted, and after how many milliseconds it may be otherwise.
#[derive(Debug)]
pub struct NotAuthenticated {
    pub error: Error,
    pub retry_after_ms: Option<u32>,
}

impl NotAuthenticated {
    fn throttled(wait_secs: i64) -> Self {
        let wait_ms = u32::try_from(wait_secs.saturating_mul(1000)).unwrap_or(u32::MAX);
        Self { error: Refusal::Throttled.into(), retry_after_ms: Some(wait_ms) }
    }

    fn unavailable() -> Self {
        Self { error: Refusal::Unavailable.into(), retry_after_ms: Some(UNAVAILABLE_MS) }
    }
}

impl<E: Into<Error>> From<E> for NotAuthenticated {
    fn from(error: E) -> Self {
        Self { error: error.into(), retry_after_ms: None }
    }
}

/// Who called, and by which stored access key.
pub struct Authenticated {
    pub caller: Caller,
    /// None for temporary credentials.
    pub access_key: Option<Arc<AccessKeyRecord>>,
    pub signed: Signed,
}

/// What of a right signature is still to be looked at.
pub struct Signed {
    place: SourceId,
    signed_at_secs: i64,
}

impl Signed {
    /// Until when a repetition of the request could be accepted, in Unix seconds.
    pub(crate) const fn until_secs(&self) -> i64 {
        self.signed_at_secs + SKEW_SECS_MAX.cast_signed()
    }
}

fn secret<'r>(keyring: &Keyring, id: &str, record: &'r AccessKeyRecord) -> Result<&'r SigningSecret, Fault> {
    if let Some(secret) = record.secret.get() {
        return Ok(secret);
    }
    let opened = open_secret(keyring, id, &record.stored)?;
    Ok(record.secret.get_or_init(|| SigningSecret::new(opened)))
}

fn open_secret(keyring: &Keyring, id: &str, stored: &StoredAccessKey) -> Result<SecretBytes, Fault> {
    keyring
        .open_with(&stored.secret.0, |domain, wrapped| wrap::unwrap_access_key_secret(domain, id, wrapped))
        .map_err(|error| Fault::internal(format!("secret of access key {id}: {error}")))
}

/// Somebody who has signed in, as the store knows him now: none if his account is shut or he is gone, or if he is none
/// whom the console lets in.
pub fn still_there(vault: &Vault, caller: &Caller) -> Result<Option<Caller>, Fault> {
    if !is_open(vault, &caller.account)? {
        return Ok(None);
    }
    let who = match &caller.who {
        Who::Root => Who::Root,
        Who::User { id, .. } => match vault.reading().get::<UserRecord>(&ram_path::user(&caller.account, id))? {
            Some(user) => Who::User { id: user.id.clone(), name: user.name.clone() },
            None => return Ok(None),
        },
        Who::Session(_) | Who::Federated(_) => return Ok(None),
    };
    Ok(Some(Caller { who, ..caller.clone() }))
}

/// The caller who is the account itself (`root`), or its user of this name: none if there is none, or if the account is shut.
pub fn person(vault: &Vault, account: &AccountId, user: Option<&str>) -> Result<Option<Caller>, Fault> {
    let who = match user {
        None => Who::Root,
        Some(name) => match find::user(&mut vault.reading(), account, name) {
            Ok(user) => Who::User { id: user.id.clone(), name: user.name.clone() },
            Err(Error::Failed(fault)) => return Err(fault),
            Err(Error::Refused(_) | Error::Denied(..)) => return Ok(None),
        },
    };
    still_there(vault, &Caller { account: account.clone(), access_key_id: String::new(), who, signed_in: None })
}

/// Whether the account is there and not shut: nobody of another one is let in.
fn is_open(vault: &Vault, account: &AccountId) -> Result<bool, Fault> {
    let record = vault.reading().get::<AccountRecord>(&path::account(account))?;
    Ok(record.is_some_and(|record| !record.disabled))
}

/// A new access key of the account (`user_id` none) or of a user: its id, its secret (to be shown once), its record.
pub fn new_access_key(
    keyring: &Keyring,
    account: &AccountId,
    user_id: Option<&str>,
    now: Timestamp,
) -> Result<(String, SecretBytes, AccessKeyRecord), Fault> {
    let id = format!("LTAI{}", random_text(20));
    let secret = new_secret();
    let wrapped = keyring.seal_with(|domain| wrap::wrap_access_key_secret(domain, &id, &secret))?;
    let stored = StoredAccessKey {
        account: account.clone(),
        user: user_id.map(str::to_owned),
        created: now.0,
        active: true,
        secret: Bytes(wrapped),
    };
    Ok((id, secret, AccessKeyRecord::of(stored)))
}

/// The id of a new temporary access key.
pub(crate) fn new_temporary_id() -> String {
    format!("{TEMPORARY_PREFIX}{}", random_text(20))
}

/// The secret of a new access key: 30 letters and digits, about 178 bits.
pub(crate) fn new_secret() -> SecretBytes {
    SecretBytes::new(random_text(30).into_bytes())
}

/// A new account id: 16 digits, the first not 0.
pub fn new_account_id() -> Result<AccountId, Fault> {
    let number = u64::from_be_bytes(rng::array()) % 9_000_000_000_000_000 + 1_000_000_000_000_000;
    AccountId::new(&number.to_string()).ok_or_else(|| Fault::internal("account id"))
}

/// The id of a new user, group or role: 18 digits, the first not 0.
pub fn new_entity_id() -> String {
    (u64::from_be_bytes(rng::array()) % 900_000_000_000_000_000 + 100_000_000_000_000_000).to_string()
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
