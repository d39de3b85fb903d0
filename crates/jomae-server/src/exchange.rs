//! Requests and answers in JSON, where the service is not asked by its callers: the operator's socket, and the channel
//! between nodes. Whatever holds a secret is wiped.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Largest body of a request, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;
/// Room for a body that may hold a secret, so that it is never moved, in bytes.
const SECRET_BYTES: usize = 64 * 1024;

/// An answer: JSON, wiped when it has been sent.
pub struct Answer {
    pub status: StatusCode,
    pub body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// That something was not done; one line.
    pub(crate) fn error(status: StatusCode, error: &str) -> Self {
        Self { status, body: Zeroizing::new(serde_json::json!({ "error": error }).to_string().into_bytes()) }
    }

    pub(crate) fn json(answer: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self { status: StatusCode::OK, body: json(answer)? })
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from_owner(self.body)));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// JSON that may hold secrets.
pub(crate) fn json(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    let mut body = Zeroizing::new(Vec::with_capacity(SECRET_BYTES));
    serde_json::to_writer(&mut *body, value)?;
    Ok(body)
}

/// A request with its body, if that is short enough and comes in time.
pub(crate) async fn read(request: Request<Incoming>, within: Duration) -> Result<(Parts, Zeroizing<Vec<u8>>), Answer> {
    let (head, body) = request.into_parts();
    match timeout(within, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => Ok((head, Zeroizing::new(body.to_bytes().to_vec()))),
        Ok(Err(_)) => Err(Answer::error(StatusCode::PAYLOAD_TOO_LARGE, "the body is broken, or longer than 64 KiB")),
        Err(_) => Err(Answer::error(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

/// What an answer that is not 200 says.
pub(crate) fn error_of(status: StatusCode, body: &[u8]) -> String {
    let answer = serde_json::from_slice::<serde_json::Value>(body).ok();
    let error = answer.as_ref().and_then(|answer| answer.get("error")?.as_str());
    error.map_or_else(|| format!("HTTP {status}"), str::to_owned)
}
