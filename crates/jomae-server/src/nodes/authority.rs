//! By what the nodes of a cluster know each other: a private authority, whose key is a sealed record of the store. Who
//! can open the store is a node, and issues itself a certificate.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use jomae_core::{
    cluster::record::NodeName,
    error::Fault,
    store::Path,
    stored::plain_records,
    tx::{CommitOutcome, Vault},
};
use jomae_crypto::secret::SecretBytes;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    secret_text::SecretText,
    tls::{self, Role, TlsError},
};

/// Where the authority stands.
const PATH: &str = "sys/cluster/authority";
/// How long a node's certificate is good, in days.
const NODE_DAYS: u16 = 90;
/// Age at which a certificate is followed by a new one.
const RENEW_AFTER: Duration = Duration::from_hours(30 * 24);
/// How often two nodes that start at the same moment get into each other's way at most.
const ATTEMPTS_MAX: u32 = 4;
/// Room for a record, so that no copy of it is left behind while it grows, in bytes.
const RECORD_BYTES: usize = 8 * 1024;

#[derive(Serialize, Deserialize)]
struct AuthorityRecord {
    /// PEM.
    certificate: String,
    /// PEM.
    key: SecretText,
}

plain_records!(form: 1, bears_rights: false, room: RECORD_BYTES; AuthorityRecord);

/// The authority, and this node's certificate.
pub(crate) struct Authority {
    node: NodeName,
    certificate_pem: String,
    key_pem: Zeroizing<String>,
    current: Mutex<Option<Tls>>,
}

/// How this node talks to others.
#[derive(Clone)]
pub(crate) struct Tls {
    made: SystemTime,
    /// For those who have a certificate.
    pub(crate) nodes_only: Arc<ServerConfig>,
    /// For newcomers too.
    pub(crate) anyone: Arc<ServerConfig>,
    pub(crate) client: Arc<ClientConfig>,
}

/// The name in the certificate of a node, which no network knows.
pub(crate) fn server_name(node: &str) -> Result<ServerName<'static>, TlsError> {
    let name = dns_name(node);
    ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name))
}

fn dns_name(node: &str) -> String {
    format!("{node}.node.jomae.internal")
}

/// Trusts one authority.
pub(crate) fn roots(certificate: CertificateDer<'static>) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    Ok(Arc::new(roots))
}

/// For a newcomer, who has no certificate yet.
pub(crate) fn newcomer(certificate: CertificateDer<'static>) -> Result<Arc<ClientConfig>, TlsError> {
    let builder =
        ClientConfig::builder_with_provider(tls::provider()).with_protocol_versions(&[&rustls::version::TLS13])?;
    Ok(Arc::new(builder.with_root_certificates(roots(certificate)?).with_no_client_auth()))
}

impl Authority {
    /// Takes the cluster's authority, or makes it.
    pub(crate) async fn load_or_create(vault: &Vault, node: NodeName) -> Result<Self, Fault> {
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = vault.writing();
            if let Some(record) = tx.get::<AuthorityRecord>(&Path::new(PATH))? {
                let key =
                    std::str::from_utf8(record.key.0.expose()).map_err(|_| Fault::internal("the authority's key"))?;
                let key_pem = Zeroizing::new(key.to_owned());
                return Ok(Self {
                    node,
                    certificate_pem: record.certificate.clone(),
                    key_pem,
                    current: Mutex::default(),
                });
            }
            let made = tls::generate_ca(SystemTime::now()).map_err(Fault::internal)?;
            let key = SecretText(SecretBytes::new(made.key_pem.as_bytes().to_vec()));
            tx.insert(Path::new(PATH), &AuthorityRecord { certificate: made.cert_pem, key })?;
            match tx.commit().await? {
                CommitOutcome::Done => {}
                CommitOutcome::Conflict => vault.catch_up().await?,
            }
        }
        Err(Fault::unavailable("another node is making the cluster's authority"))
    }

    /// What newcomers are told to trust.
    pub(crate) fn certificate(&self) -> Result<CertificateDer<'static>, TlsError> {
        CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).map_err(|_| TlsError::NoCertificate)
    }

    /// With a certificate that is young enough.
    pub(crate) fn tls(&self) -> Result<Tls, TlsError> {
        let now = SystemTime::now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that went back makes a new one too.
        let is_young = |tls: &&Tls| now.duration_since(tls.made).is_ok_and(|age| age < RENEW_AFTER);
        if let Some(tls) = current.as_ref().filter(is_young) {
            return Ok(tls.clone());
        }
        let made = self.issue(now)?;
        *current = Some(made.clone());
        Ok(made)
    }

    fn issue(&self, now: SystemTime) -> Result<Tls, TlsError> {
        let names = [dns_name(self.node.as_str())];
        let issued = tls::issue(Role::Node, (&self.certificate_pem, &self.key_pem), &names, NODE_DAYS, now)?;
        let chain =
            vec![CertificateDer::from_pem_slice(issued.cert_pem.as_bytes()).map_err(|_| TlsError::NoCertificate)?];
        let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).map_err(|_| TlsError::NoKey)?;
        let roots = roots(self.certificate()?)?;
        let verifier = |newcomers: bool| {
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), tls::provider());
            let builder = if newcomers { builder.allow_unauthenticated() } else { builder };
            builder.build().map_err(|_| TlsError::ForeignCa)
        };
        let server = |newcomers: bool| -> Result<Arc<ServerConfig>, TlsError> {
            let builder = ServerConfig::builder_with_provider(tls::provider())
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .with_client_cert_verifier(verifier(newcomers)?);
            Ok(Arc::new(builder.with_single_cert(chain.clone(), key.clone_key())?))
        };
        let client = ClientConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(chain.clone(), key.clone_key())?;
        Ok(Tls { made: now, nodes_only: server(false)?, anyone: server(true)?, client: Arc::new(client) })
    }
}
