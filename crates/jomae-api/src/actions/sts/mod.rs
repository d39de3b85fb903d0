//! Temporary credentials (STS, version 2015-04-01).

pub mod assume_role;
pub mod assume_role_with_oidc;
pub mod get_caller_identity;
mod params;

use crate::actions::prelude::*;

pub use params::{DURATION_SECONDS, POLICY, ROLE_ARN, ROLE_SESSION_NAME};

answer! {
    /// Temporary credentials; shown once.
    pub struct Credentials {
        /// Starts with `STS.`.
        access_key_id: String => "AccessKeyId",
        /// Shown here and never again.
        access_key_secret: SecretText => "AccessKeySecret",
        /// To be sent with every call (`SecurityToken` or `x-acs-security-token`).
        security_token: String => "SecurityToken",
        /// From this moment on the credentials do not work.
        expiration: Timestamp => "Expiration",
    }

    /// Who one is after assuming a role.
    pub struct AssumedRoleUser {
        /// `acs:ram::<account>:role/<role>/<session>`.
        arn: String => "Arn",
        /// `<role-id>:<session>`.
        assumed_role_id: String => "AssumedRoleId",
    }
}
