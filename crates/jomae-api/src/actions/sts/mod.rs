//! Temporary credentials (STS, version 2015-04-01).

pub mod assume_role;
pub mod assume_role_with_oidc;
pub mod get_caller_identity;
mod params;

use jomae_crypto::secret::SecretBytes;
use serde::{Serialize, Serializer};

use crate::time::Timestamp;

pub use params::{DURATION_SECONDS, POLICY, ROLE_ARN, ROLE_SESSION_NAME};

/// Temporary credentials; shown once.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Credentials {
    pub access_key_id: String,
    pub access_key_secret: SecretText,
    pub security_token: String,
    pub expiration: Timestamp,
}

/// Who one is after assuming a role.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumedRoleUser {
    /// `acs:ram::<account>:role/<role>/<session>`.
    pub arn: String,
    /// `<role-id>:<session>`.
    pub assumed_role_id: String,
}

/// A secret of letters and digits that an answer carries to whom it belongs.
pub struct SecretText(pub SecretBytes);

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(self.0.expose()).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(text)
    }
}
