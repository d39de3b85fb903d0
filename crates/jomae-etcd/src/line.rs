//! One HTTP/2 connection to one member: TCP, TLS, and the knowledge whether a request left at all.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tonic::body::Body;

use crate::{Config, ConfigError, Error, Tls};

/// Bytes that a peer may send unasked: pages of a range are large, so the connection's window is wide.
const WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// Where a member listens.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) origin: http::Uri,
    host: String,
    port: u16,
    tls: bool,
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let bad = || ConfigError::Endpoint(text.to_owned());
        let uri: http::Uri = text.parse().map_err(|_| bad())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad()),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(bad());
        }
        let host = uri.host().ok_or_else(bad)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(2379);
        Ok(Self { host, port, tls, origin: uri })
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The client's side of TLS: this CA and no other, and our certificate if there is one.
pub(crate) fn connector(tls: &Tls) -> Result<TlsConnector, ConfigError> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&tls.ca) {
        roots.add(certificate.map_err(|_| ConfigError::Ca)?).map_err(|_| ConfigError::Ca)?;
    }
    if roots.is_empty() {
        return Err(ConfigError::Ca);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::Identity(error.to_string()))?
        .with_root_certificates(roots);
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&identity.certificate).collect();
            let chain = chain.map_err(|_| ConfigError::Identity("no valid PEM certificate".to_owned()))?;
            let key = PrivateKeyDer::from_pem_slice(&identity.key)
                .map_err(|_| ConfigError::Identity("no valid PEM private key".to_owned()))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| ConfigError::Identity(error.to_string()))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Lost {
    /// Whether any of it may have left.
    pub(crate) sent: bool,
    pub(crate) text: String,
}

/// An open connection; a clone is another handle to it.
#[derive(Clone)]
pub(crate) struct Line {
    requests: http2::SendRequest<Body>,
    ended: Arc<OnceLock<Ended>>,
}

/// Why a connection ended.
struct Ended {
    tls: bool,
    text: String,
}

impl Line {
    /// Within the time for connecting.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        connector: Option<&TlsConnector>,
        config: &Config,
    ) -> Result<Self, Error> {
        let unreachable = |what: String| Error::Unreachable(format!("{endpoint}: {what}"));
        let open = async {
            let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port))
                .await
                .map_err(|error| unreachable(error.to_string()))?;
            tcp.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
            let Some(connector) = connector.filter(|_| endpoint.tls) else {
                return Self::over(tcp, config).await.map_err(|error| unreachable(chain(&error)));
            };
            let name = ServerName::try_from(endpoint.host.clone())
                .map_err(|_| unreachable("not a name that a certificate can have".to_owned()))?;
            let tls = connector.connect(name, tcp).await.map_err(|error| {
                let text = format!("{endpoint}: {}", chain(&error));
                if is_tls(&error) { Error::Certificate(text) } else { Error::Unreachable(text) }
            })?;
            Self::over(tls, config).await.map_err(|error| unreachable(chain(&error)))
        };
        let late = |_| unreachable("no connection in time".to_owned());
        tokio::time::timeout(config.connect_timeout, open).await.map_err(late)?
    }

    async fn over(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        config: &Config,
    ) -> Result<Self, hyper::Error> {
        let (requests, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(config.keep_alive_interval)
            .keep_alive_timeout(config.keep_alive_timeout)
            .keep_alive_while_idle(true)
            .initial_connection_window_size(WINDOW_BYTES)
            .initial_stream_window_size(WINDOW_BYTES)
            .handshake(TokioIo::new(io))
            .await?;
        let ended = Arc::new(OnceLock::new());
        let told = Arc::clone(&ended);
        tokio::spawn(async move {
            let end = match connection.await {
                Ok(()) => Ended { tls: false, text: "the connection was closed".to_owned() },
                Err(error) => {
                    let text = chain(&error);
                    // HTTP/2 keeps only the text of an error below it.
                    Ended { tls: text.contains("received fatal alert"), text }
                }
            };
            let _ = told.set(end);
        });
        Ok(Self { requests, ended })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.ended.get().is_some() || self.requests.is_closed()
    }

    /// What TLS said when it ended the connection: in TLS 1.3 a server refuses a certificate after the handshake.
    pub(crate) async fn refusal(&self) -> Option<String> {
        // The task that knows may be a moment behind the request that failed.
        for _ in 0..20 {
            if let Some(end) = self.ended.get() {
                return end.tls.then(|| end.text.clone());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    }
}

impl tower_service::Service<http::Request<Body>> for Line {
    type Response = http::Response<Incoming>;
    type Error = Lost;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Lost>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        self.requests.poll_ready(context).map_err(|error| Lost { sent: false, text: chain(&error) })
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.requests.try_send_request(request);
        Box::pin(async move {
            answer.await.map_err(|mut error| {
                // Whoever gets the request back knows that it was not sent.
                let sent = error.take_message().is_none();
                Lost { sent, text: chain(error.error()) }
            })
        })
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Whether an error is TLS's own: a certificate that one side does not accept.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        // An I/O error shows as its source what its inner error has as source, not the inner error itself.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) {
            return true;
        }
        next = error.source();
    }
    false
}
