//! A block of events: which of them have a value, and where each is. This one is in memory; [`super::stored`] is the
//! same in a file.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
    io,
    ops::ControlFlow,
};

use jomae_crypto::rng;

use super::{Direction, Query, cursor::Span, event_set::EventSet, terms::HashKey};
use crate::{
    Timestamp,
    event::Event,
    layout::index_file::{BLOCK_EVENTS, LENGTH_BITS, LOCATIONS_PER_PAGE},
};

const OFFSET_MAX: u64 = 1 << (64 - LENGTH_BITS);

/// Where an event is and when it happened. An event that is missing in the log, or that no attribute finds, has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    packed: u64,
    pub(super) time: Timestamp,
}

impl Location {
    pub(super) const NONE: Self = Self { packed: u64::MAX, time: Timestamp(0) };

    /// `None` beyond an offset of 1 TiB.
    fn new(span: Span, time: Timestamp) -> Option<Self> {
        let bytes = span.bytes as u64;
        let fits = span.offset < OFFSET_MAX - 1 && bytes < 1 << LENGTH_BITS;
        fits.then_some(Self { packed: span.offset << LENGTH_BITS | bytes, time })
    }

    pub(super) fn from_packed(packed: u64, time: Timestamp) -> Self {
        if packed == u64::MAX { Self::NONE } else { Self { packed, time } }
    }

    pub(super) const fn packed(self) -> u64 {
        self.packed
    }

    pub(super) fn span(self) -> Option<Span> {
        let bytes = usize::try_from(self.packed & ((1 << LENGTH_BITS) - 1)).ok()?;
        (self != Self::NONE).then_some(Span { offset: self.packed >> LENGTH_BITS, bytes })
    }
}

/// Oldest and newest event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) oldest: Timestamp,
    pub(super) newest: Timestamp,
}

/// What a look-up needs of a block.
pub(super) trait Block {
    /// Number of the first event.
    fn first(&self) -> u64;
    fn key(&self) -> HashKey;
    /// `None` if no event has a time.
    fn times(&self) -> Option<Times>;
    /// The events with all of these terms, of which there is at least one. `None` if there are none.
    fn having(&self, terms: &[u64]) -> io::Result<Option<EventSet>>;
    /// The locations from `page * LOCATIONS_PER_PAGE`, at most so many.
    fn locations(&self, page: usize) -> io::Result<Vec<Location>>;
}

/// A block that is growing, or not in a file yet.
pub(super) struct MemoryBlock {
    pub(super) first: u64,
    pub(super) key: HashKey,
    pub(super) locations: Vec<Location>,
    pub(super) times: Option<Times>,
    /// Events by term, in the order of the log, each once.
    pub(super) terms: HashMap<u64, Vec<u16>, BuildHasherDefault<AsItIs>>,
    /// The last event that has a location.
    last: Option<u16>,
    /// Its line.
    last_line: Vec<u8>,
}

/// Terms are keyed hashes already.
#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

impl MemoryBlock {
    pub(super) fn new(first: u64) -> Self {
        Self {
            first,
            key: HashKey(rng::public_array()),
            locations: Vec::new(),
            times: None,
            terms: HashMap::default(),
            last: None,
            last_line: Vec::new(),
        }
    }

    /// Adds an event after the others; one that is not after them, or not of this block, is ignored.
    pub(super) fn push(&mut self, number: u64, span: Span, line: &[u8]) {
        let Some(at) = number.checked_sub(self.first).and_then(|at| u16::try_from(at).ok()) else { return };
        if usize::from(at) >= BLOCK_EVENTS || usize::from(at) < self.locations.len() {
            return;
        }
        self.locations.resize(usize::from(at), Location::NONE);
        let event = Event::parse(line);
        let location = event.as_ref().and_then(|(_, time)| Location::new(span, *time)).unwrap_or(Location::NONE);
        self.locations.push(location);
        let Some((event, time)) = event.filter(|_| location != Location::NONE) else { return };
        self.last = Some(at);
        self.last_line.clear();
        self.last_line.extend_from_slice(line);
        let times = self.times.get_or_insert(Times { oldest: time, newest: time });
        *times = Times { oldest: times.oldest.min(time), newest: times.newest.max(time) };
        for account in event.accounts() {
            self.post(self.key.term(account, None), at);
            for attribute in event.attributes() {
                self.post(self.key.term(account, Some(attribute)), at);
            }
        }
    }

    /// The last event that has a place, and a sum of its line.
    pub(super) fn last(&self) -> Option<(u16, u64)> {
        self.last.map(|at| (at, self.key.sum(self.first + u64::from(at), &self.last_line)))
    }

    fn post(&mut self, term: u64, at: u16) {
        match self.terms.entry(term) {
            Entry::Vacant(entry) => {
                entry.insert(vec![at]);
            }
            Entry::Occupied(mut entry) if entry.get().last() != Some(&at) => entry.get_mut().push(at),
            Entry::Occupied(_) => {}
        }
    }
}

impl Block for MemoryBlock {
    fn first(&self) -> u64 {
        self.first
    }

    fn key(&self) -> HashKey {
        self.key
    }

    fn times(&self) -> Option<Times> {
        self.times
    }

    fn having(&self, terms: &[u64]) -> io::Result<Option<EventSet>> {
        let mut found: Option<EventSet> = None;
        for term in terms {
            let Some(bits) = self.terms.get(term).and_then(|events| EventSet::of(events.iter().copied())) else {
                return Ok(None);
            };
            match &mut found {
                Some(found) => found.intersect(&bits),
                None => found = Some(bits),
            }
        }
        Ok(found)
    }

    fn locations(&self, page: usize) -> io::Result<Vec<Location>> {
        Ok(self.locations.iter().skip(page * LOCATIONS_PER_PAGE).take(LOCATIONS_PER_PAGE).copied().collect())
    }
}

/// Calls `each` with the events of a block that match a query according to the index, in its direction, until it
/// breaks.
pub(super) fn search<B>(
    block: &impl Block,
    query: &Query,
    mut each: impl FnMut(u64, Location) -> ControlFlow<B>,
) -> io::Result<ControlFlow<B>> {
    let first = block.first();
    let over = block.times().is_none_or(|times| times.newest < query.from || times.oldest > query.to);
    let behind = |event: u64| match (query.direction, query.after) {
        (_, None) => true,
        (Direction::Backward, Some(after)) => event < after,
        (Direction::Forward, Some(after)) => event > after,
    };
    // One of the two ends of the block is the first that the direction reaches, the other the last.
    let last = first + (BLOCK_EVENTS as u64 - 1);
    if over || !(behind(first) || behind(last)) {
        return Ok(ControlFlow::Continue(()));
    }
    let Some(found) = block.having(&block.key().terms_of(query))? else { return Ok(ControlFlow::Continue(())) };
    let (mut forward, mut backward) = (found.iter(), found.iter().rev());
    let order: &mut dyn Iterator<Item = u16> = match query.direction {
        Direction::Forward => &mut forward,
        Direction::Backward => &mut backward,
    };
    let mut page: Option<(usize, Vec<Location>)> = None;
    for at in order {
        let event = first + u64::from(at);
        if !behind(event) {
            continue;
        }
        let (number, within) = (usize::from(at) / LOCATIONS_PER_PAGE, usize::from(at) % LOCATIONS_PER_PAGE);
        let locations = match &mut page {
            Some((of, locations)) if *of == number => locations,
            page => &mut page.insert((number, block.locations(number)?)).1,
        };
        let Some(location) = locations.get(within).filter(|location| **location != Location::NONE) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        if (query.from..=query.to).contains(&location.time)
            && let ControlFlow::Break(value) = each(event, *location)
        {
            return Ok(ControlFlow::Break(value));
        }
    }
    Ok(ControlFlow::Continue(()))
}
