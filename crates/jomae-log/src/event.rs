//! The members of an event that the log reads: its time, its accounts, and the attributes for look-ups. Their names are
//! ActionTrail's. Everything else in a line is bytes.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use crate::Timestamp;

/// What of an event can be looked up; compared exactly. The names stand in the terms of stored index blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// `serviceName`.
    ServiceName,
    /// `eventName`.
    EventName,
    /// `userIdentity.userName`.
    User,
    /// `eventId`.
    EventId,
    /// A type of `referencedResources`.
    ResourceType,
    /// A name in `referencedResources`.
    ResourceName,
    /// `eventRW`.
    EventRW,
    /// `userIdentity.accessKeyId`.
    EventAccessKeyId,
    /// `sourceIpAddress`.
    SourceIpAddress,
    /// `eventType`.
    EventType,
    /// The role of an assumed role: its `userName` up to the colon.
    RoleName,
}

impl Attribute {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::RoleName as usize + 1;

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServiceName => "ServiceName",
            Self::EventName => "EventName",
            Self::User => "User",
            Self::EventId => "EventId",
            Self::ResourceType => "ResourceType",
            Self::ResourceName => "ResourceName",
            Self::EventRW => "EventRW",
            Self::EventAccessKeyId => "EventAccessKeyId",
            Self::SourceIpAddress => "SourceIpAddress",
            Self::EventType => "EventType",
            Self::RoleName => "RoleName",
        }
    }
}

/// What an event is found by, told by whoever wrote its line, so that nobody has to read it again.
#[derive(Clone, Copy, Debug)]
pub struct FoundBy<'a> {
    /// Its `eventTime`.
    pub time: Timestamp,
    /// All values that the line has: first the accounts, each once. A value that is not in the line as it is, since JSON
    /// escapes it, cannot be told like this; then the whole event is left to be read.
    pub values: &'a [Value],
}

/// Where in the line of an event one of its values stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// What it is the value of.
    pub member: Member,
    /// Offset of its first byte in the line.
    pub start: u32,
    /// Length, in bytes.
    pub bytes: u32,
}

/// What of an event has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// An account that sees the event: the caller's, the owner's or the recipient's.
    Account,
    /// Something that it is looked up by.
    Attribute(Attribute),
}

/// An event as it is found: its accounts and its attributes.
pub(crate) trait Findable {
    /// The accounts that see the event, each once.
    fn accounts(&self) -> impl Iterator<Item = &[u8]>;
    /// Every attribute that the event has, with its value; some more than once.
    fn attributes(&self) -> impl Iterator<Item = (Attribute, &[u8])>;
}

/// The line of an event and what it is said to be found by.
pub(crate) struct Told<'a> {
    pub line: &'a [u8],
    pub values: &'a [Value],
}

impl Told<'_> {
    fn of(&self, value: &Value) -> &[u8] {
        let start = value.start as usize;
        self.line.get(start..start.saturating_add(value.bytes as usize)).unwrap_or_default()
    }
}

impl Findable for Told<'_> {
    fn accounts(&self) -> impl Iterator<Item = &[u8]> {
        self.values.iter().filter(|value| value.member == Member::Account).map(|value| self.of(value))
    }

    fn attributes(&self) -> impl Iterator<Item = (Attribute, &[u8])> {
        self.values.iter().filter_map(|value| match value.member {
            Member::Attribute(attribute) => Some((attribute, self.of(value))),
            Member::Account => None,
        })
    }
}

/// The time of an event; `None` if its line has none. Reads nothing else, which is faster than all of it.
pub fn event_time(line: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Timed<'a> {
        #[serde(rename = "eventTime", borrow)]
        time: Cow<'a, str>,
    }
    Timestamp::parse(&serde_json::from_slice::<Timed<'_>>(line).ok()?.time)
}

/// The members that matter here. What is absent is empty, and empty values are never looked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are ActionTrail's")]
pub(crate) struct Event<'a> {
    #[serde(borrow, default)]
    pub(crate) event_id: Cow<'a, str>,
    #[serde(borrow, default)]
    event_name: Cow<'a, str>,
    #[serde(borrow, default)]
    event_type: Cow<'a, str>,
    #[serde(borrow, default, rename = "eventRW")]
    event_rw: Cow<'a, str>,
    #[serde(borrow)]
    event_time: Cow<'a, str>,
    #[serde(borrow, default)]
    service_name: Cow<'a, str>,
    #[serde(borrow, default)]
    source_ip_address: Cow<'a, str>,
    #[serde(borrow, default)]
    user_identity: Identity<'a>,
    #[serde(borrow, default)]
    referenced_resources: Resources<'a>,
    #[serde(borrow, default)]
    resource_owner_id: Cow<'a, str>,
    #[serde(borrow, default)]
    recipient_account_id: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    account_id: Cow<'a, str>,
    #[serde(borrow, default)]
    user_name: Cow<'a, str>,
    #[serde(borrow, default)]
    access_key_id: Cow<'a, str>,
}

/// Types and names, without a map around them.
#[derive(Default)]
struct Resources<'a>(Vec<(Attribute, Text<'a>)>);

/// Borrowed even inside of lists and maps.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Resources<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Types<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Types<'a> {
            type Value = Resources<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("lists of names by type")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut types: A) -> Result<Resources<'a>, A::Error> {
                let mut all = Vec::new();
                while let Some((r#type, names)) = types.next_entry::<Text<'a>, Vec<Text<'a>>>()? {
                    all.push((Attribute::ResourceType, r#type));
                    all.extend(names.into_iter().map(|name| (Attribute::ResourceName, name)));
                }
                Ok(Resources(all))
            }
        }
        deserializer.deserialize_map(Types(PhantomData))
    }
}

impl<'a> Event<'a> {
    /// `None` if the line is no event with a time: it can be looked up by nothing.
    pub(crate) fn parse(line: &'a [u8]) -> Option<(Self, Timestamp)> {
        let event: Self = serde_json::from_slice(line).ok()?;
        let time = Timestamp::parse(&event.event_time)?;
        Some((event, time))
    }
}

impl Findable for Event<'_> {
    fn accounts(&self) -> impl Iterator<Item = &[u8]> {
        let [of_caller, owner, recipient] =
            [&*self.user_identity.account_id, &*self.resource_owner_id, &*self.recipient_account_id].map(str::as_bytes);
        let owner = Some(owner).filter(|owner| *owner != of_caller);
        let recipient = Some(recipient).filter(|recipient| *recipient != of_caller && Some(*recipient) != owner);
        [Some(of_caller), owner, recipient].into_iter().flatten().filter(|account| !account.is_empty())
    }

    fn attributes(&self) -> impl Iterator<Item = (Attribute, &[u8])> {
        let identity = &self.user_identity;
        let role = identity.user_name.split_once(':').filter(|_| identity.r#type == "assumed-role");
        let single = [
            (Attribute::ServiceName, &*self.service_name),
            (Attribute::EventName, &*self.event_name),
            (Attribute::User, &*identity.user_name),
            (Attribute::EventId, &*self.event_id),
            (Attribute::EventRW, &*self.event_rw),
            (Attribute::EventAccessKeyId, &*identity.access_key_id),
            (Attribute::SourceIpAddress, &*self.source_ip_address),
            (Attribute::EventType, &*self.event_type),
            (Attribute::RoleName, role.map_or("", |(role, _)| role)),
        ];
        let resources = self.referenced_resources.0.iter().map(|(attribute, text)| (*attribute, &*text.0));
        let all = single.into_iter().chain(resources).filter(|(_, value)| !value.is_empty());
        all.map(|(attribute, value)| (attribute, value.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(line: &str) -> Vec<(Attribute, String)> {
        let (event, _) = Event::parse(line.as_bytes()).unwrap();
        event.attributes().map(|(attribute, value)| (attribute, String::from_utf8_lossy(value).into_owned())).collect()
    }

    #[test]
    fn attributes_of_an_event() {
        let line = r#"{"eventId":"e","eventVersion":1,"eventName":"Decrypt","eventType":"ApiCall","eventRW":"Read",
            "eventTime":"2026-01-01T00:00:00Z","serviceName":"Kms","sourceIpAddress":"::1","requestParameters":{"a":[1]},
            "userIdentity":{"type":"assumed-role","accountId":"1","principalId":"p","userName":"ops:ali\u0063e","accessKeyId":"STS.x"},
            "referencedResources":{"ACS::KMS::Key":["k1","k2"],"ACS::KMS::Alias":["alias/a"]}}"#;
        let expected = [
            (Attribute::ServiceName, "Kms"),
            (Attribute::EventName, "Decrypt"),
            (Attribute::User, "ops:alice"),
            (Attribute::EventId, "e"),
            (Attribute::EventRW, "Read"),
            (Attribute::EventAccessKeyId, "STS.x"),
            (Attribute::SourceIpAddress, "::1"),
            (Attribute::EventType, "ApiCall"),
            (Attribute::RoleName, "ops"),
            (Attribute::ResourceType, "ACS::KMS::Key"),
            (Attribute::ResourceName, "k1"),
            (Attribute::ResourceName, "k2"),
            (Attribute::ResourceType, "ACS::KMS::Alias"),
            (Attribute::ResourceName, "alias/a"),
        ];
        assert_eq!(pairs(line), expected.map(|(attribute, value)| (attribute, value.to_owned())));
        // A user is in no role, whatever the name.
        let user = line.replace("assumed-role", "ram-user");
        assert!(pairs(&user).iter().all(|(attribute, _)| *attribute != Attribute::RoleName));
        for bad in ["", "{}", "[]", r#"{"eventTime":"yesterday"}"#, r#"{"eventTime":"2026-01-01T00:00:00Z""#] {
            assert!(Event::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn accounts_once_each() {
        let of = |caller: &str, owner: &str, recipient: &str| {
            let line = format!(
                r#"{{"eventTime":"2026-01-01T00:00:00Z","userIdentity":{{"accountId":"{caller}"}},
                "resourceOwnerId":"{owner}","recipientAccountId":"{recipient}"}}"#
            );
            let (event, _) = Event::parse(line.as_bytes()).unwrap();
            event.accounts().map(|account| String::from_utf8_lossy(account).into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("1", "1", "1"), "1");
        assert_eq!(of("1", "2", "2"), "1 2");
        assert_eq!(of("1", "2", "3"), "1 2 3");
        assert_eq!(of("", "2", ""), "2");
        assert_eq!(of("", "", ""), "");
    }

    #[test]
    fn the_moment_of_an_event() {
        assert_eq!(event_time(br#"{"a":[1],"eventTime":"1970-01-02T00:00:00Z"}"#), Some(Timestamp(86_400)));
        assert_eq!(event_time(br#"{"eventTime":7}"#), None);
        assert_eq!(event_time(b"{"), None);
    }
}
