//! Where the requests go.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::drive::Failure;

/// An HTTPS endpoint with a private CA.
#[derive(Clone)]
pub struct Target {
    host: Arc<str>,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Target {
    /// `endpoint` is `https://HOST:PORT`.
    pub fn new(endpoint: &str, ca_file: &Path) -> Result<Self, Failure> {
        let host = endpoint.strip_prefix("https://").ok_or("the endpoint must begin with https://")?;
        let host = host.trim_end_matches('/');
        let (name, _port) = host.rsplit_once(':').ok_or("the endpoint must end with a port")?;
        let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned())?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca_file)? {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self { host: host.into(), name, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// `HOST:PORT`, as it stands in the header.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// A new connection.
    pub async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(&*self.host).await?;
        tcp.set_nodelay(true)?;
        self.tls.connect(self.name.clone(), tcp).await
    }
}
