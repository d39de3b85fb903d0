//! Slots of the root key: which providers open a store, and how that is changed.
//!
//! The root key is random, and stands nowhere by itself. Each slot gives it to whoever has the key of one provider, such as
//! a key file or a token ([`jomae_crypto::root_slot`]). All slots are one entry of the store, which the root key vouches
//! for; like the domain keys, it is not sealed as records are, since it is read before anything can be opened.
//!
//! A store of before slots has no such entry: the key of its one provider is the root key. The first change of its slots
//! gives it one.

mod beside;

use jomae_api::{action::Effect, names::RegionId, time::Timestamp};
use jomae_crypto::{
    root::RootMaterial,
    root_slot::{self, SlotKey, VouchingKey},
    secret::Key256,
};
use serde::{Deserialize, Serialize};

use crate::{
    audit::{OperatorAct, operator_event, outbox},
    call::new_request_id,
    error::Fault,
    form,
    keyring::{DOMAIN_PREFIX, RootKey as _, WrongRootKey, domain_path},
    store::{COMMIT_ITEMS_MAX, Commit, Committed, Path, SCAN_LIMIT_MAX, Store, Write},
    stored::Bytes,
    tx::{CommitOutcome, Vault},
};

pub use beside::{BESIDE_PREFIX, MARK, path_beside, settle};

/// Where the slots stand.
pub const PATH: &str = "sys/root";
/// Most slots of one store.
pub const SLOTS_MAX: usize = 8;
/// Longest name of a slot, in bytes.
pub const NAME_BYTES_MAX: usize = 32;
/// Longest parameters of a provider, in bytes.
pub const PARAMS_BYTES_MAX: usize = 8 * 1024;
/// Largest entry that is read, in bytes.
pub const BYTES_MAX: usize = 192 * 1024;
/// Paths in the commit that changes the root key, beside the domain keys: slots, event, mark, and that there are no more.
const BESIDES: usize = 4;
/// The stored form with which slots came, and that with which they vouch for something.
const FORM: u32 = 2;
const VOUCHING_FORM: u32 = 5;
/// Providers whose key nobody chooses who only writes the parameters of a slot. Another KMS is none of them: its key is whatever
/// a ciphertext says that anybody has made who may encrypt there, so a voucher under it says nothing.
const VOUCHING: [&str; 4] = ["file", "passphrase", "shares", "pkcs11"];
/// Changes of the slots by others that are waited out.
const ATTEMPTS_MAX: u32 = 8;

/// Whether an entry stands under the root key itself, not under a domain key.
pub fn is_bare(path: &str) -> bool {
    path == PATH || path.starts_with(DOMAIN_PREFIX) || path.starts_with(BESIDE_PREFIX)
}

/// One way to the root key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Of 1 to [`NAME_BYTES_MAX`] letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The kind of its provider. One that this version does not know is left as it is.
    pub provider: String,
    /// What the provider needs to find its key again. No secret.
    pub params: String,
    /// When it was made, in Unix seconds.
    pub made: i64,
    public: Bytes,
    wrapped: Bytes,
    root: Bytes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    voucher: Option<Voucher>,
}

/// What a slot says of the key that backups are signed with ([`VouchingKey`]).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Voucher {
    key: String,
    seal: Bytes,
}

impl Voucher {
    fn make(by: &VouchingKey, slot: &str, key: &str) -> Result<Self, Fault> {
        Ok(Self { key: key.to_owned(), seal: Bytes(by.vouch(slot, key).map_err(Fault::internal)?) })
    }
}

impl Slot {
    /// Opens it with the key of its provider; none if that is another key.
    pub fn open(&self, provider: &Key256) -> Option<Opener> {
        let key = SlotKey::unwrap(provider, &self.name, &self.wrapped.0).ok()?;
        Some(Opener { name: self.name.clone(), key, vouching: vouching(&self.provider, provider).ok()? })
    }

    /// Whether it says that backups are signed with this key. Whether that is so knows who opens it ([`Opener::vouched`]).
    pub fn names_backup_key(&self, key: &str) -> bool {
        self.voucher.as_ref().is_some_and(|voucher| voucher.key == key)
    }
}

/// What vouches for something in a slot of this provider; none: nothing can.
fn vouching(provider: &str, key: &Key256) -> Result<Option<VouchingKey>, Fault> {
    VOUCHING.contains(&provider).then(|| VouchingKey::of(key)).transpose().map_err(Fault::internal)
}

/// A slot to be made.
pub struct NewSlot<'k> {
    pub name: &'k str,
    pub provider: &'k str,
    pub params: &'k str,
    /// The key of the provider.
    pub key: &'k Key256,
}

impl NewSlot<'_> {
    /// `backup_key`: what it vouches for.
    fn make(
        &self,
        root: &RootMaterial,
        backup_key: Option<&str>,
        now: Timestamp,
    ) -> Result<(Slot, Opener), ChangeError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX || !self.name.bytes().all(is_plain) {
            return Err(ChangeError::Name);
        }
        if self.params.len() > PARAMS_BYTES_MAX {
            return Err(ChangeError::Params);
        }
        let (key, public) = SlotKey::random().map_err(Fault::internal)?;
        let vouching = vouching(self.provider, self.key)?;
        let voucher =
            vouching.as_ref().zip(backup_key).map(|(by, key)| Voucher::make(by, self.name, key)).transpose()?;
        let slot = Slot {
            name: self.name.to_owned(),
            provider: self.provider.to_owned(),
            params: self.params.to_owned(),
            made: now.0,
            wrapped: Bytes(key.wrap(self.key, self.name).map_err(Fault::internal)?),
            root: Bytes(root_slot::seal_to(&public, self.name, root).map_err(Fault::internal)?),
            public: Bytes(public),
            voucher,
        };
        Ok((slot, Opener { name: self.name.to_owned(), key, vouching }))
    }
}

/// What opens one slot: today's root key, and every later one.
pub struct Opener {
    name: String,
    key: SlotKey,
    vouching: Option<VouchingKey>,
}

impl Opener {
    /// The slot that it opens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The root key, if it vouches for the slots.
    ///
    /// # Errors
    /// The slot is gone or made anew, or something of the entry is damaged or forged.
    pub fn root(&self, slots: &Slots) -> Result<RootMaterial, WrongRootKey> {
        let slot = slots.slots().iter().find(|slot| slot.name == self.name).ok_or(WrongRootKey)?;
        let root = self.key.open(&slot.name, &slot.root.0).map_err(|_| WrongRootKey)?;
        root_slot::check_list(&root, slots.stored.list.as_bytes(), &slots.stored.seal.0).map_err(|_| WrongRootKey)?;
        Ok(root)
    }

    /// The key of backups that its slot vouches for, if it does: whoever had the key of the provider knew it as that of this
    /// deployment.
    pub fn vouched<'s>(&self, slots: &'s Slots) -> Option<&'s str> {
        let slot = slots.slots().iter().find(|slot| slot.name == self.name)?;
        let voucher = slot.voucher.as_ref()?;
        self.vouching.as_ref()?.check(&self.name, &voucher.key, &voucher.seal.0).ok()?;
        Some(&voucher.key)
    }
}

/// As it is stored: the list as the text that was sealed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    list: String,
    seal: Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    root_id: String,
    slots: Vec<Slot>,
}

/// The slots of a store. They are trusted once an [`Opener`] has found its root key in them.
#[derive(Debug)]
pub struct Slots {
    stored: Stored,
    list: List,
}

/// These are no slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list of slots of the root key is damaged, or of a newer version")]
pub struct Unreadable;

impl Slots {
    /// Those of a store; none if it has a root key without slots, or none at all.
    pub fn read(store: &dyn Store) -> Result<Option<Self>, Fault> {
        let entry = store.get(PATH)?;
        entry.map(|entry| Self::from_bytes(&entry.value).map_err(Fault::internal)).transpose()
    }

    /// As they stand in a store.
    ///
    /// # Errors
    /// Longer than [`BYTES_MAX`], or not of their form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() > BYTES_MAX {
            return Err(Unreadable);
        }
        let stored: Stored = serde_json::from_slice(bytes).map_err(|_| Unreadable)?;
        let list: List = serde_json::from_str(&stored.list).map_err(|_| Unreadable)?;
        if list.slots.is_empty() || list.slots.len() > SLOTS_MAX {
            return Err(Unreadable);
        }
        Ok(Self { stored, list })
    }

    /// As they are stored.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(&self.stored).map_err(Fault::internal)
    }

    fn made(root: &RootMaterial, slots: Vec<Slot>) -> Result<Self, Fault> {
        let list = List { root_id: root.id(), slots };
        let text = serde_json::to_string(&list).map_err(Fault::internal)?;
        let seal = Bytes(root_slot::seal_list(root, text.as_bytes()).map_err(Fault::internal)?);
        Ok(Self { stored: Stored { list: text, seal }, list })
    }

    /// By what the root key is told from others.
    pub fn root_id(&self) -> &str {
        &self.list.root_id
    }

    pub fn slots(&self) -> &[Slot] {
        &self.list.slots
    }

    /// Whether one of them says that backups are signed with another key than this.
    pub fn name_other_backup_key(&self, key: Option<&str>) -> bool {
        let vouchers = self.slots().iter().filter_map(|slot| slot.voucher.as_ref());
        vouchers.map(|voucher| voucher.key.as_str()).any(|named| key != Some(named))
    }
}

/// Why the slots were not changed; one line.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("a slot has a name of 1 to {NAME_BYTES_MAX} letters, digits, -, _ and .")]
    Name,
    #[error("the parameters of the provider are longer than {PARAMS_BYTES_MAX} bytes")]
    Params,
    #[error("there is a slot {0} already")]
    Taken(String),
    #[error("there is no slot {0}")]
    NoSlot(String),
    #[error("a store has {SLOTS_MAX} slots at most")]
    TooMany,
    #[error("{0} is the only slot: add another before")]
    Last(String),
    #[error("another process has changed the root key at the same time; nothing was changed")]
    Conflict,
    #[error("{0}")]
    Failed(#[from] Fault),
}

/// What is changed.
pub enum Change<'c> {
    /// Another root key for every slot.
    Rotate,
    /// Another way to the same root key.
    Add(NewSlot<'c>),
    /// A way less, and another root key for all others.
    Remove(&'c str),
}

impl Change<'_> {
    fn event(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Rotate => ("RotateRootKey", None),
            Self::Add(slot) => ("AddRootKeySlot", Some(slot.name)),
            Self::Remove(name) => ("RemoveRootKeySlot", Some(name)),
        }
    }
}

/// Gives an empty store its root key, with one slot.
///
/// # Errors
/// Another process is faster.
pub async fn begin(
    store: &dyn Store,
    slot: &NewSlot<'_>,
    now: Timestamp,
) -> Result<(RootMaterial, Opener), ChangeError> {
    let root = RootMaterial::random();
    let (slot, opener) = slot.make(&root, None, now)?;
    let value = Slots::made(&root, vec![slot])?.to_bytes()?;
    let path = Path::new(PATH);
    let commit = Commit { expect: vec![(path.clone(), None)], writes: vec![Write::Put(path, value)] };
    match store.commit(commit).await.map_err(Fault::from)? {
        Committed::Done(_) => Ok((root, opener)),
        Committed::Conflict => Err(ChangeError::Conflict),
        Committed::Unknown => Err(Fault::unavailable("the store did not answer in time").into()),
    }
}

/// Changes the slots, in one commit with its event, and wraps every domain key anew if the root key is another one: in the
/// same commit, or around it if they are too many ([`settle`]).
/// `direct`: the one provider of a store without slots, whose key is the root key. `backup_key`: what a slot vouches for that is
/// made, if all nodes can read that.
///
/// # Errors
/// Nothing was changed; but see [`Tx::commit`](crate::tx::Tx::commit) where the store does not answer.
pub async fn change(
    vault: &Vault,
    region: &RegionId,
    root: &RootMaterial,
    direct: Option<&NewSlot<'_>>,
    change: &Change<'_>,
    backup_key: Option<&str>,
    now: Timestamp,
) -> Result<outbox::Pending, ChangeError> {
    let backup_key = if may_vouch(vault)? { backup_key } else { None };
    if let Some(cluster) = vault.cluster() {
        cluster.may_write(FORM)?;
    }
    settle(vault, root).await?;
    let mut tx = vault.writing();
    let stored = tx.get_bare(&Path::new(PATH))?;
    let mut slots = match (stored, direct) {
        (Some(bytes), _) => Slots::from_bytes(&bytes).map_err(Fault::internal)?.list.slots,
        (None, Some(direct)) => vec![direct.make(root, backup_key, now)?.0],
        (None, None) => return Err(ChangeError::Conflict),
    };
    match change {
        Change::Rotate => {}
        Change::Add(slot) => {
            if slots.iter().any(|there| there.name == slot.name) {
                return Err(ChangeError::Taken(slot.name.to_owned()));
            }
            if slots.len() >= SLOTS_MAX {
                return Err(ChangeError::TooMany);
            }
            slots.push(slot.make(root, backup_key, now)?.0);
        }
        Change::Remove(name) => {
            let before = slots.len();
            slots.retain(|slot| slot.name != *name);
            if slots.len() == before {
                return Err(ChangeError::NoSlot((*name).to_owned()));
            }
            if slots.is_empty() {
                return Err(ChangeError::Last((*name).to_owned()));
            }
        }
    }
    // Without slots the provider's key was the root key: it is not in one.
    let keeps_root = matches!(change, Change::Add(_)) && direct.is_none();
    let next = if keeps_root { None } else { Some(RootMaterial::random()) };
    let mut is_beside = false;
    if let Some(next) = &next {
        for slot in &mut slots {
            slot.root = Bytes(root_slot::seal_to(&slot.public.0, &slot.name, next).map_err(Fault::internal)?);
        }
        let domain_keys = tx.paths(DOMAIN_PREFIX, None, SCAN_LIMIT_MAX)?;
        // None more, of which the new root key would not know.
        if tx.get_bare(&Path::new(domain_path(domain_keys.len() + 1)))?.is_some() {
            return Err(ChangeError::Conflict);
        }
        if domain_keys.len() + BESIDES > COMMIT_ITEMS_MAX {
            beside::wrap(vault, root, next).await?;
            beside::expect_mark(&mut tx, &next.id())?;
            is_beside = true;
        } else {
            beside::expect_no_mark(&mut tx)?;
            for path in domain_keys {
                let wrapped = tx.get_bare(&path)?.ok_or(ChangeError::Conflict)?;
                let key = root.unwrap(path.as_str(), &wrapped).map_err(Fault::internal)?;
                tx.put_bare(path.clone(), next.wrap(path.as_str(), &key)?);
            }
        }
    }
    let value = Slots::made(next.as_ref().unwrap_or(root), slots)?.to_bytes()?;
    tx.put_bare(Path::new(PATH), value);
    let (name, slot) = change.event();
    let parameters: Vec<(&str, &str)> = slot.map(|slot| ("Slot", slot)).into_iter().collect();
    let act =
        OperatorAct { name, effect: Effect::Write, region, account: None, parameters: &parameters, resources: &[] };
    let id = new_request_id();
    let event = outbox::put(&mut tx, &id, operator_event(&act, &id, now))?;
    match tx.commit().await? {
        CommitOutcome::Done => {}
        CommitOutcome::Conflict => return Err(ChangeError::Conflict),
    }
    if let (true, Some(next)) = (is_beside, &next) {
        // It has happened: what fails here is ended by the next start or change.
        let _ = settle(vault, next).await;
    }
    Ok(event)
}

/// Whether slots that vouch for something may be written.
fn may_vouch(vault: &Vault) -> Result<bool, Fault> {
    match vault.cluster() {
        Some(cluster) => Ok(cluster.may_write(VOUCHING_FORM).is_ok()),
        None => Ok(form::floor(vault)? >= VOUCHING_FORM),
    }
}

/// Has the slot by which this process came in vouch for the key that backups are signed with, and no slot for an earlier one.
/// Nothing happens if that is so, or if an older version could not read it. Gives the slots that vouch for nothing now, and did
/// before.
///
/// # Errors
/// Nothing was changed; but see [`Tx::commit`](crate::tx::Tx::commit) where the store does not answer.
pub async fn vouch(vault: &Vault, opener: &Opener, backup_key: &str) -> Result<Vec<String>, ChangeError> {
    if !may_vouch(vault)? {
        return Ok(Vec::new());
    }
    for _ in 0..ATTEMPTS_MAX {
        let mut tx = vault.writing();
        let Some(bytes) = tx.get_bare(&Path::new(PATH))? else { return Ok(Vec::new()) };
        let stored = Slots::from_bytes(&bytes).map_err(Fault::internal)?;
        // Removed by this process itself.
        if stored.slots().iter().all(|slot| slot.name != opener.name) {
            return Ok(Vec::new());
        }
        let root = opener.root(&stored).map_err(Fault::internal)?;
        let is_vouched = opener.vouched(&stored) == Some(backup_key);
        let mut slots = stored.list.slots;
        let (mut is_changed, mut dropped) = (false, Vec::new());
        for slot in &mut slots {
            match &opener.vouching {
                Some(vouching) if slot.name == opener.name && !is_vouched => {
                    slot.voucher = Some(Voucher::make(vouching, &slot.name, backup_key)?);
                    is_changed = true;
                }
                _ if slot.voucher.is_some() && !slot.names_backup_key(backup_key) => {
                    slot.voucher = None;
                    dropped.push(slot.name.clone());
                }
                _ => {}
            }
        }
        if !is_changed && dropped.is_empty() {
            return Ok(dropped);
        }
        tx.put_bare(Path::new(PATH), Slots::made(&root, slots)?.to_bytes()?);
        if tx.commit().await? == CommitOutcome::Done {
            return Ok(dropped);
        }
        vault.catch_up().await?;
    }
    Err(ChangeError::Conflict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_whose_key_its_parameters_choose_vouches_for_nothing() {
        let (root, key) = (RootMaterial::random(), Key256::random());
        let made = |provider: &str| {
            let slot = NewSlot { name: "slot", provider, params: "", key: &key };
            let (slot, _) = slot.make(&root, Some("backups"), Timestamp(0)).unwrap();
            let opener = slot.open(&key).unwrap();
            (slot, opener)
        };
        let (genuine, by_file) = made("file");
        let slots = |slot: &Slot| Slots::made(&root, vec![slot.clone()]).unwrap();
        assert_eq!(by_file.vouched(&slots(&genuine)), Some("backups"));
        let (slot, opener) = made("kms");
        assert!(!slot.names_backup_key("backups"));
        assert_eq!(opener.vouched(&slots(&slot)), None);
        // Whoever has chosen the key has made a voucher under it, too.
        let forged = Slot { voucher: genuine.voucher, ..slot };
        let opener = forged.open(&key).unwrap();
        assert!(opener.root(&slots(&forged)).is_ok());
        assert_eq!(opener.vouched(&slots(&forged)), None);
        // Nor by a second slot of the same name, which comes first.
        let first = Slot { provider: "file".to_owned(), ..forged.clone() };
        let list = Slots::made(&root, vec![first, forged]).unwrap();
        assert_eq!(opener.vouched(&list), None);
    }
}
