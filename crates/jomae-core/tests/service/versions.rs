//! `CreateKeyVersion`, `DescribeKeyVersion`, `ListKeyVersions`, `UpdateRotationPolicy`.

use jomae_core::record::path;
use serde_json::{Value, json};

use crate::common::{Client, DAY, DIGEST, HELLO, START, Subject, World, code_of, import};

const UNSUPPORTED: &str = "400 UnsupportedOperation";
const NO_VERSION: &str = "404 Forbidden.KeyVersionNotFound";

fn date(secs: i64) -> Value {
    jomae_api::time::Timestamp(secs).to_string().into()
}

/// Makes a version; gives its ID.
fn new_version(client: Client<'_>, key: &str) -> String {
    let answer = client.ok("CreateKeyVersion", &[("KeyId", key)]);
    answer["KeyVersion"]["KeyVersionId"].as_str().unwrap().to_owned()
}

fn primary(world: &World, key: &str) -> String {
    world.alice().describe(key)["PrimaryKeyVersion"].as_str().unwrap().to_owned()
}

/// The versions of one page, and what the answer says of the list.
fn page(world: &World, key: &str, number: &str, size: &str) -> (Vec<String>, Value) {
    let params = [("KeyId", key), ("PageNumber", number), ("PageSize", size)];
    let mut answer = world.alice().ok("ListKeyVersions", &params);
    let rows = answer["KeyVersions"]["KeyVersion"].take();
    let ids = rows.as_array().unwrap().iter().map(|row| {
        assert_eq!((row["KeyId"].as_str(), row.as_object().unwrap().len()), (Some(key), 3));
        row["KeyVersionId"].as_str().unwrap().to_owned()
    });
    (ids.collect(), answer)
}

#[test]
fn a_new_version_encrypts_and_the_old_one_decrypts() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let mut made = vec![(primary(&world, &key), alice.encrypt(&key))];
    for second in 1..=3 {
        world.advance(1);
        let answer = alice.ok("CreateKeyVersion", &[("KeyId", &key)]);
        let version = primary(&world, &key);
        let row = json!({ "KeyId": key, "KeyVersionId": version, "CreationDate": date(START + second) });
        assert_eq!(answer, json!({ "KeyVersion": row }));
        let described = alice.ok("DescribeKeyVersion", &[("KeyId", &key), ("KeyVersionId", &version)]);
        assert_eq!(described["KeyVersion"], row);
        assert_eq!(alice.describe(&key)["LastRotationDate"], date(START + second));
        assert_eq!(alice.describe(&key)["CreationDate"], date(START));
        let sealed = alice.ok("Encrypt", &[("KeyId", &key), ("Plaintext", HELLO)]);
        assert_eq!(sealed["KeyVersionId"], version);
        made.push((version, sealed["CiphertextBlob"].as_str().unwrap().to_owned()));
    }
    for world in [&world, &world.reopened()] {
        for (version, blob) in &made {
            let opened = world.alice().ok("Decrypt", &[("CiphertextBlob", blob)]);
            assert_eq!((&opened["KeyVersionId"], &opened["Plaintext"]), (&json!(version), &json!(HELLO)));
        }
    }
    let newest_first: Vec<_> = made.iter().rev().map(|(version, _)| version.clone()).collect();
    assert_eq!(page(&world, &key, "1", "10").0, newest_first);
}

#[test]
fn a_version_by_any_name_of_its_key() {
    let world = World::new();
    let subject = Subject::of(&world, "CreateKeyVersion");
    let arn = world.place(&subject.key).arn();
    for name in [subject.key.as_str(), &subject.alias, &arn] {
        let made = world.alice().ok("CreateKeyVersion", &[("KeyId", name)]);
        assert_eq!(made["KeyVersion"]["KeyId"], subject.key);
        let version = made["KeyVersion"]["KeyVersionId"].as_str().unwrap();
        let described = world.alice().ok("DescribeKeyVersion", &[("KeyId", name), ("KeyVersionId", version)]);
        assert_eq!(described["KeyVersion"], made["KeyVersion"]);
    }
    assert_eq!(world.alice().ok("ListKeyVersions", &[("KeyId", &subject.alias)])["TotalCount"], 4);
}

/// Callers name the version of an asymmetric key; a new one changes nothing for the others.
#[test]
fn asymmetric_keys_have_fifty_named_versions() {
    let world = World::new();
    let alice = world.alice();
    let key = alice.key(&[("KeySpec", "EC_P256")]);
    let first = primary(&world, &key);
    let mut versions = vec![first.clone()];
    versions.extend((1..50).map(|_| new_version(alice, &key)));
    let before = world.dump();
    alice.refused("CreateKeyVersion", &[("KeyId", &key)], "400 Rejected.LimitExceeded");
    assert_eq!(world.dump(), before);
    assert_eq!(primary(&world, &key), first, "nothing falls back to the newest");
    let algorithm = ("Algorithm", "ECDSA_SHA_256");
    let [one, other] = [&versions[7], &versions[49]].map(|version| ("KeyVersionId", version.as_str()));
    let signed = alice.ok("AsymmetricSign", &[("KeyId", &key), one, algorithm, ("Digest", DIGEST)]);
    assert_eq!(signed["KeyVersionId"], one.1);
    let value = ("Value", signed["Value"].as_str().unwrap());
    for (version, expected) in [(one, true), (other, false)] {
        let params = [("KeyId", key.as_str()), version, algorithm, ("Digest", DIGEST), value];
        assert_eq!(alice.ok("AsymmetricVerify", &params)["Value"], expected);
    }
    versions.reverse();
    assert_eq!(page(&world, &key, "1", "100").0, versions);
}

#[test]
fn keys_that_have_one_version_for_life() {
    let world = World::new();
    let alice = world.alice();
    let external = Subject::of(&world, "ImportKeyMaterial").key;
    let mac = alice.key(&[("KeySpec", "HMAC_SHA_256")]);
    let pair = alice.key(&[("KeySpec", "EC_P256")]);
    let before = world.dump();
    for (key, expected) in [(&external, "400 Unsupported.Origin"), (&mac, UNSUPPORTED)] {
        alice.refused("CreateKeyVersion", &[("KeyId", key)], expected);
    }
    let rotation = [("EnableAutomaticRotation", "true"), ("RotationInterval", "30d")];
    for (key, expected) in [(&external, "400 Unsupported.Origin"), (&mac, UNSUPPORTED), (&pair, UNSUPPORTED)] {
        for switch in [&rotation[..], &[("EnableAutomaticRotation", "false")]] {
            let params = [&[("KeyId", key.as_str())][..], switch].concat();
            alice.refused("UpdateRotationPolicy", &params, expected);
        }
    }
    assert_eq!(world.dump(), before);
    for key in [&external, &mac] {
        assert_eq!(page(&world, key, "1", "10").0, [primary(&world, key)]);
    }
    let without = alice.key(&[("Origin", "EXTERNAL")]);
    assert_eq!(
        page(&world, &without, "1", "10"),
        (vec![], {
            json!({ "KeyVersions": { "KeyVersion": null }, "TotalCount": 0, "PageNumber": 1, "PageSize": 10 })
        })
    );
    import::parameters(alice, &without, "EC_SM2", "SM2PKE").import(alice, &without, &[1; 32], &[]).unwrap();
    assert_eq!(page(&world, &without, "1", "10").1["TotalCount"], 1);
}

#[test]
fn a_version_of_another_key_is_none_of_this_one() {
    let world = World::new();
    let alice = world.alice();
    let (key, other) = (world.key(), world.key());
    let elsewhere = primary(&world, &other);
    let bobs = world.bob().describe(&world.bob().key(&[]))["PrimaryKeyVersion"].as_str().unwrap().to_owned();
    for version in [elsewhere.as_str(), &bobs, &key, "none"] {
        alice.refused("DescribeKeyVersion", &[("KeyId", &key), ("KeyVersionId", version)], NO_VERSION);
    }
    alice.refused("DescribeKeyVersion", &[("KeyId", &key), ("KeyVersionId", "a b")], "400 InvalidParameter");
    alice.refused("DescribeKeyVersion", &[("KeyId", &key)], "400 MissingParameter");
    for action in ["AsymmetricSign", "AsymmetricVerify", "GetPublicKey", "AsymmetricEncrypt", "AsymmetricDecrypt"] {
        let (subject, other) = (Subject::of(&world, action), Subject::of(&world, action));
        let mut params = subject.params(action);
        params.iter_mut().filter(|(name, _)| *name == "KeyVersionId").for_each(|(_, value)| *value = &other.version);
        alice.refused(action, &params, NO_VERSION);
    }
}

#[test]
fn versions_are_listed_page_by_page() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let mut versions = vec![primary(&world, &key)];
    for _ in 1..130 {
        versions.push(new_version(alice, &key));
    }
    versions.reverse();
    for size in [1usize, 7, 10, 65, 100] {
        for number in [1, 2, 130 / size, 130 / size + 1, 130 / size + 2] {
            let (number_text, size_text) = (number.to_string(), size.to_string());
            let (rows, rest) = page(&world, &key, &number_text, &size_text);
            assert_eq!(rows, versions.chunks(size).nth(number - 1).unwrap_or_default(), "page {number} of {size}");
            let list = json!({ "KeyVersion": null });
            let said = json!({ "KeyVersions": list, "TotalCount": 130, "PageNumber": number, "PageSize": size });
            assert_eq!(rest, said);
        }
    }
    assert_eq!(page(&world, &key, "100000000", "100").0, [""; 0]);
    alice.refused("ListKeyVersions", &[("KeyId", &key), ("PageSize", "101")], "400 InvalidParameter");
}

fn switch(world: &World, key: &str, interval: Option<&str>) {
    let interval = interval.map(|text| ("RotationInterval", text));
    let enable = if interval.is_some() { "true" } else { "False" };
    let params: Vec<_> = [("KeyId", key), ("EnableAutomaticRotation", enable)].into_iter().chain(interval).collect();
    world.alice().done("UpdateRotationPolicy", &params);
}

/// `AutomaticRotation`, `LastRotationDate`, `NextRotationDate`, `RotationInterval`.
fn rotation(world: &World, key: &str) -> [Value; 4] {
    let metadata = world.alice().describe(key);
    ["AutomaticRotation", "LastRotationDate", "NextRotationDate", "RotationInterval"]
        .map(|name| metadata.get(name).cloned().unwrap_or_default())
}

#[test]
fn rotation_is_switched_on_and_off() {
    let world = World::new();
    let key = world.key();
    let off = |last| ["Disabled".into(), date(last), Value::Null, Value::Null];
    assert_eq!(rotation(&world, &key), off(START));
    world.advance(3 * DAY);
    for (text, secs) in [("7d", 7 * DAY), ("730d", 730 * DAY), ("8760h", 365 * DAY), ("604801s", 7 * DAY + 1)] {
        switch(&world, &key, Some(text));
        let on = ["Enabled".into(), date(START), date(START + secs), json!(format!("{secs}s"))];
        assert_eq!(rotation(&world, &key), on, "the next is one interval after the last, not after now");
        assert_eq!(world.paths_with("sys/due/").len(), 1, "the plan moves");
    }
    switch(&world, &key, None);
    assert_eq!(rotation(&world, &key), off(START));
    assert!(world.paths_with("sys/due/").is_empty());
    world.advance(1000 * DAY);
    assert_eq!(world.work(), 0);
    // An interval that is given while switching off is not kept.
    let params = [("KeyId", key.as_str()), ("EnableAutomaticRotation", "false"), ("RotationInterval", "7d")];
    world.alice().done("UpdateRotationPolicy", &params);
    assert_eq!(rotation(&world, &key), off(START));
    for (interval, expected) in
        [("6d", "400 InvalidParameter"), ("731d", "400 InvalidParameter"), ("", "400 MissingParameter")]
    {
        let params = [("KeyId", key.as_str()), ("EnableAutomaticRotation", "true"), ("RotationInterval", interval)];
        world.alice().refused("UpdateRotationPolicy", &params, expected);
    }
}

#[test]
fn a_rotation_that_is_overdue_happens_at_once() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let blob = alice.encrypt(&key);
    world.advance(30 * DAY);
    switch(&world, &key, Some("7d"));
    assert_eq!(rotation(&world, &key)[2], date(START + 7 * DAY), "said as it is");
    assert_eq!(world.work(), 1);
    let now = START + 30 * DAY;
    assert_eq!(rotation(&world, &key)[..3], ["Enabled".into(), date(now), date(now + 7 * DAY)]);
    assert_eq!(world.work(), 0);
    assert_eq!(page(&world, &key, "1", "10").1["TotalCount"], 2);
    alice.decrypts(&blob);
}

#[test]
fn a_version_by_hand_moves_the_next_rotation() {
    let world = World::new();
    let key = world.alice().key(&[("EnableAutomaticRotation", "true"), ("RotationInterval", "10d")]);
    world.advance(4 * DAY);
    new_version(world.alice(), &key);
    let last = START + 4 * DAY;
    assert_eq!(rotation(&world, &key)[..3], ["Enabled".into(), date(last), date(last + 10 * DAY)]);
    world.advance(10 * DAY - 1);
    assert_eq!(world.work(), 0);
    world.advance(1);
    assert_eq!(world.work(), 1);
    assert_eq!(page(&world, &key, "1", "10").1["TotalCount"], 3);
}

#[test]
fn rotation_is_suspended_while_the_key_is_off() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    switch(&world, &key, Some("7d"));
    alice.done("DisableKey", &[("KeyId", &key)]);
    let interval = json!(format!("{}s", 7 * DAY));
    assert_eq!(rotation(&world, &key), ["Suspended".into(), date(START), date(START + 7 * DAY), interval]);
    world.advance(20 * DAY);
    world.work();
    assert_eq!(page(&world, &key, "1", "10").1["TotalCount"], 1);
    alice.done("EnableKey", &[("KeyId", &key)]);
    assert_eq!(world.work(), 1);
    assert_eq!(rotation(&world, &key)[..2], ["Enabled".into(), date(START + 20 * DAY)]);
    // Suspended and never resumed: switched off meanwhile it stays off.
    switch(&world, &key, None);
    alice.done("DisableKey", &[("KeyId", &key)]);
    alice.done("EnableKey", &[("KeyId", &key)]);
    assert_eq!(rotation(&world, &key)[0], "Disabled");
    world.advance(1000 * DAY);
    assert_eq!(world.work(), 0);
}

/// However many versions a key has, a call reads the few records that it needs.
#[test]
fn ten_thousand_versions_cost_no_more_than_one() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let few = |world: &World, blob: &str| {
        let encrypt = world.reads_of(|| drop(world.alice().encrypt(&key)));
        (encrypt, world.reads_of(|| world.alice().decrypts(blob)))
    };
    let oldest = alice.encrypt(&key);
    let fresh = (few(&world.reopened(), &oldest), few(&world, &oldest));
    for _ in 1..10_000 {
        new_version(alice, &key);
    }
    assert_eq!(world.record(&key).unwrap().versions, 10_000);
    let newest = alice.encrypt(&key);
    for blob in [&oldest, &newest] {
        let cold = few(&world.reopened(), blob);
        assert!(cold.0 <= fresh.0.0 && cold.1 <= fresh.0.1 + 1, "{cold:?} against {fresh:?}");
        few(&world, blob);
        assert_eq!(few(&world, blob), (0, 0), "in memory after the first time");
    }
    let listing = world.reopened();
    let list = listing.reads_of(|| drop(page(&listing, &key, "500", "10")));
    assert!(list < 20, "{list}");
    let versions = path::versions(&world.place(&key));
    assert_eq!(world.paths_with(&versions).len(), 10_000);
    let gone = alice.call("DescribeKeyVersion", &[("KeyId", &key), ("KeyVersionId", &primary(&world, &key))]);
    assert_eq!(code_of(&gone), "200");
}
