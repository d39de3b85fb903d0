//! Any bytes in any pieces over an in-memory connection: no panic, always an end, one answer per request.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::Shared;
use super::super::connection::Connection;
use super::super::frame::{Framed, next};
use super::super::peers::{Network, Peers};
use super::super::serve::Stop;
use super::*;

/// Pieces that requests are made of, whole and broken.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = select(vec![
        "GET / HTTP/1.1\r\n\r\n",
        "GET /?a=b HTTP/1.1\r\nHost: http://x\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET /panic HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\n",
        "Content-Length: 2\r\n",
        "Connection: close\r\n",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        "a",
        "\r\n",
        "\n",
    ]);
    prop_oneof![9 => known.prop_map(|text| text.as_bytes().to_vec()), 1 => vec(any::<u8>(), 0..40)]
}

/// A stream that is often HTTP for a while.
pub(super) fn stream() -> impl Strategy<Value = Vec<u8>> {
    vec(piece(), 0..12).prop_map(|pieces| pieces.concat())
}

/// Statuses that a client must see, by the framing function alone.
fn expected(mut input: &[u8]) -> Vec<u16> {
    let mut statuses = Vec::new();
    loop {
        match next(input, &Limits::default()) {
            Ok(Framed::Complete { head, consumed, .. }) => {
                let panics = head.path == "/panic";
                statuses.push(if panics { 500 } else { 200 });
                if panics || !head.framing.keep_alive {
                    return statuses;
                }
                input = &input[consumed..];
            }
            Ok(Framed::Partial) => {
                // The client stops here; only empty lines are no beginning of a request.
                let blank = input.chunks(2).all(|pair| pair == b"\r\n");
                statuses.extend((!blank).then_some(HttpFailure::BadRequest.status()));
                return statuses;
            }
            Err(why) => {
                statuses.push(why.status());
                return statuses;
            }
        }
    }
}

/// Sends `input` in pieces of the given sizes through a pipe of `width` bytes and returns what comes back.
fn exchange(input: &[u8], sizes: &[usize], width: usize) -> Vec<u8> {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (client, server) = tokio::io::duplex(width);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let peers = Peers::new(&Limits::default(), Arc::default());
        let seat = peers.admit(Network::of(peer.ip()), false, std::time::Instant::now()).unwrap();
        let shared = Shared {
            service: Arc::new(Mirror::default()),
            limits: Limits::default(),
            costly: costly(),
            keep_alive: String::new(),
            proxies: Proxies::default(),
            stats: Arc::default(),
            peers,
            large: Arc::new(jomae_core::places::Places::new(1, 1)),
        };
        let (_stop, stopped) = watch::channel(false);
        let connection = Connection::new(server, &shared, peer, false, Stop::new(stopped), seat, Arc::default());
        let (mut read, mut write) = tokio::io::split(client);
        let send = async {
            let (mut rest, mut sizes) = (input, sizes.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                if write.write_all(piece).await.is_err() {
                    break;
                }
                rest = after;
                tokio::task::yield_now().await;
            }
            let _ = write.shutdown().await;
        };
        let receive = async {
            let mut received = Vec::new();
            read.read_to_end(&mut received).await.unwrap();
            received
        };
        timeout(PATIENCE, async { tokio::join!(connection.run(), send, receive).2 }).await.expect("ends")
    })
}

proptest! {
    #[test]
    fn every_request_gets_one_answer(
        input in stream(),
        sizes in vec(1usize..60, 1..8),
        width in 1usize..100,
    ) {
        let mut received = exchange(&input, &sizes, width);
        let mut seen = Vec::new();
        while let Some(answer) = take_answer(&mut received, false) {
            if answer.status != 100 {
                seen.push(answer.status);
            }
        }
        prop_assert_eq!(received.len(), 0);
        prop_assert_eq!(seen, expected(&input), "{}", input.escape_ascii());
    }

    #[test]
    fn noise_ends(input in vec(any::<u8>(), 0..2000), sizes in vec(1usize..500, 1..8)) {
        let mut received = exchange(&input, &sizes, 64);
        if !input.is_empty() {
            prop_assert!(take_answer(&mut received, false).is_some());
        }
        prop_assert_eq!(received.len(), 0);
    }
}
