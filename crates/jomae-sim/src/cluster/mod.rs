//! A simulated cluster: several nodes on one store, in one thread, and everything that can go wrong between them. What
//! happens in a run follows from its seed.
//!
//! The rules are those of the product ([`jomae_core::cluster::machine`]); the store, the network, the clocks and the
//! clients are played. Each step is checked:
//!
//! - no use of a key succeeds that began after its revocation was answered, at whichever node;
//! - no node is fenced while it may serve, and no two serve under one name;
//! - work is committed under the work lease only, by a node whose clock is right, and done once;
//! - what was answered is in the store;
//! - what a node knows is of one moment;
//! - who confirms first reads what was answered before;
//! - the hash over all records agrees with what was committed, and not with what was changed in another way: some runs do
//!   what lands on a real store too, behind the real [`WholeStore`](jomae_core::whole::WholeStore) of each node;
//! - no node that serves meets a record of a form that it cannot read, and none is shut out while it lives;
//! - a barrier ends if all is well with the node that waits, whatever the others do; and when all is well with every
//!   node, all serve, and nothing is left waiting.
//!
//! To see that the checks find something, runs are made with a [`Bug`], too.
//!
//! Not played: the glue around the rules and its threads, two living nodes of one data directory, records that cannot
//! be read, nodes of different terms.

mod clients;
mod dice;
mod faults;
mod process;
mod shadow;
mod store;
#[cfg(test)]
mod tests;
mod world;

/// A mistake that a run is made with, to see that the checks find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Clocks drift, and the silence after which a node is fenced is just the term.
    NoDriftAllowed,
    /// A lease lasts from when the beat was seen, not from before it was sent.
    LeaseFromSeen,
    /// A barrier does not wait for one of the nodes.
    ForgetfulBarrier,
    /// A barrier does not wait for a machine that has taken the name of the node that waits.
    NameForgotten,
    /// A beat is sent although the watch has not shown the last one.
    BeatsAnyway,
    /// A resync reads its records at two moments.
    MixedResync,
    /// Work does not compare the work lease.
    WorkUncompared,
    /// A node is fenced without a look at whether its record has changed.
    FenceUnconditional,
    /// The floor of stored forms is raised although a node cannot read as much.
    FormTooSoon,
    /// A node serves although the floor is above what it reads.
    FormIgnored,
    /// Somebody writes to the store beside the nodes.
    Rollback(Rollback),
}

/// How a store goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollback {
    /// One record is what it was before its last change.
    SetBack,
    /// One record is gone.
    Removed,
    /// The last commit of some node is undone with its part of the hash, while the nodes go on.
    Undone,
    /// All of an earlier moment, hash and all, while the nodes go on.
    Older,
    /// The same while every node is stopped.
    OlderAtRest,
}

/// What has happened in a run, to see that there was something to check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    pub used: u64,
    pub refused: u64,
    pub revoked: u64,
    pub in_doubt: u64,
    pub fenced: u64,
    pub took_over: u64,
    pub done: u64,
    pub confirmed: u64,
    pub unknown: u64,
    pub conflicts: u64,
    pub resynced: u64,
    pub rivals: u64,
    /// Runs in which the nodes were upgraded one after another, and how often a node was too old to come in.
    pub upgraded: u64,
    pub too_old: u64,
    /// How often the hash over all records was compared with them, and a store went back and was not found.
    pub counted: u64,
    pub overlooked: u64,
}

impl Happened {
    /// Of two runs together.
    pub fn add(&mut self, more: Self) {
        self.used += more.used;
        self.refused += more.refused;
        self.revoked += more.revoked;
        self.in_doubt += more.in_doubt;
        self.fenced += more.fenced;
        self.took_over += more.took_over;
        self.done += more.done;
        self.confirmed += more.confirmed;
        self.unknown += more.unknown;
        self.conflicts += more.conflicts;
        self.resynced += more.resynced;
        self.rivals += more.rivals;
        self.upgraded += more.upgraded;
        self.too_old += more.too_old;
        self.counted += more.counted;
        self.overlooked += more.overlooked;
    }
}

/// Plays one run.
///
/// # Errors
/// What was wrong, and when.
pub fn run(seed: u64, bug: Option<Bug>, is_told: bool) -> Result<Happened, String> {
    world::World::new(seed, bug, is_told).run()
}
