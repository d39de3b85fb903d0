//! Callers that work until the server dies under them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_client::api::{CallError, Client, Settings};
use jomae_crypto::secret::SecretBytes;
use jomae_tests::{Server, random};
use serde_json::Value;

use super::model::{Change, Key, Lane, State};

/// Calls to one process of the server, with the request ids of those whose audit event must be on disk.
pub struct Calls {
    client: Client,
    endpoint: String,
    ca_file: Option<String>,
    region: String,
    answered: Mutex<Vec<String>>,
    count: AtomicU64,
}

/// Events of these may be lost with the process: they reach the disk within a tenth of a second.
const BOUNDED: [&str; 2] = ["Encrypt", "Decrypt"];

impl Calls {
    pub fn new(server: &Server) -> Self {
        let settings = server.client_settings();
        let (endpoint, ca_file, region) =
            (settings.endpoint.clone(), settings.ca_file.clone(), settings.region.clone());
        let client = Client::new(settings).expect("a client");
        Self { client, endpoint, ca_file, region, answered: Mutex::default(), count: AtomicU64::new(0) }
    }

    /// A client with an access key of its own.
    pub fn client_of(&self, access_key_id: &str, secret: &str) -> Client {
        let settings = Settings {
            endpoint: self.endpoint.clone(),
            ca_file: self.ca_file.clone(),
            region: self.region.clone(),
            access_key_id: access_key_id.to_owned(),
            access_key_secret: SecretBytes::new(secret.into()),
            security_token: None,
        };
        Client::new(settings).expect("a client")
    }

    /// Calls. A refusal is an answer too.
    pub async fn call(&self, action: &str, params: &[(&str, &str)]) -> Result<Value, CallError> {
        let result = self.client.call(action, params).await;
        let id = match &result {
            Ok(answer) => answer["RequestId"].as_str().expect("a request id").to_owned(),
            Err(CallError::Refused { request_id, .. }) => request_id.clone(),
            Err(_) => return result,
        };
        self.count.fetch_add(1, Ordering::Relaxed);
        if !BOUNDED.contains(&action) {
            self.answered.lock().unwrap().push(id);
        }
        result
    }

    /// How many calls were answered.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub fn take_answered(&self) -> Vec<String> {
        std::mem::take(&mut *self.answered.lock().unwrap())
    }
}

/// Works until no answer comes.
pub async fn run(calls: Arc<Calls>, mut lane: Lane, round: u64) -> Lane {
    loop {
        let done = match choose(&lane) {
            Work::Change(change) => attempt(&calls, &mut lane, change, round).await,
            Work::Encrypt(key) => encrypt(&calls, &mut lane, key, round).await,
        };
        match done {
            Ok(()) => {}
            Err(CallError::Network { .. }) => return lane,
            Err(error) => panic!("a call that must succeed did not: {error}"),
        }
    }
}

enum Work {
    Change(Change),
    Encrypt(usize),
}

/// Something that the model says is possible. Mostly about the newest keys.
fn choose(lane: &Lane) -> Work {
    if random::below(3) == 0 {
        return Work::Change(Change::People(lane.people.choose()));
    }
    let description = || format!("crash test {}", random::word(20));
    let count = lane.keys.len() as u64;
    if count == 0 || random::below(16) == 0 {
        return Work::Change(Change::Create { description: description() });
    }
    let newest = random::below(4) > 0;
    let at = |offset: u64| usize::try_from(offset).expect("an index");
    let key = at(if newest { count - 1 - random::below(count.min(3)) } else { random::below(count) });
    let chosen = &lane.keys[key];
    if chosen.state == State::PendingDeletion {
        return Work::Change(Change::State { key, state: State::Enabled });
    }
    let change = match random::below(10) {
        0 => Change::State { key, state: State::Disabled },
        1 => Change::State { key, state: State::Enabled },
        2 => Change::State { key, state: State::PendingDeletion },
        3 | 4 => Change::AddAlias { key, name: format!("alias/crash-{}", random::word(16)) },
        5 => match chosen.aliases.first() {
            Some(name) => Change::RemoveAlias { key, name: name.clone() },
            None => Change::Describe { key, description: description() },
        },
        6 => {
            let to = at(random::below(count));
            match chosen.aliases.last() {
                Some(name) if to != key && lane.keys[to].state != State::PendingDeletion => {
                    Change::MoveAlias { from: key, to, name: name.clone() }
                }
                _ => Change::Describe { key, description: description() },
            }
        }
        7 => Change::Describe { key, description: description() },
        _ if chosen.state == State::Enabled => return Work::Encrypt(key),
        _ => Change::State { key, state: State::Enabled },
    };
    Work::Change(change)
}

async fn attempt(calls: &Calls, lane: &mut Lane, change: Change, round: u64) -> Result<(), CallError> {
    lane.pending = Some(change.clone());
    if let Change::People(change) = change {
        lane.people.attempt(calls, change, round).await?;
        lane.pending = None;
        return Ok(());
    }
    let id = |key: usize| lane.keys[key].id.as_str();
    let answer = match &change {
        Change::Create { description } => calls.call("CreateKey", &[("Description", description)]).await,
        Change::Describe { key, description } => {
            calls.call("UpdateKeyDescription", &[("KeyId", id(*key)), ("Description", description)]).await
        }
        Change::State { key, state } => {
            let (action, days) = match (state, lane.keys[*key].state) {
                (State::Enabled, State::PendingDeletion) => ("CancelKeyDeletion", None),
                (State::Enabled, _) => ("EnableKey", None),
                (State::Disabled, _) => ("DisableKey", None),
                (State::PendingDeletion, _) => ("ScheduleKeyDeletion", Some(("PendingWindowInDays", "7"))),
            };
            let params: Vec<_> = [("KeyId", id(*key))].into_iter().chain(days).collect();
            calls.call(action, &params).await
        }
        Change::AddAlias { key, name } => calls.call("CreateAlias", &[("AliasName", name), ("KeyId", id(*key))]).await,
        Change::MoveAlias { to, name, .. } => {
            calls.call("UpdateAlias", &[("AliasName", name), ("KeyId", id(*to))]).await
        }
        Change::RemoveAlias { name, .. } => calls.call("DeleteAlias", &[("AliasName", name)]).await,
        Change::People(_) => return Ok(()),
    }?;
    lane.pending = None;
    if let Change::Create { description } = &change {
        let id = answer["KeyMetadata"]["KeyId"].as_str().expect("a key ID");
        lane.keys.push(Key::new(id, description, round));
    }
    lane.apply(change, round);
    Ok(())
}

/// Encrypts something under a key of the lane, which must be enabled.
pub async fn encrypt(calls: &Calls, lane: &mut Lane, key: usize, round: u64) -> Result<(), CallError> {
    let plaintext = STANDARD.encode(random::bytes(40));
    let id = lane.keys[key].id.clone();
    let answer = calls.call("Encrypt", &[("KeyId", &id), ("Plaintext", &plaintext)]).await?;
    let blob = answer["CiphertextBlob"].as_str().expect("a ciphertext").to_owned();
    lane.touch(key, round).sealed.push((blob, plaintext));
    Ok(())
}
