//! Making a data directory from a backup.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use jomae_api::{names::RegionId, time::Timestamp};
use jomae_core::{
    cluster::record::NodeName,
    keyring::Keyring,
    root::{Change, NewSlot, Slots, change},
    store::{COMMIT_ITEMS_MAX, Commit, Committed, Path as RecordPath, Store, Write},
    tx::Vault,
    whole::{WholeStore, record::is_own},
};
use jomae_crypto::{
    root::{KEY_FILE_BYTES_MAX, RootMaterial},
    secret::Key256,
};
use tokio::runtime::Handle;

use super::{
    BackupError, Choice, IDENTITY, LOG, Place, RECORDS,
    chain::{Chain, Link, check_canary, odd},
    create::{CA, CA_KEY, ENV, PART_BYTES_MAX},
    frames::Frame,
    io_error, signer,
    trust::{self, Whose},
};
use crate::{
    bootstrap::{StartError, audit_dir, env_path, store_path},
    certificates::{ca_key_path, ca_path},
    config::{Config, RootKeyProvider, StoreKind},
    files, gateway,
    operate::{
        self, Accepting, OperateError, Restored, Unopened,
        copy::{self, Moves},
        unfinished::Unfinished,
    },
    root_key::{self, RootKeyError},
    shredding,
    store::{Options, SqliteStore},
};

/// Paths and values in one commit, in bytes.
const COMMIT_BYTES_MAX: usize = 1024 * 1024;

/// What is to be restored, and how it is opened.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub choice: Choice,
    /// The key file that opens it, in the place of what the configuration says.
    pub root_key: Option<PathBuf>,
    /// Shares that open it, likewise.
    pub shares: Vec<PathBuf>,
    /// What opens those that are encrypted.
    pub identities: Vec<PathBuf>,
    /// Whose it must be.
    pub whose: Whose,
    /// What is restored all the same.
    pub accepting: Accepting,
}

impl Wish {
    /// The configuration with what the wish names to open the backup.
    pub(super) fn opening(&self, config: &Config) -> Config {
        let mut config = config.clone();
        if let Some(path) = &self.root_key {
            config.root_key.file = Some(path.clone());
            config.root_key.providers = vec![RootKeyProvider::File];
        }
        if !self.shares.is_empty() {
            config.root_key.share_files.clone_from(&self.shares);
            config.root_key.identities.clone_from(&self.identities);
            config.root_key.providers = vec![RootKeyProvider::Shares];
        }
        config
    }
}

/// Makes the data directory of `config` from a backup, and fills its etcd if the store is to be there. Everything is opened,
/// and the log is checked, before it is called done; on a failure what was made is removed again, but for what is in etcd: no
/// service starts on that, and another restore goes on with it. May block for long.
pub fn restore(config: &Config, place: &mut Place, wish: &Wish, handle: &Handle) -> Result<Restored, BackupError> {
    let (dir, to_etcd) = (&config.data_dir, config.store.kind == StoreKind::Etcd);
    operate::refuse_if_used(dir)?;
    if to_etcd {
        copy::expect_room(config)?;
    }
    let chain = open(config, place, wish, handle)?;
    let key_file = config.root_key_file();
    let had_key_file = files::about_followed(&key_file).is_ok();
    let unfinished = Unfinished::begin(dir).map_err(OperateError::from)?;
    let filled = restore_into(&copy::in_file(config), place, wish, &chain, Some(&unfinished), handle);
    let restored = filled.and_then(|filled| {
        let Filled { mut restored, vault, keyring, whole } = filled;
        drop(vault);
        let end = || unfinished.end().map_err(|error| BackupError::from(OperateError::from(error)));
        if to_etcd {
            let prefix = handle.block_on(copy::move_to_etcd(whole, &keyring, config, end))?;
            restored
                .notes
                .push(format!("the store is in etcd, under {prefix}, as that of the node {}", config.cluster.node));
            restored.notes.extend(remove_file_of_store(dir).err());
        } else {
            end()?;
        }
        Ok(restored)
    });
    if restored.is_err() {
        // It was absent or empty before.
        let _ = fs::remove_dir_all(dir);
        if !had_key_file {
            // It may be elsewhere, and another restore would take it for one that opens.
            let _ = fs::remove_file(&key_file);
        }
    }
    restored
}

/// What was restored has gone elsewhere; only the lock belongs to a node too. What there is to tell if it stays.
fn remove_file_of_store(dir: &Path) -> Result<(), String> {
    let path = store_path(dir);
    for suffix in ["-wal", "-shm", ""] {
        let mut path = path.clone().into_os_string();
        path.push(suffix);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(format!("{} is not needed, and could not be removed: {error}", Path::new(&path).display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A data directory with everything in it.
pub(super) struct Filled {
    pub(super) restored: Restored,
    pub(super) vault: Vault,
    keyring: Arc<Keyring>,
    whole: Arc<WholeStore>,
}

/// Opens what is wished for, if it is this service's; whoever restores is told what opens it.
pub(super) fn open(config: &Config, place: &mut Place, wish: &Wish, handle: &Handle) -> Result<Chain, BackupError> {
    let chain = Chain::open(place, &wish.choice, &wish.opening(config), handle)?;
    trust::expect_ours(&chain, config, wish)?;
    Ok(chain)
}

/// `for_service`: the restore, if a service will be started on it, so that it gets what opens it and what clients know it by.
pub(super) fn restore_into(
    config: &Config,
    place: &mut Place,
    wish: &Wish,
    chain: &Chain,
    for_service: Option<&Unfinished>,
    handle: &Handle,
) -> Result<Filled, BackupError> {
    let dir = &config.data_dir;
    let log_dir = audit_dir(dir);
    files::private_dir(&log_dir).map_err(io_error(dir))?;
    let store = SqliteStore::open(&store_path(dir), &Options::default()).map_err(StartError::from);
    let store: Arc<dyn Store> = Arc::new(store.map_err(OperateError::from)?);
    let keyring = chain.keyring(place, handle)?;
    let newest = chain.newest()?;
    let moves = newest.node.as_deref().and_then(NodeName::new).map(Moves::FromCluster);
    let mut filling = Filling { store: &*store, keyring: &keyring, moves, batch: Vec::new(), bytes: 0, handle };
    for link in &chain.links {
        link.each(place, RECORDS, |frame| match frame {
            Frame::Record { path, value } => filling.put(path, value.0),
            Frame::Gone(path) => filling.remove(path),
            _ => Err(odd(link, RECORDS)),
        })?;
        filling.flush()?;
    }
    let mut log_files = LogFiles::new(&log_dir)?;
    for link in &chain.links {
        log_files.take(place, link)?;
    }

    let keyring = Arc::new(handle.block_on(Keyring::open(&*store, &chain.root))?);
    let whole = WholeStore::open(Arc::clone(&store), Arc::clone(&keyring), None)?;
    let vault = Vault::new(Arc::clone(&whole) as Arc<dyn Store>, Arc::clone(&keyring), 1000);
    let (records, problems) = vault.check(operate::PROBLEMS_MAX)?;
    if let Some(problem) = problems.first() {
        return Err(BackupError::Record { id: newest.id.clone(), problem: problem.clone() });
    }
    check_canary(newest, vault.keyring())?;
    let log = operate::examine_log(&log_dir, &vault, None);
    if let (Err(why), false) = (&log, wish.accepting.damaged_log) {
        return Err(OperateError::DamagedLog(why.clone()).into());
    }
    // What nodes have kept of the hash over their store does not fit a single service.
    let accepting = Accepting { rollback: wish.accepting.rollback || newest.node.is_some(), ..wish.accepting };
    let rollback = handle.block_on(operate::expect_whole(&log_dir, &vault, &whole, accepting))?;
    let regions = config.checked_regions().map_err(BackupError::Config)?;
    let region = regions.first().ok_or_else(|| BackupError::Other("no region".to_owned()))?;
    let accepts_shredded = wish.accepting.shredded;
    let had = shredding::after_restore(config, &vault, region, accepts_shredded, for_service.is_some());
    let (mut missing, mut notes, mut unopened) = (Vec::new(), handle.block_on(had)?, None);
    if let Some(unfinished) = for_service {
        notes.extend(provide(config, wish, chain, &vault, unfinished, handle)?);
        unopened = unopened_by(config, wish, &vault, handle)?;
        if let Some(link) = chain.links.last().filter(|link| link.has(IDENTITY)) {
            identity(config, place, link)?;
        }
        missing = operate::missing(config)?;
    }
    let of = Some((newest.id.clone(), Timestamp(newest.made)));
    Ok(Filled { restored: Restored { records, log, rollback, missing, notes, of, unopened }, vault, keyring, whole })
}

/// Sees to it that the service opens what was restored: the key file goes to where it looks for it; whoever came with shares
/// gets a new one. What there is to tell.
fn provide(
    config: &Config,
    wish: &Wish,
    chain: &Chain,
    vault: &Vault,
    unfinished: &Unfinished,
    handle: &Handle,
) -> Result<Option<String>, BackupError> {
    let to = config.root_key_file();
    if let Some(from) = &wish.root_key {
        let key = files::read_configured(from, KEY_FILE_BYTES_MAX).map_err(io_error(from))?;
        return match files::read_configured(&to, KEY_FILE_BYTES_MAX) {
            Ok(there) if there == key => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                files::write_private(&to, &key).map_err(io_error(&to))?;
                Ok(None)
            }
            _ => Err(OperateError::OtherRootKey(to).into()),
        };
    }
    if wish.shares.is_empty() || !config.root_key.has(RootKeyProvider::File) || files::about_followed(&to).is_ok() {
        return Ok(None);
    }
    unfinished.makes(&to).map_err(io_error(&to))?;
    let key = Key256::random();
    let material = Key256::from_slice(key.expose()).map(RootMaterial::from);
    let material = material.ok_or_else(|| BackupError::Other("a key of another length".to_owned()))?;
    files::write_private(&to, material.to_key_file().expose()).map_err(io_error(&to))?;
    let name = free_slot(vault)?;
    let slot = NewSlot { name: &name, provider: RootKeyProvider::File.name(), params: "", key: &key };
    let regions = config.checked_regions().map_err(BackupError::Config)?;
    let region: &RegionId = regions.first().ok_or_else(|| BackupError::Other("no region".to_owned()))?;
    let direct = chain.holder.direct(vault.store())?;
    let wish = Change::Add(slot);
    let now = gateway::now();
    let backup_key = handle.block_on(signer::signer_or_new(vault, now))?.map(|signer| signer.verifier().to_string());
    let changed = change(vault, region, &chain.root, direct.as_ref(), &wish, backup_key.as_deref(), now);
    let changed = handle.block_on(changed);
    changed.map_err(RootKeyError::from).map_err(StartError::from).map_err(OperateError::from)?;
    Ok(Some(format!(
        "{} is new, in the slot {name} of the root key: keep a copy of it elsewhere, and take away what is lost \
         (jomae root status, jomae root remove)",
        to.display()
    )))
}

/// A name for a slot of a key file.
fn free_slot(vault: &Vault) -> Result<String, BackupError> {
    let slots = Slots::read(vault.store())?.map(|slots| slots.slots().to_vec()).unwrap_or_default();
    let is_free = |name: &String| slots.iter().all(|slot| slot.name != *name);
    let names = std::iter::once("file".to_owned()).chain((2..).map(|nth| format!("file-{nth}")));
    Ok(names.take(slots.len() + 1).find(is_free).unwrap_or_default())
}

/// Whether a start would be refused. Whoever has opened the backup by the configuration alone has seen that it opens.
fn unopened_by(config: &Config, wish: &Wish, vault: &Vault, handle: &Handle) -> Result<Option<Unopened>, BackupError> {
    if wish.root_key.is_none() && wish.shares.is_empty() {
        return Ok(None);
    }
    match handle.block_on(root_key::open(config, vault.store())) {
        Ok(_) => Ok(None),
        Err(why) => Ok(Some(Unopened { why: why.to_string(), free_slot: free_slot(vault)? })),
    }
}

fn identity(config: &Config, place: &mut Place, link: &Link) -> Result<(), BackupError> {
    let dir = &config.data_dir;
    let mut parts: Vec<(String, zeroize::Zeroizing<Vec<u8>>)> = Vec::new();
    link.each(place, IDENTITY, |frame| {
        match (frame, parts.last_mut()) {
            (Frame::File { name, from: 0 }, _) if [ENV, CA, CA_KEY].contains(&name) => {
                parts.push((name.to_owned(), zeroize::Zeroizing::new(Vec::with_capacity(PART_BYTES_MAX))));
            }
            (Frame::Piece(piece), Some((_, content))) if content.len() + piece.0.len() <= PART_BYTES_MAX => {
                content.extend_from_slice(piece.0);
            }
            _ => return Err(odd(link, IDENTITY)),
        }
        Ok(())
    })?;
    files::private_dir(&dir.join("tls")).map_err(io_error(dir))?;
    for (name, content) in &parts {
        let (path, is_public) = match name.as_str() {
            ENV => (env_path(dir), false),
            CA => (ca_path(dir), true),
            _ => (ca_key_path(dir), false),
        };
        let written =
            if is_public { files::write_public(&path, content) } else { files::write_private(&path, content) };
        written.map_err(io_error(&path))?;
    }
    Ok(())
}

/// A store that is being filled.
struct Filling<'f> {
    store: &'f dyn Store,
    keyring: &'f Keyring,
    /// Where records of a cluster's node go.
    moves: Option<Moves>,
    batch: Vec<Write>,
    bytes: usize,
    handle: &'f Handle,
}

impl Filling<'_> {
    fn target(&self, path: &str) -> Option<RecordPath> {
        let path = RecordPath::new(path);
        match &self.moves {
            Some(_) if is_own(path.as_str()) => None,
            Some(moves) => moves.target(&path),
            None => Some(path),
        }
    }

    fn put(&mut self, path: &str, value: &[u8]) -> Result<(), BackupError> {
        let Some(target) = self.target(path) else { return Ok(()) };
        let value = if target.as_str() == path {
            value.to_vec()
        } else {
            self.keyring.move_record(path, target.as_str(), value)?
        };
        self.add(Write::Put(target, value))
    }

    fn remove(&mut self, path: &str) -> Result<(), BackupError> {
        self.target(path).map_or(Ok(()), |target| self.add(Write::Delete(target)))
    }

    fn add(&mut self, write: Write) -> Result<(), BackupError> {
        let bytes = match &write {
            Write::Put(path, value) => path.as_str().len() + value.len(),
            Write::Delete(path) => path.as_str().len(),
        };
        // No path twice in one commit.
        let is_twice = self.batch.iter().any(|there| there.path() == write.path());
        if is_twice || self.batch.len() >= COMMIT_ITEMS_MAX || self.bytes + bytes > COMMIT_BYTES_MAX {
            self.flush()?;
        }
        self.bytes += bytes;
        self.batch.push(write);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BackupError> {
        self.bytes = 0;
        let writes = std::mem::take(&mut self.batch);
        if writes.is_empty() {
            return Ok(());
        }
        let commit = self.store.commit(Commit { expect: Vec::new(), writes });
        match self.handle.block_on(commit) {
            Ok(Committed::Done(_)) => Ok(()),
            Ok(_) => Err(BackupError::Other("the new store does not take what is written".to_owned())),
            Err(error) => Err(BackupError::Other(error.to_string())),
        }
    }
}

/// The files of a log that is being restored.
pub(super) struct LogFiles {
    dir: PathBuf,
    /// Of the last backup that was taken.
    seen: BTreeSet<String>,
}

impl LogFiles {
    pub(super) fn new(dir: &Path) -> Result<Self, BackupError> {
        let tree = dir.join("tree");
        files::private_dir(&tree).map_err(io_error(&tree))?;
        Ok(Self { dir: dir.to_owned(), seen: BTreeSet::new() })
    }

    /// Brings the files to where a backup has them.
    pub(super) fn take(&mut self, place: &mut Place, link: &Link) -> Result<(), BackupError> {
        let before = std::mem::take(&mut self.seen);
        let mut file: Option<(PathBuf, File)> = None;
        link.each(place, LOG, |frame| {
            match frame {
                Frame::File { name, from } if is_log_file(name) => {
                    let path = self.dir.join(name);
                    let opened = files::open_to_write(&path).and_then(|mut opened| {
                        if from == 0 {
                            opened.set_len(0)?;
                        }
                        // What follows goes on from what is there.
                        let at = io::Seek::seek(&mut opened, io::SeekFrom::End(0))?;
                        if at == from { Ok(opened) } else { Err(io::Error::other("does not go on where it ended")) }
                    });
                    file = Some((path.clone(), opened.map_err(io_error(&path))?));
                    self.seen.insert(name.to_owned());
                }
                Frame::Kept(name) if before.contains(name) => {
                    self.seen.insert(name.to_owned());
                }
                Frame::Piece(piece) => {
                    let (path, file) = file.as_mut().ok_or_else(|| odd(link, LOG))?;
                    file.write_all(piece.0).map_err(io_error(path))?;
                }
                _ => return Err(odd(link, LOG)),
            }
            Ok(())
        })?;
        for name in before.difference(&self.seen) {
            let path = self.dir.join(name);
            fs::remove_file(&path).map_err(io_error(&path))?;
        }
        Ok(())
    }
}

/// A file in the directory of a log or in that of its tree, and nowhere else.
fn is_log_file(name: &str) -> bool {
    let own = name.strip_prefix("tree/").unwrap_or(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !own.is_empty() && own.len() <= 128 && !own.starts_with('.') && own.bytes().all(plain)
}
