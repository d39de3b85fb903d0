//! Retries that make nothing twice: a creating call with a `ClientToken` remembers its result for 24 hours.

use jomae_api::{
    action::ActionSpec, actions::params::CLIENT_TOKEN, error::Refusal, limits, param::ParamInfo, time::Timestamp,
    wire::Params,
};
use jomae_crypto::hash::{HashAlg, Hasher};
use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    error::{Error, Fault},
    record::{Marker, path},
    store::Path,
    stored::{Bytes, plain_records},
    tx::{CommitOutcome, Tx, Vault},
};

/// Tokens forgotten in one turn.
const FORGOTTEN_PER_TURN: usize = 50;

/// What a call with a token has given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientTokenRecord {
    /// A hash of all parameters: the same token with others is a mistake.
    parameters: Bytes,
    output: serde_json::Value,
    expires_at: i64,
}

plain_records!(form: 1, bears_rights: false; ClientTokenRecord);

/// The token of a call that has one.
pub struct Token {
    at: Path,
    parameters: Vec<u8>,
}

impl Token {
    /// The token among the parameters, if the action takes one. They have been parsed already.
    pub fn of(spec: &ActionSpec, call: &Call<'_>, params: &Params<'_>) -> Option<Self> {
        let takes = spec.params.iter().any(|used| used.param.name() == CLIENT_TOKEN.name());
        let token = params.given(CLIENT_TOKEN.name()).filter(|_| takes)?;
        let account = call.caller.account().as_str();
        let name = hash(&[account, call.region.as_str(), spec.name, token]);
        let mut parts = Vec::new();
        for used in spec.params.iter().filter(|used| used.param.name() != CLIENT_TOKEN.name()) {
            parts.extend([used.param.name(), params.given(used.param.name()).unwrap_or_default()]);
        }
        Some(Self { at: path::client_token(&hex::encode(name)), parameters: hash(&parts).to_vec() })
    }

    /// The result of the first call with this token.
    pub fn remembered(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Option<serde_json::Value>, Error> {
        let found = tx.get::<ClientTokenRecord>(&self.at)?;
        match found.filter(|record| record.expires_at > now.0) {
            None => Ok(None),
            Some(record) if record.parameters.0 == self.parameters => Ok(Some(record.output.clone())),
            Some(_) => Err(Refusal::ParameterInvalid("ClientToken").into()),
        }
    }

    /// Remembers the result, in the same commit as what the call makes.
    pub fn remember(&self, tx: &mut Tx<'_>, output: &impl Serialize, now: Timestamp) -> Result<(), Fault> {
        let expires_at = now.0 + limits::CLIENT_TOKEN_SECS;
        let output = serde_json::to_value(output).map_err(Fault::internal)?;
        let record = ClientTokenRecord { parameters: Bytes(self.parameters.clone()), output, expires_at };
        tx.put(path::client_token_expiry(expires_at, &self.at), &Marker {})?;
        tx.put(self.at.clone(), &record)
    }
}

/// Forgets tokens whose time is over; tells how many.
pub async fn sweep(vault: &Vault, now: Timestamp) -> Result<usize, Fault> {
    let mut tx = vault.working()?;
    let mut forgotten = 0;
    for at in tx.paths(path::CLIENT_TOKEN_EXPIRIES, None, FORGOTTEN_PER_TURN)? {
        let Some((expires_at, token)) = path::expired_client_token(&at) else { continue };
        if expires_at > now.0 {
            break;
        }
        // A token that was used anew after its time has a later entry of its own.
        if tx.get::<ClientTokenRecord>(&token)?.is_some_and(|record| record.expires_at <= now.0) {
            tx.delete::<ClientTokenRecord>(token);
        }
        tx.delete::<Marker>(at);
        forgotten += 1;
    }
    match tx.commit().await? {
        CommitOutcome::Done => Ok(forgotten),
        CommitOutcome::Conflict => Ok(0),
    }
}

/// A hash of several texts, each with its length.
fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Hasher::new(HashAlg::Sha256);
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finish()
}
