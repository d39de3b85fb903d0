//! `CreateKey`: make a key.

use crate::{
    actions::{
        metadata::{KeyMetadata, KeyOrigin, KeySpec, KeyUsage, ProtectionLevel},
        params::{CLIENT_TOKEN, DESCRIPTION, ENABLE_AUTOMATIC_ROTATION, POLICY, ROTATION_INTERVAL, TAGS},
        prelude::*,
    },
    policy::KeyPolicy,
    spec::KeyKind,
};

/// A request of the action `CreateKey`.
pub struct CreateKey {
    /// `Aliyun_AES_256` if none was given.
    pub spec: KeySpec,
    /// One of those that the spec has; its first if none was given.
    pub usage: KeyUsage,
    /// Who makes the material.
    pub origin: KeyOrigin,
    /// Where it is used.
    pub protection: ProtectionLevel,
    /// Empty if none was given.
    pub description: String,
    /// Seconds between rotations, if the key rotates by itself.
    pub rotation_interval_secs: Option<i64>,
    /// Empty if none were given.
    pub tags: Tags,
    /// None: the default policy.
    pub policy: Option<KeyPolicy>,
}

answer! {
    pub struct Output {
        /// The key.
        key_metadata: KeyMetadata => "KeyMetadata",
    }
}

param! {
    /// The kind of key.
    KEY_SPEC: KeySpec = Text "KeySpec",
        "Aliyun_AES_256 (default), Aliyun_AES_192, Aliyun_AES_128, Aliyun_SM4, RSA_2048, RSA_3072, RSA_4096, EC_P256, EC_P256K, EC_SM2, HMAC_SHA_224, HMAC_SHA_256, HMAC_SHA_384, HMAC_SHA_512, HMAC_SM3; extensions: EC_P384, EC_P521, EC_ED25519, ML_DSA_65, ML_KEM_768",
        public => |text| KeySpec::from_wire(text).ok_or(Invalid::Value);

    /// What the key may do, for life.
    KEY_USAGE: KeyUsage = Text "KeyUsage",
        "ENCRYPT/DECRYPT, SIGN/VERIFY or GENERATE/VERIFY_MAC; default SIGN/VERIFY where the spec can sign, else what it can do",
        public => |text| KeyUsage::from_wire(text).ok_or(Invalid::Value);

    /// Who makes the key material. An EXTERNAL key waits for its material in the state PendingImport.
    ORIGIN: KeyOrigin = Text "Origin", "Aliyun_KMS (default) or EXTERNAL", public =>
        |text| KeyOrigin::from_wire(text).ok_or(Invalid::Value);

    /// Where the key material is used.
    PROTECTION_LEVEL: ProtectionLevel = Text "ProtectionLevel",
        "SOFTWARE (default) or HSM; HSM is refused with Unsupported.ProtectionLevel where there is no token, or the token does not serve the KeySpec",
        public => |text| ProtectionLevel::from_wire(text).ok_or(Invalid::Value);
}

// Parameters that only keys in dedicated instances take, and this service has none.
param! {
    /// Dedicated instances do not exist here.
    DKMS_INSTANCE_ID: () = Text "DKMSInstanceId", NOT_OFFERED => not_offered;

    /// Dedicated instances do not exist here.
    KEY_STORAGE_MECHANISM: () = Text "KeyStorageMechanism", NOT_OFFERED => not_offered;
}

impl Parameters for CreateKey {
    const PARAMS: &[Use] = &[
        optional(&KEY_SPEC),
        optional(&KEY_USAGE),
        optional(&ORIGIN),
        optional(&PROTECTION_LEVEL),
        optional(&DESCRIPTION),
        optional(&ENABLE_AUTOMATIC_ROTATION),
        optional(&ROTATION_INTERVAL),
        optional(&TAGS),
        optional(&DKMS_INSTANCE_ID),
        optional(&KEY_STORAGE_MECHANISM),
        optional(&POLICY),
        optional(&CLIENT_TOKEN),
    ];

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let spec = input.optional(&KEY_SPEC)?.unwrap_or(KeySpec::AliyunAes256);
        let row = spec.row();
        let usage = match input.optional(&KEY_USAGE)? {
            Some(usage) if row.usages.contains(&usage) => usage,
            Some(_) => return Err(Refusal::ParameterInvalid("KeyUsage")),
            None => *row.usages.first().ok_or(Refusal::ParameterInvalid("KeySpec"))?,
        };
        let origin = input.optional(&ORIGIN)?.unwrap_or(KeyOrigin::AliyunKms);
        let protection = input.optional(&PROTECTION_LEVEL)?.unwrap_or(ProtectionLevel::Software);
        let description = input.optional(&DESCRIPTION)?.unwrap_or_default();
        let rotates = input.optional(&ENABLE_AUTOMATIC_ROTATION)?.unwrap_or(false);
        let interval = if rotates {
            if origin == KeyOrigin::External || row.kind != KeyKind::Symmetric {
                return Err(Refusal::ParameterInvalid("EnableAutomaticRotation"));
            }
            Some(input.required(&ROTATION_INTERVAL)?)
        } else {
            None
        };
        let tags = input.optional(&TAGS)?.unwrap_or_default();
        input.optional(&DKMS_INSTANCE_ID)?;
        input.optional(&KEY_STORAGE_MECHANISM)?;
        let policy = input.optional(&POLICY)?;
        input.optional(&CLIENT_TOKEN)?;
        Ok(Self { spec, usage, origin, protection, description, rotation_interval_secs: interval, tags, policy })
    }
}

impl Action for CreateKey {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "CreateKey",
        errors: &[Refusal::ProtectionLevelUnsupported, Refusal::LimitExceeded],
        doc: "Makes a customer master key. It is Enabled at once, or PendingImport if its origin is EXTERNAL. Without a ClientToken it is not idempotent.",
        example: &[
            ("Description", "orders database"),
            ("EnableAutomaticRotation", "true"),
            ("RotationInterval", "365d"),
        ],
        ..ActionSpec::write(Group::Keys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Keys)
    }

    fn request_tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}
