//! Connections from a chosen address, and signed calls on them.

use std::{
    convert::Infallible,
    error::Error,
    hash::{BuildHasher as _, RandomState},
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::BodyExt as _;
use hyper::{
    body::{Body, Frame, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jomae_api::{
    API_VERSION, actions,
    sign::{
        Scheme,
        client::{SignRequest, SigningKey},
    },
    time::Timestamp,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Why it was given up.
pub type Failure = Box<dyn Error + Send + Sync>;

/// An HTTPS endpoint on the loopback, and the address that it is reached from.
pub struct Target {
    host: String,
    address: SocketAddr,
    from: IpAddr,
    name: ServerName<'static>,
    http1: TlsConnector,
    http2: TlsConnector,
    /// Makes nonces that no other run uses.
    run: u64,
    count: AtomicU64,
}

impl Target {
    /// `endpoint` is `https://HOST:PORT`. An error if either end is not on the loopback.
    pub async fn new(endpoint: &str, ca_file: &Path, from: IpAddr) -> Result<Self, Failure> {
        let host = endpoint.strip_prefix("https://").ok_or("the endpoint must begin with https://")?;
        let host = host.trim_end_matches('/').to_owned();
        let (name, _port) = host.rsplit_once(':').ok_or("the endpoint must end with a port")?;
        let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned())?;
        let found = tokio::net::lookup_host(&host).await?.find(|address| address.is_ipv4() == from.is_ipv4());
        let address = found.ok_or("the endpoint has no address of the kind of --from")?;
        if !(address.ip().is_loopback() && from.is_loopback()) {
            return Err("attacks stay on this machine: both addresses must be of the loopback".into());
        }
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca_file)? {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let mut with_http2 = config.clone();
        with_http2.alpn_protocols = vec![b"h2".to_vec()];
        let [http1, http2] = [config, with_http2].map(|config| TlsConnector::from(Arc::new(config)));
        let (run, count) = (RandomState::new().hash_one(0), AtomicU64::new(0));
        Ok(Self { host, address, from, name, http1, http2, run, count })
    }

    /// A TCP connection.
    pub async fn tcp(&self) -> io::Result<TcpStream> {
        let socket = if self.from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind(SocketAddr::new(self.from, 0))?;
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn tls(&self, with: &TlsConnector) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        Ok(TokioIo::new(with.connect(self.name.clone(), self.tcp().await?).await?))
    }

    /// A connection of HTTP/1.1.
    pub async fn http1(&self) -> Result<http1::SendRequest<Content>, Failure> {
        let (send, connection) = http1::handshake(self.tls(&self.http1).await?).await?;
        // Its end shows at the sender.
        tokio::spawn(async { drop(connection.await) });
        Ok(send)
    }

    /// A connection of HTTP/2.
    pub async fn http2(&self) -> Result<http2::SendRequest<Content>, Failure> {
        let (send, connection) = http2::handshake(TokioExecutor::new(), self.tls(&self.http2).await?).await?;
        tokio::spawn(async { drop(connection.await) });
        Ok(send)
    }

    /// A request that is not signed.
    pub fn plain(&self, version: http::Version, body: Content) -> Result<Request<Content>, Failure> {
        let request = match version {
            http::Version::HTTP_2 => Request::post(format!("https://{}/", self.host)),
            _ => Request::post("/").header(header::HOST, &self.host),
        };
        Ok(request.header(header::CONTENT_TYPE, FORM).body(body)?)
    }

    /// A call, signed by ACS3, with its parameters in the body.
    pub fn signed(
        &self,
        version: http::Version,
        caller: &Caller,
        call: &Call<'_>,
    ) -> Result<Request<Content>, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().cast_signed();
        let nonce = format!("{:016x}{:016x}", self.run, self.count.fetch_add(1, Ordering::Relaxed));
        let signed = SignRequest {
            scheme: Scheme::Acs3HmacSha256,
            access_key_id: &caller.access_key_id,
            key: SigningKey::Secret(caller.secret.as_bytes()),
            security_token: None,
            action: call.action,
            version: actions::find(call.action).map_or(API_VERSION, |spec| spec.api().version()),
            host: &self.host,
            method: "POST",
            params: &[],
            form: call.form,
            date: &Timestamp(now + call.ahead_secs).to_string(),
            nonce: &nonce,
            region: "",
        };
        let signed = signed.sign().map_err(|error| error.to_string())?;
        let origin = if version == http::Version::HTTP_2 { format!("https://{}", self.host) } else { String::new() };
        let mut request = Request::post(format!("{origin}/"));
        for (name, value) in signed.headers {
            if !(name == "host" && version == http::Version::HTTP_2) {
                request = request.header(name, value);
            }
        }
        Ok(request.body(Content::whole(signed.body))?)
    }
}

/// Media type of what callers send.
const FORM: &str = "application/x-www-form-urlencoded";

/// Who signs. No `Debug`.
pub struct Caller {
    pub access_key_id: String,
    pub secret: String,
}

/// One thing to ask for.
pub struct Call<'a> {
    pub action: &'a str,
    pub form: &'a [(&'a str, &'a str)],
    /// How far in the future the stamp is, in seconds.
    pub ahead_secs: i64,
}

impl<'a> Call<'a> {
    pub const fn new(action: &'a str, form: &'a [(&'a str, &'a str)]) -> Self {
        Self { action, form, ahead_secs: 0 }
    }
}

/// Reads an answer to its end; returns its status and body.
pub async fn whole(answer: Response<Incoming>) -> Result<(u16, Bytes), Failure> {
    let status = answer.status().as_u16();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}

/// The body of a request.
pub struct Content {
    bytes: Option<Bytes>,
    ends: bool,
}

impl Content {
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: Some(bytes.into()), ends: true }
    }

    /// Sends these bytes and no end.
    pub fn endless(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: Some(bytes.into()), ends: false }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let content = self.get_mut();
        match content.bytes.take().filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None if content.ends => Poll::Ready(None),
            // Nobody wakes this: the exchange ends when its future is dropped.
            None => Poll::Pending,
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match &self.bytes {
            Some(bytes) if self.ends => hyper::body::SizeHint::with_exact(bytes.len() as u64),
            None if self.ends => hyper::body::SizeHint::with_exact(0),
            _ => hyper::body::SizeHint::default(),
        }
    }
}
