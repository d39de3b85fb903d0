//! Accepting connections, up to a limit, until a stop is asked for.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use jomae_core::{lane::Lane, places::Places};
use tokio::io;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::answer::keep_alive_fields;
use super::connection::Connection;
use super::lane::carried;
use super::limits::LARGE_WAITING_MAX;
use super::peers::{Network, Peers, Seat};
use super::{HttpFailure, HttpStats, Limits, Proxies, Service, Shared, http2};
use crate::logging::Seldom;
use crate::tls::ServerTls;

/// First byte of every TLS connection: a record of type handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE_RECORD: u8 = 0x16;
/// Pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Pause between two looks whether all connections are gone.
const GONE_PAUSE: Duration = Duration::from_millis(5);

/// On what terms connections are served.
#[derive(Clone)]
pub struct Terms {
    /// What a connection, and all of them, may use.
    pub limits: Limits,
    /// Whose word about a client's address is taken.
    pub proxies: Proxies,
    /// The threads that carry costly calls, and the connections on which they come.
    pub costly: Handle,
}

/// Answers requests on `listener` until `shutdown` holds `true` or its sender is gone; returns when the last
/// connection is closed.
///
/// After that signal no connection is accepted, idle ones are closed, and requests under way have
/// [`Limits::drain_timeout`] to finish, then their tasks are aborted. HTTP/2 is offered over TLS only.
pub async fn serve<S: Service>(
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    service: Arc<S>,
    terms: Terms,
    stats: Arc<HttpStats>,
    shutdown: watch::Receiver<bool>,
) {
    let Terms { limits, proxies, costly } = terms;
    let peers = Peers::new(&limits, Arc::clone(&stats));
    let keep_alive = keep_alive_fields(limits.idle_timeout);
    let large = Arc::new(Places::new(limits.large_at_a_time, LARGE_WAITING_MAX));
    let shared = Arc::new(Shared { service, limits, costly, keep_alive, proxies, stats, peers, large });
    let accept_failures = Seldom::default();
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
                if let Some(times) = accept_failures.due() {
                    tracing::warn!(%error, times, "cannot accept connections");
                }
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let network = Network::of(peer.ip());
        let proxy = shared.proxies.trusts(peer.ip());
        let (seat, excess) = match shared.peers.admit(network, proxy, std::time::Instant::now()) {
            Some(seat) => (seat, None),
            None => match shared.peers.excess(network) {
                Some(seat) => (seat, Some(HttpFailure::TooManyConnections)),
                None => continue,
            },
        };
        let entry = Entry {
            peer,
            proxy,
            excess,
            stop: stop.clone(),
            seat,
            lane: Arc::default(),
            open: Open::new(&shared.stats),
        };
        let lane = Arc::clone(&entry.lane);
        tasks.spawn(carried(connection(stream, entry, Arc::clone(&shared), tls.clone()), lane, shared.costly.clone()));
    }
    drop(listener);
    let finished = async {
        while let Some(ended) = tasks.join_next().await {
            count(&shared.stats, &ended);
        }
    };
    if timeout(shared.limits.drain_timeout, finished).await.is_err() {
        tracing::warn!(connections = tasks.len(), "requests did not finish in time and were aborted");
        tasks.shutdown().await;
        // What is carried elsewhere ends there when it next waits.
        let gone = async {
            while shared.stats.connections_open.get() > 0 {
                sleep(GONE_PAUSE).await;
            }
        };
        let _ = timeout(shared.limits.drain_timeout, gone).await;
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
    /// The other end is a trusted proxy.
    proxy: bool,
    /// One too many: to be told so and closed.
    excess: Option<HttpFailure>,
    stop: Stop,
    seat: Seat,
    lane: Arc<Lane>,
    open: Open,
}

/// Counts a connection as open while it lives.
struct Open(Arc<HttpStats>);

impl Open {
    fn new(stats: &Arc<HttpStats>) -> Self {
        stats.connections_total.add(1);
        stats.connections_open.add(1);
        Self(Arc::clone(stats))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections_open.subtract(1);
    }
}

async fn connection<S: Service>(stream: TcpStream, entry: Entry, shared: Arc<Shared<S>>, tls: Option<Arc<ServerTls>>) {
    let Entry { mut peer, proxy, mut excess, mut stop, mut seat, lane, open: _open } = entry;
    // Without it an answer could wait for the acknowledgement of the one before. A failure only costs time.
    let _ = stream.set_nodelay(true);
    let told_to_go = seat.told_to_go();
    let opening = tokio::select! {
        done = open(stream, &mut peer, proxy, &mut excess, &mut seat, &shared, tls) => done,
        () = told_to_go => return,
        () = stop.asked() => return,
    };
    let Some(opened) = opening else { return };
    match (opened, excess) {
        (Opened::Tls(stream), excess) => {
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            match excess {
                // A client of HTTP/2 gets a closed connection: an answer would take a whole exchange of settings.
                Some(why) if is_http2 => drop(shared.malformed(why, peer)),
                Some(why) => Connection::new(stream, &shared, peer, true, stop, seat, lane).refuse(why).await,
                None if is_http2 => http2::run(stream, Arc::clone(&shared), peer, stop, seat).await,
                None => Connection::new(stream, &shared, peer, true, stop, seat, lane).run().await,
            }
        }
        (Opened::Plain(stream), Some(why)) => {
            Connection::new(stream, &shared, peer, false, stop, seat, lane).refuse(why).await;
        }
        (Opened::Plain(stream), None) => Connection::new(stream, &shared, peer, false, stop, seat, lane).run().await,
    }
}

/// A connection that is ready for its first request.
enum Opened {
    // Boxed: a TLS connection is a kilobyte, and this passes through the task's state.
    Tls(Box<TlsStream<TcpStream>>),
    Plain(TcpStream),
}

/// Finds out whom the connection stands for, and does the handshake. None if it ends here.
async fn open<S: Service>(
    mut stream: TcpStream,
    peer: &mut SocketAddr,
    proxy: bool,
    excess: &mut Option<HttpFailure>,
    seat: &mut Seat,
    shared: &Shared<S>,
    tls: Option<Arc<ServerTls>>,
) -> Option<Opened> {
    let mut proxy = proxy;
    let deadline = Instant::now() + shared.limits.handshake_timeout;
    if proxy {
        match timeout_at(deadline, shared.proxies.client_of(&mut stream, *peer)).await {
            Ok(Ok(client)) if client == *peer => {}
            Ok(Ok(client)) => {
                *peer = client;
                proxy = false;
                if !seat.move_to(Network::of(client.ip()), std::time::Instant::now()) {
                    *excess = Some(HttpFailure::TooManyConnections);
                }
            }
            Ok(Err(error)) => {
                shared.stats.proxy_failures.add(1);
                tracing::debug!(%peer, %error, "a trusted proxy did not name its client");
                return None;
            }
            Err(_) => {
                shared.stats.proxy_failures.add(1);
                tracing::debug!(%peer, "the PROXY header took too long");
                return None;
            }
        }
    }
    let Some(tls) = tls else { return Some(Opened::Plain(stream)) };
    let handshake = async {
        if first_byte(&stream).await? != Some(TLS_HANDSHAKE_RECORD) {
            return Ok(Handshake::NoTls(stream));
        }
        let Some(wait) = shared.peers.handshake_wait(seat.network(), proxy, std::time::Instant::now()) else {
            return Ok(Handshake::TooMany);
        };
        if !wait.is_zero() {
            sleep(wait).await;
        }
        TlsAcceptor::from(tls.config()).accept(stream).await.map(|stream| Handshake::Tls(Box::new(stream)))
    };
    match timeout_at(deadline, handshake).await {
        Ok(Ok(Handshake::Tls(stream))) => return Some(Opened::Tls(stream)),
        Ok(Ok(Handshake::NoTls(stream))) => {
            // A client that leaves without a byte is a port check.
            let spoke = first_byte(&stream).await.is_ok_and(|byte| byte.is_some());
            *excess = Some(HttpFailure::PlainHttpOnTls);
            return spoke.then_some(Opened::Plain(stream));
        }
        Ok(Ok(Handshake::TooMany)) => tracing::debug!(%peer, "too many TLS handshakes"),
        Ok(Err(error)) => {
            shared.stats.tls_failures.add(1);
            tracing::debug!(%peer, %error, "TLS handshake failed");
        }
        Err(_) => {
            shared.stats.tls_failures.add(1);
            tracing::debug!(%peer, "TLS handshake took too long");
        }
    }
    None
}

enum Handshake {
    Tls(Box<TlsStream<TcpStream>>),
    /// The first byte is none of TLS, or there is none.
    NoTls(TcpStream),
    /// The network makes more than it may.
    TooMany,
}

/// The next byte, which stays in the socket; none if the client is gone.
async fn first_byte(stream: &TcpStream) -> io::Result<Option<u8>> {
    let mut first = [0];
    let seen = stream.peek(&mut first).await?;
    Ok((seen > 0).then_some(first[0]))
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
