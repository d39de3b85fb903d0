//! Conditions: which operators and keys there are, and what their values must look like.

use ipnet::{IpNet, Ipv4Net};

use super::{Decimal, Pattern};
use crate::time::Timestamp;

/// One key under one operator: met if the request's value of the key compares with one of the values; with a negated
/// operator, with none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// How it compares.
    pub operator: &'static Operator,
    /// What of the request it compares.
    pub key: ConditionKey,
    /// Never empty.
    pub values: Values,
}

/// The values of a condition, as its operator reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Of string operators without patterns.
    Texts(Vec<Box<str>>),
    /// Of `StringLike`.
    Patterns(Vec<Pattern>),
    /// Each reads as a [`Decimal`].
    Numbers(Vec<Box<str>>),
    /// Of date operators, to the second.
    Dates(Vec<Timestamp>),
    /// `true` and `false`.
    Booleans(Vec<bool>),
    /// A lone address is a network of one. IPv6 networks within `::ffff:0:0/96` are the IPv4 networks that they mean.
    Networks(Vec<IpNet>),
}

/// A word of the language, such as `StringNotEquals`.
#[derive(Debug, PartialEq, Eq)]
pub struct Operator {
    /// As policies write it.
    pub name: &'static str,
    /// What its values are.
    pub class: Class,
    /// When a pair is met.
    pub test: Test,
    /// Met if no value passes the test (`StringNotEquals`).
    pub negated: bool,
}

/// What an operator compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Texts.
    String,
    /// Decimal numbers.
    Numeric,
    /// Moments.
    Date,
    /// `true` and `false`.
    Boolean,
    /// Addresses, with networks.
    Ip,
}

/// How an operator compares the request's value (left) with one of the policy (right).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// The same.
    Equals,
    /// Equal when both are in lower case, character by character.
    EqualsIgnoreCase,
    /// The policy's value is a [`Pattern`].
    Like,
    /// Left below right.
    Less,
    /// Left not above right.
    LessOrEqual,
    /// Left above right.
    Greater,
    /// Left not below right.
    GreaterOrEqual,
    /// The address is in the network.
    Within,
}

const fn operator(name: &'static str, class: Class, test: Test, negated: bool) -> Operator {
    Operator { name, class, test, negated }
}

impl Operator {
    /// Every operator. The prefixes `ForAnyValue:` and `ForAllValues:`, `Null` and `…IfExists` are not documented.
    pub const ALL: &'static [Self] = &[
        operator("StringEquals", Class::String, Test::Equals, false),
        operator("StringNotEquals", Class::String, Test::Equals, true),
        operator("StringEqualsIgnoreCase", Class::String, Test::EqualsIgnoreCase, false),
        operator("StringNotEqualsIgnoreCase", Class::String, Test::EqualsIgnoreCase, true),
        operator("StringLike", Class::String, Test::Like, false),
        operator("StringNotLike", Class::String, Test::Like, true),
        operator("NumericEquals", Class::Numeric, Test::Equals, false),
        operator("NumericNotEquals", Class::Numeric, Test::Equals, true),
        operator("NumericLessThan", Class::Numeric, Test::Less, false),
        operator("NumericLessThanEquals", Class::Numeric, Test::LessOrEqual, false),
        operator("NumericGreaterThan", Class::Numeric, Test::Greater, false),
        operator("NumericGreaterThanEquals", Class::Numeric, Test::GreaterOrEqual, false),
        operator("DateEquals", Class::Date, Test::Equals, false),
        operator("DateNotEquals", Class::Date, Test::Equals, true),
        operator("DateLessThan", Class::Date, Test::Less, false),
        operator("DateLessThanEquals", Class::Date, Test::LessOrEqual, false),
        operator("DateGreaterThan", Class::Date, Test::Greater, false),
        operator("DateGreaterThanEquals", Class::Date, Test::GreaterOrEqual, false),
        operator("Bool", Class::Boolean, Test::Equals, false),
        operator("IpAddress", Class::Ip, Test::Within, false),
        operator("NotIpAddress", Class::Ip, Test::Within, true),
    ];

    /// The operator of this name, written exactly so.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|operator| operator.name == name)
    }

    /// Whether the operator can compare the values of this key. Open keys hold texts, some of which are numbers.
    pub fn fits(&self, key: &ConditionKey) -> bool {
        let class = match key {
            ConditionKey::CurrentTime => Class::Date,
            ConditionKey::SecureTransport | ConditionKey::MfaPresent => Class::Boolean,
            ConditionKey::SourceIp => Class::Ip,
            ConditionKey::ResourceTag(_)
            | ConditionKey::KmsTag(_)
            | ConditionKey::RequestTag(_)
            | ConditionKey::EncryptionContext(_) => {
                return matches!(self.class, Class::String | Class::Numeric);
            }
            // What another service compares it with, that service knows.
            ConditionKey::Absent(_) => return true,
            ConditionKey::PrincipalArn
            | ConditionKey::EncryptionContextKeys
            | ConditionKey::ServiceName
            | ConditionKey::ExternalId
            | ConditionKey::OidcIssuer
            | ConditionKey::OidcAudience
            | ConditionKey::OidcSubject => Class::String,
        };
        self.class == class
    }

    /// Reads the values, or says what is wrong with one.
    pub(super) fn read(&self, values: &[String]) -> Result<Values, &'static str> {
        fn all<T>(
            values: &[String],
            read: impl Fn(&str) -> Option<T>,
            wrong: &'static str,
        ) -> Result<Vec<T>, &'static str> {
            values.iter().map(|value| read(value).ok_or(wrong)).collect()
        }
        Ok(match (self.class, self.test) {
            (Class::String, Test::Like) => Values::Patterns(values.iter().map(|value| Pattern::new(value)).collect()),
            (Class::String, _) => Values::Texts(values.iter().map(|value| value.as_str().into()).collect()),
            (Class::Numeric, _) => Values::Numbers(all(
                values,
                |value| Decimal::new(value).map(|_| value.into()),
                "a value is not a decimal number",
            )?),
            (Class::Date, _) => Values::Dates(all(
                values,
                date,
                "a value is not a moment in whole seconds such as 2030-01-31T08:00:00Z or 2030-01-31T16:00:00+08:00",
            )?),
            (Class::Boolean, _) => Values::Booleans(all(
                values,
                |value| match value {
                    "true" => Some(true),
                    "false" => Some(false),
                    _ => None,
                },
                "a value is neither true nor false",
            )?),
            (Class::Ip, _) => Values::Networks(all(
                values,
                network,
                "a value is neither an IP address nor a network such as 192.0.2.0/24",
            )?),
        })
    }
}

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConditionKey {
    /// `acs:CurrentTime`: the moment of the call.
    CurrentTime,
    /// `acs:SecureTransport`: whether it came over TLS.
    SecureTransport,
    /// `acs:SourceIp`: the address of the client.
    SourceIp,
    /// `acs:MFAPresent`: whether the caller proved more than a secret; absent for access keys.
    MfaPresent,
    /// `acs:PrincipalARN`: the full name of the caller.
    PrincipalArn,
    /// `acs:ResourceTag/<key>`: the tag of what is acted on.
    ResourceTag(Box<str>),
    /// `kms:tag/<key>`: the same.
    KmsTag(Box<str>),
    /// `acs:RequestTag/<key>`: the tag that the call sets.
    RequestTag(Box<str>),
    /// `kms:EncryptionContext/<key>`: the value in the encryption context. An extension.
    EncryptionContext(Box<str>),
    /// `kms:EncryptionContextKeys`: the keys of the encryption context, of which there may be several. An extension.
    EncryptionContextKeys,
    /// `ram:ServiceName`: the service that a service-linked role is for.
    ServiceName,
    /// `sts:ExternalId`: of AssumeRole.
    ExternalId,
    /// `oidc:iss`: who issued the token.
    OidcIssuer,
    /// `oidc:aud`: whom the token is for.
    OidcAudience,
    /// `oidc:sub`: whom the token is about.
    OidcSubject,
    /// A key of which no request here has a value: of another service, such as `oss:Prefix`, or one of `ABSENT_KEYS`.
    /// The name, in lower case up to a `/`.
    Absent(Box<str>),
}

/// Keys that every service of the public cloud may set (pages "Condition keys" of RAM and KMS), and that nothing sets
/// here: there are no virtual networks and no resource directory.
const ABSENT_KEYS: [&str; 4] = ["acs:SourceVpc", "acs:VpcSourceIp", "acs:PrincipalRDId", "acs:PrincipalRDPath"];
/// What the keys start with that mean something here: one that is not known is misspelt.
const OWN_KEYS: [&str; 7] = ["acs", "kms", "ram", "sts", "actiontrail", "oidc", "saml"];

/// The names without a part of the caller's.
const PLAIN_KEYS: [(&str, ConditionKey); 11] = [
    ("acs:CurrentTime", ConditionKey::CurrentTime),
    ("acs:SecureTransport", ConditionKey::SecureTransport),
    ("acs:SourceIp", ConditionKey::SourceIp),
    ("acs:MFAPresent", ConditionKey::MfaPresent),
    ("acs:PrincipalARN", ConditionKey::PrincipalArn),
    ("kms:EncryptionContextKeys", ConditionKey::EncryptionContextKeys),
    ("ram:ServiceName", ConditionKey::ServiceName),
    ("sts:ExternalId", ConditionKey::ExternalId),
    ("oidc:iss", ConditionKey::OidcIssuer),
    ("oidc:aud", ConditionKey::OidcAudience),
    ("oidc:sub", ConditionKey::OidcSubject),
];
const RESOURCE_TAG: &str = "acs:ResourceTag";
const KMS_TAG: &str = "kms:tag";
const REQUEST_TAG: &str = "acs:RequestTag";
const ENCRYPTION_CONTEXT: &str = "kms:EncryptionContext";

impl ConditionKey {
    /// Reads a name. ASCII case counts only behind a `/`, where the name is the caller's own.
    pub fn named(name: &str) -> Option<Self> {
        let (family, member) = name.split_once('/').map_or((name, None), |(family, member)| (family, Some(member)));
        if let Some(absent) = Self::absent(family, member) {
            return Some(absent);
        }
        let Some(member) = member else {
            return PLAIN_KEYS.into_iter().find_map(|(known, key)| known.eq_ignore_ascii_case(name).then_some(key));
        };
        if member.is_empty() {
            return None;
        }
        let is = |known: &str| known.eq_ignore_ascii_case(family);
        let member: Box<str> = member.into();
        if is(RESOURCE_TAG) {
            Some(Self::ResourceTag(member))
        } else if is(KMS_TAG) {
            Some(Self::KmsTag(member))
        } else if is(REQUEST_TAG) {
            Some(Self::RequestTag(member))
        } else if is(ENCRYPTION_CONTEXT) {
            Some(Self::EncryptionContext(member))
        } else {
            None
        }
    }

    /// A key that nothing sets here.
    fn absent(family: &str, member: Option<&str>) -> Option<Self> {
        if ABSENT_KEYS.iter().any(|known| known.eq_ignore_ascii_case(family)) {
            return member.is_none().then(|| Self::Absent(family.to_ascii_lowercase().into()));
        }
        let (service, name) = family.split_once(':')?;
        let is_word = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let is_own = OWN_KEYS.iter().any(|own| own.eq_ignore_ascii_case(service));
        if is_own || !is_word(service) || !is_word(name) || member.is_some_and(str::is_empty) {
            return None;
        }
        let family = family.to_ascii_lowercase();
        Some(Self::Absent(member.map_or(family.clone(), |member| format!("{family}/{member}")).into()))
    }

    /// Whether no request here has a value of the key.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent(_))
    }

    /// The name without what stands behind a `/`.
    pub fn family(&self) -> &str {
        match self {
            Self::ResourceTag(_) => RESOURCE_TAG,
            Self::KmsTag(_) => KMS_TAG,
            Self::RequestTag(_) => REQUEST_TAG,
            Self::EncryptionContext(_) => ENCRYPTION_CONTEXT,
            Self::CurrentTime => "acs:CurrentTime",
            Self::SecureTransport => "acs:SecureTransport",
            Self::SourceIp => "acs:SourceIp",
            Self::MfaPresent => "acs:MFAPresent",
            Self::PrincipalArn => "acs:PrincipalARN",
            Self::EncryptionContextKeys => "kms:EncryptionContextKeys",
            Self::ServiceName => "ram:ServiceName",
            Self::ExternalId => "sts:ExternalId",
            Self::OidcIssuer => "oidc:iss",
            Self::OidcAudience => "oidc:aud",
            Self::OidcSubject => "oidc:sub",
            Self::Absent(name) => name.split('/').next().unwrap_or_default(),
        }
    }
}

impl std::fmt::Display for ConditionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.family())?;
        match self {
            Self::Absent(name) => f.write_str(name.get(self.family().len()..).unwrap_or_default()),
            Self::ResourceTag(member)
            | Self::KmsTag(member)
            | Self::RequestTag(member)
            | Self::EncryptionContext(member) => write!(f, "/{member}"),
            _ => Ok(()),
        }
    }
}

/// A moment such as `2030-01-31T16:00:00+08:00`. The calendar library alone would also take fractions, names of time
/// zones, leap seconds and other forms.
fn date(text: &str) -> Option<Timestamp> {
    let has_shape = |text: &str, shape: &str| {
        let fits = |(found, wanted): (u8, u8)| if wanted == b'0' { found.is_ascii_digit() } else { found == wanted };
        text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
    };
    let (local, offset) = text.split_at_checked(19)?;
    let known = has_shape(local, "0000-00-00T00:00:00")
        && !local.ends_with("60")
        && ["Z", "+00:00", "-00:00"].into_iter().any(|shape| has_shape(offset, shape));
    let moment: jiff::Timestamp = if known { text.parse().ok()? } else { return None };
    Some(Timestamp(moment.as_second()))
}

/// An address or a network; an IPv4 one that is written as IPv6 is the IPv4 one.
fn network(text: &str) -> Option<IpNet> {
    let network: IpNet =
        text.parse().or_else(|_| text.parse().map(|address: core::net::IpAddr| address.into())).ok()?;
    if let IpNet::V6(mapped) = network
        && let Some(address) = mapped.addr().to_ipv4_mapped()
        && let Some(prefix) = mapped.prefix_len().checked_sub(96)
    {
        return Ipv4Net::new(address, prefix).ok().map(IpNet::V4);
    }
    Some(network)
}
