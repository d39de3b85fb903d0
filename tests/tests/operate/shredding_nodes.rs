//! Destroyed keys and older backups where several nodes share the directories of the shredding keys.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jomae_sim::etcd::Etcd;
use jomae_tests::{
    Server, Site, binary,
    calls::{ask, create_key, decrypt, encrypt},
    cli,
    server::audit_events,
};
use serde_json::Value;

use super::word;

const PLAIN: &str = "aGVsbG8=";
const DAY: i64 = 86_400;
/// Longer than the service waits until calls of before are over, in seconds.
const GRACE: i64 = 700;
/// For what a node looks at every second, and retries after ten; also for a lease to end.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two leaps of the clock.
const LEAP_EVERY: Duration = Duration::from_secs(6);
const NODES: usize = 3;

/// Machines over one etcd, with one clock and one mount for both directories.
struct Machines {
    etcd: Etcd,
    sites: [Site; NODES],
    shared: Site,
}

impl Machines {
    fn new() -> Self {
        let machines = Self { etcd: Etcd::start(), sites: Default::default(), shared: Site::default() };
        machines.set(0);
        machines
    }

    fn set(&self, secs: i64) {
        let new = self.shared.write("clock.new", format!("{secs:+}\n"));
        fs::rename(new, self.shared.path("clock")).unwrap();
    }

    fn destruction(&self, mode: &str, keys: &str) -> String {
        let (keys, escrow, backups) = (self.shared.path(keys), self.shared.path("escrow"), self.shared.path("backups"));
        format!(
            "[destruction]\nmode = \"{mode}\"\nretention_days = 10\nkeys_dir = \"{}\"\nescrow_dir = \"{}\"\n\
             [backup]\nto = \"{}\"\nkeep_days = 10\n",
            word(&keys),
            word(&escrow),
            word(&backups)
        )
    }

    fn config(&self, n: usize, mode: &str, keys: &str) -> PathBuf {
        let (endpoints, destruction) = (self.etcd.endpoints(), self.destruction(mode, keys));
        self.sites[n].write(
            "node.toml",
            format!(
                "data_dir = \"{}\"\n[store]\nkind = \"etcd\"\nendpoints = {endpoints:?}\n[cluster]\nnode = \"kms-{n}\"\n\
                 lease_secs = 3\nlisten = \"127.0.0.1:0\"\n{destruction}",
                word(&self.sites[n].data())
            ),
        )
    }

    fn launch(&self, n: usize, mode: &str, keys: &str) -> jomae_tests::server::Launch<'_> {
        let launch = self.sites[n].launch().config_at(&self.config(n, mode, keys));
        self.faked().iter().fold(launch, |launch, (name, value)| launch.variable(name, value))
    }

    fn faked(&self) -> [(&'static str, String); 4] {
        [
            ("LD_PRELOAD", binary::faketime()),
            ("FAKETIME_TIMESTAMP_FILE", word(&self.shared.path("clock")).to_owned()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    fn start(&self, n: usize, mode: &str) -> Server {
        self.launch(n, mode, "keys").start()
    }

    fn on(&self, n: usize, words: &[&str]) -> cli::Ran {
        let config = self.config(n, "shred", "keys");
        cli::jomae(&[words, &["--config", word(&config)]].concat())
    }

    /// Lets a machine into the cluster by an invitation of the first one.
    fn join(&self, n: usize) {
        let token = self.on(0, &["cluster", "token", "--node", &format!("kms-{n}")]).ok().text().to_owned();
        let mut command = binary::command();
        command.args(["cluster", "join", "--config", word(&self.config(n, "delete", "keys"))]);
        cli::run(command, token.as_bytes()).ok();
        fs::copy(self.sites[0].data().join("env"), self.sites[n].data().join("env")).unwrap();
    }

    fn states(&self, n: usize) -> Vec<(String, String)> {
        let shown = self.on(n, &["shred", "status", "--output", "json"]).ok().json();
        let of = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        shown.as_array().unwrap().iter().map(|row| (of(row, "Key"), of(row, "State"))).collect()
    }

    /// The first shredding key and the one in use, if the first is in this state, as this node tells.
    fn first_is(&self, n: usize, state: &str) -> Result<(String, String), Vec<(String, String)>> {
        let states = self.states(n);
        let in_use = states.iter().find(|(_, state)| state == "InUse");
        match (in_use, states.first()) {
            (Some((in_use, _)), Some((first, is))) if is == state => Ok((first.clone(), in_use.clone())),
            _ => Err(states),
        }
    }

    /// Waits until [`Machines::first_is`] in this state.
    fn wait_for(&self, nodes: &[Server], n: usize, state: &str) -> (String, String) {
        let began = Instant::now();
        loop {
            let states = match self.first_is(n, state) {
                Ok(keys) => return keys,
                Err(states) => states,
            };
            assert!(began.elapsed() < PATIENCE, "{states:?}: the first is not {state}: {}", stderr_of(nodes));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Lets the time pass in which nothing may come under the first shredding key any more. A leap of the clock may cost the
    /// worker its work until the others have told of theirs, and it waits anew from then: so there are several.
    fn wait_until_retired(&self, nodes: &[Server], n: usize, from: i64) {
        let began = Instant::now();
        for leap in 1.. {
            self.set(from + leap * 2 * GRACE);
            let leapt = Instant::now();
            while leapt.elapsed() < LEAP_EVERY {
                let Err(states) = self.first_is(n, "Retired") else { return };
                assert!(began.elapsed() < PATIENCE, "{states:?}: the first is not Retired: {}", stderr_of(nodes));
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Which node does the common work.
    fn worker(&self, asked: usize) -> usize {
        let began = Instant::now();
        loop {
            let shown = self.on(asked, &["cluster", "status", "--output", "json"]).ok().json();
            let nodes = shown.as_array().unwrap();
            let worker = nodes.iter().find(|node| node["Worker"].as_bool() == Some(true));
            if let Some(n) = worker.and_then(|node| node["Node"].as_str()?.strip_prefix("kms-")?.parse().ok()) {
                return n;
            }
            assert!(began.elapsed() < PATIENCE, "{nodes:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// A call by somebody whose clock is that of the machines.
    fn call(&self, server: &Server, action: &str, params: &[(&str, &str)]) -> Result<Value, String> {
        let mut command = binary::command();
        command.args(["call", action, "--output", "json"]);
        command.args(params.iter().flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()]));
        command.envs(server.settings.iter().flatten()).env("JOMAE_ENDPOINT", format!("https://{}", server.listening));
        command.envs(self.faked());
        let ran = cli::run(command, b"");
        if ran.code == Some(0) { Ok(ran.json()) } else { Err(ran.stderr) }
    }

    fn opens(&self, server: &Server, blob: &str) {
        match self.call(server, "Decrypt", &[("CiphertextBlob", blob)]) {
            Ok(answer) => assert_eq!(answer["Plaintext"], PLAIN),
            Err(error) => panic!("{error}: {}", server.stderr()),
        }
    }

    /// What a new key of this node has encrypted.
    fn make(&self, server: &Server) -> String {
        let made = self.call(server, "CreateKey", &[]).unwrap();
        let id = made["KeyMetadata"]["KeyId"].as_str().unwrap();
        let made = self.call(server, "Encrypt", &[("KeyId", id), ("Plaintext", PLAIN)]).unwrap();
        made["CiphertextBlob"].as_str().unwrap().to_owned()
    }

    fn back_up(&self, n: usize) -> String {
        let made = self.on(n, &["backup", "create", "--output", "json"]).ok().json();
        made["Id"].as_str().unwrap().to_owned()
    }
}

/// What the nodes have said.
fn stderr_of(nodes: &[Server]) -> String {
    nodes.iter().map(Server::stderr).collect::<Vec<_>>().join("\n---\n")
}

/// Turns shredding on, node by node; all key versions come under the first shredding key, whose name it gives.
async fn turn_on(machines: &Machines, nodes: &mut [Server], versions: u64) -> String {
    // One that has another directory is not let in, and the others do not notice it.
    for (n, node) in nodes.iter_mut().enumerate() {
        assert_eq!(node.stop(), Some(0));
        if n == 2 {
            let private = machines.shared.path("private");
            fs::create_dir(&private).unwrap();
            let refusal = machines.launch(2, "shred", "private").fails();
            let why =
                "private is not the directory of shredding keys that the other nodes have: there is no jomae-place";
            assert!(refusal.code == Some(1) && refusal.stderr.contains(why), "{}", refusal.stderr);
            assert_eq!(fs::read_dir(&private).unwrap().count(), 0);
        }
        *node = machines.start(n, "shred");
    }
    let (first, in_use) = machines.wait_for(nodes, 2, "InUse");
    assert_eq!(first, in_use);
    let began = Instant::now();
    let rewrapped = |node: &Server| {
        let page = node.page("/metrics").unwrap().1;
        page.lines()
            .find_map(|line| line.strip_prefix("jomae_shredding_versions_rewrapped_total ")?.parse::<u64>().ok())
            .unwrap()
    };
    while nodes.iter().map(rewrapped).sum::<u64>() < versions {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    first
}

/// The directory for use is lost, and enough shares bring it back; the one of before is not taken any more.
fn recovers(machines: &Machines, shares: &Path, key: &str, blob: &str) {
    let keys = machines.shared.path("keys");
    fs::rename(&keys, machines.shared.path("keys-before")).unwrap();
    assert_eq!(machines.launch(0, "shred", "keys").fails().code, Some(1));
    let share = |n: u8| shares.join(format!("share-{n}.txt"));
    let words = ["shred", "recover", "--share", word(&share(1)), "--share", word(&share(2))].map(str::to_owned);
    let told = machines.on(0, &words.each_ref().map(String::as_str));
    assert!(told.code == Some(0) && told.text().contains(key), "{}", told.stderr);
    let mut server = machines.start(0, "shred");
    machines.opens(&server, blob);
    let mut refused = machines.launch(1, "shred", "keys-before").fails();
    assert!(refused.stderr.contains("jomae-place is another one"), "{}", refused.stderr);
    assert_eq!(server.stop(), Some(0));
    refused = machines.on(0, &words.each_ref().map(String::as_str));
    assert_eq!(refused.code, Some(0), "nothing is missing: {}", refused.stderr);
    let is_told = |event: &Value| event["eventName"] == "RecoverShreddingKeys";
    assert!(audit_events(&machines.sites[0].data()).iter().any(is_told));
}

/// Of the backups the older one opens for nobody, and the newer one has what lives.
async fn restores(machines: &Machines, (old, shredded): (&str, &str), (new, blob): (&str, &str)) {
    let (alone, root_key) = (Site::default(), machines.sites[0].data().join("root.key"));
    let toml = machines.destruction("shred", "keys");
    let config = alone.write("alone.toml", &toml);
    let restore = |id: &str| {
        let data = alone.path(id);
        let words = ["restore", "--backup", id, "--root-key", word(&root_key), "--config", word(&config)];
        // Whichever node has made it, the slot of the key file vouches for it.
        cli::jomae(&[&words[..], &["--data-dir", word(&data)]].concat())
    };
    restore(old).failed(1, &[shredded, "was destroyed at", "--accept-shredded"]);
    restore(new).ok();
    let mut restored = alone.launch().config(&toml).data(&alone.path(new)).start();
    if restored.settings.is_none() {
        restored.settings = jomae_tests::server::read_env(&machines.sites[0].data().join("env"));
    }
    assert_eq!(decrypt(&restored.client(), blob).await, PLAIN);
    assert_eq!(restored.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_all_nodes_share_is_gone_for_all_of_them() {
    let machines = Machines::new();
    let mut nodes = vec![machines.start(0, "delete")];
    for n in 1..NODES {
        machines.join(n);
        nodes.push(machines.start(n, "delete"));
    }
    let (lost, kept) = (create_key(&nodes[0].client(), "lost").await, create_key(&nodes[1].client(), "kept").await);
    let of_lost = encrypt(&nodes[0].client(), &lost, PLAIN).await;
    let mut blobs = vec![encrypt(&nodes[1].client(), &kept, PLAIN).await];
    for n in 0..60 {
        let client = nodes[n % NODES].client();
        let key = create_key(&client, &n.to_string()).await;
        blobs.push(encrypt(&client, &key, PLAIN).await);
    }
    // Whichever node is asked, also one that does not do the common work.
    let (other, shares) = ((machines.worker(0) + 1) % NODES, machines.shared.path("shares"));
    machines.on(other, &["shred", "shares", "--open", "2", "--of", "3", "--to", word(&shares)]).ok();

    let first = turn_on(&machines, &mut nodes, 62).await;
    fs::create_dir(machines.shared.path("backups")).unwrap();
    let old = machines.back_up(0);
    ask(&nodes[1].client(), "ScheduleKeyDeletion", &[("KeyId", &lost), ("PendingWindowInDays", "7")]).await;

    // The next month. What any node makes is of use at every other one at once, and a node that is killed while it brings keys
    // along loses none.
    let worker = machines.worker(0);
    machines.set(40 * DAY);
    let (_, second) = machines.wait_for(&nodes, (worker + 1) % NODES, "Leaving");
    nodes[worker].kill();
    for n in (0..NODES).filter(|n| *n != worker) {
        let made = machines.make(&nodes[n]);
        for other in (0..NODES).filter(|other| *other != worker) {
            machines.opens(&nodes[other], &made);
        }
        blobs.push(made);
    }
    let began = Instant::now();
    while machines.worker((worker + 1) % NODES) == worker {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    machines.set(40 * DAY + 10);
    let elsewhere = (worker + 1) % NODES;
    for blob in &blobs {
        machines.opens(&nodes[elsewhere], blob);
    }
    // The new worker waits from when it has taken over.
    machines.wait_until_retired(&nodes, elsewhere, 40 * DAY);
    nodes[worker] = machines.start(worker, "shred");
    for blob in &blobs {
        machines.opens(&nodes[worker], blob);
    }
    let new = machines.back_up(elsewhere);
    machines.set(52 * DAY);
    machines.wait_for(&nodes, worker, "Destroyed");
    let files = [
        machines.shared.path("keys").join(format!("{first}.key")),
        machines.shared.path("escrow").join(format!("{first}.escrow")),
    ];
    let began = Instant::now();
    while files.iter().any(|file| file.exists()) {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(machines.shared.path("keys").join(format!("{second}.key")).exists());
    for server in &nodes {
        for blob in blobs.iter().rev().take(5) {
            machines.opens(server, blob);
        }
        let refused = machines.call(server, "Decrypt", &[("CiphertextBlob", &of_lost)]).unwrap_err();
        assert!(refused.contains("Forbidden.KeyNotFound"), "{refused}");
    }
    for server in &mut nodes {
        assert_eq!(server.stop(), Some(0));
    }
    recovers(&machines, &shares, &second, &blobs[0]);
    machines.set(0);

    restores(&machines, (&old, &first), (&new, &blobs[0])).await;
}
