//! Several nodes on one store: who lives, who may serve, and when a change holds on each.
//!
//! The rules are in [`machine`]. Here they meet the store: its watch tells the machine what it sees, and [`Cluster::tick`]
//! commits what the machine wants. The server brings the clock and calls `tick` often, and at once when
//! the [`Host`] is told so.

pub mod machine;
pub mod nonces;
pub mod record;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_channel::oneshot;

use self::{
    machine::{Machine, NotServing, Now, Sent, Step, Timing},
    record::{Marker, NodeName, NodeRecord, WorkRecord},
};
use crate::{
    error::Fault,
    form::{self, FormRecord},
    keyring::Keyring,
    store::{Change, Commit, Committed, Path, Phase, Revision, SCAN_LIMIT_MAX, Store, Write},
    stored::Record,
    tx,
};

/// How often a node tries to take its record away.
const LEAVE_ATTEMPTS_MAX: u32 = 8;

/// What a node needs of the process that it is part of.
pub trait Host: Send + Sync {
    /// What time it is.
    fn now(&self) -> Now;

    /// [`Cluster::tick`] should not wait for its turn. Called while a commit is told to watchers.
    fn wake(&self);

    /// Somebody's change holds on every node, so long after it was made, in nanoseconds; or that is in doubt.
    fn confirmed(&self, confirmed: Confirmed);
}

/// This node's part in a cluster.
pub struct Cluster {
    name: NodeName,
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    host: Box<dyn Host>,
    /// Until when calls may be answered, by the steady clock: 0 if they may not. Read with every call.
    serves_until_ns: AtomicU64,
    state: Mutex<State>,
}

struct State {
    machine: Machine,
    barriers: Vec<Barrier>,
    /// Records of nodes that cannot be read, by their paths, and why. Nobody knows how far these nodes are, so no barrier
    /// is passed while there is one.
    unreadable: BTreeMap<String, String>,
}

/// Somebody who waits until a revision holds on every node.
struct Barrier {
    revision: Revision,
    since_ns: u64,
    done: oneshot::Sender<Confirmed>,
}

/// How a barrier ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The change holds on every node that may serve. It took so long, in nanoseconds.
    Everywhere { waited_ns: u64 },
    /// Not every node has said so in time.
    InDoubt,
}

/// Who lives, for people and metrics.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: NodeName,
    pub record: NodeRecord,
    /// Nanoseconds since its last word.
    pub silent_ns: u64,
    pub is_worker: bool,
}

impl State {
    fn is_passed(&self, revision: Revision) -> bool {
        self.unreadable.is_empty() && self.machine.is_passed(revision)
    }
}

impl Cluster {
    /// Takes part in the cluster of a store, under a name. The lease comes with [`Cluster::tick`].
    pub fn join(
        store: Arc<dyn Store>,
        keyring: Arc<Keyring>,
        (name, record): (NodeName, NodeRecord),
        timing: Timing,
        host: Box<dyn Host>,
    ) -> Result<Arc<Self>, Fault> {
        let machine = Machine::new(name.clone(), record, timing);
        let state = Mutex::new(State { machine, barriers: Vec::new(), unreadable: BTreeMap::new() });
        let cluster = Arc::new(Self { name, store, keyring, host, serves_until_ns: AtomicU64::new(0), state });
        let watching = Arc::downgrade(&cluster);
        cluster.store.watch(Box::new(move |phase, change| {
            if phase == Phase::Committed
                && let Some(cluster) = watching.upgrade()
            {
                cluster.see(change);
            }
        }));
        let mut state = cluster.state();
        let mut last: Option<Path> = None;
        loop {
            let found = cluster.store.scan(record::NODES, last.as_ref().map(Path::as_str), SCAN_LIMIT_MAX)?;
            for (path, _) in &found {
                cluster.look_at(&mut state, path.as_str());
            }
            match found.into_iter().next_back() {
                Some((path, _)) => last = Some(path),
                None => break,
            }
        }
        cluster.look_at(&mut state, record::work().as_str());
        cluster.look_at(&mut state, form::PATH);
        state.machine.applied(cluster.store.revision()?);
        drop(state);
        Ok(cluster)
    }

    pub fn name(&self) -> &NodeName {
        &self.name
    }

    pub fn timing(&self) -> Timing {
        *self.state().machine.timing()
    }

    /// Whether calls may be answered now.
    ///
    /// # Errors
    /// Why not.
    pub fn serving(&self) -> Result<(), NotServing> {
        let now = self.host.now();
        if now.steady_ns < self.serves_until_ns.load(Ordering::Acquire) {
            return Ok(());
        }
        let serving = self.state().machine.serving(now);
        // The gate is set by what happens, and may lag behind by a moment: it decides.
        Err(serving.err().unwrap_or(NotServing::NoLease))
    }

    /// For how many seconds this node may still serve if it hears nothing.
    pub fn lease_secs(&self) -> u64 {
        let until_ns = self.serves_until_ns.load(Ordering::Acquire);
        until_ns.saturating_sub(self.host.now().steady_ns) / 1_000_000_000
    }

    /// Whether this node does now what one node does for all.
    pub fn has_work(&self) -> bool {
        let now = self.host.now();
        self.state().machine.has_work(now)
    }

    /// Whether a work lease is this node's.
    pub(crate) fn is_holder(&self, held: &WorkRecord) -> bool {
        self.state().machine.is_holder(held)
    }

    /// Whether records of a stored form may be written.
    pub fn may_write(&self, form: u32) -> Result<(), Fault> {
        let state = self.state();
        if form <= state.machine.form() {
            return Ok(());
        }
        let oldest = state.machine.oldest().map_or_else(String::new, |(node, form)| format!("; {node} reads {form}"));
        Err(Fault::unavailable(format!(
            "records of form {form} are not written until every node can read them{oldest}"
        )))
    }

    /// Everyone who lives, by name.
    pub fn members(&self) -> Vec<Member> {
        let now = self.host.now();
        let state = self.state();
        let worker = state.machine.worker().cloned();
        let members = state.machine.members(now).into_iter();
        members
            .map(|(name, record, silent_ns)| Member {
                is_worker: worker.as_ref() == Some(&name),
                name,
                record,
                silent_ns,
            })
            .collect()
    }

    /// A record of the cluster that could not be read, if there is one.
    pub fn unreadable(&self) -> Option<String> {
        self.state().unreadable.values().next().cloned()
    }

    /// What is written with a change that every node must confirm: it makes them speak up.
    pub(crate) fn marker(&self) -> Result<Write, Fault> {
        let path = record::barrier(&self.name);
        let sealed = self.seal(&path, &Marker {})?;
        Ok(Write::Put(path, sealed))
    }

    /// Waits until a revision, which this node has applied, holds on every node that may serve.
    pub async fn confirmed(&self, revision: Revision) -> Confirmed {
        let since_ns = self.host.now().steady_ns;
        let waiting = {
            let mut state = self.state();
            if state.is_passed(revision) {
                self.host.confirmed(Confirmed::Everywhere { waited_ns: 0 });
                return Confirmed::Everywhere { waited_ns: 0 };
            }
            let (done, waiting) = oneshot::channel();
            state.barriers.push(Barrier { revision, since_ns, done });
            waiting
        };
        waiting.await.unwrap_or(Confirmed::InDoubt)
    }

    /// Renews the lease and removes those that have run out, as far as it is time to. Not to be called twice at a time; it can be dropped
    /// on its way.
    pub async fn tick(&self) -> Result<(), Fault> {
        let steps = {
            let mut state = self.state();
            let now = self.host.now();
            let steps = state.machine.tick(now);
            self.settle(&mut state, now);
            steps
        };
        for step in steps {
            self.take(step).await?;
        }
        Ok(())
    }

    /// Gives up on barriers that have taken too long. To be called while a tick may be waiting for the store.
    pub fn expire(&self) {
        let mut state = self.state();
        let now = self.host.now();
        self.settle(&mut state, now);
    }

    /// Leaves: serves nobody any more, and takes the own record away, so that nobody waits for this node.
    pub async fn leave(&self) -> Result<(), Fault> {
        for _ in 0..LEAVE_ATTEMPTS_MAX {
            let step = {
                let mut state = self.state();
                let step = state.machine.leave();
                self.serves_until_ns.store(0, Ordering::Release);
                step
            };
            // A beat that was on its way comes between, once.
            let Some(step) = step else { return Ok(()) };
            self.take(step).await?;
            self.store.confirm().await?;
        }
        Err(Fault::unavailable("this node's record kept changing"))
    }

    async fn take(&self, step: Step) -> Result<(), Fault> {
        match step {
            Step::Beat { expect, record } => {
                let path = record::node(&self.name);
                let put = Write::Put(path.clone(), self.seal(&path, &record)?);
                let outcome = self.store.commit(Commit { expect: vec![(path, expect)], writes: vec![put] }).await;
                let sent = match outcome {
                    Ok(Committed::Done(_) | Committed::Unknown) => Sent::Maybe,
                    Ok(Committed::Conflict) | Err(_) => Sent::No,
                };
                self.state().machine.beat_ended(record.beat, sent);
                outcome?;
            }
            Step::Fence { node, expect } => {
                let path = record::node(&node);
                let commit = Commit { expect: vec![(path.clone(), Some(expect))], writes: vec![Write::Delete(path)] };
                self.store.commit(commit).await?;
            }
            Step::Work { expect, record } => {
                let path = record::work();
                let put = Write::Put(path.clone(), self.seal(&path, &record)?);
                self.store.commit(Commit { expect: vec![(path, expect)], writes: vec![put] }).await?;
            }
            Step::Form { expect, work, form } => {
                let path = form::path();
                let put = Write::Put(path.clone(), self.seal(&path, &FormRecord { form })?);
                let expect = vec![(path, expect), (record::work(), Some(work))];
                self.store.commit(Commit { expect, writes: vec![put] }).await?;
            }
        }
        Ok(())
    }

    /// Called with every commit, in order, before anybody is answered.
    fn see(&self, change: &Change) {
        let mut state = self.state();
        let mut asked = false;
        for (path, _) in &change.writes {
            let path = path.as_str();
            if record::is_barrier(path) {
                asked |= path != record::barrier(&self.name).as_str();
            } else if path.starts_with(record::ALL) || path == form::PATH {
                self.look_at(&mut state, path);
            }
        }
        state.machine.applied(change.revision);
        if asked {
            state.machine.asked();
            self.host.wake();
        }
        let now = self.host.now();
        self.settle(&mut state, now);
    }

    /// Tells the machine what stands at a path now.
    fn look_at(&self, state: &mut State, path: &str) {
        if path == form::PATH {
            match self.read::<FormRecord>(path) {
                Ok(found) => state.machine.see_form(found.map(|(record, revision)| (record.form, revision))),
                Err(fault) => {
                    state.unreadable.insert(path.to_owned(), fault.to_string());
                    return;
                }
            }
            state.unreadable.remove(path);
        } else if let Some(name) = record::named(path) {
            match self.read::<NodeRecord>(path) {
                // The clock is read last: a record is never thought older than it is.
                Ok(found) => state.machine.see(&name, found, self.host.now()),
                Err(fault) => {
                    state.unreadable.insert(path.to_owned(), fault.to_string());
                    return;
                }
            }
            state.unreadable.remove(path);
        } else if path == record::work().as_str() {
            match self.read::<WorkRecord>(path) {
                Ok(found) => state.machine.see_work(found),
                Err(fault) => {
                    state.unreadable.insert(path.to_owned(), fault.to_string());
                    return;
                }
            }
            state.unreadable.remove(path);
        }
    }

    /// Lets go those who wait for what now holds, and those who have waited too long; sets the gate.
    fn settle(&self, state: &mut State, now: Now) {
        let until = state.machine.serving(now).map_or(0, |()| state.machine.lease_until_ns());
        self.serves_until_ns.store(until, Ordering::Release);
        let longest_ns = state.machine.timing().barrier_ns_max();
        for barrier in std::mem::take(&mut state.barriers) {
            let waited_ns = now.steady_ns.saturating_sub(barrier.since_ns);
            let confirmed = if state.is_passed(barrier.revision) {
                Confirmed::Everywhere { waited_ns }
            } else if waited_ns > longest_ns {
                Confirmed::InDoubt
            } else {
                state.barriers.push(barrier);
                continue;
            };
            self.host.confirmed(confirmed);
            let _nobody_waits = barrier.done.send(confirmed);
        }
    }

    fn read<R: Record>(&self, path: &str) -> Result<Option<(R, Revision)>, Fault> {
        let Some(entry) = self.store.get(path)? else { return Ok(None) };
        Ok(Some((tx::open(&self.keyring, path, &entry.value)?, entry.revision)))
    }

    fn seal<R: Record>(&self, path: &Path, record: &R) -> Result<Vec<u8>, Fault> {
        tx::seal(&self.keyring, path, record)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
