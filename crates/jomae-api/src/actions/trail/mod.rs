//! The audit trail: looking up what was recorded.

pub mod lookup_events;

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_crypto::{hash::sha256, purpose::Purpose};

use crate::time::Timestamp;

/// Where a look-up goes on (`NextToken`): opaque to callers, good for one look-up only. It is no secret and proves nothing: what a caller may see is decided anew for each event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Behind which event of each log the page begins.
    pub after: Positions,
    /// The range of the first page: one that was left to the defaults must not move from page to page.
    pub range: (Timestamp, Timestamp),
    /// Digest of the other parameters.
    pub fingerprint: [u8; Self::FINGERPRINT_BYTES],
}

/// The first byte of a token of one log without a name: a service that is alone.
const OF_ONE: u8 = 1;
/// The first byte of a token of logs that have names: those of a cluster.
const OF_NAMED: u8 = 2;

/// Numbers of the last events that were given, by the names of the logs; a log that is not there has given none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<String, u64>);

impl Positions {
    /// Longest name of a log, in bytes.
    pub const NAME_BYTES_MAX: usize = 63;
    /// Most logs.
    pub const LOGS_MAX: usize = 255;

    /// The number of the last event that a log has given.
    pub fn of(&self, log: &str) -> Option<u64> {
        self.0.get(log).copied()
    }

    /// A log without a name is alone.
    pub fn set(&mut self, log: &str, number: u64) {
        self.0.insert(log.to_owned(), number);
    }

    fn write(&self, out: &mut Vec<u8>) {
        for (name, number) in self.0.iter().take(Self::LOGS_MAX) {
            let Ok(bytes) = u8::try_from(name.len()) else { continue };
            out.push(bytes);
            out.extend(name.as_bytes());
            out.extend(number.to_be_bytes());
        }
    }

    /// What [`Positions::write`] has written: names in order, each once.
    fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut read = BTreeMap::new();
        while let Some((length, rest)) = bytes.split_first() {
            let (name, rest) = rest.split_at_checked(usize::from(*length))?;
            let (number, rest) = rest.split_first_chunk()?;
            let name = std::str::from_utf8(name).ok()?;
            let is_next = read.last_key_value().is_none_or(|(last, _): (&String, _)| last.as_str() < name);
            if !is_next || !(1..=Self::NAME_BYTES_MAX).contains(&name.len()) {
                return None;
            }
            read.insert(name.to_owned(), u64::from_be_bytes(*number));
            bytes = rest;
        }
        Some(Self(read))
    }
}

impl Token {
    /// Length of a fingerprint, in bytes: the first half of a SHA-256.
    pub const FINGERPRINT_BYTES: usize = 16;
    const OF_ONE_BYTES: usize = 1 + 3 * 8 + Self::FINGERPRINT_BYTES;
    const BYTES_MAX: usize = Self::OF_ONE_BYTES + Positions::LOGS_MAX * (1 + Positions::NAME_BYTES_MAX + 8);
    const CHARS_MAX: usize = (Self::BYTES_MAX * 4).div_ceil(3);

    /// A digest of texts, each told from the next by its length.
    pub fn fingerprint(parts: &[impl AsRef<str>]) -> [u8; Self::FINGERPRINT_BYTES] {
        let mut bytes = Vec::new();
        for part in parts {
            let part = part.as_ref().as_bytes();
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part);
        }
        let digest = sha256(&[Purpose::LookupEventsToken.label().as_bytes(), &bytes]);
        let mut fingerprint = [0; Self::FINGERPRINT_BYTES];
        fingerprint.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        fingerprint
    }

    /// The wire form.
    pub fn to_wire(&self) -> String {
        let mut bytes = Vec::with_capacity(Self::OF_ONE_BYTES);
        let of_one = self.after.of("");
        bytes.push(if of_one.is_some() { OF_ONE } else { OF_NAMED });
        bytes.extend(of_one.unwrap_or_default().to_be_bytes());
        bytes.extend(self.range.0.0.to_be_bytes());
        bytes.extend(self.range.1.0.to_be_bytes());
        bytes.extend(self.fingerprint);
        if of_one.is_none() {
            self.after.write(&mut bytes);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the wire form.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::CHARS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (after, rest) = rest.split_first_chunk()?;
        let (from, rest) = rest.split_first_chunk()?;
        let (to, rest) = rest.split_first_chunk()?;
        let range = (Timestamp(i64::from_be_bytes(*from)), Timestamp(i64::from_be_bytes(*to)));
        let (fingerprint, rest) = rest.split_first_chunk()?;
        let after = match (*version, u64::from_be_bytes(*after)) {
            (OF_ONE, after) if rest.is_empty() => Positions(BTreeMap::from([(String::new(), after)])),
            (OF_NAMED, 0) => Positions::read(rest)?,
            _ => return None,
        };
        // A moment that the calendar does not have cannot be written in the answer.
        let known = |moment: Timestamp| Timestamp::parse(&moment.to_string()) == Some(moment);
        (known(range.0) && known(range.1)).then_some(Self { after, range, fingerprint: *fingerprint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Token::fingerprint(&["ab", "c"]), Token::fingerprint(&["a", "bc"]));
        assert_ne!(Token::fingerprint(&["a"]), Token::fingerprint(&["a", ""]));
    }

    fn positions() -> impl Strategy<Value = Positions> {
        let named = proptest::collection::btree_map("[a-z0-9-]{1,63}", any::<u64>(), 0..8);
        prop_oneof![
            any::<u64>().prop_map(|after| Positions(BTreeMap::from([(String::new(), after)]))),
            named.prop_map(Positions),
        ]
    }

    proptest! {
        #[test]
        fn round_trip(after in positions(), from in 0..253_402_207_199i64, to in 0..253_402_207_199i64, fingerprint: [u8; 16]) {
            let token = Token { after, range: (Timestamp(from), Timestamp(to)), fingerprint };
            let text = token.to_wire();
            prop_assert_eq!(Token::parse(&text), Some(token));
            prop_assert_eq!(Token::parse(&text[1..]), None);
            prop_assert_eq!(Token::parse(&format!("B{}", &text[1..])), None);
            prop_assert_eq!(Token::parse(&format!("{text}AAAA")), None);
        }

        #[test]
        fn never_panics(text in "[A-Za-z0-9_-]{55}|A[gQ][A-Za-z0-9_-]{53,150}|.{0,60}") {
            if let Some(token) = Token::parse(&text) {
                prop_assert_eq!(token.to_wire(), text);
            }
        }
    }
}
