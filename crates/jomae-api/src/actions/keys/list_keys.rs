//! `ListKeys`: the keys of the account in the region.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::actions::{
    metadata::{DateOrEmpty, KeyState},
    params::{PAGE_NUMBER, PAGE_SIZE, Page},
    prelude::*,
};
use crate::param::parse_bool;

request! {
    pub struct ListKeys {
        page: Page = optional PAGE_NUMBER and optional PAGE_SIZE => Page::parse,
        filters: Vec<Filter> = optional FILTERS or Vec::default(),
        text: Option<String> = optional TEXT,
        details: bool = optional DETAILS or bool::default(),
    }
}

/// One condition; a key must meet one of its values. Different properties must all be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What is compared.
    pub property: Property,
    /// Matched exactly. Entries of the same property are merged.
    pub values: Vec<String>,
}

/// What a filter looks at. The names are the wire's, `keyId` with its small letter too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Property {
    /// [`KeyState`], by its wire name.
    KeyState,
    /// [`KeySpec`], by its wire name.
    KeySpec,
    /// [`KeyUsage`](crate::spec::KeyUsage), by its wire name.
    KeyUsage,
    /// `SOFTWARE` of every key.
    ProtectionLevel,
    /// `User` of every key.
    CreatorType,
    /// The dedicated instance; no key has one here.
    #[serde(rename = "DKMSInstanceId")]
    DkmsInstanceId,
    /// The ID of the key.
    #[serde(rename = "keyId", alias = "KeyId")]
    KeyId,
    /// An alias of the key, with `alias/`.
    AliasName,
    /// The account that made the key.
    Creator,
    /// The key of one of its tags.
    TagKey,
    /// The value of one of its tags.
    TagValue,
    /// Extension: a moment before which it was last used or, if it never was, made. Where the caller may not describe a
    /// key, the key is left out.
    LastUsedBefore,
}

answer! {
    pub struct Output {
        /// The page.
        keys: List<KeyRow> => "Keys",
        /// Rows of all pages.
        total_count: u64 => "TotalCount",
        /// As in the request.
        page_number: u32 => "PageNumber",
        /// As in the request.
        page_size: u32 => "PageSize",
        /// With Details and Filters or Text: how many of the keys that they leave are in each state.
        state_counts: Option<BTreeMap<String, u64>> => extension "StateCounts",
    }

    pub struct KeyRow as "Key" {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// Full name of the key.
        key_arn: String => "KeyArn",
        /// With Details, where the caller has kms:DescribeKey on the key, as the following members.
        description: Option<String> => extension "Description",
        /// Where it stands in its life.
        key_state: Option<KeyState> => extension "KeyState",
        /// What kind of key it is.
        key_spec: Option<KeySpec> => extension "KeySpec",
        /// When it was made.
        creation_date: Option<Timestamp> => extension "CreationDate",
        /// When the key will be destroyed.
        delete_date: Option<DateOrEmpty> => extension "DeleteDate",
        /// Last use, a few seconds late; absent if it was not used yet.
        last_used: Option<Timestamp> => extension "LastUsed",
        /// With Details, where the caller has kms:ListAliasesByKeyId on the key: its first aliases by name.
        alias_names: Option<Box<[String]>> => extension "AliasNames",
    }
}

param! {
    /// Which keys. Values are ORed and matched exactly, different Keys are ANDed; an entry without values matches
    /// all.
    FILTERS: Vec<Filter> = Json "Filters",
        text!(
            "[{\"Key\":…,\"Values\":[…]}], at most " {limits::FILTERS_MAX} " entries of at most "
            {limits::FILTER_VALUES_MAX}
            " values; Key is KeyState, KeySpec, KeyUsage, ProtectionLevel, CreatorType, DKMSInstanceId, "
            "keyId, AliasName, Creator, TagKey, TagValue or, extension, LastUsedBefore (a UTC time)"
        ),
        public => parse_filters;
}

param! {
    /// Only keys with this text in their ID, description, tags or an alias, in letters of either case. What the caller
    /// may not read with kms:DescribeKey, kms:ListResourceTags or kms:ListAliasesByKeyId is not looked at.
    TEXT: String = Text "Text", text!([limits::SEARCH_TEXT_CHARS] " characters"), extension => |text| {
        let fits = limits::SEARCH_TEXT_CHARS.contains(&text.chars().count());
        if fits { Ok(text.to_owned()) } else { Err(Invalid::Value) }
    };
}

param! {
    /// With true each row tells as much of its key as the caller may read.
    DETAILS: bool = Boolean "Details", "true or false (default)", public, extension => parse_bool;
}

fn parse_filters(text: &str) -> Result<Vec<Filter>, Invalid> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase", deny_unknown_fields)]
    struct Entry {
        key: Property,
        #[serde(default)]
        values: Vec<String>,
    }
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|_| Invalid::Value)?;
    if entries.len() > limits::FILTERS_MAX || entries.iter().any(|e| e.values.len() > limits::FILTER_VALUES_MAX) {
        return Err(Invalid::Value);
    }
    let mut filters: Vec<Filter> = Vec::new();
    for entry in entries.into_iter().filter(|entry| !entry.values.is_empty()) {
        match filters.iter_mut().find(|filter| filter.property == entry.key) {
            Some(filter) => filter.values.extend(entry.values),
            None => filters.push(Filter { property: entry.key, values: entry.values }),
        }
    }
    Ok(filters)
}

impl Action for ListKeys {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListKeys",
        doc: "Lists keys, oldest first. TotalCount counts what the filters leave. A page past the end is empty.",
        example: &[("PageSize", "100"), ("Filters", "[{\"Key\":\"KeyState\",\"Values\":[\"Enabled\"]}]")],
        ..ActionSpec::read(Group::Keys)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        let filters = parse_filters(
            r#"[{"Key":"KeyState","Values":["Enabled"]},{"Key":"KeyState","Values":["Disabled"]},{"Key":"KeySpec"}]"#,
        )
        .unwrap();
        assert_eq!(
            filters,
            [Filter { property: Property::KeyState, values: vec!["Enabled".into(), "Disabled".into()] }]
        );
        for bad in ["{}", r#"[{"Key":"Nothing","Values":[]}]"#, r#"[{"Values":[]}]"#, "[1]"] {
            assert!(parse_filters(bad).is_err(), "{bad}");
        }
        let many = format!("[{}]", [r#"{"Key":"KeySpec","Values":["x"]}"#; 11].join(","));
        assert!(parse_filters(&many).is_err());
    }
}
