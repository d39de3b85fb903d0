//! HTTP/1 framing: `frame::next`, and with it the chunked coding.
//!
//! Input: bytes of a connection, perhaps of several requests. Where a request ends must follow from its own bytes alone:
//! not from what comes after it, and not a byte earlier.

#![no_main]

use std::sync::LazyLock;

use jomae_server::http::Limits;
use jomae_server::http::frame::{self, BodyLength, Framed};
use libfuzzer_sys::fuzz_target;

static USUAL: LazyLock<Limits> = LazyLock::new(Limits::default);
/// Limits that short inputs reach.
static SMALL: LazyLock<Limits> = LazyLock::new(|| Limits {
    request_line_bytes_max: 64,
    header_bytes_max: 200,
    headers_max: 6,
    body_bytes_max: 40,
    ..Limits::default()
});

/// A request without its borrows.
#[derive(PartialEq)]
struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    consumed: usize,
}

fn one(input: &[u8], limits: &Limits) -> Option<Request> {
    let Ok(Framed::Complete { head, body, consumed }) = frame::next(input, limits) else { return None };
    assert!(consumed > 0 && consumed <= input.len());
    assert!(body.len() <= limits.body_bytes_max && head.headers.len() <= limits.headers_max);
    assert!(head.path == "*" || head.path.starts_with('/'));
    assert!(!head.method.is_empty());
    if let BodyLength::Known(bytes) = head.framing.body {
        assert_eq!(bytes, body.len());
    }
    Some(Request {
        method: head.method.to_owned(),
        path: head.path.to_owned(),
        query: head.query.to_owned(),
        headers: head.headers.iter().map(|h| (h.name.to_owned(), h.value.to_owned())).collect(),
        body: body.into_owned(),
        consumed,
    })
}

fuzz_target!(|data: &[u8]| {
    for limits in [&*USUAL, &*SMALL] {
        let mut rest = data;
        while let Some(request) = one(rest, limits) {
            let (taken, after) = rest.split_at(request.consumed);
            assert!(one(taken, limits) == Some(request), "what follows changes the request");
            let shorter = &taken[..taken.len() - 1];
            assert!(matches!(frame::next(shorter, limits), Ok(Framed::Partial)), "complete before its end");
            for stop in [taken.len() / 2, taken.len() / 3] {
                assert!(matches!(frame::next(&taken[..stop], limits), Ok(Framed::Partial)), "refused, then taken");
            }
            rest = after;
        }
        // Once refused, more bytes do not mend it.
        if let Err(why) = frame::next(rest, limits) {
            let longer = [rest, b"\r\n\r\n"].concat();
            assert!(frame::next(&longer, limits).is_err(), "{why:?}");
            assert!((400..600).contains(&why.status()));
        }
    }
});
