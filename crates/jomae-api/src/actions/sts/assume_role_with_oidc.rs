//! `AssumeRoleWithOIDC`: temporary credentials of a role, for the token of an identity provider instead of a signature.

use super::{AssumedRoleUser, Credentials, DURATION_SECONDS, POLICY, ROLE_ARN, ROLE_SESSION_NAME};
use crate::actions::prelude::*;

/// A request of the action `AssumeRoleWithOIDC`.
pub struct AssumeRoleWithOIDC {
    /// By its full name.
    pub role: RoleRef,
    /// Names the session in resource names and audit events.
    pub session_name: String,
    /// Life of the credentials; the service chooses if none was given.
    pub duration_secs: Option<u32>,
    /// A policy that narrows the session; its text.
    pub policy: Option<String>,
}

answer! {
    pub struct Output {
        /// Temporary credentials.
        credentials: Credentials => "Credentials",
        /// Who one is with them.
        assumed_role_user: AssumedRoleUser => "AssumedRoleUser",
        /// What the token said.
        oidc_token_info: OidcTokenInfo => "OIDCTokenInfo",
    }

    /// What the token said.
    pub struct OidcTokenInfo {
        /// Whom the token names.
        subject: String => "Subject",
        /// Who has issued it.
        issuer: String => "Issuer",
        /// Whom it is meant for, comma-separated.
        client_ids: String => "ClientIds",
        /// When the token expires.
        expiration_time: Timestamp => "ExpirationTime",
        /// When the token was issued, if it says so.
        issuance_time: Option<Timestamp> => "IssuanceTime",
    }
}

param! {
    // Read before the action, to find out who calls.
    /// Who has issued the token; declared in the configuration of the service.
    pub OIDC_PROVIDER_ARN: String = Text "OIDCProviderArn", "acs:ram::<account>:oidc-provider/<name>", public =>
        |text| {
            let fits = text.len() <= 256 && text.starts_with("acs:ram::") && text.contains(":oidc-provider/");
            if fits { Ok(text.to_owned()) } else { Err(Invalid::Value) }
        };

    // Read before the action, to find out who calls. Whoever holds the token may use it: it is a secret.
    /// The identity token.
    pub OIDC_TOKEN: () = Text "OIDCToken", text!("a signed JWT of " [limits::OIDC_TOKEN_CHARS] " characters") =>
        |text| {
            if limits::OIDC_TOKEN_CHARS.contains(&text.len()) { Ok(()) } else { Err(Invalid::Value) }
        };
}

impl Parameters for AssumeRoleWithOIDC {
    const PARAMS: &[Use] = &[
        required(&OIDC_PROVIDER_ARN),
        required(&ROLE_ARN),
        required(&OIDC_TOKEN),
        required(&ROLE_SESSION_NAME),
        optional(&DURATION_SECONDS),
        optional(&POLICY),
    ];

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        input.required(&OIDC_PROVIDER_ARN)?;
        let role = input.required(&ROLE_ARN)?;
        input.required(&OIDC_TOKEN)?;
        let session_name = input.required(&ROLE_SESSION_NAME)?;
        let duration_secs = input.optional(&DURATION_SECONDS)?;
        let policy = input.optional(&POLICY)?;
        Ok(Self { role, session_name, duration_secs, policy })
    }
}

impl Action for AssumeRoleWithOIDC {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "AssumeRoleWithOIDC",
        errors: &[
            Refusal::OidcProviderNotFound,
            Refusal::OidcTokenInvalid,
            Refusal::OidcTokenExpired,
            Refusal::OidcSignatureInvalid,
            Refusal::OidcIssuerMismatch,
            Refusal::OidcAudienceMismatch,
        ],
        signed: false,
        doc: "Gives temporary credentials of a role to whom the role's trust policy names by an identity provider (Principal Federated, conditions oidc:iss, oidc:aud and oidc:sub). The call is not signed: the token proves who calls.",
        example: &[
            ("OIDCProviderArn", "acs:ram::1234567890123456:oidc-provider/ci"),
            ("RoleArn", "acs:ram::1234567890123456:role/deployer"),
            ("OIDCToken", "eyJhbGciOiJFUzI1NiJ9.e30.c2ln"),
            ("RoleSessionName", "build-7"),
        ],
        ..ActionSpec::read(Group::Sts)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Role(&self.role))
    }
}
