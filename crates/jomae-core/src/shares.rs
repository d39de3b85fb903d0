//! What each account has under way, what its calls cost, and how much of the service it may hold at a time.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use jomae_api::{actions::ACTIONS, names::AccountId, time::Timestamp};

use crate::{
    calls::{Calls, Minute},
    nonce,
    places::{Place, Places},
    turns::may_have_more,
};

/// An action whose calls take one account longer than this, lately and on average, is costly for it: such calls wait for
/// each other, in turns, and have threads of their own. In nanoseconds of a processor; an Encrypt takes some 30,000, and ten times as
/// long where the compiler has not optimised it.
pub const COSTLY_NS: u32 = if cfg!(debug_assertions) { 1_500_000 } else { 150_000 };
/// A call that takes much longer than the mean, but no longer than this, in nanoseconds, may have been interrupted. One in so many then
/// counts for no more than twice the mean and a slack, in nanoseconds.
const INTERRUPTED_NS_MAX: u64 = 10_000_000;
const CALLS_PER_INTERRUPTION: u8 = 32;
const SLACK_NS: u64 = 100_000;
/// Costly calls that may wait.
const COSTLY_WAITING_MAX: usize = 1024;
/// How much more of the nonce memory than what is free an account may have.
const NONCE_GREED: usize = 8;

/// Accounts whose calls are counted by the minute, the first ones that call: 24 MB for all of them.
const COUNTED_MAX: usize = 2048;

/// The turn of a costly call, which passes on when this is dropped.
pub type CostlyTurn = Place<AccountId>;

/// The shares of all accounts.
pub struct Shares {
    accounts: RwLock<HashMap<AccountId, Arc<Share>>>,
    in_flight: Arc<AtomicUsize>,
    in_flight_max: usize,
    /// Fewer than there are request threads, so that quick calls always find one.
    costly: Arc<Places<AccountId>>,
    /// How many accounts have their calls counted.
    counted: Arc<AtomicUsize>,
}

/// What one account has, and what its calls cost.
pub struct Share {
    account: AccountId,
    in_flight: AtomicUsize,
    /// Nonces by generation: the generation's number above, the count below. No more than
    /// [`nonce::LIVE_GENERATIONS_MAX`] are alive at a time, each in a place of its own.
    nonces: [AtomicU64; nonce::LIVE_GENERATIONS_MAX],
    /// Mean time of the calls of each action, in nanoseconds, the last ones weighing most.
    mean_ns: [AtomicU32; ACTIONS.len()],
    /// For so many more calls of each action none is taken for one that was interrupted.
    believed: [AtomicU8; ACTIONS.len()],
    /// By the minute. Made with the first call, if there was room.
    calls: OnceLock<Option<Calls>>,
    counted: Arc<AtomicUsize>,
}

impl Shares {
    /// At most `in_flight_max` calls under way at a time, and `costly_max` costly ones.
    pub fn new(in_flight_max: usize, costly_max: usize) -> Self {
        Self {
            accounts: RwLock::default(),
            in_flight: Arc::default(),
            in_flight_max,
            costly: Arc::new(Places::new(costly_max, COSTLY_WAITING_MAX)),
            counted: Arc::default(),
        }
    }

    /// The share of an account that has proved that it is one.
    pub fn of(&self, account: &AccountId) -> Arc<Share> {
        let known = self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(account).cloned();
        known.unwrap_or_else(|| {
            let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Share::new(account.clone(), Arc::clone(&self.counted)));
            Arc::clone(accounts.entry(account.clone()).or_insert_with(new))
        })
    }

    /// Begins a call, unless the account has its share of calls under way.
    pub fn enter(&self, share: &Arc<Share>) -> Option<UnderWay> {
        let used = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let own = share.in_flight.fetch_add(1, Ordering::Relaxed);
        let under_way = UnderWay { in_flight: Arc::clone(&self.in_flight), share: Arc::clone(share) };
        may_have_more(own, used, self.in_flight_max, 1).then_some(under_way)
    }

    /// Calls under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Waits for the turn of a call that will be costly; others need none. `None` if too many of the account's wait.
    pub async fn turn(&self, share: &Share, action: usize) -> Option<Option<CostlyTurn>> {
        match share.mean_ns(action) {
            0..=COSTLY_NS => Some(None),
            cost_ns => self.costly.take(&share.account, u64::from(cost_ns)).await.map(Some),
        }
    }
}

impl Share {
    fn new(account: AccountId, counted: Arc<AtomicUsize>) -> Self {
        Self {
            account,
            in_flight: AtomicUsize::new(0),
            nonces: [const { AtomicU64::new(0) }; nonce::LIVE_GENERATIONS_MAX],
            mean_ns: [const { AtomicU32::new(0) }; ACTIONS.len()],
            believed: [const { AtomicU8::new(0) }; ACTIONS.len()],
            calls: OnceLock::new(),
            counted,
        }
    }

    /// Counts a call that is about to be answered.
    pub fn note_call(&self, now: Timestamp, refused: bool) {
        let calls =
            self.calls.get_or_init(|| (self.counted.fetch_add(1, Ordering::Relaxed) < COUNTED_MAX).then(Calls::new));
        if let Some(calls) = calls {
            calls.note(now, refused);
        }
    }

    /// The account's calls of the last day, by the minute. None: they are not counted.
    pub fn calls(&self, now: Timestamp) -> Option<Vec<Minute>> {
        Some(self.calls.get()?.as_ref()?.last_day(now))
    }

    /// Notes how long a call of an action, by its number, has kept a request's thread, in nanoseconds.
    pub fn charge(&self, action: usize, took_ns: u64) {
        let (Some(mean), Some(believed)) = (self.mean_ns.get(action), self.believed.get(action)) else { return };
        let before = mean.load(Ordering::Relaxed);
        let usual_ns = u64::from(before) * 2 + SLACK_NS;
        let took_ns = match believed.load(Ordering::Relaxed) {
            0 if (usual_ns..INTERRUPTED_NS_MAX).contains(&took_ns) => {
                believed.store(CALLS_PER_INTERRUPTION, Ordering::Relaxed);
                usual_ns
            }
            0 => took_ns,
            calls => {
                believed.store(calls - 1, Ordering::Relaxed);
                took_ns
            }
        };
        let took = u32::try_from(took_ns).unwrap_or(u32::MAX);
        // Of two at the same moment one is lost, which makes no difference to a mean.
        mean.store(before - before / 8 + took / 8, Ordering::Relaxed);
    }

    /// Whether the next call of an action, by its number, is expected to cost much.
    pub fn is_costly(&self, action: usize) -> bool {
        self.mean_ns(action) > COSTLY_NS
    }

    fn mean_ns(&self, action: usize) -> u32 {
        self.mean_ns.get(action).map_or(0, |mean| mean.load(Ordering::Relaxed))
    }

    /// Whether one more nonce of the account may be remembered, when `used` of `total` are.
    pub fn may_remember(&self, used: usize, total: usize, now_secs: i64) -> bool {
        may_have_more(self.nonces(now_secs), used, total, NONCE_GREED)
    }

    /// Counts a nonce that is remembered with the generation of this number.
    pub fn note_nonce(&self, generation: u32) {
        let Some(place) = self.nonces.get(generation as usize % nonce::LIVE_GENERATIONS_MAX) else { return };
        let of_it = u64::from(generation) << 32;
        // The closure never gives up.
        let _ = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            Some(if held >> 32 == u64::from(generation) { held.saturating_add(1) } else { of_it | 1 })
        });
    }

    fn nonces(&self, now_secs: i64) -> usize {
        let alive = |held: &u64| nonce::is_alive(u32::try_from(held >> 32).unwrap_or(0), now_secs);
        let counts = self.nonces.iter().map(|place| place.load(Ordering::Relaxed)).filter(alive);
        counts.map(|held| usize::try_from(held & u64::from(u32::MAX)).unwrap_or(usize::MAX)).sum()
    }
}

/// What a call costs. Whoever carries it adds up how long it keeps a thread; it is charged when this is dropped, however the call
/// ends: a stream that is reset is not free.
#[derive(Default)]
pub struct Meter {
    worked_ns: AtomicU64,
    bill: OnceLock<Bill>,
}

/// On whose bill a call goes.
struct Bill {
    share: Arc<Share>,
    action: usize,
}

impl Meter {
    /// Adds a time, in nanoseconds, for which the call has kept a thread.
    pub fn add(&self, worked_ns: u64) {
        self.worked_ns.fetch_add(worked_ns, Ordering::Relaxed);
    }

    /// Says who is charged.
    pub(crate) fn goes_to(&self, share: &Arc<Share>, action: usize) {
        let _already = self.bill.set(Bill { share: Arc::clone(share), action });
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(Bill { share, action }) = self.bill.get() {
            share.charge(*action, *self.worked_ns.get_mut());
        }
    }
}

/// A call under way, counted until this is dropped.
pub struct UnderWay {
    in_flight: Arc<AtomicUsize>,
    share: Arc<Share>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.share.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn account(n: u64) -> AccountId {
        AccountId::new(&(1_000_000_000_000_000 + n).to_string()).unwrap()
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// A share whose calls of the first action are costly.
    fn costly(shares: &Shares, n: u64) -> Arc<Share> {
        let share = shares.of(&account(n));
        for _ in 0..50 {
            share.charge(0, 2 * u64::from(COSTLY_NS));
        }
        share
    }

    #[test]
    fn calls_under_way_are_shared_out() {
        let shares = Shares::new(120, 1);
        let (alice, bob) = (shares.of(&account(1)), shares.of(&account(2)));
        let mut held = Vec::new();
        while let Some(call) = shares.enter(&alice) {
            held.push(call);
        }
        assert_eq!((held.len(), shares.in_flight()), (60, 60), "who was not let in is not counted");
        let call = shares.enter(&bob);
        assert!(call.is_some(), "another one is");
        assert!(shares.enter(&alice).is_none());
        held.pop();
        assert!(shares.enter(&alice).is_some());
    }

    #[test]
    fn quick_calls_wait_for_nobody_and_costly_ones_for_each_other() {
        let shares = Shares::new(1000, 1);
        let (alice, bob) = (costly(&shares, 1), costly(&shares, 2));
        let mut first = Box::pin(shares.turn(&alice, 0));
        let Poll::Ready(Some(Some(turn))) = poll(first.as_mut()) else { panic!("a free place") };
        let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(shares.turn(&alice, 0))).collect();
        assert!(waiting.iter_mut().all(|call| poll(call.as_mut()).is_pending()));
        let mut other = Box::pin(shares.turn(&bob, 0));
        assert!(poll(other.as_mut()).is_pending());
        assert!(matches!(poll(Box::pin(shares.turn(&bob, 1)).as_mut()), Poll::Ready(Some(None))), "a quick action");
        drop(turn);
        // The line is in order of work had: Alice's first one was free of charge when it came, so she may be next once.
        let mut served = Vec::new();
        while served.len() < 2 {
            if let Poll::Ready(Some(Some(turn))) = poll(other.as_mut()) {
                served.push("bob");
                drop(turn);
                break;
            }
            let ready = waiting.iter_mut().position(|call| match poll(call.as_mut()) {
                Poll::Ready(turn) => {
                    drop(turn);
                    true
                }
                Poll::Pending => false,
            });
            drop(waiting.remove(ready.unwrap()));
            served.push("alice");
        }
        assert!(served.contains(&"bob"), "{served:?}");
    }

    #[test]
    fn what_has_become_quick_again_waits_no_longer() {
        let shares = Shares::new(1000, 1);
        let alice = costly(&shares, 1);
        assert!(alice.mean_ns(0) > COSTLY_NS);
        for _ in 0..20 {
            alice.charge(0, 30_000);
        }
        assert!(matches!(poll(Box::pin(shares.turn(&alice, 0)).as_mut()), Poll::Ready(Some(None))));
    }

    #[test]
    fn a_call_that_was_interrupted_makes_no_action_costly() {
        let shares = Shares::new(1000, 1);
        let alice = shares.of(&account(1));
        for _ in 0..20 {
            alice.charge(0, 30_000);
        }
        for _ in 0..3 {
            alice.charge(0, 9_900_000);
            assert!(!alice.is_costly(0), "{}", alice.mean_ns(0));
            for _ in 0..CALLS_PER_INTERRUPTION {
                alice.charge(0, 30_000);
            }
        }
        alice.charge(0, 9_900_000);
        for _ in 0..5 {
            alice.charge(0, 30_000);
        }
        for _ in 0..3 {
            alice.charge(0, 9_900_000);
        }
        assert!(alice.is_costly(0), "but more of them do");
        alice.charge(1, 100_000_000);
        assert!(alice.is_costly(1), "and a very long one");
    }

    #[test]
    fn a_call_is_charged_however_it_ends() {
        let shares = Shares::new(1000, 1);
        let alice = shares.of(&account(1));
        let meter = Meter::default();
        meter.add(60_000_000);
        meter.goes_to(&alice, 3);
        meter.add(40_000_000);
        assert!(!alice.is_costly(3));
        drop(meter);
        assert_eq!(alice.mean_ns(3), 100_000_000 / 8);
        // One of nobody who is known.
        Meter::default().add(5);
    }

    #[test]
    fn nonces_are_counted_while_they_live() {
        let share = Share::new(account(1), Arc::default());
        let now = 1_800_000_000;
        for signed_at in [now - 800, now, now + 800] {
            for _ in 0..10 {
                share.note_nonce(nonce::generation(signed_at));
            }
        }
        assert_eq!(share.nonces(now), 30);
        assert!(!share.may_remember(97, 100, now) && share.may_remember(90, 100, now));
        assert_eq!(share.nonces(now + 600), 20);
        assert_eq!(share.nonces(now + 3000), 0);
        share.note_nonce(nonce::generation(now + 3000));
        assert_eq!(share.nonces(now + 3000), 1);
    }
}
