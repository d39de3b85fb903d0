//! A newcomer: what it is given for a token, and how it asks for it.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_core::{cluster::record::NodeName, error::Fault, keyring::Keyring};
use jomae_crypto::{
    root::{KEY_FILE_BYTES_MAX, PARAMS_LINE_BYTES_MAX},
    secret::SecretBytes,
};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    authority,
    channel::{self, AskError},
    tokens::Invitation,
};
use crate::{
    bootstrap::{self, StartError},
    certificates,
    config::{Config, RootKeyProvider, StoreKind},
    exchange, files, guard,
    root_key::{self, RootKeyError, Sources},
    secret_text::SecretText,
};

pub(super) const PATH: &str = "/join";
/// How long one node may take.
const JOIN_TIMEOUT: Duration = Duration::from_secs(15);
const PEM_BYTES_MAX: usize = 64 * 1024;

/// What a newcomer shows.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) secret: SecretText,
    pub(super) node: NodeName,
}

/// What it is given: what a node cannot make for itself.
#[derive(Serialize, Deserialize)]
pub(super) struct Welcome {
    /// The root key file, if the cluster's root key is one.
    #[serde(default)]
    root_key: Option<SecretText>,
    /// The parameters of the passphrase, if the root key is one. They are no secret.
    #[serde(default)]
    root_params: Option<String>,
    /// The authority of the servers' certificates, unless they are the operator's own.
    #[serde(default)]
    tls: Option<TlsAuthority>,
}

#[derive(Serialize, Deserialize)]
struct TlsAuthority {
    certificate: String,
    key: SecretText,
}

fn secret(bytes: &Zeroizing<Vec<u8>>) -> SecretText {
    SecretText(SecretBytes::new(bytes.to_vec()))
}

impl Welcome {
    /// What this node has.
    pub(super) fn of(config: &Config) -> Result<Self, StartError> {
        let root_key = if config.root_key.has(RootKeyProvider::File) {
            let (path, place) = guard::root_key(config);
            Some(secret(&files::read_secret(&path, place, KEY_FILE_BYTES_MAX)?))
        } else {
            None
        };
        let params = root_key::params_path(&config.data_dir);
        let root_params = match files::read_limited(&params, PARAMS_LINE_BYTES_MAX) {
            Ok(line) => Some(String::from_utf8_lossy(&line).into_owned()),
            // A store with slots has them itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(StartError::io(&params)(error)),
        };
        let tls = if config.tls.cert_file.is_some() {
            None
        } else {
            let (certificate, key) =
                (certificates::ca_path(&config.data_dir), certificates::ca_key_path(&config.data_dir));
            let read = |path: &Path| files::read_limited(path, PEM_BYTES_MAX).map_err(StartError::io(path));
            Some(TlsAuthority {
                certificate: String::from_utf8_lossy(&read(&certificate)?).into_owned(),
                key: secret(&read(&key)?),
            })
        };
        Ok(Self { root_key, root_params, tls })
    }
}

/// Why a node has not joined; one line.
#[derive(Debug, thiserror::Error)]
pub enum JoinFailure {
    #[error("the token cannot be read: it begins with jomae-join-1, and is one line")]
    Token,
    #[error("only a node with store.kind = \"etcd\" joins a cluster")]
    NoCluster,
    #[error("the token is for the node {token}, and cluster.node is {ours}")]
    OtherNode { token: NodeName, ours: String },
    #[error("{} is there already: this data directory has been set up; nothing was changed", .0.display())]
    SetUp(PathBuf),
    #[error("{0}; the token is still good")]
    NotAsked(StartError),
    #[error("no node of the cluster has answered: {0}")]
    NoAnswer(String),
    #[error("{0}; the token is used up, make another")]
    Unusable(String),
    #[error(
        "the node that was asked has no root key file, and root_key.provider here names one; the token is used up, make \
         another"
    )]
    NoKeyFile,
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// The files of a newcomer, in the order in which they are written: the one that says that it is set up comes last.
fn files_of(config: &Config) -> [PathBuf; 5] {
    let dir = &config.data_dir;
    let (params, key_file) = (root_key::params_path(dir), guard::root_key(config).0);
    [certificates::ca_key_path(dir), certificates::ca_copy_path(dir), certificates::ca_path(dir), params, key_file]
}

/// Sets up a new data directory with what the cluster gives for a token. The service can be started afterwards.
pub async fn join(config: &Config, token: &[u8]) -> Result<Vec<PathBuf>, JoinFailure> {
    let token = Invitation::parse(token).ok_or(JoinFailure::Token)?;
    if config.store.kind != StoreKind::Etcd {
        return Err(JoinFailure::NoCluster);
    }
    if token.node.as_str() != config.cluster.node {
        return Err(JoinFailure::OtherNode { token: token.node, ours: config.cluster.node.clone() });
    }
    for path in files_of(config) {
        match files::about(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => return Err(JoinFailure::SetUp(path)),
        }
    }
    // What can fail without the token fails first.
    let store = async {
        files::make_dir(&config.data_dir).map_err(StartError::io(&config.data_dir))?;
        guard::check(config)?;
        bootstrap::open_existing_etcd(config)
    };
    let store = store.await.map_err(JoinFailure::NotAsked)?;
    let welcome = ask(token).await?;
    let unusable = |why: &dyn std::fmt::Display| JoinFailure::Unusable(why.to_string());
    let key_file = welcome.root_key.as_ref().map(|key| key.0.expose());
    let opened = Sources::of_newcomer(config, key_file, welcome.root_params.as_deref()).open(&*store).await;
    let opened = opened.map_err(|error| match error {
        RootKeyError::Missing { .. } => JoinFailure::NoKeyFile,
        error => unusable(&error),
    })?;
    Keyring::open(&*store, &opened.root).await.map_err(|fault: Fault| unusable(&fault))?;
    write(config, &welcome)
}

async fn ask(token: Invitation) -> Result<Welcome, JoinFailure> {
    let authority = STANDARD.decode(&token.authority).map_err(|_| JoinFailure::Token)?;
    let tls = authority::newcomer(CertificateDer::from(authority)).map_err(|_| JoinFailure::Token)?;
    let mut why = Vec::new();
    for host in &token.at {
        let name = authority::server_name(host.node.as_str()).map_err(|_| JoinFailure::Token)?;
        let request = Request { id: token.id.clone(), secret: token.secret.copy(), node: token.node.clone() };
        let body = exchange::json(&request).map_err(|_| JoinFailure::Token)?;
        match channel::ask(tls.clone(), name, &host.address, PATH, body, JOIN_TIMEOUT).await {
            Ok(answer) => {
                return serde_json::from_slice(&answer)
                    .map_err(|_| JoinFailure::Unusable(AskError::Unreadable.to_string()));
            }
            Err(error) => why.push(format!("{} at {}: {error}", host.node, host.address)),
        }
    }
    Err(JoinFailure::NoAnswer(why.join("; ")))
}

fn write(config: &Config, welcome: &Welcome) -> Result<Vec<PathBuf>, JoinFailure> {
    let [ca_key, ca_copy, ca, params, key_file] = files_of(config);
    let mut written = Vec::new();
    let mut put = |path: PathBuf, content: &[u8], is_public: bool| {
        let result = path.parent().map_or(Ok(()), files::private_dir).and_then(|()| {
            if is_public { files::write_public(&path, content) } else { files::write_private(&path, content) }
        });
        result.map_err(|source| JoinFailure::Write { path: path.clone(), source })?;
        written.push(path);
        Ok(())
    };
    if let Some(tls) = welcome.tls.as_ref().filter(|_| config.tls.cert_file.is_none()) {
        put(ca_key, tls.key.0.expose(), false)?;
        put(ca_copy, tls.certificate.as_bytes(), true)?;
        put(ca, tls.certificate.as_bytes(), true)?;
    }
    if let Some(line) = &welcome.root_params {
        put(params, line.as_bytes(), false)?;
    }
    if let Some(key) = welcome.root_key.as_ref().filter(|_| config.root_key.has(RootKeyProvider::File)) {
        put(key_file, key.0.expose(), false)?;
    }
    Ok(written)
}
