//! Percent-encoding as the signatures define it: `A-Z a-z 0-9 - _ . ~` stay, every other byte is `%XX` upper-case.

/// Where encoded text goes, piece by piece.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        byte += 1;
    }
    table
};

/// Zero for what is [`UNRESERVED`]. Only arithmetic of bytes, no branch and no table: compilers do it for all bytes of a
/// [`Window`] at once.
fn reserved(byte: u8) -> u8 {
    let letter = (byte | 0x20).wrapping_sub(b'a').saturating_sub(25);
    let digit = byte.wrapping_sub(b'0').saturating_sub(9);
    let dash_or_dot = byte.wrapping_sub(b'-').saturating_sub(1);
    letter.min(digit).min(dash_or_dot).min(byte ^ b'_').min(byte ^ b'~')
}

/// The bytes that are looked at together.
type Window = [u8; WINDOW_BYTES];
const WINDOW_BYTES: usize = 16;

/// How many bytes from the start of the window stay.
fn unreserved_run(window: &Window) -> usize {
    let first_bit = u128::from_le_bytes(window.map(reserved)).trailing_zeros();
    first_bit as usize / 8
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Bytes collected before the sink is called: hashes are called a few times a request instead of once a byte.
const BUFFER_BYTES: usize = 512;

/// A small buffer in front of a [`Sink`]. `finish` must be called; dropping it loses what is still buffered.
pub(crate) struct Buffered<'s, S: Sink> {
    sink: &'s mut S,
    bytes: [u8; BUFFER_BYTES],
    len: usize,
}

impl<'s, S: Sink> Buffered<'s, S> {
    pub(crate) fn new(sink: &'s mut S) -> Self {
        Self { sink, bytes: [0; BUFFER_BYTES], len: 0 }
    }

    /// Passes the bytes on unchanged.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        } else {
            self.flush();
            if bytes.len() < BUFFER_BYTES {
                self.put(bytes);
            } else {
                self.sink.put(bytes);
            }
        }
    }

    /// Encodes once: a blank becomes `%20`.
    pub(crate) fn put_encoded(&mut self, text: &str) {
        self.encode(text, |byte| {
            let [high, low] = hex(byte);
            [b'%', high, low]
        });
    }

    /// Encodes twice in one pass: a blank becomes `%2520`.
    pub(crate) fn put_encoded_twice(&mut self, text: &str) {
        self.encode(text, |byte| {
            let [high, low] = hex(byte);
            [b'%', b'2', b'5', high, low]
        });
    }

    fn encode<const N: usize>(&mut self, text: &str, escape: impl Fn(u8) -> [u8; N]) {
        let mut rest = text.as_bytes();
        while let Some(window) = rest.first_chunk() {
            rest = self.encode_window(window, rest, &escape);
        }
        while !rest.is_empty() {
            // Filled up with what stays.
            let mut window = [b'0'; WINDOW_BYTES];
            window[..rest.len()].copy_from_slice(rest);
            rest = self.encode_window(&window, rest, &escape);
        }
    }

    /// Encodes the run at the start of `rest` that stays, as far as `window` shows it, and the run after it that does not.
    /// Returns what is left.
    #[inline]
    fn encode_window<'t, const N: usize>(
        &mut self,
        window: &Window,
        rest: &'t [u8],
        escape: &impl Fn(u8) -> [u8; N],
    ) -> &'t [u8] {
        // A copy of fixed length is cheaper than one of the run; what is too much of it is written over.
        *self.room() = *window;
        let run = unreserved_run(window).min(rest.len());
        self.len += run;
        let mut rest = &rest[run..];
        if run == WINDOW_BYTES {
            return rest;
        }
        // Mostly one, but many in text that is not ASCII.
        while let Some((&byte, tail)) = rest.split_first()
            && !UNRESERVED[usize::from(byte)]
        {
            *self.room() = escape(byte);
            self.len += N;
            rest = tail;
        }
        rest
    }

    /// The next bytes of the buffer, which is emptied if it has not so many left.
    #[inline]
    fn room<const N: usize>(&mut self) -> &mut [u8; N] {
        if self.len > const { BUFFER_BYTES - N } {
            self.flush();
        }
        let Some(room) = self.bytes[self.len..].first_chunk_mut() else { unreachable!("there is room after a flush") };
        room
    }

    fn flush(&mut self) {
        // `len` never exceeds the buffer, so nothing is lost to the check.
        self.sink.put(self.bytes.get(..self.len).unwrap_or_default());
        self.len = 0;
    }

    /// Passes on what is still buffered.
    pub(crate) fn finish(mut self) {
        self.flush();
    }
}

fn hex(byte: u8) -> [u8; 2] {
    [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]
}

/// The value of two hexadecimal digits in either case.
pub(crate) fn unhex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// Appends `name=value`, both encoded, after a `&` unless `out` is empty.
pub(crate) fn push_pair(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push('&');
    }
    push_encoded(out, name);
    out.push('=');
    push_encoded(out, value);
}

fn push_encoded(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if UNRESERVED[usize::from(byte)] {
            out.push(char::from(byte));
        } else {
            let [high, low] = hex(byte);
            out.push('%');
            out.push(char::from(high));
            out.push(char::from(low));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn once(text: &str) -> String {
        let mut out = Vec::new();
        let mut buffer = Buffered::new(&mut out);
        buffer.put_encoded(text);
        buffer.finish();
        String::from_utf8(out).unwrap()
    }

    fn twice(text: &str) -> String {
        let mut out = Vec::new();
        let mut buffer = Buffered::new(&mut out);
        buffer.put_encoded_twice(text);
        buffer.finish();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn reserved_and_unreserved() {
        assert_eq!(once("aZ09-_.~"), "aZ09-_.~");
        assert_eq!(once(" *+/é\n\0"), "%20%2A%2B%2F%C3%A9%0A%00");
        assert_eq!(twice(" a*"), "%2520a%252A");
    }

    #[test]
    fn every_byte_stays_or_not_at_every_place_of_a_window() {
        for byte in 0..=u8::MAX {
            let stays = UNRESERVED[usize::from(byte)];
            for at in 0..WINDOW_BYTES {
                let mut window = [b'a'; WINDOW_BYTES];
                window[at] = byte;
                assert_eq!(unreserved_run(&window), if stays { WINDOW_BYTES } else { at }, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn runs_of_every_length_end_where_they_end() {
        for run in 0..70 {
            for after in ["", "/", "é", "/a", "//"] {
                let text = "x".repeat(run) + after;
                let escaped = after.replace('/', "%2F").replace('é', "%C3%A9");
                assert_eq!(once(&text), "x".repeat(run) + &escaped);
                assert_eq!(once(&text.repeat(40)), ("x".repeat(run) + &escaped).repeat(40));
            }
        }
    }

    #[test]
    fn long_text_keeps_its_order() {
        let text = "aé ".repeat(5_000);
        assert_eq!(once(&text), "a%C3%A9%20".repeat(5_000));
        let mut out = Vec::new();
        let mut buffer = Buffered::new(&mut out);
        for piece in [&b"x"[..], &[b'y'; BUFFER_BYTES - 1], &[b'z'; BUFFER_BYTES], &[b'v'; BUFFER_BYTES + 1], b"w"] {
            buffer.put(piece);
        }
        buffer.finish();
        let mut expected = vec![b'x'];
        expected.extend([b'y'; BUFFER_BYTES - 1]);
        expected.extend([b'z'; BUFFER_BYTES]);
        expected.extend([b'v'; BUFFER_BYTES + 1]);
        expected.push(b'w');
        assert_eq!(out, expected);
    }

    proptest! {
        #[test]
        fn twice_is_once_of_once(text in ".{0,600}") {
            prop_assert_eq!(twice(&text), once(&once(&text)));
            let mut pair = String::new();
            push_pair(&mut pair, &text, &text);
            prop_assert_eq!(pair, format!("{0}={0}", once(&text)));
        }
    }
}
