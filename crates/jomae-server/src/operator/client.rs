//! The command line's side: through the socket if a service answers there, else on the store itself.

use std::{
    io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use http::{Method, StatusCode};
use jomae_api::names::RegionId;
use jomae_core::{keyring::Keyring, root::ChangeError, shredding::record::Recovery, tx::Vault, whole::WholeStore};
use jomae_crypto::{
    secret::{Key256, SecretBytes},
    shares::ShareSet,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Hold, OperatorApi, ReplayRequest, SimulateRequest, root::AddSlot, socket_path, too_long};
use crate::{
    bootstrap::{OpenedStore, StartError, check_form, node_of},
    cluster,
    config::{Config, RootKeyProvider, StoreKind},
    exchange, root_key,
    secret_text::SecretText,
    shredding,
    store::OpenError,
};

/// Decoded records kept in memory while the store of a stopped service is open.
const CACHED_RECORDS_MAX: usize = 10_000;
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why the operator's wish was not done; one line.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0}")]
    Refused(String),
    /// It may have been done all the same.
    #[error("{0}")]
    Unsure(String),
    #[error("the service on {0} failed: {1}")]
    Socket(String, String),
    #[error("no node of the cluster answers on this machine, and only one that runs does this; start it ({0})")]
    NoNode(String),
    #[error("a service has the store open, but does not answer on its socket: {0}")]
    NotReachable(String),
}

/// A new access key of an account. It holds the secret, and so has no `Debug`.
pub struct NewKey(Zeroizing<Vec<u8>>);

/// What is known of a new access key.
#[derive(Deserialize)]
pub struct NewKeyParts<'k> {
    pub account: &'k str,
    pub access_key_id: &'k str,
    /// Shown once.
    pub access_key_secret: &'k str,
}

impl NewKey {
    pub fn parts(&self) -> Result<NewKeyParts<'_>, OperatorError> {
        serde_json::from_slice(&self.0).map_err(|_| OperatorError::Refused("the answer is not one of a service".into()))
    }
}

/// Makes an account with its first access key.
pub async fn create_account(config: &Config, name: &str) -> Result<NewKey, OperatorError> {
    ask(config, Method::POST, "/accounts", &serde_json::json!({ "name": name })).await.map(NewKey)
}

/// Makes a further access key of an account.
pub async fn create_key(config: &Config, account: &str) -> Result<NewKey, OperatorError> {
    ask(config, Method::POST, &format!("{}/keys", account_path(account)?), &()).await.map(NewKey)
}

/// Gives an account another name.
pub async fn rename_account(config: &Config, account: &str, name: &str) -> Result<(), OperatorError> {
    let path = account_path(account)?;
    ask(config, Method::POST, &path, &serde_json::json!({ "name": name })).await.map(drop)
}

/// Shuts an account, or opens it again.
pub async fn set_account_disabled(config: &Config, account: &str, disabled: bool) -> Result<(), OperatorError> {
    let path = account_path(account)?;
    ask(config, Method::POST, &path, &serde_json::json!({ "disabled": disabled })).await.map(drop)
}

/// Deletes a disabled account that has no keys.
pub async fn delete_account(config: &Config, account: &str) -> Result<(), OperatorError> {
    ask(config, Method::DELETE, &account_path(account)?, &()).await.map(drop)
}

fn account_path(account: &str) -> Result<String, OperatorError> {
    if account.is_empty() || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(OperatorError::Refused("an account has 16 digits".into()));
    }
    Ok(format!("/accounts/{account}"))
}

/// All accounts: `{"accounts":[{"account":…,"name":…,"created":…,"state":…}]}`.
pub async fn list_accounts(config: &Config) -> Result<Value, OperatorError> {
    value(&ask(config, Method::GET, "/accounts", &()).await?)
}

/// Answers one question: `{"allowed":…,"permission":…,"resource":…,"reason":…,"policies":[…],"notes":[…]}`.
pub async fn simulate(config: &Config, request: &SimulateRequest) -> Result<Value, OperatorError> {
    value(&ask(config, Method::POST, "/simulate", request).await?)
}

/// Decides the calls of the past again.
pub async fn replay(config: &Config, request: &ReplayRequest) -> Result<Value, OperatorError> {
    value(&ask(config, Method::POST, "/replay", request).await?)
}

/// The nodes of the cluster, and how far their logs have come:
/// `{"node":…,"nodes":[{"node":…,"state":…,"worker":…,"version":…,"address":…,"silent_milliseconds":…,
/// "clock_ahead_seconds":…,"log":{"origin":…,"events":…,"root":…}}]}`.
pub async fn list_nodes(config: &Config) -> Result<Value, OperatorError> {
    value(&ask(config, Method::GET, "/nodes", &()).await?)
}

/// A token with which a node of this name can join the cluster, once, within so many seconds.
pub async fn make_join_token(config: &Config, node: &str, valid_secs: i64) -> Result<Zeroizing<String>, OperatorError> {
    #[derive(Deserialize)]
    struct Made<'t> {
        token: &'t str,
    }
    let body = serde_json::json!({ "node": node, "valid_secs": valid_secs });
    let answer = ask(config, Method::POST, "/nodes/tokens", &body).await?;
    let made = serde_json::from_slice::<Made<'_>>(&answer);
    made.map(|made| Zeroizing::new(made.token.to_owned()))
        .map_err(|_| OperatorError::Refused("the answer is not one of a service".into()))
}

/// Takes a node out of the cluster for good: the one on this machine, which then stops, or one that is gone.
pub async fn leave(config: &Config, node: Option<&str>) -> Result<(), OperatorError> {
    ask(config, Method::POST, "/nodes/leave", &serde_json::json!({ "node": node })).await.map(drop)
}

/// Makes a backup, there or where the configuration says: `{"Id":…,"IsWhole":…,"Records":…,"Written":…,"Gone":…,"Bytes":…,
/// "Removed":[…]}`.
pub async fn back_up(config: &Config, to: Option<&str>, whole: bool) -> Result<Value, OperatorError> {
    // The service may stand in another directory.
    let absolute = |to: &str| std::path::absolute(to).map(|to| to.display().to_string());
    let to = match to {
        Some(to) if !to.starts_with("s3://") => Some(absolute(to).map_err(StartError::io(Path::new(to)))?),
        to => to.map(str::to_owned),
    };
    value(&ask(config, Method::POST, "/backup", &serde_json::json!({ "to": to, "whole": whole })).await?)
}

/// A link that signs an account, or a user of it, in to the console, once. Only a service that runs makes one.
pub async fn make_console_link(
    config: &Config,
    account: Option<&str>,
    user: Option<&str>,
) -> Result<Zeroizing<String>, OperatorError> {
    #[derive(Deserialize)]
    struct Made<'t> {
        link: &'t str,
    }
    let body = serde_json::json!({ "account": account, "user": user });
    let answer = ask(config, Method::POST, "/console/links", &body).await?;
    let made = serde_json::from_slice::<Made<'_>>(&answer);
    made.map(|made| Zeroizing::new(made.link.to_owned()))
        .map_err(|_| OperatorError::Refused("the answer is not one of a service".into()))
}

/// The slots of the root key: `{"root_id":…,"opened_by":…,"domain_keys":…,"slots":[{"name":…,"provider":…,"made":…,"detail":…}]}`.
/// A store of before slots has no ID, and one slot that was never made.
pub async fn root_status(config: &Config) -> Result<Value, OperatorError> {
    value(&ask(config, Method::GET, "/root", &()).await?)
}

/// Gives every slot another root key. Gives the ID of it.
pub async fn rotate_root(config: &Config) -> Result<Value, OperatorError> {
    value(&ask(config, Method::POST, "/root/rotate", &()).await?)
}

/// Makes a slot for the key of a provider: `{"root_id":…,"vouches":…,"warning":…}`. `vouches`: whether it does for the key that
/// backups are signed with; `warning`: of slots that do so no more, or null.
pub async fn add_root_slot(
    config: &Config,
    name: &str,
    provider: RootKeyProvider,
    params: &str,
    key: &Key256,
) -> Result<Value, OperatorError> {
    let key = SecretText(SecretBytes::new(key.expose().to_vec()));
    let slot = AddSlot { name: name.to_owned(), provider: provider.name().to_owned(), params: params.to_owned(), key };
    value(&ask(config, Method::POST, "/root/slots", &slot).await?)
}

/// Removes a slot, and gives all others another root key.
pub async fn remove_root_slot(config: &Config, name: &str) -> Result<Value, OperatorError> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(OperatorError::Refused(ChangeError::Name.to_string()));
    }
    value(&ask(config, Method::DELETE, &format!("/root/slots/{name}"), &()).await?)
}

/// The shredding keys: `{"mode":…,"shares":…,"keys":[{"id":…,"state":…,"made":…,"retired":…,"destroyed":…}]}`.
pub async fn shredding_status(config: &Config) -> Result<Value, OperatorError> {
    value(&ask(config, Method::GET, "/shred", &()).await?)
}

/// From now on shares of this key recover shredding keys, and no others do.
pub async fn set_shredding_shares(config: &Config, key: &Key256, set: &ShareSet) -> Result<(), OperatorError> {
    let recovery = Recovery::of(key, set).map_err(StartError::from)?;
    ask(config, Method::POST, "/shred/shares", &recovery).await.map(drop)
}

/// Brings the shredding keys that the store of a stopped service needs back to where they are used. Gives their names.
pub async fn recover_shredding_keys(
    config: &Config,
    shares: &[PathBuf],
    identities: &[PathBuf],
) -> Result<Vec<String>, OperatorError> {
    let Some(why) = is_served(&socket_path(&config.data_dir))? else {
        return Err(OperatorError::Refused("a service that runs has all of its shredding keys".into()));
    };
    if config.store.kind == StoreKind::Etcd {
        let (vault, region) = open_of_cluster(config).await?;
        return Ok(shredding::recover(config, &vault, &region, shares, identities).await.map_err(StartError::from)?);
    }
    let api = open(config, &why).await?;
    Ok(shredding::recover(config, api.vault(), &api.region, shares, identities).await.map_err(StartError::from)?)
}

fn value(body: &[u8]) -> Result<Value, OperatorError> {
    serde_json::from_slice(body).map_err(|_| OperatorError::Refused("the answer is not one of a service".into()))
}

async fn ask(
    config: &Config,
    method: Method,
    path: &str,
    body: &(impl Serialize + Sync),
) -> Result<Zeroizing<Vec<u8>>, OperatorError> {
    let body = exchange::json(body).map_err(|error| OperatorError::Refused(error.to_string()))?;
    let socket = socket_path(&config.data_dir);
    let (status, answer) = match is_served(&socket)? {
        None => through(&socket, method, path, body).await?,
        Some(why) => {
            let answer = Arc::new(open(config, &why).await?).answer(&method, path, &body).await;
            (answer.status, answer.body)
        }
    };
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let why = exchange::error_of(status, &answer);
    Err(if status.is_server_error() { OperatorError::Unsure(why) } else { OperatorError::Refused(why) })
}

/// Whether a service answers there; if not, why.
fn is_served(socket: &Path) -> Result<Option<String>, OperatorError> {
    if let Some(why) = too_long(socket) {
        return Ok(Some(why));
    }
    match UnixStream::connect(socket) {
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Ok(Some(format!("{}: {error}", socket.display())))
        }
        Err(source) => Err(StartError::Io { path: socket.to_owned(), source }.into()),
    }
}

async fn through(
    socket: &Path,
    method: Method,
    path: &str,
    body: Zeroizing<Vec<u8>>,
) -> Result<(StatusCode, Zeroizing<Vec<u8>>), OperatorError> {
    let failed = |error: reqwest::Error| OperatorError::Socket(socket.display().to_string(), error.to_string());
    let http = reqwest::Client::builder().unix_socket(socket).no_proxy().build().map_err(failed)?;
    let request = http.request(method, format!("http://operator{path}")).body(Bytes::from_owner(body));
    let mut answer = request.send().await.map_err(failed)?;
    let status = answer.status();
    let mut body = Zeroizing::new(Vec::with_capacity(4096));
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(OperatorError::Socket(socket.display().to_string(), "the answer is too long".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, body))
}

/// The store of a cluster of which no node runs.
async fn open_of_cluster(config: &Config) -> Result<(Vault, RegionId), OperatorError> {
    let region = config.checked_regions().map_err(StartError::from)?.into_iter().next();
    let region = region.ok_or_else(|| OperatorError::Refused("no region".into()))?;
    let store = OpenedStore::open_existing(config)?.store();
    let live = cluster::live_nodes(&*store, config.cluster.lease_secs).await.map_err(StartError::from)?;
    if !live.is_empty() {
        let nodes = live.join(", ");
        return Err(OperatorError::Refused(format!("nodes that run have all of their shredding keys: {nodes}")));
    }
    let root = root_key::open(config, &*store).await.map_err(StartError::from)?;
    let keyring = Arc::new(Keyring::open(&*store, &root.root).await.map_err(StartError::from)?);
    let node = node_of(config);
    let whole = WholeStore::open(store, Arc::clone(&keyring), node.as_ref()).map_err(StartError::from)?;
    let vault = Vault::new(whole, keyring, CACHED_RECORDS_MAX);
    check_form(&vault)?;
    // The first start of this node logs what is done.
    Ok((
        match node {
            Some(node) => vault.of_stopped(node),
            None => vault,
        },
        region,
    ))
}

/// The store of a stopped service.
async fn open(config: &Config, why: &str) -> Result<OperatorApi, OperatorError> {
    // The others would not be asked to confirm what is changed.
    if config.store.kind == StoreKind::Etcd {
        return Err(OperatorError::NoNode(why.to_owned()));
    }
    let regions = config.checked_regions().map_err(StartError::from)?;
    let region = regions.into_iter().next().ok_or_else(|| OperatorError::Refused("no region".into()))?;
    let store = match OpenedStore::open_existing(config) {
        Err(StartError::Store(OpenError::Locked(_))) => return Err(OperatorError::NotReachable(why.to_owned())),
        opened => opened?.store(),
    };
    let root = root_key::open(config, &*store).await.map_err(StartError::from)?;
    let keyring = Arc::new(Keyring::open(&*store, &root.root).await.map_err(StartError::from)?);
    // What is written here belongs to the hash, too.
    let whole = WholeStore::open(Arc::clone(&store), Arc::clone(&keyring), None).map_err(StartError::from)?;
    let vault = Vault::new(whole, keyring, CACHED_RECORDS_MAX);
    check_form(&vault)?;
    Ok(OperatorApi::new(Hold::Store { vault, store, region }, config.clone(), Arc::new(root.holder)))
}
