//! TLS and HTTP/2 over real sockets.

use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::tls::provider;

fn trusting(cas: &[&Issued], versions: &[&'static SupportedProtocolVersion], alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for ca in cas {
        roots.add(CertificateDer::from_pem_slice(ca.cert_pem.as_bytes()).unwrap()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

impl Server {
    async fn connect_tls(&self, config: &Arc<ClientConfig>) -> std::io::Result<Client<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        Ok(Client::new(TlsConnector::from(Arc::clone(config)).connect(name, stream).await?))
    }

    async fn connect_http2(&self, config: &Arc<ClientConfig>) -> SendRequest<Full<Bytes>> {
        let io = TokioIo::new(self.connect_tls(config).await.unwrap().io);
        let (sender, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

async fn start_tls() -> (Server, Issued) {
    start_tls_with(Limits::default()).await
}

pub(super) async fn start_tls_with(limits: Limits) -> (Server, Issued) {
    let (ca, leaf) = certificate();
    let tls = ServerTls::from_pem(&leaf.cert_pem, &leaf.key_pem).unwrap();
    (start_with(limits, Some(tls)).await, ca)
}

pub(super) async fn connect_http2<B>(server: &Server, ca: &Issued) -> SendRequest<B>
where
    B: hyper::body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let io = server.connect_tls(&trusting(&[ca], &[&TLS13], &["h2"])).await.unwrap().io;
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(super) async fn ask_http2(sender: &mut SendRequest<Full<Bytes>>, path: &str) -> u16 {
    ask(sender, request("GET", path, "")).await.0
}

#[tokio::test]
async fn both_versions_of_tls_and_resumption() {
    let (server, ca) = start_tls().await;
    for (version, name) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let config = trusting(&[&ca], &[version], &["http/1.1"]);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut client = server.connect_tls(&config).await.unwrap();
            for _ in 0..2 {
                assert_eq!(client.ask("GET / HTTP/1.1\r\n\r\n").await, Seen::ok("GET /||0|"));
            }
            assert_eq!(client.io.get_ref().1.protocol_version(), Some(name));
            assert_eq!(client.io.get_ref().1.handshake_kind(), Some(kind));
            assert_eq!(client.ask("GET /close HTTP/1.1\r\n\r\n").await, Seen::ok("").closing());
            // Fails unless the server said goodbye before it closed.
            client.closed().await;
        }
    }
    let mut plain_alpn = server.connect_tls(&trusting(&[&ca], &[&TLS13], &[])).await.unwrap();
    let body = "b".repeat(200_000);
    let request = format!("POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n{body}");
    assert_eq!(plain_alpn.ask(request).await, Seen::ok(&format!("POST /||1|{body}")));
    assert_eq!(server.stats.tls_failures.get(), 0);
}

#[tokio::test]
async fn every_version_of_http_is_offered_by_its_name() {
    let (server, ca) = start_tls().await;
    for (offered, chosen) in [(&["http/1.0"][..], "http/1.0"), (&["http/1.0", "http/1.1"], "http/1.1")] {
        let mut client = server.connect_tls(&trusting(&[&ca], &[&TLS13], offered)).await.unwrap();
        assert_eq!(client.io.get_ref().1.alpn_protocol(), Some(chosen.as_bytes()));
        assert_eq!(client.ask("GET / HTTP/1.0\r\n\r\n").await, Seen::ok("GET /||0|").closing());
        client.closed().await;
    }
    assert!(server.connect_tls(&trusting(&[&ca], &[&TLS13], &["spdy/3"])).await.is_err());
}

#[tokio::test]
async fn strangers_do_not_connect() {
    let (server, _) = start_tls().await;
    let (other_ca, _) = certificate();
    assert!(server.connect_tls(&trusting(&[&other_ca], &[&TLS13], &[])).await.is_err());
    let mut client = server.connect().await;
    client.send(b"\x16\x03\x01\x00\x05hello").await;
    // The alert, then the end.
    timeout(PATIENCE, client.io.read_to_end(&mut client.unread)).await.unwrap().unwrap();
    let counted = async {
        while server.stats.tls_failures.get() < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, counted).await.expect("both are counted");
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_told_so() {
    let (server, _) = start_tls().await;
    server.refuses("GET / HTTP/1.1\r\nHost: x\r\n\r\n", HttpFailure::PlainHttpOnTls).await;
    let mut silent = server.connect().await;
    silent.io.shutdown().await.unwrap();
    silent.closed().await;
    assert_eq!(server.stats.tls_failures.get(), 0);
}

#[tokio::test]
async fn a_handshake_may_not_take_forever() {
    let (_, leaf) = certificate();
    let tls = ServerTls::from_pem(&leaf.cert_pem, &leaf.key_pem).unwrap();
    let limits = Limits { handshake_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = start_with(limits, Some(tls)).await;
    server.connect().await.closed().await;
    assert_eq!(server.stats.tls_failures.get(), 1);
}

#[tokio::test]
async fn too_many_connections_are_told_so_inside_tls() {
    let (ca, leaf) = certificate();
    let tls = ServerTls::from_pem(&leaf.cert_pem, &leaf.key_pem).unwrap();
    let server = start_with(Limits { connections_max: 1, ..Limits::default() }, Some(tls)).await;
    let config = trusting(&[&ca], &[&TLS13], &["http/1.1"]);
    let mut first = server.connect_tls(&config).await.unwrap();
    assert_eq!(first.ask("GET /known HTTP/1.1\r\n\r\n").await.status, 200);
    let mut second = server.connect_tls(&config).await.unwrap();
    assert_eq!(second.answer().await, refused(HttpFailure::TooManyConnections));
    second.closed().await;
}

#[tokio::test]
async fn a_certificate_is_replaced_while_connections_are_open() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let save = |path: &Path, text: &str| std::fs::write(path, text).unwrap();
    let ((old_ca, old), (new_ca, new)) = (certificate(), certificate());
    save(&cert, &old.cert_pem);
    save(&key, &old.key_pem);
    let tls = ServerTls::load(&cert, &key).unwrap();
    let server = start_with(Limits::default(), Some(Arc::clone(&tls))).await;
    let config = trusting(&[&old_ca, &new_ca], &[&TLS13], &["http/1.1"]);
    let presented = |client: &Client<TlsStream<TcpStream>>| {
        client.io.get_ref().1.peer_certificates().unwrap().first().unwrap().clone().into_owned()
    };
    let mut open = server.connect_tls(&config).await.unwrap();
    let before = presented(&open);

    // Half of a change is refused and changes nothing.
    save(&cert, &new.cert_pem);
    assert!(tls.reload().is_err());
    save(&key, "garbage");
    assert!(tls.reload().is_err());
    let fresh = trusting(&[&old_ca, &new_ca], &[&TLS13], &["http/1.1"]);
    assert_eq!(presented(&server.connect_tls(&fresh).await.unwrap()), before);

    save(&key, &new.key_pem);
    tls.reload().unwrap();
    let fresh = trusting(&[&new_ca], &[&TLS13], &["http/1.1"]);
    let mut after = server.connect_tls(&fresh).await.unwrap();
    assert_ne!(presented(&after), before);
    for client in [&mut open, &mut after] {
        assert_eq!(client.ask("GET / HTTP/1.1\r\n\r\n").await, Seen::ok("GET /||0|"));
    }
}

fn request(method: &str, path: &str, body: impl Into<Bytes>) -> http::Request<Full<Bytes>> {
    let uri = format!("https://localhost{path}");
    http::Request::builder().method(method).uri(uri).header("x-acs", "y").body(Full::new(body.into())).unwrap()
}

async fn ask(sender: &mut SendRequest<Full<Bytes>>, request: http::Request<Full<Bytes>>) -> (u16, String) {
    let response = timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
    assert_eq!(response.headers()["x-acs-request-id"], "id");
    assert_eq!(response.headers()["content-type"], "text/plain");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn http2_carries_the_same_requests() {
    let (server, ca) = start_tls().await;
    let mut sender = server.connect_http2(&trusting(&[&ca], &[&TLS13], &["h2"])).await;
    let seen = ask(&mut sender, request("POST", "/a?b=%20c", "hello")).await;
    assert_eq!(seen, (200, "POST /a|b=%20c|3|hello".into()));
    assert_eq!(ask(&mut sender, request("GET", "/host", "")).await, (200, "localhost".into()));
    let head = sender.send_request(request("HEAD", "/host", "")).await.unwrap();
    assert_eq!(head.headers()["content-length"], "9");
    let long = "q".repeat(60_000);
    let seen = ask(&mut sender, request("GET", &format!("/?{long}"), "")).await;
    assert_eq!(seen, (200, format!("GET /|{long}|2|")));
    let body = "b".repeat(256 * 1024);
    let seen = ask(&mut sender, request("POST", "/", body.clone())).await;
    assert_eq!(seen, (200, format!("POST /||3|{body}")));

    let seen = ask(&mut sender, request("POST", "/", body + "b")).await;
    assert_eq!(seen, (413, "body_too_large".into()));
    let mut many = request("GET", "/", "");
    for n in 0..100 {
        many.headers_mut().insert(http::HeaderName::try_from(format!("h{n}")).unwrap(), 1.into());
    }
    assert_eq!(ask(&mut sender, many).await, (431, "too_many_headers".into()));
    assert_eq!(ask(&mut sender, request("GET", "/panic", "")).await, (500, "internal_panic".into()));
    assert_eq!(ask(&mut sender, request("GET", "/host", "")).await.0, 200);
    assert_eq!(server.stats.panics.get(), 1);
}

#[tokio::test]
async fn http2_streams_finish_when_the_server_stops() {
    let (server, ca) = start_tls().await;
    let config = trusting(&[&ca], &[&TLS13], &["h2"]);
    let idle = server.connect_http2(&config).await;
    let mut sender = server.connect_http2(&config).await;
    let mut busy = Box::pin(ask(&mut sender, request("GET", "/slow", "")));
    tokio::select! {
        _ = &mut busy => panic!("answered early"),
        () = server.mirror.entered.notified() => {}
    }
    server.stop.send(true).unwrap();
    let closed = async {
        while !idle.is_closed() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, closed).await.expect("the idle connection is closed");
    server.mirror.release.notify_one();
    assert_eq!(busy.await, (200, "GET /slow||2|".into()));
    timeout(PATIENCE, server.ended).await.unwrap().unwrap();
}

/// A stream that is reset ends its call, unless the call has decided to change something.
#[tokio::test]
async fn a_reset_stream_ends_what_has_not_decided() {
    let (server, ca) = start_tls().await;
    let mut sender = server.connect_http2(&trusting(&[&ca], &[&TLS13], &["h2"])).await;
    for (path, answered) in [("/slow", 0), ("/decided", 1)] {
        {
            let mut asked = Box::pin(ask(&mut sender, request("GET", path, "")));
            tokio::select! {
                _ = &mut asked => panic!("answered early"),
                () = server.mirror.entered.notified() => {}
            }
            // Dropped here: the client resets the stream.
        }
        if path == "/decided" {
            // Another exchange shows that the reset has arrived.
            assert_eq!(ask(&mut sender, request("GET", "/host", "")).await.0, 200);
            server.mirror.release.notify_one();
        }
        timeout(PATIENCE, server.mirror.over.notified()).await.expect(path);
        assert_eq!(server.mirror.answered.load(std::sync::atomic::Ordering::SeqCst), answered, "{path}");
    }
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed() {
    let (ca, leaf) = certificate();
    let tls = ServerTls::from_pem(&leaf.cert_pem, &leaf.key_pem).unwrap();
    let limits = Limits { idle_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = start_with(limits, Some(tls)).await;
    let sender = server.connect_http2(&trusting(&[&ca], &[&TLS13], &["h2"])).await;
    let closed = async {
        while !sender.is_closed() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, closed).await.expect("closed");
}

#[tokio::test]
async fn slow_http2_bodies_are_refused() {
    let (ca, leaf) = certificate();
    let tls = ServerTls::from_pem(&leaf.cert_pem, &leaf.key_pem).unwrap();
    let limits = Limits { body_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = start_with(limits, Some(tls)).await;
    let io = TokioIo::new(server.connect_tls(&trusting(&[&ca], &[&TLS13], &["h2"])).await.unwrap().io);
    let (mut sender, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("https://localhost/").body(Silent).unwrap();
    let response = timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
    assert_eq!(response.status(), 408);
}

/// A body that never says a word nor ends.
struct Silent;

impl hyper::body::Body for Silent {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}
