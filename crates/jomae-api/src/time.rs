//! Moments, as the wire writes them.

use std::cell::RefCell;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A moment in whole seconds since 1970-01-01T00:00:00Z. On the wire `YYYY-MM-DDThh:mm:ssZ`, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads `YYYY-MM-DDThh:mm:ssZ` and nothing else: the calendar library also takes offsets, fractions and leap
    /// seconds.
    pub fn parse(text: &str) -> Option<Self> {
        let shape = b"0000-00-00T00:00:00Z";
        let fits = |(byte, shape): (u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == *shape };
        if text.len() != shape.len() || !text.bytes().zip(shape).all(fits) {
            return None;
        }
        let two = |at: usize| text.get(at..at + 2)?.parse::<i8>().ok();
        let year = text.get(..4)?.parse().ok()?;
        let civil = jiff::civil::DateTime::new(year, two(5)?, two(8)?, two(11)?, two(14)?, two(17)?, 0).ok()?;
        Some(Self(jiff::tz::Offset::UTC.to_timestamp(civil).ok()?.as_second()))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => f.write_str("9999-12-31T23:59:59Z"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        thread_local! {
            // Many values a second, one second a value.
            static PRINTED: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
        }
        PRINTED.with_borrow_mut(|(secs, text)| {
            if *secs != self.0 {
                *secs = self.0;
                *text = self.to_string();
            }
            serializer.serialize_str(text)
        })
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("no moment"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(1_628_155_292).to_string(), "2021-08-05T09:21:32Z");
        assert_eq!(Timestamp(i64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn only_the_wire_form_is_read() {
        for secs in [0, 1_628_155_292, 253_402_207_199] {
            assert_eq!(Timestamp::parse(&Timestamp(secs).to_string()), Some(Timestamp(secs)));
        }
        for text in ["", "2021-08-05T09:21:60Z", "2021-08-05 09:21:32Z", "2021-02-29T09:21:32Z", "+021-08-05T09:21:32Z"]
        {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
