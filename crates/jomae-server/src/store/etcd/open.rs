//! Opening: what a prefix must look like, and refusing what is not ours.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jomae_core::store::StoreError;
use jomae_crypto::rng;
use jomae_etcd::{
    Client, Config, ConfigError, Error, Tls,
    proto::{
        Compare, CompareResult, CompareTarget, KeyValue, Op, OpResponse, PutRequest, RangeRequest, TargetUnion,
        TxnRequest,
    },
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{
    keys::Keys,
    pages::{Failure, Pages},
    replica::Records,
    slots::{self, equals},
};

/// Of the layout of the keys.
pub(super) const FORMAT: u32 = 1;

/// How long a cluster that cannot be reached, or has no leader yet, is waited for: by a command.
const OPEN_WAIT: Duration = Duration::from_secs(5);
const OPEN_PAUSE: Duration = Duration::from_millis(200);
/// Slots that were last used before this long ago belong to an instance that is gone: no commit takes so long, and a
/// live instance whose slots are removed takes new ones.
const SLOT_AGE_MAX: Duration = Duration::from_hours(24);

/// How to open a store.
#[derive(Clone)]
pub struct EtcdOptions {
    /// `https://host:port` or `http://host:port`, one for each member.
    pub endpoints: Vec<String>,
    /// What all keys of the store begin with, before a `/`.
    pub prefix: String,
    /// Needed for `https`.
    pub tls: Option<Tls>,
    /// For one call, on whatever members.
    pub call_timeout: Duration,
    /// For a connection to one member.
    pub connect_timeout: Duration,
    /// Whether a store is made where there is none.
    pub makes_new: bool,
    /// How long a cluster that cannot be reached, or has no leader yet, is waited for.
    pub open_wait: Duration,
}

impl EtcdOptions {
    /// With the prefix `jomae`, without TLS.
    pub fn new(endpoints: Vec<String>) -> Self {
        let Config { call_timeout, connect_timeout, .. } = Config::new(Vec::new());
        let prefix = "jomae".to_owned();
        let (makes_new, open_wait) = (true, OPEN_WAIT);
        Self { endpoints, prefix, tls: None, call_timeout, connect_timeout, makes_new, open_wait }
    }

    pub(super) fn client(&self) -> Result<Client, ConfigError> {
        let config = Config {
            call_timeout: self.call_timeout,
            connect_timeout: self.connect_timeout,
            ..Config::new(self.endpoints.clone())
        };
        Client::new(config, self.tls.as_ref())
    }
}

/// Why there is no store in etcd to use. Each text is one line for the operator; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("etcd: {0}")]
    Config(#[from] ConfigError),
    #[error("etcd: the prefix {0:?} is not 1 to 64 letters, digits, '.', '_' and '-'")]
    Prefix(String),
    #[error("etcd cannot be reached: {0}")]
    Unreachable(String),
    #[error("etcd: a certificate is not accepted: {0}")]
    Certificate(String),
    #[error("etcd: the user of the client certificate may not use the prefix {prefix:?}: {why}")]
    Permission { prefix: String, why: String },
    #[error(
        "etcd {0} cannot be used: 3.4 before 3.4.22 and 3.5 before 3.5.6 can lose or mix up data; use 3.5.30 or 3.6.11, or newer"
    )]
    Version(String),
    #[error("etcd: there is no store under the prefix {0:?}")]
    Absent(String),
    #[error("etcd: the prefix {0:?} holds keys of another program; it was left as it is")]
    Foreign(String),
    #[error("etcd: the prefix {prefix:?} has format {found}, this version knows {FORMAT}; it was left as it is")]
    Format { prefix: String, found: u32 },
    #[error("etcd: {0}")]
    Damaged(String),
    #[error("etcd refused: {0}")]
    Refused(String),
    #[error("cannot start the threads of the store: {0}")]
    Threads(#[from] std::io::Error),
}

/// The record that says whose the prefix is.
#[derive(Serialize, Deserialize)]
struct Store {
    format: u32,
    id: String,
}

/// A store that was found or made.
pub(super) struct Opened {
    /// The identity record as it is stored.
    pub(super) identity: Vec<u8>,
    pub(super) id: String,
    pub(super) records: Records,
}

pub(super) async fn open(client: &Client, keys: &Keys, makes_new: bool, wait: Duration) -> Result<Opened, OpenError> {
    let deadline = Instant::now() + wait;
    let mut told = None;
    loop {
        let error = match try_open(client, keys, makes_new).await {
            Err(Failed::Passing(error)) if Instant::now() < deadline => error,
            Err(Failed::Passing(error) | Failed::For(error)) => return Err(error),
            Ok(opened) => return Ok(opened),
        };
        let why = error.to_string();
        if told.as_ref() != Some(&why) {
            tracing::warn!(error = why, "waiting for etcd");
            told = Some(why);
        }
        sleep(OPEN_PAUSE).await;
    }
}

/// A client that comes with other certificates, if the members take them and their user may read the store.
pub(super) async fn with_tls(client: &Client, keys: &Keys, tls: &Tls) -> Result<Client, OpenError> {
    let client = client.with_tls(tls)?;
    let success = vec![slots::get(keys.identity())];
    match client.read_txn(TxnRequest { success, ..TxnRequest::default() }).await {
        Ok(_) => Ok(client),
        Err(error) => match Failed::of(error, keys) {
            Failed::For(error) => Err(error),
            // Nobody has refused them, and the former ones may have no time left until somebody answers.
            Failed::Passing(error) => {
                tracing::warn!(%error, "new certificates for etcd are taken untried");
                Ok(client)
            }
        },
    }
}

/// Whether it is worth trying again.
enum Failed {
    Passing(OpenError),
    For(OpenError),
}

impl Failed {
    fn of(error: Error, keys: &Keys) -> Self {
        match error {
            Error::Unreachable(why) | Error::Unknown(why) => Self::Passing(OpenError::Unreachable(why)),
            Error::Certificate(why) => Self::For(OpenError::Certificate(why)),
            Error::PermissionDenied(why) => Self::For(OpenError::Permission { prefix: keys.prefix().to_owned(), why }),
            // While it was read, a compaction went by.
            error @ Error::Compacted => Self::Passing(OpenError::Unreachable(error.to_string())),
            error @ (Error::TooLarge | Error::Refused(_)) => Self::For(OpenError::Refused(error.to_string())),
        }
    }
}

async fn try_open(client: &Client, keys: &Keys, makes_new: bool) -> Result<Opened, Failed> {
    let failed = |error| Failed::of(error, keys);
    let status = client.status().await.map_err(failed)?;
    if !is_usable(&status.version) {
        return Err(Failed::For(OpenError::Version(status.version)));
    }
    let (identity, id) = identity(client, keys, makes_new).await?;
    if let Err(error) = remove_old_slots(client, keys).await {
        tracing::warn!(%error, "old commit slots were not removed");
    }
    let records = Pages::new(client, keys).everything().await.map_err(|failure| match failure {
        Failure::Etcd(error) => failed(error),
        Failure::Damaged(StoreError::Damaged(why)) => Failed::For(OpenError::Damaged(why)),
        Failure::Damaged(error) => Failed::For(OpenError::Damaged(error.to_string())),
    })?;
    Ok(Opened { identity, id, records })
}

/// Reads the identity of a store that is there.
async fn known_identity(client: &Client, keys: &Keys) -> Result<Option<(Vec<u8>, String)>, Failed> {
    let failed = |error| Failed::of(error, keys);
    let read = |key| Op::Range(RangeRequest { key, ..RangeRequest::default() }).into();
    let look = TxnRequest { success: vec![read(keys.identity()), read(keys.head())], ..TxnRequest::default() };
    let found = client.read_txn(look).await.map_err(failed)?;
    let mut ranges = found.responses.into_iter().filter_map(|response| match response.response {
        Some(OpResponse::Range(range)) => Some(range),
        _ => None,
    });
    let (Some(store), Some(head)) = (ranges.next(), ranges.next()) else {
        return Err(Failed::For(OpenError::Refused("an answer of another form".to_owned())));
    };
    let Some(kv) = store.kvs.into_iter().next() else { return Ok(None) };
    let identity = known(keys, &kv)?;
    if head.kvs.is_empty() {
        return Err(Failed::For(OpenError::Damaged(super::pages::no_head(keys).to_string())));
    }
    Ok(Some((kv.value.into(), identity)))
}

/// Reads the identity, or makes it if there is nothing at all and that is wanted.
async fn identity(client: &Client, keys: &Keys, makes_new: bool) -> Result<(Vec<u8>, String), Failed> {
    let failed = |error| Failed::of(error, keys);
    // What else there is is not asked of a store, which may have millions of records: to count them takes etcd seconds.
    if let Some(found) = known_identity(client, keys).await? {
        return Ok(found);
    }
    let (first, end) = keys.all();
    let any = RangeRequest {
        key: first.clone(),
        range_end: end.clone(),
        limit: 1,
        keys_only: true,
        ..RangeRequest::default()
    };
    if !client.range(any).await.map_err(failed)?.kvs.is_empty() {
        // Somebody may have made the store just now.
        let made = known_identity(client, keys).await?;
        return made.ok_or_else(|| Failed::For(OpenError::Foreign(keys.prefix().to_owned())));
    }
    let nothing = Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Create.into(),
        key: first,
        range_end: end,
        target_union: Some(TargetUnion::CreateRevision(0)),
    };
    if !makes_new {
        return Err(Failed::For(OpenError::Absent(keys.prefix().to_owned())));
    }
    let store = Store { format: FORMAT, id: random_id() };
    let value = serde_json::to_vec(&store).map_err(|error| Failed::For(OpenError::Damaged(error.to_string())))?;
    let put = |key, value: Vec<u8>| Op::Put(PutRequest { key, value: value.into() }).into();
    let success = vec![put(keys.identity(), value.clone()), put(keys.head(), Vec::new())];
    let made = client.txn(TxnRequest { compare: vec![nothing], success, failure: vec![] }).await.map_err(failed)?;
    if made.succeeded {
        tracing::info!(prefix = keys.prefix(), id = store.id, "a new store was made in etcd");
        Ok((value, store.id))
    } else {
        Err(Failed::Passing(OpenError::Foreign(keys.prefix().to_owned())))
    }
}

fn known(keys: &Keys, kv: &KeyValue) -> Result<String, Failed> {
    let prefix = || keys.prefix().to_owned();
    let store: Store = serde_json::from_slice(&kv.value).map_err(|_| Failed::For(OpenError::Foreign(prefix())))?;
    if store.format == FORMAT {
        Ok(store.id)
    } else {
        Err(Failed::For(OpenError::Format { prefix: prefix(), found: store.format }))
    }
}

async fn remove_old_slots(client: &Client, keys: &Keys) -> Result<(), Error> {
    let (key, range_end) = keys.slots();
    // At most so many a time: the rest goes at the next start.
    let found = client.range(RangeRequest { key, range_end, limit: 1000, ..RangeRequest::default() }).await?;
    let oldest = unix_seconds().saturating_sub(SLOT_AGE_MAX.as_secs());
    let old: Vec<&KeyValue> =
        found.kvs.iter().filter(|kv| slots::used_at(&kv.value).is_some_and(|at| at < oldest)).collect();
    for some in old.chunks(slots::SLOTS) {
        let compare = some.iter().map(|kv| equals(kv.key.clone(), kv.mod_revision)).collect();
        let success = some.iter().map(|kv| slots::delete(kv.key.clone(), bytes::Bytes::new())).collect();
        client.txn(TxnRequest { compare, success, failure: vec![] }).await?;
    }
    Ok(())
}

pub(super) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

pub(super) fn random_id() -> String {
    format!("{:032x}", u128::from_be_bytes(rng::public_array()))
}

/// etcd's version, against the releases that its own project warns of.
fn is_usable(version: &str) -> bool {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Option<Vec<u32>> = plain.split('.').map(|part| part.parse().ok()).collect();
    match numbers.as_deref() {
        Some([3, 4, patch]) => *patch >= 22,
        Some([3, 5, patch]) => *patch >= 6,
        Some([3, minor, _]) => *minor >= 6,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_lose_data_are_refused() {
        for good in ["3.4.22", "3.4.23", "3.5.6", "3.5.30", "3.6.0", "3.6.11", "3.5.21+git", "3.7.0-rc.1"] {
            assert!(is_usable(good), "{good}");
        }
        for bad in ["3.4.21", "3.5.0", "3.5.5", "3.5.5-1", "3.3.27", "3.0.0", "2.3.8", "4.0.0", "", "3.4", "x"] {
            assert!(!is_usable(bad), "{bad}");
        }
        let text = OpenError::Version("3.5.1".to_owned()).to_string();
        assert!(text.starts_with("etcd 3.5.1 cannot be used") && !text.contains('\n'), "{text}");
    }
}
