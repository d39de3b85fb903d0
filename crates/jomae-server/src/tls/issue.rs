//! A private certificate authority: one self-signed root and the server certificates it signs.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, DnsName, ServerName, UnixTime};
use zeroize::{Zeroize as _, Zeroizing};

use super::{TlsError, certificates, provider};

/// Longest life of a server certificate in days; clients refuse longer ones.
pub const LEAF_DAYS_MAX: u16 = 397;
const CA_DAYS: u64 = 3650;
const DAY: Duration = Duration::from_hours(24);
/// Certificates start this much in the past, for clients whose clock is behind.
const BACKDATE: Duration = Duration::from_hours(1);

/// A certificate and its private key, both in PEM.
pub struct Issued {
    /// The certificate. Public.
    pub cert_pem: String,
    /// The private key, PKCS#8. Secret.
    pub key_pem: Zeroizing<String>,
    /// When the certificate ends.
    pub not_after: SystemTime,
}

/// Makes a root certificate: ECDSA P-256, ten years, for server certificates directly below it.
///
/// # Errors
/// Failures of the library only.
pub fn generate_ca() -> Result<Issued, TlsError> {
    let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = ca_params(&key);
    let not_after = set_life(&mut params, CA_DAYS);
    let certificate = params.self_signed(&key)?;
    let key_pem = Zeroizing::new(key.serialize_pem());
    key.zeroize();
    Ok(Issued { cert_pem: certificate.pem(), key_pem, not_after })
}

/// Makes a server certificate for DNS names, wildcards and IP addresses, signed by a CA of [`generate_ca`]. `days` is
/// brought into 1 to [`LEAF_DAYS_MAX`].
///
/// # Errors
/// An invalid name, no name, or a CA certificate that does not belong to the key.
pub fn issue(ca_cert_pem: &str, ca_key_pem: &str, names: &[String], days: u16) -> Result<Issued, TlsError> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(|name| alternative_name(name)).collect::<Result<_, _>>()?;
    params.distinguished_name = common_name("Jomae server".to_owned());
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let not_after = set_life(&mut params, days.clamp(1, LEAF_DAYS_MAX).into());

    let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut ca_key = KeyPair::from_pem(ca_key_pem).map_err(|_| TlsError::NoKey)?;
    let certificate = params.signed_by(&key, &Issuer::new(ca_params(&ca_key), &ca_key))?;
    ca_key.zeroize();
    let key_pem = Zeroizing::new(key.serialize_pem());
    key.zeroize();

    let first = names.first().ok_or(TlsError::NoName)?;
    verify(certificate.der(), ca_cert_pem, first)?;
    Ok(Issued { cert_pem: certificate.pem(), key_pem, not_after })
}

/// All of a CA that its key decides. The name carries the key's identifier, so two CAs never share one, and the issuer
/// of a later certificate can be named without reading the CA's certificate.
fn ca_params(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    let id = params.key_identifier(key).first_chunk().copied().map_or(0, u32::from_be_bytes);
    params.distinguished_name = common_name(format!("Jomae CA {id:08x}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

fn common_name(name: String) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn set_life(params: &mut CertificateParams, days: u64) -> SystemTime {
    let start = SystemTime::now() - BACKDATE;
    let end = start + DAY * u32::try_from(days).unwrap_or(u32::MAX);
    params.not_before = start.into();
    params.not_after = end.into();
    end
}

fn alternative_name(name: &str) -> Result<SanType, TlsError> {
    let invalid = || TlsError::Name(name.to_owned());
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    DnsName::try_from(name.strip_prefix("*.").unwrap_or(name)).map_err(|_| invalid())?;
    Ok(SanType::DnsName(name.try_into().map_err(|_| invalid())?))
}

/// Checks a new certificate the way a client will.
fn verify(certificate: &CertificateDer<'_>, ca_cert_pem: &str, name: &str) -> Result<(), TlsError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(ca_cert_pem.as_bytes())? {
        roots.add(root)?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|_| TlsError::ForeignCa)?;
    let host = name.replacen('*', "wildcard", 1);
    let host = ServerName::try_from(host.as_str()).map_err(|_| TlsError::Name(name.to_owned()))?;
    match verifier.verify_server_cert(certificate, &[], &host, &[], UnixTime::now()) {
        Ok(_) => Ok(()),
        Err(_) => Err(TlsError::ForeignCa),
    }
}
