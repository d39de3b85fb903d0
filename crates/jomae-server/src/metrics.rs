//! What the operator can watch: counters and times in the Prometheus text form.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jomae_api::actions::ACTIONS;
use jomae_core::{
    cluster::Cluster,
    error::FaultKind,
    service::{Reply, Service},
};
use jomae_hsm::{Hsm, Phase, Status as HsmStatus};
use jomae_log::{Counts, Timestamp};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use crate::{
    audit::AuditLog,
    backup::schedule::Counts as BackupCounts,
    bootstrap::{OpenedStore, Started},
    gateway,
    http::{HttpFailure, HttpStats},
    nonces::Found,
    store::{EtcdStore, Lag},
    whole::Verified,
};

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    /// Successful calls by action, in the order of [`ACTIONS`]: the hot path touches only these two.
    succeeded: Arc<Vec<AtomicU64>>,
    seconds: Histogram,
    refused: Family<RefusedLabels, Counter>,
    faults: Counter,
    too_costly: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    action: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabel {
    action: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

impl Metrics {
    pub(crate) fn new(http: Arc<HttpStats>, started: &Started, backups: &BackupCounts) -> Self {
        let (service, audit) = (Arc::clone(&started.service), Arc::clone(&started.audit));
        let found = started.run.found();
        let mut registry = Registry::with_prefix("jomae");
        let succeeded: Arc<Vec<AtomicU64>> = Arc::new(ACTIONS.iter().map(|_| AtomicU64::new(0)).collect());
        let seconds = Histogram::new(exponential_buckets(0.000_05, 2.0, 16));
        let refused = Family::default();
        let faults = Counter::default();
        let too_costly = Counter::default();
        registry.register("call_seconds", "Time from a complete request to its answer", seconds.clone());
        registry.register("calls_refused", "Calls that ended with an error, by action and code", refused.clone());
        registry.register("faults", "Calls that failed on our side; the log says why", faults.clone());
        let help =
            "Decisions that were denied because the policies cost more than a decision may; the log names the caller";
        registry.register("decisions_too_costly", help, too_costly.clone());
        let help = "When the newest backup was made, in Unix seconds; 0: none is known";
        registry.register("backup_newest_timestamp_seconds", help, backups.newest.clone());
        registry.register("backup_failures", "Backups that were not made; the log says why", backups.failures.clone());
        let help = "When a drill has last restored a backup, in Unix seconds; 0: never";
        registry.register("drill_newest_timestamp_seconds", help, backups.drilled.clone());
        registry.register(
            "drill_failures",
            "Drills that have failed; the log says why",
            backups.drill_failures.clone(),
        );
        let shredding = &started.shredding.counts;
        registry.register("shredding_keys", "Shredding keys that are not destroyed", shredding.keys.clone());
        let help = "Key versions whose material was wrapped under another shredding key";
        registry.register("shredding_versions_rewrapped", help, shredding.rewrapped.clone());
        let help = "Times that the shredding keys could not be seen to; the log says why";
        registry.register("shredding_failures", help, shredding.failures.clone());
        let help = "Seconds by which the destruction of a shredding key is late; 0: none is";
        registry.register("shredding_late_seconds", help, shredding.late.clone());
        if let Some(keeper) = &started.keeper {
            let help = "Time until a change that takes a right away held on every node";
            registry.register("cluster_barrier_seconds", help, keeper.barriers.seconds.clone());
            let help = "Such changes that not every node has confirmed in time";
            registry.register("cluster_barriers_in_doubt", help, keeper.barriers.in_doubt.clone());
        }
        let etcd = match &started.store {
            OpenedStore::Etcd(store, _) => Some(Arc::clone(store)),
            OpenedStore::Sqlite(_) => None,
        };
        let hsm = started.hsm.clone();
        let (verified, succeeded_of) = (Arc::clone(&started.verified), Arc::clone(&succeeded));
        let sources = Sources { http, service, audit, etcd, hsm, found, verified, succeeded: succeeded_of };
        registry.register_collector(Box::new(sources));
        Self { registry, succeeded, seconds, refused, faults, too_costly }
    }

    /// Counts one answered call.
    pub fn count(&self, reply: &Reply, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
        if reply.outcome.fault.as_ref().is_some_and(|fault| fault.kind != FaultKind::Away) {
            self.faults.inc();
        }
        if reply.outcome.denial.as_ref().is_some_and(|denial| denial.too_costly) {
            self.too_costly.inc();
        }
        let action = reply.outcome.action;
        match reply.outcome.refusal {
            None => {
                let index = ACTIONS.iter().position(|spec| Some(spec.name) == action);
                if let Some(counter) = index.and_then(|index| self.succeeded.get(index)) {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            }
            Some(refusal) => {
                let labels = RefusedLabels { action: action.unwrap_or("none"), code: refusal.code() };
                self.refused.get_or_create(&labels).inc();
            }
        }
    }

    /// All of them as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

/// Numbers that others keep, read when they are asked for.
struct Sources {
    http: Arc<HttpStats>,
    service: Arc<Service>,
    audit: Arc<AuditLog>,
    etcd: Option<Arc<EtcdStore>>,
    hsm: Option<Arc<Hsm>>,
    found: Found,
    verified: Arc<Verified>,
    succeeded: Arc<Vec<AtomicU64>>,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sources")
    }
}

/// How far the archive of the audit log is behind.
fn archive_gauges(audit: &Counts) -> [(&'static str, &'static str, u64); 4] {
    let archive = audit.archive;
    let age = |since: Timestamp| u64::try_from(gateway::now().0.saturating_sub(since.0)).unwrap_or(0);
    [
        (
            "audit_archive_lag_events",
            "Events that are not in the archive: what the loss of this machine would lose",
            archive.archived.map_or(0, |archived| audit.size.saturating_sub(archived)),
        ),
        (
            "audit_archive_lag_seconds",
            "Age of the oldest of them",
            archive.oldest.filter(|_| archive.archived.is_some()).map_or(0, age),
        ),
        (
            "audit_archive_waiting_seconds",
            "How long the oldest closed file of events that is not in the archive has been closed",
            archive.waiting_since.map_or(0, age),
        ),
        (
            "audit_archive_refused",
            "1 if something in the archive is not what this log would have put there",
            u64::from(archive.refused),
        ),
    ]
}

/// This node among several.
fn cluster_gauges(cluster: &Cluster) -> [(&'static str, &'static str, u64); 4] {
    let members = cluster.members();
    let of_work = members.iter().any(|member| member.is_worker && member.name == *cluster.name());
    [
        ("cluster_serving", "1 if this node has its lease and answers calls", u64::from(cluster.serving().is_ok())),
        ("cluster_lease_seconds", "For how long this node may still serve if it hears nothing", cluster.lease_secs()),
        ("cluster_nodes", "Nodes whose lease has not run out, as this one knows", members.len() as u64),
        ("cluster_worker", "1 if this node does the work that one does for all", u64::from(of_work)),
    ]
}

/// The replica of a store in etcd.
fn replica_gauges(lag: &Lag) -> [(&'static str, &'static str, u64); 5] {
    [
        ("store_watch_open", "1 if the watch on etcd is open", u64::from(lag.connected)),
        ("store_watch_silent_seconds", "Since etcd last said anything", lag.heard.elapsed().as_secs()),
        ("store_revision", "The newest revision of etcd that reads show", lag.revision.0),
        ("store_entries", "Records in memory", lag.entries as u64),
        ("store_bytes", "Bytes of their paths and values", lag.bytes as u64),
    ]
}

/// The token, as its client knows it.
fn hsm_gauges(hsm: &HsmStatus) -> [(&'static str, &'static str, u64); 3] {
    [
        ("hsm_up", "1 if the token answers calls", u64::from(hsm.phase == Phase::Up)),
        ("hsm_workers_up", "Workers of the token that answer calls", hsm.up as u64),
        ("hsm_calls_waiting", "Calls that wait for the token", hsm.waiting as u64),
    ]
}

/// What the token has done.
const fn hsm_counters(hsm: &HsmStatus) -> [(&'static str, &'static str, u64); 4] {
    [
        ("hsm_calls", "Calls of the token that have ended", hsm.calls),
        ("hsm_errors", "Those that failed", hsm.errors),
        ("hsm_call_microseconds", "What they took, together", hsm.busy_micros),
        ("hsm_worker_restarts", "Workers of the token started in place of others", hsm.restarts),
    ]
}

/// What the audit log and its archive have done.
const fn audit_counters(audit: &Counts) -> [(&'static str, &'static str, u64); 8] {
    let archive = &audit.archive;
    [
        ("audit_events", "Audit events appended", audit.events),
        ("audit_syncs", "Times that the audit log was synced", audit.syncs),
        ("audit_checkpoints", "Checkpoints of the audit log signed", audit.checkpoints),
        ("audit_checkpoint_failures", "Checkpoints that could not be made", audit.checkpoint_failures),
        ("audit_witness_sent", "Checkpoints that a witness has taken", audit.witness_sent),
        ("audit_witness_failures", "Tries to send a checkpoint that failed", audit.witness_failures),
        ("audit_archive_objects", "Objects shipped to the archive of the audit log", archive.objects),
        ("audit_archive_failures", "Tries to ship to the archive that failed", archive.failures),
    ]
}

impl Sources {
    /// How the store stands as a whole.
    fn store_gauges(&self) -> [(&'static str, &'static str, u64); 3] {
        let intact = self.service.kms.vault.store().health().is_ok();
        [
            ("store_intact", "1 unless the store was changed beside the service", u64::from(intact)),
            ("store_verified_records", "Records in the last count of all of them", self.verified.records()),
            ("store_verified_age_seconds", "Age of the last count of all records", self.verified.age_secs()),
        ]
    }

    /// How the audit log stands.
    fn audit_gauges(&self, audit: &Counts) -> [(&'static str, &'static str, u64); 4] {
        let age_secs = gateway::now().0.saturating_sub(audit.covered_at.0);
        [
            (
                "audit_writable",
                "1 if the audit log can be written",
                u64::from(jomae_core::audit::AuditSink::is_writable(&*self.audit)),
            ),
            ("audit_log_events", "Events in the audit log, from its beginning", audit.size),
            (
                "audit_uncovered_events",
                "Events that no checkpoint covers yet",
                audit.size.saturating_sub(audit.covered),
            ),
            ("audit_checkpoint_age_seconds", "Age of the newest checkpoint", u64::try_from(age_secs).unwrap_or(0)),
        ]
    }
}

impl Sources {
    /// Counts of what the process holds now.
    fn held(&self) -> [(&'static str, &'static str, u64); 9] {
        [
            ("calls_in_flight", "Calls under way now", self.service.shares.in_flight() as u64),
            ("http_connections_open", "Connections open now", self.http.connections_open.get()),
            ("http_connections_max", "Connections that may be open at once", self.http.connections_max.get()),
            ("http_request_bytes", "Bytes of requests held now", self.http.request_bytes()),
            (
                "http_stranger_bytes",
                "Those held for callers who have not proved who they are",
                self.http.stranger_bytes(),
            ),
            ("nonces", "Nonces remembered against replay", self.service.authenticator.nonces.len() as u64),
            ("nonces_recalled", "Nonces that the last stop had left for this start", self.found.nonces as u64),
            ("last_stop_unclean", "1 if the last stop left none, as after a crash", u64::from(self.found.unclean)),
            ("cached_records", "Decoded records in memory", self.service.kms.vault.cached() as u64),
        ]
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let audit = self.audit.counts();
        let counters: [(&str, &str, u64); 14] = [
            ("http_requests", "Complete requests", self.http.requests.get()),
            ("http_connections", "Connections accepted", self.http.connections_total.get()),
            ("http_bytes_in", "Bytes of requests", self.http.bytes_in.get()),
            ("http_bytes_out", "Bytes of answers", self.http.bytes_out.get()),
            (
                "http_strangers_closed",
                "Connections of callers who had not proved who they are, closed to make room",
                self.http.strangers_closed.get(),
            ),
            (
                "tls_handshakes_delayed",
                "TLS handshakes that waited because their network makes many",
                self.http.handshakes_delayed.get(),
            ),
            (
                "tls_handshakes_refused",
                "Connections closed because their network makes too many handshakes",
                self.http.handshakes_refused.get(),
            ),
            (
                "proxy_failures",
                "Connections from trusted proxies with a wrong PROXY header, or none",
                self.http.proxy_failures.get(),
            ),
            ("tls_failures", "TLS handshakes that failed", self.http.tls_failures.get()),
            ("panics", "Bugs that were caught", self.http.panics.get()),
            (
                "access_key_lockouts",
                "Times that a network was locked out of an access key after wrong signatures",
                self.service.authenticator.lockout.locks(),
            ),
            (
                "sign_in_lockouts",
                "Times that a place was locked out of signing in as a user after wrong passwords or codes",
                self.service.kms.sign_in.locks(),
            ),
            (
                "nonces_perhaps_used",
                "Requests refused because a process whose stop was not clean may have accepted them",
                self.service.authenticator.nonces.perhaps_before(),
            ),
            (
                "store_verifications",
                "Counts of all records against the hash over them that found everything right",
                self.verified.runs(),
            ),
        ];
        let hsm = self.hsm.as_ref().map(|hsm| hsm.status());
        let of_hsm = hsm.as_ref().map(hsm_counters);
        for (name, help, value) in
            counters.into_iter().chain(audit_counters(&audit)).chain(of_hsm.into_iter().flatten())
        {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        for (name, help, value) in self
            .held()
            .into_iter()
            .chain(self.store_gauges())
            .chain(self.audit_gauges(&audit))
            .chain(archive_gauges(&audit))
        {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let lag = self.etcd.as_ref().map(|store| store.lag());
        let cluster = self.service.kms.vault.cluster().map(cluster_gauges);
        let of_store = cluster.into_iter().flatten().chain(lag.iter().flat_map(replica_gauges));
        for (name, help, value) in of_store.chain(hsm.iter().flat_map(hsm_gauges)) {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let watches = lag.map(|lag| {
            [
                ("store_watch_reconnects", "Times that the watch on etcd was opened again", lag.reconnects),
                (
                    "store_resyncs",
                    "Times that everything was read again, since etcd had forgotten changes",
                    lag.resyncs,
                ),
            ]
        });
        for (name, help, value) in watches.into_iter().flatten() {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let succeeded: Family<ActionLabel, Counter> = Family::default();
        for (spec, count) in ACTIONS.iter().zip(self.succeeded.iter()) {
            succeeded.get_or_create(&ActionLabel { action: spec.name }).inc_by(count.load(Ordering::Relaxed));
        }
        let help = "Calls that succeeded, by action";
        succeeded.encode(encoder.encode_descriptor("calls_succeeded", help, None, succeeded.metric_type())?)?;
        let malformed: Family<KindLabel, Counter> = Family::default();
        for kind in HttpFailure::ALL {
            malformed.get_or_create(&KindLabel { kind: kind.label() }).inc_by(self.http.malformed(kind).get());
        }
        let help = "Bytes that never became a request, by kind";
        malformed.encode(encoder.encode_descriptor("http_malformed", help, None, malformed.metric_type())?)
    }
}
