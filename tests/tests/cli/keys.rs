//! `jomae key` and `jomae alias`.

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_tests::{Ran, Site, calls::create_key, cli::jomae, random};
use serde_json::Value;

use super::{key, word};

/// The columns of a table, row by row, without its head.
fn rows(ran: &Ran) -> Vec<Vec<&str>> {
    ran.text().lines().skip(1).map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn a_key_through_its_life() {
    let site = Site::default();
    let server = site.start();
    let done = |words: &[&str]| assert_eq!(server.jomae(words).ok().text(), "");
    let described =
        |name: &str| server.jomae(&["key", "describe", name, "--output", "json"]).ok().json()["KeyMetadata"].clone();

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
    let ran = server.jomae(&["key", "schedule-deletion", id, "--yes"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("jomae: Rejected.DeletionProtected") && ran.stderr.contains("request id"));
    done(&["key", "unprotect", id]);
    // Who condemns a key is told whether it was used.
    let words = ["key", "schedule-deletion", id, "--days", "7", "--output", "json"];
    let asked = server.jomae(&words);
    assert_eq!(asked.code, Some(2), "nobody can be asked, and nobody confirmed it");
    assert!(asked.stderr.contains("never used") && asked.stderr.contains("--yes"), "{}", asked.stderr);
    assert_eq!(described(id)["KeyState"], "Enabled");
    let planned = server.jomae(&[&words[..], &["--yes"]].concat());
    assert_eq!((planned.code, planned.stderr), (Some(0), format!("jomae: {id}: never used\n")));
    let planned: Value = serde_json::from_slice(&planned.stdout).unwrap();
    assert_eq!(planned["KeyMetadata"]["KeyState"], "PendingDeletion");
    assert_ne!(planned["KeyMetadata"]["DeleteDate"], "");
    done(&["key", "cancel-deletion", id]);
    assert_eq!(described(id)["KeyState"], "Enabled");
    assert_eq!(server.jomae(&["key", "schedule-deletion", id, "--days", "6"]).code, Some(2));
    assert_eq!(server.jomae(&["key", "schedule-deletion", id, "--days", "367"]).code, Some(2));
}

#[test]
fn versions_and_usage() {
    let site = Site::default();
    let server = site.start();
    let id = key(&server);
    assert_eq!(server.jomae(&["key", "usage", &id]).ok().text(), "never used\n");
    let made = server.jomae(&["key", "rotate", &id, "--output", "json"]).ok().json();
    let version = made["KeyVersion"]["KeyVersionId"].as_str().unwrap();
    let listed = server.jomae(&["key", "versions", &id]).ok();
    assert!(listed.text().starts_with("VERSION"), "{}", listed.text());
    let listed = rows(&listed);
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0][0], version, "the newest is the first");
    server.jomae(&["call", "Encrypt", "--KeyId", &id, "--Plaintext", "aGVsbG8="]).ok();
    // The counts are a few seconds behind.
    while server.jomae(&["key", "usage", &id]).ok().text() == "never used\n" {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(server.jomae(&["key", "usage", &id]).ok().text().contains("LastUsed"));
}

#[test]
fn material_of_ones_own() {
    let site = Site::default();
    let server = site.start();
    let material = site.write("material", random::bytes(32));
    let external = || {
        let made = server.jomae(&["key", "create", "--external"]).ok();
        made.text().trim_end().to_owned()
    };
    let state = |id: &str| {
        server.jomae(&["key", "describe", id, "--output", "json"]).ok().json()["KeyMetadata"]["KeyState"].clone()
    };
    for wrapping in ["RSA_2048", "EC_SM2"] {
        let id = external();
        assert_eq!(state(&id), "PendingImport");
        let words = ["key", "import", &id, "--material", word(&material), "--wrapping", wrapping];
        assert!(server.jomae(&words).ok().text().contains("has its material"));
        assert_eq!(state(&id), "Enabled");
        server.jomae(&["call", "Encrypt", "--KeyId", &id, "--Plaintext", "aGVsbG8="]).ok();
    }
    // In two steps, the wrapping where the material is.
    let id = external();
    let words = ["--WrappingKeySpec", "RSA_2048", "--WrappingAlgorithm", "RSAES_OAEP_SHA_256"];
    let given = server.jomae(&[&["call", "GetParametersForImport", "--KeyId", &id], &words[..]].concat()).ok().json();
    let public_key = STANDARD.decode(given["PublicKey"].as_str().unwrap()).unwrap();
    let public_key = site.write("public.der", public_key);
    let wrap = ["key", "wrap", "--public-key", word(&public_key), "--material"];
    let wrapped = jomae(&[&wrap[..], &[word(&material)]].concat()).ok();
    let (token, wrapped) = (given["ImportToken"].as_str().unwrap(), wrapped.text().trim_end());
    let words =
        ["call", "ImportKeyMaterial", "--KeyId", &id, "--ImportToken", token, "--EncryptedKeyMaterial", wrapped];
    server.jomae(&words).ok();
    assert_eq!(state(&id), "Enabled");

    let missing = site.path("missing");
    jomae(&[&wrap[..], &[word(&missing)]].concat()).failed(1, &["missing"]);
    let large = site.write("large", vec![0; 20_000]);
    jomae(&[&wrap[..], &[word(&large)]].concat()).failed(1, &["16 KiB"]);
    let id = external();
    let short = site.write("short", [1; 5]);
    server.jomae(&["key", "import", &id, "--material", word(&short)]).failed(3, &["request id"]);
    assert_eq!(state(&id), "PendingImport");
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
    // A name that is taken, or is none, is noticed before a key is made for it.
    let count = || server.jomae(&["call", "ListKeys"]).ok().json()["TotalCount"].clone();
    let before = count();
    server.jomae(&["key", "create", "--alias", "alias/b"]).failed(1, &["alias/b", "no key was made"]);
    server.jomae(&["key", "create", "--alias", "b"]).failed(1, &["alias/b", "no key was made"]);
    server.jomae(&["key", "create", "--alias", "alias/no name!"]).failed(2, &["no name!"]);
    server.jomae(&["key", "create", "--alias", "acs/orders"]).failed(2, &["acs"]);
    assert_eq!(count(), before);
}

#[test]
fn an_alias_works_wherever_a_key_is_named() {
    let site = Site::default();
    let server = site.start();
    let made = server.jomae(&["key", "create", "--alias", "team/orders"]).ok();
    let id = made.text().trim_end();
    for name in ["team/orders", "alias/team/orders", id] {
        for words in [
            &["key", "rotate", name][..],
            &["key", "versions", name],
            &["key", "usage", name],
            &["key", "set-description", name, "d"],
            &["key", "disable", name],
            &["key", "enable", name],
            &["key", "protect", name],
            &["key", "unprotect", name],
            &["alias", "list", name],
            &["alias", "create", "other", name],
            &["alias", "update", "other", name],
            &["alias", "delete", "alias/other"],
        ] {
            server.jomae(words).ok();
        }
        let planned = server.jomae(&["key", "schedule-deletion", name, "--yes"]);
        assert_eq!(planned.code, Some(0), "{}", planned.stderr);
        server.jomae(&["key", "cancel-deletion", name]).ok();
        let described = server.jomae(&["key", "describe", name, "--output", "json"]).ok().json();
        assert_eq!(described["KeyMetadata"]["KeyId"], id);
        assert_eq!(described["Aliases"], serde_json::json!(["alias/team/orders"]));
    }
    let listed = server.jomae(&["key", "list"]).ok();
    assert_eq!(rows(&listed)[0][3], "alias/team/orders");
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
    // Not one event for each key.
    let before = server.audit().len();
    let table = server.jomae(&["key", "list"]).ok();
    assert!(server.audit().len() - before < 12);
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
    server.jomae(&["key", "list", "--state", "disabled"]).failed(2, &["is Disabled meant?"]);
    let long = server.jomae(&["key", "list", "--state", "Disabled", "--long", "--output", "json"]).ok().json();
    assert_eq!(long[0]["Description"], "key 50");
    // The time in a key's ID is that of its record, to the second or the next.
    let seconds = |row: &Value| row["CreationDate"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    let short = server.jomae(&["key", "list", "--state", "Disabled", "--output", "json"]).ok().json();
    assert!((seconds(&long[0]) - seconds(&short[0])).abs() <= 1);
}
