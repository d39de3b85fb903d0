//! A waiting line in which accounts, or networks, take turns, and how a bounded total is shared out between them without any
//! setting.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    hash::Hash,
};

/// Whether who holds `own` of `total`, of which all together hold `used`, may have one more: no more than `greed` times
/// what is free.
///
/// The dynamic threshold of shared-memory switches (Choudhury and Hahne, 1998): with a greed of 1 one alone gets half of
/// the total, two get a third each, and so on. A newcomer always finds something left, and nothing is taken away from
/// anybody. More greed lets one alone have more, and a newcomer less.
pub const fn may_have_more(own: usize, used: usize, total: usize, greed: usize) -> bool {
    used < total && own < (total - used).saturating_mul(greed)
}

/// Jobs that wait, each for its account or whoever else `K` names. Next is the one that has had least work done for it.
pub struct Turns<K, T> {
    waiting_max: usize,
    waiting: usize,
    lines: HashMap<K, Line<T>>,
    /// Those with something waiting, by what they have had.
    order: BTreeSet<(u64, K)>,
    /// What the one that was served last had had before: where a newcomer begins.
    level: u64,
    /// What a job costs, lately: on the bill until the true cost is known.
    estimate: u64,
}

struct Line<T> {
    jobs: VecDeque<T>,
    /// Work that was done, in nanoseconds or whatever else costs are told in.
    had: u64,
    running: usize,
}

/// The turn of one of them: its job is being done.
#[must_use = "what it costs must be told"]
pub struct Turn<K> {
    whose: K,
    estimated: u64,
}

impl<K: Clone + Eq + Hash + Ord, T> Turns<K, T> {
    /// A line in which `waiting_max` jobs may wait, shared out by [`may_have_more`].
    pub fn new(waiting_max: usize) -> Self {
        Self { waiting_max, waiting: 0, lines: HashMap::new(), order: BTreeSet::new(), level: 0, estimate: 0 }
    }

    /// How many jobs wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Puts a job at the end of a line. Gives it back if there is a share of all that may wait in it; jobs that are
    /// not `wanted` any more do not count, and are dropped then.
    pub fn push(&mut self, whose: &K, job: T, wanted: impl Fn(&T) -> bool) -> Result<(), T> {
        if !self.has_room(whose) {
            self.forget_unwanted(wanted);
            if !self.has_room(whose) {
                return Err(job);
            }
        }
        let level = self.level;
        let line =
            self.lines.entry(whose.clone()).or_insert_with(|| Line { jobs: VecDeque::new(), had: level, running: 0 });
        if line.jobs.is_empty() {
            // Turns that were not used are not saved up.
            line.had = line.had.max(level);
            self.order.insert((line.had, whose.clone()));
        }
        line.jobs.push_back(job);
        self.waiting += 1;
        Ok(())
    }

    fn has_room(&self, whose: &K) -> bool {
        let own = self.lines.get(whose).map_or(0, |line| line.jobs.len());
        may_have_more(own, self.waiting, self.waiting_max, 1)
    }

    /// Takes the next job. What it has cost is told to [`Turns::done`].
    pub fn pop(&mut self) -> Option<(Turn<K>, T)> {
        let (had, whose) = self.order.pop_first()?;
        let line = self.lines.get_mut(&whose)?;
        let job = line.jobs.pop_front()?;
        self.waiting -= 1;
        self.level = had;
        line.running += 1;
        line.had = had.saturating_add(self.estimate);
        if !line.jobs.is_empty() {
            self.order.insert((line.had, whose.clone()));
        }
        Some((Turn { whose, estimated: self.estimate }, job))
    }

    /// Puts the true cost of a job on the bill.
    pub fn done(&mut self, turn: Turn<K>, cost_ns: u64) {
        self.estimate = self.estimate - self.estimate / 8 + cost_ns / 8;
        let Some(line) = self.lines.get_mut(&turn.whose) else { return };
        let waits = self.order.remove(&(line.had, turn.whose.clone()));
        line.had = line.had.saturating_sub(turn.estimated).saturating_add(cost_ns);
        line.running -= 1;
        if waits {
            self.order.insert((line.had, turn.whose));
        }
        if self.order.is_empty() {
            // Nobody waits: everybody begins anew.
            self.lines.retain(|_, line| line.running > 0);
        }
    }

    fn forget_unwanted(&mut self, wanted: impl Fn(&T) -> bool) {
        for (whose, line) in &mut self.lines {
            let before = line.jobs.len();
            line.jobs.retain(&wanted);
            self.waiting -= before - line.jobs.len();
            if line.jobs.is_empty() && before > 0 {
                self.order.remove(&(line.had, whose.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jomae_api::names::AccountId;
    use proptest::prelude::*;

    use super::*;

    fn account(n: u64) -> AccountId {
        AccountId::new(&(1_000_000_000_000_000 + n).to_string()).unwrap()
    }

    fn push(turns: &mut Turns<AccountId, u64>, n: u64) -> bool {
        turns.push(&account(n), n, |_| true).is_ok()
    }

    /// Does the next job at a cost, and tells whose it was.
    fn serve(turns: &mut Turns<AccountId, u64>, cost_ns: u64) -> Option<u64> {
        let (turn, job) = turns.pop()?;
        turns.done(turn, cost_ns);
        Some(job)
    }

    #[test]
    fn a_total_is_shared_out_and_never_used_up_by_one() {
        assert!(may_have_more(0, 0, 1, 1));
        assert!(!may_have_more(0, 1, 1, 8));
        let mut held = [0usize; 4];
        for n in 0..held.len() {
            while may_have_more(held[n], held.iter().sum(), 120, 1) {
                held[n] += 1;
            }
            assert!(held[n] > 0, "{held:?}: the newcomer finds something");
        }
        assert_eq!(held, [60, 30, 15, 8]);
    }

    #[test]
    fn a_newcomer_does_not_wait_behind_a_crowd() {
        let mut turns = Turns::new(1000);
        for _ in 0..400 {
            assert!(push(&mut turns, 1));
        }
        for _ in 0..5 {
            assert_eq!(serve(&mut turns, 1_000_000), Some(1));
        }
        assert!(push(&mut turns, 2));
        assert!(push(&mut turns, 2));
        let next: Vec<_> = (0..4).filter_map(|_| serve(&mut turns, 1_000_000)).collect();
        assert_eq!(next.iter().filter(|n| **n == 2).count(), 2, "{next:?}");
    }

    #[test]
    fn turns_are_counted_in_work() {
        let mut turns = Turns::new(10_000);
        for _ in 0..1000 {
            assert!(push(&mut turns, 1) && push(&mut turns, 2));
        }
        let mut had = [0u64; 3];
        for _ in 0..400 {
            let (turn, n) = turns.pop().unwrap();
            let cost = if n == 1 { 9_000 } else { 1_000 };
            had[usize::try_from(n).unwrap()] += cost;
            turns.done(turn, cost);
        }
        assert!(had[1].abs_diff(had[2]) <= 20_000, "equal in time, not in number: {had:?}");
    }

    #[test]
    fn what_nobody_wants_makes_room() {
        let mut turns = Turns::new(10);
        while push(&mut turns, 1) {}
        assert_eq!(turns.waiting(), 5);
        assert_eq!(turns.push(&account(1), 1, |_| false), Ok(()));
        assert_eq!(turns.waiting(), 1);
        assert_eq!(serve(&mut turns, 1), Some(1));
        assert_eq!(serve(&mut turns, 1), None);
        assert!(turns.lines.is_empty(), "nothing is kept of those who do not wait");
    }

    proptest! {
        /// Whatever is pushed comes out once, in the order of its account, and the counts agree.
        #[test]
        fn nothing_is_lost(steps in prop::collection::vec((0u64..4, 0u64..5_000, any::<bool>()), 1..300)) {
            let mut turns: Turns<AccountId, (u64, usize)> = Turns::new(40);
            let mut model: HashMap<u64, VecDeque<usize>> = HashMap::new();
            for (at, (who, cost, pushes)) in steps.into_iter().enumerate() {
                if pushes {
                    if turns.push(&account(who), (who, at), |_| true).is_ok() {
                        model.entry(who).or_default().push_back(at);
                    }
                } else if let Some((turn, (who, at))) = turns.pop() {
                    prop_assert_eq!(model.get_mut(&who).and_then(VecDeque::pop_front), Some(at));
                    turns.done(turn, cost);
                } else {
                    prop_assert!(model.values().all(VecDeque::is_empty));
                }
                prop_assert_eq!(turns.waiting(), model.values().map(VecDeque::len).sum::<usize>());
                prop_assert!(turns.waiting() <= 40);
            }
        }
    }
}
