//! `AssumeRole`: temporary credentials of a role, for who may have them.

use super::{AssumedRoleUser, Credentials, DURATION_SECONDS, POLICY, ROLE_ARN, ROLE_SESSION_NAME};
use crate::actions::prelude::*;

/// A request of the action `AssumeRole`.
pub struct AssumeRole {
    /// By its full name; in any account.
    pub role: RoleRef,
    /// Names the session in resource names and audit events.
    pub session_name: String,
    /// Life of the credentials; the service chooses if none was given.
    pub duration_secs: Option<u32>,
    /// A policy that narrows the session; its text.
    pub policy: Option<String>,
    /// Who stands behind the session; kept in it.
    pub source_identity: Option<String>,
}

answer! {
    pub struct Output {
        /// Temporary credentials.
        credentials: Credentials => "Credentials",
        /// Who one is with them.
        assumed_role_user: AssumedRoleUser => "AssumedRoleUser",
        /// As given.
        source_identity: Option<String> => "SourceIdentity",
    }
}

param! {
    /// What the role's owner has agreed with the caller, for the condition sts:ExternalId of the trust policy: so a
    /// provider with many customers cannot be talked into using another customer's role.
    EXTERNAL_ID: () = Text "ExternalId", text!([limits::EXTERNAL_ID_CHARS] " letters, digits and `=,.@:/-_`") =>
        |text| {
            let fits = limits::EXTERNAL_ID_CHARS.contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"=,.@:/-_".contains(&b));
            if fits { Ok(()) } else { Err(Invalid::Value) }
        };

    /// Who stands behind the session; kept in it.
    SOURCE_IDENTITY: String = Text "SourceIdentity",
        text!([limits::SOURCE_IDENTITY_CHARS] " letters, digits and `=,.@-_`"), public => |text| {
        let fits = limits::SOURCE_IDENTITY_CHARS.contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"=,.@-_".contains(&b));
        if fits { Ok(text.to_owned()) } else { Err(Invalid::Value) }
    };
}

impl Parameters for AssumeRole {
    const PARAMS: &[Use] = &[
        required(&ROLE_ARN),
        required(&ROLE_SESSION_NAME),
        optional(&DURATION_SECONDS),
        optional(&POLICY),
        optional(&EXTERNAL_ID),
        optional(&SOURCE_IDENTITY),
    ];

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let role = input.required(&ROLE_ARN)?;
        let session_name = input.required(&ROLE_SESSION_NAME)?;
        let duration_secs = input.optional(&DURATION_SECONDS)?;
        let policy = input.optional(&POLICY)?;
        input.optional(&EXTERNAL_ID)?;
        let source_identity = input.optional(&SOURCE_IDENTITY)?;
        Ok(Self { role, session_name, duration_secs, policy, source_identity })
    }
}

impl Action for AssumeRole {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "AssumeRole",
        errors: &[Refusal::RoleNotFound, Refusal::RootMayNotAssume],
        doc: "Gives temporary credentials of a role to a RAM user or to a session of another role. The caller's own policies must allow sts:AssumeRole on the role, and the role's trust policy must name the caller or its account. The credentials stop working at once when the role, its policies or its trust is taken away.",
        example: &[("RoleArn", "acs:ram::1234567890123456:role/decryptor"), ("RoleSessionName", "orders-7")],
        ..ActionSpec::read(Group::Sts)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Role(&self.role))
    }
}
