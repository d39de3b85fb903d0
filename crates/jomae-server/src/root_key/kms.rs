//! The provider that is another KMS: it decrypts the provider's key, and can refuse to.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_api::param::EncryptionContext;
use jomae_client::{
    api::{Client, Settings},
    file::KeysError,
};
use jomae_crypto::secret::{Key256, SecretBytes};
use zeroize::Zeroizing;

use super::{RootKeyError, local};
use crate::config::{Config, RootKeyKms};

/// Largest file of credentials, in bytes.
const CREDENTIALS_BYTES_MAX: usize = 64 * 1024;
/// What the ciphertext is for, as the other KMS logs it.
const CONTEXT: (&str, &str) = ("jomae", "root-key");

fn settings(config: &Config) -> Result<(&RootKeyKms, Client), RootKeyError> {
    let kms = config.root_key.kms.as_ref();
    let kms =
        kms.ok_or_else(|| RootKeyError::Kms("it is not named: [root_key.kms] in the configuration".to_owned()))?;
    let content = local::read_configured(&kms.credentials_file, CREDENTIALS_BYTES_MAX)?;
    let text = Zeroizing::new(String::from_utf8_lossy(&content).into_owned());
    let of = |name: &str| {
        let lines = text.lines().map(|line| line.trim().trim_start_matches("export "));
        let value = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).next_back();
        value.map(|value| value.trim_matches(['\'', '"'])).filter(|value| !value.is_empty())
    };
    let needed = |name: &str| {
        of(name).ok_or_else(|| RootKeyError::Kms(format!("{} has no {name}", kms.credentials_file.display())))
    };
    let client = Client::new(Settings {
        endpoint: kms.endpoint.clone(),
        ca_file: kms.ca_file.as_ref().map(|path| path.display().to_string()),
        region: kms.region.clone(),
        access_key_id: needed("ALIBABA_CLOUD_ACCESS_KEY_ID")?.to_owned(),
        access_key_secret: SecretBytes::new(needed("ALIBABA_CLOUD_ACCESS_KEY_SECRET")?.as_bytes().to_vec()),
        security_token: of("ALIBABA_CLOUD_SECURITY_TOKEN").map(str::to_owned),
    });
    Ok((kms, client.map_err(|error| RootKeyError::Kms(error.to_string()))?))
}

fn context() -> EncryptionContext {
    let (name, value) = CONTEXT;
    [(name.to_owned(), value.to_owned())].into_iter().collect()
}

fn failed(kms: &RootKeyKms) -> impl Fn(KeysError) -> RootKeyError {
    let endpoint = kms.endpoint.clone();
    move |error| RootKeyError::Kms(format!("{endpoint}: {error}"))
}

/// A new key, and its ciphertext under the other KMS.
pub(super) async fn new_key(config: &Config) -> Result<(Key256, String), RootKeyError> {
    let (kms, client) = settings(config)?;
    let key = Key256::random();
    let blob = client.encrypt(&kms.key_id, &context(), key.expose()).await.map_err(failed(kms))?;
    Ok((key, STANDARD.encode(blob)))
}

/// The key of a slot: what the other KMS makes of its ciphertext.
pub(super) async fn key(config: &Config, params: &str) -> Result<Key256, RootKeyError> {
    let (kms, client) = settings(config)?;
    let unusable = || RootKeyError::Kms("what stands in the slot is not a ciphertext of a key".to_owned());
    let blob = STANDARD.decode(params).map_err(|_| unusable())?;
    let plain = client.decrypt(&blob, &context()).await.map_err(failed(kms))?;
    Key256::from_slice(plain.expose()).ok_or_else(unusable)
}
