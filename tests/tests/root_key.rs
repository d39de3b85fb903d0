//! The root key of a running service, and of one that has lost it: `jomae root`, with the built binary.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use jomae_tests::{
    Site,
    age::{Person, ssh_key},
    binary,
    calls::{create_key, decrypt, encrypt},
    cli,
    server::{Server, audit_events},
};

const PLAIN: &str = "aGVsbG8=";

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `jomae root …` on the data directory of a site.
fn root(site: &Site, words: &[&str]) -> cli::Ran {
    let data = site.data();
    let all: Vec<&str> = ["root"].into_iter().chain(words.iter().copied()).chain(["--data-dir", word(&data)]).collect();
    cli::jomae(&all)
}

fn slots(site: &Site) -> Vec<(String, bool)> {
    let shown = root(site, &["status", "--output", "json"]).ok().json();
    let rows = shown.as_array().unwrap_or_else(|| panic!("{shown}"));
    rows.iter().map(|row| (row["Slot"].as_str().unwrap().to_owned(), row["InUse"].as_bool().unwrap())).collect()
}

fn root_id(site: &Site) -> String {
    root(site, &["status", "--field", "RootKeyId"]).ok().text().lines().next().unwrap().to_owned()
}

/// A file that only its owner can read.
fn secret(site: &Site, name: &str, content: &str) -> PathBuf {
    let path = site.write(name, content);
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

fn shares(site: &Site, dir: &str) -> Vec<PathBuf> {
    let dir = site.path(dir);
    (1..=5).map(|n| dir.join(format!("share-{n}.txt"))).collect()
}

async fn used(server: &Server) -> (String, String) {
    let key = create_key(&server.client(), "k").await;
    let blob = encrypt(&server.client(), &key, PLAIN).await;
    (key, blob)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_gets_another_root_key_and_other_slots() {
    let site = Site::default();
    let mut server = site.start();
    let (_, blob) = used(&server).await;
    assert_eq!(slots(&site), [("file".to_owned(), true)]);
    let first = root_id(&site);

    let safe = site.path("safe.key");
    root(&site, &["add", "file", "--name", "safe", "--to", word(&safe)]).ok();
    assert_eq!(root_id(&site), first, "a slot more is no other root key");
    let passphrase = secret(&site, "passphrase", "correct horse battery staple");
    root(&site, &["add", "passphrase", "--from", word(&passphrase)]).ok();
    let told = root(&site, &["add", "shares", "--open", "3", "--of", "5", "--to", word(&site.path("s")), "--qr"]).ok();
    assert!(told.text().contains("any 3 of them open"), "{}", told.text());
    assert!(fs::read_to_string(site.path("s").join("share-5.svg")).unwrap().contains("<svg"));
    root(&site, &["rotate"]).ok();
    assert_ne!(root_id(&site), first);
    assert_eq!(slots(&site).len(), 4);

    // What cannot be done is said, and changes nothing.
    root(&site, &["add", "file", "--name", "safe", "--to", word(&site.path("x.key"))])
        .failed(1, &["slot safe already"]);
    root(&site, &["add", "file", "--name", "y", "--to", word(&safe)]).failed(1, &["safe.key", "exists"]);
    root(&site, &["add", "shares", "--open", "6", "--of", "5", "--to", word(&site.path("t"))])
        .failed(2, &["at most all"]);
    root(&site, &["remove", "file", "--yes"]).failed(1, &["this service was opened by file"]);
    root(&site, &["remove", "hsm", "--yes"]).failed(1, &["no slot hsm"]);
    root(&site, &["remove", "safe"]).failed(2, &["--yes"]);
    let weak = secret(&site, "weak", "horse");
    root(&site, &["add", "passphrase", "--name", "w", "--from", word(&weak)]).failed(1, &["too weak"]);
    assert_eq!(slots(&site).len(), 4);

    assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
    let events: Vec<String> =
        server.audit().iter().map(|event| event["eventName"].as_str().unwrap_or_default().to_owned()).collect();
    for name in ["AddRootKeySlot", "RotateRootKey"] {
        assert!(events.iter().any(|event| event == name), "{name}");
    }
    assert_eq!(server.stop(), Some(0));

    // Each way in, by itself.
    let by = |toml: String| site.launch().config(&toml);
    let list: Vec<String> =
        [1, 3, 4].iter().map(|n| format!("{:?}", site.path("s").join(format!("share-{n}.txt")))).collect();
    for toml in [
        "[root_key]\nprovider = \"file\"\n".to_owned(),
        format!("[root_key]\nprovider = \"file\"\nfile = {safe:?}\n"),
        format!(
            "[root_key]\nprovider = [\"file\", \"passphrase\"]\nfile = \"/nowhere\"\npassphrase_file = {passphrase:?}\n"
        ),
        format!("[root_key]\nprovider = \"shares\"\nshare_files = [{}]\n", list.join(", ")),
    ] {
        let mut server = by(toml).start();
        assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
        assert_eq!(server.stop(), Some(0));
    }
    let two = format!("[root_key]\nprovider = \"shares\"\nshare_files = [{}]\n", list[..2].join(", "));
    by(two).fails().failed(1, &["2 shares of 5 are given, and 3 open"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_bring_back_a_service_whose_root_key_is_lost() {
    let site = Site::default();
    let mut server = site.start();
    let (_, blob) = used(&server).await;
    root(&site, &["add", "shares", "--open", "3", "--of", "5", "--to", word(&site.path("s"))]).ok();
    root(&site, &["add", "shares", "--name", "other", "--open", "2", "--of", "5", "--to", word(&site.path("o"))]).ok();
    assert_eq!(server.stop(), Some(0));
    let key_file = site.data().join("root.key");
    fs::remove_file(&key_file).unwrap();
    site.launch().fails().failed(1, &["root.key is missing"]);

    let (ours, others) = (shares(&site, "s"), shares(&site, "o"));
    let recover = |given: &[&PathBuf]| {
        let mut words = vec!["add", "file", "--name", "new", "--to", word(&key_file)];
        words.extend(given.iter().flat_map(|path| ["--share", word(path)]));
        root(&site, &words)
    };
    let forged = secret(&site, "forged.txt", &fs::read_to_string(&ours[1]).unwrap().replace("share 2", "share 5"));
    for (given, why) in [
        (vec![&ours[0], &ours[1]], "2 shares of 5 are given, and 3 open"),
        (vec![&ours[0], &ours[1], &ours[1]], "share 2 is given twice"),
        (vec![&ours[0], &ours[1], &forged], "is not share 5 as it was handed out"),
        (vec![&ours[0], &ours[1], &others[2]], "share-3.txt is not of the set"),
    ] {
        recover(&given).failed(1, &[why]);
        assert!(!key_file.exists(), "what opens nothing is not left");
    }
    recover(&[&ours[4], &ours[0], &ours[2]]).ok();
    root(&site, &["remove", "file", "--yes"]).ok();
    let mut server = site.start();
    server.wait_for_log("what was changed while no service ran");
    assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
    assert_eq!(server.stop(), Some(0));
    let names: Vec<_> = audit_events(&site.data()).iter().map(|event| event["eventName"].clone()).collect();
    assert!(names.iter().any(|name| name == "RemoveRootKeySlot"), "what was done while it was stopped is on the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_that_are_encrypted_to_people_open_with_their_identities() {
    let site = Site::default();
    let mut server = site.start();
    let (_, blob) = used(&server).await;
    let people = [1, 2, 3].map(|n| Person::new(site.path(&format!("person-{n}.txt"))));
    let dir = site.path("s");
    let add = |recipients: &[&str], more: &[&str]| {
        let mut words = vec!["add", "shares", "--open", "2", "--of", "3", "--to", word(&dir)];
        words.extend(recipients.iter().flat_map(|recipient| ["--recipient", recipient]));
        words.extend(more);
        root(&site, &words)
    };
    let [one, two, three] = people.each_ref().map(|person| person.recipient.as_str());
    add(&[one, two], &[]).failed(2, &["2 recipients are given for 3 shares"]);
    add(&[one, two, two], &[]).failed(2, &[two, "is given twice"]);
    add(&[one, two, "age1nonsense"], &[]).failed(2, &["age1nonsense is not a public key"]);
    add(&[one, two, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE5v"], &[]).failed(2, &["AAAAIE5v is not a public key"]);
    assert_eq!(add(&[one, two, three], &["--qr"]).code, Some(2));
    assert!(!dir.exists());
    add(&[one, two, three], &[]).ok();
    assert_eq!(slots(&site).len(), 2);
    let backups = site.path("backups");
    cli::jomae(&["backup", "create", "--to", word(&backups), "--data-dir", word(&site.data())]).ok();
    assert_eq!(server.stop(), Some(0));

    // What a person gets is what the tool age reads: in its armor, with the share as it would be printed.
    let sealed = [1, 2, 3].map(|n| dir.join(format!("share-{n}.age")));
    let text = fs::read_to_string(&sealed[1]).unwrap();
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"), "{text}");
    assert_ne!(people[0].decrypt(&sealed[1]).code, Some(0), "it is another person's");
    let opened = people[1].decrypt(&sealed[1]).ok();
    assert!(opened.text().starts_with("jomae root share v1\nset "));
    let by_hand = secret(&site, "by-hand.txt", opened.text());

    let key_file = site.data().join("root.key");
    fs::remove_file(&key_file).unwrap();
    let recover = |shares: &[&PathBuf], identities: &[&PathBuf]| {
        let mut words = vec!["add", "file", "--name", "new", "--to", word(&key_file)];
        words.extend(shares.iter().flat_map(|path| ["--share", word(path)]));
        words.extend(identities.iter().flat_map(|path| ["--identity", word(path)]));
        root(&site, &words)
    };
    let [first, second, third] = people.each_ref().map(|person| &person.identity);
    recover(&[&sealed[0], &sealed[2]], &[]).failed(1, &["share-1.age is encrypted with age", "--identity"]);
    recover(&[&sealed[0], &sealed[2]], &[first]).failed(1, &["share-3.age does not open with the identities"]);
    recover(&[&sealed[0], &sealed[2]], &[first, &by_hand]).failed(1, &["by-hand.txt has no private key of age"]);
    let damaged = secret(&site, "damaged.age", &text.replacen("-----\nY", "-----\nZ", 1));
    recover(&[&damaged, &sealed[2]], &[second, third]).failed(1, &["damaged.age does not open"]);
    fs::set_permissions(first, Permissions::from_mode(0o644)).unwrap();
    recover(&[&sealed[0], &sealed[2]], &[first, third]).failed(1, &["the identity of a person", "person-1.txt"]);
    fs::set_permissions(first, Permissions::from_mode(0o600)).unwrap();
    assert!(!key_file.exists());

    // A restore by two people, one of whom has decrypted hers herself.
    let restored = site.path("restored");
    let mut words = vec!["restore", "--from", word(&backups), "--data-dir", word(&restored)];
    words.extend(["--share", word(&by_hand), "--share", word(&sealed[0]), "--identity", word(first)]);
    cli::jomae(&words).ok();
    let mut server = site.launch().data(&restored).start();
    assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
    assert_eq!(server.stop(), Some(0));

    // And by two for whom the tool has encrypted what they had on paper, as bytes and as text.
    let again = [site.path("again-2.age"), site.path("again-1.age")];
    people[1].encrypt(&by_hand, &again[0], &[]);
    let plain = secret(&site, "plain.txt", people[0].decrypt(&sealed[0]).ok().text());
    people[2].encrypt(&plain, &again[1], &["-a"]);
    recover(&[&again[0], &again[1]], &[third, second]).ok();
    let mut server = site.start();
    assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_that_are_encrypted_to_ssh_keys_open_with_these() {
    let site = Site::default();
    let mut server = site.start();
    let (_, blob) = used(&server).await;
    let key = |name: &str| site.path(name);
    let people = [Person::new(key("age")), Person::with_ssh_key(key("id_one")), Person::with_ssh_key(key("id_two"))];
    let dir = site.path("s");
    let add = |recipients: &[&str]| {
        let mut words = vec!["add", "shares", "--open", "2", "--of", "3", "--to", word(&dir)];
        words.extend(recipients.iter().flat_map(|recipient| ["--recipient", recipient]));
        root(&site, &words)
    };
    let [one, two, three] = people.each_ref().map(|person| person.recipient.as_str());
    let renamed = two.replace("somebody@", "another@");
    assert_ne!(renamed, two);
    add(&[one, two, &renamed]).failed(2, &["ssh-ed25519 AAAA", "is given twice"]);
    add(&[one, two, &format!("{three}\n{two}")]).failed(2, &["is not a public key as ssh-keygen", "in one line"]);
    for (name, kind, more) in [("rsa", "ssh-rsa", ["-b", "2048"]), ("ecdsa", "ecdsa-sha2-nistp256", ["-b", "256"])] {
        let line = ssh_key(&key(name), &[&["-t", name, "-N", ""], &more[..]].concat());
        add(&[one, two, &line]).failed(2, &[&format!("SSH keys of the kind {kind} are not taken"), "-t ed25519"]);
    }
    assert!(!dir.exists());
    add(&[one, two, three]).ok();
    assert_eq!(slots(&site).len(), 2);
    let backups = site.path("backups");
    cli::jomae(&["backup", "create", "--to", word(&backups), "--data-dir", word(&site.data())]).ok();
    assert_eq!(server.stop(), Some(0));

    // What the tool age reads with the file that ssh-keygen has made.
    let sealed = [1, 2, 3].map(|n| dir.join(format!("share-{n}.age")));
    let texts = [0, 1, 2].map(|n| people[n].decrypt(&sealed[n]).ok().text().to_owned());
    assert!(texts.iter().all(|text| text.starts_with("jomae root share v1\nset ")), "{texts:?}");
    assert_ne!(people[2].decrypt(&sealed[1]).code, Some(0), "it is another person's");

    let key_file = site.data().join("root.key");
    fs::remove_file(&key_file).unwrap();
    let recover_as = |name: &str, shares: [&PathBuf; 2], identities: &[&PathBuf]| {
        let mut words = vec!["add", "file", "--name", name, "--to", word(&key_file)];
        words.extend(shares.iter().flat_map(|path| ["--share", word(path)]));
        words.extend(identities.iter().flat_map(|path| ["--identity", word(path)]));
        root(&site, &words)
    };
    let recover = |shares, identities: &[&PathBuf]| recover_as("new", shares, identities);
    let [first, second, third] = people.each_ref().map(|person| &person.identity);
    let two_of_ssh = [&sealed[1], &sealed[2]];
    recover(two_of_ssh, &[second]).failed(1, &["share-3.age does not open with the identities"]);
    recover(two_of_ssh, &[second, &key("rsa")]).failed(1, &["rsa: it is of the kind ssh-rsa", "age -d -i"]);
    recover(two_of_ssh, &[second, &key("ecdsa")]).failed(1, &["ecdsa: it is damaged, or no ssh-ed25519 key"]);
    fs::set_permissions(third, Permissions::from_mode(0o644)).unwrap();
    recover(two_of_ssh, &[second, third]).failed(1, &["the identity of a person", "id_two"]);
    fs::set_permissions(third, Permissions::from_mode(0o600)).unwrap();
    let protected = key("protected");
    ssh_key(&protected, &["-t", "ed25519", "-N", "correct horse"]);
    recover(two_of_ssh, &[second, &protected]).failed(1, &["protected: it is protected by a passphrase", "age -d -i"]);
    assert!(!key_file.exists());

    // Two of three, in a restore and where the store stands.
    let restored = site.path("restored");
    let mut words = vec!["restore", "--from", word(&backups), "--data-dir", word(&restored)];
    words.extend(["--share", word(&sealed[0]), "--share", word(&sealed[2]), "--identity", word(third)]);
    words.extend(["--identity", word(first)]);
    cli::jomae(&words).ok();
    recover(two_of_ssh, &[third, second]).ok();
    for data in [&restored, &site.data()] {
        let mut server = site.launch().data(data).start();
        assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
        assert_eq!(server.stop(), Some(0));
    }

    // And what the tool encrypts to the line of ssh-keygen, as bytes and as text.
    fs::remove_file(&key_file).unwrap();
    let again = [site.path("again-2.age"), site.path("again-3.age")];
    people[1].encrypt(&secret(&site, "plain-2.txt", &texts[1]), &again[0], &[]);
    people[2].encrypt(&secret(&site, "plain-3.txt", &texts[2]), &again[1], &["-a", "-r", one]);
    recover_as("newer", [&again[0], &again[1]], &[second, third]).ok();
    let mut server = site.start();
    assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
    assert_eq!(server.stop(), Some(0));
}

/// Another Jomae holds the key of the slot, and can refuse it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_kms_opens_the_store_as_long_as_it_lets_us() {
    let (holder_site, site) = (Site::default(), Site::default());
    let holder = holder_site.start();
    let seal = create_key(&holder.client(), "unseals another").await;
    let toml = format!(
        "[root_key]\nprovider = \"kms\"\n[root_key.kms]\nendpoint = {:?}\nregion = \"cn-hangzhou\"\nkey_id = {seal:?}\n\
         ca_file = {:?}\ncredentials_file = {:?}\n",
        holder.setting("JOMAE_ENDPOINT"),
        holder_site.data().join("ca.pem"),
        holder_site.data().join("env"),
    );
    let launch = || site.launch().config(&toml);
    let mut server = launch().start();
    let (_, blob) = used(&server).await;
    assert_eq!(slots(&site), [("kms".to_owned(), true)]);
    assert_eq!(server.stop(), Some(0));
    assert!(!site.data().join("root.key").exists());

    holder.jomae(&["key", "disable", &seal]).ok();
    launch().fails().failed(1, &["the other KMS", "Rejected.Disabled"]);
    holder.jomae(&["key", "enable", &seal]).ok();
    let mut server = launch().start();
    assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
    assert_eq!(server.stop(), Some(0));
    drop(holder);
    launch().fails().failed(1, &["the other KMS"]);
}

/// The service is killed at some moment of a rotation, and opens with what it had, every time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_cut_off_has_happened_or_not() {
    let site = Site::default();
    let mut server = site.start();
    let (key, blob) = used(&server).await;
    let mut ids = vec![root_id(&site)];
    for round in 0..8 {
        let data = site.data();
        let mut rotating = binary::command();
        rotating.args(["root", "rotate", "--data-dir", word(&data)]);
        let mut rotating = rotating.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(round * 15)).await;
        server.kill();
        let _ = rotating.wait();
        server = site.start();
        let id = root_id(&site);
        if !ids.contains(&id) {
            ids.push(id);
        }
        assert_eq!(decrypt(&server.client(), &blob).await, PLAIN);
        let again = encrypt(&server.client(), &key, PLAIN).await;
        assert_eq!(decrypt(&server.client(), &again).await, PLAIN);
    }
    assert!(ids.len() > 1, "no rotation was done before the kill");
}
