//! The audit trail: looking up what was recorded.

pub mod lookup_events;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_crypto::{hash::sha256, purpose::Purpose};

use crate::time::Timestamp;

/// Where a look-up goes on (`NextToken`): opaque to callers, good for one look-up only. It is no secret and proves nothing: what a caller may see is decided anew for each event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Number of the last event of the page before.
    pub after: u64,
    /// The range of the first page: one that was left to the defaults must not move from page to page.
    pub range: (Timestamp, Timestamp),
    /// Digest of the other parameters.
    pub fingerprint: [u8; Self::FINGERPRINT_BYTES],
}

/// The first byte of every token.
const VERSION: u8 = 1;

impl Token {
    /// Length of a fingerprint, in bytes: the first half of a SHA-256.
    pub const FINGERPRINT_BYTES: usize = 16;
    const BYTES: usize = 1 + 3 * 8 + Self::FINGERPRINT_BYTES;
    const CHARS: usize = (Self::BYTES * 4).div_ceil(3);

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
        let mut bytes = Vec::with_capacity(Self::BYTES);
        bytes.push(VERSION);
        bytes.extend(self.after.to_be_bytes());
        bytes.extend(self.range.0.0.to_be_bytes());
        bytes.extend(self.range.1.0.to_be_bytes());
        bytes.extend(self.fingerprint);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the wire form.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != Self::CHARS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (after, rest) = rest.split_first_chunk()?;
        let (from, rest) = rest.split_first_chunk()?;
        let (to, rest) = rest.split_first_chunk()?;
        let range = (Timestamp(i64::from_be_bytes(*from)), Timestamp(i64::from_be_bytes(*to)));
        let fingerprint = rest.try_into().ok()?;
        // A moment that the calendar does not have cannot be written in the answer.
        let known = |moment: Timestamp| Timestamp::parse(&moment.to_string()) == Some(moment);
        (*version == VERSION && known(range.0) && known(range.1)).then_some(Self {
            after: u64::from_be_bytes(*after),
            range,
            fingerprint,
        })
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

    proptest! {
        #[test]
        fn round_trip(after: u64, from in 0..253_402_207_199i64, to in 0..253_402_207_199i64, fingerprint: [u8; 16]) {
            let token = Token { after, range: (Timestamp(from), Timestamp(to)), fingerprint };
            let text = token.to_wire();
            prop_assert_eq!(Token::parse(&text), Some(token));
            prop_assert_eq!(Token::parse(&text[1..]), None);
            prop_assert_eq!(Token::parse(&format!("B{}", &text[1..])), None);
        }

        #[test]
        fn never_panics(text in "[A-Za-z0-9_-]{55}|.{0,60}") {
            if let Some(token) = Token::parse(&text) {
                prop_assert_eq!(token.to_wire(), text);
            }
        }
    }
}
