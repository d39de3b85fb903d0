//! The chunked transfer coding (RFC 9112 section 7.1), decoded as it arrives. `httparse` reads the size lines.

use httparse::Status;
use memchr::memchr;

use super::HttpFailure;
use super::buffer::extend;

/// Longest line of a chunk size with its extensions, or of a trailer field, in bytes.
const LINE_BYTES_MAX: usize = 1024;
/// Most bytes of chunk extensions and trailer fields in one body, all of them dropped.
const DROPPED_BYTES_MAX: usize = 8 * 1024;

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Data {
        left: usize,
    },
    DataEnd,
    Trailer,
    Done,
}

/// Where a chunked body stands.
#[derive(Default)]
pub(super) struct Chunked {
    state: State,
    dropped_bytes: usize,
}

impl Chunked {
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Moves what `input` holds of the body to the end of `body` and says how many bytes it took. The bytes that it
    /// left must be at the start of the next `input`.
    pub(super) fn decode(&mut self, input: &[u8], body: &mut Vec<u8>, bytes_max: usize) -> Result<usize, HttpFailure> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            match self.state {
                State::Size => {
                    let Some(line) = line(rest)? else { return Ok(used) };
                    let size = chunk_size(line)?;
                    if size > bytes_max - body.len() {
                        return Err(HttpFailure::BodyTooLarge);
                    }
                    // A size needs at most 16 digits; anything beyond is extensions and blanks.
                    self.drop_bytes(line.len().saturating_sub(18))?;
                    used += line.len();
                    self.state = if size == 0 { State::Trailer } else { State::Data { left: size } };
                }
                State::Data { left } => {
                    let bytes = rest.get(..left).unwrap_or(rest);
                    extend(body, bytes);
                    used += bytes.len();
                    if bytes.len() < left {
                        self.state = State::Data { left: left - bytes.len() };
                        return Ok(used);
                    }
                    self.state = State::DataEnd;
                }
                State::DataEnd => match rest.get(..2) {
                    Some(b"\r\n") => {
                        used += 2;
                        self.state = State::Size;
                    }
                    Some(_) => return Err(HttpFailure::BadRequest),
                    None => return Ok(used),
                },
                State::Trailer => {
                    let Some(line) = line(rest)? else { return Ok(used) };
                    self.drop_bytes(line.len() - 2)?;
                    used += line.len();
                    if line == b"\r\n" {
                        self.state = State::Done;
                    }
                }
                State::Done => return Ok(used),
            }
        }
    }

    fn drop_bytes(&mut self, bytes: usize) -> Result<(), HttpFailure> {
        self.dropped_bytes += bytes;
        if self.dropped_bytes > DROPPED_BYTES_MAX { Err(HttpFailure::HeadTooLarge) } else { Ok(()) }
    }
}

/// The first line with its CRLF, if it is complete.
fn line(input: &[u8]) -> Result<Option<&[u8]>, HttpFailure> {
    let window = input.get(..LINE_BYTES_MAX).unwrap_or(input);
    match memchr(b'\n', window).and_then(|at| window.get(..=at)) {
        Some(line) if line.ends_with(b"\r\n") => Ok(Some(line)),
        Some(_) => Err(HttpFailure::BadRequest),
        None if window.len() == LINE_BYTES_MAX => Err(HttpFailure::HeadTooLarge),
        None => Ok(None),
    }
}

fn chunk_size(line: &[u8]) -> Result<usize, HttpFailure> {
    // httparse takes an empty size for zero; here it is an error.
    if !line.first().is_some_and(u8::is_ascii_hexdigit) {
        return Err(HttpFailure::BadRequest);
    }
    match httparse::parse_chunk_size(line) {
        Ok(Status::Complete((end, size))) if end == line.len() => {
            usize::try_from(size).map_err(|_| HttpFailure::BodyTooLarge)
        }
        _ => Err(HttpFailure::BadRequest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(input: &[u8], step: usize) -> Result<Option<(Vec<u8>, usize)>, HttpFailure> {
        let (mut chunked, mut body) = (Chunked::default(), Vec::new());
        let (mut used, mut seen) = (0, 0);
        while seen < input.len() && !chunked.is_done() {
            seen = input.len().min(seen + step);
            used += chunked.decode(&input[used..seen], &mut body, 100)?;
        }
        Ok(chunked.is_done().then_some((body, used)))
    }

    fn every_split(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, HttpFailure> {
        let whole = decode(input, input.len());
        for step in 1..input.len() {
            assert_eq!(decode(input, step), whole, "step {step}");
        }
        whole
    }

    #[test]
    fn chunks_are_joined_however_they_arrive() {
        let body = b"5\r\nhello\r\n1;a=\"b;c\"\r\n,\r\n0006 \r\n world\r\n0\r\nX: y\r\n\r\nGET /";
        assert_eq!(every_split(body), Ok(Some((b"hello, world".to_vec(), body.len() - 5))));
        assert_eq!(every_split(b"0\r\n\r\n"), Ok(Some((Vec::new(), 5))));
        assert_eq!(every_split(b"a\r\n0123456789\r\n0\r\n"), Ok(None));
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        for bad in [
            &b"\r\n\r\n"[..],
            b"5\nhello\r\n0\r\n\r\n",
            b"5;a\nb\r\nhello\r\n0\r\n\r\n",
            b"+5\r\nhello\r\n0\r\n\r\n",
            b"0x5\r\nhello\r\n0\r\n\r\n",
            b" 5\r\nhello\r\n0\r\n\r\n",
            b"5 5\r\nhello\r\n0\r\n\r\n",
            b"-1\r\n",
            b"5\r\nhello6\r\n world\r\n0\r\n\r\n",
            b"5\r\nhelloXX0\r\n\r\n",
            b"00000000000000001\r\nx\r\n0\r\n\r\n",
            b"0\r\nX: y\n\r\n",
        ] {
            assert_eq!(every_split(bad), Err(HttpFailure::BadRequest), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn sizes_are_bounded() {
        let full = [&b"64\r\n"[..], &[b'x'; 100], b"\r\n0\r\n\r\n"].concat();
        assert_eq!(every_split(&full).unwrap().unwrap().0.len(), 100);
        assert_eq!(every_split(b"65\r\n"), Err(HttpFailure::BodyTooLarge));
        assert_eq!(every_split(b"60\r\n".as_slice()), Ok(None));
        assert_eq!(every_split(b"ffffffffffffffff\r\n"), Err(HttpFailure::BodyTooLarge));
        let long_line = [&b"1;"[..], &[b'x'; LINE_BYTES_MAX]].concat();
        assert_eq!(decode(&long_line, 7), Err(HttpFailure::HeadTooLarge));
        let extension = [&b"1;"[..], &[b'x'; 1000], b"\r\n.\r\n"].concat();
        assert_eq!(decode(&extension.repeat(8), 1000), Ok(None));
        assert_eq!(decode(&extension.repeat(9), 1000), Err(HttpFailure::HeadTooLarge));
        let trailers = [&b"0\r\n"[..], &[b"X: ", &[b'y'; 997][..], b"\r\n"].concat().repeat(9)].concat();
        assert_eq!(decode(&trailers, 4096), Err(HttpFailure::HeadTooLarge));
    }
}
