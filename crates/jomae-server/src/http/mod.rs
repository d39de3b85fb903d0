//! Connections in, answers out: HTTP/1.1, HTTP/2 and TLS, and nothing of keys or signatures.
//!
//! [`serve()`] accepts connections and calls a [`Service`] once for every complete request. Whatever never becomes a
//! request (too long, too slow, not HTTP) goes to [`Service::malformed`], so that every client gets an answer in the
//! form the rest of the product uses. `docs/decisions/0002-http1-driver.md` says why HTTP/1.1 is driven here.

mod answer;
mod budget;
mod buffer;
mod chunked;
mod connection;
pub mod frame;
mod guard;
mod http2;
mod lane;
mod limits;
mod peers;
mod proxy;
mod serve;
mod stats;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;

use budget::Hold;
use limits::LARGE_BYTES;
use peers::{Network, Peers, Seat};

use tokio::runtime::Handle;

use jomae_core::{
    lane::Lane,
    places::{Place, Places},
    wait::Abandonment,
};

pub use limits::Limits;
pub use peers::{EXCESS_ANSWERS_MAX, LEAVING_MAX};
pub use proxy::{Proxies, ProxyProtocol, Told, read as read_proxy_header};
pub use serve::{Terms, serve};
pub use stats::{Counter, HttpStats};

/// One complete request and where it came from. Everything borrows from the connection's buffer.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// The request as received; a chunked body is already joined.
    pub request: jomae_api::wire::Request<'a>,
    /// The client: the other end of the TCP connection, or what a trusted proxy has told.
    pub peer: &'a Peer,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Whether the call is given up when its client has gone.
    pub abandonment: &'a Abandonment,
    /// Which threads carry the call.
    pub lane: &'a Lane,
}

/// Where requests come from. Their address is written into each event, so its text is kept with the connection.
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The IP address, one of IPv4 that is mapped into IPv6 as one of IPv4.
    pub ip: String,
}

impl Peer {
    /// Of this address.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, ip: address.ip().to_canonical().to_string() }
    }
}

/// What goes back to the client. `Content-Length` and `Date` are added when it is written.
pub struct Answer {
    /// HTTP status, 200 to 599. Anything outside 100 to 999 leaves as 500.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// Value of `x-acs-request-id`. Left out if it is empty or holds anything but visible ASCII.
    pub request_id: String,
    /// Value of `x-acs-retry-after`, if any.
    pub retry_after: Option<u32>,
    /// Value of `x-jomae-audit-index`: how many events stand in the audit log before that of this call.
    pub audit_index: Option<u64>,
    /// Value of `x-jomae-receipt`. Left out if it holds anything but visible ASCII.
    pub audit_receipt: Option<String>,
    /// Further header fields. One whose name or value cannot stand in a head is left out.
    pub headers: Vec<(&'static str, String)>,
    /// The body. It may hold secrets: it is wiped after it was written.
    pub body: Vec<u8>,
    /// Close the connection after this answer (HTTP/1 only).
    pub close: bool,
    /// Whether the caller has proved who it is.
    pub known: bool,
}

/// Why [`Service::call`] gave no answer: mostly since what came never became a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpFailure {
    /// The request line is longer than [`Limits::request_line_bytes_max`].
    RequestLineTooLong,
    /// The header fields together are longer than [`Limits::header_bytes_max`].
    HeadTooLarge,
    /// More header fields than [`Limits::headers_max`].
    TooManyHeaders,
    /// The body is longer than [`Limits::body_bytes_max`].
    BodyTooLarge,
    /// Not HTTP, ambiguous framing, invalid bytes, or the client stopped in the middle.
    BadRequest,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    UnsupportedVersion,
    /// A `Transfer-Encoding` other than exactly `chunked`.
    UnsupportedTransferEncoding,
    /// An `Expect` other than `100-continue`.
    ExpectationFailed,
    /// The head did not arrive within [`Limits::head_timeout`].
    HeadTimeout,
    /// The body did not arrive within [`Limits::body_timeout`].
    BodyTimeout,
    /// Plain HTTP on a port that speaks TLS.
    PlainHttpOnTls,
    /// [`Limits::connections_max`] connections are open already.
    TooManyConnections,
    /// [`Limits::request_bytes_in_flight_max`], or a stranger's share of it, is held already.
    TooManyBytes,
    /// The service panicked.
    InternalPanic,
}

impl HttpFailure {
    /// Every kind, in the order of the counters.
    pub const ALL: [Self; 14] = [
        Self::RequestLineTooLong,
        Self::HeadTooLarge,
        Self::TooManyHeaders,
        Self::BodyTooLarge,
        Self::BadRequest,
        Self::UnsupportedVersion,
        Self::UnsupportedTransferEncoding,
        Self::ExpectationFailed,
        Self::HeadTimeout,
        Self::BodyTimeout,
        Self::PlainHttpOnTls,
        Self::TooManyConnections,
        Self::TooManyBytes,
        Self::InternalPanic,
    ];

    /// The HTTP status that RFC 9110 and RFC 6585 give this case.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest | Self::PlainHttpOnTls => 400,
            Self::HeadTimeout | Self::BodyTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::RequestLineTooLong => 414,
            Self::ExpectationFailed => 417,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            Self::InternalPanic => 500,
            Self::UnsupportedTransferEncoding => 501,
            Self::TooManyConnections | Self::TooManyBytes => 503,
            Self::UnsupportedVersion => 505,
        }
    }

    /// Label for metrics and logs, `snake_case`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::RequestLineTooLong => "request_line_too_long",
            Self::HeadTooLarge => "head_too_large",
            Self::TooManyHeaders => "too_many_headers",
            Self::BodyTooLarge => "body_too_large",
            Self::BadRequest => "bad_request",
            Self::UnsupportedVersion => "unsupported_version",
            Self::UnsupportedTransferEncoding => "unsupported_transfer_encoding",
            Self::ExpectationFailed => "expectation_failed",
            Self::HeadTimeout => "head_timeout",
            Self::BodyTimeout => "body_timeout",
            Self::PlainHttpOnTls => "plain_http_on_tls",
            Self::TooManyConnections => "too_many_connections",
            Self::TooManyBytes => "too_many_bytes",
            Self::InternalPanic => "internal_panic",
        }
    }
}

/// The part that knows what requests mean.
pub trait Service: Send + Sync + 'static {
    /// Answers one complete request. A panic in here becomes [`HttpFailure::InternalPanic`].
    fn call<'a>(&'a self, incoming: Incoming<'a>) -> impl Future<Output = Answer> + Send + 'a;

    /// Whether the head of a request shows that a known caller has signed it. The body is empty here: it has not
    /// arrived. Costs a signature's check and changes nothing.
    fn vouches(&self, incoming: Incoming<'_>) -> bool;

    /// The answer to what never became a request. The connection is closed after it.
    fn malformed(&self, why: HttpFailure, peer: SocketAddr) -> Answer;
}

/// What every connection of one listener shares.
struct Shared<S> {
    service: Arc<S>,
    limits: Limits,
    /// The threads that carry costly calls.
    costly: Handle,
    /// The fields that say how long a connection stays open.
    keep_alive: String,
    proxies: Proxies,
    stats: Arc<HttpStats>,
    peers: Arc<Peers>,
    /// For large requests: fewer than there are request threads, so that others find one.
    large: Arc<Places<Network>>,
}

impl<S: Service> Shared<S> {
    /// Counts and asks for the answer to something that never became a request.
    fn malformed(&self, why: HttpFailure, peer: SocketAddr) -> Answer {
        self.stats.malformed(why).add(1);
        if why == HttpFailure::InternalPanic {
            self.stats.panics.add(1);
        }
        let mut answer = self.service.malformed(why, peer);
        answer.close = true;
        answer
    }

    /// Calls the service; a panic is caught and becomes an answer.
    async fn answer(&self, incoming: Incoming<'_>, seat: &Seat) -> Answer {
        self.stats.requests.add(1);
        let told = self.told_by_proxies(&incoming);
        let incoming = Incoming { peer: told.as_ref().unwrap_or(incoming.peer), ..incoming };
        incoming.lane.begin_call();
        let Some(_place) = self.place(&incoming).await else {
            return self.malformed(HttpFailure::TooManyBytes, incoming.peer.address);
        };
        // In a block, as making it can panic too.
        let call = pin!(async { self.service.call(incoming).await });
        let caught = guard::catch(call).await;
        incoming.lane.end_call();
        match caught {
            Some(answer) => {
                if answer.known && !seat.is_known() {
                    seat.make_known();
                }
                answer
            }
            None => self.malformed(HttpFailure::InternalPanic, incoming.peer.address),
        }
    }

    /// Waits for a place, on the threads for costly work, if the request is large; others need none. `None` if too many of its network wait.
    async fn place(&self, incoming: &Incoming<'_>) -> Option<Option<Place<Network>>> {
        let bytes = incoming.request.query.len() + incoming.request.body.len();
        if bytes <= LARGE_BYTES {
            return Some(None);
        }
        let network = Network::of(incoming.peer.address.ip());
        let place = self.large.take(&network, u64::try_from(bytes).unwrap_or(u64::MAX)).await?;
        incoming.lane.become_costly().await;
        Some(Some(place))
    }

    /// Lets bytes that are still to come count as a known caller's, if the head of the request is signed by one.
    fn vouch(&self, head: Incoming<'_>, hold: &mut Hold) {
        let told = self.told_by_proxies(&head);
        let head = Incoming { peer: told.as_ref().unwrap_or(head.peer), ..head };
        // A panic is the same as no.
        if catch_unwind(AssertUnwindSafe(|| self.service.vouches(head))).unwrap_or(false) {
            hold.vouched();
        }
    }

    /// The client, if a trusted proxy has told another one than the other end.
    fn told_by_proxies(&self, incoming: &Incoming<'_>) -> Option<Peer> {
        let client = self.proxies.forwarded(&incoming.request, incoming.peer.address);
        (client != incoming.peer.address).then(|| Peer::new(client))
    }
}
