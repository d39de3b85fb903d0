//! JSON into memory: texts, and objects member by member.

/// Writes a text with its quotes. `true` if it stands there as it is, without an escape.
///
/// Nearly every text does, and to know that takes less than looking for what to escape byte by byte.
pub fn text(out: &mut Vec<u8>, text: &str) -> bool {
    // Without a way out of the loop, which is done many bytes at a time.
    let special = |byte| u8::from(byte < b' ') | u8::from(byte == b'"') | u8::from(byte == b'\\');
    if text.bytes().fold(0, |found, byte| found | special(byte)) != 0 {
        // A text into memory: it cannot fail.
        let _ = serde_json::to_writer(out, text);
        return false;
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    true
}

/// An object whose members are being written.
pub struct Object<'o> {
    /// Where the value of a member goes, after [`Object::member`].
    pub out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> Object<'o> {
    /// Begins one.
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    /// What stands before the value of a member: `"name":`.
    pub fn member(&mut self, name_and_colon: &str) {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(name_and_colon.as_bytes());
    }

    /// Ends it.
    pub fn end(&mut self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: &str) -> (String, bool) {
        let mut out = b"before ".to_vec();
        let as_it_is = text(&mut out, value);
        (String::from_utf8(out).unwrap(), as_it_is)
    }

    #[test]
    fn each_byte() {
        for byte in 0..=0x7fu8 {
            let value = format!("a{}b", char::from(byte));
            let expected = format!("before {}", serde_json::to_string(&value).unwrap());
            let as_it_is = expected == format!("before \"{value}\"");
            assert_eq!(written(&value), (expected, as_it_is), "{byte}");
        }
    }

    proptest! {
        #[test]
        fn as_serde_json(value: String) {
            let expected = format!("before {}", serde_json::to_string(&value).unwrap());
            prop_assert_eq!(written(&value).0, expected);
        }
    }
}
