//! The policies that every account has without making them.

use std::sync::LazyLock;

use jomae_api::policy::{Form, parse};

use super::Compiled;

/// A policy that nobody can change.
pub struct SystemPolicy {
    pub name: &'static str,
    /// Of the public service's policy that this one says the same as.
    pub version: &'static str,
    pub description: &'static str,
    /// The document, of [`Form::Identity`].
    pub document: &'static str,
    compiled: Compiled,
}

impl SystemPolicy {
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }
}

/// Every system policy, in the order of the names.
pub fn system_policies() -> &'static [SystemPolicy] {
    static ALL: LazyLock<Vec<SystemPolicy>> = LazyLock::new(|| {
        let compiled = |&(name, version, description, document): &Source| {
            let compiled = Compiled::of(&parse(document, Form::Identity).ok()?);
            Some(SystemPolicy { name, version, description, document, compiled })
        };
        SOURCES.iter().filter_map(compiled).collect()
    });
    &ALL
}

/// The system policy of this name; case counts.
pub fn system_policy(name: &str) -> Option<&'static SystemPolicy> {
    let all = system_policies();
    all.get(all.binary_search_by_key(&name, |policy| policy.name).ok()?)
}

/// Name, version, description, document.
type Source = (&'static str, &'static str, &'static str, &'static str);

/// By name. The KMS ones say what their public pages say, except that of AliyunKMSSecretAdminAccess no page shows the
/// content.
const SOURCES: [Source; 12] = [
    (
        "AdministratorAccess",
        "v1",
        "Everything.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "AliyunActionTrailFullAccess",
        "v1",
        "Everything with the audit log.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"actiontrail:*","Resource":"*"}]}"#,
    ),
    (
        "AliyunActionTrailReadOnlyAccess",
        "v1",
        "Reading the audit log.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["actiontrail:Lookup*","actiontrail:Describe*","actiontrail:Get*","actiontrail:List*"],"Resource":"*"}]}"#,
    ),
    (
        "AliyunKMSCryptoAdminAccess",
        "v2",
        "Managing and using keys and aliases.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":["acs:kms:*:*:key*","acs:kms:*:*:alias*"]},{"Effect":"Allow","Action":["ecs:TagResources","ecs:UntagResources","ecs:ListTagResources"],"Resource":["acs:kms:*:*:key/*","acs:kms:*:*:secret/*"]}]}"#,
    ),
    (
        "AliyunKMSCryptoUserAccess",
        "v2",
        "Using keys.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["kms:Encrypt","kms:Decrypt","kms:GenerateDataKey","kms:GenerateDataKeyWithoutPlaintext","kms:AsymmetricDecrypt","kms:AsymmetricEncrypt","kms:AsymmetricSign","kms:AsymmetricVerify","kms:GetPublicKey","kms:GenerateMac","kms:VerifyMac"],"Resource":"*"}]}"#,
    ),
    (
        "AliyunKMSFullAccess",
        "v3",
        "Everything with keys and secrets.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"},{"Effect":"Allow","Action":"ram:CreateServiceLinkedRole","Resource":"*","Condition":{"StringEquals":{"ram:ServiceName":["secretsmanager-rds.kms.aliyuncs.com","keystore.kms.aliyuncs.com"]}}}]}"#,
    ),
    (
        "AliyunKMSReadOnlyAccess",
        "v3",
        "Looking at keys and secrets, not using them.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["kms:List*","kms:Describe*","kms:GetPublicKey","kms:GetKeyPolicy","kms:GetKeyDefaultPolicy","kms:GetSecretPolicy","kms:GetSecretDefaultPolicy","kms:GetKmsInstance","kms:GetDefaultKmsInstance","kms:GetKmsInstanceQuotaInfos","kms:GetKmsInstanceSharedAccounts","kms:GetUploadBackupDataInfo","kms:GetCheckAssociateResourceTaskResults"],"Resource":"*"}]}"#,
    ),
    (
        "AliyunKMSSecretAdminAccess",
        "v1",
        "Managing and using secrets.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"acs:kms:*:*:secret*"}]}"#,
    ),
    (
        "AliyunKMSSecretUserAccess",
        "v1",
        "Using secrets.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["kms:GetSecretValue","kms:DescribeSecret","kms:ListSecretVersionIds"],"Resource":"*"}]}"#,
    ),
    (
        "AliyunRAMFullAccess",
        "v1",
        "Everything with users, groups, roles and policies.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ram:*","Resource":"*"}]}"#,
    ),
    (
        "AliyunRAMReadOnlyAccess",
        "v1",
        "Looking at users, groups, roles and policies.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["ram:Get*","ram:List*"],"Resource":"*"}]}"#,
    ),
    (
        "AliyunSTSAssumeRoleAccess",
        "v1",
        "Assuming roles that trust the caller.",
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}"#,
    ),
];

#[cfg(test)]
mod tests {
    use jomae_api::{actions, time::Timestamp};

    use super::*;
    use crate::policy::{Facts, Request, Verdict, action_number};

    fn allows(policy: &str, action: &str, resource: &str) -> bool {
        let facts = Facts {
            now: Timestamp(0),
            secure_transport: true,
            source_ip: None,
            mfa_present: None,
            principal_arn: "",
            encryption_context: None,
            resource_tags: None,
            request_tags: None,
            more: &[],
        };
        let request = Request::new(action_number(action).unwrap(), resource, &facts);
        matches!(system_policy(policy).unwrap().compiled().evaluate(&request), Verdict::Allow { .. })
    }

    #[test]
    fn all_are_there() {
        assert_eq!(system_policies().len(), SOURCES.len());
        for (name, _, _, document) in SOURCES {
            let found = system_policy(name).unwrap();
            assert_eq!((found.name, found.document), (name, document));
            assert!(!found.description.is_empty() && found.version.starts_with('v'));
        }
        assert!(system_policy("administratoraccess").is_none() && system_policy("").is_none());
    }

    #[test]
    fn what_they_allow() {
        const KEY: &str = "acs:kms:cn-hangzhou:1234567890123456:key/k";
        const SECRET: &str = "acs:kms:cn-hangzhou:1234567890123456:secret/s";
        for action in actions::permissions() {
            let (service, name) = action.split_once(':').unwrap();
            let reads = ["List", "Describe"].iter().any(|verb| name.starts_with(verb));
            assert!(allows("AdministratorAccess", action, KEY));
            for (policy, of) in [
                ("AliyunKMSFullAccess", "kms"),
                ("AliyunKMSCryptoAdminAccess", "kms"),
                ("AliyunRAMFullAccess", "ram"),
                ("AliyunActionTrailFullAccess", "actiontrail"),
            ] {
                assert_eq!(allows(policy, action, KEY), service == of, "{policy} {action}");
            }
            let read_only = service == "kms" && (reads || matches!(name, "GetPublicKey" | "GetKeyPolicy"));
            assert_eq!(allows("AliyunKMSReadOnlyAccess", action, KEY), read_only, "{action}");
            let read_only = service == "ram" && (name.starts_with("Get") || name.starts_with("List"));
            assert_eq!(allows("AliyunRAMReadOnlyAccess", action, "*"), read_only, "{action}");
            let admin = allows("AliyunKMSSecretAdminAccess", action, SECRET);
            assert_eq!((admin, allows("AliyunKMSSecretAdminAccess", action, KEY)), (service == "kms", false));
            assert!(!allows("AliyunKMSCryptoAdminAccess", action, SECRET));
            assert_eq!(allows("AliyunSTSAssumeRoleAccess", action, KEY), *action == "sts:AssumeRole");
        }
        for (action, is) in [
            ("Encrypt", true),
            ("Decrypt", true),
            ("VerifyMac", true),
            ("GetPublicKey", true),
            ("ReEncryptFrom", false),
            ("ExportDataKey", false),
            ("DescribeKey", false),
            ("DisableKey", false),
        ] {
            assert_eq!(allows("AliyunKMSCryptoUserAccess", &format!("kms:{action}"), KEY), is, "{action}");
        }
    }
}
