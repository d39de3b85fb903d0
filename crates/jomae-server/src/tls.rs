//! TLS: the server's certificate, replaceable while connections are open, and a private CA for those who have none.

mod examine;
mod issue;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::files;

pub(crate) use examine::days_left;
pub use issue::{Issued, LEAF_DAYS_MAX, Role, generate_ca, issue};

/// Largest certificate or key file in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Why a certificate or key cannot be used. Never holds what a file contains.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is larger than any certificate chain.
    #[error("{path} is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// No certificate between `BEGIN CERTIFICATE` and `END CERTIFICATE` lines.
    #[error("no valid PEM certificate found")]
    NoCertificate,
    /// No private key in PEM: PKCS#8, SEC1 or PKCS#1, not encrypted.
    #[error("no valid PEM private key found (PKCS#8, SEC1 or PKCS#1, not encrypted)")]
    NoKey,
    /// The library refused the pair, most often because they do not belong together.
    #[error("certificate and private key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// Reload without files.
    #[error("the certificate does not come from a file")]
    NoFile,
    /// Something that is neither a DNS name, nor a wildcard (`*.example.com`), nor an IP address.
    #[error("{0:?} is not a DNS name or IP address")]
    Name(String),
    /// A certificate needs a name.
    #[error("no name given for the certificate")]
    NoName,
    /// Making a certificate failed.
    #[error("cannot make the certificate: {0}")]
    Issue(#[from] rcgen::Error),
    /// It is not valid now.
    #[error("the certificate has expired, or is not valid yet")]
    NotNow,
    /// A certificate of the chain does not sign the one before it.
    #[error("the chain does not hold together: each certificate must be followed by the one that signs it")]
    Chain,
    /// The new certificate does not verify against the CA.
    #[error("the CA certificate and key do not belong together, or were not made by generate_ca")]
    ForeignCa,
}

/// TLS 1.2 and 1.3 with a certificate that can be replaced at any time. HTTP/2, HTTP/1.1 and
/// HTTP/1.0 are offered by ALPN, in this order.
pub struct ServerTls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    files: Option<(PathBuf, PathBuf)>,
}

impl ServerTls {
    /// Takes certificate chain and private key from PEM files.
    ///
    /// # Errors
    /// Missing, oversized or invalid files, and a key that does not belong to the certificate.
    pub fn load(cert_pem_path: &Path, key_pem_path: &Path) -> Result<Arc<Self>, TlsError> {
        let pair = read_pair(cert_pem_path, key_pem_path)?;
        Self::new(pair, Some((cert_pem_path.to_owned(), key_pem_path.to_owned())))
    }

    /// Takes certificate chain and private key from PEM text.
    ///
    /// # Errors
    /// As [`ServerTls::load`].
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Arc<Self>, TlsError> {
        Self::new(pair(cert_pem.as_bytes(), key_pem.as_bytes())?, None)
    }

    fn new(pair: CertifiedKey, files: Option<(PathBuf, PathBuf)>) -> Result<Arc<Self>, TlsError> {
        let current = Arc::new(Current(ArcSwap::from_pointee(pair)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = [&b"h2"[..], b"http/1.1", b"http/1.0"].map(<[u8]>::to_vec).to_vec();
        // Tickets under a key that changes every six hours: resumption without memory per client.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Arc::new(Self { config: Arc::new(config), current, files }))
    }

    /// Reads the files again. New connections get the new certificate, open ones go on undisturbed.
    ///
    /// # Errors
    /// As [`ServerTls::load`]; the certificate in use then stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let (cert, key) = self.files.as_ref().ok_or(TlsError::NoFile)?;
        self.current.0.store(Arc::new(read_pair(cert, key)?));
        Ok(())
    }

    /// The configuration for the next handshake.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

/// The cryptography behind every TLS connection. Passed explicitly: nothing depends on a process-wide default.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificate and key for the next handshake.
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

fn read_pair(cert_path: &Path, key_path: &Path) -> Result<CertifiedKey, TlsError> {
    pair(&read(cert_path)?, &read(key_path)?)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let failed = |source| TlsError::Read { path: path.to_owned(), source };
    let file = files::open_configured(path).map_err(failed)?;
    let expected_bytes = file.metadata().map_err(failed)?.len();
    // Enough from the start, so that no half-read key stays behind when the vector moves.
    let capacity = usize::try_from(expected_bytes.min(FILE_BYTES_MAX)).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX { Err(TlsError::TooLarge { path: path.to_owned() }) } else { Ok(bytes) }
}

fn pair(cert_pem: &[u8], key_pem: &[u8]) -> Result<CertifiedKey, TlsError> {
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| TlsError::NoKey)?;
    Ok(CertifiedKey::from_der(certificates(cert_pem)?, key, &provider())?)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    chain.ok().filter(|chain| !chain.is_empty()).ok_or(TlsError::NoCertificate)
}
