//! Request signatures: reading, verifying, making.
//!
//! Three generations share one entry, [`Presented::read`]: RPC v1 (all in parameters), ACS3 and ACS4 (in headers). The
//! order of work is the gateway's: read (form) → [`check_time`] → look the key up → [`Presented::verify`] → nonce. A
//! nonce is remembered only after the signature has verified, or anyone could burn other people's nonces.

mod acs;
mod canonical;
pub mod client;
mod rpc;
mod secret;

use jomae_crypto::hash::HashAlg;
use jomae_crypto::mac::MacAlg;

use crate::error::Refusal;
use crate::time::Timestamp;
use crate::wire::{Format, Params, Request};

pub use self::secret::SigningSecret;
pub use crate::limits::{ACCESS_KEY_ID_BYTES_MAX, NONCE_BYTES_MAX, SKEW_SECS_MAX};
/// Longest security token, and longest value of a signed header, in bytes.
pub const HEADER_VALUE_BYTES_MAX: usize = 8 * 1024;
/// Longest `Authorization` value, in bytes.
pub const AUTHORIZATION_BYTES_MAX: usize = 16 * 1024;
/// Most headers of a request that is signed in its headers, and most names in `SignedHeaders`.
pub const HEADERS_MAX: usize = 100;
/// Longest RSA signature, in bytes: 8192 bits.
const RSA_SIGNATURE_BYTES_MAX: usize = 1024;

/// A way to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `HMAC-SHA1` of RPC version 1.0.
    RpcV1HmacSha1,
    /// `SHA256withRSA` of RPC version 1.0.
    RpcV1RsaSha256,
    /// `ACS3-HMAC-SHA256`.
    Acs3HmacSha256,
    /// `ACS3-HMAC-SM3`.
    Acs3HmacSm3,
    /// `ACS3-RSA-SHA256`.
    Acs3RsaSha256,
    /// `ACS4-HMAC-SHA256`, with a credential scope.
    Acs4HmacSha256,
    /// `ACS4-HMAC-SM3`, likewise.
    Acs4HmacSm3,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 7] = [
        Self::RpcV1HmacSha1,
        Self::RpcV1RsaSha256,
        Self::Acs3HmacSha256,
        Self::Acs3HmacSm3,
        Self::Acs3RsaSha256,
        Self::Acs4HmacSha256,
        Self::Acs4HmacSm3,
    ];

    /// The name on the wire: `SignatureMethod` in v1, the first word of `Authorization` otherwise.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RpcV1HmacSha1 => "HMAC-SHA1",
            Self::RpcV1RsaSha256 => "SHA256withRSA",
            Self::Acs3HmacSha256 => "ACS3-HMAC-SHA256",
            Self::Acs3HmacSm3 => "ACS3-HMAC-SM3",
            Self::Acs3RsaSha256 => "ACS3-RSA-SHA256",
            Self::Acs4HmacSha256 => "ACS4-HMAC-SHA256",
            Self::Acs4HmacSm3 => "ACS4-HMAC-SM3",
        }
    }

    /// Whether the credential is an RSA public key and not a secret.
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::RpcV1RsaSha256 | Self::Acs3RsaSha256)
    }

    const fn is_rpc(self) -> bool {
        matches!(self, Self::RpcV1HmacSha1 | Self::RpcV1RsaSha256)
    }

    const fn is_acs4(self) -> bool {
        matches!(self, Self::Acs4HmacSha256 | Self::Acs4HmacSm3)
    }

    const fn hash_alg(self) -> HashAlg {
        match self {
            Self::Acs3HmacSm3 | Self::Acs4HmacSm3 => HashAlg::Sm3,
            _ => HashAlg::Sha256,
        }
    }

    const fn mac_alg(self) -> MacAlg {
        match self {
            Self::RpcV1HmacSha1 => MacAlg::Sha1,
            Self::Acs3HmacSm3 | Self::Acs4HmacSm3 => MacAlg::Sm3,
            _ => MacAlg::Sha256,
        }
    }

    /// The header that carries the hash of the body. ACS3 keeps the old name under SM3.
    const fn payload_hash_header(self) -> &'static str {
        match self {
            Self::Acs4HmacSm3 => "x-acs-content-sm3",
            _ => "x-acs-content-sha256",
        }
    }
}

/// What the server holds for an access key. No `Debug`.
#[derive(Clone, Copy)]
pub enum Credential<'c> {
    /// The access key secret.
    Secret(&'c SigningSecret),
    /// A DER `SubjectPublicKeyInfo` of an RSA key.
    RsaPublicKey(&'c [u8]),
}

/// Why a request is not authentic, or not readable as signed. Holds no text of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignError {
    /// A common parameter or header is absent or empty.
    MissingParameter(&'static str),
    /// A common parameter or header is too long.
    InvalidParameter(&'static str),
    /// Neither `Action` nor `x-acs-action`.
    MissingAction,
    /// `Timestamp` is absent (RPC v1 alone has its own code for that).
    IllegalTimestamp,
    /// Not `YYYY-MM-DDThh:mm:ssZ`.
    TimestampFormat,
    /// More than [`SKEW_SECS_MAX`] from now.
    TimestampExpired,
    /// No signature, a malformed `Authorization`, or a header that must be signed and is not.
    IncompleteSignature,
    /// `SignatureMethod` is none of the schemes.
    UnsupportedSignatureMethod,
    /// `SignatureVersion` is not 1.0.
    UnsupportedSignatureVersion,
    /// A bearer or identity token in place of a signature.
    UnsupportedBearer,
    /// The signature is wrong, for whatever reason.
    DoesNotMatch,
}

impl From<SignError> for Refusal {
    fn from(error: SignError) -> Self {
        match error {
            SignError::MissingParameter(name) => Self::CommonParameterMissing(name),
            SignError::InvalidParameter(name) => Self::ParameterInvalid(name),
            SignError::MissingAction => Self::ActionMissing,
            SignError::IllegalTimestamp => Self::TimestampMissing,
            SignError::TimestampFormat => Self::TimestampFormat,
            SignError::TimestampExpired => Self::TimestampExpired,
            SignError::IncompleteSignature => Self::IncompleteSignature,
            SignError::UnsupportedSignatureMethod => Self::SignatureMethodInvalid,
            SignError::UnsupportedSignatureVersion => Self::SignatureVersionInvalid,
            SignError::UnsupportedBearer => Self::BearerUnsupported,
            SignError::DoesNotMatch => Self::SignatureDoesNotMatch,
        }
    }
}

/// A signed request as presented: well formed, nothing proved yet. No `Debug`: it reaches the parameters.
pub struct Presented<'a> {
    /// How it is signed.
    pub scheme: Scheme,
    /// Whose key has signed it, as it claims.
    pub access_key_id: &'a str,
    /// The action, which need not exist.
    pub action: &'a str,
    /// `Version`, which need not be one of ours.
    pub api_version: &'a str,
    /// For [`check_time`].
    pub timestamp_text: &'a str,
    /// 1 to [`NONCE_BYTES_MAX`] bytes.
    pub nonce: &'a str,
    /// Signed; whether the token is known is a separate check.
    pub security_token: Option<&'a str>,
    /// The form that the answer must have.
    pub format: Format,
    request: Request<'a>,
    params: &'a Params<'a>,
    proof: Proof<'a>,
}

enum Proof<'a> {
    /// The `Signature` parameter, in Base64.
    Rpc(&'a str),
    Acs(acs::Proof<'a>),
}

impl<'a> Presented<'a> {
    /// Recognises the generation and makes every check that needs no key: names present and within their limits,
    /// `Authorization` well formed, `host` and every received `x-acs-*` header signed, ACS4 scope of the same day.
    ///
    /// Whether the body has the hash that the headers name is left to [`Self::verify`], which knows how to tell the
    /// caller; a time stamp of the wrong form is left to [`check_time`].
    pub fn read(request: &Request<'a>, params: &'a Params<'a>) -> Result<Self, SignError> {
        let authorization = request.header("authorization").unwrap_or_default().trim_ascii();
        let starts_with = |prefix: &str| {
            authorization.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        let presented = if starts_with("ACS3-") || starts_with("ACS4-") {
            acs::read(request, params, authorization)?
        } else if starts_with("Bearer ") {
            return Err(SignError::UnsupportedBearer);
        } else if starts_with("ACS") {
            return Err(SignError::UnsupportedSignatureMethod);
        } else {
            rpc::read(request, params)?
        };
        let within = |text: &str, bytes_max: usize, name| {
            if text.len() <= bytes_max { Ok(()) } else { Err(SignError::InvalidParameter(name)) }
        };
        within(presented.access_key_id, ACCESS_KEY_ID_BYTES_MAX, "AccessKeyId")?;
        within(presented.nonce, NONCE_BYTES_MAX, "SignatureNonce")?;
        within(presented.security_token.unwrap_or_default(), HEADER_VALUE_BYTES_MAX, "SecurityToken")?;
        Ok(presented)
    }

    /// Whether the signature was made with this credential: `Ok` or [`SignError::DoesNotMatch`]. The comparison takes
    /// constant time.
    ///
    /// For an unknown access key, call this too, with a random credential of the kind that [`Scheme::is_rsa`] tells,
    /// and answer "not found" afterwards: then an unknown key costs the same work as a wrong signature. A credential
    /// of the other kind never matches.
    pub fn verify(&self, credential: Credential<'_>) -> Result<(), SignError> {
        let genuine = match &self.proof {
            Proof::Rpc(signature) => rpc::verify(self, signature, credential),
            Proof::Acs(proof) => acs::verify(self, proof, credential),
        };
        if genuine { Ok(()) } else { Err(SignError::DoesNotMatch) }
    }

    /// Whether the head of a request, whose body is still to come, was signed with this credential. It says nothing of
    /// the body, which [`Self::verify`] must check when it is there. Never for RPC v1, which may sign the body itself.
    pub fn verify_head(&self, credential: Credential<'_>) -> Result<(), SignError> {
        let genuine = match &self.proof {
            Proof::Rpc(_) => false,
            Proof::Acs(proof) => acs::verify_head(self, proof, credential),
        };
        if genuine { Ok(()) } else { Err(SignError::DoesNotMatch) }
    }

    /// The text that the signature covers, for the answer to a wrong signature: the string to sign of RPC v1, the
    /// canonical request of ACS.
    ///
    /// It repeats all parameters of the caller, plaintexts included: send it to the caller alone, never log it.
    pub fn string_to_sign(&self) -> String {
        let mut text = Vec::new();
        match &self.proof {
            Proof::Rpc(_) => rpc::canonical(self, &mut text),
            Proof::Acs(proof) => acs::canonical(self, proof, &mut text),
        }
        String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// What ACS signs instead of the whole canonical request: the scheme's name, a newline, the hash of the canonical
    /// request in hexadecimal. `None` for RPC v1.
    pub fn digest_to_sign(&self) -> Option<String> {
        match &self.proof {
            Proof::Rpc(_) => None,
            Proof::Acs(proof) => Some(acs::digest_to_sign(self, proof)),
        }
    }
}

/// The moment that a time stamp names, in seconds since 1970, if it has exactly the form `YYYY-MM-DDThh:mm:ssZ` and
/// lies within [`SKEW_SECS_MAX`] of `now_unix_secs`.
pub fn check_time(timestamp_text: &str, now_unix_secs: i64) -> Result<i64, SignError> {
    let moment = Timestamp::parse(timestamp_text).ok_or(SignError::TimestampFormat)?.0;
    if now_unix_secs.abs_diff(moment) > SKEW_SECS_MAX {
        return Err(SignError::TimestampExpired);
    }
    Ok(moment)
}

#[cfg(test)]
mod tests;
