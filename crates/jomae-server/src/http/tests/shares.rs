//! What a stranger may hold of the service, over real sockets.

use super::over_tls::{ask_http2, connect_http2, start_tls_with};
use super::*;

const BODY: usize = 200 * 1024;

fn unfinished(headers: &str) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\n{headers}Content-Length: {BODY}\r\n\r\n");
    [head.into_bytes(), vec![b'b'; BODY - 1]].concat()
}

/// A total whose part for the strangers of one network is 512 KiB.
fn tight() -> Limits {
    Limits { request_bytes_in_flight_max: 8 << 20, ..Limits::default() }
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn bodies_that_never_end_are_bounded_and_others_are_served() {
    let server = start_with(tight(), None).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut client = server.connect().await;
        client.send(unfinished("")).await;
        kept.push(client);
    }
    until("both are held", || server.stats.stranger_bytes() == 2 * (256 - 16) * 1024).await;
    server.refuses(unfinished(""), HttpFailure::TooManyBytes).await;
    // A small request needs nothing of it, and one that is vouched for counts among the known.
    assert_eq!(server.connect().await.ask("GET / HTTP/1.1\r\n\r\n").await.status, 200);
    let mut good = server.connect().await;
    good.send(unfinished("X-Good: 1\r\n")).await;
    until("it is held", || server.stats.request_bytes() > server.stats.stranger_bytes()).await;
    assert_eq!(good.ask("b").await.status, 200);
    for client in &mut kept {
        assert_eq!(client.ask("b").await.status, 200, "what was held is answered in the end");
    }
    drop(kept);
    drop(good);
    until("it is given back", || server.stats.request_bytes() == 0).await;
    assert_eq!(server.stats.malformed(HttpFailure::TooManyBytes).get(), 1);
}

#[tokio::test]
async fn chunks_count_as_well() {
    let server = start_with(tight(), None).await;
    let chunk = format!("10000\r\n{}\r\n", "c".repeat(0x10000));
    let mut kept = Vec::new();
    let mut refused_at = None;
    for n in 0..4 {
        let mut client = server.connect().await;
        client.send(format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(3))).await;
        if let Ok(seen) = timeout(Duration::from_millis(300), client.answer()).await {
            assert_eq!(seen, refused(HttpFailure::TooManyBytes));
            refused_at = Some(n);
            break;
        }
        kept.push(client);
    }
    assert!(matches!(refused_at, Some(1..=2)), "{refused_at:?}");
    drop(kept);
    until("it is given back", || server.stats.request_bytes() == 0).await;
}

#[tokio::test]
async fn a_known_caller_is_not_held_to_the_share_of_strangers() {
    let server = start_with(tight(), None).await;
    let mut kept = Vec::new();
    for _ in 0..6 {
        let mut client = server.connect().await;
        assert_eq!(client.ask("GET /known HTTP/1.1\r\n\r\n").await.status, 200);
        client.send(unfinished("")).await;
        kept.push(client);
    }
    until("all are held", || server.stats.request_bytes() == 6 * (256 - 16) * 1024).await;
    assert_eq!(server.stats.stranger_bytes(), 0);
}

#[tokio::test]
async fn streams_of_one_stranger_share_what_a_connection_may_hold() {
    let (server, ca) = start_tls_with(Limits::default()).await;
    let mut sender = connect_http2(&server, &ca).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (body, frames) = Stalled::new(100 * 1024);
        let request = http::Request::post("https://localhost/").body(body).unwrap();
        let response = sender.send_request(request);
        waiting.spawn(async move {
            let status = response.await.map(|response| response.status().as_u16());
            drop(frames);
            status
        });
    }
    let refused = async {
        for _ in 0..36 {
            assert_eq!(waiting.join_next().await.unwrap().unwrap().unwrap(), 503);
        }
    };
    timeout(PATIENCE, refused).await.expect("all but a few are refused");
    assert!(server.stats.stranger_bytes() <= 512 * 1024, "{}", server.stats.stranger_bytes());
    // Small requests on the same connection still go.
    let mut other = connect_http2(&server, &ca).await;
    assert_eq!(ask_http2(&mut other, "/a").await, 200);
    waiting.abort_all();
    drop(waiting);
    drop(sender);
    until("it is given back", || server.stats.request_bytes() == 0).await;
}

/// A body that begins and does not go on.
struct Stalled {
    first: Option<bytes::Bytes>,
    ended: tokio::sync::oneshot::Receiver<()>,
}

impl Stalled {
    fn new(bytes: usize) -> (Self, tokio::sync::oneshot::Sender<()>) {
        let (sender, ended) = tokio::sync::oneshot::channel();
        (Self { first: Some(vec![b'b'; bytes].into()), ended }, sender)
    }
}

impl hyper::body::Body for Stalled {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        if let Some(first) = self.first.take() {
            return std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(first))));
        }
        std::pin::Pin::new(&mut self.ended).poll(cx).map(|_| None)
    }
}

#[tokio::test]
async fn the_oldest_stranger_makes_room_and_known_callers_stay() {
    let server = start_with(Limits { connections_max: 2, ..Limits::default() }, None).await;
    let mut known = server.connect().await;
    assert_eq!(known.ask("GET /known HTTP/1.1\r\n\r\n").await.status, 200);
    let mut idle = server.connect().await;
    assert_eq!(idle.ask("GET / HTTP/1.1\r\n\r\n").await.status, 200);
    let mut newcomer = server.connect().await;
    assert_eq!(newcomer.ask("GET /known HTTP/1.1\r\n\r\n").await.status, 200);
    idle.closed().await;
    assert_eq!(known.ask("GET / HTTP/1.1\r\n\r\n").await.status, 200);
    server.refuses("GET / HTTP/1.1\r\n\r\n", HttpFailure::TooManyConnections).await;
    assert_eq!(server.stats.strangers_closed.get(), 1);
}

fn large(path: &str) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nContent-Length: {BODY}\r\n\r\n");
    [head.into_bytes(), vec![b'b'; BODY]].concat()
}

/// The thread that listens to all connections may be the one that gets the large request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_large_request_keeps_its_thread_others_are_heard() {
    let server = start().await;
    let mut busy = server.connect().await;
    busy.send(large("/busy")).await;
    timeout(PATIENCE, server.mirror.entered.notified()).await.unwrap();
    let answered = timeout(PATIENCE / 4, async { server.connect().await.ask("GET / HTTP/1.1\r\n\r\n").await }).await;
    server.mirror.free.store(true, Ordering::SeqCst);
    assert_eq!(answered.unwrap().status, 200);
    assert_eq!(busy.answer().await.status, 200);
}

/// What takes a request thread long is done a few at a time, and small requests do not wait for it.
#[tokio::test]
async fn large_requests_wait_for_each_other_and_small_ones_for_nobody() {
    let server = start().await;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    first.send(large("/slow")).await;
    timeout(PATIENCE, server.mirror.entered.notified()).await.unwrap();
    second.send(large("/")).await;
    assert!(timeout(Duration::from_millis(200), second.answer()).await.is_err(), "it waits");
    assert_eq!(server.connect().await.ask("GET / HTTP/1.1\r\n\r\n").await.status, 200);
    let mut gone = server.connect().await;
    gone.send(large("/")).await;
    drop(gone);
    server.mirror.release.notify_one();
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(second.answer().await.status, 200);
    second.send(large("/")).await;
    assert_eq!(second.answer().await.status, 200, "the place is free again");
}
