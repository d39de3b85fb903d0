//! The keyed hashes by which a block finds events, and whether an event matches a query.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::Query;
use crate::event::{Attribute, Event, Findable as _};

/// Whether a line is one of the events that are asked for.
pub(super) fn matches(line: &[u8], query: &Query) -> bool {
    let Some((event, time)) = Event::parse(line) else { return false };
    let has = |(attribute, value): &(Attribute, String)| {
        event.attributes().any(|(has, text)| has == *attribute && text == value.as_bytes())
    };
    (query.from..=query.to).contains(&time)
        && event.accounts().any(|account| account == query.account.as_bytes())
        && query.attributes.iter().all(has)
}

/// The key of the hashes of one block, so that nobody outside can choose values that collide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct HashKey(pub(super) [u8; 16]);

impl HashKey {
    /// The term of an account's events with this value; with `None`, of all its events.
    pub(super) fn term(&self, account: &[u8], attribute: Option<(Attribute, &[u8])>) -> u64 {
        // No byte of UTF-8 is 0xff.
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(account);
        if let Some((attribute, value)) = attribute {
            hasher.write(&[0xff]);
            hasher.write(attribute.as_str().as_bytes());
            hasher.write(&[0xff]);
            hasher.write(value);
        }
        hasher.finish()
    }

    /// The terms that all events of a query have.
    pub(super) fn terms_of(&self, query: &Query) -> Vec<u64> {
        let account = query.account.as_bytes();
        if query.attributes.is_empty() {
            return vec![self.term(account, None)];
        }
        query
            .attributes
            .iter()
            .map(|(attribute, value)| self.term(account, Some((*attribute, value.as_bytes()))))
            .collect()
    }

    /// A checksum that also depends on the offset, so that moved bytes are noticed like damaged ones.
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

    #[test]
    fn terms_differ() {
        let key = HashKey([7; 16]);
        let terms = [
            key.term(b"1", None),
            key.term(b"2", None),
            key.term(b"1", Some((Attribute::User, b"a"))),
            key.term(b"1", Some((Attribute::EventName, b"a"))),
            key.term(b"1", Some((Attribute::User, b"b"))),
            HashKey([8; 16]).term(b"1", None),
            key.sum(0, b"1"),
            key.sum(1, b"1"),
        ];
        let distinct: std::collections::BTreeSet<_> = terms.iter().collect();
        assert_eq!(distinct.len(), terms.len());
    }
}
