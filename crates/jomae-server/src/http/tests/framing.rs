//! The framing function on its own.

use proptest::prelude::*;

use super::super::frame::{BodyLength, Framed, next};
use super::*;

fn complete(input: &[u8]) -> (String, Vec<u8>, usize) {
    match next(input, &Limits::default()).unwrap() {
        Framed::Complete { head, body, consumed } => {
            (format!("{} {} {}", head.method, head.path, head.query), body.into_owned(), consumed)
        }
        Framed::Partial => panic!("partial"),
    }
}

#[test]
fn one_request_is_taken_off_the_front() {
    let input = b"\r\n\r\nPOST /a?b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET";
    assert_eq!(complete(input), ("POST /a b".into(), b"abc".to_vec(), input.len() - 3));
    let input = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\nGET";
    assert_eq!(complete(input), ("POST / ".into(), b"abc".to_vec(), input.len() - 3));
    for end in 0..input.len() - 3 {
        assert!(matches!(next(&input[..end], &Limits::default()), Ok(Framed::Partial)), "{end}");
    }
}

#[test]
fn header_fields_are_passed_on_as_received() {
    let input = b"GET / HTTP/1.1\r\nx-A:  b \xff\tc \r\nEmpty:\r\n\r\n";
    let Ok(Framed::Complete { head, .. }) = next(input, &Limits::default()) else { panic!("not complete") };
    let headers: Vec<_> = head.headers.iter().map(|h| (h.name, h.value)).collect();
    assert_eq!(headers, [("x-A", &b"b \xff\tc"[..]), ("Empty", b"")]);
    assert_eq!(head.framing.body, BodyLength::Known(0));
}

#[test]
fn limits_are_exact() {
    let limits = Limits {
        request_line_bytes_max: 20,
        header_bytes_max: 10,
        headers_max: 1,
        body_bytes_max: 3,
        ..Limits::default()
    };
    let ok = |input: &str| next(input.as_bytes(), &limits).err();
    assert_eq!(ok("GET /123456 HTTP/1.1\r\nA: 345\r\n\r\n"), None);
    assert_eq!(ok("GET /1234567 HTTP/1.1\r\n\r\n"), Some(HttpFailure::RequestLineTooLong));
    assert_eq!(ok("GET /1234567890123456\r"), Some(HttpFailure::RequestLineTooLong));
    assert_eq!(ok("GET /12345678901234\r"), None);
    assert_eq!(ok("GET / HTTP/1.1\r\nA: 3456\r\n\r\n"), Some(HttpFailure::HeadTooLarge));
    assert_eq!(ok("GET / HTTP/1.1\r\nA:\r\nB:\r\n\r\n"), Some(HttpFailure::TooManyHeaders));
    let wide = Limits { header_bytes_max: 1000, ..limits };
    let body = |n: &str| next(format!("GET / HTTP/1.1\r\nContent-Length: {n}\r\n\r\n").as_bytes(), &wide).err();
    assert_eq!((body("3"), body("4")), (None, Some(HttpFailure::BodyTooLarge)));
}

proptest! {
    #[test]
    fn more_bytes_never_take_an_answer_back(input in super::any::stream(), cut in 0usize..400) {
        // What was a whole request stays the same request, and what was wrong stays wrong.
        let limits = Limits::default();
        let start = &input[..cut.min(input.len())];
        match next(start, &limits) {
            Ok(Framed::Partial) => {}
            Ok(Framed::Complete { consumed, .. }) => {
                prop_assert!(consumed <= start.len());
                let Ok(Framed::Complete { consumed: again, .. }) = next(&input, &limits) else {
                    return Err(TestCaseError::fail("changed its mind"));
                };
                prop_assert_eq!(consumed, again);
            }
            Err(_) => prop_assert!(next(&input, &limits).is_err()),
        }
    }
}
