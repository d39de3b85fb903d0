//! What the process tells of itself to the accounts that the configuration names: the answer of `DescribeServer`.
//!
//! Nothing here is a secret, or says where one lies: settings are shown by an explicit list.

mod settings;
#[cfg(test)]
mod tests;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::{Instant, SystemTime},
};

use jomae_api::{
    actions::service::describe_server::{
        AuditLogState, Backup, Destruction, HsmToken, LastBackup, NodeRow, Output, RootKey, ShreddingKeyRow, SlotRow,
    },
    answer::List,
    time::Timestamp,
};
use jomae_core::{
    audit::AuditSink as _,
    error::Fault,
    form,
    host::{Host, Hosting},
    root::{Slot, Slots},
    run::Kms,
    shredding::record::{KeyState, Recovery, read},
    tx::Vault,
};
use jomae_hsm::{Hsm, Phase};

use crate::{
    audit::AuditLog,
    backup::{
        record::{self, BackupRecord},
        schedule::Counts,
    },
    bootstrap::Started,
    certificates,
    config::{Config, ConfigError, Destruction as Mode},
    gateway,
    nodes::status::{self, State},
    operator::{root::detail, shred},
    root_key::Holder,
    tls,
};

/// Where the process listens: what port 0 has become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listening {
    pub(crate) api: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) console: Option<SocketAddr>,
    pub(crate) nodes: Option<SocketAddr>,
}

/// The process, as `DescribeServer` asks it. It holds nothing of the service, which holds it.
struct About {
    in_effect: Arc<RwLock<Config>>,
    listening: Listening,
    certificate: PathBuf,
    began: (Timestamp, Instant),
    root: Arc<Holder>,
    hsm: Option<Arc<Hsm>>,
    audit: Arc<AuditLog>,
    backups: Counts,
}

/// From now on the service tells of itself, to whom the configuration names.
///
/// # Errors
/// The configuration names no account where it should.
pub(crate) fn begin(started: &Started, listening: Listening, backups: &Counts) -> Result<(), ConfigError> {
    let in_effect = Arc::clone(&started.in_effect);
    let (operators, certificate) = {
        let config = in_effect.read().unwrap_or_else(PoisonError::into_inner);
        (config.operators()?, certificates::certificate_path(&config))
    };
    let about = About {
        in_effect,
        listening,
        certificate,
        began: (gateway::now(), Instant::now()),
        root: Arc::clone(&started.root_holder),
        hsm: started.hsm.clone(),
        audit: Arc::clone(&started.audit),
        backups: backups.clone(),
    };
    if started.service.kms.hosting.set(Hosting { operators, host: Box::new(about) }).is_err() {
        tracing::error!("the service tells of itself already");
    }
    Ok(())
}

impl Host for About {
    fn describe(&self, kms: &Kms, _: Timestamp) -> Result<Output, Fault> {
        let config = self.in_effect.read().unwrap_or_else(PoisonError::into_inner);
        let vault = &kms.vault;
        let (start_time, began) = self.began;
        Ok(Output {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            stored_form: form::floor(vault)?,
            start_time,
            uptime_seconds: began.elapsed().as_secs(),
            node: vault.cluster().map(|cluster| cluster.name().to_string()),
            certificate_days: tls::days_left(&self.certificate, SystemTime::now()).ok(),
            settings: List(settings::of(&config, &self.listening)),
            root_key: self.root_key(vault)?,
            hsm: self.hsm.as_deref().map(|hsm| token(hsm, &config)),
            destruction: destruction(vault, &config)?,
            nodes: List(nodes(vault)?),
            audit_log: self.audit_log(),
            backup: self.backup(vault)?,
        })
    }
}

impl About {
    fn root_key(&self, vault: &Vault) -> Result<RootKey, Fault> {
        let opened_by = self.root.name().to_owned();
        let slots = match Slots::read(vault.store())? {
            Some(slots) => slots.slots().iter().map(slot).collect(),
            None => vec![SlotRow {
                name: opened_by.clone(),
                provider: opened_by.clone(),
                created: None,
                detail: String::new(),
            }],
        };
        Ok(RootKey { opened_by, domain_keys: vault.keyring().version(), slots: List(slots) })
    }

    fn audit_log(&self) -> AuditLogState {
        let counts = self.audit.counts();
        AuditLogState {
            writable: self.audit.is_writable(),
            events: counts.size,
            covered: counts.covered,
            covered_at: (counts.covered > 0).then_some(Timestamp(counts.covered_at.0)),
            checkpoint_failures: counts.checkpoint_failures,
            witness_failures: counts.witness_failures,
        }
    }

    fn backup(&self, vault: &Vault) -> Result<Backup, Fault> {
        let last = record::newest(vault)?.map(|(node, record)| {
            let BackupRecord { id, made, base, records, bytes, place } = record;
            LastBackup { id, node, made: Timestamp(made), whole: base.is_none(), base, records, bytes, place }
        });
        let drilled = self.backups.drilled.get();
        Ok(Backup {
            last,
            failures: self.backups.failures.get(),
            last_drill: (drilled > 0).then_some(Timestamp(drilled)),
            drill_failures: self.backups.drill_failures.get(),
        })
    }
}

fn slot(slot: &Slot) -> SlotRow {
    SlotRow {
        name: slot.name.clone(),
        provider: slot.provider.clone(),
        created: Some(Timestamp(slot.made)),
        detail: detail(slot),
    }
}

fn token(hsm: &Hsm, config: &Config) -> HsmToken {
    let status = hsm.status();
    HsmToken {
        label: config.hsm.as_ref().map(|hsm| hsm.token_label.clone()).unwrap_or_default(),
        state: match status.phase {
            Phase::Up => "Up",
            Phase::Starting => "Starting",
            Phase::Down { .. } => "Down",
        },
        restarts: status.restarts,
    }
}

fn destruction(vault: &Vault, config: &Config) -> Result<Destruction, Fault> {
    let record = read(&mut vault.reading())?.unwrap_or_default();
    let shreds = config.destruction.mode == Mode::Shred;
    let in_use = record.newest().filter(|_| shreds);
    let row = |key: &KeyState| {
        let due = key.retired.map(|retired| retired.saturating_add(config.destruction.retention_secs()));
        ShreddingKeyRow {
            id: key.id.to_string(),
            state: shred::state(key, in_use),
            created: Timestamp(key.made),
            retired: key.retired.map(Timestamp),
            destroyed: key.destroyed.or(due).map(Timestamp),
        }
    };
    let shares = record.recovery.as_ref().map(Recovery::check).transpose().map_err(Fault::internal)?;
    Ok(Destruction {
        mode: if shreds { "shred" } else { "delete" },
        retention_days: config.destruction.retention_days,
        shares: shares.map(|set| format!("any {} of {}", set.open(), set.count())),
        keys: List(record.keys.iter().map(row).collect()),
    })
}

fn nodes(vault: &Vault) -> Result<Vec<NodeRow>, Fault> {
    let Some(cluster) = vault.cluster() else { return Ok(Vec::new()) };
    let row = |node: status::NodeRow| NodeRow {
        name: node.node.to_string(),
        state: match node.state {
            State::Serves => "Serves",
            State::Gone => "Gone",
            State::Left => "Left",
        },
        worker: node.worker,
        version: node.version,
        silent: node.silent_milliseconds,
        clock_ahead: node.clock_ahead_seconds,
        events: node.log.map(|log| log.events),
    };
    Ok(status::status(vault, cluster)?.nodes.into_iter().map(row).collect())
}
