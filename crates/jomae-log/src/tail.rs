//! Proof that the events after the newest checkpoint are ours: after each batch that was written, a MAC over size and
//! root of the tree, in a file beside the log.
//!
//! The root stands for every event from the beginning, so one MAC authenticates all that it covers, in its order. The
//! file has two slots. One holds the last MAC that is on disk together with all of its events; the other takes the next
//! ones, so that a crash in the middle of a write cannot destroy a MAC that an answered call relies on. The key is
//! random for each run and kept by whoever opens the log: MACs of earlier runs prove nothing.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::{Arc, mpsc},
};

use jomae_crypto::{
    mac::{Mac, MacAlg},
    purpose::Purpose,
    secret::{SecretBytes, ct_eq},
};
use jomae_files as files;

use crate::{
    FileError, Frontier, Hash,
    layout::{
        self,
        tail::{FILE_BYTES, MAC_BYTES, MAGIC, SLOT_BYTES, SLOTS, TAG_BYTES},
    },
    segment::{self, LeavesError},
};

/// Length of the key, in bytes.
pub const KEY_BYTES: usize = 32;

/// One MAC, as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TailMac {
    /// How many events it covers.
    pub size: u64,
    /// HMAC-SHA256, under the key of the run, over the name of the log, the size and the root.
    pub tag: [u8; TAG_BYTES],
}

impl TailMac {
    /// Its form in the file.
    pub fn to_bytes(self) -> [u8; MAC_BYTES] {
        let mut bytes = [0; MAC_BYTES];
        let parts = [&MAGIC[..], &self.size.to_be_bytes(), &self.tag];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (size, tag) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
        Some(Self { size: u64::from_be_bytes(*size), tag: *tag.first_chunk()? })
    }
}

/// The MACs in a file, at most two. Anything else in it is ignored: a MAC proves itself.
pub fn parse(content: &[u8]) -> impl Iterator<Item = TailMac> {
    content.chunks(SLOT_BYTES).take(SLOTS).filter_map(TailMac::from_bytes)
}

/// The key of one run of the service.
pub struct TailKey {
    origin: String,
    key: Arc<SecretBytes>,
}

impl TailKey {
    /// The key of [`KEY_BYTES`] for the log of this name.
    pub fn new(origin: &str, key: Arc<SecretBytes>) -> Self {
        Self { origin: origin.to_owned(), key }
    }

    /// The MAC of the log of this size and root.
    pub fn mac(&self, size: u64, root: &Hash) -> TailMac {
        let mut mac = Mac::new(MacAlg::Sha256, self.key.expose());
        mac.update(Purpose::AuditTail.label().as_bytes());
        mac.update(b"\n");
        mac.update(self.origin.as_bytes());
        mac.update(b"\n");
        mac.update(&size.to_be_bytes());
        mac.update(root);
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&mac.finish());
        TailMac { size, tag }
    }
}

/// How many of the first `events` events of a log the MACs of this key authenticate. `known` is the tree over those
/// that are trusted already.
pub(crate) fn authenticated(dir: &Path, key: &TailKey, known: Frontier, events: u64) -> Result<u64, LeavesError> {
    let path = layout::tail_mac(dir);
    let content = match files::read_limited(&path, FILE_BYTES) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(known.size()),
        Err(error) => return Err(LeavesError::File(FileError::of(&path)(error))),
    };
    let macs: Vec<TailMac> = parse(&content).filter(|mac| mac.size > known.size() && mac.size <= events).collect();
    let (from, to) = (known.size(), macs.iter().map(|mac| mac.size).max().unwrap_or(0));
    let (mut tree, mut authentic) = (known, from);
    if to > from {
        segment::leaves(dir, from, to, |leaves| {
            for leaf in leaves {
                tree.push(*leaf);
                for mac in macs.iter().filter(|mac| mac.size == tree.size()) {
                    if ct_eq(&mac.tag, &key.mac(mac.size, &tree.root()).tag) {
                        authentic = mac.size;
                    }
                }
            }
            Ok(())
        })?;
    }
    Ok(authentic)
}

/// A thread that syncs a file while its owner does the same with another: the disk takes both at once.
struct Syncer {
    ask: mpsc::Sender<()>,
    done: mpsc::Receiver<io::Result<()>>,
}

impl Syncer {
    fn of(file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        let ((ask, asked), (tell, done)) = (mpsc::channel(), mpsc::channel());
        let work = move || while asked.recv().is_ok() && tell.send(file.sync_data()).is_ok() {};
        std::thread::Builder::new().name("audit-mac".into()).spawn(work)?;
        Ok(Self { ask, done })
    }

    fn sync_beside(&self, other: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let gone = || io::Error::other("the thread that syncs has ended");
        self.ask.send(()).map_err(|_| gone())?;
        let other = other();
        self.done.recv().unwrap_or_else(|_| Err(gone())).and(other)
    }
}

/// The file as it is written, with the tree that its MACs cover.
pub(crate) struct Tail {
    file: File,
    syncer: Syncer,
    key: TailKey,
    tree: Frontier,
    /// Which slot holds the MAC that is on disk with all that it covers.
    synced: usize,
    /// Whether there is something that is not on disk.
    unsynced: bool,
}

impl Tail {
    /// Opens the file, or creates it. Its content stays until the first event is written.
    pub fn open(dir: &Path, key: TailKey, tree: Frontier) -> io::Result<Self> {
        let path = layout::tail_mac(dir);
        let file = files::open_to_write(&path)?;
        if file.metadata()?.len() != FILE_BYTES as u64 {
            file.set_len(FILE_BYTES as u64)?;
            file.sync_all()?;
            files::sync_dir_of(&path)?;
        }
        let syncer = Syncer::of(&file)?;
        Ok(Self { file, syncer, key, tree, synced: 0, unsynced: false })
    }

    /// The tree over all that was written.
    pub fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// Adds events that are about to be written, once.
    pub fn add(&mut self, leaves: &[Hash]) {
        for leaf in leaves {
            self.tree.push(*leaf);
        }
        self.unsynced |= !leaves.is_empty();
    }

    const fn next_slot(&self) -> usize {
        (self.synced + 1) % SLOTS
    }

    /// Writes the MAC over all that was added, after the events themselves.
    pub fn write(&mut self) -> io::Result<()> {
        if !self.unsynced {
            return Ok(());
        }
        let mac = self.key.mac(self.tree.size(), &self.tree.root()).to_bytes();
        self.file.write_all_at(&mac, (self.next_slot() * SLOT_BYTES) as u64)
    }

    /// Syncs the MAC that was written, while `events` syncs what it covers. Which of them is on disk first does not matter: a
    /// MAC of events that are not there proves nothing, and the other one stays until both are.
    pub fn sync_beside(&mut self, events: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if !self.unsynced {
            return events();
        }
        self.syncer.sync_beside(events)?;
        self.synced = self.next_slot();
        self.unsynced = false;
        Ok(())
    }
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
