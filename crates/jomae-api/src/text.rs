//! Texts that say what a constant is, put together when the program is compiled: a limit and what documents say of it
//! cannot differ.

/// A text that is being put together.
pub struct Text<const BYTES: usize> {
    bytes: [u8; BYTES],
    len: usize,
}

impl<const BYTES: usize> Text<BYTES> {
    /// Nothing yet.
    pub const EMPTY: Self = Self { bytes: [0; BYTES], len: 0 };

    /// With this text behind it. It must fit into `BYTES`.
    #[must_use]
    pub const fn text(mut self, text: &str) -> Self {
        let (_, rest) = self.bytes.split_at_mut(self.len);
        let (place, _) = rest.split_at_mut(text.len());
        place.copy_from_slice(text.as_bytes());
        self.len += text.len();
        self
    }

    /// With this number in decimal behind it. It must fit into `BYTES`.
    #[must_use]
    pub const fn number(mut self, number: u64) -> Self {
        let (mut rest, digits) = (number, digits(number));
        let mut at = self.len + digits;
        while at > self.len {
            at -= 1;
            self.bytes[at] = b"0123456789"[(rest % 10) as usize];
            rest /= 10;
        }
        self.len += digits;
        self
    }

    /// What has been put together; nothing if it is no text.
    pub const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}

/// How many digits a number has.
pub const fn digits(number: u64) -> usize {
    match number.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

/// The text of a documentation comment, which begins with the blank after the slashes.
pub(crate) const fn sentence(comment: &'static str) -> &'static str {
    comment.split_at(1).1
}

/// A text of literals, numbers in braces, and ranges of numbers in brackets: `text!("at most " {limits::X} " bytes")`.
macro_rules! text {
    (@len { $number:expr }) => { $crate::text::digits($number as u64) };
    (@len [ $range:expr ]) => {
        $crate::text::digits(*$range.start() as u64) + "–".len() + $crate::text::digits(*$range.end() as u64)
    };
    (@len $text:literal) => { $text.len() };
    (@push $before:ident { $number:expr }) => { $before.number($number as u64) };
    (@push $before:ident [ $range:expr ]) => {
        $before.number(*$range.start() as u64).text("–").number(*$range.end() as u64)
    };
    (@push $before:ident $text:literal) => { $before.text($text) };
    ($($part:tt)+) => {{
        #[allow(clippy::cast_lossless, clippy::cast_sign_loss, reason = "limits are of several types, and never negative")]
        const TEXT: $crate::text::Text<{ 0 $(+ $crate::text::text!(@len $part))+ }> = {
            let text = $crate::text::Text::EMPTY;
            $(let text = $crate::text::text!(@push text $part);)+
            text
        };
        TEXT.as_str()
    }};
}
pub(crate) use text;

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_joined() {
        const RANGE: RangeInclusive<i64> = 0..=6144;
        assert_eq!(text!("at most " {10_u32} " – " [RANGE]), "at most 10 – 0–6144");
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_always(number: u64) {
            let text = Text::<20>::EMPTY.number(number);
            prop_assert_eq!(text.as_str(), number.to_string());
            prop_assert_eq!(digits(number), number.to_string().len());
        }
    }
}
