//! Events on their way to the files and to the look-up index, with what each is found by.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    Timestamp,
    event::{FoundBy, Value},
    segment::BUFFER_BYTES_MAX,
};

/// The most that waits to be indexed in memory, in bytes of the log. What comes beyond it is read from the files.
const UNINDEXED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Whole lines, one event each.
#[derive(Default)]
pub(crate) struct Batch {
    lines: Vec<u8>,
    events: Vec<EventAt>,
    values: Vec<Value>,
}

/// An event of a batch.
struct EventAt {
    /// Where its newline is.
    end: usize,
    /// Where its values end, and its time. `None` if nobody has said what it is found by.
    found_by: Option<(usize, Timestamp)>,
}

/// An event as it is indexed.
pub(crate) struct EventOf<'a> {
    /// Where its line begins in the batch.
    pub start: usize,
    /// Without the newline.
    pub line: &'a [u8],
    pub found_by: Option<FoundBy<'a>>,
}

impl Batch {
    pub fn push(&mut self, line: &[u8], found_by: Option<FoundBy<'_>>) {
        self.lines.extend_from_slice(line);
        let end = self.lines.len();
        self.lines.push(b'\n');
        let found_by = found_by.map(|FoundBy { time, values }| {
            self.values.extend_from_slice(values);
            (self.values.len(), time)
        });
        self.events.push(EventAt { end, found_by });
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many events there are.
    pub fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// The lines, each with its newline.
    pub fn bytes(&self) -> &[u8] {
        &self.lines
    }

    /// An empty one with room for as much as there is in this one.
    pub fn another(&self) -> Self {
        Self {
            lines: Vec::with_capacity(self.lines.len()),
            events: Vec::with_capacity(self.events.len()),
            values: Vec::with_capacity(self.values.len()),
        }
    }

    /// Empties it, and gives back what an unusually large one took.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.lines.shrink_to(BUFFER_BYTES_MAX);
        self.events.clear();
        self.values.clear();
    }

    /// The events in their order, without the first `skipped`.
    pub fn iter(&self, skipped: usize) -> impl Iterator<Item = EventOf<'_>> {
        let before = self.events.get(..skipped).unwrap_or(&self.events);
        let mut start = before.last().map_or(0, |last| last.end + 1);
        let mut values = before.iter().rev().find_map(|event| event.found_by).map_or(0, |(end, _)| end);
        self.events.iter().skip(skipped).map(move |event| {
            let line = std::mem::replace(&mut start, event.end + 1);
            let found_by = event.found_by.map(|(end, time)| {
                let from = std::mem::replace(&mut values, end);
                FoundBy { time, values: self.values.get(from..end).unwrap_or_default() }
            });
            EventOf { start: line, line: self.lines.get(line..event.end).unwrap_or_default(), found_by }
        })
    }
}

/// A batch that is in the files.
pub(crate) struct Written {
    pub batch: Batch,
    /// Number of its first event.
    pub first: u64,
    /// The segment, by the number of its first event, and where in it the batch begins.
    pub segment: u64,
    pub offset: u64,
}

impl Written {
    /// The numbers of its events.
    pub fn events(&self) -> Range<u64> {
        self.first..self.first + self.batch.len()
    }
}

/// Batches that are in the files and not in the index: the writer puts them in, the index takes them out.
#[derive(Default)]
pub(crate) struct Unindexed(Mutex<VecDeque<Written>>);

impl Unindexed {
    fn batches(&self) -> MutexGuard<'_, VecDeque<Written>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a batch, unless too much waits already: then it is given back.
    pub fn push(&self, written: Written) -> Option<Batch> {
        let mut batches = self.batches();
        let bytes: usize = batches.iter().map(|written| written.batch.lines.len()).sum();
        if bytes + written.batch.lines.len() > UNINDEXED_BYTES_MAX {
            return Some(written.batch);
        }
        batches.push_back(written);
        None
    }

    /// The first batch with an event from this one on; those before are dropped.
    pub fn take(&self, event: u64) -> Option<Written> {
        let mut batches = self.batches();
        while let Some(written) = batches.pop_front() {
            if written.events().end > event {
                return Some(written);
            }
        }
        None
    }

    /// Puts a batch back that was not used up, if there is one.
    pub fn put_back(&self, written: Option<Written>) {
        if let Some(written) = written {
            self.batches().push_front(written);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Attribute, Member};

    fn values(count: u32) -> Vec<Value> {
        (0..count).map(|start| Value { member: Member::Attribute(Attribute::User), start, bytes: 1 }).collect()
    }

    #[test]
    fn events_keep_their_values() {
        let mut batch = Batch::default();
        for (line, count) in [("a", Some(2)), ("", None), ("ccc", Some(0)), ("d", Some(3)), ("e", None)] {
            let values = count.map(values);
            let found_by = values.as_deref().map(|values| FoundBy { time: Timestamp(7), values });
            batch.push(line.as_bytes(), found_by);
        }
        assert_eq!((batch.len(), batch.bytes()), (5, &b"a\n\nccc\nd\ne\n"[..]));
        let all: Vec<_> =
            batch.iter(0).map(|event| (event.start, event.line, event.found_by.map(|by| by.values.len()))).collect();
        let expected =
            [(0, &b"a"[..], Some(2)), (2, b"", None), (3, b"ccc", Some(0)), (7, b"d", Some(3)), (9, b"e", None)];
        assert_eq!(all, expected);
        for skipped in 0..7 {
            let rest: Vec<_> = batch
                .iter(skipped)
                .map(|event| (event.start, event.line, event.found_by.map(|by| by.values.len())))
                .collect();
            assert_eq!(rest, expected.get(skipped..).unwrap_or_default(), "{skipped}");
        }
        let starts: Vec<u32> = batch
            .iter(3)
            .flat_map(|event| event.found_by.unwrap().values.to_vec())
            .map(|value| value.start)
            .take(3)
            .collect();
        assert_eq!(starts, [0, 1, 2]);
        batch.clear();
        assert!(batch.is_empty() && batch.iter(0).next().is_none());
    }

    #[test]
    fn what_waits_is_bounded_and_in_order() {
        let waiting = Unindexed::default();
        let written = |first, bytes: usize| {
            let mut batch = Batch::default();
            batch.push(&vec![b'x'; bytes], None);
            batch.push(b"y", None);
            Written { batch, first, segment: 0, offset: 0 }
        };
        assert!(waiting.push(written(0, 10)).is_none());
        assert!(waiting.push(written(2, 10)).is_none());
        assert_eq!(waiting.push(written(4, UNINDEXED_BYTES_MAX)).unwrap().len(), 2);
        let second = waiting.take(2).unwrap();
        assert_eq!(second.events(), 2..4);
        waiting.put_back(Some(second));
        assert_eq!(waiting.take(3).unwrap().first, 2);
        assert!(waiting.take(0).is_none());
    }
}
