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
const CA_DAYS: u32 = 3650;
const DAY: Duration = Duration::from_hours(24);
/// Server certificates start this much in the past, for clients whose clock is behind and for a clock of ours that is
/// ahead (by a time zone, say) until it has been put right.
const BACKDATE: Duration = DAY;
/// 2026-01-01T00:00:00Z, in seconds since 1970. A clock that shows less is wrong: this program is younger.
const YOUNGER_THAN_SECS: u64 = 1_767_225_600;

/// A certificate and its private key, both in PEM.
pub struct Issued {
    /// The certificate. Public.
    pub cert_pem: String,
    /// The private key, PKCS#8. Secret.
    pub key_pem: Zeroizing<String>,
    /// When the certificate begins.
    pub not_before: SystemTime,
    /// When the certificate ends.
    pub not_after: SystemTime,
}

/// Makes a root certificate at the moment `now`: ECDSA P-256, for server certificates directly below it. It begins in
/// 1970 and ends ten years from now, or from 2026 if `now` is before: so it is valid whatever the clock shows, and when
/// the clock is put right.
///
/// # Errors
/// Failures of the library only.
pub fn generate_ca(now: SystemTime) -> Result<Issued, TlsError> {
    let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = ca_params(&key);
    let not_before = SystemTime::UNIX_EPOCH;
    let not_after = now.max(not_before + Duration::from_secs(YOUNGER_THAN_SECS)) + DAY * CA_DAYS;
    (params.not_before, params.not_after) = (not_before.into(), not_after.into());
    let certificate = params.self_signed(&key)?;
    let key_pem = Zeroizing::new(key.serialize_pem());
    key.zeroize();
    Ok(Issued { cert_pem: certificate.pem(), key_pem, not_before, not_after })
}

/// What a certificate is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The server's side of a connection.
    Server,
    /// Both sides: nodes of a cluster call each other.
    Node,
}

/// Makes a certificate for DNS names, wildcards and IP addresses, signed by a CA of [`generate_ca`]. It begins a
/// day before `now`, and ends `days` after it, brought into 1 to [`LEAF_DAYS_MAX`] with the day before.
///
/// # Errors
/// An invalid name, no name, or a CA certificate that does not belong to the key.
pub fn issue(
    role: Role,
    (ca_cert_pem, ca_key_pem): (&str, &str),
    names: &[String],
    days: u16,
    now: SystemTime,
) -> Result<Issued, TlsError> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(|name| alternative_name(name)).collect::<Result<_, _>>()?;
    params.distinguished_name = common_name("Jomae server".to_owned());
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = match role {
        Role::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Role::Node => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
    };
    params.use_authority_key_identifier_extension = true;
    // Nothing that clients read may begin before 1970.
    let now = now.max(SystemTime::UNIX_EPOCH);
    let not_before =
        now.checked_sub(BACKDATE).map_or(SystemTime::UNIX_EPOCH, |start| start.max(SystemTime::UNIX_EPOCH));
    let not_after = (now + DAY * u32::from(days.max(1))).min(not_before + DAY * u32::from(LEAF_DAYS_MAX));
    (params.not_before, params.not_after) = (not_before.into(), not_after.into());

    let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut ca_key = KeyPair::from_pem(ca_key_pem).map_err(|_| TlsError::NoKey)?;
    let certificate = params.signed_by(&key, &Issuer::new(ca_params(&ca_key), &ca_key))?;
    ca_key.zeroize();
    let key_pem = Zeroizing::new(key.serialize_pem());
    key.zeroize();

    let first = names.first().ok_or(TlsError::NoName)?;
    verify(certificate.der(), ca_cert_pem, first, now)?;
    Ok(Issued { cert_pem: certificate.pem(), key_pem, not_before, not_after })
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

fn alternative_name(name: &str) -> Result<SanType, TlsError> {
    let invalid = || TlsError::Name(name.to_owned());
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    DnsName::try_from(name.strip_prefix("*.").unwrap_or(name)).map_err(|_| invalid())?;
    Ok(SanType::DnsName(name.try_into().map_err(|_| invalid())?))
}

/// Checks a new certificate the way a client will.
fn verify(certificate: &CertificateDer<'_>, ca_cert_pem: &str, name: &str, now: SystemTime) -> Result<(), TlsError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(ca_cert_pem.as_bytes())? {
        roots.add(root)?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|_| TlsError::ForeignCa)?;
    let host = name.replacen('*', "wildcard", 1);
    let host = ServerName::try_from(host.as_str()).map_err(|_| TlsError::Name(name.to_owned()))?;
    let now = UnixTime::since_unix_epoch(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    match verifier.verify_server_cert(certificate, &[], &host, &[], now) {
        Ok(_) => Ok(()),
        Err(_) => Err(TlsError::ForeignCa),
    }
}
