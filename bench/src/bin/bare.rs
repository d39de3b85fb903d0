//! The floor: hyper and rustls alone. Reads a request and answers a constant JSON body.

use std::{
    convert::Infallible,
    error::Error,
    fs,
    future::poll_fn,
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    process::ExitCode,
    sync::Arc,
    task::{Poll, ready},
};

use bytes::Bytes;
use clap::Parser;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Longer than any request.
const READ_BYTES: usize = 8 * 1024;

/// A server that does nothing but HTTP and TLS.
#[derive(Parser)]
struct Options {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to write the CA certificate.
    #[arg(long)]
    ca_file: PathBuf,
    /// Length of the answer's body.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u16).range(16..))]
    body_bytes: u16,
    /// rustls without hyper: what a connection keeps is its own. Takes each read for a whole request.
    #[arg(long)]
    tls_only: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let result = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(serve(&options)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bare: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: &Options) -> Result<(), Box<dyn Error>> {
    let (tls, ca_pem) = certificate()?;
    fs::write(&options.ca_file, ca_pem)?;
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let body = constant_json(usize::from(options.body_bytes));
    let listener = TcpListener::bind(options.listen).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "https://{}", listener.local_addr()?)?;
    stdout.flush()?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        if options.tls_only {
            tokio::spawn(tls_connection(acceptor.clone(), tcp, body.clone()));
        } else {
            tokio::spawn(connection(acceptor.clone(), tcp, body.clone()));
        }
    }
}

async fn tls_connection(acceptor: TlsAcceptor, tcp: TcpStream, body: Bytes) -> io::Result<()> {
    let mut tls = acceptor.accept(tcp).await?;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    while read(&mut tls).await? > 0 {
        tls.write_all(&[head.as_bytes(), &body].concat()).await?;
        tls.flush().await?;
    }
    Ok(())
}

/// Reads into a buffer that is there only while something comes.
async fn read(tls: &mut TlsStream<TcpStream>) -> io::Result<usize> {
    poll_fn(|context| {
        let mut bytes = [0; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut *tls).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    })
    .await
}

async fn connection(acceptor: TlsAcceptor, tcp: TcpStream, body: Bytes) {
    let service = service_fn(|request: Request<Incoming>| {
        let body = body.clone();
        async move {
            // A body that breaks off ends the connection anyway.
            let _read = request.into_body().collect().await;
            let mut response = Response::new(Full::new(body));
            let json = HeaderValue::from_static("application/json;charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, json);
            Ok::<_, Infallible>(response)
        }
    });
    if let Ok(tls) = acceptor.accept(tcp).await {
        // It ends when the client goes, in whatever way.
        let _end = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(tls), service).await;
    }
}

/// A JSON object of exactly so many bytes, at least 11.
fn constant_json(bytes: usize) -> Bytes {
    let (head, tail) = (r#"{"Body":""#, r#""}"#);
    let filling = "x".repeat(bytes.saturating_sub(head.len() + tail.len()));
    Bytes::from([head, &filling, tail].concat())
}

/// A server certificate for the loopback address, and the PEM text of the CA that signed it.
fn certificate() -> Result<(ServerConfig, String), Box<dyn Error>> {
    let mut ca = CertificateParams::new([])?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = ["127.0.0.1".to_owned(), "::1".to_owned(), "localhost".to_owned()];
    let certificate = CertificateParams::new(names)?.signed_by(&key, &ca)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)?;
    Ok((tls, ca.pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_json_of_the_length_asked_for() {
        for bytes in [16, 400, 65535] {
            let body = constant_json(bytes);
            assert_eq!(body.len(), bytes);
            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert!(value["Body"].is_string());
        }
    }
}
