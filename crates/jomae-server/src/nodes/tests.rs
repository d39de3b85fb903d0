//! Who gets what on the channel between nodes.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use jomae_api::{actions::trail::lookup_events::Direction, names::AccountId, time::Timestamp};
use jomae_core::{
    audit::{Page, Query},
    keyring::Keyring,
    store::memory::MemoryStore,
    tx::Vault,
};
use jomae_crypto::secret::SecretBytes;
use jomae_sim::etcd::Etcd;
use rustls::ClientConfig;
use tokio::{net::TcpListener, sync::watch};

use super::{
    channel::{self, AskError},
    *,
};
use crate::{
    bootstrap::{self, Started},
    certificates::Certificates,
    config::StoreKind,
    exchange,
    secret_text::SecretText,
};

const WITHIN: Duration = Duration::from_mins(1);

struct Node {
    _etcd: Etcd,
    _dir: tempfile::TempDir,
    started: Started,
    address: SocketAddr,
    _stop: watch::Sender<bool>,
}

impl Node {
    async fn start() -> Self {
        let (etcd, dir) = (Etcd::start(), tempfile::tempdir().unwrap());
        let mut config = Config { data_dir: dir.path().join("data"), ..Config::default() };
        config.store.kind = StoreKind::Etcd;
        config.store.endpoints = etcd.endpoints();
        config.cluster.node = "kms-1".to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        config.cluster.listen = Some(address.into());
        config.cluster.address = Some(address.to_string());
        let started = bootstrap::open(&config, gateway::now()).await.unwrap();
        Certificates::prepare(&config, address, SystemTime::now()).unwrap();
        let api = NodeApi::new(started.authority.clone().unwrap(), Arc::clone(&started.service), config);
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(channel::serve(listener, Arc::new(api), stopped));
        Self { _etcd: etcd, _dir: dir, started, address, _stop: stop }
    }

    fn authority(&self) -> &Authority {
        self.started.authority.as_ref().unwrap()
    }

    async fn ask(&self, tls: Arc<ClientConfig>, path: &'static str, body: Vec<u8>) -> Result<Vec<u8>, AskError> {
        let name = authority::server_name("kms-1").unwrap();
        let asked = channel::ask(tls, name, &self.address.to_string(), path, body.into(), WITHIN).await;
        asked.map(|answer| answer.to_vec())
    }

    fn newcomer(&self) -> Arc<ClientConfig> {
        authority::newcomer(self.authority().certificate().unwrap()).unwrap()
    }

    async fn token(&self) -> tokens::Made {
        let (vault, region) = (&self.started.service.kms.vault, &self.started.service.default_region);
        tokens::make(vault, region, &NodeName::new("kms-2").unwrap(), 600, gateway::now()).await.unwrap()
    }
}

fn query() -> Vec<u8> {
    let query = Query {
        account: AccountId::new("1234567890123456").unwrap(),
        from: Timestamp(0),
        to: gateway::now(),
        attributes: Vec::new(),
        direction: Direction::Forward,
        limit: 10,
        after: None,
    };
    serde_json::to_vec(&query).unwrap()
}

fn request(id: &str, secret: &[u8], node: &str) -> Vec<u8> {
    let (secret, node) = (SecretText(SecretBytes::new(secret.to_vec())), NodeName::new(node).unwrap());
    exchange::json(&joining::Request { id: id.to_owned(), secret, node }).unwrap().to_vec()
}

/// The authority of another cluster.
async fn foreign() -> Authority {
    let store = Arc::new(MemoryStore::new());
    let root = jomae_crypto::root::RootMaterial::random();
    let keyring = Arc::new(Keyring::open(&*store, &root).await.unwrap());
    let vault = Vault::new(store, keyring, 100);
    Authority::load_or_create(&vault, NodeName::new("kms-2").unwrap()).await.unwrap()
}

fn refused(answer: Result<Vec<u8>, AskError>, why: &str) {
    match answer {
        Err(AskError::Refused(said)) => assert!(said.contains(why), "{said}"),
        other => panic!("{why}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_nodes_are_heard_and_a_newcomer_only_with_a_token() {
    let node = Node::start().await;
    let own = || node.authority().tls().unwrap().client;
    let page: Page = serde_json::from_slice(&node.ask(own(), "/lookup", query()).await.unwrap()).unwrap();
    assert!(page.events.is_empty() && !page.more);

    // Nobody without a certificate of this cluster gets through the handshake.
    let foreign = foreign().await;
    for stranger in [node.newcomer(), foreign.tls().unwrap().client] {
        for path in ["/lookup", "/join"] {
            let answer = node.ask(Arc::clone(&stranger), path, query()).await;
            assert!(matches!(answer, Err(AskError::Io(_) | AskError::Http(_))), "{answer:?}");
        }
    }
    // Nor is a node of another cluster believed.
    let astray = authority::newcomer(foreign.certificate().unwrap()).unwrap();
    assert!(matches!(node.ask(astray, "/join", query()).await, Err(AskError::Io(_))));

    // With a token out, whoever has none may try, and no more.
    let tokens::Made { id, secret, .. } = node.token().await;
    let secret = secret.0.expose();
    refused(node.ask(node.newcomer(), "/lookup", query()).await, "no such thing between nodes");
    let mut wrong = secret.to_vec();
    wrong[0] ^= 1;
    for (id, secret, by, why) in [
        (id.as_str(), wrong.as_slice(), "kms-2", "no such token"),
        (&id, b"", "kms-2", "no such token"),
        ("0123456789abcdef", secret, "kms-2", "no such token"),
        ("../authority", secret, "kms-2", "no such token"),
        (&id, secret, "kms-3", "the token is for the node kms-2"),
    ] {
        refused(node.ask(node.newcomer(), "/join", request(id, secret, by)).await, why);
    }
    refused(node.ask(node.newcomer(), "/join", b"{}".to_vec()).await, "the request");
    refused(node.ask(own(), "/lookup", vec![b' '; 100_000]).await, "longer than 64 KiB");

    // Of many who show it at the same time one is welcome.
    let showing = (0..8).map(|_| node.ask(node.newcomer(), "/join", request(&id, secret, "kms-2")));
    let mut welcome = 0;
    for shown in showing {
        welcome += u32::from(shown.await.is_ok());
    }
    assert_eq!(welcome, 1);
    assert!(matches!(node.ask(node.newcomer(), "/join", query()).await, Err(AskError::Io(_) | AskError::Http(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_expire_and_are_not_endless() {
    let node = Node::start().await;
    let (vault, region) = (&node.started.service.kms.vault, &node.started.service.default_region);
    let (name, now) = (NodeName::new("kms-2").unwrap(), gateway::now());
    let made = tokens::make(vault, region, &name, 60, now).await.unwrap();
    let late = Timestamp(now.0 + 60);
    assert!(tokens::outstanding(vault, now) && !tokens::outstanding(vault, late));
    let taken = tokens::take(vault, region, (&made.id, made.secret.0.expose()), &name, late).await;
    assert!(matches!(taken, Err(TokenError::Unknown)));
    let mut count = 1;
    loop {
        match tokens::make(vault, region, &name, 60, now).await {
            Ok(_) => count += 1,
            Err(TokenError::TooMany) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(count, 64);
    tokens::sweep(vault, late).await.unwrap();
    assert!(tokens::make(vault, region, &name, 60, late).await.is_ok());
}
