//! The watch that feeds the replica: it is followed, opened again where it ended, and replaced by reading everything if
//! what it would have told is compacted.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use jomae_etcd::{
    Client, Error,
    proto::{Event, EventType, TxnRequest},
};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{
    keys::Keys,
    pages::{Failure, Pages, record},
    replica::{Replica, Update},
    slots,
};

/// How often the member is asked whether it is there.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Without a word for so long, another member is tried.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// Before the watch is opened again, at first and at last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Revisions on their way to the replica.
pub(super) const UPDATES_MAX: usize = 64;

/// How the watch is doing.
pub(super) struct Health {
    heard: Mutex<std::time::Instant>,
    connected: AtomicBool,
    pub(super) reconnects: AtomicU64,
    pub(super) resyncs: AtomicU64,
    /// Somebody knows of a revision that does not come.
    pub(super) kick: Notify,
    /// There is a new connection.
    pub(super) moved: Notify,
}

impl Health {
    pub(super) fn new() -> Self {
        Self {
            heard: Mutex::new(std::time::Instant::now()),
            connected: AtomicBool::new(false),
            reconnects: AtomicU64::new(0),
            resyncs: AtomicU64::new(0),
            kick: Notify::new(),
            moved: Notify::new(),
        }
    }

    pub(super) fn heard(&self) -> std::time::Instant {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    fn hear(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = std::time::Instant::now();
        self.connected.store(true, Ordering::Relaxed);
    }
}

/// Why the watch is not followed any more.
enum End {
    Lost(String),
    Compacted,
    /// The store is closed.
    Closed,
    /// What is there is not the store that was opened.
    Damaged(String),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        match error {
            Error::Compacted => Self::Compacted,
            error => Self::Lost(error.to_string()),
        }
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Etcd(error) => Self::Lost(error.to_string()),
            Failure::Damaged(error) => Self::Damaged(error.to_string()),
        }
    }
}

pub(super) struct Feed {
    pub(super) client: Client,
    pub(super) keys: Keys,
    /// The identity record, which must stay.
    pub(super) identity: Vec<u8>,
    pub(super) replica: Arc<Replica>,
    pub(super) health: Arc<Health>,
    pub(super) updates: mpsc::Sender<Update>,
    /// First revision that was not handed on yet.
    pub(super) next: u64,
}

impl Feed {
    pub(super) async fn run(mut self) {
        let (mut pause, longest) = PAUSE;
        let mut first = true;
        loop {
            let opened = Instant::now();
            let end = match if first { Ok(()) } else { self.check().await } {
                Ok(()) => self.follow().await,
                Err(end) => end,
            };
            first = false;
            self.health.connected.store(false, Ordering::Relaxed);
            let end = match end {
                End::Compacted => self.read_everything().await,
                end => Err(end),
            };
            match end {
                Ok(()) => {}
                Err(End::Closed) => return,
                Err(End::Damaged(why)) => return self.replica.fail(why),
                Err(End::Compacted) => tracing::warn!("compacted again while everything was read"),
                Err(End::Lost(why)) => tracing::warn!(why, next = self.next, "the watch on etcd has ended"),
            }
            self.health.reconnects.fetch_add(1, Ordering::Relaxed);
            if opened.elapsed() > longest {
                pause = PAUSE.0;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.health.moved.notified() => {}
            }
            pause = (pause * 2).min(longest);
        }
    }

    /// Whether this is still the store that was opened, and not a restored, earlier one.
    async fn check(&self) -> Result<(), End> {
        let success = vec![slots::get(self.keys.identity())];
        let answer = self.client.read_txn(TxnRequest { success, ..TxnRequest::default() }).await?;
        let revision = answer.header.map_or(0, |header| header.revision);
        if revision.unsigned_abs() + 1 < self.next {
            return Err(End::Damaged("etcd is at an earlier revision than before: was it restored?".to_owned()));
        }
        match answer.responses.into_iter().next().and_then(slots::first) {
            Some(kv) if kv.value == self.identity => Ok(()),
            _ => Err(End::Damaged("the store in etcd is not the one that was opened".to_owned())),
        }
    }

    async fn follow(&mut self) -> End {
        let (key, end) = self.keys.records();
        let start = i64::try_from(self.next).unwrap_or(i64::MAX);
        let mut watch = match self.client.watch(key, end, start).await {
            Ok(watch) => watch,
            Err(error) => return error.into(),
        };
        let mut ticks = interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut heard, mut moved) = (Instant::now(), Instant::now());
        let mut events = Vec::new();
        loop {
            let answer = tokio::select! {
                biased;
                answer = watch.next() => answer,
                _ = ticks.tick() => {
                    if heard.elapsed() > SILENCE_MAX {
                        self.client.leave().await;
                        return End::Lost("no word from the member".to_owned());
                    }
                    watch.ask_for_progress();
                    continue;
                }
                () = self.health.moved.notified() => {
                    return End::Lost("there are new certificates".to_owned());
                }
                () = self.health.kick.notified() => {
                    // It may be on its way: after a long absence there is much to be told.
                    if moved.elapsed() < SILENCE_MAX {
                        continue;
                    }
                    self.client.leave().await;
                    return End::Lost("a revision is missing".to_owned());
                }
            };
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => return error.into(),
            };
            heard = Instant::now();
            self.health.hear();
            // Only what comes with the watch's own number is in order with its events.
            let in_order = answer.watch_id >= 0 && !answer.created;
            let is_progress = in_order && answer.events.is_empty() && events.is_empty() && !answer.fragment;
            if in_order {
                moved = heard;
            }
            events.extend(answer.events);
            if !answer.fragment
                && let Err(end) = self.hand_on(std::mem::take(&mut events)).await
            {
                return end;
            }
            if is_progress {
                let at = answer.header.map_or(0, |header| header.revision).unsigned_abs();
                self.next = self.next.max(at + 1);
            }
        }
    }

    /// The events of whole revisions, as one update each.
    async fn hand_on(&mut self, events: Vec<Event>) -> Result<(), End> {
        let mut revision = 0;
        let mut writes = Vec::new();
        for event in events {
            let Some(kv) = event.kv else { continue };
            let at = kv.mod_revision.unsigned_abs();
            if at != revision && !writes.is_empty() {
                self.send(Update::Changed { revision, writes: std::mem::take(&mut writes) }, revision + 1).await?;
            }
            revision = at;
            let deleted = event.r#type == i32::from(EventType::Delete);
            let (path, entry) = record(&self.keys, kv).map_err(|error| End::Damaged(error.to_string()))?;
            writes.push((path, (!deleted).then_some(entry.value)));
        }
        if writes.is_empty() {
            return Ok(());
        }
        self.send(Update::Changed { revision, writes }, revision + 1).await
    }

    async fn send(&mut self, update: Update, next: u64) -> Result<(), End> {
        if self.updates.send(update).await.is_err() {
            return Err(End::Closed);
        }
        self.next = next;
        Ok(())
    }

    async fn read_everything(&mut self) -> Result<(), End> {
        tracing::warn!(next = self.next, "etcd has compacted what the watch has missed: reading everything");
        let records = match Pages::new(&self.client, &self.keys).everything().await {
            Err(Failure::Etcd(Error::Compacted)) => return Err(End::Compacted),
            records => records?,
        };
        self.health.resyncs.fetch_add(1, Ordering::Relaxed);
        let next = records.moment + 1;
        self.send(Update::Whole(records), next).await
    }
}
