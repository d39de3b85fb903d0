//! The one thread that writes: events, their hashes, checkpoints.

use std::{
    io,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use crate::{
    Checkpoint, Hash, Signer, Timestamp,
    batch::{Batch, Unindexed, Written},
    checkpoint_file::CheckpointFile,
    layout, leaf_hash,
    log::{Settings, Shared, Sleep, SyncCallback, WriteError},
    open::{self, OpenedFiles},
    retention::{self, Removed},
    segment::OpenSegment,
    tail::Tail,
    tree::Tree,
    witness::NewestCheckpoint,
};

/// Events are gathered for this long before they are written, if nobody waits for them: what wakes this thread takes
/// the processor from a request.
const GATHER: Duration = Duration::from_millis(20);
/// Written events are synced no later than this. With the gathering before, every event is on disk within a tenth of a
/// second.
const SYNC_WITHIN: Duration = Duration::from_millis(80);
/// How soon a failed write is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// How often old segments are looked for.
const RETENTION_EVERY: Duration = Duration::from_hours(1);
const SECS_PER_DAY: i64 = 86_400;

/// Callers that wait for the disk wait for others no longer than this part of what a sync takes, and never longer than
/// the second.
const GROUP_SYNC_SHARE: u32 = 2;
const GROUP_PAUSE_MAX: Duration = Duration::from_millis(1);

/// How callers have shared the last syncs: by that it is judged whether it pays to wait for more of them.
#[derive(Default)]
struct Groups {
    /// How many callers shared each of the last syncs.
    callers: [usize; 2],
    /// How long the last one took.
    sync: Duration,
}

impl Groups {
    fn note(&mut self, callers: usize, sync: Duration) {
        self.callers = [callers, self.callers[0]];
        self.sync = sync;
    }

    /// With so many callers a sync is worth its time. A lone caller waits for nobody.
    fn expected(&self) -> usize {
        let [last, before] = self.callers;
        last.max(before).max(1)
    }

    /// How long it may take until they have come.
    fn pause(&self) -> Duration {
        (self.sync / GROUP_SYNC_SHARE).min(GROUP_PAUSE_MAX)
    }
}

/// What the writer takes from the buffer at a time.
#[derive(Default)]
struct Taken {
    batch: Batch,
    /// Whether its lines are in the file already, so that only MAC and sync are left.
    in_file: bool,
    waiting: Vec<SyncCallback>,
    closing: bool,
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    settings: Settings,
    signer: Arc<Signer>,
    segment: OpenSegment,
    tree: Tree,
    checkpoints: CheckpointFile,
    tail: Tail,
    newest: Arc<NewestCheckpoint>,
    /// Whole days from 1970 to the first event of the segment.
    day: Option<i64>,
    /// Since when there have been events that may not be on disk.
    unsynced_since: Option<Instant>,
    groups: Groups,
    /// The size that the newest checkpoint covers.
    covered: u64,
    /// When a checkpoint was last tried.
    checkpoint_at: Option<Instant>,
    checkpoint_fails: bool,
    retention_at: Instant,
    leaves: Vec<Hash>,
    unindexed: Arc<Unindexed>,
}

impl Writer {
    pub fn new(
        shared: Arc<Shared>,
        settings: Settings,
        signer: Arc<Signer>,
        parts: OpenedFiles,
        tail: Tail,
        newest: Arc<NewestCheckpoint>,
    ) -> Self {
        let OpenedFiles { mut segment, tree, checkpoints, newest: found } = parts;
        segment.go_ahead(settings.strict);
        let covered = found.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size);
        if let Some((checkpoint, note)) = found {
            shared.note_checkpoint(&checkpoint);
            newest.set(note.into());
        }
        Self {
            shared,
            signer,
            day: segment.day(),
            segment,
            tree,
            checkpoints,
            tail,
            newest,
            unsynced_since: None,
            groups: Groups::default(),
            covered,
            checkpoint_at: None,
            checkpoint_fails: false,
            retention_at: Instant::now(),
            leaves: Vec::new(),
            unindexed: Arc::default(),
            settings,
        }
    }

    /// What it has written and the look-up index does not have.
    pub const fn unindexed(&self) -> &Arc<Unindexed> {
        &self.unindexed
    }

    /// Signs what was found when the log was opened, if no checkpoint covers it yet; a new log begins with a checkpoint
    /// of size 0.
    pub fn begin(&mut self) -> io::Result<()> {
        let none = self.newest.is_none();
        if none || self.covered < self.tree.size() { self.checkpoint() } else { Ok(()) }
    }

    /// Writes until the log is closed.
    pub fn run(mut self) {
        let mut taken = Taken::default();
        loop {
            self.gather(&mut taken);
            self.hash(&taken.batch);
            if !self.write(&mut taken) {
                return;
            }
            self.grow_tree();
            self.hand_to_index(&mut taken.batch);
            let last = taken.closing && self.shared.buffer().batch.is_empty();
            if self.unsynced_since.is_none() && (last || self.checkpoint_due().is_some_and(|due| due <= Instant::now()))
            {
                self.try_checkpoint();
            }
            if last {
                if let Err(error) = self.segment.finish() {
                    tracing::warn!(%error, "room behind the last audit event cannot be given back");
                }
                return;
            }
            self.remove_old();
        }
    }

    /// Waits until there is something to do, and takes it.
    fn gather(&self, taken: &mut Taken) {
        let mut buffer = self.shared.buffer();
        while buffer.batch.is_empty() && !buffer.closing {
            buffer.sleep = Sleep::ForEvents;
            let deadlines = [
                self.unsynced_since.map(|since| since + SYNC_WITHIN),
                self.checkpoint_due().filter(|_| self.unsynced_since.is_none()),
                (self.settings.retention_days > 0).then_some(self.retention_at),
            ];
            let Some(deadline) = deadlines.into_iter().flatten().min() else {
                buffer = self.shared.filled.wait(buffer).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            buffer = self.shared.filled.wait_timeout(buffer, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        // Without anyone waiting, a pause lets more events share the write; with a few, a short one lets more callers
        // share the sync.
        if !buffer.batch.is_empty() && !buffer.closing {
            let (callers, pause) =
                if buffer.waiting.is_empty() { (1, GATHER) } else { (self.groups.expected(), self.groups.pause()) };
            let until = Instant::now() + pause;
            buffer.sleep = Sleep::ForCallers(callers);
            while buffer.waiting.len() < callers && buffer.sleep != Sleep::Awake && !buffer.closing {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                buffer = self.shared.filled.wait_timeout(buffer, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        buffer.sleep = Sleep::Awake;
        std::mem::swap(&mut taken.batch, &mut buffer.batch);
        taken.waiting = std::mem::take(&mut buffer.waiting);
        taken.closing = buffer.closing;
        taken.in_file = false;
    }

    /// Writes a batch, retrying until that succeeds. `false` if the log was closed before.
    fn write(&mut self, taken: &mut Taken) -> bool {
        let now = Instant::now();
        if !taken.batch.is_empty() {
            self.unsynced_since.get_or_insert(now);
        }
        let sync = taken.closing
            || !taken.waiting.is_empty()
            || self.unsynced_since.is_some_and(|since| since.elapsed() >= SYNC_WITHIN);
        let sync = sync && self.unsynced_since.is_some();
        let mut result = self.append(taken, sync);
        if let Err(error) = &result {
            self.shared.writable.store(false, Ordering::Release);
            let file = self.segment.path().display();
            tracing::error!(%error, %file, "the audit log cannot be written; nothing is served until it can");
        }
        let failed = result.as_ref().err().map(ToString::to_string);
        if failed.is_none() {
            self.shared.in_files.store(self.segment.next(), Ordering::Release);
        }
        let mut synced = sync && failed.is_none();
        if synced {
            if !taken.waiting.is_empty() {
                self.groups.note(taken.waiting.len(), now.elapsed());
            }
            self.shared.on_disk.store(self.segment.next(), Ordering::Release);
        }
        for done in taken.waiting.drain(..) {
            done(failed.clone().map_or(Ok(()), |text| Err(WriteError(text))));
        }
        while result.is_err() {
            if self.shared.buffer().closing {
                return false;
            }
            std::thread::sleep(RETRY);
            result = self.append(taken, true);
            if result.is_ok() {
                synced = true;
                self.shared.in_files.store(self.segment.next(), Ordering::Release);
                self.shared.on_disk.store(self.segment.next(), Ordering::Release);
                tracing::info!("the audit log can be written again");
            }
        }
        self.shared.writable.store(true, Ordering::Release);
        if synced {
            self.shared.syncs.fetch_add(1, Ordering::Relaxed);
            self.unsynced_since = None;
        }
        true
    }

    /// Writes what is not written yet: events, then the MAC, and if they are to be on disk, so is the MAC.
    fn append(&mut self, taken: &mut Taken, sync: bool) -> io::Result<()> {
        let batch = &taken.batch;
        if !taken.in_file && !batch.is_empty() {
            let today = (self.settings.clock)().day();
            if !self.segment.is_empty() && self.must_rotate(batch.bytes().len() as u64, today) {
                self.rotate()?;
            }
            if self.segment.is_empty() {
                self.day = Some(today);
            }
        }
        if !taken.in_file {
            self.segment.append(batch.bytes(), batch.len(), false)?;
            taken.in_file = true;
        }
        self.tail.write()?;
        if sync { self.tail.sync_beside(|| self.segment.append(b"", 0, true)) } else { Ok(()) }
    }

    fn must_rotate(&self, more_bytes: u64, today: i64) -> bool {
        let new_day = self.settings.rotate_daily && self.day != Some(today);
        new_day || self.segment.bytes().saturating_add(more_bytes) > self.settings.segment_bytes_max
    }

    /// Closes the segment, and begins the next one.
    fn rotate(&mut self) -> io::Result<()> {
        self.segment.finish()?;
        self.try_checkpoint();
        self.shared.rotated.store(true, Ordering::Release);
        self.segment = self.segment.follow()?;
        self.segment.go_ahead(self.settings.strict);
        self.retention_at = Instant::now();
        Ok(())
    }

    /// Hashes a batch that is about to be written.
    fn hash(&mut self, batch: &Batch) {
        self.leaves.clear();
        self.leaves.extend(batch.iter(0).map(|event| leaf_hash(event.line)));
        self.tail.add(&self.leaves);
    }

    /// Appends the leaves of what was just written. If that fails, they are made from the files at the next
    /// checkpoint.
    fn grow_tree(&mut self) {
        let events = self.leaves.len() as u64;
        if events == 0 || self.tree.size() + events != self.segment.next() {
            return;
        }
        if let Err(error) = self.tree.push(&self.leaves)
            && !self.checkpoint_fails
        {
            tracing::error!(%error, "the hash tree of the audit log cannot be written; it will be tried again");
        }
    }

    /// Hands what was written to the look-up index, and leaves an empty batch.
    fn hand_to_index(&self, batch: &mut Batch) {
        if batch.is_empty() {
            return;
        }
        let another = batch.another();
        let written = Written {
            first: self.segment.next() - batch.len(),
            segment: self.segment.first(),
            offset: self.segment.bytes() - batch.bytes().len() as u64,
            batch: std::mem::replace(batch, another),
        };
        if let Some(refused) = self.unindexed.push(written) {
            *batch = refused;
            batch.clear();
        }
    }

    /// When the next checkpoint is due, if there is anything to cover.
    fn checkpoint_due(&self) -> Option<Instant> {
        (self.segment.next() > self.covered)
            .then(|| self.checkpoint_at.map_or_else(Instant::now, |at| at + self.settings.checkpoint_every))
    }

    fn try_checkpoint(&mut self) {
        if self.segment.next() <= self.covered {
            return;
        }
        self.checkpoint_at = Some(Instant::now());
        match self.checkpoint() {
            Ok(()) if self.checkpoint_fails => {
                self.checkpoint_fails = false;
                tracing::info!("checkpoints of the audit log can be made again");
            }
            Ok(()) => {}
            Err(error) => {
                self.shared.checkpoint_failures.fetch_add(1, Ordering::Relaxed);
                if !self.checkpoint_fails {
                    tracing::error!(%error, "no checkpoint of the audit log can be made; it will be tried again");
                }
                self.checkpoint_fails = true;
            }
        }
    }

    /// Signs the log as it is on disk. All events have been synced.
    fn checkpoint(&mut self) -> io::Result<()> {
        if self.tree.size() < self.segment.next() {
            let next = self.segment.next();
            open::grow_from_files(&self.settings.dir, &mut self.tree, next).map_err(io::Error::other)?;
        }
        if let Err(error) = self.tree.sync() {
            // What could not be written may be lost, and the next sync would not tell: it is made from the events again.
            self.tree = Tree::open(&layout::tree(&self.settings.dir), self.covered).map_err(io::Error::other)?;
            return Err(error);
        }
        if self.tail.tree().size() == self.tree.size() && self.tail.tree().root() != self.tree.root() {
            return Err(io::Error::other("the files are not what was written to them"));
        }
        let checkpoint = Checkpoint {
            origin: self.signer.name().to_owned(),
            size: self.tree.size(),
            root: self.tree.root(),
            time: (self.settings.clock)(),
            state: self.settings.state.ask(),
        };
        let note = checkpoint.sign(&self.signer).map_err(io::Error::other)?;
        self.checkpoints.append(&note)?;
        self.covered = checkpoint.size;
        self.shared.checkpoints.fetch_add(1, Ordering::Relaxed);
        self.shared.note_checkpoint(&checkpoint);
        self.newest.set(note.into());
        if self.checkpoints.is_long()
            && let Err(error) = self.checkpoints.thin_out()
        {
            tracing::warn!(%error, "old checkpoints cannot be thinned out");
        }
        Ok(())
    }

    /// Removes segments that are older than they must be kept, once a checkpoint covers them and what follows.
    fn remove_old(&mut self) {
        if self.settings.retention_days == 0 || self.retention_at > Instant::now() {
            return;
        }
        self.retention_at = Instant::now() + RETENTION_EVERY;
        let Timestamp(now) = (self.settings.clock)();
        let before = Timestamp(now.saturating_sub(i64::from(self.settings.retention_days) * SECS_PER_DAY));
        // The tree was synced before the checkpoint that covers it.
        let changing = self.shared.closed.changing.lock().unwrap_or_else(PoisonError::into_inner);
        // With an archive, only what is in it.
        let kept_from = self.covered.min(self.shared.archived.load(Ordering::Acquire));
        let removed = retention::remove_expired(&self.settings.dir, before, kept_from);
        drop(changing);
        match removed {
            Ok(Removed { files: 0, .. }) => {}
            Ok(Removed { files, more }) => {
                tracing::info!(files, "audit events past their retention were removed; their hashes stay");
                if more {
                    self.retention_at = Instant::now();
                }
            }
            Err(error) => tracing::error!(%error, "old audit events cannot be removed; it will be tried again"),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.newest.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_waits_for_callers_that_came_before_and_not_for_long() {
        let mut groups = Groups::default();
        assert_eq!((groups.expected(), groups.pause()), (1, Duration::ZERO));
        groups.note(1, Duration::from_micros(400));
        groups.note(1, Duration::from_micros(400));
        assert_eq!(groups.expected(), 1, "a lone caller waits for nobody");
        groups.note(40, Duration::from_micros(400));
        groups.note(8, Duration::from_micros(600));
        assert_eq!((groups.expected(), groups.pause()), (40, Duration::from_micros(300)));
        groups.note(9, Duration::from_secs(3));
        assert_eq!((groups.expected(), groups.pause()), (9, GROUP_PAUSE_MAX));
    }
}
