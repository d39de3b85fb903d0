//! Temporary credentials (STS, version 2015-04-01).

pub mod assume_role;
pub mod assume_role_with_oidc;
pub mod get_caller_identity;
mod params;

use serde::Serialize;

use crate::{action::SecretText, time::Timestamp};

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
