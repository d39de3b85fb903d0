//! Destroyed keys and older backups: what shares bring back within the time, and what nothing brings back after it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jomae_tests::{
    Server, Site,
    age::Person,
    binary,
    calls::{ask, create_key, decrypt, encrypt, refused},
    cli,
    server::audit_events,
};
use serde_json::Value;

use super::word;

const PLAIN: &str = "aGVsbG8=";
const DAY: i64 = 86_400;
/// Longer than the service waits until calls of before are over, in seconds.
const GRACE: i64 = 700;
/// For what the service looks at every second, and retries after ten.
const PATIENCE: Duration = Duration::from_secs(40);

/// A service that shreds, on a machine whose clock can be set ahead.
struct Machine {
    site: Site,
    clock: PathBuf,
}

impl Machine {
    fn new() -> Self {
        let site = Site::default();
        let clock = site.path("clock");
        let machine = Self { site, clock };
        machine.set(0);
        machine
    }

    fn toml(&self, mode: &str, at: &str) -> String {
        let (keys, escrow) = (self.site.path(&format!("keys{at}")), self.site.path(&format!("escrow{at}")));
        let backups = self.site.path("backups");
        format!(
            "[destruction]\nmode = \"{mode}\"\nretention_days = 10\nkeys_dir = \"{}\"\nescrow_dir = \"{}\"\n\
             [backup]\nto = \"{}\"\nkeep_days = 10\n",
            word(&keys),
            word(&escrow),
            word(&backups)
        )
    }

    /// A file with this configuration.
    fn config(&self, mode: &str, at: &str) -> PathBuf {
        self.site.write(&format!("{mode}{at}.toml"), self.toml(mode, at))
    }

    fn set(&self, secs: i64) {
        let new = self.clock.with_extension("new");
        fs::write(&new, format!("{secs:+}\n")).unwrap();
        fs::rename(new, &self.clock).unwrap();
    }

    fn start(&self, mode: &str) -> Server {
        self.site
            .launch()
            .config(&self.toml(mode, ""))
            .variable("LD_PRELOAD", &binary::faketime())
            .variable("FAKETIME_TIMESTAMP_FILE", self.clock.to_str().unwrap())
            .variable("FAKETIME_NO_CACHE", "1")
            .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .start()
    }

    fn states(&self) -> Vec<(String, String)> {
        let words = ["shred", "status", "--data-dir", word(&self.site.data()), "--output", "json"].map(str::to_owned);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let shown = cli::jomae(&words).ok().json();
        let of = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        shown.as_array().unwrap().iter().map(|row| (of(row, "Key"), of(row, "State"))).collect()
    }

    /// Waits until the first shredding key is in this state. How many come after it depends on the date. Gives the one that
    /// is in use.
    fn wait_for(&self, state: &str) -> String {
        let began = Instant::now();
        loop {
            let states = self.states();
            let in_use = states.iter().find(|(_, state)| state == "InUse");
            if let (Some((id, _)), true) = (in_use, states.first().is_some_and(|(_, first)| first == state)) {
                return id.clone();
            }
            assert!(began.elapsed() < PATIENCE, "{states:?}: the first is not {state}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn on(config: &Path, data: &Path, words: &[&str]) -> cli::Ran {
    cli::jomae(&[words, &["--config", word(config), "--data-dir", word(data)]].concat())
}

fn back_up(config: &Path, data: &Path) -> String {
    let made = on(config, data, &["backup", "create", "--output", "json"]).ok().json();
    made["Id"].as_str().unwrap().to_owned()
}

/// Until the first shredding key is destroyed. Gives the one after it, and a backup that was made under that.
fn let_time_pass(machine: &Machine, server: &mut Server, first: &str) -> (String, String) {
    let (site, config) = (&machine.site, machine.config("shred", ""));
    machine.set(40 * DAY);
    server.wait_for_log("due work done");
    let second = machine.wait_for("Leaving");
    machine.set(40 * DAY + GRACE);
    machine.wait_for("Retired");
    let new = back_up(&config, &site.data());
    machine.set(49 * DAY + GRACE);
    std::thread::sleep(Duration::from_secs(3));
    machine.wait_for("Retired");
    machine.set(51 * DAY + GRACE);
    machine.wait_for("Destroyed");
    let began = Instant::now();
    while site.path("keys").join(format!("{first}.key")).exists()
        || site.path("escrow").join(format!("{first}.escrow")).exists()
    {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(100));
    }
    (second, new)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_key_is_gone_from_older_backups_when_their_time_is_over() {
    let machine = Machine::new();
    let (site, data) = (&machine.site, machine.site.data());
    let mut server = machine.start("delete");
    let (lost, kept) = (create_key(&server.client(), "lost").await, create_key(&server.client(), "kept").await);
    let (of_lost, of_kept) =
        (encrypt(&server.client(), &lost, PLAIN).await, encrypt(&server.client(), &kept, PLAIN).await);
    let shares = site.path("shares");
    let told = on(
        &machine.config("delete", ""),
        &data,
        &["shred", "shares", "--open", "2", "--of", "3", "--to", word(&shares)],
    )
    .ok();
    assert!(told.text().contains("any 2 of them recover"), "{}", told.text());
    assert_eq!(server.stop(), Some(0));

    // Turned on: what is there is brought under the key of this month, and callers notice nothing.
    let mut server = machine.start("shred");
    let rewrapped = |server: &Server| {
        let page = server.page("/metrics").unwrap().1;
        page.lines().any(|line| line == "jomae_shredding_versions_rewrapped_total 2")
    };
    let began = Instant::now();
    while !rewrapped(&server) {
        assert!(began.elapsed() < PATIENCE, "{}", server.page("/metrics").unwrap().1);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(decrypt(&server.client(), &of_lost).await, PLAIN);
    let first = machine.wait_for("InUse");
    let config = machine.config("shred", "");
    fs::create_dir(site.path("backups")).unwrap();
    let old = back_up(&config, &data);
    ask(&server.client(), "ScheduleKeyDeletion", &[("KeyId", &lost), ("PendingWindowInDays", "7")]).await;

    // Within the time, on another machine with what the first one has not taken along: enough shares, and nothing less.
    let elsewhere = site.path("elsewhere");
    let (config_2, root_key) = (machine.config("shred", "-2"), data.join("root.key"));
    fs::create_dir(site.path("escrow-2")).unwrap();
    for entry in fs::read_dir(site.path("escrow")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), site.path("escrow-2").join(entry.file_name())).unwrap();
    }
    let opened = ["--root-key", word(&root_key), "--accept-unknown-log"];
    let restore = |config: &Path, to: &Path, id: &str, more: &[&str]| {
        on(config, to, &[&["restore", "--backup", id], &opened[..], more].concat())
    };
    let told = restore(&config_2, &elsewhere, &old, &[]).ok();
    assert!(told.text().contains(&first) && told.text().contains("jomae shred recover"), "{}", told.text());
    let refusal = site.launch().config(&machine.toml("shred", "-2")).data(&elsewhere).fails();
    refusal.failed(1, &[&first, "jomae shred recover"]);
    let share = |n: u8| shares.join(format!("share-{n}.txt"));
    on(&config_2, &elsewhere, &["shred", "recover", "--share", word(&share(3))])
        .failed(1, &["1 shares of 3", "2 open"]);
    let both = ["shred", "recover", "--share", word(&share(3)), "--share", word(&share(1))].map(str::to_owned);
    let both: Vec<&str> = both.iter().map(String::as_str).collect();
    let told = on(&config_2, &elsewhere, &both).ok();
    assert!(told.text().contains(&first), "{}", told.text());
    let mut again = site.launch().config(&machine.toml("shred", "-2")).data(&elsewhere).start();
    assert_eq!(decrypt(&again.client(), &of_lost).await, PLAIN);
    assert_eq!(decrypt(&again.client(), &of_kept).await, PLAIN);
    assert_eq!(again.stop(), Some(0));
    on(&config, &data, &["drill"]).ok();

    let (second, new) = let_time_pass(&machine, &mut server, &first);
    assert_eq!(server.stop(), Some(0));
    machine.set(0);
    let mut server = machine.start("shred");
    assert_eq!(decrypt(&server.client(), &of_kept).await, PLAIN);
    assert_eq!(
        refused(&server.client(), "Decrypt", &[("CiphertextBlob", &of_lost)]).await.code,
        "Forbidden.KeyNotFound"
    );
    assert_eq!(server.stop(), Some(0));
    let events = audit_events(&data);
    for (name, key) in
        [("DestroyShreddingKey", &first), ("CreateShreddingKey", &second), ("CreateShreddingKey", &first)]
    {
        let is_it = |event: &&Value| event["eventName"] == name && event["requestParameters"]["Key"] == **key;
        assert_eq!(events.iter().filter(is_it).count(), 1, "{name} {key}");
    }

    // The older backup: nobody has the material, whatever he has kept but a copy of the destroyed key.
    let to = site.path("to");
    restore(&config, &to, &old, &[]).failed(1, &["2 key versions", &first, "was destroyed at", "--accept-shredded"]);
    assert!(!to.exists());
    on(&config, &site.path("nowhere"), &[&["drill", "--backup", &old], &opened[..]].concat()).failed(1, &[&first]);
    let told = restore(&config, &to, &old, &["--accept-shredded"]).ok();
    assert!(told.text().contains("is gone for good"), "{}", told.text());
    let mut restored = site.launch().config(&machine.toml("shred", "")).data(&to).start();
    ask(&restored.client(), "DescribeKey", &[("KeyId", &lost)]).await;
    for blob in [&of_lost, &of_kept] {
        let refusal = refused(&restored.client(), "Decrypt", &[("CiphertextBlob", blob)]).await;
        assert_eq!(refusal.status, 500, "{}", refusal.code);
    }
    let made = create_key(&restored.client(), "new").await;
    let of_made = encrypt(&restored.client(), &made, PLAIN).await;
    assert_eq!(decrypt(&restored.client(), &of_made).await, PLAIN);
    assert_eq!(restored.stop(), Some(0));
    assert!(audit_events(&to).iter().any(|event| event["eventName"] == "RestoreWithoutShreddingKeys"));

    // The newer one has what lived when it was made.
    let to = site.path("to-new");
    restore(&config, &to, &new, &[]).ok();
    let mut restored = site.launch().config(&machine.toml("shred", "")).data(&to).start();
    assert_eq!(decrypt(&restored.client(), &of_kept).await, PLAIN);
    assert_eq!(
        refused(&restored.client(), "Decrypt", &[("CiphertextBlob", &of_lost)]).await.code,
        "Forbidden.KeyNotFound"
    );
    assert_eq!(restored.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_keys_are_brought_along_loses_none() {
    let machine = Machine::new();
    let data = machine.site.data();
    let mut server = machine.start("delete");
    let mut blobs = Vec::new();
    for n in 0..120 {
        let key = create_key(&server.client(), &n.to_string()).await;
        blobs.push(encrypt(&server.client(), &key, PLAIN).await);
    }
    let shares = machine.site.path("shares");
    on(&machine.config("delete", ""), &data, &["shred", "shares", "--open", "2", "--of", "3", "--to", word(&shares)])
        .ok();
    server.kill();
    // Turned on and off, and killed at some moment of the start or of the work after it.
    for round in 0..14 {
        let mode = if round % 2 == 0 { "shred" } else { "delete" };
        let launch = machine.site.launch().config(&machine.toml(mode, ""));
        launch.start_and_kill_after(Duration::from_millis(250 + 130 * round));
    }
    let mut server = machine.start("shred");
    let client = server.client();
    for blob in &blobs {
        match client.call("Decrypt", &[("CiphertextBlob", blob)]).await {
            Ok(answer) => assert_eq!(answer["Plaintext"], PLAIN),
            Err(error) => panic!("{error}: {}", server.stderr()),
        }
    }
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_that_are_encrypted_to_people_recover_shredding_keys() {
    let machine = Machine::new();
    let (site, data) = (&machine.site, machine.site.data());
    let mut server = machine.start("delete");
    let key = create_key(&server.client(), "k").await;
    let blob = encrypt(&server.client(), &key, PLAIN).await;
    let (config, dir) = (machine.config("shred", ""), site.path("shares"));
    let person = |n: u8| site.path(&format!("person-{n}"));
    let people = [Person::new(person(1)), Person::new(person(2)), Person::with_ssh_key(person(3))];
    let deal = |recipients: &[&str]| {
        let mut words = vec!["shred", "shares", "--open", "2", "--of", "3", "--to", word(&dir)];
        words.extend(recipients.iter().flat_map(|recipient| ["--recipient", recipient]));
        on(&config, &data, &words)
    };
    let [one, two, three] = people.each_ref().map(|person| person.recipient.as_str());
    deal(&[one, three]).failed(2, &["2 recipients are given for 3 shares"]);
    assert!(!dir.exists());
    deal(&[one, two, three]).ok();
    assert_eq!(server.stop(), Some(0));
    let mut server = machine.start("shred");
    let first = machine.wait_for("InUse");
    assert_eq!(server.stop(), Some(0));

    fs::remove_dir_all(site.path("keys")).unwrap();
    let [a, _, c] = [1, 2, 3].map(|n| dir.join(format!("share-{n}.age")));
    let recover = |identities: &[&Path]| {
        let mut words = vec!["shred", "recover", "--share", word(&a), "--share", word(&c)];
        words.extend(identities.iter().flat_map(|path| ["--identity", word(path)]));
        on(&config, &data, &words)
    };
    recover(&[]).failed(1, &["share-1.age is encrypted with age"]);
    recover(&[&people[0].identity, &people[1].identity]).failed(1, &["share-3.age does not open"]);
    assert!(!site.path("keys").exists());
    assert!(recover(&[&people[2].identity, &people[0].identity]).ok().text().contains(&first));
    let mut server = machine.start("shred");
    assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
    assert_eq!(server.stop(), Some(0));
}
