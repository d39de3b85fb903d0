//! Accepting connections, up to a limit, until a stop is asked for.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::answer::keep_alive_fields;
use super::connection::Connection;
use super::{HttpStats, Limits, Malformed, Service, Shared, http2};
use crate::tls::ServerTls;

/// Connections beyond the limit that may be told so at the same time; the rest is closed without a word.
const EXCESS_ANSWERS_MAX: usize = 64;
/// First byte of every TLS connection: a record of type handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE_RECORD: u8 = 0x16;
/// Pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers requests on `listener` until `shutdown` holds `true` or its sender is gone; returns when the last
/// connection is closed.
///
/// After that signal no connection is accepted, idle ones are closed, and requests under way have
/// [`Limits::drain_timeout`] to finish, then their tasks are aborted. HTTP/2 is offered over TLS only.
pub async fn serve<S: Service>(
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    service: Arc<S>,
    limits: Limits,
    stats: Arc<HttpStats>,
    shutdown: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS)));
    let excess_places = Arc::new(Semaphore::new(EXCESS_ANSWERS_MAX));
    let keep_alive = keep_alive_fields(limits.idle_timeout);
    let shared = Arc::new(Shared { service, limits, keep_alive, stats });
    let mut stop = Stop::new(shutdown);
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.asked() => break,
            Some(ended) = tasks.join_next() => {
                count(&shared.stats, &ended);
                continue;
            }
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (place, excess) = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => (place, false),
            Err(_) => match Arc::clone(&excess_places).try_acquire_owned() {
                Ok(place) => (place, true),
                Err(_) => continue,
            },
        };
        let entry = Entry { peer, excess, stop: stop.clone(), _open: Open::new(&shared.stats, place) };
        tasks.spawn(connection(stream, entry, Arc::clone(&shared), tls.clone()));
    }
    drop(listener);
    let finished = async {
        while let Some(ended) = tasks.join_next().await {
            count(&shared.stats, &ended);
        }
    };
    if timeout(shared.limits.drain_timeout, finished).await.is_err() {
        tracing::warn!(connections = tasks.len(), "requests did not finish in time and were cut off");
        tasks.shutdown().await;
    }
}

fn count(stats: &HttpStats, ended: &Result<(), JoinError>) {
    if ended.as_ref().is_err_and(JoinError::is_panic) {
        stats.panics.add(1);
    }
}

/// What a connection's task starts with.
struct Entry {
    peer: SocketAddr,
    /// One too many: to be told so and closed.
    excess: bool,
    stop: Stop,
    _open: Open,
}

/// Counts a connection as open and holds its place while it lives.
struct Open {
    stats: Arc<HttpStats>,
    _place: OwnedSemaphorePermit,
}

impl Open {
    fn new(stats: &Arc<HttpStats>, place: OwnedSemaphorePermit) -> Self {
        stats.connections_total.add(1);
        stats.connections_open.add(1);
        Self { stats: Arc::clone(stats), _place: place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stats.connections_open.subtract(1);
    }
}

async fn connection<S: Service>(stream: TcpStream, entry: Entry, shared: Arc<Shared<S>>, tls: Option<Arc<ServerTls>>) {
    let Entry { peer, excess, mut stop, _open } = entry;
    // Without it an answer could wait for the acknowledgement of the one before. A failure only costs time.
    let _ = stream.set_nodelay(true);
    let excess = excess.then_some(Malformed::TooManyConnections);
    let Some(tls) = tls else {
        let connection = Connection::new(stream, &shared, peer, false, stop);
        return match excess {
            Some(why) => connection.refuse(why).await,
            None => connection.run().await,
        };
    };
    let handshake = tokio::select! {
        done = timeout(shared.limits.handshake_timeout, handshake(stream, &tls)) => done,
        () = stop.asked() => return,
    };
    match handshake {
        Ok(Ok(Handshake::Tls(stream))) => {
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            match excess {
                // A client of HTTP/2 gets a closed connection: an answer would take a whole exchange of settings.
                Some(_) if is_http2 => drop(shared.malformed(Malformed::TooManyConnections, peer)),
                Some(why) => Connection::new(stream, &shared, peer, true, stop).refuse(why).await,
                None if is_http2 => http2::run(stream, Arc::clone(&shared), peer, stop).await,
                None => Connection::new(stream, &shared, peer, true, stop).run().await,
            }
        }
        Ok(Ok(Handshake::PlainHttp(stream))) => {
            Connection::new(stream, &shared, peer, false, stop).refuse(Malformed::PlainHttpOnTls).await;
        }
        Ok(Ok(Handshake::Nothing)) => {}
        Ok(Err(error)) => {
            shared.stats.tls_failures.add(1);
            tracing::debug!(%peer, %error, "TLS handshake failed");
        }
        Err(_) => {
            shared.stats.tls_failures.add(1);
            tracing::debug!(%peer, "TLS handshake took too long");
        }
    }
}

enum Handshake {
    // Boxed: a TLS connection is a kilobyte, and this passes through the task's state.
    Tls(Box<TlsStream<TcpStream>>),
    PlainHttp(TcpStream),
    /// The client left without a byte: a port check.
    Nothing,
}

async fn handshake(stream: TcpStream, tls: &ServerTls) -> io::Result<Handshake> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Ok(Handshake::Nothing),
        _ if first == [TLS_HANDSHAKE_RECORD] => {
            TlsAcceptor::from(tls.config()).accept(stream).await.map(|stream| Handshake::Tls(Box::new(stream)))
        }
        _ => Ok(Handshake::PlainHttp(stream)),
    }
}

/// The request to stop, as every task sees it.
pub(super) struct Stop {
    receiver: watch::Receiver<bool>,
    /// Lives as long as the connection, so that waiting costs no registration per request.
    waiting: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Stop {
    pub(super) fn new(receiver: watch::Receiver<bool>) -> Self {
        let mut waits = receiver.clone();
        let waiting = Box::pin(async move {
            // An error says that the sender is gone, which counts as well.
            let _ = waits.wait_for(|asked| *asked).await;
        });
        Self { receiver, waiting }
    }

    /// Whether a stop was asked for.
    pub(super) fn is_asked(&self) -> bool {
        *self.receiver.borrow() || self.receiver.has_changed().is_err()
    }

    /// Ready when a stop is asked for. Not to be called again after that.
    pub(super) fn poll_asked(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.waiting.as_mut().poll(cx)
    }

    /// Ends when a stop is asked for. Not to be called again after that.
    pub(super) async fn asked(&mut self) {
        poll_fn(|cx| self.poll_asked(cx)).await;
    }
}

impl Clone for Stop {
    fn clone(&self) -> Self {
        Self::new(self.receiver.clone())
    }
}
