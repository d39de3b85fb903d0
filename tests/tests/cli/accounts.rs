//! `jomae account`: with a service and without.

use std::{fs, os::unix::fs::PermissionsExt as _};

use jomae_tests::{Ran, Server, Site, cli::jomae, server::read_env};

use super::word;

/// The columns of what `account create` shows.
fn shown(ran: &Ran) -> Vec<&str> {
    ran.text().lines().map(|line| line.rsplit(' ').next().unwrap()).collect()
}

/// Runs the command line as another account.
fn as_account(server: &Server, key: &[&str], words: &[&str]) -> Ran {
    let mut command = jomae_tests::binary::command();
    command.args(words).envs(server.settings.iter().flatten());
    command.env("ALIBABA_CLOUD_ACCESS_KEY_ID", key[1]).env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key[2]);
    jomae_tests::cli::run(command, b"")
}

#[test]
fn a_tenant_of_its_own() {
    let site = Site::default();
    let mut server = site.start();
    let data = site.data();
    let place = ["--data-dir", word(&data)];
    let with = |words: &[&str]| jomae(&[words, &place].concat());
    server.jomae(&["key", "create"]).ok();
    let made = with(&["account", "create", "--name", "Müller & Söhne"]).ok();
    let key = shown(&made);
    assert_eq!((key.len(), key[0].len(), key[2].len()), (3, 16, 30), "{}", made.text());
    let listed = as_account(&server, &key, &["key", "list", "--output", "json"]).ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 0, "nothing of another account is seen");
    as_account(&server, &key, &["key", "create"]).ok();

    let json = with(&["account", "key", key[0], "--output", "json"]).ok().json();
    assert_eq!(json["Account"], key[0]);
    let second = [key[0], json["AccessKeyId"].as_str().unwrap(), json["AccessKeySecret"].as_str().unwrap()];
    let listed = as_account(&server, &second, &["key", "list", "--output", "json"]).ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let listed = with(&["account", "list"]).ok();
    assert!(listed.text().starts_with("ACCOUNT"), "{}", listed.text());
    assert!(listed.text().lines().any(|line| line.starts_with(key[0]) && line.ends_with("Müller & Söhne")));

    // The same while no service runs.
    assert_eq!(server.stop(), Some(0));
    let offline = with(&["account", "create", "--name", "offline"]).ok();
    let listed = with(&["account", "list", "--output", "json"]).ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let server = site.start();
    let events = server.audit();
    let made: Vec<_> = events.iter().filter(|event| event["eventName"] == "CreateAccount").collect();
    assert_eq!(made.len(), 2);
    assert_eq!(made[1]["userIdentity"]["accountId"], shown(&offline)[0]);
    assert_eq!(made[1]["userIdentity"]["userName"], "operator");
    as_account(&server, &shown(&offline), &["key", "list"]).ok();
    // The tenant finds in its own log what the operator did for it.
    let found = as_account(&server, &key, &["audit", "search", "--user", "operator", "--output", "json"]).ok();
    let names: Vec<&str> =
        found.text().lines().filter(|line| line.contains("\"eventName\": \"CreateAccount")).collect();
    assert_eq!(names.len(), 2, "{}", found.text());
}

#[test]
fn a_tenant_that_leaves() {
    let site = Site::default();
    let server = site.start();
    let data = site.data();
    let with = |words: &[&str]| jomae(&[words, &["--data-dir", word(&data)]].concat());
    let made = with(&["account", "create", "--name", "tenant"]).ok();
    let key = shown(&made);
    let account = key[0];
    let cmk = as_account(&server, &key, &["key", "create"]).ok().text().trim_end().to_owned();
    let file = site.path("ann.env");
    let create = ["user", "create", "ann", "--policy", "AliyunKMSFullAccess", "--policy", "AliyunSTSAssumeRoleAccess"];
    as_account(&server, &key, &[&create[..], &["--env-file", word(&file)]].concat()).ok();
    let policy =
        site.write("mine.json", r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}"#);
    as_account(&server, &key, &["role", "create", "deploy", "--trust", account, "--policy", word(&policy)]).ok();
    let as_env = |file: &std::path::Path, words: &[&str]| {
        let mut command = jomae_tests::binary::command();
        command.args(words).envs(&read_env(file).unwrap());
        jomae_tests::cli::run(command, b"")
    };
    let session = site.path("session.env");
    as_env(&file, &["session", "start", "deploy", "--env-file", word(&session)]).ok();
    as_env(&session, &["key", "list"]).ok();

    // No two accounts have the same name.
    with(&["account", "create", "--name", "tenant"]).failed(1, &[account, "this name"]);
    with(&["account", "rename", account, "default"]).failed(1, &["this name"]);
    with(&["account", "rename", account, "tenant seven"]).ok();
    let named = |name: &str| {
        let query = format!("[?Name=='{name}'].State");
        with(&["account", "list", "--query", &query]).ok().text().to_owned()
    };
    assert_eq!((named("tenant").as_str(), named("tenant seven").as_str()), ("", "Enabled\n"));
    let second = with(&["account", "create", "--name", "tenant"]).ok();
    let other = shown(&second);

    // Shut: for the account itself, its users and its sessions, and nobody else.
    with(&["account", "delete", account, "--yes"]).failed(1, &["not disabled"]);
    with(&["account", "disable", account]).ok();
    assert_eq!(named("tenant seven"), "Disabled\n");
    as_account(&server, &key, &["key", "list"]).failed(3, &["InvalidAccessKeyId.Inactive"]);
    as_env(&file, &["key", "list"]).failed(3, &["InvalidAccessKeyId.Inactive"]);
    as_env(&session, &["key", "list"]).failed(3, &["InvalidAccessKeyId.Inactive"]);
    as_account(&server, &other, &["key", "list"]).ok();
    with(&["account", "enable", account]).ok();
    as_env(&session, &["key", "list"]).ok();

    // Gone: only without keys, and with everything else.
    with(&["account", "disable", account]).ok();
    with(&["account", "delete", account, "--yes"]).failed(1, &[&cmk, "cn-hangzhou", "schedule their deletion"]);
    let lonely = other[0];
    let user = site.path("bob.env");
    as_account(&server, &other, &["user", "create", "bob", "--env-file", word(&user)]).ok();
    with(&["account", "disable", lonely]).ok();
    with(&["account", "delete", lonely]).failed(2, &["--yes"]);
    with(&["account", "delete", lonely, "--yes"]).ok();
    as_account(&server, &other, &["key", "list"]).failed(3, &["InvalidAccessKeyId.NotFound"]);
    as_env(&user, &["key", "list"]).failed(3, &["InvalidAccessKeyId.NotFound"]);
    assert!(!with(&["account", "list"]).ok().text().contains(lonely));
    with(&["account", "delete", lonely, "--yes"]).failed(1, &["no account"]);
    with(&["account", "create", "--name", "tenant"]).ok();
    let events = server.audit();
    let count = |name: &str| events.iter().filter(|event| event["eventName"] == name).count();
    assert_eq!(
        ["RenameAccount", "DisableAccount", "EnableAccount", "DeleteAccount"].map(count),
        [1, 3, 1, 1],
        "each change is an event"
    );
}

#[test]
fn a_file_for_the_shell() {
    let site = Site::default();
    let server = site.start();
    let data = site.data();
    let place = ["--data-dir", word(&data)];
    let file = site.path("tenant.env");
    let with = |words: &[&str]| jomae(&[words, &["--env-file", word(&file)], &place].concat());
    let made = with(&["account", "create", "--name", "tenant"]).ok();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let settings = read_env(&file).unwrap();
    let secret = &settings["ALIBABA_CLOUD_ACCESS_KEY_SECRET"];
    assert!(!made.text().contains(secret.as_str()), "the secret is shown in one place");
    assert_eq!(settings["JOMAE_ENDPOINT"], format!("https://{}", server.listening));
    assert_ne!(settings["ALIBABA_CLOUD_ACCESS_KEY_ID"], server.setting("ALIBABA_CLOUD_ACCESS_KEY_ID"));
    let mut command = jomae_tests::binary::command();
    command.args(["key", "create"]).envs(&settings);
    jomae_tests::cli::run(command, b"").ok();

    // A shell that worked with temporary credentials has this account's after it, not half of each.
    for file in [&file, &data.join("env")] {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-euc", ". \"$1\"; echo \"${ALIBABA_CLOUD_SECURITY_TOKEN-none}\"", "sh"]).arg(file);
        let output = shell.env("ALIBABA_CLOUD_SECURITY_TOKEN", "of a session").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "none\n", "{}", file.display());
    }

    // What is there is left alone, and no key is made for nothing.
    let events = server.audit().len();
    with(&["account", "create", "--name", "again"]).failed(1, &["tenant.env", "no key was made"]);
    assert_eq!(server.audit().len(), events);
    assert_eq!(fs::read_to_string(&file).unwrap().matches("SECRET").count(), 1);
    // A refusal leaves no file behind.
    let other = site.path("other.env");
    let words = ["account", "key", "1234567890123456", "--env-file", word(&other)];
    jomae(&[&words[..], &place].concat()).failed(1, &["1234567890123456"]);
    assert!(!other.exists());
}

#[test]
fn mistakes() {
    let site = Site::default();
    let missing = site.path("missing");
    jomae(&["account", "list", "--data-dir", word(&missing)]).failed(1, &["there is no store", "--data-dir"]);
    let _server = site.start();
    let data = site.data();
    let place = ["--data-dir", word(&data)];
    jomae(&[&["account", "create", "--name", ""][..], &place].concat()).failed(1, &["characters"]);
    jomae(&[&["account", "key", "12"][..], &place].concat()).failed(1, &["16 digits"]);
    // Without its socket a running service is named.
    fs::remove_file(data.join("operator.sock")).unwrap();
    jomae(&[&["account", "list"][..], &place].concat()).failed(4, &["has the store open", "operator.sock"]);
}

#[test]
fn nobody_else_reaches_the_socket() {
    let site = Site::default();
    let mut server = site.start();
    let socket = site.data().join("operator.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(site.data()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(server.stop(), Some(0));
    assert!(!socket.exists());
    // A kill leaves it behind, which the next start does not mind.
    let mut server = site.start();
    server.kill();
    assert!(socket.exists());
    let data = site.data();
    jomae(&["account", "list", "--data-dir", word(&data)]).ok();
    let _server = site.start();
    jomae(&["account", "list", "--data-dir", word(&data)]).ok();
}
