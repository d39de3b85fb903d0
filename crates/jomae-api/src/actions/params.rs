//! Parameters that several actions share.

use jomae_crypto::envelope;
use serde::Deserialize;

pub use crate::param::Tags;
use crate::{actions::prelude::*, names::ALIAS_PREFIX, param::parse_plaintext, policy::KeyPolicy, spec::Purpose};

param! {
    /// The key to use.
    pub KEY_REF: KeyRef = Text "KeyId",
        "a key ID, alias/<name>, or a full name: acs:kms:<region>:<account>:key/<key-id> or …:alias/<name>",
        public_if(is_plainly_a_key), refuses(&[Refusal::KeyNotFound, Refusal::AliasNotFound]) =>
        |text| KeyRef::from_wire(text).ok_or(Invalid::Value);

    /// The key to change.
    pub KEY_ID_ONLY: KeyRef = Text "KeyId", "a key ID; an alias is refused with Unsupported.Alias",
        public_if(is_plainly_a_key), refuses(&[Refusal::AliasUnsupported, Refusal::KeyNotFound]) => |text| {
        if AliasName::is_meant(text) {
            return Err(Invalid::As(Refusal::AliasUnsupported));
        }
        KeyId::new(text).map(KeyRef::Id).ok_or(Invalid::Value)
    };
}

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

param! {
    /// The alias.
    pub ALIAS_NAME: AliasName = Text "AliasName",
        text!("alias/ and " [limits::ALIAS_CHARS] " letters, digits, _, - and /"), public =>
        |text| AliasName::from_wire(text).ok_or(Invalid::Value);

    /// What the key is for.
    pub DESCRIPTION: String = Text "Description", text!("0–" {limits::DESCRIPTION_CHARS_MAX} " characters"), public =>
        |text| parse_text(text, limits::DESCRIPTION_CHARS_MAX);

    /// The bytes to encrypt.
    pub PLAINTEXT: SecretBytes = Base64 "Plaintext", text!("Base64 of 1–" {limits::PLAINTEXT_BYTES_MAX} " bytes") =>
        |text| parse_secret(text, limits::PLAINTEXT_BYTES_MAX);

    /// What to encrypt. Text that is not Base64 is encrypted as it is, and Decrypt gives it back so.
    pub PLAINTEXT_OR_TEXT: Plaintext = Base64 "Plaintext",
        text!(
            "Base64 of 1–" {limits::PLAINTEXT_BYTES_MAX} " bytes, or else any text of at most "
            {limits::PLAINTEXT_BYTES_MAX} " bytes"
        ) =>
        |text| parse_plaintext(text, limits::PLAINTEXT_BYTES_MAX);

    /// The ciphertext, as Encrypt, ReEncrypt or a data key action gave it; of public-key algorithms as the standards
    /// have it.
    pub CIPHERTEXT_BLOB: Vec<u8> = Base64 "CiphertextBlob",
        text!("Base64 of at most " {limits::CIPHERTEXT_BYTES_MAX} " bytes"), refuses(&[Refusal::KeyNotFound]) =>
        |text| parse_bytes(text, limits::CIPHERTEXT_BYTES_MAX);

    /// Authenticated with the ciphertext, not stored in it: Decrypt must be given an equal map. Not a secret: it
    /// stands in the audit log.
    pub ENCRYPTION_CONTEXT: EncryptionContext = Map "EncryptionContext",
        text!("a JSON object of strings, at most " {limits::ENCRYPTION_CONTEXT_CHARS_MAX} " characters"), public =>
        |text| EncryptionContext::from_json(text).ok_or(Invalid::Value);

    /// With true the call does nothing and always fails; the error says whether it would have worked.
    pub DRY_RUN: bool = Boolean "DryRun", "true or false (default)", public => parse_bool;

    /// Which page.
    pub PAGE_NUMBER: u32 = Integer "PageNumber", "from 1 (default)", public => |text| {
        parse_number(text, &(1..=limits::PAGE_NUMBER_MAX))
    };

    /// Rows of a page.
    pub PAGE_SIZE: u32 = Integer "PageSize", text!([limits::PAGE_SIZE] " (default " {limits::PAGE_SIZE_DEFAULT} ")"),
        public => |text| parse_number(text, &limits::PAGE_SIZE);

    /// The length of the data key, by name. NumberOfBytes wins if both are given.
    pub DATA_KEY_SPEC: u32 = Text "KeySpec", "AES_256 or AES_128", public => |text| match text {
        "AES_256" => Ok(32),
        "AES_128" => Ok(16),
        _ => Err(Invalid::Value),
    };
}

/// The length of a data key in bytes.
pub static NUMBER_OF_BYTES: Param<u32> = Param::new(
    "NumberOfBytes",
    Kind::Integer,
    text!([limits::DATA_KEY_BYTES]),
    text!(
        "The length of the data key in bytes. " {limits::DATA_KEY_BYTES_DEFAULT}
        " if neither this nor KeySpec is given."
    ),
    |text| parse_number(text, &limits::DATA_KEY_BYTES),
)
.public();

param! {
    /// Encryption of the answer for an attested enclave: refused rather than ignored, since the plaintext would be
    /// sent in the clear.
    pub RECIPIENT: () = Json "Recipient", NOT_OFFERED => not_offered;

    /// The key.
    pub KEY_ID_OR_ARN: KeyRef = Text "KeyId", "a key ID or the full name of a key", public_if(is_plainly_a_key),
        refuses(&[Refusal::AliasUnsupported, Refusal::KeyNotFound]) => |text| {
        match KeyRef::from_wire(text) {
            Some(KeyRef::Alias(_) | KeyRef::AliasArn { .. }) => Err(Invalid::As(Refusal::AliasUnsupported)),
            Some(key) => Ok(key),
            None => Err(Invalid::Value),
        }
    };

    /// The version of the key. Asymmetric keys have no default version.
    pub KEY_VERSION_ID: KeyVersionId = Text "KeyVersionId", "the ID of a version of the key",
        public_if(is_plainly_a_key), refuses(&[Refusal::KeyVersionNotFound]) =>
        |text| KeyVersionId::new(text).ok_or(Invalid::Value);

    /// What to compute.
    pub ALGORITHM: Algorithm = Text "Algorithm", "an algorithm that fits the key's spec and usage", public =>
        |text| Algorithm::from_wire(text).ok_or(Invalid::Value);
}

/// The digest to sign or to verify; for Ed25519 and ML-DSA-65 the message.
pub static DIGEST: Param<Vec<u8>> = Param::new(
    "Digest",
    Kind::Base64,
    "Base64 of a digest of the length that the algorithm has (32 bytes for SHA-256 and SM3)",
    text!(
        "The digest to sign, made by the caller; for ED25519 and ML_DSA_65 (extensions) the message, at most "
        {limits::MESSAGE_BYTES_MAX} " bytes."
    ),
    |text| parse_bytes(text, limits::MESSAGE_BYTES_MAX),
);

param! {
    /// The signature to check.
    pub SIGNATURE: Vec<u8> = Base64 "Value", "Base64 of a signature" => |text| {
        parse_bytes(text, limits::SIGNATURE_BYTES_MAX)
    };

    /// The MAC to check.
    pub MAC: Vec<u8> = Base64 "Mac", "Base64 of a MAC" => |text| parse_bytes(text, 64);

    /// What to authenticate.
    pub MESSAGE: SecretBytes = Base64 "Message", text!("Base64 of 1–" {limits::MESSAGE_BYTES_MAX} " bytes") =>
        |text| parse_secret(text, limits::MESSAGE_BYTES_MAX);

    /// Who may use and manage the key, beside what RAM policies say.
    pub POLICY: KeyPolicy = Json "Policy",
        text!("JSON of a key policy, at most " {limits::POLICY_BYTES_MAX} " bytes, Version 1"), public,
        refuses(&[Refusal::KeyPolicyMalformed(Malformed::ANY), Refusal::KeyPolicyCost(TooCostly::ANY)]) =>
        |text| KeyPolicy::read(text).map_err(|place| Invalid::As(Refusal::KeyPolicyMalformed(place)));

    /// A key has one policy.
    pub POLICY_NAME: () = Text "PolicyName", "default", public => |text| {
        if text == "default" { Ok(()) } else { Err(Invalid::Value) }
    };

    /// Whether new versions are made by themselves.
    pub ENABLE_AUTOMATIC_ROTATION: bool = Boolean "EnableAutomaticRotation",
        "true or false; symmetric Aliyun_KMS keys only", public => parse_bool;

    /// Time between rotations.
    pub ROTATION_INTERVAL: i64 = Text "RotationInterval",
        text!(
            "<integer>d|h|m|s, " {*limits::ROTATION_INTERVAL_SECS.start() / 86_400} " to "
            {*limits::ROTATION_INTERVAL_SECS.end() / 86_400}
            " days; needed when rotation is on, ignored when it is off"
        ),
        public => parse_rotation_interval;

    /// Tags by key and value.
    pub TAGS: Tags = Json "Tags", text!("[{\"TagKey\":…,\"TagValue\":…}], at most " {limits::TAGS_MAX}), public =>
        parse_tags;
}

/// Makes a creating call idempotent.
pub static CLIENT_TOKEN: Param<String> = Param::new(
    "ClientToken",
    Kind::Text,
    text!("1–" {limits::CLIENT_TOKEN_CHARS_MAX} " visible ASCII characters"),
    text!(
        "A retry with the same token within " {limits::CLIENT_TOKEN_SECS / 3600}
        " hours returns the first result and makes nothing new."
    ),
    |text| {
        let fits = text.len() <= limits::CLIENT_TOKEN_CHARS_MAX && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(text.to_owned()) } else { Err(Invalid::Value) }
    },
)
.extension();

param! {
    /// The caller's public key, under which the data key leaves.
    pub PUBLIC_KEY_BLOB: Vec<u8> = Base64 "PublicKeyBlob", "Base64 of a DER SubjectPublicKeyInfo" =>
        |text| parse_bytes(text, limits::SIGNATURE_BYTES_MAX);

    /// The kind of the caller's public key.
    pub EXPORT_KEY_SPEC: KeySpec = Text "WrappingKeySpec", "RSA_2048 or EC_SM2", public => |text| {
        match text {
            "RSA_2048" => Ok(KeySpec::Rsa2048),
            "EC_SM2" => Ok(KeySpec::EcSm2),
            _ => Err(Invalid::Value),
        }
    };

    /// How the data key is encrypted under the public key.
    pub EXPORT_ALGORITHM: Algorithm = Text "WrappingAlgorithm", "RSAES_OAEP_SHA_256, RSAES_OAEP_SHA_1 or SM2PKE",
        public =>
        |text| {
            Algorithm::from_wire(text).filter(|algorithm| algorithm.purpose() == Purpose::Encrypt).ok_or(Invalid::Value)
        };
}

/// For examples.
pub(crate) const A_KEY: (&str, &str) = ("KeyId", "05754286-3ba2-4fa6-8d41-4323aca6e5fd");
pub(crate) const A_VERSION: (&str, &str) = ("KeyVersionId", "2ab1a983-7072-4bbc-a582-584b5bd8e9a1");
pub(crate) const A_CIPHERTEXT: (&str, &str) = (
    "CiphertextBlob",
    "MDU3NTQyODYtM2JhMi00ZmE2LThkNDEtNDMyM2FjYTZlNWZkATuxLto8KY213iVZf1TZJPLhfniiatiVPtghjuaC8Lu+kCHi8wCdFSyRG/HyXsaDqQJxQWZ2evvY5b0PsBJOy4pQ2FjgmF7Mf2BBiq8MxatYf0LCVwqI",
);

/// A ciphertext of a symmetric key.
pub struct Ciphertext {
    /// The `CiphertextBlob`, decoded.
    pub blob: Vec<u8>,
    /// Named by the ciphertext itself.
    pub version: KeyVersionId,
}

impl Ciphertext {
    /// `InvalidParameter` unless the blob has the form of `jomae_crypto::envelope`.
    pub fn of(blob: Vec<u8>) -> Result<Self, Refusal> {
        let version = envelope::version_id(&blob).and_then(KeyVersionId::new).ok_or(Refusal::CiphertextInvalid)?;
        Ok(Self { blob, version })
    }

    /// Reads `CiphertextBlob`.
    pub fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Self::of(input.required(&CIPHERTEXT_BLOB)?)
    }
}

/// The three parameters of an export, which must fit each other.
pub struct ExportTo {
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// RSA_2048 or EC_SM2.
    pub spec: KeySpec,
    /// One that encrypts, and fits the spec.
    pub algorithm: Algorithm,
}

impl ExportTo {
    /// Reads `PublicKeyBlob`, `WrappingKeySpec` and `WrappingAlgorithm`.
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
    /// Reads `PageNumber` and `PageSize`.
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
