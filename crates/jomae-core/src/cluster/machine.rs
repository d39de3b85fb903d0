//! The rules of a cluster, as a state machine: no store, no clock, no waiting. A node is told what it sees and what time
//! it is, and says what is to be committed.
//!
//! - A node's record is its **lease**. The node renews it (a *beat*), and may serve until the lease's term after the
//!   moment *before* it sent the newest beat that it has seen come back through its own watch. So a node that is cut off
//!   from the store, or whose watch stands still, stops by itself.
//! - Whoever has not seen a record change for longer than the term, by its own clock and with the drift allowed for,
//!   removes it (*fences* the node), on the condition that it is still the record that was seen. No beat of the fenced
//!   node can succeed after that, since each requires the one before it.
//! - Every beat says how far its node's reads have come. A **barrier** for a revision is passed when no other node's
//!   record is left that says less. So whoever is not there yet has lost its lease.
//! - The **work lease** names the node that does what is to be done once. It lasts as long as that node's record does;
//!   work compares its revision in each commit.
//! - The **floor** of stored forms is raised by whoever has the work, when every record says that its node reads more. A node
//!   that reads less does not serve.
//!
//! All of it rests on conditional commits alone; what the store calls a lease, and its clock, are not needed.

use std::collections::BTreeMap;

use super::record::{NodeName, NodeRecord, WorkRecord};
use crate::{form, store::Revision};

/// How long things last. The same on every node of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a node may serve after a beat.
    pub term_ns: u64,
    /// How much slower one node's clock may run than another's, in thousandths.
    pub drift_permille: u64,
}

/// Wall clocks further apart than this are no base for common work, in seconds.
pub const CLOCKS_APART_SECS_MAX: i64 = 60;

impl Timing {
    /// A term of so many seconds, and clocks of which none is over 5 % slower than another.
    pub const fn of_secs(secs: u64) -> Self {
        Self { term_ns: secs * 1_000_000_000, drift_permille: 50 }
    }

    /// How often a node renews its lease.
    pub const fn beat_every_ns(&self) -> u64 {
        self.term_ns / 5
    }

    /// How long a record must have been silent for its node's lease to be over on every clock.
    pub const fn silence_ns(&self) -> u64 {
        (self.term_ns * 1000).div_ceil(1000 - self.drift_permille)
    }

    /// How long a barrier may take before its caller is told that not every node has confirmed.
    pub const fn barrier_ns_max(&self) -> u64 {
        2 * self.silence_ns()
    }
}

/// What time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// A clock that never goes back and goes on while the machine sleeps.
    pub steady_ns: u64,
    /// Unix seconds.
    pub wall_secs: i64,
}

/// What is to be committed, and on which condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Renew the own record.
    Beat { expect: Option<Revision>, record: NodeRecord },
    /// Remove the record of a node whose lease has run out.
    Fence { node: NodeName, expect: Revision },
    /// Take over the work that is done once.
    Work { expect: Option<Revision>, record: WorkRecord },
    /// Raise the floor of stored forms, while the work is this node's.
    Form { expect: Option<Revision>, work: Revision, form: u32 },
}

/// How the commit of a beat ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is in the store, or may be: the watch will show it.
    Maybe,
    /// It is not, nor will be.
    No,
}

/// Why a node does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotServing {
    #[error("this node has no lease: it has not heard from the store in time")]
    NoLease,
    #[error("the clock of this node is over {CLOCKS_APART_SECS_MAX} s away from that of most other nodes")]
    Clock,
    #[error("the name of this node is in use by another machine")]
    NameTaken,
    #[error("this node is leaving the cluster")]
    Leaving,
    #[error("the other nodes write records that this version cannot read: upgrade it")]
    Form,
}

/// A record, and when it was seen.
#[derive(Clone, Debug)]
struct Seen {
    record: NodeRecord,
    revision: Revision,
    /// When this node saw it first, by its own steady clock.
    at_ns: u64,
}

/// A beat that was sent and not seen yet.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    beat: u64,
    sent_ns: u64,
}

/// What one node knows.
pub struct Machine {
    me: NodeRecord,
    name: NodeName,
    timing: Timing,
    nodes: BTreeMap<NodeName, Seen>,
    work: Option<(WorkRecord, Revision)>,
    /// The floor of stored forms, and where it was set.
    floor: (u32, Option<Revision>),
    /// How far this node's reads have come.
    applied: Revision,
    /// Beats that were sent and may still come back, the latest last. One of them at most is or comes into the store.
    under_way: Vec<UnderWay>,
    last_sent_ns: Option<u64>,
    lease_until_ns: u64,
    /// Somebody waits to hear how far this node is.
    is_asked: bool,
    is_leaving: bool,
}

impl Machine {
    /// A node that has just started. `record` says who it is; its beat, revision and time are filled in.
    pub fn new(name: NodeName, record: NodeRecord, timing: Timing) -> Self {
        Self {
            me: record,
            name,
            timing,
            nodes: BTreeMap::new(),
            work: None,
            floor: (form::OLDEST, None),
            applied: Revision(0),
            under_way: Vec::new(),
            last_sent_ns: None,
            lease_until_ns: 0,
            is_asked: false,
            is_leaving: false,
        }
    }

    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// The reads of this node have come to a revision. Told after everything else that came with it.
    pub fn applied(&mut self, revision: Revision) {
        self.applied = self.applied.max(revision);
    }

    /// Somebody has committed what every node must confirm.
    pub fn asked(&mut self) {
        self.is_asked = true;
    }

    /// The record of a node is now this.
    pub fn see(&mut self, name: &NodeName, found: Option<(NodeRecord, Revision)>, now: Now) {
        let Some((record, revision)) = found else {
            self.nodes.remove(name);
            if *name == self.name {
                // Fenced: what it may still hear is of a lease that is over.
                self.lease_until_ns = 0;
                self.under_way.clear();
            }
            return;
        };
        if *name == self.name {
            if record.incarnation != self.me.incarnation {
                self.lease_until_ns = 0;
            } else if let Some(sent) = self.under_way.iter().find(|sent| sent.beat == record.beat) {
                self.lease_until_ns = self.lease_until_ns.max(sent.sent_ns + self.timing.term_ns);
                // Those that are still under way required the record before this one.
                self.under_way.clear();
            }
        }
        // Told again by a resync, it is no younger.
        if self.nodes.get(name).is_none_or(|seen| seen.revision != revision) {
            self.nodes.insert(name.clone(), Seen { record, revision, at_ns: now.steady_ns });
        }
    }

    /// The record of the work lease is now this.
    pub fn see_work(&mut self, found: Option<(WorkRecord, Revision)>) {
        self.work = found;
    }

    /// The floor of stored forms is now this.
    pub fn see_form(&mut self, found: Option<(u32, Revision)>) {
        self.floor = found.map_or((form::OLDEST, None), |(form, revision)| (form, Some(revision)));
    }

    /// What is to be done now. A beat is at most one at a time: [`Machine::beat_ended`] tells how it went.
    pub fn tick(&mut self, now: Now) -> Vec<Step> {
        let mut steps = Vec::new();
        steps.extend(self.beat(now));
        let silence_ns = self.timing.silence_ns();
        for (name, seen) in &self.nodes {
            if *name != self.name && now.steady_ns.saturating_sub(seen.at_ns) > silence_ns {
                steps.push(Step::Fence { node: name.clone(), expect: seen.revision });
            }
        }
        steps.extend(self.take_work(now));
        steps.extend(self.raise_form(now));
        steps
    }

    /// The next beat, if it is time. It requires the record that the watch has shown: of a node whose watch stands still
    /// none gets through, so it is silent and loses its lease everywhere. And one whose fate is not known need not be
    /// waited for: either it gets through or the next one.
    fn beat(&mut self, now: Now) -> Option<Step> {
        // Sent longer ago than that, it would give no lease.
        self.under_way.retain(|sent| now.steady_ns.saturating_sub(sent.sent_ns) < self.timing.term_ns);
        let since = self.last_sent_ns.map(|at| now.steady_ns.saturating_sub(at));
        let is_due = since.is_none_or(|since| since >= self.timing.beat_every_ns());
        let is_wanted = self.is_asked && self.under_way.is_empty();
        if self.is_leaving || !(is_due || is_wanted) || self.is_name_taken(now) {
            return None;
        }
        self.me.beat += 1;
        self.me.applied = self.applied.0;
        self.me.wall_secs = now.wall_secs;
        self.is_asked = false;
        self.last_sent_ns = Some(now.steady_ns);
        self.under_way.push(UnderWay { beat: self.me.beat, sent_ns: now.steady_ns });
        let expect = self.nodes.get(&self.name).map(|seen| seen.revision);
        Some(Step::Beat { expect, record: self.me.clone() })
    }

    /// How a beat went. One that may be in the store gives the lease if it is seen in time.
    pub fn beat_ended(&mut self, beat: u64, outcome: Sent) {
        if outcome == Sent::No {
            self.under_way.retain(|sent| sent.beat != beat);
        }
    }

    /// Another process has the name: not of this node's data directory, and not silent for long enough to be dead.
    fn is_name_taken(&self, now: Now) -> bool {
        self.nodes.get(&self.name).is_some_and(|seen| {
            seen.record.incarnation != self.me.incarnation
                && seen.record.home != self.me.home
                && now.steady_ns.saturating_sub(seen.at_ns) <= self.timing.silence_ns()
        })
    }

    /// Takes the work over from a node that is gone, or whose clock is not that of the others.
    fn take_work(&self, now: Now) -> Option<Step> {
        if self.serving(now).is_err() || !self.agrees_on_time(now) {
            return None;
        }
        let expect = match &self.work {
            Some((held, _)) if self.holder(held).is_some_and(|seen| !is_apart(seen, now)) => return None,
            Some((_, revision)) => Some(*revision),
            None => None,
        };
        let record = WorkRecord { node: self.name.clone(), incarnation: self.me.incarnation.clone() };
        Some(Step::Work { expect, record })
    }

    /// Raises the floor when every node can read more. One that comes at this very moment sees the floor before the
    /// first record that it cannot read.
    fn raise_form(&self, now: Now) -> Option<Step> {
        let (form, (floor, expect)) = (self.common_form(), self.floor);
        let (_, work) = self.work.as_ref().filter(|_| form > floor && self.has_work(now))?;
        Some(Step::Form { expect, work: *work, form })
    }

    /// The newest stored form that may be written: this node reads it, and no other that could not serves.
    pub fn form(&self) -> u32 {
        self.floor.0.min(self.me.form)
    }

    /// The live node that holds the work lease.
    fn holder(&self, held: &WorkRecord) -> Option<&Seen> {
        self.nodes.get(&held.node).filter(|seen| seen.record.incarnation == held.incarnation)
    }

    /// Whether this node does the work that is done once. Each commit of it compares the work lease all the same.
    pub fn has_work(&self, now: Now) -> bool {
        let is_held = self.work.as_ref().is_some_and(|(held, _)| self.is_holder(held));
        is_held && self.serving(now).is_ok() && self.agrees_on_time(now)
    }

    /// Whether a work lease is this node's.
    pub fn is_holder(&self, held: &WorkRecord) -> bool {
        held.node == self.name && held.incarnation == self.me.incarnation
    }

    /// Whether this node may answer calls now.
    pub fn serving(&self, now: Now) -> Result<(), NotServing> {
        if self.is_leaving {
            return Err(NotServing::Leaving);
        }
        if self.me.form < self.floor.0 {
            return Err(NotServing::Form);
        }
        if now.steady_ns >= self.lease_until_ns {
            return Err(if self.is_name_taken(now) { NotServing::NameTaken } else { NotServing::NoLease });
        }
        // Of two nodes nobody can say whose clock is wrong.
        let (others, apart) = self.clocks(now);
        if others >= 2 && apart * 2 > others { Err(NotServing::Clock) } else { Ok(()) }
    }

    /// How many other nodes there are, and how many of them have another time.
    fn clocks(&self, now: Now) -> (usize, usize) {
        (self.others().count(), self.others().filter(|(_, seen)| is_apart(seen, now)).count())
    }

    /// Until when this node may serve, by its steady clock, if nothing else is heard.
    pub fn lease_until_ns(&self) -> u64 {
        self.lease_until_ns
    }

    /// Whether most nodes, this one among them, have the same time: what is due is decided by it.
    fn agrees_on_time(&self, now: Now) -> bool {
        let (others, apart) = self.clocks(now);
        (others - apart + 1) * 2 > others + 1
    }

    /// Every other process. One that has taken this node's name is another too.
    fn others(&self) -> impl Iterator<Item = (&NodeName, &Seen)> {
        let is_other = |(_, seen): &(&NodeName, &Seen)| seen.record.incarnation != self.me.incarnation;
        self.nodes.iter().filter(is_other)
    }

    /// Whether every other node has come to a revision, or has no lease any more. Asked once this node has applied it.
    pub fn is_passed(&self, revision: Revision) -> bool {
        self.applied >= revision && self.others().all(|(_, seen)| seen.record.applied >= revision.0)
    }

    /// The nodes that a barrier still waits for.
    pub fn behind(&self, revision: Revision) -> Vec<&NodeName> {
        self.others().filter(|(_, seen)| seen.record.applied < revision.0).map(|(name, _)| name).collect()
    }

    /// From now on this node serves nobody and renews nothing. Gives the record to remove, so that nobody waits for it.
    pub fn leave(&mut self) -> Option<Step> {
        self.is_leaving = true;
        self.lease_until_ns = 0;
        let own = self.nodes.get(&self.name).filter(|seen| seen.record.incarnation == self.me.incarnation)?;
        Some(Step::Fence { node: self.name.clone(), expect: own.revision })
    }

    /// The stored form that every live node can read.
    pub fn common_form(&self) -> u32 {
        self.nodes.values().map(|seen| seen.record.form).fold(self.me.form, u32::min)
    }

    /// The node that can read least, and the newest form that it reads.
    pub fn oldest(&self) -> Option<(&NodeName, u32)> {
        self.nodes.iter().map(|(name, seen)| (name, seen.record.form)).min_by_key(|(_, form)| *form)
    }

    /// Every live node, with the nanoseconds since it was last heard of.
    pub fn members(&self, now: Now) -> Vec<(NodeName, NodeRecord, u64)> {
        let silent = |seen: &Seen| now.steady_ns.saturating_sub(seen.at_ns);
        self.nodes.iter().map(|(name, seen)| (name.clone(), seen.record.clone(), silent(seen))).collect()
    }

    /// Who does the work that is done once.
    pub fn worker(&self) -> Option<&NodeName> {
        self.work.as_ref().filter(|(held, _)| self.holder(held).is_some()).map(|(held, _)| &held.node)
    }
}

/// Whether the wall clock of a node has another time than ours. Ours may have jumped since it was seen.
fn is_apart(seen: &Seen, now: Now) -> bool {
    let since_secs = now.steady_ns.saturating_sub(seen.at_ns) / 1_000_000_000;
    let there_secs = seen.record.wall_secs.saturating_add_unsigned(since_secs);
    there_secs.abs_diff(now.wall_secs) > CLOCKS_APART_SECS_MAX.unsigned_abs()
}

#[cfg(test)]
mod tests;
