//! What stands for the process around the service.

use jomae_api::{
    actions::service::describe_server::{
        AuditLogState, Backup, Destruction, HsmToken, NodeRow, Output, RootKey, SettingRow,
    },
    answer::List,
    time::Timestamp,
};
use jomae_core::{error::Fault, host::Host, run::Kms};

/// There is no process around the service in a test.
pub struct NoProcess;

impl Host for NoProcess {
    fn describe(&self, _: &Kms, now: Timestamp) -> Result<Output, Fault> {
        Ok(Output {
            version: "test".to_owned(),
            stored_form: 1,
            start_time: now,
            uptime_seconds: 0,
            node: Some("a".to_owned()),
            certificate_days: Some(30),
            settings: List(vec![SettingRow { name: "region".to_owned(), value: "cn-hangzhou".to_owned() }]),
            root_key: RootKey { opened_by: "test".to_owned(), domain_keys: 1, slots: List(Vec::new()) },
            hsm: Some(HsmToken { label: "token".to_owned(), state: "Up", restarts: 0 }),
            destruction: Destruction { mode: "delete", retention_days: 30, shares: None, keys: List(Vec::new()) },
            nodes: List(vec![NodeRow {
                name: "a".to_owned(),
                state: "Serves",
                worker: true,
                version: Some("test".to_owned()),
                silent: Some(0),
                clock_ahead: Some(0),
                events: Some(0),
            }]),
            audit_log: AuditLogState {
                writable: true,
                events: 0,
                covered: 0,
                covered_at: None,
                checkpoint_failures: 0,
                witness_failures: 0,
            },
            backup: Backup { last: None, failures: 0, last_drill: None, drill_failures: 0 },
        })
    }
}
