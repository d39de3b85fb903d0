//! The server's certificate: the operator's own, or one of a private CA in the data directory.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    config::Config,
    files,
    tls::{self, Issued, ServerTls, TlsError},
};

const PEM_BYTES_MAX: usize = 64 * 1024;
/// Age, by the clock, at which a certificate of the private CA is followed by a new one.
const RENEW_AFTER: Duration = Duration::from_hours(30 * 24);
/// How far the clock may go back behind the moment at which the certificate was made, before a new one follows. It is
/// less than certificates are backdated, so that clients whose clock is behind still take the old one meanwhile.
const CLOCK_BACK_MAX: Duration = Duration::from_hours(1);
/// With fewer days left than this a certificate that we do not renew is to be replaced.
const DAYS_LEFT_MIN: u64 = 7;
/// Pause after a renewal that failed.
const RETRY_AFTER: Duration = Duration::from_mins(1);

/// Why there is no certificate; one line.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "the certificate authority is not whole: {missing} is missing{back}; or, for a new one, whose certificate every \
         client must then be given: rm -r {all}"
    )]
    LostCa { missing: String, back: String, all: String },
    #[error("{} with {}: {source}", cert.display(), key.display())]
    Pair { cert: PathBuf, key: PathBuf, source: TlsError },
    #[error("{} is valid for {days} day(s) more: replace it before", cert.display())]
    EndsSoon { cert: PathBuf, days: u64 },
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
    /// Whether the authority was made just now.
    pub(crate) is_new_authority: bool,
    /// What the clock showed when the certificate in use was made.
    made: SystemTime,
    retry_at: Option<Instant>,
}

/// Where the certificate of the private CA is, which clients trust.
pub(crate) fn ca_path(data_dir: &Path) -> PathBuf {
    data_dir.join("ca.pem")
}

/// Where its private key is.
pub(crate) fn ca_key_path(data_dir: &Path) -> PathBuf {
    data_dir.join("tls/ca.key")
}

/// Where its certificate is beside the key.
pub(crate) fn ca_copy_path(data_dir: &Path) -> PathBuf {
    data_dir.join("tls/ca.pem")
}

/// Where the certificate of the API is.
pub(crate) fn certificate_path(config: &Config) -> PathBuf {
    config.tls.cert_file.clone().unwrap_or_else(|| config.data_dir.join("tls/server.pem"))
}

struct PrivateCa {
    /// The certificate, where clients find it.
    ca: PathBuf,
    /// The same beside its key, which is written before the key.
    ca_copy: PathBuf,
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
            return Ok(Self { tls, private: None, is_new_authority: false, made: now, retry_at: None });
        }
        let private = PrivateCa::of(&config.data_dir, listening);
        let dir = config.data_dir.join("tls");
        files::private_dir(&dir).map_err(io_error(&dir))?;
        let is_new_authority = private.ensure_ca(now)?;
        private.issue(config, now)?;
        let tls = ServerTls::load(&private.cert, &private.key).map_err(pair_error(&private.cert, &private.key))?;
        Ok(Self { tls, private: Some(private), is_new_authority, made: now, retry_at: None })
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

/// Which files of the private CA are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CaState {
    None,
    /// All but the certificate where clients find it.
    Unfinished,
    Whole,
}

/// Whether a start would have a certificate, and for how long it is good; nothing is made.
pub(crate) fn examine(config: &Config, now: SystemTime) -> Result<String, CertificateError> {
    let told = |cert: &Path, key: &Path| {
        let days = tls::days_left(cert, now).map_err(pair_error(cert, key))?;
        if days < DAYS_LEFT_MIN {
            return Err(CertificateError::EndsSoon { cert: cert.to_owned(), days });
        }
        Ok(format!("{} and its key belong together; {days} day(s) left", cert.display()))
    };
    if let (Some(cert), Some(key)) = (&config.tls.cert_file, &config.tls.key_file) {
        ServerTls::load(cert, key).map_err(pair_error(cert, key))?;
        return told(cert, key);
    }
    let private = PrivateCa::of(&config.data_dir, SocketAddr::from(([127, 0, 0, 1], 0)));
    match private.state()? {
        CaState::None | CaState::Unfinished => {
            Ok("no certificate authority yet: the next start makes one, which clients must be given".to_owned())
        }
        CaState::Whole => {
            private.issued(config, now)?;
            told(&private.ca, &private.ca_key)
        }
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
    fn of(data_dir: &Path, listening: SocketAddr) -> Self {
        let dir = data_dir.join("tls");
        Self {
            ca: ca_path(data_dir),
            ca_copy: ca_copy_path(data_dir),
            ca_key: ca_key_path(data_dir),
            cert: dir.join("server.pem"),
            key: dir.join("server.key"),
            listening,
        }
    }

    /// What the files say. Clients trust an authority as soon as it has issued a certificate, so from then on no other
    /// is made in its place.
    fn state(&self) -> Result<CaState, CertificateError> {
        let there = |path: &Path| files::is_file(path).map_err(io_error(path));
        let has_issued = there(&self.cert)? || there(&self.key)?;
        let lost = |missing: &Path| {
            let back = match there(&self.ca_copy)? {
                true if missing == self.ca => format!("; run: cp {} {}", self.ca_copy.display(), self.ca.display()),
                _ if missing == self.ca => "; put it back, every client has it (JOMAE_CA_FILE)".to_owned(),
                _ => "; put it back".to_owned(),
            };
            let dir = self.cert.parent().unwrap_or(&self.cert).display();
            let all = if there(&self.ca)? { format!("{dir} {}", self.ca.display()) } else { dir.to_string() };
            Err(CertificateError::LostCa { missing: missing.display().to_string(), back, all })
        };
        match (there(&self.ca)?, there(&self.ca_key)?) {
            (true, true) => Ok(CaState::Whole),
            (true, false) => lost(&self.ca_key),
            // A crash of the first start, before the authority was of use to anybody.
            (false, true) if !has_issued && there(&self.ca_copy)? => Ok(CaState::Unfinished),
            (false, true) => lost(&self.ca),
            (false, false) if has_issued => lost(&self.ca),
            (false, false) => Ok(CaState::None),
        }
    }

    /// Makes the authority if there never was one. Gives whether it is new.
    fn ensure_ca(&self, now: SystemTime) -> Result<bool, CertificateError> {
        let state = self.state()?;
        if state == CaState::None {
            let made = tls::generate_ca(now).map_err(CertificateError::Tls)?;
            files::write_public(&self.ca_copy, made.cert_pem.as_bytes()).map_err(io_error(&self.ca_copy))?;
            files::write_private(&self.ca_key, made.key_pem.as_bytes()).map_err(io_error(&self.ca_key))?;
        }
        let copied = |from: &Path, to: &Path| {
            let content = files::read_limited(from, PEM_BYTES_MAX).map_err(io_error(from))?;
            files::write_public(to, &content).map_err(io_error(to))
        };
        match state {
            CaState::None | CaState::Unfinished => copied(&self.ca_copy, &self.ca)?,
            CaState::Whole if !files::is_file(&self.ca_copy).map_err(io_error(&self.ca_copy))? => {
                copied(&self.ca, &self.ca_copy)?;
            }
            CaState::Whole => {}
        }
        Ok(state != CaState::Whole)
    }

    /// A new certificate under the authority, which must be a pair.
    fn issued(&self, config: &Config, now: SystemTime) -> Result<Issued, CertificateError> {
        let read = |path: &Path| {
            let content = files::read_limited(path, PEM_BYTES_MAX).map_err(io_error(path))?;
            Ok::<_, CertificateError>(zeroize::Zeroizing::new(String::from_utf8_lossy(&content).into_owned()))
        };
        let (ca, ca_key) = (read(&self.ca)?, read(&self.ca_key)?);
        let names = names(config, self.listening);
        tls::issue(tls::Role::Server, (&ca, &ca_key), &names, tls::LEAF_DAYS_MAX, now)
            .map_err(pair_error(&self.ca, &self.ca_key))
    }

    fn issue(&self, config: &Config, now: SystemTime) -> Result<(), CertificateError> {
        let made = self.issued(config, now)?;
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
    use std::fs;

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
    fn no_authority_is_made_over_another() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config { data_dir: directory.path().to_owned(), ..Config::default() };
        let at = |name: &str| directory.path().join(name);
        let start = || Certificates::prepare(&config, SocketAddr::from(([127, 0, 0, 1], 8443)), now());
        assert!(start().unwrap().is_new_authority);
        let ca = fs::read(at("ca.pem")).unwrap();
        assert!(!start().unwrap().is_new_authority);
        // Whatever of it is gone: a start says how to bring it back, and makes nothing.
        for lost in
            [&["ca.pem"][..], &["tls/ca.key"], &["ca.pem", "tls/ca.key"], &["ca.pem", "tls/ca.key", "tls/ca.pem"]]
        {
            let kept: Vec<_> = lost.iter().map(|name| fs::read(at(name)).unwrap()).collect();
            for name in lost {
                fs::remove_file(at(name)).unwrap();
            }
            let error = start().err().unwrap().to_string();
            assert!(error.contains(lost[0]) && error.contains("rm -r"), "{error}");
            assert!(examine(&config, now()).is_err());
            assert!(lost.iter().all(|name| !at(name).exists()));
            for (name, content) in lost.iter().zip(kept) {
                fs::write(at(name), content).unwrap();
            }
        }
        assert!(examine(&config, now()).unwrap().contains("3650 day(s) left"));
        let error = examine(&config, now() + HOUR * 24 * 3647).unwrap_err().to_string();
        assert!(error.contains("3 day(s) more"), "{error}");
        assert!(examine(&config, now() + HOUR * 24 * 3651).is_err(), "it has ended");
        // A crash of the first start, before anything was issued.
        fs::remove_file(at("ca.pem")).unwrap();
        fs::remove_file(at("tls/server.pem")).unwrap();
        fs::remove_file(at("tls/server.key")).unwrap();
        assert!(start().unwrap().is_new_authority);
        assert_eq!(fs::read(at("ca.pem")).unwrap(), ca);
    }

    #[test]
    fn a_listening_name_is_certified() {
        let config = Config::parse("listen = \"kms.internal:8443\"").unwrap();
        let names = names(&config, SocketAddr::from(([10, 0, 0, 7], 8443)));
        assert!(["localhost", "kms.internal", "10.0.0.7"].iter().all(|name| names.iter().any(|n| n == name)));
    }
}
