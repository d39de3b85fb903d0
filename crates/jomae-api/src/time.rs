//! Moments, as the wire writes them.

use std::cell::RefCell;

use serde::{Serialize, Serializer};

/// A moment in whole seconds since 1970-01-01T00:00:00Z. On the wire `YYYY-MM-DDThh:mm:ssZ`, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(1_628_155_292).to_string(), "2021-08-05T09:21:32Z");
        assert_eq!(Timestamp(i64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }
}
