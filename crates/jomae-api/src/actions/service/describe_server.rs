//! `DescribeServer`: what runs here, and how it is. For accounts that the configuration names.

use crate::actions::prelude::*;

request! {
    pub struct DescribeServer {}
}

answer! {
    pub struct Output {
        /// Version of the program.
        version: String => "Version",
        /// The form of stored records below which no version may use the store.
        stored_form: u32 => "StoredForm",
        /// When the process began to serve.
        start_time: Timestamp => "StartTime",
        /// Seconds since then.
        uptime_seconds: u64 => "UptimeSeconds",
        /// The node that answers, if there are several.
        node: Option<String> => "Node",
        /// For how many days the certificate of the API is valid. Absent if its file cannot be read.
        certificate_days: Option<u64> => "CertificateDaysLeft",
        /// Settings in effect, by their full names. None that is a secret, or says where one is.
        settings: List<SettingRow> => "Settings",
        /// What opens the store.
        root_key: RootKey => "RootKey",
        /// The token for keys of the protection level HSM, if the configuration names one.
        hsm: Option<HsmToken> => "Hsm",
        /// What destruction of keys reaches.
        destruction: Destruction => "Destruction",
        /// The nodes of the cluster, if there is one.
        nodes: List<NodeRow> => "Nodes",
        /// The audit log of the node that answers.
        audit_log: AuditLogState => "AuditLog",
        /// Backups.
        backup: Backup => "Backup",
    }

    pub struct SettingRow as "Setting" {
        /// Full name of the setting.
        name: String => "Name",
        /// Its value as a text; empty if it is not set.
        value: String => "Value",
    }

    pub struct RootKey {
        /// The slot by which the root key was found at the start.
        opened_by: String => "OpenedBy",
        /// How many domain keys it wraps.
        domain_keys: u32 => "DomainKeys",
        /// The slots that give the root key.
        slots: List<SlotRow> => "Slots",
    }

    pub struct SlotRow as "Slot" {
        /// Name of the slot.
        name: String => "Name",
        /// Kind of its provider: file, passphrase, shares, kms or pkcs11.
        provider: String => "Provider",
        /// When it was made; absent if that is not known.
        created: Option<Timestamp> => "CreateTime",
        /// How many shares open it, or which key of the token; else empty.
        detail: String => "Detail",
    }

    pub struct HsmToken {
        /// Label of the token.
        label: String => "TokenLabel",
        /// Up, Starting or Down.
        state: &'static str => "State",
        /// Times that the worker was started anew.
        restarts: u64 => "Restarts",
    }

    pub struct Destruction {
        /// delete, or shred.
        mode: &'static str => "Mode",
        /// Days for which a shredding key is kept after the last record needed it.
        retention_days: u32 => "RetentionDays",
        /// How many shares recover shredding keys; absent if none were made.
        shares: Option<String> => "Shares",
        /// All shredding keys, destroyed ones too.
        keys: List<ShreddingKeyRow> => "ShreddingKeys",
    }

    pub struct ShreddingKeyRow as "ShreddingKey" {
        /// ID of the shredding key.
        id: String => "ShreddingKeyId",
        /// InUse, Leaving, Retired or Destroyed.
        state: &'static str => "State",
        /// When it was made.
        created: Timestamp => "CreateTime",
        /// Since when no record needs it.
        retired: Option<Timestamp> => "RetireTime",
        /// When it was destroyed, or when it may be first.
        destroyed: Option<Timestamp> => "DestroyTime",
    }

    pub struct NodeRow as "Node" {
        /// Name of the node.
        name: String => "Name",
        /// Serves, Gone or Left.
        state: &'static str => "State",
        /// Whether it does the work that one node does for all.
        worker: bool => "Worker",
        /// Version of its program, while it serves.
        version: Option<String> => "Version",
        /// Milliseconds since it last renewed its lease, while it serves.
        silent: Option<u64> => "SilentMilliseconds",
        /// Seconds by which its clock is ahead of that of the node that answers, while it serves.
        clock_ahead: Option<i64> => "ClockAheadSeconds",
        /// Events in its audit log, as far as the store knows.
        events: Option<u64> => "AuditEvents",
    }

    pub struct AuditLogState {
        /// Whether events can be written; if not, every call is refused.
        writable: bool => "Writable",
        /// Events from the beginning of the log that are on disk.
        events: u64 => "Events",
        /// How many of them the newest checkpoint covers.
        covered: u64 => "CoveredEvents",
        /// When that was signed.
        covered_at: Option<Timestamp> => "CheckpointTime",
        /// Checkpoints that could not be made since the start.
        checkpoint_failures: u64 => "CheckpointFailures",
        /// Tries to hand a checkpoint to a witness that failed since the start.
        witness_failures: u64 => "WitnessFailures",
    }

    pub struct Backup {
        /// The last one of which the store knows; absent if it knows of none.
        last: Option<LastBackup> => "Last",
        /// Backups of this process that failed since its start.
        failures: u64 => "Failures",
        /// When a drill of this node has last restored a backup; absent if none is known.
        last_drill: Option<Timestamp> => "LastDrillTime",
        /// Drills of this process that failed since its start.
        drill_failures: u64 => "DrillFailures",
    }

    pub struct LastBackup {
        /// Name of the backup.
        id: String => "BackupId",
        /// The node that made it, if there are several.
        node: Option<String> => "Node",
        /// When it was made.
        made: Timestamp => "CreateTime",
        /// Whether it goes on from no other one.
        whole: bool => "Whole",
        /// The backup that it goes on from.
        base: Option<String> => "BaseBackupId",
        /// Records that it restores.
        records: u64 => "Records",
        /// Bytes of all its objects.
        bytes: u64 => "Bytes",
        /// directory, or s3.
        place: String => "PlaceKind",
    }
}

impl Action for DescribeServer {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "DescribeServer",
        errors: &[Refusal::NotOperator],
        doc: "Describes the service itself: version, settings in effect, root key, nodes, audit log and backups. Not in the \
              cloud's API. It is answered to accounts that operator_accounts of the configuration names, and to nobody else.",
        ..ActionSpec::read(Group::Service)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Service)
    }
}
