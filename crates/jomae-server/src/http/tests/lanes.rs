//! Which threads carry calls.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::SendRequest;
use jomae_core::lane::QUICK_CALLS;

use super::over_tls::{connect_http2, start_tls_with};
use super::*;

const COSTLY: &str = "costly";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n\r\n")
}

#[tokio::test]
async fn a_connection_is_carried_elsewhere_while_its_calls_are_costly() {
    let server = start().await;
    let mut client = server.connect().await;
    let at_first = client.ask(get("/thread")).await.body;
    assert_ne!(at_first, COSTLY);
    assert_eq!(client.ask(get("/costly")).await.body, COSTLY, "moved before it goes on");
    for _ in 0..QUICK_CALLS {
        assert_eq!(client.ask(get("/thread")).await.body, COSTLY);
    }
    // It goes back when it waits, and the next call may be there before it does.
    let mut asked = 0;
    while client.ask(get("/thread")).await.body != at_first {
        asked += 1;
        assert!(asked < 100, "it stays elsewhere");
    }
    assert_eq!(client.ask(get("/costly")).await.body, COSTLY);
    assert_eq!(server.connect().await.ask(get("/thread")).await.body, at_first, "another connection");
}

#[tokio::test]
async fn a_large_request_is_carried_elsewhere() {
    let server = start().await;
    let mut client = server.connect().await;
    let body = vec![b'b'; 40 * 1024];
    let head = format!("POST /thread HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
    assert_eq!(client.ask([head.into_bytes(), body].concat()).await.body, COSTLY);
}

#[tokio::test]
async fn what_panics_elsewhere_is_answered_as_here() {
    let server = start().await;
    let seen = server.connect().await.ask(get("/costly/panic")).await;
    assert_eq!(seen, refused(HttpFailure::InternalPanic));
    assert_eq!(server.stats.panics.get(), 1);
    assert_eq!(server.connect().await.ask(get("/costly")).await.body, COSTLY);
}

async fn ask(sender: &mut SendRequest<Empty<Bytes>>, path: &str) -> String {
    let request = http::Request::get(format!("https://localhost{path}")).body(Empty::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn an_exchange_of_http2_is_carried_elsewhere_alone_and_ends_there() {
    let (server, ca) = start_tls_with(Limits::default()).await;
    let mut sender = connect_http2(&server, &ca).await;
    assert_eq!(ask(&mut sender, "/costly").await, COSTLY);
    assert_ne!(ask(&mut sender, "/thread").await, COSTLY);
    // Given up with its stream, wherever it is.
    let request = http::Request::get("https://localhost/costly/slow").body(Empty::new()).unwrap();
    let waits = tokio::spawn(sender.send_request(request));
    timeout(PATIENCE, server.mirror.entered.notified()).await.unwrap();
    waits.abort();
    timeout(PATIENCE, server.mirror.over.notified()).await.unwrap();
    assert_eq!(server.mirror.answered.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_stop_waits_for_what_is_carried_elsewhere() {
    let server = start().await;
    let mut client = server.connect().await;
    client.send(get("/costly/slow")).await;
    timeout(PATIENCE, server.mirror.entered.notified()).await.unwrap();
    server.stop.send(true).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!server.ended.is_finished());
    server.mirror.release.notify_one();
    assert_eq!(client.answer().await.status, 200);
    timeout(PATIENCE, server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stop_that_has_waited_long_enough_ends_what_is_carried_elsewhere() {
    let server = start_with(Limits { drain_timeout: Duration::from_millis(100), ..Limits::default() }, None).await;
    let mut client = server.connect().await;
    client.send(get("/costly/slow")).await;
    timeout(PATIENCE, server.mirror.entered.notified()).await.unwrap();
    server.stop.send(true).unwrap();
    timeout(PATIENCE, server.ended).await.unwrap().unwrap();
    assert_eq!(server.stats.connections_open.get(), 0, "gone before the end is told");
    timeout(PATIENCE, server.mirror.over.notified()).await.unwrap();
    assert_eq!(server.mirror.answered.load(Ordering::SeqCst), 0);
}
