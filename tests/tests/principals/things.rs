//! For each action: something that it works on, made by the account itself, and a call that names it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_crypto::{
    asym::{AsymSpec, PrivateKey},
    import::{WrapAlg, wrap_material},
    secret::SecretBytes,
    totp,
};
use jomae_tests::{
    party::{Line, Party},
    random,
};

/// Base64 of a SHA-256 digest.
const DIGEST: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
/// Base64 of `hello`.
const HELLO: &str = "aGVsbG8=";
pub const POLICY: &str = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"kms:List*","Resource":"*"}]}"#;

/// A call that can succeed, and the key that it acts on, if it does.
pub struct Prepared {
    pub form: Vec<(String, String)>,
    pub key: Option<String>,
    /// Texts that another account must never see.
    pub hidden: Vec<String>,
}

/// Makes what an action works on.
pub struct Maker<'m, 's> {
    pub line: &'m mut Line<'s>,
    pub root: &'m Party,
    pub account: &'m str,
}

type Form<'f> = Vec<(&'f str, String)>;

impl Maker<'_, '_> {
    /// A call of an action on things of its own.
    pub fn prepare(&mut self, action: &str) -> Prepared {
        let mut key = None;
        let form = match jomae_api::actions::find(action).expect("an action").api() {
            jomae_api::action::Api::Kms => self.of_kms(action, &mut key),
            jomae_api::action::Api::Ram => self.of_ram(action),
            jomae_api::action::Api::Sts => self.of_sts(action),
            jomae_api::action::Api::ActionTrail => Vec::new(),
        };
        let hidden = form.iter().map(|(_, value)| value.clone()).filter(|value| value.len() > 12).collect();
        Prepared { form: form.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), key, hidden }
    }

    fn ok(&mut self, action: &str, form: &[(&str, &str)]) -> serde_json::Value {
        self.line.ok(self.root, action, form)
    }

    fn text(&mut self, action: &str, form: &[(&str, &str)], member: &str) -> String {
        self.ok(action, form)[member].as_str().expect("a text").to_owned()
    }

    fn key(&mut self, action: &str) -> String {
        let params: &[(&str, &str)] = match action {
            "AsymmetricSign" | "AsymmetricVerify" | "GetPublicKey" => &[("KeySpec", "EC_P256")],
            "AsymmetricEncrypt" | "AsymmetricDecrypt" => &[("KeySpec", "EC_SM2"), ("KeyUsage", "ENCRYPT/DECRYPT")],
            "GenerateMac" | "VerifyMac" => &[("KeySpec", "HMAC_SHA_256")],
            "GetParametersForImport" | "ImportKeyMaterial" | "DeleteKeyMaterial" => &[("Origin", "EXTERNAL")],
            _ => &[("Tags", r#"[{"TagKey":"team","TagValue":"old"}]"#)],
        };
        self.ok("CreateKey", params)["KeyMetadata"]["KeyId"].as_str().expect("a key").to_owned()
    }

    #[expect(clippy::too_many_lines, reason = "a table: one arm an action")]
    fn of_kms(&mut self, action: &str, acted_on: &mut Option<String>) -> Form<'static> {
        const CONTAINERS: [&str; 7] = [
            "CreateKey",
            "ListKeys",
            "ListAliases",
            "DescribeRegions",
            "DescribeAccountKmsStatus",
            "DescribeServer",
            "OpenKmsService",
        ];
        if CONTAINERS.contains(&action) {
            return Vec::new();
        }
        let id = self.key(action);
        *acted_on = Some(id.clone());
        let key = || ("KeyId", id.clone());
        let own = |text: &str| text.to_owned();
        let to = || {
            let public = PrivateKey::generate(AsymSpec::EcSm2).expect("a key").public_spki();
            [
                ("PublicKeyBlob", STANDARD.encode(public)),
                ("WrappingKeySpec", own("EC_SM2")),
                ("WrappingAlgorithm", own("SM2PKE")),
            ]
        };
        let resource =
            || vec![("RegionId", own("cn-hangzhou")), ("ResourceType", own("key")), ("ResourceId.1", id.clone())];
        match action {
            "CancelKeyDeletion" => {
                self.ok("ScheduleKeyDeletion", &[("KeyId", &id), ("PendingWindowInDays", "7")]);
                vec![key()]
            }
            "UpdateKeyDescription" => vec![key(), ("Description", own("new text"))],
            "ScheduleKeyDeletion" => vec![key(), ("PendingWindowInDays", own("30"))],
            "SetDeletionProtection" => vec![
                ("ProtectedResourceArn", format!("acs:kms:cn-hangzhou:{}:key/{id}", self.account)),
                ("EnableDeletionProtection", own("true")),
            ],
            "SetKeyPolicy" => {
                let policy = format!(
                    r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Principal":{{"RAM":["acs:ram::{}:*"]}},"Action":["kms:*"],"Resource":["*"]}}]}}"#,
                    self.account
                );
                vec![key(), ("Policy", policy)]
            }
            "UpdateRotationPolicy" => {
                vec![key(), ("EnableAutomaticRotation", own("true")), ("RotationInterval", own("30d"))]
            }
            "Encrypt" => vec![key(), ("Plaintext", own(HELLO))],
            "Decrypt" | "ReEncrypt" | "ExportDataKey" => {
                let blob = self.text("Encrypt", &[("KeyId", &id), ("Plaintext", HELLO)], "CiphertextBlob");
                let mut form = vec![("CiphertextBlob", blob)];
                match action {
                    "ReEncrypt" => form.push(("DestinationKeyId", id.clone())),
                    "ExportDataKey" => form.extend(to()),
                    _ => {}
                }
                form
            }
            "GenerateAndExportDataKey" => [vec![key()], to().to_vec()].concat(),
            "DescribeKeyVersion" | "GetPublicKey" => vec![key(), self.version(&id)],
            "AsymmetricEncrypt" | "AsymmetricDecrypt" => {
                let version = self.version(&id);
                let form = vec![key(), version.clone(), ("Algorithm", own("SM2PKE")), ("Plaintext", own(HELLO))];
                if action == "AsymmetricEncrypt" {
                    return form;
                }
                let blob = self.text("AsymmetricEncrypt", &pairs(&form), "CiphertextBlob");
                vec![key(), version, ("Algorithm", own("SM2PKE")), ("CiphertextBlob", blob)]
            }
            "AsymmetricSign" | "AsymmetricVerify" => {
                let version = self.version(&id);
                let form = vec![key(), version, ("Algorithm", own("ECDSA_SHA_256")), ("Digest", own(DIGEST))];
                if action == "AsymmetricSign" {
                    return form;
                }
                let value = self.text("AsymmetricSign", &pairs(&form), "Value");
                [form, vec![("Value", value)]].concat()
            }
            "GenerateMac" | "VerifyMac" => {
                let form = vec![key(), ("Algorithm", own("HMAC_SHA_256")), ("Message", own(HELLO))];
                if action == "GenerateMac" {
                    return form;
                }
                let mac = self.text("GenerateMac", &pairs(&form), "Mac");
                [form, vec![("Mac", mac)]].concat()
            }
            "GetParametersForImport" => vec![key(), to()[1].clone(), to()[2].clone()],
            "ImportKeyMaterial" => self.wrapped(&id),
            "DeleteKeyMaterial" => {
                let form = self.wrapped(&id);
                self.ok("ImportKeyMaterial", &pairs(&form));
                vec![key()]
            }
            "CreateAlias" => vec![key(), ("AliasName", alias())],
            "UpdateAlias" | "DeleteAlias" => {
                let name = alias();
                self.ok("CreateAlias", &[("KeyId", &id), ("AliasName", &name)]);
                if action == "DeleteAlias" {
                    return vec![("AliasName", name)];
                }
                let other = self.key(action);
                *acted_on = Some(other.clone());
                vec![("KeyId", other), ("AliasName", name)]
            }
            "TagResource" => vec![key(), ("Tags", own(r#"[{"TagKey":"team","TagValue":"orders"}]"#))],
            "UntagResource" => vec![key(), ("TagKeys", own(r#"["team"]"#))],
            "TagResources" => [resource(), vec![("Tag.1.Key", own("team")), ("Tag.1.Value", own("orders"))]].concat(),
            "UntagResources" => [resource(), vec![("TagKey.1", own("team"))]].concat(),
            "ListTagResources" => resource(),
            _ => vec![key()],
        }
    }

    fn version(&mut self, key: &str) -> (&'static str, String) {
        let described = self.ok("DescribeKey", &[("KeyId", key)]);
        ("KeyVersionId", described["KeyMetadata"]["PrimaryKeyVersion"].as_str().expect("a version").to_owned())
    }

    fn wrapped(&mut self, key: &str) -> Form<'static> {
        let asked = [("KeyId", key), ("WrappingKeySpec", "EC_SM2"), ("WrappingAlgorithm", "SM2PKE")];
        let given = self.ok("GetParametersForImport", &asked);
        let text = |name: &str| given[name].as_str().expect("a text").to_owned();
        let public = STANDARD.decode(text("PublicKey")).expect("Base64");
        let wrapped = wrap_material(&public, WrapAlg::Sm2Pke, &SecretBytes::new(vec![7; 32])).expect("wrapped");
        vec![
            ("KeyId", key.to_owned()),
            ("ImportToken", text("ImportToken")),
            ("EncryptedKeyMaterial", STANDARD.encode(wrapped)),
        ]
    }

    /// What a user without permissions is told.
    fn denial(&mut self) -> String {
        let name = format!("denied-{}", random::word(12));
        self.ok("CreateUser", &[("UserName", &name)]);
        let user = Party::of_access_key(&self.ok("CreateAccessKey", &[("UserName", &name)]));
        let denied = self.line.call(&user, "ListUsers", &[]).json();
        denied["AccessDeniedDetail"]["EncodedDiagnosticMessage"].as_str().expect("a message").to_owned()
    }

    fn of_ram(&mut self, action: &str) -> Form<'static> {
        if action == "DecodeDiagnosticMessage" {
            return vec![("EncodedDiagnosticMessage", self.denial())];
        }
        let own = |text: &str| text.to_owned();
        let fresh = |kind: &str| format!("{kind}-{}", random::word(12));
        let takes = |param: &str| {
            let spec = jomae_api::actions::find(action).expect("an action");
            spec.params.iter().any(|used| used.param.name() == param)
        };
        let makes = action.starts_with("Create");
        let mut form = Vec::new();
        let (mut user, mut group, mut role, mut policy) = (None, None, None, None);
        if takes("UserName") {
            let name = fresh("user");
            if action != "CreateUser" {
                self.ok("CreateUser", &[("UserName", &name)]);
            }
            form.push(("UserName", name.clone()));
            user = Some(name);
        }
        if takes("GroupName") {
            let name = fresh("group");
            if action != "CreateGroup" {
                self.ok("CreateGroup", &[("GroupName", &name)]);
            }
            form.push(("GroupName", name.clone()));
            group = Some(name);
        }
        if takes("RoleName") {
            let name = fresh("role");
            let trust = trust_of(self.account);
            if action == "CreateRole" {
                form.push(("AssumeRolePolicyDocument", trust));
            } else {
                self.ok("CreateRole", &[("RoleName", &name), ("AssumeRolePolicyDocument", &trust)]);
            }
            form.push(("RoleName", name.clone()));
            role = Some(name);
        }
        if takes("PolicyName") {
            let name = fresh("policy");
            if action != "CreatePolicy" {
                self.ok("CreatePolicy", &[("PolicyName", &name), ("PolicyDocument", POLICY)]);
            }
            if takes("PolicyType") {
                form.push(("PolicyType", own("Custom")));
            }
            if makes {
                form.push(("PolicyDocument", own(POLICY)));
            }
            form.push(("PolicyName", name.clone()));
            policy = Some(name);
        }
        if takes("VersionId") {
            let name = policy.clone().expect("a policy");
            let made = self.ok("CreatePolicyVersion", &[("PolicyName", &name), ("PolicyDocument", POLICY)]);
            let version = made["PolicyVersion"]["VersionId"].as_str().expect("a version").to_owned();
            form.push(("VersionId", version));
        }
        if takes("UserAccessKeyId") {
            let name = user.clone().expect("a user");
            let made = self.ok("CreateAccessKey", &[("UserName", &name)]);
            form.push(("UserAccessKeyId", made["AccessKey"]["AccessKeyId"].as_str().expect("an id").to_owned()));
        }
        self.of_sign_in(action, user.as_deref(), &mut form);
        if takes("Status") {
            form.push(("Status", own("Inactive")));
        }
        if takes("NewDescription") {
            form.push(("NewDescription", own("new")));
        }
        if action == "RemoveUserFromGroup" {
            let (user, group) = (user.clone().expect("a user"), group.clone().expect("a group"));
            self.ok("AddUserToGroup", &[("UserName", &user), ("GroupName", &group)]);
        }
        if let Some(kind) = action.strip_prefix("DetachPolicyFrom") {
            let entity = [user, group, role].into_iter().flatten().next().expect("an entity");
            let name = policy.expect("a policy");
            let attached = [("PolicyType", "Custom"), ("PolicyName", name.as_str()), (name_of(kind), entity.as_str())];
            self.ok(&format!("AttachPolicyTo{kind}"), &attached);
        }
        form
    }

    /// What signing in is about: login profiles, passwords and MFA devices.
    fn of_sign_in(&mut self, action: &str, user: Option<&str>, form: &mut Form<'static>) {
        const PASSWORD: &str = "a-Long-passphrase-9";
        let user = user.unwrap_or_default();
        match action {
            "CreateLoginProfile" => form.push(("Password", PASSWORD.to_owned())),
            "GetLoginProfile" | "UpdateLoginProfile" | "DeleteLoginProfile" => {
                self.ok("CreateLoginProfile", &[("UserName", user), ("Password", PASSWORD)]);
            }
            "ChangePassword" => {
                form.push(("OldPassword", PASSWORD.to_owned()));
                form.push(("NewPassword", format!("{PASSWORD}x")));
            }
            "CreatePasskey" => {
                form.extend(
                    [("PasskeyName", "phone"), ("Challenge", "AAAA")].map(|(name, value)| (name, value.to_owned())),
                );
                form.extend(
                    [("ClientDataJSON", "e30="), ("AttestationObject", "oA==")].map(|(n, v)| (n, v.to_owned())),
                );
            }
            "DeletePasskey" => form.push(("PasskeyId", "0".repeat(32))),
            "CreateVirtualMFADevice" => {
                form.push(("VirtualMFADeviceName", format!("device-{}", random::word(12))));
            }
            "DeleteVirtualMFADevice" => form.push(("SerialNumber", self.device().0)),
            "BindMFADevice" => {
                let (serial, codes) = self.device();
                form.push(("SerialNumber", serial));
                form.extend(codes);
            }
            "UnbindMFADevice" | "GetUserMFAInfo" => {
                let (serial, codes) = self.device();
                let bind = [vec![("UserName", user.to_owned()), ("SerialNumber", serial)], codes.to_vec()].concat();
                self.ok("BindMFADevice", &pairs(&bind));
            }
            _ => {}
        }
    }

    /// The serial number of a new device, and two codes that it has just shown.
    fn device(&mut self) -> (String, [(&'static str, String); 2]) {
        let name = format!("device-{}", random::word(12));
        let made = self.ok("CreateVirtualMFADevice", &[("VirtualMFADeviceName", &name)]);
        let text = |member: &str| made["VirtualMFADevice"][member].as_str().expect("a text").to_owned();
        let seed = totp::seed_of_text(&text("Base32StringSeed")).expect("Base32");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        let code = |step| {
            let code = totp::code(&seed, step).expect("a code");
            String::from_utf8(code.expose().to_vec()).expect("digits")
        };
        let step = now / totp::STEP_SECS;
        let codes = [("AuthenticationCode1", code(step - 1)), ("AuthenticationCode2", code(step))];
        (text("SerialNumber"), codes)
    }

    fn of_sts(&mut self, action: &str) -> Form<'static> {
        if action == "GetCallerIdentity" {
            return Vec::new();
        }
        let name = format!("role-{}", random::word(12));
        let trust = trust_of(self.account);
        self.ok("CreateRole", &[("RoleName", &name), ("AssumeRolePolicyDocument", &trust)]);
        let arn = format!("acs:ram::{}:role/{name}", self.account);
        vec![("RoleArn", arn), ("RoleSessionName", "session".to_owned())]
    }
}

/// Trusts everybody of the account whom the account lets.
pub fn trust_of(account: &str) -> String {
    format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"RAM":["acs:ram::{account}:root"]}}}}]}}"#
    )
}

fn name_of(kind: &str) -> &'static str {
    match kind {
        "User" => "UserName",
        "Group" => "GroupName",
        _ => "RoleName",
    }
}

fn alias() -> String {
    // A word by itself may begin with the service's own "acs".
    format!("alias/of-{}", random::word(16))
}

fn pairs<'f>(form: &'f [(&'static str, String)]) -> Vec<(&'f str, &'f str)> {
    form.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
