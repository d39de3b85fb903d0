//! Between HTTP and the service: the clock, the address, the metrics and the operator's log.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use jomae_api::{action::Api, error::Refusal, time::Timestamp, wire::Params};
use jomae_core::{
    error::FaultKind,
    identity::Caller,
    service::{Arrival, Reply, Service},
    shares::Meter,
};

use crate::{
    http::{self, Answer, HttpFailure, Incoming},
    logging::Seldom,
    metrics::Metrics,
};

/// The service as the HTTP side calls it.
pub struct Gateway {
    service: Arc<Service>,
    metrics: Arc<Metrics>,
    started: Instant,
    /// Of faults that callers met who had not proved who they are.
    stranger_faults: Seldom,
}

impl Gateway {
    pub fn new(service: Arc<Service>, metrics: Arc<Metrics>) -> Self {
        Self { service, metrics, started: Instant::now(), stranger_faults: Seldom::default() }
    }
}

/// Now, in whole seconds.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

impl Gateway {
    /// Our own failures go to the log with their cause, those that strangers can bring about once a minute; of refusals
    /// only a missing permission, unless someone looks closely.
    fn note(&self, reply: &Reply, source_ip: &str) {
        let action = reply.outcome.action.unwrap_or("none");
        let request_id = &reply.request_id;
        if let Some(fault) = &reply.outcome.fault {
            if fault.kind == FaultKind::Away {
                tracing::debug!(action, request_id, source_ip, cause = %fault, "a call failed");
            } else if reply.outcome.known {
                tracing::error!(action, request_id, source_ip, cause = %fault, "a call failed");
            } else if let Some(times) = self.stranger_faults.due() {
                tracing::error!(request_id, source_ip, times, cause = %fault, "calls by unknown callers failed");
            }
        } else if let Some(denial) = reply.outcome.denial.as_ref().filter(|denial| denial.too_costly) {
            tracing::warn!(action, request_id, source_ip, %denial, "a decision was too costly");
        } else if let Some(denial) = &reply.outcome.denial {
            // The caller sees only that permission is missing; the operator sees what to change.
            tracing::info!(action, request_id, source_ip, %denial, "permission denied");
        } else if let Some(refusal) = reply.outcome.refusal {
            tracing::debug!(action, request_id, source_ip, code = refusal.code(), "a call was refused");
        }
    }
}

impl Gateway {
    /// Answers a call of somebody who has signed in to the console; it is measured, counted and noted like any other.
    pub(crate) async fn answer_signed_in(
        &self,
        caller: &Caller,
        action: (Api, &str),
        params: &Params<'_>,
        incoming: Incoming<'_>,
    ) -> Reply {
        let began = Instant::now();
        let meter = Meter::default();
        let arrival = self.arrival(&incoming, began, &meter);
        let answering = self.service.answer_signed_in(caller, action, params, &incoming.request, arrival);
        let reply = measured(pin!(answering), &meter).await;
        self.count(&reply, arrival.source_ip, began);
        reply
    }

    /// Lets somebody assume a role with the token of a provider of identities, for a session of the console.
    pub(crate) async fn answer_with_token(&self, params: &Params<'_>, incoming: Incoming<'_>) -> Reply {
        let began = Instant::now();
        let meter = Meter::default();
        let arrival = self.arrival(&incoming, began, &meter);
        let answering = self.service.answer_with_token(params, &incoming.request, arrival);
        let reply = measured(pin!(answering), &meter).await;
        self.count(&reply, arrival.source_ip, began);
        reply
    }

    fn arrival<'a>(&self, incoming: &Incoming<'a>, began: Instant, meter: &'a Meter) -> Arrival<'a> {
        let steady_ns = u64::try_from(began.duration_since(self.started).as_nanos()).unwrap_or(u64::MAX);
        let Incoming { peer, abandonment, lane, .. } = *incoming;
        Arrival { source_ip: &peer.ip, now: now(), steady_ns, abandonment, lane, meter }
    }

    fn count(&self, reply: &Reply, source_ip: &str, began: Instant) {
        self.metrics.count(reply, began.elapsed());
        self.note(reply, source_ip);
    }
}

impl http::Service for Gateway {
    async fn call<'a>(&'a self, incoming: Incoming<'a>) -> Answer {
        let began = Instant::now();
        let meter = Meter::default();
        let arrival = self.arrival(&incoming, began, &meter);
        let reply = measured(pin!(self.service.answer(&incoming.request, arrival)), &meter).await;
        self.count(&reply, arrival.source_ip, began);
        answer(reply)
    }

    fn vouches(&self, incoming: Incoming<'_>) -> bool {
        let source_ip = &incoming.peer.ip;
        // Rates do not count here.
        let Incoming { request, abandonment, lane, .. } = &incoming;
        self.service.vouches(
            request,
            Arrival { source_ip, now: now(), steady_ns: 0, abandonment, lane, meter: &Meter::default() },
        )
    }

    fn malformed(&self, why: HttpFailure, peer: SocketAddr) -> Answer {
        let refusal = match why {
            HttpFailure::RequestLineTooLong
            | HttpFailure::HeadTooLarge
            | HttpFailure::TooManyHeaders
            | HttpFailure::BodyTooLarge => Refusal::RequestTooLarge,
            HttpFailure::BadRequest
            | HttpFailure::UnsupportedVersion
            | HttpFailure::UnsupportedTransferEncoding
            | HttpFailure::ExpectationFailed => Refusal::RequestUnreadable,
            HttpFailure::HeadTimeout | HttpFailure::BodyTimeout => Refusal::RequestTimeout,
            HttpFailure::PlainHttpOnTls => Refusal::NeedTls,
            HttpFailure::TooManyConnections => Refusal::TooManyConnections,
            HttpFailure::TooManyBytes => Refusal::TooManyBytes,
            HttpFailure::InternalPanic => Refusal::Internal,
        };
        let reply = self.service.refuse(refusal);
        tracing::debug!(kind = why.label(), %peer, request_id = reply.request_id, "not a request");
        answer(reply)
    }
}

/// What a future gives. The meter has how long it kept a thread: waiting does not count.
async fn measured<F: Future>(mut future: Pin<&mut F>, meter: &Meter) -> F::Output {
    poll_fn(|cx| {
        let began = Instant::now();
        let polled = future.as_mut().poll(cx);
        meter.add(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        polled
    })
    .await
}

fn answer(reply: Reply) -> Answer {
    Answer {
        status: reply.status,
        content_type: reply.format.content_type(),
        request_id: reply.request_id,
        retry_after: reply.retry_after_ms,
        audit_index: reply.logged.index,
        audit_receipt: reply.logged.receipt,
        headers: Vec::new(),
        body: reply.body,
        close: false,
        known: reply.outcome.known,
    }
}
