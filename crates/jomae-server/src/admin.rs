//! The admin listener: health, readiness, metrics. No keys, no credentials, not for the public network.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use jomae_core::service::Service;
use tokio::{net::TcpListener, sync::watch};

use crate::metrics::Metrics;

const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// What the admin listener tells of.
pub(crate) struct Admin {
    pub(crate) service: Arc<Service>,
    pub(crate) metrics: Arc<Metrics>,
}

/// Answers until the stop is asked for.
pub(crate) async fn serve(listener: TcpListener, admin: Arc<Admin>, mut shutdown: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|stop| *stop) => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = admin.answer(&request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes away is none of our business.
            let _ = connection.await;
        });
    }
}

impl Admin {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".into());
        }
        match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "ok\n".into()),
            "/readyz" => self.readiness(),
            "/metrics" => text(StatusCode::OK, self.metrics.text()),
            _ => text(StatusCode::NOT_FOUND, "/healthz, /readyz or /metrics\n".into()),
        }
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        if let Err(error) = self.service.kms.vault.store().get("sys/ready") {
            return text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"));
        }
        if !self.service.audit.is_writable() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the audit log cannot be written\n".into());
        }
        text(StatusCode::OK, "ready\n".into())
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
