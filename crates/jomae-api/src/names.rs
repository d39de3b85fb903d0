//! Names of things: keys, versions, aliases, accounts, regions, and the resource names (ARN) made of them.

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};

// A name that is copied with every call stands in an `ArrayString`, which needs no memory of its own.
macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident: $text:ty, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name($text);

        impl $name {
            /// `None` if the text is not of this name's form.
            pub fn new(text: &str) -> Option<Self> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { <$text>::try_from(text).ok().map(Self) } else { None }
            }

            /// As it was read, and as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_name!(
    /// A role of RAM: 1–64 letters, digits, `.` and `-`.
    RoleName: Box<str>,
    |text| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
);

/// A role by its full name, in any account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRef {
    /// Whose role it is.
    pub account: AccountId,
    /// Within the account.
    pub name: RoleName,
}

impl RoleRef {
    /// Reads `acs:ram::<account>:role/<name>`.
    pub fn from_wire(text: &str) -> Option<Self> {
        let (account, name) = text.strip_prefix("acs:ram::")?.split_once(":role/")?;
        Some(Self { account: AccountId::new(account)?, name: RoleName::new(name)? })
    }

    /// `acs:ram::<account>:role/<name>`.
    pub fn arn(&self) -> String {
        format!("acs:ram::{}:role/{}", self.account, self.name)
    }
}

fn plain_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

text_name!(
    /// A key: 1–64 letters, digits and hyphens; the keys that we make have a lower-case UUID.
    KeyId: Box<str>,
    plain_id
);
text_name!(
    /// One version of a key, in the form of a [`KeyId`].
    KeyVersionId: Box<str>,
    plain_id
);
text_name!(
    /// An account (tenant): 16 digits.
    AccountId: ArrayString<16>,
    |text| text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit())
);
text_name!(
    /// A region such as `cn-hangzhou`: 2–32 lower-case letters, digits and hyphens.
    RegionId: ArrayString<32>,
    |text| {
        (2..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
    }
);
text_name!(
    /// An alias without its prefix `alias/`: 1–255 letters, digits, `_`, `-` and `/`.
    AliasName: Box<str>,
    |text| {
        crate::limits::ALIAS_CHARS.contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'/'))
    }
);

/// What a text with the prefix of an alias starts with.
pub const ALIAS_PREFIX: &str = "alias/";

impl AliasName {
    /// Reads the wire form, `alias/<name>`.
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::new(text.strip_prefix(ALIAS_PREFIX)?)
    }

    /// Whether a text names an alias as a key is named: `alias/…`, or a full name `acs:kms:<region>:<account>:alias/…`.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(ALIAS_PREFIX) || matches!(KeyRef::from_wire(text), Some(KeyRef::AliasArn { .. }))
    }

    /// Whether the name is kept for the service itself (`alias/acs…`).
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("acs")
    }

    /// The wire form, `alias/<name>`.
    pub fn to_wire(&self) -> String {
        format!("{ALIAS_PREFIX}{}", self.0)
    }
}

/// The ways in which a caller may name a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRef {
    /// A key of the caller's account in the region that was asked.
    Id(KeyId),
    /// An alias, likewise.
    Alias(AliasName),
    /// A full key name; account and region may be others than the caller's.
    Arn {
        /// Where the key is.
        region: RegionId,
        /// Whose key it is.
        account: AccountId,
        /// Within the account and region.
        id: KeyId,
    },
    /// A full alias name, likewise.
    AliasArn {
        /// Where the alias is.
        region: RegionId,
        /// Whose alias it is.
        account: AccountId,
        /// Within the account and region.
        name: AliasName,
    },
}

impl KeyRef {
    /// Reads a key ID, `alias/<name>`, `acs:kms:<region>:<account>:key/<key-id>`, or
    /// `acs:kms:<region>:<account>:alias/<name>`.
    pub fn from_wire(text: &str) -> Option<Self> {
        if text.starts_with(ALIAS_PREFIX) {
            return AliasName::from_wire(text).map(Self::Alias);
        }
        if let Some(rest) = text.strip_prefix("acs:kms:") {
            let mut parts = rest.splitn(3, ':');
            let region = RegionId::new(parts.next()?)?;
            let account = AccountId::new(parts.next()?)?;
            let what = parts.next()?;
            if let Some(name) = AliasName::from_wire(what) {
                return Some(Self::AliasArn { region, account, name });
            }
            let id = KeyId::new(what.strip_prefix("key/")?)?;
            return Some(Self::Arn { region, account, id });
        }
        KeyId::new(text).map(Self::Id)
    }
}

/// Where a key lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyPlace {
    /// Whose key it is.
    pub account: AccountId,
    /// Where it is.
    pub region: RegionId,
    /// Within the account and region.
    pub id: KeyId,
}

impl KeyPlace {
    /// `acs:kms:<region>:<account>:key/<key-id>`.
    pub fn arn(&self) -> String {
        key_arn(&self.region, &self.account, &self.id)
    }
}

/// `acs:kms:<region>:<account>:key/<key-id>`.
pub fn key_arn(region: &RegionId, account: &AccountId, id: &KeyId) -> String {
    format!("acs:kms:{region}:{account}:key/{id}")
}

/// `acs:kms:<region>:<account>:alias/<name>`.
pub fn alias_arn(region: &RegionId, account: &AccountId, name: &AliasName) -> String {
    format!("acs:kms:{region}:{account}:alias/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn key_forms() {
        assert_eq!(KeyRef::from_wire("abc-1"), KeyId::new("abc-1").map(KeyRef::Id));
        assert_eq!(KeyRef::from_wire("alias/x/y"), AliasName::new("x/y").map(KeyRef::Alias));
        assert!(matches!(KeyRef::from_wire("acs:kms:cn-hangzhou:1234567890123456:key/abc"), Some(KeyRef::Arn { .. })));
        let alias = KeyRef::from_wire("acs:kms:cn-hangzhou:1234567890123456:alias/x/y");
        assert!(matches!(alias, Some(KeyRef::AliasArn { name, .. }) if name.as_str() == "x/y"));
        let of_alias = ["acs:kms:cn-hangzhou:12:alias/a", "acs:kms:cn-hangzhou:1234567890123456:alias/"];
        for bad in ["", "alias/", "alias/a b", "acs:kms:x", "acs:kms:cn-hangzhou:12:key/a", "a b", "a/b", "é"] {
            assert_eq!(KeyRef::from_wire(bad), None, "{bad}");
        }
        for bad in of_alias.into_iter().chain(["acs:kms:cn-hangzhou:1234567890123456:key/alias/a"]) {
            assert_eq!(KeyRef::from_wire(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn arn_round_trip(region in "[a-z][a-z0-9-]{1,31}", account in "[0-9]{16}", id in "[a-z0-9-]{1,64}") {
            let (region, account) = (RegionId::new(&region).unwrap(), AccountId::new(&account).unwrap());
            let (id, name) = (KeyId::new(&id).unwrap(), AliasName::new(&id).unwrap());
            let (arn, of_alias) = (key_arn(&region, &account, &id), alias_arn(&region, &account, &name));
            let alias = KeyRef::AliasArn { region: region.clone(), account: account.clone(), name };
            prop_assert_eq!(KeyRef::from_wire(&of_alias), Some(alias));
            prop_assert_eq!(KeyRef::from_wire(&arn), Some(KeyRef::Arn { region, account, id }));
        }

        #[test]
        fn never_panics(text in ".{0,300}") {
            let _ = KeyRef::from_wire(&text);
        }
    }
}
