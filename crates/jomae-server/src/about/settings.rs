//! The settings that are shown: an explicit list, so that a new one is shown only when somebody has decided that it may be.
//!
//! Left out are files and directories (where keys, passphrases, PINs and credentials lie), and addresses from which a name or a token
//! could be read: of those only scheme, host and port are shown.

use jomae_api::actions::service::describe_server::SettingRow;

use super::Listening;
use crate::{
    config::{AuditDurability, Config, Destruction, LogFormat, StoreKind},
    http::ProxyProtocol,
};

/// The settings in effect, by their full names, in the order of the example configuration.
pub(super) fn of(config: &Config, listening: &Listening) -> Vec<SettingRow> {
    let Listening { api, admin, console, nodes } = listening;
    let mut rows = Rows(Vec::new());
    rows.put("listen", api);
    rows.put("admin_listen", admin);
    rows.maybe("console_listen", *console);
    rows.list("operator_accounts", &config.operator_accounts);
    rows.put("region", &config.region);
    rows.list("regions", &config.regions);
    server(&mut rows, config);
    rows.put(
        "store.kind",
        match config.store.kind {
            StoreKind::Sqlite => "sqlite",
            StoreKind::Etcd => "etcd",
        },
    );
    rows.list("store.endpoints", &config.store.endpoints.iter().map(|url| origin(url)).collect::<Vec<_>>());
    rows.put("store.verify_every_secs", config.store.verify_every_secs);
    rows.put("store.verify_records_per_sec", config.store.verify_records_per_sec);
    rows.put("cluster.node", &config.cluster.node);
    rows.maybe("cluster.listen", *nodes);
    rows.maybe("cluster.address", config.cluster.address.as_ref());
    rows.put("cluster.lease_secs", config.cluster.lease_secs);
    rows.list("tls.names", &config.tls.names);
    rows.list("root_key.provider", &config.root_key.providers.iter().map(|one| one.name()).collect::<Vec<_>>());
    if let Some(hsm) = &config.hsm {
        rows.put("hsm.token_label", &hsm.token_label);
        rows.put("hsm.sessions", hsm.sessions);
        rows.put("hsm.workers", hsm.workers);
        rows.put("hsm.timeout_secs", hsm.timeout_secs);
    }
    audit(&mut rows, config);
    backup(&mut rows, config);
    rows.put(
        "destruction.mode",
        match config.destruction.mode {
            Destruction::Delete => "delete",
            Destruction::Shred => "shred",
        },
    );
    rows.put("destruction.retention_days", config.destruction.retention_days);
    limits(&mut rows, config);
    let providers = config.oidc_providers.iter().map(|provider| format!("{}/{}", provider.account, provider.name));
    rows.list("oidc_provider", &providers.collect::<Vec<_>>());
    rows.0
}

fn server(rows: &mut Rows, config: &Config) {
    let server = &config.server;
    rows.put("server.worker_threads", config.worker_threads());
    rows.put("server.real_time", server.real_time);
    rows.put("server.crypto_threads", config.crypto_threads());
    rows.put("server.lock_memory", server.lock_memory);
    rows.put("server.connections_max", server.connections_max);
    rows.put("server.request_bytes_in_flight_max", server.request_bytes_in_flight_max);
    rows.list("server.trusted_proxies", &server.trusted_proxies);
    rows.put(
        "server.proxy_protocol",
        match server.proxy_protocol {
            ProxyProtocol::Off => "off",
            ProxyProtocol::Optional => "optional",
            ProxyProtocol::Required => "required",
        },
    );
    rows.put("server.drain_secs", server.drain_secs);
    rows.put("server.head_timeout_secs", server.head_timeout_secs);
    rows.put("server.body_timeout_secs", server.body_timeout_secs);
    rows.put("server.idle_timeout_secs", server.idle_timeout_secs);
    rows.put("server.write_timeout_secs", server.write_timeout_secs);
    rows.put("server.cached_records_max", server.cached_records_max);
    rows.put("server.nonces_max", server.nonces_max);
    rows.put("server.calls_in_flight_max", server.calls_in_flight_max);
}

fn audit(rows: &mut Rows, config: &Config) {
    let audit = &config.audit;
    rows.put(
        "audit.durability",
        match audit.durability {
            AuditDurability::Bounded => "bounded",
            AuditDurability::Strict => "strict",
        },
    );
    rows.put("audit.segment_bytes_max", audit.segment_bytes_max);
    rows.put("audit.rotate_daily", audit.rotate_daily);
    rows.put("audit.retention_days", audit.retention_days);
    rows.put("audit.compress_closed", audit.compress_closed);
    rows.put("audit.checkpoint_secs", audit.checkpoint_secs);
    rows.maybe("audit.origin", audit.origin.as_ref());
    rows.maybe("audit.witness_url", audit.witness_url.as_deref().map(origin));
    rows.maybe("audit.archive.to", audit.archive.as_ref().map(|archive| place(&archive.to)));
}

fn backup(rows: &mut Rows, config: &Config) {
    let backup = &config.backup;
    rows.maybe("backup.to", backup.to.as_deref().map(place));
    rows.maybe("backup.every_hours", backup.every_hours);
    rows.put("backup.full_every", backup.full_every);
    rows.maybe("backup.keep_days", backup.keep_days);
    rows.maybe("backup.drill_every_days", backup.drill_every_days);
}

fn limits(rows: &mut Rows, config: &Config) {
    let (limits, quotas) = (&config.limits, &config.quotas);
    rows.put("limits.crypto_symmetric_per_sec", limits.crypto_symmetric_per_sec);
    rows.put("limits.crypto_asymmetric_per_sec", limits.crypto_asymmetric_per_sec);
    rows.put("limits.management_per_sec", limits.management_per_sec);
    rows.put("limits.token_checks_per_sec", limits.token_checks_per_sec);
    rows.put("quotas.keys_per_account", quotas.keys_per_account);
    rows.put("quotas.aliases_per_account", quotas.aliases_per_account);
    rows.put("quotas.users_per_account", quotas.users_per_account);
    rows.put("quotas.groups_per_account", quotas.groups_per_account);
    rows.put("quotas.roles_per_account", quotas.roles_per_account);
    rows.put("quotas.policies_per_account", quotas.policies_per_account);
    rows.put(
        "log.format",
        match config.log.format {
            LogFormat::Human => "human",
            LogFormat::Json => "json",
        },
    );
    rows.put("log.level", &config.log.level);
}

struct Rows(Vec<SettingRow>);

impl Rows {
    #[expect(clippy::needless_pass_by_value, reason = "values, and references to them, alike")]
    fn put(&mut self, name: &str, value: impl ToString) {
        self.0.push(SettingRow { name: name.to_owned(), value: value.to_string() });
    }

    fn maybe(&mut self, name: &str, value: Option<impl ToString>) {
        self.put(name, value.map(|value| value.to_string()).unwrap_or_default());
    }

    fn list<T: AsRef<str>>(&mut self, name: &str, values: &[T]) {
        self.put(name, values.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "));
    }
}

/// Scheme, host and port of an address: no user, no password, no path and no query, where a token might stand.
fn origin(url: &str) -> String {
    reqwest::Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// What kind of place holds something.
fn place(to: &str) -> &'static str {
    if to.starts_with("s3://") { "s3" } else { "directory" }
}
