//! `jomae user`, `group`, `role` and `session`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use jomae_tests::{Ran, Server, Site, server::read_env};
use serde_json::json;

use super::{key, word};

/// Runs the command line with what a file for the shell says.
fn as_of(file: &Path, words: &[&str]) -> Ran {
    let mut command = jomae_tests::binary::command();
    command.args(words).envs(&read_env(file).unwrap());
    jomae_tests::cli::run(command, b"")
}

fn policy(site: &Site, name: &str, action: &str) -> std::path::PathBuf {
    let document = json!({"Version": "1", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]});
    site.write(name, document.to_string())
}

fn shown(server: &Server, kind: &str, name: &str) -> serde_json::Value {
    server.jomae(&[kind, "show", name, "--output", "json"]).ok().json()
}

#[test]
fn a_colleague_from_start_to_end() {
    let site = Site::default();
    let server = site.start();
    let id = key(&server);
    let (reader, file) = (policy(&site, "describe-keys.json", "kms:DescribeKey"), site.path("ann.env"));
    server.jomae(&["group", "create", "officers"]).ok();
    let words = ["user", "create", "ann", "--policy", word(&reader), "--policy", "AliyunActionTrailReadOnlyAccess"];
    let more = ["--group", "officers", "--display-name", "Ann 安", "--env-file", word(&file)];
    let made = server.jomae(&[&words[..], &more].concat()).ok();
    let settings = read_env(&file).unwrap();
    assert!(made.text().contains(&settings["ALIBABA_CLOUD_ACCESS_KEY_ID"]));
    assert!(!made.text().contains(&settings["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    as_of(&file, &["key", "describe", &id]).ok();
    as_of(&file, &["audit", "search", "--from", "1h"]).ok();
    as_of(&file, &["key", "disable", &id]).failed(3, &["Forbidden.NoPermission"]);
    assert!(as_of(&file, &["session", "whoami"]).ok().text().contains("user/ann"));
    let ann = shown(&server, "user", "ann");
    assert_eq!(ann["User"]["DisplayName"], "Ann 安");
    assert_eq!(ann["Groups"], json!(["officers"]));
    assert_eq!(ann["Policies"].as_array().unwrap().len(), 2);

    // By its group, by a grant, and no longer.
    server
        .jomae(&["group", "grant", "officers", "--policy", word(&policy(&site, "disable.json", "kms:DisableKey"))])
        .ok();
    as_of(&file, &["key", "disable", &id]).ok();
    server.jomae(&["user", "grant", "ann", "--policy", "AliyunKMSCryptoUserAccess"]).ok();
    server.jomae(&["user", "revoke", "ann", "--policy", "AliyunKMSCryptoUserAccess"]).ok();
    server
        .jomae(&["user", "revoke", "ann", "--policy", "disable"])
        .failed(2, &["ann has no policy disable", "describe-keys"]);

    // A second key, and the first is stopped.
    let first = settings["ALIBABA_CLOUD_ACCESS_KEY_ID"].as_str();
    let second = site.path("second.env");
    server.jomae(&["user", "keys", "create", "ann", "--env-file", word(&second)]).ok();
    server.jomae(&["user", "keys", "disable", "ann", first]).ok();
    as_of(&file, &["key", "describe", &id]).failed(3, &["AccessKey"]);
    server.jomae(&["user", "keys", "enable", "ann", first]).ok();
    as_of(&second, &["key", "describe", &id]).ok();
    server.jomae(&["user", "keys", "delete", "ann", first]).failed(2, &["for good", "--yes"]);
    server.jomae(&["user", "keys", "delete", "ann", first, "--yes"]).ok();
    let listed = server.jomae(&["user", "keys", "list", "ann"]).ok();
    assert!(listed.text().starts_with("ACCESS KEY") && listed.text().lines().count() == 2, "{}", listed.text());

    // What hangs on the user is named, and goes with it.
    server.jomae(&["user", "delete", "ann"]).failed(2, &["officers", "describe-keys", "--yes"]);
    as_of(&second, &["key", "describe", &id]).ok();
    server.jomae(&["user", "delete", "ann", "--yes"]).ok();
    as_of(&second, &["key", "describe", &id]).failed(3, &["InvalidAccessKeyId"]);
    assert_eq!(server.jomae(&["user", "list", "--field", "UserName"]).ok().text(), "");
    server.jomae(&["group", "delete", "officers", "-y"]).ok();
    server.jomae(&["user", "delete", "ann", "-y"]).failed(3, &["EntityNotExist.User"]);
}

#[test]
fn what_fails_leaves_nothing() {
    let site = Site::default();
    let server = site.start();
    let file = site.path("bob.env");
    let users = || server.jomae(&["user", "list", "--field", "UserName"]).ok().text().to_owned();
    let policies =
        || server.jomae(&["call", "ListPolicies", "--PolicyType", "Custom", "--query", "length(Policies.Policy)"]).ok();
    let create =
        |words: &[&str]| server.jomae(&[&["user", "create", "bob", "--env-file", word(&file)], words].concat());
    let broken = site.write("broken.json", "{\"Version\": \"1\"}");
    create(&["--policy", word(&broken)]).failed(1, &["broken.json", "no policy"]);
    create(&["--policy", "AliyunKMSReadOnlyAcess"]).failed(2, &["is AliyunKMSReadOnlyAccess meant?"]);
    let reader = policy(&site, "reader.json", "kms:DescribeKey");
    // The user and the policy are there by the time that the group turns out not to be.
    create(&["--policy", word(&reader), "--group", "nobodies"]).failed(3, &["EntityNotExist.Group"]);
    assert_eq!((users().as_str(), policies().text()), ("", "0\n"));
    assert!(!file.exists());
    // The key is made, and no room is left for its file.
    let mut full = std::process::Command::new("sh");
    let program = jomae_tests::binary::command();
    full.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"]).arg(program.get_program());
    full.args(["user", "create", "bob", "--policy", word(&reader), "--env-file", word(&file)]);
    full.envs(server.settings.iter().flatten());
    jomae_tests::cli::run(full, b"").failed(1, &["bob.env", "the access key was deleted again"]);
    assert_eq!((users().as_str(), policies().text(), file.exists()), ("", "0\n", false));
    server.jomae(&["user", "grant", "bob"]).failed(2, &["--policy"]);

    // A policy of the file's name that says something else is not replaced, and one that says the same is used.
    create(&["--policy", word(&reader)]).ok();
    fs::create_dir(site.path("other")).unwrap();
    let other = site.write("other/reader.json", fs::read_to_string(&reader).unwrap().replace("Describe", "Disable"));
    server.jomae(&["user", "grant", "bob", "--policy", word(&other)]).failed(1, &["reader", "another document"]);
    server.jomae(&["group", "create", "readers", "--policy", word(&reader)]).ok();
    assert_eq!(policies().text(), "1\n");
}

#[test]
fn a_role_and_its_session() {
    let site = Site::default();
    let server = site.start();
    let id = key(&server);
    let reader = policy(&site, "reader.json", "kms:DescribeKey");
    let account = server.jomae(&["session", "whoami", "--field", "AccountId"]).ok();
    let account = account.text().trim_end();
    server
        .jomae(&["role", "create", "deploy", "--trust", account, "--policy", word(&reader), "--max-session", "2h"])
        .ok();
    assert_eq!(shown(&server, "role", "deploy")["Role"]["MaxSessionDuration"], 7200);
    // The account itself assumes no role: a user does.
    let user = site.path("ci.env");
    server.jomae(&["user", "create", "ci", "--policy", "AliyunSTSAssumeRoleAccess", "--env-file", word(&user)]).ok();
    let file = site.path("deploy.env");
    let words = ["session", "start", "deploy", "--for", "15m", "--name", "build-7", "--env-file", word(&file)];
    assert!(as_of(&user, &words).ok().text().contains("session build-7 of acs:ram::"));
    as_of(&file, &["key", "describe", &id]).ok();
    as_of(&file, &["key", "disable", &id]).failed(3, &["Forbidden.NoPermission"]);
    assert!(as_of(&file, &["session", "whoami"]).ok().text().contains("deploy/build-7"));
    as_of(&user, &["session", "start", "deploy", "--for", "3h"]).failed(3, &["DurationSeconds"]);
    server.jomae(&["role", "trust", "deploy", "nobody.json"]).failed(1, &["nobody.json"]);
    server.jomae(&["role", "trust", "deploy", &format!("acs:ram::{account}:user/ci")]).ok();
    server.jomae(&["role", "revoke", "deploy", "--policy", "reader"]).ok();
    as_of(&file, &["key", "describe", &id]).failed(3, &["Forbidden.NoPermission"]);
    server.jomae(&["role", "delete", "deploy", "--yes"]).ok();
    assert_eq!(server.jomae(&["role", "list", "--field", "RoleName"]).ok().text(), "");
}
