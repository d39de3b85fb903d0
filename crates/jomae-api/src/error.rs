//! Why a call is refused: one closed list, and one table of what the wire says.
//!
//! A [`Refusal`] never holds text of the caller, so that no plaintext can travel in an error.

use std::borrow::Cow;

/// Who words an error: the API gateway in front (no `HttpStatus` member, XML root `<Error>`), or KMS itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Gateway,
    Kms,
}

/// Whether a public source states the row, or we had to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Documented,
    /// Our choice where the public material is silent; listed in `docs/compatibility.md`.
    Ours,
}

/// What the wire says for a refusal. `message` may hold one `{}` for the parameter's name.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub code: &'static str,
    pub status: u16,
    pub message: &'static str,
    pub origin: Origin,
    pub source: Source,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident $(($arg:ident))? => $status:literal $code:literal $message:literal $origin:ident $source:ident;)*) => {
        /// The caller's fault, or the caller's limits. Closed: a new refusal does not compile until it has a row.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Refusal {
            $($(#[$doc])* $variant $((refusals!(@type $arg)))?,)*
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
    (@skip name) => { _ };
    (@bind name $bound:ident) => { $bound };
    (@some name $bound:ident) => { Some($bound) };
    (@some) => { None };
    (@sample name) => { "Name" };
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
    UserThrottled => 400 "Throttling.User" "Request was denied due to user flow control." Gateway Documented;
    /// Also a nonce memory that is full: it refuses rather than forgets.
    Throttled => 400 "Throttling" "Request was denied due to request throttling." Gateway Documented;
    RequestUnreadable => 400 "ParseRequestParameterException" "Server parse parameters exception. Please check your input params." Gateway Documented;
    RequestTooLarge => 413 "RequestTooLarge" "The request is larger than this service accepts." Gateway Ours;
    RequestTimeout => 408 "RequestTimeout" "The request did not arrive in time." Gateway Ours;
    TooManyConnections => 503 "ServiceUnavailable" "The service has too many connections." Gateway Ours;

    // ---- permission ----
    NoPermission => 403 "Forbidden.NoPermission" "This operation is forbidden by permission system." Kms Documented;

    // ---- parameters ----
    ParameterMissing(name) => 400 "MissingParameter" "The parameter \"{}\" is needed but not provided." Kms Documented;
    ParameterInvalid(name) => 400 "InvalidParameter" "The specified parameter \"{}\" is not valid." Kms Documented;
    AliasUnsupported => 400 "Unsupported.Alias" "Alias is not valid for this api." Kms Documented;
    OriginUnsupported => 400 "Unsupported.Origin" "This key origin is not valid for this api." Kms Documented;
    ProtectionLevelUnsupported => 400 "Unsupported.ProtectionLevel" "This protection level is not valid for this region" Kms Documented;
    OperationUnsupported => 400 "UnsupportedOperation" "This operation does not fit the key." Kms Ours;
    AliasExists => 400 "AliasAlreadyExists" "AliasName Already Exists." Kms Documented;
    LimitExceeded => 400 "Rejected.LimitExceeded" "The request was rejected because user create resource limit was exceeded." Kms Documented;
    /// A damaged blob, a wrong `EncryptionContext` and a wrong key are one and the same refusal.
    CiphertextInvalid => 400 "InvalidParameter" "The specified parameter \"CiphertextBlob\" is not valid." Kms Ours;

    KeyMaterialInvalid => 400 "InvalidKeyMaterial" "key material is invalid." Kms Documented;
    ImportTokenInvalid => 400 "InvalidImportToken" "import token is invalid." Kms Documented;
    ImportTokenExpired => 400 "ExpiredImportToken" "import token is expired." Kms Documented;
    ServiceOpened => 400 "Forbidden.Opened" "Your kms service has been opened." Kms Documented;

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

    // ---- the service itself ----
    Unavailable => 503 "ServiceUnavailable" "The service is unavailable for now. Please try again later." Kms Documented;
    Internal => 500 "InternalFailure" "Internal Failure." Kms Documented;
}

impl Refusal {
    pub const fn code(&self) -> &'static str {
        self.row().code
    }

    pub const fn status(&self) -> u16 {
        self.row().status
    }

    /// The message with the parameter's name in its place.
    pub fn message(&self) -> Cow<'static, str> {
        match self.parameter() {
            Some(name) => Cow::Owned(self.row().message.replacen("{}", name, 1)),
            None => Cow::Borrowed(self.row().message),
        }
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
        assert_eq!(Refusal::ParameterMissing("KeyId").message(), "The parameter \"KeyId\" is needed but not provided.");
    }
}
