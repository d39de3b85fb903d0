//! `jomae audit`: searching a log, checking it, and proving what it holds.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
};

use jomae_tests::{Ran, Server, Site, binary, cli::jomae, wire};
use serde_json::Value;

use super::{key, word};

/// A data directory with some events, whose service has stopped.
fn stopped(site: &Site) -> Vec<Value> {
    let mut server = site.start();
    let id = key(&server);
    for _ in 0..20 {
        server.jomae(&["key", "describe", &id]).ok();
    }
    assert_eq!(server.stop(), Some(0));
    jomae_tests::server::audit_events(&site.data())
}

/// The one file of events of a log.
fn segment(log: &Path) -> PathBuf {
    log.join(format!("{:020}.jsonl", 0))
}

fn copy(log: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(log).unwrap().flatten() {
        if entry.metadata().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// What somebody does to the lines of a log.
type Damage = fn(&mut Vec<String>);

fn verify(log: &Path, key: &str) -> Ran {
    jomae(&["audit", "verify", "--log", word(log), "--key", key])
}

#[test]
fn a_whole_log_and_a_changed_one() {
    let site = Site::default();
    let events = stopped(&site);
    let data = site.data();
    let log = data.join("audit");
    let key = fs::read_to_string(log.join("key.pub")).unwrap().trim().to_owned();
    let whole = jomae(&["audit", "verify", "--data-dir", word(&data)]).ok();
    assert!(whole.text().contains(&format!("events: {}\n", events.len())), "{}", whole.text());
    assert!(whole.text().contains("the log is intact") && whole.text().contains("lies beside the log"));
    // With a key of one's own, and a checkpoint from before.
    let kept = site.write("kept", jomae(&["audit", "checkpoint", "--log", word(&log)]).ok().stdout);
    let file = site.write("key", format!("{key}\n"));
    for given in [key.as_str(), word(&file)] {
        let words = ["audit", "verify", "--log", word(&log), "--key", given, "--checkpoint", word(&kept)];
        assert!(!jomae(&words).ok().text().contains("lies beside the log"));
    }

    let cases: [(&str, Damage); 5] = [
        ("changed", |lines| lines[7] = lines[7].replace("DescribeKey", "DescribeXey")),
        ("removed", |lines| drop(lines.remove(7))),
        ("inserted", |lines| lines.insert(7, r#"{"eventId":"x"}"#.to_owned())),
        ("reordered", |lines| lines.swap(7, 8)),
        ("cut", |lines| lines.truncate(7)),
    ];
    let text = fs::read_to_string(segment(&log)).unwrap();
    for (kind, damage) in cases {
        let damaged = site.path(kind);
        copy(&log, &damaged);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        damage(&mut lines);
        fs::write(segment(&damaged), lines.join("\n") + "\n").unwrap();
        let ran = verify(&damaged, &key);
        assert!(ran.text().contains("THE LOG IS NOT INTACT"), "{kind}: {}", ran.text());
        let finding = ran.text().lines().find(|line| line.starts_with(&format!("{kind}: ")));
        let finding = finding.unwrap_or_else(|| panic!("{kind}: {}", ran.text()));
        assert!(finding.contains("line 8") && finding.contains("event"), "{finding}");
        ran.failed(1, &["finding", "not intact", kind]);
    }
    // Cut with everything that tells of it: only who has kept a checkpoint can see that.
    let short = site.path("short");
    copy(&log, &short);
    let notes = fs::read_to_string(log.join("checkpoints")).unwrap();
    let first: Vec<&str> = notes.split_inclusive("\n\n").take(2).collect();
    let covered: usize = first[0].lines().nth(1).unwrap().parse().unwrap();
    assert!(covered < events.len(), "there are several checkpoints");
    fs::write(short.join("checkpoints"), first.concat()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').take(covered).collect();
    fs::write(segment(&short), lines.concat()).unwrap();
    fs::OpenOptions::new().write(true).open(short.join("tree/0")).unwrap().set_len(covered as u64 * 32).unwrap();
    verify(&short, &key).ok();
    jomae(&["audit", "verify", "--log", word(&short), "--key", &key, "--checkpoint", word(&kept)])
        .failed(1, &["short"]);
    // The key of another log.
    let other = Site::default();
    stopped(&other);
    let foreign = other.data().join("audit/key.pub");
    verify(&log, word(&foreign)).failed(1, &["not intact"]);
    let none = site.write("none", "no key");
    verify(&log, word(&none)).failed(1, &["verifier key"]);
    verify(&site.path("missing"), &key).failed(1, &["missing"]);
}

#[test]
fn proofs_and_excerpts_verify_elsewhere() {
    let site = Site::default();
    let events = stopped(&site);
    let log = site.data().join("audit");
    let log = ["--log", word(&log)];
    let with = |words: &[&str]| jomae(&[&["audit"], words, &log].concat());
    let key = fs::read_to_string(Path::new(log[1]).join("key.pub")).unwrap();
    let key = ["--key", key.trim()];
    let id = events[5]["eventId"].as_str().unwrap();
    let (proof, by_number) = (site.path("proof"), site.path("by-number"));
    assert!(with(&["prove", id, "--to", word(&proof)]).ok().text().contains("event 5"));
    with(&["prove", "5", "--to", word(&by_number)]).ok();
    assert_eq!(fs::read(&proof).unwrap(), fs::read(&by_number).unwrap());
    assert_eq!(with(&["prove", "5"]).ok().stdout, fs::read(&proof).unwrap());
    with(&["prove", "5", "--to", word(&proof)]).failed(1, &["left as it is"]);
    with(&["prove", "no-such-event"]).failed(1, &["no such event"]);
    let check = |file: &Path| jomae(&[&["audit", "check-proof", word(file)][..], &key].concat());
    let checked = check(&proof).ok();
    assert!(checked.text().starts_with("proven: event 5 of the log jomae-") && checked.text().contains(id));
    let forged = fs::read_to_string(&proof).unwrap().replace("DescribeKey", "DescribeXey");
    check(&site.write("forged", forged)).failed(1, &["forged", "does not lead"]);

    // An older checkpoint, and a receipt.
    let notes = fs::read_to_string(Path::new(log[1]).join("checkpoints")).unwrap();
    let old: Vec<&str> = notes.split_inclusive("\n\n").take(2).collect();
    let old = site.write("old", old.concat().trim_end().to_owned() + "\n");
    let consistent = site.path("consistent");
    assert!(with(&["consistency", word(&old), "--to", word(&consistent)]).ok().text().starts_with("consistent: "));
    assert!(check(&consistent).ok().text().contains(&format!("with {} events begins with", events.len())));

    let excerpt = site.path("excerpt");
    let account = events[5]["userIdentity"]["accountId"].as_str().unwrap();
    let told = with(&["export", "--to", word(&excerpt), "--account", account]).ok();
    let check = |file: &Path| jomae(&[&["audit", "check-export", word(file)][..], &key].concat());
    assert!(told.text().contains("events, numbers"), "{}", told.text());
    assert!(check(&excerpt).ok().text().starts_with("proven, all of them"));
    with(&["export", "--to", word(&excerpt)]).failed(1, &["left as it is"]);
    with(&["export", "--to", "x", "--account", "12"]).failed(2, &["16 digits"]);
    with(&["export", "--to", "x", "--from", "yesterday"]).failed(2, &["yesterday"]);
    let text = fs::read_to_string(&excerpt).unwrap();
    let forged: Vec<&str> = text.lines().take(1).chain(text.lines().skip(3)).collect();
    check(&site.write("shorter", forged.join("\n") + "\n")).ok();
    check(&site.write("changed", text.replacen("DescribeKey", "DescribeXey", 1))).failed(1, &["changed", "line"]);
    let all = with(&["export", "--to", "-"]).ok();
    assert_eq!(all.text().lines().count(), events.len() + 1);
}

#[test]
fn receipts_are_kept() {
    let site = Site::default();
    let mut server = site.start();
    let request = wire::with_header(&wire::signed(&server, "kms.example", "ListKeys", &[]), "x-jomae-receipt: true");
    let answer = wire::Wire::tls(&server).ask(request);
    let receipt = answer.header("x-jomae-receipt").expect("a receipt").to_owned();
    let index = answer.header("x-jomae-audit-index").expect("a place").to_owned();
    assert_eq!(server.stop(), Some(0));
    let log = site.data().join("audit");
    let key = fs::read_to_string(log.join("key.pub")).unwrap();
    let kept = jomae(&["audit", "receipt", &receipt, "--log", word(&log)]).ok();
    assert!(kept.text().starts_with(&format!("kept: event {index} ")), "{}", kept.text());
    let file = site.write("receipt", format!("{receipt}\n"));
    let proof = site.path("proof");
    jomae(&["audit", "prove", &index, "--to", word(&proof), "--log", word(&log)]).ok();
    let at = format!("@{}", word(&file));
    jomae(&["audit", "receipt", &at, "--proof", word(&proof), "--key", key.trim()]).ok();
    jomae(&["audit", "receipt", &at, "--proof", word(&proof)]).failed(2, &["--key"]);
    // A log that has another event there does not keep it.
    let changed = site.path("changed");
    copy(&log, &changed);
    let tree = changed.join("tree/0");
    let mut leaves = fs::read(&tree).unwrap();
    let place = index.parse::<usize>().unwrap() * 32;
    leaves[place] ^= 1;
    fs::write(&tree, leaves).unwrap();
    jomae(&["audit", "receipt", &receipt, "--log", word(&changed)]).failed(1, &["does not keep the receipt"]);
    jomae(&["audit", "receipt", "nonsense", "--log", word(&log)]).failed(1, &["not a receipt"]);
    jomae(&["audit", "receipt", word(&file), "--log", word(&log)]).failed(2, &["is a file", &at]);
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn search_finds_every_page() {
    let site = Site::default();
    let server = site.start();
    let (one, two) = (key(&server), key(&server));
    for _ in 0..60 {
        server.jomae(&["key", "describe", &one]).ok();
    }
    server.jomae(&["key", "describe", &two]).ok();
    let search = |words: &[&str]| -> Vec<Value> {
        let found = server.jomae(&[&["audit", "search", "--output", "json"], words].concat());
        serde_json::from_slice(&found.stdout).unwrap()
    };
    let described = search(&["--event-name", "DescribeKey"]);
    assert_eq!(described.len(), 61, "more than a page");
    assert_eq!(described[0]["referencedResources"]["ACS::KMS::Key"][0], two, "the newest first");
    assert_eq!(search(&["--event-name", "DescribeKey", "--key", &two]).len(), 1);
    let id = described[9]["eventId"].as_str().unwrap();
    assert_eq!(search(&["--event-id", id]), [described[9].clone()]);
    let access_key = server.setting("ALIBABA_CLOUD_ACCESS_KEY_ID");
    assert_eq!(search(&["--access-key", access_key, "--event-name", "CreateKey"]).len(), 2);
    assert_eq!(search(&["--user", "root", "--event-name", "CreateKey"]).len(), 2);
    let none = server.jomae(&["audit", "search", "--user", "nobody"]);
    assert_eq!((none.code, none.text(), none.stderr.as_str()), (Some(0), "", "jomae: no events\n"));
    assert_eq!(search(&["--event-name", "CreateKey", "--until", "2020-01-01T00:00:00Z"]).len(), 0);
    assert_eq!(search(&["--event-name", "CreateKey", "--from", "2020-01-01T00:00:00Z"]).len(), 2);
    let told = server.jomae(&["audit", "search", "--event-id", id]).ok();
    assert!(told.text().starts_with("TIME "), "{}", told.text());
    let row: Vec<&str> = told.text().lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((&row[1..5], row[6]), (&["DescribeKey", "root", "127.0.0.1", "ok"][..], id));
    let ids = server.jomae(&["audit", "search", "--event-name", "DescribeKey", "--field", "eventId"]).ok();
    assert_eq!(ids.text().lines().count(), 61);
    assert!(ids.text().lines().any(|line| line == id));
    let hour = ["audit", "search", "--event-name", "CreateKey", "--from", "1h", "--query", "length(@)"];
    assert_eq!(server.jomae(&hour).ok().text(), "2\n");
    let three = ["audit", "search", "--user", "a", "--key", "b", "--event-id", "c"];
    server.jomae(&three).failed(2, &["at most two"]);
    server.jomae(&["audit", "search", "--from", "yesterday"]).failed(2, &["yesterday"]);
    server.jomae(&["audit", "search", "--event-name", "decrypt"]).failed(2, &["is Decrypt meant?"]);
    // A key is found by its alias as by its ID.
    server.jomae(&["alias", "create", "two", &two]).ok();
    server.jomae(&["call", "DescribeKey", "--KeyId", "alias/two"]).ok();
    for name in ["alias/two", "two"] {
        assert!(search(&["--key", name, "--event-name", "DescribeKey"]).len() >= 2, "{name}");
    }
}

/// Follows a log until three more lines have come.
fn follow(server: &Server, words: &[&str], act: impl Fn()) -> Vec<Value> {
    let mut command = binary::command();
    command.args(words).envs(server.settings.iter().flatten()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let mut found = vec![next()];
    act();
    found.extend((0..3).map(|_| next()));
    child.kill().unwrap();
    child.wait().unwrap();
    found
}

#[test]
fn tail_shows_the_newest_and_follows() {
    let site = Site::default();
    let server = site.start();
    let id = key(&server);
    for _ in 0..12 {
        server.jomae(&["call", "DescribeKey", "--KeyId", &id]).ok();
    }
    let names = |events: &[Value]| -> Vec<String> {
        events.iter().map(|event| event["eventName"].as_str().unwrap().to_owned()).collect()
    };
    let tail = lines(&server.jomae(&["audit", "tail", "--output", "json", "-n", "3"]).ok());
    assert_eq!(names(&tail), ["DescribeKey"; 3]);
    assert!(tail.windows(2).all(|pair| pair[0]["eventTime"].as_str() <= pair[1]["eventTime"].as_str()));
    let log = site.data().join("audit");
    let files = ["audit", "tail", "--output", "json", "--log", word(&log)];
    assert_eq!(lines(&jomae(&files).ok()).len(), 10);
    assert_eq!(lines(&jomae(&[&files[..], &["-n", "2"]].concat()).ok()).len(), 2);
    let act = || {
        for _ in 0..3 {
            server.jomae(&["key", "disable", &id]).ok();
        }
    };
    for words in
        [&["audit", "tail", "-f", "--output", "json", "-n", "1"][..], &[&files[..], &["-f", "-n", "1"]].concat()]
    {
        let found = follow(&server, words, act);
        assert_eq!(names(&found)[1..], ["DisableKey"; 3], "{words:?}");
    }
}

#[test]
fn temporary_credentials_on_the_command_line() {
    let site = Site::default();
    let server = site.start();
    let call = |words: &[&str]| server.jomae(&[&["call"], words].concat()).ok().json();
    let who = call(&["GetCallerIdentity"]);
    let account = who["AccountId"].as_str().unwrap();
    let trust = format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"RAM":["acs:ram::{account}:root"]}}}}]}}"#
    );
    call(&["CreateRole", "--RoleName", "reader", "--AssumeRolePolicyDocument", &trust]);
    let policy = ["--PolicyType", "System", "--PolicyName", "AliyunKMSReadOnlyAccess", "--RoleName", "reader"];
    call(&[&["AttachPolicyToRole"], &policy[..]].concat());
    call(&["CreateUser", "--UserName", "ann"]);
    let policy = ["--PolicyType", "System", "--PolicyName", "AliyunSTSAssumeRoleAccess", "--UserName", "ann"];
    call(&[&["AttachPolicyToUser"], &policy[..]].concat());
    let made = call(&["CreateAccessKey", "--UserName", "ann"]);
    let run = |credentials: &Value, token: Option<&str>, words: &[&str]| {
        let mut command = binary::command();
        command.args(words).envs(server.settings.iter().flatten());
        for (variable, member) in
            [("ALIBABA_CLOUD_ACCESS_KEY_ID", "AccessKeyId"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "AccessKeySecret")]
        {
            command.env(variable, credentials[member].as_str().unwrap());
        }
        if let Some(token) = token {
            command.env("ALIBABA_CLOUD_SECURITY_TOKEN", token);
        }
        jomae_tests::cli::run(command, b"")
    };
    let role = format!("acs:ram::{account}:role/reader");
    let assume = ["call", "AssumeRole", "--RoleArn", &role, "--RoleSessionName", "here"];
    let session = run(&made["AccessKey"], None, &assume).ok().json()["Credentials"].clone();
    let token = session["SecurityToken"].as_str().unwrap();
    run(&session, Some(token), &["key", "list"]).ok();
    run(&session, Some(token), &["key", "create"]).failed(3, &["Forbidden.NoPermission"]);
    run(&session, None, &["key", "list"]).failed(3, &["MissingSecurityToken"]);
    run(&session, None, &["key", "list", "--security-token", token]).ok();
}
