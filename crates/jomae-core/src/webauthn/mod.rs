//! Passkeys: what an authenticator answers when it makes one or signs in with one, and whether that holds (Web
//! Authentication Level 3, sections 7.1 and 7.2). Knows no store, no person and no clock.
//!
//! Attestation is not evaluated: none is asked for, and what comes along says nothing here about who has made the
//! authenticator. Everything else that these sections ask for is checked by [`verify_creation`] and [`verify_use`], or, where it
//! needs records, by whoever calls them: that a credential is nobody's yet, whose it is, and that a challenge is used once.

mod authenticator;
mod client_data;
mod key;
#[cfg(test)]
mod tests;

pub use jomae_api::limits::{
    PASSKEY_ATTESTATION_BYTES_MAX as ATTESTATION_BYTES_MAX, PASSKEY_CLIENT_DATA_BYTES_MAX as CLIENT_DATA_BYTES_MAX,
};
use jomae_crypto::{hash::sha256, passkey::PasskeyKey};

pub use self::authenticator::{AttestationObject, AuthenticatorData};
use self::client_data::Ceremony;
pub use self::client_data::ClientData;
pub use self::key::ALGORITHMS;

/// Length of a challenge, in bytes.
pub const CHALLENGE_BYTES: usize = 32;
/// Longest authenticator data that are read, in bytes.
pub const AUTHENTICATOR_DATA_BYTES_MAX: usize = 4096;
/// Longest credential id (section 5.8.3), in bytes.
pub const CREDENTIAL_ID_BYTES_MAX: usize = 1023;
/// Longest user handle (section 5.4.3), in bytes.
pub const USER_HANDLE_BYTES_MAX: usize = 64;

/// Why an answer of an authenticator is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The client data are no JSON of that form, or too long.
    ClientData,
    /// The answer was made for something else than what was asked.
    Type,
    /// It answers another challenge.
    Challenge,
    /// It was made on another page than ours, or in a frame of another one.
    Origin,
    /// The attestation object is malformed, or too long.
    Attestation,
    /// The authenticator data are malformed, or too long.
    AuthenticatorData,
    /// It is bound to another relying party.
    RelyingParty,
    /// Nobody was there.
    NobodyPresent,
    /// The authenticator has not verified who was there, and had to.
    NotVerified,
    /// There is no credential in it.
    NoCredential,
    /// The credential id is longer than it may be, or empty.
    CredentialId,
    /// The key is for an algorithm that was not asked for.
    Algorithm,
    /// The key is malformed, or no key of its kind.
    Key,
    /// It says that what cannot be backed up is backed up, or something else than at its making.
    BackupFlags,
    /// The signature is not one of this passkey.
    Signature,
    /// The counter has not gone on: perhaps there is a copy of the authenticator.
    Counter,
    /// It names another user.
    UserHandle,
}

/// What an answer has to be for.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    pub challenge: &'a [u8; CHALLENGE_BYTES],
    /// `https://<host>[:<port>]`, as browsers write it.
    pub origin: &'a str,
    /// The relying party: the host of the origin.
    pub rp_id: &'a str,
    /// Whether the authenticator has to have verified who was there.
    pub needs_verification: bool,
}

/// A passkey that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub credential_id: Vec<u8>,
    pub key: PasskeyKey,
    pub counter: u32,
    pub can_be_backed_up: bool,
    pub is_backed_up: bool,
    pub is_verified: bool,
}

/// What is known of a passkey that somebody signs in with.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub key: &'a PasskeyKey,
    pub counter: u32,
    pub can_be_backed_up: bool,
    /// The handle of its user.
    pub user_handle: &'a [u8],
}

/// What an authenticator has answered, when somebody signs in.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    pub client_data: &'a [u8],
    pub authenticator_data: &'a [u8],
    pub signature: &'a [u8],
    /// Empty if the authenticator gives none.
    pub user_handle: &'a [u8],
}

/// How a passkey was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    pub counter: u32,
    pub is_backed_up: bool,
    pub is_verified: bool,
}

/// Looks at what `navigator.credentials.create()` gave (section 7.1).
///
/// # Errors
/// The first [`Mistake`].
pub fn verify_creation(client_data: &[u8], attestation: &[u8], expected: &Expected<'_>) -> Result<Made, Mistake> {
    ClientData::read(client_data)?.check(Ceremony::Create, expected)?;
    let data = AttestationObject::read(attestation)?.authenticator_data;
    let is_verified = check(&data, expected)?;
    let attested = data.attested.ok_or(Mistake::NoCredential)?;
    let key = key::of_cose(attested.key)?;
    Ok(Made {
        credential_id: attested.credential_id,
        key,
        counter: data.counter,
        can_be_backed_up: data.can_be_backed_up,
        is_backed_up: data.is_backed_up,
        is_verified,
    })
}

/// Looks at what `navigator.credentials.get()` gave (section 7.2).
///
/// # Errors
/// The first [`Mistake`]. [`Mistake::Counter`] only if everything else is right.
pub fn verify_use(answer: &Answer<'_>, known: &Known<'_>, expected: &Expected<'_>) -> Result<Used, Mistake> {
    if !answer.user_handle.is_empty() && answer.user_handle != known.user_handle {
        return Err(Mistake::UserHandle);
    }
    ClientData::read(answer.client_data)?.check(Ceremony::Get, expected)?;
    let data = AuthenticatorData::read(answer.authenticator_data)?;
    let is_verified = check(&data, expected)?;
    if data.can_be_backed_up != known.can_be_backed_up {
        return Err(Mistake::BackupFlags);
    }
    let message = [answer.authenticator_data, &sha256(&[answer.client_data])].concat();
    if !known.key.verifies(&message, answer.signature) {
        return Err(Mistake::Signature);
    }
    if (data.counter > 0 || known.counter > 0) && data.counter <= known.counter {
        return Err(Mistake::Counter);
    }
    Ok(Used { counter: data.counter, is_backed_up: data.is_backed_up, is_verified })
}

/// What both have to say. Gives whether the authenticator has verified who was there.
fn check(data: &AuthenticatorData, expected: &Expected<'_>) -> Result<bool, Mistake> {
    if data.rp_id_hash != sha256(&[expected.rp_id.as_bytes()]) {
        return Err(Mistake::RelyingParty);
    }
    if !data.is_present {
        return Err(Mistake::NobodyPresent);
    }
    if expected.needs_verification && !data.is_verified {
        return Err(Mistake::NotVerified);
    }
    if data.is_backed_up && !data.can_be_backed_up {
        return Err(Mistake::BackupFlags);
    }
    Ok(data.is_verified)
}
