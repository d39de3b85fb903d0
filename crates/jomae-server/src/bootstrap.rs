//! From an empty directory to a service that can be used: everything a first start makes, and a later one finds.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, RwLock},
    time::Duration,
};

use jomae_api::time::Timestamp;
use jomae_core::{
    audit::lookup::OtherLogs,
    backend::{Levels, software::SoftwareBackend},
    cluster::record::NodeName,
    error::Fault,
    form,
    identity::{accounts::AccountKey, bootstrap},
    key_index::KeyIndex,
    keyring::Keyring,
    quota::Ledger,
    ram::sign_in::SignInGuard,
    rank::Ranks,
    rivals::Rivals,
    run::Kms,
    service::Service,
    store::Store,
    tx::Vault,
    usage::Usage,
    wait::Pool,
    whole::{Accepted, Found, Trouble, WholeStore, record::UNFINISHED_COPY},
};
use jomae_etcd::{Identity, Tls};
use jomae_hsm::Hsm;
use zeroize::Zeroizing;

use crate::{
    address::ListenAddress,
    audit::{self, AuditLog},
    certificates::CertificateError,
    cluster::{self, JoinError, Keeper},
    config::{Config, ConfigError, StoreConfig, StoreKind},
    files::{self, NotPrivate, Secret},
    guard, hsm,
    nodes::{Authority, logs::Logs},
    nonces, oidc,
    operate::unfinished::{self, UnfinishedError},
    pool::CryptoPool,
    root_key::{self, Holder, RootKeyError},
    shredding::{Shredding, ShreddingError},
    store::{self, EtcdOpenError, EtcdOptions, EtcdStore, Lock, OpenError, Options, SqliteStore},
    whole::{self, Beginning, Promised, Verified, WholeError},
};

/// Largest file with certificates or a key, in bytes.
const PEM_BYTES_MAX: usize = 1024 * 1024;
/// How long a start waits for etcd: an election, or the restart of a machine, is no reason to give up.
const ETCD_WAIT: Duration = Duration::from_secs(30);
/// Largest `env` file that is read back, in bytes.
const ENV_BYTES_MAX: usize = 64 * 1024;

/// Why the service does not start; one line that says what is wrong and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    NotPrivate(#[from] NotPrivate),
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    #[error("the store {0}")]
    Store(#[from] OpenError),
    #[error("the store in {0}")]
    Etcd(#[from] EtcdOpenError),
    #[error("{}: there is no store; start the service once, or name its --data-dir", .0.display())]
    NoStore(PathBuf),
    #[error("{}: its store is in etcd; name the configuration of the node with --config", .0.display())]
    StoreElsewhere(PathBuf),
    #[error(transparent)]
    UnfinishedRestore(#[from] UnfinishedError),
    #[error(
        "the store is an unfinished copy; run `jomae store copy` again, which goes on where it was; after a restore that was cut off, \
         remove the data directory, and a key file elsewhere that it has made, and run the restore again"
    )]
    UnfinishedCopy,
    #[error(
        "the store has records of form {stored}, which a newer version wrote; this one reads {} at most: use the newer version",
        form::NEWEST
    )]
    NewerForm { stored: u32 },
    #[error(transparent)]
    Cluster(#[from] JoinError),
    #[error("{0}")]
    Service(#[from] Fault),
    #[error("TLS: {0}")]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Audit(#[from] audit::OpenError),
    #[error(transparent)]
    Whole(#[from] WholeError),
    #[error(transparent)]
    Shredding(#[from] ShreddingError),
    #[error(
        "--accept-rollback accepts a store that is older than was promised, or was changed beside the service, and this one \
         is neither: start without the option"
    )]
    NothingToAccept,
    #[error("cannot listen on {address}: {source}{}", hint(source))]
    Listen { address: ListenAddress, source: io::Error },
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => "; another process has the port, choose one with --listen or --admin-listen",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
        _ => "",
    }
}

impl StartError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The service, ready for requests.
pub struct Started {
    pub service: Arc<Service>,
    pub audit: Arc<AuditLog>,
    pub store: OpenedStore,
    /// To be begun before anything is accepted.
    pub run: nonces::Run,
    /// The token that the configuration names.
    pub hsm: Option<Arc<Hsm>>,
    /// Renews the lease of one of several nodes.
    pub keeper: Option<Keeper>,
    /// By which the nodes know each other.
    pub(crate) authority: Option<Arc<Authority>>,
    /// The credential that the operator has not been given yet.
    pub first: Option<AccountKey>,
    pub root_key_created: bool,
    /// By which the root key is found again when it is to be changed.
    pub(crate) root_holder: Arc<Holder>,
    /// The store, as what compares it with the hash over its records, and what the last count has found.
    pub whole: Arc<WholeStore>,
    pub verified: Arc<Verified>,
    pub(crate) beginning: Beginning,
    pub(crate) shredding: Arc<Shredding>,
    /// The configuration as it is in effect: what is read again while the service runs is changed here too.
    pub(crate) in_effect: Arc<RwLock<Config>>,
}

/// The store, whichever it is, locked for this process where it is this machine's.
pub enum OpenedStore {
    Sqlite(Arc<SqliteStore>),
    /// With the lock on the data directory.
    Etcd(Arc<EtcdStore>, Lock),
}

impl OpenedStore {
    /// Makes the store if there is none.
    fn open(config: &Config) -> Result<Self, StartError> {
        unfinished::refuse(&config.data_dir)?;
        let path = store_path(&config.data_dir);
        let opened = match config.store.kind {
            StoreKind::Sqlite => Self::Sqlite(Arc::new(SqliteStore::open(&path, &Options::default())?)),
            StoreKind::Etcd => {
                let lock = store::lock(&path)?;
                let options = EtcdOptions { open_wait: ETCD_WAIT, ..etcd_options(&config.store)? };
                Self::Etcd(Arc::new(EtcdStore::open(&options)?), lock)
            }
        };
        refuse_unfinished(&*opened.store())?;
        Ok(opened)
    }

    /// Opens a store that is there, and not in use on this machine.
    pub(crate) fn open_existing(config: &Config) -> Result<Self, StartError> {
        match config.store.kind {
            StoreKind::Sqlite => {
                expect_file(&config.data_dir)?;
                Self::open(config)
            }
            StoreKind::Etcd => {
                unfinished::refuse(&config.data_dir)?;
                let lock = store::lock(&store_path(&config.data_dir))?;
                Ok(Self::Etcd(open_existing_etcd(config)?, lock))
            }
        }
    }

    /// Reads the certificates for etcd again; gives whether there are new ones.
    pub(crate) async fn renew(&self, config: &StoreConfig) -> Result<bool, StartError> {
        if let Some(key) = &config.key_file {
            files::open_secret(key, Secret::Configured)?;
        }
        match (self, etcd_tls(config)?) {
            (Self::Etcd(store, _), Some(tls)) => Ok(store.renew(tls).await?),
            _ => Ok(false),
        }
    }

    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Etcd(store, _) => Arc::clone(store) as Arc<dyn Store>,
        }
    }
}

/// Opens a store in etcd that is there, whoever else has it open.
pub(crate) fn open_existing_etcd(config: &Config) -> Result<Arc<EtcdStore>, StartError> {
    let options = EtcdOptions { makes_new: false, ..etcd_options(&config.store)? };
    let store = EtcdStore::open(&options)?;
    refuse_unfinished(&store)?;
    Ok(Arc::new(store))
}

/// Before a file is opened as the store, which would make one.
pub(crate) fn expect_file(data_dir: &Path) -> Result<(), StartError> {
    unfinished::refuse(data_dir)?;
    let path = store_path(data_dir);
    if files::is_file(&path).map_err(StartError::io(&path))? {
        return Ok(());
    }
    // Only a node of a cluster has one.
    let is_node = files::is_file(&data_dir.join(cluster::HOME_FILE)).is_ok_and(|there| there);
    Err(if is_node { StartError::StoreElsewhere(data_dir.to_owned()) } else { StartError::NoStore(path) })
}

pub(crate) fn refuse_unfinished(store: &dyn Store) -> Result<(), StartError> {
    match store.get(UNFINISHED_COPY).map_err(Fault::from)? {
        Some(_) => Err(StartError::UnfinishedCopy),
        None => Ok(()),
    }
}

/// Before anything is written: whether this version can read all that is stored.
pub(crate) fn check_form(vault: &Vault) -> Result<(), StartError> {
    match form::floor(vault)? {
        stored if stored > form::NEWEST => Err(StartError::NewerForm { stored }),
        _ => Ok(()),
    }
}

/// How the configuration says that etcd is reached.
pub(crate) fn etcd_options(config: &StoreConfig) -> Result<EtcdOptions, StartError> {
    let mut options = EtcdOptions::new(config.endpoints.clone());
    if !config.prefix.is_empty() {
        options.prefix.clone_from(&config.prefix);
    }
    options.tls = etcd_tls(config)?;
    Ok(options)
}

fn etcd_tls(config: &StoreConfig) -> Result<Option<Tls>, StartError> {
    let read = |path: &PathBuf| files::read_configured(path, PEM_BYTES_MAX).map_err(StartError::io(path));
    let identity = match (&config.cert_file, &config.key_file) {
        (Some(certificate), Some(key)) => Some(Identity { certificate: read(certificate)?.to_vec(), key: read(key)? }),
        _ => None,
    };
    match &config.ca_file {
        Some(ca) => Ok(Some(Tls { ca: read(ca)?.to_vec(), identity })),
        None if identity.is_some() => Err(EtcdOpenError::Config(jomae_etcd::ConfigError::NoCa).into()),
        None => Ok(None),
    }
}

/// Where the store's file is.
pub fn store_path(data_dir: &Path) -> PathBuf {
    data_dir.join("store.db")
}

/// Where the audit log is.
pub fn audit_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("audit")
}

/// Where the operator finds endpoint and credential.
pub fn env_path(data_dir: &Path) -> PathBuf {
    data_dir.join("env")
}

/// Opens, or makes, everything in the data directory but certificate and `env`.
pub async fn open(config: &Config, now: Timestamp) -> Result<Started, StartError> {
    open_with(config, now, || Ok(())).await.map(|(started, ())| started)
}

/// As [`open`]; `prepare` does what else a start needs and can fail, before the store is told that the log goes on.
pub(crate) async fn open_with<T>(
    config: &Config,
    now: Timestamp,
    prepare: impl FnOnce() -> Result<T, StartError>,
) -> Result<(Started, T), StartError> {
    let regions = config.checked_regions()?;
    let oidc = Arc::new(oidc::Verifier::from_config(&config.oidc_providers)?);
    let dir = &config.data_dir;
    files::make_dir(dir).map_err(StartError::io(dir))?;
    guard::check(config)?;
    // The lock comes with the store: a second server must not even make a root key.
    let opened = OpenedStore::open(config)?;
    let bare = opened.store();
    let store_exists = !bare.scan("", None, 1).map_err(Fault::from)?.is_empty();
    // Early, as it takes a while.
    let hsm = begin_token(config, &*bare)?;
    let root = root_key::open_or_begin(config, &*bare, hsm.as_ref()).await?;
    let keyring = Arc::new(Keyring::open(&*bare, &root.root).await?);
    let node = node_of(config);
    let whole = WholeStore::open(bare, Arc::clone(&keyring), node.as_ref())?;
    let store: Arc<dyn Store> = Arc::clone(&whole) as Arc<dyn Store>;
    let (ranks, key_index) = (Ranks::watch(&*store), KeyIndex::watch(&*store));
    let mut vault = Vault::new(Arc::clone(&store), Arc::clone(&keyring), config.server.cached_records_max);
    check_form(&vault)?;
    let verified = Arc::new(Verified::default());
    let weighed = weigh(config, &whole, &vault, node.as_ref(), &verified)?;
    let shredding = Arc::new(Shredding::open(config, &vault, now)?);
    let keeper = match config.store.kind {
        StoreKind::Sqlite => {
            form::raise(&vault).await?;
            None
        }
        StoreKind::Etcd => {
            let (cluster, keeper) = cluster::join(config, store, Arc::clone(&keyring)).await?;
            vault = vault.in_cluster(cluster);
            Some(keeper)
        }
    };
    let default_region = regions.first().cloned().ok_or_else(|| Fault::internal("no region"))?;
    let is_new = match config.store.kind {
        StoreKind::Sqlite => !store_exists,
        // The store may be as old as it likes: what this node had accepted, it had logged.
        StoreKind::Etcd => files::about(&audit_dir(dir)).is_err_and(|error| error.kind() == io::ErrorKind::NotFound),
    };
    let begun = take_on(&whole, &vault, weighed, store_exists).await?;
    root_key::settle(&vault, &root.holder).await?;
    let log = audit::open(&audit_dir(dir), &config.audit, &vault, whole::source(&whole)).await?;
    let prepared = prepare()?;
    // Before anything else is in the store: one that holds more had a log.
    let audit = Arc::new(log.begin(&vault, &default_region).await?);
    if let Some(begun) = begun {
        whole::tell_begun(&begun, &audit, &default_region).await?;
    }
    whole::tell(&vault, &audit, &default_region).await?;
    let authority = match vault.cluster().map(|cluster| cluster.name().clone()) {
        Some(name) => Some(Arc::new(Authority::load_or_create(&vault, name).await?)),
        None => None,
    };
    let other_logs = authority.clone().map(|authority| Arc::new(Logs::new(authority)) as Arc<dyn OtherLogs>);
    let first = bootstrap::first_credential(&vault, now).await?;
    let pool: Arc<dyn Pool> = Arc::new(CryptoPool::start(config.crypto_threads()).map_err(StartError::io(dir))?);
    let backends = levels(config, hsm.as_ref(), keyring, &pool, &shredding, &vault).await?;
    let sink = Arc::clone(&audit) as Arc<dyn jomae_core::audit::AuditSink>;
    let (usage, quotas) = (Usage::default(), Ledger::new(config.quotas.of_accounts()));
    let (rivals, sign_in, hosting) = (Rivals::default(), SignInGuard::default(), OnceLock::new());
    let kms = Kms {
        vault,
        backends,
        ranks,
        key_index,
        pool,
        usage,
        quotas,
        rivals,
        sign_in,
        audit: sink,
        other_logs,
        hosting,
        regions,
    };
    let limits = config.service_limits();
    let (memory, run) = nonces::recall(&kms.vault, dir, limits.nonces_max, is_new).await?;
    let mut service = Service::new(kms, oidc, default_region, limits);
    service.authenticator.nonces = memory;
    recover(&service).await?;
    root_key::warn_of_the_only_way(service.kms.vault.store())?;
    shredding.begin(&service, now).await?;
    let service = Arc::new(service);
    let (root_key_created, root_holder) = (root.created, Arc::new(root.holder));
    let started = Started {
        service,
        audit,
        store: opened,
        run,
        hsm,
        keeper,
        authority,
        first,
        root_key_created,
        root_holder,
        whole,
        verified,
        beginning: Beginning::default(),
        shredding,
        in_effect: Arc::new(RwLock::new(config.clone())),
    };
    Ok((started, prepared))
}

/// Begins to start the token. The PIN is for the one that the root key's slots name, whatever else has its label.
fn begin_token(config: &Config, store: &dyn Store) -> Result<Option<Arc<Hsm>>, StartError> {
    let Some(mut token) = config.hsm.clone() else { return Ok(None) };
    if token.token_serial.is_none() {
        token.token_serial = root_key::token_serial(config, store)?;
    }
    hsm::start(&token, &config.data_dir).map(Some).map_err(StartError::io(&config.data_dir))
}

/// Who does what is to be done with key material, by protection level.
async fn levels(
    config: &Config,
    hsm: Option<&Arc<Hsm>>,
    keyring: Arc<Keyring>,
    pool: &Arc<dyn Pool>,
    shredding: &Shredding,
    vault: &Vault,
) -> Result<Levels, StartError> {
    let software = SoftwareBackend::new(Arc::clone(&keyring), Arc::clone(pool)).with_shredding(shredding.keys());
    let software = Levels::software(software);
    let (Some(hsm), Some(token)) = (hsm, &config.hsm) else { return Ok(software) };
    hsm::settle(hsm, token, vault).await?;
    Ok(software.with_hsm(Box::new(hsm::TokenBackend::new(Arc::clone(hsm), keyring))))
}

/// Logs what the command line has left in the outbox while no service ran, or a crash.
async fn recover(service: &Service) -> Result<(), StartError> {
    let recovered = service.outbox.recover(&service.kms.vault, &*service.audit).await?;
    if recovered > 0 {
        tracing::info!(
            events = recovered,
            "logged the audit events of what was changed while no service ran, or just before it ended"
        );
    }
    Ok(())
}

/// The name of this node among several.
pub(crate) fn node_of(config: &Config) -> Option<NodeName> {
    match config.store.kind {
        StoreKind::Sqlite => None,
        StoreKind::Etcd => NodeName::new(&config.cluster.node),
    }
}

/// What a start has found of the store as a whole, before anything is written.
struct Weighed {
    found: Result<Found, Trouble>,
    promised: Option<Promised>,
    /// An operator goes on with it all the same.
    is_accepted: bool,
}

fn weigh(
    config: &Config,
    whole: &WholeStore,
    vault: &Vault,
    node: Option<&NodeName>,
    verified: &Verified,
) -> Result<Weighed, StartError> {
    let found = whole.check(|_| true).map_err(Fault::from)?;
    let (promised, _) = audit::promised(&audit::notes(&audit_dir(&config.data_dir))?, vault, node, 0)?;
    let judged = whole::judge(&found, promised.as_ref());
    match (judged, config.accept_rollback) {
        (Err(why), false) => return Err(why.into()),
        (Ok(()), true) => return Err(StartError::NothingToAccept),
        (Err(why), true) => tracing::warn!(%why, "going on with this store, as the operator has asked"),
        (Ok(()), false) => {}
    }
    if let Ok(found) = &found {
        verified.note(found);
    }
    Ok(Weighed { found, promised, is_accepted: config.accept_rollback })
}

/// Begins the hash in a store that has none, or goes on with one that was accepted. What there is to tell of a beginning.
async fn take_on(
    whole: &WholeStore,
    vault: &Vault,
    weighed: Weighed,
    store_exists: bool,
) -> Result<Option<Accepted>, StartError> {
    let Weighed { found, promised, is_accepted } = weighed;
    if is_accepted {
        whole::accept(whole, vault, &found, promised.as_ref()).await?;
        return Ok(None);
    }
    if vault.cluster().is_some() {
        // Once every node knows of it, whoever does the common work begins it.
        return Ok(None);
    }
    Ok(whole::begin(whole, vault).await?.filter(|_| store_exists))
}

/// Writes `DIR/env`, the lines to source in a shell. A later start keeps the credential that stands there and brings
/// the rest up to date; if the operator has taken the file away, it stays away.
pub async fn write_env(
    config: &Config,
    started: &Started,
    listening: SocketAddr,
    admin: SocketAddr,
) -> Result<(), StartError> {
    let path = env_path(&config.data_dir);
    let ca = std::path::absolute(config.data_dir.join("ca.pem")).map_err(StartError::io(&path))?;
    let ca_line = format!("export JOMAE_CA_FILE={}", shell_quoted(&ca.display().to_string()));
    // A certificate of the operator's own comes from another CA, which we do not know.
    let own_certificate = config.tls.cert_file.is_some();
    let credential = match &started.first {
        // The token of a session that the shell may have would not belong to this access key.
        Some(first) => Zeroizing::new(format!(
            "unset ALIBABA_CLOUD_SECURITY_TOKEN\nexport ALIBABA_CLOUD_ACCESS_KEY_ID={}\nexport ALIBABA_CLOUD_ACCESS_KEY_SECRET={}\n",
            first.access_key_id,
            Zeroizing::new(String::from_utf8_lossy(first.secret.expose()).into_owned()).as_str()
        )),
        None => match files::read_limited(&path, ENV_BYTES_MAX) {
            Ok(content) => kept_lines(&content, if own_certificate { &ca_line } else { "export JOMAE_CA_FILE=" }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StartError::io(&path)(error)),
        },
    };
    let mut content = Zeroizing::new(format!(
        "# Source this file in a shell: . {}\nexport JOMAE_ENDPOINT=https://{}\nexport JOMAE_ADMIN=http://{}\n\
         export JOMAE_REGION={}\n",
        shell_quoted(&path.display().to_string()),
        reachable(listening),
        reachable(admin),
        config.region,
    ));
    if !own_certificate {
        content.push_str(&ca_line);
        content.push('\n');
    }
    content.push_str(&credential);
    files::write_private(&path, content.as_bytes()).map_err(StartError::io(&path))?;
    if started.first.is_some() {
        bootstrap::delivered(&started.service.kms.vault).await?;
    }
    Ok(())
}

/// The lines that are not ours to renew: the credential, and what the operator has added. `ca_line` is how our line
/// with the CA begins.
fn kept_lines(content: &[u8], ca_line: &str) -> Zeroizing<String> {
    let text = Zeroizing::new(String::from_utf8_lossy(content).into_owned());
    let renewed =
        ["export JOMAE_ENDPOINT=", "export JOMAE_ADMIN=", "export JOMAE_REGION=", ca_line, "# Source this file"];
    let mut kept = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.lines().filter(|line| !renewed.iter().any(|start| line.starts_with(start))) {
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// An address that a client on this machine can use.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// A word for a POSIX shell.
pub fn shell_quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_words() {
        assert_eq!(shell_quoted("/a/b.c"), "/a/b.c");
        assert_eq!(shell_quoted("/a b/it's"), r"'/a b/it'\''s'");
    }

    #[test]
    fn own_lines_of_the_operator_are_kept() {
        let content = b"export JOMAE_ENDPOINT=x\nexport ALIBABA_CLOUD_ACCESS_KEY_ID=a\nexport JOMAE_CA_FILE=/c\n";
        assert_eq!(kept_lines(content, "export JOMAE_CA_FILE=").as_str(), "export ALIBABA_CLOUD_ACCESS_KEY_ID=a\n");
        assert!(kept_lines(content, "export JOMAE_CA_FILE=/other").ends_with("export JOMAE_CA_FILE=/c\n"));
    }
}
