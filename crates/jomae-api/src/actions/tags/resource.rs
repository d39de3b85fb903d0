//! What the tag actions of both generations share.

use serde::Serialize;

use crate::{
    actions::params::{KEY_ID_ONLY, Tags, valid_tag},
    error::Refusal,
    limits,
    names::{KeyId, KeyRef, RegionId},
    param::{Input, Invalid, Kind, Param},
};

/// Resources of products that this service does not have.
macro_rules! not_offered {
    ($static:ident $name:literal) => {
        pub static $static: Param<()> =
            Param::new($name, Kind::Text, "not offered", "Only keys can be tagged here.", |_| Err(Invalid::Value));
    };
}
not_offered!(SECRET_NAME "SecretName");
not_offered!(CERTIFICATE_ID "CertificateId");

pub static REGION_ID: Param<RegionId> =
    Param::new("RegionId", Kind::Text, "the region of the request", "Where the resources are.", |text| {
        RegionId::new(text).ok_or(Invalid::Value)
    })
    .public();

pub static RESOURCE_TYPE: Param<()> =
    Param::new("ResourceType", Kind::Text, "key", "Only keys can be tagged here.", |text| {
        if text == "key" { Ok(()) } else { Err(Invalid::Value) }
    })
    .public();

pub static RESOURCE_ID: Param<KeyRef> =
    Param::new("ResourceId", Kind::Text, "ResourceId.1 to ResourceId.50, key IDs", "The keys.", |text| {
        KeyId::new(text).map(KeyRef::Id).ok_or(Invalid::Value)
    })
    .public();

pub static TAG: Param<()> = Param::new(
    "Tag",
    Kind::Text,
    "Tag.1.Key and Tag.1.Value to Tag.20.…; keys 1–128, values 0–128 characters",
    "Tags by key and value.",
    |_| Err(Invalid::Value),
);

pub static TAG_KEY: Param<String> =
    Param::new("TagKey", Kind::Text, "TagKey.1 to TagKey.20", "Keys of tags.", |text| {
        if valid_tag(text, "") { Ok(text.to_owned()) } else { Err(Invalid::Value) }
    })
    .public();

pub static ALL: Param<bool> = Param::new(
    "All",
    Kind::Boolean,
    "true or false (default); counts only without TagKey",
    "Removes every tag.",
    crate::param::parse_bool,
)
.public();

/// Exactly one of `KeyId`, `SecretName` and `CertificateId`; here only the first.
pub fn tagged_key(input: Input<'_>) -> Result<KeyRef, Refusal> {
    input.optional(&SECRET_NAME)?;
    input.optional(&CERTIFICATE_ID)?;
    input.optional(&KEY_ID_ONLY)?.ok_or(Refusal::ParameterMissing("KeyId"))
}

/// `ResourceId.N`, each once.
pub fn resource_ids(input: Input<'_>, least: usize) -> Result<Vec<KeyRef>, Refusal> {
    let mut keys = Vec::new();
    for key in input.list(&RESOURCE_ID)? {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    match keys.len() {
        count if count < least => Err(Refusal::ParameterMissing("ResourceId.1")),
        count if count > limits::TAG_RESOURCES_MAX => Err(Refusal::ParameterInvalid("ResourceId")),
        _ => Ok(keys),
    }
}

/// `Tag.N.Key` and `Tag.N.Value`.
pub fn tags(input: Input<'_>) -> Result<Tags, Refusal> {
    input.optional(&TAG)?;
    let invalid = Refusal::ParameterInvalid("Tag");
    let mut tags = Tags::new();
    for (key, value) in input.pairs(&TAG)? {
        if !valid_tag(&key, &value) || tags.insert(key, value).is_some() {
            return Err(invalid);
        }
    }
    if tags.len() > limits::TAGS_MAX { Err(Refusal::LimitExceeded) } else { Ok(tags) }
}

/// A tag of a key, in the newer generation of actions.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagResourceRow {
    pub resource_id: KeyId,
    /// Always `key`.
    pub resource_type: &'static str,
    pub tag_key: String,
    pub tag_value: String,
}
