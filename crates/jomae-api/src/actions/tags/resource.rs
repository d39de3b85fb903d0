//! What the tag actions of both generations share.

use crate::actions::{
    params::{KEY_ID_ONLY, is_plainly_a_key, valid_tag},
    prelude::*,
};

param! {
    // Resources of products that this service does not have.
    /// Only keys can be tagged here.
    pub SECRET_NAME: () = Text "SecretName", NOT_OFFERED => not_offered;

    /// Only keys can be tagged here.
    pub CERTIFICATE_ID: () = Text "CertificateId", NOT_OFFERED => not_offered;

    /// Where the resources are.
    pub REGION_ID: RegionId = Text "RegionId", "the region of the request" => |text| {
        RegionId::new(text).ok_or(Invalid::Value)
    };

    /// Only keys can be tagged here.
    pub RESOURCE_TYPE: () = Text "ResourceType", "key", public => |text| {
        if text == "key" { Ok(()) } else { Err(Invalid::Value) }
    };

    /// The keys.
    pub RESOURCE_ID: KeyRef = List "ResourceId",
        text!("ResourceId.1 to ResourceId." {limits::TAG_RESOURCES_MAX} ", key IDs"), public_if(is_plainly_a_key),
        refuses(&[Refusal::KeyNotFound]) => |text| KeyId::new(text).map(KeyRef::Id).ok_or(Invalid::Value);

    /// Tags by key and value.
    pub TAG: () = Pairs "Tag",
        text!(
            "Tag.1.Key and Tag.1.Value to Tag." {limits::TAGS_MAX} ".…; keys " [limits::TAG_KEY_CHARS]
            ", values 0–" {limits::TAG_VALUE_CHARS_MAX} " characters"
        ) =>
        |_| Err(Invalid::Value);

    /// Keys of tags.
    pub TAG_KEY: String = List "TagKey", text!("TagKey.1 to TagKey." {limits::TAGS_MAX}) => |text| {
        if valid_tag(text, "") { Ok(text.to_owned()) } else { Err(Invalid::Value) }
    };

    /// Removes every tag.
    pub ALL: bool = Boolean "All", "true or false (default); counts only without TagKey", public =>
        crate::param::parse_bool;
}

/// Exactly one of `KeyId`, `SecretName` and `CertificateId`; here only the first.
pub fn tagged_key(input: Input<'_>) -> Result<KeyRef, Refusal> {
    input.optional(&SECRET_NAME)?;
    input.optional(&CERTIFICATE_ID)?;
    input.optional(&KEY_ID_ONLY)?.ok_or(Refusal::ParameterMissing("KeyId"))
}

/// Where the resources are, which must be keys.
pub fn region(input: Input<'_>) -> Result<RegionId, Refusal> {
    let region = input.required(&REGION_ID)?;
    input.required(&RESOURCE_TYPE)?;
    Ok(region)
}

/// What was given as `ResourceId.N`, if anything.
pub fn keys(input: Input<'_>) -> Result<Vec<KeyRef>, Refusal> {
    each_once(input.list(&RESOURCE_ID)?)
}

/// What was given as `ResourceId.N`, at least one.
pub fn required_keys(input: Input<'_>) -> Result<Vec<KeyRef>, Refusal> {
    each_once(input.required_list(&RESOURCE_ID)?)
}

/// What was given as `Tag.N.Key` and `Tag.N.Value`, if anything.
pub fn tags(input: Input<'_>) -> Result<Tags, Refusal> {
    tags_of(input.pairs(&TAG)?)
}

/// What was given as `Tag.N.Key` and `Tag.N.Value`, at least one.
pub fn required_tags(input: Input<'_>) -> Result<Tags, Refusal> {
    tags_of(input.required_pairs(&TAG)?)
}

fn each_once(given: Vec<KeyRef>) -> Result<Vec<KeyRef>, Refusal> {
    let mut keys = Vec::new();
    for key in given {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    if keys.len() > limits::TAG_RESOURCES_MAX { Err(Refusal::ParameterInvalid("ResourceId")) } else { Ok(keys) }
}

fn tags_of(pairs: Vec<(String, String)>) -> Result<Tags, Refusal> {
    let invalid = Refusal::ParameterInvalid("Tag");
    let mut tags = Tags::new();
    for (key, value) in pairs {
        if !valid_tag(&key, &value) || tags.insert(key, value).is_some() {
            return Err(invalid);
        }
    }
    if tags.len() > limits::TAGS_MAX { Err(Refusal::LimitExceeded) } else { Ok(tags) }
}

answer! {
    /// A tag of a key, in the newer generation of actions.
    pub struct TagResourceRow as "TagResource" {
        /// ID of the key.
        resource_id: KeyId => "ResourceId",
        /// Always key.
        resource_type: &'static str => "ResourceType",
        /// Key of the tag.
        tag_key: String => "TagKey",
        /// Value of the tag.
        tag_value: String => "TagValue",
    }
}
