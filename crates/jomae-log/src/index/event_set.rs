//! A set of events of one block.

use crate::layout::index_file::BLOCK_EVENTS;

const WORDS: usize = BLOCK_EVENTS / 64;

/// Which of the events of a block, by their place in it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct EventSet(Box<[u64; WORDS]>);

impl EventSet {
    pub(super) fn new() -> Self {
        Self(Box::new([0; WORDS]))
    }

    /// `None` if a place is outside every block.
    pub(super) fn of(places: impl IntoIterator<Item = u16>) -> Option<Self> {
        let mut bits = Self::new();
        for place in places {
            *bits.0.get_mut(usize::from(place) / 64)? |= 1 << (place % 64);
        }
        Some(bits)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// `None` if the length is not [`SET_BYTES`](crate::layout::index_file::SET_BYTES).
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks::<8>() else { return None };
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        words.into_boxed_slice().try_into().ok().map(Self)
    }

    /// Keeps what is in both.
    pub(super) fn intersect(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(mine, theirs)| *mine &= theirs);
    }

    /// In the order of the log; reversible.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = u16> + '_ {
        let words = self.0.iter().enumerate().filter(|(_, word)| **word != 0);
        words.flat_map(|(at, word)| {
            // Less than BLOCK_EVENTS, which a u16 can hold.
            let first = u16::try_from(at * 64).unwrap_or(u16::MAX - 63);
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| first + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::index_file::SET_BYTES;
    use proptest::{collection::btree_set, prelude::*};

    fn end() -> u16 {
        u16::try_from(BLOCK_EVENTS).unwrap()
    }

    proptest! {
        #[test]
        fn as_sets(a in btree_set(0..end(), 0..40), b in btree_set(0..end(), 0..40)) {
            let mut bits = EventSet::of(a.iter().copied()).unwrap();
            prop_assert!(EventSet::from_bytes(&bits.to_bytes()).unwrap() == bits);
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), a.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(bits.iter().rev().collect::<Vec<_>>(), a.iter().rev().copied().collect::<Vec<_>>());
            bits.intersect(&EventSet::of(b.iter().copied()).unwrap());
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), a.intersection(&b).copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn bounds() {
        assert!(EventSet::of([end()]).is_none());
        assert!(
            EventSet::from_bytes(&[0; SET_BYTES - 8]).is_none() && EventSet::from_bytes(&[0; SET_BYTES + 1]).is_none()
        );
    }
}
