//! What never becomes a request is answered all the same, and then the connection is closed.

use super::*;

fn short() -> Duration {
    Duration::from_millis(150)
}

#[tokio::test]
async fn what_is_too_large() {
    let server = start().await;
    let limits = Limits::default();
    let line = |bytes: usize| format!("GET /{}", "q".repeat(bytes - "GET / HTTP/1.1".len()));
    let (most, more) = (line(limits.request_line_bytes_max), line(limits.request_line_bytes_max + 1));
    assert_eq!(server.connect().await.ask(format!("{most} HTTP/1.1\r\n\r\n")).await.status, 200);
    server.refuses(format!("{more} HTTP/1.1\r\n\r\n"), HttpFailure::RequestLineTooLong).await;
    server.refuses(line(129 * 1024) + " HTTP/1.1\r\n\r\n", HttpFailure::RequestLineTooLong).await;
    server.refuses(line(500 * 1024), HttpFailure::RequestLineTooLong).await;
    let header = format!("A: {}\r\n", "a".repeat(limits.header_bytes_max));
    server.refuses(format!("GET / HTTP/1.1\r\n{header}\r\n"), HttpFailure::HeadTooLarge).await;
    server.refuses(format!("GET / HTTP/1.1\r\n{header}"), HttpFailure::HeadTooLarge).await;
    server.refuses(format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(101)), HttpFailure::TooManyHeaders).await;

    let over = limits.body_bytes_max + 1;
    for length in [over.to_string(), "9".repeat(40)] {
        let head = format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n");
        server.refuses(format!("{head}\r\n"), HttpFailure::BodyTooLarge).await;
        // Not told to continue, and what is sent anyway does not cost the client the answer.
        server.refuses(format!("{head}Expect: 100-continue\r\n\r\n"), HttpFailure::BodyTooLarge).await;
        server.refuses(format!("{head}\r\n{}", "b".repeat(over)), HttpFailure::BodyTooLarge).await;
    }
    let chunks = format!("10000\r\n{}\r\n", "c".repeat(0x10000)).repeat(5);
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    server.refuses(format!("{chunked}{chunks}0\r\n\r\n"), HttpFailure::BodyTooLarge).await;
    assert_eq!(server.stats.malformed(HttpFailure::BodyTooLarge).get(), 7);
    assert_eq!(server.stats.requests.get(), 1);
}

#[tokio::test]
async fn what_could_be_read_in_two_ways() {
    let server = start().await;
    let smuggled = "GET /smuggled HTTP/1.1\r\n\r\n";
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 0\r\nContent-Length: 26",
        "Content-Length: 0\r\nContent-Length: 0",
        "Content-Length: 0, 26",
        "Content-Length: +0",
        "Content-Length: 0x0",
        "Content-Length:",
        "Content-Length: -1",
        "Content-Length: 1 1",
        "Content-Length : 0",
        " Content-Length: 0",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding : chunked",
        "A: b\r\n Transfer-Encoding: chunked",
        "A: b\nTransfer-Encoding: chunked",
        "A: b\rTransfer-Encoding: chunked",
        "A: b\0c",
        "A\u{e9}: b",
        "no colon",
    ] {
        let request = format!("POST / HTTP/1.1\r\n{headers}\r\n\r\n{smuggled}");
        server.refuses(request, HttpFailure::BadRequest).await;
    }
    for coding in ["gzip", "chunked, gzip", "gzip, chunked", "chunked, chunked", "x-chunked", "", "\"chunked\""] {
        let request = format!("POST / HTTP/1.1\r\nTransfer-Encoding: {coding}\r\n\r\n{smuggled}");
        server.refuses(request, HttpFailure::UnsupportedTransferEncoding).await;
    }
    let old = format!("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}");
    server.refuses(old, HttpFailure::BadRequest).await;
    let size = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n{smuggled}");
    server.refuses(size, HttpFailure::BadRequest).await;
    assert_eq!(server.stats.requests.get(), 0, "nothing was smuggled");
}

#[tokio::test]
async fn what_is_not_http() {
    let server = start().await;
    for bytes in [
        &b"hello\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01",
        b"\x00",
        b"\n",
        b" GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\n\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1 \r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET nowhere HTTP/1.1\r\n\r\n",
        b"GET ftp://h/ HTTP/1.1\r\n\r\n",
        b"CONNECT h:443 HTTP/1.1\r\n\r\n",
        b"G@T / HTTP/1.1\r\n\r\n",
    ] {
        server.refuses(bytes, HttpFailure::BadRequest).await;
    }
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "http/1.1"] {
        server.refuses(format!("GET / {version}\r\n\r\n"), HttpFailure::UnsupportedVersion).await;
    }
    server.refuses("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HttpFailure::UnsupportedVersion).await;
    server.refuses("GET / HTTP/1.1\r\nExpect: a miracle\r\n\r\n", HttpFailure::ExpectationFailed).await;
}

#[tokio::test]
async fn what_stops_in_the_middle() {
    let server = start().await;
    for bytes in ["GET / HT", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf", "\r"] {
        let mut client = server.connect().await;
        client.send(bytes).await;
        client.io.shutdown().await.unwrap();
        assert_eq!(client.answer().await, refused(HttpFailure::BadRequest));
        client.closed().await;
    }
    let mut silent = server.connect().await;
    silent.io.shutdown().await.unwrap();
    silent.closed().await;
}

#[tokio::test]
async fn what_is_too_slow() {
    let limits = Limits { head_timeout: short(), body_timeout: short(), ..Limits::default() };
    let server = start_with(limits, None).await;
    server.refuses("GET / HTTP/1.1\r\nA: ", HttpFailure::HeadTimeout).await;
    server.refuses("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf", HttpFailure::BodyTimeout).await;
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe";
    server.refuses(chunked, HttpFailure::BodyTimeout).await;

    // A trickle does not move the limit.
    for (start, why) in [
        ("GET /", HttpFailure::HeadTimeout),
        ("POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n", HttpFailure::BodyTimeout),
    ] {
        let mut client = server.connect().await;
        client.send(start).await;
        let (mut read, mut write) = client.io.split();
        let trickle = async {
            while write.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let seen = async {
            while !client.unread.ends_with(why.label().as_bytes()) {
                assert_ne!(read.read_buf(&mut client.unread).await.unwrap(), 0);
            }
        };
        tokio::select! {
            () = seen => {}
            () = trickle => panic!("reset before the answer"),
            () = tokio::time::sleep(PATIENCE) => panic!("never ended"),
        }
        assert_eq!(take_answer(&mut client.unread, false), Some(refused(why)));
    }
}

#[tokio::test]
async fn idle_connections_are_closed_without_a_word() {
    let server = start_with(Limits { idle_timeout: short(), ..Limits::default() }, None).await;
    server.connect().await.closed().await;
    let mut used = server.connect().await;
    assert_eq!(used.ask("GET / HTTP/1.1\r\n\r\n").await.status, 200);
    used.closed().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let server = start_with(Limits { write_timeout: short(), ..Limits::default() }, None).await;
    let mut client = server.connect().await;
    let request = format!("POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n{}", "b".repeat(200_000));
    // Answers pile up until no buffer takes more; then the server gives up and the client's writes fail.
    let gone = async { while client.io.write_all(request.as_bytes()).await.is_ok() {} };
    timeout(PATIENCE, gone).await.expect("dropped");
}

#[tokio::test]
async fn a_panic_is_answered_and_counted() {
    let server = start().await;
    for _ in 0..2 {
        server.refuses("GET /panic HTTP/1.1\r\n\r\n", HttpFailure::InternalPanic).await;
    }
    assert_eq!(server.stats.panics.get(), 2);
    assert_eq!(server.connect().await.ask("GET / HTTP/1.1\r\n\r\n").await.status, 200);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_so() {
    let server = start_with(Limits { connections_max: 1, ..Limits::default() }, None).await;
    let mut first = server.connect().await;
    assert_eq!(first.ask("GET /known HTTP/1.1\r\n\r\n").await.status, 200);
    for _ in 0..3 {
        server.refuses("GET / HTTP/1.1\r\n\r\n", HttpFailure::TooManyConnections).await;
    }
    assert_eq!(first.ask("GET / HTTP/1.1\r\n\r\n").await.status, 200);
    drop(first);
    let next = async { while server.connect().await.ask("GET / HTTP/1.1\r\n\r\n").await.status != 200 {} };
    timeout(PATIENCE, next).await.expect("the place is free again");
}
