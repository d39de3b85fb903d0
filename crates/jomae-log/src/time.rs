//! Moments, as events, checkpoints and receipts write them.

use std::fmt;

/// A moment in whole seconds since 1970-01-01T00:00:00Z. As text `YYYY-MM-DDThh:mm:ssZ`, in UTC.
///
/// The same form as that of the service's API, read here a second time: a verifier needs nothing of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads `YYYY-MM-DDThh:mm:ssZ` and nothing else: the calendar library also takes offsets, fractions and leap
    /// seconds.
    pub fn parse(text: &str) -> Option<Self> {
        let shape = b"0000-00-00T00:00:00Z";
        let fits = |(byte, shape): (u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == *shape };
        // A second of 60 would be read as one of 59.
        if text.len() != shape.len() || !text.bytes().zip(shape).all(fits) || text.get(17..19) == Some("60") {
            return None;
        }
        Some(Self(text.parse::<jiff::Timestamp>().ok()?.as_second()))
    }

    /// Whole days since 1970, in UTC.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(86_400)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => f.write_str("9999-12-31T23:59:59Z"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_the_log_is_read() {
        for secs in [0, 1_628_155_292, 253_402_207_199] {
            assert_eq!(Timestamp::parse(&Timestamp(secs).to_string()), Some(Timestamp(secs)));
        }
        assert_eq!(Timestamp(1_628_155_292).to_string(), "2021-08-05T09:21:32Z");
        for text in [
            "",
            "2021-08-05T09:21:60Z",
            "2021-08-05 09:21:32Z",
            "2021-02-29T09:21:32Z",
            "2021-13-01T00:00:00Z",
            "2021-12-01T24:00:00Z",
            "+021-08-05T09:21:32Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!((Timestamp(86_400).day(), Timestamp(-1).day()), (1, -1));
    }
}
