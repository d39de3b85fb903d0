//! Finding backups, and opening one with those that it goes on from.

use std::{
    fs::File,
    io::{self, BufReader, Read as _, Seek as _},
    path::Path,
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_api::time::Timestamp;
use jomae_core::{
    keyring::{DOMAIN_PREFIX, Keyring},
    root,
    store::{Commit, Path as RecordPath, Store as _, Write, memory::MemoryStore},
};
use jomae_crypto::{
    hash::{HashAlg, Hasher, sha256},
    root::RootMaterial,
    secret::Key256,
};
use jomae_log::{VerifierKey, verify as verify_log};
use serde::Serialize;
use tokio::runtime::Handle;

use super::{
    BackupError, IDENTITY, MANIFEST, Place, RECORDS,
    create::canary_name,
    frames::{Frame, FrameReader},
    io_error,
    manifest::{MANIFEST_BYTES_MAX, Manifest, Signed},
    restore::{LogFiles, Wish, open},
};
use crate::{
    config::Config,
    root_key::{Holder, Opened, RootKeyError, Sources, named},
};

/// Backups that one may go on from, at most.
const DEPTH_MAX: usize = 1000;
/// Damaged records that are named.
const PROBLEMS_MAX: usize = 20;
const BLOCK_BYTES: usize = 64 * 1024;

/// Which backup is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    #[default]
    Newest,
    Id(String),
    /// The newest that was made at this moment or before.
    At(Timestamp),
}

/// A backup, as its manifest tells it. Nobody has checked it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Listed {
    pub id: String,
    pub made: Timestamp,
    pub is_whole: bool,
    pub records: u64,
    pub bytes: u64,
    pub root_key_id: String,
    /// The slots that open it: each by its name, with its provider if that is another word.
    pub opened_by: Vec<String>,
}

/// The backups in a place, the oldest first.
pub fn list(place: &mut Place) -> Result<Vec<Listed>, BackupError> {
    let mut listed = Vec::new();
    for id in place.ids()? {
        // One without a manifest was not finished.
        let manifest = match read_manifest(place, &id) {
            Ok((_, manifest)) => manifest,
            Err(BackupError::NotThere { .. }) => continue,
            Err(error) => return Err(error),
        };
        listed.push(Listed {
            made: Timestamp(manifest.made),
            is_whole: manifest.base.is_none(),
            records: manifest.records,
            bytes: manifest.objects.iter().map(|object| object.bytes).sum(),
            root_key_id: manifest.root_id.clone(),
            opened_by: providers(&manifest),
            id,
        });
    }
    Ok(listed)
}

/// What opens a backup.
fn providers(manifest: &Manifest) -> Vec<String> {
    match (manifest.slots(), &manifest.direct) {
        (Ok(Some(slots)), _) => slots.slots().iter().map(named).collect(),
        (_, Some((provider, _))) => vec![provider.clone()],
        _ => Vec::new(),
    }
}

/// The manifest of a backup, for which nobody has vouched yet.
pub(super) fn read_manifest(place: &mut Place, id: &str) -> Result<(Signed, Manifest), BackupError> {
    let failed = place.failed();
    let file = place.archive.get(id, MANIFEST).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BackupError::NotThere { place: place.address.clone(), id: id.to_owned() },
        _ => failed(error),
    })?;
    let mut bytes = Vec::new();
    file.take(MANIFEST_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    let (signed, manifest) =
        Signed::read(&bytes).map_err(|source| BackupError::Manifest { id: id.to_owned(), source })?;
    if manifest.id != id {
        return Err(BackupError::Exchanged { id: id.to_owned(), what: "its manifest".to_owned() });
    }
    Ok((signed, manifest))
}

/// A backup, with those that it goes on from, the oldest first. All manifests are the root key holder's.
pub(super) struct Chain {
    pub(super) links: Vec<Link>,
    pub(super) root: RootMaterial,
    pub(super) holder: Holder,
}

pub(super) struct Link {
    pub(super) manifest: Manifest,
    data_key: Key256,
    signed: Signed,
}

impl Chain {
    /// Opens the backup that is meant with a provider of the configuration.
    pub(super) fn open(
        place: &mut Place,
        choice: &Choice,
        config: &Config,
        handle: &Handle,
    ) -> Result<Self, BackupError> {
        let id = choose(place, choice)?;
        let mut manifests = vec![read_manifest(place, &id)?];
        while let Some((_, Manifest { base: Some(base), id: above, .. })) = manifests.last() {
            let (base, above) = (base.clone(), above.clone());
            let wrong = |why| BackupError::Base { id: above.clone(), base: base.id.clone(), why };
            if manifests.len() >= DEPTH_MAX {
                return Err(wrong("goes on for too long"));
            }
            let (signed, manifest) = read_manifest(place, &base.id).map_err(|error| match error {
                BackupError::NotThere { .. } => wrong("is not there any more"),
                error => error,
            })?;
            if signed.digest() != base.digest {
                return Err(wrong("is another one now"));
            }
            manifests.push((signed, manifest));
        }
        let Opened { root, holder, .. } = open_root(&manifests[0].1, config, handle)?;
        let mut links = Vec::with_capacity(manifests.len());
        for (signed, manifest) in manifests.into_iter().rev() {
            let of_link = |source| BackupError::Manifest { id: manifest.id.clone(), source };
            signed.check(&root).map_err(of_link)?;
            let data_key = manifest.data_key(&root).map_err(of_link)?;
            links.push(Link { manifest, data_key, signed });
        }
        Ok(Self { links, root, holder })
    }

    pub(super) fn newest(&self) -> Result<&Manifest, BackupError> {
        self.links.last().map(|link| &link.manifest).ok_or_else(|| BackupError::Other("no backup".to_owned()))
    }

    /// The domain keys of the newest backup.
    pub(super) fn keyring(&self, place: &mut Place, handle: &Handle) -> Result<Arc<Keyring>, BackupError> {
        let store = MemoryStore::new();
        for link in &self.links {
            let mut writes = Vec::new();
            link.each(place, RECORDS, |frame| {
                match frame {
                    Frame::Record { path, value } if root::is_bare(path) => {
                        writes.push(Write::Put(RecordPath::new(path), value.0.to_vec()));
                    }
                    Frame::Gone(path) if root::is_bare(path) => writes.push(Write::Delete(RecordPath::new(path))),
                    _ => {}
                }
                Ok(())
            })?;
            for write in writes {
                let commit = Commit { expect: Vec::new(), writes: vec![write] };
                handle.block_on(store.commit(commit)).map_err(|error| BackupError::Other(error.to_string()))?;
            }
        }
        if store.scan(DOMAIN_PREFIX, None, 1).map_err(|error| BackupError::Other(error.to_string()))?.is_empty() {
            return Err(BackupError::Other("the backup has no domain keys".to_owned()));
        }
        Ok(Arc::new(handle.block_on(Keyring::open(&store, &self.root))?))
    }
}

fn open_root(manifest: &Manifest, config: &Config, handle: &Handle) -> Result<Opened, BackupError> {
    let slots = manifest.slots().map_err(|source| BackupError::Manifest { id: manifest.id.clone(), source })?;
    let sources = Sources::of(config);
    let opened = match (&slots, &manifest.direct) {
        (Some(slots), _) => handle.block_on(sources.by_slots(slots)),
        (None, Some((provider, params))) => sources.by_direct(provider, params),
        (None, None) => Err(RootKeyError::NoSlot { there: "none".to_owned(), tried: String::new() }),
    };
    let of_root = |source| {
        let root_id = manifest.root_id.clone();
        match source {
            RootKeyError::Wrong(_) => BackupError::OtherRootKey { root_id },
            source => BackupError::RootKey { root_id, source },
        }
    };
    let opened = opened.map_err(of_root)?;
    if slots.as_ref().is_none_or(|slots| slots.root_id() == manifest.root_id) && opened.root.id() == manifest.root_id {
        Ok(opened)
    } else {
        Err(of_root(jomae_core::keyring::WrongRootKey.into()))
    }
}

/// When the newest backup was made, as its manifest tells it.
pub(crate) fn newest(place: &mut Place) -> Result<Option<Timestamp>, BackupError> {
    match choose(place, &Choice::Newest) {
        Ok(id) => Ok(Some(Timestamp(read_manifest(place, &id)?.1.made))),
        Err(BackupError::None(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn choose(place: &mut Place, choice: &Choice) -> Result<String, BackupError> {
    let ids = place.ids()?;
    if let Choice::Id(id) = choice {
        let missing = || BackupError::NotThere { place: place.address.clone(), id: id.clone() };
        return ids.into_iter().find(|there| there == id).ok_or_else(missing);
    }
    let mut oldest = None;
    for id in ids.into_iter().rev() {
        match read_manifest(place, &id) {
            Ok((_, manifest)) if matches!(choice, Choice::At(at) if manifest.made > at.0) => oldest = Some(id),
            Ok(_) => return Ok(id),
            Err(BackupError::NotThere { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let place = place.address.clone();
    Err(match (choice, oldest) {
        (Choice::At(at), Some(oldest)) => BackupError::NoneBefore { place, at: *at, oldest },
        _ => BackupError::None(place),
    })
}

impl Link {
    /// Opens an object of this backup, and hands on what is in it. It is first read to its end, and is what was written.
    pub(super) fn each(
        &self,
        place: &mut Place,
        name: &'static str,
        mut take: impl FnMut(Frame<'_>) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let id = || self.manifest.id.clone();
        let told = self.manifest.objects.iter().find(|object| object.name == name);
        let told = told.ok_or_else(|| BackupError::Odd { id: id(), what: format!("no {name}") })?;
        let failed = place.failed();
        let mut file = place.archive.get(&self.manifest.id, name).map_err(&failed)?;
        if sha256_of(&mut file).map_err(&failed)? != told.sha256 {
            return Err(BackupError::Exchanged { id: id(), what: name.to_owned() });
        }
        let of_object = |source| BackupError::Object { id: id(), what: name, source };
        let named = format!("{}/{name}", self.manifest.id);
        let mut frames = FrameReader::new(BufReader::new(file), &self.data_key, &named).map_err(of_object)?;
        while let Some(frame) = frames.next().map_err(of_object)? {
            take(frame)?;
        }
        Ok(())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.manifest.objects.iter().any(|object| object.name == name)
    }
}

fn sha256_of(file: &mut File) -> io::Result<String> {
    let (mut hasher, mut block) = (Hasher::new(HashAlg::Sha256), vec![0; BLOCK_BYTES]);
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            break;
        }
        hasher.update(block.get(..read).unwrap_or_default());
    }
    file.rewind()?;
    Ok(hex::encode(hasher.finish()))
}

/// What a check has found.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Checked {
    pub id: String,
    pub made: Timestamp,
    /// Backups that were read: this one, and those that it goes on from.
    pub backups: usize,
    /// Records that were opened.
    pub records: u64,
    /// What the check of the log says.
    pub log: String,
    /// The public key of the log that has signed it.
    pub signed_by: Option<String>,
    /// The slot that has opened it.
    pub opened_by: String,
}

/// Reads a backup to its end without restoring it: opens every record, checks the log, opens what was planted.
pub fn verify(
    config: &Config,
    place: &mut Place,
    wish: &Wish,
    scratch: &Path,
    handle: &Handle,
) -> Result<Checked, BackupError> {
    let chain = open(config, place, wish, handle)?;
    let keyring = chain.keyring(place, handle)?;
    let (mut records, mut problems) = (0, Vec::new());
    for link in &chain.links {
        link.each(place, RECORDS, |frame| {
            match frame {
                Frame::Record { path, value } => {
                    records += 1;
                    let opened = root::is_bare(path) || problems.len() >= PROBLEMS_MAX;
                    if !opened && let Err(error) = keyring.open_record(path, value.0) {
                        problems.push(format!("record {path}: {error}"));
                    }
                }
                Frame::Gone(_) => {}
                _ => return Err(odd(link, RECORDS)),
            }
            Ok(())
        })?;
    }
    let newest = chain.newest()?;
    if !problems.is_empty() {
        return Err(BackupError::Record { id: newest.id.clone(), problem: problems.join("; ") });
    }
    check_canary(newest, &keyring)?;
    let dir = tempfile::Builder::new().prefix("jomae-verify").tempdir_in(scratch).map_err(io_error(scratch))?;
    let mut files = LogFiles::new(dir.path())?;
    for link in &chain.links {
        files.take(place, link)?;
        if link.has(IDENTITY) {
            link.each(place, IDENTITY, |_| Ok(()))?;
        }
    }
    let key = newest.log.as_ref().and_then(|log| VerifierKey::parse(&log.key).ok());
    let log = match &key {
        None => "no events yet".to_owned(),
        Some(key) => check_log(dir.path(), key)?,
    };
    let signed_by = chain.signed_by().map(|key| key.to_string());
    let opened_by = chain.holder.name().to_owned();
    Ok(Checked {
        id: newest.id.clone(),
        made: Timestamp(newest.made),
        backups: chain.links.len(),
        records,
        log,
        signed_by,
        opened_by,
    })
}

impl Chain {
    /// The key of the log that the newest manifest names, if it is signed with it.
    pub(super) fn signed_by(&self) -> Option<VerifierKey> {
        let link = self.links.last()?;
        let key = VerifierKey::parse(&link.manifest.log.as_ref()?.key).ok()?;
        link.signed.is_signed_by(&link.manifest.id, &key).then_some(key)
    }

    /// Whether the newest manifest is signed with the key of backups for which the slot vouches that has opened it; none: it
    /// vouches for none.
    pub(super) fn is_vouched(&self) -> Result<Option<bool>, BackupError> {
        let opener = match &self.holder {
            Holder::Slot(opener) => opener,
            // The seal over the manifest is under the provider's own key.
            Holder::Direct(_) => return Ok(Some(true)),
        };
        let Some(link) = self.links.last() else { return Ok(None) };
        let Manifest { id, .. } = &link.manifest;
        let slots = link.manifest.slots().map_err(|source| BackupError::Manifest { id: id.clone(), source })?;
        let key = slots.as_ref().and_then(|slots| opener.vouched(slots)).map(VerifierKey::parse).transpose();
        let key = key.map_err(|error| BackupError::Other(error.to_string()))?;
        Ok(key.map(|key| link.signed.is_signed_by(id, &key)))
    }
}

/// Whether what was planted in a backup opens with these domain keys.
pub(super) fn check_canary(manifest: &Manifest, keyring: &Keyring) -> Result<(), BackupError> {
    let (sealed, digest) = &manifest.canary;
    let opened =
        STANDARD.decode(sealed).ok().and_then(|sealed| keyring.open_record(&canary_name(&manifest.id), &sealed).ok());
    match opened {
        Some(plain) if hex::encode(sha256(&[plain.expose()])) == *digest => Ok(()),
        _ => Err(BackupError::Canary(manifest.id.clone())),
    }
}

fn check_log(dir: &Path, key: &VerifierKey) -> Result<String, BackupError> {
    let report = verify_log::verify(dir, key, &[]).map_err(|error| BackupError::Log(error.to_string()))?;
    match report.findings.first() {
        None => Ok(format!("{} events, {} of them covered by a checkpoint", report.events, report.covered)),
        Some(first) => Err(BackupError::Log(first.to_string())),
    }
}

pub(super) fn odd(link: &Link, name: &str) -> BackupError {
    BackupError::Odd { id: link.manifest.id.clone(), what: format!("something else in {name}") }
}
