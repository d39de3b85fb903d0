//! The look-up index of the audit log: which events have a value, and where they stand.
//!
//! The log is cut into blocks of 16384 events. Each closed block has a file of its own in `index/`, written once; the
//! block that is still growing is kept in memory. All of it is derived from the segments and can be deleted: what is
//! missing, damaged or of another version is rebuilt, and what it says is believed only after the event itself has been
//! read.

mod block;
mod cursor;
mod event_set;
mod stored;
mod terms;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jomae_files as files;

use self::{
    block::{Block, Location, MemoryBlock, search},
    cursor::{Cursor, Events, Span},
    stored::{StoredBlock, encode},
};
use crate::{
    Timestamp,
    batch::{EventOf, Unindexed, Written},
    event::Attribute,
    layout::{self, Segment, index_file::BLOCK_EVENTS},
};

/// The most that a look-up waits to be indexed, in bytes of the log.
const LAG_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The most closed blocks that wait in memory for their files to be written.
const UNWRITTEN_MAX: usize = 8;
/// How often a look-up is tried when a block turns out damaged; in the last try an event that does not match counts as
/// a hash collision.
const ATTEMPTS: usize = 4;

/// Which events are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The account that asks: it sees events in which it is the caller's, the owner's or the recipient's.
    pub account: String,
    /// First second of the range.
    pub from: Timestamp,
    /// Last second of the range.
    pub to: Timestamp,
    /// All must match exactly.
    pub attributes: Vec<(Attribute, String)>,
    /// In which order events come.
    pub direction: Direction,
    /// Most events of a page.
    pub limit: usize,
    /// Number of the event behind which the page begins, in the direction of the look-up.
    pub after: Option<u64>,
}

/// In which order events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The newest first.
    Backward,
    /// The oldest first.
    Forward,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order of the look-up.
    pub events: Vec<Found>,
    /// Whether more follow.
    pub more: bool,
}

/// One event that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number in the log.
    pub number: u64,
    /// Its line as it stands in the log, without the newline.
    pub line: String,
}

/// Why nothing can be looked up. One line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("look-up: {0}")]
pub struct LookupError(String);

/// The index of the log in one directory. Only one process may write there.
pub struct Index {
    log: PathBuf,
    dir: PathBuf,
    state: Mutex<State>,
    /// Held while files are written; no file is of a block below this.
    writing: Mutex<u64>,
}

struct State {
    segments: Vec<Segment>,
    unindexed: Arc<Unindexed>,
    /// Behind what the open block has.
    cursor: Cursor,
    open: MemoryBlock,
    /// By number of the block; none is behind the open one.
    closed: Arc<BTreeMap<u64, Closed>>,
}

#[derive(Clone)]
enum Closed {
    /// Not in a file yet.
    Memory(Arc<MemoryBlock>),
    Stored(Arc<StoredBlock>),
}

/// How far an index has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Number of the first event that is not indexed.
    pub events: u64,
    /// Blocks in files.
    pub stored_blocks: usize,
}

/// Why a look-up has no answer.
enum LookupFailure {
    /// The block of this number contradicts the log.
    Damaged(u64),
    Failed(LookupError),
}

impl From<io::Error> for LookupFailure {
    fn from(error: io::Error) -> Self {
        Self::Failed(LookupError(error.to_string()))
    }
}

const fn block_of(event: u64) -> u64 {
    event / BLOCK_EVENTS as u64
}

const fn first_of(block: u64) -> u64 {
    block.saturating_mul(BLOCK_EVENTS as u64)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Index {
    /// Opens the index of the log in `log`, and creates its directory. Reads only the headers of the blocks: what they
    /// lack is indexed by [`Index::catch_up`].
    pub fn open(log: &Path) -> io::Result<Self> {
        Self::open_beside(log, Arc::default())
    }

    /// As [`Index::open`], beside a writer that hands over what it has written: what waits there is not read in the files.
    pub(crate) fn open_beside(log: &Path, unindexed: Arc<Unindexed>) -> io::Result<Self> {
        let dir = layout::index(log);
        files::private_dir(&dir)?;
        let segments = layout::segments(log)?;
        let mut closed = BTreeMap::new();
        for (first, path) in layout::index_blocks(&dir)? {
            if let Ok(stored) = StoredBlock::open(&path)
                && is_of_log(&stored, first, &segments)
            {
                closed.insert(block_of(first), Closed::Stored(Arc::new(stored)));
            }
        }
        let oldest = segments.first().map_or(0, |segment| block_of(segment.first));
        let open = closed.keys().next_back().map_or(oldest, |last| last + 1).max(oldest);
        let state = State {
            segments,
            unindexed,
            cursor: Cursor::before(first_of(open)),
            open: MemoryBlock::new(first_of(open)),
            closed: Arc::new(closed),
        };
        Ok(Self { log: log.to_owned(), dir, state: Mutex::new(state), writing: Mutex::new(0) })
    }

    /// Indexes new events, and writes the files of closed blocks. To be called regularly, on a thread that may block; a
    /// look-up waits for one block at most.
    pub fn catch_up(&self) -> io::Result<Progress> {
        let mut oldest_file = lock(&self.writing);
        loop {
            let (more, unwritten, oldest) = {
                let mut state = lock(&self.state);
                state.segments = layout::segments(&self.log)?;
                state.forget_removed();
                let more = state.step()?;
                (more, state.unwritten(), state.oldest())
            };
            if oldest > *oldest_file {
                self.remove_below(oldest)?;
                *oldest_file = oldest;
            }
            for (number, block) in unwritten {
                self.store(number, &block)?;
            }
            if !more {
                let state = lock(&self.state);
                let stored = state.closed.values().filter(|block| matches!(block, Closed::Stored(_)));
                return Ok(Progress { events: state.cursor.event, stored_blocks: stored.count() });
            }
        }
    }

    /// Removes the files of blocks whose segments are all gone.
    fn remove_below(&self, oldest: u64) -> io::Result<()> {
        for (first, path) in layout::index_blocks(&self.dir)? {
            if block_of(first) < oldest {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Writes the file of a closed block, which then takes its place.
    fn store(&self, number: u64, block: &Arc<MemoryBlock>) -> io::Result<()> {
        // A block without any event stays in memory, where it takes no room.
        let Some(content) = encode(block) else { return Ok(()) };
        let path = layout::index_block(&self.dir, first_of(number));
        files::write_private(&path, &content)?;
        let stored = Closed::Stored(Arc::new(StoredBlock::open(&path)?));
        let mut state = lock(&self.state);
        // It may have been found wrong meanwhile.
        if let Some(Closed::Memory(now)) = state.closed.get(&number)
            && Arc::ptr_eq(now, block)
        {
            Arc::make_mut(&mut state.closed).insert(number, stored);
        }
        Ok(())
    }

    /// Finds events among all that are in the log at the time of the call, whether [`Index::catch_up`] has seen them or
    /// not. An error if the index is still being built, or the log cannot be read.
    pub fn lookup(&self, query: &Query) -> Result<Page, LookupError> {
        for attempt in 1..=ATTEMPTS {
            match self.attempt(query, attempt == ATTEMPTS) {
                Ok(page) => return Ok(page),
                Err(LookupFailure::Damaged(number)) => lock(&self.state).forget(number),
                Err(LookupFailure::Failed(error)) => return Err(error),
            }
        }
        Err(LookupError("the index cannot be made right".into()))
    }

    fn attempt(&self, query: &Query, is_last: bool) -> Result<Page, LookupFailure> {
        let (log, closed, open_block, in_open) = {
            let mut state = lock(&self.state);
            state.segments = layout::segments(&self.log)?;
            state.forget_removed();
            state.catch_up_soon()?;
            let mut in_open = Vec::new();
            let _: ControlFlow<()> = search(&state.open, query, |event, location| {
                in_open.push((event, location));
                ControlFlow::Continue(())
            })?;
            (state.segments.clone(), Arc::clone(&state.closed), block_of(state.open.first), in_open)
        };
        let mut answer = Answer { query, events: Events::new(&log), page: Page::default(), is_last };
        match query.direction {
            Direction::Backward => {
                let _full = answer.take_all(&in_open, open_block)? || answer.search(closed.iter().rev())?;
            }
            Direction::Forward => {
                let _full = answer.search(closed.iter())? || answer.take_all(&in_open, open_block)?;
            }
        }
        Ok(answer.page)
    }
}

/// A page while it is collected.
struct Answer<'a> {
    query: &'a Query,
    events: Events<'a>,
    page: Page,
    is_last: bool,
}

impl Answer<'_> {
    /// Searches closed blocks. `true` once the page is full.
    fn search<'b>(&mut self, blocks: impl Iterator<Item = (&'b u64, &'b Closed)>) -> Result<bool, LookupFailure> {
        let query = self.query;
        for (number, block) in blocks {
            let take = |event, location| match self.take(event, location, *number) {
                Ok(false) => ControlFlow::Continue(()),
                Ok(true) => ControlFlow::Break(Ok(true)),
                Err(trouble) => ControlFlow::Break(Err(trouble)),
            };
            let searched = match block {
                Closed::Memory(block) => search(&**block, query, take),
                Closed::Stored(block) => search(&**block, query, take),
            };
            match searched {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(ended)) => return ended,
                Err(error) if is_shortage(&error) => return Err(error.into()),
                // Damaged, or removed by somebody.
                Err(_) => return Err(LookupFailure::Damaged(*number)),
            }
        }
        Ok(false)
    }

    fn take_all(&mut self, found: &[(u64, Location)], block: u64) -> Result<bool, LookupFailure> {
        for (event, location) in found {
            if self.take(*event, *location, block)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads an event that the index has named, and adds it to the page if it matches. `true` once the page is full and
    /// more is known to follow.
    fn take(&mut self, event: u64, location: Location, block: u64) -> Result<bool, LookupFailure> {
        let span = location.span().ok_or(LookupFailure::Damaged(block))?;
        let line = match self.events.line(event, span) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(LookupFailure::Damaged(block)),
            Err(error) => return Err(error.into()),
        };
        let text = String::from_utf8(line).ok().filter(|text| terms::matches(text.as_bytes(), self.query));
        let Some(text) = text else {
            return if self.is_last { Ok(false) } else { Err(LookupFailure::Damaged(block)) };
        };
        if self.page.events.len() >= self.query.limit {
            self.page.more = true;
            return Ok(true);
        }
        self.page.events.push(Found { number: event, line: text });
        Ok(false)
    }
}

/// Whether the system is short of memory or descriptors: that says nothing about the index.
fn is_shortage(error: &io::Error) -> bool {
    /// ENOMEM, ENFILE, EMFILE of every Unix.
    const SHORTAGES: [i32; 3] = [12, 23, 24];
    error.raw_os_error().is_some_and(|code| SHORTAGES.contains(&code))
}

/// Whether a file belongs to this block of this log: its last event is still in the log, unchanged.
fn is_of_log(stored: &StoredBlock, first: u64, segments: &[Segment]) -> bool {
    let (last, sum) = stored.last;
    let event = first.saturating_add(u64::from(last));
    let Some(span) = stored.location(last).ok().and_then(Location::span) else { return false };
    let is_own = stored.first() == first && first.is_multiple_of(BLOCK_EVENTS as u64);
    let line = Events::new(segments).line(event, span).ok().flatten();
    is_own && line.is_some_and(|line| stored.key().sum(event, &line) == sum)
}

/// Adds events of a batch to a block, from where the cursor is up to, not including, event `until`.
fn add_written(block: &mut MemoryBlock, cursor: &mut Cursor, written: &Written, until: u64) {
    let from = cursor.event;
    let skipped = usize::try_from(from - written.first).unwrap_or(usize::MAX);
    for (event, EventOf { start, line, found_by }) in (from..until).zip(written.batch.iter(skipped)) {
        let offset = written.offset + start as u64;
        block.push(event, Span { offset, bytes: line.len() }, line, found_by);
        cursor.go_to(event + 1, written.segment, offset + line.len() as u64 + 1);
    }
}

impl State {
    /// Indexes at most one block. `true` if there may be more to do.
    fn step(&mut self) -> io::Result<bool> {
        if self.segments.is_empty() {
            return Ok(false);
        }
        let oldest = self.oldest();
        if self.unwritten().len() >= UNWRITTEN_MAX {
            return Err(io::Error::other("the files of the look-up index are not being written"));
        }
        if block_of(self.open.first) < oldest {
            self.start_at(oldest);
        }
        let open = block_of(self.open.first);
        // All closed blocks are between the two, so their number tells whether one is missing.
        let is_whole = self.closed.len() as u64 == open - oldest;
        let lacks = (oldest..open).find(|number| !is_whole && !self.closed.contains_key(number));
        if let Some(number) = lacks {
            let (block, cursor) =
                self.read_block(MemoryBlock::new(first_of(number)), Cursor::before(first_of(number)))?;
            if cursor.event < first_of(number + 1) {
                // The log ends here and not where the files behind this block say.
                Arc::make_mut(&mut self.closed).retain(|other, _| *other < number);
                (self.open, self.cursor) = (block, cursor);
                return Ok(false);
            }
            self.close(block);
            return Ok(true);
        }
        let block = std::mem::replace(&mut self.open, MemoryBlock::new(first_of(open + 1)));
        let (block, cursor) = match self.read_block(block, self.cursor) {
            Ok(read) => read,
            Err(error) => {
                self.start_at(open);
                return Err(error);
            }
        };
        self.cursor = cursor;
        if cursor.event < first_of(open + 1) {
            self.open = block;
            return Ok(false);
        }
        self.close(block);
        Ok(true)
    }

    fn start_at(&mut self, block: u64) {
        self.open = MemoryBlock::new(first_of(block));
        self.cursor = Cursor::before(first_of(block));
    }

    fn read_block(&self, mut block: MemoryBlock, mut cursor: Cursor) -> io::Result<(MemoryBlock, Cursor)> {
        let until = first_of(block_of(block.first) + 1);
        while cursor.event < until {
            let written = self.unindexed.take(cursor.event);
            if let Some(written) = written.as_ref().filter(|written| written.first <= cursor.event) {
                add_written(&mut block, &mut cursor, written, until);
            } else {
                let to = written.as_ref().map_or(until, |written| written.first.min(until));
                cursor.read(&self.segments, to, |event, span, line| block.push(event, span, line, None))?;
                if cursor.event < to {
                    self.unindexed.put_back(written);
                    break;
                }
            }
            self.unindexed.put_back(written.filter(|written| written.events().end > cursor.event));
        }
        Ok((block, cursor))
    }

    fn close(&mut self, block: MemoryBlock) {
        Arc::make_mut(&mut self.closed).insert(block_of(block.first), Closed::Memory(Arc::new(block)));
    }

    /// Indexes everything, unless that would take long.
    fn catch_up_soon(&mut self) -> Result<(), LookupFailure> {
        let known = self.closed.len() as u64;
        let lacking = block_of(self.open.first).saturating_sub(self.oldest()).saturating_sub(known);
        if lacking > UNWRITTEN_MAX as u64 / 2 || self.cursor.bytes_left(&self.segments)? > LAG_BYTES_MAX {
            return Err(LookupFailure::Failed(LookupError("the index is still being made".into())));
        }
        while self.step()? {}
        Ok(())
    }

    /// The block of the oldest event.
    fn oldest(&self) -> u64 {
        self.segments.first().map_or(0, |segment| block_of(segment.first))
    }

    /// Drops the blocks whose segments are all gone.
    fn forget_removed(&mut self) {
        let oldest = self.oldest();
        if self.closed.keys().next().is_some_and(|first| *first < oldest) {
            Arc::make_mut(&mut self.closed).retain(|number, _| *number >= oldest);
        }
    }

    /// Drops a block, so that it is rebuilt, and all others whose files have changed: damage seldom comes alone.
    fn forget(&mut self, number: u64) {
        if number == block_of(self.open.first) {
            self.start_at(number);
        }
        let segments = &self.segments;
        Arc::make_mut(&mut self.closed).retain(|other, block| {
            let is_good = match block {
                Closed::Memory(_) => true,
                Closed::Stored(block) => block.is_there() && is_of_log(block, first_of(*other), segments),
            };
            *other != number && is_good
        });
    }

    fn unwritten(&self) -> Vec<(u64, Arc<MemoryBlock>)> {
        let blocks = self.closed.iter().filter_map(|(number, block)| match block {
            Closed::Memory(block) if block.times.is_some() => Some((*number, Arc::clone(block))),
            _ => None,
        });
        blocks.collect()
    }
}
