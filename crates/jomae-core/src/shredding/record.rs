//! What is kept of shredding keys: in the store what they are and how far each is, outside of it the keys.

use jomae_api::{action::Effect, names::RegionId, time::Timestamp};
use jomae_crypto::{
    root_slot::{PUBLIC_BYTES, SEALED_BYTES, SlotKey, WRAPPED_BYTES},
    secret::Key256,
    shares::ShareSet,
    shredding::{RECOVERY_SLOT, ShreddingKey, ShreddingKeyId},
};
use serde::{Deserialize, Serialize};

use crate::{
    audit::{
        OperatorAct, operator_event,
        outbox::{self, Pending},
    },
    call::new_request_id,
    error::Fault,
    keyring::Keyring,
    store::Path,
    stored::{Bytes, plain_records},
    tx::{CommitOutcome, Tx, Vault},
};

/// Largest file with a shredding key, in bytes.
pub const FILE_BYTES_MAX: usize = 32 * 1024;
/// The form of these files.
const FILE_FORM: u32 = 1;

// With this record there may be material under a shredding key, which a version of before form 3 could not read.
plain_records!(form: 3, bears_rights: false; ShreddingRecord);

/// All shredding keys of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShreddingRecord {
    /// To whom new shredding keys are sealed, to be recovered. None: no shares were made yet.
    pub recovery: Option<Recovery>,
    /// The set of shares to whom all keys are sealed.
    pub escrowed: Option<String>,
    /// In the order in which they came, destroyed ones too.
    pub keys: Vec<KeyState>,
    /// What stands in the directory for use that all nodes share. None: no node of a cluster has asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_place: Option<String>,
    /// What stands in the directory for recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escrow_place: Option<String>,
}

/// The slot whose key several people have in shares. No secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    pub public: Bytes,
    /// The secret half, wrapped under the key that the shares give.
    pub wrapped: Bytes,
    /// The line of [`ShareSet`].
    pub set: String,
}

/// How far a shredding key is. Moments are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyState {
    #[serde(with = "text")]
    pub id: ShreddingKeyId,
    pub made: i64,
    /// Since when no record needs it: only what was made of the store before.
    pub retired: Option<i64>,
    pub destroyed: Option<i64>,
}

impl KeyState {
    pub const fn is_there(&self) -> bool {
        self.destroyed.is_none()
    }
}

mod text {
    use super::ShreddingKeyId;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
    pub fn serialize<S: Serializer>(id: &ShreddingKeyId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ShreddingKeyId, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        ShreddingKeyId::from_text(&text).ok_or_else(|| D::Error::custom("not the ID of a shredding key"))
    }
}

/// Where the record stands.
pub fn path() -> Path {
    Path::new("sys/shredding")
}

/// What the store says.
pub fn read(tx: &mut Tx<'_>) -> Result<Option<ShreddingRecord>, Fault> {
    Ok(tx.get::<ShreddingRecord>(&path())?.map(|record| (*record).clone()))
}

impl ShreddingRecord {
    /// A key of the record.
    pub fn find(&self, id: ShreddingKeyId) -> Option<&KeyState> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The key under which new material goes, or went when there was one.
    pub fn newest(&self) -> Option<ShreddingKeyId> {
        self.keys.iter().rfind(|key| key.is_there() && key.retired.is_none()).map(|key| key.id)
    }

    /// The slot of shares to which not all keys are sealed yet.
    pub fn pending(&self) -> Option<&Recovery> {
        self.recovery.as_ref().filter(|new| self.escrowed.as_ref() != Some(&new.set))
    }

    /// Changes the record, if it is still this one, in one commit with an event. Only the node does that which does the work that is
    /// done once. None: it is another one.
    pub async fn change(
        &self,
        vault: &Vault,
        region: &RegionId,
        event: (&str, &[(&str, &str)]),
        now: Timestamp,
        change: impl FnOnce(&mut Self),
    ) -> Result<Option<Pending>, Fault> {
        self.change_in(vault.working()?, region, event, now, change).await
    }

    /// As [`ShreddingRecord::change`], for what any node may do.
    pub async fn change_anywhere(
        &self,
        vault: &Vault,
        region: &RegionId,
        event: (&str, &[(&str, &str)]),
        now: Timestamp,
        change: impl FnOnce(&mut Self),
    ) -> Result<Option<Pending>, Fault> {
        self.change_in(vault.writing(), region, event, now, change).await
    }

    async fn change_in(
        &self,
        mut tx: Tx<'_>,
        region: &RegionId,
        event: (&str, &[(&str, &str)]),
        now: Timestamp,
        change: impl FnOnce(&mut Self),
    ) -> Result<Option<Pending>, Fault> {
        if read(&mut tx)?.unwrap_or_default() != *self {
            return Ok(None);
        }
        let mut changed = self.clone();
        change(&mut changed);
        tx.put(path(), &changed)?;
        let (name, parameters) = event;
        let act = OperatorAct { name, effect: Effect::Write, region, account: None, parameters, resources: &[] };
        let id = new_request_id();
        let pending = outbox::put(&mut tx, &id, operator_event(&act, &id, now))?;
        Ok((tx.commit().await? == CommitOutcome::Done).then_some(pending))
    }
}

/// Why the shares of recovery cannot be taken into use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the public half of what shares open")]
pub struct NoRecovery;

impl Recovery {
    /// What is to be stored for a key of which shares were made.
    ///
    /// # Errors
    /// The library makes no key pair.
    pub fn of(key: &Key256, set: &ShareSet) -> Result<Self, Fault> {
        let (slot, public) = SlotKey::random().map_err(Fault::internal)?;
        let wrapped = slot.wrap(key, RECOVERY_SLOT).map_err(Fault::internal)?;
        Ok(Self { public: Bytes(public), wrapped: Bytes(wrapped), set: set.to_line() })
    }

    /// Whether it has the shape of one.
    ///
    /// # Errors
    /// It has not.
    pub fn check(&self) -> Result<ShareSet, NoRecovery> {
        let fits = self.public.0.len() == PUBLIC_BYTES && self.wrapped.0.len() == WRAPPED_BYTES;
        ShareSet::from_line(&self.set).filter(|_| fits).ok_or(NoRecovery)
    }
}

/// A shredding key as it is kept for use: only who can open the store has it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    form: u32,
    #[serde(with = "text")]
    pub id: ShreddingKeyId,
    pub made: i64,
    /// Sealed under a domain key.
    key: Bytes,
}

/// A shredding key as it is kept for recovery: only who has enough shares has it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscrowFile {
    form: u32,
    #[serde(with = "text")]
    pub id: ShreddingKeyId,
    pub made: i64,
    /// The secret half of the slot, wrapped under the key that the shares give.
    wrapped: Bytes,
    /// By what the shares are known: the line of [`ShareSet`].
    pub set: String,
    /// Sealed to the public half.
    key: Bytes,
}

/// Why a file does not give a shredding key; one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    #[error("it is not the file of a shredding key, or is damaged")]
    NotAKey,
    #[error("it was written by a newer version, in form {0}; this one reads {FILE_FORM}")]
    Newer(u32),
    #[error("it does not open: it belongs to another store, or is damaged")]
    DoesNotOpen,
}

fn parse<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, KeyFileError> {
    #[derive(Deserialize)]
    struct Form {
        form: u32,
    }
    if bytes.len() > FILE_BYTES_MAX {
        return Err(KeyFileError::NotAKey);
    }
    let Form { form } = serde_json::from_slice(bytes).map_err(|_| KeyFileError::NotAKey)?;
    if form != FILE_FORM {
        return Err(KeyFileError::Newer(form));
    }
    serde_json::from_slice(bytes).map_err(|_| KeyFileError::NotAKey)
}

impl KeyFile {
    /// The file of a key.
    pub fn of(key: &ShreddingKey, made: i64, keyring: &Keyring) -> Result<Self, Fault> {
        let sealed = keyring.seal_with(|domain| key.seal(domain))?;
        Ok(Self { form: FILE_FORM, id: key.id(), made, key: Bytes(sealed) })
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(Fault::internal)
    }

    /// Reads a file of at most [`FILE_BYTES_MAX`].
    ///
    /// # Errors
    /// It is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyFileError> {
        parse(bytes)
    }

    /// The key.
    ///
    /// # Errors
    /// That of another store, or damage.
    pub fn open(&self, keyring: &Keyring) -> Result<ShreddingKey, KeyFileError> {
        let opened = keyring.open_with(&self.key.0, |domain, sealed| ShreddingKey::open(self.id, domain, sealed));
        opened.map_err(|_| KeyFileError::DoesNotOpen)
    }
}

impl EscrowFile {
    /// The file of a key.
    pub fn of(key: &ShreddingKey, made: i64, recovery: &Recovery) -> Result<Self, Fault> {
        let sealed = key.seal_for_recovery(&recovery.public.0).map_err(Fault::internal)?;
        let (wrapped, set) = (recovery.wrapped.clone(), recovery.set.clone());
        Ok(Self { form: FILE_FORM, id: key.id(), made, wrapped, set, key: Bytes(sealed) })
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(Fault::internal)
    }

    /// Reads a file of at most [`FILE_BYTES_MAX`].
    ///
    /// # Errors
    /// It is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyFileError> {
        let file: Self = parse(bytes)?;
        let fits = file.wrapped.0.len() == WRAPPED_BYTES && file.key.0.len() == SEALED_BYTES;
        if fits { Ok(file) } else { Err(KeyFileError::NotAKey) }
    }

    /// The key, with the one that the shares give.
    ///
    /// # Errors
    /// The shares are others, or damage.
    pub fn open(&self, shared: &Key256) -> Result<ShreddingKey, KeyFileError> {
        let slot = SlotKey::unwrap(shared, RECOVERY_SLOT, &self.wrapped.0).map_err(|_| KeyFileError::DoesNotOpen)?;
        ShreddingKey::recover(self.id, &slot, &self.key.0).map_err(|_| KeyFileError::DoesNotOpen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jomae_crypto::shares;
    use proptest::prelude::*;

    fn escrow() -> (EscrowFile, Key256) {
        let shared = Key256::random();
        let (set, _) = shares::split(&shared, 2, 3).unwrap();
        let recovery = Recovery::of(&shared, &set).unwrap();
        assert_eq!(recovery.check().unwrap(), set);
        let key = ShreddingKey::random(ShreddingKeyId::from_text("2026-11-00000001").unwrap()).unwrap();
        (EscrowFile::of(&key, 7, &recovery).unwrap(), shared)
    }

    #[test]
    fn an_escrow_opens_with_its_shares_only() {
        let (file, shared) = escrow();
        let again = EscrowFile::from_bytes(&file.to_bytes().unwrap()).unwrap();
        assert_eq!(again, file);
        assert!(again.open(&shared).is_ok());
        assert_eq!(again.open(&Key256::random()).err(), Some(KeyFileError::DoesNotOpen));
        let renamed = EscrowFile { id: ShreddingKeyId::from_text("2026-11-00000002").unwrap(), ..again };
        assert_eq!(renamed.open(&shared).err(), Some(KeyFileError::DoesNotOpen));
        let newer = EscrowFile { form: 2, ..file };
        assert_eq!(EscrowFile::from_bytes(&newer.to_bytes().unwrap()), Err(KeyFileError::Newer(2)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(KeyFile::from_bytes(&bytes).is_err() && EscrowFile::from_bytes(&bytes).is_err());
        }

        #[test]
        fn no_damage_panics(at in 0..4000_usize, byte: u8) {
            let (file, shared) = escrow();
            let mut bytes = file.to_bytes().unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(read) = EscrowFile::from_bytes(&bytes) {
                prop_assert!(read.open(&shared).is_err() || (&read.id, &read.set) != (&file.id, &file.set) || read.key == file.key);
            }
        }
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        assert_eq!(KeyFile::from_bytes(&vec![b' '; FILE_BYTES_MAX + 1]), Err(KeyFileError::NotAKey));
    }
}
