//! `CreateAlias`, `UpdateAlias`, `DeleteAlias`, `ListAliases`, `ListAliasesByKeyId`.

use serde_json::{Value, json};

use crate::common::{Client, SHANGHAI, World};

fn create(client: Client<'_>, name: &str, key: &str) {
    client.done("CreateAlias", &[("AliasName", name), ("KeyId", key)]);
}

/// The names in a list, which must be complete in one page.
fn names(answer: &Value) -> Vec<String> {
    let rows = answer["Aliases"]["Alias"].as_array().unwrap();
    assert_eq!(answer["TotalCount"], rows.len());
    rows.iter().map(|row| row["AliasName"].as_str().unwrap().to_owned()).collect()
}

fn all(client: Client<'_>) -> Vec<String> {
    names(&client.ok("ListAliases", &[("PageSize", "100")]))
}

fn of_key(client: Client<'_>, key: &str) -> Vec<String> {
    names(&client.ok("ListAliasesByKeyId", &[("KeyId", key), ("PageSize", "100")]))
}

#[test]
fn an_alias_through_its_life() {
    let world = World::new();
    let (one, two, alice) = (world.key(), world.key(), world.alice());
    create(alice, "alias/orders", &one);
    let blob = alice.encrypt("alias/orders");
    assert_eq!(alice.describe("alias/orders")["KeyId"], one);
    alice.done("UpdateAlias", &[("AliasName", "alias/orders"), ("KeyId", &two)]);
    assert_eq!(alice.describe("alias/orders")["KeyId"], two);
    alice.decrypts(&blob);
    assert_eq!((of_key(alice, &one), of_key(alice, &two)), (vec![], vec!["alias/orders".to_owned()]));
    alice.done("UpdateAlias", &[("AliasName", "alias/orders"), ("KeyId", &two)]);
    assert_eq!(of_key(alice, &two), ["alias/orders"], "pointing where it points already changes nothing");
    alice.done("DeleteAlias", &[("AliasName", "alias/orders")]);
    alice.refused("DeleteAlias", &[("AliasName", "alias/orders")], "404 Forbidden.AliasNotFound");
    alice.refused("DescribeKey", &[("KeyId", "alias/orders")], "404 Forbidden.AliasNotFound");
    assert!(all(alice).is_empty() && of_key(alice, &two).is_empty());
    assert!(world.paths_with("alias").iter().all(|path| path.starts_with("quota/")), "nothing of it is left");
    alice.decrypts(&blob);
}

#[test]
fn what_is_refused() {
    let world = World::new();
    let (one, two, alice) = (world.key(), world.key(), world.alice());
    create(alice, "alias/a", &one);
    let before = world.dump();
    for key in [&one, &two] {
        alice.refused("CreateAlias", &[("AliasName", "alias/a"), ("KeyId", key)], "400 AliasAlreadyExists");
    }
    alice.refused("UpdateAlias", &[("AliasName", "alias/b"), ("KeyId", &one)], "404 Forbidden.AliasNotFound");
    alice.refused("UpdateAlias", &[("AliasName", "alias/a"), ("KeyId", "none")], "404 Forbidden.KeyNotFound");
    alice.refused("CreateAlias", &[("AliasName", "alias/b"), ("KeyId", "none")], "404 Forbidden.KeyNotFound");
    alice.refused("ListAliasesByKeyId", &[("KeyId", "none")], "404 Forbidden.KeyNotFound");
    let too_long = format!("alias/{}", "x".repeat(256));
    for bad in
        ["a", "alias/", "Alias/a", "alias/a b", "alias/\u{e9}", "alias/a.b", "alias/acs", "alias/acs/x", &too_long]
    {
        alice.refused("CreateAlias", &[("AliasName", bad), ("KeyId", &one)], "400 InvalidParameter");
    }
    for action in ["CreateAlias", "UpdateAlias"] {
        alice.refused(action, &[("KeyId", &one)], "400 MissingParameter");
        alice.refused(action, &[("AliasName", "alias/a")], "400 MissingParameter");
    }
    alice.refused("DeleteAlias", &[], "400 MissingParameter");
    assert_eq!(world.dump(), before);
    let longest = format!("alias/{}", "x/".repeat(127) + "_");
    create(alice, &longest, &one);
    assert_eq!(alice.describe(&longest)["KeyId"], one);
}

#[test]
fn rows_say_what_they_must() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    create(alice, "alias/a/b", &key);
    let account = &world.alice.account;
    let expected = json!({
        "Aliases": {"Alias": [{
            "AliasName": "alias/a/b",
            "AliasArn": format!("acs:kms:cn-hangzhou:{account}:alias/a/b"),
            "KeyId": key,
        }]},
        "TotalCount": 1, "PageNumber": 1, "PageSize": 10,
    });
    assert_eq!(alice.ok("ListAliases", &[]), expected);
    assert_eq!(alice.ok("ListAliasesByKeyId", &[("KeyId", &key)]), expected);
    let none = json!({"Aliases": {"Alias": []}, "TotalCount": 0, "PageNumber": 1, "PageSize": 10});
    assert_eq!(alice.at(SHANGHAI).ok("ListAliases", &[]), none);
    assert_eq!(world.bob().ok("ListAliases", &[]), none);
}

#[test]
fn lists_are_in_order_of_names_and_in_pages() {
    let world = World::new();
    let (one, two, alice) = (world.key(), world.key(), world.alice());
    let mut expected = Vec::new();
    let mut of_two = Vec::new();
    for number in 0..60 {
        // Not in the order in which they are made.
        let name = format!("alias/{}{}", if number % 3 == 0 { "x/" } else { "" }, (number * 37) % 60 + 10);
        create(alice, &name, if number % 4 == 0 { &two } else { &one });
        if number % 4 == 0 {
            of_two.push(name.clone());
        }
        expected.push(name);
    }
    expected.sort_unstable();
    of_two.sort_unstable();
    assert_eq!(all(alice), expected);
    assert_eq!(of_key(alice, &two), of_two);
    for size in [1usize, 7, 60] {
        let mut seen = Vec::new();
        for page in 1..=60usize.div_ceil(size) + 1 {
            let (page, size) = (page.to_string(), size.to_string());
            let answer = alice.ok("ListAliases", &[("PageNumber", &page), ("PageSize", &size)]);
            assert_eq!(answer["TotalCount"], 60);
            assert_eq!(answer["PageNumber"].to_string(), page);
            assert_eq!(answer["PageSize"].to_string(), size);
            let rows = answer["Aliases"]["Alias"].as_array().unwrap();
            seen.extend(rows.iter().map(|row| row["AliasName"].as_str().unwrap().to_owned()));
        }
        assert_eq!(seen, expected, "pages of {size}");
    }
    for (name, bad) in [("PageNumber", "0"), ("PageNumber", "x"), ("PageSize", "0"), ("PageSize", "101")] {
        alice.refused("ListAliases", &[(name, bad)], "400 InvalidParameter");
        alice.refused("ListAliasesByKeyId", &[("KeyId", &one), (name, bad)], "400 InvalidParameter");
    }
}

/// The list follows each change at once, though it is counted only once.
#[test]
fn lists_follow_changes() {
    let world = World::new();
    let (one, two, alice) = (world.key(), world.key(), world.alice());
    let mut expected = std::collections::BTreeMap::new();
    for step in 0..200u32 {
        let name = format!("alias/n{}", step.wrapping_mul(2_654_435_761) % 23);
        let key = if step % 2 == 0 { &one } else { &two };
        let known = expected.contains_key(&name);
        if known && step % 3 == 0 {
            alice.done("DeleteAlias", &[("AliasName", &name)]);
            expected.remove(&name);
        } else {
            let action = if known { "UpdateAlias" } else { "CreateAlias" };
            alice.done(action, &[("AliasName", &name), ("KeyId", key)]);
            expected.insert(name, key);
        }
        assert!(all(alice).iter().eq(expected.keys()), "step {step}");
        for key in [&one, &two] {
            let of: Vec<_> = expected.iter().filter(|(_, of)| *of == &key).map(|(name, _)| name.clone()).collect();
            assert_eq!(of_key(alice, key), of, "step {step}");
        }
    }
}
