//! Making a backup.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    iter::Peekable,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_api::time::Timestamp;
use jomae_core::{root::Slots, store::Store, tx::Vault};
use jomae_crypto::{
    hash::{HashAlg, Hasher, sha256},
    rng,
    root::RootMaterial,
    secret::{Key256, SecretBytes},
    wrap,
};
use jomae_log::{Checkpoint, archive::Content, layout};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::{
    BackupError, IDENTITY, LOG, MANIFEST, Place, RECORDS,
    frames::{Frame, FrameWriter, PIECE_BYTES, Raw},
    io_error,
    manifest::{Base, FORMAT, LogHead, MANIFEST_BYTES_MAX, Manifest, Object, Signed},
    signer,
};
use crate::{
    audit,
    bootstrap::{audit_dir, env_path},
    certificates::{ca_key_path, ca_path},
    config::Config,
    files,
    root_key::Holder,
};

/// What is known of the last backup, in the data directory.
const STATE_FILE: &str = "backup.state";
/// Longest first line of it, in bytes: the files of the log are named there.
const STATE_HEAD_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Largest file of the identity, in bytes.
pub(super) const PART_BYTES_MAX: usize = 64 * 1024;
pub(super) const ENV: &str = "env";
pub(super) const CA: &str = "ca.pem";
pub(super) const CA_KEY: &str = "tls/ca.key";

/// What a backup is made of.
pub struct Source<'s> {
    /// The store with everything that stands in it, what is kept of the hash over it included.
    pub store: &'s dyn Store,
    pub vault: &'s Vault,
    pub holder: &'s Holder,
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Made {
    pub id: String,
    /// Whether it goes on from another.
    pub is_whole: bool,
    pub records: u64,
    pub written: u64,
    pub gone: u64,
    /// Of all objects.
    pub bytes: u64,
    /// Backups that were too old, and are removed.
    pub removed: Vec<String>,
    /// What is wrong with the store of a stopped service as a whole, or with its log; and slots that do not vouch any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The one that it goes on from.
    #[serde(skip)]
    pub(crate) base: Option<String>,
    /// What kind of place it lies in.
    #[serde(skip)]
    pub(crate) place: &'static str,
}

/// What a backup leaves behind for the next one. The paths of all records follow in the file.
#[derive(Serialize, Deserialize)]
struct State {
    place: String,
    base: Base,
    depth: u32,
    revision: u64,
    root_id: String,
    log: Vec<LogFile>,
}

#[derive(Clone, Serialize, Deserialize)]
struct LogFile {
    name: String,
    bytes: u64,
    sha256: String,
}

/// Makes a backup of an open store and its audit log. `whole`: of everything, not only of what has changed. May block for
/// long; the store goes on meanwhile.
///
/// # Errors
/// What was begun has no manifest, and counts for nothing.
pub fn create(
    config: &Config,
    of: &Source<'_>,
    place: &mut Place,
    whole: bool,
    now: Timestamp,
    handle: &Handle,
) -> Result<Made, BackupError> {
    create_in(config, of, place, whole, now, handle).inspect_err(|_| place.unmake())
}

fn create_in(
    config: &Config,
    of: &Source<'_>,
    place: &mut Place,
    whole: bool,
    now: Timestamp,
    handle: &Handle,
) -> Result<Made, BackupError> {
    let Source { store, vault, holder } = of;
    // Before the slots are read, which vouch for it.
    let mut warnings = Vec::new();
    let backup_signer = match handle.block_on(signer::vouched_signer(vault, holder, now)) {
        Ok((signer, dropped)) => {
            warnings.extend(signer::told_of(&dropped));
            signer
        }
        Err(error) => {
            warnings.push(format!("no slot of the root key can be made to vouch for backups: {error}"));
            signer::signer(vault)?
        }
    };
    let root = holder.root(*store).map_err(|error| BackupError::Other(error.to_string()))?;
    let slots = Slots::read(*store)?;
    let backup_key = backup_signer.as_ref().map(|signer| signer.verifier().to_string());
    if slots.as_ref().is_some_and(|slots| slots.name_other_backup_key(backup_key.as_deref())) {
        return Err(BackupError::Other("the key of backups was changed meanwhile: make the backup again".to_owned()));
    }
    let direct = holder.direct(*store)?.map(|slot| (slot.provider.to_owned(), slot.params.to_owned()));
    let node = vault.cluster().map(|cluster| cluster.name().clone());
    let log_signer = audit::signer(vault, node.as_ref())?;

    let id = new_id(now, place.ids()?.last().map(String::as_str));
    let data_key = Key256::random();
    let dir = &config.data_dir;
    let scratch = tempfile::Builder::new().prefix("jomae-backup").tempdir_in(dir).map_err(io_error(dir))?;
    let before = if whole { None } else { usable(config, place, &root)? };
    let job = Job { id: &id, data_key: &data_key, scratch: scratch.path() };

    // Before the snapshot: what is committed in between is in both.
    let revision = store.revision().map_err(|error| BackupError::Other(error.to_string()))?.0;
    let counts = job.records(*store, before.as_ref(), &scratch.path().join(STATE_FILE))?;
    // A root key never comes back: one that is the same as before was the same in the snapshot.
    let still = holder.root(*store).map_err(|error| BackupError::Other(error.to_string()))?;
    let is_of_slots = slots.as_ref().is_none_or(|slots| slots.root_id() == root.id());
    if still.id() != root.id() || !is_of_slots {
        return Err(BackupError::Other("the root key was changed meanwhile: make the backup again".to_owned()));
    }
    // Events that the store knows nothing of are harmless, the reverse is not.
    let (log, head) = job.log(config, before.as_ref())?;
    let has_identity = job.identity(config)?;

    let mut objects = Vec::new();
    for name in [RECORDS, LOG].into_iter().chain(has_identity.then_some(IDENTITY)) {
        objects.push(job.put(place, name)?);
    }
    let bytes = objects.iter().map(|object| object.bytes).sum();
    let canary = SecretBytes::new(hex::encode(rng::array::<16>()).into_bytes());
    let sealed = vault.keyring().seal_record(&canary_name(&id), canary.expose())?;
    let depth = before.as_ref().map_or(0, |before| before.state.depth + 1);
    let manifest = Manifest {
        format: FORMAT,
        id: id.clone(),
        made: now.0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        store: if node.is_some() { "etcd" } else { "sqlite" }.to_owned(),
        node: node.map(|node| node.to_string()),
        base: before.as_ref().map(|before| before.state.base.clone()),
        depth,
        revision,
        records: counts.records,
        written: counts.written,
        gone: counts.gone,
        root_id: root.id(),
        slots: slots.map(|slots| slots.to_bytes()).transpose()?.and_then(|bytes| String::from_utf8(bytes).ok()),
        direct,
        key: STANDARD.encode(wrap::wrap_backup_key(root.key(), &id, &data_key).map_err(other)?),
        canary: (STANDARD.encode(sealed), hex::encode(sha256(&[canary.expose()]))),
        objects,
        log: head,
    };
    let content = manifest.sign(&root, log_signer.as_ref(), backup_signer.as_ref()).map_err(BackupError::Other)?;
    if content.len() > MANIFEST_BYTES_MAX {
        return Err(BackupError::Other("the manifest is too long".to_owned()));
    }
    let digest = Signed::read(&content).map_err(other)?.0.digest();
    job.write(MANIFEST, |to| to.write_all(&content))?;
    job.put(place, MANIFEST)?;

    let state = State {
        place: place.address.clone(),
        base: Base { id: id.clone(), digest },
        depth,
        revision,
        root_id: root.id(),
        log,
    };
    keep_state(config, &state, &scratch.path().join(STATE_FILE))?;
    let removed = retain(config, place, manifest.log.as_ref(), now)?;
    Ok(Made {
        id,
        is_whole: manifest.base.is_none(),
        records: counts.records,
        written: counts.written,
        gone: counts.gone,
        bytes,
        removed,
        warnings,
        base: manifest.base.map(|base| base.id),
        place: if place.address.starts_with("s3://") { "s3" } else { "directory" },
    })
}

fn other(error: impl std::fmt::Display) -> BackupError {
    BackupError::Other(error.to_string())
}

/// `20261129T062233Z-0123abcd`. It comes after `newest`, in the same second and after the clock was set back too: names are in the
/// order in which backups were made.
fn new_id(now: Timestamp, newest: Option<&str>) -> String {
    let after = newest.and_then(moment_of).map_or(now.0, |newest| newest.0 + 1);
    let moment = Timestamp(now.0.max(after)).to_string().replace(['-', ':'], "");
    format!("{moment}-{}", hex::encode(rng::array::<4>()))
}

/// The moment in the name of a backup.
fn moment_of(id: &str) -> Option<Timestamp> {
    let part = |range| id.get(range);
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(9..11)?, part(11..13)?, part(13..15)?);
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

/// What the planted text of a backup is bound to, as a record to its path.
pub(super) fn canary_name(id: &str) -> String {
    format!("backup/canary/{id}")
}

/// The last backup, as far as the next one can go on from it.
struct Before {
    state: State,
    paths: PathBuf,
    /// Where the paths begin.
    at: u64,
}

fn state_path(config: &Config) -> PathBuf {
    config.data_dir.join(STATE_FILE)
}

/// None if the next backup must be whole: there is none before, or it is gone, elsewhere, under another root key, or at the
/// end of as many as may follow each other.
fn usable(config: &Config, place: &mut Place, root: &RootMaterial) -> Result<Option<Before>, BackupError> {
    let paths = state_path(config);
    let mut file = match files::open(&paths) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(&paths)(error)),
    };
    let mut head = Vec::new();
    let read = io::BufRead::read_until(&mut file.by_ref().take(STATE_HEAD_BYTES_MAX), b'\n', &mut head);
    let at = read.map_err(io_error(&paths))? as u64;
    let Ok(state) = serde_json::from_slice::<State>(&head) else { return Ok(None) };
    let fits = state.place == place.address && state.root_id == root.id() && state.depth + 1 < config.backup.full_every;
    if !fits {
        return Ok(None);
    }
    let there = super::chain::read_manifest(place, &state.base.id);
    let is_there = there.is_ok_and(|(signed, _)| signed.digest() == state.base.digest && signed.check(root).is_ok());
    Ok(is_there.then_some(Before { state, paths, at }))
}

fn keep_state(config: &Config, state: &State, paths: &Path) -> Result<(), BackupError> {
    let to = state_path(config);
    let write = || {
        let new = config.data_dir.join(format!("{STATE_FILE}.new"));
        let _ = fs::remove_file(&new);
        let mut file = BufWriter::new(files::create_new(&new, 0o600)?);
        serde_json::to_writer(&mut file, state)?;
        file.write_all(b"\n")?;
        io::copy(&mut files::open(paths)?, &mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&new, &to)?;
        files::sync_dir_of(&to)
    };
    write().map_err(io_error(&to))
}

/// Paths of records, in their order, as [`write_path`] has written them.
struct Paths<R>(zstd::Decoder<'static, BufReader<R>>);

impl<R: Read> Iterator for Paths<R> {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut length = [0; 2];
        match self.0.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
            Err(error) => return Some(Err(error)),
            Ok(()) => {}
        }
        let mut path = vec![0; usize::from(u16::from_le_bytes(length))];
        let read = self.0.read_exact(&mut path);
        Some(read.and_then(|()| String::from_utf8(path).map_err(io::Error::other)))
    }
}

fn write_path(to: &mut impl Write, path: &str) -> io::Result<()> {
    let length = u16::try_from(path.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(path.as_bytes())
}

fn old_paths(before: &Before) -> io::Result<Paths<File>> {
    let mut file = files::open(&before.paths)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(before.at))?;
    Ok(Paths(zstd::Decoder::new(file)?))
}

/// Those before `end`, or all that are left.
fn gone_before(old: &mut Option<Peekable<Paths<File>>>, end: Option<&str>) -> io::Result<Option<String>> {
    let Some(paths) = old else { return Ok(None) };
    let is_gone =
        |path: &io::Result<String>| path.as_ref().map_or(true, |path| end.is_none_or(|end| path.as_str() < end));
    paths.next_if(is_gone).transpose()
}

#[derive(Default)]
struct Counts {
    records: u64,
    written: u64,
    gone: u64,
}

struct Job<'j> {
    id: &'j str,
    data_key: &'j Key256,
    scratch: &'j Path,
}

impl Job<'_> {
    fn write(&self, name: &str, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), BackupError> {
        let path = self.scratch.join(name);
        let whole = || {
            let mut file = BufWriter::new(files::create_new(&path, 0o600)?);
            write(&mut file)?;
            file.flush()
        };
        whole().map_err(io_error(&path))
    }

    fn object(
        &self,
        name: &'static str,
        fill: impl FnOnce(&mut FrameWriter<&mut BufWriter<File>>) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let mut filled = Ok(());
        self.write(name, |to| {
            let mut frames = FrameWriter::new(to, self.data_key, &format!("{}/{name}", self.id))?;
            filled = fill(&mut frames);
            frames.finish().map(drop)
        })?;
        filled
    }

    fn put(&self, place: &mut Place, name: &str) -> Result<Object, BackupError> {
        let path = self.scratch.join(name);
        let file = files::open(&path).map_err(io_error(&path))?;
        let (bytes, sha256) = digest(&mut BufReader::new(&file), u64::MAX).map_err(io_error(&path))?;
        let content = Content::of(&file).map_err(io_error(&path))?;
        let failed = place.failed();
        place.archive.put(self.id, name, content).map_err(failed)?;
        Ok(Object { name: name.to_owned(), bytes, sha256: hex::encode(sha256.finish()) })
    }

    /// The records of one moment, or those that have changed since; and all paths, for the next time.
    fn records(&self, store: &dyn Store, before: Option<&Before>, paths: &Path) -> Result<Counts, BackupError> {
        let of_state = |error| BackupError::Io { path: paths.to_owned(), source: error };
        let mut old = match before {
            Some(before) => Some(old_paths(before).map_err(of_state)?.peekable()),
            None => None,
        };
        let since = before.map_or(0, |before| before.state.revision);
        let mut counts = Counts::default();
        let kept = files::create_new(paths, 0o600).map_err(of_state)?;
        let mut kept = zstd::Encoder::new(BufWriter::new(kept), 3).map_err(of_state)?;
        self.object(RECORDS, |to| {
            let snapshot = store.snapshot().map_err(other)?;
            for row in snapshot {
                let (path, entry) = row.map_err(other)?;
                while let Some(gone) = gone_before(&mut old, Some(path.as_str())).map_err(of_state)? {
                    counts.gone += 1;
                    to.write(&Frame::Gone(&gone)).map_err(other)?;
                }
                if let Some(old) = &mut old {
                    // The same path, which is there still.
                    let _ = old.next_if(|known| known.as_ref().is_ok_and(|known| known == path.as_str()));
                }
                counts.records += 1;
                write_path(&mut kept, path.as_str()).map_err(of_state)?;
                if before.is_none() || entry.revision.0 > since {
                    counts.written += 1;
                    to.write(&Frame::Record { path: path.as_str(), value: Raw(&entry.value) }).map_err(other)?;
                }
            }
            while let Some(gone) = gone_before(&mut old, None).map_err(of_state)? {
                counts.gone += 1;
                to.write(&Frame::Gone(&gone)).map_err(other)?;
            }
            Ok(())
        })?;
        kept.finish().and_then(|mut kept| kept.flush()).map_err(of_state)?;
        Ok(counts)
    }

    /// The files of the log. What has only grown since goes on where it was.
    fn log(&self, config: &Config, before: Option<&Before>) -> Result<(Vec<LogFile>, Option<LogHead>), BackupError> {
        let known = before.map(|before| before.state.log.as_slice()).unwrap_or_default();
        let from = audit_dir(&config.data_dir);
        let copy = self.scratch.join("audit");
        files::private_dir(&copy).map_err(io_error(&copy))?;
        let has = |name: &str, bytes| known.iter().any(|file| file.name == name && file.bytes == bytes);
        jomae_log::copy_but(&from, &copy, &has)?;
        let names = names_below(&copy).map_err(io_error(&copy))?;
        // Those that were left out, and are there still.
        let stays = |file: &&LogFile| {
            !names.contains(&file.name)
                && layout::is_compressed(Path::new(&file.name))
                && files::about(&from.join(&file.name)).is_ok_and(|about| about.len() == file.bytes)
        };
        let mut kept: Vec<LogFile> = known.iter().filter(stays).cloned().collect();
        self.object(LOG, |to| {
            for file in &kept {
                to.write(&Frame::Kept(&file.name)).map_err(other)?;
            }
            for name in &names {
                let path = copy.join(name);
                let base = known.iter().find(|file| file.name == *name);
                kept.push(log_file(to, &path, name, base).map_err(io_error(&path))?);
            }
            Ok(())
        })?;
        Ok((kept, log_head(&copy)?))
    }

    /// What clients know the service by. False if there is nothing.
    fn identity(&self, config: &Config) -> Result<bool, BackupError> {
        let dir = &config.data_dir;
        let mut parts = vec![(ENV, env_path(dir))];
        if config.tls.cert_file.is_none() {
            parts.extend([(CA, ca_path(dir)), (CA_KEY, ca_key_path(dir))]);
        }
        let mut read = Vec::new();
        for (name, path) in parts {
            match files::read_limited(&path, PART_BYTES_MAX) {
                Ok(content) => read.push((name, content)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_error(&path)(error)),
            }
        }
        if read.is_empty() {
            return Ok(false);
        }
        self.object(IDENTITY, |to| {
            for (name, content) in &read {
                to.write(&Frame::File { name, from: 0 }).map_err(other)?;
                for piece in content.chunks(PIECE_BYTES) {
                    to.write(&Frame::Piece(Raw(piece))).map_err(other)?;
                }
            }
            Ok(())
        })?;
        Ok(true)
    }
}

/// So many bytes at most, and the hash over them that goes on.
fn digest(from: &mut impl Read, bytes_max: u64) -> io::Result<(u64, Hasher)> {
    let (mut hasher, mut bytes) = (Hasher::new(HashAlg::Sha256), 0);
    let mut block = vec![0; PIECE_BYTES];
    let mut from = from.take(bytes_max);
    loop {
        let read = from.read(&mut block)?;
        if read == 0 {
            return Ok((bytes, hasher));
        }
        hasher.update(block.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
}

/// Writes a file of the log, or what has come behind what the backup before has of it.
fn log_file<W: Write>(to: &mut FrameWriter<W>, path: &Path, name: &str, base: Option<&LogFile>) -> io::Result<LogFile> {
    let bytes = files::about(path)?.len();
    let mut file = BufReader::new(files::open(path)?);
    let mut from = 0;
    let mut hasher = Hasher::new(HashAlg::Sha256);
    if let Some(base) = base.filter(|base| base.bytes <= bytes) {
        let (read, prefix) = digest(&mut file, base.bytes)?;
        let same = hex::encode(digest_of(path, base.bytes)?) == base.sha256;
        if same && read == base.bytes {
            (from, hasher) = (read, prefix);
        } else {
            file = BufReader::new(files::open(path)?);
        }
    }
    to.write(&Frame::File { name, from })?;
    let mut block = vec![0; PIECE_BYTES];
    let mut at = from;
    loop {
        let read = file.read(&mut block)?;
        let Some(piece) = block.get(..read).filter(|piece| !piece.is_empty()) else { break };
        hasher.update(piece);
        to.write(&Frame::Piece(Raw(piece)))?;
        at += read as u64;
    }
    Ok(LogFile { name: name.to_owned(), bytes: at, sha256: hex::encode(hasher.finish()) })
}

fn digest_of(path: &Path, bytes: u64) -> io::Result<[u8; 32]> {
    Ok(digest(&mut files::open(path)?, bytes)?.1.finish())
}

/// The files of a copied log, with those of its tree.
fn names_below(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for (prefix, dir) in [("", dir.to_owned()), ("tree/", dir.join("tree"))] {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(format!("{prefix}{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    names.sort();
    Ok(names)
}

fn log_head(log: &Path) -> Result<Option<LogHead>, BackupError> {
    let key = jomae_log::verify::files::read_key(log).map_err(other)?;
    let Some(key) = key else { return Ok(None) };
    let note = jomae_log::newest_note(log).map_err(io_error(log))?;
    let size = note.and_then(|note| Checkpoint::open(&note, &key).ok()).map_or(0, |checkpoint| checkpoint.size);
    Ok(Some(LogHead { key: key.to_string(), size }))
}

/// Removes backups that are older than the configuration keeps them, unless a younger one goes on from them.
fn retain(
    config: &Config,
    place: &mut Place,
    own: Option<&LogHead>,
    now: Timestamp,
) -> Result<Vec<String>, BackupError> {
    let Some(days) = config.backup.keep_days else { return Ok(Vec::new()) };
    let oldest = now.0 - i64::from(days) * 86_400;
    let (mut young, mut old) = (Vec::new(), Vec::new());
    for id in place.ids()? {
        // What cannot be read, or is another service's, is none of ours.
        let Ok((_, manifest)) = super::chain::read_manifest(place, &id) else { continue };
        let is_own = manifest.log.as_ref().map(|log| &log.key) == own.map(|log| &log.key);
        match (is_own, manifest.made < oldest) {
            (false, _) => {}
            (true, true) => old.push(manifest),
            (true, false) => young.push(manifest),
        }
    }
    let mut needed: Vec<String> =
        young.iter().filter_map(|manifest| Some(manifest.base.as_ref()?.id.clone())).collect();
    let mut removed = Vec::new();
    // The newest first, so that each is known as needed before its turn comes.
    for manifest in old.into_iter().rev() {
        if needed.contains(&manifest.id) {
            needed.extend(manifest.base.map(|base| base.id));
            continue;
        }
        // The manifest first: without it the rest counts for nothing.
        for name in [MANIFEST, RECORDS, LOG, IDENTITY] {
            let failed = place.failed();
            place.archive.remove(&manifest.id, name).map_err(failed)?;
        }
        removed.push(manifest.id);
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_making() {
        let now = Timestamp(1_800_000_000);
        let mut newest = new_id(now, None);
        assert!(newest.starts_with("20270115T080000Z-"), "{newest}");
        for moment in [now, now, Timestamp(now.0 - 7000), Timestamp(now.0 + 60)] {
            let next = new_id(moment, Some(&newest));
            assert!(next > newest && super::super::is_id(&next), "{next} {newest}");
            newest = next;
        }
    }
}
