//! What of an event can be looked up.

use std::{borrow::Cow, fmt, hash::Hasher as _, marker::PhantomData};

use jomae_api::{actions::trail::lookup_events::Attribute, time::Timestamp};
use jomae_core::audit::lookup::Query;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use siphasher::sip::SipHasher13;

/// The members of an event that matter here. What is absent is empty, and empty values are never looked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are ActionTrail's")]
pub(super) struct Event<'a> {
    #[serde(borrow, default)]
    event_id: Cow<'a, str>,
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
    pub(super) fn parse(line: &'a [u8]) -> Option<(Self, Timestamp)> {
        let event: Self = serde_json::from_slice(line).ok()?;
        let time = Timestamp::parse(&event.event_time)?;
        Some((event, time))
    }

    /// The accounts that see the event, each once.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &str> {
        let [of_caller, owner, recipient] =
            [&*self.user_identity.account_id, &*self.resource_owner_id, &*self.recipient_account_id];
        let owner = Some(owner).filter(|owner| *owner != of_caller);
        let recipient = Some(recipient).filter(|recipient| *recipient != of_caller && Some(*recipient) != owner);
        [Some(of_caller), owner, recipient].into_iter().flatten().filter(|account| !account.is_empty())
    }

    /// Every attribute that the event has, with its value; some more than once.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (Attribute, &str)> {
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
        single.into_iter().chain(resources).filter(|(_, value)| !value.is_empty())
    }
}

/// Whether a line is one of the events that are asked for.
pub(super) fn matches(line: &[u8], query: &Query) -> bool {
    let Some((event, time)) = Event::parse(line) else { return false };
    let has = |(attribute, value): &(Attribute, String)| {
        event.attributes().any(|(has, text)| has == *attribute && text == value)
    };
    (query.from..=query.to).contains(&time)
        && event.accounts().any(|account| account == query.account.as_str())
        && query.attributes.iter().all(has)
}

/// What makes the hashes of one block, so that nobody outside can choose values that meet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct HashKey(pub(super) [u8; 16]);

impl HashKey {
    /// The word under which the events of an account with this value stand; `None`: all its events.
    pub(super) fn term(&self, account: &str, attribute: Option<(Attribute, &str)>) -> u64 {
        // No byte of UTF-8 is 0xff.
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(account.as_bytes());
        if let Some((attribute, value)) = attribute {
            hasher.write(&[0xff]);
            hasher.write(attribute.as_str().as_bytes());
            hasher.write(&[0xff]);
            hasher.write(value.as_bytes());
        }
        hasher.finish()
    }

    /// The words of all that a query asks for.
    pub(super) fn terms_of(&self, query: &Query) -> Vec<u64> {
        let account = query.account.as_str();
        if query.attributes.is_empty() {
            return vec![self.term(account, None)];
        }
        query.attributes.iter().map(|(attribute, value)| self.term(account, Some((*attribute, value)))).collect()
    }

    /// A sum that tells damaged bytes, and bytes from elsewhere in a file.
    pub(super) fn sum(&self, offset: u64, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(&offset.to_le_bytes());
        hasher.write(bytes);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(line: &str) -> Vec<(Attribute, String)> {
        let (event, _) = Event::parse(line.as_bytes()).unwrap();
        event.attributes().map(|(attribute, value)| (attribute, value.to_owned())).collect()
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
            event.accounts().map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("1", "1", "1"), "1");
        assert_eq!(of("1", "2", "2"), "1 2");
        assert_eq!(of("1", "2", "3"), "1 2 3");
        assert_eq!(of("", "2", ""), "2");
        assert_eq!(of("", "", ""), "");
    }

    #[test]
    fn terms_differ() {
        let key = HashKey([7; 16]);
        let terms = [
            key.term("1", None),
            key.term("2", None),
            key.term("1", Some((Attribute::User, "a"))),
            key.term("1", Some((Attribute::EventName, "a"))),
            key.term("1", Some((Attribute::User, "b"))),
            HashKey([8; 16]).term("1", None),
            key.sum(0, b"1"),
            key.sum(1, b"1"),
        ];
        let distinct: std::collections::BTreeSet<_> = terms.iter().collect();
        assert_eq!(distinct.len(), terms.len());
    }
}
