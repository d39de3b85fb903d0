//! What the authenticator says: the attestation object (section 6.5.4) and the authenticator data (section 6.1), of which
//! the fixed fields are read here, and the CBOR by `ciborium`.

use coset::cbor::{Value, de::from_reader_with_recursion_limit};

use super::{ATTESTATION_BYTES_MAX, AUTHENTICATOR_DATA_BYTES_MAX, CREDENTIAL_ID_BYTES_MAX, Mistake};

/// How deep CBOR may be nested (section 5.8.5 asks for no more than 4).
const DEPTH_MAX: usize = 8;

// Flags of the authenticator data.
const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKUP_STATE: u8 = 1 << 4;
const ATTESTED_CREDENTIAL: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

/// The authenticator data.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "as many as there are flags")]
pub struct AuthenticatorData {
    pub(super) rp_id_hash: [u8; 32],
    pub(super) is_present: bool,
    pub(super) is_verified: bool,
    pub(super) can_be_backed_up: bool,
    pub(super) is_backed_up: bool,
    pub(super) counter: u32,
    pub(super) attested: Option<Attested>,
}

/// A credential that was made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attested {
    pub(super) credential_id: Vec<u8>,
    /// In COSE.
    pub(super) key: Value,
}

/// What comes of making a passkey. Its statement is not looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct AttestationObject {
    pub(super) authenticator_data: AuthenticatorData,
}

/// Takes one item of CBOR from the front.
fn item(bytes: &mut &[u8]) -> Option<Value> {
    from_reader_with_recursion_limit(bytes, DEPTH_MAX).ok()
}

impl AuthenticatorData {
    /// Reads them, to their end; too long ones are not looked at.
    pub fn read(bytes: &[u8]) -> Result<Self, Mistake> {
        if bytes.len() > AUTHENTICATOR_DATA_BYTES_MAX {
            return Err(Mistake::AuthenticatorData);
        }
        let malformed = || Mistake::AuthenticatorData;
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>().ok_or_else(malformed)?;
        let (&[flags], rest) = rest.split_first_chunk::<1>().ok_or_else(malformed)?;
        let (counter, mut rest) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        let has = |flag: u8| flags & flag != 0;
        let attested = has(ATTESTED_CREDENTIAL).then(|| Attested::take(&mut rest)).transpose()?;
        if has(EXTENSIONS) && !item(&mut rest).is_some_and(|extensions| extensions.is_map()) {
            return Err(Mistake::AuthenticatorData);
        }
        if !rest.is_empty() {
            return Err(Mistake::AuthenticatorData);
        }
        Ok(Self {
            rp_id_hash: *rp_id_hash,
            is_present: has(USER_PRESENT),
            is_verified: has(USER_VERIFIED),
            can_be_backed_up: has(BACKUP_ELIGIBLE),
            is_backed_up: has(BACKUP_STATE),
            counter: u32::from_be_bytes(*counter),
            attested,
        })
    }
}

impl Attested {
    fn take(bytes: &mut &[u8]) -> Result<Self, Mistake> {
        let malformed = || Mistake::AuthenticatorData;
        // The model of the authenticator, of which nothing is asked.
        let (_, rest) = bytes.split_first_chunk::<16>().ok_or_else(malformed)?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(malformed)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 || length > CREDENTIAL_ID_BYTES_MAX {
            return Err(Mistake::CredentialId);
        }
        let (credential_id, mut rest) = rest.split_at_checked(length).ok_or_else(malformed)?;
        let key = item(&mut rest).ok_or_else(malformed)?;
        *bytes = rest;
        Ok(Self { credential_id: credential_id.to_vec(), key })
    }
}

impl AttestationObject {
    /// Reads it; what is too long is not looked at.
    pub fn read(bytes: &[u8]) -> Result<Self, Mistake> {
        if bytes.len() > ATTESTATION_BYTES_MAX {
            return Err(Mistake::Attestation);
        }
        let mut rest = bytes;
        let members = item(&mut rest).and_then(|object| object.into_map().ok()).filter(|_| rest.is_empty());
        let members = members.ok_or(Mistake::Attestation)?;
        let [mut format, mut statement, mut data] = [const { None }; 3];
        for (name, value) in members {
            let place = match name.as_text() {
                Some("fmt") => &mut format,
                Some("attStmt") => &mut statement,
                Some("authData") => &mut data,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(Mistake::Attestation);
            }
        }
        let is_whole = format.is_some_and(|format| format.is_text()) && statement.is_some_and(|of| of.is_map());
        let data = data.and_then(|data| data.into_bytes().ok()).filter(|_| is_whole).ok_or(Mistake::Attestation)?;
        Ok(Self { authenticator_data: AuthenticatorData::read(&data)? })
    }
}
