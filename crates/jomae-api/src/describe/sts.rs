//! Members of the answers of STS.

use super::members::{
    Member,
    Shape::{Date, Object, Text},
    always, maybe,
};

const CREDENTIALS: &[Member] = &[
    always("AccessKeyId", Text, "Starts with `STS.`."),
    always("AccessKeySecret", Text, "Shown here and never again."),
    always("SecurityToken", Text, "To be sent with every call (`SecurityToken` or `x-acs-security-token`)."),
    always("Expiration", Date, "From this moment on the credentials do not work."),
];

const ASSUMED: &[Member] = &[
    always("Arn", Text, "`acs:ram::<account>:role/<role>/<session>`."),
    always("AssumedRoleId", Text, "`<role-id>:<session>`."),
];

const TOKEN_INFO: &[Member] = &[
    always("Subject", Text, "Whom the token names."),
    always("Issuer", Text, "Who has issued it."),
    always("ClientIds", Text, "Whom it is meant for, comma-separated."),
    always("ExpirationTime", Date, "When the token expires."),
    maybe("IssuanceTime", Date, "When the token was issued, if it says so."),
];

/// By action, the members of the answers of STS.
pub const BY_ACTION: &[(&str, Member)] = &[
    ("AssumeRole", always("Credentials", Object(CREDENTIALS), "Temporary credentials.")),
    ("AssumeRole", always("AssumedRoleUser", Object(ASSUMED), "Who one is with them.")),
    ("AssumeRole", maybe("SourceIdentity", Text, "As given.")),
    ("AssumeRoleWithOIDC", always("Credentials", Object(CREDENTIALS), "Temporary credentials.")),
    ("AssumeRoleWithOIDC", always("AssumedRoleUser", Object(ASSUMED), "Who one is with them.")),
    ("AssumeRoleWithOIDC", always("OIDCTokenInfo", Object(TOKEN_INFO), "What the token said.")),
    ("GetCallerIdentity", always("AccountId", Text, "The account of the caller.")),
    ("GetCallerIdentity", maybe("UserId", Text, "Of a RAM user.")),
    ("GetCallerIdentity", maybe("RoleId", Text, "Of a role session.")),
    (
        "GetCallerIdentity",
        always("Arn", Text, "`acs:ram::<account>:root`, `…:user/<name>` or `…:assumed-role/<role>/<session>`."),
    ),
    ("GetCallerIdentity", always("IdentityType", Text, "`Account`, `RAMUser` or `AssumedRoleUser`.")),
    ("GetCallerIdentity", always("PrincipalId", Text, "The account, the user's ID, or `<role-id>:<session>`.")),
];
