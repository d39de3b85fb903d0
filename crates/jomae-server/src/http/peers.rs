//! Who may hold how many of the connections' places, how much memory, and how many handshakes.
//!
//! A connection on which no call has proved who it is yet is a stranger's. Strangers are shared out by network, an IPv4
//! address or an IPv6 /64: what one network does to itself, others do not notice. A network is known while it has a
//! connection of a known caller, and for [`KNOWN_FOR`] after. `docs/decisions/0020-totals-and-shares.md` says why.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::budget::Share;
use super::{HttpStats, Limits};

/// How long a network stays known after its last connection of a known caller.
const KNOWN_FOR: Duration = Duration::from_hours(1);
/// Networks without a connection that are remembered: known ones, and others.
const IDLE_KNOWN_MAX: usize = 65_536;
const IDLE_UNKNOWN_MAX: usize = 16_384;
/// What part of the places is kept for known networks, and what part no single network may take.
const RESERVED_PART: usize = 8;
/// What part of the places the strangers of an unknown network may hold, and those of a known one.
const STRANGERS_PART: usize = 4;
const KNOWN_STRANGERS_PART: usize = 2;
/// A network may always have so many strangers, if there are so many places.
const STRANGERS_MIN: usize = 16;
/// Connections that were told to go and have not gone yet. Beyond it, newcomers are refused.
pub const LEAVING_MAX: usize = 64;
/// Connections without a place that may be told so at the same time; the rest is closed without a word.
pub const EXCESS_ANSWERS_MAX: usize = 64;
/// TLS handshakes of a network that is not known: this far apart, after a burst. One costs half a millisecond.
const HANDSHAKES: Pace = Pace { apart: Duration::from_millis(5), burst: 400 };
/// Of a known network.
const KNOWN_HANDSHAKES: Pace = Pace { apart: Duration::from_millis(1), burst: 2000 };
/// The longest that a handshake is made to wait; beyond it the connection is closed.
const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(5);

/// An IPv4 address, or the /64 in which an IPv6 address lies: one customer of a provider has at least that much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Network {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl Network {
    pub(super) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// A rate with a burst.
#[derive(Clone, Copy)]
struct Pace {
    apart: Duration,
    burst: u32,
}

/// When the next one is due (the generic cell rate algorithm): one moment instead of a count and a time.
#[derive(Default)]
struct Meter {
    due: Option<Instant>,
}

impl Meter {
    /// How long the next one has to wait; none if that is longer than [`HANDSHAKE_WAIT_MAX`].
    fn take(&mut self, pace: Pace, now: Instant) -> Option<Duration> {
        let due = self.due.map_or(now, |due| due.max(now)) + pace.apart;
        let wait = due.duration_since(now).saturating_sub(pace.apart * pace.burst);
        (wait <= HANDSHAKE_WAIT_MAX).then(|| {
            self.due = Some(due);
            wait
        })
    }
}

/// What the connections of a network share.
#[derive(Default)]
pub(super) struct Crowd {
    /// Bytes that its strangers hold.
    pub(super) bytes: Share,
    /// Whether the network is known.
    pub(super) known: AtomicBool,
}

#[derive(Default)]
struct Entry {
    /// Connections of strangers, oldest first, each with the bell that tells it to go.
    strangers: BTreeMap<u64, Arc<Notify>>,
    /// Connections of known callers.
    known: usize,
    known_until: Option<Instant>,
    /// As long as the network is not known, and when it is.
    handshakes: Meter,
    known_handshakes: Meter,
    crowd: Arc<Crowd>,
    /// Its place among the idle ones, while it has no connection.
    idle: Option<u64>,
}

impl Entry {
    fn connections(&self) -> usize {
        self.strangers.len() + self.known
    }

    fn is_known(&self, now: Instant) -> bool {
        self.known > 0 || self.known_until.is_some_and(|until| until > now)
    }
}

#[derive(Default)]
struct Table {
    networks: HashMap<Network, Entry>,
    /// Networks by their number of strangers.
    crowds: BTreeSet<(usize, Network)>,
    idle_known: BTreeMap<u64, Network>,
    idle_unknown: BTreeMap<u64, Network>,
    /// Connections with a place.
    open: usize,
    /// Connections that have lost their place and are not gone yet.
    leaving: usize,
    next: u64,
}

/// What all connections of a listener share.
pub(super) struct Peers {
    places: usize,
    pub(super) request_bytes_max: usize,
    pub(super) stats: Arc<HttpStats>,
    table: Mutex<Table>,
    excess: Arc<Semaphore>,
}

impl Peers {
    pub(super) fn new(limits: &Limits, stats: Arc<HttpStats>) -> Arc<Self> {
        stats.connections_max.set(limits.connections_max as u64);
        Arc::new(Self {
            places: limits.connections_max,
            request_bytes_max: limits.request_bytes_in_flight_max,
            stats,
            table: Mutex::default(),
            excess: Arc::new(Semaphore::new(EXCESS_ANSWERS_MAX)),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change below is whole before anything in it can panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection. `proxy` says that clients of many networks come from there. When places are short,
    /// the oldest stranger of the network that has the most of them is told to go; none if there is nobody to send
    /// away.
    pub(super) fn admit(self: &Arc<Self>, network: Network, proxy: bool, now: Instant) -> Option<Seat> {
        let mut table = self.table();
        let bell = Arc::new(Notify::new());
        let (id, crowd) = table.enter(network, proxy, &bell, self, now)?;
        Some(Seat {
            peers: Arc::clone(self),
            network,
            crowd,
            bell,
            held: Share::default(),
            hold: Admission::Admitted(id),
            known: AtomicBool::new(false),
        })
    }

    /// Room to tell a connection that there is no place for it.
    pub(super) fn excess(self: &Arc<Self>, network: Network) -> Option<Seat> {
        let permit = Arc::clone(&self.excess).try_acquire_owned().ok()?;
        Some(Seat {
            peers: Arc::clone(self),
            network,
            crowd: Arc::default(),
            bell: Arc::default(),
            held: Share::default(),
            hold: Admission::Excess { _permit: permit },
            known: AtomicBool::new(false),
        })
    }

    /// How long a handshake with this network must wait; none: it is one too many.
    pub(super) fn handshake_wait(&self, network: Network, proxy: bool, now: Instant) -> Option<Duration> {
        let mut table = self.table();
        let entry = table.entry(network);
        let wait = if proxy || entry.is_known(now) {
            entry.known_handshakes.take(KNOWN_HANDSHAKES, now)
        } else {
            entry.handshakes.take(HANDSHAKES, now)
        };
        table.settle(network, now);
        drop(table);
        match wait {
            None => self.stats.handshakes_refused.add(1),
            Some(wait) => self.stats.handshakes_delayed.add(u64::from(!wait.is_zero())),
        }
        wait
    }

    /// How many networks are remembered.
    #[cfg(test)]
    fn networks(&self) -> usize {
        self.table().networks.len()
    }
}

impl Table {
    fn entry(&mut self, network: Network) -> &mut Entry {
        let entry = self.networks.entry(network).or_default();
        if let Some(order) = entry.idle.take() {
            self.idle_known.remove(&order);
            self.idle_unknown.remove(&order);
        }
        entry
    }

    fn enter(
        &mut self,
        network: Network,
        proxy: bool,
        bell: &Arc<Notify>,
        peers: &Peers,
        now: Instant,
    ) -> Option<(u64, Arc<Crowd>)> {
        let (open, places) = (self.open, peers.places);
        let reserved = places / RESERVED_PART;
        let entry = self.entry(network);
        let known = proxy || entry.is_known(now);
        entry.crowd.known.store(known, Ordering::Relaxed);
        let part = if known { KNOWN_STRANGERS_PART } else { STRANGERS_PART };
        let strangers_max = if proxy { places } else { (places / part).max(STRANGERS_MIN) };
        let too_many = entry.strangers.len() >= strangers_max || !proxy && entry.connections() >= places - reserved;
        let full = open >= if known { places } else { places - reserved };
        let mut admitted = true;
        if too_many || full {
            let from = if too_many { Some(network) } else { self.crowds.last().map(|(_, network)| *network) };
            admitted = self.leaving < LEAVING_MAX && from.is_some_and(|from| self.send_away(from, now));
            peers.stats.strangers_closed.add(u64::from(admitted));
        }
        let entered = admitted.then(|| self.take_place(network, bell));
        self.settle(network, now);
        entered
    }

    fn take_place(&mut self, network: Network, bell: &Arc<Notify>) -> (u64, Arc<Crowd>) {
        let id = self.next;
        self.next += 1;
        self.open += 1;
        let entry = self.entry(network);
        entry.strangers.insert(id, Arc::clone(bell));
        let (before, crowd) = (entry.strangers.len() - 1, Arc::clone(&entry.crowd));
        self.recount(network, before);
        (id, crowd)
    }

    /// Notes that the number of strangers of a network was another.
    fn recount(&mut self, network: Network, before: usize) {
        self.crowds.remove(&(before, network));
        if let Some(count) = self.networks.get(&network).map(|entry| entry.strangers.len()).filter(|count| *count > 0) {
            self.crowds.insert((count, network));
        }
    }

    /// Tells the oldest stranger of a network to go. Its place is free at once.
    fn send_away(&mut self, network: Network, now: Instant) -> bool {
        let Some(entry) = self.networks.get_mut(&network) else { return false };
        let before = entry.strangers.len();
        let Some((_, bell)) = entry.strangers.pop_first() else { return false };
        bell.notify_one();
        self.open -= 1;
        self.leaving += 1;
        self.recount(network, before);
        self.settle(network, now);
        true
    }

    /// Takes a stranger off the list: its bell, if it was still on it.
    fn take_stranger(&mut self, network: Network, id: u64) -> Option<Arc<Notify>> {
        let entry = self.networks.get_mut(&network)?;
        let before = entry.strangers.len();
        let bell = entry.strangers.remove(&id)?;
        self.recount(network, before);
        Some(bell)
    }

    fn leave(&mut self, network: Network, id: u64, known: bool, now: Instant) {
        if self.take_stranger(network, id).is_some() {
            self.open -= 1;
        } else if let (true, Some(entry)) = (known, self.networks.get_mut(&network)) {
            entry.known -= 1;
            entry.known_until = Some(now + KNOWN_FOR);
            self.open -= 1;
        } else {
            self.leaving -= 1;
        }
        self.settle(network, now);
    }

    /// Puts a network without connections among the idle ones, the oldest of which are forgotten.
    fn settle(&mut self, network: Network, now: Instant) {
        let Some(entry) = self.networks.get_mut(&network) else { return };
        if entry.connections() > 0 || entry.idle.is_some() {
            return;
        }
        let order = self.next;
        self.next += 1;
        entry.idle = Some(order);
        let (idle, idle_max) = if entry.is_known(now) {
            (&mut self.idle_known, IDLE_KNOWN_MAX)
        } else {
            (&mut self.idle_unknown, IDLE_UNKNOWN_MAX)
        };
        idle.insert(order, network);
        if idle.len() > idle_max
            && let Some((_, oldest)) = idle.pop_first()
        {
            self.networks.remove(&oldest);
        }
    }
}

enum Admission {
    /// One of the places, by the connection's number.
    Admitted(u64),
    /// None; it is only told so.
    Excess { _permit: OwnedSemaphorePermit },
}

/// The place of one connection, given back when it is dropped.
pub(super) struct Seat {
    pub(super) peers: Arc<Peers>,
    network: Network,
    pub(super) crowd: Arc<Crowd>,
    bell: Arc<Notify>,
    /// Bytes that the connection holds as a stranger's.
    pub(super) held: Share,
    hold: Admission,
    known: AtomicBool,
}

impl Seat {
    /// The network that the connection counts for.
    pub(super) fn network(&self) -> Network {
        self.network
    }

    /// Whether a call on this connection has proved who it is.
    pub(super) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// Notes that a call has proved who it is.
    pub(super) fn make_known(&self) {
        let Admission::Admitted(id) = self.hold else { return };
        let mut table = self.peers.table();
        // One that was told to go has no place that it could keep.
        if table.take_stranger(self.network, id).is_some()
            && let Some(entry) = table.networks.get_mut(&self.network)
        {
            entry.known += 1;
            self.crowd.known.store(true, Ordering::Relaxed);
            self.known.store(true, Ordering::Relaxed);
        }
    }

    /// Makes the connection count for another network, whose shares then hold: a proxy has told whom it stands for.
    /// Returns whether there is a place.
    pub(super) fn move_to(&mut self, network: Network, now: Instant) -> bool {
        let Admission::Admitted(id) = self.hold else { return true };
        let peers = Arc::clone(&self.peers);
        let mut table = peers.table();
        // Whoever waits for the bell waits for this one.
        let Some(bell) = table.take_stranger(self.network, id) else { return false };
        table.open -= 1;
        table.settle(self.network, now);
        let entered = table.enter(network, false, &bell, &peers, now);
        let Some((id, crowd)) = entered else {
            // It is on its way out, and counted so until it is gone.
            table.leaving += 1;
            return false;
        };
        (self.hold, self.crowd, self.network) = (Admission::Admitted(id), crowd, network);
        true
    }

    /// Ends when the connection is to make room.
    pub(super) fn told_to_go(&self) -> impl Future<Output = ()> + Send + 'static {
        let bell = Arc::clone(&self.bell);
        async move { bell.notified().await }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Admission::Admitted(id) = self.hold {
            let known = self.is_known();
            self.peers.table().leave(self.network, id, known, Instant::now());
        }
    }
}

#[cfg(test)]
#[path = "peers_tests.rs"]
mod tests;
