//! `CreateKey`: make a key.

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    actions::{
        metadata::{KeyMetadata, KeyOrigin, KeySpec, KeyUsage},
        params::{DESCRIPTION, Tags, parse_rotation_interval, parse_tags},
    },
    error::Refusal,
    param::{Input, Invalid, Kind, Param, optional, parse_bool},
};

pub struct CreateKey {
    pub spec: KeySpec,
    pub usage: KeyUsage,
    pub origin: KeyOrigin,
    pub description: String,
    /// Seconds between rotations, if the key rotates by itself.
    pub rotation_interval_secs: Option<i64>,
    pub tags: Tags,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub key_metadata: KeyMetadata,
}

static KEY_SPEC: Param<KeySpec> =
    Param::new("KeySpec", Kind::Text, "Aliyun_AES_256 (default)", "The kind of key.", |text| {
        KeySpec::ALL.iter().copied().find(|spec| spec.as_str() == text).ok_or(Invalid::Value)
    })
    .public();

static KEY_USAGE: Param<KeyUsage> =
    Param::new("KeyUsage", Kind::Text, "ENCRYPT/DECRYPT (default)", "What the key may do, for life.", |text| {
        KeyUsage::ALL.iter().copied().find(|usage| usage.as_str() == text).ok_or(Invalid::Value)
    })
    .public();

static ORIGIN: Param<KeyOrigin> = Param::new(
    "Origin",
    Kind::Text,
    "Aliyun_KMS (default) or EXTERNAL",
    "Who makes the key material. An EXTERNAL key waits for its material in the state PendingImport.",
    |text| match text {
        "Aliyun_KMS" => Ok(KeyOrigin::AliyunKms),
        "EXTERNAL" => Ok(KeyOrigin::External),
        _ => Err(Invalid::Value),
    },
)
.public();

static PROTECTION_LEVEL: Param<()> = Param::new(
    "ProtectionLevel",
    Kind::Text,
    "SOFTWARE (default); HSM is refused with Unsupported.ProtectionLevel",
    "Where the key material is used.",
    |text| match text {
        "SOFTWARE" => Ok(()),
        "HSM" => Err(Invalid::As(Refusal::ProtectionLevelUnsupported)),
        _ => Err(Invalid::Value),
    },
)
.public();

static ENABLE_AUTOMATIC_ROTATION: Param<bool> = Param::new(
    "EnableAutomaticRotation",
    Kind::Boolean,
    "true or false (default); symmetric Aliyun_KMS keys only",
    "Whether new versions are made by themselves.",
    parse_bool,
)
.public();

static ROTATION_INTERVAL: Param<i64> = Param::new(
    "RotationInterval",
    Kind::Text,
    "<integer>d|h|m|s, 7 to 730 days; needed when rotation is on, ignored when it is off",
    "Time between rotations.",
    parse_rotation_interval,
)
.public();

static TAGS: Param<Tags> =
    Param::new("Tags", Kind::Json, "[{\"TagKey\":…,\"TagValue\":…}], at most 20", "Tags of the new key.", parse_tags)
        .public();

/// Parameters that only keys in dedicated instances take, and this service has none.
macro_rules! not_offered {
    ($static:ident $name:literal $why:literal) => {
        static $static: Param<()> = Param::new($name, Kind::Text, "not offered", $why, |_| Err(Invalid::Value));
    };
}
not_offered!(DKMS_INSTANCE_ID "DKMSInstanceId" "Dedicated instances do not exist here.");
not_offered!(KEY_STORAGE_MECHANISM "KeyStorageMechanism" "Dedicated instances do not exist here.");
not_offered!(POLICY "Policy" "A key policy that nobody enforces is refused rather than stored.");

impl Action for CreateKey {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "CreateKey",
        group: Group::Keys,
        class: Class::Management,
        effect: Effect::Write,
        params: &[
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
        ],
        output: &["KeyMetadata"],
        states: StateRule::ANY,
        errors: &[Refusal::ProtectionLevelUnsupported, Refusal::LimitExceeded],
        doc: "Makes a customer master key. It is Enabled at once, or PendingImport if its origin is EXTERNAL. Not idempotent.",
        example: &[
            ("Description", "orders database"),
            ("EnableAutomaticRotation", "true"),
            ("RotationInterval", "365d"),
        ],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let spec = input.optional(&KEY_SPEC)?.unwrap_or(KeySpec::AliyunAes256);
        let usage = input.optional(&KEY_USAGE)?.unwrap_or(KeyUsage::EncryptDecrypt);
        let origin = input.optional(&ORIGIN)?.unwrap_or(KeyOrigin::AliyunKms);
        input.optional(&PROTECTION_LEVEL)?;
        let description = input.optional(&DESCRIPTION)?.unwrap_or_default();
        let rotates = input.optional(&ENABLE_AUTOMATIC_ROTATION)?.unwrap_or(false);
        let interval = if rotates {
            if origin == KeyOrigin::External {
                return Err(Refusal::ParameterInvalid("EnableAutomaticRotation"));
            }
            Some(input.required(&ROTATION_INTERVAL)?)
        } else {
            None
        };
        let tags = input.optional(&TAGS)?.unwrap_or_default();
        input.optional(&DKMS_INSTANCE_ID)?;
        input.optional(&KEY_STORAGE_MECHANISM)?;
        input.optional(&POLICY)?;
        Ok(Self { spec, usage, origin, description, rotation_interval_secs: interval, tags })
    }

    fn access(&self) -> Access<'_> {
        Access::one("kms:CreateKey", Target::Keys)
    }
}
