//! Bytes that are too many, too slow, or no request at all: every one of them gets an answer of the API's form, and
//! none of them costs the server more than its bounds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

use std::{
    fs,
    net::TcpStream,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use jomae_tests::{
    Server, Site,
    calls::{ask, create_key},
    random,
    wire::{Wire, signed},
};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);
const QUICK: &str = "[server]\nhead_timeout_secs = 1\nbody_timeout_secs = 1\nidle_timeout_secs = 60\n";

/// Sends it, and checks status and Code of the answer, and that the connection is closed after it.
#[track_caller]
fn refuses(mut wire: Wire, bytes: impl AsRef<[u8]>, status: u16, code: &str) {
    // The server may answer and close before it has taken everything.
    let _ = wire.try_send(bytes);
    let answer = wire.answer();
    assert_eq!((answer.status, answer.code().as_str()), (status, code));
    assert!(wire.is_closed());
}

#[test]
fn slow_clients_are_told_and_cut_off() {
    let site = Site::default();
    let server = site.launch().config(QUICK).start();
    let many: Vec<_> = (0..20)
        .map(|n| {
            let mut wire = Wire::tls(&server);
            std::thread::spawn(move || {
                // Half of them fall silent after a byte, half go on beyond the end of their time.
                let bytes = if n % 2 == 0 { 1 } else { 30 };
                let head = "GET /?Action=ListKeys HTTP/1.1\r\nHost: h\r\n";
                for byte in head.bytes().take(bytes) {
                    std::thread::sleep(Duration::from_millis(50));
                    if wire.try_send([byte]).is_err() {
                        break;
                    }
                }
                let answer = wire.answer();
                assert_eq!((answer.status, answer.code().as_str()), (408, "RequestTimeout"));
                assert!(wire.is_closed());
            })
        })
        .collect();
    for client in many {
        client.join().unwrap();
    }
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n";
    refuses(Wire::tls(&server), format!("{head}half of it"), 408, "RequestTimeout");
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    refuses(Wire::tls(&server), format!("{head}5\r\nhe"), 408, "RequestTimeout");
    still_serves(&server);
}

#[track_caller]
fn still_serves(server: &Server) {
    let host = server.listening.to_string();
    assert_eq!(Wire::tls(server).ask(signed(server, &host, "ListKeys", &[])).status, 200);
}

#[test]
fn requests_that_are_too_large() {
    let site = Site::default();
    let server = site.start();
    let wire = || Wire::tls(&server);
    let code = "RequestTooLarge";
    let line = "q".repeat(200 * 1024);
    refuses(wire(), format!("GET /?{line} HTTP/1.1\r\n\r\n"), 413, code);
    refuses(wire(), format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(70 * 1024)), 413, code);
    refuses(wire(), format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(101)), 413, code);
    let body = vec![b'b'; 300 * 1024];
    for head in ["Content-Length: 307200", "Content-Length: 307200\r\nExpect: 100-continue"] {
        refuses(wire(), [format!("POST / HTTP/1.1\r\n{head}\r\n\r\n").as_bytes(), &body].concat(), 413, code);
    }
    let huge = "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n";
    refuses(wire(), huge, 413, code);
    let chunk = format!("20000\r\n{}\r\n", "c".repeat(0x20000)).repeat(3);
    refuses(wire(), format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"), 413, code);

    // As much as SDKs send is taken: the signature is looked at.
    let most = format!("GET /?AccessKeyId=a&Policy={} HTTP/1.1\r\nHost: h\r\n\r\n", "p".repeat(128 * 1024 - 60));
    let answer = wire().ask(most);
    assert_ne!(answer.status, 413);
    assert!((400..500).contains(&answer.status));
    answer.code();
    still_serves(&server);
}

#[test]
fn a_query_of_128_kib_is_read_to_its_signature() {
    let site = Site::default();
    let server = site.start();
    let filler = "p".repeat(127 * 1024);
    let query = format!(
        "AccessKeyId={}&Action=ListKeys&Version=2016-01-20&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&\
         SignatureNonce={}&Timestamp=2000-01-01T00%3A00%3A00Z&Signature=AAAA&Filler={filler}",
        server.setting("ALIBABA_CLOUD_ACCESS_KEY_ID"),
        random::word(20),
    );
    let answer = Wire::tls(&server).ask(format!("GET /?{query} HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidTimeStamp.Expired"));
}

#[test]
fn what_is_no_request_gets_an_answer_all_the_same() {
    let site = Site::default();
    let server = site.start();
    let wire = || Wire::tls(&server);
    let unreadable = "ParseRequestParameterException";
    for bytes in [
        &b"hello\r\n\r\n"[..],
        b"\x00\x01\x02\x03",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\n\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nExpect: wonders\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        refuses(wire(), bytes, 400, unreadable);
    }
    for _ in 0..20 {
        let mut garbage = random::bytes(2000);
        // Not the start of an empty line, which may precede a request.
        garbage[0] = 0x80;
        refuses(wire(), garbage, 400, unreadable);
    }
    // Requests that are whole, but none of ours: the connection goes on.
    let mut open = wire();
    for (bytes, status, code) in [
        ("GET / HTTP/1.1\r\n\r\n", 400, "MissingParameter"),
        ("GET /path HTTP/1.1\r\n\r\n", 404, "InvalidAction.NotFound"),
        ("PUT / HTTP/1.1\r\n\r\n", 403, "UnsupportedHTTPMethod"),
        ("DELETE /?Action=ListKeys HTTP/1.1\r\n\r\n", 403, "UnsupportedHTTPMethod"),
        ("GET /?a=%zz HTTP/1.1\r\n\r\n", 400, unreadable),
        ("GET /?a=%ff HTTP/1.1\r\n\r\n", 400, unreadable),
    ] {
        let answer = open.ask(bytes);
        assert!((400..500).contains(&answer.status), "{bytes:?}");
        let found = answer.code();
        if code != "MissingParameter" {
            assert_eq!((answer.status, found.as_str()), (status, code), "{bytes:?}");
        }
    }
    still_serves(&server);
    let metrics = server.page("/metrics").unwrap().1;
    assert!(metrics.contains("jomae_panics_total 0"), "{metrics}");
    assert!(metrics.contains("jomae_http_malformed_total{kind=\"bad_request\"}"), "{metrics}");
}

#[test]
fn plain_http_on_the_tls_port() {
    let site = Site::default();
    let server = site.start();
    for bytes in ["GET / HTTP/1.1\r\nHost: h\r\n\r\n", "POST /?Action=Encrypt HTTP/1.1\r\n\r\n", "anything"] {
        refuses(Wire::plain(&server), bytes, 400, "InvalidProtocol.NeedSsl");
    }
    still_serves(&server);
}

/// Resident memory of the server in bytes.
fn memory(server: &Server) -> u64 {
    let status = server.proc("status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_cost_little() {
    const CONNECTIONS: usize = 2000;
    // Of tokio's state, TLS session and buffers; generous, but no multiple of a request's largest size.
    const EACH_BYTES_MAX: u64 = 64 * 1024;
    allow_files(CONNECTIONS as u64 + 500);
    let site = Site::default();
    let server = site.start();
    let client = server.client();
    let key = create_key(&client, "k").await;
    let host = server.listening.to_string();
    let before = memory(&server);
    let mut idle = Vec::new();
    for n in 0..CONNECTIONS {
        match n % 4 {
            // Nothing sent at all; half a head over TLS; a request answered; TLS only.
            0 => idle.push(Wire::plain(&server)),
            1 => {
                let mut wire = Wire::tls(&server);
                wire.send("GET / HTTP/1.1\r\nHost: half");
                idle.push(wire);
            }
            2 => {
                let mut wire = Wire::tls(&server);
                assert_eq!(wire.ask(signed(&server, &host, "DescribeKey", &[("KeyId", &key)])).status, 200);
                idle.push(wire);
            }
            _ => {
                let mut wire = Wire::tls(&server);
                wire.send("");
                idle.push(wire);
            }
        }
    }
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < CONNECTIONS as u64 * EACH_BYTES_MAX, "{} KiB each", grown / 1024 / CONNECTIONS as u64);
    // Meanwhile others are served.
    ask(&client, "DescribeKey", &[("KeyId", &key)]).await;
    still_serves(&server);
}

#[test]
fn connections_beyond_the_limit_are_told_so() {
    let site = Site::default();
    let server = site.launch().config("[server]\nconnections_max = 3\n").start();
    let host = server.listening.to_string();
    let mut open: Vec<Wire> = (0..3).map(|_| Wire::tls(&server)).collect();
    for wire in &mut open {
        // Of strangers the oldest would have to go.
        assert_eq!(wire.ask(signed(&server, &host, "ListKeys", &[])).status, 200);
    }
    refuses(Wire::tls(&server), "GET / HTTP/1.1\r\n\r\n", 503, "ServiceUnavailableTemporary");
    assert_eq!(server.page("/readyz").unwrap().0, 200, "the admin listener is not in the count");
    drop(open);
    // Their places are free as soon as the server has seen them go.
    while server
        .page("/metrics")
        .unwrap()
        .1
        .lines()
        .any(|line| line.strip_prefix("jomae_http_connections_open ").is_some_and(|open| open != "0"))
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    still_serves(&server);
}

#[test]
fn many_connections_that_do_nothing_but_connect() {
    let site = Site::default();
    let server = site.start();
    for _ in 0..300 {
        drop(TcpStream::connect(server.listening).unwrap());
    }
    still_serves(&server);
}

/// Lets this process have so many files open.
fn allow_files(count: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum: limit.maximum }).expect("enough files");
    }
}

/// Names and scheduling policies (proc(5), `stat`, field 41) of all threads.
fn threads(server: &Server) -> Vec<(String, u32)> {
    let dir = format!("/proc/{}/task", server.pid().as_raw_nonzero());
    // One that has ended meanwhile has no file any more.
    let stats = fs::read_dir(dir).unwrap().flat_map(|thread| fs::read_to_string(thread.unwrap().path().join("stat")));
    stats
        .map(|stat| {
            let (head, rest) = stat.rsplit_once(')').unwrap();
            let name = head.split_once('(').unwrap().1.to_owned();
            (name, rest.split_ascii_whitespace().nth(38).unwrap().parse().unwrap())
        })
        .collect()
}

/// The system permits it to us if it permits it to `chrt`.
#[test]
fn request_threads_go_first_where_that_is_permitted_and_wanted() {
    const REAL_TIME: u32 = 2;
    let permitted = Command::new("chrt").args(["--rr", "1", "true"]).output().expect("chrt").status.success();
    let site = Site::default();
    for wanted in [true, false] {
        let config = format!("[server]\nworker_threads = 3\nreal_time = {wanted}\n");
        let server = site.launch().config(&config).start();
        // It does some work that blocks, on threads that the runtime starts for it.
        still_serves(&server);
        let real_time =
            || threads(&server).into_iter().filter(|(_, policy)| *policy == REAL_TIME).map(|(name, _)| name);
        let expected = if permitted && wanted { 3 } else { 0 };
        // They may have been busy with the start, and stand back for a while.
        let began = Instant::now();
        while real_time().count() < expected && began.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(real_time().collect::<Vec<_>>(), vec!["tokio-rt-worker"; expected], "of {:?}", threads(&server));
        assert_eq!(threads(&server).iter().filter(|(name, _)| name == "costly").count(), 2);
    }
}
