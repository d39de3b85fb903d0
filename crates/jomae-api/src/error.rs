//! Why a call is refused: one closed list, and one table of what the wire says.
//!
//! A [`Refusal`] never holds text of the caller, so that no plaintext can travel in an error.

use std::borrow::Cow;

use crate::{
    api::Api,
    policy::{Malformed, TooCostly},
};

/// Who words an error: the API gateway in front (no `HttpStatus` member, XML root `<Error>`), or KMS itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The gateway.
    Gateway,
    /// KMS: its errors name their `HttpStatus`.
    Kms,
}

/// Whether a public source states the row, or we had to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Code, status and text are those of a public page or sample.
    Documented,
    /// Our choice where the public material is silent; listed in `docs/compatibility.md`.
    Ours,
}

/// What the wire says for a refusal. `message` may hold one `{}` for the parameter's name.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// `Code`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// `Message`.
    pub message: &'static str,
    /// Decides the form of the body.
    pub origin: Origin,
    /// Where the row is from.
    pub source: Source,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident $(($arg:ident))? => $status:literal $code:literal $message:literal $origin:ident $source:ident;)*) => {
        /// The caller's fault, or the caller's limits. Closed: a new refusal does not compile until it has a row.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Refusal {
            $(#[doc = concat!("`", $code, "`: ", $message)] $(#[$doc])* $variant $((refusals!(@type $arg)))?,)*
        }

        impl Refusal {
            /// The row of the error table.
            pub const fn row(&self) -> &'static Row {
                match self {
                    $(Self::$variant $((refusals!(@skip $arg)))? => &Row {
                        code: $code,
                        status: $status,
                        message: $message,
                        origin: Origin::$origin,
                        source: Source::$source,
                    },)*
                }
            }

            /// The parameter that the message names.
            pub const fn parameter(&self) -> Option<&'static str> {
                match self {
                    $(Self::$variant $((refusals!(@bind $arg name)))? => refusals!(@some $($arg name)?),)*
                }
            }

            /// One of each kind, for documents and tests; named parameters are called `Name`.
            pub const ALL: &[Self] = &[$(Self::$variant $((refusals!(@sample $arg)))?,)*];
        }
    };
    (@type name) => { &'static str };
    (@type place) => { Malformed };
    (@type cost) => { TooCostly };
    (@skip $arg:ident) => { _ };
    (@bind name $bound:ident) => { $bound };
    (@bind place $bound:ident) => { _ };
    (@bind cost $bound:ident) => { _ };
    (@some name $bound:ident) => { Some($bound) };
    (@some place $bound:ident) => { None };
    (@some cost $bound:ident) => { None };
    (@some) => { None };
    (@sample name) => { "Name" };
    (@sample place) => { Malformed::ANY };
    (@sample cost) => { TooCostly::ANY };
}

// Spellings that look wrong are the documented ones: `Forbidden.…NotFound` with 404, `AliasName Already Exists.`,
// the missing stop of Unsupported.ProtectionLevel, `Keystate modified failed.`
refusals! {
    // ---- the gateway: who calls, and is it well formed? ----
    AccessKeyNotFound => 404 "InvalidAccessKeyId.NotFound" "Specified access key is not found." Gateway Documented;
    AccessKeyInactive => 400 "InvalidAccessKeyId.Inactive" "Specified access key is disabled." Gateway Documented;
    /// The gateway appends the string to sign after the colon: SDKs cut it off there and compare it with theirs.
    SignatureDoesNotMatch => 400 "SignatureDoesNotMatch" "Specified signature is not matched with our calculation. server string to sign is:" Gateway Documented;
    IncompleteSignature => 400 "IncompleteSignature" "The request signature does not conform to Alibaba Cloud standards." Gateway Documented;
    NonceUsed => 400 "SignatureNonceUsed" "Specified signature nonce was used already." Gateway Documented;
    TimestampExpired => 400 "InvalidTimeStamp.Expired" "Specified time stamp or date value is expired." Gateway Documented;
    TimestampFormat => 400 "InvalidTimeStamp.Format" "Specified time stamp or date value is not well formatted." Gateway Documented;
    TimestampMissing => 400 "IllegalTimestamp" "The input parameter \"Timestamp\" that is mandatory for processing this request is not supplied." Gateway Documented;
    CommonParameterMissing(name) => 400 "MissingParameter" "{} is mandatory for this action." Gateway Documented;
    ActionMissing => 400 "MissingAction" "Action is mandatory for this request." Gateway Ours;
    ActionNotFound => 404 "InvalidAction.NotFound" "Specified api is not found, please check your url and method." Gateway Documented;
    VersionInvalid => 400 "InvalidVersion" "Specified parameter Version is not valid." Gateway Documented;
    HttpMethodUnsupported => 403 "UnsupportedHTTPMethod" "This http method is not supported." Gateway Documented;
    SignatureMethodInvalid => 400 "InvalidSignatureMethod" "Specified signature method is not supported." Gateway Ours;
    SignatureVersionInvalid => 400 "InvalidSignatureVersion" "Specified signature version is not supported." Gateway Ours;
    BearerUnsupported => 400 "InvalidSignatureMethod" "Bearer tokens are not accepted by this service." Gateway Ours;
    SecurityTokenMissing => 400 "MissingSecurityToken" "SecurityToken is mandatory for this action." Gateway Documented;
    SecurityTokenMalformed => 400 "InvalidSecurityToken.Malformed" "Specified SecurityToken is malformed." Gateway Documented;
    SecurityTokenExpired => 400 "InvalidSecurityToken.Expired" "Specified SecurityToken is expired." Gateway Documented;
    SecurityTokenMismatch => 400 "InvalidSecurityToken.MismatchWithAccessKey" "Specified SecurityToken mismatch with the AccessKey." Gateway Documented;
    NeedTls => 400 "InvalidProtocol.NeedSsl" "This service answers over HTTPS only." Gateway Ours;
    /// Over the account's rate limit, in RAM, STS and ActionTrail.
    UserThrottled => 400 "Throttling.User" "Request was denied due to user flow control." Gateway Documented;
    /// Locked out, or a nonce memory that is full (it refuses rather than forgets), in RAM, STS and ActionTrail.
    Throttled => 400 "Throttling" "Request was denied due to request throttling." Gateway Documented;
    RequestUnreadable => 400 "ParseRequestParameterException" "Server parse parameters exception. Please check your input params." Gateway Documented;
    RequestTooLarge => 413 "RequestTooLarge" "The request is larger than this service accepts." Gateway Ours;
    RequestTimeout => 408 "RequestTimeout" "The request did not arrive in time." Gateway Ours;
    /// What [`Self::Unavailable`] is in RAM, STS and ActionTrail.
    GatewayUnavailable => 503 "ServiceUnavailable" "The service is unavailable for now. Please try again later." Gateway Ours;

    // ---- permission ----
    NoPermission => 403 "Forbidden.NoPermission" "This operation is forbidden by permission system." Kms Documented;
    /// The same in RAM, STS and ActionTrail.
    NotAuthorized => 403 "NoPermission" "You are not authorized to do this action. You should be authorized by RAM." Gateway Documented;

    // ---- parameters ----
    ParameterMissing(name) => 400 "MissingParameter" "The parameter \"{}\" is needed but not provided." Kms Documented;
    ParameterInvalid(name) => 400 "InvalidParameter" "The specified parameter \"{}\" is not valid." Kms Documented;
    AliasUnsupported => 400 "Unsupported.Alias" "Alias is not valid for this api." Kms Documented;
    OriginUnsupported => 400 "Unsupported.Origin" "This key origin is not valid for this api." Kms Documented;
    ProtectionLevelUnsupported => 400 "Unsupported.ProtectionLevel" "This protection level is not valid for this region" Kms Documented;
    OperationUnsupported => 400 "UnsupportedOperation" "This operation does not fit the key." Kms Ours;
    AliasExists => 400 "AliasAlreadyExists" "AliasName Already Exists." Kms Documented;
    KeyPolicyCost(cost) => 400 "Rejected.LimitExceeded.Policy" "The key policy costs more to evaluate than it may." Kms Ours;
    LimitExceeded => 400 "Rejected.LimitExceeded" "The request was rejected because user create resource limit was exceeded." Kms Documented;
    /// A damaged blob, a wrong `EncryptionContext` and a wrong key are one and the same refusal.
    CiphertextInvalid => 400 "InvalidParameter" "The specified parameter \"CiphertextBlob\" is not valid." Kms Ours;

    KeyMaterialInvalid => 400 "InvalidKeyMaterial" "key material is invalid." Kms Documented;
    ImportTokenInvalid => 400 "InvalidImportToken" "import token is invalid." Kms Documented;
    ImportTokenExpired => 400 "ExpiredImportToken" "import token is expired." Kms Documented;
    /// Whatever its policies allow, the account itself included.
    NotOperator => 403 "Forbidden.NotOperator" "This account is not one that operator_accounts in the configuration of the service names." Kms Ours;
    ServiceOpened => 400 "Forbidden.Opened" "Your kms service has been opened." Kms Documented;

    // ---- RAM, STS and ActionTrail ----
    /// What KMS calls `ParameterInvalid`.
    ArgumentInvalid(name) => 400 "InvalidParameter" "The specified parameter \"{}\" is not valid." Gateway Ours;
    MalformedPolicyDocument(place) => 400 "MalformedPolicyDocument" "The policy document is malformed." Gateway Documented;
    KeyPolicyMalformed(place) => 400 "InvalidParameter" "The specified parameter \"Policy\" is not valid." Kms Ours;
    RoleArnInvalid => 400 "InvalidParameter.RoleArn" "The parameter RoleArn is wrongly formed." Gateway Documented;
    RoleSessionNameInvalid => 400 "InvalidParameter.RoleSessionName" "The parameter RoleSessionName is wrongly formed." Gateway Documented;
    DurationSecondsInvalid => 400 "InvalidParameter.DurationSeconds" "The parameter DurationSeconds is not between 900 and the role's maximum." Gateway Documented;
    PolicyGrammar(place) => 400 "InvalidParameter.PolicyGrammar" "The parameter Policy has not passed grammar check." Gateway Documented;
    PolicySize => 400 "InvalidParameter.PolicySize" "The parameter Policy is too long." Gateway Documented;
    UserNotFound => 404 "EntityNotExist.User" "The user does not exist." Gateway Documented;
    GroupNotFound => 404 "EntityNotExist.Group" "The group does not exist." Gateway Documented;
    PolicyNotFound => 404 "EntityNotExist.Policy" "The policy does not exist." Gateway Documented;
    RoleNameChars => 400 "InvalidParameter.RoleName.InvalidChars" "The parameter - \"RoleName\" contains invalid chars." Gateway Documented;
    RoleNameLength => 400 "InvalidParameter.RoleName.Length" "The parameter - \"RoleName\" beyond the length limit." Gateway Documented;
    PolicyNameChars => 400 "InvalidParameter.PolicyName.InvalidChars" "The parameter - \"PolicyName\" contains invalid chars." Gateway Documented;
    PolicyNameLength => 400 "InvalidParameter.PolicyName.Length" "The parameter - \"PolicyName\" beyond the length limit." Gateway Documented;
    PolicyTypeInvalid => 400 "InvalidParameter.PolicyType" "The parameter - \"PolicyType\" is incorrect." Gateway Documented;
    PolicyDocumentLength => 400 "InvalidParameter.PolicyDocument.Length" "The parameter - \"PolicyDocument\" beyond the length limit." Gateway Documented;
    RamDescriptionLength => 400 "InvalidParameter.Description.Length" "The parameter - \"Description\" beyond the length limit." Gateway Documented;
    PolicyVersionFormat => 400 "InvalidParameter.VersionId.Format" "The format of the parameter - \"VersionId\" is incorrect." Gateway Documented;
    PolicyVersionNotFound => 404 "EntityNotExist.Policy.Version" "The policy version does not exist." Gateway Documented;
    /// Whatever is not a message of ours for this account: changed, another account's, or anything else.
    DiagnosticMessageNotFound => 404 "EntityNotExist" "The specific DecodedDiagnosticMessage cannot be found." Gateway Documented;
    DiagnosticMessageExpired => 400 "EncodedMessageExpire" "The EncodedDiagnosticMessage is expired." Gateway Documented;
    UserPolicyNotFound => 404 "EntityNotExist.User.Policy" "The indicate policy of the user does not exist." Gateway Documented;
    GroupPolicyNotFound => 404 "EntityNotExist.Group.Policy" "The indicate policy attached to the group does not exist." Gateway Documented;
    RolePolicyNotFound => 404 "EntityNotExist.Role.Policy" "The indicate policy attached to the role does not exist." Gateway Documented;
    PolicyExists => 409 "EntityAlreadyExists.Policy" "The policy does already EXIST." Gateway Documented;
    RoleExists => 409 "EntityAlreadyExists.Role" "The role does already EXIST." Gateway Documented;
    UserPolicyExists => 409 "EntityAlreadyExists.User.Policy" "The user has already been attached this policy." Gateway Documented;
    GroupPolicyExists => 409 "EntityAlreadyExists.Group.Policy" "The group has already been attached this policy." Gateway Documented;
    RolePolicyExists => 409 "EntityAlreadyExists.Role.Policy" "The role has already been attached this policy." Gateway Documented;
    PolicyHasUser => 409 "DeleteConflict.Policy.User" "The policy CAN NOT been attached to any user while deleting the policy." Gateway Documented;
    PolicyHasGroup => 409 "DeleteConflict.Policy.Group" "The policy CAN NOT been attached to any group while deleting the policy." Gateway Documented;
    PolicyHasRole => 409 "DeleteConflict.Policy.Role" "The policy CAN NOT been attached to any role while deleting the policy." Gateway Documented;
    PolicyHasVersions => 409 "DeleteConflict.Policy.Version" "The policy CAN NOT has any version except the default version." Gateway Documented;
    PolicyVersionIsDefault => 409 "DeleteConflict.Policy.Version.Default" "The default policy version CAN NOT been deleted directly." Gateway Documented;
    RoleHasPolicies => 409 "DeleteConflict.Role.Policy" "The role CAN NOT has any attached policy while deleting the role." Gateway Documented;
    PoliciesLimit => 409 "LimitExceeded.Policy" "The count of policy beyond the current limits." Gateway Documented;
    PolicyCost(cost) => 409 "LimitExceeded.Policy.Cost" "The policies cost more to evaluate than they may." Gateway Ours;
    PolicyVersionsLimit => 409 "LimitExceeded.Policy.Version" "The count of policy version beyond the current limits." Gateway Documented;
    RolesLimit => 409 "LimitExceeded.Role" "The count of roles beyond the current limits." Gateway Documented;
    UserPoliciesLimit => 409 "LimitExceeded.User.Policy" "The policy count of the user beyond the current limits." Gateway Documented;
    GroupPoliciesLimit => 409 "LimitExceeded.Group.Policy" "The policy count of the group beyond the current limits." Gateway Documented;
    RolePoliciesLimit => 409 "LimitExceeded.Role.Policy" "The count of policies attached to the role beyond the current limits." Gateway Documented;
    RoleNotFound => 404 "EntityNotExist.Role" "The specified role does not exist." Gateway Documented;
    OidcProviderNotFound => 401 "AuthenticationFail.NoPermission" "No such OIDC Provider registered." Gateway Documented;
    OidcTokenInvalid => 401 "AuthenticationFail.OIDCToken.Invalid" "The Jwt content is invalid that cannot be recognized." Gateway Documented;
    OidcTokenExpired => 401 "AuthenticationFail.OIDCToken.Expired" "This JsonWebToken is expired." Gateway Documented;
    OidcSignatureInvalid => 401 "AuthenticationFail.OIDCToken.InvalidSignature" "OIDC token validate failed: invalid signature." Gateway Documented;
    OidcIssuerMismatch => 401 "AuthenticationFail.OIDCToken.IssuerNotMatch" "The issuer in the OIDC Token doesn't match the OIDC Provider registered." Gateway Documented;
    OidcAudienceMismatch => 401 "AuthenticationFail.OIDCToken.AudienceNotMatch" "Invalid audience." Gateway Documented;
    RootMayNotAssume => 403 "NoPermission" "Roles may not be assumed by root accounts." Gateway Ours;

    // ---- RAM: users, groups and access keys ----
    UserNameChars => 400 "InvalidParameter.UserName.InvalidChars" "The parameter - \"UserName\" contains invalid chars." Gateway Documented;
    UserNameLength => 400 "InvalidParameter.UserName.Length" "The parameter - \"UserName\" beyond the length limit." Gateway Documented;
    NewUserNameChars => 400 "InvalidParameter.NewUserName.InvalidChars" "The parameter - \"NewUserName\" contains invalid chars." Gateway Documented;
    NewUserNameLength => 400 "InvalidParameter.NewUserName.Length" "The parameter - \"NewUserName\" beyond the length limit." Gateway Documented;
    DisplayNameChars => 400 "InvalidParameter.DisplayName.InvalidChars" "The parameter - \"DisplayName\" contains invalid chars." Gateway Documented;
    DisplayNameLength => 400 "InvalidParameter.DisplayName.Length" "The parameter - \"DisplayName\" beyond the length limit." Gateway Documented;
    NewDisplayNameChars => 400 "InvalidParameter.NewDisplayName.InvalidChars" "The parameter - \"NewDisplayName\" contains invalid chars." Gateway Documented;
    NewDisplayNameLength => 400 "InvalidParameter.NewDisplayName.Length" "The parameter - \"NewDisplayName\" beyond the length limit." Gateway Documented;
    GroupNameChars => 400 "InvalidParameter.GroupName.InvalidChars" "The parameter - \"GroupName\" contains invalid chars." Gateway Documented;
    GroupNameLength => 400 "InvalidParameter.GroupName.Length" "The parameter - \"GroupName\" beyond the length limit." Gateway Documented;
    NewGroupNameChars => 400 "InvalidParameter.NewGroupName.InvalidChars" "The parameter - \"NewGroupName\" contains invalid chars." Gateway Documented;
    NewGroupNameLength => 400 "InvalidParameter.NewGroupName.Length" "The parameter - \"NewGroupName\" beyond the length limit." Gateway Documented;
    MobilePhoneFormat => 400 "InvalidParameter.MobilePhone.Format" "The format of the parameter - \"MobilePhone\" is incorrect." Gateway Documented;
    NewMobilePhoneFormat => 400 "InvalidParameter.NewMobilePhone.Format" "The format of the parameter - \"NewMobilePhone\" is incorrect." Gateway Documented;
    EmailFormat => 400 "InvalidParameter.Email.Format" "The format of the parameter - \"Email\" is incorrect." Gateway Documented;
    NewEmailFormat => 400 "InvalidParameter.NewEmail.Format" "The format of the parameter - \"NewEmail\" is incorrect." Gateway Documented;
    CommentsLength => 400 "InvalidParameter.Comments.Length" "The parameter - \"Comments\" beyond the length limit." Gateway Documented;
    NewCommentsLength => 400 "InvalidParameter.NewComments.Length" "The parameter - \"NewComments\" beyond the length limit." Gateway Documented;
    UserAccessKeyNotFound => 404 "EntityNotExist.User.AccessKey" "The user access key does not exist." Gateway Documented;
    UserNotInGroup => 404 "EntityNotExist.User.Group" "The user has not joined the group." Gateway Documented;
    UserExists => 409 "EntityAlreadyExists.User" "The user does already EXIST." Gateway Documented;
    GroupExists => 409 "EntityAlreadyExists.Group" "The group does already EXIST." Gateway Documented;
    UserInGroup => 409 "EntityAlreadyExists.User.Group" "The user has already joined the group." Gateway Documented;
    UserHasGroups => 409 "DeleteConflict.User.Group" "The user CAN NOT be in any group while deleting the user." Gateway Documented;
    UserHasAccessKeys => 409 "DeleteConflict.User.AccessKey" "The user CAN NOT has any access key while deleting the user." Gateway Documented;
    UserHasPolicies => 409 "DeleteConflict.User.Policy" "The user CAN NOT has any attached policy while deleting the user." Gateway Documented;
    GroupHasUsers => 409 "DeleteConflict.Group.User" "The group CAN NOT has any user member while deleting the group." Gateway Documented;
    GroupHasPolicies => 409 "DeleteConflict.Group.Policy" "The entity CAN NOT has any attached policy while deleting the group." Gateway Documented;
    UserLimit => 409 "LimitExceeded.User" "The count of users beyond the current limits." Gateway Documented;
    GroupLimit => 409 "LimitExceeded.Group" "The count of groups beyond the current limits." Gateway Documented;
    UserGroupLimit => 409 "LimitExceeded.User.Group" "The count of groups the target user joined beyond the current limits." Gateway Documented;
    UserAccessKeyLimit => 409 "LimitExceeded.User.AccessKey" "The access key count of the user access keys beyond the current limits." Gateway Documented;
    /// Without it nobody could sign for the account any more.
    LastRootAccessKey => 409 "DeleteConflict.Account.AccessKey" "The last active access key of the account can be neither deleted nor disabled." Gateway Ours;

    // ---- RAM: how people sign in ----
    PasswordWeak => 400 "InvalidParameter.Password.TooWeak" "The parameter - \"Password\" is not compliant with the password policy." Gateway Documented;
    OldPasswordIncorrect => 400 "InvalidParameter.OldPassword.Incorrect" "The parameter - \"OldPassword\" is incorrect." Gateway Documented;
    NewPasswordWeak => 400 "InvalidParameter.NewPassword.TooWeak" "The parameter - \"NewPassword\" is not compliant with the password policy." Gateway Documented;
    NewPasswordUsedBefore => 400 "InvalidParameter.NewPassword.ReusePrevention" "The parameter - \"NewPassword\" is not compliant with the reuse prevention password policy." Gateway Documented;
    UsersOnly => 400 "NotSupport.Account" "This method can be only invoked by sub user." Gateway Documented;
    MinimumPasswordLengthRange => 400 "InvalidParameter.MinimumPasswordLength.Range" "The parameter - \"MinimumPasswordLength\" MUST be in the range of 8 and 32." Gateway Documented;
    LoginProfileNotFound => 404 "EntityNotExist.User.LoginProfile" "The user login profile does not exist." Gateway Documented;
    LoginProfileExists => 409 "EntityAlreadyExists.User.LoginProfile" "The user login profile does already EXIST." Gateway Documented;
    UserHasLoginProfile => 409 "DeleteConflict.User.LoginProfile" "The user CAN NOT has any login profile while deleting the user." Gateway Documented;
    UserHasMfaDeviceBound => 409 "DeleteConflict.User.MFADevice" "The user CAN NOT has any mfa device while deleting the user." Gateway Documented;
    MfaDeviceNameChars => 400 "InvalidParameter.VirtualMFADeviceName.InvalidChars" "The parameter - \"VirtualMFADeviceName\" contains invalid chars." Gateway Documented;
    MfaDeviceNameLength => 400 "InvalidParameter.VirtualMFADeviceName.Length" "The parameter - \"VirtualMFADeviceName\" beyond the length limit." Gateway Documented;
    MfaCodeFormat => 400 "InvalidParameter.AuthenticationCode.Format" "The parameter - \"AuthenticationCode\" MUST be 6 numbers." Gateway Documented;
    MfaCodeIncorrect => 403 "CheckAuthenticationCodeFail" "The parameter - \"AuthenticationCode\" is inccorrect." Gateway Documented;
    MfaDeviceNotFound => 404 "EntityNotExist.VirtualMFADevice" "The virtual mfa device does not exist." Gateway Documented;
    UserMfaDeviceNotFound => 404 "EntityNotExist.User.MFADevice" "The user has not bound any MFA device." Gateway Documented;
    MfaDeviceExists => 409 "EntityAlreadyExists.VirtualMFADevice" "The virtual mfa device does already EXIST." Gateway Documented;
    MfaDeviceHasUser => 409 "EntityAlreadyExists.VirtualMFADevice.User" "The virtual mfa device does already been bound to a user." Gateway Documented;
    UserHasMfaDevice => 409 "EntityAlreadyExists.User.MFADevice" "The user has already bound a MFA device." Gateway Documented;
    MfaDeviceIsBound => 409 "DeleteConflict.VirtualMFADevice.User" "The virtual mfa device CAN NOT been bound to any user while deleting it." Gateway Documented;
    MfaDeviceLimit => 409 "LimitExceeded.VirtualMFADevice" "The count of virtual mfa devices beyond the current limits." Gateway Documented;

    PasskeyInvalid => 400 "InvalidParameter.Passkey" "The response of the authenticator is not valid." Gateway Ours;
    PasskeyNotFound => 404 "EntityNotExist.User.Passkey" "The passkey does not exist." Gateway Ours;
    PasskeyExists => 409 "EntityAlreadyExists.User.Passkey" "The passkey does already exist." Gateway Ours;
    PasskeyLimit => 409 "LimitExceeded.User.Passkey" "The count of passkeys of the user beyond the current limits." Gateway Ours;

    // ---- not found ----
    KeyNotFound => 404 "Forbidden.KeyNotFound" "The specified Key is not found." Kms Documented;
    KeyVersionNotFound => 404 "Forbidden.KeyVersionNotFound" "The specified Key version is not found." Kms Documented;
    AliasNotFound => 404 "Forbidden.AliasNotFound" "The specified Alias is not found." Kms Documented;

    // ---- state ----
    Disabled => 409 "Rejected.Disabled" "The request was rejected because the key state is Disabled." Kms Documented;
    PendingDeletion => 409 "Rejected.PendingDeletion" "The request was rejected because the key state is PendingDeletion." Kms Documented;
    PendingImport => 409 "Rejected.PendingImport" "The request was rejected because the key state is PendingImport." Kms Documented;
    StateModifiedFailed => 409 "Rejected.StateModifiedFailed" "Keystate modified failed." Kms Documented;
    DeletionProtected => 409 "Rejected.DeletionProtected" "The request was rejected because deletion protection is enabled for the key." Kms Ours;

    // ---- DryRun=true: the call always fails, and says why ----
    DryRunWouldSucceed => 400 "DryRunOperationError" "The request would have succeeded, but the DryRun parameter is set." Kms Ours;
    DryRunInvalid => 400 "ValidationError" "The request would have failed: a parameter is missing or not valid." Kms Ours;
    DryRunDenied => 403 "AccessDeniedError" "The request would have failed: no permission." Kms Ours;

    // ---- the service itself. Clients of KMS wait and try again on these codes alone ----
    /// What [`Self::UserThrottled`] and [`Self::Throttled`] are in KMS.
    RateExceeded => 429 "Rejected.Throttling" "QPS Limit Exceeded" Kms Documented;
    Unavailable => 503 "ServiceUnavailableTemporary" "Service Unavailable Temporary." Kms Documented;
    TooManyConnections => 503 "ServiceUnavailableTemporary" "The service has too many connections." Kms Ours;
    TooManyBytes => 503 "ServiceUnavailableTemporary" "The service holds too many requests that are not complete." Kms Ours;
    Internal => 500 "InternalFailure" "Internal Failure." Kms Documented;
}

impl Refusal {
    /// `Code` on the wire.
    pub const fn code(&self) -> &'static str {
        self.row().code
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.row().status
    }

    /// The message with the parameter's name in its place, or followed by the place of the mistake or the cost.
    pub fn message(&self) -> Cow<'static, str> {
        match self {
            Self::MalformedPolicyDocument(place) | Self::KeyPolicyMalformed(place) | Self::PolicyGrammar(place) => {
                Cow::Owned(format!("{} {place}", self.row().message))
            }
            Self::PolicyCost(cost) | Self::KeyPolicyCost(cost) => Cow::Owned(format!("{} {cost}", self.row().message)),
            _ => match self.parameter() {
                Some(name) => Cow::Owned(self.row().message.replacen("{}", name, 1)),
                None => Cow::Borrowed(self.row().message),
            },
        }
    }

    /// The words that an API has for what all APIs can refuse.
    #[must_use]
    pub const fn in_api(self, api: Api) -> Self {
        match (api, self) {
            (Api::Kms, Self::UserThrottled | Self::Throttled) => Self::RateExceeded,
            (Api::Kms, refusal) => refusal,
            (_, Self::Unavailable) => Self::GatewayUnavailable,
            (_, Self::NoPermission) => Self::NotAuthorized,
            (_, Self::ParameterMissing(name)) => Self::CommonParameterMissing(name),
            (_, Self::ParameterInvalid(name)) => Self::ArgumentInvalid(name),
            (_, refusal) => refusal,
        }
    }

    /// Whether the caller did nothing wrong but come too often, and is told when to come again.
    pub const fn is_throttling(self) -> bool {
        matches!(self, Self::UserThrottled | Self::Throttled | Self::RateExceeded)
    }

    /// Whether any call can be refused so, in the words of KMS itself and whatever the action.
    pub const fn is_kms_of_every_call(&self) -> bool {
        matches!(
            self,
            Self::NoPermission
                | Self::ParameterMissing(_)
                | Self::ParameterInvalid(_)
                | Self::RateExceeded
                | Self::Unavailable
                | Self::TooManyConnections
                | Self::TooManyBytes
                | Self::Internal
        )
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code(), self.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_well_formed() {
        for refusal in Refusal::ALL {
            let row = refusal.row();
            assert!((400..600).contains(&row.status), "{row:?}");
            assert!(row.code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'), "{row:?}");
            assert_eq!(row.message.contains("{}"), refusal.parameter().is_some(), "{row:?}");
            assert!(!refusal.message().contains("{}"));
        }
        for refusal in Refusal::ALL {
            for api in Api::ALL {
                let told = refusal.in_api(api);
                assert_eq!(told.in_api(api), told, "{refusal:?}");
                assert_eq!(told.is_throttling(), refusal.is_throttling(), "{refusal:?}");
                if told.is_throttling() {
                    assert_eq!(told == Refusal::RateExceeded, api == Api::Kms || *refusal == Refusal::RateExceeded);
                }
            }
        }
        assert_eq!(Refusal::ParameterMissing("KeyId").message(), "The parameter \"KeyId\" is needed but not provided.");
    }
}
