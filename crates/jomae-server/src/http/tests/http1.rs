//! Valid HTTP/1 requests of every shape.

use super::*;

#[tokio::test]
async fn requests_share_a_connection() {
    let server = start().await;
    let mut client = server.connect().await;
    let get = "GET /?a=%20b&c HTTP/1.1\r\nHost: x\r\nX-Acs: y\r\n\r\n";
    for _ in 0..3 {
        assert_eq!(client.ask(get).await, Seen::ok("GET /|a=%20b&c|2|"));
    }
    let post = "POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(client.ask(post).await, Seen::ok("POST /p||1|hello"));
    let empty = "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(client.ask(empty).await, Seen::ok("POST /||1|"));
    let last = "GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n";
    assert_eq!(client.ask(last).await, Seen::ok("GET /||1|").closing());
    client.closed().await;
    assert_eq!(server.stats.requests.get(), 6);
    assert_eq!(server.stats.connections_total.get(), 1);
    let sent = 3 * get.len() + post.len() + empty.len() + last.len();
    assert_eq!(server.stats.bytes_in.get(), sent as u64);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start().await;
    let mut client = server.connect().await;
    let mut all = String::new();
    for n in 0..100 {
        let line = format!("POST /{n} HTTP/1.1\r\n");
        let chunks = "Transfer-Encoding: chunked\r\n\r\n1\r\nc\r\n1\r\nd\r\n0\r\n\r\n\r\n";
        all += &[&line, "Content-Length: 2\r\n\r\nab", &line, chunks].concat();
    }
    client.send(all).await;
    for n in 0..100 {
        assert_eq!(client.answer().await, Seen::ok(&format!("POST /{n}||1|ab")));
        assert_eq!(client.answer().await, Seen::ok(&format!("POST /{n}||1|cd")));
    }
}

#[tokio::test]
async fn bytes_may_come_one_at_a_time() {
    let server = start().await;
    let mut client = server.connect().await;
    client.io.set_nodelay(true).unwrap();
    let request = "\r\nPOST /p?q HTTP/1.1\r\nA: b\r\nTransfer-Encoding: Chunked\r\n\r\n\
                   3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";
    for _ in 0..2 {
        for byte in request.bytes() {
            client.send([byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.answer().await, Seen::ok("POST /p|q|2|abc0123456789"));
    }
}

#[tokio::test]
async fn http_1_0_closes_unless_asked_not_to() {
    let server = start().await;
    let mut client = server.connect().await;
    let kept = client.ask("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").await;
    assert_eq!(kept.connection.as_deref(), Some("keep-alive"));
    assert_eq!(client.ask("GET / HTTP/1.0\r\n\r\n").await, Seen::ok("GET /||0|").closing());
    client.closed().await;
}

#[tokio::test]
async fn an_answer_to_head_has_no_body() {
    let server = start().await;
    let mut client = server.connect().await;
    client.send("HEAD /x HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.answer_to(true).await, Seen::ok(""));
    assert_eq!(client.answer().await, Seen::ok("GET /||0|"));
}

#[tokio::test]
async fn targets_come_in_several_forms() {
    let server = start().await;
    let mut client = server.connect().await;
    for (target, seen) in [
        ("http://kms.example.com/a/b?c=d?e", "GET /a/b|c=d?e|0|"),
        ("HTTPS://[::1]:8443", "GET /||0|"),
        ("http://h?x=1", "GET /|x=1|0|"),
        ("*", "GET *||0|"),
        ("/?", "GET /||0|"),
        ("//double//", "GET //double//||0|"),
        ("/\u{e9}", "GET /\u{e9}||0|"),
    ] {
        assert_eq!(client.ask(format!("GET {target} HTTP/1.1\r\n\r\n")).await, Seen::ok(seen), "{target}");
    }
}

#[tokio::test]
async fn the_host_may_be_anything() {
    let server = start().await;
    let mut client = server.connect().await;
    for host in ["http://127.0.0.1:8080", "a b", ""] {
        assert_eq!(client.ask(format!("GET /host HTTP/1.1\r\nHost: {host}\r\n\r\n")).await, Seen::ok(host));
    }
    assert_eq!(client.ask("GET /host HTTP/1.1\r\n\r\n").await, Seen::ok("none"));
}

#[tokio::test]
async fn a_client_that_waits_is_told_to_continue() {
    let server = start().await;
    let mut client = server.connect().await;
    let head = "POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n";
    for _ in 0..2 {
        assert_eq!(client.ask(head).await.status, 100);
        assert_eq!(client.ask("abc").await, Seen::ok("POST /||2|abc"));
    }
    let chunked = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(client.ask(chunked).await.status, 100);
    assert_eq!(client.ask("0\r\n\r\n").await, Seen::ok("POST /||2|"));
    // Nobody waits: the body is there, empty, or the client speaks HTTP/1.0.
    assert_eq!(client.ask(format!("{head}abc")).await, Seen::ok("POST /||2|abc"));
    assert_eq!(client.ask("GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n").await, Seen::ok("GET /||1|"));
    client.send("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await;
    assert_eq!(client.ask("abc").await.status, 200);
}

#[tokio::test]
async fn the_largest_request_passes_and_its_memory_is_reused() {
    let limits = Limits::default();
    let server = start().await;
    let mut client = server.connect().await;
    let query = "q".repeat(limits.request_line_bytes_max - "POST /? HTTP/1.1".len());
    let body = "b".repeat(limits.body_bytes_max);
    let fixed = format!("Content-Length: {}\r\n", body.len());
    // The empty line counts among the header fields.
    let filler = limits.header_bytes_max - 2 - fixed.len() - "A: \r\n".len();
    let request = format!("POST /?{query} HTTP/1.1\r\n{fixed}A: {}\r\n\r\n{body}", "a".repeat(filler));
    for _ in 0..2 {
        let seen = client.ask(&request).await;
        assert_eq!(seen, Seen::ok(&format!("POST /|{query}|2|{body}")));
        assert_eq!(client.ask("GET / HTTP/1.1\r\n\r\n").await, Seen::ok("GET /||0|"));
    }
    let hundred = "H: v\r\n".repeat(limits.headers_max);
    assert_eq!(client.ask(format!("GET / HTTP/1.1\r\n{hundred}\r\n")).await, Seen::ok("GET /||100|"));
}

#[tokio::test]
async fn a_client_may_close_its_sending_side_and_read() {
    let server = start().await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    client.io.shutdown().await.unwrap();
    assert_eq!(client.answer().await, Seen::ok("GET /||0|"));
    client.closed().await;
}

#[tokio::test]
async fn the_service_may_close() {
    let server = start().await;
    let mut client = server.connect().await;
    assert_eq!(client.ask("GET /close HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n").await, Seen::ok("").closing());
    client.closed().await;
    assert_eq!(server.stats.requests.get(), 1);
}
