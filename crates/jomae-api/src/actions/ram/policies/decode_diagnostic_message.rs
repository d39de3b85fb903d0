//! `DecodeDiagnosticMessage`: what stands in the sealed part of a denial.

use crate::{
    actions::{prelude::*, ram::policies::params::PolicyType},
    answer::wire_enum,
    denied::{DecidedBy, PrincipalType},
};

request! {
    pub struct DecodeDiagnosticMessage {
        /// None is as one that does not open.
        message: Option<String> = optional ENCODED_DIAGNOSTIC_MESSAGE,
    }
}

param! {
    /// The `EncodedDiagnosticMessage` of an error, no older than a day.
    ENCODED_DIAGNOSTIC_MESSAGE: String = Text "EncodedDiagnosticMessage",
        text!("at most " {limits::DIAGNOSTIC_MESSAGE_CHARS_MAX} " characters") =>
        |text| parse_text(text, limits::DIAGNOSTIC_MESSAGE_CHARS_MAX);
}

wire_enum!(
    /// What a statement does.
    MatchedEffect {
        Allow = "Allow",
        Deny = "Deny",
    }
);

wire_enum!(
    /// To what a policy is attached.
    AttachedTo {
        User = "RamUser",
        Group = "RamGroup",
        Role = "RamRole",
    }
);

answer! {
    pub struct Output {
        /// What was decided.
        decoded_diagnostic_message: Decoded => "DecodedDiagnosticMessage",
    }

    /// A decision, as far as the caller's account may know it.
    pub struct Decoded {
        /// The permission.
        auth_action: String => "AuthAction",
        /// The full name of what it was needed on. Of another account, the name that the call used.
        auth_resource: String => "AuthResource",
        /// Who was denied.
        auth_principal: AuthPrincipal => "AuthPrincipal",
        /// What conditions could ask of the call.
        auth_conditions: Vec<AuthCondition> => "AuthConditions",
        /// Whether a statement denies it, rather than none allowing it.
        explicit_deny: bool => "ExplicitDeny",
        /// Which policies decided.
        no_permission_policy_type: DecidedBy => "NoPermissionPolicyType",
        /// The attached policy whose statement denies; empty if there is none.
        matched_policies: Vec<MatchedPolicy> => "MatchedPolicies",
    }

    /// Who was denied.
    pub struct AuthPrincipal {
        /// `RootUser`, `SubUser` or `AssumedRoleUser`.
        auth_principal_type: PrincipalType => "AuthPrincipalType",
        /// The account that the principal acts for.
        auth_principal_owner_id: String => "AuthPrincipalOwnerId",
        /// The account, the user's ID, or `<role>:<session>`.
        auth_principal_display_name: String => "AuthPrincipalDisplayName",
    }

    /// A condition key of the call.
    pub struct AuthCondition {
        /// Its name.
        condition_key: &'static str => "ConditionKey",
        /// Its values.
        condition_values: Box<[String]> => "ConditionValues",
    }

    /// A policy that decided.
    pub struct MatchedPolicy {
        /// What it does.
        effect: MatchedEffect => "Effect",
        /// Its name.
        policy_identifier: String => "PolicyIdentifier",
        /// Whether it comes with the service or is one of the account.
        policy_type: PolicyType => "PolicyType",
        /// Of a custom policy.
        policy_version: Option<String> => "PolicyVersion",
        /// To what it is attached.
        attached_entity_type: AttachedTo => "AttachedEntityType",
        /// Always `Account`.
        attached_scope: &'static str => "AttachedScope",
    }
}

impl Action for DecodeDiagnosticMessage {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "DecodeDiagnosticMessage",
        errors: &[Refusal::DiagnosticMessageExpired, Refusal::DiagnosticMessageNotFound],
        doc: "Opens the sealed part of an error that tells of a missing permission. Messages of other accounts do not open.",
        example: &[("EncodedDiagnosticMessage", "AQAAAAFq")],
        ..ActionSpec::read(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Service)
    }
}
