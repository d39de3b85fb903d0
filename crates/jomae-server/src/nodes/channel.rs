//! The channel between nodes: HTTP/1.1 over TLS 1.3, in which both sides show a certificate of the cluster's authority.
//! A newcomer, who has none yet, is let in while a join token is out, and may do nothing but show it.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1 as client, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use zeroize::Zeroizing;

use super::NodeApi;
use crate::{
    exchange::{self, BODY_BYTES_MAX},
    slots::Slots,
    tls::TlsError,
};

/// Connections open at once.
const CONNECTIONS_MAX: usize = 64;
/// From the opening of a connection until both sides know each other.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// For the head of a request, and again for its body.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// From the handshake to the end of a connection, which serves one request.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(15);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Largest answer that is read, in bytes: a page of the largest events.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// It has shown a certificate of the authority.
    Node,
    Newcomer,
}

/// Answers until the stop is asked for.
pub(crate) async fn serve(listener: TcpListener, api: Arc<NodeApi>, mut shutdown: watch::Receiver<bool>) {
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
        let tls = match api.authority.tls() {
            Ok(tls) if api.expects_newcomers() => tls.anyone,
            Ok(tls) => tls.nodes_only,
            Err(error) => {
                tracing::warn!(%error, "this node has no certificate for other nodes");
                continue;
            }
        };
        // Whoever does not get through the handshake loses the slot to who does.
        let (slot, evicted) = slots.take(CONNECTIONS_MAX);
        let api = Arc::clone(&api);
        tokio::spawn(async move {
            let _slot = slot;
            let exchange = async {
                let accepted = timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(tls).accept(stream)).await;
                // Who does not speak TLS, or has no certificate, is none of ours.
                let Ok(Ok(stream)) = accepted else { return };
                let is_node = stream.get_ref().1.peer_certificates().is_some_and(|chain| !chain.is_empty());
                let asker = if is_node { Asker::Node } else { Asker::Newcomer };
                let service = service_fn(move |request| {
                    let api = Arc::clone(&api);
                    async move { Ok::<_, Infallible>(answer(&api, asker, request).await) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(REQUEST_TIMEOUT)
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                let _ = timeout(EXCHANGE_TIMEOUT, connection).await;
            };
            tokio::select! {
                () = exchange => {}
                _ = evicted => {}
            }
        });
    }
}

async fn answer(api: &NodeApi, asker: Asker, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let answer = match exchange::read(request, REQUEST_TIMEOUT).await {
        Ok((head, body)) => api.answer(asker, &head.method, head.uri.path(), &body).await,
        Err(refused) => refused,
    };
    answer.into_response()
}

/// Why a node was not asked, or gave no answer; one line.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Tls(#[from] TlsError),
    #[error("it did not answer in time")]
    TimedOut,
    #[error("the answer is longer than 16 MiB")]
    TooLong,
    #[error("{0}")]
    Refused(String),
    #[error("the answer is not one of a node")]
    Unreadable,
}

/// Asks a node at `host:port`, on a connection of its own.
pub(crate) async fn ask(
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    address: &str,
    path: &'static str,
    body: Zeroizing<Vec<u8>>,
    within: Duration,
) -> Result<Zeroizing<Vec<u8>>, AskError> {
    timeout(within, exchange(tls, name, address, path, body)).await.unwrap_or(Err(AskError::TimedOut))
}

async fn exchange(
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    address: &str,
    path: &'static str,
    body: Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, AskError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = TlsConnector::from(tls).connect(name, stream).await?;
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    let mut request = Request::new(Full::new(Bytes::from_owner(body)));
    (*request.method_mut(), *request.uri_mut()) = (Method::POST, http::Uri::from_static(path));
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("node"));
    let answered = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let mut incoming = response.into_body();
        let mut body = Zeroizing::new(Vec::with_capacity(BODY_BYTES_MAX));
        while let Some(frame) = incoming.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if body.len() + data.len() > ANSWER_BYTES_MAX {
                return Err(AskError::TooLong);
            }
            body.extend_from_slice(&data);
        }
        if status == StatusCode::OK {
            return Ok(body);
        }
        Err(AskError::Refused(exchange::error_of(status, &body)))
    };
    // The connection does the work of the request.
    tokio::pin!(answered);
    tokio::select! {
        answer = &mut answered => answer,
        ended = connection => {
            ended?;
            answered.await
        }
    }
}
