//! What stands for the process around the service.

use jomae_api::{
    actions::service::describe_server::{AuditLogState, Backup, Destruction, Output, RootKey},
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
            node: None,
            certificate_days: None,
            settings: List(Vec::new()),
            root_key: RootKey { opened_by: "test".to_owned(), domain_keys: 1, slots: List(Vec::new()) },
            hsm: None,
            destruction: Destruction { mode: "delete", retention_days: 30, shares: None, keys: List(Vec::new()) },
            nodes: List(Vec::new()),
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
