//! A key with all that belongs to it, and a call of every action on it.

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_api::{
    action::{ActionSpec, Api},
    actions::ACTIONS,
    actions::metadata::{KeyOrigin, KeyState},
};

use super::{Client, HELLO, World, import};

/// Alice's key in Hangzhou, and the names around it.
pub struct Subject {
    pub key: String,
    /// An alias of the key.
    pub alias: String,
    /// An alias of another key.
    pub elsewhere: String,
    /// A ciphertext under the key.
    pub blob: String,
    /// The key's version.
    pub version: String,
    /// A signature or MAC by the key.
    proof: String,
    /// For an EXTERNAL key: what its material came with.
    token: String,
    wrapped: String,
    /// The caller's own key, to export to.
    public_key: String,
}

pub const STATES: [KeyState; 4] =
    [KeyState::Enabled, KeyState::Disabled, KeyState::PendingDeletion, KeyState::PendingImport];

/// An action that answers nobody with a success.
pub const NEVER_DONE: &str = "OpenKmsService";

/// Actions that take a key's ID, full name or alias, by `keys.md`, "What `KeyId` accepts".
pub const TAKE_ALIAS: &[&str] = &[
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateAndExportDataKey",
    "AsymmetricEncrypt",
    "AsymmetricDecrypt",
    "AsymmetricSign",
    "AsymmetricVerify",
    "GetPublicKey",
    "GenerateMac",
    "VerifyMac",
    "DescribeKey",
    "DescribeKeyVersion",
    "ListKeyVersions",
    "CreateKeyVersion",
];

/// Base64 of a SHA-256 digest.
pub const DIGEST: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

const POLICY: &str = r#"{"Version":"1","Statement":[{"Effect":"Allow","Principal":{"RAM":["acs:ram::1234567890123456:*"]},"Action":["kms:*"],"Resource":["*"]}]}"#;

/// What kind of key an action works on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Symmetric,
    Signing,
    Decrypting,
    Mac,
    External,
}

impl Kind {
    fn of(action: &str) -> Self {
        match action {
            "AsymmetricSign" | "AsymmetricVerify" | "GetPublicKey" => Self::Signing,
            "AsymmetricEncrypt" | "AsymmetricDecrypt" => Self::Decrypting,
            "GenerateMac" | "VerifyMac" => Self::Mac,
            "GetParametersForImport" | "ImportKeyMaterial" | "DeleteKeyMaterial" => Self::External,
            _ => Self::Symmetric,
        }
    }

    /// Parameters of `CreateKey`. Of the slow kinds the quickest.
    const fn params(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Symmetric => &[],
            Self::Signing => &[("KeySpec", "EC_P256")],
            Self::Decrypting => &[("KeySpec", "EC_SM2"), ("KeyUsage", "ENCRYPT/DECRYPT")],
            Self::Mac => &[("KeySpec", "HMAC_SHA_256")],
            Self::External => &[("Origin", "EXTERNAL")],
        }
    }
}

impl Subject {
    /// A new symmetric key in this state.
    pub fn new(world: &World, state: KeyState) -> Self {
        Self::of_kind(world, Kind::Symmetric, state)
    }

    /// A new key on which the action works, in the state in which it does.
    pub fn of(world: &World, action: &str) -> Self {
        let state = if action == "CancelKeyDeletion" { KeyState::PendingDeletion } else { KeyState::Enabled };
        Self::of_in(world, action, state)
    }

    /// A new key of the kind on which the action works, in this state.
    pub fn of_in(world: &World, action: &str, state: KeyState) -> Self {
        Self::of_kind(world, Kind::of(action), state)
    }

    fn of_kind(world: &World, kind: Kind, state: KeyState) -> Self {
        let alice = world.alice();
        let tagged = [kind.params(), &[("Tags", r#"[{"TagKey":"team","TagValue":"old"}]"#)]].concat();
        let (key, other) = (alice.key(&tagged), world.key());
        let (alias, elsewhere) = (format!("alias/of-{}", &key[24..]), format!("alias/of-{}", &other[24..]));
        alice.done("CreateAlias", &[("AliasName", &alias), ("KeyId", &key)]);
        alice.done("CreateAlias", &[("AliasName", &elsewhere), ("KeyId", &other)]);
        let public_key = STANDARD.encode(import::own_key().public_spki());
        let empty = String::new;
        let mut subject = Self {
            key,
            alias,
            elsewhere,
            blob: empty(),
            version: empty(),
            proof: empty(),
            token: empty(),
            wrapped: empty(),
            public_key,
        };
        subject.prepare(alice, kind);
        subject.bring_into(world, kind, state);
        subject
    }

    /// Makes what calls on the key need, while it is enabled.
    fn prepare(&mut self, alice: Client<'_>, kind: Kind) {
        if kind == Kind::External {
            let parameters = import::parameters(alice, &self.key, "EC_SM2", "SM2PKE");
            self.wrapped = parameters.wrap(&[7; 32]);
            self.token.clone_from(&parameters.token);
            alice.done("ImportKeyMaterial", &self.params("ImportKeyMaterial"));
        }
        let version = alice.describe(&self.key)["PrimaryKeyVersion"].clone();
        version.as_str().unwrap().clone_into(&mut self.version);
        let made = |action: &str, member: &str| {
            let answer = alice.ok(action, &self.params(action));
            answer[member].as_str().unwrap().to_owned()
        };
        match kind {
            Kind::Symmetric | Kind::External => self.blob = made("Encrypt", "CiphertextBlob"),
            Kind::Decrypting => self.blob = made("AsymmetricEncrypt", "CiphertextBlob"),
            Kind::Signing => self.proof = made("AsymmetricSign", "Value"),
            Kind::Mac => self.proof = made("GenerateMac", "Mac"),
        }
    }

    fn bring_into(&self, world: &World, kind: Kind, state: KeyState) {
        let (alice, key) = (world.alice(), ("KeyId", self.key.as_str()));
        match state {
            KeyState::Enabled => {}
            KeyState::Disabled => alice.done("DisableKey", &[key]),
            KeyState::PendingDeletion => alice.done("ScheduleKeyDeletion", &[key, ("PendingWindowInDays", "7")]),
            KeyState::PendingImport if kind == Kind::External => alice.done("DeleteKeyMaterial", &[key]),
            // A key of our own making never waits for its material; so the rule is seen for every action.
            KeyState::PendingImport => world.edit_record(&self.key, |record| {
                record.state = KeyState::PendingImport;
                record.origin = KeyOrigin::External;
                record.has_imported_material = false;
            }),
        }
    }

    /// Parameters with which the action works on the key, if its kind and state let it.
    pub fn params<'s>(&'s self, action: &str) -> Vec<(&'static str, &'s str)> {
        let key = ("KeyId", self.key.as_str());
        let version = ("KeyVersionId", self.version.as_str());
        let blob = ("CiphertextBlob", self.blob.as_str());
        let resource = [("RegionId", "cn-hangzhou"), ("ResourceType", "key"), ("ResourceId.1", self.key.as_str())];
        let to = [
            ("PublicKeyBlob", self.public_key.as_str()),
            ("WrappingKeySpec", "EC_SM2"),
            ("WrappingAlgorithm", "SM2PKE"),
        ];
        let (sm2, signing) = (("Algorithm", "SM2PKE"), [("Algorithm", "ECDSA_SHA_256"), ("Digest", DIGEST)]);
        let message = [("Algorithm", "HMAC_SHA_256"), ("Message", HELLO)];
        match action {
            "CreateKey"
            | "ListKeys"
            | "ListAliases"
            | "DescribeRegions"
            | "DescribeAccountKmsStatus"
            | "DescribeServer"
            | NEVER_DONE => {
                vec![]
            }
            "DescribeKey"
            | "EnableKey"
            | "DisableKey"
            | "CancelKeyDeletion"
            | "GetKeyPolicy"
            | "CreateKeyVersion"
            | "ListKeyVersions"
            | "DeleteKeyMaterial"
            | "ListAliasesByKeyId"
            | "ListResourceTags"
            | "GenerateDataKey"
            | "GenerateDataKeyWithoutPlaintext" => vec![key],
            "UpdateKeyDescription" => vec![key, ("Description", "new text")],
            "ScheduleKeyDeletion" => vec![key, ("PendingWindowInDays", "30")],
            "SetDeletionProtection" => vec![key, ("EnableDeletionProtection", "true")],
            "SetKeyPolicy" => vec![key, ("Policy", POLICY)],
            "UpdateRotationPolicy" => vec![key, ("EnableAutomaticRotation", "true"), ("RotationInterval", "30d")],
            "DescribeKeyVersion" | "GetPublicKey" => vec![key, version],
            "GetParametersForImport" => vec![key, to[1], to[2]],
            "ImportKeyMaterial" => vec![key, ("ImportToken", &self.token), ("EncryptedKeyMaterial", &self.wrapped)],
            "Encrypt" => vec![key, ("Plaintext", HELLO)],
            "Decrypt" => vec![blob],
            "ReEncrypt" => vec![blob, ("DestinationKeyId", &self.key)],
            "ExportDataKey" => [&[blob][..], &to].concat(),
            "GenerateAndExportDataKey" => [&[key][..], &to].concat(),
            "AsymmetricEncrypt" => vec![key, version, sm2, ("Plaintext", HELLO)],
            "AsymmetricDecrypt" => vec![key, version, sm2, blob],
            "AsymmetricSign" => [&[key, version][..], &signing].concat(),
            "AsymmetricVerify" => [&[key, version, ("Value", &self.proof)][..], &signing].concat(),
            "GenerateMac" => [&[key][..], &message].concat(),
            "VerifyMac" => [&[key, ("Mac", &self.proof)][..], &message].concat(),
            "CreateAlias" => vec![key, ("AliasName", "alias/new")],
            "UpdateAlias" => vec![key, ("AliasName", &self.elsewhere)],
            "DeleteAlias" => vec![("AliasName", &self.alias)],
            "TagResource" => vec![key, ("Tags", r#"[{"TagKey":"team","TagValue":"orders"}]"#)],
            "UntagResource" => vec![key, ("TagKeys", r#"["team"]"#)],
            "TagResources" => [&resource[..], &[("Tag.1.Key", "team"), ("Tag.1.Value", "orders")]].concat(),
            "UntagResources" => [&resource[..], &[("TagKey.1", "team")]].concat(),
            "ListTagResources" => resource.to_vec(),
            _ => panic!("no example of {action}"),
        }
    }
}

/// The names of the parameters of an action that it declares.
pub fn takes(spec: &ActionSpec, param: &str) -> bool {
    spec.params.iter().any(|used| used.param.name() == param)
}

/// Every action that names a key, by whatever name.
pub fn actions_on_keys() -> impl Iterator<Item = &'static ActionSpec> {
    const NAMES: [&str; 4] = ["KeyId", "CiphertextBlob", "AliasName", "ResourceId"];
    kms_actions().filter(|spec| NAMES.iter().any(|param| takes(spec, param)))
}

/// Every action that can succeed.
pub fn actions_that_work() -> impl Iterator<Item = &'static ActionSpec> {
    kms_actions().filter(|spec| spec.name != NEVER_DONE)
}

/// Every action of KMS itself.
pub fn kms_actions() -> impl Iterator<Item = &'static ActionSpec> {
    ACTIONS.iter().copied().filter(|spec| spec.api() == Api::Kms)
}
