//! A block of events: which of them have a value, and where each is. This one is in memory; [`super::stored`] is the
//! same in a file.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    io,
    ops::ControlFlow,
};

use jomae_crypto::rng;

use super::{Direction, Query, cursor::Span, event_set::EventSet, terms::HashKey};
use crate::{
    Timestamp,
    event::{Attribute, Event, Findable, FoundBy, Told},
    layout::index_file::{BLOCK_EVENTS, LENGTH_BITS, LOCATIONS_PER_PAGE},
};

/// The most accounts that see an event: the caller's, the owner's, the recipient's.
const ACCOUNTS: usize = 3;
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
    /// Lists of events, in the order of the log, each once.
    lists: Vec<Vec<u16>>,
    /// The list of a term.
    by_term: HashMap<u64, usize, BuildHasherDefault<AsItIs>>,
    /// Events by terms that no other event has, as a rule: those of their ids.
    by_id: Vec<(u64, u16)>,
    repeated: [Repeated; ACCOUNTS],
    /// The last event that has a location.
    last: Option<u16>,
    /// Its line.
    last_line: Vec<u8>,
}

/// The lists of what the last events had: the next ones have most of it too. For one account of an event.
#[derive(Default)]
struct Repeated {
    account: Vec<u8>,
    /// Of all events of the account.
    all: Option<usize>,
    values: [Option<(Vec<u8>, usize)>; Attribute::COUNT],
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
            lists: Vec::new(),
            by_term: HashMap::default(),
            by_id: Vec::new(),
            repeated: Default::default(),
            last: None,
            last_line: Vec::new(),
        }
    }

    /// Adds an event after the others; one that is not after them, or not of this block, is ignored.
    pub(super) fn push(&mut self, number: u64, span: Span, line: &[u8], found_by: Option<FoundBy<'_>>) {
        let Some(at) = number.checked_sub(self.first).and_then(|at| u16::try_from(at).ok()) else { return };
        if usize::from(at) >= BLOCK_EVENTS || usize::from(at) < self.locations.len() {
            return;
        }
        self.locations.resize(usize::from(at), Location::NONE);
        if let Some(FoundBy { time, values }) = found_by {
            self.add(at, span, time, line, &Told { line, values });
        } else if let Some((event, time)) = Event::parse(line) {
            self.add(at, span, time, line, &event);
        } else {
            self.locations.push(Location::NONE);
        }
    }

    fn add(&mut self, at: u16, span: Span, time: Timestamp, line: &[u8], event: &impl Findable) {
        let location = Location::new(span, time);
        self.locations.push(location.unwrap_or(Location::NONE));
        if location.is_none() {
            return;
        }
        self.last = Some(at);
        self.last_line.clear();
        self.last_line.extend_from_slice(line);
        let times = self.times.get_or_insert(Times { oldest: time, newest: time });
        *times = Times { oldest: times.oldest.min(time), newest: times.newest.max(time) };
        for (nth, account) in event.accounts().enumerate().take(ACCOUNTS) {
            self.add_for(nth, account, event, at);
        }
    }

    /// Adds what one of the accounts of an event finds it by.
    fn add_for(&mut self, nth: usize, account: &[u8], event: &impl Findable, at: u16) {
        let Self { key, lists, by_term, by_id, repeated, .. } = self;
        let Some(repeated) = repeated.get_mut(nth) else { return };
        if repeated.account != account {
            *repeated = Repeated { account: account.to_vec(), ..Repeated::default() };
        }
        let mut list_of = |lists: &mut Vec<Vec<u16>>, term| {
            *by_term.entry(term).or_insert_with(|| {
                lists.push(Vec::new());
                lists.len() - 1
            })
        };
        let post = |lists: &mut Vec<Vec<u16>>, list: usize| {
            if let Some(list) = lists.get_mut(list)
                && list.last() != Some(&at)
            {
                list.push(at);
            }
        };
        let all = *repeated.all.get_or_insert_with(|| list_of(lists, key.term(account, None)));
        post(lists, all);
        for (attribute, value) in event.attributes() {
            if attribute == Attribute::EventId {
                by_id.push((key.term(account, Some((attribute, value))), at));
                continue;
            }
            let Some(slot) = repeated.values.get_mut(attribute as usize) else { continue };
            let list = match slot {
                Some((same, list)) if same == value => *list,
                _ => {
                    let list = list_of(lists, key.term(account, Some((attribute, value))));
                    *slot = Some((value.to_vec(), list));
                    list
                }
            };
            post(lists, list);
        }
    }

    /// Every term with its events, in the order of the terms.
    pub(super) fn terms(&self) -> Vec<(u64, Cow<'_, [u16]>)> {
        let mut terms: Vec<(u64, Cow<'_, [u16]>)> =
            self.by_term.iter().map(|(term, list)| (*term, Cow::Borrowed(self.list(*list)))).collect();
        let mut by_id = self.by_id.clone();
        by_id.sort_unstable();
        by_id.dedup();
        let of_ids = by_id.chunk_by(|(one, _), (other, _)| one == other);
        terms.extend(of_ids.filter_map(|of_id| {
            let (term, _) = of_id.first()?;
            Some((*term, of_id.iter().map(|(_, at)| *at).collect()))
        }));
        terms.sort_unstable_by_key(|(term, _)| *term);
        terms
    }

    fn list(&self, list: usize) -> &[u16] {
        self.lists.get(list).map_or(&[], Vec::as_slice)
    }

    /// The last event that has a place, and a sum of its line.
    pub(super) fn last(&self) -> Option<(u16, u64)> {
        self.last.map(|at| (at, self.key.sum(self.first + u64::from(at), &self.last_line)))
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
            let listed = self.by_term.get(term).map_or(&[][..], |list| self.list(*list));
            let mut having = listed
                .iter()
                .copied()
                .chain(self.by_id.iter().filter(|(id, _)| id == term).map(|(_, at)| *at))
                .peekable();
            if having.peek().is_none() {
                return Ok(None);
            }
            let Some(bits) = EventSet::of(having) else { return Ok(None) };
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
