//! Why a call was denied, and the proof that its event is in the log.

use std::{path::Path, time::Duration};

use jomae_api::{action::Api, actions, names::AccountId, param::EncryptionContext, time::Timestamp};
use jomae_core::access::simulate::{PrincipalName, Question, simulate};
use jomae_log::verify::{self, EventRef, VerifyError};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{Visit, ask::Asker, reply::Page, sessions::Session};

/// How often a proof is tried of an event that the next checkpoint will cover.
const PROOF_ATTEMPTS: u32 = 4;
/// How old an event may be for that, in seconds. An older one stands in the log of this node, or it does not.
const PROOF_FRESH_SECS: i64 = 10;
/// Proofs at a time, of all visitors: each may read the whole log.
static PROOFS: Semaphore = Semaphore::const_new(2);
/// The pause between two attempts.
const PROOF_PAUSE: Duration = Duration::from_millis(750);

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The question that the call of an event would ask, if it is about one key at most.
fn question(event: &Value, account: &AccountId) -> Option<Question> {
    let identity = event.get("userIdentity")?;
    if text(identity, "accountId") != account.as_str() {
        return None;
    }
    let name = text(identity, "userName");
    let principal = match text(identity, "type") {
        "root-account" => format!("acs:ram::{account}:root"),
        "ram-user" => format!("acs:ram::{account}:user/{name}"),
        "assumed-role" => format!("acs:ram::{account}:role/{}", name.split(':').next()?),
        _ => return None,
    };
    let action = actions::find(text(event, "eventName"))?;
    let keys = event.get("referencedResources").and_then(|all| all.get("ACS::KMS::Key"));
    let owner = event.get("resourceOwnerId").and_then(Value::as_str).unwrap_or(account.as_str());
    let region = jomae_api::names::RegionId::new(text(event, "acsRegion"))?;
    let resource = match keys.and_then(|keys| keys.get(0)).and_then(Value::as_str) {
        Some(key) if action.api() == Api::Kms => Some(format!("acs:kms:{region}:{owner}:key/{key}")),
        _ => None,
    };
    let context = event.get("requestParameters").map_or("", |params| text(params, "EncryptionContext"));
    let context =
        if context.is_empty() { Some(EncryptionContext::default()) } else { EncryptionContext::from_json(context) };
    Some(Question {
        principal: PrincipalName::from_wire(&principal)?,
        permission: format!("{}:{}", action.api().prefix(), action.name),
        resource,
        context: context?,
        source_ip: event.get("sourceIpAddress").and_then(Value::as_str).map(str::to_owned),
        now: Timestamp::parse(text(event, "eventTime"))?,
        resource_tags: None,
        request_tags: None,
        external_id: None,
        region,
    })
}

/// How often the proof of an event is worth a try: each reads the log.
fn attempts(event: &Value, now: Timestamp) -> u32 {
    let at = Timestamp::parse(text(event, "eventTime"));
    if at.is_some_and(|at| now.0 - at.0 <= PROOF_FRESH_SECS) { PROOF_ATTEMPTS } else { 1 }
}

/// The proof of an event, in JSON.
fn prove(dir: &Path, id: &str) -> Result<String, VerifyError> {
    let Some(key) = verify::files::read_key(dir)? else {
        return Err(VerifyError::Unverified("the log has no public key beside it".to_owned()));
    };
    Ok(verify::prove(dir, &key, EventRef::Id(id))?.to_json())
}

impl Visit<'_> {
    /// Why a call that was denied would be denied with the policies of now. Told to the account itself alone: it speaks of
    /// statements of its policies.
    pub(super) fn reason(&self, session: &Session, event: &Value) -> Option<String> {
        if !session.caller.is_root() || !text(event, "errorCode").contains("NoPermission") {
            return None;
        }
        let question = question(event, &session.caller.account)?;
        let answer = simulate(&mut self.console.service.kms.vault.reading(), &question, None).ok()?;
        (!answer.allowed).then_some(answer.reason)
    }

    /// The proof of an event that this caller may look up.
    pub(super) async fn proof(&self, session: &Session, asker: &mut Asker<'_>, id: &str) -> Page {
        let attempts = match self.find_event(asker, id).await {
            Ok(Some(event)) if text(&event, "eventId") == id => attempts(&event, self.now),
            _ => return self.event(session, asker, id, false).await,
        };
        for attempt in 1..=attempts {
            let (dir, wanted) = (self.console.audit_dir.clone(), id.to_owned());
            let Ok(turn) = PROOFS.acquire().await else { break };
            // The turn ends with the work, whether or not anybody waits for it still.
            let proven = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                prove(&dir, &wanted)
            });
            let proven = proven.await;
            match proven {
                Ok(Ok(proof)) => {
                    let safe: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
                    return Page::download("application/json", &format!("proof-{safe}.json"), proof);
                }
                Ok(Err(error)) if attempt == attempts => tracing::warn!(%error, "no proof of an event"),
                Ok(Err(_)) => tokio::time::sleep(PROOF_PAUSE).await,
                Err(error) => {
                    tracing::error!(%error, "the proof of an event broke");
                    break;
                }
            }
        }
        self.event(session, asker, id, true).await
    }

    /// The public key of the log.
    pub(super) async fn log_key(&self) -> Page {
        let dir = self.console.audit_dir.clone();
        match tokio::task::spawn_blocking(move || verify::files::read_key(&dir)).await {
            Ok(Ok(Some(key))) => Page::download("text/plain; charset=utf-8", "key.pub", format!("{key}\n")),
            _ => self.message(404, "not-found-title", "not-found"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_may_still_be_written_is_tried_again() {
        let now = Timestamp::parse("2027-01-15T08:00:30Z").unwrap();
        let of = |time: &str| attempts(&json!({ "eventTime": time }), now);
        assert_eq!(of("2027-01-15T08:00:30Z"), PROOF_ATTEMPTS);
        assert_eq!(of("2027-01-15T08:00:20Z"), PROOF_ATTEMPTS);
        // The clock of another node may be ahead.
        assert_eq!(of("2027-01-15T08:00:32Z"), PROOF_ATTEMPTS);
        assert_eq!(of("2027-01-15T08:00:19Z"), 1);
        assert_eq!(of(""), 1);
    }
}
