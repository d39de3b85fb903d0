//! The parts that the server would bring along.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use jomae_api::time::Timestamp;

use jomae_core::{
    audit::{Appended, AuditError, AuditSink, Durability, Event, Found, FoundMember, Page, Query},
    cluster::{
        Cluster, Confirmed, Host,
        machine::{Now, Timing},
        record::{NodeName, NodeRecord},
    },
    error::Fault,
    keyring::{Keyring, RootKey, WrongRootKey},
    store::{
        BoxFuture, Commit, Committed, Entry, Path, Revision, Snapshot, Store, StoreError, Watcher, memory::MemoryStore,
    },
    wait::Work,
};
use jomae_crypto::{secret::Key256, wrap};
use jomae_sim::faults::FaultStore;
use serde_json::{Value, json};

/// A root key in memory.
pub struct Root(Key256);

impl Root {
    /// The one that every world has.
    pub fn fixed() -> Self {
        Self(Key256::from_slice(&[7; 32]).unwrap())
    }

    pub fn other() -> Self {
        Self(Key256::from_slice(&[8; 32]).unwrap())
    }
}

impl RootKey for Root {
    fn wrap(&self, name: &str, domain_key: &Key256) -> Result<Vec<u8>, Fault> {
        wrap::wrap_domain_key(&self.0, name, domain_key).map_err(|error| Fault::internal(error.to_string()))
    }

    fn unwrap(&self, name: &str, wrapped: &[u8]) -> Result<Key256, WrongRootKey> {
        wrap::unwrap_domain_key(&self.0, name, wrapped).map_err(|_| WrongRootKey)
    }
}

/// A clock of a node, in nanoseconds, and what the node has told its process.
#[derive(Default)]
pub struct TestClock {
    pub steady_ns: AtomicU64,
    pub woken: AtomicU64,
    pub confirmed: Mutex<Vec<Confirmed>>,
}

struct Process(Arc<TestClock>);

impl Host for Process {
    fn now(&self) -> Now {
        let steady_ns = self.0.steady_ns.load(Ordering::SeqCst);
        Now { steady_ns, wall_secs: super::START + i64::try_from(steady_ns / 1_000_000_000).unwrap() }
    }

    fn wake(&self) {
        self.0.woken.fetch_add(1, Ordering::SeqCst);
    }

    fn confirmed(&self, confirmed: Confirmed) {
        self.0.confirmed.lock().unwrap().push(confirmed);
    }
}

/// A node with this clock and a term of 10 seconds. Its name is its data directory, too.
pub fn join(store: Arc<dyn Store>, keyring: Arc<Keyring>, name: &str, clock: &Arc<TestClock>) -> Arc<Cluster> {
    static STARTS: AtomicU64 = AtomicU64::new(0);
    let record = NodeRecord::new(STARTS.fetch_add(1, Ordering::SeqCst).to_string(), name, 10);
    let me = (NodeName::new(name).unwrap(), record);
    Cluster::join(store, keyring, me, Timing::of_secs(10), Box::new(Process(Arc::clone(clock)))).unwrap()
}

/// Keeps events in memory.
#[derive(Default)]
pub struct AuditLog {
    lines: Mutex<Vec<(Vec<u8>, Durability)>>,
    /// The log says beforehand that it cannot be written.
    pub unwritable: AtomicBool,
    /// The log finds out only while it writes.
    pub failing: AtomicBool,
    appended: AtomicU64,
    /// What look-ups were asked.
    pub asked: Mutex<Vec<Query>>,
}

impl AuditLog {
    /// The events so far, and how durable each had to be.
    pub fn events(&self) -> Vec<(Value, Durability)> {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|(line, durability)| (serde_json::from_slice(line).unwrap(), *durability)).collect()
    }

    /// The events as they were written.
    pub fn text(&self) -> String {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|(line, _)| String::from_utf8(line.clone()).unwrap() + "\n").collect()
    }

    pub fn len(&self) -> usize {
        self.lines.lock().unwrap().len()
    }
}

/// What an event is said to be found by is what stands in its line.
fn check_found_by(event: &Event) {
    let Some(found_by) = event.found_by() else { return };
    let line: Value = serde_json::from_slice(event.line()).unwrap();
    assert_eq!(line["eventTime"], found_by.time.to_string());
    let identity = &line["userIdentity"];
    let mut expected = BTreeSet::new();
    let mut expect = |member: &str, value: &Value| {
        if let Some(text) = value.as_str().filter(|text| !text.is_empty()) {
            expected.insert(format!("{member}={text}"));
        }
    };
    for (member, value) in [
        ("Account", &identity["accountId"]),
        ("Account", &line["resourceOwnerId"]),
        ("ServiceName", &line["serviceName"]),
        ("EventName", &line["eventName"]),
        ("User", &identity["userName"]),
        ("EventId", &line["eventId"]),
        ("EventRW", &line["eventRW"]),
        ("EventAccessKeyId", &identity["accessKeyId"]),
        ("SourceIpAddress", &line["sourceIpAddress"]),
        ("EventType", &line["eventType"]),
    ] {
        expect(member, value);
    }
    if identity["type"] == "assumed-role" {
        expect("RoleName", &json!(identity["userName"].as_str().unwrap().split(':').next()));
    }
    for (kind, names) in line["referencedResources"].as_object().into_iter().flatten() {
        expect("ResourceType", &json!(kind));
        names.as_array().unwrap().iter().for_each(|name| expect("ResourceName", name));
    }
    let told = found_by.values.iter().map(|value| {
        let text = &event.line()[value.start as usize..][..value.bytes as usize];
        let member = match value.member {
            FoundMember::Account => "Account",
            FoundMember::Attribute(attribute) => attribute.as_str(),
        };
        format!("{member}={}", str::from_utf8(text).unwrap())
    });
    let told: Vec<String> = told.collect();
    assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), expected);
    let accounts = told.iter().filter(|told| told.starts_with("Account=")).count();
    assert_eq!(accounts, expected.iter().filter(|told| told.starts_with("Account=")).count(), "each once");
}

impl AuditSink for AuditLog {
    fn is_writable(&self) -> bool {
        !self.unwritable.load(Ordering::SeqCst)
    }

    fn append(&self, event: &Event, durability: Durability) -> Appended<'_> {
        check_found_by(event);
        let event = event.line().to_vec();
        let index = self.appended.fetch_add(1, Ordering::SeqCst);
        // Not at once, so that the waiting is exercised too.
        let done = Work::Later(Box::pin(async move {
            if self.failing.load(Ordering::SeqCst) {
                return Err(AuditError("by request of a test".to_owned()));
            }
            self.lines.lock().unwrap().push((event, durability));
            Ok(())
        }));
        Appended { index, done }
    }

    fn find(&self, event_ids: &[&str]) -> Result<Vec<String>, AuditError> {
        let logged = |id: &&str| self.events().iter().any(|(event, _)| event["eventId"] == *id);
        Ok(event_ids.iter().copied().filter(|id| logged(id)).map(str::to_owned).collect())
    }

    fn receipt(&self, index: u64, _: &[u8], event_id: &str, now: Timestamp) -> Result<String, AuditError> {
        Ok(format!("{index} {event_id} {now}"))
    }

    /// Looks at the account alone, and gives the oldest first: the real look-up is tested where it is made.
    fn lookup<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Page, AuditError>> {
        self.asked.lock().unwrap().push(query.clone());
        if self.failing.load(Ordering::SeqCst) {
            return Box::pin(std::future::ready(Err(AuditError("by request of a test".to_owned()))));
        }
        let mine = |event: &Value| event["userIdentity"]["accountId"] == query.account.as_str();
        let behind = query.after.map_or(0, |after| after + 1);
        let text = self.text();
        let lines = text.lines().zip(0..).skip_while(|(_, number)| *number < behind);
        let mut lines = lines.filter(|(line, _)| mine(&serde_json::from_str(line).unwrap()));
        let found = |(line, number): (&str, u64)| Found { number, line: line.to_owned() };
        let events = lines.by_ref().take(query.limit).map(found).collect();
        let page = Page { events, more: lines.next().is_some() };
        Box::pin(std::future::ready(Ok(page)))
    }
}

type Hook = Box<dyn FnOnce() + Send>;

/// A store that lets a test act in the moment before a commit: between a decision and its effect.
pub struct HookStore {
    faults: FaultStore<MemoryStore>,
    before_commit: Mutex<Option<Hook>>,
    /// Whether each commit takes a while, as on a disk, so that others decide meanwhile.
    pub slow: AtomicBool,
}

impl HookStore {
    pub fn new(faults: FaultStore<MemoryStore>) -> Self {
        Self { faults, before_commit: Mutex::default(), slow: AtomicBool::new(false) }
    }

    pub fn faults(&self) -> &FaultStore<MemoryStore> {
        &self.faults
    }

    pub fn memory(&self) -> &MemoryStore {
        self.faults.inner()
    }

    /// Runs once, before the next commit is looked at.
    pub fn before_next_commit(&self, hook: impl FnOnce() + Send + 'static) {
        *self.before_commit.lock().unwrap() = Some(Box::new(hook));
    }
}

impl Store for HookStore {
    fn get(&self, path: &str) -> Result<Option<Entry>, StoreError> {
        self.faults.get(path)
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(Path, Entry)>, StoreError> {
        self.faults.scan(prefix, after, limit)
    }

    #[expect(clippy::disallowed_methods, reason = "it stands for a disk, which does wait")]
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>> {
        let hook = self.before_commit.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        if self.slow.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.faults.commit(commit)
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.faults.revision()
    }

    fn watch(&self, watcher: Watcher) {
        self.faults.watch(watcher);
    }

    fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        self.faults.snapshot()
    }
}
