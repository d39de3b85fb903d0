//! The whole service in one process, over a store in memory that can be made to fail, with a clock that a test sets.

mod client;
mod host;
pub mod import;
mod parts;
mod people;
mod subject;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use jomae_api::{
    names::{AccountId, KeyPlace, RegionId},
    time::Timestamp,
    wire::{Header, Request},
};
use jomae_core::{
    backend::{Levels, software::SoftwareBackend},
    host::{Hosting, Operators},
    identity,
    key_index::{self, KeyIndex},
    keyring::Keyring,
    lane::Lane,
    oidc::NoProviders,
    quota::{Ledger, Quotas},
    ram::sign_in::SignInGuard,
    rank::Ranks,
    record::{AccessKeyRecord, KeyRecord, path},
    rivals::Rivals,
    run::Kms,
    service::{Arrival, Limits, Reply, Service},
    shares::Meter,
    store::{Commit, Committed, Path, Store, Write, memory::MemoryStore},
    tx::{CommitOutcome, Tx, Vault},
    usage::Usage,
    wait::{Abandonment, Inline},
};
use jomae_sim::{block_on, faults::FaultStore};

pub use client::{Answer, Client, HELLO, Scheme, code_of};
pub use host::NoProcess;
pub use parts::{AuditLog, HookStore, Root, TestClock, join};
pub use people::{allow, document, trust};
pub use subject::{DIGEST, STATES, Subject, TAKE_ALIAS, actions_on_keys, actions_that_work, kms_actions, takes};

pub const HANGZHOU: &str = "kms.cn-hangzhou.example";
pub const SHANGHAI: &str = "kms.cn-shanghai.example";
/// 2027-01-15T08:00:00Z, when every test begins.
pub const START: i64 = 1_800_000_000;
pub const DAY: i64 = 86_400;
/// Where calls come from.
pub const ADDRESS: &str = "203.0.113.7";

/// An account's access key.
#[derive(Clone)]
pub struct Credentials {
    pub account: AccountId,
    pub id: String,
    pub secret: Vec<u8>,
    /// Of temporary credentials.
    pub token: Option<String>,
}

/// How a service is set up beyond the usual.
#[derive(Clone, Copy)]
pub struct Setup {
    pub limits: Limits,
    pub quotas: Quotas,
    pub cache_entries_max: usize,
    /// Memory of the index of keys, of all and of one account.
    pub index_bytes_max: (usize, usize),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: Limits { nonces_max: 1_000_000, ..Limits::default() },
            quotas: Quotas::default(),
            cache_entries_max: 10_000,
            index_bytes_max: (key_index::BYTES_MAX, key_index::ACCOUNT_BYTES_MAX),
        }
    }
}

pub struct World {
    pub store: Arc<HookStore>,
    pub service: Service,
    pub audit: Arc<AuditLog>,
    pub alice: Credentials,
    pub bob: Credentials,
    pub root: Root,
    pub steady_ns: AtomicU64,
    /// Where the next call comes from.
    pub source_ip: Mutex<String>,
    now: AtomicI64,
    nonces: AtomicU64,
}

impl World {
    /// Two accounts, two regions, no keys.
    pub fn new() -> Self {
        Self::with(Setup::default())
    }

    pub fn with(setup: Setup) -> Self {
        let store = Arc::new(HookStore::new(FaultStore::new(MemoryStore::new())));
        let root = Root::fixed();
        let audit = Arc::new(AuditLog::default());
        let service = service(&store, &root, audit.clone(), setup, None);
        let (alice, bob) = (new_account(&service, "Alice"), new_account(&service, "Bob"));
        let (now, nonces) = (AtomicI64::new(START), AtomicU64::new(0));
        let source_ip = Mutex::new(ADDRESS.to_owned());
        tell_alice(&service, &alice);
        Self { store, service, audit, alice, bob, root, steady_ns: AtomicU64::new(0), source_ip, now, nonces }
    }

    /// Another process over the same store, with nothing in memory.
    pub fn reopened(&self) -> Self {
        self.beside(Setup::default(), None)
    }

    /// The same, with this setup.
    pub fn reopened_with(&self, setup: Setup) -> Self {
        self.beside(setup, None)
    }

    /// The same, as a node of a cluster.
    pub fn node(&self, name: &str, clock: &Arc<TestClock>) -> Self {
        self.beside(Setup::default(), Some((name, clock)))
    }

    fn beside(&self, setup: Setup, node: Option<(&str, &Arc<TestClock>)>) -> Self {
        let audit = Arc::new(AuditLog::default());
        let service = service(&self.store, &self.root, audit.clone(), setup, node);
        tell_alice(&service, &self.alice);
        Self {
            service,
            store: self.store.clone(),
            audit,
            alice: self.alice.clone(),
            bob: self.bob.clone(),
            root: Root::fixed(),
            steady_ns: AtomicU64::new(0),
            source_ip: Mutex::new(ADDRESS.to_owned()),
            now: AtomicI64::new(self.now()),
            nonces: AtomicU64::new(self.nonces.load(Ordering::SeqCst)),
        }
    }

    pub fn alice(&self) -> Client<'_> {
        Client::new(self, &self.alice)
    }

    pub fn bob(&self) -> Client<'_> {
        Client::new(self, &self.bob)
    }

    /// The moment of the next call, in seconds.
    pub fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    pub fn timestamp(&self) -> String {
        Timestamp(self.now()).to_string()
    }

    pub fn advance(&self, secs: i64) {
        self.now.fetch_add(secs, Ordering::SeqCst);
    }

    pub fn nonce(&self) -> String {
        format!("nonce-{}", self.nonces.fetch_add(1, Ordering::SeqCst))
    }

    /// Hands a request over as it is.
    pub fn send(&self, request: &Request<'_>) -> Reply {
        let steady_ns = self.steady_ns.load(Ordering::SeqCst);
        let source_ip = self.source_ip.lock().unwrap().clone();
        let arrival = Arrival {
            source_ip: &source_ip,
            now: Timestamp(self.now()),
            steady_ns,
            abandonment: &Abandonment::default(),
            lane: &Lane::default(),
            meter: &Meter::default(),
        };
        block_on(self.service.answer(request, arrival))
    }

    /// As [`World::send`], a GET with this query and no signature but what the query holds.
    pub fn get(&self, query: &str) -> Reply {
        let headers = [Header { name: "host", value: HANGZHOU.as_bytes() }];
        self.send(&Request { method: "GET", path: "/", query, headers: &headers, body: &[] })
    }

    /// Does all due work; tells how many jobs there were.
    pub fn work(&self) -> usize {
        let mut jobs = 0;
        loop {
            let now = Timestamp(self.now());
            let at_token = block_on(self.service.do_token_work(now)).unwrap();
            match block_on(self.service.do_due_work(now)).unwrap() + at_token {
                0 => return jobs,
                done => jobs += done,
            }
        }
    }

    /// Adds to the store what keys have been used for.
    pub fn flush(&self) {
        block_on(self.service.kms.usage.flush(&self.service.kms.vault, usize::MAX)).unwrap();
    }

    /// How often the store was read by this.
    pub fn reads_of(&self, act: impl FnOnce()) -> u64 {
        let before = self.store.faults().reads();
        act();
        self.store.faults().reads() - before
    }

    /// Everything in the store, as it lies there.
    pub fn dump(&self) -> BTreeMap<String, Vec<u8>> {
        let rows = self.store.memory().snapshot().unwrap().map(Result::unwrap);
        rows.map(|(path, entry)| (path.to_string(), entry.value)).collect()
    }

    /// Paths in the store that hold this text.
    pub fn paths_with(&self, text: &str) -> Vec<String> {
        self.dump().into_keys().filter(|path| path.contains(text)).collect()
    }

    /// Changes bytes in the store behind the service's back.
    pub fn overwrite(&self, path: &str, value: Option<Vec<u8>>) {
        let at = Path::new(path);
        let write = match value {
            Some(value) => Write::Put(at, value),
            None => Write::Delete(at),
        };
        let done = block_on(self.store.memory().commit(Commit { expect: Vec::new(), writes: vec![write] }));
        assert!(matches!(done, Ok(Committed::Done(_))));
    }

    pub fn place(&self, key_id: &str) -> KeyPlace {
        KeyPlace { account: self.alice.account.clone(), region: region("cn-hangzhou"), id: key_id_of(key_id) }
    }

    /// The stored record of a key of Alice's in Hangzhou.
    pub fn record(&self, key_id: &str) -> Option<KeyRecord> {
        let at = path::key(&self.place(key_id));
        self.service.kms.vault.reading().get::<KeyRecord>(&at).unwrap().map(|record| (*record).clone())
    }

    /// Writes a record as no action can.
    pub fn edit_record(&self, key_id: &str, edit: impl Fn(&mut KeyRecord)) {
        let at = path::key(&self.place(key_id));
        self.write(|tx| {
            let mut record = (*tx.get::<KeyRecord>(&at).unwrap().unwrap()).clone();
            edit(&mut record);
            tx.put(at.clone(), &record).unwrap();
        });
    }

    /// Switches Alice's access key on or off.
    pub fn set_access_key_active(&self, active: bool) {
        let at = path::access_key(&self.alice.id);
        self.write(|tx| {
            let mut stored = tx.get::<AccessKeyRecord>(&at).unwrap().unwrap().stored.clone();
            stored.active = active;
            tx.put(at.clone(), &AccessKeyRecord::of(stored)).unwrap();
        });
    }

    pub fn write(&self, writes: impl Fn(&mut Tx<'_>)) {
        write(&self.service, writes);
    }

    /// The ID of a new key of Alice's.
    pub fn key(&self) -> String {
        self.alice().key(&[])
    }
}

fn write(service: &Service, writes: impl Fn(&mut Tx<'_>)) {
    let mut tx = service.kms.vault.writing();
    writes(&mut tx);
    assert_eq!(block_on(tx.commit()).unwrap(), CommitOutcome::Done);
}

/// What the server does at its first start.
fn new_account(service: &Service, name: &str) -> Credentials {
    let made = block_on(identity::accounts::create(&service.kms.vault, name, Timestamp(START))).unwrap();
    Credentials { account: made.account, id: made.access_key_id, secret: made.secret.expose().to_vec(), token: None }
}

/// Alice's account is the operator's.
fn tell_alice(service: &Service, alice: &Credentials) {
    let operators = Operators { accounts: vec![alice.account.clone()], the_only: false };
    assert!(service.kms.hosting.set(Hosting { operators, host: Box::new(NoProcess) }).is_ok());
}

fn service(
    store: &Arc<HookStore>,
    root: &Root,
    audit: Arc<AuditLog>,
    setup: Setup,
    node: Option<(&str, &Arc<TestClock>)>,
) -> Service {
    let keyring = Arc::new(block_on(Keyring::open(&**store, root)).unwrap());
    let mut vault = Vault::new(store.clone(), keyring.clone(), setup.cache_entries_max);
    if let Some((name, clock)) = node {
        vault = vault.in_cluster(join(store.clone(), keyring.clone(), name, clock));
    }
    let kms = Kms {
        ranks: Ranks::watch(vault.store()),
        key_index: KeyIndex::with_room(vault.store(), setup.index_bytes_max.0, setup.index_bytes_max.1),
        vault,
        backends: Levels::software(SoftwareBackend::new(keyring, Arc::new(Inline))),
        pool: Arc::new(Inline),
        usage: Usage::default(),
        quotas: Ledger::new(setup.quotas),
        rivals: Rivals::default(),
        sign_in: SignInGuard::default(),
        audit,
        other_logs: None,
        hosting: OnceLock::new(),
        regions: vec![region("cn-hangzhou"), region("cn-shanghai")],
    };
    Service::new(kms, Arc::new(NoProviders), region("cn-hangzhou"), setup.limits)
}

pub fn region(id: &str) -> RegionId {
    RegionId::new(id).unwrap()
}

pub fn key_id_of(text: &str) -> jomae_api::names::KeyId {
    jomae_api::names::KeyId::new(text).unwrap()
}
