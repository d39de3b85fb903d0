//! The admin listener: health, readiness, metrics. No keys, no credentials, not for the public network.
//!
//! Nobody proves who he is here, so connections are few and short: a newcomer beyond the limit takes the slot of the one
//! that has been idle longest, and a connection ends some time after its last request, whatever it waits for.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use jomae_core::service::Service;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
};

use crate::{
    metrics::Metrics,
    slots::{Slot, Slots},
};

/// Pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Sizes, counts and times of the admin listener.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Connections open at once.
    connections_max: usize,
    /// Time for a request's head to arrive, from the opening of the connection or the answer before.
    head_timeout: Duration,
    /// Time from a request's arrival until its answer has been taken and the next request has arrived.
    exchange_timeout: Duration,
    /// Longest head in bytes; hyper takes 8192 at least.
    head_bytes_max: usize,
    /// Most header fields.
    headers_max: usize,
}

const LIMITS: Limits = Limits {
    connections_max: 64,
    head_timeout: Duration::from_secs(20),
    exchange_timeout: Duration::from_secs(30),
    head_bytes_max: 16 * 1024,
    headers_max: 64,
};

/// What the admin listener tells of.
pub(crate) struct Admin {
    pub(crate) service: Arc<Service>,
    pub(crate) metrics: Arc<Metrics>,
}

/// Answers until the stop is asked for.
pub(crate) async fn serve(listener: TcpListener, admin: Arc<Admin>, shutdown: watch::Receiver<bool>) {
    serve_within(LIMITS, listener, Arc::new(move |method: &Method, path: &str| admin.answer(method, path)), shutdown)
        .await;
}

async fn serve_within<F>(limits: Limits, listener: TcpListener, answer: Arc<F>, mut shutdown: watch::Receiver<bool>)
where
    F: Fn(&Method, &str) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    let slots = Arc::new(Slots::default());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|stop| *stop) => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (slot, evicted) = slots.take(limits.connections_max);
        tokio::spawn(connection(stream, limits, Arc::clone(&answer), slot, evicted));
    }
}

async fn connection<F>(stream: TcpStream, limits: Limits, answer: Arc<F>, slot: Slot, evicted: oneshot::Receiver<()>)
where
    F: Fn(&Method, &str) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    let slot = Arc::new(slot);
    let used = Arc::clone(&slot);
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        used.touch();
        let answer = answer(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes_max)
        .max_headers(limits.headers_max)
        .serve_connection(TokioIo::new(stream), service);
    // A client that goes away is none of our business.
    tokio::select! {
        _ = served => {}
        _ = evicted => {}
        () = slot.unused_for(limits.exchange_timeout) => {}
    }
}

impl Admin {
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        route(method, path, || self.readiness(), || self.metrics.text())
    }

    fn readiness(&self) -> Result<(), String> {
        let vault = &self.service.kms.vault;
        vault.store().get("sys/ready").map_err(|error| error.to_string())?;
        vault.store().health().map_err(|error| error.to_string())?;
        vault.cluster().map_or(Ok(()), |cluster| cluster.serving().map_err(|why| why.to_string()))?;
        if self.service.audit.is_writable() { Ok(()) } else { Err("the audit log cannot be written".to_owned()) }
    }
}

/// The answer to a request. Of an answer to HEAD only the head is sent, which is hyper's part.
fn route(
    method: &Method,
    path: &str,
    ready: impl FnOnce() -> Result<(), String>,
    metrics: impl FnOnce() -> String,
) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".into());
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match path {
        "/healthz" => text(StatusCode::OK, "ok\n".into()),
        "/readyz" => match ready() {
            Ok(()) => text(StatusCode::OK, "ready\n".into()),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        "/metrics" => text(StatusCode::OK, metrics()),
        _ => text(StatusCode::NOT_FOUND, "/healthz, /readyz or /metrics\n".into()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Far longer than anything here takes; only a hang reaches it.
    const PATIENCE: Duration = Duration::from_mins(1);

    const ASK: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

    /// A listener whose metrics are this long, and the sender that stops it.
    async fn start(limits: Limits, metrics_bytes: usize) -> (SocketAddr, watch::Sender<bool>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let answer = move |method: &Method, path: &str| route(method, path, || Ok(()), || "m".repeat(metrics_bytes));
        tokio::spawn(serve_within(limits, listener, Arc::new(answer), stopped));
        (address, stop)
    }

    async fn connect(address: SocketAddr) -> TcpStream {
        TcpStream::connect(address).await.unwrap()
    }

    /// Sends a request, and gives the answer's status line, whether it carries `Allow`, and its body.
    async fn ask(stream: &mut TcpStream, request: &str) -> (String, bool, String) {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&seen).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let length: usize = header("content-length: ").unwrap().parse().unwrap();
                if request.starts_with("HEAD") || body.len() == length {
                    let allow = header("allow: ").as_deref() == Some("GET, HEAD");
                    return (head.lines().next().unwrap().to_owned(), allow, body.to_owned());
                }
            }
            let mut bytes = [0; 4096];
            let count = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await.unwrap().unwrap();
            assert!(count > 0, "closed after {seen:?}");
            seen.extend_from_slice(&bytes[..count]);
        }
    }

    /// Reads until the other side has closed.
    async fn closed(stream: &mut TcpStream) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset ends it too.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it is closed");
        rest
    }

    #[tokio::test]
    async fn head_is_answered_as_get_without_a_body_and_other_methods_are_refused() {
        let (address, _stop) = start(LIMITS, 10_000).await;
        let mut stream = connect(address).await;
        for (path, status) in
            [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/", 404), ("/healthz/../metrics", 404)]
        {
            let (get, _, body) = ask(&mut stream, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            let (head, _, none) = ask(&mut stream, &format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            assert!(get.contains(&status.to_string()) && !body.is_empty(), "{path}: {get}");
            assert_eq!((head, none.as_str()), (get, ""), "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let (line, allow, _) =
                ask(&mut stream, &format!("{method} /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")).await;
            assert!(line.contains("405") && allow, "{method}: {line}");
        }
    }

    #[tokio::test]
    async fn idle_connections_keep_nobody_out() {
        let limits = Limits { connections_max: 3, ..LIMITS };
        let (address, _stop) = start(limits, 10).await;
        let mut busy = connect(address).await;
        ask(&mut busy, ASK).await;
        let mut idle = Vec::new();
        for _ in 0..20 {
            // The newcomer's own answer shows that it was accepted; then it is as idle as can be.
            let mut newcomer = connect(address).await;
            ask(&mut newcomer, ASK).await;
            idle.push(newcomer);
            ask(&mut busy, ASK).await;
        }
        let (kept, gone) = (idle.split_off(18), idle);
        for mut stream in gone {
            assert!(closed(&mut stream).await.is_empty());
        }
        for mut stream in kept {
            ask(&mut stream, ASK).await;
        }
    }

    #[tokio::test]
    async fn silence_a_slow_head_and_an_answer_not_taken_end() {
        let short = Duration::from_millis(200);
        let limits = Limits { head_timeout: short, ..LIMITS };
        let (address, _stop) = start(limits, 10).await;
        let mut silent = connect(address).await;
        closed(&mut silent).await;
        let mut slow = connect(address).await;
        slow.write_all(b"GET /healthz HT").await.unwrap();
        closed(&mut slow).await;
        let mut kept = connect(address).await;
        ask(&mut kept, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
        closed(&mut kept).await;

        let limits = Limits { exchange_timeout: short, ..LIMITS };
        let bytes = 64 * 1024 * 1024;
        let (address, _stop) = start(limits, bytes).await;
        let mut unread = connect(address).await;
        unread.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        tokio::time::sleep(short * 5).await;
        assert!(closed(&mut unread).await.len() < bytes, "the rest of the answer was thrown away");
    }

    #[tokio::test]
    async fn heads_are_bounded() {
        let (address, _stop) = start(LIMITS, 10).await;
        let long = format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(LIMITS.head_bytes_max));
        let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(LIMITS.headers_max + 1));
        for head in [long, many] {
            let mut stream = connect(address).await;
            let _ = stream.write_all(head.as_bytes()).await;
            let answer = String::from_utf8(closed(&mut stream).await).unwrap();
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
        }
    }
}
