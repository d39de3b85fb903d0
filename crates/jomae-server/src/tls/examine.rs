//! What can be told of a certificate before somebody connects.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    CertificateError, Error, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{TlsError, certificates, provider, read};

/// No certificate is looked at beyond this.
const DAYS_MAX: u64 = 100_000;
const DAY_SECS: u64 = 86_400;

/// How many days the certificates in a file are all valid from now. They must be a chain.
pub(crate) fn days_left(path: &Path, now: SystemTime) -> Result<u64, TlsError> {
    let chain = certificates(&read(path)?)?;
    if !signed(&chain, now)? {
        return Err(TlsError::Chain);
    }
    let mut left = DAYS_MAX;
    for certificate in &chain {
        if !valid(certificate, now)? {
            return Err(TlsError::NotNow);
        }
        let (mut good, mut bad) = (0, DAYS_MAX);
        while good + 1 < bad {
            let middle = good.midpoint(bad);
            let then = now + Duration::from_secs(middle * DAY_SECS);
            *(if valid(certificate, then)? { &mut good } else { &mut bad }) = middle;
        }
        left = left.min(good);
    }
    Ok(left)
}

/// Whether each certificate signs the one before, up to the last.
fn signed(chain: &[CertificateDer<'_>], now: SystemTime) -> Result<bool, TlsError> {
    let [first, between @ .., last] = chain else { return Ok(true) };
    let error = verified(first, between, last, now)?;
    Ok(!matches!(error, Some(CertificateError::UnknownIssuer | CertificateError::BadSignature)))
}

/// Whether a certificate is valid at a moment, whoever signs it.
fn valid(certificate: &CertificateDer<'_>, at: SystemTime) -> Result<bool, TlsError> {
    let error = verified(certificate, &[], certificate, at)?;
    Ok(!matches!(
        error,
        Some(
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        )
    ))
}

/// What a client that trusts `root` finds wrong first. The times come before everything else.
fn verified(
    certificate: &CertificateDer<'_>,
    between: &[CertificateDer<'_>],
    root: &CertificateDer<'_>,
    at: SystemTime,
) -> Result<Option<CertificateError>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone().into_owned())?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|_| TlsError::NoCertificate)?;
    let at = UnixTime::since_unix_epoch(at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    let host = ServerName::try_from("localhost").map_err(|_| TlsError::NoName)?;
    match verifier.verify_server_cert(certificate, between, &host, &[], at) {
        Ok(_) => Ok(None),
        Err(Error::InvalidCertificate(error)) => Ok(Some(error)),
        Err(error) => Err(error.into()),
    }
}
