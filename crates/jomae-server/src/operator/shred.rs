//! What the operator sees of the shredding keys, and who can recover them.

use http::StatusCode;
use jomae_api::time::Timestamp;
use jomae_core::shredding::record::{KeyState, NoRecovery, Recovery, ShreddingRecord, read};
use jomae_crypto::shredding::ShreddingKeyId;
use serde::Serialize;

use super::api::{OperatorApi, Refusal, json, refused};
use crate::{config::Destruction, exchange::Answer, gateway};

#[derive(Serialize)]
struct Status {
    mode: &'static str,
    /// Who can recover them; none: nobody.
    shares: Option<String>,
    keys: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    state: &'static str,
    made: Timestamp,
    retired: Option<Timestamp>,
    /// When it was destroyed, or when it may be first.
    destroyed: Option<Timestamp>,
}

/// How far a shredding key is; `in_use` is the one under which new material goes.
pub(crate) fn state(key: &KeyState, in_use: Option<ShreddingKeyId>) -> &'static str {
    match (key.destroyed, key.retired) {
        (Some(_), _) => "Destroyed",
        (None, Some(_)) => "Retired",
        (None, None) if in_use == Some(key.id) => "InUse",
        (None, None) => "Leaving",
    }
}

impl OperatorApi {
    pub(super) async fn shredding_status(&self) -> Result<Answer, Refusal> {
        let record = read(&mut self.vault().reading())?.unwrap_or_default();
        let destruction = &self.config.destruction;
        let shreds = destruction.mode == Destruction::Shred;
        let newest = record.newest();
        let row = |key: &KeyState| {
            let due = key.retired.map(|retired| retired.saturating_add(destruction.retention_secs()));
            Row {
                id: key.id.to_string(),
                state: state(key, newest.filter(|_| shreds)),
                made: Timestamp(key.made),
                retired: key.retired.map(Timestamp),
                destroyed: key.destroyed.or(due).map(Timestamp),
            }
        };
        let shares = record.recovery.as_ref().map(Recovery::check).transpose()?;
        let shares = shares.map(|set| format!("any {} of {}", set.open(), set.count()));
        self.note("GetShreddingStatus", None, &[]).await?;
        let mode = if shreds { "shred" } else { "delete" };
        json(&Status { mode, shares, keys: record.keys.iter().map(row).collect() })
    }

    /// From now on these shares recover shredding keys, and those before do not.
    pub(super) async fn set_recovery(&self, recovery: Recovery) -> Result<Answer, Refusal> {
        let set = recovery.check()?;
        let record = read(&mut self.vault().reading())?.unwrap_or_default();
        let (open, count) = (set.open().to_string(), set.count().to_string());
        let event = ("SetShreddingShares", &[("Open", open.as_str()), ("Count", count.as_str())][..]);
        let change = |record: &mut ShreddingRecord| record.recovery = Some(recovery);
        let changed = record.change_anywhere(self.vault(), &self.region, event, gateway::now(), change).await?;
        let Some(pending) = changed else {
            return Err(refused(StatusCode::CONFLICT, "the shredding keys have just changed; try again"));
        };
        self.appended(pending).await?;
        json(&serde_json::json!({}))
    }
}

impl From<NoRecovery> for Refusal {
    fn from(error: NoRecovery) -> Self {
        refused(StatusCode::BAD_REQUEST, &error.to_string())
    }
}
