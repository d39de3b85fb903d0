//! Decimal numbers of any length, compared exactly: a binary fraction would hold different numbers for equal.

use std::cmp::Ordering;

/// `-`, digits, and `.` with digits; the sign and the fraction may be absent. Nothing else: no `+`, no exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal<'a> {
    negative: bool,
    /// Without leading zeros.
    whole: &'a str,
    /// Without trailing zeros.
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    /// `None`: no number.
    pub fn new(text: &'a str) -> Option<Self> {
        let (signed, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        if !is_digits(whole) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        Some(Self { negative: signed && !(whole.is_empty() && fraction.is_empty()), whole, fraction })
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // Digits sort as texts do once they have the same place value.
        let magnitude =
            || (self.whole.len(), self.whole, self.fraction).cmp(&(other.whole.len(), other.whole, other.fraction));
        match (self.negative, other.negative) {
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms() {
        for (smaller, larger) in [
            ("1", "2"),
            ("9", "10"),
            ("-2", "1"),
            ("-2", "-1"),
            ("0.1", "0.11"),
            ("9007199254740992", "9007199254740993"),
        ] {
            assert!(Decimal::new(smaller).unwrap() < Decimal::new(larger).unwrap(), "{smaller} {larger}");
        }
        for (one, same) in [("1", "1.0"), ("01", "1"), ("-0", "0.00"), ("-1.50", "-1.5")] {
            assert_eq!(Decimal::new(one).unwrap(), Decimal::new(same).unwrap());
        }
        for bad in ["", "-", "+1", "1e3", ".5", "5.", "1 ", "0x1", "--1", "1.2.3", "١", "1,5", "NaN"] {
            assert_eq!(Decimal::new(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn as_integers_compare(a in -2000_i64..2000, b in -2000_i64..2000) {
            let written = |thousandths: i64| {
                let sign = if thousandths < 0 { "-" } else { "" };
                format!("{sign}{}.{:03}", thousandths.abs() / 1000, thousandths.abs() % 1000)
            };
            let (one, other) = (written(a), written(b));
            prop_assert_eq!(Decimal::new(&one).unwrap().cmp(&Decimal::new(&other).unwrap()), a.cmp(&b));
        }

        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = Decimal::new(&text);
        }
    }
}
