//! What there is to speak of in the services that Jomae stands in for: their actions and the forms of their resources.
//!
//! A misspelt action or resource of these services would match nothing: an Allow that never allows is found at once, a
//! Deny that never denies is not. Of other services nothing is known, and everything is taken.

use std::sync::LazyLock;

use super::{Actions, Pattern};
use crate::{actions, names::AccountId};

/// The services whose requests are decided here, as actions and resources name them.
const SERVICES: [&str; 4] = ["kms", "ram", "sts", "actiontrail"];

/// Actions of the public services that are not offered here, and that policies brought along may name. Those of KMS are
/// the ones that `docs/compatibility.md` lists or the service's own policies name; of RAM also those of its other API, IMS, whose permissions are called
/// `ram:` too.
const NOT_OFFERED: [(&str, &str); 4] = [
    (
        "kms",
        "AdvanceEncrypt BatchGetSecretValue CertificatePrivateKeyDecrypt CertificatePrivateKeySign \
         CertificatePublicKeyEncrypt CertificatePublicKeyVerify ConnectKmsInstance CreateApplicationAccessPoint \
         CreateCertificate CreateClientKey CreateNetworkRule CreatePolicy CreateSecret \
         DeleteApplicationAccessPoint DeleteCertificate DeleteClientKey DeleteNetworkRule DeletePolicy \
         DeleteSecret DescribeApplicationAccessPoint DescribeCertificate DescribeNetworkRule DescribePolicy \
         DescribeSecret GetCertificate GetChallenge GetCheckAssociateResourceTaskResults GetClientKey \
         GetDefaultKmsInstance GetKeyDefaultPolicy GetKmsInstance GetKmsInstanceQuotaInfos \
         GetKmsInstanceSharedAccounts GetManagedDataKey GetRandomPassword GetSecretDefaultPolicy GetSecretPolicy \
         GetSecretValue GetUploadBackupDataInfo ListApplicationAccessPoints ListClientKeys ListKmsInstances \
         ListManagedDataKeyVersions ListNetworkRules ListPolicies ListSecretVersionIds ListSecrets PutSecretValue \
         ReEncrypt ReleaseKmsInstance RestoreSecret RotateSecret SetSecretPolicy UpdateApplicationAccessPoint \
         UpdateCertificateStatus UpdateKmsInstanceBindVpc UpdateNetworkRule UpdatePolicy UpdateSecret \
         UpdateSecretRotationPolicy UpdateSecretVersionStage UploadCertificate",
    ),
    (
        "ram",
        "AddClientIdToOIDCProvider AddFingerprintToOIDCProvider AddUserToApplication \
         ClearAccountAlias CreateAppSecret CreateApplication CreateOIDCProvider CreateSAMLProvider \
         CreateServiceLinkedRole DeleteAccessKeyInRecycleBin \
         DeleteAppSecret DeleteApplication DeleteOIDCProvider DeletePasskey DeleteSAMLProvider \
         DeleteServiceLinkedRole DeleteUserInRecycleBin DeprovisionApplication \
         DeprovisionExternalApplication DisableVirtualMFA GenerateCredentialReport GetAccessKeyInfoInRecycleBin \
         GetAccountAlias GetAccountMFAInfo GetAccountSecurityPracticeReport GetAccountSummary GetAppSecret \
         GetApplication GetApplicationProvisionInfo GetCredentialReport GetDefaultDomain \
         GetExternalApplication GetOIDCProvider GetSAMLProvider \
         GetSecurityPreference GetServiceLinkedRoleDeletionStatus GetServiceLinkedRoleTemplate GetUserInRecycleBin \
         GetUserSsoSettings GetVerificationInfo ListAccessKeysInRecycleBin ListAppSecretIds \
         ListAppSecrets ListApplicationProvisionInfos ListApplications ListExternalApplications ListOIDCProviders \
         ListPasskeys ListPredefinedScopes ListRecentGovernanceMetrics ListSAMLProviders ListTagResources \
         ListUserBasicInfos ListUsersForApplication ListUsersInRecycleBin MoveResourceGroup \
         PassRole ProvisionApplication ProvisionExternalApplication RemoveClientIdFromOIDCProvider \
         RemoveFingerprintFromOIDCProvider RemoveUserFromApplication RestoreAccessKeyFromRecycleBin \
         RestoreUserFromRecycleBin SetAccountAlias SetDefaultDomain SetSecurityPreference \
         SetUserSsoSettings SetVerificationInfo TagResources UntagResources UpdateAppSecret \
         UpdateApplication UpdateOIDCProvider UpdatePasskey UpdateSAMLProvider \
         UpdateSecurityPreference",
    ),
    ("sts", "AssumeRoleWithSAML AssumeRoleWithServiceIdentity GetFederationToken GetSessionAccessKey"),
    (
        "actiontrail",
        "CreateAdvancedQueryTemplate CreateDeliveryHistoryJob CreateTrail DeleteAdvancedQueryTemplate \
         DeleteDataEventSelector DeleteDeliveryHistoryJob DeleteTrail DescribeAdvancedQueryHistory \
         DescribeAdvancedQueryTemplate DescribeRegions DescribeResourceLifeCycleEvents DescribeScenes \
         DescribeSearchTemplates DescribeTrails DescribeUserAlertCount DescribeUserLogCount DisableInsight \
         EnableInsight GetAccessKeyLastUsedEvents GetAccessKeyLastUsedInfo GetAccessKeyLastUsedIps \
         GetAccessKeyLastUsedProducts GetAccessKeyLastUsedResources GetAdvancedQueryTemplate GetDataEventSelector \
         GetDeliveryHistoryJob GetGlobalEventsStorageRegion GetTrailStatus ListDataEventSelectors \
         ListDataEventServices ListDeliveryHistoryJobs LookupInsightEvents PutDataEventSelector StartLogging \
         StopLogging UpdateAdvancedQueryTemplate UpdateGlobalEventsStorageRegion UpdateTrail",
    ),
];

/// What the last part of a resource's full name may start with.
const RESOURCE_KINDS: [(&str, &[&str]); 4] = [
    (
        "kms",
        &[
            "key",
            "alias",
            "secret",
            "certificate",
            "network",
            "policy",
            "applicationaccesspoint",
            "instance",
            "clientkey",
        ],
    ),
    (
        "ram",
        &[
            "user",
            "group",
            "role",
            "policy",
            "mfa",
            "saml-provider",
            "oidc-provider",
            "application",
            "server-certificate",
            "domain",
            "alias",
            "accesskey",
            "recycle-bin",
            "assumed-role",
        ],
    ),
    ("sts", &["role", "assumed-role", "federated-user"]),
    ("actiontrail", &["trail"]),
];

/// Every known action, in lower case, with its service.
static ACTIONS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let offered = actions::permissions().iter().filter_map(|name| name.split_once(':'));
    let others =
        NOT_OFFERED.iter().flat_map(|(service, names)| names.split_ascii_whitespace().map(|name| (*service, name)));
    offered.chain(others).map(|(service, name)| (service, name.to_ascii_lowercase())).collect()
});

/// The permissions that are decided here, in lower case.
static PERMISSIONS: LazyLock<Vec<String>> =
    LazyLock::new(|| actions::permissions().iter().map(|name| name.to_ascii_lowercase()).collect());

fn is_wild(text: &str) -> bool {
    text.contains(['*', '?'])
}

fn service(text: &str) -> Option<&'static str> {
    SERVICES.into_iter().find(|service| service.eq_ignore_ascii_case(text))
}

/// Why an action of the right shape can match nothing.
pub(super) fn wrong_action(text: &str) -> Option<&'static str> {
    let (service_name, name) = text.split_once(':')?;
    let service = service(service_name)?;
    let name = Pattern::new(&name.to_ascii_lowercase());
    let exists = ACTIONS.iter().any(|(of, known)| *of == service && name.matches(known));
    (!exists).then_some("the service has no such action")
}

/// Why a resource of the right shape can match nothing.
pub(super) fn wrong_resource(text: &str) -> Option<&'static str> {
    let mut parts = text.splitn(5, ':').skip(1);
    let written = parts.next()?;
    let service = service(written)?;
    let (region, account, name) = (parts.next()?, parts.next()?, parts.next()?);
    if written != service {
        return Some("the name of a service is not in lower case");
    }
    if name.contains(':') {
        return Some("a resource has too many parts");
    }
    // Names of RAM have no region, all others have one.
    let has_region = service != "ram";
    if !is_wild(region) && region.is_empty() == has_region {
        return Some(if has_region { "a resource has no region" } else { "a resource of RAM has a region" });
    }
    let is_account = is_wild(account) || AccountId::new(account).is_some() || (service == "ram" && account == "system");
    if !is_account {
        return Some("the account of a resource is none");
    }
    let kinds = RESOURCE_KINDS.iter().find(|(of, _)| *of == service).map_or(&[][..], |(_, kinds)| kinds);
    let start = name.find(['*', '?', '/']).map_or(name, |end| name.get(..end).unwrap_or(name));
    let is_cut = name.get(start.len()..).is_some_and(is_cut_by_wildcard);
    let exists = kinds.iter().any(|kind| if is_cut { kind.starts_with(start) } else { *kind == start });
    (!exists).then_some("the service has no such kind of resource")
}

fn is_cut_by_wildcard(rest: &str) -> bool {
    rest.starts_with(['*', '?'])
}

/// Whether a statement about these actions and resources can be about a request that is decided here.
pub(super) fn may_be_ours(actions: &Actions, resources: &[Pattern]) -> bool {
    let (patterns, negated) = match actions {
        Actions::These(patterns) => (patterns, false),
        Actions::AllBut(patterns) => (patterns, true),
    };
    let lower: Vec<Pattern> =
        patterns.iter().map(|pattern| Pattern::new(&pattern.as_str().to_ascii_lowercase())).collect();
    let of_action = PERMISSIONS.iter().any(|name| lower.iter().any(|pattern| pattern.matches(name)) != negated);
    of_action && (resources.is_empty() || resources.iter().any(|pattern| !is_elsewhere(pattern.as_str())))
}

/// Whether a resource is surely one of another service.
fn is_elsewhere(resource: &str) -> bool {
    let named = resource.strip_prefix("acs:").and_then(|rest| rest.split_once(':'));
    named.is_some_and(|(name, _)| !is_wild(name) && !SERVICES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_actions() {
        for good in [
            "*",
            "kms:*",
            "kms:Decrypt",
            "KMS:decrypt",
            "kms:D?crypt",
            "kms:ReEncrypt",
            "kms:ReEncrypt*",
            "kms:ReEncryptFrom",
            "kms:GetSecretValue",
            "ram:CreateServiceLinkedRole",
            "ram:Create*",
            "sts:AssumeRole*",
            "actiontrail:CreateTrail",
            "oss:GetObjcet",
            "k*:Decrpyt",
            "*:Decrpyt",
            "kmss:Decrypt",
        ] {
            assert_eq!(wrong_action(good), None, "{good}");
        }
        for bad in [
            "kms:Decrpyt",
            "kms:decrpyt",
            "KMS:Decrypts",
            "kms:Decrpyt*",
            "kms:?Decrypt",
            "ram:AssumeRole",
            "sts:Encrypt",
            "sts:*Keys",
            "actiontrail:LookupEvent",
            "ram:CreateUsers",
        ] {
            assert_eq!(wrong_action(bad), Some("the service has no such action"), "{bad}");
        }
        for name in actions::permissions() {
            assert_eq!(wrong_action(name), None, "{name}");
        }
    }

    #[test]
    fn wrong_resources() {
        for good in [
            "*",
            "acs:*:*:*:*",
            "*:*:*:*:*",
            "acs:kms:*:*:*",
            "acs:kms:*:*:key",
            "acs:kms:cn-hangzhou:1234567890123456:key/*",
            "acs:kms:*:1234*:k*",
            "acs:kms:*:*:?ey/x",
            "acs:kms:*:*:alias/a/b",
            "acs:kms:*:*:secret/db",
            "acs:ram::1234567890123456:user/x",
            "acs:ram:*:*:role/x",
            "acs:ram:*:system:policy/AdministratorAccess",
            "acs:sts:*:*:*",
            "acs:actiontrail:cn-hangzhou:*:*",
            "acs:oss:*:*:mybucket/a:b",
            "acs:OSS:::x",
            "acs:k?s:::x",
            "acs:kmss:*:*:nothing",
        ] {
            assert_eq!(wrong_resource(good), None, "{good}");
        }
        for (bad, why) in [
            ("acs:KMS:*:*:key/*", "lower case"),
            ("*:Kms:*:*:*", "lower case"),
            ("acs:Ram:*:*:*", "lower case"),
            ("acs:kms:*:*:*:key/x", "parts"),
            ("acs:ram:*:*:user/a:b", "parts"),
            ("acs:kms::*:key/x", "no region"),
            ("acs:ram:cn-hangzhou:*:user/x", "has a region"),
            ("acs:kms:*::key/x", "account"),
            ("acs:kms:*:mycompany:key/x", "account"),
            ("acs:kms:*:system:key/x", "account"),
            ("acs:kms:*:*:keys/x", "kind"),
            ("acs:kms:*:*:Key/x", "kind"),
            ("acs:kms:*:*:keyx*", "kind"),
            ("acs:kms:*:*:ke", "kind"),
            ("acs:kms:*:*:user/x", "kind"),
            ("acs:ram:*:*:key/x", "kind"),
        ] {
            assert!(wrong_resource(bad).is_some_and(|wrong| wrong.contains(why)), "{bad}: {:?}", wrong_resource(bad));
        }
    }

    #[test]
    fn statements_about_requests_of_ours() {
        let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::new(text)).collect::<Vec<_>>();
        for (actions, resources, expected) in [
            (Actions::These(patterns(&["*"])), &["*"][..], true),
            (Actions::These(patterns(&["*"])), &["acs:oss:*:*:x"], false),
            (Actions::These(patterns(&["*"])), &["acs:oss:*:*:x", "acs:kms:*:*:key/x"], true),
            (Actions::These(patterns(&["*"])), &["acs:o*:*:*:x"], true),
            (Actions::These(patterns(&["*"])), &["*:oss:*:*:x"], true),
            (Actions::These(patterns(&["oss:*", "ecs:*"])), &["*"], false),
            (Actions::These(patterns(&["oss:*", "K*:encrypt"])), &["*"], true),
            (Actions::These(patterns(&["kms:CreateSecret"])), &["*"], false),
            (Actions::These(patterns(&["sts:AssumeRole"])), &[], true),
            (Actions::AllBut(patterns(&["oss:*"])), &["*"], true),
            (Actions::AllBut(patterns(&["*"])), &["*"], false),
            (Actions::AllBut(patterns(&["kms:*", "ram:*", "sts:*", "ACTIONTRAIL:*"])), &["*"], false),
            (Actions::AllBut(patterns(&["kms:*", "ram:*", "sts:*"])), &["*"], true),
        ] {
            assert_eq!(may_be_ours(&actions, &patterns(resources)), expected, "{actions:?} {resources:?}");
        }
    }
}
