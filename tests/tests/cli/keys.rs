//! `jomae key` and `jomae alias`.

use jomae_tests::{Ran, Site, server::create_key};
use serde_json::Value;

use super::key;

/// The columns of a table, row by row, without its head.
fn rows(ran: &Ran) -> Vec<Vec<&str>> {
    ran.text().lines().skip(1).map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn a_key_through_its_life() {
    let site = Site::default();
    let server = site.start();
    let done = |words: &[&str]| assert_eq!(server.jomae(words).ok().text(), "");
    let described = |name: &str| server.jomae(&["key", "describe", name]).ok().json()["KeyMetadata"].clone();

    let words =
        ["key", "create", "--description", "orders database", "--alias", "alias/orders", "--rotate-every", "365d"];
    let made = server.jomae(&words).ok();
    let id = made.text().trim_end();
    let found = described("alias/orders");
    assert_eq!(found["KeyId"], id);
    assert_eq!(found["Description"], "orders database");
    assert_eq!(found["AutomaticRotation"], "Enabled");
    assert_eq!(found["RotationInterval"], "31536000s");

    done(&["key", "set-description", id, "new words"]);
    assert_eq!(described(id)["Description"], "new words");
    done(&["key", "disable", id]);
    assert_eq!(described(id)["KeyState"], "Disabled");
    done(&["key", "enable", id]);
    assert_eq!(described(id)["KeyState"], "Enabled");

    done(&["key", "protect", id, "--reason", "in use"]);
    assert_eq!(described(id)["DeletionProtectionDescription"], "in use");
    server.jomae(&["key", "schedule-deletion", id]).failed(3, &["Rejected.DeletionProtected", "request id"]);
    done(&["key", "unprotect", id]);
    let planned = server.jomae(&["key", "schedule-deletion", id, "--days", "7"]).ok().json();
    assert_eq!(planned["KeyMetadata"]["KeyState"], "PendingDeletion");
    assert_ne!(planned["KeyMetadata"]["DeleteDate"], "");
    done(&["key", "cancel-deletion", id]);
    assert_eq!(described(id)["KeyState"], "Enabled");
    assert_eq!(server.jomae(&["key", "schedule-deletion", id, "--days", "6"]).code, Some(2));
    assert_eq!(server.jomae(&["key", "schedule-deletion", id, "--days", "367"]).code, Some(2));
}

#[test]
fn aliases() {
    let site = Site::default();
    let server = site.start();
    let (one, two) = (key(&server), key(&server));
    let done = |words: &[&str]| assert_eq!(server.jomae(words).ok().text(), "");
    done(&["alias", "create", "alias/a", &one]);
    done(&["alias", "create", "alias/b", &one]);
    let all = server.jomae(&["alias", "list"]).ok();
    assert!(all.text().starts_with("ALIAS"), "{}", all.text());
    assert_eq!(rows(&all), [["alias/a", &one], ["alias/b", &one]]);
    done(&["alias", "update", "alias/b", &two]);
    assert_eq!(rows(&server.jomae(&["alias", "list", &two]).ok()), [["alias/b", &two]]);
    done(&["alias", "delete", "alias/a"]);
    let all = server.jomae(&["alias", "list", "--output", "json"]).ok().json();
    let names: Vec<&Value> = all.as_array().unwrap().iter().map(|row| &row["AliasName"]).collect();
    assert_eq!(names, ["alias/b"]);
    server.jomae(&["alias", "create", "alias/b", &one]).failed(3, &["AliasAlreadyExists", "request id"]);
    server.jomae(&["alias", "delete", "alias/a"]).failed(3, &["Forbidden.AliasNotFound"]);
    // The key was made, and is not lost with the alias that could not be.
    let half = server.jomae(&["key", "create", "--alias", "alias/b"]);
    let id = half.stderr.split(' ').nth(3).unwrap().to_owned();
    half.failed(1, &["was made", "AliasAlreadyExists"]);
    server.jomae(&["key", "describe", &id]).ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_show_every_page() {
    let site = Site::default();
    let server = site.start();
    let client = server.client();
    let mut ids = Vec::new();
    for n in 0..103 {
        ids.push(create_key(&client, &format!("key {n}")).await);
    }
    assert_eq!(server.jomae(&["key", "disable", &ids[50]]).ok().text(), "");
    ids.sort();
    let table = server.jomae(&["key", "list"]).ok();
    assert!(table.text().starts_with("KEY "), "{}", table.text());
    let mut found: Vec<&str> = rows(&table).iter().map(|row| row[0]).collect();
    found.sort_unstable();
    assert_eq!(found, ids);
    let json = server.jomae(&["key", "list", "--output", "json"]).ok().json();
    assert_eq!(json.as_array().unwrap().len(), 103);
    let disabled = server.jomae(&["key", "list", "--state", "Disabled"]).ok();
    let disabled = rows(&disabled);
    assert_eq!(disabled.len(), 1);
    assert_eq!(disabled[0][1], "Disabled");
}
