//! The world of a run: what happens when, the network, and what goes wrong.

use std::{cmp::Reverse, collections::BinaryHeap, rc::Rc};

use jomae_core::{
    cluster::{
        machine::{Sent, Step, Timing},
        record::{NodeName, NodeRecord},
    },
    store::Revision,
};

use super::{
    Bug, Happened,
    clients::{Call, Known},
    dice::Dice,
    faults::{FAULTS, Fault},
    process::{Host, Node, SECOND},
    shadow::Shadow,
    store::{At, Commit, Records, Store, Value},
};

/// Until when things go wrong.
pub const HEALED_AT: u64 = 50 * SECOND;
/// How long a cluster may take until all is as it should be.
const HEALING: u64 = 30 * SECOND;
/// When the last revocations are asked for, and when the run ends.
const LAST_CALLS_AT: u64 = HEALED_AT + HEALING;
const ENDS_AT: u64 = LAST_CALLS_AT + 2 * SECOND;
/// After what time a node stops waiting for the answer of a commit.
const TIME_OUT: u64 = 3 * SECOND;
const MILLI: u64 = SECOND / 1000;
/// How long a message is under way, in milliseconds: mostly, and at times.
const QUICK: (u64, u64) = (1, 15);
const SLOW: (u64, u64) = (100, 6000);
const TIMING: Timing = Timing::of_secs(10);

/// What a commit was for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    Beat { beat: u64 },
    Fence,
    TakeOver,
    Raise,
    Leave,
    Revoke { key: usize },
    Write { key: usize },
    Work { term: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done(u64),
    Conflict,
    /// It may happen, or have happened.
    Unknown,
    /// It has not happened, nor will.
    Refused,
}

/// A commit that was sent.
struct Message {
    commit: Commit,
    purpose: Purpose,
    host: usize,
    start: u32,
    sent_at: u64,
    /// It has landed and changed something.
    is_change: bool,
    is_answered: bool,
}

/// What happens at a moment. What happens to a node names its host and start, and is void after a crash.
pub enum Event {
    Tick(usize, u32),
    Work(usize, u32),
    /// The watch shows everything up to a revision.
    Show(usize, u32, u64),
    Land(usize),
    Answer(usize, Outcome),
    Boot(usize),
    /// The records are read for a resync; for [`Bug::MixedResync`] once more after the first time.
    Snapshot(usize, u32, Option<Rc<Records>>),
    Adopt(usize, u32, Rc<Records>, u64),
    Crash(usize, u32),
    Call(usize, Call),
    Read {
        host: usize,
        start: u32,
        key: usize,
        known: Known,
    },
    Do {
        host: usize,
        start: u32,
        job: At,
        revision: u64,
        term: u64,
    },
    Change {
        host: usize,
        start: u32,
        key: usize,
        revision: u64,
        is_enabled: bool,
    },
    /// A node asks how far the store is.
    AskRevision {
        host: usize,
        start: u32,
        key: usize,
        at_least: u64,
    },
    Confirm {
        host: usize,
        start: u32,
        key: usize,
        at_least: u64,
        revision: u64,
    },
    SomeCall,
    Fault,
    Heal,
    LastCalls,
    /// For [`Bug::Rollback`].
    GoBack,
}

pub struct World {
    pub dice: Dice,
    pub time: u64,
    pub bug: Option<Bug>,
    pub timing: Timing,
    pub names: Vec<NodeName>,
    /// The last one is that of a second machine with the first name.
    pub hosts: Vec<Host>,
    pub store: Store,
    pub happened: Happened,
    /// Of each key, what clients know.
    pub known: Vec<Known>,
    pub violation: Option<String>,
    messages: Vec<Message>,
    queue: BinaryHeap<Reverse<(u64, usize)>>,
    events: Vec<Option<Event>>,
    pub store_down_until: u64,
    /// Of a run in which the nodes are upgraded: when which is, apart from all other chance.
    upgrades: Option<Dice>,
    /// How often each kind of fault happens.
    pub mood: Vec<Fault>,
    /// Of some runs.
    pub shadow: Option<Shadow>,
    is_told: bool,
}

/// The stored forms of two versions, of which the newer one reads both.
pub const OLD: u32 = 1;
pub const NEW: u32 = 2;
pub const KEYS: usize = 3;
const JOBS: usize = 15;

impl World {
    pub fn new(seed: u64, bug: Option<Bug>, is_told: bool) -> Self {
        let mut dice = Dice::of(seed);
        let nodes = usize::try_from(dice.within((3, 5))).unwrap_or(3);
        let names = (0..nodes).filter_map(|at| NodeName::new(&format!("n{at}"))).collect();
        let drift = TIMING.drift_permille;
        let mut host = |at: usize| {
            let slower = if dice.permille(600) { drift * dice.below(2) } else { dice.within((0, drift)) };
            Host {
                name: at % nodes,
                home: at,
                rate_permille: 1000 - slower,
                booted_ns: dice.below(1000) * SECOND,
                wall_ahead_secs: 0,
                wall_changed_at: 0,
                form: OLD,
                starts: 0,
                paused_until: 0,
                mute_until: 0,
                deaf_until: 0,
                stands_until: 0,
                late_until: 0,
                ill_at: 0,
                node: None,
            }
        };
        let hosts: Vec<Host> = (0..=nodes).map(&mut host).collect();
        let mut upgrades = Dice::of(!seed);
        let upgrades = upgrades.permille(300).then_some(upgrades);
        // Some runs see everything, others a few kinds of fault again and again.
        let kinds = dice.within((1, 16));
        let mood = match dice.below(4) {
            0 => vec![Fault::Rival, Fault::Pause, Fault::Late, Fault::Standing],
            _ => (0..kinds).filter_map(|_| dice.pick(&FAULTS).copied()).collect(),
        };
        let drift_permille = if bug == Some(Bug::NoDriftAllowed) { 0 } else { drift };
        Self {
            dice,
            time: 0,
            bug,
            timing: Timing { drift_permille, ..TIMING },
            names,
            hosts,
            store: Store::default(),
            happened: Happened::default(),
            known: vec![Known::default(); KEYS],
            violation: None,
            messages: Vec::new(),
            queue: BinaryHeap::new(),
            events: Vec::new(),
            store_down_until: 0,
            upgrades,
            mood,
            shadow: Shadow::of(seed, bug),
            is_told,
        }
    }

    pub fn run(mut self) -> Result<Happened, String> {
        let mut writes: Vec<_> = (0..KEYS).map(|key| (At::Key(key), Some(enabled(true, OLD)))).collect();
        for job in 0..JOBS {
            let due_secs = super::process::START_SECS
                + i64::try_from(self.dice.below((HEALED_AT + HEALING / 2) / SECOND)).unwrap_or(0);
            writes.push((At::Job(job), Some(Rc::new(Value::Job { due_secs, times_done: 0 }))));
        }
        self.shadow_begins(&writes);
        self.store.commit(usize::MAX, &Commit { expect: Vec::new(), writes });
        for host in 0..self.names.len() {
            self.after(self.time, (0, 3000), Event::Boot(host));
        }
        self.at(0, Event::SomeCall);
        self.after(0, (5000, 12_000), Event::Fault);
        self.at(HEALED_AT, Event::Heal);
        self.at(LAST_CALLS_AT, Event::LastCalls);
        while let Some(Reverse((time, id))) = self.queue.pop() {
            if time > ENDS_AT {
                break;
            }
            self.time = time;
            if let Some(event) = self.events.get_mut(id).and_then(Option::take) {
                self.happen(event);
            }
            if let Some(violation) = self.violation {
                return Err(violation);
            }
        }
        self.check_end();
        self.violation.map_or(Ok(self.happened), Err)
    }

    pub fn at(&mut self, time: u64, event: Event) {
        self.queue.push(Reverse((time, self.events.len())));
        self.events.push(Some(event));
    }

    /// In so many milliseconds after a moment.
    pub fn after(&mut self, time: u64, millis: (u64, u64), event: Event) {
        let later = self.some_millis(millis);
        self.at(time + later, event);
    }

    pub fn some_millis(&mut self, (low, high): (u64, u64)) -> u64 {
        self.dice.within((low * MILLI, high * MILLI))
    }

    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{:>10.4} s  {}", seconds(self.time), what());
        }
    }

    pub fn fail(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.violation.is_none() {
            self.violation = Some(format!("after {:.4} s: {}", seconds(self.time), what(self)));
        }
    }

    /// The node, if it is still the one that was meant.
    pub fn node(&mut self, host: usize, start: u32) -> Option<&mut Node> {
        self.hosts.get_mut(host).filter(|host| host.starts == start)?.node.as_mut()
    }

    fn happen(&mut self, event: Event) {
        if let Some(until) = event.host().map(|host| self.hosts[host].paused_until).filter(|until| *until > self.time) {
            return self.after(until, (0, 20), event);
        }
        match event {
            Event::Tick(host, start) => self.tick(host, start),
            Event::Work(host, start) => self.work(host, start),
            Event::Show(host, start, revision) => self.show(host, start, revision),
            Event::Land(id) => self.land(id),
            Event::Answer(id, outcome) => self.answer(id, outcome),
            Event::Boot(host) => self.boot(host),
            Event::Snapshot(host, start, first) => self.snapshot(host, start, first),
            Event::Adopt(host, start, records, revision) => self.adopt(host, start, &records, revision),
            Event::Crash(host, start) => {
                if self.node(host, start).is_some() {
                    self.crash(host);
                }
            }
            Event::Call(host, call) => self.call(host, call),
            Event::Read { host, start, key, known } => self.read(host, start, key, &known),
            Event::Do { host, start, job, revision, term } => self.do_job(host, start, (job, revision, term)),
            Event::Change { host, start, key, revision, is_enabled } => {
                self.change(host, start, (key, revision, is_enabled));
            }
            Event::AskRevision { host, start, key, at_least } => {
                let revision = self.store.revision();
                self.after(self.time, QUICK, Event::Confirm { host, start, key, at_least, revision });
            }
            Event::Confirm { host, start, key, at_least, revision } => {
                self.confirm(host, start, (key, at_least, revision));
            }
            Event::SomeCall => self.some_call(),
            Event::Fault => self.fault(),
            Event::Heal => self.heal(),
            Event::LastCalls => self.last_calls(),
            Event::GoBack => self.go_back(),
        }
    }

    fn tick(&mut self, host: usize, start: u32) {
        if self.node(host, start).is_some() {
            self.turn(host, start);
            self.shadow_looks(host, false);
            self.after(self.time, (200, 500), Event::Tick(host, start));
        }
    }

    fn turn(&mut self, host: usize, start: u32) {
        let now = self.hosts[host].now(self.time);
        let Some(node) = self.node(host, start) else { return };
        if !node.is_busy {
            node.tick(now);
            if let Some(old) = node.shuts_out() {
                self.fail(|_| format!("host {host} shuts out {old}, which lives and reads less"));
            }
        }
        self.next_step(host, start);
        self.settle(host, start);
    }

    fn next_step(&mut self, host: usize, start: u32) {
        let Some(node) = self.node(host, start).filter(|node| !node.is_busy) else { return };
        let Some(step) = node.steps.pop_front() else { return };
        node.is_busy = true;
        let (commit, purpose) = self.commit_of(host, step);
        self.send(host, commit, purpose);
    }

    pub fn commit_of(&self, host: usize, step: Step) -> (Commit, Purpose) {
        match step {
            Step::Beat { expect, record } => {
                let at = At::Node(self.hosts[host].name);
                let beat = record.beat;
                let writes = vec![(at, Some(Rc::new(Value::Node(record))))];
                (Commit { expect: vec![(at, expect.map(|known| known.0))], writes }, Purpose::Beat { beat })
            }
            Step::Fence { node, expect } => {
                let at = At::Node(self.names.iter().position(|name| *name == node).unwrap_or(usize::MAX));
                let is_careless = self.bug == Some(Bug::FenceUnconditional);
                let expect = if is_careless { Vec::new() } else { vec![(at, Some(expect.0))] };
                (Commit { expect, writes: vec![(at, None)] }, Purpose::Fence)
            }
            Step::Work { expect, record } => {
                let expect = vec![(At::Work, expect.map(|known| known.0))];
                (Commit { expect, writes: vec![(At::Work, Some(Rc::new(Value::Work(record))))] }, Purpose::TakeOver)
            }
            Step::Form { expect, work, form } => {
                let expect = vec![(At::Form, expect.map(|known| known.0)), (At::Work, Some(work.0))];
                (Commit { expect, writes: vec![(At::Form, Some(Rc::new(Value::Form(form))))] }, Purpose::Raise)
            }
        }
    }

    pub fn is_healed(&self) -> bool {
        self.time >= HEALED_AT
    }

    /// Whether a request of a host gets to the store.
    pub fn reaches(&self, host: usize) -> bool {
        self.time >= self.hosts[host].mute_until.max(self.store_down_until)
    }

    pub fn send(&mut self, host: usize, commit: Commit, purpose: Purpose) {
        let id = self.messages.len();
        self.tell(|| format!("host {host} sends {id}: {purpose:?} {commit:?}"));
        let start = self.hosts[host].starts;
        self.messages.push(Message {
            commit,
            purpose,
            host,
            start,
            sent_at: self.time,
            is_change: false,
            is_answered: false,
        });
        let (times_out, is_calm) = (self.time + TIME_OUT, self.is_healed());
        if !self.reaches(host) {
            if self.dice.permille(500) {
                return self.after(self.time, QUICK, Event::Answer(id, Outcome::Refused));
            }
            return self.at(times_out, Event::Answer(id, Outcome::Unknown));
        }
        if !is_calm && self.dice.permille(10) {
            self.hosts[host].ill_at = times_out;
            return self.at(times_out, Event::Answer(id, Outcome::Unknown));
        }
        let is_slow = !is_calm && self.dice.permille(20);
        let lands = self.time + self.some_millis(if is_slow { SLOW } else { QUICK });
        if is_slow {
            self.hosts[host].ill_at = self.hosts[host].ill_at.max(lands);
        }
        self.at(lands, Event::Land(id));
        if lands > times_out {
            self.at(times_out, Event::Answer(id, Outcome::Unknown));
        }
    }

    fn land(&mut self, id: usize) {
        let Message { commit, purpose, host, sent_at, .. } = &self.messages[id];
        let (host, times_out) = (*host, sent_at + TIME_OUT);
        let before = match purpose {
            Purpose::Fence => commit.writes.first().and_then(|(at, _)| self.store.records.get(at).cloned()),
            Purpose::Work { .. } => self.store.records.get(&At::Work).cloned(),
            _ => None,
        };
        let (revision, landed) = (self.store.revision(), self.store.commit(id, commit));
        let purpose = *purpose;
        self.tell(|| format!("  {id} lands: {landed:?}"));
        let is_change = landed.is_some_and(|now| now > revision);
        self.messages[id].is_change = is_change;
        if is_change {
            if let Some(change) = self.store.log.last().map(Rc::clone) {
                self.shadow_lands(host, &change.writes);
            }
            self.check_landed(&purpose, before);
            self.announce();
        }
        let outcome = landed.map_or(Outcome::Conflict, Outcome::Done);
        let is_lost = !self.is_healed() && self.dice.permille(10);
        if is_lost || !self.hosts[host].hears(self.time) {
            self.hosts[host].ill_at = self.hosts[host].ill_at.max(times_out);
            self.at(times_out.max(self.time), Event::Answer(id, Outcome::Unknown));
        } else {
            self.after(self.time, QUICK, Event::Answer(id, outcome));
        }
    }

    /// The watches hear of the newest change.
    fn announce(&mut self) {
        let revision = self.store.revision();
        for host in 0..self.hosts.len() {
            let Host { node, starts, late_until, .. } = &self.hosts[host];
            if node.is_some() {
                let (start, is_late) = (*starts, *late_until > self.time);
                self.after(self.time, if is_late { (200, 8000) } else { (1, 30) }, Event::Show(host, start, revision));
            }
        }
    }

    fn show(&mut self, host: usize, start: u32, revision: u64) {
        let Self { hosts, names, store, time, .. } = self;
        let now = hosts[host].now(*time);
        let Host { name, deaf_until, stands_until, starts, node: Some(node), .. } = &mut hosts[host] else { return };
        if *starts != start || *time < *deaf_until || *time < *stands_until || node.is_broken {
            return;
        }
        let (from, to) = (node.replica.revision, revision.min(store.revision()));
        let (Ok(from), Ok(to)) = (usize::try_from(from), usize::try_from(to)) else { return };
        let changes = store.log.get(from..to).unwrap_or_default();
        for change in changes {
            node.hear(*name, names, change, now);
        }
        let is_asked = |(at, _): &(At, _)| matches!(at, At::Marker(other) if other != name);
        let is_woken = changes.iter().any(|change| change.writes.iter().any(is_asked));
        let is_whole = node.replica.is_of_one_moment(store);
        if from < to {
            self.tell(|| format!("host {host} has seen {to}"));
        }
        if !is_whole {
            self.fail(|_| format!("host {host} knows what was never true at once"));
        }
        if is_woken {
            self.turn(host, start);
        }
        self.settle(host, start);
    }

    fn answer(&mut self, id: usize, outcome: Outcome) {
        let message = &mut self.messages[id];
        if std::mem::replace(&mut message.is_answered, true) {
            return;
        }
        let (host, start, purpose) = (message.host, message.start, message.purpose);
        if self.node(host, start).is_none() {
            return;
        }
        self.tell(|| format!("host {host} is answered {id}: {outcome:?}"));
        self.happened.unknown += u64::from(outcome == Outcome::Unknown);
        self.happened.conflicts += u64::from(outcome == Outcome::Conflict);
        if let Outcome::Done(revision) = outcome
            && self.messages[id].is_change
        {
            self.check_is_there(id, revision);
        }
        match purpose {
            Purpose::Beat { beat } => {
                let Some(node) = self.node(host, start) else { return };
                let is_over = matches!(outcome, Outcome::Conflict | Outcome::Refused);
                node.machine.beat_ended(beat, if is_over { Sent::No } else { Sent::Maybe });
                if let Outcome::Done(revision) = outcome {
                    node.answered = Some(Revision(revision));
                }
                self.step_ended(host, start, outcome);
            }
            Purpose::Fence | Purpose::TakeOver | Purpose::Raise => self.step_ended(host, start, outcome),
            Purpose::Leave | Purpose::Work { .. } => {}
            Purpose::Write { key } => {
                if let Outcome::Done(revision) = outcome {
                    self.known[key].written(revision);
                }
            }
            Purpose::Revoke { key } => {
                if let Outcome::Done(revision) = outcome {
                    self.barrier(host, start, key, revision);
                }
            }
        }
    }

    fn step_ended(&mut self, host: usize, start: u32, outcome: Outcome) {
        let Some(node) = self.node(host, start) else { return };
        node.is_busy = false;
        if outcome == Outcome::Refused {
            node.steps.clear();
        }
        self.next_step(host, start);
    }

    fn boot(&mut self, host: usize) {
        if self.hosts[host].node.is_some() {
            return;
        }
        self.hosts[host].starts += 1;
        let (start, time) = (self.hosts[host].starts, self.time);
        // Every start may be that of the new version; after a while each is.
        if let Some(dice) = &mut self.upgrades
            && (dice.permille(300) || time >= HEALED_AT)
        {
            self.hosts[host].form = NEW;
        }
        self.snapshot(host, start, None);
    }

    /// What an operator does in the end: every node that is too old to serve is upgraded.
    pub fn upgrade_all(&mut self) {
        if self.upgrades.is_none() {
            return;
        }
        self.happened.upgraded += 1;
        let rival = self.hosts.len() - 1;
        for host in 0..rival {
            if self.hosts[host].form == OLD {
                self.crash(host);
            }
        }
        if self.hosts[rival].form == OLD && self.hosts[rival].node.is_some() {
            self.crash(rival);
        }
    }

    fn snapshot(&mut self, host: usize, start: u32, first: Option<Rc<Records>>) {
        if self.hosts[host].starts != start {
            return;
        }
        if !self.reaches(host) || !self.hosts[host].hears(self.time) {
            return self.after(self.time, (100, 500), Event::Snapshot(host, start, None));
        }
        let mut records = Rc::new(self.store.records.clone());
        match first {
            None if self.bug == Some(Bug::MixedResync) => {
                return self.after(self.time, (10, 1000), Event::Snapshot(host, start, Some(records)));
            }
            None => {}
            Some(first) => {
                let mixed = Rc::make_mut(&mut records);
                mixed.retain(|at, _| !matches!(at, At::Key(_)));
                mixed.extend(first.iter().filter(|(at, _)| matches!(at, At::Key(_))).map(|(at, it)| (*at, it.clone())));
            }
        }
        let revision = self.store.revision();
        let millis = if self.is_healed() { QUICK } else { (1, 800) };
        self.after(self.time, millis, Event::Adopt(host, start, records, revision));
    }

    fn adopt(&mut self, host: usize, start: u32, records: &Records, revision: u64) {
        let Self { hosts, names, store, time, timing, bug, dice, .. } = self;
        let now = hosts[host].now(*time);
        let Host { name, home, starts, form, node, .. } = &mut hosts[host];
        if *starts != start {
            return;
        }
        let is_new = node.is_none();
        let floor =
            records.get(&At::Form).map_or(OLD, |(value, _)| if let Value::Form(form) = **value { form } else { OLD });
        if is_new && *form < floor && *bug != Some(Bug::FormIgnored) {
            // It is told so, and started again with the new version.
            *form = NEW;
            self.happened.too_old += 1;
            return self.after(self.time, (100, 500), Event::Boot(host));
        }
        let record = || NodeRecord { form: *form, ..NodeRecord::new(format!("{host}.{start}"), home.to_string(), 10) };
        let node = node.get_or_insert_with(|| Node::new(&names[*name], record(), *timing, *bug));
        if node.replica.revision <= revision {
            node.adopt(*name, names, (records, revision), dice.permille(500), now);
        }
        let is_whole = node.replica.is_of_one_moment(store);
        self.happened.resynced += u64::from(!is_new);
        self.tell(|| format!("host {host} has adopted {revision}"));
        if !is_whole && self.bug.is_none() {
            self.fail(|_| format!("host {host} has adopted what was never true at once"));
        }
        let newest = self.store.revision();
        self.after(self.time, QUICK, Event::Show(host, start, newest));
        if is_new {
            self.shadow_looks(host, true);
            self.after(self.time, (0, 100), Event::Tick(host, start));
            self.after(self.time, (0, 500), Event::Work(host, start));
        }
        self.settle(host, start);
    }

    pub fn crash(&mut self, host: usize) {
        self.tell(|| format!("host {host} crashes"));
        self.hosts[host].node = None;
        self.hosts[host].starts += 1;
        // Some lose their data directory with it.
        let is_lost = self.dice.permille(150);
        if is_lost {
            self.hosts[host].home += 100;
        }
        self.shadow_crashes(host, is_lost);
    }
}

impl Event {
    /// On which machine it happens: not while that is paused.
    const fn host(&self) -> Option<usize> {
        match self {
            Self::Tick(host, _)
            | Self::Work(host, _)
            | Self::Show(host, ..)
            | Self::Boot(host)
            | Self::Snapshot(host, ..)
            | Self::Adopt(host, ..)
            | Self::Call(host, _)
            | Self::Read { host, .. }
            | Self::Change { host, .. }
            | Self::Do { host, .. }
            | Self::Confirm { host, .. } => Some(*host),
            _ => None,
        }
    }
}

pub fn enabled(is_enabled: bool, form: u32) -> Rc<Value> {
    Rc::new(Value::Key { is_enabled, form })
}

#[allow(clippy::cast_precision_loss, reason = "shown to people")]
pub fn seconds(time: u64) -> f64 {
    time as f64 / SECOND as f64
}
