//! What an answer tells of a permission that is missing: `AccessDeniedDetail`, in the words of the cloud's newer errors.

use crate::answer::{answer, wire_enum};

wire_enum!(
    /// Who was denied.
    PrincipalType {
        /// The account itself.
        Account = "RootUser",
        User = "SubUser",
        /// A session of a role.
        Session = "AssumedRoleUser",
    }
);

wire_enum!(
    /// How the policies denied it.
    NoPermissionType {
        /// No statement allows it.
        Implicit = "ImplicitDeny",
        /// A statement denies it.
        Explicit = "ExplicitDeny",
    }
);

wire_enum!(
    /// Which policies decided.
    DecidedBy {
        /// Those of the user and its groups, or of the role.
        Identity = "AccountLevelIdentityBasedPolicy",
        Session = "SessionPolicy",
        /// The trust policy of a role.
        Trust = "AssumeRolePolicy",
        /// The policy of a key.
        Resource = "ResourceBasedPolicy",
    }
);

answer! {
    /// What stands beside the code of an error.
    pub struct AccessDeniedDetail {
        /// The permission.
        auth_action: &'static str => "AuthAction",
        /// Who was denied.
        auth_principal_type: PrincipalType => "AuthPrincipalType",
        /// The account, the user's ID, or `<role>:<session>`.
        auth_principal_display_name: String => "AuthPrincipalDisplayName",
        /// The account that the principal acts for.
        auth_principal_owner_id: String => "AuthPrincipalOwnerId",
        /// How.
        no_permission_type: NoPermissionType => "NoPermissionType",
        /// Which policies decided.
        policy_type: DecidedBy => "PolicyType",
        /// For DecodeDiagnosticMessage.
        encoded_diagnostic_message: Option<String> => "EncodedDiagnosticMessage",
    }
}
