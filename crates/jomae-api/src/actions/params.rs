//! Parameters that several actions share.

use std::collections::BTreeMap;

use jomae_crypto::{envelope, secret::SecretBytes};
use serde::Deserialize;

use crate::{
    actions::prelude::*,
    names::ALIAS_PREFIX,
    param::parse_plaintext,
    policy::KeyPolicy,
    spec::{Algorithm, KeySpec, Purpose},
};

pub static KEY_REF: Param<KeyRef> = Param::new(
    "KeyId",
    Kind::Text,
    "a key ID, alias/<name>, or a full name: acs:kms:<region>:<account>:key/<key-id> or …:alias/<name>",
    "The key to use.",
    |text| KeyRef::from_wire(text).ok_or(Invalid::Value),
)
.public_if(is_plainly_a_key)
.refuses(&[Refusal::KeyNotFound, Refusal::AliasNotFound]);

pub static KEY_ID_ONLY: Param<KeyRef> = Param::new(
    "KeyId",
    Kind::Text,
    "a key ID; an alias is refused with Unsupported.Alias",
    "The key to change.",
    |text| {
        if AliasName::is_meant(text) {
            return Err(Invalid::As(Refusal::AliasUnsupported));
        }
        KeyId::new(text).map(KeyRef::Id).ok_or(Invalid::Value)
    },
)
.public_if(is_plainly_a_key)
.refuses(&[Refusal::AliasUnsupported, Refusal::KeyNotFound]);

/// Whether a text names a key by its form. A key ID is opaque, so a short password would pass for one: only what has
/// the form of the IDs that we make, or a prefix, is taken at its word.
pub(crate) fn is_plainly_a_key(text: &str) -> bool {
    let is_uuid = text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        });
    is_uuid || text.starts_with(ALIAS_PREFIX) || text.starts_with("acs:kms:")
}

pub static ALIAS_NAME: Param<AliasName> = Param::new(
    "AliasName",
    Kind::Text,
    text!("alias/ and " [limits::ALIAS_CHARS] " letters, digits, _, - and /"),
    "The alias.",
    |text| AliasName::from_wire(text).ok_or(Invalid::Value),
)
.public();

pub static DESCRIPTION: Param<String> = Param::new(
    "Description",
    Kind::Text,
    text!("0–" {limits::DESCRIPTION_CHARS_MAX} " characters"),
    "What the key is for.",
    |text| parse_text(text, limits::DESCRIPTION_CHARS_MAX),
)
.public();

pub static PLAINTEXT: Param<SecretBytes> = Param::new(
    "Plaintext",
    Kind::Base64,
    text!("Base64 of 1–" {limits::PLAINTEXT_BYTES_MAX} " bytes"),
    "The bytes to encrypt.",
    |text| parse_secret(text, limits::PLAINTEXT_BYTES_MAX),
);

pub static PLAINTEXT_OR_TEXT: Param<Plaintext> = Param::new(
    "Plaintext",
    Kind::Base64,
    text!("Base64 of 1–" {limits::PLAINTEXT_BYTES_MAX} " bytes, or else any text of at most " {limits::PLAINTEXT_BYTES_MAX} " bytes"),
    "What to encrypt. Text that is not Base64 is encrypted as it is, and Decrypt gives it back so.",
    |text| parse_plaintext(text, limits::PLAINTEXT_BYTES_MAX),
);

pub static CIPHERTEXT_BLOB: Param<Vec<u8>> = Param::new(
    "CiphertextBlob",
    Kind::Base64,
    text!("Base64 of at most " {limits::CIPHERTEXT_BYTES_MAX} " bytes"),
    "The ciphertext, as Encrypt, ReEncrypt or a data key action gave it; of public-key algorithms as the standards have it.",
    |text| parse_bytes(text, limits::CIPHERTEXT_BYTES_MAX),
)
.refuses(&[Refusal::KeyNotFound]);

pub static ENCRYPTION_CONTEXT: Param<EncryptionContext> = Param::new(
    "EncryptionContext",
    Kind::Map,
    text!("a JSON object of strings, at most " {limits::ENCRYPTION_CONTEXT_CHARS_MAX} " characters"),
    "Authenticated with the ciphertext, not stored in it: Decrypt must be given an equal map. Not a secret: it stands in the audit log.",
    |text| EncryptionContext::from_json(text).ok_or(Invalid::Value),
)
.public();

pub static DRY_RUN: Param<bool> = Param::new(
    "DryRun",
    Kind::Boolean,
    "true or false (default)",
    "With true the call does nothing and always fails; the error says whether it would have worked.",
    parse_bool,
)
.public();

pub static PAGE_NUMBER: Param<u32> =
    Param::new("PageNumber", Kind::Integer, "from 1 (default)", "Which page.", |text| {
        parse_number(text, &(1..=limits::PAGE_NUMBER_MAX))
    })
    .public();

pub static PAGE_SIZE: Param<u32> = Param::new(
    "PageSize",
    Kind::Integer,
    text!([limits::PAGE_SIZE] " (default " {limits::PAGE_SIZE_DEFAULT} ")"),
    "Rows of a page.",
    |text| parse_number(text, &limits::PAGE_SIZE),
)
.public();

pub static DATA_KEY_SPEC: Param<u32> = Param::new(
    "KeySpec",
    Kind::Text,
    "AES_256 or AES_128",
    "The length of the data key, by name. NumberOfBytes wins if both are given.",
    |text| match text {
        "AES_256" => Ok(32),
        "AES_128" => Ok(16),
        _ => Err(Invalid::Value),
    },
)
.public();

pub static NUMBER_OF_BYTES: Param<u32> = Param::new(
    "NumberOfBytes",
    Kind::Integer,
    text!([limits::DATA_KEY_BYTES]),
    text!("The length of the data key in bytes. " {limits::DATA_KEY_BYTES_DEFAULT} " if neither this nor KeySpec is given."),
    |text| parse_number(text, &limits::DATA_KEY_BYTES),
)
.public();

pub static RECIPIENT: Param<()> = Param::new(
    "Recipient",
    Kind::Json,
    "not offered",
    "Encryption of the answer for an attested enclave: refused rather than ignored, since the plaintext would be sent in the clear.",
    |_| Err(Invalid::Value),
);

pub static KEY_ID_OR_ARN: Param<KeyRef> =
    Param::new("KeyId", Kind::Text, "a key ID or the full name of a key", "The key.", |text| {
        match KeyRef::from_wire(text) {
            Some(KeyRef::Alias(_) | KeyRef::AliasArn { .. }) => Err(Invalid::As(Refusal::AliasUnsupported)),
            Some(key) => Ok(key),
            None => Err(Invalid::Value),
        }
    })
    .public_if(is_plainly_a_key)
    .refuses(&[Refusal::AliasUnsupported, Refusal::KeyNotFound]);

pub static KEY_VERSION_ID: Param<KeyVersionId> = Param::new(
    "KeyVersionId",
    Kind::Text,
    "the ID of a version of the key",
    "The version of the key. Asymmetric keys have no default version.",
    |text| KeyVersionId::new(text).ok_or(Invalid::Value),
)
.public_if(is_plainly_a_key)
.refuses(&[Refusal::KeyVersionNotFound]);

pub static ALGORITHM: Param<Algorithm> = Param::new(
    "Algorithm",
    Kind::Text,
    "an algorithm that fits the key's spec and usage",
    "What to compute.",
    |text| Algorithm::from_wire(text).ok_or(Invalid::Value),
)
.public();

pub static DIGEST: Param<Vec<u8>> = Param::new(
    "Digest",
    Kind::Base64,
    "Base64 of a digest of the length that the algorithm has (32 bytes for SHA-256 and SM3)",
    text!("The digest to sign, made by the caller; for ED25519 and ML_DSA_65 (extensions) the message, at most " {limits::MESSAGE_BYTES_MAX} " bytes."),
    |text| parse_bytes(text, limits::MESSAGE_BYTES_MAX),
);

pub static SIGNATURE: Param<Vec<u8>> =
    Param::new("Value", Kind::Base64, "Base64 of a signature", "The signature to check.", |text| {
        parse_bytes(text, limits::SIGNATURE_BYTES_MAX)
    });

pub static MAC: Param<Vec<u8>> =
    Param::new("Mac", Kind::Base64, "Base64 of a MAC", "The MAC to check.", |text| parse_bytes(text, 64));

pub static MESSAGE: Param<SecretBytes> = Param::new(
    "Message",
    Kind::Base64,
    text!("Base64 of 1–" {limits::MESSAGE_BYTES_MAX} " bytes"),
    "What to authenticate.",
    |text| parse_secret(text, limits::MESSAGE_BYTES_MAX),
);

pub static POLICY: Param<KeyPolicy> = Param::new(
    "Policy",
    Kind::Json,
    text!("JSON of a key policy, at most " {limits::POLICY_BYTES_MAX} " bytes, Version 1"),
    "Who may use and manage the key, beside what RAM policies say.",
    |text| KeyPolicy::read(text).map_err(|place| Invalid::As(Refusal::KeyPolicyMalformed(place))),
)
.public()
.refuses(&[
    Refusal::KeyPolicyMalformed(crate::policy::Malformed::ANY),
    Refusal::KeyPolicyCost(crate::policy::TooCostly::ANY),
]);

pub static POLICY_NAME: Param<()> = Param::new("PolicyName", Kind::Text, "default", "A key has one policy.", |text| {
    if text == "default" { Ok(()) } else { Err(Invalid::Value) }
})
.public();

pub static ENABLE_AUTOMATIC_ROTATION: Param<bool> = Param::new(
    "EnableAutomaticRotation",
    Kind::Boolean,
    "true or false; symmetric Aliyun_KMS keys only",
    "Whether new versions are made by themselves.",
    parse_bool,
)
.public();

pub static ROTATION_INTERVAL: Param<i64> = Param::new(
    "RotationInterval",
    Kind::Text,
    text!("<integer>d|h|m|s, " {*limits::ROTATION_INTERVAL_SECS.start() / 86_400} " to " {*limits::ROTATION_INTERVAL_SECS.end() / 86_400} " days; needed when rotation is on, ignored when it is off"),
    "Time between rotations.",
    parse_rotation_interval,
)
.public();

pub static TAGS: Param<Tags> = Param::new(
    "Tags",
    Kind::Json,
    text!("[{\"TagKey\":…,\"TagValue\":…}], at most " {limits::TAGS_MAX}),
    "Tags by key and value.",
    parse_tags,
)
.public();

pub static CLIENT_TOKEN: Param<String> = Param::new(
    "ClientToken",
    Kind::Text,
    text!("1–" {limits::CLIENT_TOKEN_CHARS_MAX} " visible ASCII characters"),
    text!("A retry with the same token within " {limits::CLIENT_TOKEN_SECS / 3600} " hours returns the first result and makes nothing new."),
    |text| {
        let fits = text.len() <= limits::CLIENT_TOKEN_CHARS_MAX && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(text.to_owned()) } else { Err(Invalid::Value) }
    },
)
.extension();

pub static PUBLIC_KEY_BLOB: Param<Vec<u8>> = Param::new(
    "PublicKeyBlob",
    Kind::Base64,
    "Base64 of a DER SubjectPublicKeyInfo",
    "The caller's public key, under which the data key leaves.",
    |text| parse_bytes(text, limits::SIGNATURE_BYTES_MAX),
);

pub static EXPORT_KEY_SPEC: Param<KeySpec> =
    Param::new("WrappingKeySpec", Kind::Text, "RSA_2048 or EC_SM2", "The kind of the caller's public key.", |text| {
        match text {
            "RSA_2048" => Ok(KeySpec::Rsa2048),
            "EC_SM2" => Ok(KeySpec::EcSm2),
            _ => Err(Invalid::Value),
        }
    })
    .public();

pub static EXPORT_ALGORITHM: Param<Algorithm> = Param::new(
    "WrappingAlgorithm",
    Kind::Text,
    "RSAES_OAEP_SHA_256, RSAES_OAEP_SHA_1 or SM2PKE",
    "How the data key is encrypted under the public key.",
    |text| Algorithm::from_wire(text).filter(|algorithm| algorithm.purpose() == Purpose::Encrypt).ok_or(Invalid::Value),
)
.public();

/// A ciphertext of a symmetric key.
pub struct Ciphertext {
    pub blob: Vec<u8>,
    /// Named by the ciphertext itself.
    pub version: KeyVersionId,
}

impl Ciphertext {
    pub fn of(blob: Vec<u8>) -> Result<Self, Refusal> {
        let version = envelope::version_id(&blob).and_then(KeyVersionId::new).ok_or(Refusal::CiphertextInvalid)?;
        Ok(Self { blob, version })
    }

    pub fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Self::of(input.required(&CIPHERTEXT_BLOB)?)
    }
}

/// The three parameters of an export, which must fit each other.
pub struct ExportTo {
    pub public_key: Vec<u8>,
    pub spec: KeySpec,
    pub algorithm: Algorithm,
}

impl ExportTo {
    pub fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let public_key = input.required(&PUBLIC_KEY_BLOB)?;
        let spec = input.required(&EXPORT_KEY_SPEC)?;
        let algorithm = input.required(&EXPORT_ALGORITHM)?;
        if !spec.row().algorithms.contains(&algorithm) {
            return Err(Refusal::ParameterInvalid("WrappingAlgorithm"));
        }
        Ok(Self { public_key, spec, algorithm })
    }
}

/// The length of a data key in bytes, from the two parameters that can set it.
pub fn data_key_bytes(input: Input<'_>) -> Result<u32, Refusal> {
    let by_spec = input.optional(&DATA_KEY_SPEC)?;
    let by_number = input.optional(&NUMBER_OF_BYTES)?;
    Ok(by_number.or(by_spec).unwrap_or(limits::DATA_KEY_BYTES_DEFAULT))
}

/// Which rows of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub number: u32,
    /// 1–100 rows.
    pub size: u32,
}

impl Page {
    pub fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            number: input.optional(&PAGE_NUMBER)?.unwrap_or(1),
            size: input.optional(&PAGE_SIZE)?.unwrap_or(limits::PAGE_SIZE_DEFAULT),
        })
    }

    /// How many rows stand before the page.
    pub fn offset(self) -> u64 {
        u64::from(self.number - 1) * u64::from(self.size)
    }
}

/// Tags by key. Keys 1–128 and values 0–128 characters of letters, digits and `/ \ _ - . + = : @`.
pub type Tags = BTreeMap<String, String>;

/// `[{"TagKey":…,"TagValue":…}]`.
pub fn parse_tags(text: &str) -> Result<Tags, Invalid> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase", deny_unknown_fields)]
    struct Tag {
        tag_key: String,
        #[serde(default)]
        tag_value: String,
    }
    let list: Vec<Tag> = serde_json::from_str(text).map_err(|_| Invalid::Value)?;
    if list.len() > limits::TAGS_MAX {
        return Err(Invalid::As(Refusal::LimitExceeded));
    }
    let mut tags = Tags::new();
    for tag in list {
        if !valid_tag(&tag.tag_key, &tag.tag_value) || tags.insert(tag.tag_key, tag.tag_value).is_some() {
            return Err(Invalid::Value);
        }
    }
    Ok(tags)
}

/// Whether key and value of a tag are within their limits and letters.
pub fn valid_tag(key: &str, value: &str) -> bool {
    let allowed = |text: &str| {
        text.bytes().all(|b| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'/' | b'\\' | b'_' | b'-' | b'.' | b'+' | b'=' | b':' | b'@' | b' ')
        })
    };
    limits::TAG_KEY_CHARS.contains(&key.len())
        && value.len() <= limits::TAG_VALUE_CHARS_MAX
        && allowed(key)
        && allowed(value)
        && !key.starts_with("aliyun")
        && !key.starts_with("acs:")
}

/// `<integer>d|h|m|s`, 7 to 730 days, as seconds.
pub fn parse_rotation_interval(text: &str) -> Result<i64, Invalid> {
    let (number, unit_secs) = match text.as_bytes() {
        [number @ .., b'd'] => (number.len(), 86_400),
        [number @ .., b'h'] => (number.len(), 3_600),
        [number @ .., b'm'] => (number.len(), 60),
        [number @ .., b's'] => (number.len(), 1),
        _ => return Err(Invalid::Value),
    };
    let digits = text.get(..number).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse::<i64>().ok())
        .and_then(|number| number.checked_mul(unit_secs))
        .filter(|secs| limits::ROTATION_INTERVAL_SECS.contains(secs))
        .ok_or(Invalid::Value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rotation_intervals() {
        assert_eq!(parse_rotation_interval("365d"), Ok(31_536_000));
        assert_eq!(parse_rotation_interval("604800s"), Ok(604_800));
        for bad in ["6d", "731d", "d", "7", "-7d", "+7d", "7 d", "99999999999999999999d", "7é"] {
            assert!(parse_rotation_interval(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tags() {
        let tags = parse_tags(r#"[{"TagKey":"k","TagValue":"v"},{"TagKey":"e"}]"#).unwrap();
        assert_eq!(tags.len(), 2);
        for bad in [
            "{}",
            r#"[{"TagKey":"","TagValue":"v"}]"#,
            r#"[{"TagKey":"acs:x","TagValue":"v"}]"#,
            r#"[{"TagKey":"k","TagValue":"v"},{"TagKey":"k","TagValue":"w"}]"#,
            r#"[{"TagKey":"k","TagValue":"é"}]"#,
        ] {
            assert_eq!(parse_tags(bad), Err(Invalid::Value), "{bad}");
        }
        let many: Vec<String> = (0..21).map(|n| format!(r#"{{"TagKey":"k{n}","TagValue":""}}"#)).collect();
        assert_eq!(parse_tags(&format!("[{}]", many.join(","))), Err(Invalid::As(Refusal::LimitExceeded)));
    }

    proptest! {
        #[test]
        fn never_panic(text in ".{0,200}") {
            let _ = parse_rotation_interval(&text);
            let _ = parse_tags(&text);
        }
    }
}
