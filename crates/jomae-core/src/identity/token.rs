//! Security tokens: what a role session is, sealed so that any node verifies it without a look-up.
//!
//! A token holds the session and the secret of its access key, as one message sealed under a domain key: the session in
//! the form of Postcard, which names no members (the token travels with each call, and is hashed with it), and behind it
//! the secret. Nothing is stored when a role is assumed. What can be taken away
//! (the role, its policies, its trust) is looked at with every call, in the records that every node has: a session dies
//! with its role in [`crate::access::rights`].

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_api::{names::AccountId, policy::Form};
use jomae_crypto::{purpose::Purpose, sealed, secret::SecretBytes};
use serde::{Deserialize, Serialize};

use crate::{error::Fault, keyring::Keyring, policy::Compiled, stored::Derived};

/// Longest token that is opened, in characters; the header in which it travels ends there.
const TOKEN_CHARS_MAX: usize = 8192;

/// A role that somebody has assumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub access_key_id: String,
    /// The account of the role.
    pub account: AccountId,
    pub role_id: String,
    pub role_name: String,
    pub session_name: String,
    /// Unix seconds.
    pub created: i64,
    /// Unix seconds.
    pub expires: i64,
    /// The session policy, as its text.
    pub policy: Option<String>,
    #[serde(skip)]
    pub policy_in_memory: Derived<Arc<Compiled>>,
    pub source_identity: Option<String>,
    /// How often the role's trust had changed when the role was assumed.
    pub trust_epoch: u64,
    pub trusted: Trusted,
}

impl Session {
    /// The session policy, ready to be asked.
    pub fn compiled_policy(&self) -> Result<Option<Arc<Compiled>>, Fault> {
        let compiled =
            |text: &String| self.policy_in_memory.or_find(|| Compiled::of_stored(text, Form::Session)).cloned();
        self.policy.as_ref().map(compiled).transpose()
    }
}

/// Whom the role trusted, and what its trust policy could ask: if the policy changes, it is asked again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    pub who: TrustedPrincipal,
    pub source_ip: String,
    pub external_id: Option<String>,
    /// Of an OIDC token.
    pub issuer: Option<String>,
    pub audience: Option<String>,
    pub subject: Option<String>,
}

/// A principal that a trust policy can name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrustedPrincipal {
    User { account: AccountId, name: String },
    Role { account: AccountId, name: String },
    Federated { provider_arn: String },
}

/// Seals a session with the secret of its access key.
pub fn seal(keyring: &Keyring, session: &Session, secret: &SecretBytes) -> Result<String, Fault> {
    let session = postcard::to_allocvec(session).map_err(Fault::internal)?;
    let mut plain = Vec::with_capacity(session.len() + secret.len());
    plain.extend_from_slice(&session);
    plain.extend_from_slice(secret.expose());
    let plain = SecretBytes::new(plain);
    let sealed = keyring.seal_with(|domain| sealed::seal(domain, Purpose::SecurityToken, &[], &[], plain.expose()))?;
    Ok(URL_SAFE_NO_PAD.encode(sealed))
}

/// Opens a token. `None` for whatever is not one of ours, or has been changed.
pub fn open(keyring: &Keyring, token: &str) -> Option<(Session, SecretBytes)> {
    if token.len() > TOKEN_CHARS_MAX {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
    let plain = keyring
        .open_with(&sealed, |domain, message| sealed::open(domain, Purpose::SecurityToken, &[], &[], message))
        .ok()?;
    let (session, secret) = postcard::take_from_bytes(plain.expose()).ok()?;
    Some((session, SecretBytes::new(secret.to_vec())))
}
