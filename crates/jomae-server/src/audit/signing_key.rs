//! The key that signs checkpoints and receipts: a sealed record of the store.
//!
//! Every log has a key of its own. If the directory of a log was moved away and a new log begins, it gets a new key,
//! and the old one is kept: whoever puts the old directory back can go on with it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_api::time::Timestamp;
use jomae_core::{
    error::Fault,
    record::Record,
    store::Path,
    tlog::{Checkpoint, Signer, TlogError},
    tx::{Outcome, Vault},
};
use jomae_crypto::{
    asym::{AsymSpec, PrivateKey},
    rng,
    secret::SecretBytes,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroizing;

/// Where the keys stand.
const PATH: &str = "sys/audit-key";
/// Room for a record, so that no copy of it is left behind while it grows, in bytes.
const RECORD_BYTES: usize = 64 * 1024;

/// The keys of all logs that there have been, oldest first.
#[derive(Default, Serialize, Deserialize)]
struct KeysRecord {
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    /// Name of the key, and origin of its log.
    name: String,
    created: i64,
    /// Whether its log has a checkpoint.
    begun: bool,
    private: PrivateText,
}

/// DER PKCS#8 of the private key, as Base64 text.
struct PrivateText(SecretBytes);

impl Serialize for PrivateText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(self.0.expose())))
    }
}

impl<'de> Deserialize<'de> for PrivateText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&'de str>::deserialize(deserializer)?;
        // The cause would hold a character of the text.
        let bytes = STANDARD.decode(text).map_err(|_| D::Error::custom("not Base64"))?;
        Ok(Self(SecretBytes::new(bytes)))
    }
}

impl Record for KeysRecord {
    fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = Vec::with_capacity(RECORD_BYTES);
        serde_json::to_writer(&mut bytes, self)?;
        Ok(bytes)
    }
}

impl StoredKey {
    fn signer(&self) -> Result<Signer, Fault> {
        let key = PrivateKey::from_pkcs8(AsymSpec::Ed25519, self.private.0.expose()).map_err(Fault::internal)?;
        Signer::new(&self.name, key).map_err(Fault::internal)
    }

    fn copy(&self) -> Self {
        Self {
            name: self.name.clone(),
            created: self.created,
            begun: self.begun,
            private: PrivateText(SecretBytes::new(self.private.0.expose().to_vec())),
        }
    }
}

/// Why there is no key for a log.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("{0}")]
    Origin(TlogError),
    #[error("{0}")]
    Fault(#[from] Fault),
    /// The log has events; its key has signed checkpoints; and none is there.
    #[error("the checkpoints are gone")]
    NoCheckpoint,
    #[error("{0}")]
    Foreign(TlogError),
}

/// What is in the directory that needs a key.
pub(super) struct Found<'a> {
    /// Whether there is a log at all.
    pub log: bool,
    /// Its newest checkpoint.
    pub newest_note: Option<&'a str>,
}

/// The key of the log that was found, or a new one for a log that begins. `origin` is what the operator wants a new
/// key to be called.
pub(super) async fn load_or_create(
    vault: &Vault,
    origin: Option<&str>,
    found: &Found<'_>,
    now: Timestamp,
) -> Result<Signer, KeyError> {
    let mut tx = vault.writing();
    let stored = tx.get::<KeysRecord>(&Path::new(PATH))?;
    let keys = stored.as_ref().map_or(&[][..], |record| &record.keys);
    if let Some(note) = found.newest_note {
        let mut why = TlogError::Unsigned;
        for key in keys {
            let signer = key.signer()?;
            match Checkpoint::open(note, signer.verifier()) {
                Ok(_) => return Ok(warn_of_name(signer, origin)),
                Err(error) => why = error,
            }
        }
        return Err(KeyError::Foreign(why));
    }
    if let Some(last) = keys.last() {
        if last.begun && found.log {
            return Err(KeyError::NoCheckpoint);
        }
        if !last.begun && origin.is_none_or(|origin| origin == last.name) {
            return Ok(last.signer()?);
        }
        if last.begun {
            tracing::warn!(before = last.name, "the audit log's directory is empty: a new log begins, with a new key");
        }
    }
    let name = origin.map_or_else(|| format!("jomae-{:08x}", u32::from_be_bytes(rng::array())), str::to_owned);
    let private = PrivateKey::generate(AsymSpec::Ed25519).map_err(Fault::internal)?;
    let pkcs8 = private.to_pkcs8().map_err(Fault::internal)?;
    let signer = Signer::new(&name, private).map_err(KeyError::Origin)?;
    // A key that never signed anything is of no use.
    let mut record = KeysRecord { keys: keys.iter().filter(|key| key.begun).map(StoredKey::copy).collect() };
    record.keys.push(StoredKey { name, created: now.0, begun: false, private: PrivateText(pkcs8) });
    tx.put(Path::new(PATH), &record)?;
    done(tx.commit().await?)?;
    Ok(signer)
}

fn warn_of_name(signer: Signer, origin: Option<&str>) -> Signer {
    if let Some(origin) = origin.filter(|origin| *origin != signer.name()) {
        tracing::warn!(origin, name = signer.name(), "audit.origin names new logs only; this one keeps its name");
    }
    signer
}

fn done(outcome: Outcome) -> Result<(), Fault> {
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Conflict => Err(Fault::unavailable("another process has just changed the audit log's key")),
    }
}

/// Notes that the log of this key has a checkpoint: from now on a log without one is not taken for a new one.
pub(super) async fn mark_begun(vault: &Vault, signer: &Signer) -> Result<(), Fault> {
    let mut tx = vault.writing();
    let Some(stored) = tx.get::<KeysRecord>(&Path::new(PATH))? else { return Ok(()) };
    let mut record = KeysRecord { keys: stored.keys.iter().map(StoredKey::copy).collect() };
    let ours = |key: &StoredKey| key.signer().is_ok_and(|of_key| of_key.verifier() == signer.verifier());
    let Some(key) = record.keys.iter_mut().find(|key| !key.begun && ours(key)) else { return Ok(()) };
    key.begun = true;
    tx.put(Path::new(PATH), &record)?;
    done(tx.commit().await?)
}
