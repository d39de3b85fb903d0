//! What the nodes of a cluster do with each other: joining, leaving, and looking up events in all their logs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jomae_sim::etcd::Etcd;
use jomae_tests::{
    Server, Site, binary,
    calls::{ask, create_key, decrypt, encrypt},
    cli::{self, Ran, jomae},
    scan::Secrets,
};
use serde_json::Value;

/// Far longer than anything here takes; only a hang reaches it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Machines over one etcd.
struct Machines {
    etcd: Etcd,
    sites: Vec<Site>,
}

fn name(n: usize) -> String {
    format!("kms-{n}")
}

impl Machines {
    fn new(count: usize) -> Self {
        Self { etcd: Etcd::start(), sites: (0..count).map(|_| Site::default()).collect() }
    }

    fn config(&self, n: usize) -> PathBuf {
        self.config_with(n, "", "listen = \"127.0.0.1:0\"\n")
    }

    fn config_with(&self, n: usize, top: &str, cluster: &str) -> PathBuf {
        let (site, endpoints) = (&self.sites[n], self.etcd.endpoints());
        site.write(
            "node.toml",
            format!(
                "data_dir = \"{}\"\n{top}[store]\nkind = \"etcd\"\nendpoints = {endpoints:?}\n\
                 [cluster]\nnode = \"{}\"\nlease_secs = 3\n{cluster}",
                site.data().display(),
                name(n)
            ),
        )
    }

    fn start(&self, n: usize) -> Server {
        self.sites[n].launch().config_at(&self.config(n)).start()
    }

    /// What is said about the nodes on this machine.
    fn status(&self, n: usize) -> Vec<Value> {
        let said = jomae(&["cluster", "status", "--output", "json", "--config", word(&self.config(n))]).ok();
        let status: Value = serde_json::from_str(said.text()).unwrap();
        status.as_array().cloned().unwrap_or_else(|| panic!("{status}"))
    }

    fn state(&self, asked: usize, n: usize) -> String {
        let nodes = self.status(asked);
        let node = nodes.iter().find(|node| node["Node"] == *name(n)).unwrap_or_else(|| panic!("{nodes:?}"));
        node["State"].as_str().unwrap().to_owned()
    }

    fn token(&self, asked: usize, n: usize) -> String {
        jomae(&["cluster", "token", "--node", &name(n), "--config", word(&self.config(asked))]).ok().text().to_owned()
    }

    fn join(&self, n: usize, token: &str) -> Ran {
        jomae_with(&["cluster", "join", "--config", word(&self.config(n))], token.as_bytes())
    }

    /// The credential of the first node, for a test that calls another.
    fn lend_credential(&self, n: usize) {
        fs::create_dir_all(self.sites[n].data()).unwrap();
        fs::copy(self.sites[0].data().join("env"), self.sites[n].data().join("env")).unwrap();
    }
}

fn jomae_with(words: &[&str], input: &[u8]) -> Ran {
    let mut command = binary::command();
    command.args(words);
    cli::run(command, input)
}

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// All ids of events that a look-up finds at a node, and the nodes that did not answer.
fn events(server: &Server) -> (Vec<String>, BTreeSet<String>) {
    let (mut found, mut silent, mut token) = (Vec::new(), BTreeSet::new(), None::<String>);
    loop {
        let mut params = vec![("MaxResults", "3"), ("Direction", "FORWARD")];
        params.extend(token.as_deref().map(|token| ("NextToken", token)));
        params.extend([("LookupAttribute.1.Key", "EventName"), ("LookupAttribute.1.Value", "Encrypt")]);
        let page = runtime().block_on(ask(&server.client(), "LookupEvents", &params));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        found.extend(page["Events"].as_array().unwrap().iter().map(|event| text(&event["eventId"])));
        silent.extend(page["UnansweredNodes"].as_array().into_iter().flatten().map(|node| text(&node["Node"])));
        token = page["NextToken"].as_str().map(str::to_owned);
        if token.is_none() {
            return (found, silent);
        }
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn encrypt_times(server: &Server, key: &str, times: usize) {
    runtime().block_on(async {
        for _ in 0..times {
            encrypt(&server.client(), key, "c2VjcmV0").await;
        }
    });
}

#[test]
fn a_node_joins_is_asked_leaves_and_comes_back() {
    let machines = Machines::new(3);
    let first = machines.start(0);
    let key = runtime().block_on(create_key(&first.client(), "orders"));
    let text = runtime().block_on(encrypt(&first.client(), &key, "c2VjcmV0"));

    // Two newcomers, each with a token of its own.
    for n in [1, 2] {
        machines.lend_credential(n);
        let token = machines.token(0, n);
        machines.join(n, &token).ok();
        let root = machines.sites[n].data().join("root.key");
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&root).unwrap(), fs::read(machines.sites[0].data().join("root.key")).unwrap());
    }
    let (second, mut third) = (machines.start(1), machines.start(2));
    for server in [&second, &third] {
        // Under the one authority, so that whoever trusts the first node trusts all.
        assert_eq!(
            fs::read(server.data.join("ca.pem")).unwrap(),
            fs::read(machines.sites[0].data().join("ca.pem")).unwrap()
        );
        assert_eq!(runtime().block_on(decrypt(&server.client(), &text)), "c2VjcmV0");
    }
    until("all serve", || (0..3).all(|n| machines.state(1, n) == "serves"));

    // Events of all nodes, at any node, once each.
    for server in [&second, &third] {
        encrypt_times(server, &key, 5);
    }
    let (at_first, silent) = events(&first);
    assert_eq!((at_first.len(), silent.len()), (11, 0));
    let unique: BTreeSet<&String> = at_first.iter().collect();
    assert_eq!(unique.len(), 11);
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(events(&third).0), sorted(at_first));

    // What a dead node has logged is missed, and it is said how much that is.
    until("its log is anchored", || {
        let nodes = machines.status(0);
        nodes.iter().any(|node| node["Node"] == *name(2) && node["LogEvents"].as_u64().is_some_and(|events| events > 5))
    });
    third.kill();
    until("it is gone", || machines.state(0, 2) == "gone");
    let (without, silent) = events(&first);
    assert_eq!((without.len(), silent), (6, BTreeSet::from([name(2)])));
    let said = first.jomae(&["audit", "search", "--event-name", "Encrypt", "--from", "1h"]);
    assert!(said.stderr.contains("node kms-2 did not answer: of its "), "{}", said.stderr);

    // Nobody misses who has left for good.
    let leave = |asked: usize, words: &[&str]| {
        let config = machines.config(asked);
        jomae(&[&["cluster", "leave", "--yes", "--config", word(&config)], words].concat())
    };
    assert!(leave(0, &["--node", "kms-1"]).stderr.contains("serves"));
    assert!(leave(0, &["--node", "kms-9"]).stderr.contains("has ever been"));
    leave(0, &["--node", "kms-2"]).ok();
    assert_eq!(machines.state(0, 2), "left");
    assert_eq!(events(&first).1, BTreeSet::new());

    // And who comes back is one of them again.
    let third = machines.start(2);
    until("it serves", || machines.state(0, 2) == "serves");
    let (again, silent) = events(&first);
    assert_eq!((again.len(), silent.len()), (11, 0));

    // Leaving on the machine itself is a stop.
    let mut third = third;
    leave(2, &[]).ok();
    until("it has stopped", || !third.is_running());
    assert_eq!(machines.state(1, 2), "left");
    let acts = runtime().block_on(ask(&first.client(), "LookupEvents", &[("MaxResults", "1")]));
    assert!(acts["UnansweredNodes"].is_null());
    let log = first.jomae(&["audit", "verify", "--log", word(&first.data.join("audit"))]).ok();
    assert!(log.text().contains("intact"), "{}", log.text());
}

#[test]
fn what_is_no_invitation() {
    let machines = Machines::new(3);
    let first = machines.start(0);
    let token = machines.token(0, 1);
    let nothing = |n: usize| {
        for file in ["root.key", "ca.pem", "tls/ca.key"] {
            assert!(!machines.sites[n].data().join(file).exists(), "{file}");
        }
    };

    // For another node, cut, changed, or not one at all.
    let refused = |n: usize, token: &str, why: &str| {
        let ran = machines.join(n, token);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        nothing(n);
    };
    refused(2, &token, "the token is for the node kms-1, and cluster.node is kms-2");
    refused(1, &token[..token.len() - 8], "the token cannot be read");
    refused(1, "hello", "the token cannot be read");
    refused(1, &"x".repeat(100_000), "the token cannot be read");
    let own = jomae(&["cluster", "token", "--node", "kms-0", "--config", word(&machines.config(0))]);
    assert!(own.stderr.contains("serves; choose another name"), "{}", own.stderr);
    for span in ["30s", "8d"] {
        let ran = jomae(&["cluster", "token", "--node", "kms-1", "--for", span, "--config", word(&machines.config(0))]);
        assert!(ran.stderr.contains("1 minute to 7 days"), "{}", ran.stderr);
    }

    // A store that cannot be reached costs no token; a directory that is set up neither.
    let config = machines.sites[1].write(
        "astray.toml",
        format!(
            "data_dir = \"{}\"\n[store]\nkind = \"etcd\"\nendpoints = [\"http://127.0.0.1:1\"]\n[cluster]\nnode = \"kms-1\"\n",
            machines.sites[1].data().display()
        ),
    );
    let astray = jomae_with(&["cluster", "join", "--config", word(&config)], token.as_bytes());
    assert!(astray.stderr.contains("the token is still good"), "{}", astray.stderr);
    let set_up =
        jomae_with(&["cluster", "join", "--config", word(&machines.config(0))], machines.token(0, 1).as_bytes());
    assert!(set_up.stderr.contains("the token is for the node kms-1"), "{}", set_up.stderr);

    // It is good once.
    machines.join(1, &token).ok();
    let again = machines.join(1, &token);
    assert!(again.stderr.contains("has been set up"), "{}", again.stderr);
    fs::remove_dir_all(machines.sites[1].data()).unwrap();
    refused(1, &token, "it was used, has expired, or is not of this cluster");

    // Neither what lets in nor what was given is anywhere but where it is meant to be.
    let invitation = URL_SAFE_NO_PAD.decode(token.trim().strip_prefix("jomae-join-1.").unwrap()).unwrap();
    let invitation: Value = serde_json::from_slice(&invitation).unwrap();
    let of_token = STANDARD.decode(invitation["secret"].as_str().unwrap()).unwrap();
    let root_file = fs::read_to_string(first.data.join("root.key")).unwrap();
    let root_text = root_file.lines().max_by_key(|line| line.len()).unwrap();
    let mut secrets = Secrets::default();
    secrets.add("join token", &of_token);
    secrets.add("root key", root_text.as_bytes());
    assert!(!secrets.found_in(root_file.as_bytes()).is_empty(), "what is looked for can be found");
    let is_own = |path: &str, label: &str| path == "root.key" && label.starts_with("root key");
    let (found, bytes) = secrets.found_below(&first.data, is_own);
    assert!(found.is_empty() && bytes > 10_000, "{found:?}");
    for said in [first.stdout(), first.stderr(), first.page("/metrics").unwrap().1] {
        assert!(secrets.found_in(said.as_bytes()).is_empty(), "{said}");
    }
    for key in ["jomae/r/sys/cluster/", "jomae/r/sys/outbox/"] {
        let stored = machines.etcd.control(&["get", "--prefix", key]);
        assert!(secrets.found_in(stored.as_bytes()).is_empty());
    }
    let node = jomae(&["cluster", "status", "--data-dir", word(&machines.sites[2].path("alone"))]);
    assert!(!node.stderr.is_empty());
}

#[test]
fn a_node_without_an_address_is_not_asked_and_asks_nobody_in() {
    let machines = Machines::new(2);
    let config = machines.config_with(0, "", "");
    let first = machines.sites[0].launch().config_at(&config).start();
    let token = jomae(&["cluster", "token", "--node", "kms-1", "--config", word(&config)]);
    assert!(token.stderr.contains("set cluster.listen"), "{}", token.stderr);
    for (cluster, why) in [
        ("listen = \"0.0.0.0:8445\"\n", "say in cluster.address"),
        ("address = \"10.0.0.1:8445\"\n", "which is not set"),
        ("listen = \"127.0.0.1:0\"\naddress = \"0.0.0.0:1\"\n", "that others can reach"),
        ("listen = \"127.0.0.1:0\"\naddress = \"nonsense\"\n", "cluster.address:"),
    ] {
        let ran = machines.sites[1].launch().config_at(&machines.config_with(1, "", cluster)).fails();
        assert!(ran.stderr.contains(why), "{cluster}: {}", ran.stderr);
    }
    drop(first);
}

/// What a process writes to sockets while something happens, as strace sees it: how often to a port.
fn writes_to(server: &Server, port: u16, site: &Site, meanwhile: impl FnOnce()) -> usize {
    let seen = site.path("strace");
    let mut strace = Command::new("strace")
        .args(["-f", "-yy", "-e", "trace=write,writev,sendto,sendmsg,sendmmsg", "-p"])
        .arg(server.pid().as_raw_nonzero().to_string())
        .arg("-o")
        .arg(&seen)
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace, which scripts/setup-tests installs");
    let mut said = BufReader::new(strace.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("attached")), "strace is attached");
    let drained = thread::spawn(move || said.for_each(drop));
    meanwhile();
    rustix::process::kill_process(rustix::process::Pid::from_child(&strace), rustix::process::Signal::INT).unwrap();
    strace.wait().unwrap();
    drained.join().unwrap();
    let to = format!("->127.0.0.1:{port}]");
    fs::read_to_string(&seen).unwrap().lines().filter(|line| line.contains(&to)).count()
}

#[test]
fn the_use_of_a_key_says_nothing_to_etcd() {
    const USES: usize = 1000;
    let machines = Machines::new(1);
    let server = machines.start(0);
    let key = runtime().block_on(create_key(&server.client(), "orders"));
    let port = machines.etcd.client_port(0);
    let site = &machines.sites[0];
    let used = writes_to(&server, port, site, || {
        runtime().block_on(async {
            let client = server.client();
            for _ in 0..USES / 2 {
                let text = encrypt(&client, &key, "c2VjcmV0").await;
                assert_eq!(decrypt(&client, &text).await, "c2VjcmV0");
            }
        });
    });
    // Leases are renewed meanwhile, and what one node does each second is done.
    assert!(used < USES / 3, "{used} writes to etcd during {USES} uses of a key");
    // What does talk to etcd is seen.
    let made = writes_to(&server, port, site, || {
        runtime().block_on(async {
            let client = server.client();
            for n in 0..USES / 10 {
                create_key(&client, &format!("key {n}")).await;
            }
        });
    });
    assert!(made >= USES / 10, "{made} writes to etcd during {} CreateKey", USES / 10);
    println!("{used} writes to etcd during {USES} uses of a key, {made} during {} CreateKey", USES / 10);
}
