//! The server's certificate: the operator's own, or one of a private CA in the data directory.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    config::Config,
    files,
    tls::{self, ServerTls, TlsError},
};

const PEM_BYTES_MAX: usize = 64 * 1024;

/// Why there is no certificate; one line.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "the private CA is damaged: {present} is there, but {missing} is not; put it back, or remove both for a new CA (clients must then trust the new ca.pem)"
    )]
    HalfACa { present: String, missing: String },
    #[error("{} with {}: {source}", cert.display(), key.display())]
    Pair { cert: PathBuf, key: PathBuf, source: TlsError },
    #[error(transparent)]
    Tls(TlsError),
}

/// Names the files where the error does not.
fn pair_error(cert: &Path, key: &Path) -> impl FnOnce(TlsError) -> CertificateError {
    let (cert, key) = (cert.to_owned(), key.to_owned());
    move |source| match source {
        TlsError::Read { .. } | TlsError::TooLarge { .. } | TlsError::Name(_) | TlsError::NoName => {
            CertificateError::Tls(source)
        }
        _ => CertificateError::Pair { cert, key, source },
    }
}

/// The certificate in use, and how to make it anew.
pub(crate) struct Certificates {
    pub(crate) tls: Arc<ServerTls>,
    /// The names that the private CA certifies; none with a certificate of the operator's.
    private: Option<PrivateCa>,
}

struct PrivateCa {
    ca: PathBuf,
    ca_key: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

impl Certificates {
    /// Takes the configured certificate, or issues a fresh one under the private CA, which is made if there is none.
    pub(crate) fn prepare(config: &Config) -> Result<Self, CertificateError> {
        if let (Some(cert), Some(key)) = (&config.tls.cert_file, &config.tls.key_file) {
            return Ok(Self { tls: ServerTls::load(cert, key).map_err(pair_error(cert, key))?, private: None });
        }
        let dir = config.data_dir.join("tls");
        files::private_dir(&dir).map_err(io_error(&dir))?;
        let private = PrivateCa {
            ca: config.data_dir.join("ca.pem"),
            ca_key: dir.join("ca.key"),
            cert: dir.join("server.pem"),
            key: dir.join("server.key"),
        };
        private.ensure_ca()?;
        private.issue(config)?;
        let tls = ServerTls::load(&private.cert, &private.key).map_err(pair_error(&private.cert, &private.key))?;
        Ok(Self { tls, private: Some(private) })
    }

    /// Issues a fresh certificate if the private CA is in use, and takes what the files hold now.
    pub(crate) fn renew(&self, config: &Config) -> Result<(), CertificateError> {
        if let Some(private) = &self.private {
            private.issue(config)?;
        }
        self.tls.reload().map_err(CertificateError::Tls)
    }
}

impl PrivateCa {
    fn ensure_ca(&self) -> Result<(), CertificateError> {
        match (self.ca.exists(), self.ca_key.exists()) {
            (true, true) => Ok(()),
            (false, false) => {
                let made = tls::generate_ca().map_err(CertificateError::Tls)?;
                // The certificate last: with it the CA is whole.
                files::write_private(&self.ca_key, made.key_pem.as_bytes()).map_err(io_error(&self.ca_key))?;
                files::write_public(&self.ca, made.cert_pem.as_bytes()).map_err(io_error(&self.ca))
            }
            // A crash between the two writes of the first start: nobody has seen a certificate of this CA.
            (false, true) => {
                fs::remove_file(&self.ca_key).map_err(io_error(&self.ca_key))?;
                self.ensure_ca()
            }
            (true, false) => Err(CertificateError::HalfACa {
                present: self.ca.display().to_string(),
                missing: self.ca_key.display().to_string(),
            }),
        }
    }

    fn issue(&self, config: &Config) -> Result<(), CertificateError> {
        let read = |path: &Path| {
            let content = files::read_limited(path, PEM_BYTES_MAX).map_err(io_error(path))?;
            Ok::<_, CertificateError>(zeroize::Zeroizing::new(String::from_utf8_lossy(&content).into_owned()))
        };
        let (ca, ca_key) = (read(&self.ca)?, read(&self.ca_key)?);
        let made =
            tls::issue(&ca, &ca_key, &names(config), tls::LEAF_DAYS_MAX).map_err(pair_error(&self.ca, &self.ca_key))?;
        files::write_private(&self.key, made.key_pem.as_bytes()).map_err(io_error(&self.key))?;
        files::write_public(&self.cert, made.cert_pem.as_bytes()).map_err(io_error(&self.cert))
    }
}

/// Localhost in its three forms, the listening address, and what the configuration names.
fn names(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    if !config.listen.ip().is_unspecified() {
        names.push(config.listen.ip().to_string());
    }
    names.extend(config.tls.names.iter().cloned());
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> CertificateError {
    let path = path.to_owned();
    move |source| CertificateError::Io { path, source }
}
