//! Where an HTTP/1 request starts and ends, as functions of bytes alone (RFC 9112).
//!
//! `httparse` reads the head. Around it stand the rules that decide where a message ends, stricter than the RFC asks,
//! because two parties that disagree about that point can be played against each other (request smuggling): lines end
//! in CRLF only, `Content-Length` occurs once and is digits, `Transfer-Encoding` is exactly `chunked`, never both.
//! The `Host` field is not looked at: official SDKs send a URL there.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use httparse::Status;
use jomae_api::wire::Header;
use memchr::memchr;

use super::chunked::Chunked;
use super::{HttpFailure, Limits};

/// No head may have more header fields than this, whatever the configuration says.
const HEADERS_CAP: usize = 128;

/// The head of a request, borrowing from the bytes it was read from.
pub struct Head<'a> {
    /// Method as received.
    pub method: &'a str,
    /// Path of the target, without the query. `*` and paths that start with a slash only.
    pub path: &'a str,
    /// Query as received, without the question mark; empty if there is none.
    pub query: &'a str,
    /// Header fields in the order received, surrounding blanks taken off the values.
    pub headers: Vec<Header<'a>>,
    /// What the connection has to know.
    pub framing: Framing,
}

/// What the head says about the message and the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// How the body is delimited.
    pub body: BodyLength,
    /// Whether the client wants to go on with this connection.
    pub keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// How the body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// So many bytes; 0 if the head does not speak of a body.
    Known(usize),
    /// Chunked transfer coding.
    Chunked,
}

/// What the start of a byte stream is.
pub enum Framed<'a> {
    /// The beginning of a request that is acceptable so far, or nothing.
    Partial,
    /// One whole request.
    Complete {
        /// Its head.
        head: Head<'a>,
        /// Its body, joined if it came in chunks.
        body: Cow<'a, [u8]>,
        /// How many bytes of the input it took.
        consumed: usize,
    },
}

/// Reads the first request of `input` in one go. The connection uses the same parts step by step.
///
/// # Errors
/// What is wrong with it, as early as that can be known.
pub fn next<'a>(input: &'a [u8], limits: &Limits) -> Result<Framed<'a>, HttpFailure> {
    let skipped = blank_lines(input);
    let input = input.get(skipped..).unwrap_or_default();
    let Some(head_bytes) = HeadScan::default().find_end(input, limits)? else {
        return Ok(Framed::Partial);
    };
    let (head, rest) = input.split_at_checked(head_bytes).unwrap_or_default();
    let head = parse_head(head, limits)?;
    let (body, body_bytes) = match head.framing.body {
        BodyLength::Known(bytes) => match rest.get(..bytes) {
            Some(body) => (Cow::Borrowed(body), bytes),
            None => return Ok(Framed::Partial),
        },
        BodyLength::Chunked => {
            let mut body = Vec::new();
            let mut chunked = Chunked::default();
            let bytes = chunked.decode(rest, &mut body, limits.body_bytes_max)?;
            if !chunked.is_done() {
                return Ok(Framed::Partial);
            }
            (Cow::Owned(body), bytes)
        }
    };
    Ok(Framed::Complete { head, body, consumed: skipped + head_bytes + body_bytes })
}

/// Bytes of empty lines before a request line. Some clients end a POST with one (RFC 9112 section 2.2).
pub(super) fn blank_lines(input: &[u8]) -> usize {
    input.chunks(2).take_while(|pair| pair == b"\r\n").count() * 2
}

/// The search for the end of a head that may arrive in pieces: every byte is looked at once.
#[derive(Default)]
pub(super) struct HeadScan {
    /// Where to go on.
    from: usize,
    line_start: usize,
    /// Where the header fields start; 0 while in the request line.
    fields_start: usize,
}

impl HeadScan {
    /// Whether bytes of the request line were seen.
    pub(super) fn has_begun(&self) -> bool {
        self.from > 0
    }

    /// The length of the head with its empty line, or `None` if it is not complete. `input` starts at the request line
    /// and only ever grows between calls.
    pub(super) fn find_end(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, HttpFailure> {
        if input == b"\r" {
            // Perhaps half of an empty line, which is skipped before the search starts.
            return Ok(None);
        }
        if input.first().is_some_and(|byte| !byte.is_ascii_graphic()) {
            return Err(HttpFailure::BadRequest);
        }
        while let Some(offset) = memchr(b'\n', input.get(self.from..).unwrap_or_default()) {
            let newline = self.from + offset;
            if newline == 0 || input.get(newline - 1) != Some(&b'\r') {
                return Err(HttpFailure::BadRequest);
            }
            let line_bytes = newline - 1 - self.line_start;
            self.from = newline + 1;
            self.line_start = self.from;
            if self.fields_start == 0 {
                if line_bytes > limits.request_line_bytes_max {
                    return Err(HttpFailure::RequestLineTooLong);
                }
                self.fields_start = self.from;
            } else if line_bytes == 0 {
                self.check_fields(self.from, limits)?;
                return Ok(Some(self.from));
            }
        }
        self.from = input.len();
        if self.fields_start == 0 {
            // One more for a carriage return whose line feed is still to come.
            if input.len() > limits.request_line_bytes_max + 1 {
                return Err(HttpFailure::RequestLineTooLong);
            }
        } else {
            self.check_fields(input.len(), limits)?;
        }
        Ok(None)
    }

    fn check_fields(&self, end: usize, limits: &Limits) -> Result<(), HttpFailure> {
        if end - self.fields_start > limits.header_bytes_max { Err(HttpFailure::HeadTooLarge) } else { Ok(()) }
    }
}

/// Reads a whole head, from the request line to the empty line.
pub(super) fn parse_head<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Head<'a>, HttpFailure> {
    let mut memory = [const { MaybeUninit::uninit() }; HEADERS_CAP];
    let slots = memory.get_mut(..limits.headers_max.min(HEADERS_CAP)).unwrap_or_default();
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, slots) {
        Ok(Status::Complete(end)) if end == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(HttpFailure::TooManyHeaders),
        Err(httparse::Error::Version) => return Err(HttpFailure::UnsupportedVersion),
        // Less than everything: the empty line stood before the end that was found.
        Ok(_) | Err(_) => return Err(HttpFailure::BadRequest),
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(HttpFailure::BadRequest);
    };
    let headers: Vec<Header<'a>> = request.headers.iter().map(|h| Header { name: h.name, value: h.value }).collect();
    let framing = framing(minor == 0, &headers, limits)?;
    let (path, query) = split_target(target).ok_or(HttpFailure::BadRequest)?;
    Ok(Head { method, path, query, headers, framing })
}

fn framing(http10: bool, headers: &[Header<'_>], limits: &Limits) -> Result<Framing, HttpFailure> {
    let mut length = None;
    let mut chunked = false;
    let mut expects_continue = false;
    let (mut close, mut keep) = (false, false);
    for Header { name, value } in headers {
        if name.eq_ignore_ascii_case("content-length") {
            if length.replace(content_length(value, limits)?).is_some() {
                return Err(HttpFailure::BadRequest);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(HttpFailure::UnsupportedTransferEncoding);
            }
            // HTTP/1.0 does not know it, so what sent it, or passed it on, did not frame by it (RFC 9112 section 6.1).
            if chunked || http10 {
                return Err(HttpFailure::BadRequest);
            }
            chunked = true;
        } else if name.eq_ignore_ascii_case("connection") {
            for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                close |= option.eq_ignore_ascii_case(b"close");
                keep |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if name.eq_ignore_ascii_case("expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(HttpFailure::ExpectationFailed);
            }
            expects_continue = !http10;
        }
    }
    let body = match (chunked, length) {
        (true, Some(_)) => return Err(HttpFailure::BadRequest),
        (true, None) => BodyLength::Chunked,
        (false, length) => BodyLength::Known(length.unwrap_or(0)),
    };
    Ok(Framing {
        body,
        keep_alive: !close && (keep || !http10),
        expects_continue: expects_continue && body != BodyLength::Known(0),
    })
}

fn content_length(value: &[u8], limits: &Limits) -> Result<usize, HttpFailure> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(HttpFailure::BadRequest);
    }
    // Digits only, so the one way to fail is a number too large to hold.
    let bytes = std::str::from_utf8(value).ok().and_then(|digits| digits.parse::<usize>().ok());
    bytes.filter(|bytes| *bytes <= limits.body_bytes_max).ok_or(HttpFailure::BodyTooLarge)
}

/// Path and query of a request target in origin form, absolute form (`http://host/path?query`) or `*`.
fn split_target(target: &str) -> Option<(&str, &str)> {
    let origin = if target.starts_with('/') || target == "*" {
        target
    } else {
        let (scheme, rest) = target.split_once("://")?;
        if !(scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")) {
            return None;
        }
        rest.find(['/', '?']).and_then(|authority_end| rest.get(authority_end..)).unwrap_or("/")
    };
    let (path, query) = origin.split_once('?').unwrap_or((origin, ""));
    Some((if path.is_empty() { "/" } else { path }, query))
}
