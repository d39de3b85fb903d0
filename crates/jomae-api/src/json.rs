//! Text as JSON, into memory.

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
