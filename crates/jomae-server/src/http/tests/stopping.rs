//! Stopping: nothing new, idle connections closed, requests under way finished.

use super::*;

#[tokio::test]
async fn requests_under_way_finish_and_idle_connections_close() {
    let server = start().await;
    let mut idle = server.connect().await;
    assert_eq!(idle.ask("GET / HTTP/1.1\r\n\r\n").await.status, 200);
    let mut silent = server.connect().await;
    let mut half = server.connect().await;
    half.send("GET / HTTP").await;
    let mut busy = server.connect().await;
    busy.send("GET /slow HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
    server.mirror.entered.notified().await;

    server.stop.send(true).unwrap();
    idle.closed().await;
    silent.closed().await;
    assert!(!server.ended.is_finished());
    server.mirror.release.notify_one();
    assert_eq!(busy.answer().await, Seen::ok("GET /slow||0|").closing());
    busy.closed().await;
    assert_eq!(half.ask("/1.1\r\n\r\n").await, Seen::ok("GET /||0|").closing());
    half.closed().await;
    drop((idle, silent, busy, half));

    timeout(PATIENCE, server.ended).await.unwrap().unwrap();
    assert_eq!(server.stats.connections_open.get(), 0);
    assert!(TcpStream::connect(server.address).await.is_err(), "no longer listening");
}

#[tokio::test]
async fn requests_that_take_too_long_are_cut_off() {
    let limits = Limits { drain_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = start_with(limits, None).await;
    let mut busy = server.connect().await;
    busy.send("GET /slow HTTP/1.1\r\n\r\n").await;
    server.mirror.entered.notified().await;
    drop(server.stop);
    timeout(PATIENCE, server.ended).await.unwrap().unwrap();
    assert_eq!(server.stats.connections_open.get(), 0);
}
