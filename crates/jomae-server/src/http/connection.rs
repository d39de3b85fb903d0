//! One HTTP/1 connection: read a request, call the service, write the answer, again.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use jomae_api::wire::Request;
use jomae_core::{lane::Lane, wait::Abandonment};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::answer::{self, encode};
use super::budget::Hold;
use super::buffer::{Buffer, SIZE_KEPT_MAX, borrow_outbox, capacity_with, clear, return_outbox};
use super::chunked::Chunked;
use super::frame::{self, BodyLength, Framing, HeadScan};
use super::peers::Seat;
use super::serve::Stop;
use super::{Answer, HttpFailure, Incoming, Peer, Service, Shared};

/// Why a connection ends.
enum End {
    /// Nothing more to say: the client left, was idle too long, or the connection broke.
    Quiet,
    /// The answer was the last one; the client may still be sending.
    Answered,
    /// What arrived is not a request.
    HttpFailure(HttpFailure),
}

pub(super) struct Connection<'s, IO, S> {
    io: IO,
    shared: &'s Shared<S>,
    peer: Peer,
    tls: bool,
    stop: Stop,
    seat: Arc<Seat>,
    lane: Arc<Lane>,
    /// Ready when a stranger is to make room. Not looked at once a call has proved who it is.
    told_to_go: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// What the buffers take beyond their fixed size.
    hold: Hold,
    timer: Timer,
    inbox: Buffer,
    /// A chunked body, joined.
    body: Vec<u8>,
    outbox: Vec<u8>,
}

impl<'s, IO: AsyncRead + AsyncWrite + Unpin, S: Service> Connection<'s, IO, S> {
    pub(super) fn new(
        io: IO,
        shared: &'s Shared<S>,
        peer: SocketAddr,
        tls: bool,
        stop: Stop,
        seat: Seat,
        lane: Arc<Lane>,
    ) -> Self {
        let seat = Arc::new(seat);
        Self {
            io,
            shared,
            peer: Peer::new(peer),
            tls,
            stop,
            told_to_go: Box::pin(seat.told_to_go()),
            hold: Hold::new(Arc::clone(&seat)),
            seat,
            lane,
            timer: Timer::new(shared.limits.idle_timeout),
            inbox: Buffer::new(),
            body: Vec::new(),
            outbox: Vec::new(),
        }
    }

    /// Serves requests until the connection ends.
    pub(super) async fn run(mut self) {
        let end = loop {
            if let Err(end) = self.exchange().await {
                break end;
            }
        };
        match end {
            End::Quiet => self.shut().await,
            End::Answered => self.linger().await,
            End::HttpFailure(why) => self.refuse(why).await,
        }
    }

    /// Gives the answer to something that is not a request, and closes.
    pub(super) async fn refuse(mut self, why: HttpFailure) {
        let answer = self.shared.malformed(why, self.peer.address);
        if self.write(answer, answer::Framing { close: true, keep_alive: "", head_only: false }).await.is_ok() {
            self.linger().await;
        }
    }

    /// One request and its answer.
    async fn exchange(&mut self) -> Result<(), End> {
        let shared = self.shared;
        self.hold.renew();
        let head_bytes = self.read_head().await?;
        let first = parse(&self.inbox, head_bytes, shared)?;
        let framing = first.framing;
        let mut total = head_bytes;
        let head = match framing.body {
            BodyLength::Known(bytes) if self.inbox.filled().len() >= head_bytes + bytes => {
                total += bytes;
                first
            }
            body => {
                if !self.seat.is_known() && bytes_at_most(body) > SIZE_KEPT_MAX {
                    let head = Request {
                        method: first.method,
                        path: first.path,
                        query: first.query,
                        headers: &first.headers,
                        body: &[],
                    };
                    let (peer, abandonment, lane) = (&self.peer, &Abandonment::default(), &self.lane);
                    let incoming = Incoming { request: head, peer, tls: self.tls, abandonment, lane };
                    shared.vouch(incoming, &mut self.hold);
                }
                drop(first);
                total += self.read_body(head_bytes, framing).await?;
                parse(&self.inbox, head_bytes, shared)?
            }
        };
        let body = match framing.body {
            BodyLength::Known(bytes) => self.inbox.filled().get(head_bytes..head_bytes + bytes).unwrap_or_default(),
            BodyLength::Chunked => &self.body,
        };
        let head_only = head.method == "HEAD";
        let request = Request { method: head.method, path: head.path, query: head.query, headers: &head.headers, body };
        shared.stats.bytes_in.add(total as u64);
        let Self { peer, tls, lane, .. } = &self;
        let incoming = Incoming { request, peer, tls: *tls, abandonment: &Abandonment::default(), lane };
        let answer = shared.answer(incoming, &self.seat).await;

        // The joined chunks were taken out of the inbox as they came.
        self.inbox.consume(if framing.body == BodyLength::Chunked { head_bytes } else { total });
        clear(&mut self.body);
        let close = answer.close || !framing.keep_alive || self.stop.is_asked();
        self.write(answer, answer::Framing { close, keep_alive: &shared.keep_alive, head_only }).await?;
        if close { Err(End::Answered) } else { Ok(()) }
    }

    /// Waits for a whole head and returns its length.
    async fn read_head(&mut self) -> Result<usize, End> {
        let shared = self.shared;
        let mut scan = HeadScan::default();
        let mut deadline = None;
        loop {
            if !scan.has_begun() {
                let blank = frame::blank_lines(self.inbox.filled());
                self.inbox.consume(blank);
            }
            if let Some(bytes) = scan.find_end(self.inbox.filled(), &shared.limits).map_err(End::HttpFailure)? {
                return Ok(bytes);
            }
            let idle = self.inbox.filled().is_empty();
            let outcome = if idle {
                self.inbox.settle();
                self.read(Instant::now() + shared.limits.idle_timeout, true).await
            } else {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + shared.limits.head_timeout);
                self.read(deadline, false).await
            };
            match outcome {
                Read::Bytes => {}
                Read::Closed if !idle => return Err(End::HttpFailure(HttpFailure::BadRequest)),
                Read::Late if !idle => return Err(End::HttpFailure(HttpFailure::HeadTimeout)),
                Read::Refused(why) => return Err(End::HttpFailure(why)),
                Read::Closed | Read::Late | Read::Broken => return Err(End::Quiet),
            }
        }
    }

    /// Waits for the whole body. One of known length stays in the inbox; chunks move to `self.body`. Returns the
    /// bytes it took on the wire.
    async fn read_body(&mut self, head_bytes: usize, framing: Framing) -> Result<usize, End> {
        let limits = &self.shared.limits;
        let deadline = Instant::now() + limits.body_timeout;
        let mut chunked = Chunked::default();
        let mut chunked_bytes = 0;
        let mut continue_owed = framing.expects_continue;
        loop {
            match framing.body {
                BodyLength::Known(bytes) if self.inbox.filled().len() >= head_bytes + bytes => return Ok(bytes),
                BodyLength::Known(_) => {}
                BodyLength::Chunked => {
                    let arrived = self.inbox.filled().get(head_bytes..).unwrap_or_default();
                    let body_size = capacity_with(&self.body, arrived.len());
                    self.hold.cover(beyond(self.inbox.size()) + beyond(body_size)).map_err(End::HttpFailure)?;
                    let used =
                        chunked.decode(arrived, &mut self.body, limits.body_bytes_max).map_err(End::HttpFailure)?;
                    self.inbox.cut(head_bytes, used);
                    chunked_bytes += used;
                    if chunked.is_done() {
                        return Ok(chunked_bytes);
                    }
                }
            }
            // A client that has begun to send does not wait any more (RFC 9110 section 10.1.1).
            if continue_owed && self.inbox.filled().len() == head_bytes && chunked_bytes == 0 {
                self.outbox.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                self.flush().await?;
                self.outbox = Vec::new();
            }
            continue_owed = false;
            match self.read(deadline, false).await {
                Read::Bytes => {}
                Read::Closed => return Err(End::HttpFailure(HttpFailure::BadRequest)),
                Read::Late => return Err(End::HttpFailure(HttpFailure::BodyTimeout)),
                Read::Refused(why) => return Err(End::HttpFailure(why)),
                Read::Broken => return Err(End::Quiet),
            }
        }
    }

    /// Reads once into the inbox. `idle` says that the connection may be closed instead if a stop is asked for.
    async fn read(&mut self, deadline: Instant, idle: bool) -> Read {
        if let Err(why) = self.hold.cover(beyond(self.inbox.size_next()) + beyond(self.body.capacity())) {
            return Read::Refused(why);
        }
        let Self { io, inbox, timer, stop, seat, told_to_go, .. } = self;
        poll_fn(|cx| {
            let mut room = ReadBuf::new(inbox.room());
            if let Poll::Ready(outcome) = Pin::new(&mut *io).poll_read(cx, &mut room) {
                let bytes = room.filled().len();
                inbox.received(bytes);
                return Poll::Ready(match outcome {
                    Ok(()) if bytes > 0 => Read::Bytes,
                    Ok(()) => Read::Closed,
                    Err(_) => Read::Broken,
                });
            }
            // Whoever waits holds nothing.
            inbox.settle();
            if idle && stop.poll_asked(cx).is_ready() {
                return Poll::Ready(Read::Closed);
            }
            if !seat.is_known() && told_to_go.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Read::Broken);
            }
            timer.poll_expired(cx, deadline).map(|()| Read::Late)
        })
        .await
    }

    async fn write(&mut self, answer: Answer, framing: answer::Framing<'_>) -> Result<(), End> {
        self.outbox = borrow_outbox();
        encode(answer, framing, &mut self.outbox);
        let written = self.flush().await;
        self.shared.stats.bytes_out.add(self.outbox.len() as u64);
        return_outbox(std::mem::take(&mut self.outbox));
        written
    }

    /// Writes the outbox.
    async fn flush(&mut self) -> Result<(), End> {
        let limit = self.shared.limits.write_timeout;
        let Self { io, outbox, timer, .. } = self;
        let mut written = 0;
        let mut deadline = None;
        let done = poll_fn(|cx| {
            match poll_write_all(Pin::new(&mut *io), cx, outbox, &mut written) {
                Poll::Ready(done) => return Poll::Ready(done),
                Poll::Pending => {}
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + limit);
            timer.poll_expired(cx, deadline).map(|()| false)
        })
        .await;
        if done { Ok(()) } else { Err(End::Quiet) }
    }

    /// Says goodbye (TLS) and closes the sending side.
    async fn shut(&mut self) {
        let _ = timeout(self.shared.limits.linger_timeout, self.io.shutdown()).await;
    }

    /// Closes the sending side and swallows what the client still sends: bytes that nobody reads make the kernel send
    /// a reset, and the reset can throw the answer away before the client has read it.
    async fn linger(mut self) {
        self.shut().await;
        let deadline = Instant::now() + self.shared.limits.linger_timeout;
        let mut swallowed = 0;
        while swallowed <= self.shared.limits.linger_bytes_max {
            swallowed += self.inbox.filled().len();
            self.inbox.consume(usize::MAX);
            match self.read(deadline, false).await {
                Read::Bytes => {}
                Read::Closed | Read::Late | Read::Broken | Read::Refused(_) => return,
            }
        }
    }
}

/// A connection can end at any await: by an error, or with the process.
impl<IO, S> Drop for Connection<'_, IO, S> {
    fn drop(&mut self) {
        clear(&mut self.body);
        clear(&mut self.outbox);
    }
}

/// What of a buffer's size does not belong to the connection's fixed share.
fn beyond(size: usize) -> usize {
    size.saturating_sub(SIZE_KEPT_MAX)
}

/// How long a body may become, in bytes, as far as its head tells.
fn bytes_at_most(body: BodyLength) -> usize {
    match body {
        BodyLength::Known(bytes) => bytes,
        BodyLength::Chunked => usize::MAX,
    }
}

fn parse<'b, S>(inbox: &'b Buffer, head_bytes: usize, shared: &Shared<S>) -> Result<frame::Head<'b>, End> {
    frame::parse_head(inbox.filled().get(..head_bytes).unwrap_or_default(), &shared.limits).map_err(End::HttpFailure)
}

/// Whether everything could be written.
fn poll_write_all(
    mut io: Pin<&mut impl AsyncWrite>,
    cx: &mut Context<'_>,
    bytes: &[u8],
    written: &mut usize,
) -> Poll<bool> {
    while let Some(rest) = bytes.get(*written..).filter(|rest| !rest.is_empty()) {
        match ready!(io.as_mut().poll_write(cx, rest)) {
            Ok(count) if count > 0 => *written += count,
            _ => return Poll::Ready(false),
        }
    }
    io.poll_flush(cx).map(|flushed| flushed.is_ok())
}

enum Read {
    Bytes,
    Closed,
    Late,
    Broken,
    /// There is no room for more.
    Refused(HttpFailure),
}

/// The one timer of a connection. Deadlines mostly move later, and then the timer is left alone until it fires: a
/// request costs a comparison, not an entry in the timer wheel.
struct Timer {
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    fn new(first: Duration) -> Self {
        Self { sleep: Box::pin(sleep_until(Instant::now() + first)) }
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if deadline < self.sleep.deadline() {
            self.sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if self.sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(deadline);
        }
    }
}
