//! The configuration: a TOML file in which everything has a default, and the flags of `jomae serve` above it.

use std::{
    io::Read as _,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use jomae_api::names::RegionId;
use jomae_core::{quota::Quotas, rate::RateLimits, service};
use serde::Deserialize;

mod backup;
mod console;
mod destruction;
mod log;
mod nodes;
mod operators;
mod root_key;

pub use backup::BackupConfig;
pub use console::ConsoleConfig;
pub use destruction::{Destruction, DestructionConfig};
pub use log::{Log, LogFormat};
mod hsm;

pub use hsm::HsmConfig;
pub use nodes::{ClusterConfig, StoreConfig, StoreKind};
pub use root_key::{RootKeyConfig, RootKeyKms, RootKeyProvider};

use crate::{
    address::ListenAddress,
    files,
    http::{Limits, Proxies, ProxyProtocol},
};

/// Largest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Everything that an operator can set. See `docs/tasks/configuration.md`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether this start goes on with a store that is older than was promised, or was changed beside the service. Not a setting:
    /// asked for on the command line, once.
    #[serde(skip)]
    pub accept_rollback: bool,
    /// Where keys, certificates and the audit log live.
    pub data_dir: PathBuf,
    /// The address of the API.
    pub listen: ListenAddress,
    /// The address of health, readiness and metrics.
    pub admin_listen: ListenAddress,
    /// The address of the console; none: there is no console.
    pub console_listen: Option<ListenAddress>,
    /// Accounts whose people see the service itself: 16 digits each, or `only`, the account that is the only one.
    pub operator_accounts: Vec<String>,
    pub console: ConsoleConfig,
    /// Region of requests whose host names none of ours.
    pub region: String,
    /// Every region that is served; the default region always is.
    pub regions: Vec<String>,
    pub server: Server,
    pub store: StoreConfig,
    pub cluster: ClusterConfig,
    pub tls: Tls,
    pub root_key: RootKeyConfig,
    /// The token for keys of the protection level HSM.
    pub hsm: Option<HsmConfig>,
    pub audit: Audit,
    pub backup: BackupConfig,
    pub destruction: DestructionConfig,
    pub limits: Rates,
    pub quotas: QuotasConfig,
    pub log: Log,
    /// Identity providers whose tokens AssumeRoleWithOIDC takes.
    #[serde(rename = "oidc_provider")]
    pub oidc_providers: Vec<OidcProviderConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            accept_rollback: false,
            data_dir: "./jomae-data".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8443)).into(),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8444)).into(),
            console_listen: None,
            operator_accounts: Vec::new(),
            console: ConsoleConfig::default(),
            region: "cn-hangzhou".to_owned(),
            regions: Vec::new(),
            server: Server::default(),
            store: StoreConfig::default(),
            cluster: ClusterConfig::default(),
            tls: Tls::default(),
            root_key: RootKeyConfig::default(),
            hsm: None,
            audit: Audit::default(),
            backup: BackupConfig::default(),
            destruction: DestructionConfig::default(),
            limits: Rates::default(),
            quotas: QuotasConfig::default(),
            log: Log::default(),
            oidc_providers: Vec::new(),
        }
    }
}

/// Sizes and times of the server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Request threads; 0: one a core.
    pub worker_threads: usize,
    /// Whether these go before all others, if the system allows it.
    pub real_time: bool,
    /// Whether what is in memory is kept out of swap, if the system allows it.
    pub lock_memory: bool,
    /// Threads for private-key operations, and as many again for the making of keys; 0: one a core.
    pub crypto_threads: usize,
    /// Connections open at once; fewer if the system allows fewer open files.
    pub connections_max: usize,
    /// Bytes of requests held at once, whole or not.
    pub request_bytes_in_flight_max: usize,
    /// Networks or addresses of proxies whose word about a client's address is believed.
    pub trusted_proxies: Vec<String>,
    /// Whether connections from these begin with a header of the PROXY protocol.
    pub proxy_protocol: ProxyProtocol,
    /// Seconds that requests under way have to finish after SIGTERM.
    pub drain_secs: u64,
    /// Seconds for a request's head to arrive.
    pub head_timeout_secs: u64,
    /// Seconds for a request's body to arrive.
    pub body_timeout_secs: u64,
    /// Seconds that a connection may be idle.
    pub idle_timeout_secs: u64,
    /// Seconds for an answer to be taken.
    pub write_timeout_secs: u64,
    /// Decoded records kept in memory; about 1 KB each.
    pub cached_records_max: usize,
    /// Nonces remembered against replay; 19 to 39 bytes each.
    pub nonces_max: usize,
    /// Calls under way at a time; an account may have as many as are free.
    pub calls_in_flight_max: usize,
}

impl Default for Server {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            worker_threads: 0,
            real_time: true,
            lock_memory: true,
            crypto_threads: 0,
            connections_max: limits.connections_max,
            request_bytes_in_flight_max: limits.request_bytes_in_flight_max,
            trusted_proxies: Vec::new(),
            proxy_protocol: ProxyProtocol::default(),
            drain_secs: limits.drain_timeout.as_secs(),
            head_timeout_secs: limits.head_timeout.as_secs(),
            body_timeout_secs: limits.body_timeout.as_secs(),
            idle_timeout_secs: limits.idle_timeout.as_secs(),
            write_timeout_secs: limits.write_timeout.as_secs(),
            cached_records_max: 400_000,
            nonces_max: 64_000_000,
            calls_in_flight_max: 4096,
        }
    }
}

/// The certificate.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Names and addresses in the certificate of the private CA, beside localhost and the listening address.
    pub names: Vec<String>,
    /// A certificate chain of your own, with `key_file`; then no private CA is used.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

/// The audit log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    pub durability: AuditDurability,
    /// A segment of the log is followed by the next one before it grows beyond this, in bytes.
    pub segment_bytes_max: u64,
    /// Whether each day, in UTC, has a segment of its own.
    pub rotate_daily: bool,
    /// Days for which events are kept; 0: for ever. Their hashes always are.
    pub retention_days: u32,
    /// Whether closed segments are compressed.
    pub compress_closed: bool,
    /// Seconds between signed checkpoints, while events arrive.
    pub checkpoint_secs: u64,
    /// The name of a new log and its key; default `jomae-` and 8 random digits.
    pub origin: Option<String>,
    /// A file to which each checkpoint is appended, best on another machine's disk.
    pub witness_file: Option<PathBuf>,
    /// An endpoint to which each checkpoint is sent (POST).
    pub witness_url: Option<String>,
    /// Where closed segments are shipped.
    pub archive: Option<Archive>,
    /// Whether this start begins a new log in the place of one that is gone. Not a setting: asked for on the command
    /// line, once.
    #[serde(skip)]
    pub begin_new: bool,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            durability: AuditDurability::default(),
            segment_bytes_max: 64 * 1024 * 1024,
            rotate_daily: false,
            retention_days: 0,
            compress_closed: true,
            checkpoint_secs: 1,
            origin: None,
            witness_file: None,
            witness_url: None,
            archive: None,
            begin_new: false,
        }
    }
}

/// The archive of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// A directory, or `s3://<bucket>/<prefix>`.
    pub to: String,
    /// The address of the S3 service; default: that of AWS for the region.
    pub endpoint: Option<String>,
    /// The region of the bucket.
    pub region: Option<String>,
    /// A file with the AccessKey pair for the bucket.
    pub credentials_file: Option<PathBuf>,
    /// Seconds between two looks for closed segments.
    #[serde(default = "archive_secs")]
    pub every_secs: u64,
}

const fn archive_secs() -> u64 {
    30
}

/// Where an archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchivePlace {
    Directory(PathBuf),
    S3 { bucket: String, prefix: String, region: String, endpoint: Option<String>, credentials_file: PathBuf },
}

impl Archive {
    /// Where it is, and how it is reached; an error is half a sentence.
    pub fn place(&self) -> Result<ArchivePlace, String> {
        let Self { to, endpoint, region, credentials_file, every_secs } = self;
        if !(1..=3600).contains(every_secs) {
            return Err("every_secs must be from 1 to 3600".into());
        }
        let Some(address) = to.strip_prefix("s3://") else {
            let dir = PathBuf::from(to);
            if !dir.is_absolute() {
                return Err(format!("to: {to:?} is neither an absolute path nor s3://BUCKET/PREFIX"));
            }
            if endpoint.is_some() || region.is_some() || credentials_file.is_some() {
                return Err("endpoint, region and credentials_file are for s3:// only".into());
            }
            return Ok(ArchivePlace::Directory(dir));
        };
        let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let plain = |byte: u8, more: &[u8]| byte.is_ascii_alphanumeric() || more.contains(&byte);
        let is_bucket = !bucket.is_empty() && bucket.bytes().all(|byte| plain(byte, b"-._"));
        let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(|byte| plain(byte, b"-._=+@"));
        if !is_bucket || !(prefix.is_empty() || prefix.split('/').all(is_part)) {
            return Err(format!("to: {to:?} is not s3://BUCKET/PREFIX, of letters, digits and - . _ = + @"));
        }
        let is_http = |url: &String| reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !endpoint.as_ref().is_none_or(is_http) {
            return Err("endpoint is not an http or https address".into());
        }
        let region =
            region.as_ref().filter(|region| !region.is_empty()).ok_or("region is missing, which s3:// needs")?;
        let credentials_file = credentials_file.clone().ok_or("credentials_file is missing, which s3:// needs")?;
        Ok(ArchivePlace::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            region: region.clone(),
            endpoint: endpoint.clone(),
            credentials_file,
        })
    }
}

/// The least that `server.request_bytes_in_flight_max` may be, in bytes: a stranger's share of it is then one request of
/// the largest size.
const REQUEST_BYTES_MIN: usize = 8 * 1024 * 1024;
/// The least that `audit.segment_bytes_max` may be, in bytes.
const SEGMENT_BYTES_MIN: u64 = 1024 * 1024;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditDurability {
    /// Events of management calls are on disk before their answer; those of crypto calls within 100 ms after.
    #[default]
    Bounded,
    /// Every event is on disk before its answer.
    Strict,
}

/// Calls per second of one account; 0: no limit.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    pub crypto_symmetric_per_sec: u32,
    pub crypto_asymmetric_per_sec: u32,
    pub management_per_sec: u32,
    /// Tokens of identity providers that are checked for one source network, before anybody has shown who it is.
    pub token_checks_per_sec: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            crypto_symmetric_per_sec: 0,
            crypto_asymmetric_per_sec: 0,
            management_per_sec: 0,
            token_checks_per_sec: jomae_core::service::Limits::default().token_checks_per_sec,
        }
    }
}

/// How many of each an account may have; 0: as many as it likes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotasConfig {
    pub keys_per_account: u32,
    pub aliases_per_account: u32,
    pub users_per_account: u32,
    pub groups_per_account: u32,
    pub roles_per_account: u32,
    pub policies_per_account: u32,
}

impl Default for QuotasConfig {
    fn default() -> Self {
        let Quotas { keys, aliases, users, groups, roles, policies } = Quotas::default();
        Self {
            keys_per_account: keys,
            aliases_per_account: aliases,
            users_per_account: users,
            groups_per_account: groups,
            roles_per_account: roles,
            policies_per_account: policies,
        }
    }
}

impl QuotasConfig {
    /// As the service takes them.
    pub const fn of_accounts(&self) -> Quotas {
        Quotas {
            keys: self.keys_per_account,
            aliases: self.aliases_per_account,
            users: self.users_per_account,
            groups: self.groups_per_account,
            roles: self.roles_per_account,
            policies: self.policies_per_account,
        }
    }
}

/// An identity provider that an account trusts to name its users, and where its keys are: in `jwks_file`, at
/// `jwks_uri`, or where the issuer's discovery document says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcProviderConfig {
    /// The account that trusts it: 16 digits.
    pub account: String,
    /// Its name in `acs:ram::<account>:oidc-provider/<name>`.
    pub name: String,
    /// The claim `iss` of its tokens, to the letter.
    pub issuer: String,
    /// A token must be meant for one of these (its claim `aud`).
    pub client_ids: Vec<String>,
    /// A file with the key set (JWKS); then nothing is fetched.
    pub jwks_file: Option<PathBuf>,
    /// Where the key set is fetched; then the issuer is not asked.
    pub jwks_uri: Option<String>,
    /// Whether keys may be fetched from private addresses: for an issuer in the own network.
    #[serde(default)]
    pub allow_private: bool,
    /// Certificates (PEM) to trust for the fetch, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How its people sign in to the console; none: they do not.
    pub console: Option<OidcConsoleConfig>,
}

/// How people of an identity provider sign in to the console.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConsoleConfig {
    /// What the provider calls the console; one of the client ids.
    pub client_id: String,
    /// A file with the secret that the provider has given to the console; none for a public client.
    pub client_secret_file: Option<PathBuf>,
    /// The role that everybody assumes who comes this way, by its full name.
    pub role_arn: String,
    /// Where the provider sends people back to: `https://<console>/sign-in/callback`, as it is registered there.
    pub redirect_uri: String,
    /// What the button of the sign-in page says; default: the name of the provider.
    pub label: Option<String>,
    /// Where people sign in at the provider; with `token_endpoint`, the issuer's discovery document is not asked.
    pub authorization_endpoint: Option<String>,
    /// Where a code is exchanged for a token.
    pub token_endpoint: Option<String>,
}

/// Why a configuration cannot be used; one line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the configuration {} is larger than 1 MiB", .0.display())]
    TooLarge(PathBuf),
    #[error("the configuration {} is wrong: {message}", path.display())]
    Parse { path: PathBuf, message: String },
    #[error("configuration: {0}")]
    Value(String),
}

impl Config {
    /// Reads a file. Unknown names are refused.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.to_owned(), source };
        let file = files::open_configured(path).map_err(failed)?;
        let mut text = String::new();
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(ConfigError::TooLarge(path.to_owned()));
        }
        Self::parse(&text).map_err(|message| ConfigError::Parse { path: path.to_owned(), message })
    }

    /// Reads TOML text; the error names line and reason.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line =
                error.span().map_or(1, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
            // The message quotes names as they stand in the file, line ends within quotes too.
            format!("line {line}: {}", error.message().replace(char::is_control, " "))
        })
    }

    /// Checks what types cannot, and gives the regions: the default one, then the others.
    pub fn checked_regions(&self) -> Result<Vec<RegionId>, ConfigError> {
        let mut regions: Vec<RegionId> = Vec::new();
        for name in std::iter::once(&self.region).chain(&self.regions) {
            let region =
                RegionId::new(name).ok_or_else(|| ConfigError::Value(format!("{name:?} is not a region name")))?;
            if !regions.contains(&region) {
                regions.push(region);
            }
        }
        if self.tls.cert_file.is_some() != self.tls.key_file.is_some() {
            return Err(ConfigError::Value("tls.cert_file and tls.key_file belong together: give both or none".into()));
        }
        self.check_audit()?;
        self.check_console()?;
        self.backup.check()?;
        self.check_store()?;
        self.check_destruction()?;
        self.check_hsm()?;
        let Server { connections_max, nonces_max, calls_in_flight_max, .. } = self.server;
        if connections_max == 0 || nonces_max == 0 || calls_in_flight_max == 0 {
            let names = "server.connections_max, server.nonces_max and server.calls_in_flight_max";
            return Err(ConfigError::Value(format!("{names} must not be 0")));
        }
        if self.server.request_bytes_in_flight_max < REQUEST_BYTES_MIN {
            let message = format!("server.request_bytes_in_flight_max must be {REQUEST_BYTES_MIN} at least");
            return Err(ConfigError::Value(message));
        }
        self.proxies()?;
        self.operators()?;
        Ok(regions)
    }

    /// The proxies whose word about a client's address is believed.
    ///
    /// # Errors
    /// A text that is neither a network nor an address, or a PROXY protocol without anybody who may use it.
    pub fn proxies(&self) -> Result<Proxies, ConfigError> {
        let network = |text: &String| {
            let address = || text.parse::<IpAddr>().map(IpNet::from).ok();
            text.parse::<IpNet>().ok().or_else(address).ok_or_else(|| {
                ConfigError::Value(format!("server.trusted_proxies: {text:?} is neither a network nor an address"))
            })
        };
        let trusted = self.server.trusted_proxies.iter().map(network).collect::<Result<Vec<IpNet>, _>>()?;
        let protocol = self.server.proxy_protocol;
        if protocol != ProxyProtocol::Off && trusted.is_empty() {
            let message = "server.proxy_protocol needs server.trusted_proxies: who may use it?";
            return Err(ConfigError::Value(message.into()));
        }
        Ok(Proxies { trusted, protocol })
    }

    fn check_audit(&self) -> Result<(), ConfigError> {
        let Audit { segment_bytes_max, checkpoint_secs, witness_url, .. } = &self.audit;
        if *segment_bytes_max < SEGMENT_BYTES_MIN {
            let message = format!("audit.segment_bytes_max must be {SEGMENT_BYTES_MIN} at least");
            return Err(ConfigError::Value(message));
        }
        if !(1..=3600).contains(checkpoint_secs) {
            return Err(ConfigError::Value("audit.checkpoint_secs must be from 1 to 3600".into()));
        }
        let is_http = |url: &String| reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !witness_url.as_ref().is_none_or(is_http) {
            return Err(ConfigError::Value("audit.witness_url is not an http or https address".into()));
        }
        let Some(archive) = &self.audit.archive else { return Ok(()) };
        let place = archive.place().map_err(|error| ConfigError::Value(format!("audit.archive.{error}")))?;
        if matches!(place, ArchivePlace::Directory(dir) if std::path::absolute(&self.data_dir).is_ok_and(|data| dir.starts_with(data)))
        {
            let message = "audit.archive.to must not be in the data directory: both would be lost together";
            return Err(ConfigError::Value(message.into()));
        }
        Ok(())
    }

    /// The limits of the HTTP side.
    pub fn http_limits(&self) -> Limits {
        let secs = |secs: u64| Duration::from_secs(secs.max(1));
        Limits {
            connections_max: self.server.connections_max,
            request_bytes_in_flight_max: self.server.request_bytes_in_flight_max,
            drain_timeout: secs(self.server.drain_secs),
            head_timeout: secs(self.server.head_timeout_secs),
            body_timeout: secs(self.server.body_timeout_secs),
            idle_timeout: secs(self.server.idle_timeout_secs),
            write_timeout: secs(self.server.write_timeout_secs),
            large_at_a_time: self.threads_but_one(),
            ..Limits::default()
        }
    }

    /// The rate limits.
    pub fn rate_limits(&self) -> RateLimits {
        let limit = |per_sec: u32| (per_sec > 0).then_some(per_sec);
        RateLimits {
            crypto_symmetric_per_sec: limit(self.limits.crypto_symmetric_per_sec),
            crypto_asymmetric_per_sec: limit(self.limits.crypto_asymmetric_per_sec),
            management_per_sec: limit(self.limits.management_per_sec),
        }
    }

    /// The totals of the service, and the rates.
    pub fn service_limits(&self) -> service::Limits {
        service::Limits {
            rates: self.rate_limits(),
            nonces_max: self.server.nonces_max,
            calls_in_flight_max: self.server.calls_in_flight_max,
            costly_calls_max: self.threads_but_one(),
            token_checks_per_sec: self.limits.token_checks_per_sec,
        }
    }

    /// Threads that carry requests.
    pub fn worker_threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        if self.server.worker_threads == 0 { cores } else { self.server.worker_threads }
    }

    /// Threads for costly calls: what leaves one of them for everything else, if there are several.
    pub fn threads_but_one(&self) -> usize {
        self.worker_threads().saturating_sub(1).max(1)
    }

    /// Threads for each kind of cryptographic work.
    pub fn crypto_threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        if self.server.crypto_threads == 0 { cores } else { self.server.crypto_threads }
    }

    /// Where the root key file is.
    pub fn root_key_file(&self) -> PathBuf {
        self.root_key.file.clone().unwrap_or_else(|| self.data_dir.join("root.key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_default() {
        let config = Config::parse("").unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8443");
        assert_eq!(config.checked_regions().unwrap().len(), 1);
    }

    #[test]
    fn mistakes_are_named() {
        let error = Config::parse("listen = \"127.0.0.1:1\"\nlisten_port = 3\n").unwrap_err();
        assert!(error.starts_with("line 2: unknown field `listen_port`"), "{error}");
        let error = Config::parse("\nlisten = \"nowhere\"").unwrap_err();
        assert!(error.starts_with("line 2: ") && error.contains("localhost:8443"), "{error}");
        let config = Config::parse("region = \"Nowhere Land\"").unwrap();
        assert!(config.checked_regions().unwrap_err().to_string().contains("Nowhere Land"));
        let one_line = |message: &str| !message.contains(char::is_control);
        assert!(one_line(&Config::parse("\"a\\nb\" = 1").unwrap_err()));
        let config = Config::parse("region = \"a\\nb\"").unwrap();
        assert!(one_line(&config.checked_regions().unwrap_err().to_string()));
        for wrong in [
            "request_bytes_in_flight_max = 1000",
            "trusted_proxies = [\"nowhere\"]",
            "trusted_proxies = [\"10.0.0.0/33\"]",
            "proxy_protocol = \"required\"",
        ] {
            let config = Config::parse(&format!("[server]\n{wrong}")).unwrap();
            let error = config.checked_regions().unwrap_err().to_string();
            assert!(error.contains(wrong.split(' ').next().unwrap()), "{error}");
        }
        assert!(Config::parse("[server]\nproxy_protocol = \"maybe\"").is_err());
        let config = Config::parse("[tls]\ncert_file = \"a\"").unwrap();
        assert!(config.checked_regions().is_err());
        for wrong in
            ["segment_bytes_max = 1000", "checkpoint_secs = 0", "witness_url = \"ftp://x\"", "witness_url = \"x\""]
        {
            let config = Config::parse(&format!("[audit]\n{wrong}")).unwrap();
            let error = config.checked_regions().unwrap_err().to_string();
            assert!(error.contains(wrong.split(' ').next().unwrap()), "{error}");
        }
    }

    #[test]
    fn an_archive_is_a_directory_or_a_bucket() {
        let place = |text: &str| {
            let config = Config::parse(&format!("data_dir = \"/data\"\n[audit.archive]\n{text}"))?;
            config.checked_regions().map_err(|error| error.to_string())?;
            config.audit.archive.unwrap().place()
        };
        assert_eq!(place("to = \"/mnt/archive\"").unwrap(), ArchivePlace::Directory("/mnt/archive".into()));
        let s3 = "region = \"r\"\ncredentials_file = \"/c\"";
        let Ok(ArchivePlace::S3 { bucket, prefix, .. }) = place(&format!("to = \"s3://b-1/kms/log/\"\n{s3}")) else {
            panic!("no bucket")
        };
        assert_eq!((bucket.as_str(), prefix.as_str()), ("b-1", "kms/log"));
        for wrong in [
            "",
            "to = \"here\"",
            "to = \"/data/archive\"",
            "to = \"/a\"\nevery_secs = 0",
            "to = \"/a\"\nregion = \"r\"",
            "to = \"s3://b\"",
            "to = \"s3://b\"\nregion = \"r\"",
            &format!("to = \"s3://\"\n{s3}"),
            &format!("to = \"s3://b//x\"\n{s3}"),
            &format!("to = \"s3://b/a b\"\n{s3}"),
            &format!("to = \"s3://b\"\nendpoint = \"b\"\n{s3}"),
        ] {
            let error = place(wrong).unwrap_err();
            assert!(!error.contains(char::is_control), "{wrong}: {error}");
            assert!(wrong.is_empty() || error.contains("audit.archive."), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_full_file_is_read() {
        let config = Config::parse(include_str!("../../../docs/jomae.example.toml")).unwrap();
        config.checked_regions().unwrap();
        assert_eq!(config.quotas.of_accounts(), Quotas::default(), "the example shows the defaults");
    }

    #[test]
    fn quotas_are_read() {
        let config = Config::parse("[quotas]\nkeys_per_account = 3\naliases_per_account = 0").unwrap();
        let expected = Quotas { keys: 3, aliases: 0, ..Quotas::default() };
        assert_eq!(config.quotas.of_accounts(), expected);
        assert!(Config::parse("[quotas]\nkeys = 3").is_err());
        assert!(Config::parse("[quotas]\nkeys_per_account = -1").is_err());
    }
}
