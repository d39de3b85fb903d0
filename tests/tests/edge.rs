//! What strangers may hold of the running service: memory, descriptors, places; and whom a proxy stands for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use jomae_tests::{
    Server, Site,
    calls::{ask, create_key},
    wire::{Wire, signed, with_header},
};

/// Resident memory of the server in bytes.
fn memory(server: &Server) -> u64 {
    let status = server.proc("status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// A number from the metrics.
fn metric(server: &Server, name: &str) -> u64 {
    let text = server.page("/metrics").unwrap().1;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect(name);
    value.parse().unwrap()
}

#[track_caller]
fn serves(server: &Server) {
    let host = server.listening.to_string();
    assert_eq!(Wire::tls(server).ask(signed(server, &host, "ListKeys", &[])).status, 200);
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_mins(1), "it takes too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn bodies_that_never_end_cost_a_bounded_amount() {
    const CLIENTS: usize = 300;
    const BODY: usize = 255 * 1024;
    // What strangers of a network that is known may hold in all, each connection's own buffers, and as much again for
    // what the allocator keeps.
    const MOST: u64 = 2 * ((32 << 20) + CLIENTS as u64 * (64 << 10));
    let site = Site::default();
    let server = site.launch().config("[server]\nbody_timeout_secs = 60\n").start();
    serves(&server);
    let before = memory(&server);
    let request = [format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", BODY + 1).into_bytes(), vec![b'b'; BODY]];
    let request = request.concat();
    let mut kept = Vec::new();
    for _ in 0..CLIENTS {
        let mut wire = Wire::tls(&server);
        let _ = wire.try_send(&request);
        kept.push(wire);
    }
    let held = metric(&server, "jomae_http_stranger_bytes");
    assert!(held > 8 << 20 && held <= 32 << 20, "{held}");
    assert!(metric(&server, "jomae_http_malformed_total{kind=\"too_many_bytes\"}") > 0);
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < MOST, "{} MiB", grown >> 20);
    serves(&server);
    drop(kept);
    wait_until(|| metric(&server, "jomae_http_request_bytes") == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_leave_descriptors_for_the_log() {
    let site = Site::default();
    let config = "[audit]\nsegment_bytes_max = 1048576\n";
    let server = site.launch().after("ulimit -n 600").config(config).start();
    assert_eq!(metric(&server, "jomae_http_connections_max"), 600 - 320);
    assert!(server.stderr().contains("fewer connections than server.connections_max"), "{}", server.stderr());
    let client = server.client();
    let key = create_key(&client, "k").await;
    let idle: Vec<TcpStream> = (0..500).map(|_| TcpStream::connect(server.listening).unwrap()).collect();
    // Enough for the next file of the log, while strangers want every descriptor.
    let description = "d".repeat(8000);
    for _ in 0..140 {
        ask(&client, "UpdateKeyDescription", &[("KeyId", &key), ("Description", &description)]).await;
    }
    let files = std::fs::read_dir(server.data.join("audit")).unwrap();
    let segments = files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().contains(".jsonl"));
    assert!(segments.count() >= 2, "the log has not come to its next file");
    serves(&server);
    assert!(!server.stderr().contains("cannot accept"), "{}", server.stderr());
    assert!(std::fs::read_dir(format!("/proc/{}/fd", server.pid().as_raw_nonzero())).unwrap().count() < 600);
    assert!(metric(&server, "jomae_http_strangers_closed_total") > 0);
    drop(idle);
}

#[test]
fn the_soft_limit_of_descriptors_is_raised() {
    let site = Site::default();
    let server = site.launch().after("ulimit -S -n 256; ulimit -H -n 4000").start();
    assert_eq!(metric(&server, "jomae_http_connections_max"), 4000 - 320);
    let limits = server.proc("limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().nth(3), Some("4000"), "{line}");
}

#[test]
fn a_proxy_tells_whom_it_stands_for() {
    let site = Site::default();
    let config = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\nproxy_protocol = \"optional\"\n";
    let server = site.launch().config(config).start();
    let host = server.listening.to_string();
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    v2.extend_from_slice(&[198, 51, 100, 2, 10, 0, 0, 1, 0x30, 0x39, 1, 0xbb]);
    for (start, client) in
        [(&b"PROXY TCP4 198.51.100.1 10.0.0.1 12345 443\r\n"[..], "198.51.100.1"), (&v2, "198.51.100.2")]
    {
        let mut wire = Wire::tls_after(&server, start);
        let request = with_header(&signed(&server, &host, "ListKeys", &[]), "X-Forwarded-For: 198.51.100.9");
        assert_eq!(wire.ask(request).status, 200);
        // A client is no proxy: what it says of itself is not believed.
        assert_eq!(server.audit().last().unwrap()["sourceIpAddress"], client);
    }
    let request = with_header(&signed(&server, &host, "ListKeys", &[]), "X-Forwarded-For: 6.6.6.6, 198.51.100.3");
    assert_eq!(Wire::tls(&server).ask(request).status, 200);
    assert_eq!(server.audit().last().unwrap()["sourceIpAddress"], "198.51.100.3");
    let mut wrong = TcpStream::connect(server.listening).unwrap();
    wrong.write_all(b"PROXY TCP4 nobody\r\n").unwrap();
    // Closed, with a reset for the bytes that nobody has read.
    assert!(matches!(wrong.read(&mut [0]), Ok(0) | Err(_)));
    assert_eq!(metric(&server, "jomae_proxy_failures_total"), 1);
}

#[test]
fn without_the_setting_nobody_is_believed() {
    let site = Site::default();
    let server = site.start();
    let host = server.listening.to_string();
    let request = with_header(&signed(&server, &host, "ListKeys", &[]), "X-Forwarded-For: 198.51.100.3");
    assert_eq!(Wire::tls(&server).ask(request).status, 200);
    assert_eq!(server.audit().last().unwrap()["sourceIpAddress"], "127.0.0.1");
    let mut wire = Wire::plain(&server);
    assert_eq!(wire.ask("PROXY TCP4 198.51.100.1 10.0.0.1 12345 443\r\n").code(), "InvalidProtocol.NeedSsl");
}
