//! Join tokens: what lets a newcomer in, once. The store has a digest of each, and its record is gone when it was used.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_api::{action::Effect, names::RegionId, time::Timestamp};
use jomae_core::{
    audit::{OperatorAct, operator_event, outbox},
    call::new_request_id,
    cluster::record::NodeName,
    error::Fault,
    store::{Path, SCAN_LIMIT_MAX},
    stored::plain_records,
    tx::{CommitOutcome, Tx, Vault},
};
use jomae_crypto::{
    hash::sha256,
    purpose::Purpose,
    rng,
    secret::{SecretBytes, ct_eq},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret_text::SecretText;

const PREFIX: &str = "sys/cluster/token/";
/// What a token begins with.
const MARK: &str = "jomae-join-1.";
/// Length of the part that only its holder knows, in bytes.
const SECRET_BYTES: usize = 32;
const ID_BYTES: usize = 8;
/// Largest token that is read, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Most tokens at a time.
const OUTSTANDING_MAX: usize = 64;

#[derive(Serialize, Deserialize)]
struct TokenRecord {
    /// SHA-256 of the secret, as hexadecimal digits.
    digest: String,
    /// Who may come.
    node: NodeName,
    /// Unix seconds.
    expires: i64,
}

plain_records!(form: 1, bears_rights: false; TokenRecord);

/// What a token says to the one who holds it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invitation {
    pub(crate) id: String,
    pub(crate) secret: SecretText,
    pub(crate) node: NodeName,
    /// Nodes that may be asked.
    pub(crate) at: Vec<Host>,
    /// The certificate of the cluster's authority, as Base64 text of its DER.
    pub(crate) authority: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Host {
    pub(crate) node: NodeName,
    /// `host:port`.
    pub(crate) address: String,
}

impl Invitation {
    pub(crate) fn to_text(&self) -> Result<Zeroizing<String>, Fault> {
        let mut json = Zeroizing::new(Vec::with_capacity(TEXT_BYTES_MAX));
        serde_json::to_writer(&mut *json, self).map_err(Fault::internal)?;
        let mut text = Zeroizing::new(String::with_capacity(MARK.len() + json.len() * 2));
        text.push_str(MARK);
        URL_SAFE_NO_PAD.encode_string(&*json, &mut text);
        Ok(text)
    }

    /// Reads a token; spaces and line ends around it do not count.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?.trim().strip_prefix(MARK)?;
        let json = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        serde_json::from_slice(&json).ok()
    }
}

/// Why no token is given or taken; one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("there are {OUTSTANDING_MAX} tokens already that nobody has used; wait until they expire")]
    TooMany,
    #[error("no such token: it was used, has expired, or is not of this cluster")]
    Unknown,
    #[error("the token is for the node {0}")]
    OtherNode(NodeName),
    #[error("{0}")]
    Fault(#[from] Fault),
}

fn path(id: &str) -> Path {
    Path::new(format!("{PREFIX}{id}"))
}

fn digest(secret: &[u8]) -> String {
    hex::encode(sha256(&[Purpose::JoinToken.label().as_bytes(), &[0], secret]))
}

/// A part of an invitation, and the event of its making, which is still to be appended to the log.
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) secret: SecretText,
    pub(crate) event: outbox::Pending,
}

/// Makes a token for one node.
pub(crate) async fn make(
    vault: &Vault,
    region: &RegionId,
    node: &NodeName,
    valid_secs: i64,
    now: Timestamp,
) -> Result<Made, TokenError> {
    sweep(vault, now).await?;
    let mut tx = vault.writing();
    if tx.paths(PREFIX, None, SCAN_LIMIT_MAX)?.len() >= OUTSTANDING_MAX {
        return Err(TokenError::TooMany);
    }
    let id = hex::encode(rng::array::<ID_BYTES>());
    let secret = SecretText(SecretBytes::random(SECRET_BYTES));
    let expires = Timestamp(now.0.saturating_add(valid_secs));
    let record = TokenRecord { digest: digest(secret.0.expose()), node: node.clone(), expires: expires.0 };
    tx.insert(path(&id), &record)?;
    let (node, until) = (node.as_str(), expires.to_string());
    let parameters = [("Node", node), ("TokenId", id.as_str()), ("Expires", until.as_str())];
    let event = committed(tx, "CreateJoinToken", region, &parameters, now).await?;
    Ok(Made { id, secret, event })
}

/// Finds a token that is good for a node.
fn find(tx: &mut Tx<'_>, (id, secret): (&str, &[u8]), node: &NodeName, now: Timestamp) -> Result<Path, TokenError> {
    if id.len() != 2 * ID_BYTES || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(TokenError::Unknown);
    }
    let path = path(id);
    let record = tx.get::<TokenRecord>(&path)?.ok_or(TokenError::Unknown)?;
    if !ct_eq(record.digest.as_bytes(), digest(secret).as_bytes()) || record.expires <= now.0 {
        return Err(TokenError::Unknown);
    }
    if record.node != *node {
        return Err(TokenError::OtherNode(record.node.clone()));
    }
    Ok(path)
}

/// Whether a token is good for a node. It may have been made at another one a moment ago.
pub(crate) async fn check(
    vault: &Vault,
    token: (&str, &[u8]),
    node: &NodeName,
    now: Timestamp,
) -> Result<(), TokenError> {
    vault.catch_up().await?;
    find(&mut vault.reading(), token, node, now).map(drop)
}

/// Takes a token, which is good for nothing afterwards.
pub(crate) async fn take(
    vault: &Vault,
    region: &RegionId,
    token: (&str, &[u8]),
    node: &NodeName,
    now: Timestamp,
) -> Result<outbox::Pending, TokenError> {
    let mut tx = vault.writing();
    let path = find(&mut tx, token, node, now)?;
    tx.delete::<TokenRecord>(path);
    let parameters = [("Node", node.as_str()), ("TokenId", token.0)];
    committed(tx, "JoinCluster", region, &parameters, now).await
}

/// Whether anybody may come.
pub(crate) fn outstanding(vault: &Vault, now: Timestamp) -> bool {
    let tokens = vault.reading().list::<TokenRecord>(PREFIX, None, SCAN_LIMIT_MAX);
    tokens.is_ok_and(|tokens| tokens.iter().any(|(_, token)| token.expires > now.0))
}

/// Removes tokens that have expired.
pub(crate) async fn sweep(vault: &Vault, now: Timestamp) -> Result<(), Fault> {
    let mut tx = vault.writing();
    for (path, token) in vault.reading().list::<TokenRecord>(PREFIX, None, SCAN_LIMIT_MAX)? {
        if token.expires <= now.0 && tx.get::<TokenRecord>(&path)?.is_some() {
            tx.delete::<TokenRecord>(path);
        }
    }
    if tx.has_writes() {
        // If somebody else has just done it, it is done.
        tx.commit().await?;
    }
    Ok(())
}

pub(super) async fn committed(
    mut tx: Tx<'_>,
    name: &str,
    region: &RegionId,
    parameters: &[(&str, &str)],
    now: Timestamp,
) -> Result<outbox::Pending, TokenError> {
    let act = OperatorAct { name, effect: Effect::Write, region, account: None, parameters, resources: &[] };
    let id = new_request_id();
    let event = outbox::put(&mut tx, &id, operator_event(&act, &id, now))?;
    match tx.commit().await? {
        CommitOutcome::Done => Ok(event),
        CommitOutcome::Conflict => Err(TokenError::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_reads_as_it_was_written(secret in proptest::collection::vec(any::<u8>(), 0..40), id in "[0-9a-f]{16}") {
            let node = NodeName::new("kms-4").unwrap();
            let at = vec![Host { node: node.clone(), address: "10.0.0.1:8445".to_owned() }];
            let secret = SecretText(SecretBytes::new(secret));
            let token = Invitation { id, secret, node, at, authority: "AAAA".to_owned() };
            let text = token.to_text().unwrap();
            let read = Invitation::parse(format!(" {}\n", text.as_str()).as_bytes()).unwrap();
            prop_assert_eq!(read.secret.0.expose(), token.secret.0.expose());
            prop_assert_eq!((read.id, read.authority), (token.id, token.authority));
            prop_assert!(Invitation::parse(&text.as_bytes()[1..]).is_none());
        }

        #[test]
        fn never_panics(text in "(jomae-join-1\\.)?[A-Za-z0-9_-]{0,200}|.{0,50}") {
            let _ = Invitation::parse(text.as_bytes());
        }
    }
}
