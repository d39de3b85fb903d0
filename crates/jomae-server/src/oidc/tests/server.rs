//! An issuer on this machine: HTTPS with a certificate of its own authority, and answers that a test sets.

use std::{
    collections::HashMap,
    convert::Infallible,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::tls::{ServerTls, generate_ca, issue};

#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub location: String,
    pub body: String,
}

impl Answer {
    pub fn ok(body: impl Into<String>) -> Self {
        Self { status: 200, location: String::new(), body: body.into() }
    }

    pub fn status(status: u16) -> Self {
        Self { status, location: String::new(), body: String::new() }
    }
}

#[derive(Default)]
struct Shared {
    answers: HashMap<String, Answer>,
    asked: Vec<String>,
}

/// Stops when it is dropped.
pub struct Server {
    pub port: u16,
    pub ca_file: PathBuf,
    shared: Arc<Mutex<Shared>>,
    task: tokio::task::JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start() -> Self {
        let ca = generate_ca(std::time::SystemTime::now()).unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let leaf =
            issue(crate::tls::Role::Server, (&ca.cert_pem, &ca.key_pem), &names, 1, std::time::SystemTime::now())
                .unwrap();
        let tls = ServerTls::from_pem(&leaf.cert_pem, &leaf.key_pem).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let ca_file = dir.path().join("ca.pem");
        fs::write(&ca_file, &ca.cert_pem).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        // The connections speak HTTP/1.1 alone.
        let mut config = rustls::ServerConfig::clone(&tls.config());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let task = tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), Arc::clone(&shared)));
        Self { port, ca_file, shared, task, _dir: dir }
    }

    pub fn base(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub fn set(&self, path: &str, answer: Answer) {
        self.shared.lock().unwrap().answers.insert(path.to_owned(), answer);
    }

    /// The paths that were asked for since the last call.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().asked)
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Mutex<Shared>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(|request: Request<Incoming>| {
                let answer = answer(&mut shared.lock().unwrap(), request.uri().path());
                async move { Ok::<_, Infallible>(answer) }
            });
            // The client may well hang up on a body that is too large.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(shared: &mut Shared, path: &str) -> Response<Full<Bytes>> {
    shared.asked.push(path.to_owned());
    let answer = shared.answers.get(path).cloned().unwrap_or_else(|| Answer::status(404));
    let mut response = Response::builder().status(answer.status);
    if !answer.location.is_empty() {
        response = response.header("location", answer.location);
    }
    response.body(Full::new(Bytes::from(answer.body))).unwrap()
}
