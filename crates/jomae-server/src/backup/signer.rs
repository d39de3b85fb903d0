//! The key that signs backups: a sealed record of the store.
//!
//! One for all nodes, for which slots of the root key vouch ([`Opener::vouched`](jomae_core::root::Opener::vouched)): so whoever
//! comes with shares or a key file, and nothing else, knows a backup of this deployment from any other. A new audit log, which an
//! operator begins after a theft, begins with a new key of backups, too.

use jomae_api::time::Timestamp;
use jomae_core::{
    error::Fault,
    form,
    root::{self, ChangeError, Slots},
    store::Path,
    stored::{Record, plain_records},
    tx::{CommitOutcome, Tx, Vault},
};
use jomae_crypto::{
    asym::{AsymSpec, PrivateKey},
    rng,
};
use jomae_log::Signer;
use serde::{Deserialize, Serialize};

use crate::{audit::signer_of, root_key::Holder, secret_text::SecretText};

const PATH: &str = "sys/backup-key";
/// Room for a record, so that no copy of it is left behind while it grows, in bytes.
const RECORD_BYTES: usize = 1024;
/// Changes of the record by other nodes that are waited out.
const ATTEMPTS_MAX: u32 = 8;

plain_records!(form: 5, bears_rights: false, room: RECORD_BYTES; SignerRecord);

#[derive(Serialize, Deserialize)]
struct SignerRecord {
    name: String,
    /// In Unix seconds.
    created: i64,
    private: SecretText,
}

impl SignerRecord {
    fn signer(&self) -> Result<Signer, Fault> {
        signer_of(&self.name, &self.private)
    }
}

fn path() -> Path {
    Path::new(PATH)
}

/// The key that backups are signed with, if there is one.
pub(crate) fn signer(vault: &Vault) -> Result<Option<Signer>, Fault> {
    let stored = vault.reading().get::<SignerRecord>(&path())?;
    stored.as_deref().map(SignerRecord::signer).transpose()
}

/// The same, made if there is none. None while older versions run beside this one.
pub(crate) async fn signer_or_new(vault: &Vault, now: Timestamp) -> Result<Option<Signer>, Fault> {
    let is_readable = match vault.cluster() {
        Some(cluster) => cluster.may_write(SignerRecord::FORM).is_ok(),
        None => form::floor(vault)? >= SignerRecord::FORM,
    };
    for _ in 0..ATTEMPTS_MAX {
        let mut tx = vault.writing();
        if let Some(stored) = tx.get::<SignerRecord>(&path())? {
            return stored.signer().map(Some);
        }
        if !is_readable {
            return Ok(None);
        }
        let key = PrivateKey::generate(AsymSpec::Ed25519).map_err(Fault::internal)?;
        let private = SecretText(key.to_pkcs8().map_err(Fault::internal)?);
        let name = format!("jomae-backup-{:08x}", u32::from_be_bytes(rng::array()));
        let record = SignerRecord { name, created: now.0, private };
        tx.put(path(), &record)?;
        if tx.commit().await? == CommitOutcome::Done {
            return record.signer().map(Some);
        }
        vault.catch_up().await?;
    }
    Err(Fault::unavailable("the key of backups changes all the time"))
}

/// As [`signer_or_new`], and has the slot by which this process came in vouch for it. Gives the slots too that do so no more.
pub(crate) async fn vouched_signer(
    vault: &Vault,
    holder: &Holder,
    now: Timestamp,
) -> Result<(Option<Signer>, Vec<String>), ChangeError> {
    let Some(signer) = signer_or_new(vault, now).await? else { return Ok((None, Vec::new())) };
    let key = signer.verifier().to_string();
    let dropped = match holder {
        Holder::Slot(opener) => root::vouch(vault, opener, &key).await?,
        // There may be slots since it came in.
        Holder::Direct(direct) => match Slots::read(vault.store())?.and_then(|slots| direct.opener(&slots)) {
            Some(opener) => root::vouch(vault, &opener, &key).await?,
            None => Vec::new(),
        },
    };
    Ok((Some(signer), dropped))
}

/// What an operator is to know of slots that vouch no more.
pub(crate) fn told_of(dropped: &[String]) -> Option<String> {
    let slots = dropped.join(", ");
    (!dropped.is_empty()).then(|| {
        format!(
            "backups are signed with a new key, for which these slots of the root key do not vouch: {slots}. Whoever restores with \
             one of them needs the public key of the audit log; add them anew with jomae root"
        )
    })
}

/// Has the next backup signed with a new key.
pub(crate) fn forget(tx: &mut Tx<'_>) -> Result<(), Fault> {
    if tx.get::<SignerRecord>(&path())?.is_some() {
        tx.delete::<SignerRecord>(path());
    }
    Ok(())
}
