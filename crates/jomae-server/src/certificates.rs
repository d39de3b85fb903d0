//! The server's certificate: the operator's own, or one of a private CA in the data directory.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    config::Config,
    files,
    tls::{self, ServerTls, TlsError},
};

const PEM_BYTES_MAX: usize = 64 * 1024;
/// Age, by the clock, at which a certificate of the private CA is followed by a new one.
const RENEW_AFTER: Duration = Duration::from_hours(30 * 24);
/// How far the clock may go back behind the moment at which the certificate was made, before a new one follows. It is
/// less than certificates are backdated, so that clients whose clock is behind still take the old one meanwhile.
const CLOCK_BACK_MAX: Duration = Duration::from_hours(1);
/// Pause after a renewal that failed.
const RETRY_AFTER: Duration = Duration::from_mins(1);

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
    /// None with a certificate of the operator's.
    private: Option<PrivateCa>,
    /// What the clock showed when the certificate in use was made.
    made: SystemTime,
    retry_at: Option<Instant>,
}

struct PrivateCa {
    ca: PathBuf,
    ca_key: PathBuf,
    cert: PathBuf,
    key: PathBuf,
    /// Where the API listens.
    listening: SocketAddr,
}

impl Certificates {
    /// Takes the configured certificate, or issues a fresh one under the private CA, which is made if there is none.
    /// `listening` is the address of the API.
    pub(crate) fn prepare(config: &Config, listening: SocketAddr, now: SystemTime) -> Result<Self, CertificateError> {
        if let (Some(cert), Some(key)) = (&config.tls.cert_file, &config.tls.key_file) {
            let tls = ServerTls::load(cert, key).map_err(pair_error(cert, key))?;
            return Ok(Self { tls, private: None, made: now, retry_at: None });
        }
        let dir = config.data_dir.join("tls");
        files::private_dir(&dir).map_err(io_error(&dir))?;
        let private = PrivateCa {
            ca: config.data_dir.join("ca.pem"),
            ca_key: dir.join("ca.key"),
            cert: dir.join("server.pem"),
            key: dir.join("server.key"),
            listening,
        };
        private.ensure_ca(now)?;
        private.issue(config, now)?;
        let tls = ServerTls::load(&private.cert, &private.key).map_err(pair_error(&private.cert, &private.key))?;
        Ok(Self { tls, private: Some(private), made: now, retry_at: None })
    }

    /// Issues a fresh certificate if the private CA is in use, and takes what the files hold now.
    pub(crate) fn renew(&mut self, config: &Config, now: SystemTime) -> Result<(), CertificateError> {
        if let Some(private) = &self.private {
            private.issue(config, now)?;
        }
        self.tls.reload().map_err(CertificateError::Tls)?;
        self.made = now;
        Ok(())
    }

    /// Renews a certificate of the private CA when the clock says that it is old, or that it was made in the future: a
    /// machine without a battery starts with a wrong clock, and is put right later. Otherwise a comparison of dates. A
    /// certificate of the operator's is the operator's. Gives whether there is a new one.
    pub(crate) fn keep_fresh(&mut self, config: &Config, now: SystemTime) -> Result<bool, CertificateError> {
        if self.private.is_none() || is_fresh(self.made, now) || self.retry_at.is_some_and(|at| Instant::now() < at) {
            return Ok(false);
        }
        let renewed = self.renew(config, now);
        self.retry_at = renewed.is_err().then(|| Instant::now() + RETRY_AFTER);
        renewed.map(|()| true)
    }
}

/// Whether a certificate that was made when the clock showed `made` can stay in use `now`.
fn is_fresh(made: SystemTime, now: SystemTime) -> bool {
    match now.duration_since(made) {
        Ok(age) => age < RENEW_AFTER,
        Err(back) => back.duration() <= CLOCK_BACK_MAX,
    }
}

impl PrivateCa {
    fn ensure_ca(&self, now: SystemTime) -> Result<(), CertificateError> {
        let there = |path: &Path| files::is_file(path).map_err(io_error(path));
        match (there(&self.ca)?, there(&self.ca_key)?) {
            (true, true) => Ok(()),
            (false, false) => {
                let made = tls::generate_ca(now).map_err(CertificateError::Tls)?;
                // The certificate last: with it the CA is whole.
                files::write_private(&self.ca_key, made.key_pem.as_bytes()).map_err(io_error(&self.ca_key))?;
                files::write_public(&self.ca, made.cert_pem.as_bytes()).map_err(io_error(&self.ca))
            }
            // A crash between the two writes of the first start: nobody has seen a certificate of this CA.
            (false, true) => {
                fs::remove_file(&self.ca_key).map_err(io_error(&self.ca_key))?;
                self.ensure_ca(now)
            }
            (true, false) => Err(CertificateError::HalfACa {
                present: self.ca.display().to_string(),
                missing: self.ca_key.display().to_string(),
            }),
        }
    }

    fn issue(&self, config: &Config, now: SystemTime) -> Result<(), CertificateError> {
        let read = |path: &Path| {
            let content = files::read_limited(path, PEM_BYTES_MAX).map_err(io_error(path))?;
            Ok::<_, CertificateError>(zeroize::Zeroizing::new(String::from_utf8_lossy(&content).into_owned()))
        };
        let (ca, ca_key) = (read(&self.ca)?, read(&self.ca_key)?);
        let names = names(config, self.listening);
        let made =
            tls::issue(&ca, &ca_key, &names, tls::LEAF_DAYS_MAX, now).map_err(pair_error(&self.ca, &self.ca_key))?;
        files::write_private(&self.key, made.key_pem.as_bytes()).map_err(io_error(&self.key))?;
        files::write_public(&self.cert, made.cert_pem.as_bytes()).map_err(io_error(&self.cert))
    }
}

/// Localhost in its three forms, the listening name and address, and what the configuration names.
fn names(config: &Config, listening: SocketAddr) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    names.extend(config.listen.name().map(str::to_owned));
    if !listening.ip().is_unspecified() {
        names.push(listening.ip().to_string());
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + HOUR * 24 * 21_000
    }

    #[test]
    fn a_certificate_is_renewed_when_it_is_old_or_from_the_future() {
        let made = now();
        let cases = [
            (made, true),
            (made + HOUR * (30 * 24 - 1), true),
            (made + HOUR * 30 * 24, false),
            (made + HOUR * 24 * 2500, false),
            (made - HOUR, true),
            (made - HOUR * 8, false),
            (made - HOUR * 24 * 2500, false),
        ];
        for (now, fresh) in cases {
            assert_eq!(is_fresh(made, now), fresh, "{now:?}");
        }
    }

    #[test]
    fn a_clock_that_is_put_right_brings_a_new_certificate() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config { data_dir: directory.path().to_owned(), ..Config::default() };
        let listening = SocketAddr::from(([127, 0, 0, 1], 8443));
        let served = || fs::read(directory.path().join("tls/server.pem")).unwrap();
        for wrong in [now() - HOUR * 24 * 2500, now() + HOUR * 24 * 2500] {
            let mut certificates = Certificates::prepare(&config, listening, wrong).unwrap();
            assert!(!certificates.keep_fresh(&config, wrong + HOUR).unwrap());
            let old = served();
            assert!(certificates.keep_fresh(&config, now()).unwrap());
            assert_ne!(served(), old);
            assert!(!certificates.keep_fresh(&config, now()).unwrap(), "once");
        }
    }

    #[test]
    fn a_renewal_that_failed_is_not_tried_every_second() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config { data_dir: directory.path().to_owned(), ..Config::default() };
        let mut certificates = Certificates::prepare(&config, SocketAddr::from(([127, 0, 0, 1], 1)), now()).unwrap();
        fs::rename(directory.path().join("ca.pem"), directory.path().join("away")).unwrap();
        assert!(certificates.keep_fresh(&config, now() + HOUR * 24 * 31).is_err());
        assert!(!certificates.keep_fresh(&config, now() + HOUR * 24 * 31).unwrap());
        certificates.retry_at = Some(Instant::now());
        fs::rename(directory.path().join("away"), directory.path().join("ca.pem")).unwrap();
        assert!(certificates.keep_fresh(&config, now() + HOUR * 24 * 31).unwrap());
    }

    #[test]
    fn a_listening_name_is_certified() {
        let config = Config::parse("listen = \"kms.internal:8443\"").unwrap();
        let names = names(&config, SocketAddr::from(([10, 0, 0, 7], 8443)));
        assert!(["localhost", "kms.internal", "10.0.0.7"].iter().all(|name| names.iter().any(|n| n == name)));
    }
}
