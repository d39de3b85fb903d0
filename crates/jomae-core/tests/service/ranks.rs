//! Counted lists against a plain sorted set, with changes at every moment.

use std::collections::BTreeSet;

use jomae_core::{
    rank::Ranks,
    store::{Commit, Committed, Path, Store, Write, memory::MemoryStore},
};
use jomae_sim::block_on;
use proptest::prelude::*;

const LISTS: [&str; 3] = ["a/1/r/alias/", "a/1/r/alias-of/k/", "a/2/r/alias/"];

/// What happens to a list.
#[derive(Clone, Debug)]
enum Step {
    /// So many paths from this number on appear, in one commit each.
    Add {
        list: usize,
        from: u32,
        count: u32,
        stride: u32,
    },
    Remove {
        list: usize,
        from: u32,
        count: u32,
        stride: u32,
    },
    /// A path is written again, which changes no count.
    Rewrite {
        list: usize,
        number: u32,
    },
    Page {
        list: usize,
        offset: u64,
        limit: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let list = || 0..LISTS.len();
    let range = || (list(), 0..3000u32, 1..900u32, 1..4u32);
    let step = prop_oneof![
        3 => range().prop_map(|(list, from, count, stride)| Step::Add { list, from, count, stride }),
        2 => range().prop_map(|(list, from, count, stride)| Step::Remove { list, from, count, stride }),
        1 => (list(), 0..3000u32).prop_map(|(list, number)| Step::Rewrite { list, number }),
        4 => (list(), 0..4000u64, 0..120usize).prop_map(|(list, offset, limit)| Step::Page { list, offset, limit }),
    ];
    prop::collection::vec(step, 1..40)
}

struct Lists {
    store: MemoryStore,
    ranks: Ranks,
    model: [BTreeSet<String>; 3],
}

impl Lists {
    fn new() -> Self {
        let store = MemoryStore::new();
        let ranks = Ranks::watch(&store);
        Self { store, ranks, model: Default::default() }
    }

    fn write(&self, write: Write) {
        let done = block_on(self.store.commit(Commit { expect: Vec::new(), writes: vec![write] }));
        assert!(matches!(done, Ok(Committed::Done(_))));
    }

    fn path(list: usize, number: u32) -> String {
        format!("{}{number:06}", LISTS[list])
    }

    fn add(&mut self, list: usize, number: u32) {
        let path = Self::path(list, number);
        self.write(Write::Put(Path::new(path.clone()), vec![1]));
        self.model[list].insert(path);
    }

    fn remove(&mut self, list: usize, number: u32) {
        let path = Self::path(list, number);
        self.write(Write::Delete(Path::new(path.clone())));
        self.model[list].remove(&path);
    }

    fn check(&self, list: usize, offset: u64, limit: usize) {
        let found = block_on(self.ranks.page(&self.store, LISTS[list], offset, limit)).unwrap();
        let expected = self.model[list].iter().skip(usize::try_from(offset).unwrap()).take(limit);
        assert!(found.paths.iter().map(Path::as_str).eq(expected.map(String::as_str)), "{offset} {limit}");
        assert_eq!(found.total, self.model[list].len() as u64);
    }

    fn apply(&mut self, step: &Step) {
        let numbers = |from, count, stride| (0..count).map(move |n| from + n * stride);
        match *step {
            Step::Add { list, from, count, stride } => {
                numbers(from, count, stride).for_each(|number| self.add(list, number));
            }
            Step::Remove { list, from, count, stride } => {
                numbers(from, count, stride).for_each(|number| self.remove(list, number));
            }
            Step::Rewrite { list, number } => self.add(list, number),
            Step::Page { list, offset, limit } => self.check(list, offset, limit),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn pages_are_those_of_a_sorted_set(steps in steps()) {
        let mut lists = Lists::new();
        for step in &steps {
            lists.apply(step);
        }
        for list in 0..LISTS.len() {
            let total = lists.model[list].len() as u64;
            for offset in [0, total / 2, total.saturating_sub(1), total] {
                lists.check(list, offset, 100);
            }
        }
    }
}

/// A list that empties and fills again, at the edges of its blocks.
#[test]
fn a_list_that_empties_and_fills_again() {
    let mut lists = Lists::new();
    for _ in 0..2 {
        lists.apply(&Step::Add { list: 0, from: 0, count: 1025, stride: 1 });
        for offset in [0, 255, 256, 257, 511, 512, 1023, 1024, 1025] {
            lists.check(0, offset, 100);
        }
        lists.apply(&Step::Remove { list: 0, from: 0, count: 256, stride: 1 });
        lists.check(0, 0, 100);
        lists.apply(&Step::Remove { list: 0, from: 512, count: 256, stride: 1 });
        lists.check(0, 200, 100);
        lists.apply(&Step::Remove { list: 0, from: 0, count: 1025, stride: 1 });
        lists.check(0, 0, 100);
    }
}

/// While the first count is under way, changes are heard of and counted.
#[test]
fn a_change_during_the_first_count() {
    let mut lists = Lists::new();
    lists.apply(&Step::Add { list: 0, from: 1000, count: 700, stride: 1 });
    let ranks = lists.ranks.clone();
    {
        let mut counting = std::pin::pin!(ranks.page(&lists.store, LISTS[0], 0, 10));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(counting.as_mut().poll(&mut context).is_pending(), "it yields between blocks");
        // Before what it has counted, behind it, and within.
        for path in ["a/1/r/alias/000001", "a/1/r/alias/009999", "a/1/r/alias/001000x"] {
            lists.write(Write::Put(Path::new(path), vec![1]));
            lists.model[0].insert(path.to_owned());
        }
        lists.write(Write::Delete(Path::new("a/1/r/alias/001100")));
        lists.model[0].remove("a/1/r/alias/001100");
        while counting.as_mut().poll(&mut context).is_pending() {}
    }
    for offset in [0, 250, 700] {
        lists.check(0, offset, 100);
    }
}

/// Somebody who stops waiting for the first count leaves the list countable.
#[test]
fn an_abandoned_first_count() {
    let mut lists = Lists::new();
    lists.apply(&Step::Add { list: 0, from: 0, count: 700, stride: 1 });
    {
        let mut counting = std::pin::pin!(lists.ranks.page(&lists.store, LISTS[0], 0, 10));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(counting.as_mut().poll(&mut context).is_pending());
    }
    lists.apply(&Step::Add { list: 0, from: 800, count: 10, stride: 1 });
    lists.check(0, 600, 100);
}

/// More lists than are counted at once: those that gave way are counted again.
#[test]
fn many_lists() {
    let lists = Lists::new();
    for round in 0..2 {
        for number in 0..1100 {
            let prefix = format!("a/{number}/r/key/");
            lists.write(Write::Put(Path::new(format!("{prefix}{round}")), vec![1]));
            let page = block_on(lists.ranks.page(&lists.store, &prefix, 0, 10)).unwrap();
            assert_eq!((page.total, page.paths.len()), (round + 1, usize::try_from(round).unwrap() + 1));
        }
    }
}
