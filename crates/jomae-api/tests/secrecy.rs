//! What of a request may stand in logs and audit events.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]

use std::collections::BTreeSet;

use jomae_api::{
    actions::ACTIONS,
    param::{Kind, ParamInfo, Secrecy},
};

/// Names of parameters, ours and others of the API, that hold what nobody else may see.
const SECRET_NAMES: &[&str] = &[
    "Plaintext",
    "CiphertextBlob",
    "EncryptedKeyMaterial",
    "ImportToken",
    "SecretData",
    "Password",
    "OldPassword",
    "NewPassword",
    "AuthenticationCode1",
    "AuthenticationCode2",
    "Message",
    "Digest",
    "Value",
    "Mac",
    "Recipient",
    "PublicKeyBlob",
    "ClientToken",
    "MobilePhone",
    "NewMobilePhone",
    "Email",
    "NewEmail",
    // What somebody searches for may be anything.
    "Text",
];

/// Every parameter that may be shown. A new one is added here after some thought.
const PUBLIC_NAMES: &[&str] = &[
    "Algorithm",
    "AliasName",
    "All",
    "AllowConsoleLogin",
    "AssumeRolePolicyDocument",
    "CascadingDelete",
    "Comments",
    "DeletionProtectionDescription",
    "Description",
    "DestinationEncryptionContext",
    "DestinationKeyId",
    "Details",
    "Direction",
    "DisplayName",
    "DryRun",
    "DurationSeconds",
    "EnableAutomaticRotation",
    "EnableDeletionProtection",
    "EncryptionContext",
    "EndTime",
    "Filters",
    "GroupName",
    "HardExpiry",
    "KeyId",
    "KeyMaterialExpireUnix",
    "KeySpec",
    "KeyUsage",
    "KeyVersionId",
    "MFABindRequired",
    "MaxItems",
    "MaxLoginAttemps",
    "MaxPasswordAge",
    "MaxResults",
    "MaxSessionDuration",
    "MinimumPasswordLength",
    "NewAllowConsoleLogin",
    "NewAssumeRolePolicyDocument",
    "NewComments",
    "NewDescription",
    "NewDisplayName",
    "NewGroupName",
    "NewMaxSessionDuration",
    "NewUserName",
    "NumberOfBytes",
    "OIDCProviderArn",
    "Origin",
    "PageNumber",
    "PageSize",
    "PasskeyId",
    "PasskeyName",
    "PasswordResetRequired",
    "PasswordReusePrevention",
    "PendingWindowInDays",
    "Policy",
    "PolicyDocument",
    "PolicyName",
    "PolicyType",
    "ProtectedResourceArn",
    "ProtectionLevel",
    "RequireLowercaseCharacters",
    "RequireNumbers",
    "RequireSymbols",
    "RequireUppercaseCharacters",
    "ResourceId",
    "ResourceType",
    "RoleArn",
    "RoleName",
    "RoleSessionName",
    "RotateStrategy",
    "RotationInterval",
    "SerialNumber",
    "SetAsDefault",
    "SourceEncryptionAlgorithm",
    "SourceEncryptionContext",
    "SourceIdentity",
    "SourceKeyId",
    "SourceKeyVersionId",
    "StartTime",
    "Status",
    "TagKeys",
    "Tags",
    "Transports",
    "UserAccessKeyId",
    "UserName",
    "VersionId",
    "VirtualMFADeviceName",
    "WrappingAlgorithm",
    "WrappingKeySpec",
];

#[test]
fn secrets_are_secret() {
    let mut public = BTreeSet::new();
    for spec in ACTIONS {
        for used in spec.params {
            let param = used.param;
            if SECRET_NAMES.contains(&param.name()) {
                assert_eq!(param.secrecy(), Secrecy::Secret, "{} {}", spec.name, param.name());
            }
            if param.secrecy() == Secrecy::Public {
                assert_ne!(param.kind(), Kind::Base64, "{} {}", spec.name, param.name());
                public.insert(param.name());
            }
        }
    }
    assert_eq!(public.into_iter().collect::<Vec<_>>(), PUBLIC_NAMES);
}

fn param(action: &str, name: &str) -> &'static dyn ParamInfo {
    let spec = jomae_api::actions::find(action).unwrap();
    spec.params.iter().find(|used| used.param.name() == name).unwrap().param
}

/// Names that are opaque texts show only if they have the form of ours: a password in the wrong place passes for one.
#[test]
fn names_show_only_in_the_form_of_ours() {
    const NAMES: &[&str] =
        &["KeyId", "KeyVersionId", "DestinationKeyId", "SourceKeyId", "SourceKeyVersionId", "ResourceId"];
    let uuid = "05754286-3ba2-4fa6-8d41-4323aca6e5fd";
    for key in [uuid, "alias/orders", "acs:kms:cn-hangzhou:1234567890123456:key/abc"] {
        assert_eq!(param("SetDeletionProtection", "ProtectedResourceArn").accepts(key), key.starts_with("acs:"));
        assert!(param("Encrypt", "KeyId").shows(key), "{key}");
    }
    let mut seen = BTreeSet::new();
    for used in ACTIONS.iter().flat_map(|spec| spec.params) {
        let name = used.param.name();
        if NAMES.contains(&name) {
            seen.insert(name);
            assert!(used.param.shows(uuid), "{name}");
            for secret in ["hunter2", "aGVsbG8gd29ybGQ", "correct-horse", "05754286-3ba2-4fa6-8d41-4323aca6e5f\u{e9}"] {
                assert!(!used.param.shows(secret), "{name} {secret}");
            }
        }
    }
    assert_eq!(seen.len(), NAMES.len());
}

#[test]
fn what_is_valid_and_secret_does_not_show() {
    for (action, name, valid) in [
        ("Encrypt", "Plaintext", "aGk="),
        ("Decrypt", "CiphertextBlob", "aGk="),
        ("AsymmetricSign", "Digest", "aGk="),
        ("AsymmetricVerify", "Value", "aGk="),
        ("GenerateMac", "Message", "aGk="),
        ("VerifyMac", "Mac", "aGk="),
        ("ImportKeyMaterial", "ImportToken", "aGk="),
        ("ImportKeyMaterial", "EncryptedKeyMaterial", "aGk="),
        ("ExportDataKey", "PublicKeyBlob", "aGk="),
        ("CreateKey", "ClientToken", "hunter2"),
    ] {
        let param = param(action, name);
        assert!(param.accepts(valid) && !param.shows(valid), "{action} {name}");
    }
}
