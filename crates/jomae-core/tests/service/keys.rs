//! `CreateKey`, `DescribeKey`, `UpdateKeyDescription`, `EnableKey`, `DisableKey`, `SetDeletionProtection`.

use serde_json::{Value, json};

use crate::common::{DAY, START, World};

/// What `CreateKey` says of a key made with these parameters, with the parts that differ each time taken out.
fn metadata(world: &World, params: &[(&str, &str)]) -> Value {
    let mut answer = world.alice().ok("CreateKey", params);
    let metadata = answer["KeyMetadata"].take();
    assert_eq!(answer, json!({ "KeyMetadata": null }));
    let id = metadata["KeyId"].as_str().unwrap().to_owned();
    let uuid = uuid::Uuid::try_parse(&id).unwrap();
    assert_eq!((uuid.get_version_num(), uuid.hyphenated().to_string()), (7, id.clone()));
    let account = &world.alice.account;
    assert_eq!(metadata["Arn"], format!("acs:kms:cn-hangzhou:{account}:key/{id}"));
    assert_eq!(metadata["Creator"], account.as_str());
    let mut described = world.alice().describe(&id);
    let members = described.as_object_mut().unwrap();
    assert_eq!(members.remove("DeletionProtection"), Some(json!("Disabled")));
    assert_eq!(members.remove("DeletionProtectionDescription"), Some(json!("")));
    assert_eq!(described, metadata, "DescribeKey says the same");
    let mut rest = metadata;
    let members = rest.as_object_mut().unwrap();
    for name in ["KeyId", "Arn", "Creator"] {
        members.remove(name);
    }
    if let Some(version) = members.get_mut("PrimaryKeyVersion") {
        assert!(uuid::Uuid::try_parse(version.as_str().unwrap()).is_ok());
        assert_ne!(version.as_str().unwrap(), id);
        *version = json!("a version");
    }
    rest
}

fn usual() -> Value {
    json!({
        "CreationDate": "2027-01-15T08:00:00Z",
        "Description": "",
        "KeySpec": "Aliyun_AES_256",
        "KeyUsage": "ENCRYPT/DECRYPT",
        "KeyState": "Enabled",
        "Origin": "Aliyun_KMS",
        "ProtectionLevel": "SOFTWARE",
        "PrimaryKeyVersion": "a version",
        "DeleteDate": "",
        "MaterialExpireTime": "",
        "LastRotationDate": "2027-01-15T08:00:00Z",
        "AutomaticRotation": "Disabled",
    })
}

fn usual_with(changes: &[(&str, Value)]) -> Value {
    let mut expected = usual();
    for (name, value) in changes {
        expected[*name] = value.clone();
    }
    expected
}

#[test]
fn a_new_key() {
    let world = World::new();
    assert_eq!(metadata(&world, &[]), usual());
    let all_defaults = [
        ("KeySpec", "Aliyun_AES_256"),
        ("KeyUsage", "ENCRYPT/DECRYPT"),
        ("Origin", "Aliyun_KMS"),
        ("ProtectionLevel", "SOFTWARE"),
        ("Description", ""),
        ("EnableAutomaticRotation", "False"),
        ("RotationInterval", "365d"),
        ("Tags", "[]"),
    ];
    assert_eq!(metadata(&world, &all_defaults), usual(), "the defaults, said aloud; an interval without rotation");
    let described = metadata(&world, &[("Description", "orders & \"users\" \u{1f511}")]);
    assert_eq!(described, usual_with(&[("Description", json!("orders & \"users\" \u{1f511}"))]));
    let longest = "\u{e9}".repeat(8192);
    assert_eq!(metadata(&world, &[("Description", &longest)])["Description"], longest);
}

#[test]
fn a_new_external_key() {
    let world = World::new();
    let mut expected = usual_with(&[("KeyState", json!("PendingImport")), ("Origin", json!("EXTERNAL"))]);
    expected.as_object_mut().unwrap().remove("PrimaryKeyVersion");
    assert_eq!(metadata(&world, &[("Origin", "EXTERNAL")]), expected);
    let rotating = [("Origin", "EXTERNAL"), ("EnableAutomaticRotation", "true"), ("RotationInterval", "365d")];
    world.alice().refused("CreateKey", &rotating, "400 InvalidParameter");
}

#[test]
fn a_new_rotating_key() {
    let world = World::new();
    for (interval, secs) in
        [("7d", 7 * DAY), ("730d", 730 * DAY), ("168h", 7 * DAY), ("10080m", 7 * DAY), ("604801s", 7 * DAY + 1)]
    {
        let rotating = metadata(&world, &[("EnableAutomaticRotation", "True"), ("RotationInterval", interval)]);
        let next = jomae_api::time::Timestamp(START + secs).to_string();
        let expected = usual_with(&[
            ("AutomaticRotation", json!("Enabled")),
            ("RotationInterval", json!(format!("{secs}s"))),
            ("NextRotationDate", json!(next)),
        ]);
        assert_eq!(rotating, expected, "{interval}");
    }
}

#[test]
fn tags_are_kept() {
    let world = World::new();
    let tags: Vec<_> = (0..20).map(|n| json!({"TagKey": format!("key {n}"), "TagValue": "v/\\_-.+=:@"})).collect();
    let key = world.alice().key(&[("Tags", &json!(tags).to_string())]);
    let kept = world.record(&key).unwrap().tags;
    assert_eq!(kept.len(), 20);
    assert_eq!(kept["key 7"], "v/\\_-.+=:@");
    let one_more: Vec<_> = (0..21).map(|n| json!({"TagKey": format!("k{n}")})).collect();
    world.alice().refused("CreateKey", &[("Tags", &json!(one_more).to_string())], "400 Rejected.LimitExceeded");
}

#[test]
fn what_create_key_refuses() {
    let world = World::new();
    let before = world.dump();
    let too_long = "x".repeat(8193);
    for (name, value, expected) in [
        ("KeySpec", "Aliyun_AES_512", "400 InvalidParameter"),
        ("KeySpec", "aliyun_aes_256", "400 InvalidParameter"),
        ("KeyUsage", "SIGN/VERIFY", "400 InvalidParameter"),
        ("Origin", "external", "400 InvalidParameter"),
        ("ProtectionLevel", "HSM", "400 Unsupported.ProtectionLevel"),
        ("ProtectionLevel", "software", "400 InvalidParameter"),
        ("Description", &too_long, "400 InvalidParameter"),
        ("EnableAutomaticRotation", "1", "400 InvalidParameter"),
        ("EnableAutomaticRotation", "true", "400 MissingParameter"),
        ("Tags", "{}", "400 InvalidParameter"),
        ("Tags", r#"[{"TagKey":"acs:x"}]"#, "400 InvalidParameter"),
        ("DKMSInstanceId", "kst-1", "400 InvalidParameter"),
        ("KeyStorageMechanism", "HsmInternal", "400 InvalidParameter"),
        ("Policy", "{}", "400 InvalidParameter"),
    ] {
        world.alice().refused("CreateKey", &[(name, value)], expected);
    }
    for interval in ["6d", "731d", "604799s", "365", "-365d", "1y"] {
        let rotating = [("EnableAutomaticRotation", "true"), ("RotationInterval", interval)];
        world.alice().refused("CreateKey", &rotating, "400 InvalidParameter");
    }
    assert_eq!(world.dump(), before);
    assert_eq!(metadata(&world, &[("Whatever", "y")]), usual(), "what is unknown is ignored");
}

#[test]
fn every_form_of_a_key_id_describes() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    alice.done("CreateAlias", &[("AliasName", "alias/a"), ("KeyId", &key)]);
    let arn = alice.describe(&key)["Arn"].as_str().unwrap().to_owned();
    for form in [key.as_str(), "alias/a", &arn] {
        assert_eq!(alice.describe(form)["KeyId"], key, "{form}");
    }
    for (form, expected) in [
        ("", "400 MissingParameter"),
        ("a b", "400 InvalidParameter"),
        ("alias/", "400 InvalidParameter"),
        ("no-such-key", "404 Forbidden.KeyNotFound"),
        ("alias/no-such-alias", "404 Forbidden.AliasNotFound"),
        ("acs:kms:cn-hangzhou:1:key/x", "400 InvalidParameter"),
    ] {
        alice.refused("DescribeKey", &[("KeyId", form)], expected);
    }
    alice.refused("DescribeKey", &[], "400 MissingParameter");
}

/// `keys.md`, "What KeyId accepts", fourth row: an ID and nothing else.
#[test]
fn actions_that_take_no_alias() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    alice.done("CreateAlias", &[("AliasName", "alias/a"), ("KeyId", &key)]);
    let arn = alice.describe(&key)["Arn"].as_str().unwrap().to_owned();
    let before = world.dump();
    for (action, rest) in [
        ("EnableKey", &[][..]),
        ("DisableKey", &[]),
        ("ScheduleKeyDeletion", &[("PendingWindowInDays", "7")]),
        ("CancelKeyDeletion", &[]),
        ("UpdateKeyDescription", &[("Description", "x")]),
        ("SetDeletionProtection", &[("EnableDeletionProtection", "true")]),
        ("CreateAlias", &[("AliasName", "alias/b")]),
        ("UpdateAlias", &[("AliasName", "alias/a")]),
        ("ListAliasesByKeyId", &[]),
    ] {
        for (form, expected) in [
            ("alias/a", "400 Unsupported.Alias"),
            ("alias/none", "400 Unsupported.Alias"),
            (arn.as_str(), "400 InvalidParameter"),
            ("no-such-key", "404 Forbidden.KeyNotFound"),
        ] {
            let params: Vec<_> = rest.iter().copied().chain([("KeyId", form)]).collect();
            alice.refused(action, &params, expected);
        }
    }
    assert_eq!(world.dump(), before);
}

#[test]
fn descriptions_are_replaced() {
    let world = World::new();
    let (key, alice) = (world.alice().key(&[("Description", "one")]), world.alice());
    for text in ["two", "two", "", "three \u{e9}"] {
        alice.done("UpdateKeyDescription", &[("KeyId", &key), ("Description", text)]);
        assert_eq!(alice.describe(&key)["Description"], text);
    }
    alice.refused("UpdateKeyDescription", &[("KeyId", &key)], "400 MissingParameter");
    let too_long = "x".repeat(8193);
    alice.refused("UpdateKeyDescription", &[("KeyId", &key), ("Description", &too_long)], "400 InvalidParameter");
    assert_eq!(alice.describe(&key)["Description"], "three \u{e9}");
}

#[test]
fn switching_off_and_on() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let blob = alice.encrypt(&key);
    for _ in 0..2 {
        alice.done("DisableKey", &[("KeyId", &key)]);
        assert_eq!(alice.state(&key), "Disabled");
        alice.refused("Decrypt", &[("CiphertextBlob", &blob)], "409 Rejected.Disabled");
    }
    for _ in 0..2 {
        alice.done("EnableKey", &[("KeyId", &key)]);
        assert_eq!(alice.state(&key), "Enabled");
        alice.decrypts(&blob);
    }
}

#[test]
fn switching_protection() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let arn = alice.describe(&key)["Arn"].as_str().unwrap().to_owned();
    let protection = || {
        let metadata = alice.describe(&key);
        (metadata["DeletionProtection"].clone(), metadata["DeletionProtectionDescription"].clone())
    };
    let (on, off) = (("EnableDeletionProtection", "true"), ("EnableDeletionProtection", "False"));
    let why = ("DeletionProtectionDescription", "in use");
    alice.done("SetDeletionProtection", &[on, ("KeyId", &key), why]);
    assert_eq!(protection(), (json!("Enabled"), json!("in use")));
    alice.done("SetDeletionProtection", &[off, ("ProtectedResourceArn", &arn), why]);
    assert_eq!(protection(), (json!("Disabled"), json!("")), "a text is kept only when it is switched on");
    alice.done("SetDeletionProtection", &[on, ("ProtectedResourceArn", &arn), ("KeyId", &key)]);
    assert_eq!(protection(), (json!("Enabled"), json!("")));
    let other = world.key();
    let two_keys = [on, ("ProtectedResourceArn", arn.as_str()), ("KeyId", other.as_str())];
    alice.refused("SetDeletionProtection", &two_keys, "400 InvalidParameter");
    alice.refused("SetDeletionProtection", &[on], "400 MissingParameter");
    alice.refused("SetDeletionProtection", &[("KeyId", &key)], "400 MissingParameter");
    alice.refused("SetDeletionProtection", &[on, ("KmsInstanceId", "kst-1")], "400 InvalidParameter");
    alice.refused("SetDeletionProtection", &[on, ("ProtectedResourceArn", &key)], "400 InvalidParameter");
    assert_eq!(protection().0, json!("Enabled"));
}

#[test]
fn the_service_actions() {
    let world = World::new();
    let regions = json!({"Regions": {"Region": [{"RegionId": "cn-hangzhou"}, {"RegionId": "cn-shanghai"}]}});
    assert_eq!(world.alice().ok("DescribeRegions", &[]), regions);
    assert_eq!(world.alice().ok("DescribeAccountKmsStatus", &[]), json!({"AccountStatus": "Enabled"}));
}
