//! `ListKeys`: the keys of the account in the region.

use serde::Deserialize;

use crate::actions::{
    params::{PAGE_NUMBER, PAGE_SIZE, Page},
    prelude::*,
};

request! {
    pub struct ListKeys {
        page: Page = optional PAGE_NUMBER and optional PAGE_SIZE => Page::parse,
        filters: Vec<Filter> = optional FILTERS or Vec::default(),
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
    /// [`KeyState`](crate::actions::metadata::KeyState), by its wire name.
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
    }

    pub struct KeyRow as "Key" {
        /// ID of the key, whatever form the request named it in.
        key_id: KeyId => "KeyId",
        /// Full name of the key.
        key_arn: String => "KeyArn",
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
            "keyId, AliasName, Creator, TagKey or TagValue"
        ),
        public => parse_filters;
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
