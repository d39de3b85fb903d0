//! An answer as HTTP/1.1 bytes.

use std::cell::RefCell;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::Answer;
use super::buffer::wipe;

/// More than the head of any answer takes, in bytes.
const HEAD_BYTES: usize = 512;

/// What the connection adds to an answer.
#[derive(Clone, Copy)]
pub(super) struct Framing<'a> {
    /// Say `Connection: close`.
    pub(super) close: bool,
    /// [`keep_alive_fields`]: what is said when the connection stays open.
    pub(super) keep_alive: &'a str,
    /// Answer to a HEAD request: the head only.
    pub(super) head_only: bool,
}

/// Writes head and body into `out`, which is empty, and wipes the answer's body.
pub(super) fn encode(mut answer: Answer, framing: Framing<'_>, out: &mut Vec<u8>) {
    // One step, so that no half-written copy stays behind in freed memory.
    let receipt_bytes = answer.audit_receipt.as_ref().map_or(0, String::len);
    let fields_bytes: usize = answer.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    out.reserve(
        HEAD_BYTES
            + fields_bytes
            + answer.request_id.len()
            + answer.content_type.len()
            + receipt_bytes
            + answer.body.len(),
    );
    let status = status(&answer);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: ");
    out.extend_from_slice(answer.content_type.as_bytes());
    // Writing to a vector cannot fail.
    let _ = write!(out, "\r\nContent-Length: {}\r\nDate: ", answer.body.len());
    with_date(|date| out.extend_from_slice(date.as_bytes()));
    if let Some(id) = header_value(&answer.request_id) {
        out.extend_from_slice(b"\r\nx-acs-request-id: ");
        out.extend_from_slice(id.as_bytes());
    }
    if let Some(after) = answer.retry_after {
        let _ = write!(out, "\r\nx-acs-retry-after: {after}");
    }
    if let Some(secs) = retry_after_secs(&answer) {
        let _ = write!(out, "\r\nRetry-After: {secs}");
    }
    if let Some(index) = answer.audit_index {
        let _ = write!(out, "\r\nx-jomae-audit-index: {index}");
    }
    if let Some(receipt) = answer.audit_receipt.as_deref().and_then(header_value) {
        out.extend_from_slice(b"\r\nx-jomae-receipt: ");
        out.extend_from_slice(receipt.as_bytes());
    }
    for (name, value) in answer.headers.iter().filter(|(_, value)| is_field_value(value)) {
        let _ = write!(out, "\r\n{name}: {value}");
    }
    if framing.close {
        out.extend_from_slice(b"\r\nConnection: close");
    } else {
        out.extend_from_slice(framing.keep_alive.as_bytes());
    }
    out.extend_from_slice(b"\r\n\r\n");
    if !framing.head_only {
        out.extend_from_slice(&answer.body);
    }
    wipe(&mut answer.body);
}

/// The fields of an answer after which the connection stays open, made once for all. HTTP/1.0 needs to be told that it
/// does; how long it may be idle is a hint by which clients close it before the server does, instead of sending a
/// request into a connection that is being closed.
pub(super) fn keep_alive_fields(idle_timeout: Duration) -> String {
    format!("\r\nConnection: keep-alive\r\nKeep-Alive: timeout={}", idle_timeout.as_secs())
}

/// The status to send.
pub(super) fn status(answer: &Answer) -> StatusCode {
    StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The value of `Retry-After` (RFC 9110 section 10.2.3), which goes with 429 and 503: what knows nothing of this API
/// waits too.
pub(super) fn retry_after_secs(answer: &Answer) -> Option<u32> {
    matches!(answer.status, 429 | 503).then(|| answer.retry_after.unwrap_or_default().div_ceil(1000).max(1))
}

/// Whether a further header field can have this value: visible ASCII and blanks.
pub(super) fn is_field_value(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// The text, if it can stand in a header field as it is.
pub(super) fn header_value(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
}

/// Calls `f` with the current date in the form of RFC 9110 section 5.6.7. It is printed once a second and thread.
fn with_date<T>(f: impl FnOnce(&str) -> T) -> T {
    thread_local! {
        static PRINTED: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now_secs = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    PRINTED.with_borrow_mut(|(printed_secs, text)| {
        if text.is_empty() || *printed_secs != now_secs {
            *printed_secs = now_secs;
            *text = print_date(now_secs);
        }
        f(text)
    })
}

fn print_date(unix_secs: u64) -> String {
    let timestamp = i64::try_from(unix_secs).ok().and_then(|secs| Timestamp::from_second(secs).ok());
    let timestamp = timestamp.unwrap_or(Timestamp::UNIX_EPOCH);
    // Printing fails for years outside 0 to 9999 only.
    DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        Answer {
            status: 404,
            content_type: "application/json;charset=utf-8",
            request_id: "id-1".to_owned(),
            retry_after: None,
            audit_index: None,
            audit_receipt: None,
            headers: Vec::new(),
            body: b"{}".to_vec(),
            close: false,
            known: false,
        }
    }

    fn encoded(answer: Answer, close: bool, head_only: bool) -> String {
        let mut out = Vec::new();
        let keep_alive = keep_alive_fields(Duration::from_secs(75));
        encode(answer, Framing { close, keep_alive: &keep_alive, head_only }, &mut out);
        let text = String::from_utf8(out).unwrap();
        let (before, rest) = text.split_once("Date: ").unwrap();
        let (date, after) = rest.split_once("\r\n").unwrap();
        assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
        format!("{before}{after}")
    }

    #[test]
    fn date_has_the_form_of_the_rfc() {
        assert_eq!(print_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(print_date(u64::MAX), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn head_and_body() {
        assert_eq!(
            encoded(answer(), false, false),
            "HTTP/1.1 404 Not Found\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: 2\r\n\
             x-acs-request-id: id-1\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\n{}"
        );
        let receipt = Some("abc".to_owned());
        let answer =
            Answer { status: 503, retry_after: Some(3), audit_index: Some(7), audit_receipt: receipt, ..answer() };
        assert_eq!(
            encoded(answer, true, true),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: 2\r\n\
             x-acs-request-id: id-1\r\nx-acs-retry-after: 3\r\nRetry-After: 1\r\nx-jomae-audit-index: 7\r\nx-jomae-receipt: abc\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn who_shall_come_again_is_told_when() {
        for (status, wait_ms, secs) in [
            (429, Some(1), Some(1)),
            (429, Some(1000), Some(1)),
            (429, Some(1001), Some(2)),
            (503, None, Some(1)),
            (400, Some(5000), None),
            (200, None, None),
        ] {
            let answer = Answer { status, retry_after: wait_ms, ..answer() };
            assert_eq!(retry_after_secs(&answer), secs, "{status} {wait_ms:?}");
            let header = secs.map(|secs| format!("\r\nRetry-After: {secs}\r\n"));
            let head = encoded(answer, false, true);
            assert_eq!(head.contains("Retry-After"), header.is_some(), "{head}");
            assert!(header.is_none_or(|header| head.contains(&header)), "{head}");
        }
    }

    #[test]
    fn further_fields() {
        let fields = vec![("X-A", "b c".to_owned()), ("X-B", "d\r\nX-C: e".to_owned()), ("X-D", String::new())];
        let head = encoded(Answer { headers: fields, ..answer() }, false, true);
        assert!(head.contains("\r\nX-A: b c\r\n") && !head.contains("X-B") && !head.contains("X-D"), "{head}");
    }

    #[test]
    fn odd_values_do_not_break_the_head() {
        let injected = Answer { status: 7, request_id: "a\r\nX: y".to_owned(), ..answer() };
        assert_eq!(
            encoded(injected, false, false),
            "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json;charset=utf-8\r\n\
             Content-Length: 2\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\n{}"
        );
    }
}
