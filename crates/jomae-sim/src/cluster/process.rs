//! One node of a simulated world: a [`Machine`] with what surrounds it in the product, its clocks and its replica.

use std::collections::VecDeque;

use jomae_core::{
    cluster::{
        machine::{Machine, NotServing, Now, Step, Timing},
        record::{NodeName, NodeRecord},
    },
    store::Revision,
};

use super::{
    Bug,
    store::{At, Change, Records, Replica, Value},
};

/// The true Unix time at which every run begins.
pub const START_SECS: i64 = 1_800_000_000;
pub const SECOND: u64 = 1_000_000_000;

/// A machine that can run a node, and what is wrong with it and its network. Moments are of the true time.
pub struct Host {
    /// Which name the node has, and from which data directory.
    pub name: usize,
    pub home: usize,
    /// Nanoseconds of its steady clock in a thousand true ones.
    pub rate_permille: u64,
    /// The steady clock when the run began.
    pub booted_ns: u64,
    pub wall_ahead_secs: i64,
    pub wall_changed_at: u64,
    /// The newest stored form that the version here reads.
    pub form: u32,
    /// How often a node was started here.
    pub starts: u32,
    pub paused_until: u64,
    /// Nothing reaches the store.
    pub mute_until: u64,
    /// Nothing comes from the store.
    pub deaf_until: u64,
    /// The watch stands still.
    pub stands_until: u64,
    pub late_until: u64,
    /// When something was last wrong here.
    pub ill_at: u64,
    pub node: Option<Node>,
}

/// A node that runs.
pub struct Node {
    pub machine: Machine,
    name: NodeName,
    pub incarnation: String,
    pub replica: Replica,
    /// The watch has broken, and what is known is read anew.
    pub is_broken: bool,
    pub is_leaving: bool,
    /// What the last tick wanted and was not sent yet; one is sent at a time.
    pub steps: VecDeque<Step>,
    pub is_busy: bool,
    pub barriers: Vec<Barrier>,
    pub confirming: Vec<Confirming>,
    bug: Option<Bug>,
    term_ns: u64,
    pub form: u32,
    /// For [`Bug::LeaseFromSeen`].
    own_seen_ns: Option<u64>,
    /// For [`Bug::BeatsAnyway`]: at which revision a beat was answered last.
    pub answered: Option<Revision>,
}

/// Somebody who took a key away waits until that holds everywhere.
pub struct Barrier {
    pub key: usize,
    pub revision: u64,
    pub since_ns: u64,
    pub since: u64,
}

/// Somebody reads a key once the replica has come to a revision.
pub struct Confirming {
    pub key: usize,
    pub revision: u64,
    /// What the reader must see at least.
    pub at_least: u64,
}

impl Host {
    pub fn now(&self, time: u64) -> Now {
        let wall_secs = START_SECS + i64::try_from(time / SECOND).unwrap_or(0) + self.wall_ahead_secs;
        Now { steady_ns: self.booted_ns + time * self.rate_permille / 1000, wall_secs }
    }

    pub const fn hears(&self, time: u64) -> bool {
        time >= self.deaf_until
    }

    /// Whether the node may answer calls.
    pub fn serves(&self, time: u64) -> bool {
        self.node.as_ref().is_some_and(|node| node.serves(self.now(time)))
    }
}

impl Node {
    pub fn new(name: &NodeName, record: NodeRecord, timing: Timing, bug: Option<Bug>) -> Self {
        Self {
            name: name.clone(),
            incarnation: record.incarnation.clone(),
            form: record.form,
            machine: Machine::new(name.clone(), record, timing),
            replica: Replica::default(),
            is_broken: false,
            is_leaving: false,
            steps: VecDeque::new(),
            is_busy: false,
            barriers: Vec::new(),
            confirming: Vec::new(),
            bug,
            term_ns: timing.term_ns,
            own_seen_ns: None,
            answered: None,
        }
    }

    pub fn serves(&self, now: Now) -> bool {
        if self.bug == Some(Bug::LeaseFromSeen) {
            return !self.is_leaving && self.own_seen_ns.is_some_and(|at| now.steady_ns < at + self.term_ns);
        }
        match self.machine.serving(now) {
            Err(NotServing::Form) if self.bug == Some(Bug::FormIgnored) => {
                now.steady_ns < self.machine.lease_until_ns()
            }
            serving => serving.is_ok(),
        }
    }

    /// The watch shows a change.
    pub fn hear(&mut self, me: usize, names: &[NodeName], change: &Change, now: Now) {
        self.replica.apply(change);
        for (at, _) in &change.writes {
            self.look_at(me, names, *at, now);
        }
        self.machine.applied(Revision(change.revision));
    }

    /// Everything is as in these records. `tells_all`: also what is as it was before.
    pub fn adopt(
        &mut self,
        me: usize,
        names: &[NodeName],
        (records, revision): (&Records, u64),
        tells_all: bool,
        now: Now,
    ) {
        let mut told = self.replica.resync(records, revision);
        if tells_all {
            told.extend(records.keys());
        }
        for at in told {
            self.look_at(me, names, at, now);
        }
        self.machine.applied(Revision(revision));
        self.is_broken = false;
    }

    fn look_at(&mut self, me: usize, names: &[NodeName], at: At, now: Now) {
        let found = self.replica.records.get(&at);
        match at {
            At::Node(name) => {
                let record = found.and_then(|(value, revision)| match &**value {
                    Value::Node(record) => Some((record.clone(), Revision(*revision))),
                    _ => None,
                });
                if name == me {
                    let is_own = record.as_ref().is_some_and(|(record, _)| record.incarnation == self.incarnation);
                    self.own_seen_ns = is_own.then_some(now.steady_ns);
                }
                if let Some(name) = names.get(name) {
                    self.machine.see(name, record, now);
                }
            }
            At::Work => {
                let record = found.and_then(|(value, revision)| match &**value {
                    Value::Work(record) => Some((record.clone(), Revision(*revision))),
                    _ => None,
                });
                self.machine.see_work(record);
            }
            At::Form => {
                let form = found.and_then(|(value, revision)| match &**value {
                    Value::Form(form) => Some((*form, Revision(*revision))),
                    _ => None,
                });
                self.machine.see_form(form);
            }
            At::Marker(name) if name != me => self.machine.asked(),
            At::Marker(_) | At::Key(_) | At::Job(_) => {}
        }
    }

    /// What is to be committed now.
    pub fn tick(&mut self, now: Now) {
        let mut steps = self.machine.tick(now);
        if self.bug == Some(Bug::BeatsAnyway) {
            for step in &mut steps {
                if let Step::Beat { expect, .. } = step {
                    *expect = expect.map(|seen| self.answered.map_or(seen, |answered| answered.max(seen)));
                }
            }
        }
        if self.bug == Some(Bug::FormTooSoon)
            && let Some((_, revision)) = self.replica.records.get(&At::Work)
            && self.machine.has_work(now)
            && self.form > self.machine.form()
        {
            let expect = self.replica.records.get(&At::Form).map(|(_, revision)| Revision(*revision));
            steps.push(Step::Form { expect, work: Revision(*revision), form: self.form });
        }
        self.steps.extend(steps);
    }

    /// A node that the last tick would shut out, although its record is known.
    pub fn shuts_out(&self) -> Option<String> {
        let form =
            self.steps.iter().find_map(|step| if let Step::Form { form, .. } = step { Some(*form) } else { None })?;
        self.replica.records.values().find_map(|(value, _)| match &**value {
            Value::Node(record) if record.form < form => Some(record.incarnation.clone()),
            _ => None,
        })
    }

    /// Whether a barrier has ended.
    pub fn is_passed(&self, revision: u64) -> bool {
        let behind = || self.machine.behind(Revision(revision));
        match self.bug {
            Some(Bug::ForgetfulBarrier) => self.replica.revision >= revision && behind().len() <= 1,
            Some(Bug::NameForgotten) => {
                self.replica.revision >= revision && behind().into_iter().all(|name| *name == self.name)
            }
            _ => self.machine.is_passed(Revision(revision)),
        }
    }

    /// What is known of a key, and the revision of its last change.
    pub fn key(&self, key: usize) -> (bool, u64) {
        match self.replica.records.get(&At::Key(key)) {
            Some((value, revision)) => (matches!(**value, Value::Key { is_enabled: true, .. }), *revision),
            None => (false, 0),
        }
    }

    /// The form in which a key is stored.
    pub fn form_of(&self, key: usize) -> u32 {
        match self.replica.records.get(&At::Key(key)).map(|(value, _)| &**value) {
            Some(Value::Key { form, .. }) => *form,
            _ => 0,
        }
    }
}
