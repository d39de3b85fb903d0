//! Calls, on whichever member answers.

use std::{error::Error as _, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout_at},
};
use tokio_rustls::TlsConnector;
use tonic::{Request, Status, client::Grpc};
use tonic_prost::ProstCodec;

use crate::{
    ANSWER_BYTES_MAX, Config, ConfigError, Error, Tls,
    error::from_status,
    line::{self, Endpoint, Line, Lost},
    proto::{
        CompactionRequest, CompactionResponse, RangeRequest, RangeResponse, StatusRequest, StatusResponse, TxnRequest,
        TxnResponse,
    },
    watch::Watch,
};

/// After every member was asked in vain.
const ROUND_PAUSE: Duration = Duration::from_millis(50);

/// A client of one cluster; a clone shares its connection. Needs a tokio runtime with time and I/O around each call.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    endpoints: Vec<Endpoint>,
    current: Mutex<Current>,
}

/// The connection in use, and with what the next one is made, to which member, if there is none.
struct Current {
    connector: Option<TlsConnector>,
    next: usize,
    line: Option<(usize, Line)>,
}

impl Client {
    /// Connects when first called. An `https` endpoint needs TLS.
    pub fn new(config: Config, tls: Option<&Tls>) -> Result<Self, ConfigError> {
        let endpoints: Vec<Endpoint> =
            config.endpoints.iter().map(|text| Endpoint::parse(text)).collect::<Result<_, _>>()?;
        if endpoints.is_empty() {
            return Err(ConfigError::NoEndpoint);
        }
        let connector = tls.map(line::connector).transpose()?;
        if connector.is_none() && endpoints.iter().any(Endpoint::is_tls) {
            return Err(ConfigError::NoCa);
        }
        Ok(Self::with(config, endpoints, connector))
    }

    fn with(config: Config, endpoints: Vec<Endpoint>, connector: Option<TlsConnector>) -> Self {
        let current = Mutex::new(Current { connector, next: 0, line: None });
        Self { shared: Arc::new(Shared { config, endpoints, current }) }
    }

    /// A client of the same members with other certificates, and a connection of its own.
    pub fn with_tls(&self, tls: &Tls) -> Result<Self, ConfigError> {
        let Shared { config, endpoints, .. } = &*self.shared;
        Ok(Self::with(config.clone(), endpoints.clone(), Some(line::connector(tls)?)))
    }

    /// Goes on with the certificates of one made [`with_tls`](Self::with_tls), and over its connection. Calls on their
    /// way end where they began; a watch stays there until it is opened again.
    pub async fn take_over(&self, other: Self) {
        let mut theirs = other.shared.current.lock().await;
        let (connector, next, line) = (theirs.connector.take(), theirs.next, theirs.line.take());
        *self.shared.current.lock().await = Current { connector, next, line };
    }

    /// Reads keys; linearizable.
    pub async fn range(&self, request: RangeRequest) -> Result<RangeResponse, Error> {
        self.call("/etcdserverpb.KV/Range", request, true).await
    }

    /// As [`Client::range`], of so many keys that it may take longer than other calls.
    pub async fn range_within(&self, request: RangeRequest, within: Duration) -> Result<RangeResponse, Error> {
        self.call_within("/etcdserverpb.KV/Range", request, true, within).await
    }

    /// A transaction that may write.
    pub async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, Error> {
        self.call("/etcdserverpb.KV/Txn", request, false).await
    }

    /// A transaction that only compares and reads; linearizable.
    pub async fn read_txn(&self, request: TxnRequest) -> Result<TxnResponse, Error> {
        self.call("/etcdserverpb.KV/Txn", request, true).await
    }

    /// What the member in use says of itself.
    pub async fn status(&self) -> Result<StatusResponse, Error> {
        self.call("/etcdserverpb.Maintenance/Status", StatusRequest {}, true).await
    }

    /// Forgets what was before a revision.
    pub async fn compact(&self, revision: i64) -> Result<(), Error> {
        let request = CompactionRequest { revision, physical: true };
        self.call("/etcdserverpb.KV/Compact", request, false).await.map(|_: CompactionResponse| ())
    }

    /// Watches all keys from `key` up to `end`, from a revision on. A member without a leader ends it.
    pub async fn watch(&self, key: Bytes, end: Bytes, start_revision: i64) -> Result<Watch, Error> {
        let deadline = Instant::now() + self.shared.config.call_timeout;
        let (at, line) = timeout_at(deadline, self.line()).await.map_err(|_| late())??;
        let grpc = self.grpc(at, line.clone());
        let opened = match timeout_at(deadline, Watch::open(grpc, key, end, start_revision)).await {
            Ok(Ok(watch)) => return Ok(watch),
            Ok(Err(status)) => failure(&status),
            Err(_) => late(),
        };
        Err(self.failed(at, &line, opened, true).await)
    }

    /// Leaves the member in use for the next one, because it is silent.
    pub async fn leave(&self) {
        let mut current = self.shared.current.lock().await;
        current.line = None;
    }

    fn grpc(&self, at: usize, line: Line) -> Grpc<Line> {
        let origin = self.shared.endpoints.get(at).map(|endpoint| endpoint.origin.clone()).unwrap_or_default();
        Grpc::with_origin(line, origin).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The open connection, or a new one to the next member; each call of this tries one member.
    async fn line(&self) -> Result<(usize, Line), Error> {
        let shared = &*self.shared;
        let mut current = shared.current.lock().await;
        if let Some((at, line)) = &current.line
            && !line.is_closed()
        {
            return Ok((*at, line.clone()));
        }
        current.line = None;
        let at = current.next % shared.endpoints.len();
        // Before the attempt, so that one that is given up is not made again next.
        current.next = at + 1;
        let Some(endpoint) = shared.endpoints.get(at) else { return Err(late()) };
        let line = Line::open(endpoint, current.connector.as_ref(), &shared.config).await?;
        current.line = Some((at, line.clone()));
        Ok((at, line))
    }

    /// Calls go to another member from now on, unless they do already. Returns the error, or what TLS says of it; but
    /// of a write that was sent nothing is known, whatever ended the connection.
    async fn failed(&self, at: usize, line: &Line, error: Error, repeatable: bool) -> Error {
        let refusal = match &error {
            Error::Unknown(_) if !repeatable => None,
            Error::Unknown(_) | Error::Unreachable(_) if line.is_closed() => line.refusal().await,
            Error::Unknown(_) | Error::Unreachable(_) => None,
            _ => return error,
        };
        let mut current = self.shared.current.lock().await;
        if matches!(&current.line, Some((now, _)) if *now == at) {
            current.line = None;
        }
        refusal.map_or(error, Error::Certificate)
    }

    /// One member after the other until one answers or the time is over. Only what is `repeatable` is sent again after
    /// it may have arrived.
    async fn call<Q, A>(&self, path: &'static str, request: Q, repeatable: bool) -> Result<A, Error>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        self.call_within(path, request, repeatable, self.shared.config.call_timeout).await
    }

    async fn call_within<Q, A>(
        &self,
        path: &'static str,
        request: Q,
        repeatable: bool,
        within: Duration,
    ) -> Result<A, Error>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        let deadline = Instant::now() + within;
        let mut last = None;
        let mut tried = 0;
        while Instant::now() < deadline {
            let error = match timeout_at(deadline, self.line()).await {
                Err(_) => break,
                Ok(Err(error)) => error,
                Ok(Ok((at, line))) => {
                    let once = self.once(path, request.clone(), self.grpc(at, line.clone()));
                    // Half of what is left for a read, so that a silent member leaves time for the next.
                    let until = if repeatable && self.shared.endpoints.len() > 1 {
                        Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2
                    } else {
                        deadline
                    };
                    let error = match timeout_at(until, once).await {
                        Ok(Ok(answer)) => return Ok(answer),
                        Ok(Err(error)) => error,
                        Err(_) => Error::Unknown("no answer in time".to_owned()),
                    };
                    self.failed(at, &line, error, repeatable).await
                }
            };
            tried += 1;
            let every_member = tried % self.shared.endpoints.len() == 0;
            let again = match error {
                Error::Unreachable(_) => true,
                Error::Unknown(_) => repeatable,
                // One member may have a certificate of its own that is wrong.
                Error::Certificate(_) => !every_member,
                _ => false,
            };
            if !again {
                return Err(error);
            }
            if every_member {
                sleep(ROUND_PAUSE).await;
            }
            last = Some(error);
        }
        Err(last.unwrap_or_else(late))
    }

    async fn once<Q, A>(&self, path: &'static str, request: Q, mut grpc: Grpc<Line>) -> Result<A, Error>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        grpc.ready().await.map_err(|lost| Error::Unreachable(lost.text))?;
        let codec = ProstCodec::<Q, A>::default();
        let call: std::pin::Pin<Box<dyn Future<Output = _> + Send + '_>> =
            Box::pin(grpc.unary(Request::new(request), PathAndQuery::from_static(path), codec));
        call.await.map(tonic::Response::into_inner).map_err(|status| failure(&status))
    }
}

/// What a failed request means; whether it left is known to the connection.
pub(crate) fn failure(status: &Status) -> Error {
    match status.source().and_then(|source| source.downcast_ref::<Lost>()) {
        Some(Lost { sent: false, text }) => Error::Unreachable(text.clone()),
        Some(Lost { sent: true, text }) => Error::Unknown(text.clone()),
        None => from_status(status),
    }
}

fn late() -> Error {
    Error::Unreachable("no member could be reached in time".to_owned())
}
