//! The provider that is a PKCS#11 token: it wraps the provider's key under an AES key that never leaves it.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_crypto::secret::Key256;
use jomae_hsm::{CallError, Hsm, Phase};

use super::RootKeyError;
use crate::{
    config::{Config, HsmConfig},
    hsm,
};

/// How long a token may take to begin. Without it there is no service, so more than where keys in it only wait.
const WAIT: Duration = Duration::from_mins(1);
/// What the wrapped key is bound to.
const NAME: &str = "root-key";
/// How the parameters of a slot begin.
const SCHEME: &str = "pkcs11$";
/// The longest label of a key, in bytes.
const LABEL_BYTES_MAX: usize = 128;

fn failed(why: impl std::fmt::Display) -> RootKeyError {
    RootKeyError::Token(why.to_string())
}

/// The token of the service, or else one that is begun for this. Its PIN is tried once.
async fn token(config: &Config, begun: Option<&Arc<Hsm>>) -> Result<Arc<Hsm>, RootKeyError> {
    let token = match (begun, &config.hsm) {
        (Some(begun), _) => Arc::clone(begun),
        (None, Some(settings)) => {
            hsm::start(&HsmConfig { workers: 1, ..settings.clone() }, &config.data_dir).map_err(failed)?
        }
        (None, None) => return Err(failed("it is not named: [hsm] in the configuration")),
    };
    let waiting = Arc::clone(&token);
    let status = tokio::task::spawn_blocking(move || waiting.settled(WAIT)).await.map_err(failed)?;
    match status.phase {
        Phase::Up => Ok(token),
        Phase::Down { reason, .. } => Err(failed(reason)),
        Phase::Starting => Err(failed("it has not begun in time")),
    }
}

fn of_call(label: &str) -> impl Fn(CallError) -> RootKeyError {
    let label = label.to_owned();
    move |error| failed(format!("its key {label}: {error}"))
}

/// A new key, wrapped under the key of the token with this label, which is made if it is not there.
pub(super) async fn new_key(
    config: &Config,
    begun: Option<&Arc<Hsm>>,
    label: &str,
) -> Result<(Key256, String), RootKeyError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if label.is_empty() || label.len() > LABEL_BYTES_MAX || !label.bytes().all(plain) {
        return Err(failed("the label of its key has 1 to 128 letters, digits, -, _, . and :"));
    }
    let token = token(config, begun).await?;
    token.wrapping_key(label, true).await.map_err(of_call(label))?;
    let key = Key256::random();
    let wrapped = token.wrap(label, &key, NAME).await.map_err(of_call(label))?;
    Ok((key, format!("{SCHEME}{label}${}", STANDARD.encode(wrapped))))
}

/// The key of a slot.
pub(super) async fn key(config: &Config, begun: Option<&Arc<Hsm>>, params: &str) -> Result<Key256, RootKeyError> {
    let parts = params.strip_prefix(SCHEME).and_then(|rest| rest.split_once('$'));
    let parts = parts.and_then(|(label, wrapped)| Some((label, STANDARD.decode(wrapped).ok()?)));
    let (label, wrapped) = parts.ok_or_else(|| failed("what stands in the slot is not a wrapped key"))?;
    token(config, begun).await?.unwrap(label, &wrapped, NAME).await.map_err(of_call(label))
}

/// The label of a slot's key, to be shown.
pub(crate) fn label(params: &str) -> Option<&str> {
    params.strip_prefix(SCHEME)?.split('$').next()
}
