//! One HTTP/2 connection, driven by hyper.
//!
//! The path and query of a request stop at 65,534 bytes here, the limit of `http::Uri`. Requests and answers pass
//! through buffers of the `h2` crate, which are not wiped.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming as Body};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use jomae_api::wire::{Header, Request};
use jomae_core::{lane::Lane, wait::Abandonment};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::budget::Hold;
use super::buffer::{SIZE_KEPT_MAX, capacity_with, extend};
use super::lane::carried;
use super::peers::Seat;
use super::serve::Stop;
use super::{Answer, HttpFailure, Incoming, Peer, Service, Shared, answer};

const STREAMS_MAX: u32 = 128;
/// Bytes of a body, and of all bodies of a connection, that may be under way before they were read. What arrives is
/// read at once or refused, so that this bounds what waits in the library's buffers.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 128 * 1024;
/// Bytes of an answer that wait in the library's buffers.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Streams that a client may have reset before they were looked at, and that it may make us reset.
const RESETS_PENDING_MAX: usize = 20;
const ERROR_RESETS_MAX: usize = 256;
/// A body of so many bytes is read before anything is known of who sends it.
const SMALL_BYTES: u64 = SIZE_KEPT_MAX as u64;
/// What a header field takes beside its name and value, in bytes (RFC 9113 section 6.5.2).
const FIELD_OVERHEAD_BYTES: usize = 32;
const HEADER_LIST_BYTES_MAX: u32 = 96 * 1024;
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Requests begun and ended on a connection.
#[derive(Default)]
struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// Counts an exchange as ended, however it ends.
struct Ended(Arc<Activity>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// An exchange whose stream may be reset: if that happens before the call has decided anything, it is dropped.
struct Exchange<T> {
    abandonment: Abandonment,
    exchange: JoinHandle<T>,
}

impl<T> Future for Exchange<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.exchange).poll(cx)
    }
}

impl<T> Drop for Exchange<T> {
    fn drop(&mut self) {
        if self.abandonment.give_up() {
            self.exchange.abort();
        }
    }
}

/// Serves requests until the connection ends.
pub(super) async fn run<S: Service>(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shared: Arc<Shared<S>>,
    peer: SocketAddr,
    mut stop: Stop,
    seat: Seat,
) {
    let (idle_timeout, last_timeout) = (shared.limits.idle_timeout, shared.limits.drain_timeout);
    let linger_timeout = shared.limits.linger_timeout;
    let activity = Arc::new(Activity::default());
    let (seat, peer) = (Arc::new(seat), Arc::new(Peer::new(peer)));
    let mut told_to_go = std::pin::pin!(seat.told_to_go());
    let service = {
        let seat = Arc::clone(&seat);
        let activity = Arc::clone(&activity);
        let exchanges = Arc::new(Semaphore::new(STREAMS_MAX as usize));
        service_fn(move |request| {
            let (shared, activity, seat) = (Arc::clone(&shared), Arc::clone(&activity), Arc::clone(&seat));
            let (exchanges, peer) = (Arc::clone(&exchanges), Arc::clone(&peer));
            async move {
                // Held to the end of the exchange, which can be after that of its stream. It is never closed.
                let place = exchanges.acquire_owned().await;
                activity.begun.fetch_add(1, Ordering::Relaxed);
                let ended = Ended(activity);
                let abandonment = Abandonment::possible();
                let (lane, costly) = (Arc::<Lane>::default(), shared.costly.clone());
                // On a task of its own: a client that resets its stream must not stop a call half way, between its
                // change and its audit event. Before that it is given up.
                let (until_given_up, own_lane) = (abandonment.clone(), Arc::clone(&lane));
                let exchange = async move {
                    let _until_the_end = (place, ended);
                    exchange(&shared, request, &peer, &seat, &abandonment, &own_lane).await
                };
                let exchange = tokio::spawn(carried(exchange, lane, costly));
                Exchange { abandonment: until_given_up, exchange }.await
            }
        })
    };
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES_MAX)
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .max_local_error_reset_streams(ERROR_RESETS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);

    let mut begun_before = 0;
    loop {
        tokio::select! {
            // A broken connection is the client's affair; there is nobody left to tell.
            _ = connection.as_mut() => return,
            () = stop.asked() => break,
            // Calls under way end by themselves.
            () = told_to_go.as_mut(), if !seat.is_known() => return,
            () = sleep(idle_timeout) => {
                let begun = activity.begun.load(Ordering::Relaxed);
                if begun == begun_before && begun == activity.ended.load(Ordering::Relaxed) {
                    break;
                }
                begun_before = begun;
            }
        }
    }
    connection.as_mut().graceful_shutdown();
    // A client that does not take its leave is not waited for once no call of its is under way.
    let nothing_to_wait_for = async {
        loop {
            sleep(linger_timeout).await;
            if activity.begun.load(Ordering::Relaxed) == activity.ended.load(Ordering::Relaxed) {
                return;
            }
        }
    };
    let leave = async {
        tokio::select! {
            _ = connection => {}
            () = nothing_to_wait_for => {}
        }
    };
    let _ = timeout(last_timeout, leave).await;
}

async fn exchange<S: Service>(
    shared: &Shared<S>,
    request: http::Request<Body>,
    peer: &Peer,
    seat: &Arc<Seat>,
    abandonment: &Abandonment,
    lane: &Lane,
) -> http::Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let is_head = parts.method == http::Method::HEAD;
    let answer = match ask(shared, &parts, body, peer, seat, (abandonment, lane)).await {
        Ok(answer) => answer,
        Err(why) => shared.malformed(why, peer.address),
    };
    shared.stats.bytes_out.add(answer.body.len() as u64);
    response(answer, is_head)
}

/// Waits for the whole request, and has it answered.
async fn ask<S: Service>(
    shared: &Shared<S>,
    parts: &http::request::Parts,
    body: Body,
    peer: &Peer,
    seat: &Arc<Seat>,
    (abandonment, lane): (&Abandonment, &Lane),
) -> Result<Answer, HttpFailure> {
    let limits = &shared.limits;
    let mut hold = Hold::new(Arc::clone(seat));
    hold.grow(head_bytes(parts))?;
    let headers = headers(parts, limits.headers_max).ok_or(HttpFailure::TooManyHeaders)?;
    let head = Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
        body: &[],
    };
    if !seat.is_known() && !body.is_end_stream() && body.size_hint().upper().is_none_or(|bytes| bytes > SMALL_BYTES) {
        shared.vouch(Incoming { request: head, peer, tls: true, abandonment, lane }, &mut hold);
    }
    let collected = timeout(limits.body_timeout, collect(body, limits.body_bytes_max, &mut hold)).await;
    let body = collected.map_err(|_| HttpFailure::BodyTimeout)??;
    shared.stats.bytes_in.add(body.len() as u64);
    let request = Request { body: &body, ..head };
    Ok(shared.answer(Incoming { request, peer, tls: true, abandonment, lane }, seat).await)
}

/// What the head of a request takes in memory.
fn head_bytes(parts: &http::request::Parts) -> usize {
    let fields = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD_BYTES);
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let authority = parts.uri.authority().map_or(0, |authority| authority.as_str().len());
    fields.sum::<usize>() + target + authority
}

/// The header fields, with `:authority` as `host`, which is what clients sign. `None` if there are too many.
fn headers(parts: &http::request::Parts, headers_max: usize) -> Option<Vec<Header<'_>>> {
    let fields = parts.headers.iter().map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() });
    let mut headers = Vec::with_capacity(parts.headers.len() + 1);
    // Another `host` beside it makes two, which the service refuses.
    if let Some(authority) = parts.uri.authority().map(|authority| authority.as_str().as_bytes())
        && parts.headers.get(header::HOST).is_none_or(|host| host.as_bytes() != authority)
    {
        headers.push(Header { name: "host", value: authority });
    }
    headers.extend(fields);
    (headers.len() <= headers_max).then_some(headers)
}

async fn collect(mut body: Body, bytes_max: usize, hold: &mut Hold) -> Result<Zeroizing<Vec<u8>>, HttpFailure> {
    let mut collected = Zeroizing::new(Vec::new());
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(HttpFailure::BodyTooLarge);
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| HttpFailure::BadRequest)?;
        // Trailers are dropped.
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > bytes_max - collected.len() {
            return Err(HttpFailure::BodyTooLarge);
        }
        hold.grow(capacity_with(&collected, data.len()) - collected.capacity())?;
        extend(&mut collected, &data);
    }
    Ok(collected)
}

/// An answer as HTTP/2 sends it; hyper adds the date.
fn response(answer: Answer, is_head: bool) -> http::Response<Full<Bytes>> {
    let mut response = http::Response::new(Full::default());
    *response.status_mut() = answer::status(&answer);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(answer.body.len()));
    if let Some(id) = answer::header_value(&answer.request_id).and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert("x-acs-request-id", id);
    }
    if let Some(after) = answer.retry_after {
        headers.insert("x-acs-retry-after", HeaderValue::from(after));
    }
    if let Some(secs) = answer::retry_after_secs(&answer) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
    }
    if let Some(index) = answer.audit_index {
        headers.insert("x-jomae-audit-index", HeaderValue::from(index));
    }
    let receipt = answer.audit_receipt.as_deref().and_then(answer::header_value);
    if let Some(receipt) = receipt.and_then(|receipt| HeaderValue::from_str(receipt).ok()) {
        headers.insert("x-jomae-receipt", receipt);
    }
    for (name, value) in answer.headers.iter().filter(|(_, value)| answer::is_field_value(value)) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    let body = Zeroizing::new(answer.body);
    if !is_head {
        *response.body_mut() = Full::new(Bytes::from_owner(body));
    }
    response
}
