//! Connections byte by byte, for what no client library would send.

use std::{
    fmt::Write as _,
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jomae_api::{
    API_VERSION,
    sign::{
        Scheme,
        client::{SignRequest, SignedRequest, SigningKey},
    },
    time::Timestamp,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::Value;

use crate::{Server, random};

const PATIENCE: Duration = Duration::from_mins(1);

/// A connection that trusts the server's CA, if it is encrypted at all.
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// One answer of HTTP/1.1.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// Checks that it is an error in the API's form, and gives the Code.
    #[track_caller]
    pub fn code(&self) -> String {
        let body = self.json();
        let id = self.header("x-acs-request-id").expect("a request id");
        assert_eq!(body["RequestId"], id);
        assert_eq!(id.len(), 36, "{id}");
        assert!(self.header("content-type").is_some_and(|kind| kind.starts_with("application/json")));
        assert!(body["Message"].is_string());
        body["Code"].as_str().expect("a Code").to_owned()
    }
}

impl Wire {
    /// A TCP connection.
    pub fn plain(server: &Server) -> Self {
        Self::Plain(tcp(server))
    }

    /// A TLS connection that speaks HTTP/1.1.
    pub fn tls(server: &Server) -> Self {
        Self::tls_as(server, "localhost")
    }

    /// The same, with a name to ask for.
    pub fn tls_as(server: &Server, name: &str) -> Self {
        Self::tls_over(server, name, tcp(server))
    }

    /// The same, with bytes before the handshake, as a proxy sends them.
    pub fn tls_after(server: &Server, start: &[u8]) -> Self {
        let mut stream = tcp(server);
        stream.write_all(start).expect("the server takes it");
        Self::tls_over(server, "localhost", stream)
    }

    fn tls_over(server: &Server, name: &str, stream: TcpStream) -> Self {
        let pem = std::fs::read(server.data.join("ca.pem")).expect("the CA");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem).expect("a certificate")).expect("a CA");
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a TLS client");
        Self::Tls(Box::new(StreamOwned::new(connection, stream)))
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server takes it");
    }

    /// Sends as long as the server listens.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes.as_ref()).and_then(|()| stream.flush()),
            Self::Tls(stream) => stream.write_all(bytes.as_ref()).and_then(|()| stream.flush()),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }

    fn head(&mut self) -> (u16, Vec<(String, String)>) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            let read = self.read(&mut byte).expect("an answer");
            assert_eq!(read, 1, "the connection ended in the head: {:?}", String::from_utf8_lossy(&head));
            head.push(byte[0]);
        }
        let text = String::from_utf8(head).expect("the head is text");
        let mut lines = text.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        (status, headers)
    }

    /// Waits for `100 Continue`: the server has read the head.
    pub fn continued(&mut self) {
        assert_eq!(self.head().0, 100);
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> Answer {
        let (status, headers) = self.head();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let bytes = answer.header("content-length").and_then(|text| text.parse().ok()).expect("a length");
        answer.body = vec![0; bytes];
        let mut filled = 0;
        while filled < bytes {
            let read = self.read(&mut answer.body[filled..]).expect("the body");
            assert!(read > 0, "the connection ended in the body");
            filled += read;
        }
        answer
    }

    /// Sends a request and reads the answer.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer()
    }

    /// Whether the server has closed the connection, now or within a minute.
    pub fn is_closed(&mut self) -> bool {
        match self.read(&mut [0]) {
            Ok(bytes) => bytes == 0,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }

    /// The certificate that the server showed, in DER.
    pub fn certificate(&self) -> Vec<u8> {
        let Self::Tls(stream) = self else { panic!("not a TLS connection") };
        stream.conn.peer_certificates().and_then(<[_]>::first).expect("a certificate").to_vec()
    }
}

fn tcp(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.listening).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// A signed request of HTTP/1.1 with the parameters in a form body.
pub fn signed(server: &Server, host: &str, action: &str, form: &[(&str, &str)]) -> Vec<u8> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let date = Timestamp(i64::try_from(since.as_secs()).expect("a time")).to_string();
    let request = SignRequest {
        scheme: Scheme::Acs3HmacSha256,
        access_key_id: server.setting("ALIBABA_CLOUD_ACCESS_KEY_ID"),
        key: SigningKey::Secret(server.setting("ALIBABA_CLOUD_ACCESS_KEY_SECRET").as_bytes()),
        security_token: None,
        action,
        version: API_VERSION,
        host,
        method: "POST",
        params: &[],
        form,
        date: &date,
        nonce: &random::word(32),
        region: server.setting("JOMAE_REGION"),
    };
    http_request(&request.sign().expect("a signature"))
}

/// A signed request as HTTP/1.1.
pub fn http_request(signed: &SignedRequest) -> Vec<u8> {
    let mut head = format!("POST /?{} HTTP/1.1\r\n", signed.query);
    for (name, value) in &signed.headers {
        write!(head, "{name}: {value}\r\n").expect("text");
    }
    if !signed.headers.iter().any(|(name, _)| *name == "content-length") {
        write!(head, "content-length: {}\r\n", signed.body.len()).expect("text");
    }
    [head.as_bytes(), b"\r\n", &signed.body].concat()
}

/// Adds a header that is not signed to a request.
pub fn with_header(request: &[u8], header: &str) -> Vec<u8> {
    let end = request.windows(2).position(|pair| pair == b"\r\n").expect("a request line") + 2;
    [&request[..end], header.as_bytes(), b"\r\n", &request[end..]].concat()
}
