//! How many keys and aliases an account has, and how many of anything it may have.
//!
//! Whoever makes or destroys a key or an alias writes a count in the same commit, which compares it: so a quota holds
//! however many do so at once. One record for all would let only one of many calls through a commit at a time, and a
//! call that must decide again makes its key again. So the count is spread over `SHARDS` records that calls take in
//! turn, and each may grow up to its part of the quota: however they are read, together they never exceed it.

use std::sync::{
    PoisonError, RwLock,
    atomic::{AtomicUsize, Ordering},
};

use jomae_api::{error::Refusal, limits, names::AccountId};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Fault},
    stored::plain_records,
    tx::Tx,
};

/// Records over which a count is spread.
const SHARDS: usize = 64;

/// How many of each an account may have. 0: as many as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Keys in all regions, those that wait for their destruction too.
    pub keys: u32,
    /// Aliases in all regions.
    pub aliases: u32,
    pub users: u32,
    pub groups: u32,
    pub roles: u32,
    /// Policies of the account's own.
    pub policies: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            keys: limits::KEYS_PER_ACCOUNT,
            aliases: limits::ALIASES_PER_ACCOUNT,
            users: limits::RAM_USERS_MAX,
            groups: limits::RAM_GROUPS_MAX,
            roles: limits::RAM_ROLES_MAX,
            policies: limits::RAM_POLICIES_MAX,
        }
    }
}

/// Whether an account that has `count` of something may have no more.
pub const fn is_full(quota: u32, count: u32) -> bool {
    quota != 0 && count >= quota
}

/// What is counted in shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Key,
    Alias,
}

impl Counted {
    /// Its segment in the paths of the counts.
    const fn segment(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Alias => "alias",
        }
    }
}

/// A part of a count. Things may be counted in one shard and go in another, so a part may be below zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountRecord {
    pub count: i64,
}

plain_records!(form: 1, bears_rights: false; CountRecord);

mod path {
    use super::{AccountId, Counted};
    use crate::store::Path;

    pub(super) fn shard(account: &AccountId, of: Counted, number: usize) -> Path {
        Path::new(format!("quota/{account}/{}/{number:02}", of.segment()))
    }
}

/// The quotas in force, and whose turn it is among the shards.
#[derive(Default)]
pub struct Ledger {
    quotas: RwLock<Quotas>,
    turn: AtomicUsize,
}

impl Ledger {
    pub fn new(quotas: Quotas) -> Self {
        Self { quotas: RwLock::new(quotas), turn: AtomicUsize::new(0) }
    }

    /// The quotas in force.
    pub fn quotas(&self) -> Quotas {
        *self.quotas.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets other quotas, from the next call on. What an account has beyond them stays.
    pub fn set_quotas(&self, quotas: Quotas) {
        *self.quotas.write().unwrap_or_else(PoisonError::into_inner) = quotas;
    }

    fn quota(&self, of: Counted) -> i64 {
        let quotas = self.quotas();
        i64::from(match of {
            Counted::Key => quotas.keys,
            Counted::Alias => quotas.aliases,
        })
    }

    /// Refuses what the account may have no more of, before costly work is done for it. Whether it may have one more is for
    /// [`Self::take`] to say.
    ///
    /// # Errors
    /// `LimitExceeded`, or a fault of the store.
    pub fn expect_room(&self, tx: &Tx<'_>, account: &AccountId, of: Counted) -> Result<(), Error> {
        let quota = self.quota(of);
        if quota == 0 {
            return Ok(());
        }
        if Counts::read(tx, account, of)?.total >= quota { Err(Refusal::LimitExceeded.into()) } else { Ok(()) }
    }

    /// Counts one more, which the transaction makes.
    ///
    /// # Errors
    /// `LimitExceeded`, or a fault of the store.
    pub fn take(&self, tx: &mut Tx<'_>, account: &AccountId, of: Counted) -> Result<(), Error> {
        let quota = self.quota(of);
        let counts = Counts::read(tx, account, of)?;
        // After a quota was lowered, some parts may have room while the whole has none.
        if quota != 0 && counts.total >= quota {
            return Err(Refusal::LimitExceeded.into());
        }
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        for number in (0..SHARDS).map(|step| first.wrapping_add(step) % SHARDS) {
            let part = if quota == 0 { i64::MAX } else { part_of(quota, number) };
            if counts.shards[number] >= part {
                continue;
            }
            let at = path::shard(account, of, number);
            let count = tx.get::<CountRecord>(&at)?.map_or(0, |record| record.count);
            if count < part {
                tx.put(at, &CountRecord { count: count.saturating_add(1) })?;
                return Ok(());
            }
        }
        Err(Refusal::LimitExceeded.into())
    }

    /// Counts so many less, which the transaction removes.
    ///
    /// # Errors
    /// A fault of the store.
    pub fn give_back(&self, tx: &mut Tx<'_>, account: &AccountId, of: Counted, removed: usize) -> Result<(), Fault> {
        if removed == 0 {
            return Ok(());
        }
        let at = path::shard(account, of, self.turn.fetch_add(1, Ordering::Relaxed) % SHARDS);
        let count = tx.get::<CountRecord>(&at)?.map_or(0, |record| record.count);
        tx.put(at, &CountRecord { count: count.saturating_sub(i64::try_from(removed).unwrap_or(i64::MAX)) })
    }
}

/// Up to where one shard may grow, so that all together reach `room` and no more.
const fn part_of(room: i64, number: usize) -> i64 {
    #[expect(clippy::cast_possible_wrap, reason = "a few dozen")]
    let (shards, number) = (SHARDS as i64, number as i64);
    room.div_euclid(shards) + (number < room.rem_euclid(shards)) as i64
}

/// The counts as they stand, which no commit compares.
struct Counts {
    total: i64,
    shards: [i64; SHARDS],
}

impl Counts {
    /// One by one: nearly all of them are in memory, and each call changes one.
    fn read(tx: &Tx<'_>, account: &AccountId, of: Counted) -> Result<Self, Fault> {
        let mut aside = tx.aside();
        let mut count = |at| aside.get::<CountRecord>(&at).map(|record| record.map_or(0, |record| record.count));
        let mut counts = Self { total: 0, shards: [0; SHARDS] };
        for (number, shard) in counts.shards.iter_mut().enumerate() {
            *shard = count(path::shard(account, of, number))?;
            counts.total = counts.total.saturating_add(*shard);
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_up_the_whole() {
        for room in [-70, -33, -32, -1, 0, 1, 31, 32, 33, 1000, 100_000] {
            let parts: Vec<i64> = (0..SHARDS).map(|number| part_of(room, number)).collect();
            assert_eq!(parts.iter().sum::<i64>(), room);
            assert!(parts.iter().max().unwrap() - parts.iter().min().unwrap() <= 1, "{room}");
        }
    }

    #[test]
    fn no_quota_is_never_full() {
        assert!(!is_full(0, u32::MAX));
        assert!(!is_full(2, 1));
        assert!(is_full(2, 2));
        assert!(is_full(2, 3));
    }
}
