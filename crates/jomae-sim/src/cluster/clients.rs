//! What clients do in a simulated world, and what is checked of it.

use std::rc::Rc;

use super::{
    Bug,
    process::{Barrier, Confirming, SECOND},
    store::{At, Commit, Entry, Value},
    world::{Event, KEYS, Purpose, World, enabled},
};

/// What a client asks of a node.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// Nothing may succeed that begins after the revocation was answered.
    Use {
        key: usize,
    },
    Revoke {
        key: usize,
    },
    Allow {
        key: usize,
    },
    /// Reads a key after confirming that nothing newer was answered.
    Confirm {
        key: usize,
    },
}

/// What clients may rely on, of one key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// The newest revocation that was answered.
    revoked: u64,
    /// The newest change that was answered, or was seen by somebody who confirmed.
    newest: u64,
}

impl Known {
    pub fn written(&mut self, revision: u64) {
        self.newest = self.newest.max(revision);
    }
}

/// What a barrier may take beyond the twofold silence: a last beat that says too little may come just before its node
/// is fenced. The product gives up a little earlier.
const BARRIER_SLACK: u64 = 2 * SECOND;

impl World {
    pub fn some_call(&mut self) {
        if !self.is_healed() {
            self.after(self.time, (20, 200), Event::SomeCall);
        }
        let host = usize::try_from(self.dice.below(self.hosts.len() as u64)).unwrap_or(0);
        let key = usize::try_from(self.dice.below(KEYS as u64)).unwrap_or(0);
        let call = match self.dice.below(10) {
            0 => Call::Revoke { key },
            1 | 2 => Call::Allow { key },
            3 => Call::Confirm { key },
            _ => Call::Use { key },
        };
        self.at(self.time, Event::Call(host, call));
    }

    pub fn last_calls(&mut self) {
        for host in 0..self.hosts.len() {
            for key in 0..KEYS {
                self.at(self.time, Event::Call(host, Call::Allow { key }));
                self.at(self.time + SECOND / 2, Event::Call(host, Call::Revoke { key }));
                self.at(self.time + SECOND, Event::Call(host, Call::Confirm { key }));
            }
        }
    }

    pub fn call(&mut self, host: usize, call: Call) {
        let (time, start) = (self.time, self.hosts[host].starts);
        if !self.hosts[host].serves(time) {
            self.happened.refused += u64::from(self.hosts[host].node.is_some());
            return;
        }
        let is_twin = |(at, other): (usize, &super::process::Host)| {
            at != host && other.name == self.hosts[host].name && other.serves(time)
        };
        if let Some(twin) = self.hosts.iter().enumerate().position(is_twin) {
            self.fail(|_| format!("hosts {host} and {twin} serve under one name"));
        }
        let Some(node) = &self.hosts[host].node else { return };
        match call {
            Call::Use { key } => {
                let known = self.known[key];
                let millis = if !self.is_healed() && self.dice.permille(20) { (0, 2000) } else { (0, 20) };
                self.after(time, millis, Event::Read { host, start, key, known });
            }
            Call::Revoke { key } | Call::Allow { key } => {
                let is_enabled = matches!(call, Call::Allow { .. });
                let (was_enabled, revision) = node.key(key);
                // To take away twice is asked for too: the second is answered by the same rule.
                // And one key is the first node's alone, so that what it has looked at stays as it is while it stands still.
                if !(was_enabled && is_enabled) && (key != KEYS - 1 || host == 0) {
                    let is_slow = !self.is_healed() && self.dice.permille(100);
                    let millis = if is_slow { (0, 2000) } else { (0, 5) };
                    self.stop_at_a_bad_moment(host);
                    self.after(time, millis, Event::Change { host, start, key, revision, is_enabled });
                }
            }
            Call::Confirm { key } => {
                if self.reaches(host) {
                    let at_least = self.known[key].newest;
                    self.after(time, (1, 15), Event::AskRevision { host, start, key, at_least });
                }
            }
        }
    }

    /// A call that began earlier changes the key, if it is as it was then.
    pub fn change(&mut self, host: usize, start: u32, (key, revision, is_enabled): (usize, u64, bool)) {
        let name = self.hosts[host].name;
        let Some(form) = self.node(host, start).map(|node| node.machine.form()) else { return };
        let mut writes = vec![(At::Key(key), Some(enabled(is_enabled, form)))];
        if !is_enabled {
            writes.push((At::Marker(name), Some(Rc::new(Value::Marker))));
        }
        let purpose = if is_enabled { Purpose::Write { key } } else { Purpose::Revoke { key } };
        self.send(host, Commit { expect: vec![(At::Key(key), Some(revision))], writes }, purpose);
    }

    /// A use that began earlier reads the key.
    pub fn read(&mut self, host: usize, start: u32, key: usize, known: &Known) {
        let time = self.time;
        let Some(node) = self.node(host, start) else { return };
        let (is_enabled, revision) = node.key(key);
        let (reads, stored) = (node.form, node.form_of(key));
        if stored > reads && self.hosts[host].serves(time) {
            self.fail(|_| format!("host {host} reads form {reads} and met key {key} of form {stored}"));
        }
        self.happened.used += u64::from(is_enabled);
        if is_enabled && revision < known.revoked {
            let revoked = known.revoked;
            self.fail(|_| format!("host {host} used key {key} of {revision}, revoked at {revoked}"));
        }
    }

    pub fn confirm(&mut self, host: usize, start: u32, (key, at_least, revision): (usize, u64, u64)) {
        if !self.hosts[host].hears(self.time) {
            return;
        }
        if let Some(node) = self.node(host, start) {
            node.confirming.push(Confirming { key, revision, at_least });
        }
        self.settle(host, start);
    }

    /// The revocation is in the store; it is answered when it holds everywhere.
    pub fn barrier(&mut self, host: usize, start: u32, key: usize, revision: u64) {
        let (since_ns, since) = (self.hosts[host].now(self.time).steady_ns, self.time);
        if let Some(node) = self.node(host, start) {
            node.barriers.push(Barrier { key, revision, since_ns, since });
        }
        self.settle(host, start);
    }

    /// Lets go those who wait at a node for what has come.
    pub fn settle(&mut self, host: usize, start: u32) {
        let (now, ill_at) = (self.hosts[host].now(self.time), self.hosts[host].ill_at);
        let longest = 2 * self.timing.silence_ns() + BARRIER_SLACK;
        let Some(node) = self.node(host, start) else { return };
        if node.barriers.is_empty() && node.confirming.is_empty() {
            return;
        }
        let mut passed = Vec::new();
        let mut stuck = Vec::new();
        for barrier in std::mem::take(&mut node.barriers) {
            if node.is_passed(barrier.revision) {
                passed.push((barrier.key, barrier.revision));
            } else if now.steady_ns - barrier.since_ns > longest {
                stuck.push((barrier.revision, ill_at < barrier.since));
            } else {
                node.barriers.push(barrier);
            }
        }
        let mut read = Vec::new();
        for confirming in std::mem::take(&mut node.confirming) {
            if node.replica.revision >= confirming.revision {
                read.push((confirming.key, confirming.at_least, node.key(confirming.key).1));
            } else {
                node.confirming.push(confirming);
            }
        }
        for (key, revision) in passed {
            self.revoked(host, key, revision);
        }
        for (revision, is_well) in stuck {
            self.happened.in_doubt += 1;
            if is_well {
                self.fail(|_| format!("all was well with host {host}, and its barrier for {revision} did not end"));
            }
        }
        for (key, at_least, found) in read {
            self.happened.confirmed += 1;
            self.known[key].written(found);
            if found < at_least {
                self.fail(|_| format!("host {host} confirmed and read key {key} of {found}, not of {at_least}"));
            }
        }
    }

    fn revoked(&mut self, host: usize, key: usize, revision: u64) {
        self.tell(|| format!("host {host} answers: key {key} is revoked at {revision}"));
        self.happened.revoked += 1;
        self.known[key].written(revision);
        self.known[key].revoked = self.known[key].revoked.max(revision);
        for other in 0..self.hosts.len() {
            self.after(self.time, (0, 60), Event::Call(other, Call::Use { key }));
        }
    }

    /// A node looks for work that is due.
    pub fn work(&mut self, host: usize, start: u32) {
        let now = self.hosts[host].now(self.time);
        let Some(node) = self.node(host, start) else { return };
        let has_work = node.machine.has_work(now);
        let is_due =
            |value: &Value| matches!(value, Value::Job { due_secs, times_done: 0 } if *due_secs <= now.wall_secs);
        let jobs = node.replica.records.range(At::Job(0)..).filter(|(_, (value, _))| has_work && is_due(value));
        let jobs: Vec<_> = jobs.map(|(at, (_, revision))| (*at, *revision)).collect();
        let term = node.replica.records.get(&At::Work).map_or(0, |(_, revision)| *revision);
        self.after(self.time, (200, 700), Event::Work(host, start));
        if has_work {
            self.check_clock(host);
        }
        if let Some((job, revision)) = self.dice.pick(&jobs).copied() {
            self.stop_at_a_bad_moment(host);
            self.after(self.time, (0, 5), Event::Do { host, start, job, revision, term });
        }
    }

    /// Does a job that has been looked at.
    pub fn do_job(&mut self, host: usize, start: u32, (job, revision, term): (At, u64, u64)) {
        let Some(node) = self.node(host, start) else { return };
        let Some((value, _)) = node.replica.records.get(&job) else { return };
        let Value::Job { due_secs, times_done } = **value else { return };
        let mut expect = vec![(job, Some(revision))];
        if self.bug != Some(Bug::WorkUncompared) {
            expect.push((At::Work, Some(term)));
        }
        let done = Rc::new(Value::Job { due_secs, times_done: times_done + 1 });
        self.send(host, Commit { expect, writes: vec![(job, Some(done))] }, Purpose::Work { term });
    }

    /// Who works has the time of most others, as far as is known of those whose clocks have long been right.
    fn check_clock(&mut self, host: usize) {
        let now = self.hosts[host].now(self.time);
        let Some(node) = &self.hosts[host].node else { return };
        let others: Vec<_> = node.machine.members(now).into_iter().map(|(name, ..)| name).collect();
        let is_right = |name: &jomae_core::cluster::record::NodeName| {
            let named = self.hosts.iter().filter(|other| self.names[other.name] == *name);
            named.clone().all(|other| other.wall_ahead_secs == 0 && other.wall_changed_at + 30 * SECOND <= self.time)
        };
        let own = &self.names[self.hosts[host].name];
        let others = others.iter().filter(|name| *name != own);
        let is_wrong = self.hosts[host].wall_ahead_secs != 0;
        if is_wrong && others.clone().count() >= 2 && others.clone().all(is_right) {
            self.fail(|_| format!("host {host} works by a clock that is wrong"));
        }
    }

    /// What a commit has changed, `before` which there was this.
    pub fn check_landed(&mut self, purpose: &Purpose, before: Option<Entry>) {
        match (purpose, before) {
            (Purpose::Fence, Some((value, _))) => {
                self.happened.fenced += 1;
                let Value::Node(record) = &*value else { return };
                let is_fenced = |host: &&super::process::Host| {
                    host.node.as_ref().is_some_and(|node| node.incarnation == record.incarnation)
                };
                if self.hosts.iter().any(|host| is_fenced(&host) && host.serves(self.time)) {
                    self.fail(|_| format!("{} was fenced while it served", record.incarnation));
                }
            }
            (Purpose::Work { term }, before) => {
                self.happened.done += 1;
                if before.is_none_or(|(_, revision)| revision != *term) {
                    self.fail(|_| format!("work of the term {term} was done in another"));
                }
            }
            (Purpose::TakeOver, _) => self.happened.took_over += 1,
            _ => {}
        }
    }

    pub fn check_is_there(&mut self, commit: usize, revision: u64) {
        let found = usize::try_from(revision).ok().and_then(|at| self.store.log.get(at.checked_sub(1)?));
        if found.is_none_or(|change| change.commit != commit) {
            self.fail(|_| format!("{commit} was answered and is not at {revision}"));
        }
    }

    /// All has been well for long enough.
    pub fn check_end(&mut self) {
        let time = self.time;
        for (name, _) in self.names.iter().enumerate() {
            let named = self.hosts.iter().filter(|host| host.name == name);
            if named.filter(|host| host.serves(time)).count() != 1 {
                self.violation.get_or_insert_with(|| format!("nobody, or more than one, serves as n{name} in the end"));
            }
        }
        let waits = |host: &super::process::Host| {
            host.node.as_ref().is_some_and(|node| !node.barriers.is_empty() || !node.confirming.is_empty())
        };
        if let Some(host) = self.hosts.iter().position(waits) {
            self.fail(|_| format!("somebody still waits at host {host}"));
        }
        let undone = |value: &Value| matches!(value, Value::Job { times_done, .. } if *times_done != 1);
        if self.store.records.values().any(|(value, _)| undone(value)) {
            self.fail(|_| "a job was not done, or twice".to_owned());
        }
    }
}
