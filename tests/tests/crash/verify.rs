//! The service against the model.

use std::{collections::BTreeSet, sync::Arc};

use jomae_client::api::CallError;
use jomae_tests::Refused;
use serde_json::Value;

use super::{
    Unanswered,
    audit::AuditTrail,
    load::{self, Calls},
    model::{Change, Key, Lane, State},
};

pub async fn ask(calls: &Calls, action: &str, params: &[(&str, &str)]) -> Value {
    calls.call(action, params).await.unwrap_or_else(|error| panic!("{action}: {error}"))
}

pub async fn try_ask(calls: &Calls, action: &str, params: &[(&str, &str)]) -> Result<Value, Refused> {
    match calls.call(action, params).await {
        Ok(answer) => Ok(answer),
        Err(CallError::Refused { status, code, request_id, .. }) => Err(Refused { status, code, request_id }),
        Err(error) => panic!("{action}: {error}"),
    }
}

/// Finds out what became of the calls that were not answered: all of each, or nothing.
pub async fn settle(calls: &Calls, lanes: &mut [Lane], trail: &AuditTrail, round: u64) -> Unanswered {
    let mut unanswered = Unanswered::default();
    let mut created = new_keys(calls, lanes).await;
    for lane in lanes {
        let Some(change) = lane.pending.take() else { continue };
        if let Change::People(change) = change {
            unanswered.add(lane.people.settle(calls, change, trail, round).await);
            continue;
        }
        let newest = lane.keys.iter().map(|key| key.round).max().unwrap_or(0);
        let recorded = match &change {
            Change::Create { description } => {
                let Some(at) = created.iter().position(|(_, found)| found == description) else { continue };
                let (id, _) = created.swap_remove(at);
                lane.keys.push(Key::new(&id, description, newest));
                trail.records("CreateKey", description)
            }
            Change::Describe { key, description } => {
                if describe(calls, &lane.keys[*key].id).await["Description"] != **description {
                    continue;
                }
                trail.records("UpdateKeyDescription", description)
            }
            // Calls that set a state are not told apart in the log by their parameters alone.
            Change::State { key, state } => {
                if describe(calls, &lane.keys[*key].id).await["KeyState"] != state.name() {
                    continue;
                }
                true
            }
            Change::AddAlias { name, .. } => {
                if owner(calls, name).await.is_none() {
                    continue;
                }
                trail.records("CreateAlias", name)
            }
            Change::MoveAlias { to, name, .. } => {
                if owner(calls, name).await.as_deref() != Some(&lane.keys[*to].id) {
                    continue;
                }
                trail.records("UpdateAlias", name)
            }
            Change::RemoveAlias { name, .. } => {
                if owner(calls, name).await.is_some() {
                    continue;
                }
                trail.records("DeleteAlias", name)
            }
            Change::People(_) => continue,
        };
        unanswered.done += 1;
        unanswered.without_event += usize::from(!recorded);
        lane.apply(change, newest);
    }
    assert!(created.is_empty(), "keys that nobody has asked for: {created:?}");
    unanswered
}

async fn describe(calls: &Calls, key: &str) -> Value {
    ask(calls, "DescribeKey", &[("KeyId", key)]).await["KeyMetadata"].take()
}

/// The key that an alias points to.
async fn owner(calls: &Calls, alias: &str) -> Option<String> {
    match try_ask(calls, "DescribeKey", &[("KeyId", alias)]).await {
        Ok(answer) => Some(answer["KeyMetadata"]["KeyId"].as_str().expect("a key ID").to_owned()),
        Err(refused) => {
            assert_eq!(refused.code, "Forbidden.AliasNotFound");
            None
        }
    }
}

/// ID and description of the keys that the model does not know. They are at the end of the list.
async fn new_keys(calls: &Calls, lanes: &[Lane]) -> Vec<(String, String)> {
    let known: BTreeSet<&str> = lanes.iter().flat_map(|lane| &lane.keys).map(|key| key.id.as_str()).collect();
    let total = total(calls, "ListKeys").await;
    let mut missing = total.checked_sub(known.len()).expect("no answered key is lost");
    let mut found = Vec::new();
    let mut page = total.div_ceil(100);
    while missing > 0 && page > 0 {
        let listed = ask(calls, "ListKeys", &[("PageNumber", &page.to_string()), ("PageSize", "100")]).await;
        for key in listed["Keys"]["Key"].as_array().expect("keys") {
            let id = key["KeyId"].as_str().expect("a key ID");
            if !known.contains(id) {
                let description = describe(calls, id).await["Description"].as_str().expect("a text").to_owned();
                found.push((id.to_owned(), description));
                missing -= 1;
            }
        }
        page -= 1;
    }
    assert_eq!(missing, 0, "TotalCount counts keys that no page shows");
    found
}

async fn total(calls: &Calls, action: &str) -> usize {
    let answer = ask(calls, action, &[("PageSize", "1")]).await;
    usize::try_from(answer["TotalCount"].as_u64().expect("a count")).expect("a count")
}

/// Compares the counts of the whole account.
pub async fn totals(calls: &Calls, lanes: &[Lane]) {
    let keys = || lanes.iter().flat_map(|lane| &lane.keys);
    assert_eq!(total(calls, "ListKeys").await, keys().count());
    assert_eq!(total(calls, "ListAliases").await, keys().map(|key| key.aliases.len()).sum::<usize>());
}

/// Compares what a lane has used in `round`, or all that it has.
pub async fn lane(calls: Arc<Calls>, mut lane: Lane, round: Option<u64>) -> Lane {
    for at in 0..lane.keys.len() {
        let key = &lane.keys[at];
        if round.is_some_and(|round| key.round != round) {
            continue;
        }
        compare(&calls, key).await;
        if key.state == State::Enabled && key.sealed.is_empty() {
            // A key whose version is missing would show here.
            let used = key.round;
            load::encrypt(&calls, &mut lane, at, used).await.expect("an enabled key encrypts");
            ciphertexts(&calls, &lane.keys[at]).await;
        }
    }
    lane.people.compare(&calls, round).await;
    lane
}

async fn compare(calls: &Calls, key: &Key) {
    let found = describe(calls, &key.id).await;
    assert_eq!(found["KeyId"], *key.id);
    assert_eq!(found["Description"], *key.description, "{}", key.id);
    assert_eq!(found["KeyState"], key.state.name(), "{}", key.id);
    assert_eq!(found["DeleteDate"] != "", key.state == State::PendingDeletion, "{}", key.id);
    assert!(found["PrimaryKeyVersion"].as_str().is_some_and(|id| !id.is_empty()), "{}", key.id);

    let listed = ask(calls, "ListAliasesByKeyId", &[("KeyId", &key.id), ("PageSize", "100")]).await;
    let rows = listed["Aliases"]["Alias"].as_array().expect("aliases");
    assert!(rows.iter().all(|row| row["KeyId"] == *key.id));
    let names: BTreeSet<String> =
        rows.iter().map(|row| row["AliasName"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(listed["TotalCount"], key.aliases.len(), "{}", key.id);
    if key.aliases.len() <= 100 {
        assert_eq!(names, key.aliases, "{}", key.id);
    }
    for alias in &key.aliases {
        assert_eq!(owner(calls, alias).await.as_deref(), Some(key.id.as_str()), "{alias}");
    }
    ciphertexts(calls, key).await;
}

async fn ciphertexts(calls: &Calls, key: &Key) {
    let refusal = match key.state {
        State::Enabled => None,
        State::Disabled => Some("Rejected.Disabled"),
        State::PendingDeletion => Some("Rejected.PendingDeletion"),
    };
    for (blob, plaintext) in &key.sealed {
        match (try_ask(calls, "Decrypt", &[("CiphertextBlob", blob)]).await, refusal) {
            (Ok(answer), None) => {
                assert_eq!(answer["Plaintext"], **plaintext);
                assert_eq!(answer["KeyId"], *key.id);
            }
            (Err(refused), Some(code)) => assert_eq!(refused.code, code),
            (Ok(_), Some(_)) => panic!("a key that is {} decrypts", key.state.name()),
            (Err(refused), None) => panic!("a ciphertext is lost: {refused:?}"),
        }
    }
}
