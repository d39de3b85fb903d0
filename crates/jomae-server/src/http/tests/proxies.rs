//! Whom a trusted proxy stands for.

use jomae_api::wire::{Header, Request};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::proxy::{ProxyProtocol, Told, read};
use super::*;

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn behind(networks: &[&str], protocol: ProxyProtocol) -> Proxies {
    Proxies { trusted: networks.iter().map(|network| network.parse().unwrap()).collect(), protocol }
}

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    [V2, &[command, family], &u16::try_from(rest.len()).unwrap().to_be_bytes(), rest].concat()
}

fn header(bytes: usize, client: &str) -> Told {
    Told::Header { bytes, client: Some(client.parse().unwrap()) }
}

const V4: &[u8] = &[192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb];

#[test]
fn headers_of_both_versions() {
    let line = "PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n";
    assert_eq!(read(format!("{line}\x16\x03").as_bytes()), header(line.len(), "192.0.2.7:12345"));
    let line = "PROXY TCP6 2001:db8::7 ::1 12345 443\r\n";
    assert_eq!(read(line.as_bytes()), header(line.len(), "[2001:db8::7]:12345"));
    for unknown in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN a b 1 2\r\n"] {
        assert_eq!(read(unknown.as_bytes()), Told::Header { bytes: unknown.len(), client: None });
    }
    assert_eq!(read(&v2(0x21, 0x11, V4)), header(28, "192.0.2.7:12345"));
    let with_particulars = [V4, &[4, 0, 1, 9], &[0xee; 400]].concat();
    assert_eq!(read(&v2(0x21, 0x11, &with_particulars)), header(16 + 416, "192.0.2.7:12345"));
    let mut v6 = vec![0; 36];
    (v6[0], v6[1], v6[15], v6[33]) = (0x20, 0x01, 7, 80);
    assert_eq!(read(&v2(0x21, 0x21, &v6)), header(52, "[2001::7]:80"));
    // LOCAL, whatever else it says; an unspecified family; a UNIX socket.
    for (command, family, rest) in [(0x20, 0, 0), (0x20, 0x11, 3), (0x21, 0, 7), (0x21, 0x31, 216)] {
        let told = read(&v2(command, family, &vec![1; rest]));
        assert_eq!(told, Told::Header { bytes: 16 + rest, client: None }, "{command} {family} {rest}");
    }
}

#[test]
fn what_is_no_header_or_a_wrong_one() {
    for other in [&b"\x16\x03\x01"[..], b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1", b"PROXYING", b"\r\n\r\nGET"] {
        assert_eq!(read(other), Told::Nothing, "{}", other.escape_ascii());
    }
    let long = format!("PROXY TCP4 {}", "1".repeat(200));
    for wrong in [
        &b"PROXY TCP4 192.0.2.7 10.0.0.1 12345\r\n"[..],
        b"PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 1 99999\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n",
        b"PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n",
        b"PROXY \r\n",
        long.as_bytes(),
        &v2(0x21, 0x11, &V4[..5]),
        &v2(0x31, 0x11, V4),
        &v2(0x22, 0x11, V4),
        &v2(0x21, 0x77, V4),
        &v2(0x21, 0x11, &[1; 5000]),
    ] {
        assert_eq!(read(wrong), Told::Wrong, "{}", wrong.escape_ascii());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_told_apart_without_a_panic_and_for_good(
        start in prop_oneof![
            Just(b"PROXY TCP4 1.2.3.4 ".to_vec()),
            Just(v2(0x21, 0x11, V4)),
            Just([V2, b"\x21"].concat()),
            Just(Vec::new()),
        ],
        rest in vec(any::<u8>(), 0..150),
    ) {
        let input = [start, rest].concat();
        let whole = read(&input);
        if let Told::Header { bytes, .. } = whole {
            prop_assert!(bytes > 0 && bytes <= input.len());
            prop_assert_eq!(read(&input[..bytes]), whole);
        }
        // What was said of fewer bytes stays true.
        for end in 0..input.len() {
            let told = read(&input[..end]);
            prop_assert!(told == Told::Partial || told == whole, "{:?} {:?} {}", told, whole, end);
        }
    }
}

#[test]
fn the_rightmost_address_that_is_no_proxy() {
    let proxies = behind(&["10.0.0.0/8", "2001:db8::/32"], ProxyProtocol::Off);
    let told = |peer: &str, values: &[&str]| {
        let headers: Vec<Header<'_>> =
            values.iter().map(|value| Header { name: "X-Forwarded-For", value: value.as_bytes() }).collect();
        let request = Request { method: "GET", path: "/", query: "", headers: &headers, body: &[] };
        proxies.forwarded(&request, SocketAddr::new(peer.parse().unwrap(), 1)).ip().to_string()
    };
    for (peer, values, client) in [
        ("192.0.2.9", &["198.51.100.1"][..], "192.0.2.9"),
        ("10.0.0.1", &[], "10.0.0.1"),
        ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", &["6.6.6.6", "198.51.100.1", "10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", &["6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", &["6.6.6.6, "], "10.0.0.1"),
        ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
        ("2001:db8::1", &["[2001:dead::1]:80"], "2001:dead::1"),
        ("2001:db8::1", &["2001:dead::1 ,[2001:db8::2]"], "2001:dead::1"),
    ] {
        assert_eq!(told(peer, values), client, "{peer} {values:?}");
    }
}

const PEER: &str = "GET /peer HTTP/1.1\r\n";

#[tokio::test]
async fn a_header_is_believed_from_trusted_networks_only() {
    let line = "PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n";
    for (networks, protocol, sent, expected) in [
        (&["127.0.0.0/8"][..], ProxyProtocol::Required, line, Some("192.0.2.7")),
        (&["127.0.0.0/8"], ProxyProtocol::Optional, line, Some("192.0.2.7")),
        (&["127.0.0.0/8"], ProxyProtocol::Optional, "", Some("127.0.0.1")),
        (&["127.0.0.0/8"], ProxyProtocol::Required, "PROXY UNKNOWN\r\n", Some("127.0.0.1")),
        (&["127.0.0.0/8"], ProxyProtocol::Required, "", None),
        (&["127.0.0.0/8"], ProxyProtocol::Required, "PROXY TCP4 x\r\n", None),
        (&["10.0.0.0/8"], ProxyProtocol::Required, "", Some("127.0.0.1")),
    ] {
        let server = start_behind(behind(networks, protocol), Limits::default(), None).await;
        let mut client = server.connect().await;
        let request = format!("{sent}{PEER}\r\n");
        if let Some(ip) = expected {
            assert_eq!(client.ask(request).await, Seen::ok(ip));
            continue;
        }
        let _ = client.io.write_all(request.as_bytes()).await;
        let mut rest = Vec::new();
        // Closed, with a reset for what was not read.
        let _ = timeout(PATIENCE, client.io.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(rest, b"");
        assert_eq!(server.stats.proxy_failures.get(), 1);
    }
    for (networks, protocol) in [(&["10.0.0.0/8"][..], ProxyProtocol::Required), (&["127.0.0.0/8"], ProxyProtocol::Off)]
    {
        let server = start_behind(behind(networks, protocol), Limits::default(), None).await;
        server.refuses(format!("{line}{PEER}\r\n"), HttpFailure::UnsupportedVersion).await;
    }
}

#[tokio::test]
async fn a_header_may_come_in_pieces_and_not_for_ever() {
    let proxies = behind(&["127.0.0.1/32"], ProxyProtocol::Required);
    let server = start_behind(proxies.clone(), Limits::default(), None).await;
    let whole = [&v2(0x21, 0x11, &[V4, &[9; 700]].concat())[..], PEER.as_bytes(), b"\r\n"].concat();
    for size in [1, 5, 300] {
        let mut client = server.connect().await;
        for piece in whole.chunks(size) {
            client.send(piece).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.answer().await, Seen::ok("192.0.2.7"), "{size}");
    }
    let limits = Limits { handshake_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = start_behind(proxies, limits, None).await;
    let mut slow = server.connect().await;
    slow.send("PROXY TC").await;
    slow.closed().await;
}

#[tokio::test]
async fn forwarded_addresses_over_http() {
    let forwarded = format!("{PEER}X-Forwarded-For: 192.0.2.7\r\n\r\n");
    let server = start_behind(behind(&["127.0.0.1/32"], ProxyProtocol::Off), Limits::default(), None).await;
    let mut client = server.connect().await;
    assert_eq!(client.ask(&forwarded).await, Seen::ok("192.0.2.7"));
    assert_eq!(client.ask(format!("{PEER}\r\n")).await, Seen::ok("127.0.0.1"), "each request for itself");
    assert_eq!(start().await.connect().await.ask(&forwarded).await, Seen::ok("127.0.0.1"));
}
