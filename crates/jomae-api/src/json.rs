//! JSON into memory: texts, and objects member by member.

/// Writes a text with its quotes. `true` if it stands there as it is, without an escape.
///
/// Nearly every text does, and to know that takes less than looking for what to escape byte by byte.
pub fn text(out: &mut Vec<u8>, text: &str) -> bool {
    if !is_plain(text.as_bytes()) {
        // A text into memory: it cannot fail.
        let _ = serde_json::to_writer(out, text);
        return false;
    }
    // Quotes all over, and the text over those in between: one check of the capacity instead of three.
    let start = out.len() + 1;
    out.resize(start + text.len() + 1, b'"');
    if let Some(between) = out.get_mut(start..start + text.len()) {
        between.copy_from_slice(text.as_bytes());
    }
    true
}

/// Whether there is nothing in it to escape. Looks at 16 bytes at once, without a way out of the loop, which compilers
/// turn into a handful of instructions.
fn is_plain(text: &[u8]) -> bool {
    const BYTES: usize = 16;
    let special = |byte| u8::from(byte < b' ') | u8::from(byte == b'"') | u8::from(byte == b'\\');
    let special_in = |bytes: &[u8; BYTES]| u128::from_ne_bytes(bytes.map(special));
    let Some(last) = text.last_chunk() else {
        let mut filled_up = [b' '; BYTES];
        filled_up[..text.len()].copy_from_slice(text);
        return special_in(&filled_up) == 0;
    };
    // The last ones overlap with those before.
    text.as_chunks().0.iter().fold(special_in(last), |found, bytes| found | special_in(bytes)) == 0
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
