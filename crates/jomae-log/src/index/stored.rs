//! A block in a file, which never changes.
//!
//! Its layout is that of [`crate::layout::index_file`]. The sums find damage, not malice: whoever may write here may
//! write the log too, and there it shows.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use jomae_files as files;

use super::{
    block::{Block, Location, MemoryBlock, Times},
    event_set::EventSet,
    terms::HashKey,
};
use crate::{
    Timestamp,
    layout::index_file::{
        self, BLOCK_EVENTS, ENTRIES_PER_PAGE, ENTRY_BYTES, FENCE_BYTES, FENCES_AT, HEADER_BYTES, LISTED_MAX,
        LOCATION_BYTES, LOCATIONS_PER_PAGE, MAGIC, SET_BYTES, SUM_BYTES,
    },
};

/// What a block's file says of itself; the rest is read when it is asked for.
pub(super) struct StoredBlock {
    path: PathBuf,
    first: u64,
    key: HashKey,
    times: Times,
    entries: usize,
    fences: Vec<u64>,
    events_bytes: u64,
    /// The last event that has a location, and a sum of its line.
    pub(super) last: (u16, u64),
}

/// A term's row of the dictionary.
struct Row {
    count: usize,
    /// The event itself if there is one only, else where the events stand.
    at: u32,
}

fn damaged() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

fn u64_at(bytes: &[u8], at: usize) -> io::Result<u64> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map(|chunk| u64::from_le_bytes(*chunk)).ok_or_else(damaged)
}

fn u32_at(bytes: &[u8], at: usize) -> io::Result<u32> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map(|chunk| u32::from_le_bytes(*chunk)).ok_or_else(damaged)
}

fn u16_at(bytes: &[u8], at: usize) -> io::Result<u16> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map(|chunk| u16::from_le_bytes(*chunk)).ok_or_else(damaged)
}

/// A file in the making.
struct Writer {
    key: HashKey,
    bytes: Vec<u8>,
}

impl Writer {
    fn part(&mut self, part: &[u8]) {
        let sum = self.key.sum(self.bytes.len() as u64, part);
        self.bytes.extend_from_slice(part);
        self.bytes.extend(sum.to_le_bytes());
    }
}

/// The content of a block's file. `None` for a block without any event.
pub(super) fn encode(block: &MemoryBlock) -> Option<Vec<u8>> {
    let (times, last) = (block.times?, block.last()?);
    let terms = block.terms();
    let mut events = Writer { key: block.key, bytes: Vec::new() };
    let mut rows = Vec::with_capacity(terms.len() * ENTRY_BYTES);
    for (term, of_term) in &terms {
        let at = if let [only] = &**of_term {
            u32::from(*only)
        } else {
            let at = u32::try_from(events.bytes.len()).ok()?;
            let content = match of_term.len() {
                ..=LISTED_MAX => of_term.iter().flat_map(|event| event.to_le_bytes()).collect(),
                _ => EventSet::of(of_term.iter().copied())?.to_bytes(),
            };
            events.part(&content);
            at
        };
        rows.extend(term.to_le_bytes());
        rows.extend(u32::try_from(of_term.len()).ok()?.to_le_bytes());
        rows.extend(at.to_le_bytes());
    }
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend(MAGIC);
    header.extend(block.key.0);
    header.extend(block.first.to_le_bytes());
    header.extend(times.oldest.0.to_le_bytes());
    header.extend(times.newest.0.to_le_bytes());
    header.extend(u32::try_from(terms.len()).ok()?.to_le_bytes());
    header.extend(u32::try_from(events.bytes.len()).ok()?.to_le_bytes());
    header.extend(last.0.to_le_bytes());
    header.extend(last.1.to_le_bytes());
    let fences = terms.iter().step_by(ENTRIES_PER_PAGE).flat_map(|(term, _)| term.to_le_bytes());

    let mut file = Writer { key: block.key, bytes: Vec::new() };
    file.part(&header);
    file.part(&fences.collect::<Vec<u8>>());
    rows.chunks(ENTRIES_PER_PAGE * ENTRY_BYTES).for_each(|page| file.part(page));
    let padded = block.locations.iter().copied().chain(std::iter::repeat(Location::NONE)).take(BLOCK_EVENTS);
    let locations = padded.flat_map(|location| {
        // A block of 136 years is none; its last years are taken for its 136th.
        let secs = u32::try_from(location.time.0.saturating_sub(times.oldest.0).max(0)).unwrap_or(u32::MAX);
        location.packed().to_le_bytes().into_iter().chain(secs.to_le_bytes())
    });
    let locations: Vec<u8> = locations.collect();
    locations.chunks(LOCATIONS_PER_PAGE * LOCATION_BYTES).for_each(|page| file.part(page));
    // Their sums say where they stand among themselves.
    file.bytes.append(&mut events.bytes);
    Some(file.bytes)
}

impl StoredBlock {
    /// Reads what stands at the beginning of a file. An error of kind `InvalidData` if the file is damaged or of
    /// another form.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = files::open(path)?;
        let mut header = [0; HEADER_BYTES + SUM_BYTES];
        file.read_exact_at(&mut header, 0)?;
        let (header, sum) = header.split_at(HEADER_BYTES);
        let (magic, rest) = header.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (key, rest) = rest.split_first_chunk::<16>().ok_or_else(damaged)?;
        let key = HashKey(*key);
        if magic != MAGIC || key.sum(0, header) != u64_at(sum, 0)? {
            return Err(damaged());
        }
        let second = |at| u64_at(rest, at).map(|secs| Timestamp(secs.cast_signed()));
        let mut stored = Self {
            path: path.to_owned(),
            first: u64_at(rest, 0)?,
            key,
            times: Times { oldest: second(8)?, newest: second(16)? },
            entries: u32_at(rest, 24)? as usize,
            fences: Vec::new(),
            events_bytes: u64::from(u32_at(rest, 28)?),
            last: (u16_at(rest, 32)?, u64_at(rest, 34)?),
        };
        // The sum is right, so only the length of the file is left to doubt, and with it that of the fences.
        stored.check_length(&file.metadata()?)?;
        let fences_bytes = index_file::dictionary_pages(stored.entries) * FENCE_BYTES;
        let fences = stored.part(&file, FENCES_AT, fences_bytes)?;
        stored.fences = fences.as_chunks::<FENCE_BYTES>().0.iter().map(|fence| u64::from_le_bytes(*fence)).collect();
        Ok(stored)
    }

    /// Whether the file is still the one that was opened, as far as its beginning tells.
    pub(super) fn is_there(&self) -> bool {
        Self::open(&self.path).is_ok_and(|now| now.key == self.key)
    }

    fn check_length(&self, file: &Metadata) -> io::Result<()> {
        if file.len() == index_file::events_at(self.entries) as u64 + self.events_bytes {
            Ok(())
        } else {
            Err(damaged())
        }
    }

    /// Reads a part of `bytes` bytes that was written at once.
    fn part(&self, file: &File, at: usize, bytes: usize) -> io::Result<Vec<u8>> {
        self.part_from(file, 0, at, bytes)
    }

    /// The same with the place counted from `base`.
    fn part_from(&self, file: &File, base: usize, at: usize, bytes: usize) -> io::Result<Vec<u8>> {
        let mut part = vec![0; bytes + SUM_BYTES];
        file.read_exact_at(&mut part, (base + at) as u64)?;
        let sum = u64_at(&part, bytes)?;
        part.truncate(bytes);
        if self.key.sum(at as u64, &part) == sum { Ok(part) } else { Err(damaged()) }
    }

    fn row(&self, file: &File, term: u64) -> io::Result<Option<Row>> {
        let Some(page) = self.fences.partition_point(|fence| *fence <= term).checked_sub(1) else { return Ok(None) };
        let entries = (self.entries - page * ENTRIES_PER_PAGE).min(ENTRIES_PER_PAGE);
        let at = index_file::dictionary_at(self.entries) + page * (ENTRIES_PER_PAGE * ENTRY_BYTES + SUM_BYTES);
        let rows = self.part(file, at, entries * ENTRY_BYTES)?;
        let (rows, _) = rows.as_chunks::<ENTRY_BYTES>();
        let Ok(found) = rows.binary_search_by_key(&term, |row| u64_at(row, 0).unwrap_or(u64::MAX)) else {
            return Ok(None);
        };
        let row = rows.get(found).ok_or_else(damaged)?;
        Ok(Some(Row { count: u32_at(row, 8)? as usize, at: u32_at(row, 12)? }))
    }

    fn events(&self, file: &File, row: &Row) -> io::Result<EventSet> {
        let at = row.at as usize;
        let bits = match row.count {
            1 => u16::try_from(row.at).ok().and_then(|only| EventSet::of([only])),
            2..=LISTED_MAX => {
                let list = self.part_from(file, index_file::events_at(self.entries), at, row.count * 2)?;
                EventSet::of(list.as_chunks::<2>().0.iter().map(|event| u16::from_le_bytes(*event)))
            }
            _ => EventSet::from_bytes(&self.part_from(file, index_file::events_at(self.entries), at, SET_BYTES)?),
        };
        bits.ok_or_else(damaged)
    }

    /// Where an event stands.
    pub(super) fn location(&self, event: u16) -> io::Result<Location> {
        let locations = self.locations(usize::from(event) / LOCATIONS_PER_PAGE)?;
        locations.get(usize::from(event) % LOCATIONS_PER_PAGE).copied().ok_or_else(damaged)
    }
}

impl Block for StoredBlock {
    fn first(&self) -> u64 {
        self.first
    }

    fn key(&self) -> HashKey {
        self.key
    }

    fn times(&self) -> Option<Times> {
        Some(self.times)
    }

    fn having(&self, terms: &[u64]) -> io::Result<Option<EventSet>> {
        let file = files::open(&self.path)?;
        let mut rows = Vec::with_capacity(terms.len());
        for term in terms {
            let Some(row) = self.row(&file, *term)? else { return Ok(None) };
            rows.push(row);
        }
        let mut found: Option<EventSet> = None;
        for row in &rows {
            let bits = self.events(&file, row)?;
            match &mut found {
                Some(found) => found.intersect(&bits),
                None => found = Some(bits),
            }
        }
        Ok(found)
    }

    fn locations(&self, page: usize) -> io::Result<Vec<Location>> {
        if page >= BLOCK_EVENTS / LOCATIONS_PER_PAGE {
            return Err(damaged());
        }
        let file = files::open(&self.path)?;
        let bytes = LOCATIONS_PER_PAGE * LOCATION_BYTES;
        let page = self.part(&file, index_file::locations_at(self.entries) + page * (bytes + SUM_BYTES), bytes)?;
        let (locations, _) = page.as_chunks::<LOCATION_BYTES>();
        let location = |location: &[u8; LOCATION_BYTES]| {
            let time = Timestamp(self.times.oldest.0.saturating_add(i64::from(u32_at(location, 8)?)));
            Ok(Location::from_packed(u64_at(location, 0)?, time))
        };
        locations.iter().map(location).collect()
    }
}
